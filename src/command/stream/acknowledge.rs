//! XACK, XACKDEL and XNACK: what a consumer says about entries that are pending.

use super::delete::{delete_acknowledged, reply_outcomes};
use super::{Refusal, integer, no_key_or_group, options, parse_all};
use crate::command::Ctx;
use crate::command::error::SYNTAX;
use crate::command::notify::Events;
use crate::keyspace::{Absent, Edit};
use crate::protocol::args::{Args, eq_ignore_case, to_upper};
use crate::value::stream::{Id, Log, Removed, Stream};

pub(super) fn xack(ctx: &mut Ctx<'_>) -> Result<(), Refusal> {
    let ids = parse_all(ctx.args.slice_from(3));
    let edited = ctx.space.edit(ctx.key(1), Absent::Skip, |stream: &mut Stream| {
        let (Some(group), Ok(ids)) = (stream.group_mut(ctx.arg(2)), &ids) else {
            return Edit::Unchanged(stream.group(ctx.arg(2)).map(|_| 0));
        };
        match ids.iter().filter(|id| group.acknowledge(**id)).count() {
            0 => Edit::Unchanged(Some(0)),
            done => Edit::Changed(Some(done)),
        }
    })?;
    // Without a group there is nothing to acknowledge, whatever the ids look like.
    let done = match edited.and_then(|edited| edited.answer) {
        Some(done) => ids.map(|_| done)?,
        None => 0,
    };
    ctx.reply.int(done as i64);
    Ok(())
}

pub(super) fn xackdel(ctx: &mut Ctx<'_>) -> Result<(), Refusal> {
    let (references, ids) = options::parse_references_and_ids(ctx.args.slice_from(3))?;
    let acknowledge = |log: &mut Log, id: Id| {
        let was_pending = log.group_mut(ctx.arg(2)).is_some_and(|group| group.acknowledge(id));
        if was_pending { delete_acknowledged(log, id, references) } else { Removed::Absent }
    };
    let edited = ctx.space.edit(ctx.key(1), Absent::Skip, |stream: &mut Stream| {
        let before = stream.len();
        let outcomes: Vec<Removed> = ids.iter().map(|id| acknowledge(stream, *id)).collect();
        let deleted = stream.len() < before;
        match outcomes.iter().any(|outcome| *outcome != Removed::Absent) {
            true => Edit::Changed((outcomes, deleted)),
            false => Edit::Unchanged((outcomes, deleted)),
        }
    })?;
    let (outcomes, deleted) = match edited {
        Some(edited) => edited.answer,
        None => (vec![Removed::Absent; ids.len()], false),
    };
    reply_outcomes(ctx, &outcomes);
    if deleted {
        ctx.notify(Events::STREAM, "xdel", ctx.arg(1));
    }
    Ok(())
}

/// Why a consumer gives an entry back.
#[derive(Clone, Copy)]
enum Reason {
    /// It was not even tried: the delivery does not count.
    Silent,
    /// It failed here.
    Fail,
    /// It will fail everywhere.
    Fatal,
}

/// What XNACK was told.
struct Release {
    reason: Reason,
    ids: Vec<Id>,
    deliveries: Option<u64>,
    force: bool,
}

impl Release {
    fn parse(args: Args<'_>) -> Result<Release, Refusal> {
        let mut room = [0; b"SILENT".len()];
        let reason = match args.get(3).and_then(|word| to_upper(word, &mut room)) {
            Some(b"SILENT") => Reason::Silent,
            Some(b"FAIL") => Reason::Fail,
            Some(b"FATAL") => Reason::Fatal,
            _ => return Err("ERR mode must be one of SILENT, FAIL or FATAL".into()),
        };
        if !args.get(4).is_some_and(|word| eq_ignore_case(word, b"IDS")) {
            return Err("ERR IDS option is required".into());
        }
        let (ids, rest) = options::parse_ids(args.slice_from(5))?;
        let mut release = Release { reason, ids, deliveries: None, force: false };
        let mut words = rest.iter();
        while let Some(word) = words.next() {
            if eq_ignore_case(word, b"FORCE") {
                release.force = true;
            } else if eq_ignore_case(word, b"RETRYCOUNT") {
                let count = u64::try_from(integer(words.next().ok_or(SYNTAX)?)?);
                release.deliveries = Some(count.map_err(|_| "ERR RETRYCOUNT must be >= 0")?);
            } else {
                return Err(SYNTAX.into());
            }
        }
        Ok(release)
    }

    fn deliveries(&self, before: u64) -> u64 {
        match (self.deliveries, self.reason) {
            (Some(count), _) => count,
            (None, Reason::Silent) => before.saturating_sub(1),
            (None, Reason::Fail) => before,
            (None, Reason::Fatal) => u64::MAX,
        }
    }

    /// Releases the entries, and returns how many it were; none if there is no such group.
    fn run(&self, log: &mut Log, group: &[u8]) -> Option<usize> {
        let (group, entries) = log.group_and_entries(group)?;
        let released = self.ids.iter().filter(|id| {
            let force = self.force && entries.find(**id).is_some();
            group.release(**id, force, |before| self.deliveries(before))
        });
        Some(released.count())
    }
}

pub(super) fn xnack(ctx: &mut Ctx<'_>) -> Result<(), Refusal> {
    let release = Release::parse(ctx.args)?;
    let edited = ctx.space.edit(ctx.key(1), Absent::Skip, |stream: &mut Stream| {
        match release.run(stream, ctx.arg(2)) {
            Some(0) => Edit::Unchanged(Some(0)),
            released => Edit::Changed(released),
        }
    })?;
    let released = edited.and_then(|edited| edited.answer);
    let released = released.ok_or_else(|| no_key_or_group(ctx.arg(1), ctx.arg(2)))?;
    ctx.reply.int(released as i64);
    Ok(())
}
