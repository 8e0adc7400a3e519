//! SLOWLOG: the last calls that took long.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Seen, Source, redact};
use crate::command::state::unix_ms;
use crate::command::table::{Categories, Command, Flags};
use crate::command::{Ctx, container, error};
use crate::protocol::args::parse_i64;

/// Words of an entry at most; the last stands for all that are left out.
const WORDS: usize = 32;
/// Bytes of a word at most, before it says how many were left out.
const WORD_BYTES: usize = 128;
/// Entries that GET shows unless told otherwise.
const SHOWN: i64 = 10;

const ADMIN: Flags = Flags::ADMIN.union(Flags::LOADING).union(Flags::STALE);
const NONE: Categories = Categories::empty();

pub(super) const COMMAND: Command = Command::container("slowlog", SUBCOMMANDS).docs(
    "server",
    "2.2.12",
    "Contains the commands about slow calls.",
    "Depends on subcommand.",
    "",
);

#[rustfmt::skip]
const SUBCOMMANDS: &[Command] = &[
    Command::new("slowlog|get", -2, ADMIN, NONE, &[], get).docs("server", "2.2.12", "Shows the latest slow calls.", "O(N) where N is the number of entries returned", "[count]"),
    Command::new("slowlog|help", 2, Flags::LOADING.union(Flags::STALE), NONE, &[], help).docs("server", "6.2.0", "Explains the subcommands.", "O(1)", ""),
    Command::new("slowlog|len", 2, ADMIN, NONE, &[], len).docs("server", "2.2.12", "Counts the slow calls that are kept.", "O(1)", ""),
    Command::new("slowlog|reset", 2, ADMIN, NONE, &[], reset).docs("server", "2.2.12", "Forgets the slow calls.", "O(N) where N is the number of entries in the slowlog", ""),
];

/// One slow call.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its number, never used twice.
    pub id: u64,
    /// Unix time in seconds.
    pub time: u64,
    /// How long it took, in microseconds.
    pub micros: u64,
    /// Its words, shortened and without secrets.
    pub words: Vec<Vec<u8>>,
    /// The client's address.
    pub addr: String,
    /// The client's name.
    pub name: Vec<u8>,
}

/// The last slow calls, the latest in front.
#[derive(Default)]
pub struct SlowLog(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    entries: VecDeque<Entry>,
    next_id: u64,
}

impl SlowLog {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Every step under the lock leaves a log that can be shown.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a call that took `micros` microseconds, and keeps the latest `most`.
    pub(super) fn add(&self, seen: &Seen<'_>, micros: u64, most: usize) {
        let (addr, name) = match seen.source {
            Source::Client(client) => (client.shared.addr.clone(), client.shared.names().name.clone()),
            Source::Script => ("?:0".into(), Vec::new()),
        };
        let (time, words) = (unix_ms() / 1000, words(seen));
        let mut kept = self.kept();
        let id = kept.next_id;
        kept.next_id += 1;
        kept.entries.push_front(Entry { id, time, micros, words, addr, name });
        kept.entries.truncate(most);
    }

    /// The latest `count` entries.
    pub fn latest(&self, count: usize) -> Vec<Entry> {
        self.kept().entries.iter().take(count).cloned().collect()
    }
}

/// The words of an entry.
fn words(seen: &Seen<'_>) -> Vec<Vec<u8>> {
    let all = redact::shown(seen.call.command, seen.call.args);
    let count = all.len();
    if count <= WORDS {
        return all.map(word).collect();
    }
    let mut words: Vec<Vec<u8>> = all.take(WORDS - 1).map(word).collect();
    words.push(format!("... ({} more arguments)", count - WORDS + 1).into_bytes());
    words
}

fn word(word: &[u8]) -> Vec<u8> {
    match word.split_at_checked(WORD_BYTES) {
        Some((head, tail)) if !tail.is_empty() => {
            [head, format!("... ({} more bytes)", tail.len()).as_bytes()].concat()
        }
        _ => word.to_vec(),
    }
}

fn get(ctx: &mut Ctx<'_>) {
    if ctx.args.len() > 3 {
        let text = container::wrong_words(ctx.args);
        return ctx.reply.error(&text);
    }
    let count = match ctx.args.get(2).map(parse_i64) {
        None => SHOWN,
        Some(None) => return ctx.reply.error(error::NOT_AN_INTEGER),
        Some(Some(-1)) => i64::MAX,
        Some(Some(count)) if count >= 0 => count,
        Some(Some(_)) => return ctx.reply.error("ERR count should be greater than or equal to -1"),
    };
    let entries = ctx.server.diagnosis.slowlog.latest(usize::try_from(count).unwrap_or(usize::MAX));
    ctx.reply.array(entries.len());
    entries.iter().for_each(|entry| show(ctx, entry));
}

fn show(ctx: &mut Ctx<'_>, entry: &Entry) {
    let reply = &mut ctx.reply;
    reply.array(6);
    reply.int(entry.id as i64);
    reply.int(entry.time as i64);
    reply.int(entry.micros as i64);
    reply.array(entry.words.len());
    entry.words.iter().for_each(|word| reply.bulk(word));
    reply.bulk(entry.addr.as_bytes());
    reply.bulk(&entry.name);
}

fn len(ctx: &mut Ctx<'_>) {
    let len = ctx.server.diagnosis.slowlog.kept().entries.len();
    ctx.reply.int(len as i64);
}

fn reset(ctx: &mut Ctx<'_>) {
    ctx.server.diagnosis.slowlog.kept().entries.clear();
    ctx.reply.ok();
}

fn help(ctx: &mut Ctx<'_>) {
    container::help(
        ctx,
        &[
            "GET [<count>]",
            "    Show the latest slow calls: ten, <count>, or all of them if that is -1. Each has",
            "    its number, Unix time, microseconds, words, and the client's address and name.",
            "LEN",
            "    Count the slow calls that are kept.",
            "RESET",
            "    Forget them.",
        ],
    );
}
