//! `redis` and `server`: what a script has of the server.

use super::convert;
use super::function::Loading;
use super::run::{Answer, Run};
use crate::command::nested::Call;
use crate::command::state::REDIS_VERSION;
use crate::command::table::registry;
use crate::lua::{Kind, Outcome, Raised, Stack, sha1};
use crate::protocol::args::{ArgBuf, parse_u64};
use crate::{log_debug, log_notice, log_verbose, log_warning};

/// What the running Lua code is.
pub(super) enum Mode<'r, 'h> {
    /// A script or function at work.
    Call(&'r Run<'h>),
    /// A library that registers its functions.
    Load(&'r Loading),
}

impl Mode<'_, '_> {
    /// The interpreter's tick.
    pub(super) fn tick(run: *const ()) -> bool {
        // SAFETY: every call of an interpreter passes the address of a `Mode` that outlives it.
        match unsafe { &*run.cast::<Mode<'_, '_>>() } {
            Mode::Call(run) => run.tick(),
            Mode::Load(loading) => loading.is_late(),
        }
    }

    fn of<'s>(stack: &Stack<'s>) -> &'s Mode<'s, 's> {
        // SAFETY: as in `tick`; functions of ours run only within such a call.
        unsafe { &*stack.run().cast::<Mode<'s, 's>>() }
    }
}

/// The run that the calling script belongs to.
fn run<'s>(stack: &mut Stack<'s>) -> Result<&'s Run<'s>, Raised> {
    match Mode::of(stack) {
        Mode::Call(run) => Ok(run),
        Mode::Load(_) => Err(stack.fail("redis functions can only be called inside a script invocation")),
    }
}

/// The library that is being loaded.
pub(super) fn loading<'s>(stack: &mut Stack<'s>) -> Result<&'s Loading, Raised> {
    match Mode::of(stack) {
        Mode::Load(loading) => Ok(loading),
        Mode::Call(_) => {
            Err(refuse(stack, "ERR redis.register_function can only be called on FUNCTION LOAD command"))
        }
    }
}

/// Pushes the table, not yet read-only.
pub(super) fn push(stack: &mut Stack<'_>, is_script: bool) {
    stack.push_table(0, 32);
    stack.add_native_of_many("call", call);
    stack.add_native_of_many("pcall", pcall);
    stack.add_native("error_reply", error_reply);
    stack.add_native("status_reply", status_reply);
    stack.add_native("sha1hex", sha1hex);
    stack.add_native("setresp", setresp);
    stack.add_native("set_repl", set_repl);
    stack.add_native("acl_check_cmd", acl_check_cmd);
    if is_script {
        stack.add_native("replicate_commands", replicate_commands);
        stack.add_native("breakpoint", breakpoint);
        stack.add_native("debug", |_| Ok(0));
    }
    constants(stack);
}

/// What a library may use while it is loaded. The fields are those of the table on top.
pub(super) fn constants(stack: &mut Stack<'_>) {
    stack.add_native("log", log);
    for (name, value) in [
        ("LOG_DEBUG", 0),
        ("LOG_VERBOSE", 1),
        ("LOG_NOTICE", 2),
        ("LOG_WARNING", 3),
        ("REPL_NONE", 0),
        ("REPL_AOF", 1),
        ("REPL_SLAVE", 2),
        ("REPL_REPLICA", 2),
        ("REPL_ALL", 3),
        ("REDIS_VERSION_NUM", version_number()),
    ] {
        stack.push_number(value as f64);
        stack.set_field(-2, name);
    }
    stack.push_bytes(REDIS_VERSION.as_bytes());
    stack.set_field(-2, "REDIS_VERSION");
}

/// The version with a byte for each of its parts.
fn version_number() -> u64 {
    let part = |text: &str| parse_u64(text.as_bytes()).unwrap_or(0);
    REDIS_VERSION.split('.').fold(0, |all, text| all << 8 | part(text))
}

/// Raises an error table.
#[cold]
fn refuse(stack: &mut Stack<'_>, text: &str) -> Raised {
    convert::push_error(stack, text);
    Raised
}

// -- commands -------------------------------------------------------------------------------------------------------

fn call(stack: &mut Stack<'_>) -> Outcome {
    match run(stack)?.command(stack)? {
        Answer::Value => stack.one(),
        Answer::Error => Err(Raised),
    }
}

fn pcall(stack: &mut Stack<'_>) -> Outcome {
    run(stack)?.command(stack)?;
    stack.one()
}

fn acl_check_cmd(stack: &mut Stack<'_>) -> Outcome {
    let count = stack.top();
    if count == 0 {
        return Err(refuse(stack, "ERR Please specify at least one argument for this redis lib call"));
    }
    let mut words = ArgBuf::default();
    for number in 1..=count as i32 {
        match stack.text(number) {
            Some(text) => words.push(text),
            None => {
                let text = "ERR redis.acl_check_cmd() require all arguments to be strings or integers";
                return Err(refuse(stack, text));
            }
        }
    }
    let words = words.args();
    let Some((id, command)) = registry().resolve(words) else {
        return Err(refuse(stack, "ERR Invalid command passed to redis.acl_check_cmd()"));
    };
    let allowed = run(stack)?.host.borrow().may(&Call { id, command, args: words });
    stack.push_boolean(allowed);
    stack.one()
}

// -- replies --------------------------------------------------------------------------------------------------------

fn error_reply(stack: &mut Stack<'_>) -> Outcome {
    if stack.top() != 1 || stack.kind(1) != Kind::String {
        convert::push_error(stack, "ERR wrong number or type of arguments");
        return stack.one();
    }
    let text = stack.bytes(1).unwrap_or_default();
    let text = text.strip_prefix(b"-").unwrap_or(text);
    // The first word is the code, if there are two words at all.
    let text = if text.contains(&b' ') { text.to_vec() } else { [b"ERR ", text].concat() };
    push_single(stack, "err", &text)
}

fn status_reply(stack: &mut Stack<'_>) -> Outcome {
    if stack.top() != 1 || stack.kind(1) != Kind::String {
        convert::push_error(stack, "ERR wrong number or type of arguments");
        return stack.one();
    }
    let text = stack.bytes(1).unwrap_or_default().to_vec();
    push_single(stack, "ok", &text)
}

fn push_single(stack: &mut Stack<'_>, name: &str, text: &[u8]) -> Outcome {
    stack.push_table(0, 1);
    stack.push_bytes(text);
    stack.set_field(-2, name);
    stack.one()
}

fn setresp(stack: &mut Stack<'_>) -> Outcome {
    if stack.top() != 1 {
        return Err(refuse(stack, "ERR redis.setresp() requires one argument."));
    }
    let resp3 = match stack.number(1) {
        Some(2.0) => false,
        Some(3.0) => true,
        _ => return Err(refuse(stack, "ERR RESP version must be 2 or 3.")),
    };
    run(stack)?.resp3.set(resp3);
    Ok(0)
}

// -- the rest -------------------------------------------------------------------------------------------------------

fn sha1hex(stack: &mut Stack<'_>) -> Outcome {
    if stack.top() != 1 {
        return Err(refuse(stack, "ERR wrong number of arguments"));
    }
    let digest = sha1::hex(stack.text(1).unwrap_or_default());
    stack.push_bytes(&digest);
    stack.one()
}

/// `redis.log(level, text, ...)`.
fn log(stack: &mut Stack<'_>) -> Outcome {
    if stack.top() < 2 {
        return Err(refuse(stack, "ERR redis.log() requires two arguments or more."));
    }
    let Some(level) = stack.number(1).filter(|_| stack.kind(1) == Kind::Number) else {
        return Err(refuse(stack, "ERR First argument must be a number (log level)."));
    };
    if !(0.0..4.0).contains(&level) {
        return Err(refuse(stack, "ERR Invalid debug level."));
    }
    let mut parts = Vec::new();
    for number in 2..=stack.top() as i32 {
        parts.extend(stack.text(number).map(|text| String::from_utf8_lossy(text).into_owned()));
    }
    let text = parts.join(" ");
    match Mode::of(stack) {
        // A run may have to begin anew: what it has said counts when it has ended.
        Mode::Call(run) => run.log.borrow_mut().push((level as u8, text)),
        Mode::Load(_) => write_log(level as u8, &text),
    }
    Ok(0)
}

pub(super) fn write_log(level: u8, text: &str) {
    match level {
        0 => log_debug!("{text}"),
        1 => log_verbose!("{text}"),
        2 => log_notice!("{text}"),
        _ => log_warning!("{text}"),
    }
}

/// What a script does is always replicated by its effects, so there is nothing to choose.
fn set_repl(stack: &mut Stack<'_>) -> Outcome {
    if stack.top() != 1 {
        return Err(refuse(stack, "ERR redis.set_repl() requires two arguments."));
    }
    match stack.number(1) {
        Some(flags) if (0.0..4.0).contains(&flags) => Ok(0),
        _ => Err(refuse(
            stack,
            "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.",
        )),
    }
}

fn replicate_commands(stack: &mut Stack<'_>) -> Outcome {
    stack.push_boolean(true);
    stack.one()
}

/// There is no debugger to stop in.
fn breakpoint(stack: &mut Stack<'_>) -> Outcome {
    stack.push_boolean(false);
    stack.one()
}
