//! The way of an unlinked value to the allocator: through the epochs, and for large ones through a background thread.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering, Ordering::Relaxed};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use super::table::Table;
use crate::memory;
use crate::sync::epoch::{Guard, pin};
use crate::value::word::Word;

/// Something that takes long to free.
enum Heavy {
    /// A value, and the bytes that it takes.
    Value(Word, u64),
    Table(Box<Table>),
}

/// What is on its way to the background thread: see [`pending`].
static QUEUE: OnceLock<Sender<Heavy>> = OnceLock::new();
static PENDING: AtomicU64 = AtomicU64::new(0);
static FREED: AtomicU64 = AtomicU64::new(0);
/// Bytes of values among it, as far as they were known when they were unlinked.
static PENDING_BYTES: AtomicU64 = AtomicU64::new(0);
/// Whole tables among it.
static PENDING_TABLES: AtomicU64 = AtomicU64::new(0);

/// What an object that waits for its readers takes besides itself: its place in a bag of the epochs.
const WAITING_BYTES: usize = 4 * size_of::<usize>();

/// Retirements after which a thread collects. A collection frees eight bags of up to 64 objects and seals the bag
/// that is being filled, however empty; half of what eight full bags hold leaves room for that.
const COLLECT_AFTER: u32 = 256;

thread_local! {
    static RETIRED: Cell<u32> = const { Cell::new(0) };
    /// Objects that this thread has freed, whoever retired them.
    static FREED_HERE: Cell<u64> = const { Cell::new(0) };
}

/// Runs `free`, which frees `bytes`, when every guard that is held now has ended.
///
/// # Safety
/// What `free` frees was unlinked by the caller, once, while `guard` was held.
#[inline]
pub unsafe fn retire(guard: &Guard, bytes: usize, free: impl FnOnce()) {
    RETIRED.set(RETIRED.get() + 1);
    memory::retired(bytes + WAITING_BYTES);
    // SAFETY: the closures of this module and the table capture only addresses and run on any thread.
    unsafe {
        guard.defer_unchecked(move || {
            FREED_HERE.set(FREED_HERE.get() + 1);
            memory::reclaimed(bytes + WAITING_BYTES);
            free();
        });
    }
}

/// Frees what this thread and others retired long enough ago. The epochs collect by themselves only once in 128 pins,
/// and then a fixed number of objects: a thread whose every pin covers a batch of writes has to ask more often, or
/// garbage would pile up without bound.
#[inline]
pub fn collect_if_due(guard: &Guard) {
    while RETIRED.get() >= COLLECT_AFTER {
        RETIRED.set(RETIRED.get() - COLLECT_AFTER);
        guard.flush();
    }
}

/// How long [`collect_idle`] may keep its worker from its clients.
const IDLE_SLICE: Duration = Duration::from_micros(500);
/// Collections that free nothing before there is nothing to free: a bag waits for two steps of the epoch.
const FUTILE_COLLECTIONS: u32 = 3;

/// Frees what may be freed, on a thread that has nothing else to do, and says whether there is probably more. Without
/// it the last garbage before a quiet time would stay until commands come again.
pub fn collect_idle() -> bool {
    let (began, mut futile) = (Instant::now(), 0);
    RETIRED.set(0);
    while began.elapsed() < IDLE_SLICE {
        let before = FREED_HERE.get();
        // A pin of its own each time lets the epoch move on in between.
        pin().flush();
        futile = if FREED_HERE.get() == before { futile + 1 } else { 0 };
        if futile == FUTILE_COLLECTIONS {
            return false;
        }
    }
    true
}

/// Retires the word that a successful swap took out of a slot.
///
/// # Safety
/// The caller's swap unlinked `word`, and `guard` was held over that swap.
#[inline]
pub unsafe fn retire_word(word: Word, guard: &Guard) {
    if word.pointee().is_none() {
        return;
    }
    // SAFETY: still readable under the caller's guard.
    let bytes = unsafe { word.heap_bytes() };
    // SAFETY: as above.
    let large = unsafe { word.is_large() };
    PENDING.fetch_add(u64::from(large), Relaxed);
    // SAFETY: unlinked once, by the caller; readers hold guards until this runs.
    unsafe {
        retire(guard, bytes, move || {
            if large { in_background(Heavy::Value(word, word.heap_bytes() as u64)) } else { word.free() }
        });
    }
}

/// Retires a whole table, which nothing points to any more.
pub fn retire_table(table: *mut Table, guard: &Guard) {
    let address = table.expose_provenance();
    PENDING.fetch_add(1, Relaxed);
    PENDING_TABLES.fetch_add(1, Relaxed);
    // SAFETY: the caller unlinked the table, which came from a box; readers hold guards until this runs.
    unsafe {
        retire(guard, 0, move || {
            let table: *mut Table = std::ptr::with_exposed_provenance_mut(address);
            in_background(Heavy::Table(Box::from_raw(table)));
        });
    }
    guard.flush();
}

fn in_background(heavy: Heavy) {
    if let Heavy::Value(_, bytes) = heavy {
        PENDING_BYTES.fetch_add(bytes, Relaxed);
    }
    let queue = QUEUE.get_or_init(|| {
        let (sender, receiver) = channel::<Heavy>();
        std::thread::Builder::new()
            .name("lazyfree".into())
            .spawn(move || {
                for heavy in receiver {
                    free(heavy);
                    // Counted first: whoever sees that nothing is pending sees that it was freed.
                    FREED.fetch_add(1, Relaxed);
                    PENDING.fetch_sub(1, Ordering::Release);
                }
            })
            .expect("the system can start a thread");
        sender
    });
    queue.send(heavy).unwrap_or_else(|unsent| free(unsent.0));
}

fn free(heavy: Heavy) {
    match heavy {
        // SAFETY: `retire_word` handed over the only reference, after the epochs of its readers.
        Heavy::Value(word, bytes) => unsafe {
            word.free();
            PENDING_BYTES.fetch_sub(bytes, Relaxed);
        },
        Heavy::Table(table) => {
            drop(table);
            PENDING_TABLES.fetch_sub(1, Relaxed);
        }
    }
}

/// Unlinked objects that are for the background thread, whether or not it may have them already.
pub fn pending() -> u64 {
    PENDING.load(Ordering::Acquire)
}

/// Bytes of values that the background thread has been given and not freed, as far as they are known: see
/// [`pending_tables`].
pub fn pending_bytes() -> u64 {
    PENDING_BYTES.load(Relaxed)
}

/// Whole tables that nobody can reach any more and that are not freed yet. How many bytes they hold is not known.
pub fn pending_tables() -> u64 {
    PENDING_TABLES.load(Relaxed)
}

/// Objects that the background thread has freed.
pub fn freed() -> u64 {
    FREED.load(Relaxed)
}
