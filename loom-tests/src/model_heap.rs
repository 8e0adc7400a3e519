//! A heap that knows what is allocated: frees what nobody may still read, exactly once, or the model fails.
//!
//! A freed block stays mapped, and its address unused, until the execution ends; so reading one is noticed, not
//! undefined. The state belongs to the operating system's thread, on which loom runs all threads of one model.

use std::alloc::Layout;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ptr::NonNull;

use crate::sync::AtomicU64;

/// What became of a block.
enum Block {
    Live,
    /// Freed by the model; this gives the memory back.
    Freed(Box<dyn FnOnce()>),
}

thread_local! {
    static BLOCKS: RefCell<HashMap<usize, Block>> = RefCell::default();
}

/// Forgets an execution that ended in a panic.
pub(crate) fn begin() {
    BLOCKS.take();
}

/// Checks that nothing leaked, and gives the memory back.
pub(crate) fn end() {
    for (_, block) in BLOCKS.take() {
        match block {
            Block::Live => panic!("a block was never freed"),
            Block::Freed(give_back) => give_back(),
        }
    }
}

fn allocated<T>(address: *mut T) -> *mut T {
    BLOCKS.with_borrow_mut(|blocks| blocks.insert(address.addr(), Block::Live));
    address
}

fn freed<T>(address: *mut T, give_back: impl FnOnce() + 'static) {
    let before =
        BLOCKS.with_borrow_mut(|blocks| blocks.insert(address.addr(), Block::Freed(Box::new(give_back))));
    assert!(matches!(before, Some(Block::Live)), "a block was freed twice");
}

/// Says that the block at `address` is about to be read.
pub fn touch<T>(address: *const T) {
    BLOCKS.with_borrow(|blocks| {
        assert!(matches!(blocks.get(&address.addr()), Some(Block::Live)), "a freed block was used");
    });
}

/// `std::alloc::alloc`.
///
/// # Safety
/// As there.
pub unsafe fn alloc(layout: Layout) -> *mut u8 {
    // SAFETY: the caller's promise.
    allocated(unsafe { std::alloc::alloc(layout) })
}

/// `std::alloc::dealloc`.
///
/// # Safety
/// The layout is that of the allocation; whether the block is live is checked.
pub unsafe fn dealloc(block: *mut u8, layout: Layout) {
    freed(block, move || {
        // SAFETY: `end` runs this once, after the execution.
        unsafe { std::alloc::dealloc(block, layout) }
    });
}

/// Allocates a block of zeros that is used as atomics.
///
/// # Safety
/// `layout` is that of an array of `AtomicU64` and not empty.
pub unsafe fn alloc_words(layout: Layout) -> *mut AtomicU64 {
    // SAFETY: the caller's promise.
    let words = unsafe { alloc(layout) }.cast::<AtomicU64>();
    for i in 0..layout.size() / size_of::<AtomicU64>() {
        // SAFETY: the block has room for that many.
        unsafe { words.add(i).write(AtomicU64::new(0)) };
    }
    words
}

/// Gives up a box for a pointer.
pub fn leak<T>(boxed: Box<T>) -> NonNull<T> {
    let leaked = NonNull::from(Box::leak(boxed));
    allocated(leaked.as_ptr());
    leaked
}

/// Drops what [`leak`] gave.
///
/// # Safety
/// `leaked` came from [`leak`]; whether it is live is checked.
pub unsafe fn free_leaked<T: 'static>(leaked: *mut T) {
    freed(leaked, move || {
        // SAFETY: `end` runs this once, after the execution.
        drop(unsafe { Box::from_raw(leaked) });
    });
}
