//! One run of a batch: what is the same for all of its commands, and the call of a handler.

use std::cell::Cell;

use super::{ABANDONED, CLOSED_SPINS, Prepared, Ran, Single, UNTIMED, Wait};
use crate::command::blocking::{self, Block, Served};
use crate::command::client::{Client, NO_COMMAND};
use crate::command::diagnosis::{Attention, Seen, Source};
use crate::command::nested::{Call, Caller};
use crate::command::state::{Server, unix_ms};
use crate::command::table::{Command, registry};
use crate::command::ticks::ticks;
use crate::command::{Ctx, connection, container, stats, transaction};
use crate::keyspace::evict::Ground;
use crate::keyspace::gate::{Closed, Observers, Section};
use crate::keyspace::observe::Trace;
use crate::keyspace::table::Table;
use crate::keyspace::{Access, Key, Space};
use crate::limits::GARBAGE;
use crate::log_warning;
use crate::memory;
use crate::protocol::args::Args;
use crate::protocol::decoder::Decoder;
use crate::protocol::reply::{Mark, Output, Reply};
use crate::sync::epoch::Guard;
use crate::value::same::same;

/// Bytes that one run may unlink: nothing of it can be freed before the run has ended.
const GARBAGE_PER_RUN: i64 = (GARBAGE / 16) as i64;

/// How a command that ran by itself ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Alone {
    /// It has run.
    Done,
    /// It met something closed.
    Closed(Closed),
    /// It must wait until CLIENT PAUSE is over.
    Paused,
    /// It must wait until there is memory for it.
    Memory,
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
    /// Unix time in milliseconds, of the batch's begin or of the last look.
    pub(super) now: Cell<u64>,
    pub(super) lane: usize,
    pub(super) counters: &'a stats::Lane,
    /// The command whose time is being taken, and the tick at which the first of its calls in a row began.
    pub(super) timed: Cell<(usize, u64)>,
    /// The command of a group of calls that took long together, and how long.
    pub(super) late: Cell<Option<(usize, u64)>>,
    /// Why every call is looked at, if it is.
    attention: Cell<Attention>,
    /// There is a `maxmemory`.
    pub(super) bounded: bool,
    /// What this thread may have unlinked before the run ends, so that it can be freed.
    pub(super) most_garbage: i64,
}

impl<'a> Run<'a> {
    /// A run on `lane` that begins now.
    pub(super) fn new(server: &'a Server, guard: &'a Guard, lane: usize) -> Run<'a> {
        Run {
            server,
            guard,
            now: Cell::new(unix_ms()),
            lane,
            counters: server.stats.lane(lane),
            timed: Cell::new((UNTIMED, 0)),
            late: Cell::default(),
            attention: Cell::new(server.diagnosis.attention()),
            bounded: false,
            most_garbage: memory::garbage_of_this_thread() + GARBAGE_PER_RUN,
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

    /// Where eviction happens.
    pub(super) fn ground(&self) -> Ground<'_> {
        Ground { keyspace: &self.server.keyspace, lane: self.lane, guard: self.guard, now: self.now.get() }
    }

    /// Takes the time of calls of command `id` from here on. The counter costs a fifth of a short command, so brief
    /// calls of one command in a row are timed together: their sum is exact all the same.
    #[inline]
    pub(super) fn time(&self, id: usize) {
        let (timed, since) = self.timed.get();
        if timed == id {
            return;
        }
        // Behind a call that was timed alone the next begins where that ended.
        let now = if timed == UNTIMED && since != 0 { since } else { ticks() };
        if timed != UNTIMED {
            self.add_time(timed, now.saturating_sub(since));
        }
        self.timed.set((id, now));
    }

    #[inline]
    fn add_time(&self, id: usize, took: u64) {
        self.counters.took(id, took, self.server.config.live().latency_tracking());
        if self.server.diagnosis.is_long(took) {
            self.late.set(Some((id, took)));
        }
    }

    /// Whether the call that has just run needs no look of its own.
    #[inline]
    pub(super) fn passes(&self, command: &Command, args: Args<'_>) -> bool {
        command.is_brief(args.len()) && self.attention.get().is_empty()
    }

    /// Takes the time of the call that has just run, and looks whether anybody wants to know of it.
    pub(super) fn look_back(&self, client: &Client, call: &Call<'_>, replied: usize) {
        let (now, diagnosis) = (ticks(), &self.server.diagnosis);
        let took = now.saturating_sub(self.timed.get().1);
        self.counters.took(call.id, took, self.server.config.live().latency_tracking());
        self.timed.set((UNTIMED, now));
        let attention = diagnosis.attention();
        self.attention.set(attention);
        if !attention.is_empty() || diagnosis.is_long(took) {
            let asked: usize = call.args.iter().map(<[u8]>::len).sum();
            let (source, bytes) = (Source::Client(client), (asked + replied) as u64);
            diagnosis.attend(self.server, &Seen { source, db: client.db, call, ticks: took, bytes });
        }
    }

    /// Ends a group of calls that are timed together in front of the command at `at`.
    pub(super) fn end_group(&self, client: &Client, decoder: &Decoder, at: usize) {
        let (timed, since) = self.timed.get();
        if timed != UNTIMED {
            let now = ticks();
            self.add_time(timed, now.saturating_sub(since));
            self.timed.set((UNTIMED, now));
        }
        if self.late.get().is_some() {
            self.name_late(client, decoder, at);
        }
    }

    /// Names the last of a group of calls that took long together: the one in front of the command at `at`.
    #[cold]
    pub(super) fn name_late(&self, client: &Client, decoder: &Decoder, at: usize) {
        let Some((late, took)) = self.late.take() else { return };
        let Some(args) = at.checked_sub(1).map(|last| decoder.args(last)) else { return };
        let known = registry().resolve(args).filter(|(id, _)| *id == late);
        if let Some((id, command)) = known {
            let (source, call) = (Source::Client(client), Call { id, command, args });
            let seen = Seen { source, db: client.db, call: &call, ticks: took, bytes: 0 };
            self.server.diagnosis.judge(&self.server.config, &seen);
        }
    }

    /// Looks at the clock. A command that sees several keys must not see some of them as they were after a deadline and
    /// others as they were before it, so it takes the time when nothing can change any more: a thread that was held up
    /// since its batch began might otherwise find a key alive that others have seen end.
    #[inline]
    pub(super) fn look_at_clock(&self) {
        self.now.set(unix_ms());
    }

    /// Whether a pause holds the command back.
    #[inline]
    pub(super) fn holds(&self, command: &Command) -> bool {
        self.server.pause.holds(command.flags, self.now.get())
    }

    /// [`Run::holds`], where the command may be an EXEC that is as good as what its client has queued, or a script that
    /// is as good as what it declares.
    pub(super) fn paused(&self, client: &Client, command: &Command, args: Args<'_>) -> bool {
        let pause = &self.server.pause;
        pause.active(self.now.get())
            && pause.holds(transaction::effective_flags(self.server, client, command, args), self.now.get())
    }

    /// The call's key, with the entry that the batch found if it is still the key's.
    #[inline(always)]
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
        Key { bytes, hash: prepared.hash, hint: hint.filter(|entry| same(entry.key(), bytes)) }
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

    #[inline(always)]
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

    #[inline(always)]
    pub(super) fn read_one(
        &self,
        client: &mut Client,
        args: Args<'_>,
        command: &'static Command,
        key: (usize, Key<'_>),
        out: &mut Output,
    ) -> Result<Single, Closed> {
        let read = self.read_once(client, args, command, key, out);
        if read.is_ok() { read } else { self.read_again(client, args, command, key, out) }
    }

    #[inline(always)]
    fn read_once(
        &self,
        client: &mut Client,
        args: Args<'_>,
        command: &'static Command,
        key: (usize, Key<'_>),
        out: &mut Output,
    ) -> Result<Single, Closed> {
        let mark = out.checkpoint();
        let (_, waits) = self.call(client, args, command, Entrance::key(Access::Reading, key), out);
        let checked = self.server.keyspace.gate.check(key.1.stripe());
        checked.inspect_err(|_| out.rollback(mark)).map(|()| Single::waiting(waits.is_some()))
    }

    /// Apart from the first try, so that this is not in the way of what nearly all reads do.
    #[cold]
    fn read_again(
        &self,
        client: &mut Client,
        args: Args<'_>,
        command: &'static Command,
        key: (usize, Key<'_>),
        out: &mut Output,
    ) -> Result<Single, Closed> {
        spin(|| self.read_once(client, args, command, key, out))
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
        let space =
            Space::new(&self.server.keyspace, client.db, self.guard, self.lane, self.now.get(), access);
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
        let call = Call { id, command, args };
        blocking::wait(self.server, client, &call, block);
        if self.server.diagnosis.attention().contains(Attention::MONITORED) {
            let source = Source::Client(client);
            let seen = Seen { source, db: client.db, call: &call, ticks: 0, bytes: 0 };
            self.server.diagnosis.show_waiting(self.server, &seen);
        }
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
            let (server, guard, lane, now) = (self.server, self.guard, self.lane, self.now.get());
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
#[inline(always)]
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
