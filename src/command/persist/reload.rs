//! DEBUG RELOAD, and what FLUSHALL does to files.

use super::load::{How, load, rdb_limits};
use super::saver::{cancel_and_wait, write_now};
use super::{has_save_points, rdb_path};
use crate::command::Ctx;
use crate::log_warning;
use crate::protocol::args::eq_ignore_case;

const NOT_LOADED: &str = "ERR Error trying to load the RDB dump, check server logs.";

/// What DEBUG RELOAD is to do.
struct Options {
    save: bool,
    flush: bool,
    merge: bool,
}

impl Options {
    fn parse(ctx: &Ctx<'_>) -> Option<Options> {
        let mut options = Options { save: true, flush: true, merge: false };
        for word in ctx.args.iter().skip(2) {
            match () {
                () if eq_ignore_case(word, b"merge") => options.merge = true,
                () if eq_ignore_case(word, b"noflush") => options.flush = false,
                () if eq_ignore_case(word, b"nosave") => options.save = false,
                () => return None,
            }
        }
        Some(options)
    }
}

/// Writes the file, empties the server and reads the file back. It runs with everything closed.
pub(in crate::command) fn reload(ctx: &mut Ctx<'_>) {
    let Some(options) = Options::parse(ctx) else {
        return ctx.reply.error("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
    };
    let Some(section) = ctx.section else { return ctx.reply.error(NOT_LOADED) };
    let (server, guard) = (ctx.server, ctx.space.guard());
    if options.save {
        cancel_and_wait(server);
        if !write_now(server, section, guard) {
            return ctx.reply.error("ERR");
        }
    }
    if options.flush {
        for db in 0..server.keyspace.databases() {
            server.keyspace.flush(ctx.space.lane(), db, guard);
        }
        server.functions.clear();
    }
    let how = How { merge: options.merge, limits: rdb_limits(server), lane: ctx.space.lane() };
    match load(server, &rdb_path(&server.config), &how) {
        Ok(_) => {
            log_warning!("DB reloaded by DEBUG RELOAD");
            ctx.reply.ok();
        }
        Err(wrong) => {
            wrong.complain();
            ctx.reply.error(NOT_LOADED);
        }
    }
}

/// After FLUSHALL: no file of the keys that were is wanted any more, and with save points one of none is written.
pub(in crate::command) fn flushed(ctx: &Ctx<'_>) {
    let server = ctx.server;
    if server.persist.is_saving() {
        cancel_and_wait(server);
    }
    if let (true, Some(section)) = (has_save_points(&server.config), ctx.section) {
        // As in Redis, FLUSHALL itself cannot fail: the log has what went wrong.
        let _either_way = write_now(server, section, ctx.space.guard());
    }
}
