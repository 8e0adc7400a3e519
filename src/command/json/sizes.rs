//! JSON.ARRLEN, JSON.OBJLEN, JSON.STRLEN, JSON.OBJKEYS and JSON.ARRINDEX.

use super::{
    NO_KEY, Outcome, Refusal, TOO_MUCH, integer, look_in, no_match, no_path, operand, path_at, sent,
    wrong_value,
};
use crate::command::{Ctx, container};
use crate::protocol::reply::Reply;
use crate::value::json::path::Path;
use crate::value::json::{Value, array};

/// What is asked of a value. The errors of the four do not follow one rule.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    ArrayLength,
    ObjectLength,
    TextLength,
    Names,
}

impl Asked {
    /// Replies about a value; false if it is of another type.
    fn answer(self, value: &Value, reply: &mut Reply<'_>) -> bool {
        match (self, value) {
            (Asked::ArrayLength, Value::Array(items)) => reply.int(items.len() as i64),
            (Asked::TextLength, Value::Text(text)) => reply.int(text.as_bytes().len() as i64),
            (Asked::ObjectLength, Value::Object(object)) => reply.int(object.members().len() as i64),
            (Asked::Names, Value::Object(object)) => {
                reply.array(object.members().len());
                object.members().iter().for_each(|member| reply.bulk(member.name.as_bytes()));
            }
            _ => return false,
        }
        true
    }

    /// What a path of many answers of an absent key.
    fn no_key(self, path: &Path) -> Refusal {
        match self {
            Asked::ObjectLength => no_match(path.full(), "not an object"),
            _ => NO_KEY.into(),
        }
    }

    /// What a legacy path whose first match is of another type answers.
    fn wrong(self, path: &Path, sent: &str, found: &Value) -> Refusal {
        match self {
            Asked::ArrayLength => no_match(sent, "not an array"),
            Asked::ObjectLength => wrong_value("object", found),
            Asked::TextLength => wrong_value("string", found),
            Asked::Names => no_match(path.full(), "not an object"),
        }
    }

    /// Replies about the first match of a legacy path.
    fn first(self, root: &Value, path: &Path, sent: &str, reply: &mut Reply<'_>) -> Outcome<()> {
        match path.first(root).map_err(|_| TOO_MUCH)? {
            Some(value) if self.answer(value, reply) => Ok(()),
            Some(value) => Err(self.wrong(path, sent, value)),
            None if matches!(self, Asked::ObjectLength | Asked::Names) => {
                reply.null();
                Ok(())
            }
            None => Err(no_path(sent)),
        }
    }

    fn run(self, ctx: &mut Ctx<'_>) -> Outcome<()> {
        let (path, sent, key) = (path_at(ctx, 2)?, sent(ctx, 2), ctx.key(1));
        let (space, reply) = (ctx.space, &mut ctx.reply);
        let answered = look_in(space, key, |root| {
            if path.is_legacy() {
                return self.first(root, &path, &sent, reply);
            }
            each(root, &path, reply, |value, reply| self.answer(value, reply))
        })?;
        match answered {
            Some(answered) => answered,
            None if path.is_legacy() => {
                ctx.reply.null();
                Ok(())
            }
            None => Err(self.no_key(&path)),
        }
    }
}

/// Replies an array about all matches; null about those of which `answer` says no.
fn each(
    root: &Value,
    path: &Path,
    reply: &mut Reply<'_>,
    answer: impl Fn(&Value, &mut Reply<'_>) -> bool,
) -> Outcome<()> {
    let values = path.values(root).map_err(|_| TOO_MUCH)?;
    reply.array(values.len());
    for value in values {
        if !answer(value, reply) {
            reply.null();
        }
    }
    Ok(())
}

pub(super) fn arrlen(ctx: &mut Ctx<'_>) -> Outcome<()> {
    Asked::ArrayLength.run(ctx)
}

pub(super) fn objlen(ctx: &mut Ctx<'_>) -> Outcome<()> {
    Asked::ObjectLength.run(ctx)
}

pub(super) fn strlen(ctx: &mut Ctx<'_>) -> Outcome<()> {
    Asked::TextLength.run(ctx)
}

pub(super) fn objkeys(ctx: &mut Ctx<'_>) -> Outcome<()> {
    Asked::Names.run(ctx)
}

pub(super) fn arrindex(ctx: &mut Ctx<'_>) -> Outcome<()> {
    if ctx.args.len() > 6 {
        return Err(container::wrong_arity(ctx.command).into());
    }
    let (path, wanted) = (path_at(ctx, 2)?, operand(ctx.arg(3))?);
    let bound = |index| if index < ctx.args.len() { integer(ctx, index) } else { Ok(0) };
    let (start, stop) = (bound(4)?, bound(5)?);
    let place = |items: &[Value]| array::index_of(items, &wanted, start, stop).map_or(-1, |at| at as i64);
    let (space, key, reply) = (ctx.space, ctx.key(1), &mut ctx.reply);
    let answered = look_in(space, key, |root| {
        if !path.is_legacy() {
            return each(root, &path, reply, |value, reply| {
                value.as_array().map(|items| reply.int(place(items))).is_some()
            });
        }
        let first = path.first(root).map_err(|_| TOO_MUCH)?;
        let first = first.ok_or_else(|| no_path(path.full()))?;
        reply.int(place(first.as_array().ok_or_else(|| wrong_value("array", first))?));
        Ok(())
    })?;
    answered.unwrap_or_else(|| Err(no_path(path.full())))
}
