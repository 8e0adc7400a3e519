//! Keyspace events: what a command tells about a key that it changed.

use std::sync::Arc;

use bitflags::bitflags;

use super::Ctx;
use super::pubsub::{Hub, Scope};
use crate::config::Config;
use crate::keyspace::OnEnded;

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

/// Publishes an event of a key in database `db`, by key and by name as the configuration says.
#[cold]
fn publish(hub: &Hub, classes: u32, db: usize, event: &str, key: &[u8]) {
    let classes = Events::from_bits_truncate(classes);
    if classes.contains(Events::KEYSPACE) {
        let channel = [format!("__keyspace@{db}__:").as_bytes(), key].concat();
        hub.publish(Scope::Channel, &channel, event.as_bytes());
    }
    if classes.contains(Events::KEYEVENT) {
        let channel = format!("__keyevent@{db}__:{event}");
        hub.publish(Scope::Channel, channel.as_bytes(), key);
    }
}

/// What the keyspace tells of keys that end by themselves, as events of this class and name.
pub fn of_ended(config: Arc<Config>, hub: Arc<Hub>, class: Events, event: &'static str) -> OnEnded {
    Box::new(move |db, key| {
        let classes = config.live().notify_keyspace_events();
        if classes & class.bits() != 0 {
            publish(&hub, classes, db, event, key);
        }
    })
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
        let classes = self.server.config.live().notify_keyspace_events();
        if classes & class.bits() != 0 {
            publish(&self.server.hub, classes, db, event, key);
        }
    }
}
