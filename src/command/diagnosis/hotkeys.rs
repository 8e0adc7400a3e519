//! HOTKEYS: the keys that cost most time, or most bytes on the network, while a session collects.
//!
//! Every thread counts on its own, and GET merges. A thread keeps a bounded number of keys by the *space saving* method
//! (Metwally, Agrawal and El Abbadi, 2005): a key that finds no room takes the place of the one that cost least, and its
//! cost, so that no key that costs much is missed.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Seen;
use crate::command::state::unix_ms;
use crate::command::table::{Categories, Command, Flags};
use crate::command::{Ctx, container, error, keys, ticks};
use crate::protocol::args::{eq_ignore_case, parse_i64};
use crate::sync::{AtomicBool, AtomicUsize, Ordering};

/// Parts that threads count in.
const PARTS: usize = 32;
/// Keys that a part keeps for each that is shown.
const ROOM: usize = 16;
/// Keys that are shown unless told otherwise.
const SHOWN: usize = 10;

const ADMIN: Flags = Flags::ADMIN.union(Flags::NOSCRIPT);
const NONE: Categories = Categories::empty();

pub(super) const COMMAND: Command = Command::container("hotkeys", SUBCOMMANDS).docs(
    "server",
    "8.6.0",
    "Contains the commands about the keys that cost most.",
    "Depends on subcommand.",
    "",
);

#[rustfmt::skip]
const SUBCOMMANDS: &[Command] = &[
    Command::new("hotkeys|get", 2, ADMIN, NONE, &[], get).docs("server", "8.6.0", "Shows what was collected.", "O(K) where K is the number of hot keys returned", ""),
    Command::new("hotkeys|help", 2, Flags::LOADING.union(Flags::STALE), NONE, &[], help).docs("server", "8.6.1", "Explains the subcommands.", "O(1)", ""),
    Command::new("hotkeys|reset", 2, ADMIN, NONE, &[], reset).docs("server", "8.6.0", "Forgets what was collected.", "O(1)", ""),
    Command::new("hotkeys|start", -4, ADMIN, NONE, &[], start).docs("server", "8.6.0", "Begins to collect.", "O(1)", "METRICS count [CPU] [NET] [COUNT k] [DURATION seconds] [SAMPLE ratio] [SLOTS count slot [slot ...]]"),
    Command::new("hotkeys|stop", 2, ADMIN, NONE, &[], stop).docs("server", "8.6.0", "Ends collecting.", "O(1)", ""),
];

/// What START was asked for.
#[derive(Clone, Copy)]
struct Wish {
    cpu: bool,
    net: bool,
    shown: usize,
    duration: Option<Duration>,
    /// One call of so many is counted.
    sample: u64,
}

/// A session: when it ran, and what for.
#[derive(Clone, Copy)]
struct Session {
    wish: Wish,
    began_ms: u64,
    began: Instant,
    /// How long it lasted, once it is over.
    lasted: Option<Duration>,
    /// Processor time of the process at the start, and then of the session: user and system, in milliseconds.
    processor: (u64, u64),
}

/// The costliest keys of one part.
#[derive(Default)]
struct Costs(HashMap<Box<[u8]>, u64>);

impl Costs {
    fn add(&mut self, key: &[u8], cost: u64, room: usize) {
        if let Some(sum) = self.0.get_mut(key) {
            *sum += cost;
            return;
        }
        let mut inherited = 0;
        if self.0.len() >= room
            && let Some((least, sum)) = self.0.iter().min_by_key(|(_, sum)| **sum)
        {
            inherited = *sum;
            let least = least.clone();
            self.0.remove(&least);
        }
        self.0.insert(key.into(), inherited + cost);
    }
}

/// What some threads have counted.
#[derive(Default)]
struct Part {
    by_time: Costs,
    by_bytes: Costs,
    calls: u64,
    ticks: u64,
    bytes: u64,
}

/// The collection.
#[derive(Default)]
pub struct HotKeys {
    active: AtomicBool,
    session: Mutex<Option<Session>>,
    parts: [Mutex<Part>; PARTS],
}

thread_local! {
    static PART: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The number of this thread's part.
fn own_part() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let part = PART.get().unwrap_or_else(|| NEXT.fetch_add(1, Ordering::Relaxed) % PARTS);
    PART.set(Some(part));
    part
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A count that a panic left out is a count that is a little too low.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Processor time of the process in milliseconds: user and system.
fn processor() -> (u64, u64) {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is valid for the write of one `rusage`, for which all zeros are a valid value should the call
    // fail.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let millis = |time: libc::timeval| time.tv_sec as u64 * 1000 + time.tv_usec as u64 / 1000;
    (millis(usage.ru_utime), millis(usage.ru_stime))
}

impl HotKeys {
    /// Whether calls are counted.
    pub fn is_active(&self) -> bool {
        self.active.load(Ordering::Relaxed)
    }

    /// Counts a call.
    pub(super) fn count(&self, seen: &Seen<'_>) {
        let Some(wish) = locked(&self.session).map(|session| session.wish) else { return };
        let mut part = locked(&self.parts[own_part()]);
        part.calls += 1;
        part.ticks += seen.ticks;
        part.bytes += seen.bytes;
        if !part.calls.is_multiple_of(wish.sample) {
            return;
        }
        let (args, mut places) = (seen.call.args, Vec::new());
        keys::extract(seen.call.command.keys, args, &mut places);
        for key in places.iter().filter_map(|&at| args.get(at)) {
            let room = ROOM * wish.shown;
            if wish.cpu {
                part.by_time.add(key, seen.ticks, room);
            }
            if wish.net {
                part.by_bytes.add(key, seen.bytes, room);
            }
        }
    }

    /// Ends a session whose time is over.
    pub fn tick(&self) {
        let over = |session: &Session| {
            session.wish.duration.is_some_and(|duration| session.began.elapsed() >= duration)
        };
        if self.is_active() && locked(&self.session).as_ref().is_some_and(over) {
            self.end();
        }
    }

    /// Whether there was a session to end.
    fn end(&self) -> bool {
        let active = self.active.swap(false, Ordering::Relaxed);
        if let (true, Some(session)) = (active, locked(&self.session).as_mut()) {
            let now = processor();
            session.lasted = Some(session.began.elapsed());
            session.processor = (now.0 - session.processor.0, now.1 - session.processor.1);
        }
        active
    }

    fn begin(&self, wish: Wish) {
        self.parts.iter().for_each(|part| *locked(part) = Part::default());
        let (began_ms, began, processor) = (unix_ms(), Instant::now(), processor());
        *locked(&self.session) = Some(Session { wish, began_ms, began, lasted: None, processor });
        self.active.store(true, Ordering::Relaxed);
    }

    /// The costliest `count` keys over all parts.
    fn merged(&self, of: impl Fn(&Part) -> &Costs, count: usize) -> Vec<(Box<[u8]>, u64)> {
        let mut sums: HashMap<Box<[u8]>, u64> = HashMap::new();
        for part in &self.parts {
            for (key, cost) in &of(&locked(part)).0 {
                *sums.entry(key.clone()).or_default() += cost;
            }
        }
        let mut all: Vec<_> = sums.into_iter().collect();
        all.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        all.truncate(count);
        all
    }

    /// The keys that cost most time, in nanoseconds each.
    pub fn by_time(&self) -> Vec<(Box<[u8]>, u64)> {
        let shown = locked(&self.session).map_or(0, |session| session.wish.shown);
        let mut keys = self.merged(|part| &part.by_time, shown);
        keys.iter_mut().for_each(|(_, cost)| *cost = ticks::nanos(*cost));
        keys
    }

    fn sum(&self, of: impl Fn(&Part) -> u64) -> u64 {
        self.parts.iter().map(|part| of(&locked(part))).sum()
    }
}

// -- the commands ---------------------------------------------------------------------------------------------------

fn start(ctx: &mut Ctx<'_>) {
    let hotkeys = &ctx.server.diagnosis.hotkeys;
    match parse(ctx) {
        Err(text) => ctx.reply.error(&text),
        Ok(_) if hotkeys.is_active() => {
            ctx.reply.error("ERR hotkey tracking session already in progress");
        }
        Ok(wish) => {
            hotkeys.begin(wish);
            ctx.server.diagnosis.look(&ctx.server.hub);
            ctx.reply.ok();
        }
    }
}

fn number(word: Option<&[u8]>, from: i64, to: i64, what: &str) -> Result<i64, String> {
    let number = word.and_then(parse_i64).filter(|number| (from..=to).contains(number));
    number.ok_or_else(|| format!("ERR {what} must be between {from} and {to}"))
}

fn parse(ctx: &Ctx<'_>) -> Result<Wish, String> {
    if !eq_ignore_case(ctx.arg(2), b"metrics") {
        return Err("ERR METRICS parameter is required".into());
    }
    let metrics = number(ctx.args.get(3), 1, 2, "METRICS count")?;
    let mut wish = Wish { cpu: false, net: false, shown: SHOWN, duration: None, sample: 1 };
    let mut at = 4;
    for _ in 0..metrics {
        match ctx.args.get(at) {
            Some(word) if eq_ignore_case(word, b"cpu") && !wish.cpu => wish.cpu = true,
            Some(word) if eq_ignore_case(word, b"net") && !wish.net => wish.net = true,
            _ => return Err("ERR METRICS count does not match number of metric types provided".into()),
        }
        at += 1;
    }
    while let Some(word) = ctx.args.get(at) {
        let value = ctx.args.get(at + 1);
        let is = |name: &[u8]| eq_ignore_case(word, name);
        if is(b"count") {
            wish.shown = number(value, 1, 64, "COUNT")? as usize;
        } else if is(b"duration") {
            wish.duration = Some(Duration::from_secs(number(value, 1, 1_000_000, "DURATION")? as u64));
        } else if is(b"sample") {
            wish.sample = number(value, 1, i64::from(i32::MAX), "SAMPLE ratio")? as u64;
        } else if is(b"slots") {
            return Err("ERR SLOTS parameter cannot be used in non-cluster mode".into());
        } else {
            return Err(error::SYNTAX.into());
        }
        at += 2;
    }
    Ok(wish)
}

fn stop(ctx: &mut Ctx<'_>) {
    if ctx.server.diagnosis.hotkeys.end() {
        ctx.server.diagnosis.look(&ctx.server.hub);
        ctx.reply.ok();
    } else {
        ctx.reply.null();
    }
}

fn reset(ctx: &mut Ctx<'_>) {
    let hotkeys = &ctx.server.diagnosis.hotkeys;
    if hotkeys.is_active() {
        return ctx.reply.error("ERR hotkey tracking session in progress, stop tracking first");
    }
    *locked(&hotkeys.session) = None;
    hotkeys.parts.iter().for_each(|part| *locked(part) = Part::default());
    ctx.reply.ok();
}

fn get(ctx: &mut Ctx<'_>) {
    let hotkeys = &ctx.server.diagnosis.hotkeys;
    let Some(session) = *locked(&hotkeys.session) else { return ctx.reply.null() };
    let active = hotkeys.is_active();
    let lasted = session.lasted.unwrap_or_else(|| session.began.elapsed());
    let (user, system) = match session.lasted {
        Some(_) => session.processor,
        None => {
            let now = processor();
            (now.0 - session.processor.0, now.1 - session.processor.1)
        }
    };
    let called_ms = ticks::micros(hotkeys.sum(|part| part.ticks)) / 1000;
    let bytes = hotkeys.sum(|part| part.bytes);
    let wish = session.wish;
    let mut numbers = vec![("tracking-active", u64::from(active)), ("sample-ratio", wish.sample)];
    numbers.push(("all-commands-all-slots-ms", called_ms));
    numbers.push(("collection-start-time-unix-ms", session.began_ms));
    numbers.push(("collection-duration-ms", lasted.as_millis() as u64));
    if wish.cpu {
        numbers.extend([("total-cpu-time-user-ms", user), ("total-cpu-time-sys-ms", system)]);
    }
    if wish.net {
        numbers.push(("total-net-bytes", bytes));
    }
    let mut lists = Vec::new();
    if wish.cpu {
        let micros = hotkeys.by_time().into_iter().map(|(key, nanos)| (key, nanos / 1000)).collect();
        lists.push(("by-cpu-time", micros));
    }
    if wish.net {
        lists.push(("by-net-bytes", hotkeys.merged(|part| &part.by_bytes, wish.shown)));
    }
    show(ctx, &numbers, &lists);
}

type Costliest = Vec<(Box<[u8]>, u64)>;

/// The reply of GET: pairs of names and values, with the selected slots, which are all of them, in their place.
fn show(ctx: &mut Ctx<'_>, numbers: &[(&str, u64)], lists: &[(&str, Costliest)]) {
    let reply = &mut ctx.reply;
    reply.map(numbers.len() + lists.len() + 1);
    for (at, (name, value)) in numbers.iter().enumerate() {
        reply.bulk(name.as_bytes());
        reply.int(*value as i64);
        if at == 1 {
            reply.bulk(b"selected-slots");
            reply.array(1);
            reply.array(2);
            reply.int(0);
            reply.int(16383);
        }
    }
    for (name, keys) in lists {
        reply.bulk(name.as_bytes());
        reply.array(2 * keys.len());
        for (key, cost) in keys {
            reply.bulk(key);
            reply.int(*cost as i64);
        }
    }
}

fn help(ctx: &mut Ctx<'_>) {
    container::help(
        ctx,
        &[
            "START METRICS <count> [CPU] [NET] [COUNT <k>] [DURATION <seconds>] [SAMPLE <ratio>]",
            "    Begin to collect the <k> keys that cost most time or most bytes.",
            "STOP",
            "    End collecting.",
            "GET",
            "    Show what was collected.",
            "RESET",
            "    Forget what was collected.",
        ],
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_costs_much_survives_among_many() {
        let mut costs = Costs::default();
        for round in 0..1000u64 {
            costs.add(b"hot", 10, 8);
            costs.add(&round.to_le_bytes(), 1, 8);
        }
        let most = costs.0.iter().max_by_key(|(_, cost)| **cost).expect("keys");
        assert_eq!((&**most.0, costs.0.len()), (&b"hot"[..], 8));
        assert!(*most.1 >= 10_000);
    }
}
