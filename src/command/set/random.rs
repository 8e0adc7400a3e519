//! Members chosen at random: SPOP and SRANDMEMBER.

use super::{limits, reply_member};
use crate::command::notify::Events;
use crate::command::state::random;
use crate::command::{Ctx, error};
use crate::keyspace::{Absent, Edit, Edited, WrongType};
use crate::limits::RANDOM_PICKS;
use crate::protocol::args::parse_i64;
use crate::value::collection::Collection;
use crate::value::packed::Item;
use crate::value::set::{Popped, Set};

/// Evenly distributed numbers: SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
/// 2014) from a start that nobody can foretell.
fn numbers() -> impl FnMut() -> u64 {
    let mut state = random();
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

// -- SPOP -------------------------------------------------------------------------------------------------------

pub(super) fn spop(ctx: &mut Ctx<'_>) {
    match ctx.args.len() {
        2 => pop_one(ctx),
        3 => match parse_i64(ctx.arg(2)).and_then(|count| usize::try_from(count).ok()) {
            Some(count) => pop_many(ctx, count),
            None => ctx.reply.error("ERR value is out of range, must be positive"),
        },
        _ => ctx.reply.error(error::SYNTAX),
    }
}

fn pop_one(ctx: &mut Ctx<'_>) {
    let mut numbers = numbers();
    let popped = ctx.space.edit::<Set, _>(ctx.key(1), Absent::Skip, |set| match set.take(&mut numbers) {
        Some(taken) => Edit::Changed(Some(taken)),
        None => Edit::Unchanged(None),
    });
    match popped {
        Ok(Some(Edited { answer: Some(taken), ended, .. })) => {
            tell_popped(ctx, ended);
            reply_member(&mut ctx.reply, taken.item());
        }
        Ok(_) => ctx.reply.null(),
        Err(WrongType) => ctx.reply.error(error::WRONGTYPE),
    }
}

fn tell_popped(ctx: &Ctx<'_>, ended: bool) {
    ctx.notify(Events::SET, "spop", ctx.arg(1));
    if ended {
        ctx.notify(Events::GENERIC, "del", ctx.arg(1));
    }
}

fn pop_many(ctx: &mut Ctx<'_>, count: usize) {
    let (limits, mut numbers) = (limits(ctx), numbers());
    let popped = ctx.space.edit::<Set, _>(ctx.key(1), Absent::Skip, |set| match count {
        0 => Edit::Unchanged(Popped::Some(Vec::new())),
        _ => Edit::Changed(set.take_many(count, &limits, &mut numbers)),
    });
    match popped {
        Ok(Some(popped)) => {
            if popped.changed {
                tell_popped(ctx, popped.ended);
            }
            reply_popped(ctx, popped.answer);
        }
        Ok(None) => ctx.reply.set(0),
        Err(WrongType) => ctx.reply.error(error::WRONGTYPE),
    }
}

fn reply_popped(ctx: &mut Ctx<'_>, popped: Popped) {
    match popped {
        Popped::Some(taken) => {
            ctx.reply.set(taken.len());
            taken.iter().for_each(|taken| reply_member(&mut ctx.reply, taken.item()));
        }
        Popped::Most(set) => {
            let view = set.view();
            ctx.reply.set(view.len());
            view.iter().for_each(|member| reply_member(&mut ctx.reply, member));
            ctx.space.discard(set);
        }
    }
}

// -- SRANDMEMBER ------------------------------------------------------------------------------------------------

/// The count was below the least that has an opposite.
const OUT_OF_RANGE: &str =
    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";

pub(super) fn srandmember(ctx: &mut Ctx<'_>) {
    match ctx.args.len() {
        2 => pick_one(ctx),
        3 => match parse_i64(ctx.arg(2)) {
            Some(i64::MIN) => ctx.reply.error(OUT_OF_RANGE),
            Some(count) if count < -RANDOM_PICKS => ctx.reply.error("ERR value is out of range"),
            Some(count) => pick_many(ctx, count),
            None => ctx.reply.error(error::NOT_AN_INTEGER),
        },
        _ => ctx.reply.error(error::SYNTAX),
    }
}

fn pick_one(ctx: &mut Ctx<'_>) {
    let (key, reply) = (ctx.key(1), &mut ctx.reply);
    let answered = ctx.space.read_as::<Set, _>(key, |set| {
        set.draw(1, &mut numbers(), |member: Item<'_>| reply_member(reply, member));
    });
    match answered {
        Ok(Some(())) => {}
        Ok(None) => ctx.reply.null(),
        Err(WrongType) => ctx.reply.error(error::WRONGTYPE),
    }
}

/// Answers with `count` different members, or with as many as `-count` of which some may be the same.
fn pick_many(ctx: &mut Ctx<'_>, count: i64) {
    let (key, reply) = (ctx.key(1), &mut ctx.reply);
    let picks = count.unsigned_abs() as usize;
    let answered = ctx.space.read_as::<Set, _>(key, |set| {
        if count < 0 {
            reply.array(picks);
            set.draw(picks, &mut numbers(), |member| reply_member(reply, member));
        } else {
            reply.array(picks.min(set.len()));
            set.sample(picks, &mut numbers(), |member| reply_member(reply, member));
        }
    });
    match answered {
        Ok(Some(())) => {}
        Ok(None) => ctx.reply.array(0),
        Err(WrongType) => ctx.reply.error(error::WRONGTYPE),
    }
}
