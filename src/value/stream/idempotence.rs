//! Entries that a producer may send twice: which of its messages became which entry.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Bound;

use super::id::Id;

/// Seconds for which a message is remembered, and messages of one producer, unless XCFGSET says otherwise.
const DEFAULT: (u64, usize) = (100, 100);

/// What a stream remembers of its producers.
#[derive(Clone, Debug)]
pub struct Idempotence {
    seconds: u64,
    most: usize,
    producers: BTreeMap<Box<[u8]>, Producer>,
    /// The producer that was looked at last in the search for silent ones.
    swept: Box<[u8]>,
    added: u64,
    duplicates: u64,
}

/// What is remembered of one producer.
#[derive(Clone, Debug, Default)]
struct Producer {
    entries: HashMap<Box<[u8]>, Id>,
    /// The messages and when they came (Unix milliseconds), oldest first.
    order: VecDeque<(u64, Box<[u8]>)>,
}

impl Default for Idempotence {
    fn default() -> Self {
        let (seconds, most) = DEFAULT;
        Idempotence {
            seconds,
            most,
            producers: BTreeMap::new(),
            swept: Box::default(),
            added: 0,
            duplicates: 0,
        }
    }
}

impl Idempotence {
    /// Changes how long, in seconds, and how many messages of a producer are remembered. A change forgets all.
    pub fn configure(&mut self, seconds: Option<u64>, most: Option<usize>) {
        let new = (seconds.unwrap_or(self.seconds), most.unwrap_or(self.most));
        if new != (self.seconds, self.most) {
            (self.seconds, self.most) = new;
            self.producers.clear();
        }
    }

    /// The entry that this message of this producer became, if that is remembered; counts the duplicate.
    pub fn find(&mut self, producer: &[u8], message: &[u8], now: u64) -> Option<Id> {
        let expired = now.saturating_sub(self.seconds * 1000);
        let known = self.producers.get_mut(producer)?;
        known.forget_before(expired);
        let found = known.entries.get(message).copied();
        if known.order.is_empty() {
            self.producers.remove(producer);
        }
        self.duplicates += u64::from(found.is_some());
        found
    }

    /// The message became this entry.
    pub fn remember(&mut self, producer: &[u8], message: &[u8], id: Id, now: u64) {
        self.forget_silent(now);
        let known = match self.producers.get_mut(producer) {
            Some(known) => known,
            None => self.producers.entry(producer.into()).or_default(),
        };
        known.entries.insert(message.into(), id);
        known.order.push_back((now, message.into()));
        while known.order.len() > self.most {
            known.forget_oldest();
        }
        self.added += 1;
    }

    /// Forgets producers of which nothing is young enough. Each call looks at a few in turn, so that no message pays
    /// for thousands of them.
    fn forget_silent(&mut self, now: u64) {
        const AT_ONCE: usize = 4;
        let expired = now.saturating_sub(self.seconds * 1000);
        for _ in 0..AT_ONCE {
            let behind = (Bound::Excluded(&self.swept[..]), Bound::Unbounded);
            let Some((name, producer)) = self.producers.range::<[u8], _>(behind).next() else {
                self.swept = Box::default();
                return;
            };
            self.swept = name.clone();
            if producer.is_silent_since(expired) {
                self.producers.remove(&self.swept);
            }
        }
    }

    /// Seconds for which a message is remembered.
    pub fn seconds(&self) -> u64 {
        self.seconds
    }

    /// Messages that are remembered of one producer.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Producers of which something is remembered.
    pub fn producers(&self) -> usize {
        self.producers.len()
    }

    /// Messages that are remembered.
    pub fn messages(&self) -> usize {
        self.producers.values().map(|producer| producer.order.len()).sum()
    }

    /// Messages that became entries.
    pub fn added(&self) -> u64 {
        self.added
    }

    /// Messages that were there already.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }
}

impl Producer {
    fn forget_before(&mut self, time: u64) {
        while self.order.front().is_some_and(|&(at, _)| at < time) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, message)) = self.order.pop_front() {
            self.entries.remove(&message);
        }
    }

    fn is_silent_since(&self, time: u64) -> bool {
        self.order.back().is_none_or(|&(at, _)| at < time)
    }
}

#[cfg(all(test, not(sockudo_loom)))]
mod tests {
    use super::*;

    #[test]
    fn messages_are_forgotten_by_time_and_by_number() {
        let mut known = Idempotence::default();
        known.configure(Some(10), Some(2));
        for n in 1..=3 {
            assert_eq!(known.find(b"p", &[n], 1000), None);
            known.remember(b"p", &[n], Id::new(n.into(), 0), 1000);
        }
        assert_eq!(known.find(b"p", &[1], 1000), None, "only two are remembered");
        assert_eq!(known.find(b"p", &[3], 11_000), Some(Id::new(3, 0)));
        assert_eq!(known.find(b"other", &[3], 11_000), None);
        assert_eq!(known.find(b"p", &[3], 11_001), None, "ten seconds are over");
        assert_eq!((known.producers(), known.messages(), known.added(), known.duplicates()), (0, 0, 3, 1));
    }

    #[test]
    fn a_changed_configuration_forgets_all_and_the_same_one_nothing() {
        let mut known = Idempotence::default();
        known.remember(b"p", b"m", Id::new(1, 1), 0);
        known.configure(Some(100), None);
        assert_eq!(known.messages(), 1);
        known.configure(None, Some(7));
        assert_eq!((known.messages(), known.seconds(), known.most()), (0, 100, 7));
    }

    #[test]
    fn producers_that_fell_silent_go() {
        let mut known = Idempotence::default();
        for n in 0..20u8 {
            known.remember(&[n], b"m", Id::new(1, 1), 0);
        }
        for n in 0..10 {
            known.remember(b"zz", &[n], Id::new(1, 2), 200_000);
        }
        assert_eq!(known.producers(), 1);
    }
}
