//! The pieces of a file, in the order in which they are written.

use super::opcode;
use crate::rdb::save;
use crate::rdb::write::Writer;
use crate::value::crc64::{crc64, join};
use crate::value::word::{ExpireAt, NO_EXPIRY, View};

/// When a key was used, as far as the server's policy of eviction asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// It does not.
    Unknown,
    /// Seconds since.
    Idle(u64),
    /// How often, by a logarithmic counter.
    Frequency(u8),
}

/// A key.
#[derive(Clone, Copy)]
pub struct Key<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// What it holds.
    pub view: View<'a>,
    /// Its deadline.
    pub expire_at: ExpireAt,
    /// When it was used.
    pub usage: Usage,
}

/// The magic with a version.
pub fn magic(version: u16) -> [u8; super::MAGIC] {
    let mut magic = *b"REDIS0000";
    for (place, digit) in magic[5..].iter_mut().zip(format!("{version:04}").bytes()) {
        *place = digit;
    }
    magic
}

/// A fact about the file.
pub fn aux(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.push(opcode::AUX);
    let mut out = Writer::new(out, false);
    out.text(name.as_bytes());
    out.text(value);
}

/// A library of functions.
pub fn function(code: &[u8], compress: bool, out: &mut Vec<u8>) {
    out.push(opcode::FUNCTION);
    Writer::new(out, compress).text(code);
}

/// The keys that follow are in this database.
pub fn select(db: usize, out: &mut Vec<u8>) {
    out.push(opcode::SELECT);
    Writer::new(out, false).count(db);
}

/// There are about so many keys in the database, and so many of them have a deadline.
pub fn resize(keys: u64, with_deadline: u64, out: &mut Vec<u8>) {
    out.push(opcode::RESIZE);
    let mut out = Writer::new(out, false);
    out.number(keys);
    out.number(with_deadline);
}

/// A key; the version that reads it. None, and nothing is written, if its value has no form.
pub fn key(key: &Key<'_>, compress: bool, out: &mut Vec<u8>) -> Option<u16> {
    let begin = out.len();
    if key.expire_at != NO_EXPIRY {
        out.push(opcode::DEADLINE_MS);
        Writer::new(out, false).time(key.expire_at);
    }
    match key.usage {
        Usage::Unknown => {}
        Usage::Idle(seconds) => {
            out.push(opcode::IDLE);
            Writer::new(out, false).number(seconds);
        }
        Usage::Frequency(frequency) => out.extend_from_slice(&[opcode::FREQUENCY, frequency]),
    }
    let mut writer = Writer::of_key(out, compress, key.name);
    let written = save::value(key.view, &mut writer).map(|()| writer.version());
    if written.is_none() {
        out.truncate(begin);
    }
    written
}

/// The end, without the sum.
pub fn end(out: &mut Vec<u8>) {
    out.push(opcode::END);
}

/// The sum of a file of this version, of the sum and the length of what stands between magic and sum.
pub fn sum(version: u16, body: u64, length: u64) -> [u8; super::SUM] {
    join(crc64(0, &magic(version)), body, length).to_le_bytes()
}
