//! HyperLogLog: adding to and counting a sketch of either encoding.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use sockudo_kv::value::hyperloglog::{Dense, Raise, Registers, hash, sparse};
use std::hint::black_box;

fn filled(elements: u32) -> Dense {
    let dense = Dense::new();
    for number in 0..elements {
        let (index, rank) = hash(&number.to_le_bytes());
        let _ = dense.raise(index, rank);
    }
    dense
}

fn raise(c: &mut Criterion) {
    let dense = filled(1_000_000);
    let mut number = 0u32;
    c.bench_function("raise/dense, few change", |b| {
        b.iter(|| {
            number = number.wrapping_add(1);
            dense.raise_all([&black_box(number.to_le_bytes())[..]])
        });
    });
    c.bench_function("raise/dense, each changes", |b| {
        b.iter_batched_ref(
            Dense::new,
            |dense| (0..1000).filter(|&index| dense.raise(index, 1) == Raise::Raised).count(),
            BatchSize::LargeInput,
        );
    });
    c.bench_function("raise/dense, batch of 1000", |b| {
        let elements: Vec<[u8; 4]> = (0..1000u32).map(u32::to_le_bytes).collect();
        b.iter_batched_ref(
            Dense::new,
            |dense| dense.raise_all(elements.iter().map(|element| &element[..])),
            BatchSize::LargeInput,
        );
    });
    c.bench_function("raise/sparse of 100", |b| {
        let elements: Vec<[u8; 4]> = (0..100u32).map(u32::to_le_bytes).collect();
        let added = sparse::add(&sparse::new_empty(), elements.iter().map(|element| &element[..]), 3000);
        let Ok(sparse::SparseOutcome::Changed(value)) = added else { panic!("stays sparse") };
        b.iter(|| sparse::add(black_box(&value), [&b"one more"[..]], 3000));
    });
}

fn count(c: &mut Criterion) {
    let dense = filled(1_000_000);
    c.bench_function("count/dense, cached", |b| b.iter(|| black_box(&dense).count()));
    c.bench_function("count/dense, computed", |b| b.iter(|| black_box(&dense).registers().count()));
    c.bench_function("count/union of two", |b| {
        let other = filled(1000);
        b.iter(|| {
            let mut union = Registers::new();
            union.max_with(black_box(&dense));
            union.max_with(black_box(&other));
            union.count()
        });
    });
    c.bench_function("bytes/dense to string", |b| b.iter(|| black_box(&dense).to_redis_bytes()));
    let bytes = dense.to_redis_bytes();
    c.bench_function("bytes/string to dense", |b| b.iter(|| Dense::from_redis_bytes(black_box(&bytes))));
}

criterion_group!(benches, raise, count);
criterion_main!(benches);
