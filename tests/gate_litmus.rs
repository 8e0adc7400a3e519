//! Row L7 on the real machine: the store-buffering pattern of the gate's announcements and sections, over and over.
//!
//! loom proves the fences sufficient in the memory model; this looks whether compiler and processor keep them. With a plain
//! store instead of the announcement's exchange it fails on x86-64 in the first tenths of a second. It runs
//! for some seconds, or for `GATE_LITMUS_ITERATIONS` announcements:
//! `GATE_LITMUS_ITERATIONS=1000000000 cargo test --release --test gate_litmus -- --ignored`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use sockudo_kv::keyspace::gate::{Gate, Stripe};

const SOME_SECONDS: u64 = 100_000_000;
const STRIPE: Stripe = Stripe(7);

/// A number that loses additions as soon as two threads add at once. The gate alone orders them.
#[derive(Default)]
struct Fragile(AtomicU64);

impl Fragile {
    fn add(&self) {
        self.0.store(self.0.load(Relaxed) + 1, Relaxed);
    }
}

/// Announces so many times, and counts how often it was let in.
fn write(gate: &Gate, shared: &Fragile, iterations: u64) -> u64 {
    (0..iterations)
        .filter(|_| {
            gate.announce(0, STRIPE).is_ok_and(|_announced| {
                shared.add();
                true
            })
        })
        .count() as u64
}

/// Closes the stripe, or everything in every other round, until `done`, and counts how often.
fn close(gate: &Gate, shared: &Fragile, done: &AtomicBool) -> u64 {
    let mut sections = 0;
    while !done.load(Relaxed) {
        let section = if sections % 2 == 0 { gate.close(1, vec![STRIPE]) } else { gate.close_all(1) };
        let Ok(_section) = section else { unreachable!("nobody else closes") };
        shared.add();
        sections += 1;
    }
    sections
}

#[test]
#[ignore = "takes seconds of two cores; for the nightly run"]
fn row_l7_writers_and_sections_never_overlap_on_this_machine() {
    let iterations =
        std::env::var("GATE_LITMUS_ITERATIONS").map_or(SOME_SECONDS, |n| n.parse().expect("a number"));
    let (gate, shared, done) = (Gate::new(2), Fragile::default(), AtomicBool::new(false));
    let (writes, sections) = std::thread::scope(|threads| {
        let closer = threads.spawn(|| close(&gate, &shared, &done));
        let writes = write(&gate, &shared, iterations);
        done.store(true, Relaxed);
        (writes, closer.join().expect("the closer ends"))
    });
    assert!(writes > 0 && sections > 0, "both sides ran: {writes} {sections}");
    assert_eq!(shared.0.into_inner(), writes + sections, "an announced writer and a section overlapped");
}

/// Row 55: who is descheduled while announced keeps sections over its stripe waiting, and nobody else.
#[test]
fn row_55_sections_wait_for_a_writer_that_sleeps() {
    const SLEEP: Duration = Duration::from_millis(150);
    let gate = Gate::new(4);
    let announced = gate.announce(0, STRIPE).expect("open");
    let began = Instant::now();
    std::thread::scope(|s| {
        let one = s.spawn(|| {
            loop {
                match gate.close(1, vec![STRIPE, Stripe(9)]) {
                    Ok(_section) => return began.elapsed(),
                    Err(_closed) => std::thread::yield_now(),
                }
            }
        });
        let other = s.spawn(|| {
            assert!(gate.announce(2, Stripe(8)).is_ok(), "another stripe is open");
            assert!(gate.close(2, vec![Stripe(3), Stripe(4)]).is_ok());
            loop {
                match gate.close_all(2) {
                    Ok(_section) => return began.elapsed(),
                    Err(_closed) => std::thread::yield_now(),
                }
            }
        });
        std::thread::sleep(SLEEP);
        drop(announced);
        assert!(one.join().expect("no panic") >= SLEEP);
        assert!(other.join().expect("no panic") >= SLEEP);
    });
    assert!(gate.announce(3, STRIPE).is_ok());
}
