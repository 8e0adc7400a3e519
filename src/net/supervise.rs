//! Whoever starts the server: a shell that it leaves (`daemonize`), or a supervisor that waits for it (`supervised`).

use std::env;
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use crate::config::{Config, reason};
use crate::{log_notice, log_warning};

/// The numbers of `supervised`.
const AUTO: u64 = 1;
const SYSTEMD: u64 = 2;
const UPSTART: u64 = 3;

/// Where systemd wants to hear from its services.
const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";
/// Upstart's name for the job that it starts.
const UPSTART_JOB: &str = "UPSTART_JOB";

/// Who waits for the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Supervisor {
    /// Nobody.
    None,
    /// systemd, which gets messages.
    Systemd,
    /// Upstart, which waits until the process stops itself.
    Upstart,
}

impl Supervisor {
    /// The one that the configuration names, or with `auto` the one that the environment shows.
    pub(super) fn of(config: &Config) -> Supervisor {
        let shown = |name| env::var_os(name).is_some();
        match config.number("supervised") {
            SYSTEMD => Supervisor::Systemd,
            UPSTART => Supervisor::Upstart,
            AUTO if shown(UPSTART_JOB) => Supervisor::Upstart,
            AUTO if shown(NOTIFY_SOCKET) => Supervisor::Systemd,
            _ => Supervisor::None,
        }
    }

    /// The server serves.
    pub(super) fn ready(self) {
        match self {
            Supervisor::None => {}
            Supervisor::Systemd => tell_systemd("STATUS=Ready to accept connections\nREADY=1\n"),
            Supervisor::Upstart => {
                log_notice!("supervised by upstart, will stop to signal readiness");
                // SAFETY: raising a signal touches no memory.
                unsafe { libc::raise(libc::SIGSTOP) };
            }
        }
    }

    /// The server begins to end.
    pub(super) fn stopping(self) {
        if self == Supervisor::Systemd {
            tell_systemd("STOPPING=1\n");
        }
    }
}

/// Sends systemd a message. Without its socket, or without anybody behind it, the server runs all the same.
fn tell_systemd(message: &str) {
    let Some(name) = env::var_os(NOTIFY_SOCKET) else {
        return log_warning!("systemd supervision requested or auto-detected, but {NOTIFY_SOCKET} not found");
    };
    if let Err(error) = send(&name, message) {
        log_warning!("Can't send to systemd: {}", reason(&error));
    }
}

fn send(name: &OsStr, message: &str) -> io::Result<()> {
    // A name that begins with an at sign is none of the file system.
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(abstract_name) => SocketAddr::from_abstract_name(abstract_name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    UnixDatagram::unbound()?.send_to_addr(message.as_bytes(), &address).map(drop)
}

/// Whether the server is to leave the shell that started it. One that is supervised stays.
pub(super) fn detaches(config: &Config) -> bool {
    config.number("daemonize") != 0 && Supervisor::of(config) == Supervisor::None
}

/// Goes on in a process of its own session, without a terminal, if the configuration says so; the one that was started
/// ends with success. To be called before there is a second thread.
///
/// # Errors
/// Why there can be no other process.
pub fn detach_if_asked(config: &Config) -> Result<(), String> {
    if !detaches(config) {
        return Ok(());
    }
    detach().map_err(|error| format!("Can't run in the background: {}", reason(&error)))
}

fn detach() -> io::Result<()> {
    let nothing = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    // SAFETY: this is the only thread, so the child has all that the process consists of.
    match unsafe { libc::fork() } {
        -1 => return Err(io::Error::last_os_error()),
        0 => {}
        // SAFETY: ends the process without running what the child will run at its own end.
        _ => unsafe { libc::_exit(0) },
    }
    // SAFETY: neither call touches memory. A new process can always begin a session.
    unsafe { libc::setsid() };
    for standard in [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO] {
        // SAFETY: both descriptors are open, and duplicating one touches no memory.
        if unsafe { libc::dup2(nothing.as_raw_fd(), standard) } == -1 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
