//! TLS: what stands between a connection's bytes and its socket when the client came to `tls-port`.
//!
//! | file | holds |
//! |---|---|
//! | `settings` | the directives as what rustls wants to know |
//! | `ciphers` | lists of ciphers in OpenSSL's words |
//! | `key` | the private key, which may be encrypted |
//! | `sessions` | sessions that clients may resume |
//!
//! The session is state between two calls and owns no socket: whoever has the stream asks it to read and to write. So
//! plain connections pay one look whether there is a session, and nothing of theirs is dispatched at run time.

mod ciphers;
mod key;
mod sessions;
mod settings;

pub(super) use settings::Keeper;

use std::io::{self, BufRead, Read, Write};
use std::sync::Arc;

use bytes::{Buf, BufMut, buf::Limit};
use rustix::net::{RecvFlags, SendFlags};
use rustls::{ServerConfig, ServerConnection};
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::limits::{TLS_HANDSHAKE, TLS_UNSENT};
use crate::protocol::reply::Output;

/// The TLS of one connection.
pub(super) struct Session {
    tls: Box<ServerConnection>,
    /// Decrypted bytes that nobody has read.
    unread: usize,
    /// The other end has said that it sends nothing more.
    ended: bool,
}

/// A socket as rustls reads and writes it: without ever waiting.
struct Socket<'s>(&'s TcpStream);

impl Read for Socket<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.0.try_io(Interest::READABLE, || Ok(rustix::net::recv(self.0, &mut *room, RecvFlags::empty())?.0))
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_io(Interest::WRITABLE, || Ok(rustix::net::send(self.0, bytes, SendFlags::NOSIGNAL)?))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn waits(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

impl Session {
    /// Shakes hands with whoever is at the other end of `stream`.
    ///
    /// # Errors
    /// If the two do not agree, or that takes longer than [`TLS_HANDSHAKE`].
    pub(super) async fn accept(config: Arc<ServerConfig>, stream: &TcpStream) -> io::Result<Session> {
        let tls = ServerConnection::new(config).map_err(io::Error::other)?;
        let mut session = Session { tls: Box::new(tls), unread: 0, ended: false };
        session.tls.set_buffer_limit(None);
        let shaken = tokio::time::timeout(TLS_HANDSHAKE, session.shake_hands(stream)).await;
        shaken.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        Ok(session)
    }

    async fn shake_hands(&mut self, stream: &TcpStream) -> io::Result<()> {
        while self.tls.is_handshaking() {
            stream.readable().await?;
            match self.receive(stream) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if waits(&error) => {}
                Err(error) => {
                    // The other end is told why, if it still listens.
                    drop(self.send_all(stream).await);
                    return Err(error);
                }
            }
            self.send_all(stream).await?;
        }
        Ok(())
    }

    /// Takes in what the socket has, as far as rustls wants it at once; zero at the end.
    fn receive(&mut self, stream: &TcpStream) -> io::Result<usize> {
        let got = self.tls.read_tls(&mut Socket(stream))?;
        let state = self.tls.process_new_packets().map_err(io::Error::other)?;
        self.unread = state.plaintext_bytes_to_read();
        self.ended |= got == 0 || state.peer_has_closed();
        Ok(got)
    }

    /// Whether decrypted bytes wait to be read, or the end of them: the socket has nothing to say about these.
    pub(super) fn is_ready(&self) -> bool {
        self.unread != 0 || self.ended
    }

    /// Whether the session has something to say that is no reply: a new key, an alert.
    pub(super) fn wants_to_send(&self) -> bool {
        self.tls.wants_write()
    }

    /// Reads what is there; none when nothing is, and zero at the end. Never waits.
    pub(super) fn read(
        &mut self,
        stream: &TcpStream,
        room: &mut Limit<&mut Vec<u8>>,
    ) -> io::Result<Option<usize>> {
        let mut total = 0;
        loop {
            total += self.hand_out(room)?;
            if !room.has_remaining_mut() {
                return Ok(Some(total));
            }
            let got = if self.ended { Ok(0) } else { self.receive(stream) };
            match got {
                Ok(0) => return Ok(Some(total)),
                Ok(_) => {}
                Err(error) if waits(&error) => return Ok((total != 0).then_some(total)),
                Err(error) => return Err(error),
            }
        }
    }

    /// Moves decrypted bytes to where they are wanted.
    fn hand_out(&mut self, room: &mut Limit<&mut Vec<u8>>) -> io::Result<usize> {
        let mut total = 0;
        while self.unread != 0 && room.has_remaining_mut() {
            let mut reader = self.tls.reader();
            let bytes = reader.fill_buf()?;
            let count = bytes.len().min(room.remaining_mut());
            room.put_slice(&bytes[..count]);
            reader.consume(count);
            self.unread -= count;
            total += count;
        }
        Ok(total)
    }

    /// Sends some of `out` and waits for the socket where it must, unless more than `patience` bytes would have to wait.
    pub(super) async fn send(
        &mut self,
        stream: &TcpStream,
        out: &mut Output,
        patience: usize,
    ) -> io::Result<()> {
        let mut taken = 0;
        while out.has_remaining() && taken < TLS_UNSENT {
            let chunk = out.chunk();
            let chunk = &chunk[..chunk.len().min(TLS_UNSENT - taken)];
            let count = self.tls.writer().write(chunk)?;
            out.advance(count);
            taken += count;
        }
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut Socket(stream)) {
                Ok(_) => {}
                Err(error) if waits(&error) && taken.saturating_add(out.pending()) <= patience => {
                    stream.writable().await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn send_all(&mut self, stream: &TcpStream) -> io::Result<()> {
        self.send(stream, &mut Output::new(), usize::MAX).await
    }

    /// Says good-bye, as far as the socket takes it at once.
    pub(super) fn close(&mut self, stream: &TcpStream) {
        self.tls.send_close_notify();
        while self.tls.wants_write() && self.tls.write_tls(&mut Socket(stream)).is_ok() {}
    }
}
