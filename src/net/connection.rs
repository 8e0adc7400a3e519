//! One connection: read what is there, run every complete command of it, write the replies once, and again.
//!
//! A client that does not read its replies is not read from: the task waits in the write. Nothing that belongs to the
//! keyspace (guard, announcement, latch) lives across an await.

use std::future::poll_fn;
use std::io;
use std::os::fd::AsRawFd;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Buf;
use rustix::io::Errno;
use rustix::net::SendFlags;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::hangup::hung_up;
use super::seats::{self, Buffers, Manner, Taken};
use super::socket::{read_now, send, send_now};
use super::tls::Session;
use super::worker::{Arrival, Local};
use super::{mail, pressure};
use crate::command::blocking::{Change, End, Waiter, run_again};
use crate::command::client::Client;
use crate::command::error;
use crate::command::exec::{Alone, Closed, Progress};
use crate::command::script::{Lent, Pool};
use crate::command::state::{Server, unix_ms};
use crate::limits::{COMMANDS_PER_TURN, UNAUTHENTICATED_OUTPUT};
use crate::protocol::decoder::{Limits, Parsed, ProtocolError};
use crate::protocol::reply::{Output, Reply};
use crate::{log_verbose, log_warning};

/// Replies that may gather before they are written although more commands wait.
const WRITE_AT: usize = 64 * 1024;
/// How often somebody who wants everything closed looks whether a long section is over.
const LANE_LOOK: Duration = Duration::from_millis(1);
/// How long what a client sent behind a protocol error is read and thrown away. A socket that is closed over unread
/// bytes is reset, and the reset may overtake the error's text.
const LINGER: Duration = Duration::from_millis(100);
/// How long a client that waits for data keeps its buffers.
const KEEP_BUFFERS: Duration = Duration::from_secs(1);
/// How long a client waits for something closed before it looks whether a script is to blame.
const BUSY_LOOK: Duration = Duration::from_millis(50);
/// Bytes that are thrown away at most.
const LINGER_BYTES: usize = 4 << 20;

struct Connection {
    local: Rc<Local>,
    /// Dropped before the stream, so that nobody shuts another file down in its place.
    client: Client,
    /// Given up before the stream is closed: fields are dropped in this order.
    seat: Taken,
    stream: TcpStream,
    /// What encrypts the bytes, if anything does.
    tls: Option<Session>,
    /// Commands that have run since other connections had their turn.
    turn: usize,
    /// The client broke the protocol; more of it may be on its way.
    linger: bool,
}

/// Serves a connection until it ends.
pub(super) async fn serve(local: Rc<Local>, arrival: Arrival) {
    let Arrival { stream, mut client, tls: settings } = arrival;
    let Ok(stream) = TcpStream::from_std(stream) else { return };
    client.attach(stream.as_raw_fd());
    let seat = local.seats.take(Arc::clone(&client.shared), &stream, limits(&local.server, &client));
    client.seat = seat.place();
    client.shared.settle(local.lane, seat.place());
    let mut connection = Connection { local, client, seat, stream, tls: None, turn: 0, linger: false };
    if let Some(settings) = settings {
        match Session::accept(settings, &connection.stream).await {
            Ok(session) => connection.tls = Some(session),
            Err(error) => {
                return log_verbose!(
                    "Error accepting a client connection: {} ({})",
                    error,
                    connection.client.shared.addr
                );
            }
        }
        connection.seat.set_encrypts();
    }
    // An error of the socket means that the client is gone: there is nobody to tell.
    drop(connection.run().await);
}

/// The bounds of the client's requests.
#[inline]
fn limits(server: &Server, client: &Client) -> Limits {
    let live = server.config.live();
    Limits {
        max_bulk: live.proto_max_bulk_len(),
        max_buffer: live.client_query_buffer_limit(),
        unauthenticated: client.needs_auth(),
        ..Limits::default()
    }
}

impl Drop for Connection {
    /// However the connection ends, nobody is left who waits or watches for it.
    fn drop(&mut self) {
        self.client.stop_listening(&self.local.server.hub, self.local.lane);
        self.client.leave(&self.local.server);
    }
}

impl Connection {
    async fn run(&mut self) -> io::Result<()> {
        while !self.local.stopping.get() {
            self.readable().await?;
            let mut buffers = self.seat.take();
            let open = self.serve_input(&mut buffers).await?;
            while open && self.seat.has_mail() {
                self.seat.take_mail(&mut buffers.out);
                Box::pin(self.flush(&mut buffers)).await?;
            }
            if !open {
                break;
            }
            self.seat.park(buffers);
        }
        // Whoever sees the end of the connection does not see it in CLIENT LIST any more.
        self.local.server.clients.leave(self.client.id);
        if let Some(tls) = &mut self.tls {
            tls.close(&self.stream);
        }
        self.stream.shutdown().await?;
        if self.linger {
            // Whatever else the client says ends the waiting no later than its own end does.
            drop(tokio::time::timeout(LINGER, self.throw_away()).await);
        }
        Ok(())
    }

    /// Waits, without a buffer, for input or for messages that the socket did not take at once.
    async fn readable(&mut self) -> io::Result<()> {
        if self.tls.as_ref().is_some_and(Session::is_ready) {
            return Ok(());
        }
        poll_fn(|cx| {
            let ready = self.stream.poll_read_ready(cx);
            if ready.is_pending() {
                self.turn = 0;
                self.seat.wait(cx.waker());
                if self.seat.has_mail() {
                    return Poll::Ready(Ok(()));
                }
            }
            ready
        })
        .await
    }

    /// Reads once and answers; false when the connection is to end.
    async fn serve_input(&mut self, buffers: &mut Buffers) -> io::Result<bool> {
        let read = match &mut self.tls {
            None => read_now(&self.stream, &mut buffers.decoder.read_target())?,
            Some(tls) => tls.read(&self.stream, &mut buffers.decoder.read_target())?,
        };
        match read {
            None => return Ok(true),
            Some(0) => return Ok(false),
            Some(_) => {}
        }
        self.seat.touch(self.local.seats.now(), 0);
        self.mind_memory(buffers);
        self.answer(buffers).await?;
        Ok(!self.client.closing)
    }

    /// Runs all complete commands that were received.
    ///
    /// What nearly always happens, a batch that runs through and replies that the socket takes, happens in plain calls;
    /// the rest is boxed, so that this future stays small.
    async fn answer(&mut self, buffers: &mut Buffers) -> io::Result<()> {
        loop {
            // The last batch may have been an AUTH.
            buffers.decoder.set_limits(limits(&self.local.server, &self.client));
            let parsed = buffers.decoder.parse();
            if self.local.pressure.is_high() {
                self.local.pressure.relieved().await;
            }
            mail::deliver_now(&self.local, self.local.lane);
            self.seat.take_mail(&mut buffers.out);
            if buffers.decoder.batch_len() == 0 {
                // A large request takes memory before it is a command.
                self.local.worker.borrow_mut().mind_memory(&self.local.server);
            }
            let progress = self.run_from(0, buffers);
            if progress != Progress::Done {
                Box::pin(self.finish_batch(progress, buffers)).await?;
            }
            self.turn += buffers.decoder.batch_len();
            buffers.decoder.clear_batch();
            if let Parsed::Failed(error) = parsed {
                self.refuse(error, &mut buffers.out);
            }
            let more = parsed == Parsed::Full && !self.client.closing;
            if (!more || buffers.out.pending() >= WRITE_AT) && !self.flush_now(buffers)? {
                Box::pin(self.flush(buffers)).await?;
            }
            if self.turn >= COMMANDS_PER_TURN {
                self.turn = 0;
                tokio::task::yield_now().await;
            }
            if !more {
                return Ok(());
            }
        }
    }

    /// Runs the batch from the command at `from` on, as far as it goes without waiting.
    #[inline]
    fn run_from(&mut self, from: usize, buffers: &mut Buffers) -> Progress {
        let Local { worker, server, .. } = &*self.local;
        let mut worker = worker.borrow_mut();
        let progress = worker.run(server, &mut self.client, &buffers.decoder, from, &mut buffers.out);
        let (resp3, listens) = (self.client.resp3, self.client.subscriptions.is_some());
        self.seat.set_manner(Manner { resp3, listens });
        progress
    }

    /// Goes on with a batch that has come this far.
    async fn finish_batch(&mut self, mut progress: Progress, buffers: &mut Buffers) -> io::Result<()> {
        loop {
            let from = match progress {
                Progress::Done => return Ok(()),
                Progress::Paused(at) => {
                    self.flush(buffers).await?;
                    self.local.server.pause.over().await;
                    at
                }
                Progress::Memory(at) => {
                    self.flush(buffers).await?;
                    self.client.impatient = !pressure::room(&self.local).await;
                    at
                }
                Progress::Blocked(at) => {
                    self.flush(buffers).await?;
                    self.wait_for_data(buffers, at).await?;
                    // Without commands behind it the batch may be gone.
                    (at + 1).min(buffers.decoder.batch_len())
                }
                Progress::Flush(at) => {
                    self.flush(buffers).await?;
                    // So much output is as good as a turn's worth of commands.
                    self.turn = 0;
                    tokio::task::yield_now().await;
                    at
                }
                Progress::Closed(at, closed) => {
                    self.flush(buffers).await?;
                    if self.opened(closed, buffers).await { at } else { at + 1 }
                }
                Progress::Offload(at) => {
                    self.flush(buffers).await?;
                    self.run_on_pool(at, buffers).await?;
                    self.turn = 0;
                    at + 1
                }
            };
            progress = self.run_from(from, buffers);
        }
    }

    /// Waits until something closed is open. If a script keeps it closed for too long, answers so, and returns false.
    async fn opened(&mut self, closed: Closed, buffers: &mut Buffers) -> bool {
        let server = &self.local.server;
        while !is_open(server, closed).await {
            if server.shutdown.is_requested() {
                // What was closed for the last snapshot stays closed.
                self.client.closing = true;
                return false;
            }
            let busy = server.scripts.busy(server.config.live().busy_reply_threshold());
            if let Some(is_function) = busy {
                if self.client.replies.on() {
                    let text = if is_function { error::BUSY_FUNCTION } else { error::BUSY_SCRIPT };
                    Reply::new(&mut buffers.out, self.client.resp3).error(text);
                }
                return false;
            }
        }
        true
    }

    /// Runs the command at `at` on the pool of scripts.
    async fn run_on_pool(&mut self, at: usize, buffers: &mut Buffers) -> io::Result<()> {
        let server = Arc::clone(&self.local.server);
        let args = buffers.decoder.args(at).to_buf();
        let mut lent = Lent { client: self.client.lend(), args, out: std::mem::take(&mut buffers.out) };
        loop {
            let Some((back, ended)) = Pool::run(&server, lent).await else {
                return Err(io::ErrorKind::OutOfMemory.into());
            };
            self.client = back.client;
            self.client.attach(self.stream.as_raw_fd());
            buffers.out = back.out;
            match ended {
                Alone::Done => return Ok(()),
                Alone::Paused => server.pause.over().await,
                Alone::Memory => self.client.impatient = !pressure::room(&self.local).await,
                Alone::Closed(closed) => {
                    if !self.opened(closed, buffers).await {
                        return Ok(());
                    }
                }
            }
            let out = std::mem::take(&mut buffers.out);
            lent = Lent { client: self.client.lend(), args: back.args, out };
        }
    }

    /// Waits until the command at `at` has its reply, or the client is gone; what it sends meanwhile is not read.
    async fn wait_for_data(&mut self, buffers: &mut Buffers, at: usize) -> io::Result<()> {
        let Some(waiter) = self.client.waiting.clone() else { return Ok(()) };
        if at + 1 == buffers.decoder.batch_len() {
            self.turn += at + 1;
            buffers.decoder.clear_batch();
        }
        let mut rest = Rest::of(&waiter);
        loop {
            self.seat.set_waiting(true);
            let end = rest.end(&waiter, &self.stream, &self.seat, buffers).await;
            self.seat.set_waiting(false);
            let server = &self.local.server;
            match end {
                Wait::Over => break,
                Wait::TimedOut => {
                    server.queues.end(server, &waiter, End::TimedOut);
                    break;
                }
                Wait::HungUp => {
                    server.queues.end(server, &waiter, End::Gone);
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
                Wait::Again => self.run_again(&waiter).await,
                Wait::Mailed => {
                    self.seat.take_mail(&mut buffers.out);
                    self.flush(buffers).await?;
                }
            }
        }
        let server = &self.local.server;
        self.local.worker.borrow_mut().finish_wait(server, &mut self.client, &mut buffers.out);
        Ok(())
    }

    /// Runs the waiting command once more, because its time has come.
    async fn run_again(&self, waiter: &Waiter) {
        let server = &self.local.server;
        match run_again(server, self.local.lane, waiter) {
            // The poller has its turn, to tell of a client that was killed and is not run for.
            // A command that waits is not refused for want of memory; it takes its turn.
            Alone::Done | Alone::Memory => tokio::task::yield_now().await,
            Alone::Paused => server.pause.over().await,
            Alone::Closed(closed) => drop(is_open(server, closed).await),
        }
    }

    /// Answers bytes that are no request, unless a command before them ends the connection anyway.
    #[cold]
    fn refuse(&mut self, error: ProtocolError, out: &mut Output) {
        if self.client.closing {
            return;
        }
        self.client.closing = true;
        self.linger = true;
        let id = self.client.id;
        if error == ProtocolError::BufferLimit {
            log_warning!("Closing client that reached max query buffer length: id={id}");
            return;
        }
        log_verbose!("{error} from client: id={id}");
        if !self.client.replies.on() {
            return;
        }
        Reply::new(out, self.client.resp3).error(&format!("ERR {error}"));
    }

    /// Enters what the client takes into the sum of all clients, if that is limited; some may end for it.
    #[inline]
    fn mind_memory(&self, buffers: &Buffers) {
        let (server, live) = (&self.local.server, self.local.server.config.live());
        if live.maxmemory_clients() != 0 {
            self.client.publish_buffers(&buffers.decoder, &buffers.out);
            server.clients.mind_memory(&self.client.shared, live);
        }
    }

    /// Writes the replies if the socket takes them whole and at once; false when there is more to do.
    #[inline]
    fn flush_now(&mut self, buffers: &mut Buffers) -> io::Result<bool> {
        if self.tls.is_some() || self.is_over_hard_limit(buffers.out.pending()) {
            return Ok(false);
        }
        self.mind_memory(buffers);
        let out = &mut buffers.out;
        if !out.is_contiguous() {
            return Ok(false);
        }
        if !out.is_empty() {
            match rustix::net::send(&self.stream, out.chunk(), SendFlags::NOSIGNAL) {
                Ok(sent) if sent == out.pending() => out.clear(),
                Ok(sent) => {
                    out.advance(sent);
                    return Ok(false);
                }
                Err(Errno::AGAIN | Errno::INTR) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        self.seat.touch(self.local.seats.now(), 0);
        self.client.publish_buffers(&buffers.decoder, &buffers.out);
        Ok(true)
    }

    /// Writes the replies, as fast as the client reads them.
    async fn flush(&mut self, buffers: &mut Buffers) -> io::Result<()> {
        if self.is_over_hard_limit(buffers.out.pending()) {
            seats::complain(self.client.id);
            return Err(io::ErrorKind::Other.into());
        }
        // Who has not said who it is gets no memory for replies that it does not read.
        let patience = if self.client.needs_auth() { UNAUTHENTICATED_OUTPUT } else { usize::MAX };
        while buffers.out.has_remaining() || self.tls.as_ref().is_some_and(Session::wants_to_send) {
            if self.tls.is_none() && send_now(&self.stream, &mut buffers.out)? {
                continue;
            }
            // Others may want to see how much the client has left unread.
            self.seat.touch(self.local.seats.now(), buffers.out.pending());
            self.client.publish_buffers(&buffers.decoder, &buffers.out);
            self.mind_memory(buffers);
            match &mut self.tls {
                Some(tls) => tls.send(&self.stream, &mut buffers.out, patience).await?,
                None => send(&mut self.stream, &mut buffers.out, patience).await?,
            }
        }
        self.seat.touch(self.local.seats.now(), 0);
        self.client.publish_buffers(&buffers.decoder, &buffers.out);
        self.mind_memory(buffers);
        Ok(())
    }

    /// Whether that many bytes of replies are more than the client may leave unread.
    #[inline]
    fn is_over_hard_limit(&self, pending: usize) -> bool {
        let listens = self.client.subscriptions.is_some();
        let hard = self.local.server.config.live().output_limit(listens).hard;
        hard != 0 && pending as u64 > hard
    }

    async fn throw_away(&mut self) -> io::Result<()> {
        let mut scratch = Vec::with_capacity(16 << 10);
        let mut seen = 0;
        while seen < LINGER_BYTES {
            scratch.clear();
            match self.stream.read_buf(&mut scratch).await? {
                0 => break,
                some => seen += some,
            }
        }
        Ok(())
    }
}

/// Waits a while for something closed to open; whether it has.
async fn is_open(server: &Server, closed: Closed) -> bool {
    let gate = &server.keyspace.gate;
    if let Closed::Lane(lane) = closed {
        tokio::time::sleep(LANE_LOOK).await;
        return !gate.is_in_section(lane);
    }
    tokio::time::timeout(BUSY_LOOK, gate.opened(closed)).await.is_ok()
}

/// How a connection's wait for data ended.
enum Wait {
    /// The command has its reply, or CLIENT UNBLOCK ended it.
    Over,
    /// As long as it was to wait.
    TimedOut,
    /// The other end is gone.
    HungUp,
    /// The command is to run again, though nobody has written.
    Again,
    /// Messages came that the socket did not take at once.
    Mailed,
}

/// What a wait for data has before it.
struct Rest {
    /// When it ends, if it does.
    deadline: Option<Instant>,
    /// When the buffers are to be freed, unless they are.
    free_at: Option<Instant>,
    /// When the command is to run again, in Unix milliseconds.
    again_at: Option<u64>,
}

impl Rest {
    /// Of a wait that begins now.
    fn of(waiter: &Waiter) -> Rest {
        let now = Instant::now();
        let deadline = waiter.timeout.and_then(|timeout| now.checked_add(timeout));
        Rest { deadline, free_at: Some(now + KEEP_BUFFERS), again_at: None }
    }

    /// Sleeps until something has to be done; the buffers of a long wait are freed.
    async fn end(
        &mut self,
        waiter: &Waiter,
        stream: &TcpStream,
        seat: &Taken,
        buffers: &mut Buffers,
    ) -> Wait {
        let mut hung_up = pin!(hung_up(stream));
        loop {
            tokio::select! {
                biased;
                change = poll_fn(|cx| waiter.poll_change(self.again_at, cx)) => match change {
                    Change::Over => return Wait::Over,
                    Change::AgainAt(at) => self.again_at = at,
                },
                () = poll_fn(|cx| seat.poll_mail(cx)) => return Wait::Mailed,
                () = &mut hung_up => return Wait::HungUp,
                () = sleep_until(self.next()) => {}
            }
            let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= Instant::now());
            if is_due(self.deadline) {
                return Wait::TimedOut;
            }
            if self.again_at.is_some_and(|at| at <= unix_ms()) {
                return Wait::Again;
            }
            if is_due(self.free_at) {
                self.free_at = None;
                buffers.decoder.release_idle();
                buffers.out.release_idle();
            }
        }
    }

    /// When something has to be done at the latest, none if never.
    fn next(&self) -> Option<Instant> {
        let again = |at: u64| Instant::now().checked_add(Duration::from_millis(at.saturating_sub(unix_ms())));
        [self.deadline, self.free_at, self.again_at.and_then(again)].into_iter().flatten().min()
    }
}

/// Sleeps until `at`, for ever without one.
async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
