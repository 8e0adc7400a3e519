//! Consumer groups: who was given which entry, and has not yet acknowledged it.
//!
//! An entry that is pending stands once in its group's map, with the number of the consumer that has it, and once in
//! that consumer's set. Numbers are places in a table of consumers, so there is nothing to dangle: a consumer's entries
//! go before it does. An entry that was released (XNACK) is nobody's, and stands in the map only.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeBounds;

use super::id::Id;

/// The number of no consumer.
const NOBODY: u32 = u32::MAX;

/// Deliveries are counted up to what a reply can show.
const MOST_DELIVERIES: u64 = i64::MAX as u64;

/// A consumer group.
#[derive(Clone, Debug)]
pub struct Group {
    /// The last entry that was delivered to anybody.
    pub last_id: Id,
    /// How many entries the group has read since the stream's beginning, if that is known. Redis counts in an `i64`.
    pub entries_read: Option<i64>,
    pending: BTreeMap<Id, Pending>,
    consumers: Vec<Option<Consumer>>,
    /// Numbers of the consumers, in the order of their names.
    by_name: Vec<u32>,
    /// What is pending in the order in which it is claimed; none until somebody claims by age.
    by_age: Option<BTreeSet<Age>>,
    /// How many entries are nobody's.
    released: usize,
    /// Entries that were ever released.
    releases: u64,
}

/// One pending entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    consumer: u32,
    /// When it was delivered last, in Unix milliseconds; of an entry that is nobody's the number of its release.
    at: u64,
    /// How often it was delivered.
    pub deliveries: u64,
}

/// Where a pending entry stands in the order of claiming: what is nobody's first, then what has waited longest.
type Age = (bool, u64, Id);

/// A consumer of a group.
#[derive(Clone, Debug)]
pub struct Consumer {
    name: Box<[u8]>,
    /// When it last tried anything, in Unix milliseconds.
    pub seen: u64,
    /// When it last got or claimed an entry, in Unix milliseconds.
    pub active: Option<u64>,
    pending: BTreeSet<Id>,
}

/// The number of a consumer in its group, valid until the consumer is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumerNo(u32);

impl Pending {
    /// Milliseconds since the last delivery; none if it is nobody's, and so has waited long enough for anybody.
    pub fn idle(&self, now: u64) -> Option<u64> {
        self.is_owned().then(|| now.saturating_sub(self.at))
    }

    /// When it was delivered last, in Unix milliseconds; zero if it is nobody's.
    pub fn delivered_at(&self) -> u64 {
        if self.is_owned() { self.at } else { 0 }
    }

    /// Whether a consumer has it.
    pub fn is_owned(&self) -> bool {
        self.consumer != NOBODY
    }

    /// Whether nobody has had it in hand for `min` milliseconds.
    pub fn has_waited(&self, min: u64, now: u64) -> bool {
        self.idle(now).is_none_or(|idle| idle >= min)
    }

    /// Whose it is.
    pub fn consumer(&self) -> Option<ConsumerNo> {
        self.is_owned().then_some(ConsumerNo(self.consumer))
    }

    fn age(&self, id: Id) -> Age {
        (self.is_owned(), self.at, id)
    }
}

impl Consumer {
    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// How many entries it has not acknowledged.
    pub fn pending_count(&self) -> usize {
        self.pending.len()
    }

    /// Those entries.
    pub fn pending(&self, range: impl RangeBounds<Id>) -> impl Iterator<Item = Id> + '_ {
        self.pending.range(range).copied()
    }
}

impl Group {
    /// A group that has read up to `last_id`.
    pub fn new(last_id: Id, entries_read: Option<i64>) -> Group {
        Group {
            last_id,
            entries_read,
            pending: BTreeMap::new(),
            consumers: Vec::new(),
            by_name: Vec::new(),
            by_age: None,
            released: 0,
            releases: 0,
        }
    }

    // -- consumers ----------------------------------------------------------------------------------------------

    /// How many consumers there are.
    pub fn consumer_count(&self) -> usize {
        self.by_name.len()
    }

    /// The consumers in the order of their names.
    pub fn consumers(&self) -> impl Iterator<Item = &Consumer> + '_ {
        self.by_name.iter().filter_map(|&no| self.consumers[no as usize].as_ref())
    }

    fn place(&self, name: &[u8]) -> Result<usize, usize> {
        self.by_name.binary_search_by(|&no| self.consumer(ConsumerNo(no)).name.as_ref().cmp(name))
    }

    /// The consumer of this name.
    #[inline]
    pub fn find_consumer(&self, name: &[u8]) -> Option<ConsumerNo> {
        self.place(name).ok().map(|at| ConsumerNo(self.by_name[at]))
    }

    /// The consumer of this name, and whether it was created for that.
    pub fn consumer_or_new(&mut self, name: &[u8], now: u64) -> (ConsumerNo, bool) {
        let at = match self.place(name) {
            Ok(at) => return (ConsumerNo(self.by_name[at]), false),
            Err(at) => at,
        };
        let consumer = Consumer { name: name.into(), seen: now, active: None, pending: BTreeSet::new() };
        let no = self.free_place();
        self.consumers[no] = Some(consumer);
        let no = u32::try_from(no).expect("fewer consumers than memory for them");
        self.by_name.insert(at, no);
        (ConsumerNo(no), true)
    }

    /// A place in the table that holds no consumer.
    fn free_place(&mut self) -> usize {
        if self.consumers.len() == self.by_name.len() {
            self.consumers.push(None);
            return self.consumers.len() - 1;
        }
        self.consumers.iter().position(Option::is_none).expect("more places than consumers")
    }

    /// The consumer of this number.
    pub fn consumer(&self, no: ConsumerNo) -> &Consumer {
        self.consumers[no.0 as usize].as_ref().expect("numbers of deleted consumers are nowhere")
    }

    /// The same to change it.
    pub fn consumer_mut(&mut self, no: ConsumerNo) -> &mut Consumer {
        self.consumers[no.0 as usize].as_mut().expect("numbers of deleted consumers are nowhere")
    }

    /// Deletes the consumer with all that it has pending, and returns how much that was; none if there is no such one.
    pub fn delete_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let at = self.place(name).ok()?;
        let no = self.by_name.remove(at);
        let consumer = self.consumers[no as usize].take()?;
        for id in &consumer.pending {
            if let Some(pending) = self.pending.remove(id) {
                self.forget_age(*id, pending);
            }
        }
        Some(consumer.pending.len())
    }

    // -- pending entries ----------------------------------------------------------------------------------------

    /// How many entries are pending.
    pub fn pending_count(&self) -> usize {
        self.pending.len()
    }

    /// How many of them are nobody's.
    pub fn released_count(&self) -> usize {
        self.released
    }

    /// What is pending, by id.
    pub fn pending(
        &self,
        range: impl RangeBounds<Id>,
    ) -> impl DoubleEndedIterator<Item = (Id, &Pending)> + '_ {
        self.pending.range(range).map(|(id, pending)| (*id, pending))
    }

    /// What is known of a pending entry.
    pub fn pending_of(&self, id: Id) -> Option<&Pending> {
        self.pending.get(&id)
    }

    /// The name of whoever has the entry; empty if nobody does.
    pub fn owner_name(&self, pending: &Pending) -> &[u8] {
        pending.consumer().map_or(b"", |no| self.consumer(no).name())
    }

    /// An entry that was just read becomes, or becomes again, pending for a consumer.
    pub fn deliver(&mut self, id: Id, to: ConsumerNo, now: u64) {
        self.put(id, Pending { consumer: to.0, at: now, deliveries: 1 });
        self.consumer_mut(to).active = Some(now);
    }

    /// A consumer takes over an entry, which need not be pending. `deliveries` none counts one more.
    pub fn claim(&mut self, id: Id, to: ConsumerNo, at: u64, deliveries: Count) {
        let before = self.pending.get(&id).map_or(0, |pending| pending.deliveries);
        let deliveries = match deliveries {
            Count::Same => before,
            Count::OneMore => (before + 1).min(MOST_DELIVERIES),
            Count::Set(count) => count.min(MOST_DELIVERIES),
        };
        self.put(id, Pending { consumer: to.0, at, deliveries });
    }

    /// An entry goes back to being nobody's, and may be claimed at once; false if it is not pending and not `force`d to
    /// be. The way that its deliveries are counted follows from those so far, which are zero for a forced one.
    pub fn release(&mut self, id: Id, force: bool, count: impl FnOnce(u64) -> u64) -> bool {
        let before = match self.pending.get(&id) {
            Some(pending) => pending.deliveries,
            None if force => 0,
            None => return false,
        };
        self.releases += 1;
        let deliveries = count(before).min(MOST_DELIVERIES);
        self.put(id, Pending { consumer: NOBODY, at: self.releases, deliveries });
        true
    }

    /// Puts an entry into the map, and into the set of whoever has it now.
    fn put(&mut self, id: Id, pending: Pending) {
        let before = self.pending.insert(id, pending);
        let owner_before = before.map_or(NOBODY, |before| before.consumer);
        if let Some(before) = before {
            self.forget_age(id, before);
        }
        if owner_before != pending.consumer {
            self.take_from(owner_before, id);
            if pending.is_owned() {
                self.consumer_mut(ConsumerNo(pending.consumer)).pending.insert(id);
            }
        }
        self.released += usize::from(!pending.is_owned());
        if let Some(by_age) = &mut self.by_age {
            by_age.insert(pending.age(id));
        }
    }

    fn take_from(&mut self, consumer: u32, id: Id) {
        if consumer != NOBODY {
            self.consumer_mut(ConsumerNo(consumer)).pending.remove(&id);
        }
    }

    fn forget_age(&mut self, id: Id, pending: Pending) {
        self.released -= usize::from(!pending.is_owned());
        if let Some(by_age) = &mut self.by_age {
            by_age.remove(&pending.age(id));
        }
    }

    /// The entry is done with; false if it was not pending.
    pub fn acknowledge(&mut self, id: Id) -> bool {
        let Some(pending) = self.pending.remove(&id) else { return false };
        self.take_from(pending.consumer, id);
        self.forget_age(id, pending);
        true
    }

    /// Whether the group is through with an entry: it has read it, and acknowledged it.
    pub fn is_done_with(&self, id: Id) -> bool {
        id <= self.last_id && !self.pending.contains_key(&id)
    }

    /// Up to `most` entries that have waited `min` milliseconds: those that are nobody's in the order in which they
    /// were released, then those that waited longest.
    pub fn oldest(&mut self, min: u64, now: u64, most: usize) -> Vec<Id> {
        let ages = || self.pending.iter().map(|(id, pending)| pending.age(*id)).collect();
        let by_age = match self.by_age.take() {
            Some(by_age) => by_age,
            None => ages(),
        };
        let waited = |&&(owned, at, _): &&Age| !owned || now.saturating_sub(at) >= min;
        let ids = by_age.iter().take_while(waited).take(most).map(|&(_, _, id)| id).collect();
        self.by_age = Some(by_age);
        ids
    }

    /// When the entry that has waited longest was delivered, in Unix milliseconds, or zero if one is nobody's: from
    /// then on counts the time after which somebody may claim it.
    pub fn oldest_delivery(&self) -> Option<u64> {
        if self.released > 0 {
            return Some(0);
        }
        match &self.by_age {
            Some(by_age) => by_age.first().map(|&(_, at, _)| at),
            None => self.pending.values().map(|pending| pending.at).min(),
        }
    }

    /// About how many allocations freeing it takes.
    pub(super) fn weight(&self) -> usize {
        1 + self.pending.len() / 3 + 2 * self.by_name.len()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        /// Bytes of a pending entry in two trees whose nodes are two thirds full.
        const EACH: usize = (2 * size_of::<Id>() + size_of::<Pending>()) * 3 / 2;
        self.pending.len() * EACH + self.consumers.capacity() * size_of::<Option<Consumer>>()
    }
}

/// How the deliveries of a claimed entry are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// As before.
    Same,
    /// One more than before.
    OneMore,
    /// This many.
    Set(u64),
}
