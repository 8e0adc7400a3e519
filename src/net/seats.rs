//! What a worker's background work sees of its connections.
//!
//! A connection's task parks its buffers in its seat while it waits for input, and takes them while it works. So the
//! sweep, once a second, can free the buffers of the idle, and nothing on the way of a request asks for the time: the
//! task stamps its seat with the sweep's own count of seconds.

use std::cell::{Cell, RefCell};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Buf;
use socket2::SockRef;
use tokio::net::TcpStream;

use crate::command::client::{Clients, Shared};
use crate::command::pubsub::Content;
use crate::config::Live;
use crate::protocol::decoder::{Decoder, Limits};
use crate::protocol::reply::{Output, Reply};
use crate::sync::Ordering;
use crate::{log_verbose, log_warning};

/// Seats that one step of the sweep looks at; between two steps clients are served.
const STEP: usize = 1024;

/// A connection's buffers.
pub(super) struct Buffers {
    pub(super) decoder: Decoder,
    pub(super) out: Output,
}

/// One connection as its worker sees it.
pub(super) struct Seat {
    /// What others see of the client.
    client: Arc<Shared>,
    /// The socket. The seat is given up before the socket is closed: see [`Taken`].
    socket: RawFd,
    /// The buffers while the task waits for input, none while it works.
    parked: Cell<Option<Box<Buffers>>>,
    /// The second of the last read or write.
    active: Cell<u64>,
    /// The value of `active` when the buffers were freed, so that they are freed once.
    freed: Cell<u64>,
    /// Bytes of replies that wait for the client to read.
    unsent: Cell<usize>,
    /// The task waits for data with the buffers in its hands, and has nothing unsent.
    waiting: Cell<bool>,
    /// Since when they exceed the soft limit.
    over_since: Cell<Option<u64>>,
    /// Messages that are no replies, and wait until the task has written its replies.
    mail: RefCell<Output>,
    /// Messages came since they were handed over.
    mailed: Cell<bool>,
    /// Wakes the task while it waits for input.
    waker: RefCell<Option<Waker>>,
    /// What the client's last batch left it as.
    manner: Cell<Manner>,
    /// Bytes for the socket have to go through the task, which encrypts them.
    encrypts: Cell<bool>,
}

/// What delivering a message to a client depends on.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Manner {
    /// It speaks RESP3.
    pub(super) resp3: bool,
    /// It listens to something, so that other output limits hold for it.
    pub(super) listens: bool,
}

impl Seat {
    /// Lends the buffers to the task.
    #[inline]
    pub(super) fn take(&self) -> Box<Buffers> {
        self.parked.take().expect("the task that takes the buffers has parked them before")
    }

    /// Gives the buffers back until there is input.
    #[inline]
    pub(super) fn park(&self, buffers: Box<Buffers>) {
        self.parked.set(Some(buffers));
    }

    /// Notes that bytes moved in the second `now`, and how many replies are unsent.
    #[inline]
    pub(super) fn touch(&self, now: u64, unsent: usize) {
        self.active.set(now);
        self.unsent.set(unsent);
    }

    /// Notes what the client is after a batch.
    #[inline]
    pub(super) fn set_manner(&self, manner: Manner) {
        self.manner.set(manner);
    }

    /// From here on what is sent has to go through the task.
    pub(super) fn set_encrypts(&self) {
        self.encrypts.set(true);
    }

    /// Adds a message to those that wait, in the second `now`; whether it is the first since they were handed over.
    pub(super) fn put_mail(&self, content: &Content, now: u64, live: &Live) -> bool {
        self.add_mail(content);
        if self.is_over_hard_limit(live) || self.is_slow(now, live) {
            complain(self.client.id);
            self.shut();
            *self.mail.borrow_mut() = Output::new();
        }
        self.publish_mail();
        self.has_mail() && !self.mailed.replace(true)
    }

    fn add_mail(&self, content: &Content) {
        let (mut mail, manner) = (self.mail.borrow_mut(), self.manner.get());
        match content {
            Content::Frame(frame) if manner.resp3 => {
                mail.write(b">");
                mail.write(frame.get(1..).unwrap_or_default());
            }
            Content::Frame(bytes) | Content::Line(bytes) => mail.write(bytes),
            Content::Note(note) => note.write(&mut Reply::new(&mut mail, manner.resp3), manner.listens),
        }
    }

    /// Whether messages wait.
    #[inline]
    pub(super) fn has_mail(&self) -> bool {
        !self.mail.borrow().is_empty()
    }

    /// Moves the messages that wait behind the replies in `out`.
    #[inline]
    pub(super) fn take_mail(&self, out: &mut Output) {
        if self.has_mail() {
            self.move_mail(out);
        }
    }

    #[cold]
    fn move_mail(&self, out: &mut Output) {
        let mut mail = self.mail.borrow_mut();
        out.write(mail.chunk());
        mail.clear();
        drop(mail);
        self.publish_mail();
    }

    /// Shows others how many messages wait.
    fn publish_mail(&self) {
        self.client.seen.mail_memory.store(self.mail.borrow().memory(), Ordering::Relaxed);
    }

    /// Enters what the client takes into the sum of all, which may end it.
    pub(super) fn mind_memory(&self, clients: &Clients, live: &Live) {
        clients.mind_memory(&self.client, live);
    }

    /// Writes the messages that wait to the socket, as far as it takes them now, unless the task is at work and does
    /// it; wakes the task for the rest. A task that waits for input, or for data for its command, has sent all replies.
    pub(super) fn hand_over(&self, send: impl FnOnce(BorrowedFd<'_>, &[u8]) -> usize) {
        self.mailed.set(false);
        if self.is_parked() || self.waiting.get() {
            if !self.encrypts.get() {
                self.send_mail(send);
            }
            if self.has_mail() {
                self.wake();
            }
        }
    }

    fn send_mail(&self, send: impl FnOnce(BorrowedFd<'_>, &[u8]) -> usize) {
        // SAFETY: the socket is open, because this seat is still listed: see `shut`.
        let socket = unsafe { BorrowedFd::borrow_raw(self.socket) };
        let mut mail = self.mail.borrow_mut();
        let sent = send(socket, mail.chunk());
        mail.advance(sent);
        if mail.is_empty() {
            mail.clear();
        }
        drop(mail);
        self.publish_mail();
    }

    /// Notes who is to be woken when messages wait for the task.
    #[inline]
    pub(super) fn wait(&self, waker: &Waker) {
        let mut waiting = self.waker.borrow_mut();
        if !waiting.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *waiting = Some(waker.clone());
        }
    }

    /// Polls until there are messages that the socket did not take at once.
    pub(super) fn poll_mail(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.wait(cx.waker());
        if self.has_mail() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Wakes the task.
    fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Whether more waits for the client than its kind may leave unread.
    fn is_over_hard_limit(&self, live: &Live) -> bool {
        let hard = live.output_limit(self.manner.get().listens).hard;
        hard != 0 && self.unread() as u64 > hard
    }

    /// Bytes that wait for the client to read.
    fn unread(&self) -> usize {
        self.unsent.get() + self.mail.borrow().pending()
    }

    /// Says that the task sleeps until there is data for its command, all replies sent, or that it works again.
    pub(super) fn set_waiting(&self, waiting: bool) {
        self.waiting.set(waiting);
    }

    /// Whether the task waits for input.
    fn is_parked(&self) -> bool {
        let parked = self.parked.take();
        let is = parked.is_some();
        self.parked.set(parked);
        is
    }

    /// Frees what an idle connection does not need.
    fn free_buffers(&self) {
        if self.freed.get() == self.active.get() {
            return;
        }
        if let Some(mut buffers) = self.parked.take() {
            buffers.decoder.release_idle();
            buffers.out.release_idle();
            self.client.seen.input_memory.store(buffers.decoder.memory(), Ordering::Relaxed);
            self.client.seen.output_memory.store(buffers.out.memory(), Ordering::Relaxed);
            self.parked.set(Some(buffers));
            self.freed.set(self.active.get());
        }
    }

    /// Ends the connection: its task finds the socket shut, in a read or in a write.
    fn shut(&self) {
        // SAFETY: the socket is open, because this seat is still listed: `Taken` takes it off the list before the task
        // drops the stream, on this very thread.
        let socket = unsafe { BorrowedFd::borrow_raw(self.socket) };
        // A socket that cannot be shut is disconnected already.
        drop(SockRef::from(&socket).shutdown(std::net::Shutdown::Both));
    }

    fn look(&self, now: u64, live: &Live, frees: bool) {
        let idle = now - self.active.get();
        if live.timeout() != 0 && idle > live.timeout() && !self.waiting.get() {
            log_verbose!("Closing idle client {}", self.client.id);
            return self.shut();
        }
        if self.is_slow(now, live) {
            complain(self.client.id);
            return self.shut();
        }
        if idle > 0 && frees {
            self.free_buffers();
        }
    }

    /// Whether the replies have exceeded the soft limit for too long.
    fn is_slow(&self, now: u64, live: &Live) -> bool {
        let limit = live.output_limit(self.manner.get().listens);
        if limit.soft == 0 || self.unread() as u64 <= limit.soft {
            self.over_since.set(None);
            return false;
        }
        let since = self.over_since.get().unwrap_or(now);
        self.over_since.set(Some(since));
        now - since > limit.seconds
    }
}

/// Says that a client is closed because it does not read.
pub(super) fn complain(id: u64) {
    log_warning!("Client id={id} scheduled to be closed ASAP for overcoming of output buffer limits.");
}

/// The seats of a worker's connections.
#[derive(Default)]
pub(super) struct Seats {
    list: RefCell<Vec<Option<Rc<Seat>>>>,
    free: RefCell<Vec<usize>>,
    /// Seconds that the sweep has counted.
    now: Cell<u64>,
}

impl Seats {
    /// A seat for the connection over `stream`. It must be dropped before the stream is.
    pub(super) fn take(self: &Rc<Self>, client: Arc<Shared>, stream: &TcpStream, limits: Limits) -> Taken {
        let buffers = Buffers { decoder: Decoder::new(limits), out: Output::new() };
        let seat = Rc::new(Seat {
            client,
            socket: stream.as_raw_fd(),
            parked: Cell::new(Some(Box::new(buffers))),
            active: Cell::new(self.now.get()),
            freed: Cell::new(u64::MAX),
            unsent: Cell::new(0),
            waiting: Cell::new(false),
            over_since: Cell::new(None),
            mail: RefCell::default(),
            mailed: Cell::default(),
            waker: RefCell::default(),
            manner: Cell::default(),
            encrypts: Cell::default(),
        });
        let mut list = self.list.borrow_mut();
        let place = self.free.borrow_mut().pop().unwrap_or(list.len());
        match list.get_mut(place) {
            Some(empty) => *empty = Some(Rc::clone(&seat)),
            None => list.push(Some(Rc::clone(&seat))),
        }
        Taken { seats: Rc::clone(self), seat, place }
    }

    /// The seat at `place`, if it is still the one of `client`.
    pub(super) fn at(&self, place: usize, client: u64) -> Option<Rc<Seat>> {
        let list = self.list.borrow();
        list.get(place)?.as_ref().filter(|seat| seat.client.id == client).cloned()
    }

    /// The second that the sweep is at.
    #[inline]
    pub(super) fn now(&self) -> u64 {
        self.now.get()
    }

    /// Whether a connection is at work: running commands or sending replies.
    pub(super) fn any_busy(&self) -> bool {
        self.list.borrow().iter().flatten().any(|seat| !seat.is_parked() && !seat.waiting.get())
    }

    /// Another second has passed: closes the idle and the slow, and `frees` the buffers of the silent.
    pub(super) async fn sweep(&self, live: &Live, frees: bool) {
        let now = self.now.get() + 1;
        self.now.set(now);
        let mut from = 0;
        while self.sweep_step(from, now, live, frees) {
            from += STEP;
            tokio::task::yield_now().await;
        }
    }

    /// Looks at some seats; false when there are none behind them.
    fn sweep_step(&self, from: usize, now: u64, live: &Live, frees: bool) -> bool {
        let list = self.list.borrow();
        let step = list.get(from..).unwrap_or_default();
        step.iter().take(STEP).flatten().for_each(|seat| seat.look(now, live, frees));
        step.len() > STEP
    }
}

/// A seat that is given up on drop.
pub(super) struct Taken {
    seats: Rc<Seats>,
    seat: Rc<Seat>,
    place: usize,
}

impl Taken {
    /// Where the seat is: see [`Seats::at`].
    pub(super) fn place(&self) -> usize {
        self.place
    }
}

impl std::ops::Deref for Taken {
    type Target = Seat;

    #[inline]
    fn deref(&self) -> &Seat {
        &self.seat
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.seats.list.borrow_mut()[self.place] = None;
        self.seats.free.borrow_mut().push(self.place);
    }
}
