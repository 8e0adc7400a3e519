//! How long commands take, as histograms: one per worker and command, merged when somebody asks.
//!
//! A histogram counts ticks of [`super::ticks`] in buckets that are exact below 128 and from there on a 64th of their
//! power of two wide, so that a percentile is at most 1.6% too high. It takes memory once its command has run.

use std::sync::OnceLock;

use crate::sync::{AtomicU64, Ordering};

/// Buckets of each power of two, as an exponent of two.
const FINE: u32 = 6;
/// Longer calls count as this long: 2^42 ticks are above twenty minutes.
const LONGEST: u64 = (1 << 42) - 1;
const BUCKETS: usize = bucket_of(LONGEST) + 1;

const fn bucket_of(ticks: u64) -> usize {
    let power = 63 - (ticks | 1).leading_zeros();
    let shift = power.saturating_sub(FINE);
    ((shift as usize) << FINE) + (ticks >> shift) as usize
}

/// The largest number of ticks that counts in a bucket.
fn last_of(bucket: usize) -> u64 {
    let shift = (bucket >> FINE).saturating_sub(1);
    let mantissa = (bucket - (shift << FINE)) as u64;
    ((mantissa + 1) << shift) - 1
}

/// One worker's histogram of one command. Only the worker adds to it.
#[derive(Default)]
pub(super) struct Histogram {
    buckets: OnceLock<Box<[AtomicU64]>>,
    /// How many of the command's calls have been looked at.
    calls: AtomicU64,
}

impl Histogram {
    /// Counts the calls since the last look, of which there have been `calls` in all, as having taken `ticks` together:
    /// calls in a row are timed as one, so each counts as their mean. Without `tracking` they are passed over.
    #[inline]
    pub(super) fn record(&self, calls: u64, ticks: u64, tracking: bool) {
        let fresh = calls.wrapping_sub(self.calls.load(Ordering::Relaxed));
        self.calls.store(calls, Ordering::Relaxed);
        if fresh != 0 && tracking {
            let buckets = self.buckets.get_or_init(|| (0..BUCKETS).map(|_| AtomicU64::new(0)).collect());
            let bucket = &buckets[bucket_of((ticks / fresh).min(LONGEST))];
            bucket.store(bucket.load(Ordering::Relaxed) + fresh, Ordering::Relaxed);
        }
    }

    /// Adds what was counted to `sum`.
    pub(super) fn add_to(&self, sum: &mut Distribution) {
        if let Some(buckets) = self.buckets.get() {
            sum.0.resize(BUCKETS, 0);
            sum.0.iter_mut().zip(buckets).for_each(|(sum, own)| *sum += own.load(Ordering::Relaxed));
        }
    }
}

/// What histograms counted, merged. Without buckets when nothing was.
#[derive(Clone, Debug, Default)]
pub struct Distribution(Vec<u64>);

impl Distribution {
    /// Takes off what had been counted before.
    pub(super) fn since(&mut self, before: &Distribution) {
        self.0.iter_mut().zip(&before.0).for_each(|(now, then)| *now -= then);
    }

    /// Whether no call was counted.
    pub fn is_empty(&self) -> bool {
        self.calls() == 0
    }

    /// How many calls were counted.
    pub fn calls(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The most ticks that count in a bucket, and the calls that it has, of those with calls.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        let all = self.0.iter().enumerate().map(|(bucket, calls)| (last_of(bucket), *calls));
        all.filter(|(_, calls)| *calls != 0)
    }

    /// Ticks that `percent` of all calls took at most; none if there were no calls.
    pub fn percentile(&self, percent: f64) -> Option<u64> {
        let calls = self.calls();
        let wanted = ((calls as f64 * percent / 100.0).ceil() as u64).max(1);
        let mut seen = 0;
        let reaches = |count: &u64| {
            seen += count;
            seen >= wanted
        };
        self.0.iter().position(reaches).filter(|_| calls != 0).map(last_of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_one_another_without_gaps() {
        for bucket in 1..BUCKETS {
            assert_eq!(bucket_of(last_of(bucket - 1) + 1), bucket);
            assert_eq!(bucket_of(last_of(bucket)), bucket);
        }
        assert_eq!(last_of(BUCKETS - 1), LONGEST);
    }

    #[test]
    fn percentiles_are_little_too_high() {
        let histogram = Histogram::default();
        for call in 1..=1000 {
            histogram.record(call, call * 1000, true);
        }
        histogram.record(2000, 5, false);
        let mut seen = Distribution::default();
        histogram.add_to(&mut seen);
        for percent in [0.1, 50.0, 99.0, 100.0] {
            let (exact, found) = ((percent * 10_000.0) as u64, seen.percentile(percent).expect("calls"));
            assert!(found >= exact && found - exact <= exact / 60, "{percent}: {found}");
        }
        seen.since(&seen.clone());
        assert_eq!((seen.percentile(50.0), Distribution::default().percentile(0.0)), (None, None));
    }

    #[test]
    fn calls_in_a_row_count_as_their_mean() {
        let histogram = Histogram::default();
        histogram.record(10, 1000, true);
        let mut seen = Distribution::default();
        histogram.add_to(&mut seen);
        assert_eq!((seen.0.iter().sum::<u64>(), seen.percentile(100.0)), (10, Some(100)));
    }
}
