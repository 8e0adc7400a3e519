//! HyperLogLog registers: they only rise, one raiser wins each step, and a cached count never outlives a raise.
//!
//! Both sides of a race are threads of their own: loom explores few schedules of a main thread that only loads.

use loom::sync::Arc;
use loom::thread;
use loom_tests::value::hyperloglog::shared::{Raise, Seal, Shared};

/// One word of eight registers is enough to show each race, and keeps the models small.
type Sketch = Shared<1>;

/// The cardinality is the estimator's business: the sum of all registers stands for it here.
fn count(sketch: &Sketch) -> u64 {
    if let Some(cached) = sketch.cached() {
        return cached;
    }
    let snapshot = sketch.snapshot();
    let sum = snapshot.words[0].to_le_bytes().iter().map(|&rank| u64::from(rank)).sum();
    sketch.publish(&snapshot, sum);
    sum
}

fn sketch() -> Arc<Sketch> {
    Arc::new(Shared::new([0].into_iter(), Some(0)))
}

#[test]
fn registers_rise_to_the_largest_rank_and_each_step_has_one_winner() {
    loom::model(|| {
        let shared = sketch();
        let other = Arc::clone(&shared);
        let low = thread::spawn(move || other.raise(0, 2));
        let high = shared.raise(0, 3);
        let low = low.join().unwrap();
        assert_eq!(high, Raise::Raised);
        assert!(matches!(low, Raise::Raised | Raise::Unchanged));
        assert_eq!(shared.get(0), 3);
        assert_eq!(count(&shared), 3);
    });
}

#[test]
fn equal_raises_change_a_register_once() {
    loom::model(|| {
        let shared = sketch();
        let other = Arc::clone(&shared);
        let there = thread::spawn(move || other.raise(0, 2));
        let here = shared.raise(0, 2);
        let there = there.join().unwrap();
        assert!((here == Raise::Raised) != (there == Raise::Raised));
    });
}

/// A raiser and a counter, from a sketch whose cardinality is `cached` or not.
fn race_a_count(cached: Option<u64>) {
    loom::model(move || {
        let shared = Arc::new(Sketch::new([0].into_iter(), cached));
        let (raiser, counter) = (Arc::clone(&shared), Arc::clone(&shared));
        let raiser = thread::spawn(move || {
            let _ = raiser.raise(0, 1);
            assert_eq!(count(&raiser), 1);
        });
        let counter = thread::spawn(move || assert!(count(&counter) <= 1));
        raiser.join().unwrap();
        counter.join().unwrap();
        assert_eq!(count(&shared), 1);
        assert_eq!(shared.cached(), Some(1));
    });
}

#[test]
fn a_cached_count_does_not_outlive_a_raise() {
    race_a_count(Some(0));
}

#[test]
fn a_count_from_before_a_raise_is_not_the_cache_after_it() {
    race_a_count(None);
}

#[test]
fn whoever_finds_a_register_raised_counts_it() {
    loom::model(|| {
        let shared = sketch();
        let raiser = Arc::clone(&shared);
        let raiser = thread::spawn(move || {
            let _ = raiser.raise(0, 1);
        });
        let finder = thread::spawn(move || {
            if shared.get(0) == 1 {
                assert_eq!(shared.raise(0, 1), Raise::Unchanged);
                assert_eq!(count(&shared), 1);
            }
        });
        raiser.join().unwrap();
        finder.join().unwrap();
    });
}

#[test]
fn two_raises_in_a_row_are_never_seen_the_other_way_round() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let shared = Arc::new(Shared::<2>::new([0, 0].into_iter(), None));
        let raiser = Arc::clone(&shared);
        let raiser = thread::spawn(move || {
            // A pass reads this word first, and so may miss it and still find the other one raised.
            let _ = raiser.raise(0, 1);
            let _ = raiser.raise(8, 1);
        });
        let counter = thread::spawn(move || {
            let seen = shared.snapshot().words;
            assert!(seen[1] <= seen[0], "the second raise without the first");
        });
        raiser.join().unwrap();
        counter.join().unwrap();
    });
}

/// A batch of two registers against `observe`.
fn race_a_batch(observe: fn(&Sketch)) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || {
        let shared = sketch();
        let (batch, observer) = (Arc::clone(&shared), Arc::clone(&shared));
        let batch = thread::spawn(move || batch.raise_all([(0, 1), (1, 1)]));
        let observer = thread::spawn(move || observe(&observer));
        assert_eq!(batch.join().unwrap(), Raise::Raised);
        observer.join().unwrap();
        assert_eq!(count(&shared), 2);
    });
}

#[test]
fn a_batch_is_counted_whole() {
    race_a_batch(|sketch| assert!(matches!(count(sketch), 0 | 2)));
}

#[test]
fn whoever_finds_half_a_batch_does_not_come_before_the_rest() {
    race_a_batch(|sketch| {
        if sketch.get(0) == 1 {
            assert_eq!(sketch.raise(1, 1), Raise::Unchanged);
        }
    });
}

#[test]
fn a_raise_is_in_what_the_sealer_reads_or_refused() {
    loom::model(|| {
        let shared = sketch();
        let (single, batch) = (Arc::clone(&shared), Arc::clone(&shared));
        let raiser = thread::spawn(move || (single.raise(0, 1), batch.raise_all([(1, 2), (2, 3)])));
        assert_eq!(shared.seal(), Seal::First);
        let sealed = shared.snapshot().words[0].to_le_bytes();
        let (single, batch) = raiser.join().unwrap();
        assert_eq!(sealed[0] == 1, single == Raise::Raised);
        assert_eq!(sealed[1] == 2 && sealed[2] == 3, batch == Raise::Raised);
        assert_eq!(shared.snapshot().words[0].to_le_bytes(), sealed, "sealed registers are final");
        assert!(single == Raise::Raised || single == Raise::Sealed);
    });
}
