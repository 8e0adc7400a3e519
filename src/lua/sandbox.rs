//! What a script finds: the harmless part of Lua's libraries, ours, and no way to leave anything behind for the next.
//!
//! Lua 5.1 knows no read-only table. One is made of an empty table whose metatable shows another's fields and refuses
//! new ones; the other table is handed out nowhere. Stock functions that would write past the metatable, or see that
//! the table is empty, are wrapped (`guarded`). The globals and all libraries are such tables.

use std::ffi::CStr;

use mlua_sys as ffi;

use super::guarded::{self, ALL};
use super::{Kind, Outcome, Raised, Stack, bit, cjson, cmsgpack, pattern, random, structs};

/// Stock functions that let a script out, or let it change what others see: none of them is there.
const REMOVED: &[&str] =
    &["dofile", "loadfile", "print", "getfenv", "setfenv", "newproxy", "module", "require"];

/// Pushes the globals, not yet read-only. `add` adds tables and functions to the table on top.
///
/// # Safety
/// As for [`Stack::new`]; and the interpreter is new.
pub(super) unsafe fn build(stack: &mut Stack<'_>, add: impl FnOnce(&mut Stack<'_>)) {
    // SAFETY: opening a library allocates and sets fields, which cannot fail here; see `stack`.
    unsafe {
        open(stack, c"", ffi::luaopen_base);
        open(stack, c"table", ffi::luaopen_table);
        open(stack, c"string", ffi::luaopen_string);
        open(stack, c"math", ffi::luaopen_math);
        ffi::lua_pushvalue(stack.state(), ffi::LUA_GLOBALSINDEX);
        wrap(stack);
    }
    replace(stack);
    libraries(stack);
    add(stack);
    close(stack);
}

unsafe fn open(stack: &Stack<'_>, name: &CStr, library: ffi::lua_CFunction) {
    // SAFETY: by the caller.
    unsafe {
        let state = stack.state();
        ffi::lua_pushcclosure(state, library, 0);
        ffi::lua_pushstring_(state, name.as_ptr());
        ffi::lua_call(state, 1, 0);
    }
}

/// Puts the wrappers in place. The globals are on top.
unsafe fn wrap(stack: &mut Stack<'_>) {
    let state = stack.state();
    // SAFETY: by the caller; the libraries have these fields.
    unsafe {
        ffi::lua_getfield_(state, -1, c"next".as_ptr());
        for (number, wrapped) in ALL.iter().enumerate() {
            match wrapped.library {
                Some(library) => ffi::lua_getfield_(state, -2, library.as_ptr()),
                None => ffi::lua_pushvalue(state, -2),
            }
            ffi::lua_getfield_(state, -1, wrapped.name.as_ptr());
            stack.shared().stock[number].set(ffi::lua_tocfunction(state, -1));
            ffi::lua_pushcclosure(state, wrapped.with, 0);
            ffi::lua_setfield(state, -3, wrapped.name.as_ptr());
            ffi::lua_settop(state, -3);
        }
        ffi::lua_getfield_(state, -2, c"next".as_ptr());
        ffi::lua_insert(state, -2);
        ffi::lua_pushcclosure(state, guarded::pairs, 2);
        ffi::lua_setfield(state, -2, c"pairs".as_ptr());
        ffi::lua_pushcclosure(state, guarded::pcall, 0);
        ffi::lua_setfield(state, -2, c"pcall".as_ptr());
    }
}

/// Replaces stock functions by ours, and takes the dangerous ones away. The globals are on top.
fn replace(stack: &mut Stack<'_>) {
    for name in REMOVED {
        stack.push_nil();
        stack.set_field(-2, name);
    }
    stack.add_native("load", load);
    stack.add_native("loadstring", load_string);
    stack.add_native("collectgarbage", collect_garbage);
    // `string.dump` stays: the bytecode that it writes is loaded nowhere.
    stack.get_field(-1, "string");
    pattern::add_to(stack);
    stack.pop(1);
    stack.get_field(-1, "math");
    stack.add_native("random", random::random);
    stack.add_native("randomseed", random::seed);
    stack.pop(1);
    stack.push_table(0, 1);
    stack.add_native("clock", clock);
    stack.set_field(-2, "os");
}

fn libraries(stack: &mut Stack<'_>) {
    for (name, build) in [
        ("cjson", cjson::build as fn(&mut Stack<'_>)),
        ("cmsgpack", cmsgpack::build),
        ("struct", structs::build),
        ("bit", bit::build),
    ] {
        build(stack);
        stack.set_field(-2, name);
    }
}

/// Makes everything read-only and the result the interpreter's globals. Takes the globals from the top.
fn close(stack: &mut Stack<'_>) {
    let globals = stack.absolute(-1);
    for library in tables_of(stack) {
        stack.push_bytes(&library);
        stack.get_field(globals, &String::from_utf8_lossy(&library));
        protect(stack);
        stack.set_pair(globals);
    }
    protect_metatable_of_strings(stack);
    stack.push_table(0, 1);
    stack.add_native("__index", no_such_global);
    stack.set_metatable(globals);
    stack.copy(globals);
    protect(stack);
    stack.copy(-1);
    stack.set_field(globals, "_G");
    // SAFETY: the top is a table, and replacing the globals raises nothing.
    unsafe { ffi::lua_replace(stack.state(), ffi::LUA_GLOBALSINDEX) };
    stack.pop(1);
}

/// The names of the table on top's fields that are tables, but for itself.
fn tables_of(stack: &mut Stack<'_>) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    stack.push_nil();
    while stack.next(-2) {
        if stack.kind(-1) == Kind::Table && !stack.same(-1, -3) && !stack.is_read_only(-1) {
            names.extend(stack.bytes(-2).map(<[u8]>::to_vec));
        }
        stack.pop(1);
    }
    names
}

/// Replaces the table on top by a read-only view of it: also what getmetatable shows in its metatable's place.
pub(super) fn protect(stack: &mut Stack<'_>) {
    stack.push_table(0, 0);
    stack.push_table(0, 3);
    stack.copy(-3);
    stack.set_field(-2, "__index");
    stack.copy(-2);
    stack.set_field(-2, "__metatable");
    stack.add_native("__newindex", read_only);
    stack.set_metatable(-2);
    stack.remove(-2);
    let address = stack.address(-1);
    stack.shared().read_only.borrow_mut().push(address);
    // Kept, so that the address stays this table's.
    stack.copy(-1);
    let _kept = stack.keep();
}

/// `getmetatable("")` shows a read-only table, so that no script gives all strings new methods.
fn protect_metatable_of_strings(stack: &mut Stack<'_>) {
    stack.push_bytes(b"");
    if stack.get_metatable(-1) {
        stack.push_table(0, 0);
        protect(stack);
        stack.set_field(-2, "__metatable");
        stack.pop(1);
    }
    stack.pop(1);
}

fn read_only(stack: &mut Stack<'_>) -> Outcome {
    Err(stack.fail("Attempt to modify a readonly table"))
}

impl Stack<'_> {
    /// Replaces the table on top by a read-only view of it.
    pub fn read_only(&mut self) {
        protect(self);
    }

    /// Raises that there is no global with the name at 2.
    #[cold]
    pub fn no_such_global(&mut self) -> Raised {
        let name = String::from_utf8_lossy(self.text(2).unwrap_or(b"?")).into_owned();
        self.fail(&format!("Script attempted to access nonexistent global variable '{name}'"))
    }
}

fn no_such_global(stack: &mut Stack<'_>) -> Outcome {
    Err(stack.no_such_global())
}

// -- compiling ------------------------------------------------------------------------------------------------------

/// `loadstring`: source text only, because bytecode can do anything to the process.
fn load_string(stack: &mut Stack<'_>) -> Outcome {
    let chunk = stack.check_bytes(1)?;
    let name = if stack.top() >= 2 { stack.check_bytes(2)? } else { chunk.clone() };
    compile(stack, &chunk, &name)
}

/// `load`: the pieces of a chunk come from a function.
fn load(stack: &mut Stack<'_>) -> Outcome {
    if stack.kind(1) != Kind::Function {
        return Err(stack.wrong_kind(1, "function"));
    }
    let name = if stack.top() >= 2 { stack.check_bytes(2)? } else { b"=(load)".to_vec() };
    let mut chunk = Vec::new();
    loop {
        stack.copy(1);
        if let Err(_raised) = stack.call(0, 1) {
            return failed(stack);
        }
        match stack.kind(-1) {
            Kind::Nil => break,
            Kind::String | Kind::Number => {
                let piece = stack.text(-1).unwrap_or_default();
                if piece.is_empty() {
                    break;
                }
                chunk.extend_from_slice(piece);
            }
            _ => {
                let _raised = stack.raise(b"reader function must return a string");
                return failed(stack);
            }
        }
        stack.pop(1);
        if chunk.len() > stack.shared().limit.get() {
            return Err(stack.raise(b"not enough memory"));
        }
    }
    compile(stack, &chunk, &name)
}

fn compile(stack: &mut Stack<'_>, chunk: &[u8], name: &[u8]) -> Outcome {
    match stack.load(chunk, name) {
        Ok(()) => stack.one(),
        Err(_raised) => failed(stack),
    }
}

/// `nil` and the error on top.
fn failed(stack: &mut Stack<'_>) -> Outcome {
    stack.push_nil();
    stack.insert(-2);
    Ok(2)
}

// -- small ones -----------------------------------------------------------------------------------------------------

/// `collectgarbage`: a script may ask for a collection and for the memory in use. How the collector works is for all
/// scripts, so nothing of it can be set.
fn collect_garbage(stack: &mut Stack<'_>) -> Outcome {
    let what = if stack.top() == 0 { b"collect".to_vec() } else { stack.check_bytes(1)? };
    let answer = match &*what {
        b"collect" | b"step" => {
            stack.collect();
            0.0
        }
        b"count" => stack.shared().memory.get() as f64 / 1024.0,
        b"stop" | b"restart" => 0.0,
        b"setpause" | b"setstepmul" => 200.0,
        other => {
            let why = format!("invalid option '{}'", String::from_utf8_lossy(other));
            return Err(stack.bad_argument(1, &why));
        }
    };
    stack.push_number(answer);
    stack.one()
}

/// `os.clock`: seconds of processor time that the process has used.
fn clock(stack: &mut Stack<'_>) -> Outcome {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the record is ours, and the clock is one that every system has; an error leaves zeros.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    stack.push_number(time.tv_sec as f64 + time.tv_nsec as f64 / 1e9);
    stack.one()
}
