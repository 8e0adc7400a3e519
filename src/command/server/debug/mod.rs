//! DEBUG: what tests need to bring the server into states that clients cannot, and to look where they cannot.
//!
//! It runs with everything closed, so that a digest is of one instant and SLEEP stops all commands on keys.

mod digest;
mod object;
mod protocol;

use std::time::Duration;

use crate::command::{Ctx, container, error};
use crate::log_warning;
use crate::protocol::args::{eq_ignore_case, parse_f64, parse_i64};
use crate::sync::Ordering;
use crate::value::word::{NO_EXPIRY, OwnedWord};

const REFUSED: &str = "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can \
                       run it from a local connection, otherwise you need to set this option in the configuration \
                       file, and then restart the server.";

/// The numbers of `enable-debug-command`.
const NO: u64 = 0;
const LOCAL: u64 = 2;

pub(super) fn debug(ctx: &mut Ctx<'_>) {
    if !allowed(ctx) {
        return ctx.reply.error(REFUSED);
    }
    match (ctx.arg(1).to_ascii_lowercase().as_slice(), ctx.args.len()) {
        (b"sleep", 3) => sleep(ctx),
        (b"set-active-expire", 3) => set_active_expire(ctx),
        (b"replybuffer", 4) => reply_buffers(ctx),
        (b"set-disable-deny-scripts", 3) => set_disable_deny_scripts(ctx),
        (b"panic", 2) => panic!("DEBUG PANIC was called"),
        (b"error", 3) => ctx.reply.error(&String::from_utf8_lossy(ctx.arg(2))),
        (b"log", 3) => log(ctx),
        #[cfg(debug_assertions)]
        (b"break-gate", 2) => {
            ctx.server.keyspace.gate.break_it();
            ctx.reply.ok();
        }
        (b"protocol", 3) => protocol::reply(ctx),
        (b"digest", 2) => digest::all(ctx),
        (b"digest-value", 2..) => digest::values(ctx),
        (b"object", 3) => object::describe(ctx),
        (b"populate", 3..=5) => populate(ctx),
        (b"reload", 2) => crate::command::rdb::reload(ctx),
        (b"config-rewrite-force-all", 2) => rewrite_all(ctx),
        (b"help", 2) => help(ctx),
        _ => {
            let text = container::wrong_words(ctx.args);
            ctx.reply.error(&text);
        }
    }
}

fn allowed(ctx: &Ctx<'_>) -> bool {
    match ctx.server.config.number("enable-debug-command") {
        NO => false,
        LOCAL => ctx.client.is_local(),
        _ => true,
    }
}

/// Blocks the worker, and with it all of its clients, as the name promises. What is no number counts as zero.
fn sleep(ctx: &mut Ctx<'_>) {
    let seconds = parse_f64(ctx.arg(2)).unwrap_or(0.0).max(0.0);
    std::thread::sleep(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX));
    ctx.reply.ok();
}

/// What is no number counts as zero.
fn set_active_expire(ctx: &mut Ctx<'_>) {
    let on = parse_i64(ctx.arg(2)).unwrap_or(0) != 0;
    ctx.server.active_expiry.store(on, Ordering::Relaxed);
    ctx.reply.ok();
}

/// REPLYBUFFER RESIZING: whether idle clients' buffers are freed. What is no number counts as zero.
fn reply_buffers(ctx: &mut Ctx<'_>) {
    if !eq_ignore_case(ctx.arg(2), b"resizing") {
        return ctx.reply.error(error::SYNTAX);
    }
    let on = parse_i64(ctx.arg(3)).unwrap_or(0) != 0;
    ctx.server.frees_buffers.store(on, Ordering::Relaxed);
    ctx.reply.ok();
}

/// What is no number counts as zero.
fn set_disable_deny_scripts(ctx: &mut Ctx<'_>) {
    let on = parse_i64(ctx.arg(2)).unwrap_or(0) != 0;
    ctx.server.scripts.call_anything.store(on, Ordering::Relaxed);
    ctx.reply.ok();
}

fn log(ctx: &mut Ctx<'_>) {
    log_warning!("DEBUG LOG: {}", String::from_utf8_lossy(ctx.arg(2)));
    ctx.reply.ok();
}

fn rewrite_all(ctx: &mut Ctx<'_>) {
    match ctx.server.config.rewrite_all() {
        Ok(()) => ctx.reply.ok(),
        Err(reason) => ctx.reply.error(&format!("ERR CONFIG-REWRITE-FORCE-ALL failed: {reason}")),
    }
}

// -- POPULATE ---------------------------------------------------------------------------------------------------

/// Makes strings named `prefix:number` that hold `value:number`, cut or padded with zeros to `size` bytes if that is
/// given. Keys that are there stay.
fn populate(ctx: &mut Ctx<'_>) {
    let (Some(count), Some(size)) = (positive(ctx, 2, 0), positive(ctx, 4, 0)) else {
        return ctx.reply.error(error::MUST_BE_POSITIVE);
    };
    if size > ctx.server.config.live().proto_max_bulk_len() {
        return ctx.reply.error(error::STRING_TOO_LONG);
    }
    let prefix = ctx.args.get(3).unwrap_or(b"key");
    for number in 0..count {
        let name = [prefix, b":", number.to_string().as_bytes()].concat();
        let mut value = format!("value:{number}").into_bytes();
        if size != 0 {
            value.resize(size, 0);
        }
        let key = ctx.space.key(&name);
        if !ctx.space.exists(key) {
            ctx.space.set(key, OwnedWord::from_text(&value, NO_EXPIRY));
        }
    }
    ctx.reply.ok();
}

/// Argument `at` as a count, `absent` where it is left out, none if it is no number or negative.
fn positive(ctx: &Ctx<'_>, at: usize, absent: usize) -> Option<usize> {
    ctx.args.get(at).map_or(Some(absent), |word| usize::try_from(parse_i64(word)?).ok())
}

fn help(ctx: &mut Ctx<'_>) {
    container::help(
        ctx,
        &[
            "CONFIG-REWRITE-FORCE-ALL",
            "    Rewrite the configuration file with every directive that has an effect.",
            "DIGEST",
            "    Return a digest of all databases; equal data has equal digests, in Redis too.",
            "DIGEST-VALUE <key> [<key> ...]",
            "    Return a digest of each key's value and deadline.",
            "ERROR <text>",
            "    Answer with an error of this text.",
            "LOG <message>",
            "    Write a message to the log.",
            "OBJECT <key>",
            "    Describe how the value of <key> is held.",
            "PANIC",
            "    Panic inside the command: its client gets an error and is disconnected.",
            "POPULATE <count> [<prefix>] [<size>]",
            "    Create <count> strings named <prefix>:<number> (prefix 'key' if not given).",
            "PROTOCOL <type>",
            "    Answer with an example of the type: string, integer, double, bignum, null,",
            "    array, set, map, attrib, push, verbatim, true, false.",
            "REPLYBUFFER RESIZING <0|1>",
            "    Keep the buffers of idle clients (0), or free them (1).",
            "RELOAD",
            "    Serialize every value and read it back in its place.",
            "SET-ACTIVE-EXPIRE <0|1>",
            "    Stop or resume looking for keys that fell due.",
            "SET-DISABLE-DENY-SCRIPTS <0|1>",
            "    Let scripts call commands that are not for scripts.",
            "SLEEP <seconds>",
            "    Block the worker that runs the command, and all commands on keys.",
        ],
    );
}
