//! What one client has asked for.

use std::sync::{Mutex, MutexGuard};

use bitflags::bitflags;

use crate::command::table::{Command, Flags};
use crate::sync::{AtomicU32, AtomicU64, Ordering};

bitflags! {
    /// How a client tracks.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Modes: u32 {
        /// At all.
        const ON = 1 << 0;
        /// It hears of all keys with its prefixes, read or not.
        const BCAST = 1 << 1;
        /// Only what is read after CLIENT CACHING YES counts.
        const OPTIN = 1 << 2;
        /// All but what is read after CLIENT CACHING NO counts.
        const OPTOUT = 1 << 3;
        /// What it changes itself is no news to it.
        const NOLOOP = 1 << 4;
        /// CLIENT CACHING was said about the next command.
        const CACHING = 1 << 5;
        /// The client that the news were to go to is gone.
        const BROKEN = 1 << 6;
    }
}

/// A prefix of names.
pub type Prefix = Box<[u8]>;

/// One client's wishes. Its own task changes them; whoever changes a key reads them.
pub struct Tracker {
    /// The client's number.
    pub id: u64,
    /// Its worker, and its seat there.
    pub home: (usize, usize),
    modes: AtomicU32,
    /// The number of the client that gets the news in its stead; zero for none.
    redirect: AtomicU64,
    prefixes: Mutex<Vec<Prefix>>,
}

impl Tracker {
    /// A client that tracks nothing yet.
    pub(super) fn new(id: u64, home: (usize, usize)) -> Tracker {
        let (modes, redirect) = (AtomicU32::new(0), AtomicU64::new(0));
        Tracker { id, home, modes, redirect, prefixes: Mutex::default() }
    }

    /// How it tracks.
    pub fn modes(&self) -> Modes {
        // Ordering: Relaxed, because what must be known to a change of a key is known through the gate: see `Readers`.
        Modes::from_bits_truncate(self.modes.load(Ordering::Relaxed))
    }

    pub(super) fn set_modes(&self, modes: Modes) {
        self.modes.store(modes.bits(), Ordering::Relaxed);
    }

    pub(super) fn add_modes(&self, modes: Modes) {
        self.modes.fetch_or(modes.bits(), Ordering::Relaxed);
    }

    /// CLIENT CACHING is about one command; a transaction counts as one.
    pub(in crate::command) fn end_caching(&self) {
        self.modes.fetch_and(!Modes::CACHING.bits(), Ordering::Relaxed);
    }

    /// The number of the client that gets the news instead; zero for none.
    pub fn redirect(&self) -> u64 {
        self.redirect.load(Ordering::Relaxed)
    }

    pub(super) fn set_redirect(&self, id: u64) {
        self.redirect.store(id, Ordering::Relaxed);
    }

    /// The prefixes of the broadcast.
    pub(super) fn prefixes(&self) -> MutexGuard<'_, Vec<Prefix>> {
        self.prefixes.lock().expect("no panic under this lock")
    }

    /// Whether what this command reads is to be remembered.
    pub(super) fn wants(&self, command: &Command) -> bool {
        let reads = command.flags.contains(Flags::READONLY) && !command.flags.contains(Flags::RUNS_SCRIPT);
        let modes = self.modes();
        let said = modes.contains(Modes::CACHING);
        reads
            && !command.keys.is_empty()
            && modes.contains(Modes::ON)
            && !modes.contains(Modes::BCAST)
            && (!modes.contains(Modes::OPTIN) || said)
            && !(modes.contains(Modes::OPTOUT) && said)
    }
}
