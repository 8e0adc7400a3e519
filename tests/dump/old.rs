//! Values in the types that Redis wrote at one time or another.

use crate::sealed;

/// A ziplist of these entries without their lengths of the entry before.
pub fn ziplist(entries: &[&[u8]]) -> Vec<u8> {
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
pub fn listpack(entries: &[&[u8]]) -> Vec<u8> {
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

pub fn in_string(kind: &[u8], bytes: &[u8]) -> Vec<u8> {
    [kind, &[bytes.len() as u8], bytes].concat()
}

/// A payload, and what a command answers about it.
pub type Case = (Vec<u8>, (&'static str, &'static str));

pub fn old_payloads() -> Vec<Case> {
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
