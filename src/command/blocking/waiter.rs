//! One waiting command, and how its wait ends: once, under its lock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::Block;
use crate::command::client::{Client, Shared};
use crate::command::footprint::Footprint;
use crate::command::nested::Call;
use crate::command::state::Server;
use crate::command::ticks::ticks;
use crate::keyspace::gate::Stripe;
use crate::protocol::args::ArgBuf;
use crate::protocol::reply::{Output, Reply};
use crate::value::collection::Kind;

/// How a wait ended.
pub enum End {
    /// The command has run, and this is its reply; whether it panicked.
    Served(Output, bool),
    /// The time is over, or CLIENT UNBLOCK said that it were.
    TimedOut,
    /// CLIENT UNBLOCK ... ERROR.
    Unblocked,
    /// The client is gone.
    Gone,
}

/// The state of a wait.
enum State {
    /// It goes on.
    Waiting {
        /// Wakes the task.
        waker: Waker,
        /// See [`Block::again_at`].
        again_at: Option<u64>,
    },
    /// It is over, and the task has not seen it.
    Over(End),
}

/// What the task of a waiting command is to know.
pub enum Change {
    /// The wait is over.
    Over,
    /// The command is to run again at this Unix time in milliseconds, if nothing happens before.
    AgainAt(Option<u64>),
}

/// A command that waits for data.
pub struct Waiter {
    /// Whose it is.
    pub client: Arc<Shared>,
    /// Its client's database, protocol and CLIENT NO-TOUCH.
    pub(super) db: usize,
    pub(super) resp3: bool,
    pub(super) no_touch: bool,
    id: usize,
    command: &'static crate::command::table::Command,
    args: ArgBuf,
    pub(super) kind: Kind,
    pub(super) even_if_gone: bool,
    /// The keys that it waits for, each once.
    pub(super) keys: Box<[Box<[u8]>]>,
    /// What running it touches.
    pub(super) touches: Box<[Stripe]>,
    /// Where running it makes data.
    pub(super) destination: Option<Stripe>,
    /// When it began to wait, in ticks.
    pub(in crate::command) began: u64,
    /// How long it waits; none for ever.
    pub timeout: Option<Duration>,
    on_timeout: fn(&mut Reply<'_>),
    state: Mutex<State>,
}

impl Waiter {
    /// The wait of a client's call.
    pub(super) fn new(server: &Server, client: &Client, call: &Call<'_>, block: Block) -> Waiter {
        let args = block.args.unwrap_or_else(|| call.args.to_buf());
        let mut keys: Vec<Box<[u8]>> = Vec::with_capacity(block.keys.len());
        for key in block.keys.iter().filter_map(|&at| call.args.get(at)) {
            if !keys.iter().any(|known| **known == *key) {
                keys.push(key.into());
            }
        }
        let touches = Footprint::of(server, client, call.command, call.args);
        let destination = block.destination.and_then(|at| call.args.get(at));
        Waiter {
            client: Arc::clone(&client.shared),
            db: client.db,
            resp3: client.resp3,
            no_touch: client.no_touch,
            id: call.id,
            command: call.command,
            args,
            kind: block.kind,
            even_if_gone: block.even_if_gone,
            keys: keys.into(),
            touches: touches.stripes().unwrap_or_default().into(),
            destination: destination.map(|key| Footprint::stripe(server, key)),
            began: ticks(),
            timeout: block.timeout,
            on_timeout: block.on_timeout,
            state: Mutex::new(State::Waiting { waker: Waker::noop().clone(), again_at: block.again_at }),
        }
    }

    /// Makes a client like the one that waits.
    pub(in crate::command) fn dress(&self, client: &mut Client) {
        client.db = self.db;
        client.resp3 = self.resp3;
        client.no_touch = self.no_touch;
        client.last_command = self.id as u16;
    }

    /// The command that waits.
    pub fn call(&self) -> Call<'_> {
        Call { id: self.id, command: self.command, args: self.args.args() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A state is replaced as a whole: a panic of the handler that ran under the lock leaves it as it was.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Polls until the wait is over, or the command is to run again at another time than `known`.
    pub fn poll_change(&self, known: Option<u64>, cx: &mut Context<'_>) -> Poll<Change> {
        match &mut *self.state() {
            State::Over(_) => Poll::Ready(Change::Over),
            State::Waiting { again_at, .. } if *again_at != known => Poll::Ready(Change::AgainAt(*again_at)),
            State::Waiting { waker, .. } => {
                waker.clone_from(cx.waker());
                Poll::Pending
            }
        }
    }

    /// Ends the wait if `decide` has an end for it, or else notes when the command is to run again; whether this call
    /// ended it.
    pub(super) fn end_with(&self, decide: impl FnOnce() -> Result<End, Option<u64>>) -> bool {
        let mut state = self.state();
        let State::Waiting { waker, again_at } = &mut *state else { return false };
        let woken = waker.clone();
        let ended = match decide() {
            Ok(end) => {
                *state = State::Over(end);
                true
            }
            Err(again) if again == *again_at => return false,
            Err(again) => {
                *again_at = again;
                false
            }
        };
        drop(state);
        woken.wake();
        ended
    }

    /// The end of a wait that is over; its reply is taken out.
    fn take_end(&self) -> End {
        match std::mem::replace(&mut *self.state(), State::Over(End::Gone)) {
            State::Over(end) => end,
            State::Waiting { .. } => End::Gone,
        }
    }

    /// Answers the client; its connection closes if the command panicked.
    pub(in crate::command) fn answer(&self, client: &mut Client, out: &mut Output) {
        let mut reply = Reply::new(out, client.resp3);
        match self.take_end() {
            End::Served(served, panicked) => {
                out.append(served);
                client.closing |= panicked;
            }
            End::TimedOut => (self.on_timeout)(&mut reply),
            End::Unblocked => reply.error("UNBLOCKED client unblocked via CLIENT UNBLOCK"),
            End::Gone => {}
        }
    }
}
