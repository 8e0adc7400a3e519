//! ZSCAN.

use super::{Answer, answering, bulk, wrong_type};
use crate::command::key::walk::parse_cursor;
use crate::command::{Ctx, error};
use crate::glob::Pattern;
use crate::protocol::args::{eq_ignore_case, parse_i64};
use crate::protocol::reply::Reply;
use crate::value::packed::Digits;
use crate::value::zset::{ZRef, ZSet};

/// Members that a call visits when it does not say COUNT.
const DEFAULT_COUNT: usize = 10;

struct Options {
    pattern: Option<Pattern>,
    count: usize,
    with_scores: bool,
}

impl Options {
    fn parse(ctx: &Ctx<'_>) -> Answer<Options> {
        let mut options = Options { pattern: None, count: DEFAULT_COUNT, with_scores: true };
        let mut at = 3;
        while at < ctx.args.len() {
            let (word, value) = (ctx.arg(at), ctx.args.get(at + 1));
            match value {
                Some(value) if eq_ignore_case(word, b"count") => options.count = count_of(value)?,
                Some(value) if eq_ignore_case(word, b"match") => {
                    options.pattern = Some(Pattern::new(value)).filter(|pattern| !pattern.matches_all());
                }
                _ if eq_ignore_case(word, b"noscores") => {
                    options.with_scores = false;
                    at += 1;
                    continue;
                }
                _ => return Err(error::SYNTAX),
            }
            at += 2;
        }
        Ok(options)
    }

    /// Writes what a step visits; the next cursor.
    fn step(&self, set: ZRef<'_>, cursor: u64, reply: &mut Reply<'_>) {
        let (mut found, mut digits) = (Vec::new(), Digits::default());
        let next = set.scan(cursor, self.count, |member, score| {
            let fits = |pattern: &Pattern| pattern.matches(member.bytes(&mut digits));
            if self.pattern.as_ref().is_none_or(fits) {
                found.push((member, score));
            }
        });
        head(reply, next, found.len() * if self.with_scores { 2 } else { 1 });
        for (member, score) in found {
            bulk(reply, member);
            if self.with_scores {
                reply.double_text(score);
            }
        }
    }
}

fn count_of(text: &[u8]) -> Answer<usize> {
    let count = parse_i64(text).ok_or(error::NOT_AN_INTEGER)?;
    usize::try_from(count).ok().filter(|count| *count > 0).ok_or(error::SYNTAX)
}

fn head(reply: &mut Reply<'_>, next: u64, count: usize) {
    reply.array(2);
    reply.bulk(itoa::Buffer::new().format(next).as_bytes());
    reply.array(count);
}

pub(super) fn zscan(ctx: &mut Ctx<'_>) {
    answering(ctx, |ctx| {
        let cursor = parse_cursor(ctx.arg(2)).ok_or("ERR invalid cursor")?;
        // An absent key ends the walk whatever the options say, and another type comes before their errors.
        let options = Options::parse(ctx);
        let (key, reply) = (ctx.key(1), &mut ctx.reply);
        let found = ctx.space.read_as::<ZSet, Answer<()>>(key, |set| {
            options?.step(set, cursor, reply);
            Ok(())
        });
        match found.map_err(wrong_type)? {
            Some(stepped) => stepped,
            None => {
                head(&mut ctx.reply, 0, 0);
                Ok(())
            }
        }
    });
}
