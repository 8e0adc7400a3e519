//! HRANDFIELD and HSCAN.

use super::{bulk, look};
use crate::command::key::walk::parse_cursor;
use crate::command::state::random;
use crate::command::{Ctx, error};
use crate::glob::Pattern;
use crate::limits::RANDOM_DRAWS;
use crate::protocol::args::{eq_ignore_case, parse_i64};
use crate::value::hash::{HashRef, Pair};

const OUT_OF_RANGE: &str = "ERR value is out of range";
const NOT_IN_RANGE: &str =
    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";

// -- HRANDFIELD -------------------------------------------------------------------------------------------------

pub(super) fn hrandfield(ctx: &mut Ctx<'_>) {
    if ctx.args.len() == 2 {
        return look(ctx, |ctx, hash| match hash.and_then(|hash| hash.random(ctx.space.now, &mut random)) {
            Some(pair) => bulk(ctx, pair.name),
            None => ctx.reply.null(),
        });
    }
    match parse_count(ctx) {
        Ok((count, values)) => look(ctx, |ctx, hash| several(ctx, hash, count, values)),
        Err(text) => ctx.reply.error(text),
    }
}

/// How many fields are wanted, a negative number with repetitions, and whether with their values.
fn parse_count(ctx: &Ctx<'_>) -> Result<(i64, bool), &'static str> {
    let count = parse_i64(ctx.arg(2)).ok_or(error::NOT_AN_INTEGER)?;
    if count == i64::MIN {
        return Err(NOT_IN_RANGE);
    }
    let values = match ctx.args.len() {
        3 => false,
        4 if eq_ignore_case(ctx.arg(3), b"withvalues") => true,
        _ => return Err(error::SYNTAX),
    };
    let limit = i64::MAX / 2;
    if count < -RANDOM_DRAWS || (values && !(-limit..=limit).contains(&count)) {
        return Err(OUT_OF_RANGE);
    }
    Ok((count, values))
}

fn several(ctx: &mut Ctx<'_>, hash: Option<HashRef<'_>>, count: i64, values: bool) {
    let now = ctx.space.now;
    let chosen = match hash {
        None => Vec::new(),
        Some(hash) if count < 0 => hash.draw(count.unsigned_abs() as usize, now, &mut random),
        Some(hash) => hash.sample(count as usize, now, &mut random),
    };
    let nested = values && ctx.reply.resp3();
    ctx.reply.array(if values && !nested { 2 * chosen.len() } else { chosen.len() });
    for pair in chosen {
        if nested {
            ctx.reply.array(2);
        }
        bulk(ctx, pair.name);
        if values {
            bulk(ctx, pair.value);
        }
    }
}

// -- HSCAN ------------------------------------------------------------------------------------------------------

/// Fields that a call visits when it does not say COUNT.
const SCAN_COUNT: usize = 10;

struct Scan {
    cursor: u64,
    count: usize,
    pattern: Option<Pattern>,
    values: bool,
}

pub(super) fn hscan(ctx: &mut Ctx<'_>) {
    let Some(cursor) = parse_cursor(ctx.arg(2)) else { return ctx.reply.error("ERR invalid cursor") };
    // The options of a scan of an absent key are not looked at, as in Redis.
    look(ctx, |ctx, hash| match hash {
        None => show(ctx, 0, &[], false),
        Some(hash) => match Scan::parse(ctx, cursor) {
            Ok(scan) => scan.step(ctx, hash),
            Err(text) => ctx.reply.error(text),
        },
    });
}

impl Scan {
    fn parse(ctx: &Ctx<'_>, cursor: u64) -> Result<Scan, &'static str> {
        let mut scan = Scan { cursor, count: SCAN_COUNT, pattern: None, values: true };
        let mut words = ctx.args.slice_from(3).iter();
        while let Some(word) = words.next() {
            if eq_ignore_case(word, b"novalues") {
                scan.values = false;
            } else if eq_ignore_case(word, b"count") {
                let count = parse_i64(words.next().ok_or(error::SYNTAX)?).ok_or(error::NOT_AN_INTEGER)?;
                scan.count = usize::try_from(count).ok().filter(|&count| count > 0).ok_or(error::SYNTAX)?;
            } else if eq_ignore_case(word, b"match") {
                let pattern = Pattern::new(words.next().ok_or(error::SYNTAX)?);
                scan.pattern = (!pattern.matches_all()).then_some(pattern);
            } else {
                return Err(error::SYNTAX);
            }
        }
        Ok(scan)
    }

    fn step(&self, ctx: &mut Ctx<'_>, hash: HashRef<'_>) {
        let mut digits = Default::default();
        let mut found = Vec::new();
        let next = hash.scan(self.cursor, self.count, ctx.space.now, |pair| {
            if self.pattern.as_ref().is_none_or(|pattern| pattern.matches(pair.name.bytes(&mut digits))) {
                found.push(pair);
            }
        });
        show(ctx, next, &found, self.values);
    }
}

fn show(ctx: &mut Ctx<'_>, next: u64, found: &[Pair<'_>], values: bool) {
    ctx.reply.array(2);
    ctx.reply.bulk(itoa::Buffer::new().format(next).as_bytes());
    ctx.reply.array(if values { 2 * found.len() } else { found.len() });
    for pair in found {
        bulk(ctx, pair.name);
        if values {
            bulk(ctx, pair.value);
        }
    }
}
