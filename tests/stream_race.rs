//! Streams under clients that race for one key.

mod common;
use common::{Raw, TestServer, encode};
use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};

const PRODUCERS: usize = 2;
const CONSUMERS: usize = 3;
const EACH: usize = 3000;

/// Reads one reply of XREADGROUP COUNT n of one stream with single pairs: the ids, and the values.
fn read_entries(c: &mut Raw) -> Vec<(String, String)> {
    let header = c.read_line();
    if header == "*-1" {
        return Vec::new();
    }
    assert_eq!(header, "*1");
    assert_eq!(c.read_line(), "*2");
    c.bulk();
    let count: usize = c.read_line()[1..].parse().expect("a count");
    let text = |c: &mut Raw| String::from_utf8(c.bulk()).expect("text");
    let entry = |c: &mut Raw| {
        assert_eq!(c.read_line(), "*2");
        let id = text(c);
        assert_eq!(c.read_line(), "*2");
        text(c);
        (id, text(c))
    };
    (0..count).map(|_| entry(c)).collect()
}

fn produce(server: &TestServer, number: usize) {
    let mut c = server.raw();
    for batch in (0..EACH).collect::<Vec<_>>().chunks(16) {
        let adds = batch.iter().flat_map(|n| encode(&["XADD", "s", "*", "n", &format!("{number}:{n}")]));
        c.send(adds.collect::<Vec<u8>>());
        batch.iter().for_each(|_| drop(c.bulk()));
    }
}

/// Reads and acknowledges until all is read, and returns what it got.
fn consume(server: &TestServer, number: usize, left: &AtomicUsize) -> Vec<(String, String)> {
    let mut c = server.raw();
    let name = format!("c{number}");
    let mut got = Vec::new();
    while left.load(Ordering::Relaxed) > 0 {
        c.command(&["XREADGROUP", "GROUP", "g", &name, "COUNT", "7", "STREAMS", "s", ">"]);
        let entries = read_entries(&mut c);
        left.fetch_sub(entries.len(), Ordering::Relaxed);
        // Every other batch stays pending.
        if !entries.is_empty() && got.len() % 2 == 0 {
            let ids = entries.iter().map(|(id, _)| id.as_str());
            c.command(&["XACK", "s", "g"].into_iter().chain(ids).collect::<Vec<_>>());
            c.expect(format!(":{}\r\n", entries.len()));
        }
        got.extend(entries);
    }
    got
}

#[test]
fn a_group_delivers_every_entry_exactly_once() {
    let server = TestServer::start();
    server.raw().check("XGROUP CREATE s g $ MKSTREAM", "+OK\r\n");
    let left = AtomicUsize::new(PRODUCERS * EACH);
    let got: Vec<(String, String)> = std::thread::scope(|scope| {
        let left = &left;
        let server = &server;
        let consumers: Vec<_> =
            (0..CONSUMERS).map(|n| scope.spawn(move || consume(server, n, left))).collect();
        (0..PRODUCERS).for_each(|n| drop(scope.spawn(move || produce(server, n))));
        consumers.into_iter().flat_map(|consumer| consumer.join().expect("its checks hold")).collect()
    });
    assert_eq!(got.len(), PRODUCERS * EACH);
    let ids: HashSet<&str> = got.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids.len(), got.len(), "an entry was delivered twice");
    let values: BTreeSet<String> = got.iter().map(|(_, value)| value.clone()).collect();
    let expected = (0..PRODUCERS).flat_map(|p| (0..EACH).map(move |n| format!("{p}:{n}")));
    assert_eq!(values, expected.collect());
    let mut c = server.raw();
    c.check("XLEN s", &format!(":{}\r\n", PRODUCERS * EACH));
    c.check("XREADGROUP GROUP g last STREAMS s >", "*-1\r\n");
}
