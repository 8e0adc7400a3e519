//! MEMORY: where the bytes are.

use crate::command::keys::{KeyFlags, KeySpec};
use crate::command::server::memory::{Report, percentage};
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
    Bytes(&'static str, i64),
    Share(&'static str, f64),
    Database(usize, u64),
}

fn stats(ctx: &mut Ctx<'_>) {
    let lines = stat_lines(&report(ctx));
    ctx.reply.map(lines.len());
    for line in lines {
        match line {
            Line::Count(name, count) => {
                ctx.reply.bulk(name.as_bytes());
                ctx.reply.int(count as i64);
            }
            Line::Bytes(name, bytes) => {
                ctx.reply.bulk(name.as_bytes());
                ctx.reply.int(bytes);
            }
            Line::Share(name, share) => {
                ctx.reply.bulk(name.as_bytes());
                ctx.reply.double(share);
            }
            Line::Database(number, overhead) => database(&mut ctx.reply, number, overhead),
        }
    }
}

fn report(ctx: &Ctx<'_>) -> Report {
    Report::new(ctx.server, ctx.space.guard(), memory::used())
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

fn stat_lines(report: &Report) -> Vec<Line> {
    let mut lines = vec![
        Line::Count("peak.allocated", report.peak),
        Line::Count("total.allocated", report.used),
        Line::Count("startup.allocated", report.startup),
        Line::Count("replication.backlog", 0),
        Line::Count("clients.slaves", 0),
        Line::Count("clients.normal", report.clients),
        Line::Count("cluster.links", 0),
        Line::Count("aof.buffer", 0),
        Line::Count("lua.caches", report.scripts.1),
        Line::Count("functions.caches", report.functions.2),
        Line::Count("garbage.bytes", report.unlinked),
    ];
    lines.extend(report.databases.iter().map(|&(number, _, overhead)| Line::Database(number, overhead)));
    lines.extend([
        Line::Count("overhead.total", report.overhead()),
        Line::Count("keys.count", report.keys()),
        Line::Count("keys.bytes-per-key", report.bytes_per_key()),
        Line::Count("dataset.bytes", report.dataset()),
        Line::Share("dataset.percentage", report.dataset_percentage()),
        Line::Share("peak.percentage", percentage(report.used, report.peak)),
    ]);
    lines.extend(allocator_lines(report));
    lines
}

/// As in INFO, the allocator has all that the process has.
fn allocator_lines(report: &Report) -> [Line; 11] {
    let (ratio, bytes) = (report.fragmentation(), report.fragmentation_bytes());
    [
        Line::Count("allocator.allocated", report.used),
        Line::Count("allocator.active", report.resident),
        Line::Count("allocator.resident", report.resident),
        Line::Share("allocator-fragmentation.ratio", ratio),
        Line::Bytes("allocator-fragmentation.bytes", bytes),
        Line::Share("allocator-rss.ratio", 1.0),
        Line::Bytes("allocator-rss.bytes", 0),
        Line::Share("rss-overhead.ratio", 1.0),
        Line::Bytes("rss-overhead.bytes", 0),
        Line::Share("fragmentation", ratio),
        Line::Bytes("fragmentation.bytes", bytes),
    ]
}

// -- DOCTOR -----------------------------------------------------------------------------------------------------

/// Bytes below which nothing is worth a diagnosis: fixed costs are most of it.
const TOO_LITTLE: u64 = 5 << 20;
/// What is resident beyond what is used, from which on it matters.
const MUCH_UNUSED: i64 = 10 << 20;
/// Bytes of a client's buffers on average, from which on somebody does not read.
const LARGE_CLIENT: u64 = 200 << 10;
/// Scripts from which on somebody makes new ones all the time.
const MANY_SCRIPTS: u64 = 1000;

fn doctor(ctx: &mut Ctx<'_>) {
    let text = diagnosis(&report(ctx), ctx.server.clients.len() as u64);
    ctx.reply.verbatim(b"txt", text.as_bytes());
}

/// What is wrong, in the doctor's words.
fn diagnosis(report: &Report, clients: u64) -> String {
    if report.used < TOO_LITTLE {
        return "There is too little in memory for a diagnosis.".into();
    }
    let complaints = complaints(report, clients);
    if complaints.is_empty() {
        return "The memory is in good health.".into();
    }
    format!("{} finding(s):\n\n{}", complaints.len(), complaints.join("\n"))
}

fn complaints(report: &Report, clients: u64) -> Vec<&'static str> {
    let found = [
        (
            report.peak > report.used / 2 * 3,
            " * Peak: at times more than half as much again was in use. The allocator may keep pages from then, which \
             the next growth uses; MEMORY PURGE gives them back.",
        ),
        (
            report.fragmentation() > 1.4 && report.fragmentation_bytes() > MUCH_UNUSED,
            " * Fragmentation: much more is resident than is in use. Values of very different sizes that come and go \
             do that.",
        ),
        (
            report.unlinked > report.used / 10,
            " * Unlinked values: a tenth of the memory waits to be freed, because a command or script that began before \
             still runs, or because much was deleted just now.",
        ),
        (
            report.clients > LARGE_CLIENT * clients,
            " * Clients: their buffers are large on average. CLIENT LIST shows whose (tot-mem); maxmemory-clients and \
             client-output-buffer-limit bound them.",
        ),
        (
            report.scripts.0 > MANY_SCRIPTS,
            " * Scripts: very many are kept. Those whose text differs in a value only should take it as an argument.",
        ),
    ];
    found.into_iter().filter(|(is, _)| *is).map(|(_, text)| text).collect()
}

// -- the others -------------------------------------------------------------------------------------------------

fn malloc_stats(ctx: &mut Ctx<'_>) {
    let report = report(ctx);
    let mut text = format!(
        "allocated: {}\nunlinked: {}\nfreeing: {} objects\n",
        report.used,
        report.unlinked,
        crate::keyspace::reclaim::pending(),
    )
    .into_bytes();
    text.extend(memory::allocator_text());
    ctx.reply.verbatim(b"txt", &text);
}

/// Moves the epoch on, so that what nobody reads any more is freed now instead of some commands later, and gives free
/// pages of this worker back to the system.
fn purge(ctx: &mut Ctx<'_>) {
    ctx.space.guard().flush();
    memory::purge();
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
