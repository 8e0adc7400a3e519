//! XDEL, XDELEX and XTRIM, and XSETID, which sets the counters that they leave behind.

use super::{NO_SUCH_KEY, Refusal, id, integer, limits, options, parse_all};
use crate::command::Ctx;
use crate::command::error::SYNTAX;
use crate::command::notify::Events;
use crate::keyspace::{Absent, Edit};
use crate::protocol::args::eq_ignore_case;
use crate::value::stream::{Id, Log, References, Removed, Stream};

pub(super) fn xdel(ctx: &mut Ctx<'_>) -> Result<(), Refusal> {
    // A key that is not there has nothing to delete, whatever the ids look like.
    let ids = parse_all(ctx.args.slice_from(2));
    let edited = ctx.space.edit(ctx.key(1), Absent::Skip, |stream: &mut Stream| match &ids {
        Ok(ids) => match ids.iter().filter(|id| stream.delete(**id)).count() {
            0 => Edit::Unchanged(0),
            gone => Edit::Changed(gone),
        },
        Err(_) => Edit::Unchanged(0),
    })?;
    let Some(edited) = edited else {
        ctx.reply.int(0);
        return Ok(());
    };
    ids?;
    ctx.reply.int(edited.answer as i64);
    if edited.changed {
        ctx.notify(Events::STREAM, "xdel", ctx.arg(1));
    }
    Ok(())
}

pub(super) fn xdelex(ctx: &mut Ctx<'_>) -> Result<(), Refusal> {
    let (references, ids) = options::parse_references_and_ids(ctx.args.slice_from(2))?;
    let edited = ctx.space.edit(ctx.key(1), Absent::Skip, |stream: &mut Stream| {
        let outcomes: Vec<Removed> = ids.iter().map(|id| stream.delete_with(*id, references)).collect();
        match outcomes.contains(&Removed::Gone) {
            true => Edit::Changed(outcomes),
            false => Edit::Unchanged(outcomes),
        }
    })?;
    let changed = edited.as_ref().is_some_and(|edited| edited.changed);
    let outcomes = edited.map_or_else(|| vec![Removed::Absent; ids.len()], |edited| edited.answer);
    reply_outcomes(ctx, &outcomes);
    if changed {
        ctx.notify(Events::STREAM, "xdel", ctx.arg(1));
    }
    Ok(())
}

/// What became of each entry, as XDELEX and XACKDEL tell it.
pub(super) fn reply_outcomes(ctx: &mut Ctx<'_>, outcomes: &[Removed]) {
    ctx.reply.array(outcomes.len());
    for outcome in outcomes {
        ctx.reply.int(match outcome {
            Removed::Absent => -1,
            Removed::Gone => 1,
            Removed::Referenced => 2,
        });
    }
}

pub(super) fn xtrim(ctx: &mut Ctx<'_>) -> Result<(), Refusal> {
    let trim = options::parse_trim(ctx.args, limits(ctx).entries)?;
    let edited = ctx.space.edit(ctx.key(1), Absent::Skip, |stream: &mut Stream| match stream.trim(trim) {
        0 => Edit::Unchanged(0),
        gone => Edit::Changed(gone),
    })?;
    let gone = edited.map_or(0, |edited| edited.answer);
    ctx.reply.int(gone as i64);
    if gone > 0 {
        ctx.notify(Events::STREAM, "xtrim", ctx.arg(1));
    }
    Ok(())
}

/// Deletes an entry that a group is through with, and obeys what is said about the references of other groups.
pub(super) fn delete_acknowledged(log: &mut Log, id: Id, references: References) -> Removed {
    match log.delete_with(id, references) {
        // It was pending, and is gone all the same.
        Removed::Absent => Removed::Gone,
        outcome => outcome,
    }
}

// -- XSETID -----------------------------------------------------------------------------------------------------

/// What XSETID sets.
struct Counters {
    last_id: Id,
    entries_added: Option<u64>,
    max_deleted_id: Option<Id>,
}

pub(super) fn xsetid(ctx: &mut Ctx<'_>) -> Result<(), Refusal> {
    let counters = parse_counters(ctx)?;
    let edited =
        ctx.space.edit(ctx.key(1), Absent::Skip, |stream: &mut Stream| match counters.check(stream) {
            Ok(()) => {
                stream.set_counters(counters.last_id, counters.entries_added, counters.max_deleted_id);
                Edit::Changed(Ok(()))
            }
            refused => Edit::Unchanged(refused),
        })?;
    edited.ok_or(NO_SUCH_KEY)?.answer?;
    ctx.reply.ok();
    ctx.notify(Events::STREAM, "xsetid", ctx.arg(1));
    Ok(())
}

fn parse_counters(ctx: &Ctx<'_>) -> Result<Counters, Refusal> {
    let mut counters =
        Counters { last_id: id::parse(ctx.arg(2), 0)?, entries_added: None, max_deleted_id: None };
    let mut words = ctx.args.slice_from(3).iter();
    while let Some(word) = words.next() {
        let operand = words.next().ok_or(SYNTAX)?;
        if eq_ignore_case(word, b"ENTRIESADDED") {
            let added = u64::try_from(integer(operand)?);
            counters.entries_added = Some(added.map_err(|_| "ERR entries_added must be positive")?);
        } else if eq_ignore_case(word, b"MAXDELETEDID") {
            let id = id::parse(operand, 0)?;
            if counters.last_id < id {
                return Err(
                    "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id".into(),
                );
            }
            counters.max_deleted_id = Some(id).filter(|id| *id != Id::MIN);
        } else {
            return Err(SYNTAX.into());
        }
    }
    Ok(counters)
}

impl Counters {
    fn check(&self, log: &Log) -> Result<(), &'static str> {
        if self.last_id < log.max_deleted_id() {
            return Err("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id");
        }
        if log.last().is_some_and(|last| self.last_id < last.id) {
            return Err("ERR The ID specified in XSETID is smaller than the target stream top item");
        }
        if self.entries_added.is_some_and(|added| added < log.len() as u64) {
            return Err("ERR The entries_added specified in XSETID is smaller than the target stream length");
        }
        Ok(())
    }
}
