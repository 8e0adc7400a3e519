//! A thread's interpreters, made when they are first needed, and what they have compiled.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::api;
use super::function::{Library, Loading};
use super::registry::Script;
use super::undo::Log;
use crate::lua::sha1::{self, Hex};
use crate::lua::{Failure, Interpreter, Reference, Stack};
use crate::memory;
use crate::protocol::args::{ArgBuf, Args};
use crate::protocol::reply::Output;
use crate::sync::Ordering;

/// Compiled scripts that a thread keeps; beyond it, it starts afresh.
const COMPILED: usize = 1024;

/// An interpreter, and what it has compiled.
pub(super) struct Engine {
    pub(super) lua: Interpreter,
    /// Kept from one run to the next for their room.
    pub(super) buffers: (ArgBuf, Output, Log),
    globals: Reference,
    scripts: HashMap<Hex, Rc<Compiled>, foldhash::fast::RandomState>,
    /// The script that was asked for last: a command asks for it three times, and the same one often comes again.
    last: RefCell<Option<Rc<Compiled>>>,
    libraries: HashMap<u64, Loaded>,
    /// Of the functions' interpreter: the metatable of the globals, and what it shows to a library that is being
    /// loaded and to functions that run.
    views: Option<[Reference; 3]>,
}

/// A script that this thread has compiled. Threads share no count of it, which each run would change.
pub(super) struct Compiled {
    pub(super) script: Arc<Script>,
    pub(super) function: Reference,
}

/// A library with its functions by name.
type Loaded = (Arc<Library>, HashMap<Vec<u8>, Reference>);

thread_local! {
    static SCRIPTS: RefCell<Option<Engine>> = const { RefCell::new(None) };
    static FUNCTIONS: RefCell<Option<Engine>> = const { RefCell::new(None) };
    /// The text that EVAL ran last, with its digest: a command asks for it twice, and the same one often comes again.
    static LAST: RefCell<(Vec<u8>, Hex)> = const { RefCell::new((Vec::new(), [0; 40])) };
}

/// Lends the interpreter of scripts.
pub(super) fn with_scripts<R>(limit: usize, job: impl FnOnce(&mut Engine) -> R) -> R {
    SCRIPTS.with_borrow_mut(|engine| {
        let engine = engine.get_or_insert_with(|| Engine::for_scripts(limit));
        engine.lua.set_limit(limit);
        let result = job(engine);
        memory::note_interpreter(false, engine.lua.memory());
        result
    })
}

/// Lends the interpreter of functions.
pub(super) fn with_functions<R>(limit: usize, job: impl FnOnce(&mut Engine) -> R) -> R {
    FUNCTIONS.with_borrow_mut(|engine| {
        let engine = engine.get_or_insert_with(|| Engine::for_functions(limit));
        engine.lua.set_limit(limit);
        let result = job(engine);
        memory::note_interpreter(true, engine.lua.memory());
        result
    })
}

/// The script of this digest, if this thread has compiled it and it is still there.
pub(super) fn compiled(sha: &Hex) -> Option<Rc<Compiled>> {
    SCRIPTS.with_borrow(|engine| engine.as_ref()?.find(sha))
}

/// The digest of a script's text.
pub(super) fn digest(body: &[u8]) -> Hex {
    LAST.with_borrow_mut(|(last, sha)| {
        if last != body {
            *sha = sha1::hex(body);
            last.clear();
            last.extend_from_slice(body);
        }
        *sha
    })
}

impl Engine {
    fn for_scripts(limit: usize) -> Engine {
        let mut globals = None;
        let lua = Interpreter::new(limit, |stack| {
            api::push(stack, true);
            name_api(stack);
            stack.copy(-1);
            globals = Some(stack.keep());
        });
        Engine::new(lua, globals.expect("the globals are built"))
    }

    fn for_functions(limit: usize) -> Engine {
        let mut globals = None;
        let mut lua = Interpreter::new(limit, |stack| {
            api::push(stack, false);
            name_api(stack);
            stack.copy(-1);
            globals = Some(stack.keep());
        });
        let globals = globals.expect("the globals are built");
        let views = views(&mut lua.stack(), globals);
        Engine { views: Some(views), ..Engine::new(lua, globals) }
    }

    fn new(lua: Interpreter, globals: Reference) -> Engine {
        Engine {
            lua,
            globals,
            buffers: Default::default(),
            scripts: HashMap::default(),
            last: RefCell::default(),
            libraries: HashMap::new(),
            views: None,
        }
    }

    /// The script of this digest, if it is still there.
    pub(super) fn find(&self, sha: &Hex) -> Option<Rc<Compiled>> {
        let mut last = self.last.borrow_mut();
        if last.as_ref().is_none_or(|last| last.script.sha != *sha) {
            *last = Some(Rc::clone(self.scripts.get(sha)?));
        }
        last.clone().filter(|found| !found.script.gone.load(Ordering::Acquire))
    }

    /// Compiles a script; an error's text is Lua's.
    pub(super) fn compile(&mut self, script: &Arc<Script>) -> Result<Rc<Compiled>, String> {
        self.last.take();
        if self.scripts.len() >= COMPILED {
            let mut stack = self.lua.stack();
            self.scripts.drain().for_each(|(_, old)| stack.release(old.function));
        }
        let mut stack = self.lua.stack();
        stack.set_top(0);
        if let Err(_raised) = stack.load(script.source(), b"@user_script") {
            return Err(String::from_utf8_lossy(stack.text(-1).unwrap_or_default()).into_owned());
        }
        let function = stack.keep();
        let compiled = Rc::new(Compiled { script: Arc::clone(script), function });
        if let Some(old) = self.scripts.insert(script.sha, Rc::clone(&compiled)) {
            self.lua.stack().release(old.function);
        }
        Ok(compiled)
    }

    /// Puts the function, and what it is called with, on the stack; how many parameters that is. Keys and arguments
    /// begin at number 3 of the command.
    pub(super) fn enter(
        &mut self,
        function: Reference,
        args: Args<'_>,
        keys: usize,
        is_function: bool,
    ) -> usize {
        let (globals, views) = (self.globals, self.views);
        let mut stack = self.lua.stack();
        stack.set_top(0);
        if let Some(views) = views {
            show(&mut stack, views, 2);
        }
        if !is_function {
            stack.push_kept(globals);
            push_words(&mut stack, args.slice_from(3), 0, keys);
            stack.set_field(1, "KEYS");
            push_words(&mut stack, args.slice_from(3), keys, usize::MAX);
            stack.set_field(1, "ARGV");
            stack.push_kept(function);
            return 0;
        }
        stack.push_kept(function);
        push_words(&mut stack, args.slice_from(3), 0, keys);
        push_words(&mut stack, args.slice_from(3), keys, usize::MAX);
        2
    }

    /// The function of a library, which is run first if this thread has not yet.
    pub(super) fn function(&mut self, library: &Arc<Library>, name: &[u8]) -> Result<Reference, String> {
        if !self.libraries.contains_key(&library.number) {
            self.forget_gone_libraries();
            let loading = self.load(library.source(), library.timeout)?;
            let functions = loading.into_functions().into_iter();
            let functions = functions.map(|registered| (registered.name, registered.function)).collect();
            self.libraries.insert(library.number, (Arc::clone(library), functions));
        }
        let functions = &self.libraries[&library.number].1;
        functions.get(name).copied().ok_or_else(|| "ERR Function not found".into())
    }

    fn forget_gone_libraries(&mut self) {
        let mut stack = self.lua.stack();
        self.libraries.retain(|_, (library, functions)| {
            let gone = library.gone.load(Ordering::Acquire);
            if gone {
                functions.values().for_each(|function| stack.release(*function));
            }
            !gone
        });
    }

    /// Runs a library's text, which registers its functions. The caller releases them.
    pub(super) fn load(&mut self, source: &[u8], timeout: std::time::Duration) -> Result<Loading, String> {
        let views = self.views.expect("libraries are loaded where functions run");
        let mut stack = self.lua.stack();
        stack.set_top(0);
        show(&mut stack, views, 1);
        if let Err(_raised) = stack.load(source, b"@user_function") {
            let text = String::from_utf8_lossy(stack.text(-1).unwrap_or_default()).into_owned();
            return Err(format!("ERR Error compiling function: {text}"));
        }
        let loading = Loading::new(timeout);
        let mode = api::Mode::Load(&loading);
        let outcome = self.lua.call(0, (&raw const mode).cast(), api::Mode::tick);
        let text = match outcome {
            Ok(()) => return Ok(loading),
            Err(Failure::Doomed) => "ERR FUNCTION LOAD timeout".to_string(),
            Err(Failure::Raised) => raised(&mut self.lua.stack()),
        };
        self.release(loading);
        Err(format!("ERR Error registering functions: {text}"))
    }

    /// Gives up functions that were registered.
    pub(super) fn release(&mut self, loading: Loading) {
        let mut stack = self.lua.stack();
        loading.into_functions().into_iter().for_each(|registered| stack.release(registered.function));
    }
}

/// The text of an error without its place.
fn raised(stack: &mut Stack<'_>) -> String {
    if stack.kind(-1) == crate::lua::Kind::Table {
        stack.get_field(-1, "err");
    }
    String::from_utf8_lossy(stack.text(-1).unwrap_or(b"ERR unknown error")).into_owned()
}

/// The two faces of the functions' globals. A library that is being loaded finds nothing but a `redis` of its own, with
/// which it registers functions.
fn views(stack: &mut Stack<'_>, globals: Reference) -> [Reference; 3] {
    stack.push_globals();
    stack.get_metatable(-1);
    let metatable = stack.keep();
    stack.push_table(0, 2);
    stack.push_table(0, 16);
    api::constants(stack);
    super::function::add_register(stack);
    refuse_others(stack);
    name_api(stack);
    refuse_others(stack);
    let at_load = stack.keep();
    stack.set_top(0);
    [metatable, at_load, globals]
}

/// Makes it an error to ask the table on top for a field that it has not.
fn refuse_others(stack: &mut Stack<'_>) {
    stack.push_table(0, 1);
    stack.add_native("__index", |stack| Err(stack.no_such_global()));
    stack.set_metatable(-2);
}

/// Makes the functions' globals show one of their two faces.
fn show(stack: &mut Stack<'_>, views: [Reference; 3], which: usize) {
    stack.push_kept(views[0]);
    stack.push_kept(views[which]);
    stack.set_field(-2, "__index");
    stack.pop(1);
}

/// Takes the table on top as `redis` and `server`, which are made read-only with the other libraries.
fn name_api(stack: &mut Stack<'_>) {
    stack.read_only();
    stack.copy(-1);
    stack.set_field(-3, "server");
    stack.set_field(-2, "redis");
}

fn push_words(stack: &mut Stack<'_>, words: Args<'_>, from: usize, most: usize) {
    stack.push_list(words.slice_from(from).first(most).iter());
}
