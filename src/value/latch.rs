//! A one-word reader/writer latch inside a value node.
//!
//! States of the word: `0` free; `1..WRITER` that many readers; `WRITER` one writer; `WRITER | n` a writer waits (or
//! holds, when `n` is 0) while `n` readers leave.
//!
//! Rules:
//! 1. Only a holder of the writer bit whose reader count has reached zero may change what the latch protects.
//! 2. A reader that finds the writer bit set takes its own count back before it waits, or gives up, so the writer's wait
//!    ends.
//! 3. Latches are held inside one synchronous command and never across an await, so waiting is a short spin; a
//!    descheduled holder is waited for with `yield_now`.
//!
//! They suffice because a reader's increment and the writer's bit are read-modify-writes of one word: whichever is
//! second in its modification order sees the other.

use crate::sync::{AtomicU32, Ordering, spin_loop, yield_now};

const WRITER: u32 = 1 << 31;
const SPINS_BEFORE_YIELD: u32 = 64;

/// The latch word. It is const-free under loom, hence the plain constructor.
#[derive(Debug)]
pub struct Latch(AtomicU32);

impl Default for Latch {
    fn default() -> Self {
        Latch(AtomicU32::new(0))
    }
}

/// Shared access; released on drop, also while unwinding.
#[derive(Debug)]
#[must_use]
pub struct ReadGuard<'a>(&'a Latch);

/// Exclusive access; released on drop, also while unwinding.
#[derive(Debug)]
#[must_use]
pub struct WriteGuard<'a>(&'a Latch);

impl Latch {
    /// Waits for shared access.
    pub fn read(&self) -> ReadGuard<'_> {
        let mut spins = 0;
        loop {
            // Ordering: Acquire pairs with the Release of a writer's unlock, whose changes we are about to read.
            if self.0.fetch_add(1, Ordering::Acquire) & WRITER == 0 {
                return ReadGuard(self);
            }
            self.0.fetch_sub(1, Ordering::Release);
            while self.0.load(Ordering::Relaxed) & WRITER != 0 {
                pause(&mut spins);
            }
        }
    }

    /// Shared access if no writer holds the latch or waits for it.
    #[inline]
    pub fn try_read(&self) -> Option<ReadGuard<'_>> {
        // A look first, so that a latch that is held stays in its holder's cache.
        if self.0.load(Ordering::Relaxed) & WRITER != 0 {
            return None;
        }
        // Ordering: as in `read`.
        if self.0.fetch_add(1, Ordering::Acquire) & WRITER == 0 {
            return Some(ReadGuard(self));
        }
        self.0.fetch_sub(1, Ordering::Release);
        None
    }

    /// Waits for exclusive access.
    pub fn write(&self) -> WriteGuard<'_> {
        let mut spins = 0;
        // Ordering: Acquire pairs with the previous writer's Release unlock.
        while self.0.fetch_or(WRITER, Ordering::Acquire) & WRITER != 0 {
            while self.0.load(Ordering::Relaxed) & WRITER != 0 {
                pause(&mut spins);
            }
        }
        // Ordering: Acquire pairs with each reader's Release decrement, so their reads happened before our writes.
        while self.0.load(Ordering::Acquire) != WRITER {
            pause(&mut spins);
        }
        WriteGuard(self)
    }
}

impl Drop for ReadGuard<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Release);
    }
}

impl Drop for WriteGuard<'_> {
    fn drop(&mut self) {
        // Readers may have passed through with a temporary increment: only the bit is ours to clear.
        self.0.0.fetch_and(!WRITER, Ordering::Release);
    }
}

fn pause(spins: &mut u32) {
    *spins += 1;
    if *spins < SPINS_BEFORE_YIELD {
        spin_loop();
    } else {
        yield_now();
    }
}

#[cfg(all(test, not(sockudo_loom)))]
mod tests {
    use super::*;
    use std::cell::UnsafeCell;

    struct Shared(Latch, UnsafeCell<u64>);
    // SAFETY: the cell is touched only under the latch.
    unsafe impl Sync for Shared {}

    impl Shared {
        /// The cell, to be used under the latch.
        fn cell(&self) -> *mut u64 {
            self.1.get()
        }
    }

    #[test]
    fn writers_exclude_each_other_and_readers() {
        let shared = Shared(Latch::default(), UnsafeCell::new(0));
        std::thread::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| {
                    for _ in 0..10_000 {
                        let _w = shared.0.write();
                        // SAFETY: the write guard is held.
                        unsafe { *shared.cell() += 1 };
                    }
                });
            }
            s.spawn(|| {
                let mut last = 0;
                for _ in 0..10_000 {
                    let _r = shared.0.read();
                    // SAFETY: the read guard is held.
                    let now = unsafe { *shared.cell() };
                    assert!(now >= last);
                    last = now;
                }
            });
        });
        assert_eq!(shared.1.into_inner(), 30_000);
    }
}
