//! The other commands of FUNCTION.

use std::time::Duration;

use bytes::Bytes;

use super::dump as payload;
use super::library::{Function, Table};
use super::load::build;
use crate::command::script::flags::NAMES;
use crate::command::script::scripts::{answer_kill, is_flush_mode};
use crate::command::state::Server;
use crate::command::{Ctx, container};
use crate::glob;
use crate::protocol::args::eq_ignore_case;

/// A payload has been loaded before: its libraries may take their time.
const RESTORE_TIME: Duration = Duration::from_secs(3600);

/// Adds a library that a file has, in the place of one of its name if that may be.
pub(in crate::command) fn load_saved(server: &Server, code: Bytes, replace: bool) -> Result<(), String> {
    let library = build(server, code, RESTORE_TIME)?;
    let exists = |name: &str| format!("ERR Library '{name}' already exists");
    server.functions.change(|table| table.insert(&library, replace, exists))
}

pub(in crate::command::script) fn delete(ctx: &mut Ctx<'_>) {
    let name = ctx.arg(2);
    let gone = |table: &mut Table| table.remove(name).map(drop).ok_or_else(|| "ERR Library not found".into());
    match ctx.server.functions.change(gone) {
        Ok(()) => ctx.reply.ok(),
        Err(text) => ctx.reply.error(&text),
    }
}

pub(in crate::command::script) fn flush(ctx: &mut Ctx<'_>) {
    if ctx.args.len() > 3 {
        return ctx.reply.error(&container::wrong_words(ctx.args));
    }
    if !is_flush_mode(ctx) {
        return ctx.reply.error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
    }
    ctx.server.functions.clear();
    ctx.reply.ok();
}

pub(in crate::command::script) fn kill(ctx: &mut Ctx<'_>) {
    answer_kill(ctx, true);
}

pub(in crate::command::script) fn dump(ctx: &mut Ctx<'_>) {
    let bytes = ctx.server.functions.read(|table| payload::write(table.libraries.values().map(|l| &*l.code)));
    ctx.reply.bulk(&bytes);
}

pub(in crate::command::script) fn restore(ctx: &mut Ctx<'_>) {
    match restored(ctx) {
        Ok(()) => ctx.reply.ok(),
        Err(text) => ctx.reply.error(&text),
    }
}

fn restored(ctx: &Ctx<'_>) -> Result<(), String> {
    let policy = ctx.args.get(3).unwrap_or(b"append");
    let (flush, replace) = (eq_ignore_case(policy, b"flush"), eq_ignore_case(policy, b"replace"));
    if ctx.args.len() > 4 {
        return Err(container::wrong_words(ctx.args));
    }
    if !flush && !replace && !eq_ignore_case(policy, b"append") {
        return Err("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.".into());
    }
    let mut libraries = Vec::new();
    for code in payload::read(ctx.arg(2))? {
        libraries.push(build(ctx.server, code, RESTORE_TIME)?);
    }
    ctx.server.functions.change(|table| {
        if flush {
            *table = Table::default();
        }
        let exists = |name: &str| format!("ERR Library {name} already exists");
        libraries.iter().try_for_each(|library| table.insert(library, replace, exists))
    })
}

pub(in crate::command::script) fn list(ctx: &mut Ctx<'_>) {
    let (mut pattern, mut with_code, mut at) = (None, false, 2);
    while let Some(word) = ctx.args.get(at) {
        if !with_code && eq_ignore_case(word, b"withcode") {
            with_code = true;
        } else if pattern.is_none() && eq_ignore_case(word, b"libraryname") {
            at += 1;
            pattern = ctx.args.get(at);
            if pattern.is_none() {
                return ctx.reply.error("ERR library name argument was not given");
            }
        } else {
            let word = String::from_utf8_lossy(word);
            return ctx.reply.error(&format!("ERR Unknown argument {word}"));
        }
        at += 1;
    }
    let fits = |name: &[u8]| pattern.is_none_or(|pattern| glob::matches(pattern, name, false));
    let found: Vec<_> = ctx
        .server
        .functions
        .read(|table| table.libraries.values().filter(|library| fits(&library.name)).cloned().collect());
    ctx.reply.array(found.len());
    for library in found {
        ctx.reply.map(if with_code { 4 } else { 3 });
        ctx.reply.bulk(b"library_name");
        ctx.reply.bulk(&library.name);
        ctx.reply.bulk(b"engine");
        ctx.reply.bulk(b"LUA");
        ctx.reply.bulk(b"functions");
        ctx.reply.array(library.functions.len());
        library.functions.iter().for_each(|function| describe(ctx, function));
        if with_code {
            ctx.reply.bulk(b"library_code");
            ctx.reply.bulk_owned(library.code.clone());
        }
    }
}

fn describe(ctx: &mut Ctx<'_>, function: &Function) {
    ctx.reply.map(3);
    ctx.reply.bulk(b"name");
    ctx.reply.bulk(&function.name);
    ctx.reply.bulk(b"description");
    match &function.description {
        Some(text) => ctx.reply.bulk(text),
        None => ctx.reply.null(),
    }
    ctx.reply.bulk(b"flags");
    let set = || NAMES.iter().filter(|(_, flag)| function.flags.contains(*flag));
    ctx.reply.set(set().count());
    set().for_each(|(name, _)| ctx.reply.simple(name));
}

pub(in crate::command::script) fn stats(ctx: &mut Ctx<'_>) {
    ctx.reply.map(2);
    ctx.reply.bulk(b"running_script");
    match ctx.server.scripts.longest_function() {
        None => ctx.reply.null(),
        Some((shown, ms)) => {
            ctx.reply.map(3);
            ctx.reply.bulk(b"name");
            ctx.reply.bulk(&shown.name);
            ctx.reply.bulk(b"command");
            ctx.reply.array(shown.words.len());
            shown.words.iter().for_each(|word| ctx.reply.bulk(word));
            ctx.reply.bulk(b"duration_ms");
            ctx.reply.int(ms as i64);
        }
    }
    let (libraries, functions) = ctx.server.functions.count();
    ctx.reply.bulk(b"engines");
    ctx.reply.map(1);
    ctx.reply.bulk(b"LUA");
    ctx.reply.map(2);
    ctx.reply.bulk(b"libraries_count");
    ctx.reply.int(libraries as i64);
    ctx.reply.bulk(b"functions_count");
    ctx.reply.int(functions as i64);
}

pub(in crate::command::script) fn help(ctx: &mut Ctx<'_>) {
    container::help(
        ctx,
        &[
            "LOAD [REPLACE] <FUNCTION CODE>",
            "    Adds a library; REPLACE lets it take the place of one of its name.",
            "DELETE <LIBRARY NAME>",
            "    Removes a library.",
            "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
            "    Describes the libraries, or those that fit the pattern.",
            "STATS",
            "    Tells which function runs, and how many there are.",
            "KILL",
            "    Ends the running function, if it has written nothing.",
            "FLUSH [ASYNC|SYNC]",
            "    Removes all libraries.",
            "DUMP",
            "    Returns all libraries as one payload.",
            "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
            "    Adds the libraries of a payload. FLUSH removes all others first, REPLACE those of the same name.",
        ],
    );
}
