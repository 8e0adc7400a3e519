//! What a panic leaves behind, and what is counted. The commands here exist in tests only.

use std::sync::Arc;

use bytes::{Buf, BufMut};

use super::*;
use crate::command::Ctx;
use crate::command::keys::{KeyFlags, KeySpec};
use crate::command::table::Categories;
use crate::config::Config;
use crate::keyspace::Change;
use crate::protocol::decoder::{Limits, Parsed};

const NONE: Categories = Categories::empty();
const RW: KeyFlags = KeyFlags::RW;

pub(in crate::command) const COMMANDS: &[Command] = &[
    Command::new("test-panic-read", 2, Flags::READONLY, NONE, &[KeySpec::one(1, KeyFlags::RO)], halfway),
    Command::new("test-panic-write", 2, Flags::WRITE, NONE, &[KeySpec::one(1, RW)], halfway),
    Command::new("test-panic-update", 2, Flags::WRITE, NONE, &[KeySpec::one(1, RW)], in_update),
    Command::new("test-panic-keys", -2, Flags::WRITE, NONE, &[KeySpec::range(1, -1, 1, RW)], halfway),
    Command::new("test-panic-all", -2, Flags::WRITE.union(Flags::CLOSES_ALL), NONE, &[], halfway),
];

/// Panics with half a reply written.
fn halfway(ctx: &mut Ctx<'_>) {
    ctx.reply.array(2);
    ctx.reply.bulk(ctx.arg(1));
    panic!("halfway through a command of a test");
}

/// Panics while the key's latch is held.
fn in_update(ctx: &mut Ctx<'_>) {
    ctx.space.update(ctx.key(1), |_| -> Change<()> { panic!("inside an update of a test") });
}

/// A server with two workers.
struct Bench {
    server: Server,
    workers: [Worker; 2],
}

impl Bench {
    fn new() -> Bench {
        Bench { server: Server::new(Arc::new(Config::default()), 2), workers: [0, 1].map(Worker::new) }
    }

    /// Runs commands of a new client on a worker: the replies, and whether the client was closed.
    fn run(&mut self, worker: usize, lines: &str) -> (String, bool) {
        let mut client = self.server.clients.join(
            "127.0.0.1:1".into(),
            "127.0.0.1:2".into(),
            self.server.users.default_account(),
        );
        let mut decoder = Decoder::new(Limits::default());
        let mut rest = lines.as_bytes();
        while !rest.is_empty() {
            let mut target = decoder.read_target();
            let (now, later) = rest.split_at(rest.len().min(target.remaining_mut()));
            target.put_slice(now);
            assert_eq!(decoder.parse(), Parsed::Drained);
            rest = later;
        }
        let mut out = Output::new();
        let progress = self.workers[worker].run(&self.server, &mut client, &decoder, 0, &mut out);
        assert_eq!(progress, Progress::Done);
        let replies = out.copy_to_bytes(out.remaining());
        (String::from_utf8_lossy(&replies).into_owned(), client.closing)
    }
}

const ABANDONED_REPLY: &str = "-ERR internal error: the command failed and was abandoned\r\n";

#[test]
fn row_53_a_panic_answers_its_client_and_gives_everything_back() {
    let mut bench = Bench::new();
    // Long enough to be a node with a latch.
    let long = "x".repeat(70_000);
    let set_long = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$70000\r\n{long}\r\n");
    for panic in [
        "TEST-PANIC-READ k",
        "TEST-PANIC-WRITE k",
        "TEST-PANIC-UPDATE k",
        "TEST-PANIC-KEYS k j",
        "TEST-PANIC-ALL k",
    ] {
        // Earlier replies are whole, half a reply is taken back, and nothing runs after the panic.
        let batch = format!("{set_long}{panic}\r\nSET k never\r\n");
        assert_eq!(bench.run(0, &batch), (format!("+OK\r\n{ABANDONED_REPLY}"), true), "{panic}");
        // Neither the gate nor the latch is still held: reads and writes of both workers go on.
        for worker in [1, 0] {
            let (replies, closed) = bench.run(worker, "GET k\r\nINCR n\r\nMSET k a j b\r\nMGET k j\r\n");
            let text = if worker == 1 { &long } else { "a" };
            let start = format!("${}\r\n{text}\r\n:", text.len());
            assert!(replies.starts_with(&start) && !closed, "{panic}");
            assert!(replies.ends_with("+OK\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"), "{panic}");
        }
    }
}

#[test]
fn row_53_a_panic_in_a_transaction_is_one_of_its_errors() {
    let mut bench = Bench::new();
    for panic in ["TEST-PANIC-READ k", "TEST-PANIC-WRITE k", "TEST-PANIC-KEYS k j", "TEST-PANIC-ALL k"] {
        let batch = format!("MULTI\r\nSET k 1\r\n{panic}\r\nSET j 2\r\nEXEC\r\nSET k never\r\n");
        let queued = "+QUEUED\r\n".repeat(3);
        let replies = format!("+OK\r\n{queued}*3\r\n+OK\r\n{ABANDONED_REPLY}+OK\r\n");
        assert_eq!(bench.run(0, &batch), (replies, true), "{panic}");
        for worker in [1, 0] {
            let (replies, closed) = bench.run(worker, "MGET k j\r\nSET k x\r\nSET j y\r\nMSET k 1 j 2\r\n");
            let expected = "*2\r\n$1\r\n1\r\n$1\r\n2\r\n+OK\r\n+OK\r\n+OK\r\n";
            assert_eq!((&*replies, closed), (expected, false), "{panic}");
        }
    }
}

#[test]
fn calls_failures_and_refusals_are_counted() {
    let mut bench = Bench::new();
    bench.run(0, "SET k v\r\nINCR k\r\nGET\r\nNOSUCH\r\nTEST-PANIC-WRITE k\r\n");
    bench.run(1, "INCR k\r\nGET k\r\nCONFIG GET hz\r\nCONFIG NOSUCH\r\n");
    let sums = bench.server.sums();
    let of = |name: &str| {
        let (id, _) = registry().find_full(name.as_bytes()).expect("a command");
        let counts = sums.commands[id];
        (counts.calls, counts.failed, counts.rejected)
    };
    assert_eq!(of("set"), (1, 0, 0));
    assert_eq!(of("incr"), (2, 2, 0));
    assert_eq!(of("get"), (1, 0, 1));
    assert_eq!(of("config|get"), (1, 0, 0));
    assert_eq!(of("test-panic-write"), (1, 1, 0));
    assert_eq!(sums.errors["ERR"], 6);
    assert_eq!((sums.all_calls(), sums.all_errors()), (6, 6));

    bench.server.reset_sums();
    bench.run(0, "GET k\r\n");
    let sums = bench.server.sums();
    assert_eq!((sums.all_calls(), sums.all_errors(), sums.keys.hits), (1, 0, 1));
}

#[test]
fn codes_are_bounded() {
    let bench = Bench::new();
    for code in 0..1000 {
        bench.server.stats.lane(0).error(format!("CODE{code}").as_bytes());
    }
    let sums = bench.server.sums();
    assert_eq!(sums.errors.len(), crate::limits::ERROR_CODES + 1);
    assert_eq!(sums.all_errors(), 1000);
}
