//! MEMORY: where the bytes are.

use crate::command::keys::{KeyFlags, KeySpec};
use crate::command::table::{Categories, Command, Flags};
use crate::command::{Ctx, container, error};
use crate::memory;
use crate::protocol::args::{eq_ignore_case, parse_i64};
use crate::protocol::reply::Reply;

const NONE: Categories = Categories::empty();
const KEY: &[KeySpec] = &[KeySpec::one(2, KeyFlags::RO)];

/// Bytes of the table that a key takes on average: its pointer in a bucket, and an eighth of the bucket's head and
/// of its word in the directory.
const TABLE_SHARE: usize = 12;

pub(super) const COMMANDS: &[Command] = &[
    Command::new("memory|doctor", 2, Flags::empty(), NONE, &[], doctor).docs(
        "server",
        "4.0.0",
        "Says whether something is wrong with the memory.",
        "O(1)",
        "",
    ),
    Command::new("memory|help", 2, Flags::LOADING.union(Flags::STALE), NONE, &[], help).docs(
        "server",
        "4.0.0",
        "Explains the subcommands.",
        "O(1)",
        "",
    ),
    Command::new("memory|malloc-stats", 2, Flags::empty(), NONE, &[], malloc_stats).docs(
        "server",
        "4.0.0",
        "Tells what the allocator counts.",
        "O(1)",
        "",
    ),
    Command::new("memory|purge", 2, Flags::empty(), NONE, &[], purge).docs(
        "server",
        "4.0.0",
        "Gives unlinked memory back as soon as its readers allow.",
        "O(1)",
        "",
    ),
    Command::new("memory|stats", 2, Flags::empty(), NONE, &[], stats).docs(
        "server",
        "4.0.0",
        "Tells what the memory is used for.",
        "O(D) where D is the number of databases.",
        "",
    ),
    Command::new("memory|usage", -3, Flags::READONLY, NONE, KEY, usage).docs(
        "server",
        "4.0.0",
        "Tells how many bytes a key and its value take.",
        "O(1)",
        "key [SAMPLES count]",
    ),
];

fn usage(ctx: &mut Ctx<'_>) {
    if let Err(text) = check_samples(ctx) {
        return ctx.reply.error(text);
    }
    match ctx.space.peek(ctx.key(2)) {
        Some(live) => ctx.reply.int((live.heap_bytes() + TABLE_SHARE) as i64),
        None => ctx.reply.null(),
    }
}

/// SAMPLES bounds the work on values of many parts; the size of every value that there is now is known exactly.
fn check_samples(ctx: &Ctx<'_>) -> Result<(), &'static str> {
    for at in (3..ctx.args.len()).step_by(2) {
        let count = ctx.args.get(at + 1).filter(|_| eq_ignore_case(ctx.arg(at), b"samples"));
        let count = parse_i64(count.ok_or(error::SYNTAX)?).ok_or(error::NOT_AN_INTEGER)?;
        if count < 0 {
            return Err(error::SYNTAX);
        }
    }
    Ok(())
}

// -- STATS ------------------------------------------------------------------------------------------------------

/// One line of STATS.
enum Line {
    Count(&'static str, u64),
    Share(&'static str, f64),
    Database(usize, u64),
}

/// What Redis lists and nothing is allocated for here.
const UNUSED: [&str; 6] = [
    "replication.backlog",
    "clients.slaves",
    "cluster.links",
    "aof.buffer",
    "lua.caches",
    "functions.caches",
];

fn stats(ctx: &mut Ctx<'_>) {
    let lines = stat_lines(ctx);
    ctx.reply.map(lines.len());
    for line in lines {
        match line {
            Line::Count(name, count) => {
                ctx.reply.bulk(name.as_bytes());
                ctx.reply.int(count as i64);
            }
            Line::Share(name, share) => {
                ctx.reply.bulk(name.as_bytes());
                ctx.reply.double(share);
            }
            Line::Database(number, overhead) => database(&mut ctx.reply, number, overhead),
        }
    }
}

fn database(reply: &mut Reply<'_>, number: usize, overhead: u64) {
    reply.bulk(format!("db.{number}").as_bytes());
    reply.map(2);
    reply.bulk(b"overhead.hashtable.main");
    reply.int(overhead as i64);
    // Deadlines are part of the values: there is no second table.
    reply.bulk(b"overhead.hashtable.expires");
    reply.int(0);
}

fn stat_lines(ctx: &Ctx<'_>) -> Vec<Line> {
    let space = ctx.space;
    let used = memory::used();
    let dbs = (0..space.keyspace.databases()).map(|db| (db, space.other(db)));
    let tables: Vec<(usize, u64, u64)> = dbs
        .map(|(db, space)| (db, space.table().len(), space.table().overhead_bytes()))
        .filter(|&(_, keys, _)| keys > 0)
        .collect();
    let keys: u64 = tables.iter().map(|&(_, keys, _)| keys).sum();
    let overhead: u64 = tables.iter().map(|&(_, _, overhead)| overhead).sum();
    let dataset = used.saturating_sub(overhead);
    let mut lines =
        vec![Line::Count("total.allocated", used), Line::Count("garbage.bytes", memory::garbage())];
    lines.extend(UNUSED.map(|name| Line::Count(name, 0)));
    lines.extend(tables.iter().map(|&(db, _, overhead)| Line::Database(db, overhead)));
    lines.extend([
        Line::Count("overhead.total", overhead),
        Line::Count("keys.count", keys),
        Line::Count("keys.bytes-per-key", used.checked_div(keys).unwrap_or(0)),
        Line::Count("dataset.bytes", dataset),
        Line::Share("dataset.percentage", percentage(dataset, used)),
        Line::Count("allocator.allocated", used),
    ]);
    lines.extend(resident_lines(used));
    lines
}

fn percentage(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// What the system says, where it says it.
fn resident_lines(used: u64) -> impl Iterator<Item = Line> {
    let lines = memory_resident().map(|resident| {
        [
            Line::Count("allocator.resident", resident),
            Line::Share("fragmentation", resident as f64 / used.max(1) as f64),
            Line::Count("fragmentation.bytes", resident.saturating_sub(used)),
        ]
    });
    lines.into_iter().flatten()
}

/// Resident bytes of the process, from Linux's `/proc`.
fn memory_resident() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    // SAFETY: sysconf only reads a constant of the system.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    Some(pages * u64::try_from(page).ok()?)
}

// -- the others -------------------------------------------------------------------------------------------------

fn doctor(ctx: &mut Ctx<'_>) {
    let text = format!(
        "{} bytes are allocated, of which {} wait until no command can be reading them. Nothing else is diagnosed.",
        memory::used(),
        memory::garbage(),
    );
    ctx.reply.verbatim(b"txt", text.as_bytes());
}

fn malloc_stats(ctx: &mut Ctx<'_>) {
    let text = format!(
        "allocator: mimalloc\nallocated: {}\nunlinked: {}\nfreeing: {}\n",
        memory::used(),
        memory::garbage(),
        crate::keyspace::reclaim::pending(),
    );
    ctx.reply.verbatim(b"txt", text.as_bytes());
}

/// Moves the epoch on: what nobody reads any more is freed now instead of some commands later.
fn purge(ctx: &mut Ctx<'_>) {
    ctx.space.guard().flush();
    ctx.reply.ok();
}

fn help(ctx: &mut Ctx<'_>) {
    container::help(
        ctx,
        &[
            "DOCTOR",
            "    Return a report on problems with the memory.",
            "MALLOC-STATS",
            "    Return what the allocator counts.",
            "PURGE",
            "    Free what was unlinked and is not read any more.",
            "STATS",
            "    Return what the memory is used for.",
            "USAGE <key> [SAMPLES <count>]",
            "    Return the bytes that <key> and its value take. Of values with many parts",
            "    <count> parts are measured (default: 5, 0 means all).",
        ],
    );
}
