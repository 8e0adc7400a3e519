//! Commands that wait for data: BLPOP and its kin.
//!
//! | file | holds |
//! |---|---|
//! | `waiter` | one waiting command, and how its wait ends |
//! | `queues` | who waits for which key, in the order of arrival |
//! | `serve` | running a waiting command for its client, in the section that made the data |
//! | `timeout` | the argument that says how long |
//! | `commands` | the table of the commands; `list`, `sorted` and `wait` have their handlers |
//!
//! # The way of a wait
//! 1. The handler finds nothing and calls [`Ctx::block`]. It runs in a section over its keys (a command that only reads
//!    is called again in one), and there the executor enters a [`Waiter`] in the [`Queues`] of its keys and marks their
//!    stripes. The connection's task sleeps; it holds no thread and no buffer that is not needed.
//! 2. Whoever writes to a marked stripe does so in a section, and when its command, transaction or script is done, the
//!    waiting commands of the changed keys are run in its stead, first come first served: the handlers themselves,
//!    with the reply going to the waiter. A handler that finds nothing keeps waiting, in its old place.
//! 3. The task wakes, and finds the reply.
//!
//! Time alone may make data, too. A handler that knows when says so ([`Block::again_at`]); its task then closes what the
//! command touches and serves those who wait for its keys, as a writer would have ([`run_again`]).
//!
//! # No deadlock
//! A served command touches keys of its own: BLMOVE pushes to another list, whose waiters are then served in turn, and
//! so on. So before a writer runs, it asks the queues what serving could reach ([`Queues::reach`]): from each stripe
//! that it changes, the keys of the commands that wait there, and from the destinations of these the same again. It
//! closes all that at once, in ascending order, having given back what it held before: so rule 4 of the gate stands, and
//! with it the argument that nobody waits in a circle. With everything closed it asks again: if somebody has come to
//! wait in between and the answer has grown, it opens everything and begins anew, after a few times with everything
//! closed. When the answer is covered, it stays so until the section ends, because whoever wants to wait at one of its
//! stripes needs a section over that stripe.
//!
//! Serving thus never closes anything. The only locks it takes are a waiter's and a queue's, for the time of one
//! handler and in that order; the tasks that take a waiter's lock to cancel it hold nothing else.
//!
//! # Nothing is lost
//! A wait ends once, under the waiter's lock: by service, by its timeout, by CLIENT UNBLOCK or because its client is
//! gone. Service pops the element inside the lock, so a client that left before got nothing, and of one that leaves
//! afterwards the reply is on its way, as in Redis.

mod commands;
mod list;
mod queues;
mod serve;
mod sorted;
mod timeout;
mod wait;
mod waiter;

pub(super) use commands::COMMANDS;

pub use queues::Queues;
pub use serve::run_again;
pub(super) use serve::{Served, close, serve, wait};
pub use timeout::{milliseconds, seconds};
pub use waiter::{Change, End, Waiter};

use std::time::Duration;

use super::Ctx;
use super::nested::Caller;
use crate::protocol::args::ArgBuf;
use crate::protocol::reply::Reply;
use crate::value::collection::Kind;

/// What a command waits for, and what it says if that does not come.
pub struct Block {
    /// Arguments that are keys with data for it; none if nothing but time can end the wait.
    pub keys: Vec<usize>,
    /// The type that such a key must have.
    pub kind: Kind,
    /// It also wants to run when a key that it waits for is gone, or has another type.
    pub even_if_gone: bool,
    /// The argument that is the key it pushes to.
    pub destination: Option<usize>,
    /// How long it waits; none for ever.
    pub timeout: Option<Duration>,
    /// The reply when that time is over.
    pub on_timeout: fn(&mut Reply<'_>),
    /// What runs when there is data, if not the command as it was sent: `XREAD ... $` means the end of now.
    pub args: Option<ArgBuf>,
    /// The Unix time in milliseconds at which the command is to run again although nobody has written: time alone may
    /// make its data, as entries of a stream that wait for so long that another consumer may claim them.
    pub again_at: Option<u64>,
}

impl Block {
    /// A wait for values of type `kind` under the keys at these arguments; its end by time is no array.
    pub fn on(kind: Kind, keys: Vec<usize>, timeout: Option<Duration>) -> Block {
        let on_timeout = |reply: &mut Reply<'_>| reply.null_array();
        let (even_if_gone, destination, args, again_at) = (false, None, None, None);
        Block { keys, kind, even_if_gone, destination, timeout, on_timeout, args, again_at }
    }
}

impl Ctx<'_> {
    /// Whether the command may wait: it is its client's own, and neither EXEC nor a script runs it.
    pub fn may_wait(&self) -> bool {
        self.caller == Caller::Client
    }

    /// Makes the client wait; the handler has written nothing and changed nothing, and returns. Only if
    /// [`Ctx::may_wait`]: else the handler answers as if the time were over.
    pub fn block(&mut self, block: Block) {
        debug_assert!(self.may_wait());
        self.block = Some(Box::new(block));
    }

    /// A whole database has changed, so whoever waits for one of its keys looks again. Everything is closed.
    pub fn wake_database(&self, db: usize) {
        let Some(section) = self.section else { return };
        self.server.queues.keys_of(db).iter().for_each(|key| section.trace().note(db, key));
    }

    /// [`Ctx::block`] if the command may wait, and otherwise at once the reply at the end of its time.
    pub fn wait_or_nothing(&mut self, block: Block) {
        if self.may_wait() {
            self.block(block);
        } else {
            (block.on_timeout)(&mut self.reply);
        }
    }
}
