//! JSON.ARRAPPEND, JSON.ARRINSERT, JSON.ARRPOP and JSON.ARRTRIM.

use super::change::{Answers, Order, change_present, places, words};
use super::read::put;
use super::{Outcome, integer, path_at, values};
use crate::command::{Ctx, container};
use crate::value::json::edit;
use crate::value::json::path::Place;
use crate::value::json::print::print;
use crate::value::json::{Parsed, Value, array};

const NOT_AN_ARRAY: &str = "not an array";
const OUT_OF_BOUNDS: &str = "ERR index out of bounds";

/// Runs `run` if the value is an array.
fn in_array<T>(value: &mut Value, run: impl FnOnce(&mut Vec<Value>) -> T) -> Option<T> {
    if let Value::Array(items) = value { Some(run(items)) } else { None }
}

/// New elements, and how deep the deepest is nested.
fn elements(new: Vec<Parsed>) -> (Vec<Value>, usize) {
    let depth = new.iter().map(|parsed| parsed.depth).max().unwrap_or(0);
    (new.into_iter().map(|parsed| parsed.value).collect(), depth)
}

/// Whether new elements may be put into arrays at `places`.
fn check(places: &[Place], new: &[Value], depth: usize) -> Outcome<()> {
    let bytes = || new.iter().map(Value::bytes).sum();
    edit::fits(places, depth + 1, bytes).map_err(words)
}

fn reply_length(ctx: &mut Ctx<'_>, length: usize) {
    ctx.reply.int(length as i64);
}

pub(super) fn append(ctx: &mut Ctx<'_>) -> Outcome<()> {
    let path = path_at(ctx, 2)?;
    let (new, depth) = elements(values(ctx, 3)?);
    let lengths = change_present(ctx, "json.arrappend", |root, _| {
        let places = places(&path, root)?;
        check(&places, &new, depth)?;
        let answers = Answers::of(root, &places, Order::Forwards, |value| {
            in_array(value, |items| {
                items.extend_from_slice(&new);
                items.len()
            })
        });
        answers.checked(&path, NOT_AN_ARRAY)
    })?;
    lengths.reply(ctx, &path, reply_length);
    Ok(())
}

pub(super) fn insert(ctx: &mut Ctx<'_>) -> Outcome<()> {
    let (path, index) = (path_at(ctx, 2)?, integer(ctx, 3)?);
    let (new, depth) = elements(values(ctx, 4)?);
    let lengths = change_present(ctx, "json.arrinsert", |root, _| {
        let places = places(&path, root)?;
        check(&places, &new, depth)?;
        let has_place = |items: &[Value]| array::insert_place(items.len(), index).is_some();
        let mut arrays = places.iter().filter_map(|place| edit::at(root, place)?.as_array().map(has_place));
        if !arrays.all(|has_place| has_place) {
            return Err(OUT_OF_BOUNDS.into());
        }
        let answers = Answers::of(root, &places, Order::Backwards, |value| {
            in_array(value, |items| {
                array::insert(items, index, &new);
                items.len()
            })
        });
        answers.checked(&path, NOT_AN_ARRAY)
    })?;
    lengths.reply(ctx, &path, reply_length);
    Ok(())
}

pub(super) fn pop(ctx: &mut Ctx<'_>) -> Outcome<()> {
    if ctx.args.len() > 4 {
        return Err(container::wrong_arity(ctx.command).into());
    }
    let path = path_at(ctx, 2)?;
    let index = if ctx.args.len() == 4 { integer(ctx, 3)? } else { -1 };
    let popped = change_present(ctx, "json.arrpop", |root, garbage| {
        let places = places(&path, root)?;
        let answers = Answers::of(root, &places, Order::Backwards, |value| {
            in_array(value, |items| {
                let popped = array::pop(items, index)?;
                let mut text = Vec::new();
                print(&popped, &mut text);
                garbage.push(popped);
                Some(text)
            })
        });
        answers.checked(&path, NOT_AN_ARRAY)
    })?;
    popped.reply(ctx, &path, |ctx, text| match text {
        Some(text) => put(&mut ctx.reply, text),
        None => ctx.reply.null(),
    });
    Ok(())
}

pub(super) fn trim(ctx: &mut Ctx<'_>) -> Outcome<()> {
    let path = path_at(ctx, 2)?;
    let (start, stop) = (integer(ctx, 3)?, integer(ctx, 4)?);
    let lengths = change_present(ctx, "json.arrtrim", |root, garbage| {
        let places = places(&path, root)?;
        let answers = Answers::of(root, &places, Order::Backwards, |value| {
            in_array(value, |items| {
                garbage.extend(array::trim(items, start, stop));
                items.len()
            })
        });
        answers.checked(&path, NOT_AN_ARRAY)
    })?;
    lengths.reply(ctx, &path, reply_length);
    Ok(())
}
