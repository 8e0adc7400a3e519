//! The interpreter's memory: counted, and capped while Lua code runs.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;

use super::shared::Shared;

/// What Lua's values need: the strictest of its types is a double or a pointer.
const ALIGN: usize = 8;
/// Sizes of small blocks are rounded up to a multiple of this.
const STEP: usize = 16;
/// How many sizes of small blocks there are.
const SIZES: usize = 16;
/// Bytes of free blocks that are kept of each size.
const KEPT: usize = 64 << 10;

/// Free blocks by size: a script makes and drops some dozens of strings and tables, of always the same sizes.
#[derive(Default)]
pub(super) struct Pool {
    free: [Cell<Option<ptr::NonNull<Free>>>; SIZES],
    counts: [Cell<usize>; SIZES],
}

/// A free block; it points to the next one.
struct Free(Option<ptr::NonNull<Free>>);

/// Which of the small sizes a block of `size` bytes has; none if it is not small.
fn place(size: usize) -> Option<usize> {
    let place = size.wrapping_sub(1) / STEP;
    (place < SIZES).then_some(place)
}

/// Bytes that are really asked for.
fn rounded(size: usize) -> usize {
    place(size).map_or(size, |place| (place + 1) * STEP)
}

impl Pool {
    fn take(&self, size: usize) -> Option<*mut c_void> {
        let place = place(size)?;
        let block = self.free[place].get()?;
        // SAFETY: a free block of the pool is at least as large as this, and nobody else has it.
        self.free[place].set(unsafe { block.as_ref() }.0);
        self.counts[place].set(self.counts[place].get() - 1);
        Some(block.as_ptr().cast())
    }

    /// Whether the pool has taken the block, which has the size `size`.
    fn keep(&self, block: *mut c_void, size: usize) -> bool {
        let (Some(place), Some(block)) = (place(size), ptr::NonNull::new(block.cast::<Free>())) else {
            return false;
        };
        let count = self.counts[place].get();
        if count * rounded(size) >= KEPT {
            return false;
        }
        // SAFETY: the block is free, and large and aligned enough for a pointer.
        unsafe { block.write(Free(self.free[place].get())) };
        self.free[place].set(Some(block));
        self.counts[place].set(count + 1);
        true
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for place in 0..SIZES {
            let size = (place + 1) * STEP;
            while let Some(block) = self.take(size) {
                // SAFETY: it was allocated with this size.
                unsafe { release(block, size) };
            }
        }
    }
}

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
        if !shared.pool.keep(block, old) {
            // SAFETY: the block was allocated below with this size, by the caller's promise.
            unsafe { release(block, rounded(old)) };
        }
        return ptr::null_mut();
    }
    let grown = shared.memory.get() - old + new;
    let may_fail = shared.in_lua.get();
    if may_fail && new > old && grown > shared.limit.get() {
        return ptr::null_mut();
    }
    // SAFETY: as above.
    let moved = unsafe { reshape(&shared.pool, block, old, new) };
    if !moved.is_null() {
        shared.memory.set(grown);
    } else if !may_fail {
        handle_alloc_error(Layout::new::<Shared>());
    }
    moved
}

/// A block of `new` bytes with the content of `block`, which is given up.
unsafe fn reshape(pool: &Pool, block: *mut c_void, old: usize, new: usize) -> *mut c_void {
    let (had, wanted) = (place(old), place(new));
    if had.is_some() && had == wanted {
        return block;
    }
    if wanted.is_none() && (block.is_null() || had.is_none()) {
        // SAFETY: by the caller.
        return unsafe { resize(block, old, new) };
    }
    // SAFETY: by the caller; the new block is another one, and both have as many bytes as are copied.
    unsafe {
        let fresh = pool.take(new).unwrap_or_else(|| resize(ptr::null_mut(), 0, rounded(new)));
        if !fresh.is_null() && !block.is_null() {
            ptr::copy_nonoverlapping(block.cast::<u8>(), fresh.cast(), old.min(new));
            if !pool.keep(block, old) {
                release(block, rounded(old));
            }
        }
        fresh
    }
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
