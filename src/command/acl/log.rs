//! ACL LOG: what was denied of late, and how often anything was denied at all.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::command::Ctx;
use crate::command::error::NOT_AN_INTEGER;
use crate::command::state::unix_ms;
use crate::protocol::args::{eq_ignore_case, parse_i64};
use crate::sync::{AtomicU64, Ordering};

/// Entries that ACL LOG shows unless it is told how many.
const SHOWN: usize = 10;
/// How many of the newest entries a new one is compared with.
const COMPARED: usize = 10;
/// How long an entry takes in further events of its kind, in milliseconds.
const GROUPING_MS: u64 = 60_000;

/// What a client lacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A right password.
    Auth,
    /// A command.
    Command,
    /// A key.
    Key,
    /// A channel.
    Channel,
}

impl Reason {
    const ALL: [Reason; 4] = [Reason::Auth, Reason::Command, Reason::Key, Reason::Channel];

    fn name(self) -> &'static str {
        ["auth", "command", "key", "channel"][self as usize]
    }
}

/// Where a command came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// The client itself.
    TopLevel,
    /// A transaction.
    Multi,
    /// A script.
    Script,
}

impl Context {
    fn name(self) -> &'static str {
        ["toplevel", "multi", "lua"][self as usize]
    }
}

/// One kind of event.
#[derive(Clone, Debug)]
pub struct Event {
    /// What was lacking.
    pub reason: Reason,
    /// Where.
    pub context: Context,
    /// The command, key or channel.
    pub object: Vec<u8>,
    /// The user, or who the client said to be.
    pub user: Vec<u8>,
    /// The client as CLIENT LIST shows it.
    pub client: Vec<u8>,
}

impl Event {
    fn is_like(&self, other: &Event) -> bool {
        (self.reason, self.context) == (other.reason, other.context)
            && self.object == other.object
            && self.user == other.user
    }
}

struct Entry {
    id: u64,
    count: u64,
    created_ms: u64,
    updated_ms: u64,
    event: Event,
}

#[derive(Default)]
struct Entries {
    /// The newest first.
    list: VecDeque<Entry>,
    next_id: u64,
}

/// The log and its counters.
#[derive(Default)]
pub struct Log {
    entries: Mutex<Entries>,
    denied: [AtomicU64; Reason::ALL.len()],
}

impl Log {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        // Nothing under this lock leaves the list half changed.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an event; of all entries, `most` are kept.
    pub fn add(&self, event: Event, most: usize) {
        self.denied[event.reason as usize].fetch_add(1, Ordering::Relaxed);
        let (now, mut entries) = (unix_ms(), self.entries());
        let fits = |entry: &Entry| {
            now.saturating_sub(entry.updated_ms) <= GROUPING_MS && entry.event.is_like(&event)
        };
        let entry =
            match entries.list.iter().take(COMPARED).position(fits).and_then(|at| entries.list.remove(at)) {
                Some(known) => Entry { count: known.count + 1, updated_ms: now, event, ..known },
                None => {
                    entries.next_id += 1;
                    Entry { id: entries.next_id - 1, count: 1, created_ms: now, updated_ms: now, event }
                }
            };
        entries.list.push_front(entry);
        entries.list.truncate(most);
    }

    /// How often each was lacking, with the name that INFO has for it.
    pub fn counters(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Reason::ALL.iter().map(|reason| {
            let name = match reason {
                Reason::Command => "cmd",
                other => other.name(),
            };
            (name, self.denied[*reason as usize].load(Ordering::Relaxed))
        })
    }
}

/// ACL LOG.
pub(super) fn log(ctx: &mut Ctx<'_>) {
    let log = &ctx.server.users.log;
    let most = match ctx.args.get(2) {
        Some(word) if eq_ignore_case(word, b"reset") => {
            log.entries().list.clear();
            return ctx.reply.ok();
        }
        Some(word) => match parse_i64(word) {
            Some(count) => usize::try_from(count).unwrap_or(0),
            None => return ctx.reply.error(NOT_AN_INTEGER),
        },
        None => SHOWN,
    };
    let entries = log.entries();
    let now = unix_ms();
    ctx.reply.array(entries.list.len().min(most));
    for entry in entries.list.iter().take(most) {
        show(ctx, entry, now);
    }
}

fn show(ctx: &mut Ctx<'_>, entry: &Entry, now: u64) {
    let reply = &mut ctx.reply;
    reply.map(10);
    reply.bulk(b"count");
    reply.int(entry.count as i64);
    for (name, value) in [
        ("reason", entry.event.reason.name().as_bytes()),
        ("context", entry.event.context.name().as_bytes()),
        ("object", &entry.event.object),
        ("username", &entry.event.user),
    ] {
        reply.bulk(name.as_bytes());
        reply.bulk(value);
    }
    reply.bulk(b"age-seconds");
    reply.double(now.saturating_sub(entry.updated_ms) as f64 / 1000.0);
    reply.bulk(b"client-info");
    reply.bulk(&entry.event.client);
    for (name, value) in [
        ("entry-id", entry.id),
        ("timestamp-created", entry.created_ms),
        ("timestamp-last-updated", entry.updated_ms),
    ] {
        reply.bulk(name.as_bytes());
        reply.int(value as i64);
    }
}
