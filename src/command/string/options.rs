//! The words behind a key and its value: conditions and deadlines of SET, GETEX, MSETEX and DELEX.

use xxhash_rust::xxh3::xxh3_64;

use super::text::{Digits, TextValue};
use crate::command::{Ctx, error};
use crate::protocol::args::{Args, parse_i64, to_upper};
use crate::value::word::{ExpireAt, NO_EXPIRY};

/// Letters of the longest option.
const LONGEST: usize = b"KEEPTTL".len();
/// Characters of a digest.
const DIGEST_DIGITS: usize = 16;

/// Whose options are read: each command knows its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Set,
    GetEx,
    MSetEx,
}

/// What the options said.
#[derive(Default)]
pub(super) struct Options<'a> {
    pub condition: Condition<'a>,
    /// The old value is the reply.
    pub get: bool,
    pub ttl: Ttl<'a>,
}

/// What the key must be for the command to change it.
#[derive(Clone, Copy, Default)]
pub(super) enum Condition<'a> {
    #[default]
    Always,
    Absent,
    Present,
    Equals(&'a [u8]),
    Differs(&'a [u8]),
    DigestIs(&'a [u8]),
    DigestIsNot(&'a [u8]),
}

/// What becomes of the deadline, as it was asked for.
#[derive(Clone, Copy, Default)]
pub(super) enum Ttl<'a> {
    /// Nothing was said.
    #[default]
    Unsaid,
    Keep,
    Persist,
    Until(Unit, &'a [u8]),
}

/// How a deadline's number is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Milliseconds,
    UnixSeconds,
    UnixMilliseconds,
}

/// A deadline that cannot be.
#[derive(Clone, Copy, Debug)]
pub(super) enum BadExpiry {
    NotAnInteger,
    OutOfRange,
}

/// The deadline that a write gives its key.
#[derive(Clone, Copy)]
pub(super) enum Deadline {
    /// This one, or [`NO_EXPIRY`].
    At(ExpireAt),
    /// The one that the key has.
    Keep,
}

impl<'a> Options<'a> {
    /// Reads the options; none on a syntax error.
    pub fn parse(args: Args<'a>, of: Of) -> Option<Options<'a>> {
        let mut options = Options::default();
        let mut words = args.iter();
        while let Some(word) = words.next() {
            options.take(word, &mut words, of)?;
        }
        Some(options)
    }

    fn take(&mut self, word: &'a [u8], rest: &mut impl Iterator<Item = &'a [u8]>, of: Of) -> Option<()> {
        let mut room = [0; LONGEST];
        match to_upper(word, &mut room)? {
            b"NX" if of != Of::GetEx => self.require_state(Condition::Absent),
            b"XX" if of != Of::GetEx => self.require_state(Condition::Present),
            b"GET" if of == Of::Set => {
                self.get = true;
                Some(())
            }
            b"KEEPTTL" if of != Of::GetEx => self.set_ttl(Ttl::Keep),
            b"PERSIST" if of == Of::GetEx => self.set_ttl(Ttl::Persist),
            b"EX" => self.set_ttl(Ttl::Until(Unit::Seconds, rest.next()?)),
            b"PX" => self.set_ttl(Ttl::Until(Unit::Milliseconds, rest.next()?)),
            b"EXAT" => self.set_ttl(Ttl::Until(Unit::UnixSeconds, rest.next()?)),
            b"PXAT" => self.set_ttl(Ttl::Until(Unit::UnixMilliseconds, rest.next()?)),
            comparison if of == Of::Set && matches!(self.condition, Condition::Always) => {
                self.condition = Condition::comparison(comparison, rest.next()?)?;
                Some(())
            }
            _ => None,
        }
    }

    /// NX and XX may be repeated, and exclude everything else.
    fn require_state(&mut self, state: Condition<'a>) -> Option<()> {
        match (self.condition, state) {
            (Condition::Always, _)
            | (Condition::Absent, Condition::Absent)
            | (Condition::Present, Condition::Present) => {
                self.condition = state;
                Some(())
            }
            _ => None,
        }
    }

    /// Of the options on the deadline only the same one may be repeated; its last number counts.
    fn set_ttl(&mut self, ttl: Ttl<'a>) -> Option<()> {
        let agrees = match (self.ttl, ttl) {
            (Ttl::Unsaid, _) | (Ttl::Keep, Ttl::Keep) | (Ttl::Persist, Ttl::Persist) => true,
            (Ttl::Until(before, _), Ttl::Until(after, _)) => before == after,
            _ => false,
        };
        self.ttl = ttl;
        agrees.then_some(())
    }
}

impl<'a> Condition<'a> {
    /// The condition called `word`, in upper case, that compares the value with `operand`.
    pub fn comparison(word: &[u8], operand: &'a [u8]) -> Option<Condition<'a>> {
        Some(match word {
            b"IFEQ" => Condition::Equals(operand),
            b"IFNE" => Condition::Differs(operand),
            b"IFDEQ" => Condition::DigestIs(operand),
            b"IFDNE" => Condition::DigestIsNot(operand),
            _ => return None,
        })
    }

    /// Whether the value's text must be known to decide it.
    pub fn compares(&self) -> bool {
        !matches!(self, Condition::Always | Condition::Absent | Condition::Present)
    }

    /// Whether its operand can be a digest, if it is to be one.
    pub fn is_well_formed(&self) -> bool {
        match self {
            Condition::DigestIs(digits) | Condition::DigestIsNot(digits) => digits.len() == DIGEST_DIGITS,
            _ => true,
        }
    }

    /// Whether the key, present or not, is as it must be. `text` is its text where [`Condition::compares`].
    pub fn holds(&self, present: bool, text: Option<&TextValue<'_>>) -> bool {
        let equals = |operand: &[u8]| text.is_some_and(|text| text.bytes(&mut Digits::new()) == operand);
        let digest_is = |digits: &[u8]| text.is_some_and(|text| digest(text).eq_ignore_ascii_case(digits));
        match self {
            Condition::Always => true,
            Condition::Absent => !present,
            Condition::Present => present,
            Condition::Equals(operand) => equals(operand),
            Condition::Differs(operand) => !equals(operand),
            Condition::DigestIs(digits) => digest_is(digits),
            Condition::DigestIsNot(digits) => !digest_is(digits),
        }
    }
}

/// XXH3-64 of the text with seed 0, in sixteen lower-case hexadecimal digits.
pub(super) fn digest(text: &TextValue<'_>) -> [u8; DIGEST_DIGITS] {
    let hash = xxh3_64(text.bytes(&mut Digits::new()));
    std::array::from_fn(|i| b"0123456789abcdef"[(hash >> (60 - 4 * i) & 15) as usize])
}

impl Ttl<'_> {
    /// What a write at `now` (Unix time in milliseconds) makes of it.
    pub fn deadline(self, now: u64) -> Result<Deadline, BadExpiry> {
        match self {
            Ttl::Unsaid | Ttl::Persist => Ok(Deadline::At(NO_EXPIRY)),
            Ttl::Keep => Ok(Deadline::Keep),
            Ttl::Until(unit, number) => deadline(unit, number, now).map(Deadline::At),
        }
    }
}

/// The deadline that `number` means at `now`, in Unix milliseconds; always greater than zero.
pub(super) fn deadline(unit: Unit, number: &[u8], now: u64) -> Result<ExpireAt, BadExpiry> {
    let number = parse_i64(number).ok_or(BadExpiry::NotAnInteger)?;
    let scale = if matches!(unit, Unit::Seconds | Unit::UnixSeconds) { 1000 } else { 1 };
    let since = if matches!(unit, Unit::Seconds | Unit::Milliseconds) { now as i64 } else { 0 };
    let at = number.checked_mul(scale).and_then(|span| span.checked_add(since));
    match at {
        Some(at) if number > 0 => Ok(at as u64),
        _ => Err(BadExpiry::OutOfRange),
    }
}

impl BadExpiry {
    /// Answers with the error.
    #[cold]
    pub fn reply(self, ctx: &mut Ctx<'_>) {
        match self {
            BadExpiry::NotAnInteger => ctx.reply.error(error::NOT_AN_INTEGER),
            BadExpiry::OutOfRange => {
                let text = format!("ERR invalid expire time in '{}' command", ctx.command.name);
                ctx.reply.error(&text);
            }
        }
    }
}

impl Deadline {
    /// The deadline after a write on a key that had `before`.
    #[inline]
    pub fn after(self, before: ExpireAt) -> ExpireAt {
        match self {
            Deadline::At(at) => at,
            Deadline::Keep => before,
        }
    }
}
