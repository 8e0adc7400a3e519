//! Channels: who hears what, in which frame, and what a subscriber that does not read costs.

mod common;

use std::time::{Duration, Instant};

use common::{Raw, TestServer, encode};

fn frame(words: &[&str]) -> String {
    String::from_utf8(encode(words)).expect("text")
}

#[test]
fn messages_reach_channels_and_patterns() {
    let server = TestServer::start();
    let (mut s, mut p) = (server.raw(), server.raw());
    p.check("PUBLISH news nobody", ":0\r\n");
    s.check(
        "SUBSCRIBE news sport",
        "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$5\r\nsport\r\n:2\r\n",
    );
    s.check("PSUBSCRIBE n*", "*3\r\n$10\r\npsubscribe\r\n$2\r\nn*\r\n:3\r\n");
    p.check("PUBLISH news hello", ":2\r\n");
    s.expect(frame(&["message", "news", "hello"]));
    s.expect(frame(&["pmessage", "n*", "news", "hello"]));
    p.check("PUBLISH sport x", ":1\r\n");
    s.expect(frame(&["message", "sport", "x"]));
    s.check("UNSUBSCRIBE news", "*3\r\n$11\r\nunsubscribe\r\n$4\r\nnews\r\n:2\r\n");
    p.check("PUBLISH news again", ":1\r\n");
    s.expect(frame(&["pmessage", "n*", "news", "again"]));
    s.check("PUNSUBSCRIBE", "*3\r\n$12\r\npunsubscribe\r\n$2\r\nn*\r\n:1\r\n");
    s.check("UNSUBSCRIBE", "*3\r\n$11\r\nunsubscribe\r\n$5\r\nsport\r\n:0\r\n");
    s.check("UNSUBSCRIBE", "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n");
    s.check("SET a 1", "+OK\r\n");
}

#[test]
fn a_subscriber_in_resp2_may_do_little_else() {
    let server = TestServer::start();
    let mut s = server.raw();
    s.check("SUBSCRIBE a", "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
    s.check("GET a", "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context\r\n");
    s.check("PING", "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    s.check("PING hi", "*2\r\n$4\r\npong\r\n$2\r\nhi\r\n");
    s.check("RESET", "+RESET\r\n");
    s.check("PING", "+PONG\r\n");
    s.check("PUBLISH a x", ":0\r\n");
}

#[test]
fn in_resp3_messages_are_pushed_among_replies() {
    let server = TestServer::start();
    let (mut s, mut p) = (server.raw(), server.raw());
    s.command(&["HELLO", "3"]);
    s.command(&["SUBSCRIBE", "foo"]);
    s.command(&["ECHO", "mark"]);
    while s.read_line() != "mark" {}
    p.check("PUBLISH foo bar", ":1\r\n");
    s.expect(">3\r\n$7\r\nmessage\r\n$3\r\nfoo\r\n$3\r\nbar\r\n");
    s.check("SET k v", "+OK\r\n");
    // What a transaction publishes to its own client comes after the transaction's reply.
    s.send("MULTI\r\nPUBLISH foo a\r\nPUBLISH foo b\r\nEXEC\r\n");
    s.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n:1\r\n");
    s.expect(
        ">3\r\n$7\r\nmessage\r\n$3\r\nfoo\r\n$1\r\na\r\n>3\r\n$7\r\nmessage\r\n$3\r\nfoo\r\n$1\r\nb\r\n",
    );
}

#[test]
fn shard_channels_stand_apart() {
    let server = TestServer::start();
    let (mut s, mut p) = (server.raw(), server.raw());
    s.check("SSUBSCRIBE a", "*3\r\n$10\r\nssubscribe\r\n$1\r\na\r\n:1\r\n");
    s.check("SUBSCRIBE a", "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
    p.check("SPUBLISH a x", ":1\r\n");
    s.expect(frame(&["smessage", "a", "x"]));
    p.check("PUBLISH a y", ":1\r\n");
    s.expect(frame(&["message", "a", "y"]));
    p.check("PUBSUB SHARDCHANNELS", "*1\r\n$1\r\na\r\n");
    p.check("PUBSUB SHARDNUMSUB a b", "*4\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:0\r\n");
}

#[test]
fn pubsub_tells_who_listens() {
    let server = TestServer::start();
    let (mut s, mut t, mut p) = (server.raw(), server.raw(), server.raw());
    p.check("PUBSUB CHANNELS", "*0\r\n");
    s.check("SUBSCRIBE one", "*3\r\n$9\r\nsubscribe\r\n$3\r\none\r\n:1\r\n");
    t.check("SUBSCRIBE one", "*3\r\n$9\r\nsubscribe\r\n$3\r\none\r\n:1\r\n");
    t.check("PSUBSCRIBE x*", "*3\r\n$10\r\npsubscribe\r\n$2\r\nx*\r\n:2\r\n");
    s.check("PSUBSCRIBE x*", "*3\r\n$10\r\npsubscribe\r\n$2\r\nx*\r\n:2\r\n");
    p.check("PUBSUB CHANNELS", "*1\r\n$3\r\none\r\n");
    p.check("PUBSUB CHANNELS t*", "*0\r\n");
    p.check("PUBSUB NUMSUB one two", "*4\r\n$3\r\none\r\n:2\r\n$3\r\ntwo\r\n:0\r\n");
    p.check("PUBSUB NUMPAT", ":1\r\n");
    p.command(&["CLIENT", "LIST", "TYPE", "pubsub"]);
    let list = String::from_utf8(p.bulk()).expect("text");
    assert_eq!(
        list.lines()
            .filter(|line| line.contains(" flags=P ") && line.contains(" sub=1 psub=1 ssub=0 "))
            .count(),
        2
    );
    // A client that is gone listens to nothing.
    drop((s, t));
    let began = Instant::now();
    loop {
        p.send("PUBSUB NUMPAT\r\n");
        if p.read_line() == ":0" {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(5), "the subscriptions of closed connections stay");
    }
    p.check("PUBSUB CHANNELS", "*0\r\n");
}

/// Reads `count` messages of one channel and returns their payloads.
fn payloads(raw: &mut Raw, count: usize) -> Vec<String> {
    let mut all = Vec::new();
    for _ in 0..count {
        assert_eq!(raw.read_line(), "*3");
        let words: Vec<Vec<u8>> = (0..3).map(|_| raw.bulk()).collect();
        all.push(String::from_utf8_lossy(&words[2]).into_owned());
    }
    all
}

#[test]
fn every_subscriber_gets_every_message_in_the_order_of_its_publisher() {
    const PUBLISHERS: usize = 4;
    const MESSAGES: usize = 500;
    let server = TestServer::start();
    let mut subscribers: Vec<Raw> = (0..10).map(|_| server.raw()).collect();
    for s in &mut subscribers {
        s.check("SUBSCRIBE c", "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    }
    std::thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let mut p = server.raw();
            scope.spawn(move || {
                for number in 0..MESSAGES {
                    p.check(&format!("PUBLISH c {publisher}:{number}"), ":10\r\n");
                }
            });
        }
        for s in &mut subscribers {
            scope.spawn(|| {
                let all = payloads(s, PUBLISHERS * MESSAGES);
                for publisher in 0..PUBLISHERS {
                    let prefix = format!("{publisher}:");
                    let numbers: Vec<usize> = all
                        .iter()
                        .filter_map(|text| text.strip_prefix(&prefix))
                        .map(|n| n.parse().expect("a number"))
                        .collect();
                    assert_eq!(numbers, (0..MESSAGES).collect::<Vec<_>>());
                }
            });
        }
    });
}

#[test]
fn row_32_a_slow_subscriber_is_closed_and_keeps_no_publisher() {
    let server = TestServer::with(&["--client-output-buffer-limit", "pubsub", "1mb", "0", "0"]);
    let (mut slow, mut p) = (server.raw(), server.raw());
    slow.check("SUBSCRIBE c", "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    let message = "x".repeat(64 << 10);
    let began = Instant::now();
    let closed = loop {
        p.command(&["PUBLISH", "c", &message]);
        if p.read_line() == ":0" {
            break true;
        }
        if began.elapsed() > Duration::from_secs(10) {
            break false;
        }
    };
    assert!(closed, "the subscriber never reads and is still there");
    p.check("PING", "+PONG\r\n");
}

#[test]
fn keyspace_events_are_published_by_key_and_by_name() {
    let server = TestServer::with(&["--notify-keyspace-events", "KEA"]);
    let (mut s, mut c) = (server.raw(), server.raw());
    s.check("PSUBSCRIBE __key*", "*3\r\n$10\r\npsubscribe\r\n$6\r\n__key*\r\n:1\r\n");
    c.check("SET a 1", "+OK\r\n");
    s.expect(frame(&["pmessage", "__key*", "__keyspace@0__:a", "set"]));
    s.expect(frame(&["pmessage", "__key*", "__keyevent@0__:set", "a"]));
    c.check("CONFIG SET notify-keyspace-events Eg", "+OK\r\n");
    c.check("SET a 2", "+OK\r\n");
    c.check("DEL a", ":1\r\n");
    s.expect(frame(&["pmessage", "__key*", "__keyevent@0__:del", "a"]));
}

#[test]
fn every_change_of_a_string_has_its_event() {
    let server = TestServer::with(&["--notify-keyspace-events", "EA"]);
    let (mut s, mut c) = (server.raw(), server.raw());
    s.check("PSUBSCRIBE __keyevent*", "*3\r\n$10\r\npsubscribe\r\n$11\r\n__keyevent*\r\n:1\r\n");
    for (line, events) in [
        ("SET a 1", &["set"][..]),
        ("SET a 1 EX 100", &["set", "expire"]),
        ("SETEX a 100 1", &["set", "expire"]),
        ("INCR a", &["incrby"]),
        ("INCRBYFLOAT a 1", &["incrbyfloat"]),
        ("APPEND a 1", &["append"]),
        ("SETRANGE a 0 7", &["setrange"]),
        ("GETEX a PERSIST", &["persist"]),
        ("EXPIRE a 100", &["expire"]),
        ("PERSIST a", &["persist"]),
        ("PERSIST a", &[]),
        ("SETNX a 1", &[]),
        ("PFADD h x", &["pfadd"]),
        ("PFADD h x", &[]),
        ("GETDEL a", &["del"]),
        ("SET a 1 PX 1", &["set", "expire"]),
    ] {
        c.send(format!("{line}\r\nECHO done\r\n"));
        while c.read_line() != "done" {}
        for event in events {
            let key = if line.contains(" h ") { "h" } else { "a" };
            s.expect(frame(&["pmessage", "__keyevent*", &format!("__keyevent@0__:{event}"), key]));
        }
    }
    s.expect(frame(&["pmessage", "__keyevent*", "__keyevent@0__:expired", "a"]));
    c.check("SET x 1", "+OK\r\n");
    c.check("RENAME x y", "+OK\r\n");
    for (event, key) in [("set", "x"), ("rename_from", "x"), ("rename_to", "y")] {
        s.expect(frame(&["pmessage", "__keyevent*", &format!("__keyevent@0__:{event}"), key]));
    }
}

#[test]
fn new_keys_and_misses_have_their_events() {
    let server = TestServer::with(&["--threads", "2", "--notify-keyspace-events", "Enm"]);
    let (mut c, mut listener) = (server.raw(), server.raw());
    listener.check("PSUBSCRIBE *", "*3\r\n$10\r\npsubscribe\r\n$1\r\n*\r\n:1\r\n");
    for line in [
        "GET a",
        "SET a 1",
        "SET a 2",
        "OBJECT ENCODING b",
        "HGET h f",
        "HSET h f v",
        "HSET h g v",
        "RENAME h i",
        "TTL b",
    ] {
        c.line(line);
    }
    let mut heard = Vec::new();
    for _ in 0..6 {
        assert_eq!(listener.read_line(), "*4");
        let parts: Vec<_> = (0..4).map(|_| String::from_utf8(listener.bulk()).expect("text")).collect();
        heard.push(format!("{} {}", parts[2].trim_start_matches("__keyevent@0__:"), parts[3]));
    }
    assert_eq!(heard, ["keymiss a", "new a", "keymiss h", "new h", "new i", "keymiss b"]);
}
