//! Faults at will: in builds with debug assertions any step of writing a file can fail, or end the process.
//!
//! A release build has none of it.

/// What is done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// A file is made.
    Create,
    /// A file is opened to be read.
    Open,
    /// Bytes are read.
    Read,
    /// Bytes are written.
    Write,
    /// A file is synced.
    Sync,
    /// A file gets another name.
    Rename,
    /// A directory is synced.
    SyncDirectory,
    /// A file is removed.
    Remove,
}

/// What happens instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call fails with this number of an error.
    Error(i32),
    /// The process ends at once, without a destructor.
    Crash,
}

#[cfg(not(debug_assertions))]
#[inline(always)]
pub(super) fn check(_: Op) -> std::io::Result<()> {
    Ok(())
}

#[cfg(debug_assertions)]
pub(super) use armed::check;
#[cfg(debug_assertions)]
pub use armed::{arm, disarm, named};

#[cfg(debug_assertions)]
mod armed {
    use std::io;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use super::{Fault, Op};

    /// What is to fail, and how many calls before that succeed.
    static ARMED: Mutex<Vec<(Op, u64, Fault)>> = Mutex::new(Vec::new());

    fn armed() -> MutexGuard<'static, Vec<(Op, u64, Fault)>> {
        ARMED.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes `op` fail, from its call number `after` on (from zero), until [`disarm`].
    pub fn arm(op: Op, after: u64, fault: Fault) {
        armed().push((op, after, fault));
    }

    /// Makes everything work again.
    pub fn disarm() {
        armed().clear();
    }

    /// What a test calls an operation.
    pub fn named(word: &[u8]) -> Option<Op> {
        Some(match word {
            b"create" => Op::Create,
            b"open" => Op::Open,
            b"read" => Op::Read,
            b"write" => Op::Write,
            b"sync" => Op::Sync,
            b"rename" => Op::Rename,
            b"sync-directory" => Op::SyncDirectory,
            b"remove" => Op::Remove,
            _ => return None,
        })
    }

    pub(in crate::disk) fn check(op: Op) -> io::Result<()> {
        for (wanted, left, fault) in armed().iter_mut().filter(|(wanted, ..)| *wanted == op) {
            debug_assert_eq!(*wanted, op);
            if *left > 0 {
                *left -= 1;
                continue;
            }
            match *fault {
                Fault::Error(number) => return Err(io::Error::from_raw_os_error(number)),
                Fault::Crash => std::process::abort(),
            }
        }
        Ok(())
    }
}
