//! The gate alone, over real atomics; `loom-tests/` explores its interleavings.

use super::*;
use std::task::Wake;

use crate::sync::AtomicI64;

#[test]
fn a_closed_stripe_turns_writers_and_readers_away() {
    let gate = Gate::new(2);
    let section = gate.close(0, vec![Stripe(3), Stripe(9)]).expect("open");
    assert!(matches!(gate.announce(1, Stripe(9)), Err(Closed::One(Stripe(9)))));
    assert!(gate.announce(1, Stripe(4)).is_ok());
    assert_eq!(gate.check(Stripe(3)), Err(Closed::One(Stripe(3))));
    drop(section);
    assert!(gate.announce(1, Stripe(9)).is_ok());
    assert_eq!(gate.check(Stripe(3)), Ok(()));
}

#[test]
fn closing_everything_excludes_writers_and_sections() {
    let gate = Gate::new(2);
    let section = gate.close_all(0).expect("open");
    assert!(matches!(gate.announce(1, Stripe(0)), Err(Closed::All)));
    assert!(matches!(gate.close(1, vec![Stripe(0)]), Err(Closed::All)));
    assert!(matches!(gate.close_all(1), Err(Closed::All)));
    drop(section);
    assert!(gate.close_all(1).is_ok());
}

#[test]
fn a_panic_in_a_section_reopens_its_stripes() {
    let gate = Gate::new(1);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _section = gate.close(0, vec![Stripe(1)]).expect("open");
        panic!("in the section");
    }));
    assert!(panicked.is_err());
    assert!(gate.announce(0, Stripe(1)).is_ok());
}

struct Counter(AtomicU64);
impl Wake for Counter {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn sleepers_are_woken_once_when_their_stripe_opens() {
    let gate = Gate::new(1);
    let counter = std::sync::Arc::new(Counter(AtomicU64::new(0)));
    let waker = Waker::from(std::sync::Arc::clone(&counter));
    let mut cx = Context::from_waker(&waker);
    let what = Closed::One(Stripe(5));
    assert!(gate.poll_open(what, &mut cx).is_ready());
    let section = gate.close(0, vec![Stripe(5)]).expect("open");
    assert!(gate.poll_open(what, &mut cx).is_pending());
    drop(section);
    assert_eq!(counter.0.load(Ordering::SeqCst), 1);
    assert!(gate.poll_open(what, &mut cx).is_ready());
}

#[test]
fn sections_and_announced_writers_never_overlap() {
    const ROUNDS: usize = 20_000;
    let gate = Gate::new(3);
    let inside = AtomicI64::new(0);
    let writer = |lane: usize| {
        for _ in 0..ROUNDS {
            if let Ok(_announced) = gate.announce(lane, Stripe(7)) {
                assert!(inside.fetch_add(1, Ordering::SeqCst) >= 0);
                inside.fetch_sub(1, Ordering::SeqCst);
            }
        }
    };
    std::thread::scope(|s| {
        s.spawn(|| writer(0));
        s.spawn(|| writer(1));
        s.spawn(|| {
            for i in 0..ROUNDS {
                let section = if i % 8 == 0 { gate.close_all(2) } else { gate.close(2, vec![Stripe(7)]) };
                if let Ok(_section) = section {
                    assert_eq!(inside.fetch_sub(100, Ordering::SeqCst), 0);
                    inside.fetch_add(100, Ordering::SeqCst);
                }
            }
        });
    });
}
