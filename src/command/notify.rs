//! Keyspace events: what a command tells about a key that it changed.

use std::sync::OnceLock;

use bitflags::bitflags;

use super::Ctx;

bitflags! {
    /// Classes of events, by the letters of `notify-keyspace-events`. The bits are those of the configuration's value.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Events: u32 {
        /// `g`: commands on keys of any type.
        const GENERIC = 1 << 0;
        /// `$`: strings.
        const STRING = 1 << 1;
        /// `l`: lists.
        const LIST = 1 << 2;
        /// `s`: sets.
        const SET = 1 << 3;
        /// `h`: hashes.
        const HASH = 1 << 4;
        /// `z`: sorted sets.
        const ZSET = 1 << 5;
        /// `x`: keys that ended because of their deadline.
        const EXPIRED = 1 << 6;
        /// `e`: keys that were evicted.
        const EVICTED = 1 << 7;
        /// `t`: streams.
        const STREAM = 1 << 8;
        /// `d`: types of modules, such as JSON.
        const MODULE = 1 << 9;
        /// `K`: events are published by key.
        const KEYSPACE = 1 << 10;
        /// `E`: events are published by their name.
        const KEYEVENT = 1 << 11;
        /// `m`: reads of keys that are not there.
        const KEY_MISS = 1 << 12;
        /// `n`: keys that are new.
        const NEW = 1 << 13;
    }
}

/// What publishes an event: the database's number, class, event and key.
pub type Sink = Box<dyn Fn(usize, Events, &str, &[u8]) + Send + Sync>;

/// Where events go once somebody can subscribe to them.
#[derive(Default)]
pub struct Notifications {
    sink: OnceLock<Sink>,
}

impl Notifications {
    /// Sets what publishes events; the first call counts.
    pub fn publish_with(&self, sink: Sink) {
        // A server sets it once, at its start.
        let _ = self.sink.set(sink);
    }

    #[cold]
    fn publish(&self, db: usize, class: Events, event: &str, key: &[u8]) {
        if let Some(sink) = self.sink.get() {
            sink(db, class, event, key);
        }
    }
}

impl Ctx<'_> {
    /// Tells subscribers that `event` happened to `key` of the client's database, if the configuration has its class.
    #[inline]
    pub fn notify(&self, class: Events, event: &str, key: &[u8]) {
        self.notify_in(self.space.db, class, event, key);
    }

    /// [`Ctx::notify`] for a key of database `db`.
    #[inline]
    pub fn notify_in(&self, db: usize, class: Events, event: &str, key: &[u8]) {
        if self.server.config.live().notify_keyspace_events() & class.bits() != 0 {
            self.server.notifications.publish(db, class, event, key);
        }
    }
}
