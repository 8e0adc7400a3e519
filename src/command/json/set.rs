//! JSON.SET, JSON.MSET and JSON.MERGE.

use super::change::{Changed, change, words};
use super::{NEW_AT_ROOT, Outcome, WRONG_TYPE, path_at, read_path};
use crate::command::{Ctx, container, error};
use crate::keyspace::{Absent, Edit, WrongType};
use crate::protocol::args::eq_ignore_case;
use crate::value::json::edit::{self, When};
use crate::value::json::half::{Precision, round_arrays};
use crate::value::json::path::Path;
use crate::value::json::{Json, Parsed, Value, merge as merge_value, parse};

/// A value that a change may need again, should it have to be made again.
struct Supply<'a> {
    text: &'a [u8],
    precision: Option<Precision>,
    ready: Option<Parsed>,
}

impl<'a> Supply<'a> {
    fn new(text: &'a [u8], precision: Option<Precision>) -> Outcome<Supply<'a>> {
        let ready = read(text, precision)?;
        Ok(Supply { text, precision, ready: Some(ready) })
    }

    fn take(&mut self) -> Outcome<Parsed> {
        self.ready.take().map_or_else(|| read(self.text, self.precision), Ok)
    }
}

fn read(text: &[u8], precision: Option<Precision>) -> Outcome<Parsed> {
    let mut parsed = parse(text)?;
    if let Some(precision) = precision {
        let rounded = round_arrays(&mut parsed.value, precision);
        rounded.map_err(|number| format!("value out of range for {}: {number:?}", precision.name()))?;
    }
    Ok(parsed)
}

/// What JSON.SET's options say.
struct Options {
    when: When,
    precision: Option<Precision>,
}

impl Options {
    fn parse(ctx: &Ctx<'_>) -> Outcome<Options> {
        let mut options = Options { when: When::Always, precision: None };
        let mut words = ctx.args.iter().skip(4);
        while let Some(word) = words.next() {
            let is_first = options.when == When::Always;
            if is_first && eq_ignore_case(word, b"nx") {
                options.when = When::Absent;
            } else if is_first && eq_ignore_case(word, b"xx") {
                options.when = When::Present;
            } else if options.precision.is_none() && eq_ignore_case(word, b"fpha") {
                options.precision = Some(words.next().and_then(precision).ok_or(error::SYNTAX)?);
            } else {
                return Err(error::SYNTAX.into());
            }
        }
        Ok(options)
    }
}

fn precision(name: &[u8]) -> Option<Precision> {
    let all: [(&[u8], _); 4] = [
        (b"fp16", Precision::Half),
        (b"bf16", Precision::Brain),
        (b"fp32", Precision::Single),
        (b"fp64", Precision::Double),
    ];
    all.into_iter().find(|(known, _)| eq_ignore_case(name, known)).map(|(_, precision)| precision)
}

/// Sets a value of the document of `name`; whether it is anywhere now.
fn set_one(
    ctx: &Ctx<'_>,
    name: &[u8],
    path: &Path,
    supply: &mut Supply<'_>,
    when: When,
    event: &str,
) -> Outcome<bool> {
    if !path.is_root() {
        let set = change(ctx, name, Absent::Skip, event, |document, garbage| {
            let root = document.as_mut().ok_or(NEW_AT_ROOT)?;
            outcome(edit::set(root, path, supply.take()?, when, garbage))
        })?;
        return Ok(set.ok_or(NEW_AT_ROOT)?);
    }
    let set = change(ctx, name, Absent::Create, event, |document, garbage| {
        if when == (if document.is_some() { When::Absent } else { When::Present }) {
            return Ok(Edit::Unchanged(false));
        }
        garbage.extend(document.replace(supply.take()?.value));
        Ok(Edit::Changed(true))
    })?;
    Ok(set.unwrap_or(false))
}

fn outcome(done: Result<bool, edit::Refused>) -> Changed<bool> {
    let done = done.map_err(words)?;
    Ok(if done { Edit::Changed(true) } else { Edit::Unchanged(false) })
}

fn reply(ctx: &mut Ctx<'_>, done: bool) {
    if done { ctx.reply.ok() } else { ctx.reply.null() }
}

pub(super) fn set(ctx: &mut Ctx<'_>) -> Outcome<()> {
    let options = Options::parse(ctx)?;
    let (path, mut supply) = (path_at(ctx, 2)?, Supply::new(ctx.arg(3), options.precision)?);
    let done = set_one(ctx, ctx.arg(1), &path, &mut supply, options.when, "json.set")?;
    reply(ctx, done);
    Ok(())
}

/// Nothing is set if anything is refused. That a path leads nowhere is no reason: its value is left out.
pub(super) fn mset(ctx: &mut Ctx<'_>) -> Outcome<()> {
    let count = ctx.args.len() - 1;
    if !count.is_multiple_of(3) {
        return Err(container::wrong_arity(ctx.command).into());
    }
    let mut all = Vec::with_capacity(count / 3);
    for at in (1..=count).step_by(3) {
        all.push((ctx.arg(at), read_path(ctx.arg(at + 1))?, Supply::new(ctx.arg(at + 2), None)?));
    }
    for (name, path, supply) in &all {
        supply.ready.as_ref().map_or(Ok(()), |parsed| check(ctx, name, path, parsed))?;
    }
    let mut done = true;
    for (name, path, supply) in &mut all {
        // What is refused now was there before a value that came earlier replaced it.
        let set = set_one(ctx, name, path, supply, When::Always, "json.mset");
        done &= if count == 3 { set? } else { set.unwrap_or(false) };
    }
    reply(ctx, done);
    Ok(())
}

/// What setting a value would be refused for.
fn check(ctx: &Ctx<'_>, name: &[u8], path: &Path, new: &Parsed) -> Outcome<()> {
    let checked = ctx.space.peek_as::<Json, _>(ctx.space.key(name), |document| {
        document.as_ref().map(|root| edit::check(root, path, new))
    });
    match checked.map_err(|WrongType| WRONG_TYPE)?.flatten() {
        Some(checked) => checked.map_err(words),
        None if path.is_root() => Ok(()),
        None => Err(NEW_AT_ROOT.into()),
    }
}

pub(super) fn merge(ctx: &mut Ctx<'_>) -> Outcome<()> {
    let (path, mut supply) = (path_at(ctx, 2)?, Supply::new(ctx.arg(3), None)?);
    let absent = if path.is_root() { Absent::Create } else { Absent::Skip };
    let merged = change(ctx, ctx.arg(1), absent, "json.merge", |document, garbage| {
        let patch = supply.take()?;
        match document {
            Some(root) if path.is_root() => {
                merge_value(root, &patch.value, garbage);
                Ok(Edit::Changed(true))
            }
            Some(root) => outcome(edit::merge_at(root, &path, patch, garbage)),
            // What is new is as it was sent, nulls included.
            None => Ok(created(document, patch.value)),
        }
    })?;
    reply(ctx, merged.ok_or(NEW_AT_ROOT)?);
    Ok(())
}

fn created(document: &mut Option<Value>, value: Value) -> Edit<bool> {
    *document = Some(value);
    Edit::Changed(true)
}
