//! Which keys may be evicted, and which of them first.

use super::usage::{self, Tracking, Usage, minutes_since, ticks_since};
use crate::keyspace::entry::Entry;
use crate::value::word::NO_EXPIRY;

/// What makes a key the first to go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// The longest time since it was used, or written: whatever the clocks tell.
    Idle,
    /// The fewest uses.
    Rare,
    /// The nearest deadline.
    Due,
    /// Nothing.
    Random,
}

/// An eviction policy that evicts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Policy {
    /// Only keys with a deadline may go.
    pub volatile: bool,
    /// Which go first.
    pub order: Order,
    /// What clocks tell under the policy.
    pub tracking: Tracking,
}

impl Policy {
    /// The policy that the number of `maxmemory-policy` names, or none if nothing is evicted.
    pub fn numbered(number: u64) -> Option<Policy> {
        let (volatile, order, tracking) = match number {
            0 => (true, Order::Idle, Tracking::Recency),
            1 => (true, Order::Rare, Tracking::Frequency),
            2 => (true, Order::Random, Tracking::Recency),
            3 => (true, Order::Due, Tracking::Recency),
            4 => (false, Order::Idle, Tracking::Recency),
            5 => (false, Order::Rare, Tracking::Frequency),
            6 => (false, Order::Random, Tracking::Recency),
            8 => (true, Order::Idle, Tracking::Modification),
            9 => (false, Order::Idle, Tracking::Modification),
            _ => return None,
        };
        Some(Policy { volatile, order, tracking })
    }

    /// How much the key deserves to go; more is sooner. None if it must not go, or is gone.
    ///
    /// The score of a key that nobody uses never falls.
    pub(super) fn score(self, entry: &Entry, usage: &Usage, now: u64) -> Option<u64> {
        let word = entry.load();
        if word.is_dead() {
            return None;
        }
        let deadline = match self.volatile {
            // SAFETY: loaded under the guard that the entry was reached under.
            true => unsafe { word.expire_at() },
            false => NO_EXPIRY,
        };
        if self.volatile && deadline == NO_EXPIRY {
            return None;
        }
        Some(match self.order {
            Order::Idle => u64::from(ticks_since(entry.clock(), now)),
            Order::Rare => rarity(usage, entry.clock(), now),
            Order::Due => u64::MAX - deadline,
            Order::Random => 0,
        })
    }
}

/// Of two keys that are used as often, the one whose last use is longer ago is the rarer.
fn rarity(usage: &Usage, clock: u32, now: u64) -> u64 {
    let seldom = u32::from(u16::MAX) - usage.decayed(clock, now);
    u64::from(seldom) << 16 | u64::from(minutes_since(clock, now))
}

/// What clocks tell under the policy of this number.
pub fn tracking_of(number: u64) -> usage::Tracking {
    Policy::numbered(number).map_or(Tracking::Recency, |policy| policy.tracking)
}
