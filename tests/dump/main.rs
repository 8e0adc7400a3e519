//! DUMP, RESTORE and DEBUG RELOAD, here and between this server and a real one.

#[path = "../common/mod.rs"]
mod common;
mod damage;
mod exchange;
mod old;

use std::time::Duration;

use common::TestServer;
use common::every_type::{KEYS, commands};
use redis::{Connection, FromRedisValue, Value, cmd};
use sockudo_kv::value::crc64::crc64;

fn command(words: &[&[u8]]) -> redis::Cmd {
    let mut command = cmd(std::str::from_utf8(words[0]).expect("a name"));
    words[1..].iter().for_each(|word| _ = command.arg(*word));
    command
}

fn try_ask<T: FromRedisValue>(c: &mut Connection, words: &[&[u8]]) -> Result<T, String> {
    command(words).query(c).map_err(|error| error.to_string())
}

#[track_caller]
fn ask<T: FromRedisValue>(c: &mut Connection, words: &[&[u8]]) -> T {
    try_ask(c, words).unwrap_or_else(|error| panic!("{error}: {}", words[0].escape_ascii()))
}

#[track_caller]
fn line<T: FromRedisValue>(c: &mut Connection, line: &str) -> T {
    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    ask(c, &words)
}

/// A serialized value with a footer of its own.
fn sealed(body: &[u8], version: u16) -> Vec<u8> {
    let mut bytes = [body, &version.to_le_bytes()].concat();
    bytes.extend_from_slice(&crc64(0, &bytes).to_le_bytes());
    bytes
}

fn body(payload: &[u8]) -> &[u8] {
    &payload[..payload.len() - 10]
}

fn dump(c: &mut Connection, key: &str) -> Vec<u8> {
    ask(c, &[b"DUMP", key.as_bytes()])
}

fn restore(c: &mut Connection, key: &str, payload: &[u8]) -> Result<(), String> {
    try_ask(c, &[b"RESTORE", key.as_bytes(), b"0", payload, b"REPLACE"])
}

fn digest(c: &mut Connection, key: &str) -> String {
    ask::<Vec<String>>(c, &[b"DEBUG", b"DIGEST-VALUE", key.as_bytes()]).remove(0)
}

fn encoding(c: &mut Connection, key: &str) -> String {
    ask(c, &[b"OBJECT", b"ENCODING", key.as_bytes()])
}

fn start() -> TestServer {
    TestServer::with(&["--threads", "2", "--enable-debug-command", "yes"])
}

/// Makes keys of every type and encoding; their names.
fn fill(c: &mut Connection) -> Vec<&'static str> {
    commands().iter().for_each(|text| _ = line::<Value>(c, text));
    for at in 1..1000 {
        let text = format!("XADD stream-large {at}-1 field:{} {at} b {}", at % 3, "x".repeat(at % 50));
        let _: Value = line(c, &text);
    }
    KEYS.to_vec()
}

/// Everything about a stream that does not move with the time.
fn stream_facts(c: &mut Connection, key: &str) -> Vec<Value> {
    let mut facts = vec![line(c, &format!("XRANGE {key} - +"))];
    for group in line::<Vec<Vec<(String, Value)>>>(c, &format!("XINFO GROUPS {key}")) {
        let Some((_, Value::BulkString(name))) = group.first() else { panic!("{group:?}") };
        let name = String::from_utf8_lossy(name).into_owned();
        facts.extend(group.into_iter().map(|(_, fact)| fact));
        facts.push(line(c, &format!("XPENDING {key} {name}")));
    }
    facts
}

#[test]
fn reload_keeps_everything() {
    let server = start();
    let mut c = server.client();
    let mut keys = fill(&mut c);
    for text in [
        "PEXPIREAT list-small 4102444800000",
        "PEXPIREAT set-large 4102444800001",
        "HSET hash-timed a 1 b 2",
        "HPEXPIREAT hash-timed 4102444800000 FIELDS 1 a",
        "HPEXPIREAT hash-large 4102444800000 FIELDS 1 field:7",
        "HPEXPIREAT hash-large 4102444800005 FIELDS 1 field:8",
        // One entry is pending and nobody's.
        "XNACK stream workers SILENT IDS 1 1-1",
    ] {
        let _: Value = line(&mut c, text);
    }
    keys.push("hash-timed");
    let facts = |c: &mut Connection| -> Vec<(String, String, i64)> {
        let fact = |key: &&str| (digest(c, key), encoding(c, key), ask(c, &[b"PEXPIRETIME", key.as_bytes()]));
        keys.iter().map(fact).collect()
    };
    let before = facts(&mut c);
    let (digest_before, stream): (String, _) = (line(&mut c, "DEBUG DIGEST"), stream_facts(&mut c, "stream"));
    assert_eq!(line::<String>(&mut c, "DEBUG RELOAD"), "OK");
    assert_eq!(facts(&mut c), before);
    assert_eq!(line::<String>(&mut c, "DEBUG DIGEST"), digest_before);
    assert_eq!(stream_facts(&mut c, "stream"), stream);
    let times: Vec<i64> = line(&mut c, "HPEXPIRETIME hash-large FIELDS 3 field:7 field:8 field:9");
    assert_eq!(times, [4_102_444_800_000, 4_102_444_800_005, -1]);
    let times: Vec<i64> = line(&mut c, "HPEXPIRETIME hash-timed FIELDS 2 a b");
    assert_eq!(times, [4_102_444_800_000, -1]);
}

#[test]
fn options_of_restore_and_its_errors() {
    let server = start();
    let mut c = server.client();
    let payload = sealed(b"\x00\x03abc", 11);
    let mut check = |words: &[&str], outcome: &str| {
        let mut all: Vec<&[u8]> = vec![b"RESTORE", b"k"];
        all.extend(words.iter().map(|word| if *word == "P" { &payload[..] } else { word.as_bytes() }));
        match try_ask::<String>(&mut c, &all) {
            Ok(text) => assert_eq!(text, outcome, "{words:?}"),
            Err(error) => assert!(error.contains(outcome), "{words:?}: {error}"),
        }
        line::<i64>(&mut c, "PTTL k")
    };
    assert_eq!(check(&["0", "P"], "OK"), -1);
    check(&["0", "P"], "Target key name already exists.");
    check(&["x", "nonsense"], "Target key name already exists.");
    check(&["x", "P", "REPLACE"], "value is not an integer or out of range");
    check(&["-1", "P", "REPLACE"], "Invalid TTL value, must be >= 0");
    check(&["0", "P", "REPLACE", "IDLETIME", "-1"], "Invalid IDLETIME value, must be >= 0");
    check(&["0", "P", "REPLACE", "FREQ", "-1"], "Invalid FREQ value, must be >= 0 and <= 255");
    check(&["0", "P", "REPLACE", "FREQ", "256"], "Invalid FREQ value, must be >= 0 and <= 255");
    check(&["0", "P", "REPLACE", "FREQ", "x"], "value is not an integer or out of range");
    check(&["0", "P", "REPLACE", "FREQ"], "syntax error");
    check(&["0", "P", "REPLACE", "FREQ", "1", "IDLETIME", "1"], "syntax error");
    check(&["0", "P", "REPLACE", "IDLETIME", "1", "FREQ", "1"], "syntax error");
    check(&["0", "P", "REPLACE", "NONSENSE"], "syntax error");
    assert_eq!(check(&["0", "P", "REPLACE", "FREQ", "255"], "OK"), -1);
    let ttl = check(&["100000", "P", "REPLACE"], "OK");
    assert!((90_000..=100_000).contains(&ttl), "{ttl}");
    assert!(check(&["4102444800000", "P", "replace", "absttl"], "OK") > 1_000_000_000);
    assert!(check(&["9223372036854775807", "P", "REPLACE"], "OK") > 1_000_000_000);
    assert_eq!(check(&["1000", "P", "REPLACE", "ABSTTL"], "OK"), -2);
    assert_eq!(check(&["0", "P", "IDLETIME", "1000"], "OK"), -1);
    let idle: i64 = line(&mut c, "OBJECT IDLETIME k");
    assert!((1000..1010).contains(&idle), "{idle}");
    assert_eq!(ask::<Option<Vec<u8>>>(&mut c, &[b"DUMP", b"nokey"]), None);
}

#[test]
fn restore_tells_subscribers_and_waiters() {
    let server = start();
    let (mut c, mut subscriber, mut waiter) = (server.client(), server.raw(), server.raw());
    let _: Value = line(&mut c, "CONFIG SET notify-keyspace-events KA");
    subscriber
        .check("SUBSCRIBE __keyspace@0__:k", "*3\r\n$9\r\nsubscribe\r\n$16\r\n__keyspace@0__:k\r\n:1\r\n");
    restore(&mut c, "k", &sealed(b"\x00\x03abc", 11)).expect("it is whole");
    subscriber.expect("*3\r\n$7\r\nmessage\r\n$16\r\n__keyspace@0__:k\r\n$7\r\nrestore\r\n");
    let gone: String =
        ask(&mut c, &[b"RESTORE", b"k", b"1", &sealed(b"\x00\x03abc", 11), b"REPLACE", b"ABSTTL"]);
    assert_eq!(gone, "OK");
    subscriber.expect("*3\r\n$7\r\nmessage\r\n$16\r\n__keyspace@0__:k\r\n$3\r\ndel\r\n");
    waiter.command(&["BLPOP", "list", "0"]);
    std::thread::sleep(Duration::from_millis(100));
    restore(&mut c, "list", &sealed(b"\x01\x01\x01a", 11)).expect("it is whole");
    waiter.expect("*2\r\n$4\r\nlist\r\n$1\r\na\r\n");
}
