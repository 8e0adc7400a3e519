//! SCRIPT.

use super::engine;
use super::eval::{add, sha_of};
use super::registry::NotKilled;
use crate::command::{Ctx, container, error};
use crate::protocol::args::eq_ignore_case;

pub(super) fn load(ctx: &mut Ctx<'_>) {
    let body = ctx.args.owned(2);
    let sha = engine::digest(&body);
    let limit = ctx.server.config.live().lua_memory_limit();
    match engine::with_scripts(limit, |engine| add(ctx.server, engine, sha, body, true)) {
        Ok(_) => ctx.reply.bulk(&sha),
        Err(text) => ctx.reply.error(&text),
    }
}

pub(super) fn exists(ctx: &mut Ctx<'_>) {
    let words = ctx.args.slice_from(2);
    ctx.reply.array(words.len());
    for word in words.iter() {
        let found = sha_of(word).is_some_and(|sha| ctx.server.scripts.find(&sha).is_some());
        ctx.reply.int(i64::from(found));
    }
}

/// Whether the arguments from number 2 on are none, `SYNC` or `ASYNC`.
pub(super) fn is_flush_mode(ctx: &Ctx<'_>) -> bool {
    match (ctx.args.len(), ctx.args.get(2)) {
        (2, _) => true,
        (3, Some(mode)) => eq_ignore_case(mode, b"sync") || eq_ignore_case(mode, b"async"),
        _ => false,
    }
}

pub(super) fn flush(ctx: &mut Ctx<'_>) {
    if !is_flush_mode(ctx) {
        return ctx.reply.error("ERR SCRIPT FLUSH only support SYNC|ASYNC option");
    }
    ctx.server.scripts.flush();
    ctx.reply.ok();
}

pub(super) fn kill(ctx: &mut Ctx<'_>) {
    answer_kill(ctx, false);
}

/// Ends a script or a function, and answers.
pub(super) fn answer_kill(ctx: &mut Ctx<'_>, functions: bool) {
    let text = match ctx.server.scripts.kill(functions) {
        Ok(()) => return ctx.reply.ok(),
        Err(NotKilled::NotBusy) => "NOTBUSY No scripts in execution right now.",
        Err(NotKilled::Unkillable) => {
            "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the \
             script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command."
        }
        Err(NotKilled::OtherSort) if functions => error::BUSY_SCRIPT,
        Err(NotKilled::OtherSort) => error::BUSY_FUNCTION,
    };
    ctx.reply.error(text);
}

/// Valkey's SCRIPT SHOW: a script's text.
pub(super) fn show(ctx: &mut Ctx<'_>) {
    match sha_of(ctx.arg(2)).and_then(|sha| ctx.server.scripts.find(&sha)) {
        Some(script) => ctx.reply.bulk_owned(script.body.clone()),
        None => ctx.reply.error("NOSCRIPT No matching script. Please use EVAL."),
    }
}

pub(super) fn help(ctx: &mut Ctx<'_>) {
    container::help(
        ctx,
        &[
            "EXISTS <sha1> [<sha1> ...]",
            "    Tells which of these scripts are known.",
            "FLUSH [ASYNC|SYNC]",
            "    Forgets all scripts.",
            "KILL",
            "    Ends the running script, if it has written nothing.",
            "LOAD <script>",
            "    Makes a script known without running it.",
            "SHOW <sha1>",
            "    Returns the text of a script.",
        ],
    );
}
