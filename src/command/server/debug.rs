//! DEBUG: what tests need to bring the server into states that clients cannot.

use std::time::Duration;

use crate::command::{Ctx, container};
use crate::log_warning;
use crate::protocol::args::{parse_f64, parse_i64};
use crate::sync::Ordering;

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
        (b"panic", 2) => panic!("DEBUG PANIC was called"),
        (b"error", 3) => ctx.reply.error(&String::from_utf8_lossy(ctx.arg(2))),
        (b"log", 3) => {
            log_warning!("DEBUG LOG: {}", String::from_utf8_lossy(ctx.arg(2)));
            ctx.reply.ok();
        }
        #[cfg(debug_assertions)]
        (b"break-gate", 2) => {
            ctx.server.keyspace.gate.break_it();
            ctx.reply.ok();
        }
        (b"help", 2) => help(ctx),
        _ => {
            let name = String::from_utf8_lossy(ctx.arg(1));
            let text =
                format!("ERR unknown subcommand or wrong number of arguments for '{name}'. Try DEBUG HELP.");
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

fn help(ctx: &mut Ctx<'_>) {
    container::help(
        ctx,
        &[
            "ERROR <text>",
            "    Answer with an error of this text.",
            "LOG <message>",
            "    Write a message to the log.",
            "PANIC",
            "    Panic inside the command: its client gets an error and is disconnected.",
            "SET-ACTIVE-EXPIRE <0|1>",
            "    Stop or resume looking for keys that fell due.",
            "SLEEP <seconds>",
            "    Block the worker that runs the command.",
        ],
    );
}
