//! Exact memory accounting at the cost of an addition on a cache line that only its thread writes.
//!
//! Each thread owns a block of counters; the sums are formed by whoever asks. A block belongs to its thread for
//! good; threads beyond the last block share it with atomic additions.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use mimalloc::MiMalloc;

const BLOCKS: usize = 256;
const SHARED: usize = BLOCKS - 1;
const UNASSIGNED: usize = usize::MAX;

#[repr(align(128))]
struct Block {
    allocated: AtomicI64,
    retired: AtomicI64,
    /// Bytes of the thread's interpreters: of scripts, of functions.
    interpreters: [AtomicI64; 2],
}

impl Block {
    const fn new() -> Block {
        Block {
            allocated: AtomicI64::new(0),
            retired: AtomicI64::new(0),
            interpreters: [const { AtomicI64::new(0) }; 2],
        }
    }
}

static TABLE: [Block; BLOCKS] = [const { Block::new() }; BLOCKS];
static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static MINE: Cell<usize> = const { Cell::new(UNASSIGNED) };
}

#[cold]
fn assign() -> usize {
    let index = NEXT.fetch_add(1, Ordering::Relaxed).min(SHARED);
    MINE.with(|mine| mine.set(index));
    index
}

#[inline]
fn my_block() -> usize {
    let index = MINE.with(Cell::get);
    if index == UNASSIGNED { assign() } else { index }
}

#[inline]
fn add(counter: impl Fn(&Block) -> &AtomicI64, bytes: i64) {
    let index = my_block();
    let counter = counter(&TABLE[index]);
    if index == SHARED {
        counter.fetch_add(bytes, Ordering::Relaxed);
    } else {
        // Only this thread writes the block, so a plain load and store lose nothing.
        counter.store(counter.load(Ordering::Relaxed).wrapping_add(bytes), Ordering::Relaxed);
    }
}

fn sum(counter: impl Fn(&Block) -> &AtomicI64) -> u64 {
    let assigned = NEXT.load(Ordering::Relaxed).min(BLOCKS);
    let total = TABLE[..assigned].iter().map(|block| counter(block).load(Ordering::Relaxed)).sum::<i64>();
    u64::try_from(total).unwrap_or(0)
}

/// Bytes that the process has allocated and not freed.
pub fn used() -> u64 {
    sum(|block| &block.allocated)
}

/// Bytes that were unlinked and wait for the epochs of their readers to end.
pub fn garbage() -> u64 {
    sum(|block| &block.retired)
}

/// This thread's part of [`garbage`]: what it has unlinked less what it has freed, which may be other threads'. Costs
/// one load; the last of very many threads share a counter.
#[inline]
pub fn garbage_of_this_thread() -> i64 {
    TABLE[my_block()].retired.load(Ordering::Relaxed)
}

/// Bytes that this thread has allocated less what it has freed, whoever allocated that. Costs one load; the last of very
/// many threads share a counter.
#[inline]
pub fn allocated_by_this_thread() -> i64 {
    TABLE[my_block()].allocated.load(Ordering::Relaxed)
}

/// [`allocated_by_this_thread`] without what this thread has unlinked: what its work has left in use.
#[inline]
pub fn kept_by_this_thread() -> i64 {
    let block = &TABLE[my_block()];
    block.allocated.load(Ordering::Relaxed) - block.retired.load(Ordering::Relaxed)
}

/// Notes what this thread's interpreter of scripts, or that of `functions`, takes now. It is among what is allocated.
pub fn note_interpreter(functions: bool, bytes: usize) {
    let index = my_block();
    // Threads that share a block are too many to have interpreters, but those of one count.
    TABLE[index].interpreters[usize::from(functions)].store(bytes as i64, Ordering::Relaxed);
}

/// Bytes of all threads' interpreters of scripts, and of functions, as noted when they ran last.
pub fn of_interpreters() -> [u64; 2] {
    [sum(|block| &block.interpreters[0]), sum(|block| &block.interpreters[1])]
}

/// Counts `bytes` as unlinked.
#[inline]
pub fn retired(bytes: usize) {
    add(|block| &block.retired, bytes as i64);
}

/// Counts `bytes` of unlinked values as freed.
#[inline]
pub fn reclaimed(bytes: usize) {
    add(|block| &block.retired, -(bytes as i64));
}

/// Bytes in use from which on the kernel may back them with huge pages.
const HUGE_PAGES_FROM: u64 = 4 << 20;

/// Keeps the kernel from backing a nearly empty heap with huge pages: every thread's first block would make two
/// megabytes resident. To be called at the start; [`allow_huge_pages_if_large`] takes it back.
pub fn forbid_huge_pages() {
    set_huge_pages_forbidden(true);
}

/// Lets the kernel use huge pages, which save misses of the address translation, once there is data to put on them.
/// Cheap enough to be called a few times a second.
pub fn allow_huge_pages_if_large() {
    static ALLOWED: AtomicBool = AtomicBool::new(false);
    if !ALLOWED.load(Ordering::Relaxed) && used() >= HUGE_PAGES_FROM {
        ALLOWED.store(true, Ordering::Relaxed);
        set_huge_pages_forbidden(false);
    }
}

#[cfg(target_os = "linux")]
fn set_huge_pages_forbidden(forbidden: bool) {
    // SAFETY: the option takes no pointers. A kernel that does not know it answers with an error, and nothing changes.
    unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, libc::c_ulong::from(forbidden), 0, 0, 0) };
}

#[cfg(not(target_os = "linux"))]
fn set_huge_pages_forbidden(_forbidden: bool) {}

/// What the allocator has to say about itself, in its own words.
pub fn allocator_text() -> Vec<u8> {
    unsafe extern "C" fn append(text: *const std::ffi::c_char, into: *mut std::ffi::c_void) {
        // SAFETY: mimalloc passes text that ends in a zero, and what it was given to pass on: the vector below.
        let (text, into) = unsafe { (std::ffi::CStr::from_ptr(text), &mut *into.cast::<Vec<u8>>()) };
        into.extend_from_slice(text.to_bytes());
    }
    let mut text: Vec<u8> = Vec::with_capacity(8 << 10);
    // SAFETY: the function lives for ever and takes what is passed with it, which outlives the call.
    unsafe { mi_stats_print_out(Some(append), (&raw mut text).cast()) };
    text
}

/// Gives what this thread's part of the allocator keeps for later back to the system.
pub fn purge() {
    // SAFETY: no preconditions.
    unsafe { mi_collect(true) };
}

unsafe extern "C" {
    fn mi_stats_print_out(
        out: Option<unsafe extern "C" fn(*const std::ffi::c_char, *mut std::ffi::c_void)>,
        argument: *mut std::ffi::c_void,
    );
    fn mi_collect(force: bool);
}

/// mimalloc, counted.
pub struct Counted;

// SAFETY: every call is passed on to mimalloc unchanged; counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counted {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(|block| &block.allocated, layout.size() as i64);
        // SAFETY: the caller's promise.
        unsafe { MiMalloc.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(|block| &block.allocated, layout.size() as i64);
        // SAFETY: the caller's promise.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        add(|block| &block.allocated, -(layout.size() as i64));
        // SAFETY: the caller's promise.
        unsafe { MiMalloc.dealloc(ptr, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        add(|block| &block.allocated, new_size as i64 - layout.size() as i64);
        // SAFETY: the caller's promise.
        unsafe { MiMalloc.realloc(ptr, layout, new_size) }
    }
}
