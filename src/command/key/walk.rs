//! Walks over the keys of a database: KEYS, SCAN and RANDOMKEY.

use super::kind;
use crate::command::state::random;
use crate::command::{Ctx, error};
use crate::glob::Pattern;
use crate::keyspace::entry::Entry;
use crate::keyspace::{Live, Space};
use crate::protocol::args::{eq_ignore_case, parse_i64, parse_u64};

/// Keys that a call of SCAN visits when it does not say COUNT.
const SCAN_COUNT: u64 = 10;
/// Buckets that a call of SCAN visits at most for each key it asks for, so that a walk through an empty stretch ends.
const BUCKETS_PER_KEY: u64 = 10;
/// Tables of up to this many buckets are walked by RANDOMKEY: cheaper than trying places most of which are empty.
const SMALL_TABLE: u64 = 16;
/// Places that RANDOMKEY tries. At the load that the table keeps, one in eight is taken.
const SAMPLES: usize = 256;
/// Buckets over which RANDOMKEY chooses evenly when it has to walk.
const CHOICE: u64 = 1024;

// -- KEYS -------------------------------------------------------------------------------------------------------

pub(super) fn keys(ctx: &mut Ctx<'_>) {
    let pattern = Pattern::new(ctx.arg(1));
    let start = ctx.reply.begin_array();
    let mut count = 0;
    if let Some(name) = pattern.as_literal() {
        if ctx.space.exists(ctx.space.key(name)) {
            ctx.reply.bulk(name);
            count = 1;
        }
    } else {
        let space = ctx.space;
        for_each(space, |live| {
            if pattern.matches(live.entry().key()) {
                ctx.reply.bulk(live.entry().key());
                count += 1;
            }
        });
    }
    ctx.reply.end_array(start, count);
}

fn for_each<'g>(space: &Space<'g>, mut visit: impl FnMut(&Live<'g>)) {
    let mut cursor = 0;
    loop {
        cursor = space.table().scan(cursor, space.guard(), |entry| {
            if let Some(live) = space.passing(entry) {
                visit(&live);
            }
        });
        if cursor == 0 {
            return;
        }
    }
}

// -- SCAN -------------------------------------------------------------------------------------------------------

struct Scan<'a> {
    cursor: u64,
    count: u64,
    pattern: Option<Pattern>,
    type_name: Option<&'a [u8]>,
}

pub(super) fn scan(ctx: &mut Ctx<'_>) {
    let scan = match Scan::parse(ctx) {
        Ok(scan) => scan,
        Err(text) => return ctx.reply.error(text),
    };
    let (next, found) = scan.step(ctx.space);
    ctx.reply.array(2);
    ctx.reply.bulk(itoa::Buffer::new().format(next).as_bytes());
    ctx.reply.array(found.len());
    found.iter().for_each(|entry| ctx.reply.bulk(entry.key()));
}

impl<'a> Scan<'a> {
    fn parse(ctx: &Ctx<'a>) -> Result<Scan<'a>, &'static str> {
        let cursor = parse_cursor(ctx.arg(1)).ok_or("ERR invalid cursor")?;
        let mut scan = Scan { cursor, count: SCAN_COUNT, pattern: None, type_name: None };
        for at in (2..ctx.args.len()).step_by(2) {
            let value = ctx.args.get(at + 1).ok_or(error::SYNTAX)?;
            scan.option(ctx.arg(at), value)?;
        }
        Ok(scan)
    }

    fn option(&mut self, name: &[u8], value: &'a [u8]) -> Result<(), &'static str> {
        if eq_ignore_case(name, b"count") {
            let count = parse_i64(value).ok_or(error::NOT_AN_INTEGER)?;
            self.count = u64::try_from(count).ok().filter(|&count| count > 0).ok_or(error::SYNTAX)?;
        } else if eq_ignore_case(name, b"match") {
            let pattern = Pattern::new(value);
            self.pattern = (!pattern.matches_all()).then_some(pattern);
        } else if eq_ignore_case(name, b"type") {
            self.type_name = Some(value);
        } else {
            return Err(error::SYNTAX);
        }
        Ok(())
    }

    /// Visits whole buckets until enough keys were seen; the next cursor and what fits.
    fn step<'g>(&self, space: &Space<'g>) -> (u64, Vec<&'g Entry>) {
        let (mut cursor, mut visited, mut found) = (self.cursor, 0, Vec::new());
        for _ in 0..self.count.saturating_mul(BUCKETS_PER_KEY) {
            cursor = space.table().scan(cursor, space.guard(), |entry| {
                visited += 1;
                if space.passing(entry).is_some_and(|live| self.fits(&live)) {
                    found.push(entry);
                }
            });
            if cursor == 0 || visited >= self.count {
                break;
            }
        }
        (cursor, found)
    }

    fn fits(&self, live: &Live<'_>) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.matches(live.entry().key()))
            && self.type_name.is_none_or(|name| eq_ignore_case(name, kind::type_name(live.view()).as_bytes()))
    }
}

/// A cursor as C's `strtoul` reads it: signs and leading zeros count, blanks do not, a zero byte ends the text, and
/// nothing at all is zero.
pub(in crate::command) fn parse_cursor(text: &[u8]) -> Option<u64> {
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    let (negative, digits) = match text {
        [] => return Some(0),
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let zeros = digits.iter().take_while(|&&byte| byte == b'0').count();
    let value = match &digits[zeros..] {
        [] if zeros > 0 => 0,
        rest => parse_u64(rest)?,
    };
    Some(if negative { value.wrapping_neg() } else { value })
}

// -- RANDOMKEY --------------------------------------------------------------------------------------------------

pub(super) fn randomkey(ctx: &mut Ctx<'_>) {
    match random_entry(ctx.space) {
        Some(entry) => ctx.reply.bulk(entry.key()),
        None => ctx.reply.null(),
    }
}

/// An entry whose key is there, each as likely as any other if the table keeps its load; none if there is no key.
fn random_entry<'g>(space: &Space<'g>) -> Option<&'g Entry> {
    let alive = |entry: &&'g Entry| space.passing(entry).is_some();
    let sampled = || space.table().sample(random(), space.guard()).filter(alive);
    let tries = if space.table().buckets() > SMALL_TABLE { SAMPLES } else { 0 };
    (0..tries).find_map(|_| sampled()).or_else(|| choose_walking(space))
}

/// Chooses evenly among the keys of a stretch of the table, which is all of a small table; goes on to the first key
/// if the stretch has none. A key in a sparse stretch of a large table is likelier than others.
fn choose_walking<'g>(space: &Space<'g>) -> Option<&'g Entry> {
    let start = if space.table().buckets() <= CHOICE { 0 } else { random() };
    choose_from(space, start).or_else(|| choose_from(space, 0))
}

/// One entry of those between the cursor `start` and the end of the table, or of the first buckets of them.
fn choose_from<'g>(space: &Space<'g>, start: u64) -> Option<&'g Entry> {
    let (mut cursor, mut seen, mut chosen) = (start, 0, None);
    for walked in 1.. {
        cursor = space.table().scan(cursor, space.guard(), |entry| {
            if space.passing(entry).is_some() {
                seen += 1;
                // The n-th key takes the place of the one chosen so far with probability 1/n.
                if random().is_multiple_of(seen) {
                    chosen = Some(entry);
                }
            }
        });
        if cursor == 0 || (walked >= CHOICE && chosen.is_some()) {
            break;
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_as_strtoul_reads_them() {
        for (text, cursor) in [
            ("", Some(0)),
            ("0", Some(0)),
            ("007", Some(7)),
            ("+1", Some(1)),
            ("-1", Some(u64::MAX)),
            ("-0", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("00018446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("+", None),
            ("-", None),
            ("--1", None),
            (" 1", None),
            ("1 ", None),
            ("abc", None),
        ] {
            assert_eq!(parse_cursor(text.as_bytes()), cursor, "{text:?}");
        }
    }
}
