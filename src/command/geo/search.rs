//! GEOSEARCH, GEORADIUS and their kin.

use super::area::Area;
use super::distance_text;
use super::hash::Position;
use super::options::{Form, Order, Parsed, Query};
use super::read::reply_position;
use crate::command::zset::{limits, store};
use crate::command::{Ctx, error};
use crate::value::collection::Collection;
use crate::value::zset::{ScoreEdge, ZRef, ZSet};

/// A member inside the area.
struct Hit {
    member: Vec<u8>,
    score: f64,
    /// Metres from the centre.
    distance: f64,
}

pub(super) fn geosearch(ctx: &mut Ctx<'_>) {
    run(ctx, Form::Search { stores: false }, "");
}

pub(super) fn geosearchstore(ctx: &mut Ctx<'_>) {
    run(ctx, Form::Search { stores: true }, "geosearchstore");
}

pub(super) fn georadius(ctx: &mut Ctx<'_>) {
    run(ctx, Form::Radius { may_store: true }, "georadiusstore");
}

pub(super) fn georadius_ro(ctx: &mut Ctx<'_>) {
    run(ctx, Form::Radius { may_store: false }, "");
}

pub(super) fn georadiusbymember(ctx: &mut Ctx<'_>) {
    run(ctx, Form::ByMember { may_store: true }, "georadiusstore");
}

pub(super) fn georadiusbymember_ro(ctx: &mut Ctx<'_>) {
    run(ctx, Form::ByMember { may_store: false }, "");
}

fn run(ctx: &mut Ctx<'_>, form: Form, event: &str) {
    let found = Query::parse(ctx, form).and_then(|query| Ok((find(ctx, &query)?, query)));
    match found {
        Ok((hits, query)) => match query.store {
            Some(index) => store_hits(ctx, &query, hits, index, event),
            None => reply(ctx, &query, &hits),
        },
        Err(text) => ctx.reply.error(&text),
    }
}

/// What is inside the area, as many and in the order as asked for.
fn find(ctx: &Ctx<'_>, query: &Query) -> Parsed<Vec<Hit>> {
    let Some(area) = query.area() else { return Ok(Vec::new()) };
    let enough = query.count.filter(|_| query.any).unwrap_or(usize::MAX);
    let found = ctx.space.peek_as::<ZSet, _>(ctx.key(query.source), |set| inside(set, &area, enough));
    let mut hits = found.map_err(|_| error::WRONGTYPE)?.unwrap_or_default();
    match query.order {
        Order::Found => {}
        Order::Nearest => hits.sort_by(|a, b| a.distance.total_cmp(&b.distance)),
        Order::Farthest => hits.sort_by(|a, b| b.distance.total_cmp(&a.distance)),
    }
    hits.truncate(query.count.unwrap_or(usize::MAX));
    Ok(hits)
}

fn inside(set: ZRef<'_>, area: &Area, enough: usize) -> Vec<Hit> {
    let mut hits = Vec::new();
    for cell in area.cells() {
        let (first, end) = cell.scores();
        let edge = |score| set.count_before(&ScoreEdge { score, behind: false });
        for (member, score) in set.range(edge(first)..edge(end)) {
            if hits.len() >= enough {
                return hits;
            }
            if let Some(distance) = area.distance_inside(Position::of_score(score)) {
                hits.push(Hit { member: member.to_vec(), score, distance });
            }
        }
    }
    hits
}

fn reply(ctx: &mut Ctx<'_>, query: &Query, hits: &[Hit]) {
    let shown =
        [query.with_distance, query.with_hash, query.with_position].into_iter().filter(|with| *with).count();
    ctx.reply.array(hits.len());
    for hit in hits {
        if shown > 0 {
            ctx.reply.array(1 + shown);
        }
        ctx.reply.bulk(&hit.member);
        if query.with_distance {
            ctx.reply.bulk(distance_text(hit.distance / query.metres).as_bytes());
        }
        if query.with_hash {
            ctx.reply.int(hit.score as i64);
        }
        if query.with_position {
            reply_position(ctx, Position::of_score(hit.score));
        }
    }
}

fn store_hits(ctx: &mut Ctx<'_>, query: &Query, hits: Vec<Hit>, index: usize, event: &str) {
    let limits = limits(ctx.server);
    let mut set = ZSet::new();
    set.expect(hits.len(), hits.iter().map(|hit| hit.member.len()).max().unwrap_or(0), limits);
    for hit in hits {
        let score = if query.store_distance { hit.distance / query.metres } else { hit.score };
        set.put(&hit.member, score, limits);
    }
    store(ctx, index, event, set);
}
