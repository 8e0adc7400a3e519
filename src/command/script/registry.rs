//! The scripts that EVALSHA finds, and which scripts run just now.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;
use crossbeam_utils::CachePadded;

use super::flags::ScriptFlags;
use super::pool::Pace;
use crate::command::state::unix_ms;
use crate::lua::sha1::Hex;
use crate::sync::{AtomicBool, AtomicU64, Ordering};

/// Scripts that came by EVAL and are kept: the oldest go first. Those that came by SCRIPT LOAD stay.
const EVALED: usize = 500;

/// One script.
pub(super) struct Script {
    pub(super) sha: Hex,
    pub(super) body: Bytes,
    pub(super) flags: ScriptFlags,
    /// Bytes of the body before the source text proper.
    pub(super) skip: usize,
    /// It touches keys that it does not declare, and once met a closed stripe there: everything is closed for it.
    pub(super) strays: AtomicBool,
    /// SCRIPT FLUSH or newer scripts have taken it out of the registry.
    pub(super) gone: AtomicBool,
    pub(super) pace: Pace,
    loaded: AtomicBool,
}

/// All scripts.
pub struct Scripts {
    by_sha: RwLock<HashMap<Hex, Arc<Script>>>,
    evaled: Mutex<VecDeque<Hex>>,
    /// What runs on each lane.
    slots: Box<[CachePadded<Slot>]>,
    /// Held by the one script that may wait for stripes although it cannot be undone; see `undo`.
    pub(super) token: AtomicBool,
    /// Scripts may call commands that are not for scripts: DEBUG SET-DISABLE-DENY-SCRIPTS.
    pub call_anything: AtomicBool,
}

/// What runs on one lane. Only the lane's own thread writes it, but for `kill`.
#[derive(Default)]
pub(super) struct Slot {
    /// `number << 1 | is_function` of the run, 0 if none.
    run: AtomicU64,
    /// Runs so far.
    runs: AtomicU64,
    /// Unix time in milliseconds.
    started: AtomicU64,
    pub(super) wrote: AtomicBool,
    /// The run that is to end.
    kill: AtomicU64,
    /// The name and the words of a run that has gone on for a while.
    pub(super) shown: Mutex<Option<Shown>>,
}

/// A function that runs, for FUNCTION STATS.
#[derive(Clone)]
pub(super) struct Shown {
    pub(super) name: Vec<u8>,
    pub(super) words: Vec<Vec<u8>>,
}

/// Why no script was killed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NotKilled {
    /// None runs.
    NotBusy,
    /// The one that runs is of the other sort.
    OtherSort,
    /// It has written.
    Unkillable,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change under these locks is complete in itself.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Script {
    pub(super) fn new(sha: Hex, body: Bytes, flags: ScriptFlags, skip: usize) -> Arc<Script> {
        let strays = AtomicBool::new(false);
        let (gone, loaded) = (AtomicBool::new(false), AtomicBool::new(false));
        Arc::new(Script { sha, body, flags, skip, strays, gone, pace: Pace::default(), loaded })
    }

    /// The source text.
    pub(super) fn source(&self) -> &[u8] {
        &self.body[self.skip..]
    }
}

impl Scripts {
    /// No scripts, and `lanes` threads that may run some.
    pub(crate) fn new(lanes: usize) -> Scripts {
        Scripts {
            by_sha: RwLock::default(),
            evaled: Mutex::default(),
            slots: (0..lanes).map(|_| CachePadded::default()).collect(),
            token: AtomicBool::new(false),
            call_anything: AtomicBool::new(false),
        }
    }

    fn map(&self) -> std::sync::RwLockReadGuard<'_, HashMap<Hex, Arc<Script>>> {
        self.by_sha.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn find(&self, sha: &Hex) -> Option<Arc<Script>> {
        self.map().get(sha).cloned()
    }

    /// Adds a script, unless it is there; the one that is there afterwards.
    pub(super) fn add(&self, script: Arc<Script>, loaded: bool) -> Arc<Script> {
        let mut map = self.by_sha.write().unwrap_or_else(PoisonError::into_inner);
        let kept = map.entry(script.sha).or_insert_with(|| Arc::clone(&script)).clone();
        if loaded {
            kept.loaded.store(true, Ordering::Relaxed);
        } else if Arc::ptr_eq(&kept, &script) {
            let mut evaled = locked(&self.evaled);
            evaled.push_back(script.sha);
            if evaled.len() > EVALED
                && let Some(oldest) = evaled.pop_front()
                && map.get(&oldest).is_some_and(|old| !old.loaded.load(Ordering::Relaxed))
                && let Some(old) = map.remove(&oldest)
            {
                old.gone.store(true, Ordering::Release);
            }
        }
        kept
    }

    /// Forgets all scripts.
    pub(super) fn flush(&self) {
        let mut map = self.by_sha.write().unwrap_or_else(PoisonError::into_inner);
        locked(&self.evaled).clear();
        for (_, script) in map.drain() {
            // Ordering: Release, so that a thread that compiled the script sees it gone once SCRIPT FLUSH has replied.
            script.gone.store(true, Ordering::Release);
        }
    }

    /// How many scripts there are, and bytes of their text.
    pub fn count(&self) -> (usize, usize) {
        let map = self.map();
        (map.len(), map.values().map(|script| script.body.len()).sum())
    }

    // -- what runs ----------------------------------------------------------------------------------------------

    /// A run begins on this lane at the Unix time `now` in milliseconds, until the guard is dropped.
    pub(super) fn begin(&self, lane: usize, is_function: bool, now: u64) -> Running<'_> {
        let slot = &*self.slots[lane];
        let number = slot.runs.load(Ordering::Relaxed) + 1;
        slot.runs.store(number, Ordering::Relaxed);
        let run = number << 1 | u64::from(is_function);
        slot.started.store(now, Ordering::Relaxed);
        slot.wrote.store(false, Ordering::Relaxed);
        // Ordering: Release, so that who sees the run sees its beginning.
        slot.run.store(run, Ordering::Release);
        Running { slot, run }
    }

    /// Ends the script (or function) that has run longest and has not written.
    pub(super) fn kill(&self, functions: bool) -> Result<(), NotKilled> {
        let mut all: Vec<(u64, u64, &Slot)> = self.running();
        if all.is_empty() {
            return Err(NotKilled::NotBusy);
        }
        all.sort_unstable_by_key(|(started, ..)| *started);
        all.retain(|(_, run, _)| (run & 1 == 1) == functions);
        if all.is_empty() {
            return Err(NotKilled::OtherSort);
        }
        let (_, run, slot) =
            all.iter().find(|(.., slot)| !slot.wrote.load(Ordering::Acquire)).ok_or(NotKilled::Unkillable)?;
        // Ordering: Relaxed; the run sees it soon, and nothing else hangs on it.
        slot.kill.store(*run, Ordering::Relaxed);
        Ok(())
    }

    /// When each run that is long enough to be seen began, with its number.
    fn running(&self) -> Vec<(u64, u64, &Slot)> {
        let seen = |slot: &'_ CachePadded<Slot>| {
            (slot.started.load(Ordering::Relaxed), slot.run.load(Ordering::Acquire))
        };
        let slots = self.slots.iter().map(|slot| (seen(slot), &**slot));
        slots.filter(|((_, run), _)| *run != 0).map(|((started, run), slot)| (started, run, slot)).collect()
    }

    /// Whether some script has run longer than `threshold` milliseconds; and whether it is a function.
    pub fn busy(&self, threshold: u64) -> Option<bool> {
        let now = unix_ms();
        let late = |(started, ..): &(u64, u64, &Slot)| now.saturating_sub(*started) >= threshold;
        (threshold != 0).then(|| self.running().into_iter().find(late))?.map(|(_, run, _)| run & 1 == 1)
    }

    /// The function that has run longest, and for how many milliseconds.
    pub(super) fn longest_function(&self) -> Option<(Shown, u64)> {
        let all = self.running().into_iter().filter(|(_, run, _)| run & 1 == 1);
        let (started, _, slot) = all.min_by_key(|(started, ..)| *started)?;
        let shown = locked(&slot.shown).clone()?;
        Some((shown, unix_ms().saturating_sub(started)))
    }
}

/// A run in its lane's slot.
pub(super) struct Running<'s> {
    pub(super) slot: &'s Slot,
    run: u64,
}

impl Running<'_> {
    /// Whether SCRIPT KILL or FUNCTION KILL was called for this run, and it can still be ended.
    pub(super) fn is_killed(&self) -> bool {
        self.slot.kill.load(Ordering::Relaxed) == self.run && !self.slot.wrote.load(Ordering::Relaxed)
    }

    /// Shows others what runs.
    pub(super) fn show(&self, shown: impl FnOnce() -> Shown) {
        locked(&self.slot.shown).get_or_insert_with(shown);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.slot.run.store(0, Ordering::Release);
        if let Ok(mut shown) = self.slot.shown.try_lock() {
            *shown = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lua::sha1;

    #[test]
    fn evaled_scripts_go_and_loaded_ones_stay() {
        let scripts = Scripts::new(1);
        let add = |number: usize, loaded: bool| {
            let body = Bytes::from(number.to_string());
            let script = Script::new(sha1::hex(&body), body, ScriptFlags::COMPATIBLE, 0);
            scripts.add(script, loaded)
        };
        let kept = add(0, true);
        let first = add(1, false);
        (2..EVALED + 2).for_each(|number| drop(add(number, false)));
        assert!(first.gone.load(Ordering::Relaxed) && scripts.find(&first.sha).is_none());
        assert!(scripts.find(&kept.sha).is_some());
        scripts.flush();
        assert_eq!(scripts.count(), (0, 0));
        assert!(kept.gone.load(Ordering::Relaxed));
    }

    #[test]
    fn only_what_has_not_written_is_killed() {
        let scripts = Scripts::new(2);
        assert_eq!(scripts.kill(false), Err(NotKilled::NotBusy));
        let first = scripts.begin(0, false, 0);
        assert_eq!(scripts.kill(true), Err(NotKilled::OtherSort));
        first.slot.wrote.store(true, Ordering::Relaxed);
        assert_eq!(scripts.kill(false), Err(NotKilled::Unkillable));
        let second = scripts.begin(1, false, 0);
        assert_eq!(scripts.kill(false), Ok(()));
        assert!(second.is_killed() && !first.is_killed());
        drop(second);
        assert!(!scripts.begin(1, false, 0).is_killed(), "a kill is for one run only");
    }
}
