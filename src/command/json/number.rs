//! JSON.NUMINCRBY, JSON.NUMMULTBY and JSON.STRAPPEND.
//!
//! Their operand is looked at only if the path has a match of the right type.

use super::change::{Answers, Changed, Order, change_present, places, words};
use super::read::put;
use super::{Outcome, Refusal, no_match, operand, path_at, read_path, wrong_value};
use crate::command::{Ctx, container, error};
use crate::keyspace::Edit;
use crate::value::json::number::{NoResult, Operation, calculate};
use crate::value::json::path::Path;
use crate::value::json::print::{Format, Printer};
use crate::value::json::{TEXT_MAX, Text, Value, edit};

const NOT_A_NUMBER: &str = "does not contains a number";
const BAD_OPERAND: &str = "bad input number";
const OVERFLOW: &str = "ERR numeric overflow";
const NOT_FINITE: &str = "ERR result is not a number";

pub(super) fn add(ctx: &mut Ctx<'_>) -> Outcome<()> {
    run(ctx, Operation::Add, "json.numincrby")
}

pub(super) fn multiply(ctx: &mut Ctx<'_>) -> Outcome<()> {
    run(ctx, Operation::Multiply, "json.nummultby")
}

fn run(ctx: &mut Ctx<'_>, operation: Operation, event: &str) -> Outcome<()> {
    let (path, by) = (path_at(ctx, 2)?, operand(ctx.arg(3)));
    let results = change_present(ctx, event, |root, _| apply(root, &path, operation, &by))?;
    if path.is_legacy() {
        let last = results.into_iter().flatten().next_back().unwrap_or(Value::Null);
        ctx.reply.bulk(&text_of(|printer| printer.value(&last)));
    } else if ctx.reply.resp3() {
        ctx.reply.array(results.len());
        results.iter().for_each(|result| reply_number(ctx, result.as_ref()));
    } else {
        let text = text_of(|printer| {
            printer.open(b'[');
            for result in &results {
                printer.item();
                printer.value(result.as_ref().unwrap_or(&Value::Null));
            }
            printer.close(b']');
        });
        put(&mut ctx.reply, text);
    }
    Ok(())
}

fn text_of(write: impl FnOnce(&mut Printer<'_, '_>)) -> Vec<u8> {
    let mut text = Vec::new();
    write(&mut Printer::new(&mut text, Format::default()));
    text
}

fn reply_number(ctx: &mut Ctx<'_>, number: Option<&Value>) {
    match number {
        Some(Value::Int(int)) => ctx.reply.int(*int),
        Some(number) => ctx.reply.double(number.as_f64().unwrap_or_default()),
        None => ctx.reply.null(),
    }
}

/// Calculates with every number that the path means. All results are there before the first one is stored.
fn apply(
    root: &mut Value,
    path: &Path,
    operation: Operation,
    by: &Outcome<Value>,
) -> Changed<Vec<Option<Value>>> {
    let places = places(path, root)?;
    let mut results = Vec::with_capacity(places.len());
    for place in &places {
        results.push(match edit::at(root, place) {
            Some(value) if value.is_number() => Some(result(operation, value, by)?),
            _ => None,
        });
    }
    if results.iter().all(Option::is_none) {
        return if path.is_legacy() {
            Err(no_match(path.full(), NOT_A_NUMBER))
        } else {
            Ok(Edit::Unchanged(results))
        };
    }
    for (place, result) in places.iter().zip(&results) {
        if let (Some(value), Some(result)) = (edit::at(root, place), result) {
            *value = result.clone();
        }
    }
    Ok(Edit::Changed(results))
}

fn result(operation: Operation, value: &Value, by: &Outcome<Value>) -> Outcome<Value> {
    let by = by.as_ref().map_err(Refusal::clone)?;
    if !by.is_number() {
        return Err(BAD_OPERAND.into());
    }
    calculate(operation, value, by).map_err(|none| match none {
        NoResult::Overflow => OVERFLOW.into(),
        NoResult::NotFinite => NOT_FINITE.into(),
    })
}

// -- strings ----------------------------------------------------------------------------------------------------

pub(super) fn append(ctx: &mut Ctx<'_>) -> Outcome<()> {
    let (path, value) = match ctx.args.len() {
        3 => (path_at(ctx, usize::MAX)?, operand(ctx.arg(2))),
        4 => (read_path(ctx.arg(2))?, operand(ctx.arg(3))),
        _ => return Err(container::wrong_arity(ctx.command).into()),
    };
    let limit = ctx.server.config.live().proto_max_bulk_len().min(TEXT_MAX);
    let lengths = change_present(ctx, "json.strappend", |root, _| {
        let places = places(&path, root)?;
        let longest = places.iter().filter_map(|place| Some(edit::at(root, place)?.as_str()?.len())).max();
        let added = longest.map(|longest| checked(&value, longest, limit)).transpose()?.unwrap_or_default();
        edit::fits(&places, 0, || added.len()).map_err(words)?;
        let answers = Answers::of(root, &places, Order::Forwards, |value| appended(value, added, limit));
        answers.checked(&path, "not a string")
    })?;
    lengths.reply(ctx, &path, |ctx, length| ctx.reply.int(length as i64));
    Ok(())
}

/// What is appended to strings of up to `longest` bytes.
fn checked(value: &Outcome<Value>, longest: usize, limit: usize) -> Outcome<&str> {
    let value = value.as_ref().map_err(Refusal::clone)?;
    let added = value.as_str().ok_or_else(|| wrong_value("string", value))?;
    if longest + added.len() > limit { Err(error::STRING_TOO_LONG.into()) } else { Ok(added) }
}

/// Appends to a string, unless that is too long by now because it is a match several times; its length.
fn appended(value: &mut Value, added: &str, limit: usize) -> Option<usize> {
    let Value::Text(text) = value else { return None };
    let length = text.as_bytes().len() + added.len();
    if length > limit {
        return None;
    }
    let mut joined = String::with_capacity(length);
    joined.push_str(text.as_str());
    joined.push_str(added);
    *text = Text::new(&joined);
    Some(length)
}
