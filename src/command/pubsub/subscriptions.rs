//! What one client listens to.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::hub::{Hub, Scope};

/// A client's channels and patterns.
#[derive(Default)]
pub struct Subscriptions {
    channels: BTreeSet<Bytes>,
    patterns: BTreeSet<Bytes>,
    shards: BTreeSet<Bytes>,
    /// Bytes that all of them take.
    memory: usize,
}

/// Bytes that listening to a name takes besides the name: here, and in the hub's list of the name's audience.
const LISTENING_BYTES: usize = 128;

impl Subscriptions {
    fn of(&self, scope: Scope) -> &BTreeSet<Bytes> {
        match scope {
            Scope::Channel => &self.channels,
            Scope::Pattern => &self.patterns,
            Scope::Shard => &self.shards,
            Scope::Monitor => unreachable!("MONITOR is no subscription"),
        }
    }

    fn of_mut(&mut self, scope: Scope) -> &mut BTreeSet<Bytes> {
        match scope {
            Scope::Channel => &mut self.channels,
            Scope::Pattern => &mut self.patterns,
            Scope::Shard => &mut self.shards,
            Scope::Monitor => unreachable!("MONITOR is no subscription"),
        }
    }

    /// Bytes that listening to them takes.
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// How many names of this kind there are.
    pub fn len_of(&self, scope: Scope) -> usize {
        self.of(scope).len()
    }

    /// The number that replies about `scope` tell: channels and patterns count together.
    pub fn shown(&self, scope: Scope) -> usize {
        match scope {
            Scope::Shard => self.shards.len(),
            _ => self.channels.len() + self.patterns.len(),
        }
    }

    /// Whether it listens to nothing.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty() && self.shards.is_empty()
    }

    /// Adds a name; false if it was there.
    pub fn add(&mut self, scope: Scope, name: &Bytes) -> bool {
        let added = self.of_mut(scope).insert(name.clone());
        if added {
            self.memory += LISTENING_BYTES + name.len();
        }
        added
    }

    /// Removes a name; false if it was not there.
    pub fn remove(&mut self, scope: Scope, name: &[u8]) -> bool {
        let removed = self.of_mut(scope).remove(name);
        if removed {
            self.memory -= LISTENING_BYTES + name.len();
        }
        removed
    }

    /// The names of one kind, in order.
    pub fn names(&self, scope: Scope) -> Vec<Bytes> {
        self.of(scope).iter().cloned().collect()
    }

    /// Tells the hub that the client, served by `worker`, listens to nothing any more.
    pub fn leave_all(self, hub: &Hub, worker: usize, client: u64) {
        for scope in [Scope::Channel, Scope::Pattern, Scope::Shard] {
            self.of(scope).iter().for_each(|name| hub.leave(scope, name, worker, client));
        }
    }
}
