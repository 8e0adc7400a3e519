//! `unixsocket`: a listening socket that is a file.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

use super::bind::Bound;
use crate::config::{Config, reason};
use crate::log_notice;

/// The file, which goes with the server.
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        log_notice!("Removing the unix socket file.");
        // Somebody may have removed it already.
        drop(fs::remove_file(&self.0));
    }
}

/// Listens at the configured file, if there is one. A file of that name is replaced.
pub(super) fn listen(config: &Config) -> Result<Option<(Bound, SocketFile)>, String> {
    let name = config.text("unixsocket");
    if name.is_empty() {
        return Ok(None);
    }
    let path = Path::new(OsStr::from_bytes(&name));
    let mode = config.number("unixsocketperm") as u32;
    let socket = bound(path, mode, config.number("tcp-backlog"))
        .map_err(|error| format!("Failed opening Unix socket: bind: {}", reason(&error)))?;
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let shown = format!("{}:0", String::from_utf8_lossy(&name));
    Ok(Some((Bound::Unix(socket.into(), shown), SocketFile(path))))
}

/// The socket's permissions are set before the file has a name, so that at no moment it lets anybody in whom they
/// do not: the file gets them less those that the umask takes away, and afterwards these as well.
fn bound(path: &Path, mode: u32, backlog: u64) -> io::Result<Socket> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // SAFETY: the call touches no memory, and the descriptor is open.
    if mode != 0 && unsafe { libc::fchmod(socket.as_raw_fd(), mode) } != 0 {
        return Err(io::Error::last_os_error());
    }
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    if mode != 0 {
        fs::set_permissions(path, Permissions::from_mode(mode))?;
    }
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CVE-2023-45145: between its birth and its chmod, the socket let everybody in.
    #[test]
    fn the_file_never_has_more_permissions_than_configured() {
        let path = std::env::temp_dir().join(format!("sockudo-kv-unix-{}", std::process::id()));
        for mode in [0o600, 0o770] {
            let before = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
            // SAFETY: the call touches no memory, and the descriptor is open.
            assert_eq!(unsafe { libc::fchmod(before.as_raw_fd(), mode) }, 0);
            before.bind(&SockAddr::unix(&path).expect("an address")).expect("a free name");
            let born = fs::metadata(&path).expect("there").permissions().mode() & 0o777;
            assert_eq!(born & !mode, 0, "{born:o} at birth");
            let socket = bound(&path, mode, 5).expect("a name that is replaced");
            assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, mode);
            drop((before, socket));
            fs::remove_file(&path).expect("there");
        }
    }
}
