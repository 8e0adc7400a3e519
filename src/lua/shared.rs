//! What an interpreter's Rust side remembers, reached from any of its functions and coroutines.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::ptr;

use mlua_sys as ffi;

use super::alloc::Pool;
use super::cjson::Settings;
use super::random::Random;

/// Called every so many instructions with the run's pointer; true dooms the script.
pub type Tick = fn(*const ()) -> bool;

/// The interpreter's own record, at a fixed address for as long as the interpreter lives.
pub(super) struct Shared {
    /// Bytes that Lua has allocated.
    pub(super) memory: Cell<usize>,
    /// Bytes that it may allocate while Lua code runs.
    pub(super) limit: Cell<usize>,
    /// Lua code runs, rather than a function of ours.
    pub(super) in_lua: Cell<bool>,
    /// The script must end: nothing that it calls succeeds any more.
    pub(super) doomed: Cell<bool>,
    /// A panic in one of our functions, to be resumed when the script has ended.
    pub(super) panic: Cell<Option<Box<dyn Any + Send>>>,
    /// What the caller of the script gave.
    pub(super) run: Cell<*const ()>,
    /// See [`Tick`].
    pub(super) tick: Cell<Option<Tick>>,
    /// The tables that scripts may not change; see `sandbox`.
    pub(super) read_only: RefCell<Vec<*const c_void>>,
    /// The stock functions that ours call when they have looked at the arguments, by the number of the wrapper.
    pub(super) stock: [Cell<Option<ffi::lua_CFunction>>; WRAPPED],
    /// Free blocks of the allocator's.
    pub(super) pool: Pool,
    /// Of `math.random`.
    pub(super) random: Cell<Random>,
    /// Of `cjson`.
    pub(super) cjson: Cell<Settings>,
}

/// How many stock functions are wrapped; see `guarded`.
pub(super) const WRAPPED: usize = 9;

impl Shared {
    pub(super) fn new(limit: usize) -> Shared {
        Shared {
            memory: Cell::new(0),
            limit: Cell::new(limit),
            in_lua: Cell::new(false),
            doomed: Cell::new(false),
            panic: Cell::new(None),
            run: Cell::new(ptr::null()),
            tick: Cell::new(None),
            read_only: RefCell::default(),
            stock: Default::default(),
            pool: Pool::default(),
            random: Cell::new(Random::default()),
            cjson: Cell::new(Settings::default()),
        }
    }

    /// Whether more is in use than Lua code may allocate.
    #[inline]
    pub(super) fn is_over_limit(&self) -> bool {
        self.memory.get() > self.limit.get()
    }

    /// Whether the table at this address is read-only.
    #[inline]
    pub(super) fn is_read_only(&self, table: *const c_void) -> bool {
        self.read_only.borrow().contains(&table)
    }
}

/// The record of the interpreter that `state` belongs to.
///
/// # Safety
/// `state` belongs to an interpreter of this module, which outlives `'s`.
#[inline]
pub(super) unsafe fn shared_of<'s>(state: *mut ffi::lua_State) -> &'s Shared {
    let mut record = ptr::null_mut();
    // SAFETY: the state is alive, and its allocator was given a pointer to its `Shared`.
    unsafe {
        ffi::lua_getallocf(state, &mut record);
        &*record.cast::<Shared>()
    }
}
