//! What a reader asks for.

use std::borrow::Cow;
use std::time::Duration;

use super::super::{Refusal, id, integer};
use crate::command::Ctx;
use crate::command::blocking::Block;
use crate::command::error::{self, SYNTAX, WRONGTYPE};
use crate::command::nested::Caller;
use crate::keyspace::Space;
use crate::protocol::args::{ArgBuf, Args, parse_i64, to_upper};
use crate::value::collection::Kind;
use crate::value::stream::{Id, Log, Stream};

const UNBALANCED: &str =
    "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.";
const NOT_A_TIMEOUT: &str = "ERR timeout is not an integer or out of range";
const NOT_POSITIVE: &str = "ERR value is out of range, must be positive";
/// Letters of the longest option.
const LONGEST: usize = b"MAXCOUNT".len();

/// A call of XREAD or XREADGROUP, with the ids that it means.
pub(crate) struct Request<'a> {
    pub(super) reader: Option<Reader<'a>>,
    pub(super) streams: Vec<Wanted<'a>>,
    /// Entries of each stream at most.
    pub(super) count: usize,
    /// Entries of all streams at most.
    pub(super) max_count: usize,
    /// Bytes of the reply, beyond which it has one entry at most.
    pub(super) max_size: usize,
    /// The entries are not to become pending.
    pub(super) no_ack: bool,
    /// Milliseconds that a pending entry must have waited to be claimed on the way.
    pub(super) claim: Option<u64>,
    /// Milliseconds that the reader waits for entries; zero is for ever, and none not at all.
    block: Option<u64>,
}

/// Who reads for a group.
pub(super) struct Reader<'a> {
    pub group: Cow<'a, [u8]>,
    pub consumer: Cow<'a, [u8]>,
}

/// What is read of one stream.
pub(super) struct Wanted<'a> {
    pub key: Cow<'a, [u8]>,
    pub from: From,
}

/// From where on a stream is read.
#[derive(Clone, Copy)]
pub(super) enum From {
    /// Entries after this one; of a group's reader those that it has pending.
    After(Id),
    /// `>`: entries that were delivered to nobody of the group.
    New,
}

impl Request<'_> {
    /// What the reader waits for if there is nothing; none if it does not want to wait. `args` are the call's.
    pub(crate) fn wait(&self, args: Args<'_>) -> Option<Block> {
        let millis = self.block?;
        let timeout = (millis != 0).then(|| Duration::from_millis(millis));
        let (len, streams) = (args.len(), self.streams.len());
        let keys = (len - 2 * streams..len - streams).collect();
        let block = Block::on(Kind::Stream, keys, timeout);
        // A group's reader is told that the group has gone with its stream.
        Some(Block { even_if_gone: self.reader.is_some(), args: Some(self.rewritten(args)), ..block })
    }

    /// When the first entry has been pending for so long that the reader may claim it, in Unix milliseconds.
    pub(super) fn claims_at(&self, space: &Space<'_>) -> Option<u64> {
        let (min, reader) = (self.claim?, self.reader.as_ref()?);
        let oldest = |wanted: &Wanted<'_>| {
            let key = space.key(&wanted.key);
            let found = space.peek_as::<Stream, _>(key, |log| log.group(&reader.group)?.oldest_delivery());
            found.ok().flatten().flatten()
        };
        let new = self.streams.iter().filter(|wanted| matches!(wanted.from, From::New));
        Some(new.filter_map(oldest).min()?.saturating_add(min))
    }

    /// The call with the ids that its own mean at this moment.
    fn rewritten(&self, args: Args<'_>) -> ArgBuf {
        let mut words = ArgBuf::default();
        args.iter().take(args.len() - self.streams.len()).for_each(|word| words.push(word));
        for wanted in &self.streams {
            match wanted.from {
                From::New => words.push(b">"),
                From::After(id) => words.push(format!("{}-{}", id.ms, id.seq).as_bytes()),
            }
        }
        words
    }
}

impl<'a> Request<'a> {
    /// The request of an XREAD. Refused are syntax errors, and keys of other types.
    pub(crate) fn parse_read(ctx: &Ctx<'a>) -> Result<Request<'a>, Refusal> {
        let mut parser = Parser::new(false, ctx.caller);
        let (args, space) = (ctx.args, ctx.space);
        let (keys, ids) = parser.options(args)?;
        for (key, id) in keys.iter().zip(ids.iter()) {
            let from = parse_after(space, key, id)?;
            parser.request.streams.push(Wanted { key: Cow::Borrowed(key), from });
        }
        Ok(parser.request)
    }

    /// The request of an XREADGROUP. Refused are besides keys that do not have the group.
    pub(crate) fn parse_group_read(ctx: &Ctx<'a>) -> Result<Request<'a>, Refusal> {
        let mut parser = Parser::new(true, ctx.caller);
        let (args, space) = (ctx.args, ctx.space);
        let (keys, ids) = parser.options(args)?;
        let Some(reader) = &parser.request.reader else {
            return Err("ERR Missing GROUP option for XREADGROUP".into());
        };
        for (key, id) in keys.iter().zip(ids.iter()) {
            let from = parse_pending(id);
            // A single key is looked at when it is read, and complained about then.
            if keys.len() > 1 || from.is_err() {
                check_group(space, key, &reader.group)?;
            }
            parser.request.streams.push(Wanted { key: Cow::Borrowed(key), from: from? });
        }
        Ok(parser.request)
    }
}

/// The id after which XREAD reads.
fn parse_after(space: &Space<'_>, key: &[u8], id: &[u8]) -> Result<From, Refusal> {
    let at = |look: fn(&Log) -> Id| {
        space.peek_as::<Stream, _>(space.key(key), look).map(Option::unwrap_or_default).map_err(|_| WRONGTYPE)
    };
    let after = match id {
        b"$" => at(Log::last_id)?,
        b"+" => at(before_last)?,
        b">" => {
            at(Log::last_id)?;
            return Err(
                "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> \
                        <consumer> option."
                    .into(),
            );
        }
        id => {
            at(Log::last_id)?;
            id::parse(id, 0)?
        }
    };
    Ok(From::After(after))
}

/// The id after which there is the last entry only.
fn before_last(log: &Log) -> Id {
    log.last().and_then(|last| last.id.previous()).unwrap_or_default()
}

/// From where on XREADGROUP reads.
fn parse_pending(id: &[u8]) -> Result<From, Refusal> {
    match id {
        b">" => Ok(From::New),
        b"$" => Err("ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this \
                     consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just \
                     return an empty result set."
            .into()),
        b"+" => Err("ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history of this \
                     consumer by specifying a proper ID, or use the > ID to get new messages. The + ID would just \
                     return an empty result set."
            .into()),
        id => id::parse(id, 0).map(From::After),
    }
}

fn check_group(space: &Space<'_>, key: &[u8], group: &[u8]) -> Result<(), Refusal> {
    let found = space.peek_as::<Stream, _>(space.key(key), |log| log.group(group).is_some())?;
    match found {
        Some(true) => Ok(()),
        _ => Err(no_group_to_read(key, group)),
    }
}

/// The refusal to read for a group that is not there.
pub(super) fn no_group_to_read(key: &[u8], group: &[u8]) -> Refusal {
    let (key, group) = (error::c_text(key), error::c_text(group));
    format!("NOGROUP No such key '{key}' or consumer group '{group}' in XREADGROUP with GROUP option").into()
}

/// The options before STREAMS.
struct Parser<'a> {
    of_group: bool,
    caller: Caller,
    request: Request<'a>,
}

impl<'a> Parser<'a> {
    fn new(of_group: bool, caller: Caller) -> Parser<'a> {
        let request = Request {
            reader: None,
            streams: Vec::new(),
            count: usize::MAX,
            max_count: usize::MAX,
            max_size: usize::MAX,
            no_ack: false,
            claim: None,
            block: None,
        };
        Parser { of_group, caller, request }
    }

    /// Reads the options, and returns keys and ids.
    fn options(&mut self, args: Args<'a>) -> Result<(Args<'a>, Args<'a>), Refusal> {
        let mut at = 1;
        while let Some(word) = args.get(at) {
            at += 1;
            let mut room = [0; LONGEST];
            let name = to_upper(word, &mut room).ok_or(SYNTAX)?;
            if name == b"BLOCK" && at < args.len() && self.caller == Caller::Script {
                let command = error::c_text(args.get(0).unwrap_or_default());
                return Err(
                    format!("ERR {command} command is not allowed with BLOCK option from scripts").into()
                );
            }
            if name == b"STREAMS" && at < args.len() {
                self.check()?;
                return split(args.slice_from(at));
            }
            at += self.take(name, args.slice_from(at))?;
        }
        Err(SYNTAX.into())
    }

    /// Reads an option, and returns how many operands it has.
    fn take(&mut self, name: &[u8], rest: Args<'a>) -> Result<usize, Refusal> {
        let request = &mut self.request;
        match (name, rest.get(0), rest.get(1)) {
            (b"BLOCK", Some(time), _) => request.block = Some(parse_timeout(time)?),
            (b"COUNT", Some(count), _) => request.count = parse_count(count)?,
            (b"MAXCOUNT", Some(count), _) => request.max_count = parse_positive(count)?,
            (b"MAXSIZE", Some(size), _) => request.max_size = parse_positive(size)?,
            (b"CLAIM", Some(idle), _) if self.of_group => {
                let idle = u64::try_from(integer(idle)?);
                request.claim = Some(idle.map_err(|_| "ERR min-idle-time must be >= 0")?);
            }
            (b"GROUP", Some(group), Some(consumer)) if self.of_group => {
                request.reader =
                    Some(Reader { group: Cow::Borrowed(group), consumer: Cow::Borrowed(consumer) });
                return Ok(2);
            }
            (b"NOACK", _, _) if self.of_group => {
                request.no_ack = true;
                return Ok(0);
            }
            (b"GROUP", Some(_), Some(_)) => return Err(only_of_groups("GROUP")),
            (b"NOACK", _, _) => return Err(only_of_groups("NOACK")),
            (b"CLAIM", Some(_), _) => return Err(only_of_groups("CLAIM")),
            _ => return Err(SYNTAX.into()),
        }
        Ok(1)
    }

    /// Whether the options go together.
    fn check(&self) -> Result<(), Refusal> {
        let request = &self.request;
        if request.count != usize::MAX && request.max_count < request.count {
            return Err("ERR MAXCOUNT must be greater than or equal to COUNT".into());
        }
        Ok(())
    }
}

fn only_of_groups(option: &str) -> Refusal {
    format!("ERR The {option} option is only supported by XREADGROUP. You called XREAD instead.").into()
}

/// Half of them are keys, the other half ids.
fn split(rest: Args<'_>) -> Result<(Args<'_>, Args<'_>), Refusal> {
    let keys = rest.len() / 2;
    match rest.len().is_multiple_of(2) {
        true => Ok((rest.first(keys), rest.slice_from(keys))),
        false => Err(UNBALANCED.into()),
    }
}

fn parse_timeout(text: &[u8]) -> Result<u64, Refusal> {
    let time = parse_i64(text).ok_or(NOT_A_TIMEOUT)?;
    Ok(u64::try_from(time).map_err(|_| "ERR timeout is negative")?)
}

/// Zero and less are no limit.
fn parse_count(text: &[u8]) -> Result<usize, Refusal> {
    Ok(usize::try_from(integer(text)?).ok().filter(|&count| count > 0).unwrap_or(usize::MAX))
}

fn parse_positive(text: &[u8]) -> Result<usize, Refusal> {
    Ok(usize::try_from(integer(text)?).ok().filter(|&number| number > 0).ok_or(NOT_POSITIVE)?)
}
