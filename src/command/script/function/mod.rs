//! FUNCTION and FCALL: libraries of functions that stay.

mod call;
mod dump;
mod library;
mod load;
mod manage;

pub(super) use call::{fcall, fcall_ro, footprint};
pub use library::Functions;
pub(super) use library::{Library, Loading};
pub(super) use load::{add_register, load};
pub(in crate::command) use manage::load_saved;
pub(super) use manage::{delete, dump, flush, help, kill, list, restore, stats};
