//! The values that a function of ours works on: Lua's stack behind methods that cannot raise.
//!
//! Each method relies on the same three facts, which rule 1 of `lua` gives: the state is alive and belongs to this
//! thread, no allocation fails while a `Stack` exists, and none of the calls made here runs Lua code. So nothing here
//! jumps, and frames with destructors may call it. Indices are checked against the stack's height.

use std::ffi::{CStr, c_int, c_void};
use std::marker::PhantomData;
use std::ptr;

use mlua_sys as ffi;

use super::shared::{Shared, shared_of};
use super::{Native, native};

/// The kinds of values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// No value: an argument that was not given.
    None,
    /// `nil`.
    Nil,
    /// `true` or `false`.
    Boolean,
    /// A bare pointer.
    Light,
    /// A double.
    Number,
    /// Bytes.
    String,
    /// A table.
    Table,
    /// A function of any language.
    Function,
    /// A block of foreign memory.
    Userdata,
    /// A coroutine.
    Thread,
}

/// The value on top of the stack is an error that is to be raised.
#[derive(Debug)]
#[must_use]
pub struct Raised;

/// Where in a script something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The function is not Lua's.
    pub is_native: bool,
    /// The chunk's name as it was given, such as `@user_script`.
    pub source: Vec<u8>,
    /// The line, or -1.
    pub line: i64,
}

/// A value that is kept from the collector; see [`Stack::keep`].
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub struct Reference(c_int);

/// Lua's stack while a function of ours, or the interpreter's owner, is at work.
pub struct Stack<'l> {
    state: *mut ffi::lua_State,
    lifetime: PhantomData<&'l Shared>,
}

/// Slots that are asked for at once.
pub(super) const ROOM: c_int = 4;

impl<'l> Stack<'l> {
    /// # Safety
    /// The state is alive for `'l`, belongs to this thread, and Lua code does not run before the stack is gone
    /// (`Shared::in_lua` is false).
    pub(super) unsafe fn new(state: *mut ffi::lua_State) -> Stack<'l> {
        Stack { state, lifetime: PhantomData }
    }

    pub(super) fn state(&self) -> *mut ffi::lua_State {
        self.state
    }

    pub(super) fn shared(&self) -> &'l Shared {
        // SAFETY: the interpreter lives for `'l`.
        unsafe { shared_of(self.state) }
    }

    /// What the caller of the script gave to [`Interpreter::call`](super::Interpreter::call).
    pub fn run(&self) -> *const () {
        self.shared().run.get()
    }

    /// The script ends as soon as the running function returns, whatever it tries to catch.
    pub fn doom(&mut self) -> Raised {
        self.shared().doomed.set(true);
        native::watch_closely(self.state);
        self.raise(b"the script is being ended")
    }

    /// Whether more memory is in use than the script may have.
    pub fn is_over_limit(&self) -> bool {
        self.shared().is_over_limit()
    }

    // -- the stack as such --------------------------------------------------------------------------------------

    /// How many values there are: in a function, at first its arguments.
    #[inline]
    pub fn top(&self) -> usize {
        // SAFETY: see the module.
        unsafe { ffi::lua_gettop(self.state) as usize }
    }

    /// Drops all values above the first `count`, or fills up with `nil`.
    pub fn set_top(&mut self, count: usize) {
        let more = count.saturating_sub(self.top());
        // A stack that is full refuses even room for none.
        assert!(more == 0 || self.reserve(more), "the stack is deep");
        // SAFETY: see the module; there is room.
        unsafe { ffi::lua_settop(self.state, count as c_int) };
    }

    /// Drops the upper `count` values.
    #[inline]
    pub fn pop(&mut self, count: usize) {
        let left = self.top().checked_sub(count).expect("no more is popped than there is");
        // SAFETY: see the module.
        unsafe { ffi::lua_settop(self.state, left as c_int) };
    }

    /// Makes room for `more` values; false if the stack cannot get so deep.
    #[inline]
    pub fn reserve(&mut self, more: usize) -> bool {
        let more = c_int::try_from(more).unwrap_or(c_int::MAX);
        // SAFETY: see the module.
        unsafe { ffi::lua_checkstack(self.state, more) != 0 }
    }

    #[inline]
    fn room(&mut self) {
        assert!(self.reserve(ROOM as usize), "callers that nest reserve before");
    }

    /// The index as Lua's functions take it: of a value that is there.
    #[inline]
    fn at(&self, index: i32) -> c_int {
        assert!(index != 0 && index.unsigned_abs() as usize <= self.top(), "no value at {index}");
        index
    }

    /// The index counted from the bottom.
    #[inline]
    pub fn absolute(&self, index: i32) -> i32 {
        if index > 0 { index } else { self.top() as i32 + 1 + index }
    }

    /// Pushes a copy of the value at `index`.
    #[inline]
    pub fn copy(&mut self, index: i32) {
        self.room();
        // SAFETY: see the module.
        unsafe { ffi::lua_pushvalue(self.state, self.at(index)) };
    }

    /// Moves the top to `index`, what is there and above one up.
    pub fn insert(&mut self, index: i32) {
        // SAFETY: see the module.
        unsafe { ffi::lua_insert(self.state, self.at(index)) };
    }

    /// Takes the value at `index` out.
    pub fn remove(&mut self, index: i32) {
        // SAFETY: see the module.
        unsafe { ffi::lua_remove(self.state, self.at(index)) };
    }

    // -- looking ------------------------------------------------------------------------------------------------

    /// What is at `index`; [`Kind::None`] above the top.
    #[inline]
    pub fn kind(&self, index: i32) -> Kind {
        if index.unsigned_abs() as usize > self.top() {
            return Kind::None;
        }
        // SAFETY: see the module.
        match unsafe { ffi::lua_type(self.state, self.at(index)) } {
            ffi::LUA_TNIL => Kind::Nil,
            ffi::LUA_TBOOLEAN => Kind::Boolean,
            ffi::LUA_TLIGHTUSERDATA => Kind::Light,
            ffi::LUA_TNUMBER => Kind::Number,
            ffi::LUA_TSTRING => Kind::String,
            ffi::LUA_TTABLE => Kind::Table,
            ffi::LUA_TFUNCTION => Kind::Function,
            ffi::LUA_TTHREAD => Kind::Thread,
            _ => Kind::Userdata,
        }
    }

    /// Whether the value counts as true.
    pub fn truth(&self, index: i32) -> bool {
        // SAFETY: see the module.
        self.kind(index) != Kind::None && unsafe { ffi::lua_toboolean(self.state, index) != 0 }
    }

    /// The number at `index`, also if it is a string that reads as one.
    #[inline]
    pub fn number(&self, index: i32) -> Option<f64> {
        if !matches!(self.kind(index), Kind::Number | Kind::String) {
            return None;
        }
        // SAFETY: see the module.
        unsafe { (ffi::lua_isnumber(self.state, index) != 0).then(|| ffi::lua_tonumber(self.state, index)) }
    }

    /// The string at `index`; none for other kinds, numbers too.
    #[inline]
    pub fn bytes(&self, index: i32) -> Option<&[u8]> {
        if self.kind(index) != Kind::String {
            return None;
        }
        let mut len = 0;
        // SAFETY: see the module. A string does not move, and it stays on the stack while `self` is borrowed.
        unsafe {
            let start = ffi::lua_tolstring(self.state, index, &mut len);
            Some(std::slice::from_raw_parts(start.cast(), len))
        }
    }

    /// The string at `number`, counted from the bottom, where there is a value; none for other kinds.
    #[inline]
    pub fn string_at(&self, number: i32) -> Option<&[u8]> {
        debug_assert!(number > 0 && number as usize <= self.top());
        let mut len = 0;
        // SAFETY: see the module; as in `bytes`.
        unsafe {
            if ffi::lua_type(self.state, number) != ffi::LUA_TSTRING {
                return None;
            }
            let start = ffi::lua_tolstring(self.state, number, &mut len);
            Some(std::slice::from_raw_parts(start.cast(), len))
        }
    }

    /// The string or number at `index` as a string: a number on the stack becomes one.
    pub fn text(&mut self, index: i32) -> Option<&[u8]> {
        if self.kind(index) == Kind::Number {
            // SAFETY: see the module.
            unsafe { ffi::lua_tolstring(self.state, index, ptr::null_mut()) };
        }
        self.bytes(index)
    }

    /// Whether the values at both indices are the same, no metamethod asked.
    pub fn same(&self, one: i32, other: i32) -> bool {
        // SAFETY: see the module.
        unsafe { ffi::lua_rawequal(self.state, self.at(one), self.at(other)) != 0 }
    }

    /// What `#value` would be for a string or a table without metamethods.
    pub fn len(&self, index: i32) -> usize {
        // SAFETY: see the module.
        unsafe { ffi::lua_objlen(self.state, self.at(index)) }
    }

    /// The address that identifies a table, function or coroutine.
    pub fn address(&self, index: i32) -> *const c_void {
        // SAFETY: see the module.
        unsafe { ffi::lua_topointer(self.state, self.at(index)) }
    }

    /// Lua's name of the kind of the value at `index`.
    pub fn kind_name(&self, index: i32) -> &'static str {
        match self.kind(index) {
            Kind::None => "no value",
            Kind::Nil => "nil",
            Kind::Boolean => "boolean",
            Kind::Light | Kind::Userdata => "userdata",
            Kind::Number => "number",
            Kind::String => "string",
            Kind::Table => "table",
            Kind::Function => "function",
            Kind::Thread => "thread",
        }
    }

    // -- pushing ------------------------------------------------------------------------------------------------

    /// Pushes `nil`.
    #[inline]
    pub fn push_nil(&mut self) {
        self.room();
        // SAFETY: see the module.
        unsafe { ffi::lua_pushnil(self.state) };
    }

    /// Pushes a boolean.
    #[inline]
    pub fn push_boolean(&mut self, value: bool) {
        self.room();
        // SAFETY: see the module.
        unsafe { ffi::lua_pushboolean(self.state, c_int::from(value)) };
    }

    /// Pushes a number.
    #[inline]
    pub fn push_number(&mut self, value: f64) {
        self.room();
        // SAFETY: see the module.
        unsafe { ffi::lua_pushnumber(self.state, value) };
    }

    /// Pushes a string.
    #[inline]
    pub fn push_bytes(&mut self, value: &[u8]) {
        self.room();
        // SAFETY: see the module.
        unsafe { ffi::lua_pushlstring_(self.state, value.as_ptr().cast(), value.len()) };
    }

    /// Pushes a part of the string at `index`.
    ///
    /// # Panics
    /// When there is no string, or the part is not within it.
    pub fn push_part(&mut self, index: i32, part: std::ops::Range<usize>) {
        self.room();
        let text = &self.bytes(index).expect("a string")[part];
        // SAFETY: see the module; the string that is copied from stays on the stack.
        unsafe { ffi::lua_pushlstring_(self.state, text.as_ptr().cast(), text.len()) };
    }

    /// Pushes a function that returns a table's field as `table[key]` would, metamethods included.
    pub(super) fn push_indexer(&mut self) {
        unsafe extern "C-unwind" fn index(state: *mut ffi::lua_State) -> c_int {
            // SAFETY: called with a table and a key; nothing in this frame has a destructor.
            unsafe { ffi::lua_gettable_(state, 1) };
            1
        }
        self.room();
        // SAFETY: see the module.
        unsafe { ffi::lua_pushcclosure(self.state, index, 0) };
    }

    /// Pushes the globals.
    pub fn push_globals(&mut self) {
        self.room();
        // SAFETY: see the module.
        unsafe { ffi::lua_pushvalue(self.state, ffi::LUA_GLOBALSINDEX) };
    }

    /// Pushes the null pointer, which `cjson.null` is.
    pub fn push_null(&mut self) {
        self.room();
        // SAFETY: see the module.
        unsafe { ffi::lua_pushlightuserdata(self.state, ptr::null_mut()) };
    }

    /// Whether the value at `index` is the null pointer.
    pub fn is_null(&self, index: i32) -> bool {
        // SAFETY: see the module.
        self.kind(index) == Kind::Light && unsafe { ffi::lua_touserdata(self.state, index).is_null() }
    }

    /// Pushes a table with room for so many elements and fields. The numbers are hints that the caller has bounded.
    #[inline]
    pub fn push_table(&mut self, elements: usize, fields: usize) {
        self.room();
        let small = |count: usize| c_int::try_from(count).unwrap_or(c_int::MAX);
        // SAFETY: see the module.
        unsafe { ffi::lua_createtable(self.state, small(elements), small(fields)) };
    }

    /// Pushes a table with these strings.
    pub fn push_list<'w>(&mut self, words: impl ExactSizeIterator<Item = &'w [u8]>) {
        self.push_table(words.len(), 0);
        self.room();
        for (at, word) in words.enumerate() {
            // SAFETY: see the module; there is room for the string, and the table is below it.
            unsafe {
                ffi::lua_pushlstring_(self.state, word.as_ptr().cast(), word.len());
                ffi::lua_rawseti_(self.state, -2, at as i32 + 1);
            }
        }
    }

    /// Pushes a function of ours.
    pub fn push_native(&mut self, function: Native) {
        self.room();
        // SAFETY: see the module; the closure's upvalue is what the trampoline expects.
        unsafe {
            ffi::lua_pushlightuserdata(self.state, function as *mut c_void);
            ffi::lua_pushcclosure(self.state, native::trampoline::<false>, 1);
        }
    }

    /// Pushes a function of ours that carries the number `upvalue`; see [`Stack::upvalue`].
    pub fn push_closure(&mut self, function: Native, upvalues: usize) {
        self.room();
        let first = self.top() + 1 - upvalues;
        // SAFETY: see the module; the function's address goes first, before the upvalues that were pushed.
        unsafe {
            ffi::lua_pushlightuserdata(self.state, function as *mut c_void);
            ffi::lua_insert(self.state, first as c_int);
            ffi::lua_pushcclosure(self.state, native::trampoline::<false>, upvalues as c_int + 1);
        }
    }

    /// Pushes the running closure's upvalue `number`, the first being 1.
    pub fn push_upvalue(&mut self, number: i32) {
        self.room();
        // SAFETY: see the module; an upvalue that is not there is pushed as nil.
        unsafe { ffi::lua_pushvalue(self.state, ffi::lua_upvalueindex(number + 1)) };
    }

    /// Takes the top as the running closure's upvalue `number`.
    pub fn set_upvalue(&mut self, number: i32) {
        // SAFETY: see the module; the caller's closure has that upvalue.
        unsafe { ffi::lua_replace(self.state, ffi::lua_upvalueindex(number + 1)) };
    }

    // -- tables -------------------------------------------------------------------------------------------------

    #[inline]
    fn table(&self, index: i32) -> c_int {
        assert!(self.kind(index) == Kind::Table, "a table is expected at {index}");
        index
    }

    /// Pushes element `number` of the table at `index`, no metamethod asked.
    #[inline]
    pub fn get_element(&mut self, index: i32, number: i32) {
        let table = self.table(self.absolute(index));
        self.room();
        // SAFETY: see the module.
        unsafe { ffi::lua_rawgeti_(self.state, table, number) };
    }

    /// Takes the top as element `number` of the table at `index`.
    #[inline]
    pub fn set_element(&mut self, index: i32, number: i32) {
        let table = self.table(self.absolute(index));
        // SAFETY: see the module.
        unsafe { ffi::lua_rawseti_(self.state, table, number) };
    }

    /// Pushes the field `name` of the table at `index`, no metamethod asked.
    #[inline]
    pub fn get_field(&mut self, index: i32, name: &str) {
        let table = self.table(self.absolute(index));
        self.push_bytes(name.as_bytes());
        // SAFETY: see the module.
        unsafe { ffi::lua_rawget_(self.state, table) };
    }

    /// Takes the top as the field `name` of the table at `index`.
    pub fn set_field(&mut self, index: i32, name: &str) {
        let table = self.table(self.absolute(index));
        self.push_bytes(name.as_bytes());
        // SAFETY: see the module; key and value change places.
        unsafe {
            ffi::lua_insert(self.state, -2);
            ffi::lua_rawset(self.state, table);
        }
    }

    /// Makes the two upper values key and value of the table at `index`. The key is neither nil nor a NaN.
    pub fn set_pair(&mut self, index: i32) {
        let table = self.table(self.absolute(index));
        debug_assert!(self.kind(-2) != Kind::Nil);
        // SAFETY: see the module.
        unsafe { ffi::lua_rawset(self.state, table) };
    }

    /// Replaces the key on top by the next key and its value; false at the end, when the key is just popped.
    ///
    /// The key must be one of the table's, or nil to begin with.
    pub fn next(&mut self, index: i32) -> bool {
        let table = self.table(self.absolute(index));
        self.room();
        // SAFETY: see the module. It raises on a key that is not the table's, which its callers rule out by passing
        // what it returned and leaving the table alone.
        unsafe { ffi::lua_next(self.state, table) != 0 }
    }

    /// Sets the top as the metatable of the value at `index`.
    pub fn set_metatable(&mut self, index: i32) {
        let at = self.at(index);
        // SAFETY: see the module; the top is a table or nil.
        unsafe { ffi::lua_setmetatable(self.state, at) };
    }

    /// Pushes the metatable of the value at `index`; pushes nothing and returns false if it has none.
    pub fn get_metatable(&mut self, index: i32) -> bool {
        self.room();
        // SAFETY: see the module.
        unsafe { ffi::lua_getmetatable(self.state, self.at(index)) != 0 }
    }

    /// Gives a function a field of the table on top.
    pub fn add_native(&mut self, name: &str, function: Native) {
        self.push_native(function);
        self.set_field(-2, name);
    }

    /// Gives a function that first of all drops its arguments, however many, a field of the table on top.
    pub fn add_native_of_many(&mut self, name: &str, function: Native) {
        self.room();
        // SAFETY: as in `push_native`.
        unsafe {
            ffi::lua_pushlightuserdata(self.state, function as *mut c_void);
            ffi::lua_pushcclosure(self.state, native::trampoline::<true>, 1);
        }
        self.set_field(-2, name);
    }

    // -- keeping ------------------------------------------------------------------------------------------------

    /// Takes the top and keeps it until [`Stack::release`].
    pub fn keep(&mut self) -> Reference {
        // SAFETY: see the module.
        Reference(unsafe { ffi::luaL_ref(self.state, ffi::LUA_REGISTRYINDEX) })
    }

    /// Pushes what is kept.
    #[inline]
    pub fn push_kept(&mut self, reference: Reference) {
        self.room();
        // SAFETY: see the module.
        unsafe { ffi::lua_rawgeti_(self.state, ffi::LUA_REGISTRYINDEX, reference.0) };
    }

    /// Keeps a value no longer.
    pub fn release(&mut self, reference: Reference) {
        // SAFETY: see the module.
        unsafe { ffi::luaL_unref(self.state, ffi::LUA_REGISTRYINDEX, reference.0) };
    }

    // -- running ------------------------------------------------------------------------------------------------

    /// Calls the function below the upper `args` values. Errors leave their value on top.
    pub fn call(&mut self, args: usize, results: usize) -> Result<(), Raised> {
        assert!(self.reserve(results), "few results are asked for");
        let shared = self.shared();
        shared.in_lua.set(true);
        // SAFETY: a protected call returns here however it ends.
        let status = unsafe { ffi::lua_pcall(self.state, args as c_int, results as c_int, 0) };
        shared.in_lua.set(false);
        if status == 0 { Ok(()) } else { Err(Raised) }
    }

    /// What runs at `level` of the call stack: 0 is the running function, 1 its caller.
    pub fn place(&self, level: i32) -> Option<Place> {
        let info = self.info(level, c"Sl")?;
        // SAFETY: both are C strings that live as long as the function, which is on the call stack.
        let (what, source) = unsafe { (CStr::from_ptr(info.what), CStr::from_ptr(info.source)) };
        Some(Place {
            is_native: what == c"C",
            source: source.to_bytes().to_vec(),
            line: i64::from(info.currentline),
        })
    }

    pub(super) fn info(&self, level: i32, what: &CStr) -> Option<ffi::lua_Debug> {
        let mut info = std::mem::MaybeUninit::<ffi::lua_Debug>::zeroed();
        // SAFETY: see the module; all bits zero are a valid record, and Lua fills in what was asked for.
        unsafe {
            if ffi::lua_getstack(self.state, level, info.as_mut_ptr()) == 0 {
                return None;
            }
            ffi::lua_getinfo(self.state, what.as_ptr(), info.as_mut_ptr());
            Some(info.assume_init())
        }
    }
}
