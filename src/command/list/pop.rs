//! LPOP, RPOP and LMPOP, and the step that their blocking forms share with them.

use super::{length, limits, or_wrong_type, popped, put, side};
use crate::command::{Ctx, error};
use crate::keyspace::{Absent, Edit, WrongType};
use crate::protocol::args::{eq_ignore_case, parse_i64};
use crate::protocol::reply::Reply;
use crate::value::list::{List, Side};

/// How popped elements are answered.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// One element by itself: LPOP.
    Bare,
    /// An array of up to so many: LPOP with a count.
    Array(usize),
    /// An array of the key and one element: BLPOP.
    Keyed,
    /// An array of the key and an array of up to so many elements: LMPOP and BLMPOP.
    KeyedArray(usize),
}

impl Shape {
    /// Writes what stands before the elements of a list of `len` that has the key `name`; how many are to follow.
    fn begin(self, reply: &mut Reply<'_>, name: &[u8], len: usize) -> usize {
        if let Shape::Keyed | Shape::KeyedArray(_) = self {
            reply.array(2);
            reply.bulk(name);
        }
        match self {
            Shape::Bare | Shape::Keyed => 1,
            Shape::Array(most) | Shape::KeyedArray(most) => {
                let count = most.min(len);
                reply.array(count);
                count
            }
        }
    }
}

/// Pops elements of the list at the key `name`, answers them in their `shape`, and tells the events. False, and nothing
/// is answered, if the key is absent. At least one element is asked for.
pub(crate) fn pop(ctx: &mut Ctx<'_>, name: &[u8], from: Side, shape: Shape) -> Result<bool, WrongType> {
    let (space, limits) = (ctx.space, limits(ctx));
    let mark = ctx.reply.output().checkpoint();
    let reply = &mut ctx.reply;
    let edited = space.edit(space.key(name), Absent::Skip, |list: &mut List| {
        // The edit may be a repetition: what the last one wrote goes.
        reply.output().rollback(mark);
        let count = shape.begin(reply, name, list.len());
        Edit::Changed(list.pop(from, count, &limits, |item| put(reply, item)))
    })?;
    let Some(edited) = edited else {
        // Somebody else has taken the last element between two runs of the edit: what the first one wrote goes too.
        ctx.reply.output().rollback(mark);
        return Ok(false);
    };
    popped(ctx, name, from, edited.ended);
    Ok(true)
}

pub(super) fn lpop(ctx: &mut Ctx<'_>) {
    pop_one_key(ctx, Side::Left);
}

pub(super) fn rpop(ctx: &mut Ctx<'_>) {
    pop_one_key(ctx, Side::Right);
}

fn pop_one_key(ctx: &mut Ctx<'_>, from: Side) {
    if ctx.args.len() > 3 {
        let name = ctx.command.name;
        return ctx.reply.error(&format!("ERR wrong number of arguments for '{name}' command"));
    }
    let Some(count) = ctx.args.get(2) else { return pop_bare(ctx, from) };
    let Some(count) = parse_i64(count).and_then(|count| usize::try_from(count).ok()) else {
        return ctx.reply.error(error::NOT_POSITIVE);
    };
    if count == 0 {
        return pop_nothing(ctx);
    }
    let found = pop(ctx, ctx.arg(1), from, Shape::Array(count));
    if !or_wrong_type!(ctx, found) {
        ctx.reply.null_array();
    }
}

fn pop_bare(ctx: &mut Ctx<'_>, from: Side) {
    let found = pop(ctx, ctx.arg(1), from, Shape::Bare);
    if !or_wrong_type!(ctx, found) {
        ctx.reply.null();
    }
}

/// A count of zero asks only whether there is a list.
fn pop_nothing(ctx: &mut Ctx<'_>) {
    match or_wrong_type!(ctx, length(ctx, ctx.arg(1))) {
        Some(_) => ctx.reply.array(0),
        None => ctx.reply.null_array(),
    }
}

/// What LMPOP and BLMPOP say behind their other arguments.
pub(crate) struct Request {
    /// How many keys there are, from the one behind their number on.
    pub keys: usize,
    /// Which end is popped.
    pub from: Side,
    /// How many elements at most.
    pub count: usize,
}

impl Request {
    /// Reads `numkeys key [key ...] <LEFT | RIGHT> [COUNT count]` from argument `at` on; or the error to answer.
    pub(crate) fn parse(ctx: &Ctx<'_>, at: usize) -> Result<Request, &'static str> {
        let keys = greater_than_zero(ctx.arg(at)).ok_or(error::NUMKEYS)?;
        let words = at.checked_add(keys).and_then(|last| last.checked_add(1)).ok_or(error::SYNTAX)?;
        let from = ctx.args.get(words).and_then(side).ok_or(error::SYNTAX)?;
        let count = match (ctx.args.get(words + 1), ctx.args.get(words + 2)) {
            (None, _) => 1,
            (Some(word), Some(count)) if eq_ignore_case(word, b"COUNT") => {
                greater_than_zero(count).ok_or(error::COUNT)?
            }
            _ => return Err(error::SYNTAX),
        };
        if ctx.args.len() > words + 3 {
            return Err(error::SYNTAX);
        }
        Ok(Request { keys, from, count })
    }
}

/// A number of at least one.
pub(super) fn greater_than_zero(word: &[u8]) -> Option<usize> {
    parse_i64(word).and_then(|count| usize::try_from(count).ok()).filter(|&count| count > 0)
}

/// Pops from the first of `keys` keys, the first at argument `first`, that has a list, and answers key and elements.
/// False, and nothing is answered, if there is none.
pub(crate) fn pop_first(ctx: &mut Ctx<'_>, first: usize, request: &Request) -> Result<bool, WrongType> {
    for at in first..first + request.keys {
        if pop(ctx, ctx.arg(at), request.from, Shape::KeyedArray(request.count))? {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) fn lmpop(ctx: &mut Ctx<'_>) {
    let request = match Request::parse(ctx, 1) {
        Ok(request) => request,
        Err(text) => return ctx.reply.error(text),
    };
    let found = pop_first(ctx, 2, &request);
    if !or_wrong_type!(ctx, found) {
        ctx.reply.null_array();
    }
}
