//! XADD, and XCFGSET, which says how long it remembers its producers.

use xxhash_rust::xxh3::xxh3_128;

use super::id::{Wanted, reply_id};
use super::options::{self, Options, Producer};
use super::{NO_SUCH_KEY, Refusal, integer, limits};
use crate::command::error::SYNTAX;
use crate::command::notify::Events;
use crate::command::{Ctx, container};
use crate::keyspace::{Absent, Edit};
use crate::protocol::args::{Args, eq_ignore_case};
use crate::value::stream::{AppendError, Id, Log, Stream};

const NOT_ABOVE_ZERO: &str = "ERR The ID specified in XADD must be greater than 0-0";
const NOT_GREATER: &str = "ERR The ID specified in XADD is equal or smaller than the target stream top item";
const EXHAUSTED: &str = "ERR The stream has exhausted the last possible ID, unable to add more items";
const TOO_LARGE: &str = "ERR Elements are too large to be stored";

/// What became of an entry.
enum Added {
    /// It is there, and this many went for it.
    New(Id, usize),
    /// Its producer had sent it before.
    Known(Id),
}

pub(super) fn xadd(ctx: &mut Ctx<'_>) -> Result<(), Refusal> {
    let (options, wanted, at) = options::parse_add(ctx.args)?;
    let words = ctx.args.slice_from(at);
    let Some(wanted) = wanted.filter(|_| words.len() >= 2 && words.len().is_multiple_of(2)) else {
        return Err(container::wrong_arity(ctx.command).into());
    };
    if wanted == Wanted::Exactly(Id::MIN) {
        return Err(NOT_ABOVE_ZERO.into());
    }
    let entry =
        New { words, wanted, now: ctx.space.now, message: options.producer.map(|it| message(it, words)) };
    let limits = limits(ctx);
    let trim = options.trim(limits.entries);
    let absent = if options.no_create { Absent::Skip } else { Absent::Create };
    let edited = ctx.space.edit(ctx.key(1), absent, |stream: &mut Stream| {
        match entry.add(stream, &options, limits) {
            Ok(Added::New(id, _)) => {
                let gone = trim.map_or(0, |trim| stream.trim(trim));
                Edit::Changed(Ok(Added::New(id, gone)))
            }
            known_or_refused => Edit::Unchanged(known_or_refused),
        }
    })?;
    match edited.map(|edited| edited.answer).transpose()? {
        None => ctx.reply.null(),
        Some(Added::Known(id)) => reply_id(&mut ctx.reply, id),
        Some(Added::New(id, gone)) => {
            reply_id(&mut ctx.reply, id);
            ctx.notify(Events::STREAM, "xadd", ctx.arg(1));
            if gone > 0 {
                ctx.notify(Events::STREAM, "xtrim", ctx.arg(1));
            }
        }
    }
    Ok(())
}

/// An entry to be.
struct New<'a> {
    words: Args<'a>,
    wanted: Wanted,
    now: u64,
    /// The name of the message that it comes from.
    message: Option<Vec<u8>>,
}

impl New<'_> {
    fn add(
        &self,
        log: &mut Log,
        options: &Options<'_>,
        limits: crate::value::stream::Limits,
    ) -> Result<Added, &'static str> {
        let producer = options.producer.zip(self.message.as_deref());
        if let Some((producer, message)) = producer
            && log.idempotence().is_some()
            && let Some(id) = log.idempotence_mut().find(producer.name, message, self.now)
        {
            return Ok(Added::Known(id));
        }
        let id = self.id(log)?;
        log.append(id, self.words.iter(), limits).map_err(|error| match error {
            AppendError::NotGreater => NOT_GREATER,
            AppendError::TooLarge => TOO_LARGE,
        })?;
        if let Some((producer, message)) = producer {
            log.idempotence_mut().remember(producer.name, message, id, self.now);
        }
        Ok(Added::New(id, 0))
    }

    fn id(&self, log: &Log) -> Result<Id, &'static str> {
        if log.last_id() == Id::MAX {
            return Err(EXHAUSTED);
        }
        match self.wanted {
            Wanted::Any => log.next_id(self.now).ok_or(EXHAUSTED),
            Wanted::AnyIn(ms) => log.next_id_in(ms).ok_or(NOT_GREATER),
            Wanted::Exactly(id) => Ok(id),
        }
    }
}

/// The name of a message: the given one, or a digest of its pairs in which their order counts for nothing.
fn message(producer: Producer<'_>, words: Args<'_>) -> Vec<u8> {
    if let Some(message) = producer.message {
        return message.to_vec();
    }
    let mut sum = 0u128;
    let mut pair = Vec::new();
    let mut words = words.iter();
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        pair.clear();
        pair.extend_from_slice(&(name.len() as u64).to_le_bytes());
        pair.extend_from_slice(name);
        pair.extend_from_slice(value);
        sum = sum.wrapping_add(xxh3_128(&pair));
    }
    sum.to_le_bytes().to_vec()
}

// -- XCFGSET ----------------------------------------------------------------------------------------------------

pub(super) fn xcfgset(ctx: &mut Ctx<'_>) -> Result<(), Refusal> {
    let (mut seconds, mut most) = (None, None);
    let mut words = ctx.args.slice_from(2).iter();
    while let Some(word) = words.next() {
        let operand = words.next().ok_or(SYNTAX)?;
        let (place, limit, refusal) = if eq_ignore_case(word, b"IDMP-DURATION") {
            (&mut seconds, 86_400, "ERR IDMP-DURATION must be between 1 and 86400 seconds")
        } else if eq_ignore_case(word, b"IDMP-MAXSIZE") {
            (&mut most, 10_000, "ERR IDMP-MAXSIZE must be between 1 and 10000 entries")
        } else {
            return Err(SYNTAX.into());
        };
        let number = u64::try_from(integer(operand)?).ok().filter(|number| (1..=limit).contains(number));
        *place = Some(number.ok_or(refusal)?);
    }
    if seconds.is_none() && most.is_none() {
        return Err(SYNTAX.into());
    }
    let edited = ctx.space.edit(ctx.key(1), Absent::Skip, |stream: &mut Stream| {
        stream.idempotence_mut().configure(seconds, most.map(|most| most as usize));
        Edit::Changed(())
    })?;
    edited.ok_or(NO_SUCH_KEY)?;
    ctx.reply.ok();
    Ok(())
}
