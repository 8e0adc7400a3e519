//! The table of the family.

use super::{acknowledge, add, claim, delete, group, info, pending, range, read, run};
use crate::command::keys::{Begin, Find, KeyFlags, KeySpec};
use crate::command::table::{Categories, Command, Flags};

const S: Categories = Categories::STREAM;
const GROUP: &str = "stream";

const READ: Flags = Flags::READONLY;
const READ_FAST: Flags = Flags::READONLY.union(Flags::FAST);
const WRITE: Flags = Flags::WRITE;
const WRITE_FAST: Flags = Flags::WRITE.union(Flags::FAST);
const GROW: Flags = Flags::WRITE.union(Flags::DENYOOM);
const GROW_FAST: Flags = GROW.union(Flags::FAST);
const WAIT: Flags = Flags::BLOCKING.union(Flags::MOVABLEKEYS);
const OPEN: Flags = Flags::LOADING.union(Flags::STALE);

const SHOWS: KeyFlags = KeyFlags::RO.union(KeyFlags::ACCESS);
const UPDATES: KeyFlags = KeyFlags::RW.union(KeyFlags::UPDATE);
const INSERTS: KeyFlags = KeyFlags::RW.union(KeyFlags::INSERT);
const DELETES: KeyFlags = KeyFlags::RW.union(KeyFlags::DELETE);

const PER_ID: &str = "O(1) for each ID.";

/// The keys behind STREAMS, before which there are options.
const fn streams(from: i32) -> KeySpec {
    const OPTIONS: &[(&str, usize)] = &[
        ("GROUP", 2),
        ("COUNT", 1),
        ("BLOCK", 1),
        ("NOACK", 0),
        ("CLAIM", 1),
        ("MAXCOUNT", 1),
        ("MAXSIZE", 1),
    ];
    KeySpec {
        flags: SHOWS,
        begin: Begin::Option { word: "STREAMS", from, options: OPTIONS },
        find: Find::Range { last: -1, step: 1, limit: 2 },
    }
}

pub(in crate::command) const COMMANDS: &[Command] = &[
    Command::new("xadd", -5, GROW_FAST, S, &[KeySpec::one(1, UPDATES)], |ctx| run(ctx, add::xadd)).docs(
        GROUP,
        "5.0.0",
        "Appends an entry to a stream, which it creates if the key is absent.",
        "O(1) for the entry, and O(N) for N entries that are trimmed.",
        "key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] [IDMPAUTO producer-id | IDMP producer-id idempotent-id] \
         [<MAXLEN | MINID> [= | ~] threshold [LIMIT count]] <* | id> field value [field value ...]",
    ),
    Command::new("xlen", 2, READ_FAST, S, &[KeySpec::one(1, KeyFlags::RO)], |ctx| run(ctx, range::xlen)).docs(
        GROUP,
        "5.0.0",
        "Returns how many entries a stream has.",
        "O(1)",
        "key",
    ),
    Command::new("xrange", -4, READ, S, &[KeySpec::one(1, SHOWS)], |ctx| run(ctx, range::xrange)).docs(
        GROUP,
        "5.0.0",
        "Returns the entries of a stream between two IDs.",
        "O(N) for N returned entries.",
        "key start end [COUNT count]",
    ),
    Command::new("xrevrange", -4, READ, S, &[KeySpec::one(1, SHOWS)], |ctx| run(ctx, range::xrevrange)).docs(
        GROUP,
        "5.0.0",
        "Returns the entries of a stream between two IDs, the last one first.",
        "O(N) for N returned entries.",
        "key end start [COUNT count]",
    ),
    Command::new("xdel", -3, WRITE_FAST, S, &[KeySpec::one(1, DELETES)], |ctx| run(ctx, delete::xdel)).docs(
        GROUP,
        "5.0.0",
        "Deletes entries of a stream, and returns how many there were.",
        PER_ID,
        "key id [id ...]",
    ),
    Command::new("xdelex", -5, WRITE_FAST, S, &[KeySpec::one(1, DELETES)], |ctx| run(ctx, delete::xdelex)).docs(
        GROUP,
        "8.2.0",
        "Deletes entries of a stream, and says what becomes of the references that groups have to them.",
        PER_ID,
        "key [KEEPREF | DELREF | ACKED] <IDS numids id [id ...]>",
    ),
    Command::new("xtrim", -4, WRITE, S, &[KeySpec::one(1, DELETES)], |ctx| run(ctx, delete::xtrim)).docs(
        GROUP,
        "5.0.0",
        "Deletes the oldest entries of a stream.",
        "O(N) for N entries that are deleted, in blocks of many.",
        "key <MAXLEN | MINID> [= | ~] threshold [LIMIT count] [KEEPREF | DELREF | ACKED]",
    ),
    Command::new("xsetid", -3, GROW_FAST, S, &[KeySpec::one(1, UPDATES)], |ctx| run(ctx, delete::xsetid)).docs(
        GROUP,
        "5.0.0",
        "Sets the counters of a stream; for the server's own use.",
        "O(1)",
        "key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]",
    ),
    Command::new("xcfgset", -2, WRITE_FAST, S, &[KeySpec::one(1, UPDATES)], |ctx| run(ctx, add::xcfgset)).docs(
        GROUP,
        "8.6.0",
        "Sets how long, and how many, messages of a producer are remembered.",
        "O(1)",
        "key [IDMP-DURATION duration] [IDMP-MAXSIZE maxsize]",
    ),
    Command::new("xread", -4, READ.union(WAIT), S, &[streams(1)], |ctx| run(ctx, read::xread)).docs(
        GROUP,
        "5.0.0",
        "Returns the entries of streams after given IDs, and may wait for some.",
        "O(N) for N returned entries.",
        "[COUNT count] [MAXCOUNT maxcount] [MAXSIZE maxsize] [BLOCK milliseconds] <STREAMS key [key ...] id [id ...]>",
    ),
    Command::new("xreadgroup", -7, WRITE.union(WAIT), S, &[streams(4)], |ctx| run(ctx, read::xreadgroup)).docs(
        GROUP,
        "5.0.0",
        "Returns new entries of streams to a consumer of a group, or those that it has pending, and may wait for some.",
        "O(N) for N returned entries.",
        "<GROUP group consumer> [COUNT count] [MAXCOUNT maxcount] [MAXSIZE maxsize] [BLOCK milliseconds] \
         [CLAIM min-idle-time] [NOACK] <STREAMS key [key ...] id [id ...]>",
    ),
    Command::new("xack", -4, WRITE_FAST, S, &[KeySpec::one(1, UPDATES)], |ctx| run(ctx, acknowledge::xack)).docs(
        GROUP,
        "5.0.0",
        "Tells a group that entries are done with, and returns how many were pending.",
        PER_ID,
        "key group id [id ...]",
    ),
    Command::new("xackdel", -6, WRITE_FAST, S, &[KeySpec::one(1, DELETES)], |ctx| run(ctx, acknowledge::xackdel))
        .docs(
            GROUP,
            "8.2.0",
            "Tells a group that entries are done with, and deletes them.",
            PER_ID,
            "key group [KEEPREF | DELREF | ACKED] <IDS numids id [id ...]>",
        ),
    Command::new("xnack", -7, WRITE_FAST, S, &[KeySpec::one(1, UPDATES)], |ctx| run(ctx, acknowledge::xnack)).docs(
        GROUP,
        "8.8.0",
        "Gives pending entries back to their group, so that any consumer may claim them at once.",
        PER_ID,
        "key group <SILENT | FAIL | FATAL> <IDS numids id [id ...]> [RETRYCOUNT count] [FORCE]",
    ),
    Command::new("xpending", -3, READ, S, &[KeySpec::one(1, SHOWS)], |ctx| run(ctx, pending::xpending)).docs(
        GROUP,
        "5.0.0",
        "Tells which entries are pending in a group.",
        "O(N) for N entries that are looked at; O(1) for the summary, and as much for each consumer.",
        "key group [[IDLE min-idle-time] start end count [consumer]]",
    ),
    Command::new("xclaim", -6, WRITE_FAST, S, &[KeySpec::one(1, UPDATES)], |ctx| run(ctx, claim::xclaim)).docs(
        GROUP,
        "5.0.0",
        "Makes a consumer the owner of pending entries.",
        "O(log N) for each ID, where N is how many entries are pending.",
        "key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT count] \
         [FORCE] [JUSTID] [LASTID lastid]",
    ),
    Command::new("xautoclaim", -6, WRITE_FAST, S, &[KeySpec::one(1, DELETES)], |ctx| run(ctx, claim::xautoclaim))
        .docs(
            GROUP,
            "6.2.0",
            "Makes a consumer the owner of entries that have been pending for long.",
            "O(1) if COUNT is small.",
            "key group consumer min-idle-time start [COUNT count] [JUSTID]",
        ),
    Command::container("xgroup", XGROUP).docs(
        GROUP,
        "5.0.0",
        "Contains the commands about groups and their consumers.",
        "Depends on the subcommand.",
        "",
    ),
    Command::container("xinfo", XINFO).docs(
        GROUP,
        "5.0.0",
        "Contains the commands that tell about streams.",
        "Depends on the subcommand.",
        "",
    ),
];

const XGROUP: &[Command] = &[
    Command::new("xgroup|create", -5, GROW, S, &[KeySpec::one(2, INSERTS)], |ctx| run(ctx, group::create))
        .docs(
            GROUP,
            "5.0.0",
            "Creates a group.",
            "O(1)",
            "key group <id | $> [MKSTREAM] [ENTRIESREAD entries-read]",
        ),
    Command::new("xgroup|createconsumer", 5, GROW, S, &[KeySpec::one(2, INSERTS)], |ctx| {
        run(ctx, group::create_consumer)
    })
    .docs(GROUP, "6.2.0", "Creates a consumer in a group.", "O(1)", "key group consumer"),
    Command::new("xgroup|delconsumer", 5, WRITE, S, &[KeySpec::one(2, DELETES)], |ctx| {
        run(ctx, group::delete_consumer)
    })
    .docs(GROUP, "5.0.0", "Deletes a consumer and what it has pending.", "O(1)", "key group consumer"),
    Command::new("xgroup|destroy", 4, WRITE, S, &[KeySpec::one(2, DELETES)], |ctx| run(ctx, group::destroy))
        .docs(GROUP, "5.0.0", "Deletes a group.", "O(N) for N pending entries.", "key group"),
    Command::new("xgroup|help", 2, OPEN, S, &[], group::help).docs(
        GROUP,
        "5.0.0",
        "Describes the subcommands.",
        "O(1)",
        "",
    ),
    Command::new("xgroup|setid", -5, WRITE, S, &[KeySpec::one(2, UPDATES)], |ctx| run(ctx, group::setid))
        .docs(
            GROUP,
            "5.0.0",
            "Sets up to which entry a group has read.",
            "O(1)",
            "key group <id | $> [ENTRIESREAD entries-read]",
        ),
];

const XINFO: &[Command] =
    &[
        Command::new("xinfo|consumers", 4, READ, S, &[KeySpec::one(2, SHOWS)], |ctx| {
            run(ctx, info::consumers)
        })
        .docs(GROUP, "5.0.0", "Tells about the consumers of a group.", "O(1)", "key group"),
        Command::new("xinfo|groups", 3, READ, S, &[KeySpec::one(2, SHOWS)], |ctx| run(ctx, info::groups))
            .docs(GROUP, "5.0.0", "Tells about the groups of a stream.", "O(1)", "key"),
        Command::new("xinfo|help", 2, OPEN, S, &[], info::help).docs(
            GROUP,
            "5.0.0",
            "Describes the subcommands.",
            "O(1)",
            "",
        ),
        Command::new("xinfo|stream", -3, READ, S, &[KeySpec::one(2, SHOWS)], |ctx| run(ctx, info::stream))
            .docs(GROUP, "5.0.0", "Tells about a stream.", "O(1)", "key [FULL [COUNT count]]"),
    ];
