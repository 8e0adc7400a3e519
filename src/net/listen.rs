//! Listening sockets of every kind, and what comes in at them.

use std::io;
use std::net::{SocketAddr, TcpStream as StdStream};
use std::os::fd::OwnedFd;
use std::task::{Context, Poll};

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::bind::Bound;

/// A socket that is listened at.
pub(super) enum Listener {
    /// `port`.
    Tcp(TcpListener),
    /// `tls-port`.
    Tls(TcpListener),
    /// `unixsocket`, with the name that CLIENT LIST shows for both ends.
    Unix(UnixListener, String),
}

/// Somebody who came.
pub(super) struct Incoming {
    /// The socket. One of another family works alike: what is asked of it here is to send, to receive and to be shut.
    pub(super) stream: StdStream,
    /// The other end's address.
    pub(super) addr: String,
    /// Our end's address.
    pub(super) laddr: String,
    /// It comes from this machine.
    pub(super) is_local: bool,
    /// It goes through the network's protocols.
    pub(super) is_tcp: bool,
    /// It speaks TLS.
    pub(super) is_tls: bool,
}

impl Listener {
    /// Watches a bound socket.
    pub(super) fn watch(bound: Bound) -> io::Result<Listener> {
        Ok(match bound {
            Bound::Tcp(listener) => Listener::Tcp(TcpListener::from_std(listener)?),
            Bound::Tls(listener) => Listener::Tls(TcpListener::from_std(listener)?),
            Bound::Unix(listener, name) => Listener::Unix(UnixListener::from_std(listener)?, name),
        })
    }

    /// Whether CONFIG SET may move it.
    pub(super) fn is_movable(&self) -> bool {
        !matches!(self, Listener::Unix(..))
    }

    /// Polls for somebody who comes.
    pub(super) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Incoming>> {
        match self {
            Listener::Tcp(listener) => {
                listener.poll_accept(cx).map(|came| came.and_then(|came| from_network(came, false)))
            }
            Listener::Tls(listener) => {
                listener.poll_accept(cx).map(|came| came.and_then(|came| from_network(came, true)))
            }
            Listener::Unix(listener, name) => {
                listener.poll_accept(cx).map(|came| came.and_then(|(stream, _)| from_file(stream, name)))
            }
        }
    }
}

fn from_network((stream, peer): (TcpStream, SocketAddr), is_tls: bool) -> io::Result<Incoming> {
    let laddr = stream.local_addr().map_or_else(|_| String::new(), |local| local.to_string());
    let is_local = peer.ip().to_canonical().is_loopback();
    let stream = stream.into_std()?;
    Ok(Incoming { stream, addr: peer.to_string(), laddr, is_local, is_tcp: true, is_tls })
}

fn from_file(stream: UnixStream, name: &str) -> io::Result<Incoming> {
    let stream = StdStream::from(OwnedFd::from(stream.into_std()?));
    let (addr, laddr) = (name.to_string(), name.to_string());
    Ok(Incoming { stream, addr, laddr, is_local: true, is_tcp: false, is_tls: false })
}
