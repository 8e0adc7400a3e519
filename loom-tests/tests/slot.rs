//! The slot protocol (L1 to L5), through the keyspace's own `Space`: real table, real entries, real words.
//!
//! Every model also proves L2: the heap fails a block that is freed twice, never, or used after it.

use std::sync::Arc;

use loom_tests::checker::{check, check_bounded};
use loom_tests::keyspace::{Change, Keyspace, Live, Space};
use loom_tests::value::node::{Node, NodeKind, Text};
use loom_tests::value::word::{NO_EXPIRY, OwnedWord, View, canonical_int};

use crate::world::{NOW, alone, get, key, spawn, spawn_at, spawn_unpinned, text, world};

fn int(n: i64) -> OwnedWord {
    OwnedWord::from_int(n, NO_EXPIRY)
}

/// A word with an allocation, so that its life is watched.
fn raw(n: u8) -> OwnedWord {
    OwnedWord::from_bytes(&[n; 8], NO_EXPIRY)
}

fn node(bytes: &[u8], expire_at: u64) -> OwnedWord {
    OwnedWord::from_node(Node::new(NodeKind::Text(Text::from_slice(bytes)), expire_at))
}

fn set(space: &Space<'_>, key: &[u8], word: OwnedWord) {
    space.set(space.key(key), word);
}

fn del(space: &Space<'_>, key: &[u8]) -> bool {
    space.delete(space.key(key))
}

/// SET that answers whether the key was there, as GETSET does.
fn put(space: &Space<'_>, key: &[u8], n: u8) -> bool {
    space.update(space.key(key), |live| Change::Put(raw(n), live.is_some()))
}

/// INCR; none if the value is no integer.
fn incr(space: &Space<'_>, key: &[u8]) -> Option<i64> {
    space.update(space.key(key), |live| match live.map_or(Some(0), number) {
        Some(n) => {
            Change::Put(OwnedWord::from_int(n + 1, live.map_or(NO_EXPIRY, |l| l.expire_at)), Some(n + 1))
        }
        None => Change::Keep(None),
    })
}

fn number(live: &Live<'_>) -> Option<i64> {
    match live.view() {
        // The update holds the latch.
        View::Node(node) => canonical_int(&node.as_text()?.load()),
        view => canonical_int(&text(view)),
    }
}

/// APPEND, which makes every value a node; answers the new length.
fn append(space: &Space<'_>, key: &[u8], tail: &'static [u8]) -> usize {
    space.update(space.key(key), |live| match live.map(|live| (live, live.view())) {
        Some((live, View::Node(node))) => {
            let held = live.held().expect("updates of nodes hold the latch");
            let text = node.as_text().expect("a text");
            Change::Keep(text.edit(|buffer| buffer.extend_from_slice(tail), held))
        }
        Some((live, view)) => {
            let whole = [&text(view), tail].concat();
            Change::Put(node_word(&whole, live), whole.len())
        }
        None => Change::Put(node(tail, NO_EXPIRY), tail.len()),
    })
}

fn node_word(bytes: &[u8], live: &Live<'_>) -> OwnedWord {
    node(bytes, live.expire_at)
}

/// The counters agree with what is there.
fn assert_counts(keyspace: &Keyspace, keys: u64, volatile: u64) {
    alone(keyspace, |space| assert_eq!(space.table().len(), keys));
    assert_eq!(keyspace.db(0).volatile(), volatile);
}

/// L1: nobody writes into a dead slot. Each creation and each deletion that was acknowledged happened.
/// Found here: a slot's swap made of a load and a store; an entry retired by who did not unlink it; values freed at
/// once.
#[test]
fn l1_acknowledged_creations_and_deletions_add_up() {
    check(|| {
        let keyspace = world();
        let k = key(0, 0);
        alone(&keyspace, |space| set(space, &k, raw(0)));
        let writer = spawn(&keyspace, 0, move |space| [put(space, &k, 1), put(space, &k, 2)]);
        let deleter = spawn(&keyspace, 1, move |space| del(space, &k));
        let created = writer.join().unwrap().iter().filter(|was_there| !**was_there).count() as i64;
        let deleted = i64::from(deleter.join().unwrap());
        let left = alone(&keyspace, |space| get(space, &k));
        assert_eq!(1 + created - deleted, i64::from(left.is_some()));
        assert!(left.is_none_or(|value| value == [2; 8]));
        assert_counts(&keyspace, (1 + created - deleted) as u64, 0);
    });
}

/// L1: an update that landed is there for its writer, unless somebody was told that he deleted it.
/// Found here: `Space::set` without its look for dead words; a slot's swap made of a load and a store.
#[test]
fn l1_a_blind_set_is_lost_to_nobody_but_a_later_delete() {
    check(|| {
        let keyspace = world();
        let k = key(0, 0);
        alone(&keyspace, |space| set(space, &k, raw(0)));
        let setter = spawn(&keyspace, 0, move |space| {
            set(space, &k, raw(1));
            get(space, &k)
        });
        let deleter = spawn(&keyspace, 1, move |space| [del(space, &k), del(space, &k)]);
        let seen = setter.join().unwrap();
        let deleted = deleter.join().unwrap();
        let left = alone(&keyspace, |space| get(space, &k));
        assert!(deleted[0], "the key was there until the first DEL");
        assert!(seen.is_some() || left.is_none(), "nobody set it again");
        assert!(!(deleted[1] && left.is_some()), "both values were deleted");
        assert_counts(&keyspace, u64::from(left.is_some()), 0);
    });
}

/// L2: a reader under its own guard against writers that pin for each command, so that freeing happens meanwhile.
/// Found here: values freed at once; buckets freed at once.
#[test]
fn l2_a_value_stays_readable_until_its_readers_are_gone() {
    check_bounded(3, || {
        let keyspace = world();
        let k = key(0, 0);
        alone(&keyspace, |space| set(space, &k, raw(0)));
        let reader = spawn_unpinned(&keyspace, 0, move |run| {
            run(&mut |space| {
                let seen = get(space, &k);
                assert!(seen.is_none_or(|value| value == [0; 8] || value == [1; 8]));
            });
        });
        let writer = spawn_unpinned(&keyspace, 1, move |run| {
            run(&mut |space| set(space, &k, raw(1)));
            run(&mut |space| assert!(del(space, &k)));
        });
        reader.join().unwrap();
        writer.join().unwrap();
        assert_counts(&keyspace, 0, 0);
    });
}

/// L3: an old deadline, a deletion and a fresh value. One of those who end the old value wins, and the fresh one is
/// ended by DEL alone.
fn expired_deleted_and_set(old: fn() -> OwnedWord) {
    check_bounded(2, move || {
        let keyspace = world();
        let k = key(0, 0);
        alone(&keyspace, |space| set(space, &k, old()));
        let setter = spawn(&keyspace, 0, move |space| set(space, &k, raw(1)));
        let deleter = spawn(&keyspace, 1, move |space| del(space, &k));
        let reader = spawn(&keyspace, 2, move |space| get(space, &k));
        setter.join().unwrap();
        let deleted = deleter.join().unwrap();
        let seen = reader.join().unwrap();
        let left = alone(&keyspace, |space| get(space, &k));
        assert!(seen.is_none_or(|value| value == [1; 8]), "an expired value was read");
        assert_eq!(left, (!deleted).then(|| vec![1; 8]));
        assert!(keyspace.stats().expired <= 1);
        assert_counts(&keyspace, u64::from(!deleted), 0);
    });
}

/// Found here: `Space::set` without its look for dead words; a slot's swap made of a load and a store.
#[test]
fn l3_one_ends_an_expired_word_and_the_fresh_one_stays() {
    expired_deleted_and_set(|| OwnedWord::from_int(7, NOW - 1));
}

/// Found here: a slot's swap made of a load and a store.
#[test]
fn l3_one_ends_an_expired_node_and_the_fresh_one_stays() {
    expired_deleted_and_set(|| node(b"old", NOW - 1));
}

/// L3: a deadline that moves in place. Who was told that the key got a later one keeps it.
/// Found here: an expirer that does not look at the deadline again under the latch; an update of a node that does not
/// look at the slot again.
#[test]
fn l3_a_deadline_that_was_moved_ends_nothing() {
    for word in [|| node(b"old", NOW + 1), || OwnedWord::from_int(7, NOW + 1)] {
        check(move || {
            let keyspace = world();
            let k = key(0, 0);
            alone(&keyspace, |space| set(space, &k, word()));
            let mover = spawn(&keyspace, 0, move |space| {
                space.set_expiry(space.key(&k), |_| (Some(NOW + 100), ())).is_some()
            });
            let late = spawn_at(&keyspace, 1, NOW + 2, move |space| space.exists(space.key(&k)));
            let moved = mover.join().unwrap();
            let seen = late.join().unwrap();
            let left = alone(&keyspace, |space| space.exists(space.key(&k)));
            assert_eq!(moved, left);
            assert!(!seen || moved);
            assert_counts(&keyspace, u64::from(left), u64::from(left));
        });
    }
}

fn one_to(n: usize) -> Vec<i64> {
    (1..=n as i64).collect()
}

/// L4: results are unique and contiguous.
/// Found here: a slot's swap made of a load and a store.
#[test]
fn l4_increments_answer_every_number_once() {
    check(|| {
        let keyspace = world();
        let k = key(0, 0);
        let threads = [0, 1].map(|lane| {
            spawn(&keyspace, lane, move |space| [incr(space, &k).unwrap(), incr(space, &k).unwrap()])
        });
        let mut answers: Vec<i64> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        answers.sort_unstable();
        assert_eq!(answers, one_to(4));
        assert_eq!(alone(&keyspace, |space| get(space, &k)), Some(b"4".to_vec()));
        assert_counts(&keyspace, 1, 0);
    });
}

/// Whether sorted `answers` are those of a key that counted to some number, was deleted, and counted to `last`.
fn are_two_runs(answers: &[i64], last: usize) -> bool {
    let mut expected = [one_to(answers.len() - last), one_to(last)].concat();
    expected.sort_unstable();
    answers == expected
}

/// L4 with L1: increments of an incarnation that ended do not show in the next, and none is lost.
/// Found here: a slot's swap made of a load and a store.
#[test]
fn l4_increments_around_a_delete_count_within_their_incarnation() {
    check(|| {
        let keyspace = world();
        let k = key(0, 0);
        let counter = spawn(&keyspace, 0, move |space| [incr(space, &k).unwrap(), incr(space, &k).unwrap()]);
        let other = spawn(&keyspace, 1, move |space| (del(space, &k), incr(space, &k).unwrap()));
        let [first, second] = counter.join().unwrap();
        let (deleted, third) = other.join().unwrap();
        let mut answers = [first, second, third];
        answers.sort_unstable();
        let left = alone(&keyspace, |space| get(space, &k)).expect("the last INCR came after the DEL");
        let last = canonical_int(&left).expect("an integer") as usize;
        assert!(are_two_runs(&answers, last) && deleted == (last < 3), "{answers:?} {last}");
        assert_counts(&keyspace, 1, 0);
    });
}

/// L5: INCR finds an integer or a node that APPEND made of it, and neither loses what the other did.
/// Found here: an update of a node that does not look at the slot again under the latch.
#[test]
fn l5_incr_and_append_switch_the_encoding_and_lose_nothing() {
    check(|| {
        let keyspace = world();
        let k = key(0, 0);
        alone(&keyspace, |space| set(space, &k, int(9)));
        let counter = spawn(&keyspace, 0, move |space| incr(space, &k).unwrap());
        let appender = spawn(&keyspace, 1, move |space| [append(space, &k, b"0"), append(space, &k, b"1")]);
        let counted = counter.join().unwrap();
        let lengths = appender.join().unwrap();
        let left = alone(&keyspace, |space| get(space, &k)).expect("there");
        let expected: (i64, [usize; 2], &[u8]) = match counted {
            10 => (10, [3, 4], b"1001"),
            91 => (91, [2, 3], b"911"),
            _ => (902, [2, 3], b"902"),
        };
        assert_eq!((counted, lengths, &left[..]), expected);
        assert_counts(&keyspace, 1, 0);
    });
}

/// L5: a node that is changed in place, replaced, and read.
/// Found here: a latch whose writer does not wait for readers; values freed at once.
#[test]
fn l5_a_replaced_node_takes_no_more_appends() {
    check_bounded(2, || {
        let keyspace = world();
        let k = key(0, 0);
        alone(&keyspace, |space| set(space, &k, node(b"a", NO_EXPIRY)));
        let setter = spawn(&keyspace, 0, move |space| set(space, &k, node(b"xyz", NO_EXPIRY)));
        let appender = spawn(&keyspace, 1, move |space| append(space, &k, b"b"));
        let reader = spawn(&keyspace, 2, move |space| get(space, &k).expect("never absent"));
        setter.join().unwrap();
        let length = appender.join().unwrap();
        let seen = reader.join().unwrap();
        let left = alone(&keyspace, |space| get(space, &k)).expect("there");
        assert_eq!(&left[..], if length == 4 { &b"xyzb"[..] } else { b"xyz" });
        assert!([&b"a"[..], b"ab", b"xyz", b"xyzb"].contains(&&seen[..]));
    });
}

/// A key that is in nobody's way: a set of the same bucket's other key keeps both.
/// Found here: the table's swap made of a load and a store.
#[test]
fn l1_a_delete_beside_an_insert_into_the_same_bucket_loses_nothing() {
    check(|| {
        let keyspace: Arc<Keyspace> = world();
        let (a, b) = (key(0, 0), key(2, 0));
        alone(&keyspace, |space| set(space, &a, raw(0)));
        let deleter = spawn(&keyspace, 0, move |space| del(space, &a));
        let setter = spawn(&keyspace, 1, move |space| set(space, &b, raw(1)));
        assert!(deleter.join().unwrap());
        setter.join().unwrap();
        alone(&keyspace, |space| assert_eq!((get(space, &a), get(space, &b)), (None, Some(vec![1; 8]))));
        assert_counts(&keyspace, 1, 0);
    });
}
