//! Every atomic, fence, latch and epoch guard enters the crate here: the standard library's and crossbeam's, or
//! loom's when `loom-tests` compiles the concurrent modules with `cfg(sockudo_loom)`.
//!
//! The cfg is private to that crate's build script. A global `--cfg loom` would change Tokio as well.

#[cfg(not(sockudo_loom))]
mod real {
    pub use std::hint::spin_loop;
    pub use std::sync::Mutex;
    pub use std::sync::atomic::{
        AtomicBool, AtomicI64, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering,
        fence,
    };
    pub use std::thread::yield_now;

    /// A cell that something else protects. Its contents are reached through closures, because loom has to know how
    /// long an access lasts.
    #[derive(Debug)]
    pub struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        /// A cell with this value.
        pub fn new(value: T) -> UnsafeCell<T> {
            UnsafeCell(std::cell::UnsafeCell::new(value))
        }

        /// Hands out a pointer to read from; nobody may write meanwhile.
        #[inline]
        pub fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
            read(self.0.get())
        }

        /// Hands out a pointer to write to; nobody else may read or write meanwhile.
        #[inline]
        pub fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
            write(self.0.get())
        }
    }
}

#[cfg(sockudo_loom)]
mod model {
    pub use crate::model_spin::{spin_loop, yield_now};
    pub use loom::cell::UnsafeCell;
    pub use loom::sync::Mutex;
    pub use loom::sync::atomic::{
        AtomicBool, AtomicI64, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering,
        fence,
    };
}

#[cfg(sockudo_loom)]
pub use model::*;
#[cfg(not(sockudo_loom))]
pub use real::*;

/// Epoch reclamation: crossbeam's, or the model's stand-in that checks for use after free.
#[cfg(not(sockudo_loom))]
pub mod epoch {
    pub use crossbeam_epoch::{Guard, pin};
}
#[cfg(sockudo_loom)]
pub use crate::model_epoch as epoch;

/// The heap of everything that is freed through the epochs: the global allocator, or the model's heap, which knows
/// what is allocated and where a freed block is read or freed again.
#[cfg(not(sockudo_loom))]
pub mod heap {
    use std::alloc::{Layout, alloc_zeroed};
    pub use std::alloc::{alloc, dealloc};
    use std::ptr::NonNull;

    use super::AtomicU64;

    /// Allocates a block of zeros that is used as atomics; null when memory is out.
    ///
    /// # Safety
    /// `layout` is that of an array of `AtomicU64` and not empty.
    #[inline]
    pub unsafe fn alloc_words(layout: Layout) -> *mut AtomicU64 {
        // SAFETY: the caller's promise; a zeroed AtomicU64 is initialized.
        unsafe { alloc_zeroed(layout) }.cast()
    }

    /// Gives up a box for a pointer.
    #[inline]
    pub fn leak<T>(boxed: Box<T>) -> NonNull<T> {
        NonNull::from(Box::leak(boxed))
    }

    /// Drops what [`leak`] gave.
    ///
    /// # Safety
    /// `leaked` came from [`leak`] and the caller is its only owner.
    #[inline]
    pub unsafe fn free_leaked<T>(leaked: *mut T) {
        // SAFETY: the caller's promise.
        drop(unsafe { Box::from_raw(leaked) });
    }

    /// Says that the block at `address` is about to be read. Only the models listen.
    #[inline(always)]
    pub fn touch<T>(_address: *const T) {}
}
#[cfg(sockudo_loom)]
pub use crate::model_heap as heap;
