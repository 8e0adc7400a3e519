//! How Lua calls our functions, and how it is stopped.

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mlua_sys as ffi;

use super::shared::{Shared, shared_of};
use super::stack::Stack;
use super::{Native, TICK_INSTRUCTIONS};

/// Values that a function of ours may have above its arguments before it reserves room itself. Lua lets a call have as
/// many arguments as its stack is deep, and then there is no room for any.
const ROOM: usize = 40;

/// What Lua calls for every [`Native`], whose address is the closure's first upvalue.
///
/// Nothing in this frame has a destructor when it raises.
///
/// A function that takes as `MANY` arguments as there may be drops them before it does anything else with the stack.
///
/// # Safety
/// Called by Lua only, as a closure that [`Stack::push_native`] made.
pub(super) unsafe extern "C-unwind" fn trampoline<const MANY: bool>(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua calls this with a state that is alive.
    let results = unsafe { enter(state, MANY) };
    match results {
        Some(count) => count,
        // SAFETY: the error is on top, and this frame holds nothing.
        None => unsafe { ffi::lua_error(state) },
    }
}

/// Runs the closure's function; none if the value on top is to be raised.
unsafe fn enter(state: *mut ffi::lua_State, many: bool) -> Option<c_int> {
    // SAFETY: the closure was made by `push_native`, so its first upvalue is the address of a `Native`; the state
    // belongs to an interpreter of ours, and Lua code runs on when this returns.
    let (function, shared, mut stack) = unsafe {
        let address = ffi::lua_touserdata(state, ffi::lua_upvalueindex(1));
        (std::mem::transmute::<*mut std::ffi::c_void, Native>(address), shared_of(state), Stack::new(state))
    };
    shared.in_lua.set(false);
    let outcome = catch_unwind(AssertUnwindSafe(|| match many || stack.reserve(ROOM) {
        true => function(&mut stack),
        false => Err(stack.raise(b"stack overflow")),
    }));
    let results = match outcome {
        Ok(Ok(count)) if !shared.doomed.get() && !shared.is_over_limit() => Some(count as c_int),
        Ok(Ok(_)) => {
            refuse(shared, &mut stack);
            None
        }
        Ok(Err(_raised)) => None,
        Err(panic) => {
            shared.panic.set(Some(panic));
            let _raised = stack.doom();
            None
        }
    };
    shared.in_lua.set(true);
    results
}

#[cold]
fn refuse(shared: &Shared, stack: &mut Stack<'_>) {
    let text: &[u8] = if shared.doomed.get() { b"the script is being ended" } else { b"not enough memory" };
    let _raised = stack.raise(text);
}

/// Lua's hook, every so many instructions. A doomed script is stopped at each instruction, so that whatever catches
/// the error does not get on.
///
/// # Safety
/// Called by Lua only.
pub(super) unsafe extern "C-unwind" fn hook(state: *mut ffi::lua_State, _: *mut ffi::lua_Debug) {
    // SAFETY: Lua calls this with a state that is alive, and nothing in this frame has a destructor.
    unsafe {
        if shared_of(state).memory.get() > ROOMY {
            collect_rarely(state, false);
        }
        if ticked(shared_of(state)) {
            watch_closely(state);
            ffi::lua_pushnil(state);
            ffi::lua_error(state);
        }
    }
}

/// Whether the script must end.
fn ticked(shared: &Shared) -> bool {
    if !shared.doomed.get()
        && let Some(tick) = shared.tick.get()
    {
        // The tick is our function: nothing that it does may be refused memory.
        shared.in_lua.set(false);
        let doomed = tick(shared.run.get());
        shared.in_lua.set(true);
        shared.doomed.set(doomed);
    }
    shared.doomed.get()
}

/// How far memory grows, in percent of what was in use after the last collection, before the next one begins. A cycle
/// costs as much as some hundred short scripts, and what they leave is little.
const RARE: c_int = 400;
/// The same once a script uses much, as Lua itself has it.
const USUAL: c_int = 200;
/// Bytes that are much.
const ROOMY: usize = 1 << 20;

/// A cap below which garbage is collected as usual, bytes: else it would fill the cap.
const TIGHT: usize = 32 << 20;

/// Sets how often garbage is collected.
pub(super) fn collect_rarely(state: *mut ffi::lua_State, rarely: bool) {
    // SAFETY: the state is alive; setting the pause allocates nothing and raises nothing.
    unsafe {
        let rarely = rarely && shared_of(state).limit.get() > TIGHT;
        ffi::lua_gc(state, ffi::LUA_GCSETPAUSE, if rarely { RARE } else { USUAL });
    }
}

/// Has the hook called at every instruction of this coroutine.
pub(super) fn watch_closely(state: *mut ffi::lua_State) {
    // SAFETY: setting a hook allocates nothing and raises nothing; the state is the running one.
    unsafe { ffi::lua_sethook(state, Some(hook), ffi::LUA_MASKCOUNT, 1) };
}

/// Has the hook called at its usual pace. New coroutines inherit it.
pub(super) fn watch(state: *mut ffi::lua_State) {
    // SAFETY: as above.
    unsafe { ffi::lua_sethook(state, Some(hook), ffi::LUA_MASKCOUNT, TICK_INSTRUCTIONS) };
}
