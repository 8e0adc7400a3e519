//! Clients that hear of all keys with a prefix, whoever has read them.
//!
//! Changed keys gather in the thread that changes them, and go out when its batch is done: one message per prefix, as
//! Redis sends one per turn of its loop.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use super::desk::Tracking;
use super::note::What;
use super::tracker::{Modes, Prefix, Tracker};
use crate::keyspace::gate::Gate;
use crate::keyspace::observe::Readers;
use crate::sync::{AtomicUsize, Ordering};

thread_local! {
    /// Changed keys that nobody was told of yet, each with the number of the client that changed it last, if it tracks.
    static CHANGED: RefCell<BTreeMap<Box<[u8]>, Option<u64>>> = const { RefCell::new(BTreeMap::new()) };
}

/// Notes that a key was changed, by a client that tracks or by anybody else.
pub(super) fn note(key: &[u8], by: Option<u64>) {
    CHANGED.with_borrow_mut(|changed| match changed.get_mut(key) {
        Some(last) => *last = by,
        None => drop(changed.insert(key.into(), by)),
    });
}

type Changed = BTreeMap<Box<[u8]>, Option<u64>>;
type Listening = HashMap<Prefix, Vec<Arc<Tracker>>>;

/// Who hears of which prefix.
#[derive(Default)]
pub(super) struct Broadcast {
    prefixes: RwLock<Listening>,
    /// How many prefixes there are, for those who only want to know whether there are any.
    count: AtomicUsize,
}

impl Broadcast {
    /// How many prefixes somebody hears of.
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    fn change<R>(&self, work: impl FnOnce(&mut Listening) -> R) -> R {
        // Each change is one call of a collection: a panic leaves nothing half done.
        let mut prefixes = self.prefixes.write().unwrap_or_else(PoisonError::into_inner);
        let done = work(&mut prefixes);
        self.count.store(prefixes.len(), Ordering::Relaxed);
        done
    }

    /// Adds a tracker's prefixes. If it had none, everything is closed.
    pub(super) fn join(&self, readers: &Readers, gate: &Gate, tracker: &Arc<Tracker>, new: &[Prefix]) {
        let mut own = tracker.prefixes();
        if own.is_empty() {
            readers.begin_broadcast(gate);
        }
        own.extend_from_slice(new);
        self.change(|prefixes| {
            for prefix in new {
                prefixes.entry(prefix.clone()).or_default().push(Arc::clone(tracker));
            }
        });
    }

    /// Takes all of a tracker's prefixes off.
    pub(super) fn leave(&self, readers: &Readers, gate: &Gate, tracker: &Tracker) {
        let own = std::mem::take(&mut *tracker.prefixes());
        if own.is_empty() {
            return;
        }
        self.change(|prefixes| {
            for prefix in &own {
                if let Some(members) = prefixes.get_mut(prefix) {
                    members.retain(|member| member.id != tracker.id);
                    if members.is_empty() {
                        prefixes.remove(prefix);
                    }
                }
            }
        });
        readers.end_broadcast(gate);
    }

    /// Tells of the keys that this thread has changed.
    pub(super) fn flush(&self, desk: &Tracking) {
        let changed = CHANGED.take();
        if changed.is_empty() {
            return;
        }
        let prefixes = self.prefixes.read().unwrap_or_else(PoisonError::into_inner);
        for (prefix, members) in prefixes.iter() {
            tell(desk, &changed, prefix, members);
        }
    }
}

/// Tells the members of one prefix.
fn tell(desk: &Tracking, changed: &Changed, prefix: &[u8], members: &[Arc<Tracker>]) {
    let from: (std::ops::Bound<&[u8]>, _) = (std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded);
    let concerned = || changed.range::<[u8], _>(from).take_while(|(key, _)| key.starts_with(prefix));
    let all: Vec<&[u8]> = concerned().map(|(key, _)| &**key).collect();
    if all.is_empty() {
        return;
    }
    let whole = What::keys(all.into_iter());
    for member in members {
        if !member.modes().contains(Modes::NOLOOP) {
            desk.send(member, whole.clone(), None);
            continue;
        }
        let of_others = concerned().filter(|(_, by)| **by != Some(member.id));
        let keys: Vec<&[u8]> = of_others.map(|(key, _)| &**key).collect();
        if !keys.is_empty() {
            desk.send(member, What::keys(keys.into_iter()), None);
        }
    }
}
