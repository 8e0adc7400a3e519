//! Where a value ends, without reading it.

use crate::rdb::read::Reader;
use crate::rdb::{Checked, Corrupt, ensure, kind};

/// What the parts of a module's value are.
mod part {
    pub const END: u64 = 0;
    pub const SIGNED: u64 = 1;
    pub const UNSIGNED: u64 = 2;
    pub const FLOAT: u64 = 3;
    pub const DOUBLE: u64 = 4;
    pub const TEXT: u64 = 5;
}

/// Passes a value of this kind by.
pub fn value(reader: &mut Reader<'_>, kind: u8) -> Checked<()> {
    match kind {
        kind::STRING
        | kind::HASH_ZIPMAP
        | kind::LIST_ZIPLIST
        | kind::SET_INTSET
        | kind::ZSET_ZIPLIST
        | kind::HASH_ZIPLIST
        | kind::HASH_LISTPACK
        | kind::ZSET_LISTPACK
        | kind::SET_LISTPACK
        | kind::HASH_LISTPACK_DEADLINES_EARLY => reader.skip_text(),
        kind::LIST | kind::SET | kind::LIST_QUICKLIST => many(reader, |reader| reader.skip_text()),
        kind::LIST_QUICKLIST_2 => many(reader, |reader| {
            reader.number()?;
            reader.skip_text()
        }),
        kind::ZSET => many(reader, |reader| {
            reader.skip_text()?;
            score_in_digits(reader)
        }),
        kind::ZSET_2 => many(reader, |reader| {
            reader.skip_text()?;
            bytes(reader, 8)
        }),
        kind::HASH => many(reader, two_texts),
        kind::HASH_DEADLINES_EARLY => many(reader, field_with_deadline),
        kind::HASH_DEADLINES => {
            bytes(reader, 8)?;
            many(reader, field_with_deadline)
        }
        kind::HASH_LISTPACK_DEADLINES => {
            bytes(reader, 8)?;
            reader.skip_text()
        }
        kind::STREAM | kind::STREAM_2 | kind::STREAM_3 => stream(reader, kind),
        kind::MODULE_2 => {
            reader.number()?;
            module(reader)
        }
        _ => Err(Corrupt),
    }
}

fn bytes(reader: &mut Reader<'_>, count: usize) -> Checked<()> {
    reader.take(count).map(drop)
}

/// A count, and so many things. Each takes a byte at least, so a count that is too large ends with the bytes.
fn many(reader: &mut Reader<'_>, mut one: impl FnMut(&mut Reader<'_>) -> Checked<()>) -> Checked<()> {
    let count = reader.number()?;
    (0..count).try_for_each(|_| one(reader))
}

fn two_texts(reader: &mut Reader<'_>) -> Checked<()> {
    reader.skip_text()?;
    reader.skip_text()
}

fn field_with_deadline(reader: &mut Reader<'_>) -> Checked<()> {
    reader.number()?;
    two_texts(reader)
}

/// Digits behind their number, or one of three values above.
fn score_in_digits(reader: &mut Reader<'_>) -> Checked<()> {
    match reader.byte()? {
        253.. => Ok(()),
        length => bytes(reader, length.into()),
    }
}

fn numbers(reader: &mut Reader<'_>, count: usize) -> Checked<()> {
    (0..count).try_for_each(|_| reader.number().map(drop))
}

fn stream(reader: &mut Reader<'_>, kind: u8) -> Checked<()> {
    many(reader, two_texts)?;
    // Entries and the last id; since version 10 also the first, the last deleted, and how many were added.
    numbers(reader, if kind == kind::STREAM { 3 } else { 8 })?;
    many(reader, |reader| {
        reader.skip_text()?;
        numbers(reader, if kind == kind::STREAM { 2 } else { 3 })?;
        many(reader, |reader| {
            bytes(reader, 16 + 8)?;
            reader.number().map(drop)
        })?;
        many(reader, |reader| {
            reader.skip_text()?;
            bytes(reader, if kind == kind::STREAM_3 { 16 } else { 8 })?;
            many(reader, |reader| bytes(reader, 16))
        })
    })
}

/// Passes what a module wrote by, up to and with its end.
pub fn module(reader: &mut Reader<'_>) -> Checked<()> {
    loop {
        match reader.number()? {
            part::END => return Ok(()),
            part::SIGNED | part::UNSIGNED => _ = reader.number()?,
            part::FLOAT => bytes(reader, 4)?,
            part::DOUBLE => bytes(reader, 8)?,
            part::TEXT => reader.skip_text()?,
            _ => return Err(Corrupt),
        }
    }
}

/// The data of a module that is no key: which module, and when it was written.
pub fn module_aux(reader: &mut Reader<'_>) -> Checked<u64> {
    let id = reader.number()?;
    ensure(reader.number()? == part::UNSIGNED)?;
    reader.number()?;
    module(reader)?;
    Ok(id)
}
