//! `bind` and `port` to listening sockets.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

use socket2::{Domain, Protocol, Socket, Type};

use crate::config::{Config, reason};
use crate::log_warning;

/// Listens on every address of the configuration. None are left listening when one fails; what failed is in the log.
///
/// An address that begins with `-` may be missing on this machine, and a whole protocol (such as IPv6) may be.
///
/// # Errors
/// Whatever kept an address that is not optional from being listened on.
pub(super) fn listen_all(config: &Config) -> io::Result<Vec<TcpListener>> {
    listen_on(config, config.number("port") as u16)
}

/// [`listen_all`] on another port; port 0 is no port.
pub(super) fn listen_on(config: &Config, port: u16) -> io::Result<Vec<TcpListener>> {
    let mut listening = Vec::new();
    for word in config.words("bind").iter().filter(|_| port != 0) {
        let word = String::from_utf8_lossy(word);
        let (address, optional) = word.strip_prefix('-').map_or((&*word, false), |rest| (rest, true));
        match listen(address, port, config.number("tcp-backlog")) {
            Ok(listener) => listening.push(listener),
            Err(failed) => {
                log_warning!(
                    "Warning: Could not create server TCP listening socket {address}:{port}: {}",
                    failed.text()
                );
                if !is_bearable(&failed.error, optional) {
                    return Err(failed.error);
                }
            }
        }
    }
    Ok(listening)
}

/// Errors that leave the other addresses usable.
fn is_bearable(error: &io::Error, optional: bool) -> bool {
    match error.raw_os_error() {
        Some(libc::EADDRNOTAVAIL) => optional,
        Some(
            libc::ENOPROTOOPT
            | libc::EPROTONOSUPPORT
            | libc::ESOCKTNOSUPPORT
            | libc::EPFNOSUPPORT
            | libc::EAFNOSUPPORT,
        ) => true,
        _ => false,
    }
}

/// A call that failed on the way to a listening socket.
struct Failed {
    /// `bind` and the like; empty for looking the name up.
    call: &'static str,
    error: io::Error,
}

impl Failed {
    fn text(&self) -> String {
        match self.call {
            "" => reason(&self.error),
            call => format!("{call}: {}", reason(&self.error)),
        }
    }
}

fn at(call: &'static str) -> impl Fn(io::Error) -> Failed {
    move |error| Failed { call, error }
}

fn listen(address: &str, port: u16, backlog: u64) -> Result<TcpListener, Failed> {
    let address = resolve(address, port).map_err(at(""))?;
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP)).map_err(at("socket"))?;
    if domain == Domain::IPV6 {
        // IPv4 has sockets of its own, so that `* ::*` does not ask for the same port twice.
        socket.set_only_v6(true).map_err(at("setsockopt"))?;
    }
    socket.set_reuse_address(true).map_err(at("setsockopt SO_REUSEADDR"))?;
    socket.set_nonblocking(true).map_err(at("fcntl(F_SETFL,O_NONBLOCK)"))?;
    socket.bind(&address.into()).map_err(at("bind"))?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX)).map_err(at("listen"))?;
    Ok(socket.into())
}

/// The address that a word of `bind` stands for: `*` and `::*` are all of IPv4's and of IPv6's, a word with a colon
/// is of IPv6, any other is a name or number of IPv4.
fn resolve(address: &str, port: u16) -> io::Result<SocketAddr> {
    match address {
        "*" => Ok((Ipv4Addr::UNSPECIFIED, port).into()),
        "::*" => Ok((Ipv6Addr::UNSPECIFIED, port).into()),
        _ => (address, port)
            .to_socket_addrs()?
            .find(|found| found.is_ipv6() == address.contains(':'))
            .ok_or_else(|| io::Error::other("Name or service not known")),
    }
}

/// Warns when the system cuts `tcp-backlog` down.
pub(super) fn check_backlog(config: &Config) {
    const FILE: &str = "/proc/sys/net/core/somaxconn";
    let wanted = config.number("tcp-backlog");
    let most = std::fs::read_to_string(FILE).ok().and_then(|text| text.trim().parse::<u64>().ok());
    if let Some(most) = most.filter(|&most| most > 0 && most < wanted) {
        log_warning!(
            "WARNING: The TCP backlog setting of {wanted} cannot be enforced because {FILE} is set to the lower value of {most}."
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_bind_are_addresses() {
        let resolved = |word: &str| resolve(word, 7).expect("resolves").to_string();
        assert_eq!(resolved("*"), "0.0.0.0:7");
        assert_eq!(resolved("::*"), "[::]:7");
        assert_eq!(resolved("::1"), "[::1]:7");
        assert_eq!(resolved("127.0.0.2"), "127.0.0.2:7");
        assert_eq!(resolved("localhost"), "127.0.0.1:7");
    }

    #[test]
    fn only_optional_addresses_may_be_missing() {
        let error = |number| io::Error::from_raw_os_error(number);
        assert!(is_bearable(&error(libc::EADDRNOTAVAIL), true));
        assert!(!is_bearable(&error(libc::EADDRNOTAVAIL), false));
        assert!(is_bearable(&error(libc::EAFNOSUPPORT), false));
        assert!(!is_bearable(&error(libc::EADDRINUSE), true));
    }
}
