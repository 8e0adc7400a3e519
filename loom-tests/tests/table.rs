//! The table: inserts, removals, lookups and walks beside splits and merges, each helped by whoever meets one.
//!
//! The models call the table itself, with entries whose words are small integers. Its segments are of one, one, two and
//! four words here, so that these splits and merges allocate segments and give them back. L2 holds as for the slot.

use std::sync::Arc;

use loom::thread::{self, JoinHandle};
use loom_tests::checker::{check, check_bounded};
use loom_tests::keyspace::entry::Swap;
use loom_tests::keyspace::hash::KeyHasher;
use loom_tests::keyspace::table::{Insert, Table};
use loom_tests::sync::epoch::{self, Guard};
use loom_tests::value::word::{NO_EXPIRY, OwnedWord, View, Word};

/// Keys of one byte, which is their hash: 0 and 2 share bit 0 and differ in bit 1; 1 is in the other half.
type Key = u8;

fn word(n: i64) -> Word {
    OwnedWord::from_int(n, NO_EXPIRY).into_word()
}

/// A table with these keys, split so many times.
fn table(keys: &[Key], splits: usize) -> Arc<Table> {
    let table = Arc::new(Table::new(1, KeyHasher::random()));
    let guard = epoch::pin();
    for &key in keys {
        assert!(insert(&table, key, i64::from(key), &guard));
    }
    (0..splits).for_each(|_| assert!(table.split_next(&guard)));
    table
}

fn insert(table: &Table, key: Key, n: i64, guard: &Guard) -> bool {
    matches!(table.insert(u64::from(key), &[key], word(n), 0, guard), Insert::Inserted(_))
}

fn find(table: &Table, key: Key, guard: &Guard) -> Option<i64> {
    let word = table.find(u64::from(key), &[key], guard)?.load();
    // SAFETY: loaded under the guard.
    match (!word.is_dead()).then(|| unsafe { word.view() })? {
        View::Int(n) => Some(n),
        _ => unreachable!("the models insert integers"),
    }
}

/// Ends a key as `Space` does: swaps its word to dead, then unlinks the entry. Whether this call did it.
fn remove(table: &Table, key: Key, guard: &Guard) -> bool {
    let Some(entry) = table.find(u64::from(key), &[key], guard) else { return false };
    let word = entry.load();
    let won = !word.is_dead() && entry.swap(word, Word::DEAD) == Swap::Done;
    table.unlink(u64::from(key), entry, guard);
    won
}

/// A whole walk, sorted.
fn walk(table: &Table, guard: &Guard) -> Vec<Key> {
    let (mut keys, mut cursor) = (Vec::new(), 0);
    loop {
        cursor = table.scan(cursor, guard, |entry| keys.push(entry.key()[0]));
        if cursor == 0 {
            keys.sort_unstable();
            return keys;
        }
    }
}

/// What is in the table after the race: every key once, with its integer.
fn contents(table: &Table) -> Vec<Key> {
    let guard = epoch::pin();
    let keys = walk(table, &guard);
    keys.iter().for_each(|&key| assert!(find(table, key, &guard).is_some()));
    keys
}

fn spawn<R: 'static>(table: &Arc<Table>, task: impl FnOnce(&Table, &Guard) -> R + 'static) -> JoinHandle<R> {
    let (table, guard) = (Arc::clone(table), epoch::pin());
    thread::spawn(move || task(&table, &guard))
}

/// Found here: buckets published with Relaxed; the table's swap made of a load and a store.
#[test]
fn two_inserts_of_a_key_make_one_entry() {
    check(|| {
        let table = table(&[], 0);
        let threads = [1, 2].map(|n| {
            spawn(&table, move |table, guard| (insert(table, 0, n, guard), find(table, 0, guard).unwrap()))
        });
        let [(first, a), (second, b)] = threads.map(|thread| thread.join().unwrap());
        assert!(first != second);
        assert_eq!((a, b), if first { (1, 1) } else { (2, 2) });
        assert_eq!(contents(&table), [0]);
    });
}

/// Found here: an entry retired also by who finds it unlinked; the table's swap made of a load and a store.
#[test]
fn an_insert_and_two_removals_of_a_key_agree() {
    check_bounded(3, || {
        let table = table(&[0], 0);
        let removers = [0, 1].map(|_| spawn(&table, |table, guard| remove(table, 0, guard)));
        let inserter = spawn(&table, |table, guard| insert(table, 0, 7, guard));
        let removed = removers.map(|thread| i64::from(thread.join().unwrap()));
        let inserted = i64::from(inserter.join().unwrap());
        assert_eq!(contents(&table).len() as i64, 1 + inserted - removed[0] - removed[1]);
    });
}

type Resize = fn(&Table, &Guard);

/// Runs `resize` beside `task` on a table of keys 0, 1 and 2 that was split `splits` times, then checks what is left.
fn beside<R: 'static>(
    splits: usize,
    resize: Resize,
    task: fn(&Table, &Guard) -> R,
    left: impl Fn(R) -> Vec<Key> + Send + Sync + 'static,
) {
    check_bounded(3, move || {
        let table = table(&[0, 1, 2], splits);
        let resizer = spawn(&table, resize);
        let other = spawn(&table, task);
        resizer.join().unwrap();
        let left = left(other.join().unwrap());
        assert_eq!(contents(&table), left);
    });
}

fn split(table: &Table, guard: &Guard) {
    // A removal may have begun a resize of its own: then this one gives way.
    let _in_time = table.split_next(guard);
}

fn merge(table: &Table, guard: &Guard) {
    let _in_time = table.merge_last(guard);
}

fn split_and_merge(table: &Table, guard: &Guard) {
    split(table, guard);
    merge(table, guard);
}

fn merge_and_split(table: &Table, guard: &Guard) {
    merge(table, guard);
    split(table, guard);
}

fn finds_what_stays(table: &Table, guard: &Guard) {
    assert_eq!([1, 2].map(|key| find(table, key, guard)), [Some(1), Some(2)]);
}

/// Found here: buckets published with Relaxed; buckets freed at once.
#[test]
fn a_lookup_beside_a_split_misses_nothing() {
    beside(0, split, finds_what_stays, |()| vec![0, 1, 2]);
    beside(1, split, finds_what_stays, |()| vec![0, 1, 2]);
}

/// Found here: segments freed at once; buckets freed at once.
#[test]
fn a_lookup_beside_a_merge_misses_nothing() {
    beside(1, merge, finds_what_stays, |()| vec![0, 1, 2]);
    beside(2, merge, finds_what_stays, |()| vec![0, 1, 2]);
}

/// Found here: a cursor that steps too far; buckets freed at once.
#[test]
fn a_walk_beside_a_resize_misses_nothing() {
    for (splits, resize) in [(0, split as Resize), (1, split), (1, merge), (2, merge)] {
        beside(
            splits,
            resize,
            |table, guard| {
                let seen = walk(table, guard);
                assert!([0, 1, 2].iter().all(|key| seen.contains(key)), "{seen:?}");
            },
            |()| vec![0, 1, 2],
        );
    }
}

/// Found here: inserts into frozen buckets; buckets published with Relaxed.
#[test]
fn inserts_and_removals_beside_a_split_are_kept() {
    for splits in [0, 1] {
        beside(splits, split, |table, guard| insert(table, 3, 3, guard), |_| vec![0, 1, 2, 3]);
        beside(splits, split, |table, guard| insert(table, 4, 4, guard), |_| vec![0, 1, 2, 4]);
        beside(splits, split, |table, guard| remove(table, 1, guard), |_| vec![0, 2]);
        beside(splits, split, |table, guard| remove(table, 2, guard), |_| vec![0, 1]);
    }
}

/// Found here: inserts into frozen buckets; a parent that opens before its child is vacant.
#[test]
fn inserts_and_removals_beside_a_merge_are_kept() {
    for splits in [1, 2] {
        beside(splits, merge, |table, guard| insert(table, 3, 3, guard), |_| vec![0, 1, 2, 3]);
        beside(splits, merge, |table, guard| insert(table, 4, 4, guard), |_| vec![0, 1, 2, 4]);
        beside(splits, merge, |table, guard| remove(table, 1, guard), |_| vec![0, 2]);
        beside(splits, merge, |table, guard| remove(table, 2, guard), |_| vec![0, 1]);
    }
}

/// A helper that slept through the end of what it helps finds words of another version, and leaves none behind that
/// the next resize takes for its own.
/// Found here: vacancies that all have one version; inserts into frozen buckets; a parent that opens before its child is
/// vacant; a merge that ended before its parent was opened, which was no mutation but a mistake.
#[test]
fn a_late_helper_revives_nothing() {
    let merges = |table: &Table, guard: &Guard| (0..2).for_each(|_| merge(table, guard));
    let resizes: [(usize, Resize); 3] = [(0, split_and_merge), (2, merge_and_split), (2, merges)];
    for (splits, resize) in resizes {
        check_bounded(2, move || {
            let table = table(&[0, 1, 2], splits);
            let resizer = spawn(&table, resize);
            let other = spawn(&table, |table, guard| insert(table, 6, 6, guard));
            resizer.join().unwrap();
            assert!(other.join().unwrap());
            assert_eq!(contents(&table), [0, 1, 2, 6]);
        });
    }
}

/// L2: lookups that pin for themselves, beside resizes whose garbage is freed between them.
/// Found here: segments freed at once; buckets freed at once.
#[test]
fn buckets_and_segments_stay_readable_for_guards_that_saw_them() {
    check_bounded(3, || {
        let table = table(&[0, 1], 1);
        let (resized, read) = (Arc::clone(&table), Arc::clone(&table));
        let resizer = thread::spawn(move || {
            merge(&resized, &epoch::pin());
            split(&resized, &epoch::pin());
        });
        let reader = thread::spawn(move || {
            (0..2).for_each(|_| assert_eq!(find(&read, 1, &epoch::pin()), Some(1)));
        });
        resizer.join().unwrap();
        reader.join().unwrap();
    });
}
