//! Commands on the members of one set, and SMOVE.

use super::{limits, reply_member};
use crate::command::notify::Events;
use crate::command::{Ctx, error};
use crate::keyspace::{Absent, Edit, Key, WrongType};
use crate::protocol::args::Args;
use crate::value::packed::Item;
use crate::value::set::{Set, SetRef};

/// Answers with a number of members.
fn reply_count(ctx: &mut Ctx<'_>, count: Result<usize, WrongType>) {
    match count {
        Ok(count) => ctx.reply.int(count as i64),
        Err(WrongType) => ctx.reply.error(error::WRONGTYPE),
    }
}

fn changed_if<R>(changed: bool, answer: R) -> Edit<R> {
    if changed { Edit::Changed(answer) } else { Edit::Unchanged(answer) }
}

pub(super) fn sadd(ctx: &mut Ctx<'_>) {
    let added = add(ctx, ctx.key(1), ctx.args.slice_from(2));
    reply_count(ctx, added);
}

/// Adds members to a set and tells of it.
fn add(ctx: &Ctx<'_>, key: Key<'_>, members: Args<'_>) -> Result<usize, WrongType> {
    let limits = limits(ctx);
    let first = members.get(0).unwrap_or_default();
    let edited = ctx.space.edit::<Set, _>(key, Absent::Create, |set| {
        set.expect(first, members.len(), &limits);
        let added = members.iter().filter(|member| set.insert(Item::Text(member), &limits)).count();
        changed_if(added > 0, added)
    })?;
    let added = edited.map_or(0, |edited| edited.answer);
    if added > 0 {
        ctx.notify(Events::SET, "sadd", key.bytes);
    }
    Ok(added)
}

pub(super) fn srem(ctx: &mut Ctx<'_>) {
    let removed = remove(ctx, ctx.key(1), ctx.args.slice_from(2));
    reply_count(ctx, removed);
}

/// Removes members from a set and tells of it.
fn remove(ctx: &Ctx<'_>, key: Key<'_>, members: Args<'_>) -> Result<usize, WrongType> {
    let edited = ctx.space.edit::<Set, _>(key, Absent::Skip, |set| {
        let removed = members.iter().filter(|member| set.remove(member)).count();
        changed_if(removed > 0, removed)
    })?;
    let Some(edited) = edited else { return Ok(0) };
    if edited.changed {
        ctx.notify(Events::SET, "srem", key.bytes);
    }
    if edited.ended {
        ctx.notify(Events::GENERIC, "del", key.bytes);
    }
    Ok(edited.answer)
}

pub(super) fn smove(ctx: &mut Ctx<'_>) {
    let moved = move_member(ctx);
    reply_count(ctx, moved.map(usize::from));
}

fn move_member(ctx: &Ctx<'_>) -> Result<bool, WrongType> {
    let (from, to, member) = (ctx.key(1), ctx.key(2), ctx.args.slice_from(3));
    let has = |set: SetRef<'_>| set.contains(Item::Text(ctx.arg(3)));
    let Some(found) = ctx.space.peek_as::<Set, _>(from, has)? else { return Ok(false) };
    // A destination of another type is an error even if there is nothing to move.
    ctx.space.peek_as::<Set, _>(to, |_| ())?;
    if !found || from.bytes == to.bytes {
        return Ok(found);
    }
    remove(ctx, from, member)?;
    add(ctx, to, member)?;
    Ok(true)
}

pub(super) fn sismember(ctx: &mut Ctx<'_>) {
    let member = Item::Text(ctx.arg(2));
    let found = ctx.space.read_as::<Set, _>(ctx.key(1), |set| set.contains(member));
    reply_count(ctx, found.map(|found| found.unwrap_or(false).into()));
}

pub(super) fn smismember(ctx: &mut Ctx<'_>) {
    let (members, reply) = (ctx.args.slice_from(2), &mut ctx.reply);
    let key = ctx.space.key(&ctx.args[1]);
    let answered = ctx.space.read_as::<Set, _>(key, |set| {
        reply.array(members.len());
        members.iter().for_each(|member| reply.int(set.contains(Item::Text(member)).into()));
    });
    match answered {
        Ok(Some(())) => {}
        Ok(None) => {
            ctx.reply.array(members.len());
            members.iter().for_each(|_| ctx.reply.int(0));
        }
        Err(WrongType) => ctx.reply.error(error::WRONGTYPE),
    }
}

pub(super) fn scard(ctx: &mut Ctx<'_>) {
    let count = ctx.space.read_as::<Set, _>(ctx.key(1), |set| set.len());
    reply_count(ctx, count.map(|count| count.unwrap_or(0)));
}

pub(super) fn smembers(ctx: &mut Ctx<'_>) {
    let (key, reply) = (ctx.key(1), &mut ctx.reply);
    let answered = ctx.space.read_as::<Set, _>(key, |set| {
        reply.set(set.len());
        set.iter().for_each(|member| reply_member(reply, member));
    });
    match answered {
        Ok(Some(())) => {}
        Ok(None) => ctx.reply.set(0),
        Err(WrongType) => ctx.reply.error(error::WRONGTYPE),
    }
}
