//! Lua 5.1 for scripts: an interpreter that cannot be left, overfilled, or kept busy against its owner's will.
//!
//! | file | holds |
//! |---|---|
//! | `interpreter` | creating one, compiling, calling |
//! | `stack`, `raise` | the values that a function of ours works on, and its errors |
//! | `native`, `alloc`, `shared` | how Lua calls us, allocates, and what we remember meanwhile |
//! | `sandbox`, `guarded` | what a script finds, and the read-only tables |
//! | `pattern`, `random` | the pattern functions of `string`, and `math.random` |
//! | `cjson`, `cmsgpack`, `structs`, `bit`, `sha1` | the libraries that Redis adds |
//!
//! Lua is C, and raises by `longjmp`. A jump over a Rust frame that holds something with a destructor would lose it,
//! so two rules keep jumps out of such frames:
//!
//! 1. While a [`Stack`] exists, nothing raises: memory is never refused to us (`Shared::in_lua` is false), and a
//!    `Stack` has no method that runs Lua code outside of a protected call. No object of a script has a finalizer,
//!    because `newproxy` is not there, so the collector runs no Lua code either.
//! 2. What a function of ours allocates is held against the cap when it returns. Those whose results can be much
//!    larger than their arguments look at [`Stack::is_over_limit`] while they build them.
//!
//! A function of ours raises by returning [`Raised`]; the trampoline, which holds nothing, then jumps. The few
//! functions that must call stock ones directly (`guarded`) hold nothing either.

mod alloc;
pub mod bit;
pub mod cjson;
pub mod cmsgpack;
mod guarded;
mod interpreter;
mod native;
mod number;
mod pattern;
mod raise;
mod random;
mod sandbox;
pub mod sha1;
mod shared;
mod stack;
pub mod structs;

pub use interpreter::{Failure, Interpreter};
pub use number::print;
pub use shared::Tick;
pub use stack::{Kind, Place, Raised, Reference, Stack};

/// A function of ours that scripts can call. Its arguments are on the stack; it pushes its results last and says how
/// many they are.
pub type Native = fn(&mut Stack<'_>) -> Outcome;

/// The number of results, or the error on top.
pub type Outcome = Result<usize, Raised>;

/// Tables within tables that our functions follow at most, however much a script allows them: they recurse.
pub const NESTING: usize = 1200;

/// Instructions between two looks whether the script must end: far below a millisecond.
const TICK_INSTRUCTIONS: std::ffi::c_int = 10_000;
