//! How many keys fall due in which second.
//!
//! An index of deadlines would cost every volatile key tens of bytes. A wheel of counters costs it none: for each
//! second it says how many keys end in it. Each lane has a wheel of its own, summed when read; a lane may stand below
//! zero where another counted up.
//!
//! Deadlines beyond a revolution (about 36 hours) share their second with earlier ones. Who walks the table and finds
//! less than the wheel promised writes the rest of that second off until it comes round again.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use crate::sync::{AtomicI64, AtomicU64, Mutex, Ordering};
use crate::value::word::ExpireAt;

#[cfg(not(sockudo_loom))]
const SECONDS: u64 = 1 << 17;
/// Few seconds for the models, where each counter is an object of the checker.
#[cfg(sockudo_loom)]
const SECONDS: u64 = 4;
/// Seconds whose counters are allocated together.
#[cfg(not(sockudo_loom))]
const SEGMENT: u64 = 1 << 10;
#[cfg(sockudo_loom)]
const SEGMENT: u64 = 2;

/// Counters of deadlines by second.
pub struct Wheel {
    /// The counters of a part of the wheel exist from the first deadline on that a lane finds there.
    lanes: Box<[Box<[OnceLock<Segment>]>]>,
    /// The last second that was moved into `due`.
    turned_to: AtomicU64,
    /// Seconds that have come and may still have keys.
    due: Mutex<BTreeSet<u64>>,
}

/// Counters of [`SEGMENT`] seconds.
type Segment = Box<[AtomicI64]>;

fn second_of(ms: u64) -> u64 {
    ms / 1000
}

fn zeroed_counters() -> Segment {
    (0..SEGMENT).map(|_| AtomicI64::new(0)).collect()
}

fn no_counters() -> Box<[OnceLock<Segment>]> {
    (0..SECONDS / SEGMENT).map(|_| OnceLock::new()).collect()
}

/// Where the counter of a second is: its segment, and its place there.
fn place_of(second: u64) -> (usize, usize) {
    let slot = second % SECONDS;
    ((slot / SEGMENT) as usize, (slot % SEGMENT) as usize)
}

impl Wheel {
    /// A wheel that begins to turn at `now` (Unix milliseconds), with `lanes` writers.
    pub fn new(lanes: usize, now: u64) -> Wheel {
        Wheel {
            lanes: (0..lanes).map(|_| no_counters()).collect(),
            turned_to: AtomicU64::new(second_of(now).saturating_sub(1)),
            due: Mutex::new(BTreeSet::new()),
        }
    }

    /// Counts a deadline that was set (+1) or is gone (-1).
    #[inline]
    pub fn count(&self, lane: usize, expire_at: ExpireAt, change: i64) {
        let (segment, slot) = place_of(second_of(expire_at));
        self.lanes[lane][segment].get_or_init(zeroed_counters)[slot].fetch_add(change, Ordering::Relaxed);
        if change > 0 && second_of(expire_at) <= self.turned_to.load(Ordering::Relaxed) {
            // A deadline inside the current second, or in the past: the wheel has passed it already.
            self.due.lock().expect("no panic under this lock").insert(second_of(expire_at));
        }
    }

    fn keys_in(&self, second: u64) -> i64 {
        let (segment, slot) = place_of(second);
        let segments = self.lanes.iter().filter_map(|lane| lane[segment].get());
        segments.map(|counters| counters[slot].load(Ordering::Relaxed)).sum()
    }

    /// Turns the wheel to `now` and returns how many keys are due and not yet gone.
    pub fn debt(&self, now: u64) -> u64 {
        let mut due = self.due.lock().expect("no panic under this lock");
        let current = second_of(now);
        let from = self.turned_to.swap(current, Ordering::Relaxed).max(current.saturating_sub(SECONDS));
        due.extend((from + 1..=current).filter(|&second| self.keys_in(second) > 0));
        // A key may still be added to the current second, so it stays on the list until it is over.
        due.retain(|&second| second == current || self.keys_in(second) > 0);
        due.iter().map(|&second| u64::try_from(self.keys_in(second)).unwrap_or(0)).sum()
    }

    /// Takes the seconds that ended before `pass_began` off the list: a whole pass found nothing more of them.
    pub fn write_off(&self, pass_began: u64) {
        let mut due = self.due.lock().expect("no panic under this lock");
        due.retain(|&second| second >= second_of(pass_began));
    }

    /// Forgets everything, when all keys are gone at once.
    pub fn clear(&self) {
        let segments = self.lanes.iter().flatten().filter_map(OnceLock::get);
        segments.flatten().for_each(|counter| counter.store(0, Ordering::Relaxed));
        self.due.lock().expect("no panic under this lock").clear();
    }
}

#[cfg(all(test, not(sockudo_loom)))]
mod tests {
    use super::*;

    const T: u64 = 1_700_000_000_000;

    #[test]
    fn debt_is_what_came_due_and_is_not_gone() {
        let wheel = Wheel::new(2, T);
        wheel.count(0, T + 5_000, 1);
        wheel.count(0, T + 5_900, 1);
        wheel.count(1, T + 60_000, 1);
        assert_eq!(wheel.debt(T + 4_000), 0);
        assert_eq!(wheel.debt(T + 6_000), 2);
        wheel.count(1, T + 5_900, -1);
        assert_eq!(wheel.debt(T + 6_100), 1);
        wheel.count(1, T + 5_000, -1);
        assert_eq!(wheel.debt(T + 6_200), 0);
        assert_eq!(wheel.debt(T + 61_000), 1);
    }

    #[test]
    fn a_deadline_in_the_current_second_is_not_missed() {
        let wheel = Wheel::new(1, T);
        assert_eq!(wheel.debt(T + 10), 0);
        wheel.count(0, T + 20, 1);
        assert_eq!(wheel.debt(T + 30), 1);
    }

    #[test]
    fn a_pass_writes_off_the_deadlines_of_the_next_revolution() {
        let wheel = Wheel::new(1, T);
        wheel.count(0, T + SECONDS * 1000 + 3_000, 1);
        assert_eq!(wheel.debt(T + 4_000), 1);
        wheel.write_off(T + 5_000);
        assert_eq!(wheel.debt(T + 6_000), 0);
        assert_eq!(wheel.debt(T + SECONDS * 1000 + 4_000), 1);
    }
}
