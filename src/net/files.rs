//! The limit of open files: every client is one.

use crate::limits::{FILES_PER_WORKER, RESERVED_FILES};

/// What became of the wish to serve many clients.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The limit was high enough.
    Enough,
    /// It was raised from the first to the second number.
    Raised(u64, u64),
    /// The system allows this many files and no more.
    Limited { files: u64, wanted: u64, reason: String },
}

/// Descriptors that a server with `workers` needs besides its clients'.
pub(super) fn reserved(workers: usize) -> u64 {
    RESERVED_FILES + FILES_PER_WORKER * workers as u64
}

/// Sees to it that `clients` can be connected at once.
///
/// # Errors
/// When the system does not tell its limit.
pub(super) fn allow(clients: usize, workers: usize) -> std::io::Result<Outcome> {
    let wanted = clients as u64 + reserved(workers);
    let now = limit()?;
    if now.rlim_cur >= wanted {
        return Ok(Outcome::Enough);
    }
    // Only a privileged process may raise the hard limit; any may go up to it.
    let hard = now.rlim_max.max(wanted);
    let Err(reason) = set(libc::rlimit { rlim_cur: wanted, rlim_max: hard }) else {
        return Ok(Outcome::Raised(now.rlim_cur, wanted));
    };
    let most = set(libc::rlimit { rlim_cur: now.rlim_max, ..now }).map_or(now.rlim_cur, |()| now.rlim_max);
    Ok(Outcome::Limited { files: most, wanted, reason: crate::config::reason(&reason) })
}

fn limit() -> std::io::Result<libc::rlimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a live value of the type that getrlimit fills.
    match unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } {
        0 => Ok(limit),
        _ => Err(std::io::Error::last_os_error()),
    }
}

fn set(limit: libc::rlimit) -> std::io::Result<()> {
    // SAFETY: the pointer is to a live value, which setrlimit only reads.
    match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_already_changes_nothing() {
        let before = limit().expect("a limit").rlim_cur;
        let clients = usize::try_from(before - reserved(2)).expect("fits");
        assert_eq!(allow(clients, 2).expect("a limit"), Outcome::Enough);
        assert_eq!(limit().expect("a limit").rlim_cur, before);
    }
}
