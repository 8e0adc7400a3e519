//! Holding commands back while unlinked values pile up, or while memory is short.
//!
//! A value that was overwritten is freed when every reader that might still see it is done. A reader that takes very
//! long keeps all later ones too; then it is better that commands wait than that memory runs out.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::worker::Local;
use crate::command::room::Verdict;
use crate::limits::GARBAGE;
use crate::memory;
use crate::sync::epoch;

/// Garbage that a worker makes before it asks how much all have made.
const STEP: i64 = (GARBAGE / 64) as i64;
/// How long a command waits for memory before it is refused: eviction is faster than this, and so is the freeing of what
/// is unlinked, unless somebody reads for very long.
const PATIENCE: Duration = Duration::from_secs(1);
/// Looks before a command that waits for memory sleeps: others of this worker run in between, and end their readings.
const LOOKS_AWAKE: u32 = 4;
/// Looks in a row of the background.
const LOOKS_IN_A_ROW: u32 = 50;
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

/// Waits until there is room under `maxmemory`, or certainly none; false if that took too long.
pub(super) async fn room(local: &Local) -> bool {
    let began = Instant::now();
    for look in 0.. {
        if local.pressure.is_high() {
            local.pressure.relieved().await;
        }
        if local.worker.borrow_mut().make_room(&local.server) != Verdict::Busy {
            return true;
        }
        if began.elapsed() > PATIENCE {
            break;
        }
        if look < LOOKS_AWAKE { tokio::task::yield_now().await } else { tokio::time::sleep(PAUSE).await }
    }
    false
}

/// Evicts for a while if more is in use than `maxmemory` allows.
pub(super) async fn keep_within(local: &Local) {
    let most = local.server.config.live().maxmemory();
    if most == 0 || memory::used() <= most {
        return;
    }
    for _ in 0..LOOKS_IN_A_ROW {
        if local.worker.borrow_mut().make_room(&local.server) != Verdict::Busy {
            return;
        }
        tokio::time::sleep(PAUSE).await;
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
