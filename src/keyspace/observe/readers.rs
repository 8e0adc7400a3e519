//! Who has read what: clients that keep copies of values, and are told when a copy is no longer true.
//!
//! A reader enters its name under the key before it reads it. The next change of the key takes the names out and hands
//! them to whoever was set to tell them ([`Changes`]); from then on the reader knows nothing of the key, and enters
//! itself again when it reads it again. Keys count by their names alone: a database's number is no part of them.
//!
//! # Rules
//! 1. A reader enters itself and marks the stripe under one lock, and then settles (rule 10 of the gate) before it
//!    reads; inside a section over the stripe neither is needed but the mark. So whoever changes what was read finds the
//!    mark, after the reader is entered.
//! 2. A writer takes the names out after it has changed the key. A reader that comes in between has read the new value
//!    and is told all the same: an invalidation may be one too many, and never one too few.
//! 3. A stripe is marked as long as a key of it has a name, and marked and unmarked under the lock.
//! 4. Everybody who wants to hear of keys that nobody has read (*broadcast*) has one mark for all stripes together, set
//!    while everything is closed.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::keyspace::gate::{Gate, Observers, Section, Stripe, stripe_of};
use crate::sync::{AtomicUsize, Mutex, Ordering};

/// Locks that the keys are spread over.
#[cfg(not(sockudo_loom))]
const SHARDS: usize = 64;
/// One lock in the models.
#[cfg(sockudo_loom)]
const SHARDS: usize = 1;

/// Why readers are told of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// A command has changed it.
    Command,
    /// Its time is over.
    Time,
    /// Nothing has happened to it, but there is no room to remember who has read it.
    Room,
}

/// What becomes of news. Called in the middle of a change: it must not wait for anything closed.
pub trait Changes: Send + Sync {
    /// What these clients have read of a key is no longer true, or nobody will tell them when it is not.
    fn changed(&self, key: &[u8], readers: &[u64], cause: Cause);
}

/// The readers of the keys of one stripe.
type Keys = HashMap<Box<[u8]>, Vec<u64>>;

/// Stripes without readers are not there.
#[derive(Default)]
struct Shard(HashMap<Stripe, Keys>);

/// All keys that somebody has read and wants to hear of.
pub struct Readers {
    shards: Box<[Mutex<Shard>]>,
    keys: AtomicUsize,
    names: AtomicUsize,
    /// Clients that want to hear of keys that nobody has read.
    broadcast: Mutex<usize>,
    to_tell: OnceLock<Box<dyn Changes>>,
    /// Where the next key is looked for that is to go because there are too many.
    next_victim: AtomicUsize,
}

impl Default for Readers {
    fn default() -> Readers {
        Readers {
            shards: (0..SHARDS).map(|_| Mutex::new(Shard::default())).collect(),
            keys: AtomicUsize::new(0),
            names: AtomicUsize::new(0),
            broadcast: Mutex::new(0),
            to_tell: OnceLock::new(),
            next_victim: AtomicUsize::new(0),
        }
    }
}

impl Readers {
    /// Says who is told of changes; the first call counts.
    pub fn tell(&self, changes: Box<dyn Changes>) {
        // A second one has nobody to tell: there is one server to a keyspace.
        let _ = self.to_tell.set(changes);
    }

    /// Keys that have readers.
    pub fn keys(&self) -> usize {
        self.keys.load(Ordering::Relaxed)
    }

    /// Readers of all keys together.
    pub fn names(&self) -> usize {
        self.names.load(Ordering::Relaxed)
    }

    fn with<R>(&self, stripe: Stripe, work: impl FnOnce(&mut Shard) -> R) -> R {
        let shard = &self.shards[usize::from(stripe.0) % self.shards.len()];
        work(&mut shard.lock().expect("no panic under this lock"))
    }

    /// Enters a reader of a key, which it must settle for before it reads (rule 1).
    pub fn enter(&self, gate: &Gate, key: &[u8], hash: u64, reader: u64) {
        let stripe = stripe_of(hash);
        self.with(stripe, |shard| {
            let keys = shard.0.entry(stripe).or_default();
            if keys.is_empty() {
                gate.mark(stripe, Observers::READERS);
            }
            let readers = match keys.get_mut(key) {
                Some(readers) => readers,
                None => {
                    self.keys.fetch_add(1, Ordering::Relaxed);
                    keys.entry(key.into()).or_default()
                }
            };
            if !readers.contains(&reader) {
                readers.push(reader);
                self.names.fetch_add(1, Ordering::Relaxed);
            }
        });
    }

    /// Enters a reader inside a section over the key's stripe, which may change the key itself later on.
    pub fn enter_in(&self, gate: &Gate, section: &Section<'_>, key: &[u8], hash: u64, reader: u64) {
        debug_assert!(section.covers(stripe_of(hash)));
        self.enter(gate, key, hash, reader);
        section.trace().set_observers(section.observers().and(Observers::READERS));
    }

    /// Tells the readers of a key that it was changed (rule 2).
    pub fn changed(&self, gate: &Gate, key: &[u8], hash: u64, cause: Cause) {
        let readers = self.take(gate, key, stripe_of(hash));
        if let Some(changes) = self.to_tell.get() {
            changes.changed(key, &readers, cause);
        }
    }

    /// The readers of a key, which has none any more.
    fn take(&self, gate: &Gate, key: &[u8], stripe: Stripe) -> Vec<u64> {
        self.with(stripe, |shard| {
            let Some(keys) = shard.0.get_mut(&stripe) else { return Vec::new() };
            let readers = keys.remove(key).unwrap_or_default();
            if !readers.is_empty() {
                self.forget(1, readers.len());
            }
            if keys.is_empty() {
                shard.0.remove(&stripe);
                gate.unmark(stripe, Observers::READERS);
            }
            readers
        })
    }

    fn forget(&self, keys: usize, names: usize) {
        self.keys.fetch_sub(keys, Ordering::Relaxed);
        self.names.fetch_sub(names, Ordering::Relaxed);
    }

    /// Forgets everything without telling anybody: every key is gone. Everything is closed.
    pub fn clear(&self, gate: &Gate) {
        if self.keys() == 0 {
            return;
        }
        for shard in &self.shards {
            let mut shard = shard.lock().expect("no panic under this lock");
            for (stripe, keys) in shard.0.drain() {
                self.forget(keys.len(), keys.values().map(Vec::len).sum());
                gate.unmark(stripe, Observers::READERS);
            }
        }
    }

    /// Takes keys out while there are more than `most`, at most `steps` of them, and tells their readers as if they
    /// had been changed.
    pub fn shrink(&self, gate: &Gate, most: usize, steps: usize) {
        for _ in 0..steps {
            if self.keys() <= most {
                return;
            }
            let at = self.next_victim.fetch_add(1, Ordering::Relaxed) % self.shards.len();
            if let Some((stripe, key)) = self.any_key(at) {
                let readers = self.take(gate, &key, stripe);
                if let (Some(changes), false) = (self.to_tell.get(), readers.is_empty()) {
                    changes.changed(&key, &readers, Cause::Room);
                }
            }
        }
    }

    fn any_key(&self, shard: usize) -> Option<(Stripe, Box<[u8]>)> {
        let shard = self.shards[shard].lock().expect("no panic under this lock");
        let (stripe, keys) = shard.0.iter().next()?;
        keys.keys().next().map(|key| (*stripe, key.clone()))
    }

    /// One more client wants to hear of all keys (rule 4). Everything is closed.
    pub fn begin_broadcast(&self, gate: &Gate) {
        let mut count = self.broadcast.lock().expect("no panic under this lock");
        *count += 1;
        if *count == 1 {
            gate.mark(None, Observers::READERS);
        }
    }

    /// One client less wants to hear of all keys.
    pub fn end_broadcast(&self, gate: &Gate) {
        let mut count = self.broadcast.lock().expect("no panic under this lock");
        *count -= 1;
        if *count == 0 {
            gate.unmark(None, Observers::READERS);
        }
    }
}

#[cfg(all(test, not(sockudo_loom)))]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A key with its readers.
    type News = (Vec<u8>, Vec<u64>);

    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<News>>>);

    impl Changes for Heard {
        fn changed(&self, key: &[u8], readers: &[u64], _: Cause) {
            self.0.lock().expect("unpoisoned").push((key.to_vec(), readers.to_vec()));
        }
    }

    fn hearing() -> (Gate, Readers, Heard) {
        let (readers, heard) = (Readers::default(), Heard::default());
        readers.tell(Box::new(heard.clone()));
        (Gate::new(1), readers, heard)
    }

    fn observers(gate: &Gate, hash: u64) -> Observers {
        gate.announce(0, stripe_of(hash)).expect("open").observers()
    }

    #[test]
    fn a_reader_is_told_once_and_the_mark_lasts_as_long_as_somebody_reads() {
        let (gate, readers, heard) = hearing();
        readers.enter(&gate, b"a", 7, 1);
        readers.enter(&gate, b"a", 7, 1);
        readers.enter(&gate, b"a", 7, 2);
        readers.enter(&gate, b"b", 7, 2);
        assert_eq!((readers.keys(), readers.names()), (2, 3));
        readers.changed(&gate, b"a", 7, Cause::Command);
        assert_eq!(heard.0.lock().expect("unpoisoned")[0], (b"a".to_vec(), vec![1, 2]));
        assert!(observers(&gate, 7).contains(Observers::READERS));
        readers.changed(&gate, b"b", 7, Cause::Command);
        assert!(observers(&gate, 7).is_empty());
        assert_eq!((readers.keys(), readers.names()), (0, 0));
    }

    #[test]
    fn too_many_keys_shrink_and_their_readers_hear_of_it() {
        let (gate, readers, heard) = hearing();
        for key in 0..100u64 {
            readers.enter(&gate, &key.to_le_bytes(), key << 40, 1);
        }
        readers.shrink(&gate, 30, 100_000);
        assert_eq!((readers.keys(), heard.0.lock().expect("unpoisoned").len()), (30, 70));
        readers.clear(&gate);
        assert_eq!((readers.keys(), readers.names(), gate.observers()), (0, 0, Observers::NONE));
    }

    #[test]
    fn a_broadcast_is_heard_of_at_every_stripe() {
        let (gate, readers, _) = hearing();
        readers.begin_broadcast(&gate);
        assert!(observers(&gate, 1 << 41).contains(Observers::READERS));
        let section = gate.close(0, vec![Stripe(9)]).expect("open");
        assert!(section.observers().contains(Observers::READERS));
        drop(section);
        readers.end_broadcast(&gate);
        assert_eq!((observers(&gate, 1 << 41), gate.observers()), (Observers::NONE, Observers::NONE));
    }
}
