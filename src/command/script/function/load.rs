//! FUNCTION LOAD, and `redis.register_function`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::library::{Function, LOAD_TIME, Library, Registered};
use crate::command::Ctx;
use crate::command::script::api::loading;
use crate::command::script::engine;
use crate::command::script::flags::{self, ScriptFlags};
use crate::command::state::Server;
use crate::lua::{Kind, Outcome, Raised, Stack};
use crate::protocol::args::eq_ignore_case;

const BAD_NAME: &str = "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least \
                        one character long";

pub(in crate::command::script) fn load(ctx: &mut Ctx<'_>) {
    let last = ctx.args.len() - 1;
    let mut replace = false;
    for at in 2..last {
        if !eq_ignore_case(ctx.arg(at), b"replace") {
            let option = String::from_utf8_lossy(ctx.arg(at));
            return ctx.reply.error(&format!("ERR Unknown option given: {option}"));
        }
        replace = true;
    }
    let built = build(ctx.server, ctx.args.owned(last), LOAD_TIME);
    let added = built.and_then(|library| {
        ctx.server.functions.change(|table| table.insert(&library, replace, exists))?;
        Ok(library)
    });
    match added {
        Ok(library) => ctx.reply.bulk(&library.name),
        Err(text) => ctx.reply.error(&text),
    }
}

fn exists(name: &str) -> String {
    format!("ERR Library '{name}' already exists")
}

/// Makes a library of its code, by running it on this thread.
pub(super) fn build(server: &Server, code: Bytes, timeout: Duration) -> Result<Arc<Library>, String> {
    let (name, skip) = metadata(&code)?;
    let limit = server.config.live().lua_memory_limit();
    let functions = engine::with_functions(limit, |engine| {
        let loading = engine.load(&code[skip..], timeout)?;
        let functions = loading.describe();
        engine.release(loading);
        Ok::<_, String>(functions)
    })?;
    if functions.is_empty() {
        return Err("ERR No functions registered".into());
    }
    let number = server.functions.number();
    Ok(Arc::new(Library { number, name, code, skip, functions, gone: false.into(), timeout }))
}

impl super::library::Loading {
    /// What was registered, as the server remembers it.
    fn describe(&self) -> Vec<Arc<Function>> {
        self.map(|registered| {
            Arc::new(Function {
                name: registered.name.clone(),
                description: registered.description.clone(),
                flags: registered.flags,
                strays: false.into(),
                pace: Default::default(),
            })
        })
    }
}

/// The library's name in its first line, and how long that is.
fn metadata(code: &[u8]) -> Result<(Vec<u8>, usize), String> {
    if !code.starts_with(b"#!") {
        return Err("ERR Missing library metadata".into());
    }
    let len = memchr::memchr(b'\n', code).ok_or("ERR Invalid library metadata")?;
    let words = crate::config::split::words(&code[..len]).ok_or("ERR Invalid library metadata")?;
    let (engine, words) = words.split_first().ok_or("ERR Invalid library metadata")?;
    let engine = &engine[2.min(engine.len())..];
    let mut name = None;
    for word in words {
        let Some(given) = word.strip_prefix(b"name=") else {
            return Err(format!("ERR Invalid metadata value given: {}", String::from_utf8_lossy(word)));
        };
        if name.replace(given.to_vec()).is_some() {
            return Err("ERR Invalid metadata value, name argument was given multiple times".into());
        }
    }
    let name = name.ok_or("ERR Library name was not given")?;
    if !is_name(&name) {
        return Err(BAD_NAME.into());
    }
    if !engine.eq_ignore_ascii_case(b"lua") {
        return Err(format!("ERR Engine '{}' not found", String::from_utf8_lossy(engine)));
    }
    Ok((name, len))
}

fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// Gives the table on top `register_function`.
pub(in crate::command::script) fn add_register(stack: &mut Stack<'_>) {
    stack.add_native("register_function", register);
}

fn refuse(stack: &mut Stack<'_>, text: &str) -> Raised {
    stack.raise_table(text)
}

/// `register_function(name, callback)`, or one table with named fields.
fn register(stack: &mut Stack<'_>) -> Outcome {
    let loading = loading(stack)?;
    let registered = match stack.top() {
        1 if stack.kind(1) == Kind::Table => named(stack)?,
        1 => {
            let text = "ERR calling redis.register_function with a single argument is only applicable to Lua table \
                        (representing named arguments).";
            return Err(refuse(stack, text));
        }
        2 => positional(stack)?,
        _ => return Err(refuse(stack, "ERR wrong number of arguments to redis.register_function")),
    };
    let problem = if !is_name(&registered.name) {
        BAD_NAME
    } else if loading.has(&registered.name) {
        "ERR Function already exists in the library"
    } else {
        loading.add(registered);
        return Ok(0);
    };
    stack.release(registered.function);
    Err(refuse(stack, problem))
}

fn positional(stack: &mut Stack<'_>) -> Result<Registered, Raised> {
    let Some(name) = stack.text(1).map(<[u8]>::to_vec) else {
        return Err(refuse(stack, "ERR first argument to redis.register_function must be a string"));
    };
    if stack.kind(2) != Kind::Function {
        return Err(refuse(stack, "ERR second argument to redis.register_function must be a function"));
    }
    let function = stack.keep();
    Ok(Registered { name, function, description: None, flags: ScriptFlags::default() })
}

fn named(stack: &mut Stack<'_>) -> Result<Registered, Raised> {
    let (mut name, mut description, mut flags) = (None, None, ScriptFlags::default());
    let mut has_callback = false;
    stack.push_nil();
    while stack.next(1) {
        let field = if stack.kind(-2) == Kind::String { stack.bytes(-2).map(<[u8]>::to_vec) } else { None };
        match field.as_deref() {
            Some(b"function_name") => {
                name = stack.text(-1).map(<[u8]>::to_vec);
                if name.is_none() {
                    let text = "ERR function_name argument given to redis.register_function must be a string";
                    return Err(refuse(stack, text));
                }
            }
            Some(b"description") => {
                description = stack.text(-1).map(<[u8]>::to_vec);
                if description.is_none() {
                    let text = "ERR description argument given to redis.register_function must be a string";
                    return Err(refuse(stack, text));
                }
            }
            Some(b"callback") if stack.kind(-1) == Kind::Function => has_callback = true,
            Some(b"callback") => {
                let text = "ERR callback argument given to redis.register_function must be a function";
                return Err(refuse(stack, text));
            }
            Some(b"flags") => flags = flags_of(stack)?,
            _ => return Err(refuse(stack, "ERR unknown argument given to redis.register_function")),
        }
        stack.pop(1);
    }
    let Some(name) = name else {
        return Err(refuse(stack, "ERR redis.register_function must get a function name argument"));
    };
    if !has_callback {
        return Err(refuse(stack, "ERR redis.register_function must get a callback argument"));
    }
    stack.get_field(1, "callback");
    Ok(Registered { name, function: stack.keep(), description, flags })
}

fn flags_of(stack: &mut Stack<'_>) -> Result<ScriptFlags, Raised> {
    if stack.kind(-1) != Kind::Table {
        let text =
            "ERR flags argument to redis.register_function must be a table representing function flags";
        return Err(refuse(stack, text));
    }
    let mut all = ScriptFlags::default();
    for number in 1.. {
        stack.get_element(-1, number);
        if stack.kind(-1) == Kind::Nil {
            break;
        }
        match stack.bytes(-1).and_then(flags::named) {
            Some(flag) => all |= flag,
            None => return Err(refuse(stack, "ERR unknown flag given")),
        }
        stack.pop(1);
    }
    stack.pop(1);
    Ok(all)
}
