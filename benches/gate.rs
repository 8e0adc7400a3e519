//! The gate: what a command of one key pays for commands of several being possible, and what these pay.
//!
//! With two threads, the other one announces and withdraws all the time on stripes of its own choice, which is the
//! most that a neighbour's single-key commands can disturb.

use criterion::{Bencher, Criterion, criterion_group, criterion_main};
use sockudo_kv::keyspace::gate::{Gate, STRIPES, Stripe};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};

/// Stripes one after the other in an order without locality: a full-period sequence, as the multiplier is 1 mod 4.
struct Stripes(usize);

impl Iterator for Stripes {
    type Item = Stripe;

    fn next(&mut self) -> Option<Stripe> {
        self.0 = (self.0 * 5 + 1) % STRIPES;
        Some(Stripe(self.0 as u16))
    }
}

/// Runs `body` while another thread, with lane 1, announces without a rest.
fn beside_a_writer(gate: &Gate, body: impl FnOnce()) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut stripes = Stripes(STRIPES / 2);
            while !over.load(Ordering::Relaxed) {
                // A closed stripe answers at once, as it does to a worker, which then looks again.
                black_box(gate.announce(1, stripes.next().expect("endless")).is_ok());
            }
        });
        body();
        over.store(true, Ordering::Relaxed);
    });
}

/// The same bench alone and beside a writer.
fn alone_and_beside(c: &mut Criterion, name: &str, bench: impl Fn(&mut Bencher<'_>, &Gate)) {
    let gate = Gate::new(2);
    c.bench_function(&format!("{name}/one thread"), |b| bench(b, &gate));
    c.bench_function(&format!("{name}/two threads"), |b| beside_a_writer(&gate, || bench(b, &gate)));
}

fn single(c: &mut Criterion) {
    alone_and_beside(c, "announce and withdraw", |b, gate| {
        let mut stripes = Stripes(0);
        b.iter(|| gate.announce(0, stripes.next().expect("endless")).is_ok());
    });
    alone_and_beside(c, "check", |b, gate| {
        let mut stripes = Stripes(0);
        b.iter(|| gate.check(stripes.next().expect("endless")));
    });
}

/// Sections, from the list of stripes (which the executor collects anew for each as well) to their opening.
fn sections(c: &mut Criterion) {
    for count in [1, 2, 10] {
        let mut stripes: Vec<Stripe> = Stripes(7).take(count).collect();
        stripes.sort_unstable();
        alone_and_beside(c, &format!("close {count}"), |b, gate| {
            b.iter(|| gate.close(0, black_box(&stripes).clone()).is_ok());
        });
    }
    alone_and_beside(c, "close all", |b, gate| b.iter(|| gate.close_all(0).is_ok()));
}

criterion_group!(benches, single, sections);
criterion_main!(benches);
