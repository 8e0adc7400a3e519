//! Eviction: ending keys when memory is short, those first that the policy says are worth least.
//!
//! There is no order of keys, neither by time nor by use: it would cost each key two pointers, and each read a shared
//! write. As in Redis, keys are sampled, and the best candidates of all samples so far are kept in a pool. A sample is a
//! bucket or more: its keys are together because of their hashes, which are random, and one look finds about eight.
//!
//! Every thread that writes evicts for itself before it writes, with a pool of its own: so eviction is as fast as the
//! writers are. Ending a key is a write like any other: it announces the key's stripe, and leaves what a section holds
//! alone.

mod policy;
mod pool;
pub mod usage;

use std::time::{Duration, Instant};

pub use policy::{Order, Policy, tracking_of};
use pool::{Candidate, Pool};
use usage::chance;

use super::entry::Entry;
use super::gate::stripe_of;
use super::observe::Trace;
use super::table::{Table, prefetch};
use super::{Access, Keyspace, Space};
use crate::memory;
use crate::sync::epoch::Guard;

/// Buckets that a sample may look at, where few of the keys may go.
const BUCKETS_PER_SAMPLE: u64 = 512;
/// Samples without a victim before a hunt gives up: all candidates are behind closed stripes, or very rare.
const FUTILE_SAMPLES: u32 = 64;
/// Keys that are evicted between looks at the time.
const TRIES_PER_LOOK: u32 = 16;

/// What eviction is to do.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Whom it concerns.
    pub policy: Policy,
    /// Keys to look at for each that is evicted, at least.
    pub samples: usize,
    /// How long to go on at most.
    pub slice: Duration,
}

/// Where eviction happens.
#[derive(Clone, Copy)]
pub struct Ground<'g> {
    /// The keys.
    pub keyspace: &'g Keyspace,
    /// The lane of this thread, which is idle.
    pub lane: usize,
    /// Held meanwhile.
    pub guard: &'g Guard,
    /// Unix time in milliseconds.
    pub now: u64,
}

/// How a hunt ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Hunted {
    /// As much as was wanted is unlinked.
    Enough,
    /// The time was up.
    TimeUp,
    /// No key that may go is left, or none that can be reached now.
    Nothing,
}

/// One thread's view of who should go next.
#[derive(Debug, Default)]
pub struct Hunter {
    pool: Pool,
    /// The policy that the pool's scores are of.
    policy: Option<Policy>,
    /// The databases that have keys which may go.
    databases: Vec<usize>,
    /// Counts the keys that a random policy has taken, so that the databases take turns.
    turn: usize,
    /// The present sample, as far as the pool wants it.
    found: Vec<Candidate>,
}

impl Hunter {
    /// Evicts keys until `wanted` bytes more are unlinked, or the rule's time is up.
    pub fn hunt(&mut self, ground: &Ground<'_>, rule: &Rule, wanted: i64) -> Hunted {
        let began = Instant::now();
        let enough = memory::kept_by_this_thread() - wanted;
        if self.policy != Some(rule.policy) {
            self.pool.clear();
            self.policy = Some(rule.policy);
        }
        if !self.find_prey(ground, rule) {
            return Hunted::Nothing;
        }
        let (mut tries, mut futile) = (0u32, 0);
        while memory::kept_by_this_thread() > enough {
            tries += 1;
            if self.evict_one(ground, rule) {
                futile = 0;
            } else {
                futile += 1;
                if futile == FUTILE_SAMPLES || !self.find_prey(ground, rule) {
                    return Hunted::Nothing;
                }
            }
            if (tries.is_multiple_of(TRIES_PER_LOOK) || futile != 0) && began.elapsed() >= rule.slice {
                return Hunted::TimeUp;
            }
        }
        Hunted::Enough
    }

    /// Looks which databases have keys that may go; whether any has.
    fn find_prey(&mut self, ground: &Ground<'_>, rule: &Rule) -> bool {
        self.databases.clear();
        self.databases.extend((0..ground.keyspace.databases()).filter(|&number| {
            let db = ground.keyspace.db(number);
            if rule.policy.volatile { db.volatile() != 0 } else { !db.table(ground.guard).is_empty() }
        }));
        !self.databases.is_empty()
    }

    /// Evicts one key; whether one was found.
    fn evict_one(&mut self, ground: &Ground<'_>, rule: &Rule) -> bool {
        match rule.policy.order {
            Order::Random => self.evict_any(ground, rule),
            _ => self.evict_best(ground, rule),
        }
    }

    /// Takes a sample of every database, and then the best candidate.
    fn evict_best(&mut self, ground: &Ground<'_>, rule: &Rule) -> bool {
        for at in 0..self.databases.len() {
            self.sample(ground, rule, self.databases[at]);
        }
        while let Some(candidate) = self.pool.take() {
            let table = ground.keyspace.db(candidate.db).table(ground.guard);
            if let Some(entry) = table.resident(candidate.hash, candidate.address, ground.guard)
                // Somebody may have used it since: it is no worse than any other now.
                && end(ground, rule, &candidate, entry)
            {
                return true;
            }
        }
        false
    }

    /// Enters the keys of a bucket of a database into the pool; of several, where there are few that may go.
    fn sample(&mut self, ground: &Ground<'_>, rule: &Rule, db: usize) {
        let table = ground.keyspace.db(db).table(ground.guard);
        let (policy, usage, hasher) = (rule.policy, &ground.keyspace.usage, &ground.keyspace.hasher);
        let mut seen = 0;
        for index in some_buckets(table) {
            table.visit_bucket(index, ground.guard, |entry| prefetch(std::ptr::from_ref(entry).cast()));
            table.visit_bucket(index, ground.guard, |entry| {
                let Some(score) = policy.score(entry, usage, ground.now) else { return };
                seen += 1;
                if self.pool.wants(score) {
                    let (hash, address) = (hasher.hash(entry.key()), std::ptr::from_ref(entry).addr());
                    self.found.push(Candidate { score, db, hash, address });
                }
            });
            if seen >= rule.samples {
                break;
            }
        }
        for candidate in self.found.drain(..) {
            if self.pool.wants(candidate.score) {
                self.pool.add(candidate);
            }
        }
    }

    /// Evicts a random key of the next database.
    fn evict_any(&mut self, ground: &Ground<'_>, rule: &Rule) -> bool {
        self.turn += 1;
        let db = self.databases[self.turn % self.databases.len()];
        let table = ground.keyspace.db(db).table(ground.guard);
        let Some(entry) = random_key(table, ground, rule) else { return false };
        let (hash, address) = (ground.keyspace.hasher.hash(entry.key()), 0);
        end(ground, rule, &Candidate { score: 0, db, hash, address }, entry)
    }
}

/// A key of a random bucket, or of one of the next.
fn random_key<'g>(table: &Table, ground: &Ground<'g>, rule: &Rule) -> Option<&'g Entry> {
    for index in some_buckets(table) {
        let (mut chosen, mut seen) = (None, 0u64);
        table.visit_bucket(index, ground.guard, |entry| {
            if rule.policy.score(entry, &ground.keyspace.usage, ground.now).is_some() {
                seen += 1;
                // The last of n takes the place of the one before with a chance of 1 in n: all are as likely.
                if chance().is_multiple_of(seen) {
                    chosen = Some(entry);
                }
            }
        });
        if chosen.is_some() {
            return chosen;
        }
    }
    None
}

/// The numbers of some buckets in a row, the first at random.
fn some_buckets(table: &Table) -> impl Iterator<Item = u64> {
    let buckets = table.buckets();
    let first = ((u128::from(chance()) * u128::from(buckets)) >> 64) as u64;
    (0..buckets.min(BUCKETS_PER_SAMPLE)).map(move |step| (first + step) % buckets)
}

/// Ends the candidate, whose slot is `entry`, if it deserves it as much as it did, and if the gate lets us.
fn end(ground: &Ground<'_>, rule: &Rule, candidate: &Candidate, entry: &Entry) -> bool {
    let (keyspace, db) = (ground.keyspace, candidate.db);
    let Ok(announced) = keyspace.gate.announce(ground.lane, stripe_of(candidate.hash)) else { return false };
    let trace = Trace::new(announced.observers());
    let space = Space::new(keyspace, db, ground.guard, ground.lane, ground.now, Access::Writing);
    let deserves = || {
        let score = rule.policy.score(entry, &keyspace.usage, ground.now);
        score.is_some_and(|score| score >= candidate.score)
    };
    let ended = space.traced(Some(&trace)).end_if(candidate.hash, entry, deserves);
    if ended {
        keyspace.lane_stats(ground.lane).evicted();
        if let Some(tell) = keyspace.on_evicted.get() {
            tell(db, entry.key());
        }
    }
    ended
}

#[cfg(all(test, not(sockudo_loom)))]
mod tests;
