//! Values that are damaged, with a sum that is right.

use redis::{Connection, ConnectionLike, Value};

use crate::old::{in_string, listpack, old_payloads, ziplist};
use crate::{ask, body, common, dump, line, restore, sealed, start};

const BAD: &str = "Bad data format";
const FOOTER: &str = "DUMP payload version or checksum are wrong";

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

/// Damages two to five bytes, a few hundred times, always the same ones.
fn several_bytes(c: &mut Connection, traffic: &[u8], body: &[u8]) {
    let mut state = 1u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for _ in 0..300 {
        let mut damaged = body.to_vec();
        for _ in 0..2 + random(4) {
            damaged[random(body.len())] = random(256) as u8;
        }
        use_it(c, traffic, &damaged);
    }
}

#[test]
fn no_damage_does_harm() {
    let server = start();
    let mut c = server.client();
    let words = |text: &&str| common::encode(&text.split(' ').collect::<Vec<_>>());
    let traffic: Vec<u8> = TRAFFIC.iter().flat_map(words).collect();
    let mut accepted = 0;
    let payloads = small_payloads(&mut c);
    for payload in &payloads {
        let body = body(payload);
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
    for payload in &payloads {
        several_bytes(&mut c, &traffic, body(payload));
    }
    assert_eq!(line::<String>(&mut c, "PING"), "PONG");
}

/// A stream of one listpack, whose entries share a name of `length` bytes and have values of none.
fn stream_of_one_name(length: u16, entries: u16) -> Vec<u8> {
    /// An integer in two bytes, and the length of that behind it.
    fn int(int: u16) -> [u8; 4] {
        let [low, high] = int.to_le_bytes();
        [0xf1, low, high, 3]
    }
    let head = [&int(entries)[..], b"\x00\x01\x01\x01\xf0", &u32::from(length).to_le_bytes()].concat();
    let mut pack = [&[0; 6][..], &head, &vec![b'n'; length.into()]].concat();
    let behind = u32::from(length) + 5;
    pack.extend([behind >> 14, behind >> 7 & 0x7f | 0x80, behind & 0x7f | 0x80].map(|byte| byte as u8));
    pack.extend(b"\x00\x01");
    for at in 0..entries {
        pack.extend([&b"\x02\x01\x00\x01"[..], &int(at), b"\x80\x01\x04\x01"].concat());
    }
    pack.push(0xff);
    let size = pack.len() as u32;
    pack[..4].copy_from_slice(&size.to_le_bytes());
    pack[4..6].copy_from_slice(&u16::MAX.to_le_bytes());
    let number = |number: u32| [&b"\x80"[..], &number.to_be_bytes()].concat();
    let (size, len, last) = (number(size), number(entries.into()), number(u32::from(entries) - 1));
    // The listpack's id is 1-0, and there are no groups.
    let id = b"\x0f\x01\x10\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0";
    sealed(&[&id[..], &size, &pack, &len, b"\x01", &last, b"\x00"].concat(), 10)
}

/// Names that are stored once must not be stored with every entry.
#[test]
fn shared_names_stay_shared() {
    let server = start();
    let mut c = server.client();
    let payload = stream_of_one_name(20_000, 20_000);
    let before = server.resident();
    restore(&mut c, "k", &payload).expect("it is whole");
    assert_eq!(line::<usize>(&mut c, "XLEN k"), 20_000);
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 40 << 20, "{} bytes became {grown}", payload.len());
}
