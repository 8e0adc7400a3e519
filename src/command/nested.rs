//! Commands that run inside a section which the command that runs them already holds: those of EXEC and of scripts.
//!
//! The caller has closed what its commands work on: [`Host::footprint`] says what that is. Nothing here waits, and nothing here announces: the lane is inside a section. A command that would
//! wait for data answers as if its time were over.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Ctx;
use super::acl;
use super::client::Client;
use super::diagnosis::{Seen, Source};
use super::exec::ABANDONED;
use super::footprint::{Footprint, Setting};
use super::state::Server;
use super::table::{Command, registry};
use super::ticks::ticks;
use super::tracking;
use crate::keyspace::gate::Section;
use crate::keyspace::{Access, Key, Space};
use crate::log_warning;
use crate::protocol::args::Args;
use crate::protocol::reply::{Output, Reply};
use crate::sync::epoch::Guard;

/// Who runs a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Caller {
    /// A client: the command may wait, and begin anew.
    Client,
    /// EXEC.
    Exec,
    /// A script or a function.
    Script,
}

/// Where nested commands run: the calling command's context without its reply.
pub struct Host<'h> {
    /// The server.
    pub server: &'h Server,
    /// The client whose command calls.
    pub client: &'h mut Client,
    guard: &'h Guard,
    lane: usize,
    now: u64,
    section: &'h Section<'h>,
}

impl<'a> Ctx<'a> {
    /// The context as a host of nested commands, and the reply apart from it. None if the command runs in no section,
    /// which its flags decide.
    pub fn host(&mut self) -> Option<(Host<'_>, &mut Reply<'a>)> {
        let host = Host {
            server: self.server,
            client: &mut *self.client,
            guard: self.space.guard(),
            lane: self.space.lane(),
            now: self.space.now,
            section: self.section?,
        };
        Some((host, &mut self.reply))
    }
}

/// One command to run.
#[derive(Clone, Copy)]
pub struct Call<'c> {
    /// The command's number in the table.
    pub id: usize,
    /// The command.
    pub command: &'static Command,
    /// Its arguments, its name first.
    pub args: Args<'c>,
}

/// Why words are no call.
#[derive(Clone, Copy)]
pub enum Unfit {
    /// No command has this name.
    Unknown,
    /// The command takes another number of words.
    Arity(usize, &'static Command),
}

impl<'c> Call<'c> {
    /// Finds the command and checks the number of words.
    pub fn resolve(args: Args<'c>) -> Result<Call<'c>, Unfit> {
        let (id, command) = registry().resolve(args).ok_or(Unfit::Unknown)?;
        if !command.accepts(args.len()) {
            return Err(Unfit::Arity(id, command));
        }
        Ok(Call { id, command, args })
    }
}

impl<'h> Host<'h> {
    /// The section that the calling command holds.
    pub fn section(&self) -> &Section<'_> {
        self.section
    }

    /// The guard that everything which the calling command has read lives under.
    pub fn guard(&self) -> &'h Guard {
        self.guard
    }

    /// The time at which the calling command began, in Unix milliseconds.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// The lane that the calling command runs on.
    pub fn lane(&self) -> usize {
        self.lane
    }

    /// The client's database, as the calling command's section lets it be used.
    pub fn space(&self) -> Space<'_> {
        let db = self.client.db;
        Space::new(&self.server.keyspace, db, self.guard, self.lane, self.now, Access::Writing)
    }

    /// What the call works on.
    pub fn footprint(&self, call: &Call<'_>) -> Footprint {
        let mut footprint = Footprint::default();
        footprint.add(self.server, self.client, call.command, call.args, Setting::Nested);
        footprint
    }

    /// The refusal of a queued call that its client may not make any more. An earlier command of the transaction may
    /// have changed who the client is, or what it may do.
    pub fn refusal_at_exec(&mut self, call: &Call<'_>) -> Option<String> {
        // Whether the client ends is looked at when the transaction is over: it runs as a whole.
        self.client.ends();
        self.client.guarded().then(|| acl::refusal_at_exec(self.server, self.client, call)).flatten()
    }

    /// Answers a call that may not be made, and counts it.
    pub fn refuse(&self, call: &Call<'_>, text: &str, resp3: bool, out: &mut Output) {
        Reply::new(out, resp3).error(text);
        let code = out.take_error().unwrap_or_default();
        self.server.stats.lane(self.lane).rejected(call.id, code);
    }

    /// The refusal of a script's call that its client may not make.
    pub fn refusal_in_script(&mut self, call: &Call<'_>) -> Option<String> {
        self.client.guarded().then(|| acl::refusal_in_script(self.server, self.client, call)).flatten()
    }

    /// Whether the client may make a call.
    pub fn may(&self, call: &Call<'_>) -> bool {
        !self.client.guarded() || self.client.user.may(call).is_ok()
    }

    /// Runs a call whose footprint the section covers, and counts it; one reply goes to `out`. `key` is the call's first
    /// key with the number of its argument, if the caller has looked at it.
    ///
    /// A panic is the call's error like any other; the client is disconnected afterwards, as always.
    pub fn run(
        &mut self,
        call: &Call<'_>,
        key: Option<(usize, Key<'_>)>,
        caller: Caller,
        resp3: bool,
        out: &mut Output,
    ) {
        debug_assert!(self.footprint(call).is_covered(self.section), "{}", call.command.name);
        let (mark, began) = (out.checkpoint(), ticks());
        let done = catch_unwind(AssertUnwindSafe(|| self.call(call, key, caller, resp3, out)));
        if done.is_err() {
            out.rollback(mark);
            Reply::new(out, resp3).error(ABANDONED);
            log_warning!("The command '{}' panicked and was abandoned", call.command.name);
            self.client.closing = true;
        }
        let counters = self.server.stats.lane(self.lane);
        counters.called(call.id);
        let took = ticks().saturating_sub(began);
        counters.took(call.id, took, self.server.config.live().latency_tracking());
        let source = if caller == Caller::Script { Source::Script } else { Source::Client(&*self.client) };
        self.server
            .diagnosis
            .attend_nested(self.server, &Seen { source, db: self.client.db, call, ticks: took, bytes: 0 });
        if out.has_error() {
            counters.failed(call.id, out.take_error().unwrap_or_default());
        }
    }

    fn call(
        &mut self,
        call: &Call<'_>,
        key: Option<(usize, Key<'_>)>,
        caller: Caller,
        resp3: bool,
        out: &mut Output,
    ) {
        let client = &mut *self.client;
        let space =
            Space::new(&self.server.keyspace, client.db, self.guard, self.lane, self.now, Access::Writing);
        let space = space.touching(!client.no_touch || call.command.name == "touch");
        let space = space.traced(Some(self.section.trace()));
        if let Some(tracker) = &client.tracker {
            tracking::enter_in(self.server, self.section, tracker, (call.command, call.args));
        }
        let mut ctx = Ctx {
            server: self.server,
            client,
            space: &space,
            args: call.args,
            reply: Reply::new(out, resp3),
            command: call.command,
            section: Some(self.section),
            caller,
            strayed: false,
            block: None,
            first_key: key,
        };
        (call.command.handler)(&mut ctx);
    }
}
