//! EVAL, EVALSHA and their read-only forms.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::engine::{self, Compiled, Engine};
use super::flags::{self, ScriptFlags};
use super::registry::Script;
use super::run::{self, Ended, Job};
use crate::command::client::Client;
use crate::command::footprint::{Footprint, Setting};
use crate::command::state::Server;
use crate::command::table::{Command, Flags};
use crate::command::{Ctx, diagnosis, error, room};
use crate::lua::sha1::Hex;
use crate::protocol::args::{Args, parse_i64};
use crate::sync::Ordering;

const NO_SCRIPT: &str = "NOSCRIPT No matching script. Please use EVAL.";

pub(super) fn eval(ctx: &mut Ctx<'_>) {
    evaluate(ctx, false);
}

pub(super) fn eval_ro(ctx: &mut Ctx<'_>) {
    evaluate(ctx, true);
}

pub(super) fn evalsha(ctx: &mut Ctx<'_>) {
    evaluate_by_sha(ctx, false);
}

pub(super) fn evalsha_ro(ctx: &mut Ctx<'_>) {
    evaluate_by_sha(ctx, true);
}

/// A script that runs among other commands cannot begin anew, so that everything is closed for it.
pub(super) fn footprint_of_text(
    _: &Server,
    _: &Client,
    args: Args<'_>,
    setting: Setting,
    footprint: &mut Footprint,
) {
    let strays = || {
        let sha = engine::digest(args.get(1).unwrap_or_default());
        engine::compiled(&sha).is_some_and(|found| found.script.strays.load(Ordering::Relaxed))
    };
    if setting == Setting::Nested || strays() {
        footprint.add_everything();
    }
}

/// As [`footprint_of_text`], for EVALSHA.
pub(super) fn footprint_of_sha(
    _: &Server,
    _: &Client,
    args: Args<'_>,
    setting: Setting,
    footprint: &mut Footprint,
) {
    let strays = || {
        let found = sha_of(args.get(1).unwrap_or_default()).and_then(|sha| engine::compiled(&sha));
        found.is_some_and(|found| found.script.strays.load(Ordering::Relaxed))
    };
    if setting == Setting::Nested || strays() {
        footprint.add_everything();
    }
}

/// A digest as a client writes it, in lower case.
pub(super) fn sha_of(word: &[u8]) -> Option<Hex> {
    let mut sha: Hex = word.try_into().ok()?;
    sha.make_ascii_lowercase();
    Some(sha)
}

/// How many keys the command has, from its argument 2.
pub(super) fn key_count(ctx: &Ctx<'_>, not_a_number: &'static str) -> Result<usize, &'static str> {
    let number = parse_i64(ctx.arg(2)).ok_or(not_a_number)?;
    if number > ctx.args.len() as i64 - 3 {
        return Err("ERR Number of keys can't be greater than number of args");
    }
    usize::try_from(number).map_err(|_| "ERR Number of keys can't be negative")
}

/// Whether the script that a call runs may take long.
pub fn is_long(server: &Server, command: &Command, args: Args<'_>) -> bool {
    let word = args.get(1).unwrap_or_default();
    let sha = match command.name {
        "fcall" | "fcall_ro" => return server.functions.is_long(word),
        "eval" | "eval_ro" => Some(engine::digest(word)),
        _ => sha_of(word),
    };
    // A script that nobody knows is refused at once, or new.
    let Some(sha) = sha else { return false };
    if let Some(found) = engine::compiled(&sha) {
        return !found.script.pace.is_short();
    }
    let is_new = || matches!(command.name, "eval" | "eval_ro");
    server.scripts.find(&sha).map_or_else(is_new, |script| !script.pace.is_short())
}

/// The flags under which a call is held back: what its script declares says whether it writes. A script that is not
/// known, or has declared nothing, is what its command is.
pub(in crate::command) fn effective_flags(server: &Server, command: &Command, args: Args<'_>) -> Flags {
    let word = args.get(1).unwrap_or_default();
    let declared = match command.name {
        "fcall" | "fcall_ro" => server.functions.flags(word),
        "eval" | "eval_ro" => flags::of_script(word).ok().map(|(flags, _)| flags),
        _ => sha_of(word).and_then(|sha| server.scripts.find(&sha)).map(|script| script.flags),
    };
    match declared {
        Some(flags) if !flags.contains(ScriptFlags::COMPATIBLE) => {
            let may_write = !flags.contains(ScriptFlags::NO_WRITES);
            let writes = if may_write { Flags::WRITE } else { Flags::empty() };
            command.flags.difference(Flags::MAY_REPLICATE).union(writes)
        }
        _ => command.flags,
    }
}

fn evaluate(ctx: &mut Ctx<'_>, read_only: bool) {
    diagnosis::begin_script(ctx);
    let sha = engine::digest(ctx.arg(1));
    run_script(ctx, read_only, sha, |ctx, engine| add(ctx.server, engine, sha, ctx.args.owned(1), false));
}

fn evaluate_by_sha(ctx: &mut Ctx<'_>, read_only: bool) {
    diagnosis::begin_script(ctx);
    let Some(sha) = sha_of(ctx.arg(1)) else {
        let refusal = key_count(ctx, error::NOT_AN_INTEGER).err().unwrap_or(NO_SCRIPT);
        return ctx.reply.error(refusal);
    };
    run_script(ctx, read_only, sha, |ctx, engine| {
        let script = ctx.server.scripts.find(&sha).ok_or(NO_SCRIPT)?;
        compile(engine, &script)
    });
}

type Found = Result<Rc<Compiled>, String>;

/// Runs the script of this digest; `otherwise` brings one that this thread has not compiled.
fn run_script(
    ctx: &mut Ctx<'_>,
    read_only: bool,
    sha: Hex,
    otherwise: impl FnOnce(&mut Ctx<'_>, &mut Engine) -> Found,
) {
    let keys = match key_count(ctx, error::NOT_AN_INTEGER) {
        Ok(keys) => keys,
        Err(text) => return ctx.reply.error(text),
    };
    engine::with_scripts(ctx.server.config.live().lua_memory_limit(), |engine| {
        let found = match engine.find(&sha) {
            Some(found) => Ok(found),
            None => otherwise(ctx, engine),
        };
        match found {
            Ok(found) => run_found(ctx, engine, &found, keys, read_only),
            Err(text) => ctx.reply.error(&text),
        }
    });
}

/// Compiles a text and adds it to the scripts.
pub(super) fn add(server: &Server, engine: &mut Engine, sha: Hex, body: bytes::Bytes, loaded: bool) -> Found {
    let script = match server.scripts.find(&sha) {
        Some(script) => script,
        None => {
            let (flags, skip) = flags::of_script(&body)?;
            Script::new(sha, body, flags, skip)
        }
    };
    let compiled = compile(engine, &script)?;
    let kept = server.scripts.add(Arc::clone(&script), loaded);
    if Arc::ptr_eq(&kept, &script) {
        return Ok(compiled);
    }
    compile(engine, &kept)
}

fn compile(engine: &mut Engine, script: &Arc<Script>) -> Found {
    let compiled = engine.compile(script);
    compiled.map_err(|text| format!("ERR Error compiling script (new function): {text}"))
}

fn run_found(
    ctx: &mut Ctx<'_>,
    engine: &mut Engine,
    Compiled { script, function }: &Compiled,
    keys: usize,
    read_only: bool,
) {
    if let Err(text) = admit(ctx, script.flags, read_only) {
        return ctx.reply.error(text);
    }
    let job = Job { name: &script.sha, flags: script.flags, read_only, is_function: false, keys };
    let began = Instant::now();
    let ended = run::execute(ctx, engine, *function, &job);
    script.pace.note(began.elapsed());
    if ended == Ended::Strayed {
        script.strays.store(true, Ordering::Relaxed);
        ctx.strayed = true;
    }
}

/// Whether what a script declares lets it run now.
pub(super) fn admit(ctx: &Ctx<'_>, flags: ScriptFlags, read_only: bool) -> Result<(), &'static str> {
    if flags.contains(ScriptFlags::COMPATIBLE) {
        return Ok(());
    }
    if read_only && !flags.contains(ScriptFlags::NO_WRITES) {
        return Err("ERR Can not execute a script with write flag using *_ro command.");
    }
    let allowed = ScriptFlags::ALLOW_OOM | ScriptFlags::NO_WRITES;
    if !flags.intersects(allowed) && room::is_short(ctx.server) {
        return Err(
            "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'",
        );
    }
    Ok(())
}
