//! HyperLogLog, as a client sees it.

mod common;

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::TestServer;
use redis::{Connection, FromRedisValue, cmd};

const NOT_HLL: &str = "-WRONGTYPE Key is not a valid HyperLogLog string value.\r\n";
const CORRUPT: &str = "-INVALIDOBJ Corrupted HLL object detected\r\n";

/// Elements that take a sketch well beyond the sparse layout at its default limit.
const MANY: usize = 6000;

#[track_caller]
fn ask<T: FromRedisValue>(c: &mut Connection, words: &[&[u8]]) -> T {
    let mut command = cmd(std::str::from_utf8(words[0]).expect("a name"));
    words[1..].iter().for_each(|word| _ = command.arg(*word));
    command.query(c).expect("the command succeeds")
}

/// PFADD of single elements, pipelined; how many of them changed the sketch.
fn add_each(c: &mut Connection, key: &str, elements: &[String]) -> usize {
    let mut changed = 0;
    for some in elements.chunks(50) {
        let mut pipe = redis::pipe();
        some.iter().for_each(|element| _ = pipe.cmd("PFADD").arg(key).arg(element));
        let replies: Vec<usize> = pipe.query(c).expect("PFADD succeeds");
        changed += replies.iter().sum::<usize>();
    }
    changed
}

fn element(of: &str, number: usize) -> String {
    format!("{of}:{number}")
}

fn elements(of: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| element(of, number)).collect()
}

fn registers(c: &mut Connection, key: &str) -> Vec<u8> {
    ask(c, &[b"PFDEBUG", b"GETREG", key.as_bytes()])
}

fn encoding(c: &mut Connection, key: &str) -> String {
    ask(c, &[b"PFDEBUG", b"ENCODING", key.as_bytes()])
}

fn count(c: &mut Connection, key: &str) -> u64 {
    ask(c, &[b"PFCOUNT", key.as_bytes()])
}

/// A key whose sketch changes in place, with [`MANY`] elements.
fn fill(c: &mut Connection, key: &str) {
    add_each(c, key, &elements(key, MANY));
    assert_eq!(encoding(c, key), "dense");
}

#[test]
fn adding_says_whether_the_sketch_changed() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("PFADD a", ":1\r\n");
    c.check("PFADD a", ":0\r\n");
    c.check("GET a", "$18\r\nHYLL\x01\0\0\0\0\0\0\0\0\0\0");
    c.expect(b"\x80\x7f\xff\r\n");
    c.check("PFADD a 1 2 3", ":1\r\n");
    c.check("PFADD a 1", ":0\r\n");
    c.check("PFADD a 1 2 4", ":1\r\n");
    c.check("PFCOUNT a", ":4\r\n");
    c.check("PFCOUNT nokey", ":0\r\n");
    c.check("PFADD", "-ERR wrong number of arguments for 'pfadd' command\r\n");
    c.check("PFCOUNT", "-ERR wrong number of arguments for 'pfcount' command\r\n");
}

#[test]
fn several_keys_count_as_their_union() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("PFADD a 1 2 3 4", ":1\r\n");
    c.check("PFADD b 3 4 5", ":1\r\n");
    c.check("PFCOUNT a b", ":5\r\n");
    c.check("PFCOUNT a nokey a", ":4\r\n");
    let mut client = server.client();
    fill(&mut client, "dense");
    let alone = count(&mut client, "dense");
    c.check("PFCOUNT dense dense", &format!(":{alone}\r\n"));
    let union = c.line("PFCOUNT dense a");
    c.check("PFMERGE dense a", "+OK\r\n");
    c.check("PFCOUNT dense", &format!("{union}\r\n"));
}

#[test]
fn merging_creates_and_extends() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("PFMERGE d", "+OK\r\n");
    c.check("GET d", "$18\r\nHYLL\x01\0\0\0\0\0\0\0\0\0\0");
    c.expect(b"\x80\x7f\xff\r\n");
    c.check("PFADD a 1 2 3 4", ":1\r\n");
    c.check("PFMERGE d a nokey", "+OK\r\n");
    c.check("PFDEBUG ENCODING d", "+sparse\r\n");
    c.check("PFDEBUG DECODE d", "$57\r\nZ:495 v:2,1 Z:7031 v:1,1 Z:3445 v:1,1 Z:4397 v:4,1 Z:1012\r\n");
    c.check("PFADD b 5 6", ":1\r\n");
    c.check("PFMERGE a b", "+OK\r\n");
    c.check("PFCOUNT a", ":6\r\n");
    c.check("PFCOUNT b", ":2\r\n");
    c.check("PFMERGE", "-ERR wrong number of arguments for 'pfmerge' command\r\n");
}

#[test]
fn a_merge_is_dense_if_any_sketch_is() {
    let server = TestServer::start();
    let (mut c, mut client) = (server.raw(), server.client());
    c.check("PFADD a 1 2 3", ":1\r\n");
    c.check("PFADD b 3 4", ":1\r\n");
    c.check("PFDEBUG TODENSE b", ":1\r\n");
    c.check("PFMERGE fresh b", "+OK\r\n");
    c.check("PFDEBUG ENCODING fresh", "+dense\r\n");
    c.check("PFMERGE b a", "+OK\r\n");
    c.check("PFDEBUG ENCODING b", "+dense\r\n");
    c.check("PFCOUNT b", ":4\r\n");
    c.check("PFMERGE a fresh", "+OK\r\n");
    c.check("PFDEBUG ENCODING a", "+dense\r\n");
    assert_eq!(registers(&mut client, "a"), registers(&mut client, "b"));
}

#[test]
fn a_merge_can_outgrow_the_sparse_layout() {
    let server = TestServer::with(&["--threads", "2", "--hll-sparse-max-bytes", "200"]);
    let mut client = server.client();
    for key in ["a", "b"] {
        add_each(&mut client, key, &elements(key, 60));
        assert_eq!(encoding(&mut client, key), "sparse");
    }
    let () = ask(&mut client, &[b"PFMERGE", b"union", b"a", b"b"]);
    assert_eq!(encoding(&mut client, "union"), "dense");
    add_each(&mut client, "a", &elements("b", 60));
    assert_eq!(encoding(&mut client, "a"), "dense");
    assert_eq!(registers(&mut client, "union"), registers(&mut client, "a"));
}

#[test]
fn other_strings_are_no_sketches() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("PFADD a 1", ":1\r\n");
    c.check("SET short hello", "+OK\r\n");
    c.check("SET int 12", "+OK\r\n");
    c.check("SET empty ''", "+OK\r\n");
    c.check("SET magic HYLL", "+OK\r\n");
    c.check(r#"SET cut "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00""#, "+OK\r\n");
    c.check(r#"SET short-dense "HYLL\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00""#, "+OK\r\n");
    c.check(r#"SET encoding-2 "HYLL\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x7f\xff""#, "+OK\r\n");
    c.command(&["SET", "long", &"x".repeat(70_000)]);
    c.expect("+OK\r\n");
    for key in ["short", "int", "empty", "magic", "cut", "short-dense", "encoding-2", "long"] {
        for line in ["PFADD K", "PFADD K 1", "PFCOUNT K", "PFCOUNT a K", "PFMERGE K a", "PFMERGE a K"] {
            c.check(&line.replace('K', key), NOT_HLL);
        }
        c.check(&format!("PFMERGE fresh {key}"), NOT_HLL);
        c.check(&format!("PFDEBUG ENCODING {key}"), NOT_HLL);
        c.check(&format!("PFDEBUG NOSUCH {key}"), NOT_HLL);
    }
    c.check("PFCOUNT fresh", ":0\r\n");
    c.check("GET int", "$2\r\n12\r\n");
}

#[test]
fn the_first_unusable_key_decides_the_error() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SET text hello", "+OK\r\n");
    c.check(r#"SET bad "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80zz""#, "+OK\r\n");
    c.check("PFCOUNT text bad", NOT_HLL);
    c.check("PFCOUNT bad text", CORRUPT);
    c.check("PFMERGE bad text", CORRUPT);
    c.check("PFMERGE fresh text bad", NOT_HLL);
}

/// Runs that stop short, run over, are cut off, or overflow 32 bits when they are added up. Here we are stricter than
/// Redis, whose PFADD and PFDEBUG DECODE do not look at all of them.
#[test]
fn row_39_runs_that_do_not_add_up_are_refused() {
    let server = TestServer::start();
    let (mut c, mut client) = (server.raw(), server.client());
    let overflowing = b"\x7f\xff".repeat((1 << 18) + 1);
    let all: [&[u8]; 6] = [b"", b"\x7f\xfe", b"\x7f\xff\x80", b"\x7f", b"\x7f\xff\0", &overflowing];
    c.check("PFADD good 1", ":1\r\n");
    for runs in all {
        let value = [b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80", runs].concat();
        let () = ask(&mut client, &[b"SET", b"bad", &value]);
        for line in ["PFADD bad x", "PFCOUNT bad", "PFCOUNT good bad", "PFMERGE bad good", "PFMERGE good bad"]
        {
            c.check(line, CORRUPT);
        }
        for probe in ["GETREG", "TODENSE", "DECODE"] {
            c.check(&format!("PFDEBUG {probe} bad"), CORRUPT);
        }
        c.check("PFADD bad", ":0\r\n");
        c.check("PFDEBUG ENCODING bad", "+sparse\r\n");
    }
    c.check("PFCOUNT good", ":1\r\n");
}

#[test]
fn debugging_shows_and_changes_the_encoding() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("PFDEBUG ENCODING nokey", "-ERR The specified key does not exist\r\n");
    c.check("PFDEBUG nosuch nokey", "-ERR The specified key does not exist\r\n");
    c.check("PFADD a 1 2 3 4", ":1\r\n");
    c.check("PFDEBUG foo a", "-ERR Unknown PFDEBUG subcommand 'foo'\r\n");
    c.check("PFDEBUG encoding a x", "-ERR wrong number of arguments for 'pfdebug' command\r\n");
    c.check("PFDEBUG a", "-ERR wrong number of arguments for 'pfdebug' command\r\n");
    c.check("pfdebug Encoding a", "+sparse\r\n");
    c.check("PFDEBUG DECODE a", "$57\r\nZ:495 v:2,1 Z:7031 v:1,1 Z:3445 v:1,1 Z:4397 v:4,1 Z:1012\r\n");
    c.check("PFDEBUG TODENSE a", ":1\r\n");
    c.check("PFDEBUG TODENSE a", ":0\r\n");
    c.check("PFDEBUG ENCODING a", "+dense\r\n");
    c.check("PFDEBUG DECODE a", "-ERR HLL encoding is not sparse\r\n");
    c.check("PFCOUNT a", ":4\r\n");
    c.check("PFADD b 1 2 3 4", ":1\r\n");
    let mut client = server.client();
    let found = registers(&mut client, "b");
    assert_eq!((found.len(), found[495], found.iter().filter(|rank| **rank > 0).count()), (16384, 2, 4));
    c.check("PFDEBUG ENCODING b", "+dense\r\n");
    assert_eq!(registers(&mut client, "a"), found);
}

#[test]
fn the_self_test_passes() {
    let server = TestServer::start();
    let mut c = server.raw();
    // Ten million elements take their time in a build without optimization.
    c.stream.set_read_timeout(Some(Duration::from_secs(300))).expect("a timeout can be set");
    c.check("PFSELFTEST", "+OK\r\n");
    c.check("PFSELFTEST x", "-ERR wrong number of arguments for 'pfselftest' command\r\n");
}

/// Adds each list over a connection of its own, all at once; how many replies said "changed".
fn race(server: &TestServer, key: &str, lists: &[Vec<String>]) -> usize {
    std::thread::scope(|scope| {
        let adders: Vec<_> =
            lists.iter().map(|list| scope.spawn(move || add_each(&mut server.client(), key, list))).collect();
        adders.into_iter().map(|adder| adder.join().expect("the adder succeeds")).sum()
    })
}

#[test]
fn racing_adders_lose_nothing_while_the_sketch_is_promoted() {
    let server = TestServer::start();
    let mut c = server.client();
    for round in 0..5 {
        let lists: Vec<Vec<String>> = (0..4).map(|n| elements(&format!("{round}.{n}"), MANY / 4)).collect();
        let (raced, alone) = (format!("raced{round}"), format!("alone{round}"));
        let changed = race(&server, &raced, &lists);
        lists.iter().for_each(|list| _ = add_each(&mut c, &alone, list));
        assert_eq!(count(&mut c, &raced), count(&mut c, &alone));
        let found = registers(&mut c, &raced);
        assert_eq!(found, registers(&mut c, &alone));
        // Each register that is set was raised from zero by one reply, and no rank of it was reached twice.
        let set = found.iter().filter(|rank| **rank > 0).count();
        let ranks = found.iter().map(|rank| usize::from(*rank)).sum();
        assert!((set..=ranks).contains(&changed), "{changed} changes of {set} registers to {ranks}");
    }
}

/// Runs `disturb` again and again, each time with the number of the turn, while four connections add to `key`; what
/// the registers are without disturbance. Ends with the adders.
fn disturbed(server: &TestServer, key: &str, mut disturb: impl FnMut(&mut Connection, usize)) -> Vec<u8> {
    let lists: Vec<Vec<String>> = (0..4).map(|n| elements(&n.to_string(), MANY / 2)).collect();
    let mut c = server.client();
    fill(&mut c, key);
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            race(server, key, &lists);
            ended.store(true, Ordering::Release);
        });
        for turn in 0.. {
            disturb(&mut c, turn);
            if ended.load(Ordering::Acquire) {
                break;
            }
        }
    });
    add_each(&mut c, "alone", &elements(key, MANY));
    lists.iter().for_each(|list| _ = add_each(&mut c, "alone", list));
    registers(&mut c, "alone")
}

#[test]
fn a_sketch_that_turns_into_a_string_and_back_loses_nothing() {
    let server = TestServer::start();
    let undisturbed = disturbed(&server, "k", |c, _| {
        // It fails, but it has to look at the string for that.
        cmd("INCR").arg("k").query::<i64>(c).expect_err("a sketch is no number");
    });
    assert_eq!(registers(&mut server.client(), "k"), undisturbed);
}

/// Adds elements one by one, and stops some time after `deleted`; those that were sent after it.
fn add_past(server: &TestServer, name: &str, deleted: &AtomicBool) -> Vec<String> {
    let mut c = server.client();
    let mut late = Vec::new();
    for element in (0..).map(|number| element(name, number)) {
        let after = deleted.load(Ordering::Acquire);
        let _: usize = ask(&mut c, &[b"PFADD", b"k", element.as_bytes()]);
        if after {
            late.push(element);
        }
        if late.len() == 300 {
            break;
        }
    }
    late
}

#[test]
fn what_is_added_after_a_deletion_is_counted() {
    let server = TestServer::start();
    let deleted = AtomicBool::new(false);
    let mut c = server.client();
    let late: Vec<String> = std::thread::scope(|scope| {
        let (server, deleted) = (&server, &deleted);
        let adders: Vec<_> =
            ["a", "b", "c"].map(|name| scope.spawn(move || add_past(server, name, deleted))).into();
        for _ in 0..500 {
            let _: usize = ask(&mut c, &[b"PFADD", b"k", b"present"]);
            let converted: Result<usize, _> = cmd("PFDEBUG").arg("TODENSE").arg("k").query(&mut c);
            converted.expect("nobody else deletes");
            let _: usize = ask(&mut c, &[b"DEL", b"k"]);
        }
        deleted.store(true, Ordering::Release);
        adders.into_iter().flat_map(|adder| adder.join().expect("the adder succeeds")).collect()
    });
    assert_eq!(late.len(), 900);
    assert_eq!(add_each(&mut c, "k", &late), 0, "each of them is in the sketch already");
}

#[test]
fn merges_into_a_sketch_that_is_being_added_to_lose_nothing() {
    let server = TestServer::start();
    let undisturbed = disturbed(&server, "k", |c, turn| {
        // Some elements that are in the sketch already, so that the merge itself adds nothing.
        let other = [b"other0".as_slice(), b"other1"][turn % 2];
        let _: usize = ask(c, &[b"PFADD", other, element("k", turn % MANY).as_bytes()]);
        let () = ask(c, &[b"PFMERGE", b"k", other]);
    });
    assert_eq!(registers(&mut server.client(), "k"), undisturbed);
}

#[test]
fn counts_of_a_sketch_that_is_being_added_to_never_fall() {
    let server = TestServer::start();
    let mut last = 0;
    let undisturbed = disturbed(&server, "k", |c, turn| {
        let now = if turn % 2 == 0 { count(c, "k") } else { ask(c, &[b"PFCOUNT", b"k", b"nokey"]) };
        assert!(now >= last, "{now} after {last}");
        last = now;
    });
    let mut c = server.client();
    assert_eq!(registers(&mut c, "k"), undisturbed);
    assert_eq!(count(&mut c, "k"), count(&mut c, "alone"));
}

/// As [`disturbed`], for a disturbance that takes the sketch away: what it returns is merged into `k` at the end.
fn taken_away(take: impl Fn(&mut Connection) -> Option<Vec<u8>>) {
    let server = TestServer::start();
    let undisturbed = disturbed(&server, "k", |c, _| {
        // So that it is taken away in both of its forms; the key may be absent just now.
        let _: Result<usize, _> = cmd("PFDEBUG").arg("TODENSE").arg("k").query(c);
        if let Some(sketch) = take(c) {
            let () = ask(c, &[b"SET", b"taken", &sketch]);
            let () = ask(c, &[b"PFMERGE", b"total", b"taken"]);
        }
    });
    let mut c = server.client();
    let () = ask(&mut c, &[b"PFMERGE", b"total", b"k"]);
    assert_eq!(registers(&mut c, "total"), undisturbed);
}

#[test]
fn getdel_takes_every_acknowledged_element() {
    taken_away(|c| ask(c, &[b"GETDEL", b"k"]));
}

#[test]
fn set_with_get_takes_every_acknowledged_element() {
    taken_away(|c| ask(c, &[b"SET", b"k", b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80\x7f\xff", b"GET"]));
}

#[test]
fn rename_takes_every_acknowledged_element() {
    taken_away(|c| {
        let renamed: Result<(), _> = cmd("RENAME").arg("k").arg("renamed").query(c);
        renamed.ok().map(|()| ask(c, &[b"GET", b"renamed"]))
    });
}

#[test]
fn moving_the_deadline_of_a_sketch_that_is_being_added_to_loses_nothing() {
    let server = TestServer::start();
    let undisturbed = disturbed(&server, "k", |c, turn| {
        let when = [b"33177117420".as_slice(), b"33177117421"][turn % 2];
        assert_eq!(ask::<i64>(c, &[b"EXPIREAT", b"k", when]), 1);
    });
    let mut c = server.client();
    assert_eq!(registers(&mut c, "k"), undisturbed);
    assert!(ask::<i64>(&mut c, &[b"EXPIRETIME", b"k"]) >= 33_177_117_420);
}

#[test]
fn writes_keep_the_deadline() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("PFADD a 1 2 3", ":1\r\n");
    c.check("PFADD dense 4", ":1\r\n");
    c.check("PFDEBUG TODENSE dense", ":1\r\n");
    c.check("EXPIREAT a 33177117420", ":1\r\n");
    for line in ["PFADD a 5", "PFMERGE a dense", "PFADD a 6", "PFMERGE a dense", "PFCOUNT a"] {
        c.line(line);
        c.check("EXPIRETIME a", ":33177117420\r\n");
    }
    c.check("PFDEBUG ENCODING a", "+dense\r\n");
    c.check("PFADD b 1", ":1\r\n");
    c.check("EXPIREAT b 33177117420", ":1\r\n");
    c.check("PFDEBUG TODENSE b", ":1\r\n");
    c.check("EXPIRETIME b", ":33177117420\r\n");
    c.check("PFADD gone 1", ":1\r\n");
    c.check("PFDEBUG TODENSE gone", ":1\r\n");
    c.check("PEXPIRE gone 1", ":1\r\n");
    std::thread::sleep(Duration::from_millis(20));
    c.check("PFCOUNT gone", ":0\r\n");
    c.check("PFADD gone", ":1\r\n");
    c.check("TTL gone", ":-1\r\n");
}

#[test]
fn row_39_a_sketch_that_setrange_corrupted_is_refused() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("PFADD good 1", ":1\r\n");
    c.check("PFADD bad a b c", ":1\r\n");
    c.check("SETRANGE bad 16 zzzzzzzz", ":27\r\n");
    for line in ["PFCOUNT bad", "PFCOUNT good bad", "PFMERGE good bad", "PFMERGE bad good", "PFADD bad d"] {
        c.check(line, CORRUPT);
    }
    for key in ["dense", "magic", "bits"] {
        c.check(&format!("PFADD {key} 1"), ":1\r\n");
        c.check(&format!("PFDEBUG TODENSE {key}"), ":1\r\n");
    }
    c.check("APPEND dense x", ":12305\r\n");
    c.check("PFCOUNT dense", NOT_HLL);
    c.check("PFADD dense 1", NOT_HLL);
    c.check("SETRANGE magic 0 h", ":12304\r\n");
    c.check("PFCOUNT magic", NOT_HLL);
    // Every pattern of a dense sketch's bits is a sketch.
    c.check("PFCOUNT bits", ":1\r\n");
    c.check("SETRANGE bits 16 zzzzzzzz", ":12304\r\n");
    c.check("PFCOUNT bits", ":1\r\n");
    c.check("PFADD bits 2 3", ":1\r\n");
    assert!(c.line("PFCOUNT bits") != ":1");
}

#[test]
fn a_sketch_is_a_string_to_the_other_commands() {
    let server = TestServer::start();
    let (mut raw, mut c) = (server.raw(), server.client());
    fill(&mut c, "k");
    raw.check("STRLEN k", ":12304\r\n");
    raw.check("GETRANGE k 0 3", "$4\r\nHYLL\r\n");
    raw.check("TYPE k", "+string\r\n");
    let sketch: Vec<u8> = ask(&mut c, &[b"GET", b"k"]);
    for part in sketch.chunks(1000) {
        let _: usize = ask(&mut c, &[b"APPEND", b"joined", part]);
    }
    assert_eq!(count(&mut c, "joined"), count(&mut c, "k"));
    assert_eq!(registers(&mut c, "joined"), registers(&mut c, "k"));
    raw.check("PFMERGE joined k", "+OK\r\n");
    add_each(&mut c, "joined", &elements("more", 100));
    add_each(&mut c, "k", &elements("more", 100));
    assert_eq!(count(&mut c, "joined"), count(&mut c, "k"));
    raw.check("PFADD few 1 2 3", ":1\r\n");
    let few: Vec<u8> = ask(&mut c, &[b"GET", b"few"]);
    let _: usize = ask(&mut c, &[b"APPEND", b"parts", &few[..10]]);
    let _: usize = ask(&mut c, &[b"APPEND", b"parts", &few[10..]]);
    raw.check("PFCOUNT parts few", ":3\r\n");
    raw.check("PFADD parts 4", ":1\r\n");
    raw.check("PFCOUNT parts", ":4\r\n");
}

/// Copies the sketch at `key` as a string.
fn carry(from: &mut Connection, key: &str, to: &mut Connection, name: &str) {
    let sketch: Vec<u8> = ask(from, &[b"GET", key.as_bytes()]);
    let () = ask(to, &[b"SET", name.as_bytes(), &sketch]);
}

#[test]
fn get_and_set_move_a_sketch() {
    let server = TestServer::start();
    let mut c = server.client();
    add_each(&mut c, "sparse", &elements("few", 100));
    fill(&mut c, "dense");
    for key in ["sparse", "dense"] {
        let moved = format!("moved-{key}");
        carry(&mut server.client(), key, &mut c, &moved);
        assert_eq!(count(&mut c, &moved), count(&mut c, key));
        assert_eq!(encoding(&mut c, &moved), key);
        let more = elements("more", 50);
        assert_eq!(add_each(&mut c, &moved, &more), add_each(&mut c, key, &more));
        assert_eq!(registers(&mut c, &moved), registers(&mut c, key));
    }
}

/// The real redis-server, killed when the test ends; none if it is not installed.
struct Redis {
    child: Child,
    port: u16,
}

impl Redis {
    fn start() -> Option<Redis> {
        let port = std::net::TcpListener::bind(("127.0.0.1", 0)).ok()?.local_addr().ok()?.port();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        Some(Redis { child, port })
    }

    fn client(&self) -> Connection {
        let client =
            redis::Client::open(format!("redis://127.0.0.1:{}/", self.port)).expect("a valid address");
        for _ in 0..200 {
            if let Ok(connection) = client.get_connection() {
                return connection;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("redis-server does not start");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Registers and layout agree on both servers, and so does the count.
#[track_caller]
fn compare(ours: &mut Connection, theirs: &mut Connection, key: &str) {
    assert_eq!(encoding(ours, key), encoding(theirs, key), "{key}");
    assert_eq!(count(ours, key), count(theirs, key), "{key}");
    let strings: [Vec<u8>; 2] =
        [ask(ours, &[b"GET", key.as_bytes()]), ask(theirs, &[b"GET", key.as_bytes()])];
    // Between the two stands the cached cardinality, which Redis writes when it counts.
    assert_eq!((&strings[0][..8], &strings[0][16..]), (&strings[1][..8], &strings[1][16..]), "{key}");
}

#[test]
fn sketches_move_to_redis_and_back() {
    let Some(redis) = Redis::start() else {
        println!("redis-server is not installed: nothing to exchange sketches with");
        return;
    };
    let server = TestServer::start();
    let (mut ours, mut theirs) = (server.client(), redis.client());
    for (key, size) in [("one", 1), ("few", 100), ("some", 1200), ("many", MANY)] {
        let list = elements(key, size);
        assert_eq!(add_each(&mut ours, key, &list), add_each(&mut theirs, key, &list));
        compare(&mut ours, &mut theirs, key);
        let (here, there) = (format!("{key}-from-redis"), format!("{key}-from-us"));
        carry(&mut theirs, key, &mut ours, &here);
        carry(&mut ours, key, &mut theirs, &there);
        assert_eq!(count(&mut ours, &here), count(&mut theirs, &there));
        // Each goes on where the other stopped.
        let more = elements("more", 300);
        assert_eq!(add_each(&mut ours, &here, &more), add_each(&mut theirs, &there, &more));
        carry(&mut theirs, &there, &mut ours, &there);
        carry(&mut ours, &here, &mut theirs, &there);
        compare(&mut ours, &mut theirs, &there);
    }
    for c in [&mut ours, &mut theirs] {
        let () = ask(c, &[b"PFMERGE", b"sparse-union", b"one", b"few"]);
        let () = ask(c, &[b"PFMERGE", b"union", b"one", b"few", b"some", b"many"]);
    }
    compare(&mut ours, &mut theirs, "sparse-union");
    compare(&mut ours, &mut theirs, "union");
}
