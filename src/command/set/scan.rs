//! SSCAN.

use super::reply_member;
use crate::command::key::walk::parse_cursor;
use crate::command::{Ctx, error};
use crate::glob::Pattern;
use crate::keyspace::WrongType;
use crate::protocol::args::{eq_ignore_case, parse_i64};
use crate::value::packed::{Digits, Item};
use crate::value::set::Set;

/// Members that a call visits when it does not say COUNT.
const COUNT: usize = 10;

struct Scan {
    count: usize,
    pattern: Option<Pattern>,
}

impl Scan {
    fn parse(ctx: &Ctx<'_>) -> Result<Scan, &'static str> {
        let mut scan = Scan { count: COUNT, pattern: None };
        let mut options = ctx.args.slice_from(3).iter();
        while let Some(option) = options.next() {
            let value = options.next().ok_or(error::SYNTAX)?;
            if eq_ignore_case(option, b"count") {
                let count = parse_i64(value).ok_or(error::NOT_AN_INTEGER)?;
                scan.count = usize::try_from(count).ok().filter(|&count| count > 0).ok_or(error::SYNTAX)?;
            } else if eq_ignore_case(option, b"match") {
                let pattern = Pattern::new(value);
                scan.pattern = (!pattern.matches_all()).then_some(pattern);
            } else {
                return Err(error::SYNTAX);
            }
        }
        Ok(scan)
    }

    fn fits(&self, member: Item<'_>) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.matches(member.bytes(&mut Digits::default())))
    }
}

pub(super) fn sscan(ctx: &mut Ctx<'_>) {
    let Some(cursor) = parse_cursor(ctx.arg(2)) else { return ctx.reply.error("ERR invalid cursor") };
    // Redis looks at the key before it looks at the options.
    let scan = Scan::parse(ctx);
    let (key, reply) = (ctx.key(1), &mut ctx.reply);
    let answered = ctx.space.read_as::<Set, _>(key, |set| {
        let scan = match &scan {
            Ok(scan) => scan,
            Err(text) => return reply.error(text),
        };
        let (start, mut count) = (reply.begin_array(), 0);
        let next = set.scan(cursor, scan.count, |member| {
            if scan.fits(member) {
                reply_member(reply, member);
                count += 1;
            }
        });
        reply.end_scan(start, next, count);
    });
    match answered {
        Ok(Some(())) => {}
        Ok(None) => {
            let start = ctx.reply.begin_array();
            ctx.reply.end_scan(start, 0, 0);
        }
        Err(WrongType) => ctx.reply.error(error::WRONGTYPE),
    }
}
