//! Every byte of a small file with a key of every kind, damaged in several ways: no crash, and a clean error where the
//! damage shows. Row 11 of the faults.

use redis::Value;
use sockudo_kv::rdb::Limits;
use sockudo_kv::rdb::file::read::{Scanner, Wrong};
use sockudo_kv::value::crc64::crc64;
use sockudo_kv::value::{hash, list, set, stream, zset};

use crate::{Folder, line};

fn limits() -> Limits {
    Limits {
        list: list::Limits::new(-2, 0),
        hash: hash::Limits { entries: 8, value: 64 },
        set: set::Limits { ints: 8, entries: 8, value: 64 },
        zset: zset::Limits { entries: 8, value: 64 },
        stream: stream::Limits { bytes: 4096, entries: 100 },
    }
}

/// Reads all of a file; how many keys it has.
fn read(bytes: &[u8], summed: bool) -> Result<usize, Wrong> {
    let mut scanner = Scanner::new(bytes, bytes.len() as u64, summed)?;
    let mut keys = 0;
    while let Some(chunk) = scanner.chunk()? {
        for raw in &chunk.keys {
            let opened = chunk.open(raw).map_err(|_| Wrong::Corrupt("a name"))?;
            opened.value(&limits(), raw.expire_at).map_err(|_| Wrong::Corrupt("a value"))?;
            keys += 1;
        }
    }
    Ok(keys)
}

/// A file of this server.
fn file() -> Vec<u8> {
    let folder = Folder::new("sweep");
    let server = folder.start(&["--hash-max-listpack-entries", "4", "--set-max-listpack-entries", "4"]);
    let mut c = server.client();
    for text in [
        "SET int 12345",
        "SET text some-text-here EX 100000",
        "SET compressible aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "RPUSH list a b 1 2",
        "SADD ints 1 2 70000",
        "SADD small a b",
        "SADD large a b c d e f",
        "HSET small-hash a 1 b 2",
        "HSET large-hash a 1 b 2 c 3 d 4 e 5",
        "HSET timed a 1 b 2",
        "HPEXPIREAT timed 4102444800000 FIELDS 1 a",
        "HSET large-timed a 1 b 2 c 3 d 4 e 5",
        "HPEXPIREAT large-timed 4102444800000 FIELDS 1 a",
        "ZADD zset 1 a 2.5 b",
        "XADD stream 1-1 a b",
        "XADD stream 2-1 a c",
        "XGROUP CREATE stream g 0",
        "XREADGROUP GROUP g c COUNT 1 STREAMS stream >",
    ] {
        let _: Value = line(&mut c, text);
    }
    let _: Value = line(&mut c, "SAVE");
    std::fs::read(folder.file("dump.rdb")).expect("the file")
}

/// The file with the sum that its bytes have.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.len() - 8;
    let sum = crc64(0, &bytes[..end]);
    bytes[end..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

#[test]
fn row_11_every_byte_of_a_file() {
    let good = file();
    assert_eq!(read(&good, true).expect("it is whole"), 13);
    for cut in 0..good.len() {
        assert!(read(&good[..cut], true).is_err(), "cut at {cut}");
    }
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << bit;
            // The sum tells of every single bit; files of early versions have none.
            let is_early = bytes.starts_with(b"REDIS000");
            assert!(is_early || read(&bytes, true).is_err(), "byte {at}, bit {bit}");
            // With a sum that fits, or none that is looked at, damage may pass for data; nobody may fall over it.
            if at < good.len() - 8 {
                drop(read(&sealed(bytes.clone()), true));
            }
            drop(read(&bytes, false));
        }
        for value in [0x00, 0x3f, 0x7f, 0x80, 0x81, 0xc0, 0xc3, 0xff] {
            let mut bytes = good.clone();
            bytes[at] = value;
            drop(read(&bytes, false));
        }
    }
}

/// Bytes that go, come, or stand elsewhere.
#[test]
fn row_11_pieces_of_a_file() {
    let good = file();
    for at in 9..good.len() - 8 {
        for length in [1, 2, 8, 40] {
            let end = (at + length).min(good.len());
            let without = [&good[..at], &good[end..]].concat();
            drop(read(&without, false));
            let doubled = [&good[..end], &good[at..]].concat();
            drop(read(&doubled, false));
        }
    }
}
