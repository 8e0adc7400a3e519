//! Delays that were longer than `latency-monitor-threshold`, by their kind.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::command::state::unix_ms;
use crate::config::Live;

/// Samples of an event that are kept.
const SAMPLES: usize = 160;

/// What took long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// A command.
    Command,
    /// A command that should always be quick.
    FastCommand,
    /// A slice of the search for keys that are due.
    ExpireCycle,
    /// A round of evictions.
    EvictionCycle,
}

impl Event {
    const ALL: [Event; 4] = [Event::Command, Event::FastCommand, Event::ExpireCycle, Event::EvictionCycle];

    /// Its name in LATENCY.
    pub fn name(self) -> &'static str {
        match self {
            Event::Command => "command",
            Event::FastCommand => "fast-command",
            Event::ExpireCycle => "expire-cycle",
            Event::EvictionCycle => "eviction-cycle",
        }
    }

    /// The event of this name.
    pub(super) fn named(name: &[u8]) -> Option<Event> {
        Event::ALL.into_iter().find(|event| event.name().as_bytes() == name)
    }
}

/// A delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Unix time in seconds.
    pub time: u64,
    /// Milliseconds: the worst of that second.
    pub millis: u64,
}

/// The delays of one event, the latest at the back. Never empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Series {
    pub(super) samples: VecDeque<Sample>,
    /// The worst there ever was, in milliseconds.
    pub(super) worst: u64,
}

impl Series {
    fn add(&mut self, time: u64, millis: u64) {
        self.worst = self.worst.max(millis);
        if let Some(last) = self.samples.back_mut().filter(|last| last.time == time) {
            last.millis = last.millis.max(millis);
            return;
        }
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(Sample { time, millis });
    }
}

/// All delays.
#[derive(Default)]
pub struct Spikes(Mutex<BTreeMap<Event, Series>>);

impl Spikes {
    fn all(&self) -> MutexGuard<'_, BTreeMap<Event, Series>> {
        // Every step under the lock leaves series that can be shown.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that something took `millis` milliseconds, if that is long by the configuration.
    pub fn note(&self, event: Event, millis: u64, live: &Live) {
        if live.latency_monitor_threshold().is_some_and(|threshold| millis >= threshold) {
            self.all().entry(event).or_default().add(unix_ms() / 1000, millis);
        }
    }

    /// The delays so far.
    pub(super) fn series(&self) -> BTreeMap<Event, Series> {
        self.all().clone()
    }

    /// The delays of one event.
    pub(super) fn of(&self, event: Event) -> Option<Series> {
        self.all().get(&event).cloned()
    }

    /// Forgets events; how many of them there were.
    pub(super) fn forget(&self, which: impl Fn(Event) -> bool) -> usize {
        let mut all = self.all();
        let before = all.len();
        all.retain(|event, _| !which(*event));
        before - all.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_one_sample_its_worst_and_old_ones_go() {
        let mut series = Series::default();
        for (time, millis) in [(1, 5), (1, 9), (1, 7), (2, 3)] {
            series.add(time, millis);
        }
        assert_eq!(series.samples, [Sample { time: 1, millis: 9 }, Sample { time: 2, millis: 3 }]);
        (10..10 + SAMPLES as u64).for_each(|time| series.add(time, 1));
        assert_eq!((series.samples.len(), series.worst), (SAMPLES, 9));
        assert_eq!(series.samples.front().map(|sample| sample.time), Some(10));
    }

    #[test]
    fn events_are_found_by_their_names() {
        for event in Event::ALL {
            assert_eq!(Event::named(event.name().as_bytes()), Some(event));
        }
        assert_eq!(Event::named(b"nosuch"), None);
    }
}
