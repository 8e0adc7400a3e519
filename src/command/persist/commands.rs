//! SAVE, BGSAVE and LASTSAVE.

use super::job::{By, Job};
use super::saver::{cancel_and_wait, note_begin, write_now};
use crate::command::nested::Caller;
use crate::command::table::{Categories, Command, Flags};
use crate::command::{Ctx, error};
use crate::protocol::args::eq_ignore_case;
use crate::sync::Ordering;

const ADMIN: Flags = Flags::NO_ASYNC_LOADING.union(Flags::ADMIN).union(Flags::NOSCRIPT);
const NONE: Categories = Categories::empty();

pub(in crate::command) const COMMANDS: &[Command] = &[
    Command::new("bgsave", -1, ADMIN.union(Flags::CLOSES_ALL), NONE, &[], bgsave).docs(
        "server",
        "1.0.0",
        "Writes all keys as they are now to disk, in the background.",
        "O(1)",
        "[SCHEDULE | CANCEL]",
    ),
    Command::new(
        "lastsave",
        1,
        Flags::LOADING.union(Flags::STALE).union(Flags::FAST),
        Categories::ADMIN.union(Categories::DANGEROUS),
        &[],
        lastsave,
    )
    .docs("server", "1.0.0", "Tells when the keys were last written to disk.", "O(1)", ""),
    Command::new("save", 1, ADMIN.union(Flags::NO_MULTI).union(Flags::CLOSES_ALL), NONE, &[], save).docs(
        "server",
        "1.0.0",
        "Writes all keys to disk; everybody waits.",
        "O(N) where N is the total number of keys in all databases",
        "",
    ),
];

const IN_PROGRESS: &str = "ERR Background save already in progress";
/// Redis's answer when the log says more.
const FAILED: &str = "ERR";

fn lastsave(ctx: &mut Ctx<'_>) {
    ctx.reply.int(ctx.server.persist.last_save.load(Ordering::Relaxed) as i64);
}

fn save(ctx: &mut Ctx<'_>) {
    let (server, guard) = (ctx.server, ctx.space.guard());
    if server.persist.is_saving() {
        return ctx.reply.error(IN_PROGRESS);
    }
    server.persist.count_save();
    match ctx.section {
        Some(section) if write_now(server, section, guard) => ctx.reply.ok(),
        _ => ctx.reply.error(FAILED),
    }
}

/// What BGSAVE is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    Now,
    Cancel,
}

fn wish(ctx: &Ctx<'_>) -> Option<Wish> {
    match (ctx.args.len(), ctx.args.get(1)) {
        (1, _) => Some(Wish::Now),
        // Nothing but another file keeps a file from being written, so there is nothing to wait for.
        (2, Some(word)) if eq_ignore_case(word, b"schedule") => Some(Wish::Now),
        (2, Some(word)) if eq_ignore_case(word, b"cancel") => Some(Wish::Cancel),
        _ => None,
    }
}

fn bgsave(ctx: &mut Ctx<'_>) {
    match wish(ctx) {
        None => ctx.reply.error(error::SYNTAX),
        Some(Wish::Now) => begin(ctx),
        Some(Wish::Cancel) => cancel(ctx),
    }
}

fn begin(ctx: &mut Ctx<'_>) {
    let persist = &ctx.server.persist;
    if persist.is_saving() {
        return ctx.reply.error(IN_PROGRESS);
    }
    if ctx.caller != Caller::Client {
        // The rest of the transaction belongs to the same instant.
        persist.scheduled.store(true, Ordering::Relaxed);
        return ctx.reply.simple("Background saving scheduled");
    }
    let job =
        ctx.section.and_then(|section| Job::begin(ctx.server, section, ctx.space.guard(), By::Background));
    let Some(job) = job else { return ctx.reply.error(IN_PROGRESS) };
    note_begin(ctx.server, &job);
    persist.inbox.put(job);
    ctx.reply.simple("Background saving started");
}

fn cancel(ctx: &mut Ctx<'_>) {
    let persist = &ctx.server.persist;
    if persist.is_saving() {
        cancel_and_wait(ctx.server);
        ctx.reply.simple("Background saving cancelled");
    } else if persist.scheduled.swap(false, Ordering::Relaxed) {
        ctx.reply.simple("Scheduled background saving cancelled");
    } else {
        ctx.reply.error("ERR Background saving is currently not in progress or scheduled");
    }
}
