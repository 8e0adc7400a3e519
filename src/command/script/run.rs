//! One run of a script or function: what its calls of `redis.*` find around them.

use super::api::Mode;
use super::convert::{self, Replies};
use super::engine::Engine;
use super::flags::ScriptFlags;
use super::registry::{Running, Shown};
use super::undo::{MustBeginAnew, Undo};
use crate::command::Ctx;
use crate::command::nested::{Call, Caller, Host, Unfit};
use crate::command::persist::NOT_SAVED;
use crate::command::room;
use crate::command::table::Flags;
use crate::command::ticks::{micros, ticks};
use crate::lua::{Failure, Kind, Raised, Reference, Stack};
use crate::protocol::args::ArgBuf;
use crate::protocol::reply::{Output, Reply};
use crate::sync::{Ordering, yield_now};
use std::cell::{Cell, RefCell};

/// How many microseconds a run stays out of FUNCTION STATS: showing itself costs it a copy of its words.
const SHOWN_AFTER: u64 = 5000;
/// Calls of commands after which a script on the pool gives way: some tens of microseconds.
const CALLS_PER_TURN: u32 = 64;

/// What is to run.
pub(super) struct Job<'j> {
    /// What errors call it: its digest, or the function's name.
    pub(super) name: &'j [u8],
    pub(super) flags: ScriptFlags,
    /// EVAL_RO and its like.
    pub(super) read_only: bool,
    pub(super) is_function: bool,
    /// Keys among the arguments, which begin at number 3.
    pub(super) keys: usize,
}

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It has replied.
    Whole,
    /// It must begin anew with everything closed.
    Strayed,
}

/// A run.
pub(super) struct Run<'h> {
    pub(super) host: RefCell<Host<'h>>,
    pub(super) flags: ScriptFlags,
    pub(super) resp3: Cell<bool>,
    read_only: bool,
    undo: Undo<'h>,
    running: Running<'h>,
    /// In ticks of the cycle counter.
    began: u64,
    /// It runs on the pool, beside workers whose clients expect microseconds.
    gives_way: bool,
    /// Calls of commands since it gave way.
    turn: Cell<u32>,
    shown: Cell<bool>,
    is_function: bool,
    name: &'h [u8],
    words: &'h ArgWords<'h>,
    /// Memory was short when the run began.
    out_of_memory: bool,
    /// It has no section of its own that could be given back for a larger one.
    fixed: bool,
    strayed: Cell<bool>,
    killed: Cell<bool>,
    buffers: RefCell<(ArgBuf, Output)>,
    /// What `redis.log` was called with; written when the run has ended.
    pub(super) log: RefCell<Vec<(u8, String)>>,
}

type ArgWords<'a> = dyn Fn() -> Vec<Vec<u8>> + 'a;

/// Runs `function` as the command of `ctx`, and answers unless it has strayed.
pub(super) fn execute(ctx: &mut Ctx<'_>, engine: &mut Engine, function: Reference, job: &Job<'_>) -> Ended {
    let (server, args, caller) = (ctx.server, ctx.args, ctx.caller);
    let words = || args.iter().map(<[u8]>::to_vec).collect::<Vec<_>>();
    let Some((host, reply)) = ctx.host() else { return Ended::Whole };
    let (db, resp3) = (host.client.db, host.client.resp3);
    let lane = host.lane();
    let (words_of_call, output, log) = std::mem::take(&mut engine.buffers);
    let run = Run {
        flags: job.flags,
        resp3: Cell::new(false),
        read_only: job.read_only || job.flags.contains(ScriptFlags::NO_WRITES),
        undo: Undo::new(&server.scripts, log),
        running: server.scripts.begin(lane, job.is_function, host.now()),
        began: ticks(),
        gives_way: lane >= server.workers,
        turn: Cell::default(),
        shown: Cell::new(false),
        is_function: job.is_function,
        name: job.name,
        words: &words,
        out_of_memory: room::is_short(server),
        fixed: caller != Caller::Client,
        strayed: Cell::new(false),
        killed: Cell::new(false),
        buffers: RefCell::new((words_of_call, output)),
        log: RefCell::default(),
        host: RefCell::new(host),
    };
    let ended = run.call(engine, function, args, job, reply);
    run.host.borrow_mut().client.db = db;
    debug_assert_eq!(run.host.borrow().client.resp3, resp3);
    let (words_of_call, output) = run.buffers.take();
    engine.buffers = (words_of_call, output, run.undo.take_log());
    ended
}

impl Run<'_> {
    fn call(
        &self,
        engine: &mut Engine,
        function: Reference,
        args: crate::protocol::args::Args<'_>,
        job: &Job<'_>,
        reply: &mut Reply<'_>,
    ) -> Ended {
        let parameters = engine.enter(function, args, job.keys, self.is_function);
        let mode = Mode::Call(self);
        let outcome = engine.lua.call(parameters, (&raw const mode).cast(), Mode::tick);
        if self.strayed.get() {
            self.undo.roll_back(&self.host.borrow());
            return Ended::Strayed;
        }
        for (level, text) in self.log.take() {
            super::api::write_log(level, &text);
        }
        let mut stack = engine.lua.stack();
        match outcome {
            Ok(()) => convert::reply(&mut stack, self.resp3.get(), reply),
            Err(Failure::Doomed) => reply.error(&self.doomed_text()),
            Err(Failure::Raised) => {
                let counted = stack.kind(-1) == Kind::Table && convert::was_counted(&mut stack);
                let text = error_of(&mut stack, self.name);
                if counted { reply.counted_error(&text) } else { reply.error(&text) }
            }
        }
        engine.lua.tidy();
        Ended::Whole
    }

    fn doomed_text(&self) -> String {
        let sort = if self.is_function { "FUNCTION" } else { "SCRIPT" };
        debug_assert!(self.killed.get());
        format!(
            "ERR Error running script (call to {}): Script killed by user with {sort} KILL.",
            self.title()
        )
    }

    fn title(&self) -> String {
        String::from_utf8_lossy(self.name).into_owned()
    }

    /// Called every so many instructions; true ends the script.
    pub(super) fn tick(&self) -> bool {
        if self.running.is_killed() {
            self.killed.set(true);
            return true;
        }
        if self.gives_way {
            yield_now();
        }
        if !self.shown.get() && micros(ticks() - self.began) > SHOWN_AFTER {
            self.shown.set(true);
            self.running.show(|| Shown { name: self.name.to_vec(), words: (self.words)() });
        }
        false
    }

    /// Lets others have the processor who wait for it.
    fn give_way(&self) {
        self.turn.set(self.turn.get() + 1);
        if self.gives_way && self.turn.get() >= CALLS_PER_TURN {
            self.turn.set(0);
            yield_now();
        }
    }

    /// `redis.call` and `redis.pcall`: the arguments on the stack are a command. Pushes its reply.
    pub(super) fn command(&self, stack: &mut Stack<'_>) -> Result<Answer, Raised> {
        self.give_way();
        let mut buffers = self.buffers.borrow_mut();
        let (words, out) = &mut *buffers;
        let collected = collect(stack, words);
        // They may fill the stack, which the reply needs.
        stack.set_top(0);
        if let Err(text) = collected {
            convert::push_error(stack, text);
            return Ok(Answer::Error);
        }
        if let Err(text) = self.invoke(stack, words, out)? {
            convert::push_error(stack, &text);
            return Ok(Answer::Error);
        }
        let joined;
        let bytes = if out.is_contiguous() {
            bytes::Buf::chunk(out)
        } else {
            joined = bytes::Buf::copy_to_bytes(out, bytes::Buf::remaining(out));
            &joined
        };
        let is_error = bytes.first() == Some(&b'-');
        let pushed = Replies::new(bytes, self.resp3.get()).push(stack);
        out.clear();
        pushed?;
        Ok(if is_error { Answer::Error } else { Answer::Value })
    }

    /// Runs the command; the inner error is a refusal.
    fn invoke(
        &self,
        stack: &mut Stack<'_>,
        words: &ArgBuf,
        out: &mut Output,
    ) -> Result<Result<(), String>, Raised> {
        let call = match Call::resolve(words.args()) {
            Ok(call) => call,
            Err(Unfit::Unknown) => {
                return Ok(Err(self.refused(None, "ERR Unknown Redis command called from script")));
            }
            Err(Unfit::Arity(id, _)) => {
                let text = "ERR Wrong number of args calling Redis command from script";
                return Ok(Err(self.refused(Some(id), text)));
            }
        };
        let forbidden = call.command.flags.contains(Flags::NOSCRIPT);
        let refusal = self.host.borrow_mut().refusal_in_script(&call);
        if let Some(text) = refusal.filter(|_| !forbidden) {
            return Ok(Err(text));
        }
        if let Err(text) = self.allows(&call) {
            return Ok(Err(self.refused(Some(call.id), text)));
        }
        let mut host = self.host.borrow_mut();
        let key = match self.fixed {
            true => None,
            false => match self.undo.prepare(&host, &call) {
                Ok(key) => key,
                Err(MustBeginAnew) => {
                    self.strayed.set(true);
                    return Err(stack.doom());
                }
            },
        };
        if call.command.flags.contains(Flags::WRITE) {
            // Ordering: Relaxed; who kills looks once more when the run does.
            self.running.slot.wrote.store(true, Ordering::Relaxed);
        }
        host.run(&call, key, Caller::Script, self.resp3.get(), out);
        Ok(Ok(()))
    }

    /// Counts that a call of this command, if there is such a one, was refused.
    #[cold]
    fn refused(&self, id: Option<usize>, text: &str) -> String {
        let host = self.host.borrow();
        let counters = host.server.stats.lane(host.lane());
        let code = text.split(' ').next().unwrap_or_default().as_bytes();
        match id {
            Some(id) => counters.rejected(id, code),
            None => counters.error(code),
        }
        text.into()
    }

    /// Whether tests have allowed what scripts must not call. A script within a script there is never.
    #[cold]
    fn may_call_anything(&self, flags: Flags) -> bool {
        let allowed = self.host.borrow().server.scripts.call_anything.load(Ordering::Relaxed);
        allowed && !flags.contains(Flags::RUNS_SCRIPT)
    }

    fn allows(&self, call: &Call<'_>) -> Result<(), &'static str> {
        let flags = call.command.flags;
        if flags.contains(Flags::NOSCRIPT) && !self.may_call_anything(flags) {
            return Err("ERR This Redis command is not allowed from script");
        }
        if self.read_only && flags.intersects(Flags::WRITE | Flags::MAY_REPLICATE) {
            return Err("ERR Write commands are not allowed from read-only scripts.");
        }
        if flags.contains(Flags::WRITE) && self.host.borrow().server.persist.refuses_writes() {
            return Err(NOT_SAVED);
        }
        let short = self.out_of_memory && !self.flags.contains(ScriptFlags::ALLOW_OOM);
        if short && flags.contains(Flags::DENYOOM) && !self.running.slot.wrote.load(Ordering::Relaxed) {
            return Err(crate::command::error::OUT_OF_MEMORY);
        }
        Ok(())
    }
}

/// What a command's reply is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// Any value.
    Value,
    /// An error table.
    Error,
}

/// Takes the arguments on the stack as the words of a command.
fn collect(stack: &mut Stack<'_>, words: &mut ArgBuf) -> Result<(), &'static str> {
    words.clear();
    let count = stack.top();
    if count == 0 {
        return Err("ERR Please specify at least one argument for this redis lib call");
    }
    for number in 1..=count as i32 {
        if let Some(text) = stack.string_at(number) {
            words.push(text);
            continue;
        }
        match stack.kind(number) {
            Kind::Number => {
                let mut digits = Vec::new();
                crate::lua::print(stack.number(number).unwrap_or(0.0), 17, &mut digits);
                words.push(&digits);
            }
            _ => return Err("ERR Lua redis lib command arguments must be strings or integers"),
        }
    }
    Ok(())
}

/// The text of the error that a run of `name` raised, which is on top.
pub(super) fn error_of(stack: &mut Stack<'_>, name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    if stack.kind(-1) != Kind::Table {
        let text = String::from_utf8_lossy(stack.text(-1).unwrap_or(b"execution failure")).into_owned();
        return format!("ERR Error running script {name}, {text}");
    }
    let field = |stack: &mut Stack<'_>, field: &str| {
        stack.get_field(-1, field);
        let text = stack.text(-1).map(<[u8]>::to_vec);
        stack.pop(1);
        text
    };
    let text = convert::error_text(&field(stack, "err").unwrap_or_else(|| b"ERR unknown error".to_vec()));
    match (field(stack, "source"), field(stack, "line")) {
        (Some(source), Some(line)) => {
            let (source, line) = (String::from_utf8_lossy(&source), String::from_utf8_lossy(&line));
            format!("{text} script: {name}, on {source}:{line}.")
        }
        _ => text,
    }
}
