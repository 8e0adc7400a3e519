//! Redis's serialization of values: what DUMP gives out, RESTORE takes in, and RDB files consist of.
//!
//! | file | holds |
//! |---|---|
//! | `write`, `read` | lengths, strings, numbers |
//! | `listpack` | the packed form of small collections and of pieces of large ones |
//! | `old` | the packed forms before listpacks: ziplist, zipmap; and intset |
//! | `save` | values to bytes |
//! | `load` | bytes to values |
//! | `stream` | the same for streams |
//! | `file` | whole files |
//! | `json` | the same for JSON documents |
//!
//! Written is version 11, that of Redis 7.2, in the types that it writes; a hash with deadlines of fields has a type of
//! 7.4, as there is no older one. Read is every type of values from 2.6 on, of those of modules RedisJSON's.
//!
//! Bytes that are read are not trusted, whatever their sum says: every length is compared with what is there before
//! anything is allocated for it, every structure is walked to its end, and members that must be different are.
//!
//! The format is that of Redis's `rdb.c`, `listpack.c`, `ziplist.c`, `zipmap.c` and `intset.c`.

pub mod file;
mod json;
mod listpack;
mod load;
mod old;
mod read;
mod save;
mod stream;
mod write;

use crate::value::collection::Any;
use crate::value::crc64::crc64;
use crate::value::word::{ExpireAt, OwnedWord, View};
use crate::value::{hash, list, set, stream as streams, zset};
use read::Reader;
use write::Writer;

/// The version of dumped values.
const VERSION: u16 = 11;
/// The version of files that need no later one: that of Redis 7.0.
pub const OLDEST_WRITTEN: u16 = 10;
/// The latest version that is read: the one of Redis 8.
const NEWEST_READ: u16 = 13;
/// Bytes behind a dumped value: the version and the sum.
const FOOTER: usize = 2 + 8;
/// The longest text that is read.
const MAX_TEXT: usize = list::MAX_ELEMENT;

/// The first byte of a value: what it is and how it is written.
mod kind {
    pub const STRING: u8 = 0;
    pub const LIST: u8 = 1;
    pub const SET: u8 = 2;
    pub const ZSET: u8 = 3;
    pub const HASH: u8 = 4;
    pub const ZSET_2: u8 = 5;
    /// A module's, with marks between its parts.
    pub const MODULE_2: u8 = 7;
    pub const HASH_ZIPMAP: u8 = 9;
    pub const LIST_ZIPLIST: u8 = 10;
    pub const SET_INTSET: u8 = 11;
    pub const ZSET_ZIPLIST: u8 = 12;
    pub const HASH_ZIPLIST: u8 = 13;
    pub const LIST_QUICKLIST: u8 = 14;
    pub const STREAM: u8 = 15;
    pub const HASH_LISTPACK: u8 = 16;
    pub const ZSET_LISTPACK: u8 = 17;
    pub const LIST_QUICKLIST_2: u8 = 18;
    pub const STREAM_2: u8 = 19;
    pub const SET_LISTPACK: u8 = 20;
    pub const STREAM_3: u8 = 21;
    /// With deadlines of fields; these two of release candidates only.
    pub const HASH_DEADLINES_EARLY: u8 = 22;
    pub const HASH_LISTPACK_DEADLINES_EARLY: u8 = 23;
    pub const HASH_DEADLINES: u8 = 24;
    pub const HASH_LISTPACK_DEADLINES: u8 = 25;
    /// Of a module, which alone can read it.
    pub const MODULE: u8 = 6;

    /// The version from which on everything is read that any file of ours needs.
    pub const FIRST_VERSION: u16 = super::OLDEST_WRITTEN;

    /// The first version that has the kind, of those that are written.
    pub fn version(kind: u8) -> u16 {
        match kind {
            HASH_DEADLINES_EARLY.. => 12,
            SET_LISTPACK | STREAM_3 => 11,
            _ => FIRST_VERSION,
        }
    }
}

/// The bytes are not what they claim to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

type Checked<T> = Result<T, Corrupt>;

/// Holds, or else the bytes are corrupt.
fn ensure(holds: bool) -> Checked<()> {
    if holds { Ok(()) } else { Err(Corrupt) }
}

/// Why a dumped value is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Its version is unknown, or its sum is not that of its bytes.
    Footer,
    /// The value is corrupt, or of an unknown type.
    Value,
}

/// Up to where values that are read are small.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of lists.
    pub list: list::Limits,
    /// Of hashes.
    pub hash: hash::Limits,
    /// Of sets.
    pub set: set::Limits,
    /// Of sorted sets.
    pub zset: zset::Limits,
    /// Of the blocks of streams.
    pub stream: streams::Limits,
}

/// A value that was read.
#[derive(Debug)]
pub enum Value {
    /// A string.
    Text(Vec<u8>),
    /// A collection.
    Collection(Any),
}

impl Value {
    /// Whether it is a collection that no key can hold, as nothing is in it.
    pub fn is_empty(&self) -> bool {
        matches!(self, Value::Collection(any) if any.is_empty())
    }

    /// The word that holds it with a deadline.
    pub fn into_word(self, expire_at: ExpireAt) -> OwnedWord {
        match self {
            Value::Text(text) => OwnedWord::from_text(&text, expire_at),
            Value::Collection(any) => any.into_word(expire_at),
        }
    }
}

/// A value as DUMP gives it out: type, value, version, sum. Long texts are compressed if `compress` says so and that
/// makes them shorter. None of what has no form here.
pub fn dump(view: View<'_>, compress: bool) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    save::value(view, &mut Writer::new(&mut bytes, compress))?;
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    let sum = crc64(0, &bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    Some(bytes)
}

/// The value that [`dump`] or Redis's DUMP gave out.
///
/// Without `summed` the sum is not looked at.
pub fn restore(payload: &[u8], limits: &Limits, summed: bool) -> Result<Value, Refused> {
    let body = check_footer(payload, summed).ok_or(Refused::Footer)?;
    let mut reader = Reader::new(body);
    let value = load::value(&mut reader, limits).map_err(|Corrupt| Refused::Value)?;
    if reader.is_at_end() && !value.is_empty() { Ok(value) } else { Err(Refused::Value) }
}

/// What stands before the footer, if the version is known and the sum, if `summed` says so, right.
fn check_footer(payload: &[u8], summed: bool) -> Option<&[u8]> {
    let (summed_bytes, sum) = payload.split_last_chunk::<8>()?;
    let (body, version) = summed_bytes.split_last_chunk::<{ FOOTER - 8 }>()?;
    let right = || crc64(0, summed_bytes) == u64::from_le_bytes(*sum);
    (u16::from_le_bytes(*version) <= NEWEST_READ && (!summed || right())).then_some(body)
}

/// Reads arbitrary bytes as a file whose sum nobody looks at, and as a dumped value. Whatever was read has to be written
/// and read again.
///
/// # Panics
/// When what was written cannot be read.
pub fn fuzz(data: &[u8]) {
    let limits = Limits {
        list: list::Limits::new(-2, 0),
        hash: hash::Limits { entries: 8, value: 16 },
        set: set::Limits { ints: 8, entries: 8, value: 16 },
        zset: zset::Limits { entries: 8, value: 16 },
        stream: streams::Limits { bytes: 256, entries: 10 },
    };
    let payload = [data, &VERSION.to_le_bytes(), &[0; 8]].concat();
    if let Ok(value) = restore(&payload, &limits, false) {
        let word = value.into_word(crate::value::word::NO_EXPIRY);
        // SAFETY: the word is this function's own.
        let again = dump(unsafe { word.word().view() }, true).expect("what was read has a form");
        assert!(restore(&again, &limits, true).is_ok(), "{}", again.escape_ascii());
    }
    let Ok(mut scanner) = file::read::Scanner::new(data, data.len() as u64, false) else { return };
    while let Ok(Some(chunk)) = scanner.chunk() {
        for raw in &chunk.keys {
            // Most of it is damaged, and must only be refused.
            let _ = chunk.open(raw).map(|opened| drop(opened.value(&limits, raw.expire_at)));
        }
    }
}
