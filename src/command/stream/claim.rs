//! XCLAIM and XAUTOCLAIM: a consumer takes over what others have pending.

use super::entries::reply_entry;
use super::id::{self, reply_id};
use super::{Refusal, no_key_or_group};
use crate::command::Ctx;
use crate::command::error::{self, SYNTAX};
use crate::command::notify::Events;
use crate::keyspace::{Absent, Edit};
use crate::protocol::args::{Args, eq_ignore_case, parse_i64, to_upper};
use crate::protocol::reply::Reply;
use crate::value::stream::{ConsumerNo, Count, Entry, Group, Id, Log, Stream};

/// How an entry is claimed.
struct Manner {
    /// Milliseconds that it must have waited.
    min_idle: u64,
    /// When it counts as delivered, in Unix milliseconds.
    at: u64,
    count: Count,
    /// Only the id is shown.
    just_id: bool,
    now: u64,
}

impl Manner {
    /// Claims an entry that is there, and shows it.
    fn claim(&self, reply: &mut Reply<'_>, group: &mut Group, to: ConsumerNo, entry: &Entry<'_>) {
        group.claim(entry.id, to, self.at, self.count);
        group.consumer_mut(to).active = Some(self.now);
        if self.just_id { reply_id(reply, entry.id) } else { reply_entry(reply, entry) }
    }
}

/// Edits the stream of argument 1 for the consumer that arguments 2 and 3 name, and tells of a new one. The closure
/// writes the reply.
fn claim_with(
    ctx: &mut Ctx<'_>,
    mut claim: impl FnMut(&mut Log, &mut Reply<'_>, ConsumerNo),
) -> Result<(), Refusal> {
    let (group, consumer, now) = (ctx.arg(2), ctx.arg(3), ctx.space.now);
    let (space, key, reply) = (ctx.space, ctx.key(1), &mut ctx.reply);
    let before = reply.output().checkpoint();
    let edited = space.edit(key, Absent::Skip, |stream: &mut Stream| {
        // The closure may run again.
        reply.output().rollback(before);
        let Some(found) = stream.group_mut(group) else { return Edit::Unchanged(None) };
        let (no, created) = found.consumer_or_new(consumer, now);
        found.consumer_mut(no).seen = now;
        claim(stream, reply, no);
        Edit::Changed(Some(created))
    })?;
    let created = edited.and_then(|edited| edited.answer);
    if created.ok_or_else(|| no_key_or_group(ctx.arg(1), group))? {
        ctx.notify(Events::STREAM, "xgroup-createconsumer", ctx.arg(1));
    }
    Ok(())
}

/// Whether the key holds a stream with the group: XCLAIM complains about that before it looks at its other arguments.
fn check_group(ctx: &Ctx<'_>) -> Result<(), Refusal> {
    let group = ctx.arg(2);
    let found = ctx.space.peek_as::<Stream, _>(ctx.key(1), |log| log.group(group).is_some())?;
    match found {
        Some(true) => Ok(()),
        _ => Err(no_key_or_group(ctx.arg(1), group)),
    }
}

// -- XCLAIM -----------------------------------------------------------------------------------------------------

/// What XCLAIM was told.
struct Claim {
    ids: Vec<Id>,
    manner: Manner,
    force: bool,
    last_id: Option<Id>,
}

impl Claim {
    fn parse(args: Args<'_>, now: u64) -> Result<Claim, Refusal> {
        let min_idle = parse_i64(&args[4]).ok_or("ERR Invalid min-idle-time argument for XCLAIM")?;
        let ids: Vec<Id> = args.iter().skip(5).map_while(|text| id::parse(text, 0).ok()).collect();
        let min_idle = u64::try_from(min_idle).unwrap_or(0);
        let manner = Manner { min_idle, at: now, count: Count::OneMore, just_id: false, now };
        let mut claim = Claim { manner, force: false, last_id: None, ids };
        let mut words = args.slice_from(5 + claim.ids.len()).iter();
        let mut counted = None;
        while let Some(word) = words.next() {
            claim.take(word, &mut words, &mut counted)?;
        }
        claim.manner.count = match counted {
            Some(count) => Count::Set(count),
            None if claim.manner.just_id => Count::Same,
            None => Count::OneMore,
        };
        Ok(claim)
    }

    fn take<'a>(
        &mut self,
        word: &'a [u8],
        rest: &mut (impl ExactSizeIterator<Item = &'a [u8]> + Clone),
        counted: &mut Option<u64>,
    ) -> Result<(), Refusal> {
        let mut room = [0; b"RETRYCOUNT".len()];
        let unknown = || Refusal::from(format!("ERR Unrecognized XCLAIM option '{}'", error::c_text(word)));
        let name = to_upper(word, &mut room).ok_or_else(unknown)?;
        let has_operand = rest.len() > 0;
        let now = self.manner.now;
        let mut number = |refusal: &'static str| rest.next().and_then(parse_i64).ok_or(refusal);
        match name {
            b"FORCE" => self.force = true,
            b"JUSTID" => self.manner.just_id = true,
            b"IDLE" if has_operand => {
                let idle = number("ERR Invalid IDLE option argument for XCLAIM")?;
                self.manner.at = time((now as i64).checked_sub(idle), now);
            }
            b"TIME" if has_operand => {
                let at = number("ERR Invalid TIME option argument for XCLAIM")?;
                self.manner.at = time(Some(at), now);
            }
            b"RETRYCOUNT" if has_operand => {
                let count = number("ERR Invalid RETRYCOUNT option argument for XCLAIM")?;
                // A negative one says nothing, as in Redis.
                *counted = u64::try_from(count).ok();
            }
            b"LASTID" if has_operand => {
                self.last_id = Some(id::parse(rest.next().unwrap_or_default(), 0)?);
            }
            _ => return Err(unknown()),
        }
        Ok(())
    }

    fn run(&self, log: &mut Log, reply: &mut Reply<'_>, group: &[u8], to: ConsumerNo) {
        let Some((group, entries)) = log.group_and_entries(group) else { return };
        group.last_id = group.last_id.max(self.last_id.unwrap_or(Id::MIN));
        let start = reply.begin_array();
        let mut count = 0;
        for id in &self.ids {
            let Some(entry) = entries.find(*id) else {
                // Nobody will ever be able to handle it.
                group.acknowledge(*id);
                continue;
            };
            let claimable = match group.pending_of(*id) {
                Some(pending) => pending.has_waited(self.manner.min_idle, self.manner.now),
                None => self.force,
            };
            if claimable {
                self.manner.claim(reply, group, to, &entry);
                count += 1;
            }
        }
        reply.end_array(start, count);
    }
}

/// A time of delivery: not before 1970, and not in the future.
fn time(at: Option<i64>, now: u64) -> u64 {
    at.and_then(|at| u64::try_from(at).ok()).filter(|at| *at <= now).unwrap_or(now)
}

pub(super) fn xclaim(ctx: &mut Ctx<'_>) -> Result<(), Refusal> {
    check_group(ctx)?;
    let claim = Claim::parse(ctx.args, ctx.space.now)?;
    let group = ctx.arg(2);
    claim_with(ctx, |log, reply, to| claim.run(log, reply, group, to))
}

// -- XAUTOCLAIM -------------------------------------------------------------------------------------------------

/// What XAUTOCLAIM was told.
struct AutoClaim {
    start: Id,
    most: usize,
    manner: Manner,
}

/// What it decided, and where the next call goes on.
struct Decisions {
    /// The entry, and whether it is there to be claimed; if not, it was deleted.
    about: Vec<(Id, bool)>,
    next: Id,
}

impl AutoClaim {
    /// Entries that it looks at for each that it may claim.
    const LOOKS: usize = 10;

    fn parse(args: Args<'_>, now: u64) -> Result<AutoClaim, Refusal> {
        /// So many ids could not be kept.
        const MOST: i64 = i64::MAX / 16;
        let min_idle = parse_i64(&args[4]).ok_or("ERR Invalid min-idle-time argument for XAUTOCLAIM")?;
        let start = id::parse_start(&args[5])?;
        let min_idle = u64::try_from(min_idle).unwrap_or(0);
        let manner = Manner { min_idle, at: now, count: Count::OneMore, just_id: false, now };
        let mut auto = AutoClaim { start, most: 100, manner };
        let mut words = args.slice_from(6).iter();
        while let Some(word) = words.next() {
            if eq_ignore_case(word, b"COUNT") && words.len() > 0 {
                let most = words.next().and_then(parse_i64).filter(|most| (1..=MOST).contains(most));
                auto.most = most.ok_or("ERR COUNT must be > 0")? as usize;
            } else if eq_ignore_case(word, b"JUSTID") {
                auto.manner.just_id = true;
                auto.manner.count = Count::Same;
            } else {
                return Err(SYNTAX.into());
            }
        }
        Ok(auto)
    }

    fn decide(&self, group: &Group, is_there: impl Fn(Id) -> bool) -> Decisions {
        let mut pending = group.pending(self.start..);
        let mut about = Vec::new();
        let mut looks = self.most * Self::LOOKS;
        while looks > 0 && about.len() < self.most {
            let Some((id, entry)) = pending.next() else { break };
            looks -= 1;
            let there = is_there(id);
            if !there || entry.has_waited(self.manner.min_idle, self.manner.now) {
                about.push((id, there));
            }
        }
        Decisions { about, next: pending.next().map_or(Id::MIN, |(id, _)| id) }
    }

    fn run(&self, log: &mut Log, reply: &mut Reply<'_>, group: &[u8], to: ConsumerNo) {
        let Some((group, entries)) = log.group_and_entries(group) else { return };
        let decisions = self.decide(group, |id| entries.find(id).is_some());
        reply.array(3);
        reply_id(reply, decisions.next);
        let there = decisions.about.iter().filter(|(_, there)| *there);
        reply.array(there.clone().count());
        for (id, _) in there {
            if let Some(entry) = entries.find(*id) {
                self.manner.claim(reply, group, to, &entry);
            }
        }
        let deleted = decisions.about.iter().filter(|(_, there)| !there);
        reply.array(deleted.clone().count());
        for (id, _) in deleted {
            group.acknowledge(*id);
            reply_id(reply, *id);
        }
    }
}

pub(super) fn xautoclaim(ctx: &mut Ctx<'_>) -> Result<(), Refusal> {
    let auto = AutoClaim::parse(ctx.args, ctx.space.now)?;
    let group = ctx.arg(2);
    claim_with(ctx, |log, reply, to| auto.run(log, reply, group, to))
}
