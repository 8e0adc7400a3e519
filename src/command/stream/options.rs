//! The words that XADD, XTRIM and the commands on lists of ids have in common.

use super::id::{self, Wanted};
use super::{Refusal, integer};
use crate::command::error::SYNTAX;
use crate::protocol::args::{Args, eq_ignore_case, parse_i64, to_upper};
use crate::value::stream::{Id, Keep, References, Trim};

/// Letters of the longest option.
const LONGEST: usize = b"NOMKSTREAM".len();

/// What a command that trims was told.
pub(super) struct Options<'a> {
    /// XADD only: no key is created.
    pub no_create: bool,
    /// XADD only: who sends the entry, and under which name.
    pub producer: Option<Producer<'a>>,
    pub references: Option<References>,
    keep: Option<Keep>,
    approximate: bool,
    limit: Option<u64>,
}

/// Who sends an entry.
#[derive(Clone, Copy)]
pub(super) struct Producer<'a> {
    pub name: &'a [u8],
    /// The message's name; its content tells if there is none.
    pub message: Option<&'a [u8]>,
}

/// The options of XADD or XTRIM, of which the first is at argument 2.
struct Parser<'a> {
    args: Args<'a>,
    at: usize,
    adds: bool,
    options: Options<'a>,
}

/// The options of XADD, the id that it wants, and where its names begin.
pub(super) fn parse_add(args: Args<'_>) -> Result<(Options<'_>, Option<Wanted>, usize), Refusal> {
    let mut parser = Parser::new(args, true);
    let wanted = parser.run()?;
    parser.check()?;
    if parser.options.producer.is_some() && wanted.is_some_and(|wanted| wanted != Wanted::Any) {
        return Err("ERR IDMP/IDMPAUTO can be used only with auto-generated IDs".into());
    }
    Ok((parser.options, wanted, parser.at))
}

/// The options of XTRIM.
pub(super) fn parse_trim(args: Args<'_>, node_entries: usize) -> Result<Trim, Refusal> {
    let mut parser = Parser::new(args, false);
    parser.run()?;
    if parser.options.keep.is_none() && parser.options.limit.is_none() {
        return Err(SYNTAX.into());
    }
    parser.check()?;
    parser.options.trim(node_entries).ok_or(SYNTAX.into())
}

impl<'a> Parser<'a> {
    fn new(args: Args<'a>, adds: bool) -> Parser<'a> {
        let options = Options {
            no_create: false,
            producer: None,
            references: None,
            keep: None,
            approximate: false,
            limit: None,
        };
        Parser { args, at: 2, adds, options }
    }

    /// Reads up to the id of XADD, or to the end.
    fn run(&mut self) -> Result<Option<Wanted>, Refusal> {
        while let Some(word) = self.args.get(self.at) {
            self.at += 1;
            // The usual id begins with no letter, and so is no option.
            let is_word = word.first().is_some_and(u8::is_ascii_alphabetic);
            if is_word && self.take(word)? {
                continue;
            }
            return match self.adds {
                true => id::parse_wanted(word).map(Some),
                false => Err(SYNTAX.into()),
            };
        }
        Ok(None)
    }

    /// The next argument of an option that has `more` of them.
    fn operand(&mut self) -> &'a [u8] {
        self.at += 1;
        self.args.get(self.at - 1).unwrap_or_default()
    }

    /// Reads an option; false if the word is none. An option that lacks its operands is none, as in Redis.
    fn take(&mut self, word: &'a [u8]) -> Result<bool, Refusal> {
        let mut room = [0; LONGEST];
        let Some(name) = to_upper(word, &mut room) else { return Ok(false) };
        let left = self.args.len().saturating_sub(self.at);
        match name {
            b"MAXLEN" if left > 0 => self.take_newest()?,
            b"MINID" if left > 0 => self.take_from()?,
            b"LIMIT" if left > 0 => self.take_limit()?,
            b"KEEPREF" => self.take_references(References::Keep)?,
            b"DELREF" => self.take_references(References::Delete)?,
            b"ACKED" => self.take_references(References::Acknowledged)?,
            b"NOMKSTREAM" if self.adds => self.options.no_create = true,
            b"IDMPAUTO" if self.adds && left > 0 => {
                let name = self.operand();
                self.take_producer(Producer { name, message: None })?;
            }
            b"IDMP" if self.adds && left > 1 => {
                let (name, message) = (self.operand(), self.operand());
                self.take_producer(Producer { name, message: Some(message) })?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The threshold of a strategy, behind an optional `=` or `~`.
    fn threshold(&mut self) -> Result<&'a [u8], Refusal> {
        if self.options.keep.is_some() {
            return Err(
                "ERR syntax error, MAXLEN and MINID options at the same time are not compatible".into()
            );
        }
        let first = self.operand();
        self.options.approximate = first == b"~";
        match first {
            b"~" | b"=" if self.at < self.args.len() => Ok(self.operand()),
            _ => {
                self.options.approximate = false;
                Ok(first)
            }
        }
    }

    fn take_newest(&mut self) -> Result<(), Refusal> {
        let most = integer(self.threshold()?)?;
        let most = u64::try_from(most).map_err(|_| "ERR The MAXLEN argument must be >= 0.")?;
        self.options.keep = Some(Keep::Newest(most));
        Ok(())
    }

    fn take_from(&mut self) -> Result<(), Refusal> {
        let least = id::parse(self.threshold()?, 0)?;
        self.options.keep = Some(Keep::From(least));
        Ok(())
    }

    fn take_limit(&mut self) -> Result<(), Refusal> {
        let limit = integer(self.operand())?;
        let limit = u64::try_from(limit).map_err(|_| "ERR The LIMIT argument must be >= 0.")?;
        self.options.limit = Some(limit);
        Ok(())
    }

    fn take_references(&mut self, references: References) -> Result<(), Refusal> {
        match self.options.references.replace(references) {
            None => Ok(()),
            Some(_) => Err(SYNTAX.into()),
        }
    }

    fn take_producer(&mut self, producer: Producer<'a>) -> Result<(), Refusal> {
        if self.options.producer.is_some() {
            return Err(SYNTAX.into());
        }
        if producer.name.is_empty() || producer.message.is_some_and(<[u8]>::is_empty) {
            return Err("ERR producer ID and idempotent ID must not be empty".into());
        }
        self.options.producer = Some(producer);
        Ok(())
    }

    /// Whether the options go together.
    fn check(&self) -> Result<(), Refusal> {
        match (self.options.limit, self.options.keep) {
            (None, _) => Ok(()),
            (Some(_), None) => {
                Err("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy".into())
            }
            (Some(_), _) if !self.options.approximate => {
                Err("ERR syntax error, LIMIT cannot be used without the special ~ option".into())
            }
            _ => Ok(()),
        }
    }
}

impl Options<'_> {
    /// How to trim, if at all. Where nothing is said, whole blocks up to 100 of them are as much as one call does.
    pub fn trim(&self, node_entries: usize) -> Option<Trim> {
        let usual = match node_entries as u64 {
            0 => 10_000,
            entries => entries.saturating_mul(100).min(1_000_000),
        };
        Some(Trim {
            keep: self.keep?,
            approximate: self.approximate,
            limit: if self.approximate { self.limit.unwrap_or(usual) } else { 0 },
            references: self.references.unwrap_or_default(),
        })
    }
}

/// The word for what becomes of references, if it is one.
pub(super) fn references(word: &[u8]) -> Option<References> {
    let words =
        [("KEEPREF", References::Keep), ("DELREF", References::Delete), ("ACKED", References::Acknowledged)];
    words
        .into_iter()
        .find(|(name, _)| eq_ignore_case(word, name.as_bytes()))
        .map(|(_, references)| references)
}

/// The ids behind `IDS numids`, where `numids` is the first argument; what stands behind them is returned too.
pub(super) fn parse_ids(args: Args<'_>) -> Result<(Vec<Id>, Args<'_>), Refusal> {
    const NUMBER: &str = "ERR Number of IDs must be a positive integer";
    const MISMATCH: &str = "ERR The `numids` parameter must match the number of arguments";
    let count = args.get(0).and_then(parse_i64).and_then(|count| usize::try_from(count).ok());
    let count = count.filter(|&count| count > 0).ok_or(NUMBER)?;
    if count > args.len() - 1 {
        return Err(MISMATCH.into());
    }
    let ids = args.iter().skip(1).take(count).map(|text| id::parse(text, 0));
    Ok((ids.collect::<Result<_, _>>()?, args.slice_from(1 + count)))
}

/// `[KEEPREF | DELREF | ACKED] IDS numids id [id ...]`.
pub(super) fn parse_references_and_ids(args: Args<'_>) -> Result<(References, Vec<Id>), Refusal> {
    let mut said = None;
    for (at, word) in args.iter().enumerate() {
        if eq_ignore_case(word, b"IDS") {
            let (ids, rest) = parse_ids(args.slice_from(at + 1))?;
            return match rest.is_empty() {
                true => Ok((said.unwrap_or_default(), ids)),
                false => Err("ERR The `numids` parameter must match the number of arguments".into()),
            };
        }
        if said.replace(references(word).ok_or(SYNTAX)?).is_some() {
            return Err(SYNTAX.into());
        }
    }
    Err("ERR IDS option is required".into())
}
