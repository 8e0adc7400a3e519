//! Saving to disk and loading from it.
//!
//! | file | holds |
//! |---|---|
//! | `job` | one RDB file being written from a snapshot |
//! | `saver` | the thread that writes in the background, and decides when |
//! | `status` | what INFO and the refusal of writes know of it |
//! | `load` | a file into the keyspace, by several threads |
//! | `reload` | DEBUG RELOAD, and FLUSHALL's file |
//! | `commands` | SAVE, BGSAVE, LASTSAVE |
//! | `check` | `sockudo-kv check-rdb` |
//!
//! # Who writes
//! SAVE, and whoever else must have the file before going on, writes inside the section that made the snapshot's cut:
//! nothing changes meanwhile. BGSAVE makes the cut in its section and hands the job to the saver. The saver has a lane of
//! its own, so that it can make cuts for the save points by itself. One file at a time is written: a job begins with a
//! cut, and there is only one of these.

pub mod check;
mod commands;
mod job;
mod load;
mod reload;
mod saver;
mod status;

pub(super) use commands::COMMANDS;
pub(super) use load::rdb_limits;
pub(super) use reload::{flushed, reload};
pub(in crate::command) use status::{NOT_SAVED, Obstacles};

pub use load::{load_at_start, start_loading};
pub use saver::{Ending, start as start_saver};
pub use status::Persist;

use std::path::PathBuf;

use crate::config::Config;

/// The directory that files are in, absolute.
fn directory(config: &Config) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    PathBuf::from(std::ffi::OsString::from_vec(config.text("dir")))
}

/// The RDB file.
fn rdb_path(config: &Config) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    directory(config).join(PathBuf::from(std::ffi::OsString::from_vec(config.text("dbfilename"))))
}

/// Whether there are save points.
fn has_save_points(config: &Config) -> bool {
    !save_points(config).is_empty()
}

/// After how many seconds and changes a file is written.
fn save_points(config: &Config) -> Vec<(i64, i64)> {
    match config.value("save") {
        crate::config::kind::Value::Save(points) => points,
        _ => Vec::new(),
    }
}
