//! LLEN, LINDEX, LRANGE and LPOS.

use super::{or_wrong_type, place, put, span};
use crate::command::{Ctx, error};
use crate::protocol::args::{Args, eq_ignore_case, parse_i64};
use crate::value::list::{List, ListRef, Side};
use crate::value::packed::Item;

const RANK_ZERO: &str = "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use \
                         negative to start from the end of the list";
const RANK_RANGE: &str =
    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";
const COUNT_NEGATIVE: &str = "ERR COUNT can't be negative";
const MAXLEN_NEGATIVE: &str = "ERR MAXLEN can't be negative";

pub(super) fn llen(ctx: &mut Ctx<'_>) {
    let len = ctx.space.read_as::<List, _>(ctx.key(1), |list| list.len());
    let len = or_wrong_type!(ctx, len).unwrap_or(0);
    ctx.reply.int(len as i64);
}

pub(super) fn lindex(ctx: &mut Ctx<'_>) {
    let (key, index) = (ctx.key(1), parse_i64(ctx.arg(2)));
    let reply = &mut ctx.reply;
    // Whether the key is there is asked before whether the index is a number.
    let answer = ctx.space.read_as::<List, _>(key, |list| {
        let Some(index) = index else { return reply.error(error::NOT_AN_INTEGER) };
        let found = place(index, list.len()).and_then(|index| list.at(index, |item| put(reply, item)));
        found.unwrap_or_else(|| reply.null());
    });
    if or_wrong_type!(ctx, answer).is_none() {
        ctx.reply.null();
    }
}

pub(super) fn lrange(ctx: &mut Ctx<'_>) {
    let (Some(start), Some(stop)) = (parse_i64(ctx.arg(2)), parse_i64(ctx.arg(3))) else {
        return ctx.reply.error(error::NOT_AN_INTEGER);
    };
    let key = ctx.key(1);
    let reply = &mut ctx.reply;
    let answer = ctx.space.read_as::<List, _>(key, |list| {
        let (from, count) = span(start, stop, list.len()).unwrap_or((0, 0));
        reply.array(count);
        list.visit(from, count, |item| put(reply, item));
    });
    if or_wrong_type!(ctx, answer).is_none() {
        ctx.reply.array(0);
    }
}

/// What LPOS looks for.
struct Search {
    side: Side,
    /// Matches to pass over.
    skip: u64,
    /// Matches to return.
    most: u64,
    /// Elements to look at.
    reach: u64,
    /// Whether the answer is an array.
    many: bool,
}

/// Zero means all.
fn or_all(number: i64) -> u64 {
    if number == 0 { u64::MAX } else { number.unsigned_abs() }
}

impl Search {
    fn parse(options: Args<'_>) -> Result<Search, &'static str> {
        let mut search = Search { side: Side::Left, skip: 0, most: 1, reach: u64::MAX, many: false };
        let mut words = options.iter();
        while let Some(word) = words.next() {
            let value = words.next().ok_or(error::SYNTAX)?;
            search.take(word, value)?;
        }
        Ok(search)
    }

    fn take(&mut self, word: &[u8], value: &[u8]) -> Result<(), &'static str> {
        let not_negative = |text| parse_i64(value).filter(|&number| number >= 0).ok_or(text);
        if eq_ignore_case(word, b"RANK") {
            return self.rank(parse_i64(value).ok_or(error::NOT_AN_INTEGER)?);
        } else if eq_ignore_case(word, b"COUNT") {
            (self.most, self.many) = (or_all(not_negative(COUNT_NEGATIVE)?), true);
        } else if eq_ignore_case(word, b"MAXLEN") {
            self.reach = or_all(not_negative(MAXLEN_NEGATIVE)?);
        } else {
            return Err(error::SYNTAX);
        }
        Ok(())
    }

    fn rank(&mut self, rank: i64) -> Result<(), &'static str> {
        match rank {
            0 => return Err(RANK_ZERO),
            i64::MIN => return Err(RANK_RANGE),
            _ => self.side = if rank < 0 { Side::Right } else { Side::Left },
        }
        self.skip = rank.unsigned_abs() - 1;
        Ok(())
    }

    /// The places of the matches.
    fn run(&self, list: ListRef<'_>, wanted: Item<'_>) -> Vec<usize> {
        let (mut skip, mut reach, mut found) = (self.skip, self.reach, Vec::new());
        list.walk(self.side, |index, item| {
            if item == wanted && skip > 0 {
                skip -= 1;
            } else if item == wanted {
                found.push(index);
            }
            reach -= 1;
            reach > 0 && (found.len() as u64) < self.most
        });
        found
    }
}

pub(super) fn lpos(ctx: &mut Ctx<'_>) {
    let search = match Search::parse(ctx.args.slice_from(3)) {
        Ok(search) => search,
        Err(text) => return ctx.reply.error(text),
    };
    let wanted = Item::of(ctx.arg(2));
    let found = ctx.space.read_as::<List, _>(ctx.key(1), |list| search.run(list, wanted));
    let found = or_wrong_type!(ctx, found).unwrap_or_default();
    if search.many {
        ctx.reply.array(found.len());
        found.iter().for_each(|&index| ctx.reply.int(index as i64));
        return;
    }
    match found.first() {
        Some(&index) => ctx.reply.int(index as i64),
        None => ctx.reply.null(),
    }
}
