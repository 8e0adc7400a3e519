//! All trackers, and what becomes of changes of keys.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use super::broadcast::{self, Broadcast};
use super::note::{Note, What};
use super::own;
use super::tracker::{Modes, Tracker};
use crate::command::client::Clients;
use crate::command::pubsub::Hub;
use crate::keyspace::Keyspace;
use crate::keyspace::observe::{Cause, Changes};
use crate::protocol::reply::Reply;
use crate::sync::{AtomicUsize, Ordering};

/// All clients that track.
pub struct Tracking {
    hub: Arc<Hub>,
    clients: Arc<Clients>,
    trackers: RwLock<HashMap<u64, Arc<Tracker>>>,
    /// How many they are.
    count: AtomicUsize,
    pub(super) broadcast: Broadcast,
}

/// What the keyspace tells of changes.
struct Told(Arc<Tracking>);

impl Changes for Told {
    fn changed(&self, key: &[u8], readers: &[u64], cause: Cause) {
        let by = own::id();
        for id in readers {
            if let Some(tracker) = self.0.of(*id) {
                let modes = tracker.modes();
                let is_own = modes.contains(Modes::NOLOOP) && by == Some(*id) && cause != Cause::Room;
                if !modes.contains(Modes::BCAST) && !is_own {
                    self.0.tell(&tracker, What::keys(std::iter::once(key)));
                }
            }
        }
        if cause != Cause::Room && self.0.prefixes() != 0 {
            broadcast::note(key, by.filter(|_| cause == Cause::Command));
        }
    }
}

impl Tracking {
    /// Nobody tracks yet. Who tracks will be told of changes of the keyspace.
    pub fn new(hub: Arc<Hub>, clients: Arc<Clients>, keyspace: &Keyspace) -> Arc<Tracking> {
        let desk = Arc::new(Tracking {
            hub,
            clients,
            trackers: RwLock::default(),
            count: AtomicUsize::new(0),
            broadcast: Broadcast::default(),
        });
        keyspace.readers.tell(Box::new(Told(Arc::clone(&desk))));
        desk
    }

    fn trackers(&self) -> RwLockReadGuard<'_, HashMap<u64, Arc<Tracker>>> {
        // A change is one call of the map: a panic leaves nothing half done.
        self.trackers.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tracker of the client of this number, if it tracks.
    #[inline]
    pub fn of(&self, id: u64) -> Option<Arc<Tracker>> {
        if self.is_empty() { None } else { self.trackers().get(&id).cloned() }
    }

    /// How many clients track.
    #[inline]
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether no client tracks.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many prefixes somebody hears of.
    #[inline]
    pub fn prefixes(&self) -> usize {
        self.broadcast.count()
    }

    pub(super) fn enter(&self, tracker: &Arc<Tracker>) {
        let mut trackers = self.trackers.write().unwrap_or_else(PoisonError::into_inner);
        trackers.insert(tracker.id, Arc::clone(tracker));
        self.count.store(trackers.len(), Ordering::Relaxed);
    }

    /// Forgets a client, which tracks no longer. What it has read is forgotten when it changes.
    pub(in crate::command) fn leave(&self, keyspace: &Keyspace, tracker: &Tracker) {
        tracker.set_modes(Modes::empty());
        self.broadcast.leave(&keyspace.readers, &keyspace.gate, tracker);
        let mut trackers = self.trackers.write().unwrap_or_else(PoisonError::into_inner);
        trackers.remove(&tracker.id);
        self.count.store(trackers.len(), Ordering::Relaxed);
    }

    /// Tells a client: behind the reply of its command if this thread runs one.
    fn tell(&self, tracker: &Tracker, what: What) {
        if let Err(what) = own::keep(tracker.id, what) {
            self.send(tracker, what, None);
        }
    }

    /// Sends news to a client or to the one that gets them in its stead. If that is gone, the client is told so, by
    /// its own reply if that is at hand.
    pub(super) fn send(&self, tracker: &Tracker, what: What, reply: Option<&mut Reply<'_>>) {
        let redirect = tracker.redirect();
        if redirect == 0 {
            let (worker, seat) = tracker.home;
            return self.hub.notify(worker, seat, tracker.id, Note { what, redirected: false });
        }
        if let Some((worker, seat)) = self.clients.get(redirect).and_then(|client| client.home()) {
            return self.hub.notify(worker, seat, redirect, Note { what, redirected: true });
        }
        tracker.add_modes(Modes::BROKEN);
        let note = Note { what: What::RedirectionBroken(redirect), redirected: false };
        match reply {
            Some(reply) => note.write(reply, false),
            None => self.hub.notify(tracker.home.0, tracker.home.1, tracker.id, note),
        }
    }

    /// A database was emptied: what anybody has read of any is no longer true. Everything is closed.
    pub(in crate::command) fn flushed(&self, keyspace: &Keyspace) {
        if !self.is_empty() {
            let all: Vec<Arc<Tracker>> = self.trackers().values().cloned().collect();
            all.iter().for_each(|tracker| self.tell(tracker, What::Everything));
        }
        keyspace.readers.clear(&keyspace.gate);
    }

    /// Tells of what this thread has changed to those who hear of prefixes.
    #[inline]
    pub fn flush_broadcast(&self) {
        if self.prefixes() != 0 {
            self.broadcast.flush(self);
        }
    }

    /// Forgets some of what was read while it is more than `most` keys; zero is no limit.
    #[inline]
    pub fn make_room(&self, keyspace: &Keyspace, most: usize) {
        if most != 0 && keyspace.readers.keys() > most {
            keyspace.readers.shrink(&keyspace.gate, most, ROOM_STEPS);
        }
    }
}

/// Keys that are forgotten at once.
const ROOM_STEPS: usize = 1000;
