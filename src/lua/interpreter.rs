//! An interpreter as its owner sees it.

use std::panic::resume_unwind;
use std::ptr;

use mlua_sys as ffi;

use super::alloc::allocate;
use super::cjson::Settings;
use super::shared::{Shared, Tick, shared_of};
use super::{Kind, Raised, Reference, Stack, native, sandbox};

/// Bytecode begins with this byte, and no source text does.
const BYTECODE: u8 = 0x1b;
/// In use when a script has ended, as a fraction of the cap, the garbage of it is collected.
const GARBAGE_FRACTION: usize = 8;

/// A Lua interpreter of this thread.
pub struct Interpreter {
    state: *mut ffi::lua_State,
    /// Lua's allocator has its address. Dropped after the state.
    shared: Box<Shared>,
    /// Makes a table of whatever a script raises.
    handler: Reference,
}

/// Why a call failed.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// The script raised; the value on top is a table, or a text if no memory was left for one.
    Raised,
    /// Somebody doomed it. Nothing is on top.
    Doomed,
}

impl Interpreter {
    /// An interpreter whose scripts may have `limit` bytes. `add` adds tables and functions to the globals on top.
    pub fn new(limit: usize, add: impl FnOnce(&mut Stack<'_>)) -> Interpreter {
        let shared = Box::new(Shared::new(limit));
        let record = ptr::from_ref(&*shared).cast_mut().cast();
        // SAFETY: the record is boxed and lives longer than the state, and `allocate` is what Lua asks for.
        let state = unsafe { ffi::lua_newstate(allocate, record) };
        assert!(!state.is_null(), "memory is not refused to us");
        // SAFETY: the state is new, ours, and Lua code does not run.
        let mut stack = unsafe { Stack::new(state) };
        // SAFETY: as above.
        unsafe { sandbox::build(&mut stack, add) };
        native::watch(state);
        native::collect_rarely(state, true);
        stack.push_handler();
        let handler = stack.keep();
        Interpreter { state, shared, handler }
    }

    /// Its stack, while no script runs.
    pub fn stack(&mut self) -> Stack<'_> {
        // SAFETY: Lua code runs only within `call` and `load`, which borrow the interpreter too.
        unsafe { Stack::new(self.state) }
    }

    /// Bytes that it has allocated.
    pub fn memory(&self) -> usize {
        self.shared.memory.get()
    }

    /// Bytes that its scripts may have from here on.
    pub fn set_limit(&mut self, limit: usize) {
        self.shared.limit.set(limit);
    }

    /// Calls the function below the upper `args` values, for one result.
    ///
    /// Every so many instructions `tick` is called with `run`; true dooms the script. A panic of one of our functions
    /// goes on here when the script has been ended.
    pub fn call(&mut self, args: usize, run: *const (), tick: Tick) -> Result<(), Failure> {
        self.begin(run, tick);
        let handler = self.handler;
        let mut stack = self.stack();
        let function = stack.top() - args;
        stack.push_kept(handler);
        stack.insert(function as i32);
        // SAFETY: as for `Stack::call`; the handler stands below the function.
        let status = unsafe { protected(self.state, args, function) };
        self.stack().remove(function as i32);
        self.end(status)
    }

    fn begin(&self, run: *const (), tick: Tick) {
        let shared = &*self.shared;
        shared.run.set(run);
        shared.tick.set(Some(tick));
        shared.cjson.set(Settings::default());
    }

    fn end(&mut self, status: i32) -> Result<(), Failure> {
        self.shared.run.set(ptr::null());
        self.shared.tick.set(None);
        let doomed = self.shared.doomed.replace(false);
        if doomed {
            native::watch(self.state);
        }
        native::collect_rarely(self.state, true);
        if let Some(panic) = self.shared.panic.take() {
            resume_unwind(panic);
        }
        match (status, doomed) {
            (0, false) => Ok(()),
            (_, false) => Err(Failure::Raised),
            (_, true) => {
                self.stack().pop(1);
                Err(Failure::Doomed)
            }
        }
    }

    /// Frees what the last scripts have left, if it is much.
    #[inline]
    pub fn tidy(&mut self) {
        if self.memory() > self.shared.limit.get() / GARBAGE_FRACTION {
            self.stack().collect();
        }
    }
}

/// Calls with the handler at `handler`.
unsafe fn protected(state: *mut ffi::lua_State, args: usize, handler: usize) -> i32 {
    // SAFETY: a protected call returns here however it ends.
    unsafe {
        let shared = shared_of(state);
        shared.in_lua.set(true);
        let status = ffi::lua_pcall(state, args as i32, 1, handler as i32);
        shared.in_lua.set(false);
        status
    }
}

impl Stack<'_> {
    /// Compiles source text named `name` and pushes it as a function, or the error.
    pub fn load(&mut self, chunk: &[u8], name: &[u8]) -> Result<(), Raised> {
        if chunk.first() == Some(&BYTECODE) {
            return Err(self.raise(b"attempt to load a binary chunk"));
        }
        // A name with a NUL would end there anyway.
        let name = [name.split(|byte| *byte == 0).next().unwrap_or_default(), b"\0"].concat();
        assert!(self.reserve(2), "chunks are compiled near the bottom");
        let shared = self.shared();
        shared.in_lua.set(true);
        // SAFETY: compiling is protected within Lua, so it returns here; the name ends with a NUL.
        let status = unsafe {
            ffi::luaL_loadbuffer(self.state(), chunk.as_ptr().cast(), chunk.len(), name.as_ptr().cast())
        };
        shared.in_lua.set(false);
        if status == 0 { Ok(()) } else { Err(Raised) }
    }

    /// Frees whatever is not reachable.
    pub fn collect(&mut self) {
        // SAFETY: see `stack`; no object has a finalizer, so that no Lua code runs.
        unsafe { ffi::lua_gc(self.state(), ffi::LUA_GCCOLLECT, 0) };
    }

    /// Calls the tick; true if the script must end.
    pub(super) fn tick(&self) -> bool {
        let shared = self.shared();
        if !shared.doomed.get()
            && let Some(tick) = shared.tick.get()
        {
            shared.doomed.set(tick(shared.run.get()));
        }
        shared.doomed.get()
    }

    /// What makes a table of an error: its text in the field `err`, and where it was raised.
    fn explain(&mut self) {
        if self.kind(1) != Kind::Table {
            let text = [b"ERR ", &*self.display(1)].concat();
            self.push_table(0, 3);
            self.push_bytes(&text);
            self.set_field(-2, "err");
        } else {
            self.copy(1);
        }
        let place = self.place(1).filter(|place| !place.is_native).or_else(|| self.place(2));
        if let Some(place) = place.filter(|_| !self.is_read_only(-1)) {
            self.push_bytes(&place.source);
            self.set_field(-2, "source");
            self.push_number(place.line as f64);
            self.set_field(-2, "line");
        }
    }

    /// What `tostring` gives, no metamethod asked.
    pub(super) fn display(&mut self, index: i32) -> Vec<u8> {
        match self.kind(index) {
            Kind::String => self.bytes(index).unwrap_or_default().to_vec(),
            Kind::Number => {
                self.copy(index);
                let text = self.text(-1).unwrap_or_default().to_vec();
                self.pop(1);
                text
            }
            Kind::Nil | Kind::None => b"nil".to_vec(),
            Kind::Boolean => self.truth(index).to_string().into_bytes(),
            _ => format!("{}: {:p}", self.kind_name(index), self.address(index)).into_bytes(),
        }
    }

    /// Whether the value at `index` is a table that scripts cannot change.
    pub fn is_read_only(&self, index: i32) -> bool {
        self.kind(index) == Kind::Table && self.shared().is_read_only(self.address(index))
    }

    /// Pushes the function that explains errors. It runs for doomed scripts too, so it is no ordinary one of ours.
    fn push_handler(&mut self) {
        assert!(self.reserve(1), "the interpreter is new");
        // SAFETY: see `stack`.
        unsafe { ffi::lua_pushcclosure(self.state(), handler, 0) };
    }
}

unsafe extern "C-unwind" fn handler(state: *mut ffi::lua_State) -> i32 {
    // SAFETY: Lua calls this with a state that is alive, and runs on when it returns. Nothing in it raises.
    unsafe {
        let shared = shared_of(state);
        shared.in_lua.set(false);
        Stack::new(state).explain();
        shared.in_lua.set(true);
    }
    1
}

impl Drop for Interpreter {
    fn drop(&mut self) {
        // SAFETY: ours, and no script runs. The record that the allocator uses is dropped after this.
        unsafe { ffi::lua_close(self.state) };
    }
}
