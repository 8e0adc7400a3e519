//! Requests to commands, and replies to bytes. Throughput is in commands.

use bytes::BufMut;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use sockudo_kv::protocol::decoder::{Decoder, Limits, Parsed};
use sockudo_kv::protocol::reply::{Output, Reply};
use sockudo_kv::protocol::scan::Level;
use std::hint::black_box;

/// Commands of a pipeline.
const DEPTH: usize = 100;

fn request(args: &[&str]) -> Vec<u8> {
    let head = format!("*{}\r\n", args.len());
    let body = args.iter().map(|arg| format!("${}\r\n{arg}\r\n", arg.len()));
    (head + &body.collect::<String>()).into_bytes()
}

/// `DEPTH` commands.
fn pipeline(one: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    (0..DEPTH).flat_map(one).collect()
}

fn key(index: usize) -> String {
    format!("key:{:012}", index * 7919)
}

/// A key of 6 to 17 bytes, so that hardly two commands in a row have one shape.
fn odd_key(index: usize) -> String {
    let digits = 2 + index * 7 % 12;
    format!("key:{index:0digits$}")
}

fn mset(index: usize) -> Vec<u8> {
    let keys: Vec<String> = (0..10).map(|part| key(10 * index + part)).collect();
    let mut args = vec!["MSET"];
    keys.iter().for_each(|key| args.extend([key.as_str(), "xxx"]));
    request(&args)
}

fn pipelines() -> [(&'static str, Vec<u8>); 6] {
    [
        ("get", pipeline(|index| request(&["GET", &key(index)]))),
        ("get of any length", pipeline(|index| request(&["GET", &odd_key(index)]))),
        ("set", pipeline(|index| request(&["SET", &key(index), "xxx"]))),
        ("mset of 10", pipeline(mset)),
        (
            "set and get in turns",
            pipeline(|index| match index % 2 {
                0 => request(&["SET", &key(index), "xxx"]),
                _ => request(&["GET", &key(index)]),
            }),
        ),
        ("inline", pipeline(|index| format!("GET {}\r\n", key(index)).into_bytes())),
    ]
}

/// One read, one parse, one look at every command's arguments.
fn parse(decoder: &mut Decoder, mut input: &[u8]) {
    while !input.is_empty() {
        let mut room = decoder.read_target();
        let count = room.remaining_mut().min(input.len());
        room.put_slice(&input[..count]);
        input = &input[count..];
        while decoder.parse() == Parsed::Full {
            decoder.clear_batch();
        }
        black_box(decoder.batch_len());
        decoder.clear_batch();
    }
}

fn decoder(c: &mut Criterion) {
    for (name, input) in pipelines() {
        let mut group = c.benchmark_group(format!("parse {name}"));
        group.throughput(Throughput::Elements(DEPTH as u64));
        for level in Level::available() {
            let mut decoder = Decoder::with_level(Limits::default(), *level);
            parse(&mut decoder, &input.repeat(50));
            group.bench_function(format!("{level:?}"), |b| b.iter(|| parse(&mut decoder, &input)));
        }
        group.finish();
    }
}

/// What a connection at pipeline depth 1 pays.
fn single(c: &mut Criterion) {
    let input = request(&["GET", &key(1)]);
    let mut decoder = Decoder::new(Limits::default());
    c.bench_function("parse one get", |b| b.iter(|| parse(&mut decoder, &input)));
}

fn big(c: &mut Criterion) {
    let input = request(&["SET", "key", &"x".repeat(1 << 20)]);
    let mut group = c.benchmark_group("parse 1 MiB set");
    group.throughput(Throughput::Bytes(input.len() as u64));
    let new = || Decoder::new(Limits::default());
    group.bench_function("receive", |b| {
        b.iter_batched(new, |mut d| parse(&mut d, &input), BatchSize::SmallInput)
    });
}

fn replies(c: &mut Criterion) {
    let mut group = c.benchmark_group("reply");
    group.throughput(Throughput::Elements(DEPTH as u64));
    let mut out = Output::new();
    let mut bench = |name: &str, write: &dyn Fn(&mut Reply<'_>)| {
        group.bench_function(name, |b| {
            b.iter(|| {
                write(&mut Reply::new(&mut out, false));
                black_box(out.pending());
                out.clear();
            });
        });
    };
    bench("bulk of 3", &|r| (0..DEPTH).for_each(|_| r.bulk(black_box(b"xxx"))));
    bench("bulk of 64", &|r| (0..DEPTH).for_each(|_| r.bulk(black_box(&[b'x'; 64]))));
    bench("bulk of 200", &|r| (0..DEPTH).for_each(|_| r.bulk(black_box(&[b'x'; 200]))));
    bench("ok", &|r| (0..DEPTH).for_each(|_| black_box(&mut *r).ok()));
    bench("int", &|r| (0..DEPTH).for_each(|n| r.int(black_box(n as i64 * 997))));
    bench("null", &|r| (0..DEPTH).for_each(|_| black_box(&mut *r).null()));
    bench("double", &|r| (0..DEPTH).for_each(|n| r.double(black_box(n as f64 / 7.0))));
}

criterion_group!(benches, decoder, single, big, replies);
criterion_main!(benches);
