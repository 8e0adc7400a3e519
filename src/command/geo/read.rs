//! GEOPOS, GEODIST and GEOHASH.

use super::hash::Position;
use super::{coordinate_text, distance_text, unit};
use crate::command::zset::Answer;
use crate::command::{Ctx, error};
use crate::protocol::args::Args;
use crate::value::zset::ZSet;

/// The positions of members; none for those that are not there.
fn positions(ctx: &Ctx<'_>, members: Args<'_>) -> Answer<Vec<Option<Position>>> {
    let found = ctx.space.read_as::<ZSet, Vec<_>>(ctx.key(1), |set| {
        members.iter().map(|member| set.score(member).map(Position::of_score)).collect()
    });
    Ok(found.map_err(|_| error::WRONGTYPE)?.unwrap_or_else(|| vec![None; members.len()]))
}

/// Writes an array with the positions of the members from argument 2 on, as `write` shows one.
fn each(ctx: &mut Ctx<'_>, mut write: impl FnMut(&mut Ctx<'_>, Option<Position>)) {
    match positions(ctx, ctx.args.slice_from(2)) {
        Ok(found) => {
            ctx.reply.array(found.len());
            found.into_iter().for_each(|position| write(ctx, position));
        }
        Err(text) => ctx.reply.error(text),
    }
}

pub(super) fn geopos(ctx: &mut Ctx<'_>) {
    each(ctx, |ctx, position| match position {
        Some(position) => reply_position(ctx, position),
        None => ctx.reply.null_array(),
    });
}

/// Writes longitude and latitude.
pub(super) fn reply_position(ctx: &mut Ctx<'_>, position: Position) {
    ctx.reply.array(2);
    ctx.reply.decimal(&coordinate_text(position.longitude));
    ctx.reply.decimal(&coordinate_text(position.latitude));
}

pub(super) fn geohash(ctx: &mut Ctx<'_>) {
    each(ctx, |ctx, position| match position {
        Some(position) => ctx.reply.bulk(&position.geohash()),
        None => ctx.reply.null(),
    });
}

pub(super) fn geodist(ctx: &mut Ctx<'_>) {
    match distance(ctx) {
        Ok(Some(distance)) => ctx.reply.bulk(distance_text(distance).as_bytes()),
        Ok(None) => ctx.reply.null(),
        Err(text) => ctx.reply.error(text),
    }
}

fn distance(ctx: &Ctx<'_>) -> Answer<Option<f64>> {
    let metres = match ctx.args.len() {
        4 => 1.0,
        5 => unit(ctx.arg(4))?,
        _ => return Err(error::SYNTAX),
    };
    let found = positions(ctx, ctx.args.slice_from(2))?;
    Ok(found[0].zip(found[1]).map(|(from, to)| from.distance(to) / metres))
}
