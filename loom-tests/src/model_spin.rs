//! Stands in for spinning: gives way to other threads, and ends the exploration where nothing but spinning happens.
//!
//! Two threads that wait for a third could otherwise take turns without end, and loom would explore every number of
//! turns. A wait is but loads, so what follows the many turns also follows the few.

use std::cell::RefCell;
use std::collections::HashMap;

use loom::thread::{self, ThreadId};

/// Turns of one thread that are explored.
const TURNS: u32 = 4;

thread_local! {
    static TAKEN: RefCell<HashMap<ThreadId, u32>> = RefCell::default();
}

/// Begins an execution.
pub(crate) fn begin() {
    TAKEN.take();
}

/// Lets other threads run.
pub fn spin_loop() {
    let taken = TAKEN.with_borrow_mut(|taken| {
        let mine = taken.entry(thread::current().id()).or_default();
        *mine += 1;
        *mine
    });
    if taken > TURNS {
        loom::skip_branch();
    }
    thread::yield_now();
}

/// The same: a model has no time slices.
pub fn yield_now() {
    spin_loop();
}
