//! Snapshots: what is written down is what the keys were at the cut, each once, whatever writers do meanwhile.

use std::sync::Arc;

use loom_tests::checker::check_bounded;
use loom_tests::keyspace::gate::Stripe;
use loom_tests::keyspace::snapshot::{Cut, Image};
use loom_tests::keyspace::{Keyspace, Space};
use loom_tests::value::word::{NO_EXPIRY, OwnedWord};

use crate::world::{alone, key, spawn, text, world};

const A: Stripe = Stripe(0);
const B: Stripe = Stripe(1);

/// Keys in the two halves of the table, on stripes of their own.
fn names() -> [[u8; 8]; 2] {
    [key(0, 0), key(1, 1)]
}

fn record(image: &Image<'_>, out: &mut Vec<u8>) {
    out.push(image.key[0]);
    out.extend_from_slice(&text(image.view));
}

fn put(space: &Space<'_>, name: &[u8], value: &[u8]) {
    space.set(space.key(name), OwnedWord::from_bytes(value, NO_EXPIRY));
}

/// Two buckets with one key each.
fn filled() -> Arc<Keyspace> {
    let keyspace = world();
    alone(&keyspace, |space| {
        names().iter().for_each(|name| put(space, name, b"o"));
        assert!(space.table().split_next(space.guard()));
    });
    keyspace
}

fn cut(space: &Space<'_>) -> Option<Cut> {
    let section = space.keyspace.gate.close_all(space.lane()).ok()?;
    space.keyspace.cut(&section, Arc::new(record), space.guard())
}

/// The whole walk, as who writes a file does it: the pieces in any order.
fn walk(keyspace: &Keyspace, mut cut: Cut) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    loop {
        let kept = cut.take_kept(keyspace);
        let was_empty = kept.is_empty();
        found.extend(kept.into_iter().map(|kept| kept.bytes));
        match cut.step(keyspace) {
            Some(_) => found.extend(cut.bytes().chunks(2).map(<[u8]>::to_vec)),
            None if was_empty => break,
            None => {}
        }
    }
    keyspace.end_snapshot(cut);
    found.sort();
    found
}

/// A writer as the executor runs it.
fn announced(space: &Space<'_>, stripe: Stripe, write: impl FnOnce(&Space<'_>)) -> bool {
    let announced = space.keyspace.gate.announce(space.lane(), stripe);
    announced.is_ok_and(|_announced| {
        write(space);
        true
    })
}

fn old() -> Vec<Vec<u8>> {
    vec![vec![0, b'o'], vec![1, b'o']]
}

/// Two writers change one key while the walk passes it.
/// Found here: the border moved outside of the shard's lock; a name that is noted behind the change; a copy that is put
/// into the outbox behind the lock. Three threads: with a second preemption there are too many interleavings to visit.
#[test]
fn a_changed_key_is_written_down_once_as_it_was() {
    check_bounded(1, || {
        let keyspace = filled();
        let cut = alone(&keyspace, cut).expect("nothing else is going on");
        let walker = spawn(&keyspace, 0, |space| walk(space.keyspace, cut));
        let one = spawn(&keyspace, 1, |space| announced(space, B, |space| put(space, &names()[1], b"n")));
        let other = spawn(&keyspace, 2, |space| {
            announced(space, B, |space| _ = space.delete(space.key(&names()[1])))
        });
        one.join().unwrap();
        other.join().unwrap();
        assert_eq!(walker.join().unwrap(), old());
    });
}

/// One writer changes a key twice while the walk passes it.
#[test]
fn a_key_that_changes_twice_is_written_down_once() {
    check_bounded(3, || {
        let keyspace = filled();
        let cut = alone(&keyspace, cut).expect("nothing else is going on");
        let walker = spawn(&keyspace, 0, |space| walk(space.keyspace, cut));
        let writer = spawn(&keyspace, 1, |space| {
            announced(space, B, |space| put(space, &names()[1], b"n"));
            announced(space, B, |space| _ = space.delete(space.key(&names()[1])))
        });
        writer.join().unwrap();
        assert_eq!(walker.join().unwrap(), old());
    });
}

/// A key that comes after the cut is not written down, and one that goes and comes again is, as it was.
#[test]
fn new_keys_are_not_of_the_snapshot() {
    check_bounded(3, || {
        let keyspace = filled();
        let cut = alone(&keyspace, cut).expect("nothing else is going on");
        let walker = spawn(&keyspace, 0, |space| walk(space.keyspace, cut));
        let writer = spawn(&keyspace, 1, |space| {
            announced(space, A, |space| {
                put(space, &key(2, 0), b"n");
                space.delete(space.key(&names()[0]));
                put(space, &names()[0], b"n");
            })
        });
        writer.join().unwrap();
        assert_eq!(walker.join().unwrap(), old());
    });
}

/// The cut meets a section that changes two keys: both are old in the snapshot, or both new.
/// Found here: a cut without a section over everything.
#[test]
fn a_cut_does_not_split_a_section() {
    check_bounded(2, || {
        let keyspace = filled();
        let saver = spawn(&keyspace, 0, |space| {
            let cut = cut(space)?;
            Some(walk(space.keyspace, cut))
        });
        let writer = spawn(&keyspace, 1, |space| {
            let section = space.keyspace.gate.close(space.lane(), vec![A, B]);
            section.is_ok_and(|_section| {
                names().iter().for_each(|name| put(space, name, b"n"));
                true
            })
        });
        writer.join().unwrap();
        if let Some(found) = saver.join().unwrap() {
            assert!(found == old() || found == [[0, b'n'], [1, b'n']], "{found:?}");
        }
    });
}

/// Buckets split and merge under the walk.
#[test]
fn a_walk_misses_nothing_of_a_table_that_changes_its_size() {
    check_bounded(2, || {
        let keyspace = filled();
        let cut = alone(&keyspace, cut).expect("nothing else is going on");
        let walker = spawn(&keyspace, 0, |space| walk(space.keyspace, cut));
        let resizer = spawn(&keyspace, 1, |space| {
            space.table().merge_last(space.guard());
            space.table().split_next(space.guard());
        });
        resizer.join().unwrap();
        assert_eq!(walker.join().unwrap(), old());
    });
}
