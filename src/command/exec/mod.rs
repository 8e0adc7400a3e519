//! The executor: runs a parsed batch, looking keys up together first and taking each command through the gate.
//!
//! Memory latency is the cost of a large keyspace. The batch's keys are therefore hashed and looked up in passes over
//! a window of commands, each pass asking for the cache lines that the next one reads; then the commands run in order
//! with the entries at hand.
//!
//! How a command meets the gate:
//!
//! | keys | reads | writes |
//! |---|---|---|
//! | none | runs | runs |
//! | one | runs, then looks whether its stripe was closed; if so it runs again later | announces its stripe |
//! | several, or one `EXCLUSIVE` | compares the lanes before and after; after three tries closes the stripes | closes the stripes |
//! | everything (`STABLE`, `CLOSES_ALL`) | as several; closes all | closes all |
//!
//! What a `SECTION` closes it closes also for reading: EXEC, which runs commands of its own inside (see
//! [`nested`](super::nested)), and those who register something. A client between MULTI and EXEC queues: see
//! [`transaction`](super::transaction).

mod ahead;
mod memory;
mod run;
mod unplain;

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::blocking;
use super::client::Client;
use super::footprint::Footprint;
use super::nested::Call;
use super::room::Room;
use super::script;
use super::state::Server;
use super::table::{Command, Flags, registry};
use super::{container, error};
use crate::keyspace::Access;
use crate::keyspace::bucket::Bucket;
use crate::keyspace::entry::Entry;
pub use crate::keyspace::gate::Closed;
use crate::keyspace::gate::{Snapshot, stripe_of};
use crate::keyspace::reclaim::collect_if_due;
use crate::keyspace::table::{Table, prefetch};
use crate::limits::REPLIES_PENDING;
use crate::protocol::args::Args;
use crate::protocol::decoder::Decoder;
use crate::protocol::reply::{Mark, Output, Reply};
use crate::sync::epoch::pin;
use crate::value::same::same;
pub use run::Alone;
use run::{Entrance, Run, answer_unknown};

/// Commands whose lookups overlap. More of them would push each other's lines out of the first-level cache.
const WINDOW: usize = 64;
/// How often a read of several keys tries without closing.
const OPTIMISTIC_TRIES: usize = 3;
/// The answer to a command that panicked.
pub(super) const ABANDONED: &str = "ERR internal error: the command failed and was abandoned";
/// No command's number.
const UNTIMED: usize = usize::MAX;
/// How often a command looks at something closed before its connection sleeps.
const CLOSED_SPINS: usize = 64;

/// What a worker thread keeps between batches.
pub struct Worker {
    lane: usize,
    /// Scripts that may take long are not for this thread.
    offloads: bool,
    window: Vec<Prepared>,
    snapshot: Snapshot,
    room: Room,
}

/// How far a batch came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// All of it has run.
    Done,
    /// The command at this place met something closed: wait for it and go on there.
    Closed(usize, Closed),
    /// The command at this place must wait until CLIENT PAUSE is over.
    Paused(usize),
    /// The command at this place must wait until there is memory for it, or until what was unlinked is freed:
    /// [`Worker::make_room`] says when.
    Memory(usize),
    /// The command at this place waits for data: `client.waiting`. When that is over, [`Worker::finish_wait`] answers
    /// it, and the next one is to run.
    Blocked(usize),
    /// The replies have grown to [`REPLIES_PENDING`]: send them and go on at this place.
    Flush(usize),
    /// The command at this place runs a script that may take long: run it on the pool and go on behind it.
    Offload(usize),
}

/// Of the commands without keys, those that close something all the same.
const KEYLESS_SECTIONS: Flags = Flags::CLOSES_ALL.union(Flags::STABLE).union(Flags::SECTION);

/// Commands that may make memory short, or leave much of it to be freed.
const MINDS_MEMORY: Flags = Flags::WRITE.union(Flags::DENYOOM);

/// Why a command cannot run now.
enum Wait {
    Closed(Closed),
    Paused,
    Memory,
    Blocked,
    Offload,
    /// Its client's rights have changed, or it was ended: look again.
    Again,
}

impl From<Closed> for Wait {
    fn from(closed: Closed) -> Wait {
        Wait::Closed(closed)
    }
}

/// A command of the window after the first pass.
#[derive(Clone, Copy)]
struct Prepared {
    command: Option<(usize, &'static Command)>,
    /// Argument of the first key, 0 for none.
    key_at: usize,
    hash: u64,
    bucket: Option<Bucket>,
    entry: Option<std::ptr::NonNull<Entry>>,
}

/// How a call ended.
#[derive(PartialEq, Eq)]
enum Ran {
    /// It has replied.
    Whole,
    /// It waits for data, and has done nothing else.
    Waits,
    /// It needs keys that it could not name before, has changed nothing yet, and wants to begin anew with everything
    /// closed.
    Strayed,
}

/// How a command on one key went.
enum Single {
    /// It has replied.
    Done,
    /// It has to run in a section: clients wait for data at the stripe, which the section serves, or it has to wait
    /// itself, and has written no reply.
    NeedsSection,
}

impl Single {
    #[inline]
    fn waiting(waits: bool) -> Single {
        if waits { Single::NeedsSection } else { Single::Done }
    }
}

/// How far a batch is: the command to run next, and where its reply will begin.
#[derive(Clone, Copy)]
struct Place {
    at: usize,
    mark: Mark,
}

impl Worker {
    /// The worker that announces in `lane`.
    pub fn new(lane: usize) -> Worker {
        Worker {
            lane,
            offloads: true,
            window: Vec::with_capacity(WINDOW),
            snapshot: Snapshot::default(),
            room: Room::default(),
        }
    }

    /// A worker of the pool that runs scripts.
    pub fn for_scripts(lane: usize) -> Worker {
        Worker { offloads: false, ..Worker::new(lane) }
    }

    /// Runs one command, its reply into `out`. A panic ends as in [`Worker::run`].
    pub fn run_alone(
        &mut self,
        server: &Server,
        client: &mut Client,
        args: Args<'_>,
        out: &mut Output,
    ) -> Alone {
        let guard = pin();
        collect_if_due(&guard);
        let mut run = Run::new(server, &guard, self.lane);
        run.bounded = self.room.begin(server.config.live().maxmemory());
        let mark = out.checkpoint();
        let table = server.keyspace.db(client.db).table(&guard);
        let prepared = Prepared::new(server, args);
        let outcome =
            catch_unwind(AssertUnwindSafe(|| self.run_admitted(&run, table, client, args, prepared, out)));
        run.time(UNTIMED);
        let ended = match outcome {
            Ok(Ok(())) | Ok(Err(Wait::Offload | Wait::Blocked | Wait::Again)) => Alone::Done,
            Ok(Err(Wait::Closed(closed))) => return Alone::Closed(closed),
            Ok(Err(Wait::Paused)) => return Alone::Paused,
            Ok(Err(Wait::Memory)) => return Alone::Memory,
            Err(_) => {
                run.abandon(client, args, mark, out);
                client.closing = true;
                Alone::Done
            }
        };
        run.counters.processed(1);
        client.publish(run.now.get());
        server.tracking.flush_broadcast();
        ended
    }

    /// Its lane.
    pub fn lane(&self) -> usize {
        self.lane
    }

    /// Runs the decoder's batch from the command at `from` on, replies into `out`.
    ///
    /// A panic in a command answers its client with an error and closes the connection; what the command had closed or
    /// announced was given back by its guards.
    pub fn run(
        &mut self,
        server: &Server,
        client: &mut Client,
        decoder: &Decoder,
        from: usize,
        out: &mut Output,
    ) -> Progress {
        let guard = pin();
        collect_if_due(&guard);
        let mut run = Run::new(server, &guard, self.lane);
        run.bounded = self.room.begin(server.config.live().maxmemory());
        let mut place = Place { at: from, mark: out.checkpoint() };
        let result =
            catch_unwind(AssertUnwindSafe(|| self.run_batch(&run, client, decoder, &mut place, out)));
        run.end_group(client, decoder, place.at);
        run.counters.processed(place.at - from);
        let progress = result.unwrap_or_else(|_| {
            run.abandon(client, decoder.args(place.at), place.mark, out);
            client.closing = true;
            Progress::Done
        });
        // Who changed its own user's rights, or was ended meanwhile, goes no further than this batch.
        client.ends();
        client.held = matches!(progress, Progress::Paused(_));
        client.publish(run.now.get());
        server.tracking.flush_broadcast();
        progress
    }

    fn run_batch(
        &mut self,
        run: &Run<'_>,
        client: &mut Client,
        decoder: &Decoder,
        place: &mut Place,
        out: &mut Output,
    ) -> Progress {
        while place.at < decoder.batch_len() && !client.ends() {
            run.end_group(client, decoder, place.at);
            let first = place.at;
            let end = (first + WINDOW).min(decoder.batch_len());
            let table = run.server.keyspace.db(client.db).table(run.guard);
            self.prepare(run, table, decoder, first..end);
            self.look_at_memory(run);
            while place.at < end && !client.ends() {
                let prepared = self.window[place.at - first];
                let outcome = if client.is_plain() {
                    self.run_one(run, table, client, decoder.args(place.at), prepared, out)
                } else {
                    self.run_unplain(run, table, client, decoder.args(place.at), prepared, out)
                };
                match outcome {
                    Ok(()) => {}
                    Err(Wait::Closed(closed)) => {
                        run.counters.waited();
                        return Progress::Closed(place.at, closed);
                    }
                    Err(Wait::Paused) => return Progress::Paused(place.at),
                    Err(Wait::Memory) => return Progress::Memory(place.at),
                    Err(Wait::Blocked) => return Progress::Blocked(place.at),
                    Err(Wait::Offload) => return Progress::Offload(place.at),
                    Err(Wait::Again) => continue,
                }
                if run.late.get().is_some() {
                    run.name_late(client, decoder, place.at);
                }
                *place = Place { at: place.at + 1, mark: out.checkpoint() };
                if out.pending() >= REPLIES_PENDING {
                    return Progress::Flush(place.at);
                }
            }
        }
        Progress::Done
    }

    // -- looking up ---------------------------------------------------------------------------------------------

    fn prepare(&mut self, run: &Run<'_>, table: &Table, decoder: &Decoder, range: std::ops::Range<usize>) {
        let (keyspace, first) = (&run.server.keyspace, range.start);
        self.window.clear();
        let mut before: &[u8] = &[];
        for i in range {
            let args = decoder.args(i);
            let again = self.window.last().and_then(|last| last.again(run.server, before, args));
            let prepared = again.unwrap_or_else(|| Prepared::new(run.server, args));
            before = args.get(0).unwrap_or_default();
            if prepared.key_at != 0 {
                table.prefetch_directory(prepared.hash);
                keyspace.gate.prefetch(stripe_of(prepared.hash));
            }
            self.window.push(prepared);
        }
        if self.window.len() == 1 {
            return;
        }
        // Of commands on one key in a row only the first is looked up; the others find what it found.
        let mut hash = None;
        for prepared in self.window.iter_mut().filter(|p| p.key_at != 0) {
            if hash != Some(prepared.hash) {
                hash = Some(prepared.hash);
                prepared.bucket = Some(table.prefetch_bucket(prepared.hash, run.guard));
            }
        }
        let mut entry = None;
        for prepared in self.window.iter_mut().filter(|p| p.key_at != 0) {
            if let Some(bucket) = prepared.bucket {
                entry = Table::prefetch_entry(bucket, prepared.hash, run.guard);
            }
            prepared.entry = entry;
        }
        let mut large = false;
        for prepared in &self.window {
            // SAFETY: reached through the table under the run's guard.
            let Some(word) = prepared.entry.map(|entry| unsafe { entry.as_ref() }.load()) else { continue };
            if let Some(pointee) = word.pointee() {
                prefetch(pointee);
                large |= word.is_large_collection() && prepared.looks_up();
            }
        }
        if large {
            ahead::look(&self.window, decoder, first, run.guard);
        }
    }

    // -- running ------------------------------------------------------------------------------------------------

    /// Runs a command, and counts it and its time.
    #[inline(always)]
    fn run_counted(
        &mut self,
        run: &Run<'_>,
        table: &Table,
        client: &mut Client,
        args: Args<'_>,
        (prepared, (id, command)): (Prepared, (usize, &'static Command)),
        out: &mut Output,
    ) -> Result<(), Wait> {
        run.time(id);
        let mark = out.checkpoint();
        self.run_known(run, table, client, args, (prepared, command), out)?;
        run.count(Some(id), out);
        if !run.passes(command, args) {
            run.look_back(client, &Call { id, command, args }, out.since(mark));
        }
        Ok(())
    }

    #[inline(always)]
    fn run_one(
        &mut self,
        run: &Run<'_>,
        table: &Table,
        client: &mut Client,
        args: Args<'_>,
        prepared: Prepared,
        out: &mut Output,
    ) -> Result<(), Wait> {
        let Some((id, command)) = prepared.command else {
            answer_unknown(client, args, out);
            run.count_refusal(None, out);
            return Ok(());
        };
        client.last_command = id as u16;
        if !command.accepts(args.len()) {
            Reply::new(out, client.resp3).error(&container::wrong_arity(command));
            run.count_refusal(Some(id), out);
            return Ok(());
        }
        if command.flags.intersects(MINDS_MEMORY)
            && self.is_short(run, client, command.flags.contains(Flags::DENYOOM))?
        {
            Reply::new(out, client.resp3).error(error::OUT_OF_MEMORY);
            run.count_refusal(Some(id), out);
            return Ok(());
        }
        if run.refuses(client, (id, command), args, out) {
            return Ok(());
        }
        if run.holds(command) && run.paused(client, command, args) {
            return Err(Wait::Paused);
        }
        if self.offloads
            && command.flags.contains(Flags::RUNS_SCRIPT)
            && client.may_be_lent()
            && script::is_long(run.server, command, args)
        {
            return Err(Wait::Offload);
        }
        self.run_counted(run, table, client, args, (prepared, (id, command)), out)
    }

    #[inline(always)]
    fn run_known(
        &mut self,
        run: &Run<'_>,
        table: &Table,
        client: &mut Client,
        args: Args<'_>,
        (prepared, command): (Prepared, &'static Command),
        out: &mut Output,
    ) -> Result<(), Wait> {
        if command.keys.is_empty() && !command.flags.intersects(KEYLESS_SECTIONS) {
            return run.call_keyless(client, args, command, out);
        }
        if prepared.key_at == 0 {
            return self.run_many(run, client, args, command, out);
        }
        let key = run.key(table, client, &prepared, args);
        let ran = if command.writes() {
            run.write_one(client, args, command, (prepared.key_at, key), out)?
        } else {
            run.read_one(client, args, command, (prepared.key_at, key), out)?
        };
        match ran {
            Single::Done => Ok(()),
            Single::NeedsSection => self.run_many(run, client, args, command, out),
        }
    }

    /// A command on several keys, or on all of them.
    fn run_many(
        &mut self,
        run: &Run<'_>,
        client: &mut Client,
        args: Args<'_>,
        command: &'static Command,
        out: &mut Output,
    ) -> Result<(), Wait> {
        let closes = Flags::WRITE.union(Flags::CLOSES_ALL).union(Flags::SECTION);
        if !command.flags.intersects(closes) && self.read_many(run, client, args, command, out) {
            return Ok(());
        }
        let mark = out.checkpoint();
        let footprint = Footprint::of(run.server, client, command, args);
        let mut ran = self.run_section(run, client, args, command, footprint, out)?;
        if ran == Ran::Strayed {
            out.rollback(mark);
            ran = self.run_section(run, client, args, command, Footprint::everything(), out)?;
        }
        if ran == Ran::Waits { Err(Wait::Blocked) } else { Ok(()) }
    }

    /// Reads several keys without closing anything; whether that succeeded.
    fn read_many(
        &mut self,
        run: &Run<'_>,
        client: &mut Client,
        args: Args<'_>,
        command: &'static Command,
        out: &mut Output,
    ) -> bool {
        let gate = &run.server.keyspace.gate;
        for _ in 0..OPTIMISTIC_TRIES {
            let mark = out.checkpoint();
            if !gate.snapshot(&mut self.snapshot) {
                std::hint::spin_loop();
                continue;
            }
            run.look_at_clock();
            let (_, waits) = run.call(client, args, command, Entrance::open(Access::Reading), out);
            if waits.is_none() && gate.unchanged(&self.snapshot) {
                return true;
            }
            out.rollback(mark);
            if waits.is_some() {
                return false;
            }
        }
        false
    }

    fn run_section(
        &mut self,
        run: &Run<'_>,
        client: &mut Client,
        args: Args<'_>,
        command: &'static Command,
        footprint: Footprint,
        out: &mut Output,
    ) -> Result<Ran, Wait> {
        let section = blocking::close(run.server, self.lane, footprint)?;
        run.look_at_clock();
        if run.paused(client, command, args) {
            return Err(Wait::Paused);
        }
        if client.is_summoned() {
            return Err(Wait::Again);
        }
        Ok(run.call_in(&section, client, args, command, out))
    }

    /// Runs a waiting command once more, because its time has come: see [`blocking::Block::again_at`].
    #[cold]
    pub fn run_again(&mut self, server: &Server, waiter: &blocking::Waiter) -> Alone {
        blocking::run_again(server, self.lane, waiter)
    }
}

impl Prepared {
    fn looks_up(&self) -> bool {
        self.command.is_some_and(|(_, command)| command.names.is_some())
    }

    /// What a command is that has the name of this one, which was `name`: nearly all of a pipeline are alike.
    #[inline]
    fn again(&self, server: &Server, name: &[u8], args: Args<'_>) -> Option<Prepared> {
        let (_, command) = self.command?;
        // A command of a container has its own name before its key, and the container's in front: that is not enough.
        if command.only_key != 1 || !same(args.get(0)?, name) {
            return None;
        }
        let hash = server.keyspace.hasher.hash(args.get(command.only_key)?);
        Some(Prepared { command: self.command, key_at: command.only_key, hash, bucket: None, entry: None })
    }

    fn new(server: &Server, args: Args<'_>) -> Prepared {
        let command = registry().resolve(args);
        let mut prepared = Prepared { command, key_at: 0, hash: 0, bucket: None, entry: None };
        if let Some((_, command)) = command
            && let Some(at) = single_key(command, args)
            && let Some(key) = args.get(at)
        {
            prepared.key_at = at;
            prepared.hash = server.keyspace.hasher.hash(key);
        }
        prepared
    }
}

/// The argument of a call's only key, if it has exactly one and one step on it is all that the command does.
#[inline]
pub(super) fn single_key(command: &Command, args: Args<'_>) -> Option<usize> {
    if command.only_key != 0 {
        return Some(command.only_key);
    }
    let [spec] = command.keys else { return None };
    if command.flags.intersects(Flags::SEVERAL_STEPS) {
        return None;
    }
    spec.only_key_of(args.len()).or_else(|| spec.only_key_behind_options(args))
}

#[cfg(test)]
pub(super) mod tests;
