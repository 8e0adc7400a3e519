//! The executor in process, from the first lookup of a batch to its last reply's bytes. Times are of one command.

mod common;

use std::sync::Arc;

use bytes::{Buf, BufMut};
use common::{Key, key, per_item, shuffled_keys};
use criterion::{Criterion, criterion_group, criterion_main};
use sockudo_kv::command::client::Client;
use sockudo_kv::command::exec::{Progress, Worker};
use sockudo_kv::command::state::Server;
use sockudo_kv::config::Config;
use sockudo_kv::memory::Counted;
use sockudo_kv::protocol::decoder::{Decoder, Limits, Parsed};
use sockudo_kv::protocol::reply::Output;

#[global_allocator]
static ALLOCATOR: Counted = Counted;

/// Commands of a pipeline.
const DEPTH: usize = 100;
/// Keys of the large keyspace, and how many of them are asked for in turn: far more than the caches of a core hold.
const MANY: usize = 1_000_000;
const ASKED: usize = 200_000;

/// A server, its only worker and that one's only client.
struct Bench {
    server: Server,
    worker: Worker,
    client: Client,
    out: Output,
}

impl Bench {
    fn new() -> Bench {
        let server = Server::new(Arc::new(Config::default()), 1);
        let client =
            server.clients.join("127.0.0.1:1".into(), "127.0.0.1:2".into(), server.users.default_account());
        Bench { server, worker: Worker::new(0), client, out: Output::new() }
    }

    fn answer(&mut self, batch: &Decoder) {
        let progress = self.worker.run(&self.server, &mut self.client, batch, 0, &mut self.out);
        assert_eq!(progress, Progress::Done);
    }

    fn run(&mut self, batch: &Decoder) {
        self.answer(batch);
        self.out.clear();
    }

    /// Runs a batch that is not measured, and makes sure that its commands do what their bench is about.
    fn rehearse(&mut self, batch: &Decoder) {
        self.answer(batch);
        assert!(!matches!(self.out.chunk().first(), None | Some(b'-')));
        self.out.clear();
    }
}

fn request(words: &[&[u8]]) -> Vec<u8> {
    let mut request = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        request.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        request.extend_from_slice(word);
        request.extend_from_slice(b"\r\n");
    }
    request
}

/// The bytes of a pipeline of `DEPTH` commands.
fn pipeline(command: impl FnMut(usize) -> Vec<u8>) -> Vec<u8> {
    (0..DEPTH).flat_map(command).collect()
}

/// Parses a pipeline in the place of the batch that was there.
fn parse(decoder: &mut Decoder, mut input: &[u8]) {
    decoder.clear_batch();
    while !input.is_empty() {
        let mut room = decoder.read_target();
        let (now, later) = input.split_at(input.len().min(room.remaining_mut()));
        room.put_slice(now);
        assert_eq!(decoder.parse(), Parsed::Drained);
        input = later;
    }
    assert_eq!(decoder.batch_len(), DEPTH);
}

fn parsed(input: &[u8]) -> Decoder {
    let mut decoder = Decoder::new(Limits::default());
    parse(&mut decoder, input);
    decoder
}

fn get(key: &[u8]) -> Vec<u8> {
    request(&[b"GET", key])
}

fn set(key: &[u8]) -> Vec<u8> {
    request(&[b"SET", key, b"xxx"])
}

fn mset(first: usize) -> Vec<u8> {
    let keys: Vec<Key> = (first..first + 10).map(key).collect();
    let mut words = vec![&b"MSET"[..]];
    keys.iter().for_each(|key| words.extend([&key[..], b"xxx"]));
    request(&words)
}

fn mget(first: usize) -> Vec<u8> {
    let keys: Vec<Key> = (first..first + 10).map(key).collect();
    let mut words = vec![&b"MGET"[..]];
    keys.iter().for_each(|key| words.extend([&key[..]]));
    request(&words)
}

/// A few keys, so that the instructions are what counts.
fn few_keys(c: &mut Criterion) {
    let mut bench = Bench::new();
    let cases = [
        ("set", pipeline(|at| set(&key(at)))),
        ("get", pipeline(|at| get(&key(at)))),
        ("set of 64 bytes", pipeline(|at| request(&[b"SET", &key(at), &[b'x'; 64]]))),
        ("get of 64 bytes", pipeline(|at| get(&key(at)))),
        ("incr", pipeline(|at| request(&[b"INCR", &key(DEPTH + at)]))),
        ("mset of 10", pipeline(|at| mset(1000 + 10 * at))),
        ("mget of 10", pipeline(|at| mget(1000 + 10 * at))),
        ("ping", pipeline(|_| request(&[b"PING"]))),
    ];
    for (name, input) in &cases {
        let batch = parsed(input);
        bench.rehearse(&batch);
        c.bench_function(&format!("few keys/{name}"), |b| per_item(b, DEPTH, || bench.run(&batch)));
    }
}

/// Random keys of many, so that memory is what counts. Includes parsing, because batches that were parsed long ago
/// would be out of the caches as well, as those of a connection never are.
fn many_keys(c: &mut Criterion) {
    let mut bench = Bench::new();
    for first in (0..MANY).step_by(DEPTH) {
        bench.rehearse(&parsed(&pipeline(|at| set(&key(first + at)))));
    }
    let keys = shuffled_keys(MANY);
    for (name, command) in [("parse and get", get as fn(&[u8]) -> Vec<u8>), ("parse and set", set)] {
        let inputs: Vec<Vec<u8>> =
            keys[..ASKED].chunks(DEPTH).map(|keys| pipeline(|at| command(&keys[at]))).collect();
        let mut rounds = inputs.iter().cycle();
        let mut decoder = Decoder::new(Limits::default());
        c.bench_function(&format!("1000000 keys/{name}"), |b| {
            per_item(b, DEPTH, || {
                parse(&mut decoder, rounds.next().expect("they go round"));
                bench.run(&decoder);
            });
        });
    }
}

criterion_group!(benches, few_keys, many_keys);
criterion_main!(benches);
