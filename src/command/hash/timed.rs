//! Values together with deadlines: HGETDEL, HGETEX and HSETEX.

use super::arguments::{Options, Refusal, Unit, deadline, fields_only};
use super::{change, limits, look};
use crate::command::{Ctx, error};
use crate::keyspace::{Absent, Edit, WrongType};
use crate::value::collection::Collection;
use crate::value::hash::{Hash, HashRef, Ttl};
use crate::value::word::{ExpireAt, NO_EXPIRY};

/// A value, if the field is there.
type Value = Option<Vec<u8>>;

fn value(hash: HashRef<'_>, name: &[u8], now: u64) -> Value {
    hash.get(name, now).map(|pair| pair.value.to_vec())
}

fn show(ctx: &mut Ctx<'_>, values: &[Value]) {
    ctx.reply.array(values.len());
    for value in values {
        match value {
            Some(value) => ctx.reply.bulk(value),
            None => ctx.reply.null(),
        }
    }
}

fn nulls(ctx: &mut Ctx<'_>, count: usize) {
    ctx.reply.array(count);
    (0..count).for_each(|_| ctx.reply.null());
}

pub(super) fn hgetdel(ctx: &mut Ctx<'_>) {
    let names = match fields_only(ctx) {
        Ok(names) => names.iter(),
        Err(text) => return ctx.reply.error(&text),
    };
    let now = ctx.space.now;
    let taken = change(
        ctx,
        Absent::Skip,
        |_| &["hdel"],
        |hash| {
            let take = |name: &[u8]| {
                let value = value(hash.view(), name, now);
                hash.remove(name, now);
                value
            };
            let values: Vec<Value> = names.clone().map(take).collect();
            match values.iter().any(Option::is_some) {
                true => Edit::Changed(values),
                false => Edit::Unchanged(values),
            }
        },
    );
    match taken {
        Ok(Some(values)) => show(ctx, &values),
        Ok(None) => nulls(ctx, names.len()),
        Err(WrongType) => ctx.reply.error(error::WRONGTYPE),
    }
}

/// What is said about deadlines.
#[derive(Clone, Copy, Default)]
enum Given {
    #[default]
    Nothing,
    /// KEEPTTL or PERSIST, whichever the command knows.
    Word,
    At(ExpireAt),
}

/// Takes an option on deadlines at argument `at`, where `word` is the one without a number.
fn take_given(
    given: &mut Given,
    ctx: &Ctx<'_>,
    at: usize,
    word: &str,
    only_one: &'static str,
) -> Result<Option<usize>, Refusal> {
    let unit = match ctx.arg(at).to_ascii_lowercase().as_slice() {
        b"ex" => Some(Unit::Seconds),
        b"px" => Some(Unit::Milliseconds),
        b"exat" => Some(Unit::UnixSeconds),
        b"pxat" => Some(Unit::UnixMilliseconds),
        other if other == word.as_bytes() => None,
        _ => return Ok(None),
    };
    if !matches!(given, Given::Nothing) {
        return Err(only_one.into());
    }
    let Some(unit) = unit else {
        *given = Given::Word;
        return Ok(Some(1));
    };
    let number = ctx.args.get(at + 1).ok_or("ERR missing expire time")?;
    *given = Given::At(deadline(ctx, unit, number)?);
    Ok(Some(2))
}

// -- HGETEX -----------------------------------------------------------------------------------------------------

#[derive(Default)]
struct GetEx(Given);

impl Options for GetEx {
    const PER_FIELD: usize = 1;

    fn option(&mut self, ctx: &Ctx<'_>, at: usize) -> Result<Option<usize>, Refusal> {
        let only_one = "ERR Only one of EX, PX, EXAT, PXAT or PERSIST arguments can be specified";
        take_given(&mut self.0, ctx, at, "persist", only_one)
    }
}

pub(super) fn hgetex(ctx: &mut Ctx<'_>) {
    let mut options = GetEx::default();
    let block = match options.parse(ctx, 2) {
        Ok(block) => block,
        Err(text) => return ctx.reply.error(&text),
    };
    let (names, now) = (block.iter(ctx), ctx.space.now);
    let deadline = match options.0 {
        Given::Nothing => return get_only(ctx, names),
        Given::Word => NO_EXPIRY,
        Given::At(at) => at,
    };
    let events: &'static [&'static str] = match deadline {
        NO_EXPIRY if matches!(options.0, Given::Word) => &["hpersist"],
        at if at <= now => &["hdel"],
        _ => &["hexpire"],
    };
    let over = matches!(options.0, Given::At(at) if at <= now);
    let done = change(
        ctx,
        Absent::Skip,
        |_| events,
        |hash| {
            let values: Vec<Value> = names.clone().map(|name| value(hash.view(), name, now)).collect();
            let mut changes = names.clone().map(|name| move_deadline(hash, name, deadline, over, now));
            match changes.by_ref().fold(false, |any, changed| any | changed) {
                true => Edit::Changed(values),
                false => Edit::Unchanged(values),
            }
        },
    );
    match done {
        Ok(Some(values)) => show(ctx, &values),
        Ok(None) => nulls(ctx, names.len()),
        Err(WrongType) => ctx.reply.error(error::WRONGTYPE),
    }
}

/// Gives a field another deadline or, if that is over, deletes it; whether that changed anything.
fn move_deadline(hash: &mut Hash, name: &[u8], deadline: ExpireAt, over: bool, now: u64) -> bool {
    if over {
        return hash.remove(name, now);
    }
    let moves = hash.view().get(name, now).is_some_and(|pair| pair.deadline != deadline);
    if moves {
        hash.set_deadline(name, deadline);
    }
    moves
}

fn get_only<'a>(ctx: &mut Ctx<'a>, names: impl ExactSizeIterator<Item = &'a [u8]> + Clone) {
    look(ctx, |ctx, hash| {
        let now = ctx.space.now;
        let values: Vec<Value> =
            names.clone().map(|name| hash.and_then(|hash| value(hash, name, now))).collect();
        show(ctx, &values);
    });
}

// -- HSETEX -----------------------------------------------------------------------------------------------------

/// What must be there, or must not, for the command to set anything.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Needs {
    #[default]
    Nothing,
    Absent,
    Present,
}

#[derive(Default)]
struct SetEx {
    ttl: Given,
    key: Needs,
    fields: Needs,
}

/// Notes a condition, which must be the first of its kind.
fn require(needs: &mut Needs, new: Needs, only_one: &'static str) -> Result<Option<usize>, Refusal> {
    if *needs != Needs::Nothing {
        return Err(only_one.into());
    }
    *needs = new;
    Ok(Some(1))
}

impl Options for SetEx {
    const PER_FIELD: usize = 2;

    fn option(&mut self, ctx: &Ctx<'_>, at: usize) -> Result<Option<usize>, Refusal> {
        let fields = "ERR Only one of FXX or FNX arguments can be specified";
        let keys = "ERR Only one of NX or XX arguments can be specified";
        let ttls = "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified";
        match ctx.arg(at).to_ascii_lowercase().as_slice() {
            b"fnx" => require(&mut self.fields, Needs::Absent, fields),
            b"fxx" => require(&mut self.fields, Needs::Present, fields),
            b"nx" => require(&mut self.key, Needs::Absent, keys),
            b"xx" => require(&mut self.key, Needs::Present, keys),
            _ => take_given(&mut self.ttl, ctx, at, "keepttl", ttls),
        }
    }
}

impl SetEx {
    fn allows<'a>(&self, hash: &Hash, mut names: impl Iterator<Item = &'a [u8]>, now: u64) -> bool {
        let view = hash.view();
        let key = match self.key {
            Needs::Nothing => true,
            Needs::Absent => view.exact_len(now) == 0,
            Needs::Present => view.exact_len(now) > 0,
        };
        key && match self.fields {
            Needs::Nothing => true,
            Needs::Absent => names.all(|name| view.get(name, now).is_none()),
            Needs::Present => names.all(|name| view.get(name, now).is_some()),
        }
    }
}

pub(super) fn hsetex(ctx: &mut Ctx<'_>) {
    let mut options = SetEx::default();
    let block = match options.parse(ctx, 2) {
        Ok(block) => block,
        Err(text) => return ctx.reply.error(&text),
    };
    let (words, now, limits) = (block.iter(ctx), ctx.space.now, limits(ctx));
    let (ttl, events): (Ttl, &'static [&'static str]) = match options.ttl {
        Given::Nothing => (Ttl::Set(NO_EXPIRY), &["hset"]),
        Given::Word => (Ttl::Keep, &["hset"]),
        Given::At(at) if at <= now => (Ttl::Set(NO_EXPIRY), &["hset", "hdel"]),
        Given::At(at) => (Ttl::Set(at), &["hset", "hexpire"]),
    };
    let over = matches!(options.ttl, Given::At(at) if at <= now);
    let set = change(
        ctx,
        Absent::Create,
        |_| events,
        |hash| {
            if !options.allows(hash, words.clone().step_by(2), now) {
                return Edit::Unchanged(false);
            }
            for (name, value) in words.clone().step_by(2).zip(words.clone().skip(1).step_by(2)) {
                hash.set(name, value, ttl, now, limits);
                if over {
                    hash.remove(name, now);
                }
            }
            Edit::Changed(true)
        },
    );
    match set {
        Ok(set) => ctx.reply.int((set == Some(true)).into()),
        Err(WrongType) => ctx.reply.error(error::WRONGTYPE),
    }
}
