//! A connection as commands see it, and the register of all of them.
//!
//! [`Client`] belongs to the connection's task. What others may see of it is in [`Shared`]: the owner publishes it when
//! a batch has run and when bytes move, not with every command, so that the owner's fields cost what plain fields cost.

mod memory;
mod register;
mod rights;

pub use memory::Parts;
pub use register::{Clients, Kind, Marks, Names, Shared};
pub use rights::Rights;

use std::os::fd::RawFd;
use std::sync::Arc;

use crate::command::acl::User;
use crate::command::blocking::{End, Waiter};
use crate::command::pubsub::{Scope, Subscriptions};
use crate::command::state::Server;
use crate::command::tracking::{Modes, Tracker};
use crate::command::transaction::{Multi, Watching};
use crate::protocol::decoder::Decoder;
use crate::protocol::reply::Output;
use crate::sync::Ordering;

/// Stands for the number of a command that no table has.
pub const NO_COMMAND: u16 = u16::MAX;

/// What becomes of the replies to a client's commands: `CLIENT REPLY`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replies {
    /// They are sent.
    On,
    /// They are sent again from the command after the next.
    SkipNext,
    /// The running command's is dropped.
    Skip,
    /// They are dropped until the client says otherwise.
    Off,
}

impl Replies {
    /// Whether the client gets replies.
    #[inline]
    pub fn on(self) -> bool {
        self == Replies::On
    }

    /// A command begins (or begins again, after it waited for the gate).
    pub fn begin(&mut self) {
        if *self == Replies::SkipNext {
            *self = Replies::Skip;
        }
    }

    /// A command ended: whether what it wrote must be dropped.
    pub fn end(&mut self) -> bool {
        let dropped = *self != Replies::On;
        if *self == Replies::Skip {
            *self = Replies::On;
        }
        dropped
    }
}

/// The state of one connection, owned by its task.
pub struct Client {
    /// Its number, never used twice.
    pub id: u64,
    /// The selected database.
    pub db: usize,
    /// It has said `HELLO 3`.
    pub resp3: bool,
    /// The connection closes when the replies so far are sent.
    pub closing: bool,
    /// Whether its replies are sent.
    pub replies: Replies,
    /// Its memory is not taken back when clients use too much.
    pub no_evict: bool,
    /// Its reads leave the access clocks of keys alone.
    pub no_touch: bool,
    /// What it has queued since MULTI.
    pub multi: Option<Box<Multi>>,
    /// It has said MONITOR.
    pub monitors: bool,
    /// How it keeps copies of what it reads, if it does.
    pub tracker: Option<Arc<Tracker>>,
    /// What it listens to, if anything.
    pub subscriptions: Option<Box<Subscriptions>>,
    /// Where its worker finds its connection.
    pub seat: usize,
    /// What it watches.
    pub watching: Option<Box<Watching>>,
    /// Its command waits for data.
    pub waiting: Option<Arc<Waiter>>,
    /// Its command waits until a pause is over.
    pub held: bool,
    /// Its command has waited for memory as long as any may: it runs, or is refused.
    pub impatient: bool,
    /// Number of the last command in the table, or [`NO_COMMAND`].
    pub last_command: u16,
    /// Who it is, as it saw that last.
    pub user: Arc<User>,
    /// What follows from who it is.
    rights: Rights,
    /// What others may see of it.
    pub shared: Arc<Shared>,
    /// Takes the socket's number away at the end; a stand-in has none.
    _attached: Option<Attached>,
}

/// The claim to a client's socket.
struct Attached(Arc<Shared>);

impl Client {
    /// Whether it comes from this machine, over loopback or a unix socket.
    pub fn is_local(&self) -> bool {
        self.shared.ip().is_none_or(|ip| ip.to_canonical().is_loopback())
    }

    fn new(shared: Arc<Shared>) -> Client {
        let _attached = Some(Attached(Arc::clone(&shared)));
        Client { _attached, ..Client::detached(shared) }
    }

    /// Stands for the client of a waiting command, which another client's command serves.
    pub(super) fn stand_in(waiter: &Waiter) -> Client {
        let mut client = Client::detached(Arc::clone(&waiter.client)).with_rights_of_now();
        waiter.dress(&mut client);
        client
    }

    /// Whether it only stands for the client of a waiting command, of which it knows no more than that takes.
    pub fn stands_in(&self) -> bool {
        self._attached.is_none()
    }

    fn detached(shared: Arc<Shared>) -> Client {
        let user = shared.account().current();
        Client {
            rights: Rights::of_new(&user),
            user,
            id: shared.id,
            db: 0,
            resp3: false,
            closing: false,
            replies: Replies::On,
            no_evict: false,
            no_touch: false,
            multi: None,
            monitors: false,
            tracker: None,
            subscriptions: None,
            seat: 0,
            watching: None,
            waiting: None,
            held: false,
            impatient: false,
            last_command: NO_COMMAND,
            shared,
            _attached: None,
        }
    }

    /// The client itself, and in its place one of the same name that only waits. When the client is back, it must be
    /// attached anew.
    pub fn lend(&mut self) -> Client {
        let stand_in = Client::new(Arc::clone(&self.shared));
        std::mem::replace(self, stand_in)
    }

    /// Whether no further command of it may run. Looks at its user anew, if that has changed.
    #[inline]
    pub fn ends(&mut self) -> bool {
        if self.shared.is_summoned() {
            self.answer_summons();
        }
        self.closing
    }

    /// Whether it was ended, or its user has changed, since [`Client::ends`] was asked last.
    #[inline]
    pub fn is_summoned(&self) -> bool {
        self.shared.is_summoned()
    }

    /// Whether its commands run at once, all of them, and are answered.
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.may_be_lent() && !self.rights.is_guarded()
    }

    /// Whether another thread may run its command and answer it. What a tracking client reads and changes is noted on
    /// the worker's thread.
    pub fn may_be_lent(&self) -> bool {
        let alone = self.multi.is_none() && self.subscriptions.is_none() && !self.monitors;
        alone && self.replies.on() && self.tracker.is_none()
    }

    /// Leaves the transaction, if there is one, and forgets the watched keys.
    pub fn end_transaction(&mut self, server: &Server) {
        self.multi = None;
        self.unwatch(server);
    }

    /// Takes back what the client has entered anywhere; its connection ends.
    pub fn leave(&mut self, server: &Server) {
        if let Some(waiter) = self.waiting.take() {
            server.queues.end(server, &waiter, End::Gone);
        }
        self.end_transaction(server);
        self.stop_tracking(server);
        server.clients.forget_memory(&self.shared);
    }

    /// Back to what a new connection is, but for the names of its library: `RESET`.
    pub fn reset(&mut self, server: &Server) {
        self.db = 0;
        self.resp3 = false;
        self.no_evict = false;
        self.no_touch = false;
        self.stop_tracking(server);
        self.end_transaction(server);
        if self.replies == Replies::Off {
            self.replies = Replies::On;
        }
        self.shared.names().name.clear();
    }

    /// Names the client's socket, so that others can end it. It must stay open until the client is dropped, or
    /// [`Clients::leave`] was called for it.
    pub fn attach(&self, fd: RawFd) {
        self.shared.attach(fd);
    }

    /// Shows others what the commands so far have made of the client; `now` is Unix time in milliseconds.
    pub fn publish(&self, now: u64) {
        // Ordering: Relaxed, because each of these is only ever shown to people.
        let seen = &self.shared.seen;
        seen.active_ms.store(now, Ordering::Relaxed);
        seen.db.store(self.db as u32, Ordering::Relaxed);
        seen.command.store(u32::from(self.last_command), Ordering::Relaxed);
        seen.marks.store(self.marks().bits(), Ordering::Relaxed);
        let count = |scope| self.subscriptions.as_ref().map_or(0, |all| all.len_of(scope));
        for (shown, scope) in seen.subscriptions.iter().zip([Scope::Channel, Scope::Pattern, Scope::Shard]) {
            shown.store(count(scope), Ordering::Relaxed);
        }
        let (watched, names) = self.watching.as_ref().map_or((0, 0), |of| (of.len(), of.memory()));
        seen.watched.store(watched as u32, Ordering::Relaxed);
        let heard = self.subscriptions.as_ref().map_or(0, |of| of.memory());
        seen.name_memory.store(names + heard, Ordering::Relaxed);
        if let Some(tracker) = &self.tracker {
            seen.redirect.store(tracker.redirect(), Ordering::Relaxed);
        }
        if let Some(multi) = &self.multi {
            seen.queued.store(multi.len(), Ordering::Relaxed);
            seen.queued_memory.store(multi.memory(), Ordering::Relaxed);
        }
    }

    /// Shows others what the connection's buffers hold.
    pub fn publish_buffers(&self, decoder: &Decoder, out: &Output) {
        let seen = &self.shared.seen;
        seen.unparsed.store(decoder.unparsed(), Ordering::Relaxed);
        let arguments = decoder.argument_memory();
        seen.input_memory.store(decoder.memory() - arguments, Ordering::Relaxed);
        seen.argument_memory.store(arguments, Ordering::Relaxed);
        seen.unsent.store(out.pending(), Ordering::Relaxed);
        seen.output_memory.store(out.memory(), Ordering::Relaxed);
    }

    fn marks(&self) -> Marks {
        let mut marks = Marks::empty();
        marks.set(Marks::RESP3, self.resp3);
        marks.set(Marks::NO_EVICT, self.no_evict);
        marks.set(Marks::NO_TOUCH, self.no_touch);
        marks.set(Marks::LISTENS, self.subscriptions.is_some());
        marks.set(Marks::MULTI, self.multi.is_some());
        marks.set(Marks::DIRTY, self.watching.as_ref().is_some_and(|watching| watching.is_dirty()));
        marks.set(Marks::BLOCKED, self.held || self.waiting.is_some());
        marks.set(Marks::CLOSING, self.closing);
        marks.set(Marks::MONITORS, self.monitors);
        let tracking = self.tracking();
        marks.set(Marks::TRACKS, tracking.contains(Modes::ON));
        marks.set(Marks::TRACKS_ALL, tracking.contains(Modes::BCAST));
        marks.set(Marks::BROKEN, tracking.contains(Modes::BROKEN));
        marks
    }
}

impl Drop for Attached {
    /// Nobody may shut the socket down from here on, because its number may come to mean another file.
    fn drop(&mut self) {
        self.0.detach();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skip_drops_one_reply_and_off_all() {
        let mut replies = Replies::SkipNext;
        replies.begin();
        // The gate sent the command to sleep, and it begins again.
        replies.begin();
        assert!(replies.end());
        assert_eq!(replies, Replies::On);
        replies = Replies::Off;
        for _ in 0..2 {
            replies.begin();
            assert!(replies.end());
        }
    }
}
