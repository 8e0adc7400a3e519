//! JSON.DEL, JSON.CLEAR and JSON.TOGGLE, and what all changes at places share.

use std::mem;

use super::{NO_KEY, Outcome, Refusal, TOO_DEEP, TOO_LARGE, TOO_MUCH, WRONG_TYPE, no_match, path_at};
use crate::command::Ctx;
use crate::command::notify::Events;
use crate::keyspace::{Absent, Edit, WrongType};
use crate::value::collection::Collection;
use crate::value::json::edit::{self, Refused};
use crate::value::json::path::{Path, Place};
use crate::value::json::{Json, Value};

/// Values up to which freeing them is left to the command.
const FEW: usize = 64;

const NOT_STATIC: &str = "Err wrong static path";
const OUT_OF_RANGE: &str = "ERR array index out of range";

/// The words for what the value layer refuses.
pub(super) fn words(refused: Refused) -> Refusal {
    match refused {
        Refused::TooMuch => TOO_MUCH,
        Refused::NotStatic => NOT_STATIC,
        Refused::OutOfRange => OUT_OF_RANGE,
        Refused::TooDeep => TOO_DEEP,
        Refused::TooLarge => TOO_LARGE,
    }
    .into()
}

/// What became of a document.
pub(super) type Changed<R> = Outcome<Edit<R>>;

/// Changes the document of `key` in one step, and tells subscribers if that changed something. The closure gets the
/// document and a place for what it takes out, and changes nothing if it refuses. Nothing if the key is absent and to be
/// skipped.
pub(super) fn change<R>(
    ctx: &Ctx<'_>,
    name: &[u8],
    absent: Absent,
    event: &str,
    mut change: impl FnMut(&mut Option<Value>, &mut Vec<Value>) -> Changed<R>,
) -> Outcome<Option<R>> {
    let mut garbage = Vec::new();
    let edited = ctx.space.edit(ctx.space.key(name), absent, |json: &mut Json| {
        match change(&mut json.0, &mut garbage) {
            Ok(Edit::Changed(answer)) => Edit::Changed(Ok(answer)),
            Ok(Edit::Unchanged(answer)) => Edit::Unchanged(Ok(answer)),
            Err(text) => Edit::Unchanged(Err(text)),
        }
    });
    let edited = edited.map_err(|WrongType| WRONG_TYPE)?;
    discard(ctx, garbage);
    let Some(edited) = edited else { return Ok(None) };
    if edited.changed {
        ctx.notify(Events::MODULE, event, name);
    }
    edited.answer.map(Some)
}

/// Frees values, many in the background.
fn discard(ctx: &Ctx<'_>, garbage: Vec<Value>) {
    let garbage = Json(Some(Value::Array(Box::new(garbage))));
    if garbage.weight() > FEW {
        ctx.space.discard(garbage);
    }
}

/// Changes the document of the first argument, which must be there.
pub(super) fn change_present<R>(
    ctx: &Ctx<'_>,
    event: &str,
    mut run: impl FnMut(&mut Value, &mut Vec<Value>) -> Changed<R>,
) -> Outcome<R> {
    let changed = change(ctx, ctx.arg(1), Absent::Skip, event, |document, garbage| match document {
        Some(root) => run(root, garbage),
        None => Err(NO_KEY.into()),
    })?;
    Ok(changed.ok_or(NO_KEY)?)
}

/// The matches of a path.
pub(super) fn places(path: &Path, root: &Value) -> Outcome<Vec<Place>> {
    Ok(path.places(root).map_err(|_| TOO_MUCH)?)
}

/// In which order matches are changed. It tells which of them a legacy path answers about: the last one changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Forwards,
    /// What moves elements: what is inside comes before what moves it.
    Backwards,
}

/// One answer for each match of a path, none for those of another type.
pub(super) struct Answers<T> {
    all: Vec<Option<T>>,
    order: Order,
}

impl<T> Answers<T> {
    /// Changes each match with `run`.
    pub(super) fn of(
        root: &mut Value,
        places: &[Place],
        order: Order,
        mut run: impl FnMut(&mut Value) -> Option<T>,
    ) -> Answers<T> {
        let mut each = |place: &Place| edit::at(root, place).and_then(&mut run);
        let mut all: Vec<Option<T>> = match order {
            Order::Forwards => places.iter().map(&mut each).collect(),
            Order::Backwards => places.iter().rev().map(&mut each).collect(),
        };
        if order == Order::Backwards {
            all.reverse();
        }
        Answers { all, order }
    }

    /// The answers, if there is one or the path needs none: a legacy path must have a match that is `what`.
    pub(super) fn checked(self, path: &Path, what: &str) -> Changed<Answers<T>> {
        match self.all.iter().any(Option::is_some) {
            true => Ok(Edit::Changed(self)),
            false if path.is_legacy() => Err(no_match(path.full(), what)),
            false => Ok(Edit::Unchanged(self)),
        }
    }

    /// Replies the answers, or that of a legacy path.
    pub(super) fn reply(self, ctx: &mut Ctx<'_>, path: &Path, put: impl Fn(&mut Ctx<'_>, T)) {
        if path.is_legacy() {
            let mut given = self.all.into_iter().flatten();
            let one = if self.order == Order::Backwards { given.next() } else { given.last() };
            return match one {
                Some(answer) => put(ctx, answer),
                None => ctx.reply.null(),
            };
        }
        ctx.reply.array(self.all.len());
        for answer in self.all {
            match answer {
                Some(answer) => put(ctx, answer),
                None => ctx.reply.null(),
            }
        }
    }
}

// -- the commands -----------------------------------------------------------------------------------------------

pub(super) fn del(ctx: &mut Ctx<'_>) -> Outcome<()> {
    let path = path_at(ctx, 2)?;
    let deleted = change(ctx, ctx.arg(1), Absent::Skip, "json.del", |document, garbage| {
        let Some(root) = document else { return Ok(Edit::Unchanged(0)) };
        let count = match path.is_root() {
            true => 1,
            false => edit::remove(root, places(&path, root)?, garbage),
        };
        // A document of which nothing is left goes with its key.
        if path.is_root() || (count > 0 && root.is_empty_container()) {
            garbage.extend(document.take());
        }
        Ok(if count > 0 { Edit::Changed(count) } else { Edit::Unchanged(0) })
    })?;
    ctx.reply.int(deleted.unwrap_or(0) as i64);
    Ok(())
}

pub(super) fn clear(ctx: &mut Ctx<'_>) -> Outcome<()> {
    let path = path_at(ctx, 2)?;
    let cleared = change_present(ctx, "json.clear", |root, garbage| {
        let places = places(&path, root)?;
        let mut cleared = 0;
        for place in places.iter().rev() {
            let Some(value) = edit::at(root, place) else { continue };
            if let Some(empty) = emptied(value) {
                garbage.push(mem::replace(value, empty));
                cleared += 1;
            }
        }
        Ok(if cleared > 0 { Edit::Changed(cleared) } else { Edit::Unchanged(0) })
    })?;
    ctx.reply.int(cleared);
    Ok(())
}

/// What clearing makes of a value; none if it stays as it is.
fn emptied(value: &Value) -> Option<Value> {
    match value {
        Value::Array(items) if !items.is_empty() => Some(Value::Array(Box::default())),
        Value::Object(object) if !object.members().is_empty() => Some(Value::Object(Box::default())),
        number if number.as_f64().is_some_and(|number| number != 0.0) => Some(Value::Int(0)),
        _ => None,
    }
}

pub(super) fn toggle(ctx: &mut Ctx<'_>) -> Outcome<()> {
    let path = path_at(ctx, 2)?;
    let toggled = change_present(ctx, "json.toggle", |root, _| {
        let places = places(&path, root)?;
        let answers = Answers::of(root, &places, Order::Forwards, |value| match value {
            Value::Bool(truth) => {
                *truth = !*truth;
                Some(*truth)
            }
            _ => None,
        });
        answers.checked(&path, "not a bool")
    })?;
    let legacy = path.is_legacy();
    toggled.reply(ctx, &path, |ctx, truth| match (legacy, truth) {
        (true, true) => ctx.reply.bulk(b"true"),
        (true, false) => ctx.reply.bulk(b"false"),
        (false, truth) => ctx.reply.int(truth.into()),
    });
    Ok(())
}
