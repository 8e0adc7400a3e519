//! One run of a batch: what is the same for all of its commands, and the call of a handler.

use std::cell::Cell;

use super::{ABANDONED, CLOSED_SPINS, Prepared, Ran, Single, UNTIMED, Wait};
use crate::command::blocking::{self, Block, Served};
use crate::command::client::{Client, NO_COMMAND};
use crate::command::nested::{Call, Caller};
use crate::command::persist::Obstacles;
use crate::command::state::{Server, unix_ms};
use crate::command::table::{Command, registry};
use crate::command::ticks::ticks;
use crate::command::{Ctx, connection, container, stats, transaction};
use crate::keyspace::gate::{Closed, Observers, Section};
use crate::keyspace::observe::Trace;
use crate::keyspace::table::Table;
use crate::keyspace::{Access, Key, Space};
use crate::log_warning;
use crate::memory;
use crate::protocol::args::Args;
use crate::protocol::reply::{Mark, Output, Reply};
use crate::sync::epoch::Guard;

/// How a command that ran by itself ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Alone {
    /// It has run.
    Done,
    /// It met something closed.
    Closed(Closed),
    /// It must wait until CLIENT PAUSE is over.
    Paused,
}

/// What a call finds around it.
#[derive(Clone, Copy)]
pub(super) struct Entrance<'a> {
    /// Whether its keys are its own.
    access: Access,
    /// The section it runs in, if any.
    section: Option<&'a Section<'a>>,
    /// Where its changes are reported, if anybody wants to hear of them.
    trace: Option<&'a Trace>,
    /// The first key with the number of its argument, as the batch looked it up.
    first_key: Option<(usize, Key<'a>)>,
}

impl<'a> Entrance<'a> {
    pub(super) fn open(access: Access) -> Entrance<'a> {
        Entrance { access, section: None, trace: None, first_key: None }
    }

    pub(super) fn section(section: &'a Section<'a>) -> Entrance<'a> {
        Entrance {
            access: Access::Writing,
            section: Some(section),
            trace: Some(section.trace()),
            first_key: None,
        }
    }

    #[inline]
    pub(super) fn key(access: Access, first_key: (usize, Key<'a>)) -> Entrance<'a> {
        Entrance { access, section: None, trace: None, first_key: Some(first_key) }
    }
}

/// Everything that is the same for the commands of one run.
pub(super) struct Run<'a> {
    pub(super) server: &'a Server,
    pub(super) guard: &'a Guard,
    pub(super) now: u64,
    pub(super) lane: usize,
    pub(super) counters: &'a stats::Lane,
    /// The command whose time is being taken, and the tick at which the first of its calls in a row began.
    pub(super) timed: Cell<(usize, u64)>,
    /// More memory is in use than `maxmemory` allows.
    pub(super) out_of_memory: Cell<bool>,
    /// Why some commands cannot run.
    pub(super) obstacles: Cell<Obstacles>,
}

impl<'a> Run<'a> {
    /// A run on `lane` that begins now.
    pub(super) fn new(server: &'a Server, guard: &'a Guard, lane: usize) -> Run<'a> {
        Run {
            server,
            guard,
            now: unix_ms(),
            lane,
            counters: server.stats.lane(lane),
            timed: Cell::new((UNTIMED, 0)),
            out_of_memory: Cell::default(),
            obstacles: Cell::new(server.persist.obstacles()),
        }
    }
}

impl Run<'_> {
    /// Answers a command that panicked: it may have written half a reply and done half its work, so its connection
    /// cannot go on.
    #[cold]
    pub(super) fn abandon(&self, client: &mut Client, args: Args<'_>, mark: Mark, out: &mut Output) {
        out.rollback(mark);
        if client.replies.on() {
            Reply::new(out, client.resp3).error(ABANDONED);
        }
        let known = registry().resolve(args);
        self.count(known.map(|(id, _)| id), out);
        let name = known.map_or("unknown", |(_, command)| command.name);
        log_warning!("The command '{name}' panicked and was abandoned; its client is disconnected");
    }

    /// Looks whether `maxmemory` is exceeded: once per window, because the sum over all threads is not free.
    #[inline]
    pub(super) fn look_at_memory(&self) {
        let most = self.server.config.live().maxmemory();
        self.out_of_memory.set(most != 0 && memory::used() > most);
        self.obstacles.set(self.server.persist.obstacles());
    }

    /// Takes the time of calls of command `id` from here on. The counter costs a fifth of a short command, so calls of
    /// one command in a row are timed together: their sum is exact all the same.
    #[inline]
    pub(super) fn time(&self, id: usize) {
        let (timed, since) = self.timed.get();
        if timed == id {
            return;
        }
        let now = ticks();
        if timed != UNTIMED {
            let tracking = self.server.config.live().latency_tracking();
            self.counters.took(timed, now.saturating_sub(since), tracking);
        }
        self.timed.set((id, now));
    }

    /// Whether a pause holds the command back.
    #[inline]
    pub(super) fn holds(&self, command: &Command) -> bool {
        self.server.pause.holds(command.flags, self.now)
    }

    /// [`Run::holds`], where the command may be an EXEC that is as good as what its client has queued, or a script that
    /// is as good as what it declares.
    pub(super) fn paused(&self, client: &Client, command: &Command, args: Args<'_>) -> bool {
        let pause = &self.server.pause;
        pause.active(self.now)
            && pause.holds(transaction::effective_flags(self.server, client, command, args), self.now)
    }

    /// The call's key, with the entry that the batch found if it is still the key's.
    #[inline]
    pub(super) fn key<'k>(
        &'k self,
        table: &Table,
        client: &Client,
        prepared: &Prepared,
        args: Args<'k>,
    ) -> Key<'k> {
        let bytes = args.get(prepared.key_at).unwrap_or_default();
        // A command of this batch may have selected or exchanged the database since the lookup.
        let current = std::ptr::eq(table, self.server.keyspace.db(client.db).table(self.guard));
        let hint = prepared.entry.filter(|_| current).map(|entry| {
            // SAFETY: reached through the table under this run's guard.
            unsafe { entry.as_ref() }
        });
        Key { bytes, hash: prepared.hash, hint: hint.filter(|entry| entry.key() == bytes) }
    }

    /// The error of a command that cannot run while the data set is loaded or cannot be saved.
    #[inline]
    pub(super) fn refusal(&self, client: &Client, command: &Command, args: Args<'_>) -> Option<&'static str> {
        let obstacles = self.obstacles.get();
        if obstacles.is_none() {
            return None;
        }
        let flags = transaction::effective_flags(self.server, client, command, args);
        obstacles.refusal(command, flags)
    }

    /// Counts a call that has run and replied.
    #[inline]
    pub(super) fn count(&self, id: Option<usize>, out: &mut Output) {
        if let Some(id) = id {
            self.counters.called(id);
        }
        if out.has_error() {
            self.count_error(id, out, stats::Lane::failed);
        }
    }

    #[cold]
    pub(super) fn count_refusal(&self, id: Option<usize>, out: &mut Output) {
        self.count_error(id, out, stats::Lane::rejected);
    }

    #[cold]
    fn count_error(&self, id: Option<usize>, out: &mut Output, of: fn(&stats::Lane, usize, &[u8])) {
        let code = out.take_error().unwrap_or_default();
        match id {
            Some(id) => of(self.counters, id, code),
            None => self.counters.error(code),
        }
    }

    #[inline]
    pub(super) fn write_one(
        &self,
        client: &mut Client,
        args: Args<'_>,
        command: &'static Command,
        key: (usize, Key<'_>),
        out: &mut Output,
    ) -> Result<Single, Wait> {
        let gate = &self.server.keyspace.gate;
        let announced = spin(|| gate.announce(self.lane, key.1.stripe()))?;
        // What was looked at before the announcement does not count for writes: see `pause`, and CLIENT KILL.
        if self.holds(command) {
            return Err(Wait::Paused);
        }
        if client.ends() {
            return Ok(Single::Done);
        }
        let entrance = Entrance::key(Access::Writing, key);
        if announced.observers().is_empty() {
            let (_, waits) = self.call(client, args, command, entrance, out);
            Ok(Single::waiting(waits.is_some()))
        } else if announced.observers().contains(Observers::WAITING) {
            Ok(Single::NeedsSection)
        } else {
            let trace = Trace::new(announced.observers());
            let entrance = Entrance { trace: Some(&trace), ..entrance };
            let (_, waits) = self.call(client, args, command, entrance, out);
            Ok(Single::waiting(waits.is_some()))
        }
    }

    #[inline]
    pub(super) fn read_one(
        &self,
        client: &mut Client,
        args: Args<'_>,
        command: &'static Command,
        key: (usize, Key<'_>),
        out: &mut Output,
    ) -> Result<Single, Closed> {
        let gate = &self.server.keyspace.gate;
        let mark = out.checkpoint();
        spin(|| {
            let (_, waits) = self.call(client, args, command, Entrance::key(Access::Reading, key), out);
            let checked = gate.check(key.1.stripe()).inspect_err(|_| out.rollback(mark));
            checked.map(|()| Single::waiting(waits.is_some()))
        })
    }

    /// Runs the handler: whether it strayed, and what it waits for.
    #[inline(always)]
    pub(super) fn call(
        &self,
        client: &mut Client,
        args: Args<'_>,
        command: &'static Command,
        entrance: Entrance<'_>,
        out: &mut Output,
    ) -> (bool, Option<Box<Block>>) {
        let Entrance { access, section, trace, first_key } = entrance;
        let space = Space::new(&self.server.keyspace, client.db, self.guard, self.lane, self.now, access);
        let resp3 = client.resp3;
        // TOUCH is there to move the clock, whatever its client said.
        let space = space.touching(!client.no_touch || command.name == "touch").traced(trace);
        let mut ctx = Ctx {
            server: self.server,
            client,
            space: &space,
            args,
            reply: Reply::new(out, resp3),
            command,
            section,
            caller: Caller::Client,
            strayed: false,
            block: None,
            first_key,
        };
        (command.handler)(&mut ctx);
        (ctx.strayed, ctx.block)
    }

    /// A command that works on no keys.
    #[inline]
    pub(super) fn call_keyless(
        &self,
        client: &mut Client,
        args: Args<'_>,
        command: &'static Command,
        out: &mut Output,
    ) -> Result<(), Wait> {
        match self.call(client, args, command, Entrance::open(Access::Reading), out) {
            (_, None) => Ok(()),
            (_, Some(block)) => Err(self.wait(client, args, command, *block)),
        }
    }

    #[cold]
    fn wait(&self, client: &mut Client, args: Args<'_>, command: &'static Command, block: Block) -> Wait {
        let id = usize::from(client.last_command);
        blocking::wait(self.server, client, &Call { id, command, args }, block);
        Wait::Blocked
    }

    /// A call inside a section, and after it those that wait for what it made.
    pub(super) fn call_in(
        &self,
        section: &Section<'_>,
        client: &mut Client,
        args: Args<'_>,
        command: &'static Command,
        out: &mut Output,
    ) -> Ran {
        let (strayed, block) = self.call(client, args, command, Entrance::section(section), out);
        if strayed {
            return Ran::Strayed;
        }
        if let Some(block) = block {
            self.wait(client, args, command, *block);
            return Ran::Waits;
        }
        if section.trace().has_changed() {
            let (server, guard, lane, now) = (self.server, self.guard, self.lane, self.now);
            blocking::serve(&Served { server, guard, section, lane, now });
        }
        Ran::Whole
    }
}

#[cold]
pub(super) fn answer_unknown(client: &mut Client, args: Args<'_>, out: &mut Output) {
    client.last_command = NO_COMMAND;
    if connection::is_of_a_browser(args) {
        connection::log_attack(client);
        client.closing = true;
        return;
    }
    Reply::new(out, client.resp3).error(&container::unknown(args));
}

/// Tries a few times, because most sections are over in less than a microsecond.
#[inline]
fn spin<T>(mut attempt: impl FnMut() -> Result<T, Closed>) -> Result<T, Closed> {
    let mut last = attempt();
    for _ in 0..CLOSED_SPINS {
        if last.is_ok() {
            break;
        }
        std::hint::spin_loop();
        last = attempt();
    }
    last
}
