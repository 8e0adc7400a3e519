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

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::client::{Client, NO_COMMAND};
use super::keys;
use super::state::{Server, unix_ms};
use super::table::{Command, Flags, registry};
use super::ticks::ticks;
use super::{Ctx, connection, container, error, stats};
use crate::keyspace::bucket::Bucket;
use crate::keyspace::entry::Entry;
use crate::keyspace::gate::{Closed, Snapshot, Stripe, stripe_of};
use crate::keyspace::reclaim::collect_if_due;
use crate::keyspace::table::{Table, prefetch};
use crate::keyspace::{Access, Key, Space};
use crate::limits::REPLIES_PENDING;
use crate::log_warning;
use crate::memory;
use crate::protocol::args::Args;
use crate::protocol::decoder::Decoder;
use crate::protocol::reply::{Mark, Output, Reply};
use crate::sync::epoch::{Guard, pin};

/// Commands whose lookups overlap. More of them would push each other's lines out of the first-level cache.
const WINDOW: usize = 64;
/// How often a read of several keys tries without closing.
const OPTIMISTIC_TRIES: usize = 3;
/// No command's number.
const UNTIMED: usize = usize::MAX;
/// How often a command looks at something closed before its connection sleeps.
const CLOSED_SPINS: usize = 64;

/// What a worker thread keeps between batches.
pub struct Worker {
    lane: usize,
    window: Vec<Prepared>,
    key_places: Vec<usize>,
    snapshot: Snapshot,
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
    /// The replies have grown to [`REPLIES_PENDING`]: send them and go on at this place.
    Flush(usize),
}

/// Why a command cannot run now.
enum Wait {
    Closed(Closed),
    Paused,
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

/// How far a batch is: the command to run next, and where its reply will begin.
#[derive(Clone, Copy)]
struct Place {
    at: usize,
    mark: Mark,
}

/// Everything that is the same for the commands of one run.
struct Run<'a> {
    server: &'a Server,
    guard: &'a Guard,
    now: u64,
    lane: usize,
    counters: &'a stats::Lane,
    /// The command whose time is being taken, and the tick at which the first of its calls in a row began.
    timed: Cell<(usize, u64)>,
    /// More memory is in use than `maxmemory` allows.
    out_of_memory: Cell<bool>,
}

impl Worker {
    /// The worker that announces in `lane`.
    pub fn new(lane: usize) -> Worker {
        Worker {
            lane,
            window: Vec::with_capacity(WINDOW),
            key_places: Vec::new(),
            snapshot: Snapshot::default(),
        }
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
        let counters = server.stats.lane(self.lane);
        let run = Run {
            server,
            guard: &guard,
            now: unix_ms(),
            lane: self.lane,
            counters,
            timed: Cell::new((UNTIMED, 0)),
            out_of_memory: Cell::default(),
        };
        let mut place = Place { at: from, mark: out.checkpoint() };
        let result =
            catch_unwind(AssertUnwindSafe(|| self.run_batch(&run, client, decoder, &mut place, out)));
        run.time(UNTIMED);
        counters.processed(place.at - from);
        let progress = result.unwrap_or_else(|_| {
            run.abandon(client, decoder.args(place.at), place.mark, out);
            client.closing = true;
            Progress::Done
        });
        client.held = matches!(progress, Progress::Paused(_));
        client.publish(run.now);
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
            let first = place.at;
            let end = (first + WINDOW).min(decoder.batch_len());
            let table = run.server.keyspace.db(client.db).table(run.guard);
            self.prepare(run, table, decoder, first..end);
            run.look_at_memory();
            while place.at < end && !client.ends() {
                let prepared = self.window[place.at - first];
                let outcome = if client.replies.on() {
                    self.run_one(run, table, client, decoder.args(place.at), prepared, out)
                } else {
                    self.run_muted(run, table, client, decoder.args(place.at), prepared, out)
                };
                match outcome {
                    Ok(()) => {}
                    Err(Wait::Closed(closed)) => return Progress::Closed(place.at, closed),
                    Err(Wait::Paused) => return Progress::Paused(place.at),
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
        let keyspace = &run.server.keyspace;
        self.window.clear();
        for i in range {
            let prepared = Prepared::new(run.server, decoder.args(i));
            if prepared.key_at != 0 {
                table.prefetch_directory(prepared.hash);
                keyspace.gate.prefetch(stripe_of(prepared.hash));
            }
            self.window.push(prepared);
        }
        if self.window.len() == 1 {
            return;
        }
        for prepared in self.window.iter_mut().filter(|p| p.key_at != 0) {
            prepared.bucket = Some(table.prefetch_bucket(prepared.hash, run.guard));
        }
        for prepared in &mut self.window {
            prepared.entry =
                prepared.bucket.and_then(|bucket| Table::prefetch_entry(bucket, prepared.hash, run.guard));
        }
        for prepared in &self.window {
            // SAFETY: reached through the table under the run's guard.
            let word = prepared.entry.map(|entry| unsafe { entry.as_ref() }.load());
            if let Some(pointee) = word.and_then(|word| word.pointee()) {
                prefetch(pointee);
            }
        }
    }

    // -- running ------------------------------------------------------------------------------------------------

    /// A command of a client that has said `CLIENT REPLY OFF` or `SKIP`.
    #[cold]
    fn run_muted(
        &mut self,
        run: &Run<'_>,
        table: &Table,
        client: &mut Client,
        args: Args<'_>,
        prepared: Prepared,
        out: &mut Output,
    ) -> Result<(), Wait> {
        client.replies.begin();
        let mark = out.checkpoint();
        self.run_one(run, table, client, args, prepared, out)?;
        if client.replies.end() {
            out.rollback(mark);
        }
        Ok(())
    }

    #[inline]
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
        if run.out_of_memory.get() && command.flags.contains(Flags::DENYOOM) {
            Reply::new(out, client.resp3).error(error::OUT_OF_MEMORY);
            run.count_refusal(Some(id), out);
            return Ok(());
        }
        if run.paused(command) {
            return Err(Wait::Paused);
        }
        run.time(id);
        self.run_known(run, table, client, args, (prepared, command), out)?;
        run.count(Some(id), out);
        Ok(())
    }

    #[inline]
    fn run_known(
        &mut self,
        run: &Run<'_>,
        table: &Table,
        client: &mut Client,
        args: Args<'_>,
        (prepared, command): (Prepared, &'static Command),
        out: &mut Output,
    ) -> Result<(), Wait> {
        if command.keys.is_empty() && !command.flags.intersects(Flags::CLOSES_ALL.union(Flags::STABLE)) {
            run.call(client, args, command, None, Access::Reading, out);
            return Ok(());
        }
        if prepared.key_at == 0 {
            return self.run_many(run, client, args, command, out);
        }
        let key = run.key(table, client, &prepared, args);
        if command.writes() {
            run.write_one(client, args, command, (prepared.key_at, key), out)
        } else {
            Ok(run.read_one(client, args, command, (prepared.key_at, key), out)?)
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
        let gate = &run.server.keyspace.gate;
        let all = command.flags.contains(Flags::CLOSES_ALL);
        if !command.writes() && !all {
            for _ in 0..OPTIMISTIC_TRIES {
                let mark = out.checkpoint();
                if !gate.snapshot(&mut self.snapshot) {
                    std::hint::spin_loop();
                    continue;
                }
                run.call(client, args, command, None, Access::Reading, out);
                if gate.unchanged(&self.snapshot) {
                    return Ok(());
                }
                out.rollback(mark);
            }
        }
        let _section = if all || command.flags.contains(Flags::STABLE) {
            gate.close_all(self.lane)?
        } else {
            gate.close(self.lane, self.stripes(run.server, command, args))?
        };
        if run.paused(command) {
            return Err(Wait::Paused);
        }
        if client.ends() {
            return Ok(());
        }
        run.call(client, args, command, None, Access::Writing, out);
        Ok(())
    }

    /// The stripes of a call's keys, sorted, each once. Arguments that do not fit the specification have none: the
    /// handler answers them with an error before it touches a key.
    fn stripes(&mut self, server: &Server, command: &Command, args: Args<'_>) -> Vec<Stripe> {
        self.key_places.clear();
        keys::extract(command.keys, args, &mut self.key_places);
        let hash = |&at: &usize| server.keyspace.hasher.hash(args.get(at).unwrap_or_default());
        let mut stripes: Vec<Stripe> = self.key_places.iter().map(|at| stripe_of(hash(at))).collect();
        stripes.sort_unstable();
        stripes.dedup();
        stripes
    }
}

impl Prepared {
    #[inline]
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
fn single_key(command: &Command, args: Args<'_>) -> Option<usize> {
    let [spec] = command.keys else { return None };
    if command.flags.contains(Flags::EXCLUSIVE) {
        return None;
    }
    let only = || spec.only_key_of(args.len()).or_else(|| spec.only_key_behind_options(args));
    spec.fixed().or_else(only)
}

impl Run<'_> {
    /// Answers a command that panicked: it may have written half a reply and done half its work, so its connection
    /// cannot go on.
    #[cold]
    fn abandon(&self, client: &mut Client, args: Args<'_>, mark: Mark, out: &mut Output) {
        out.rollback(mark);
        if client.replies.on() {
            Reply::new(out, client.resp3).error("ERR internal error: the command failed and was abandoned");
        }
        let known = registry().resolve(args);
        self.count(known.map(|(id, _)| id), out);
        let name = known.map_or("unknown", |(_, command)| command.name);
        log_warning!("The command '{name}' panicked and was abandoned; its client is disconnected");
    }

    /// Looks whether `maxmemory` is exceeded: once per window, because the sum over all threads is not free.
    #[inline]
    fn look_at_memory(&self) {
        let most = self.server.config.live().maxmemory();
        self.out_of_memory.set(most != 0 && memory::used() > most);
    }

    /// Takes the time of calls of command `id` from here on. The counter costs a fifth of a short command, so calls of
    /// one command in a row are timed together: their sum is exact all the same.
    #[inline]
    fn time(&self, id: usize) {
        let (timed, since) = self.timed.get();
        if timed == id {
            return;
        }
        let now = ticks();
        if timed != UNTIMED {
            self.counters.took(timed, now.saturating_sub(since));
        }
        self.timed.set((id, now));
    }

    #[inline]
    fn paused(&self, command: &Command) -> bool {
        self.server.pause.holds(command, self.now)
    }

    /// The call's key, with the entry that the batch found if it is still the key's.
    #[inline]
    fn key<'k>(&'k self, table: &Table, client: &Client, prepared: &Prepared, args: Args<'k>) -> Key<'k> {
        let bytes = args.get(prepared.key_at).unwrap_or_default();
        // A command of this batch may have selected or exchanged the database since the lookup.
        let current = std::ptr::eq(table, self.server.keyspace.db(client.db).table(self.guard));
        let hint = prepared.entry.filter(|_| current).map(|entry| {
            // SAFETY: reached through the table under this run's guard.
            unsafe { entry.as_ref() }
        });
        Key { bytes, hash: prepared.hash, hint: hint.filter(|entry| entry.key() == bytes) }
    }

    /// Counts a call that has run and replied.
    #[inline]
    fn count(&self, id: Option<usize>, out: &mut Output) {
        if let Some(id) = id {
            self.counters.called(id);
        }
        if out.has_error() {
            self.count_error(id, out, stats::Lane::failed);
        }
    }

    #[cold]
    fn count_refusal(&self, id: Option<usize>, out: &mut Output) {
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
    fn write_one(
        &self,
        client: &mut Client,
        args: Args<'_>,
        command: &'static Command,
        key: (usize, Key<'_>),
        out: &mut Output,
    ) -> Result<(), Wait> {
        let gate = &self.server.keyspace.gate;
        let _announced = spin(|| gate.announce(self.lane, key.1.stripe()))?;
        // What was looked at before the announcement does not count for writes: see `pause`, and CLIENT KILL.
        if self.paused(command) {
            return Err(Wait::Paused);
        }
        if client.ends() {
            return Ok(());
        }
        self.call(client, args, command, Some(key), Access::Writing, out);
        Ok(())
    }

    #[inline]
    fn read_one(
        &self,
        client: &mut Client,
        args: Args<'_>,
        command: &'static Command,
        key: (usize, Key<'_>),
        out: &mut Output,
    ) -> Result<(), Closed> {
        let gate = &self.server.keyspace.gate;
        let mark = out.checkpoint();
        spin(|| {
            self.call(client, args, command, Some(key), Access::Reading, out);
            gate.check(key.1.stripe()).inspect_err(|_| out.rollback(mark))
        })
    }

    #[inline]
    fn call(
        &self,
        client: &mut Client,
        args: Args<'_>,
        command: &'static Command,
        first_key: Option<(usize, Key<'_>)>,
        access: Access,
        out: &mut Output,
    ) {
        let space = Space::new(&self.server.keyspace, client.db, self.guard, self.lane, self.now, access);
        // TOUCH is there to move the clock, whatever its client said.
        let space = space.touching(!client.no_touch || command.name == "touch");
        let reply = Reply::new(out, client.resp3);
        let mut ctx = Ctx { server: self.server, client, space: &space, args, reply, command, first_key };
        (command.handler)(&mut ctx);
    }
}

#[cold]
fn answer_unknown(client: &mut Client, args: Args<'_>, out: &mut Output) {
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

#[cfg(test)]
#[path = "exec_tests.rs"]
pub(super) mod tests;
