//! Observers of a stripe: transactions that watch (L10), and clients that wait for data.

use std::sync::Arc;

use loom::sync::Mutex;
use loom_tests::checker::check_bounded;
use loom_tests::keyspace::gate::{Observers, Section, Stripe};
use loom_tests::keyspace::observe::{Trace, Watcher};
use loom_tests::keyspace::{Keyspace, Space};
use loom_tests::value::word::{NO_EXPIRY, OwnedWord};

use crate::world::{alone, get, key, spawn, world};

const A: Stripe = Stripe(0);
const OLD: &[u8] = b"old";
const NEW: &[u8] = b"new";
const MINE: &[u8] = b"mine";

fn name() -> [u8; 8] {
    key(0, 0)
}

fn with_old() -> Arc<Keyspace> {
    let keyspace = world();
    alone(&keyspace, |space| put(space, OLD));
    keyspace
}

fn put(space: &Space<'_>, value: &[u8]) {
    space.set(space.key(&name()), OwnedWord::from_bytes(value, NO_EXPIRY));
}

fn section<'g>(space: &Space<'g>) -> Option<Section<'g>> {
    space.keyspace.gate.close(space.lane(), vec![A]).ok()
}

/// The space of a section, whose changes are told.
fn inside<'a>(space: &Space<'a>, section: &'a Section<'a>) -> Space<'a> {
    space.other(0).traced(Some(section.trace()))
}

fn watch(space: &Space<'_>, watcher: &Arc<Watcher>) -> bool {
    let Some(section) = section(space) else { return false };
    let keyspace = space.keyspace;
    let entry = (0, &name()[..], space.key(&name()).hash);
    keyspace.watches.enter(&keyspace.gate, &section, entry, watcher);
    true
}

fn unwatch(space: &Space<'_>, watcher: &Arc<Watcher>) {
    let entry = (0, &name()[..], space.key(&name()).hash);
    space.keyspace.watches.leave(&space.keyspace.gate, entry, watcher);
}

/// WATCH, GET, and EXEC of a SET, which runs only if the key still holds what was read.
fn transaction(space: &Space<'_>) {
    let watcher = Arc::new(Watcher::default());
    if !watch(space, &watcher) {
        return;
    }
    let seen = get(space, &name());
    if space.keyspace.gate.check(A).is_ok()
        && let Some(section) = section(space)
        && !watcher.is_dirty()
    {
        let space = inside(space, &section);
        assert_eq!(get(&space, &name()), seen, "a change was missed");
        put(&space, MINE);
    }
    unwatch(space, &watcher);
}

/// SET as the executor runs it; whether it was let in.
fn announced(space: &Space<'_>) -> bool {
    let Ok(announced) = space.keyspace.gate.announce(space.lane(), A) else { return false };
    let trace = Trace::new(announced.observers());
    put(&space.other(0).traced(Some(&trace)), NEW);
    true
}

/// L10: whatever a single writer does between WATCH and EXEC makes EXEC run nothing.
/// Found here: `announce` that answers no observers; `is_dirty` asked before the section.
#[test]
fn l10_exec_misses_no_single_write() {
    check_bounded(3, || {
        let keyspace = with_old();
        let client = spawn(&keyspace, 0, transaction);
        let writer = spawn(&keyspace, 1, announced);
        client.join().unwrap();
        writer.join().unwrap();
    });
}

/// L10: the same for the write of a section.
/// Found here: `close` that does not tell its section of the observers.
#[test]
fn l10_exec_misses_no_write_of_a_section() {
    check_bounded(3, || {
        let keyspace = with_old();
        let client = spawn(&keyspace, 0, transaction);
        let writer = spawn(&keyspace, 1, |space| {
            if let Some(section) = section(space) {
                put(&inside(space, &section), NEW);
            }
        });
        client.join().unwrap();
        writer.join().unwrap();
    });
}

/// L10: another watcher that leaves takes its own mark away and nobody else's.
/// Found here: `leave` that takes the stripe's mark off although somebody is left.
#[test]
fn l10_who_leaves_does_not_take_the_mark_of_others() {
    check_bounded(2, || {
        let keyspace = with_old();
        let other = Arc::new(Watcher::default());
        alone(&keyspace, |space| assert!(watch(space, &other)));
        let client = spawn(&keyspace, 0, transaction);
        let writer = spawn(&keyspace, 1, announced);
        let leaver = spawn(&keyspace, 2, move |space| unwatch(space, &other));
        client.join().unwrap();
        writer.join().unwrap();
        leaver.join().unwrap();
    });
}

/// What BLPOP and a push do with a queue: the rules of the server's queues of waiting commands over the real gate.
struct Queue {
    keyspace: Arc<Keyspace>,
    /// Whether somebody waits, and what it was served.
    waiting: Mutex<(bool, Option<Vec<u8>>)>,
}

impl Queue {
    /// Takes the value, or comes to wait.
    fn pop(&self, space: &Space<'_>) -> Option<Vec<u8>> {
        let section = section(space)?;
        let space = inside(space, &section);
        let found = get(&space, &name());
        match &found {
            Some(_) => assert!(space.delete(space.key(&name()))),
            None => {
                self.waiting.lock().unwrap().0 = true;
                space.keyspace.gate.mark(A, Observers::WAITING);
            }
        }
        found
    }

    /// Sets the value: alone if nobody waits, otherwise in a section that serves. Whether it was let in.
    fn push(&self, space: &Space<'_>) -> bool {
        let Ok(announced) = space.keyspace.gate.announce(space.lane(), A) else { return false };
        if !announced.observers().contains(Observers::WAITING) {
            put(space, NEW);
            return true;
        }
        drop(announced);
        let Some(section) = section(space) else { return false };
        let space = inside(space, &section);
        put(&space, NEW);
        if !section.trace().take_changed().is_empty() {
            self.serve(&space);
        }
        true
    }

    fn serve(&self, space: &Space<'_>) {
        let mut waiting = self.waiting.lock().unwrap();
        if waiting.0 {
            waiting.1 = get(space, &name());
            assert!(space.delete(space.key(&name())));
            waiting.0 = false;
            space.keyspace.gate.unmark(A, Observers::WAITING);
        }
    }
}

/// A pop and a push meet in every way: the value is popped, or served, or there with nobody waiting for it.
/// Found here: `mark` behind the section; `announce` that answers no observers; `close` that does not tell of them.
#[test]
fn l10_a_push_misses_nobody_who_came_to_wait() {
    check_bounded(3, || {
        let keyspace = world();
        let queue = Arc::new(Queue { keyspace: Arc::clone(&keyspace), waiting: Mutex::new((false, None)) });
        let [one, other] = [Arc::clone(&queue), Arc::clone(&queue)];
        let popper = spawn(&keyspace, 0, move |space| one.pop(space));
        let pusher = spawn(&keyspace, 1, move |space| other.push(space));
        let popped = popper.join().unwrap();
        let pushed = pusher.join().unwrap();
        let left = alone(&queue.keyspace, |space| get(space, &name()));
        let (waits, served) = queue.waiting.lock().unwrap().clone();
        let copies = [&popped, &served, &left].into_iter().flatten().count();
        assert_eq!(copies, usize::from(pushed));
        assert!(!(waits && left.is_some()), "somebody waits for what is there");
    });
}
