//! Stands in for crossbeam-epoch: frees as early as that may.
//!
//! What was retired is freed when every guard that was held at the retirement has ended, and then every guard that is
//! held at that moment: the two epochs that crossbeam waits. Who pins after the first of the two has seen, as with
//! crossbeam, whatever was done by those it does not wait for: pinning and unpinning meet in one atomic word.
//!
//! That word would order more than crossbeam does if each operation of a model pinned for itself. Models therefore pin
//! before they spawn and hand the guard over, but where they are about the freeing.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use loom::sync::atomic::AtomicUsize;
use loom::sync::atomic::Ordering::{AcqRel, Acquire};

struct Garbage {
    /// Guards that may still read it.
    awaited: BTreeSet<u64>,
    /// Whether those that were held at the retirement have ended.
    second: bool,
    free: Box<dyn FnOnce()>,
}

#[derive(Default)]
struct State {
    next: u64,
    held: BTreeSet<u64>,
    garbage: Vec<Garbage>,
}

struct Collector {
    /// Where unpinning happens before pinning.
    meeting: AtomicUsize,
    state: RefCell<State>,
}

thread_local! {
    static COLLECTOR: RefCell<Option<Rc<Collector>>> = const { RefCell::new(None) };
}

/// Begins an execution.
pub(crate) fn begin() {
    let fresh = Collector { meeting: AtomicUsize::new(0), state: RefCell::default() };
    COLLECTOR.set(Some(Rc::new(fresh)));
}

/// Ends an execution, whose guards have ended.
pub(crate) fn end() {
    let collector = COLLECTOR.take().expect("inside an execution");
    let state = collector.state.borrow();
    assert!(state.held.is_empty() && state.garbage.is_empty(), "a guard is still held");
}

fn collector() -> Rc<Collector> {
    COLLECTOR.with_borrow(|collector| collector.clone()).expect("inside an execution")
}

/// Keeps what is reachable now from being freed.
#[derive(Debug)]
pub struct Guard(u64);

/// A new guard.
pub fn pin() -> Guard {
    let collector = collector();
    collector.meeting.fetch_or(0, Acquire);
    let mut state = collector.state.borrow_mut();
    let number = state.next;
    state.next += 1;
    state.held.insert(number);
    Guard(number)
}

impl Guard {
    /// Runs `free` when nobody can hold what it frees.
    ///
    /// # Safety
    /// What `free` frees is out of reach for guards to come, and lives until `free` runs.
    pub unsafe fn defer_unchecked<F: FnOnce() -> R, R>(&self, free: F) {
        let free: Box<dyn FnOnce()> = Box::new(move || drop(free()));
        // SAFETY: the caller's promise covers whatever the closure borrows.
        let free =
            unsafe { std::mem::transmute::<Box<dyn FnOnce() + '_>, Box<dyn FnOnce() + 'static>>(free) };
        let collector = collector();
        let mut state = collector.state.borrow_mut();
        assert!(state.held.contains(&self.0));
        let awaited = state.held.clone();
        state.garbage.push(Garbage { awaited, second: false, free });
    }

    /// Nothing to do: garbage is looked at whenever a guard ends.
    pub fn flush(&self) {}
}

impl State {
    /// Notes that a guard has ended and returns what nobody can read any more.
    fn unpin(&mut self, guard: u64) -> Vec<Box<dyn FnOnce()>> {
        self.held.remove(&guard);
        for garbage in &mut self.garbage {
            garbage.awaited.remove(&guard);
            if garbage.awaited.is_empty() && !garbage.second {
                garbage.second = true;
                garbage.awaited = self.held.clone();
            }
        }
        self.garbage
            .extract_if(.., |garbage| garbage.awaited.is_empty())
            .map(|garbage| garbage.free)
            .collect()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let collector = collector();
        collector.meeting.fetch_or(0, AcqRel);
        let free = collector.state.borrow_mut().unpin(self.0);
        free.into_iter().for_each(|free| free());
    }
}
