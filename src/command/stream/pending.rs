//! XPENDING: what is pending in a group.

use std::ops::RangeInclusive;

use super::id::{self, reply_id};
use super::{Refusal, integer, no_key_or_group};
use crate::command::Ctx;
use crate::command::error::SYNTAX;
use crate::protocol::args::{Args, eq_ignore_case};
use crate::protocol::reply::Reply;
use crate::value::stream::{Group, Id, Pending, Stream};

/// Which pending entries are asked for.
struct Wanted<'a> {
    min_idle: u64,
    range: RangeInclusive<Id>,
    most: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Wanted<'a> {
    /// None if a summary is asked for.
    fn parse(args: Args<'a>) -> Result<Option<Wanted<'a>>, Refusal> {
        let words = args.len();
        if words == 3 {
            return Ok(None);
        }
        if !(6..=9).contains(&words) {
            return Err(SYNTAX.into());
        }
        let (mut at, mut min_idle) = (3, 0);
        if eq_ignore_case(&args[3], b"IDLE") {
            min_idle = u64::try_from(integer(&args[4])?).unwrap_or(0);
            at = 5;
            if words < 8 {
                return Err(SYNTAX.into());
            }
        }
        let most = usize::try_from(integer(&args[at + 2])?).unwrap_or(0);
        let range = id::parse_interval(&args[at], &args[at + 1])?;
        Ok(Some(Wanted { min_idle, range, most, consumer: args.get(at + 3) }))
    }
}

pub(super) fn xpending(ctx: &mut Ctx<'_>) -> Result<(), Refusal> {
    let wanted = Wanted::parse(ctx.args)?;
    let (space, key, name, reply) = (ctx.space, ctx.key(1), ctx.arg(2), &mut ctx.reply);
    let found = space.read_as::<Stream, _>(key, |log| {
        let group = log.group(name)?;
        match &wanted {
            None => reply_summary(reply, group),
            Some(wanted) => reply_wanted(reply, group, wanted, space.now),
        }
        Some(())
    })?;
    found.flatten().ok_or_else(|| no_key_or_group(ctx.arg(1), name))
}

fn reply_summary(reply: &mut Reply<'_>, group: &Group) {
    reply.array(4);
    reply.int(group.pending_count() as i64);
    let (first, last) = (group.pending(..).next(), group.pending(..).next_back());
    let (Some((first, _)), Some((last, _))) = (first, last) else {
        reply.null();
        reply.null();
        reply.null_array();
        return;
    };
    reply_id(reply, first);
    reply_id(reply, last);
    let busy: Vec<_> = group.consumers().filter(|consumer| consumer.pending_count() > 0).collect();
    reply.array(busy.len());
    for consumer in busy {
        reply.array(2);
        reply.bulk(consumer.name());
        reply.bulk_int(consumer.pending_count() as i64);
    }
}

fn reply_wanted(reply: &mut Reply<'_>, group: &Group, wanted: &Wanted<'_>, now: u64) {
    let start = reply.begin_array();
    let mut count = 0;
    let mut show = |reply: &mut Reply<'_>, id: Id, pending: &Pending| {
        if count < wanted.most && pending.has_waited(wanted.min_idle, now) {
            reply_pending(reply, group, id, pending, now);
            count += 1;
        }
        count < wanted.most
    };
    if wanted.range.is_empty() || wanted.most == 0 {
        return reply.array(0);
    }
    match wanted.consumer {
        None => drop(group.pending(wanted.range.clone()).all(|(id, pending)| show(reply, id, pending))),
        Some(name) => {
            let consumer = group.find_consumer(name).map(|no| group.consumer(no));
            let ids = consumer.into_iter().flat_map(|consumer| consumer.pending(wanted.range.clone()));
            let mut owned = ids.filter_map(|id| group.pending_of(id).map(|pending| (id, pending)));
            let _ = owned.all(|(id, pending)| show(reply, id, pending));
        }
    }
    reply.end_array(start, count);
}

/// One pending entry; one that is nobody's has no name, and an idle time of -1.
fn reply_pending(reply: &mut Reply<'_>, group: &Group, id: Id, pending: &Pending, now: u64) {
    reply.array(4);
    reply_id(reply, id);
    reply.bulk(group.owner_name(pending));
    reply.int(pending.idle(now).map_or(-1, |idle| idle as i64));
    reply.int(pending.deliveries as i64);
}
