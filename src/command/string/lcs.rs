//! LCS: the longest common subsequence of two strings.
//!
//! The usual table of lengths is built row by row and only two rows are kept. Walking back through it needs one bit
//! per cell, whether the longer rest lies above, so that is all that is stored: a thirty-second of the table. What is
//! refused as too large is nevertheless what Redis refuses, a full table of 32-bit lengths beyond
//! `proto-max-bulk-len`.

use std::ops::Range;

use super::text::{Digits, TextValue, WrongType, text_of};
use crate::command::{Ctx, error};
use crate::protocol::args::{Args, parse_i64, to_upper};
use crate::protocol::reply::Reply;

/// Bytes of a string from which its places do not fit the replies' 32 bits.
const TOO_LONG: usize = u32::MAX as usize - 1;
/// Bytes that Redis's table takes per cell.
const CELL_BYTES: usize = size_of::<u32>();
/// Letters of the longest option.
const LONGEST: usize = b"WITHMATCHLEN".len();

#[derive(Default)]
struct Options {
    len: bool,
    idx: bool,
    min_match: i64,
    with_match_len: bool,
}

/// A stretch that both strings have, by the places of its bytes.
struct Match {
    a: Range<usize>,
    b: Range<usize>,
}

/// What the table says: the length of the longest common subsequence and, if asked for, the way back.
struct Table {
    len: usize,
    above: Vec<u64>,
    /// Words of `above` per row.
    stride: usize,
}

pub(super) fn lcs(ctx: &mut Ctx<'_>) {
    let (a, b) = (ctx.space.read(ctx.key(1)), ctx.space.read(ctx.key(2)));
    let (a, b) = match (a.as_ref().map(text_of).transpose(), b.as_ref().map(text_of).transpose()) {
        (Ok(a), Ok(b)) => (a.unwrap_or(TextValue::Slice(b"")), b.unwrap_or(TextValue::Slice(b""))),
        (Err(WrongType), _) | (_, Err(WrongType)) => {
            return ctx.reply.error("ERR The specified keys must contain string values");
        }
    };
    let options = match Options::parse(ctx.args.slice_from(3)) {
        Ok(options) => options,
        Err(text) => return ctx.reply.error(text),
    };
    let (mut a_digits, mut b_digits) = (Digits::new(), Digits::new());
    let (a, b) = (a.bytes(&mut a_digits), b.bytes(&mut b_digits));
    let most = ctx.server.config.live().proto_max_bulk_len();
    match Table::build(a, b, most, options.idx || !options.len) {
        Ok(table) => answer(ctx.reply.reborrow(), &options, &table, a, b),
        Err(text) => ctx.reply.error(text),
    }
}

impl Options {
    fn parse(args: Args<'_>) -> Result<Options, &'static str> {
        let mut options = Options::default();
        let mut words = args.iter();
        while let Some(word) = words.next() {
            let mut room = [0; LONGEST];
            match (to_upper(word, &mut room), words.len()) {
                (Some(b"IDX"), _) => options.idx = true,
                (Some(b"LEN"), _) => options.len = true,
                (Some(b"WITHMATCHLEN"), _) => options.with_match_len = true,
                (Some(b"MINMATCHLEN"), 1..) => {
                    options.min_match = words.next().and_then(parse_i64).ok_or(error::NOT_AN_INTEGER)?;
                }
                _ => return Err(error::SYNTAX),
            }
        }
        if options.idx && options.len {
            return Err("ERR If you want both the length and indexes, please just use IDX.");
        }
        Ok(options)
    }
}

fn answer(mut reply: Reply<'_>, options: &Options, table: &Table, a: &[u8], b: &[u8]) {
    if options.idx {
        return reply_matches(reply, options, table.len, &table.matches(a, b));
    }
    if options.len {
        return reply.int(table.len as i64);
    }
    let mut text = Vec::with_capacity(table.len);
    for stretch in table.matches(a, b).into_iter().rev() {
        text.extend_from_slice(&a[stretch.a]);
    }
    reply.bulk_owned(text.into());
}

fn reply_matches(mut reply: Reply<'_>, options: &Options, len: usize, matches: &[Match]) {
    let shown = || matches.iter().filter(|stretch| stretch.a.len() as i64 >= options.min_match);
    reply.map(2);
    reply.bulk(b"matches");
    reply.array(shown().count());
    for stretch in shown() {
        reply.array(2 + usize::from(options.with_match_len));
        for places in [&stretch.a, &stretch.b] {
            reply.array(2);
            reply.int(places.start as i64);
            reply.int(places.end as i64 - 1);
        }
        if options.with_match_len {
            reply.int(stretch.a.len() as i64);
        }
    }
    reply.bulk(b"len");
    reply.int(len as i64);
}

impl Table {
    /// The table for `a` and `b`, with the way back if `walk`. `most` bounds Redis's table, in bytes.
    fn build(a: &[u8], b: &[u8], most: usize, walk: bool) -> Result<Table, &'static str> {
        if a.len().max(b.len()) >= TOO_LONG {
            return Err("ERR String too long for LCS");
        }
        let bytes = (a.len() + 1).checked_mul(b.len() + 1).and_then(|cells| cells.checked_mul(CELL_BYTES));
        if bytes.is_none_or(|bytes| bytes > most) {
            return Err("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
        }
        let stride = b.len().div_ceil(u64::BITS as usize);
        let words = if walk { a.len() * stride } else { 0 };
        let mut table = Table { len: 0, above: Vec::new(), stride };
        if table.above.try_reserve_exact(words).is_err() {
            return Err("ERR Insufficient memory, failed allocating transient memory for LCS");
        }
        table.above.resize(words, 0);
        table.fill(a, b);
        Ok(table)
    }

    /// Computes the lengths row by row: `row[j + 1]` is the answer for the bytes of `a` so far and `b[..=j]`.
    fn fill(&mut self, a: &[u8], b: &[u8]) {
        let mut row = vec![0u32; b.len() + 1];
        let mut unused = vec![0u64; self.stride];
        for (i, &byte) in a.iter().enumerate() {
            let bits = self.above.get_mut(i * self.stride..(i + 1) * self.stride).unwrap_or(&mut unused);
            let (mut diagonal, mut left) = (0, 0);
            for (j, &other) in b.iter().enumerate() {
                let above = row[j + 1];
                let longest = if byte == other { diagonal + 1 } else { above.max(left) };
                bits[j / 64] |= u64::from(above > left) << (j % 64);
                row[j + 1] = longest;
                (diagonal, left) = (above, longest);
            }
        }
        self.len = row[b.len()] as usize;
    }

    /// The stretches of one longest common subsequence, from the last to the first. Where two ways are as good, the
    /// one that gives up a byte of `b` is taken, as in Redis.
    fn matches(&self, a: &[u8], b: &[u8]) -> Vec<Match> {
        let mut matches: Vec<Match> = Vec::new();
        let (mut i, mut j) = (a.len(), b.len());
        while i > 0 && j > 0 {
            if a[i - 1] == b[j - 1] {
                match matches.last_mut().filter(|last| last.a.start == i && last.b.start == j) {
                    Some(last) => (last.a.start, last.b.start) = (i - 1, j - 1),
                    None => matches.push(Match { a: i - 1..i, b: j - 1..j }),
                }
                (i, j) = (i - 1, j - 1);
            } else if self.is_above(i - 1, j - 1) {
                i -= 1;
            } else {
                j -= 1;
            }
        }
        matches
    }

    fn is_above(&self, i: usize, j: usize) -> bool {
        self.above[i * self.stride + j / 64] >> (j % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::reply::Output;
    use bytes::Buf;
    use proptest::prelude::*;

    /// The length by definition: the longest of what remains after giving up the last byte of either.
    fn length(a: &[u8], b: &[u8]) -> usize {
        match (a, b) {
            ([a_rest @ .., x], [b_rest @ .., y]) if x == y => 1 + length(a_rest, b_rest),
            ([a_rest @ .., _], [b_rest @ .., _]) => length(a_rest, b).max(length(a, b_rest)),
            _ => 0,
        }
    }

    #[test]
    fn matches_are_a_map_in_resp3() {
        let mut output = Output::new();
        let options = Options { idx: true, with_match_len: true, ..Options::default() };
        let (a, b) = (b"xab", b"ab");
        let table = Table::build(a, b, usize::MAX, true).unwrap();
        answer(Reply::new(&mut output, true), &options, &table, a, b);
        let expected = concat!(
            "%2\r\n$7\r\nmatches\r\n*1\r\n*3\r\n*2\r\n:1\r\n:2\r\n",
            "*2\r\n:0\r\n:1\r\n:2\r\n$3\r\nlen\r\n:2\r\n"
        );
        assert_eq!(output.chunk().escape_ascii().to_string(), expected.as_bytes().escape_ascii().to_string());
    }

    proptest! {
        #[test]
        fn the_walk_is_a_common_subsequence_of_the_length(a in "[abc]{0,9}", b in "[abc]{0,9}") {
            let (a, b) = (a.as_bytes(), b.as_bytes());
            let table = Table::build(a, b, usize::MAX, true).unwrap();
            prop_assert_eq!(table.len, length(a, b));
            prop_assert_eq!(Table::build(a, b, usize::MAX, false).unwrap().len, table.len);
            let (mut i, mut j, mut sum) = (a.len(), b.len(), 0);
            for stretch in table.matches(a, b) {
                prop_assert_eq!(&a[stretch.a.clone()], &b[stretch.b.clone()]);
                prop_assert!(stretch.a.end <= i && stretch.b.end <= j);
                (i, j) = (stretch.a.start, stretch.b.start);
                sum += stretch.a.len();
            }
            prop_assert_eq!(sum, table.len);
        }
    }
}
