//! Watched keys: whose mark becomes dirty when one of them changes.
//!
//! # Rules
//! 1. A watcher is entered inside a section over the key's stripe, and the stripe is marked for watchers under the same
//!    lock. So whoever changes the key afterwards finds the mark (rule 9 of the gate), and makes the watcher dirty
//!    before it lets go of the stripe.
//! 2. The watcher asks whether it is dirty inside a section over the stripes of all its keys: nobody is in the middle
//!    of a change then, and nobody begins one until the section is over.
//! 3. Who leaves last takes the mark off the stripe, under the lock.

use std::collections::HashMap;
use std::sync::Arc;

use crate::keyspace::gate::{Gate, Observers, Section, Stripe, stripe_of};
use crate::sync::{AtomicBool, Mutex, Ordering};

/// Locks that the watched keys are spread over.
#[cfg(not(sockudo_loom))]
const SHARDS: usize = 64;
/// One lock in the models.
#[cfg(sockudo_loom)]
const SHARDS: usize = 1;

/// The mark of one client that watches keys.
#[derive(Default)]
pub struct Watcher {
    dirty: AtomicBool,
}

impl Watcher {
    /// Whether a watched key was changed. Exact inside a section over the stripes of all watched keys.
    pub fn is_dirty(&self) -> bool {
        // Ordering: Acquire pairs with `soil`, for those who look outside of a section.
        self.dirty.load(Ordering::Acquire)
    }

    /// Notes that a watched key was changed.
    pub fn soil(&self) {
        self.dirty.store(true, Ordering::Release);
    }
}

/// The watchers of one key.
type Watching = Vec<Arc<Watcher>>;

/// A key with its database's number.
type Name = (usize, Box<[u8]>);

/// Watched keys by stripe; a stripe without any is not there.
#[derive(Default)]
struct Shard(HashMap<Stripe, HashMap<Name, Watching>>);

/// All watched keys.
pub struct Watches {
    shards: Box<[Mutex<Shard>]>,
}

impl Default for Watches {
    fn default() -> Watches {
        Watches { shards: (0..SHARDS).map(|_| Mutex::new(Shard::default())).collect() }
    }
}

impl Watches {
    fn with<R>(&self, stripe: Stripe, work: impl FnOnce(&mut Shard) -> R) -> R {
        let shard = &self.shards[usize::from(stripe.0) % self.shards.len()];
        work(&mut shard.lock().expect("no panic under this lock"))
    }

    /// Enters a watcher of the key with this hash (rule 1).
    pub fn enter(
        &self,
        gate: &Gate,
        section: &Section<'_>,
        (db, key, hash): (usize, &[u8], u64),
        watcher: &Arc<Watcher>,
    ) {
        let stripe = stripe_of(hash);
        debug_assert!(section.covers(stripe));
        self.with(stripe, |shard| {
            let keys = shard.0.entry(stripe).or_default();
            keys.entry((db, key.into())).or_default().push(Arc::clone(watcher));
            gate.mark(stripe, Observers::WATCHERS);
        });
    }

    /// Forgets a watcher of the key with this hash (rule 3).
    pub fn leave(&self, gate: &Gate, (db, key, hash): (usize, &[u8], u64), watcher: &Arc<Watcher>) {
        let stripe = stripe_of(hash);
        self.with(stripe, |shard| {
            let Some(keys) = shard.0.get_mut(&stripe) else { return };
            let name = (db, Box::from(key));
            if let Some(watching) = keys.get_mut(&name) {
                watching.retain(|other| !Arc::ptr_eq(other, watcher));
                if watching.is_empty() {
                    keys.remove(&name);
                }
            }
            if keys.is_empty() {
                shard.0.remove(&stripe);
                gate.unmark(stripe, Observers::WATCHERS);
            }
        });
    }

    /// Makes the watchers of the key with this hash dirty.
    pub fn touch(&self, db: usize, key: &[u8], hash: u64) {
        let stripe = stripe_of(hash);
        self.with(stripe, |shard| {
            let watching = shard.0.get(&stripe).and_then(|keys| keys.get(&(db, Box::from(key))));
            watching.into_iter().flatten().for_each(|watcher| watcher.soil());
        });
    }

    /// Makes the watchers of all keys of a database dirty that `concerns` says so of. Everything is closed.
    pub fn touch_all(&self, db: usize, concerns: impl Fn(&[u8]) -> bool) {
        // Asking about a key may end it, which is told here: no lock may be held meanwhile.
        for (key, watching) in self.of_database(db) {
            if concerns(&key) {
                watching.iter().for_each(|watcher| watcher.soil());
            }
        }
    }

    fn of_database(&self, db: usize) -> Vec<(Box<[u8]>, Watching)> {
        let mut found = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock().expect("no panic under this lock");
            let keys = shard.0.values().flatten().filter(|((of, _), _)| *of == db);
            found.extend(keys.map(|((_, key), watching)| (key.clone(), watching.clone())));
        }
        found
    }
}
