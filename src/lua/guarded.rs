//! Stock functions that would write to a read-only table, or see that it is empty, or leave the bounds of their memory,
//! or are slow where it matters, behind a look at their arguments.
//!
//! These run as Lua's own functions do: allocations may be refused, calls may raise, and so no frame here has a
//! destructor when it calls Lua.

use std::ffi::{CStr, c_int};

use mlua_sys as ffi;

use super::native::watch_closely;
use super::number::digits;
use super::shared::{WRAPPED, shared_of};

type Raw = unsafe extern "C-unwind" fn(*mut ffi::lua_State) -> c_int;

/// A wrapped function: its library (none for the globals), its name, and what takes its place.
pub(super) struct Wrapped {
    pub(super) library: Option<&'static CStr>,
    pub(super) name: &'static CStr,
    pub(super) with: Raw,
}

const fn wrapped(library: Option<&'static CStr>, name: &'static CStr, with: Raw) -> Wrapped {
    Wrapped { library, name, with }
}

/// All of them; the position is the number under which `Shared::stock` has the stock function.
pub(super) const ALL: [Wrapped; WRAPPED] = [
    wrapped(None, c"next", read::<0>),
    wrapped(None, c"rawget", read::<1>),
    wrapped(None, c"rawset", write::<2>),
    wrapped(None, c"setmetatable", write::<3>),
    wrapped(Some(c"table"), c"insert", write::<4>),
    wrapped(Some(c"table"), c"remove", write::<5>),
    wrapped(Some(c"table"), c"sort", write::<6>),
    wrapped(None, c"unpack", unpack::<7>),
    wrapped(None, c"tonumber", to_number::<8>),
];

/// Whether the first argument is a read-only table.
unsafe fn is_read_only(state: *mut ffi::lua_State) -> bool {
    // SAFETY: the state is alive, as for every function here, and both calls only look.
    unsafe {
        ffi::lua_type(state, 1) == ffi::LUA_TTABLE
            && shared_of(state).is_read_only(ffi::lua_topointer(state, 1))
    }
}

unsafe fn call_stock(state: *mut ffi::lua_State, number: usize) -> c_int {
    // SAFETY: the sandbox has stored the function before a script could call the wrapper.
    unsafe { shared_of(state).stock[number].get().expect("stored by the sandbox")(state) }
}

/// A function that reads: it reads what stands behind a read-only table.
unsafe extern "C-unwind" fn read<const NUMBER: usize>(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua calls this; nothing here has a destructor.
    unsafe {
        if is_read_only(state) {
            put_what_is_behind(state);
        }
        call_stock(state, NUMBER)
    }
}

/// Replaces the first argument by the table whose fields it shows.
unsafe fn put_what_is_behind(state: *mut ffi::lua_State) {
    // SAFETY: as in `read`; a read-only table has a metatable with this field.
    unsafe {
        ffi::lua_getmetatable(state, 1);
        ffi::lua_pushstring_(state, c"__index".as_ptr());
        ffi::lua_rawget_(state, -2);
        ffi::lua_replace(state, 1);
        ffi::lua_settop(state, -2);
    }
}

/// A function that writes: refused for a read-only table.
unsafe extern "C-unwind" fn write<const NUMBER: usize>(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as in `read`.
    unsafe {
        if is_read_only(state) {
            ffi::lua_pushstring_(state, c"Attempt to modify a readonly table".as_ptr());
            ffi::lua_error(state);
        }
        call_stock(state, NUMBER)
    }
}

/// `unpack`: it counts its results in C's `int`, and a range with more of them passes its check of the stack with a
/// negative count. Such a range becomes one that the check refuses.
unsafe extern "C-unwind" fn unpack<const NUMBER: usize>(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as in `read`.
    unsafe {
        ffi::luaL_checktype(state, 1, ffi::LUA_TTABLE);
        // The stock function cuts the numbers in the same way.
        let first = ffi::luaL_optinteger(state, 2, 1) as c_int;
        let length = ffi::lua_objlen(state, 1) as ffi::lua_Integer;
        let last = ffi::luaL_optinteger(state, 3, length) as c_int;
        if i64::from(last) - i64::from(first) >= i64::from(c_int::MAX) {
            ffi::lua_settop(state, 1);
            ffi::lua_pushinteger(state, 1);
            ffi::lua_pushinteger(state, ffi::lua_Integer::from(c_int::MAX));
        }
        call_stock(state, NUMBER)
    }
}

/// `tonumber`: of a few digits, which is what a script mostly has in its arguments, the number is told at once. C's
/// parser needs ten times as long.
unsafe extern "C-unwind" fn to_number<const NUMBER: usize>(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as in `read`; the string stays on the stack.
    unsafe {
        if ffi::lua_gettop(state) == 1 && ffi::lua_type(state, 1) == ffi::LUA_TSTRING {
            let mut len = 0;
            let text = ffi::lua_tolstring(state, 1, &mut len).cast::<u8>();
            if let Some(number) = digits(std::slice::from_raw_parts(text, len)) {
                ffi::lua_pushnumber(state, number);
                return 1;
            }
        }
        call_stock(state, NUMBER)
    }
}

/// `pairs`, whose upvalue is the wrapped `next`: it never hands out what stands behind a read-only table. Ordinary
/// tables are walked with the stock `next`, the second upvalue.
pub(super) unsafe extern "C-unwind" fn pairs(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as in `read`.
    unsafe {
        ffi::luaL_checktype(state, 1, ffi::LUA_TTABLE);
        let upvalue = if is_read_only(state) { 1 } else { 2 };
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(upvalue));
        ffi::lua_pushvalue(state, 1);
        ffi::lua_pushnil(state);
    }
    3
}

/// `pcall`: of an error table with a text in its field `err` the text is returned, as Redis does. What ends a doomed
/// script is not caught.
pub(super) unsafe extern "C-unwind" fn pcall(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as in `read`.
    unsafe {
        ffi::luaL_checkany(state, 1);
        ffi::lua_pushboolean(state, 1);
        ffi::lua_insert(state, 1);
        let arguments = ffi::lua_gettop(state) - 2;
        if ffi::lua_pcall(state, arguments, ffi::LUA_MULTRET, 0) != 0 {
            if shared_of(state).doomed.get() {
                watch_closely(state);
                ffi::lua_error(state);
            }
            simplify(state);
            ffi::lua_pushboolean(state, 0);
            ffi::lua_replace(state, 1);
        }
        ffi::lua_gettop(state)
    }
}

/// Replaces an error table on top by the text in it.
unsafe fn simplify(state: *mut ffi::lua_State) {
    // SAFETY: as in `read`; the metamethods of a script's table may raise, as in any code of the script.
    unsafe {
        if ffi::lua_type(state, -1) != ffi::LUA_TTABLE {
            return;
        }
        ffi::lua_getfield_(state, -1, c"err".as_ptr());
        let keep = if ffi::lua_isstring(state, -1) != 0 { -2 } else { -1 };
        ffi::lua_remove(state, keep);
    }
}
