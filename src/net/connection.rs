//! One connection: read what is there, run every complete command of it, write the replies once, and again.
//!
//! A client that does not read its replies is not read from: the task waits in the write. Nothing that belongs to the
//! keyspace (guard, announcement, latch) lives across an await.

use std::os::fd::AsRawFd;
use std::rc::Rc;

use bytes::Buf;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::worker::{Arrival, Local};
use crate::command::client::Client;
use crate::command::exec::Progress;
use crate::protocol::decoder::{Decoder, Limits, Parsed};
use crate::protocol::reply::{Output, Reply};

/// Replies that may gather before they are written although more commands wait.
const WRITE_AT: usize = 64 * 1024;

struct Connection {
    local: Rc<Local>,
    /// Dropped before the stream, so that nobody shuts another file down in its place.
    client: Client,
    decoder: Decoder,
    out: Output,
    stream: TcpStream,
}

/// Serves a connection until it ends.
pub(super) async fn serve(local: Rc<Local>, arrival: Arrival) {
    let Ok(stream) = TcpStream::from_std(arrival.stream) else { return };
    arrival.client.attach(stream.as_raw_fd());
    let decoder = Decoder::new(Limits::default());
    let mut connection = Connection { local, client: arrival.client, decoder, out: Output::new(), stream };
    // An error of the socket means that the client is gone: there is nobody to tell.
    drop(connection.run().await);
}

impl Connection {
    async fn run(&mut self) -> std::io::Result<()> {
        while !self.client.closing {
            if self.stream.read_buf(&mut self.decoder.read_target()).await? == 0 {
                return Ok(());
            }
            self.answer().await?;
        }
        // Whoever sees the end of the connection does not see it in CLIENT LIST any more.
        self.local.server.clients.leave(self.client.id);
        self.stream.shutdown().await
    }

    /// Runs all complete commands that were received.
    async fn answer(&mut self) -> std::io::Result<()> {
        loop {
            let parsed = self.decoder.parse();
            self.run_batch().await?;
            self.decoder.clear_batch();
            if let Parsed::Failed(error) = parsed
                && !self.client.closing
            {
                if self.client.replies.on() {
                    Reply::new(&mut self.out, self.client.resp3).error(&format!("ERR {error}"));
                }
                self.client.closing = true;
            }
            let more = parsed == Parsed::Full && !self.client.closing;
            if !more || self.out.pending() >= WRITE_AT {
                self.flush().await?;
            }
            if !more {
                return Ok(());
            }
        }
    }

    async fn run_batch(&mut self) -> std::io::Result<()> {
        let mut from = 0;
        loop {
            let local = &self.local;
            let progress = local.worker.borrow_mut().run(
                &local.server,
                &mut self.client,
                &self.decoder,
                from,
                &mut self.out,
            );
            match progress {
                Progress::Done => return Ok(()),
                Progress::Paused(at) => {
                    from = at;
                    self.flush().await?;
                    self.local.server.pause.over().await;
                }
                Progress::Closed(at, closed) => {
                    from = at;
                    self.flush().await?;
                    self.local.server.keyspace.gate.opened(closed).await;
                }
            }
        }
    }

    async fn flush(&mut self) -> std::io::Result<()> {
        self.client.publish_buffers(&self.decoder, &self.out);
        while self.out.has_remaining() {
            if self.stream.write_buf(&mut self.out).await? == 0 {
                return Err(std::io::ErrorKind::WriteZero.into());
            }
        }
        self.out.clear();
        self.client.publish_buffers(&self.decoder, &self.out);
        Ok(())
    }
}
