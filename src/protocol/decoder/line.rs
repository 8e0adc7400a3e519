//! Lines: the headers `*N` and `$N`, and inline requests.

use super::ProtocolError;
use crate::protocol::args::parse_i64;
use memchr::memchr;

/// A header line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The number it holds; none when that is not a number.
    pub(super) number: Option<i64>,
    /// Bytes of the line with its end.
    pub(super) len: usize,
}

const CRLF: u16 = u16::from_le_bytes(*b"\r\n");

/// Whether a CR LF stands at `at`.
#[inline(always)]
pub(super) fn is_end(bytes: &[u8], at: usize) -> bool {
    bytes.get(at..at + 2).is_some_and(|end| end == b"\r\n")
}

/// The number and length of a complete header of one to three digits, the usual kind. None for any other: it may
/// still be correct.
#[inline(always)]
pub(super) fn short(bytes: &[u8], at: usize, kind: u8) -> Option<(usize, usize)> {
    let word = u64::from_le_bytes(*bytes.get(at..at + 8)?.first_chunk()?);
    let digit = |index: u32| ((word >> (8 * index)) as u8).wrapping_sub(b'0');
    let ends_at = |index: u32| (word >> (8 * index)) as u16 == CRLF;
    let (first, second, third) = (digit(1), digit(2), digit(3));
    if word as u8 != kind || first > 9 {
        return None;
    }
    let first = usize::from(first);
    if ends_at(2) {
        return Some((first, 4));
    }
    // A leading zero is an error, for the general parser to name.
    if first == 0 || second > 9 {
        return None;
    }
    let two = first * 10 + usize::from(second);
    if ends_at(3) {
        return Some((two, 5));
    }
    (third <= 9 && ends_at(4)).then(|| (two * 10 + usize::from(third), 6))
}

/// The header at `at`; none when its line does not end yet. `scanned` remembers how far the line has been searched.
#[inline]
pub(super) fn header(
    bytes: &[u8],
    at: usize,
    kind: u8,
    max: usize,
    scanned: &mut usize,
) -> Result<Option<Header>, ProtocolError> {
    match short(bytes, at, kind) {
        Some((number, len)) => Ok(Some(Header { number: Some(number as i64), len })),
        None => any_header(bytes, at, kind, max, scanned),
    }
}

#[cold]
fn any_header(
    bytes: &[u8],
    at: usize,
    kind: u8,
    max: usize,
    scanned: &mut usize,
) -> Result<Option<Header>, ProtocolError> {
    let Some(len) = find(bytes, at, b'\r', max, scanned).map_err(|()| too_long(kind))? else {
        return Ok(None);
    };
    let Some(&after) = bytes.get(at + len + 1) else { return Ok(None) };
    let line = &bytes[at..at + len];
    // Only an argument's header can begin with the wrong byte: a command's chose its parser. An empty line begins
    // with its own end.
    match line.first() {
        Some(&got) if got == kind => {}
        got => return Err(ProtocolError::ExpectedDollar(got.copied().unwrap_or(b'\r'))),
    }
    // Redis skips whatever follows the CR; a line that does not end is taken for a wrong length here.
    let number = if after == b'\n' { parse_i64(&line[1..]) } else { None };
    Ok(Some(Header { number, len: len + 2 }))
}

fn too_long(kind: u8) -> ProtocolError {
    if kind == b'*' { ProtocolError::BigMultibulkCount } else { ProtocolError::BigBulkCount }
}

/// The length of the inline request at `at` before its line feed; none when it does not end yet. A CR before the line
/// feed counts, since it separates words like a space.
pub(super) fn inline(
    bytes: &[u8],
    at: usize,
    max: usize,
    scanned: &mut usize,
) -> Result<Option<usize>, ProtocolError> {
    find(bytes, at, b'\n', max, scanned).map_err(|()| ProtocolError::BigInline)
}

/// How far behind `at` the byte `end` stands; an error when that is more than `max` bytes, whether they have all
/// arrived at once or not.
fn find(bytes: &[u8], at: usize, end: u8, max: usize, scanned: &mut usize) -> Result<Option<usize>, ()> {
    let from = (*scanned).max(at);
    let found = memchr(end, &bytes[from..]).map(|index| from + index);
    *scanned = found.unwrap_or(bytes.len());
    if *scanned - at > max {
        return Err(());
    }
    Ok(found.map(|index| index - at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn short_headers_agree_with_the_general_parser(text in "[*$x][-+0-9]{0,4}\r?\n?[a-z]{8}") {
            let bytes = text.as_bytes();
            if let Some((number, len)) = short(bytes, 0, b'$') {
                let general = any_header(bytes, 0, b'$', 100, &mut 0);
                prop_assert_eq!(general, Ok(Some(Header { number: Some(number as i64), len })));
            }
        }
    }

    #[test]
    fn a_line_is_searched_once() {
        let mut scanned = 0;
        assert_eq!(find(b"abc", 0, b'\n', 9, &mut scanned), Ok(None));
        assert_eq!(scanned, 3);
        assert_eq!(find(b"abcd\n", 0, b'\n', 4, &mut scanned), Ok(Some(4)));
        assert_eq!(find(b"abcde\n", 0, b'\n', 4, &mut 0), Err(()));
    }
}
