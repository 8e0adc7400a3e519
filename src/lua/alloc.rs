//! The interpreter's memory: counted, and capped while Lua code runs.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::ffi::c_void;
use std::ptr;

use super::shared::Shared;

/// What Lua's values need: the strictest of its types is a double or a pointer.
const ALIGN: usize = 8;

/// Lua's allocation function. `state` is the interpreter's [`Shared`].
///
/// While Lua code runs, a block beyond the cap is refused, which Lua raises as its memory error. While one of our
/// functions runs nothing is refused, because that error would jump over frames that have destructors; they look at
/// the cap themselves (rule 2 of `lua`).
///
/// # Safety
/// As `lua_Alloc` says: `block` came from this function with the size `old`.
pub(super) unsafe extern "C" fn allocate(
    state: *mut c_void,
    block: *mut c_void,
    old: usize,
    new: usize,
) -> *mut c_void {
    // SAFETY: the state was created with a pointer to a boxed `Shared` that outlives it.
    let shared = unsafe { &*state.cast::<Shared>() };
    let old = if block.is_null() { 0 } else { old };
    if new == 0 {
        shared.memory.set(shared.memory.get() - old);
        // SAFETY: the block was allocated below with this size, by the caller's promise.
        unsafe { release(block, old) };
        return ptr::null_mut();
    }
    let grown = shared.memory.get() - old + new;
    let may_fail = shared.in_lua.get();
    if may_fail && new > old && grown > shared.limit.get() {
        return ptr::null_mut();
    }
    // SAFETY: as above.
    let moved = unsafe { resize(block, old, new) };
    if !moved.is_null() {
        shared.memory.set(grown);
    } else if !may_fail {
        handle_alloc_error(Layout::new::<Shared>());
    }
    moved
}

unsafe fn release(block: *mut c_void, size: usize) {
    if !block.is_null() {
        // SAFETY: the block has this size and alignment, by the caller's promise.
        unsafe { dealloc(block.cast(), Layout::from_size_align_unchecked(size, ALIGN)) };
    }
}

unsafe fn resize(block: *mut c_void, old: usize, new: usize) -> *mut c_void {
    let Ok(layout) = Layout::from_size_align(new, ALIGN) else { return ptr::null_mut() };
    // SAFETY: `new` is not zero and makes a layout; the block has the size `old`, by the caller's promise.
    unsafe {
        if block.is_null() {
            alloc(layout).cast()
        } else {
            realloc(block.cast(), Layout::from_size_align_unchecked(old, ALIGN), new).cast()
        }
    }
}
