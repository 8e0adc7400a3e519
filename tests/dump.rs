//! DUMP, RESTORE and DEBUG RELOAD, here and between this server and a real one.

mod common;

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::TestServer;
use redis::{Connection, ConnectionLike, FromRedisValue, Value, cmd};
use sockudo_kv::value::crc64::crc64;

const BAD: &str = "Bad data format";
const FOOTER: &str = "DUMP payload version or checksum are wrong";

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
            .args(["--enable-debug-command", "yes"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = child else {
            println!("redis-server is not installed: nothing to exchange values with");
            return None;
        };
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

/// `count` words behind `head`, each made by `word`.
fn many(head: &str, count: usize, word: impl Fn(usize) -> String) -> String {
    let words: Vec<String> = (0..count).map(word).collect();
    format!("{head} {}", words.join(" "))
}

/// Makes keys of every type and encoding; their names.
fn fill(c: &mut Connection) -> Vec<&'static str> {
    let long = "x".repeat(3000);
    let commands = [
        "SET empty-ish a".to_owned(),
        "SET int8 -100".to_owned(),
        "SET int16 -30000".to_owned(),
        "SET int32 2147483647".to_owned(),
        "SET int64 9223372036854775807".to_owned(),
        "SET not-int 007".to_owned(),
        format!("SET compressible {long}"),
        many("SET incompressible", 1, |_| {
            (0..90u32).map(|at| char::from((33 + at * 7 % 90) as u8)).collect()
        }),
        "RPUSH list-small a 1 -1 300 70000 10000000 5000000000".to_owned(),
        many("RPUSH list-large", 3000, |at| format!("element:{at}")),
        format!("RPUSH list-huge a {} b {} c", "y".repeat(20_000), "z".repeat(70_000)),
        "SADD set-16 1 2 -3".to_owned(),
        "SADD set-32 1 2 -70000".to_owned(),
        "SADD set-64 1 2 5000000000".to_owned(),
        "SADD set-text a b c".to_owned(),
        many("SADD set-large", 1000, |at| format!("member:{at}")),
        "ZADD zset-small 1 a 2.5 b -0.1 c inf d -inf e 1e300 f 12345678901234567890 g".to_owned(),
        many("ZADD zset-large", 500, |at| format!("{}.5 member:{at}", at * 7 % 100)),
        "HSET hash-small a 1 b 2 c text".to_owned(),
        many("HSET hash-large", 500, |at| format!("field:{at} {at}")),
        format!("HSET hash-long field {long}"),
        "PFADD sketch a b c".to_owned(),
        "XADD stream 1-1 a b".to_owned(),
        "XADD stream 1-2 a c".to_owned(),
        "XADD stream 5-3 other 1 names 2".to_owned(),
        "XADD stream 7-0 a d".to_owned(),
        "XDEL stream 1-2".to_owned(),
        "XGROUP CREATE stream workers 0".to_owned(),
        "XGROUP CREATE stream idle $".to_owned(),
        "XREADGROUP GROUP workers alice COUNT 2 STREAMS stream >".to_owned(),
        "XREADGROUP GROUP workers bob COUNT 1 STREAMS stream >".to_owned(),
        "XGROUP CREATE no-entries group 0 MKSTREAM".to_owned(),
    ];
    commands.iter().for_each(|text| _ = line::<Value>(c, text));
    for at in 1..1000 {
        let text = format!("XADD stream-large {at}-1 field:{} {at} b {}", at % 3, "x".repeat(at % 50));
        let _: Value = line(c, &text);
    }
    [
        "empty-ish",
        "int8",
        "int16",
        "int32",
        "int64",
        "not-int",
        "compressible",
        "incompressible",
        "list-small",
        "list-large",
        "list-huge",
        "set-16",
        "set-32",
        "set-64",
        "set-text",
        "set-large",
        "zset-small",
        "zset-large",
        "hash-small",
        "hash-large",
        "hash-long",
        "sketch",
        "stream",
        "no-entries",
        "stream-large",
    ]
    .to_vec()
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
fn values_of_redis_come_here_and_ours_go_there() {
    let Some(redis) = Redis::start() else { return };
    let server = start();
    let (mut ours, mut theirs) = (server.client(), redis.client());
    for key in fill(&mut theirs) {
        let payload = dump(&mut theirs, key);
        restore(&mut ours, key, &payload).unwrap_or_else(|error| panic!("{key}: {error}"));
        let wanted = digest(&mut theirs, key);
        assert_eq!(digest(&mut ours, key), wanted, "{key}");
        let own = dump(&mut ours, key);
        assert_eq!(own[own.len() - 10..own.len() - 8], [11, 0]);
        restore(&mut ours, "again", &own).unwrap_or_else(|error| panic!("{key}: {error}"));
        assert_eq!(digest(&mut ours, "again"), wanted, "{key}");
        assert_eq!(encoding(&mut ours, "again"), encoding(&mut ours, key), "{key}");
        // Redis 7.0 knows version 10, and types up to 19.
        if own[0] <= 19 {
            restore(&mut theirs, "again", &sealed(body(&own), 10))
                .unwrap_or_else(|error| panic!("{key}: {error}"));
            assert_eq!(digest(&mut theirs, "again"), wanted, "{key}");
            assert_eq!(encoding(&mut theirs, "again"), encoding(&mut theirs, key), "{key}");
        }
    }
    for key in ["stream", "no-entries"] {
        assert_eq!(stream_facts(&mut ours, key), stream_facts(&mut theirs, key), "{key}");
    }
}

#[test]
fn types_that_old_versions_wrote_are_read() {
    let redis = Redis::start();
    let server = start();
    let (mut ours, mut theirs) = (server.client(), redis.as_ref().map(Redis::client));
    for (payload, reads) in old_payloads() {
        restore(&mut ours, "k", &payload)
            .unwrap_or_else(|error| panic!("{}: {error}", payload.escape_ascii()));
        let (ask_for, answer) = reads;
        assert_eq!(flat(line(&mut ours, ask_for)), answer, "{}", payload.escape_ascii());
        if let Some(theirs) = theirs.as_mut().filter(|_| payload[0] <= 19) {
            restore(theirs, "k", &payload).unwrap_or_else(|error| panic!("{ask_for}: {error}"));
            assert_eq!(digest(theirs, "k"), digest(&mut ours, "k"), "{}", payload.escape_ascii());
        }
    }
}

/// A reply as words.
fn flat(value: Value) -> String {
    match value {
        Value::Array(values) => values.into_iter().map(flat).collect::<Vec<_>>().join(" "),
        Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Value::Int(int) => int.to_string(),
        other => format!("{other:?}"),
    }
}

/// A ziplist of these entries without their lengths of the entry before.
fn ziplist(entries: &[&[u8]]) -> Vec<u8> {
    let (mut bytes, mut before, mut tail) = (vec![0; 10], 0, 10);
    for entry in entries {
        tail = bytes.len();
        bytes.push(before);
        bytes.extend_from_slice(entry);
        before = 1 + entry.len() as u8;
    }
    bytes.push(0xff);
    bytes[0] = bytes.len() as u8;
    bytes[4] = tail as u8;
    bytes[8] = entries.len() as u8;
    bytes
}

/// A listpack of texts and one-byte integers.
fn listpack(entries: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![0; 6];
    for entry in entries {
        bytes.push(0x80 | entry.len() as u8);
        bytes.extend_from_slice(entry);
        bytes.push(1 + entry.len() as u8);
    }
    bytes.push(0xff);
    bytes[0] = bytes.len() as u8;
    bytes[4] = entries.len() as u8;
    bytes
}

fn in_string(kind: &[u8], bytes: &[u8]) -> Vec<u8> {
    [kind, &[bytes.len() as u8], bytes].concat()
}

/// A payload, and what a command answers about it.
type Case = (Vec<u8>, (&'static str, &'static str));

fn old_payloads() -> Vec<Case> {
    let pairs = ziplist(&[b"\x01a", b"\xf2", b"\x01b", b"\xc0\x2c\x01"]);
    let scores = ziplist(&[b"\x01a", b"\xf2", b"\x01b", b"\x032.5"]);
    let stream = b"\x0f\x01\x10\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\x1d\x1d\0\0\0\x0a\0\x01\x01\0\x01\x01\x01\x81a\x02\0\
        \x01\x02\x01\0\x01\0\x01\x81b\x02\x04\x01\xff\x01\x01\x02\0";
    let deadlines = listpack(&[b"a", b"1", b"4102444800000", b"b", b"2", b"0"]);
    let early = [&b"\x16\x02\x00\x01a\x011\x81\0\0\x03\xbb\x2c\xc3\xd8\0"[..], b"\x01b\x012"].concat();
    let later = 4_102_444_800_000u64.to_le_bytes();
    let timed = [&b"\x18"[..], &later, b"\x02\x00\x01a\x011\x02\x01b\x012"].concat();
    let all = "HGETALL k";
    let cases: Vec<(Vec<u8>, (&'static str, &'static str))> = vec![
        (b"\x00\x03abc".to_vec(), ("GET k", "abc")),
        (b"\x00\xc1\x00\x80".to_vec(), ("GET k", "-32768")),
        (b"\x00\xc3\x05\x0a\x00a\xe0\x00\x00".to_vec(), ("GET k", "aaaaaaaaaa")),
        (b"\x00\x80\x00\x00\x00\x01x".to_vec(), ("GET k", "x")),
        (b"\x00\x81\0\0\0\0\0\0\0\x01x".to_vec(), ("GET k", "x")),
        (b"\x01\x03\x01a\xc0\x07\x01a".to_vec(), ("LRANGE k 0 -1", "a 7 a")),
        (b"\x02\x02\xc0\x09\xc0\x07".to_vec(), ("SMEMBERS k", "7 9")),
        (
            b"\x03\x03\x01a\x031.5\x01b\xfe\x01c\xff".to_vec(),
            ("ZRANGE k 0 -1 WITHSCORES", "c -inf a 1.5 b inf"),
        ),
        (b"\x04\x02\x01a\x011\x01b\xc0\x02".to_vec(), (all, "a 1 b 2")),
        (b"\x05\x01\x01a\0\0\0\0\0\0\xf8\x3f".to_vec(), ("ZRANGE k 0 -1 WITHSCORES", "a 1.5")),
        (in_string(b"\x09", b"\x02\x01a\x01\x001\x01b\x01\x02200\xff"), (all, "a 1 b 2")),
        (in_string(b"\x0a", &pairs), ("LRANGE k 0 -1", "a 1 b 300")),
        (in_string(b"\x0b", b"\x02\0\0\0\x02\0\0\0\x07\0\x09\0"), ("SMEMBERS k", "7 9")),
        (in_string(b"\x0c", &scores), ("ZRANGE k 0 -1 WITHSCORES", "a 1 b 2.5")),
        (in_string(b"\x0d", &pairs), (all, "a 1 b 300")),
        (
            [&b"\x0e\x02"[..], &in_string(b"", &pairs), &in_string(b"", &scores)].concat(),
            ("LRANGE k 0 -1", "a 1 b 300 a 1 b 2.5"),
        ),
        (stream.to_vec(), ("XRANGE k - +", "1-2 a b")),
        (in_string(b"\x10", &listpack(&[b"a", b"1"])), (all, "a 1")),
        (in_string(b"\x11", &listpack(&[b"a", b"1.5"])), ("ZRANGE k 0 -1 WITHSCORES", "a 1.5")),
        (
            [&b"\x12\x02\x01\x03abc\x02"[..], &in_string(b"", &listpack(&[b"d", b"e"]))].concat(),
            ("LRANGE k 0 -1", "abc d e"),
        ),
        (in_string(b"\x14", &listpack(&[b"b", b"a"])), ("SMEMBERS k", "b a")),
        (early, ("HPEXPIRETIME k FIELDS 2 a b", "-1 4102444800000")),
        (in_string(b"\x17", &deadlines), ("HPEXPIRETIME k FIELDS 2 a b", "4102444800000 -1")),
        (timed, ("HPEXPIRETIME k FIELDS 2 a b", "-1 4102444800001")),
        (
            [&b"\x19"[..], &later, &in_string(b"", &deadlines)].concat(),
            ("HPEXPIRETIME k FIELDS 2 a b", "4102444800000 -1"),
        ),
    ];
    cases
        .into_iter()
        .map(|(body, reads)| (sealed(&body, if body[0] > 21 { 13 } else { 10 }), reads))
        .collect()
}

#[test]
fn what_is_not_whole_is_refused() {
    let server = start();
    let mut c = server.client();
    let (text, pair) = (|text: &[u8]| in_string(b"", text), listpack(&[b"a", b"1"]));
    let bodies: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"\x00".to_vec(),
        b"\x00\x03ab".to_vec(),
        b"\x00\x03abcd".to_vec(),                             // more than the value
        b"\x06\x00".to_vec(),                                 // a module's value
        b"\x63\x00".to_vec(),                                 // an unknown type
        b"\x00\x81\x7f\xff\xff\xff\xff\xff\xff\xff".to_vec(), // a length beyond memory
        b"\x01\x81\x7f\xff\xff\xff\xff\xff\xff\xff".to_vec(), // a count beyond what is there
        b"\x00\xc3\x01\x81\0\0\0\x7f\xff\xff\xff\xff\x00".to_vec(), // compressed beyond belief
        b"\x01\x00".to_vec(),                                 // nothing in it
        b"\x02\x02\x01a\x01a".to_vec(),                       // a member twice
        b"\x04\x02\x01a\x011\x01a\x012".to_vec(),             // a field twice
        b"\x05\x01\x01a\0\0\0\0\0\0\xf8\x7f".to_vec(),        // a score that is no number
        b"\x03\x01\x01a\xfd".to_vec(),
        b"\x05\x02\x01a\0\0\0\0\0\0\xf8\x3f\x01a\0\0\0\0\0\0\xf0\x3f".to_vec(),
        in_string(b"\x0b", b"\x02\0\0\0\x02\0\0\0\x09\0\x07\0"), // not ascending
        in_string(b"\x0b", b"\x02\0\0\0\xff\xff\xff\xff\x09\0\x07\0"), // fewer than announced
        in_string(b"\x0b", b"\x03\0\0\0\x01\0\0\0\x09\0\x07\0"),
        in_string(b"\x10", &listpack(&[b"a", b"1", b"b"])), // a field without a value
        in_string(b"\x10", &listpack(&[b"a", b"1", b"a", b"2"])),
        in_string(b"\x11", &listpack(&[b"a", b"nan"])),
        in_string(b"\x11", &listpack(&[b"a", b"one"])),
        in_string(b"\x14", &listpack(&[b"a", b"a"])),
        in_string(b"\x14", &listpack(&[])),
        in_string(b"\x14", &pair[..pair.len() - 1]),
        [&b"\x12\x01\x03"[..], &text(&pair)].concat(), // a node of no kind
        in_string(b"\x0a", &ziplist(&[])),
        in_string(b"\x0d", &ziplist(&[b"\x01a"])),
    ];
    for body in bodies {
        let error = restore(&mut c, "k", &sealed(&body, 11)).expect_err("it is refused");
        assert!(error.contains(BAD), "{}: {error}", body.escape_ascii());
    }
    assert!(!ask::<bool>(&mut c, &[b"EXISTS", b"k"]));
}

#[test]
fn footers_are_checked() {
    let server = start();
    let mut c = server.client();
    let good = sealed(b"\x00\x03abc", 13);
    restore(&mut c, "k", &good).expect("version 13 is known");
    let mut wrong = good.clone();
    wrong[3] ^= 1;
    for payload in [&wrong, &sealed(b"\x00\x03abc", 14), &good[..9].to_vec(), &Vec::new()] {
        let error = restore(&mut c, "k", payload).expect_err("it is refused");
        assert!(error.contains(FOOTER), "{error}");
    }
}

#[test]
fn an_entry_is_pending_for_one_consumer() {
    let server = start();
    let mut c = server.client();
    for text in [
        "XADD s 1-1 a b",
        "XGROUP CREATE s g 0",
        "XREADGROUP GROUP g alice STREAMS s >",
        "XGROUP CREATECONSUMER s g bob",
    ] {
        let _: Value = line(&mut c, text);
    }
    let payload = dump(&mut c, "s");
    restore(&mut c, "s", &payload).expect("it is whole");
    // Bob, who comes last, has nothing pending: a zero. Now he has what Alice has.
    let (id, body) = ([0, 0, 0, 0, 0, 0, 0, 1].repeat(2), body(&payload));
    let shared = [&body[..body.len() - 1], b"\x01", &id].concat();
    let error = restore(&mut c, "s", &sealed(&shared, 11)).expect_err("it is refused");
    assert!(error.contains(BAD), "{error}");
    // The last byte but Bob's, of Alice: without her entry nobody has it.
    let error = restore(&mut c, "s", &sealed(&body[..body.len() - 1], 11)).expect_err("it is refused");
    assert!(error.contains(BAD), "{error}");
}

/// What clients do to a key of any type; most of it fails, as the key has one type.
const TRAFFIC: &[&str] = &[
    "TYPE k",
    "OBJECT ENCODING k",
    "MEMORY USAGE k",
    "GET k",
    "STRLEN k",
    "APPEND k x",
    "SETRANGE k 10 y",
    "PFADD k a",
    "PFCOUNT k",
    "LRANGE k 0 -1",
    "LLEN k",
    "LINDEX k -1",
    "RPUSH k a 1",
    "LSET k 0 b",
    "LREM k 0 a",
    "LPOP k",
    "RPOP k 2",
    "LTRIM k 1 -2",
    "SMEMBERS k",
    "SISMEMBER k a",
    "SRANDMEMBER k 3",
    "SADD k a 1 x",
    "SREM k a",
    "SPOP k",
    "SSCAN k 0",
    "ZRANGE k 0 -1 WITHSCORES",
    "ZRANK k a",
    "ZSCORE k b",
    "ZCOUNT k -inf +inf",
    "ZADD k 3 a 4 x",
    "ZINCRBY k 1 a",
    "ZPOPMIN k",
    "ZREM k a",
    "ZREMRANGEBYRANK k 0 0",
    "HGETALL k",
    "HGET k a",
    "HLEN k",
    "HRANDFIELD k 2 WITHVALUES",
    "HSET k a 1 x 2",
    "HPTTL k FIELDS 1 a",
    "HPERSIST k FIELDS 1 a",
    "HEXPIRE k 100 FIELDS 1 a",
    "HDEL k a",
    "HSCAN k 0",
    "XLEN k",
    "XRANGE k - +",
    "XREVRANGE k + -",
    "XINFO STREAM k FULL COUNT 0",
    "XINFO GROUPS k",
    "XPENDING k g",
    "XPENDING k g - + 10",
    "XADD k * a b",
    "XREADGROUP GROUP g alice COUNT 5 STREAMS k >",
    "XREADGROUP GROUP g alice COUNT 5 STREAMS k 0",
    "XAUTOCLAIM k g bob 0 0",
    "XCLAIM k g bob 0 1-1",
    "XACK k g 1-1",
    "XDEL k 1-1",
    "XTRIM k MAXLEN 1",
    "XGROUP DELCONSUMER k g alice",
    "XGROUP DESTROY k g",
    "COPY k l REPLACE",
    "DUMP k",
    "SORT k ALPHA",
    "DEBUG DIGEST-VALUE k",
    "DEL k l",
];

/// Payloads of all types in their small forms, and of some in the large one.
fn small_payloads(c: &mut Connection) -> Vec<Vec<u8>> {
    for text in [
        "CONFIG SET set-max-listpack-entries 2 hash-max-listpack-entries 2 zset-max-listpack-entries 2",
        "SET string some-text-that-is-compressed-aaaaaaaaaaaaaaaaaaaaa",
        "RPUSH list a 1 70000 b",
        "SADD set a 1 b",
        "ZADD zset 1 a 2.5 b 3 c",
        "HSET hash a 1 b 2 c 3",
        "HSET deadlines a 1 b 2 c 3",
        "HPEXPIREAT deadlines 4102444800000 FIELDS 1 a",
        "XADD stream 1-1 a b",
        "XADD stream 1-2 c d",
        "XGROUP CREATE stream g 0",
        "XREADGROUP GROUP g alice COUNT 1 STREAMS stream >",
        "XREADGROUP GROUP g bob COUNT 1 STREAMS stream >",
    ] {
        let _: Value = line(c, text);
    }
    let names = ["string", "list", "set", "zset", "hash", "deadlines", "stream"];
    let mut payloads: Vec<Vec<u8>> = names.iter().map(|name| dump(c, name)).collect();
    payloads.extend(old_payloads().into_iter().map(|(payload, _)| payload));
    payloads
}

/// Restores a body and does to it what clients do. A command that panics would end the connection.
fn use_it(c: &mut Connection, traffic: &[u8], body: &[u8]) -> bool {
    match restore(c, "k", &sealed(body, 11)) {
        Ok(()) => {}
        Err(error) => {
            assert!(error.contains(BAD), "{}: {error}", body.escape_ascii());
            return false;
        }
    }
    let replies = c.req_packed_commands(traffic, 0, TRAFFIC.len());
    let replies = replies.unwrap_or_else(|error| panic!("{error} after {}", body.escape_ascii()));
    assert_eq!(replies.len(), TRAFFIC.len());
    true
}

#[test]
fn no_damage_of_one_byte_does_harm() {
    let server = start();
    let mut c = server.client();
    let words = |text: &&str| common::encode(&text.split(' ').collect::<Vec<_>>());
    let traffic: Vec<u8> = TRAFFIC.iter().flat_map(words).collect();
    let mut accepted = 0;
    for payload in small_payloads(&mut c) {
        let body = body(&payload);
        assert!(use_it(&mut c, &traffic, body), "{}", body.escape_ascii());
        for at in 0..body.len() {
            assert!(!use_it(&mut c, &traffic, &body[..at]), "cut at {at}: {}", body.escape_ascii());
            for mask in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
                let mut damaged = body.to_vec();
                damaged[at] ^= mask;
                accepted += usize::from(use_it(&mut c, &traffic, &damaged));
            }
        }
    }
    assert!(accepted > 100, "{accepted}");
    assert_eq!(line::<String>(&mut c, "PING"), "PONG");
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
