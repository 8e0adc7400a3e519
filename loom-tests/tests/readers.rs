//! Readers that are told of the next change of what they read: rule 10 of the gate.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom_tests::checker::check_bounded;
use loom_tests::keyspace::gate::Stripe;
use loom_tests::keyspace::observe::{Cause, Changes, Trace};
use loom_tests::keyspace::{Keyspace, Space};
use loom_tests::value::word::{NO_EXPIRY, OwnedWord};

use crate::world::{alone, get, key, spawn, world};

const A: Stripe = Stripe(0);
const OLD: &[u8] = b"old";
const NEW: &[u8] = b"new";

/// How often a reader was told. The model's own atomics order nothing here: it is looked at when all threads are done.
#[derive(Clone, Default)]
struct Told(Arc<AtomicUsize>);

impl Changes for Told {
    fn changed(&self, _: &[u8], readers: &[u64], _: Cause) {
        self.0.fetch_add(readers.len(), Ordering::Relaxed);
    }
}

fn name() -> [u8; 8] {
    key(0, 0)
}

fn with_old() -> (Arc<Keyspace>, Told) {
    let (keyspace, told) = (world(), Told::default());
    keyspace.readers.tell(Box::new(told.clone()));
    alone(&keyspace, |space| put(space, OLD));
    (keyspace, told)
}

fn put(space: &Space<'_>, value: &[u8]) {
    space.set(space.key(&name()), OwnedWord::from_bytes(value, NO_EXPIRY));
}

/// GET of a client that tracks: what it read, if it was let in.
fn read(space: &Space<'_>) -> Option<Vec<u8>> {
    let keyspace = space.keyspace;
    keyspace.readers.enter(&keyspace.gate, &name(), space.key(&name()).hash, 1);
    keyspace.gate.settle(space.lane(), &[A]).ok()?;
    let seen = get(space, &name());
    keyspace.gate.check(A).ok()?;
    seen
}

/// SET as the executor runs it; whether it was let in.
fn announced(space: &Space<'_>) -> bool {
    let Ok(announced) = space.keyspace.gate.announce(space.lane(), A) else { return false };
    let trace = Trace::new(announced.observers());
    put(&space.other(0).traced(Some(&trace)), NEW);
    true
}

/// SET in a section.
fn in_section(space: &Space<'_>) -> bool {
    let Ok(section) = space.keyspace.gate.close(space.lane(), vec![A]) else { return false };
    put(&space.other(0).traced(Some(section.trace())), NEW);
    true
}

/// SET while everything is closed.
fn in_section_of_all(space: &Space<'_>) -> bool {
    let Ok(section) = space.keyspace.gate.close_all(space.lane()) else { return false };
    put(&space.other(0).traced(Some(section.trace())), NEW);
    true
}

/// Who has read the old value hears of the new one.
fn check(write: fn(&Space<'_>) -> bool) {
    check_bounded(3, move || {
        let (keyspace, told) = with_old();
        let reader = spawn(&keyspace, 0, read);
        let writer = spawn(&keyspace, 1, write);
        let (seen, wrote) = (reader.join().unwrap(), writer.join().unwrap());
        if wrote && seen.as_deref() == Some(OLD) {
            assert_eq!(told.0.load(Ordering::Relaxed), 1, "a copy is old and nobody said so");
        }
    });
}

/// Who reads the old value before this write hears of it.
#[test]
fn a_single_write_is_told_to_who_read_before_it() {
    check(announced);
}

/// Who reads the old value before this write hears of it.
#[test]
fn a_write_in_a_section_is_told_to_who_read_before_it() {
    check(in_section);
}

/// Who reads the old value before this write hears of it.
#[test]
fn a_write_in_a_section_of_everything_is_told_to_who_read_before_it() {
    check(in_section_of_all);
}

/// Two writers and a reader: the mark that one takes off is not missed by the other.
#[test]
fn of_two_writes_the_first_behind_a_read_is_told() {
    check_bounded(2, || {
        let (keyspace, told) = with_old();
        let reader = spawn(&keyspace, 0, read);
        let writers = [spawn(&keyspace, 1, announced), spawn(&keyspace, 2, announced)];
        let seen = reader.join().unwrap();
        let wrote = writers.map(|writer| writer.join().unwrap());
        if wrote.contains(&true) && seen.as_deref() == Some(OLD) {
            assert_eq!(told.0.load(Ordering::Relaxed), 1, "a copy is old and nobody said so");
        }
    });
}
