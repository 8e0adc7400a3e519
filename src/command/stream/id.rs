//! Ids as arguments and in replies.

use std::ops::RangeInclusive;

use super::Refusal;
use crate::protocol::args::parse_u64_loose;
use crate::protocol::reply::Reply;
use crate::value::stream::Id;

const INVALID: &str = "ERR Invalid stream ID specified as stream command argument";
const NO_START: &str = "ERR invalid start ID for the interval";
const NO_END: &str = "ERR invalid end ID for the interval";

/// Letters of an id at most: Redis copies it to a buffer of this size.
const LONGEST: usize = 127;

/// What XADD was told about the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// `*`: time and number are the server's affair.
    Any,
    /// `ms-*`: the number is.
    AnyIn(u64),
    /// This one.
    Exactly(Id),
}

/// The number of an id, as lenient as Redis: C's `strtoull` reads what is no canonical integer.
fn part(text: &[u8]) -> Option<u64> {
    parse_u64_loose(text)
}

/// Milliseconds, and the number if there is one.
fn parts(text: &[u8]) -> Option<(u64, Option<&[u8]>)> {
    if text.len() > LONGEST {
        return None;
    }
    // Redis reads it as C's text, which a zero byte ends.
    let text = &text[..text.iter().position(|&byte| byte == 0).unwrap_or(text.len())];
    match text.iter().position(|&byte| byte == b'-') {
        Some(at) => Some((part(&text[..at])?, Some(&text[at + 1..]))),
        None => Some((part(text)?, None)),
    }
}

/// An id with both its parts, or the first one alone and `seq` for the other. `-` and `+` are none.
pub(super) fn parse(text: &[u8], seq: u64) -> Result<Id, Refusal> {
    let read = || {
        let (ms, rest) = parts(text)?;
        Some(Id::new(ms, rest.map_or(Some(seq), part)?))
    };
    read().ok_or(INVALID.into())
}

/// The id of XADD.
pub(super) fn parse_wanted(text: &[u8]) -> Result<Wanted, Refusal> {
    match (text, parts(text)) {
        (b"*", _) => Ok(Wanted::Any),
        (_, Some((ms, Some(b"*")))) => Ok(Wanted::AnyIn(ms)),
        _ => parse(text, 0).map(Wanted::Exactly),
    }
}

/// Where an interval begins: an id, `-`, `+`, or `(` and an id that is left out itself.
pub(super) fn parse_start(text: &[u8]) -> Result<Id, Refusal> {
    match text {
        [b'(', id @ ..] => parse(id, 0)?.next().ok_or(NO_START.into()),
        _ => parse_bound(text, 0),
    }
}

/// Where an interval ends, as it may begin; an id without a number means the last one of its millisecond.
pub(super) fn parse_end(text: &[u8]) -> Result<Id, Refusal> {
    match text {
        [b'(', id @ ..] => parse(id, u64::MAX)?.previous().ok_or(NO_END.into()),
        _ => parse_bound(text, u64::MAX),
    }
}

fn parse_bound(text: &[u8], seq: u64) -> Result<Id, Refusal> {
    match text {
        b"-" => Ok(Id::MIN),
        b"+" => Ok(Id::MAX),
        _ => parse(text, seq),
    }
}

/// An interval; empty if it ends before it begins.
pub(super) fn parse_interval(start: &[u8], end: &[u8]) -> Result<RangeInclusive<Id>, Refusal> {
    Ok(parse_start(start)?..=parse_end(end)?)
}

/// Writes an id as a bulk string.
pub(super) fn reply_id(reply: &mut Reply<'_>, id: Id) {
    /// Room for two numbers of 20 digits.
    const ROOM: usize = 41;
    let mut text = [b'-'; ROOM];
    let mut buffer = itoa::Buffer::new();
    let ms = buffer.format(id.ms).as_bytes();
    text[..ms.len()].copy_from_slice(ms);
    let at = ms.len() + 1;
    let seq = buffer.format(id.seq).as_bytes();
    text[at..at + seq.len()].copy_from_slice(seq);
    let end = at + seq.len();
    reply.bulk(&text[..end]);
}
