//! Holding commands back while unlinked values pile up.
//!
//! A value that was overwritten is freed when every reader that might still see it is done. A reader that takes very
//! long keeps all later ones too; then it is better that commands wait than that memory runs out.

use std::cell::Cell;
use std::time::Duration;

use crate::limits::GARBAGE;
use crate::memory;
use crate::sync::epoch;

/// Garbage that a worker makes before it asks how much all have made.
const STEP: i64 = (GARBAGE / 64) as i64;
/// Rest between looks while commands wait.
const PAUSE: Duration = Duration::from_millis(1);

/// A worker's view of the garbage.
#[derive(Default)]
pub(super) struct Pressure {
    /// The lowest count of this thread since the last look at all threads'.
    seen: Cell<i64>,
    high: Cell<bool>,
}

impl Pressure {
    /// Whether the next batch has to wait. One thread-local load, unless much has happened since the last look.
    #[inline]
    pub(super) fn is_high(&self) -> bool {
        let mine = memory::garbage_of_this_thread();
        if mine < self.seen.get() {
            self.seen.set(mine);
        }
        if !self.high.get() && mine - self.seen.get() < STEP {
            return false;
        }
        self.look()
    }

    #[cold]
    fn look(&self) -> bool {
        self.seen.set(memory::garbage_of_this_thread());
        self.high.set(memory::garbage() > GARBAGE);
        self.high.get()
    }

    /// Waits until the garbage is within its bound.
    pub(super) async fn relieved(&self) {
        while self.look() {
            hand_in();
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Gives this thread's garbage to whoever frees next: what an idle worker keeps to itself nobody can free.
pub(super) fn hand_in_if_much() {
    if memory::garbage() > GARBAGE / 4 {
        hand_in();
    }
}

fn hand_in() {
    epoch::pin().flush();
}
