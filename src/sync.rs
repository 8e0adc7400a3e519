//! Every atomic, fence, latch and epoch guard enters the crate here: the standard library's and crossbeam's, or
//! loom's when `loom-tests` compiles the concurrent modules with `cfg(sockudo_loom)`.
//!
//! The cfg is private to that crate's build script. A global `--cfg loom` would change Tokio as well.

#[cfg(not(sockudo_loom))]
mod real {
    pub use std::hint::spin_loop;
    pub use std::sync::atomic::{
        AtomicBool, AtomicI64, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering,
        fence,
    };
    pub use std::thread::yield_now;
}

#[cfg(sockudo_loom)]
mod model {
    pub use loom::hint::spin_loop;
    pub use loom::sync::atomic::{
        AtomicBool, AtomicI64, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering,
        fence,
    };
    pub use loom::thread::yield_now;
}

#[cfg(sockudo_loom)]
pub use model::*;
#[cfg(not(sockudo_loom))]
pub use real::*;
