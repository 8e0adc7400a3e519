//! What is known about saving and loading.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::saver::Inbox;
use crate::command::state::{Server, unix_ms};
use crate::config::Config;
use crate::sync::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};

/// No time.
const NEVER: i64 = -1;

/// Saving and loading, as commands see them.
pub struct Persist {
    /// Why some commands cannot run: bits of [`Obstacles`].
    obstacles: AtomicU32,
    /// Changes of keys that the last file has.
    saved_changes: AtomicU64,
    /// Unix time of the last file, in seconds.
    pub(super) last_save: AtomicU64,
    /// Unix time of the last attempt in the background.
    pub(super) last_try: AtomicU64,
    last_failed: AtomicBool,
    pub(super) last_seconds: AtomicI64,
    /// Unix time of the beginning of the file that is written in the background; zero if none is.
    pub(super) began: AtomicU64,
    saves: AtomicU64,
    pub(super) keys_done: AtomicU64,
    pub(super) keys_total: AtomicU64,
    /// Bytes that writers kept during the last file in the background.
    pub(super) last_kept: AtomicU64,
    /// BGSAVE SCHEDULE, or BGSAVE in a transaction.
    pub(super) scheduled: AtomicBool,
    /// The file in the background is not wanted any more.
    pub(super) cancelled: AtomicBool,
    pub(super) inbox: Inbox,
    /// What is to be removed when the process ends in the middle of a file.
    pub(super) beside: Mutex<Option<PathBuf>>,
    pub(super) loading: Loading,
    /// Sums of dumped values are not looked at: see DEBUG SET-SKIP-CHECKSUM-VALIDATION.
    pub skips_sums: AtomicBool,
}

/// The last loading.
#[derive(Default)]
pub(super) struct Loading {
    pub(super) began: AtomicU64,
    pub(super) total: AtomicU64,
    pub(super) loaded: AtomicU64,
    pub(super) used_memory: AtomicU64,
    pub(super) keys: AtomicU64,
    pub(super) expired: AtomicU64,
}

/// Why commands are refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::command) struct Obstacles(u32);

impl Obstacles {
    /// The data set is being loaded.
    pub(super) const LOADING: Obstacles = Obstacles(1);
    /// The last file could not be written, and somebody relies on files.
    const NOT_SAVED: Obstacles = Obstacles(2);

    /// Whether there are none.
    #[inline]
    pub(in crate::command) fn is_none(self) -> bool {
        self.0 == 0
    }

    fn contains(self, other: Obstacles) -> bool {
        self.0 & other.0 != 0
    }

    /// The error of a command that has these flags, if it is refused.
    pub(in crate::command) fn refusal(
        self,
        command: &crate::command::table::Command,
        flags: crate::command::table::Flags,
    ) -> Option<&'static str> {
        use crate::command::table::Flags;
        if self.contains(Obstacles::LOADING) && !command.flags.contains(Flags::LOADING) {
            return Some(LOADING);
        }
        let writes = flags.contains(Flags::WRITE) || command.name == "ping";
        (self.contains(Obstacles::NOT_SAVED) && writes).then_some(NOT_SAVED)
    }
}

const LOADING: &str = "LOADING Redis is loading the dataset in memory";
/// What Redis answers: administrators know the text.
pub(in crate::command) const NOT_SAVED: &str = "MISCONF Redis is configured to save RDB snapshots, but it's currently \
    unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured \
    to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the \
    Redis logs for details about the RDB error.";

/// Unix time in seconds.
pub(super) fn seconds() -> u64 {
    unix_ms() / 1000
}

impl Default for Persist {
    fn default() -> Persist {
        Persist {
            obstacles: AtomicU32::new(0),
            saved_changes: AtomicU64::new(0),
            last_save: AtomicU64::new(seconds()),
            last_try: AtomicU64::new(0),
            last_failed: AtomicBool::new(false),
            last_seconds: AtomicI64::new(NEVER),
            began: AtomicU64::new(0),
            saves: AtomicU64::new(0),
            keys_done: AtomicU64::new(0),
            keys_total: AtomicU64::new(0),
            last_kept: AtomicU64::new(0),
            scheduled: AtomicBool::new(false),
            cancelled: AtomicBool::new(false),
            inbox: Inbox::default(),
            beside: Mutex::default(),
            loading: Loading::default(),
            skips_sums: AtomicBool::new(false),
        }
    }
}

impl Persist {
    /// Why some commands cannot run now.
    #[inline]
    pub(in crate::command) fn obstacles(&self) -> Obstacles {
        Obstacles(self.obstacles.load(Ordering::Relaxed))
    }

    fn set(&self, obstacle: Obstacles, there: bool) {
        // Ordering: Release, so that who finds the data set loaded finds its keys.
        if there {
            self.obstacles.fetch_or(obstacle.0, Ordering::Release);
        } else {
            self.obstacles.fetch_and(!obstacle.0, Ordering::Release);
        }
    }

    /// Whether the data set is being loaded.
    pub fn is_loading(&self) -> bool {
        Obstacles(self.obstacles.load(Ordering::Acquire)).contains(Obstacles::LOADING)
    }

    pub(super) fn set_loading(&self, loading: bool) {
        self.set(Obstacles::LOADING, loading);
    }

    /// Whether writes are refused because files cannot be written.
    pub(in crate::command) fn refuses_writes(&self) -> bool {
        self.obstacles().contains(Obstacles::NOT_SAVED)
    }

    /// Looks again whether writes are refused: after an attempt to save, and when the configuration changed.
    pub(in crate::command) fn review(&self, config: &Config) {
        let strict = config.number("stop-writes-on-bgsave-error") != 0 && super::has_save_points(config);
        self.set(Obstacles::NOT_SAVED, strict && self.last_failed.load(Ordering::Relaxed));
    }

    pub(super) fn set_outcome(&self, config: &Config, success: bool) {
        self.last_failed.store(!success, Ordering::Relaxed);
        self.review(config);
    }

    /// Whether the last file in the background could not be written.
    pub(super) fn has_failed(&self) -> bool {
        self.last_failed.load(Ordering::Relaxed)
    }

    /// Whether a file is being written in the background.
    pub fn is_saving(&self) -> bool {
        self.began.load(Ordering::Acquire) != 0
    }

    /// Counts a file that is about to be written.
    pub(super) fn count_save(&self) {
        self.saves.fetch_add(1, Ordering::Relaxed);
    }

    /// Starts the count of files again.
    pub(in crate::command) fn reset(&self) {
        self.saves.store(0, Ordering::Relaxed);
    }

    /// Notes that a file has the first `changes` changes.
    pub(super) fn saved(&self, changes: u64) {
        self.saved_changes.store(changes, Ordering::Relaxed);
        self.last_save.store(seconds(), Ordering::Relaxed);
    }

    /// Changes of keys that no file has.
    pub(super) fn dirty(&self, server: &Server) -> u64 {
        server.keyspace.stats().changed.saturating_sub(self.saved_changes.load(Ordering::Relaxed))
    }

    /// Removes what is being written, because the process ends at once.
    pub fn abandon(&self) {
        let beside = self.beside.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(beside) = beside {
            // It may have got its name meanwhile.
            drop(crate::disk::remove(&beside));
        }
    }

    /// The fields of INFO about snapshots, in Redis's order.
    pub(in crate::command) fn fields(
        &self,
        server: &Server,
        field: &mut dyn FnMut(&str, &dyn std::fmt::Display),
    ) {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (saving, loading) = (self.is_saving(), self.is_loading());
        let snapshots = &server.keyspace.snapshots;
        let while_saving = |value: u64| if saving { value } else { 0 };
        let (done, total) = (while_saving(get(&self.keys_done)), while_saving(get(&self.keys_total)));
        let share = if total == 0 { 0.0 } else { done as f64 * 100.0 / total as f64 };
        let since = if saving { seconds().saturating_sub(get(&self.began)) as i64 } else { NEVER };
        field("loading", &u8::from(loading));
        field("async_loading", &0);
        // Nothing is copied on write by the kernel: this is what writers kept of old values.
        field("current_cow_peak", &while_saving(snapshots.peak()));
        field("current_cow_size", &while_saving(snapshots.total()));
        field("current_cow_size_age", &0);
        field("current_fork_perc", &format_args!("{share:.2}"));
        field("current_save_keys_processed", &done);
        field("current_save_keys_total", &total);
        field("snapshot_held_bytes", &while_saving(snapshots.held()));
        field("rdb_changes_since_last_save", &self.dirty(server));
        field("rdb_bgsave_in_progress", &u8::from(saving));
        field("rdb_last_save_time", &get(&self.last_save));
        field("rdb_last_bgsave_status", if self.has_failed() { &"err" } else { &"ok" });
        field("rdb_last_bgsave_time_sec", &self.last_seconds.load(Ordering::Relaxed));
        field("rdb_current_bgsave_time_sec", &since);
        field("rdb_saves", &get(&self.saves));
        field("rdb_last_cow_size", &get(&self.last_kept));
        field("rdb_last_load_keys_expired", &get(&self.loading.expired));
        field("rdb_last_load_keys_loaded", &get(&self.loading.keys));
    }

    /// The fields of INFO while the data set is loaded.
    pub(in crate::command) fn loading_fields(&self, field: &mut dyn FnMut(&str, &dyn std::fmt::Display)) {
        if !self.is_loading() {
            return;
        }
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (total, loaded) = (get(&self.loading.total), get(&self.loading.loaded));
        let elapsed = seconds().saturating_sub(get(&self.loading.began));
        let left = total.saturating_sub(loaded);
        let eta = if elapsed == 0 { 1 } else { elapsed.saturating_mul(left) / (loaded + 1) };
        field("loading_start_time", &get(&self.loading.began));
        field("loading_total_bytes", &total);
        field("loading_rdb_used_mem", &get(&self.loading.used_memory));
        field("loading_loaded_bytes", &loaded);
        field("loading_loaded_perc", &format_args!("{:.2}", loaded as f64 * 100.0 / total.max(1) as f64));
        field("loading_eta_seconds", &eta);
    }
}
