use super::read::{Fact, Scanner, Summed, Wrong};
use super::write::{self, Key, Usage};
use super::*;
use crate::rdb::Limits;
use crate::value::crc64::crc64;
use crate::value::word::{NO_EXPIRY, OwnedWord};
use crate::value::{hash, list, set, stream, zset};

fn limits() -> Limits {
    Limits {
        list: list::Limits::new(-2, 0),
        hash: hash::Limits { entries: 128, value: 64 },
        set: set::Limits { ints: 512, entries: 128, value: 64 },
        zset: zset::Limits { entries: 128, value: 64 },
        stream: stream::Limits { bytes: 4096, entries: 100 },
    }
}

/// A file of one key, and what else it says.
fn file() -> Vec<u8> {
    let mut body = Vec::new();
    write::aux("redis-ver", b"7.2.0", &mut body);
    write::function(b"#!lua name=l\n", false, &mut body);
    write::select(3, &mut body);
    write::resize(1, 1, &mut body);
    let word = OwnedWord::from_text(b"some text", 77);
    // SAFETY: the word is the test's own.
    let view = unsafe { word.word().view() };
    let key = Key { name: b"name", view, expire_at: 77, usage: Usage::Idle(5) };
    assert_eq!(write::key(&key, true, &mut body), Some(10));
    write::end(&mut body);
    let sum = write::sum(10, crc64(0, &body), body.len() as u64);
    [&write::magic(10)[..], &body, &sum].concat()
}

/// Everything that a file says, with its keys decoded.
fn read(bytes: &[u8]) -> Result<(Vec<Fact>, usize), Wrong> {
    let mut scanner = Scanner::new(bytes, bytes.len() as u64, true)?;
    let (mut facts, mut keys) = (Vec::new(), 0);
    while let Some(chunk) = scanner.chunk()? {
        for raw in &chunk.keys {
            let opened = chunk.open(raw).map_err(|_| Wrong::Corrupt("a name"))?;
            opened.value(&limits(), raw.expire_at).map_err(|_| Wrong::Corrupt("a value"))?;
            keys += 1;
        }
        facts.extend(chunk.facts);
    }
    Ok((facts, keys))
}

#[test]
fn what_is_written_is_read() {
    let bytes = file();
    let mut scanner = Scanner::new(&bytes[..], bytes.len() as u64, true).expect("a file of ours");
    assert_eq!(scanner.version(), 10);
    let chunk = scanner.chunk().expect("it is whole").expect("it has something");
    let facts = [
        Fact::Aux(b"redis-ver".to_vec(), b"7.2.0".to_vec()),
        Fact::Function(b"#!lua name=l\n".to_vec()),
        Fact::Select(3),
        Fact::Resize(3, 1),
        Fact::End(Summed::Right),
    ];
    assert_eq!(chunk.facts, facts);
    let [raw] = &chunk.keys[..] else { panic!("one key") };
    assert_eq!((raw.db, raw.expire_at, raw.usage), (3, 77, Usage::Idle(5)));
    let opened = chunk.open(raw).expect("a key of ours");
    assert_eq!(&*opened.name, b"name");
    let loaded = opened.value(&limits(), NO_EXPIRY).expect("a value of ours").expect("it is not empty");
    // SAFETY: the word is the test's own.
    let view = unsafe { loaded.word.word().view() };
    assert!(matches!(view, crate::value::word::View::Raw(b"some text")), "{view:?}");
    assert!(scanner.chunk().expect("the end").is_none());
}

/// Row 11: every bit counts.
#[test]
fn flips_and_cuts_of_every_byte_are_noticed() {
    let bytes = file();
    assert!(read(&bytes).is_ok());
    for cut in 0..bytes.len() {
        assert!(read(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(read(&flipped).is_err(), "bit {bit}");
    }
}

#[test]
fn a_sum_of_zero_and_an_early_version_have_none() {
    let mut bytes = file();
    let end = bytes.len() - 8;
    bytes[end..].fill(0);
    assert_eq!(read(&bytes).expect("no sum").0.last(), Some(&Fact::End(Summed::None)));
    bytes[5..9].copy_from_slice(b"0004");
    assert!(read(&bytes[..end]).is_ok());
    bytes[5..9].copy_from_slice(b"0014");
    assert!(matches!(read(&bytes), Err(Wrong::Version(14))));
    bytes[..5].copy_from_slice(b"RUBIS");
    assert!(matches!(read(&bytes), Err(Wrong::Signature)));
}

/// A length that the file only claims allocates nothing, and is refused before anything is read for it.
#[test]
fn claims_beyond_the_file_are_refused() {
    let claim = [&b"REDIS0010\x00\x01k\x81\x00\x00\x00\x00\x1f\xff\xff\xff"[..], &[b'x'; 64]].concat();
    assert!(matches!(read(&claim), Err(Wrong::Short)));
    let elements = b"REDIS0010\x02\x01k\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01a";
    assert!(matches!(read(elements), Err(Wrong::Short)));
}

#[test]
fn values_of_modules_are_named() {
    // The id of a module called "ReJSON-RL", version 3.
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let letters =
        b"ReJSON-RL".iter().map(|letter| LETTERS.iter().position(|l| l == letter).expect("known") as u64);
    let id = letters.fold(0, |id, letter| id << 6 | letter) << 10 | 3;
    assert_eq!(module_name(id), "ReJSON-RL");
}
