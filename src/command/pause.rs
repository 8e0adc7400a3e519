//! CLIENT PAUSE: commands wait until a deadline.
//!
//! The word is `deadline << 1 | everything`, or 0. PAUSE sets it while every stripe is closed. A writer looks at it
//! after it has announced itself, so either PAUSE waited for the writer, or the writer found the word: what PAUSE's
//! client writes nobody overtakes once it has its reply. A reader looks before it reads; it changes nothing that
//! anybody could see after the reply.

use std::pin::pin;
use std::time::Duration;

use crossbeam_utils::CachePadded;
use tokio::sync::Notify;

use super::state::unix_ms;
use super::table::Flags;
use crate::sync::{AtomicU64, AtomicUsize, Ordering};

/// Whom a pause stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Commands that may write.
    Write,
    /// All commands.
    All,
}

/// The pause in force, if any.
#[derive(Default)]
pub struct Pause {
    word: CachePadded<AtomicU64>,
    changed: Notify,
    /// Clients whose command waits for the end of it.
    held: AtomicUsize,
}

/// One of them.
struct Held<'p>(&'p AtomicUsize);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

const ALL: u64 = 1;

impl Pause {
    /// Pauses until `until`, Unix time in milliseconds. Of two pauses the later deadline and the stricter mode hold.
    pub fn begin(&self, until: u64, mode: Mode) {
        let all = u64::from(mode == Mode::All);
        let merged = |old: u64| Some((old >> 1).max(until.min(u64::MAX >> 1)) << 1 | (old & ALL) | all);
        self.forget_past(unix_ms());
        // Ordering: Release; the section that PAUSE runs in orders it for writers, and the reply for everybody else.
        let merging = self.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, merged);
        debug_assert!(merging.is_ok(), "merging always gives a word");
    }

    /// Ends the pause.
    pub fn end(&self) {
        self.word.store(0, Ordering::Release);
        self.changed.notify_waiters();
    }

    /// Whether any pause is in force at `now`: nothing expires meanwhile.
    #[inline]
    pub fn active(&self, now: u64) -> bool {
        self.word.load(Ordering::Acquire) >> 1 > now
    }

    /// How many clients' commands wait for the end of it.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Whether a command with these flags must wait.
    #[inline]
    pub fn holds(&self, flags: Flags, now: u64) -> bool {
        // Ordering: Acquire, see `begin`.
        let word = self.word.load(Ordering::Acquire);
        word != 0 && self.holds_now(word, flags, now)
    }

    #[cold]
    fn holds_now(&self, word: u64, flags: Flags, now: u64) -> bool {
        if word >> 1 <= now {
            self.forget_past(now);
            return false;
        }
        word & ALL != 0 || flags.intersects(Flags::WRITE.union(Flags::MAY_REPLICATE))
    }

    /// Makes the way past a pause that is over as short as without one.
    fn forget_past(&self, now: u64) {
        let word = self.word.load(Ordering::Acquire);
        if word != 0 && word >> 1 <= now {
            // Another pause may have begun meanwhile: then it stays.
            let _ = self.word.compare_exchange(word, 0, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// Sleeps until no pause is in force. Another may have begun when the caller runs.
    pub async fn over(&self) {
        self.held.fetch_add(1, Ordering::Relaxed);
        let _held = Held(&self.held);
        loop {
            let mut changed = pin!(self.changed.notified());
            // Registered before the look, so that an end in between is not missed.
            changed.as_mut().enable();
            let left = (self.word.load(Ordering::Acquire) >> 1).saturating_sub(unix_ms());
            if left == 0 {
                return;
            }
            drop(tokio::time::timeout(Duration::from_millis(left), changed).await);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::table::registry;

    fn flags(name: &str) -> Flags {
        registry().find(name.as_bytes()).expect("in the table").1.flags
    }

    #[test]
    fn the_later_deadline_and_the_stricter_mode_hold() {
        let (pause, now) = (Pause::default(), unix_ms());
        let (get, set) = (flags("get"), flags("set"));
        pause.begin(now + 10_000, Mode::Write);
        assert!(pause.holds(set, now) && !pause.holds(get, now));
        pause.begin(now + 5_000, Mode::All);
        assert!(pause.holds(get, now + 9_999) && !pause.holds(get, now + 10_000));
        // That look found the pause past and has forgotten it.
        assert!(!pause.active(now));
        pause.begin(now + 10_000, Mode::Write);
        assert!(!pause.holds(get, now), "the mode of a past pause is gone with it");
        pause.end();
        assert!(!pause.holds(set, now));
    }
}
