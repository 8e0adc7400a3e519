//! The gate: exclusion of writers and sections (L7), and what readers may see of a section's work (L8).
//!
//! That a panic reopens what a section closed is a unit test of the gate's: a thread that unwinds does nothing but drop
//! its guards, as all threads do here, and loom runs all on one thread of the system's, where to panic is common to all.

use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use loom::cell::UnsafeCell;
use loom::thread::{self, JoinHandle, Thread};
use loom_tests::checker::{check, check_bounded};
use loom_tests::keyspace::gate::{Closed, Gate, Section, Snapshot, Stripe};
use loom_tests::keyspace::{Keyspace, Space};
use loom_tests::value::word::{NO_EXPIRY, OwnedWord};

use crate::world::{alone, get, key, spawn, world};

const A: Stripe = Stripe(0);
const B: Stripe = Stripe(1);

/// A number per stripe. loom fails accesses that overlap, or of which neither is ordered after the other.
struct Guarded {
    gate: Gate,
    cells: [UnsafeCell<u64>; 2],
}

// SAFETY: that the gate makes it so is what the models check.
unsafe impl Sync for Guarded {}

impl Guarded {
    /// With lanes for three threads and, last, for the main one.
    fn shared() -> Arc<Guarded> {
        Arc::new(Guarded { gate: Gate::new(4), cells: [UnsafeCell::new(0), UnsafeCell::new(0)] })
    }

    fn add(&self, stripe: Stripe) {
        // SAFETY: the stripe is the caller's.
        self.cells[usize::from(stripe.0)].with_mut(|cell| unsafe { *cell += 1 });
    }

    /// A writer of one key; whether it was let in.
    fn write(&self, lane: usize, stripe: Stripe) -> bool {
        let announced = self.gate.announce(lane, stripe);
        let let_in = announced.is_ok();
        if let_in {
            self.add(stripe);
        }
        let_in
    }

    /// A section over these stripes; whether it was let in.
    fn section(&self, lane: usize, stripes: &[Stripe]) -> bool {
        self.gate.close(lane, stripes.to_vec()).is_ok_and(|_section| {
            stripes.iter().for_each(|&stripe| self.add(stripe));
            true
        })
    }

    /// A section over everything; whether it was let in.
    fn section_over_all(&self, lane: usize) -> bool {
        self.gate.close_all(lane).is_ok_and(|_section| {
            [A, B].into_iter().for_each(|stripe| self.add(stripe));
            true
        })
    }

    /// The numbers, when nobody else is there; everything has to be open again.
    fn sums(&self) -> [u64; 2] {
        assert!(self.gate.close_all(3).is_ok());
        assert!(self.gate.close(3, vec![A, B]).is_ok());
        // SAFETY: all threads were joined.
        [0, 1].map(|i| self.cells[i].with(|cell| unsafe { *cell }))
    }
}

fn on_lane<R: 'static>(
    guarded: &Arc<Guarded>,
    lane: usize,
    task: impl FnOnce(&Guarded, usize) -> R + 'static,
) -> JoinHandle<R> {
    let guarded = Arc::clone(guarded);
    thread::spawn(move || task(&guarded, lane))
}

/// Races two tasks that answer how often each cell was changed by them.
fn race(first: fn(&Guarded, usize) -> [u64; 2], second: fn(&Guarded, usize) -> [u64; 2]) {
    check(move || {
        let guarded = Guarded::shared();
        let threads = [on_lane(&guarded, 0, first), on_lane(&guarded, 1, second)];
        let [x, y] = threads.map(|thread| thread.join().unwrap());
        assert_eq!(guarded.sums(), [x[0] + y[0], x[1] + y[1]]);
    });
}

fn times(let_in: bool, cells: [u64; 2]) -> [u64; 2] {
    if let_in { cells } else { [0, 0] }
}

/// L7, the store buffering between rules 1 and 2.
/// Found here: no fence in `announce`; none in `close`; an announcement withdrawn with Relaxed.
#[test]
fn l7_a_writer_and_a_section_do_not_overlap() {
    race(
        |guarded, lane| times(guarded.section(lane, &[A, B]), [1, 1]),
        |guarded, lane| {
            let writes = [guarded.write(lane, B), guarded.write(lane, B)];
            [0, writes.into_iter().map(u64::from).sum()]
        },
    );
}

/// L7, the store buffering between rules 1 and 3.
/// Found here: no fence in `announce`; none in `close_all`; an announcement withdrawn with Relaxed.
#[test]
fn l7_a_writer_and_a_section_over_everything_do_not_overlap() {
    race(
        |guarded, lane| times(guarded.section_over_all(lane), [1, 1]),
        |guarded, lane| [u64::from(guarded.write(lane, A)), u64::from(guarded.write(lane, B))],
    );
}

/// L7, rules 2 and 3 against themselves and each other.
/// Found here: `close` that does not look at the word for all.
#[test]
fn l7_sections_do_not_overlap() {
    let over_both = |guarded: &Guarded, lane| times(guarded.section(lane, &[A, B]), [1, 1]);
    let over_all = |guarded: &Guarded, lane| times(guarded.section_over_all(lane), [1, 1]);
    race(over_both, |guarded, lane| times(guarded.section(lane, &[B]), [0, 1]));
    race(over_both, over_all);
    race(over_all, over_all);
}

/// L7, rule 3: who gives up closing everything because a section lasts leaves nothing closed behind, and nobody asleep.
/// That lane's section is told, so that the caller may wait for its end.
/// Found here: a retreat that forgets the word for all.
#[test]
fn l7_who_gives_up_closing_everything_opens_it_again() {
    check_bounded(2, || {
        let guarded = Guarded::shared();
        let section = on_lane(&guarded, 0, |guarded, lane| {
            let section = guarded.gate.close(lane, vec![A]);
            // It lasts as long as the other one looks, or longer.
            thread::yield_now();
            section.is_ok_and(|_section| {
                guarded.add(A);
                true
            })
        });
        let all = on_lane(&guarded, 1, |guarded, lane| match guarded.gate.close_all(lane) {
            Ok(_section) => {
                [A, B].into_iter().for_each(|stripe| guarded.add(stripe));
                true
            }
            Err(Closed::Lane(other)) => {
                assert_eq!(other, 0, "no other lane was in a section");
                false
            }
            Err(closed) => unreachable!("nobody else closes everything: {closed:?}"),
        });
        let writer = on_lane(&guarded, 2, |guarded, lane| write_at_last(guarded, lane, B));
        let (section, all) = (section.join().unwrap(), all.join().unwrap());
        writer.join().unwrap();
        assert_eq!(guarded.sums(), [u64::from(section) + u64::from(all), u64::from(all) + 1]);
    });
}

/// Wakes a parked thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Sleeps until `closed` is open. loom reports a lost wakeup as a deadlock.
fn sleep(gate: &Gate, closed: Closed) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    while gate.poll_open(closed, &mut Context::from_waker(&waker)).is_pending() {
        thread::park();
    }
}

/// Closes stripes as the executor does: whoever finds one closed has given everything back, and sleeps.
fn close_at_last<'g>(gate: &'g Gate, lane: usize, stripes: &[Stripe]) -> Section<'g> {
    loop {
        match gate.close(lane, stripes.to_vec()) {
            Ok(section) => return section,
            Err(closed) => sleep(gate, closed),
        }
    }
}

fn write_at_last(guarded: &Guarded, lane: usize, stripe: Stripe) {
    loop {
        match guarded.gate.announce(lane, stripe) {
            Ok(_announced) => return guarded.add(stripe),
            Err(closed) => sleep(&guarded.gate, closed),
        }
    }
}

/// L7: no wakeup is lost, whichever way the opener and the sleeper meet.
/// Found here: `poll_open` that looks at `CLOSED` first and sets `WAITERS` with a second operation.
#[test]
fn l7_who_sleeps_before_a_closed_stripe_is_woken() {
    check(|| {
        let guarded = Guarded::shared();
        let section = on_lane(&guarded, 0, |guarded, lane| guarded.section(lane, &[A]));
        let writer = on_lane(&guarded, 1, |guarded, lane| write_at_last(guarded, lane, A));
        assert!(section.join().unwrap());
        writer.join().unwrap();
        assert_eq!(guarded.sums(), [2, 0]);
    });
}

/// L7: the same for everything.
/// Found here: as above.
#[test]
fn l7_who_sleeps_before_everything_is_woken() {
    check(|| {
        let guarded = Guarded::shared();
        let section = on_lane(&guarded, 0, |guarded, lane| guarded.section_over_all(lane));
        let writer = on_lane(&guarded, 1, |guarded, lane| write_at_last(guarded, lane, A));
        assert!(section.join().unwrap());
        writer.join().unwrap();
        assert_eq!(guarded.sums(), [2, 1]);
    });
}

/// L7: sections that want the same stripes, in ascending order, all end: the one that finds its second stripe closed
/// gives back its first, and wakes who came to sleep there.
/// Found here: as above.
#[test]
fn l7_sorted_sections_and_a_writer_all_end() {
    check_bounded(2, || {
        let guarded = Guarded::shared();
        let sections = [0, 1].map(|lane| {
            on_lane(&guarded, lane, |guarded, lane| {
                let stripes = if lane == 0 { &[A, B][..] } else { &[B] };
                let _section = close_at_last(&guarded.gate, lane, stripes);
                stripes.iter().for_each(|&stripe| guarded.add(stripe));
            })
        });
        let writer = on_lane(&guarded, 2, |guarded, lane| write_at_last(guarded, lane, A));
        sections.into_iter().for_each(|section| section.join().unwrap());
        writer.join().unwrap();
        assert_eq!(guarded.sums(), [2, 2]);
    });
}

/// L7: a sleeper that was cancelled takes nobody's wakeup.
/// Found here: as above.
#[test]
fn l7_a_cancelled_sleeper_takes_no_wakeup_with_it() {
    check_bounded(2, || {
        let guarded = Guarded::shared();
        let section = on_lane(&guarded, 0, |guarded, lane| guarded.section(lane, &[A]));
        let cancelled = on_lane(&guarded, 1, |guarded, _| {
            let mut cx = Context::from_waker(Waker::noop());
            guarded.gate.poll_open(Closed::One(A), &mut cx).is_ready()
        });
        let writer = on_lane(&guarded, 2, |guarded, lane| write_at_last(guarded, lane, A));
        assert!(section.join().unwrap());
        cancelled.join().unwrap();
        writer.join().unwrap();
        assert_eq!(guarded.sums(), [2, 0]);
    });
}

// -- L8: two keys on two stripes ------------------------------------------------------------------------------------

const OLD: &[u8] = b"old";
const NEW: &[u8] = b"new";

fn keys() -> [[u8; 8]; 2] {
    [key(0, 0), key(1, 1)]
}

fn put(space: &Space<'_>, key: &[u8], value: &[u8]) {
    space.set(space.key(key), OwnedWord::from_bytes(value, NO_EXPIRY));
}

/// A keyspace with these values.
fn with(values: [Option<&[u8]>; 2]) -> Arc<Keyspace> {
    let keyspace = world();
    alone(&keyspace, |space| {
        for (key, value) in keys().iter().zip(values) {
            if let Some(value) = value {
                put(space, key, value);
            }
        }
    });
    keyspace
}

fn close_both<'g>(space: &Space<'g>) -> Section<'g> {
    let Ok(section) = space.keyspace.gate.close(space.lane(), vec![A, B]) else {
        unreachable!("nobody else closes")
    };
    section
}

/// MSET of both keys.
fn mset(space: &Space<'_>) {
    let section = close_both(space);
    keys().iter().for_each(|key| put(space, key, NEW));
    drop(section);
}

/// RENAME of the first key to the second.
fn rename(space: &Space<'_>) {
    let section = close_both(space);
    let value = get(space, &keys()[0]).expect("there");
    assert!(space.delete(space.key(&keys()[0])));
    put(space, &keys()[1], &value);
    drop(section);
}

/// GET by rule 5; none if it has to be repeated.
fn read(space: &Space<'_>, key: [u8; 8]) -> Option<Option<Vec<u8>>> {
    let seen = get(space, &key);
    space.keyspace.gate.check(space.key(&key).stripe()).is_ok().then_some(seen)
}

/// MGET by rule 6; none if it has to be repeated.
fn read_both(space: &Space<'_>) -> Option<[Option<Vec<u8>>; 2]> {
    let mut before = Snapshot::default();
    let gate = &space.keyspace.gate;
    if !gate.snapshot(&mut before) {
        return None;
    }
    let seen = keys().map(|key| get(space, &key));
    gate.unchanged(&before).then_some(seen)
}

/// Two GETs one after the other, of either key first. Once the section's work was seen, all of it is there.
fn single_reads(
    section: fn(&Space<'_>),
    before: [Option<&'static [u8]>; 2],
    after: [Option<&'static [u8]>; 2],
) {
    for first in [0, 1] {
        check_bounded(3, move || {
            let keyspace = with(before);
            let closer = spawn(&keyspace, 0, section);
            let reader = spawn(&keyspace, 1, move |space| {
                [read(space, keys()[first]), read(space, keys()[1 - first])]
            });
            closer.join().unwrap();
            let [one, other] = reader.join().unwrap();
            if one.is_some_and(|one| one.as_deref() == after[first]) {
                assert!(other.is_none_or(|other| other.as_deref() == after[1 - first]));
            }
        });
    }
}

/// Found here: a reader that does not look whether the stripe is closed.
#[test]
fn l8_who_saw_one_key_of_an_mset_sees_the_other() {
    single_reads(mset, [Some(OLD); 2], [Some(NEW); 2]);
}

/// Found here: as above.
#[test]
fn l8_who_saw_one_key_of_a_rename_sees_the_other() {
    single_reads(rename, [Some(NEW), None], [None, Some(NEW)]);
}

/// Found here: `unchanged` that compares no lanes.
#[test]
fn l8_a_read_of_both_keys_sees_an_mset_whole() {
    check(|| {
        let keyspace = with([Some(OLD); 2]);
        let closer = spawn(&keyspace, 0, mset);
        let reader = spawn(&keyspace, 1, read_both);
        closer.join().unwrap();
        let seen = reader.join().unwrap();
        assert!(seen.is_none_or(|[a, b]| a == b));
    });
}

/// Found here: as above.
#[test]
fn l8_a_read_of_both_keys_finds_a_renamed_one_once() {
    check(|| {
        let keyspace = with([Some(NEW), None]);
        let closer = spawn(&keyspace, 0, rename);
        let reader = spawn(&keyspace, 1, read_both);
        closer.join().unwrap();
        let seen = reader.join().unwrap();
        assert!(seen.is_none_or(|[a, b]| a.is_some() != b.is_some()));
    });
}

/// L8: single writers, too, are seen in an order: first the one key, then the other.
/// Found here: as above.
#[test]
fn l8_a_read_of_both_keys_is_of_one_instant() {
    check(|| {
        let keyspace = with([Some(OLD); 2]);
        let writer = spawn(&keyspace, 0, |space| {
            for (key, stripe) in keys().iter().zip([A, B]) {
                let _announced = space.keyspace.gate.announce(space.lane(), stripe);
                put(space, key, NEW);
            }
        });
        let reader = spawn(&keyspace, 1, read_both);
        writer.join().unwrap();
        if let Some([a, b]) = reader.join().unwrap() {
            assert!(b.as_deref() == Some(OLD) || a.as_deref() == Some(NEW));
        }
    });
}
