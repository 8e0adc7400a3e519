//! Those who want to hear of changes: clients that watch keys, that wait for data, or that keep copies of values.
//!
//! Who observes a stripe has a bit in the gate's word of it ([`Observers`]), set inside a section over the stripe. A
//! writer finds the bits in the word that it looks at anyway; none is the common case and costs nothing further. Else
//! it writes through a [`Trace`], which every change of a key is reported to.
//!
//! | observer | told by |
//! |---|---|
//! | a watcher | its mark in [`Watches`] becomes dirty with the change |
//! | a waiting client | the trace collects the keys; whoever holds the section serves them when its command is done |
//! | a client that keeps what it reads | [`Readers`] forgets who has read the key, and tells them |

mod readers;
mod watch;

pub use readers::{Cause, Changes, Readers};
pub use watch::{Watcher, Watches};

use std::cell::{Cell, RefCell};

use super::Keyspace;
use super::gate::Observers;

/// A changed key, with its database's number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Changed {
    /// The database.
    pub db: usize,
    /// The key.
    pub key: Box<[u8]>,
}

/// Where the changes of one announced write, or of one section, are reported.
#[derive(Default)]
pub struct Trace {
    observers: Cell<Observers>,
    changed: RefCell<Vec<Changed>>,
}

impl Trace {
    /// A trace for these observers.
    pub fn new(observers: Observers) -> Trace {
        Trace { observers: Cell::new(observers), changed: RefCell::default() }
    }

    /// Who wants to hear of changes.
    #[inline]
    pub fn observers(&self) -> Observers {
        self.observers.get()
    }

    /// The section has further stripes now: who observes any of them.
    pub fn set_observers(&self, observers: Observers) {
        self.observers.set(observers);
    }

    /// Reports a change.
    #[inline]
    pub(super) fn changed(&self, keyspace: &Keyspace, db: usize, key: &[u8], cause: Cause) {
        if !self.observers.get().is_empty() {
            self.tell(keyspace, db, key, cause);
        }
    }

    #[cold]
    fn tell(&self, keyspace: &Keyspace, db: usize, key: &[u8], cause: Cause) {
        let observers = self.observers.get();
        if observers.contains(Observers::WATCHERS) {
            keyspace.watches.touch(db, key, keyspace.hasher.hash(key));
        }
        if observers.contains(Observers::WAITING) {
            self.note(db, key);
        }
        if observers.contains(Observers::READERS) {
            keyspace.readers.changed(&keyspace.gate, key, keyspace.hasher.hash(key), cause);
        }
    }

    /// Notes that a key may have data for those who wait.
    pub fn note(&self, db: usize, key: &[u8]) {
        let mut changed = self.changed.borrow_mut();
        if !changed.iter().any(|known| known.db == db && *known.key == *key) {
            changed.push(Changed { db, key: key.into() });
        }
    }

    /// The keys that were changed where clients wait, in the order of their first change; they are forgotten.
    pub fn take_changed(&self) -> Vec<Changed> {
        self.changed.take()
    }

    /// How many keys are noted.
    pub fn noted(&self) -> usize {
        self.changed.borrow().len()
    }

    /// Forgets the keys that were noted after so many others.
    pub fn forget_after(&self, noted: usize) {
        self.changed.borrow_mut().truncate(noted);
    }

    /// Whether a key was changed where clients wait.
    #[inline]
    pub fn has_changed(&self) -> bool {
        !self.changed.borrow().is_empty()
    }
}
