//! Lengths, strings and numbers out of bytes.

use std::borrow::Cow;

use super::{Checked, Corrupt, MAX_TEXT, ensure};
use crate::value::lzf;

/// Bytes that are read from the front.
#[derive(Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// Bytes that were asked for beyond the end.
    missing: usize,
}

/// What begins a string: its length, or how else it is written.
enum Length {
    Plain(u64),
    Special(u8),
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes, missing: 0 }
    }

    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    #[cold]
    fn lacks<T>(&mut self, wanted: usize) -> Checked<T> {
        self.missing = wanted - self.rest.len();
        Err(Corrupt)
    }

    /// If what was read last was cut off: how many bytes more it needs at least.
    pub fn missing(&self) -> Option<usize> {
        (self.missing > 0).then_some(self.missing)
    }

    /// Bytes that are left.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Checked<&'a [u8]> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else { return self.lacks(count) };
        self.rest = rest;
        Ok(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Checked<[u8; N]> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else { return self.lacks(N) };
        self.rest = rest;
        Ok(*taken)
    }

    pub fn byte(&mut self) -> Checked<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn length(&mut self) -> Checked<Length> {
        let first = self.byte()?;
        Ok(match first {
            0..0x40 => Length::Plain(first.into()),
            0x40..0x80 => Length::Plain(u64::from(first & 0x3f) << 8 | u64::from(self.byte()?)),
            0x80 => Length::Plain(u32::from_be_bytes(self.array()?).into()),
            0x81 => Length::Plain(u64::from_be_bytes(self.array()?)),
            0xc0.. => Length::Special(first & 0x3f),
            _ => return Err(Corrupt),
        })
    }

    /// A number that is written as lengths are.
    pub fn number(&mut self) -> Checked<u64> {
        match self.length()? {
            Length::Plain(number) => Ok(number),
            Length::Special(_) => Err(Corrupt),
        }
    }

    /// A length within memory.
    fn size(&mut self) -> Checked<usize> {
        usize::try_from(self.number()?).map_err(|_| Corrupt)
    }

    /// How many things of `least` bytes at least follow: no more than there are bytes for.
    pub fn count(&mut self, least: usize) -> Checked<usize> {
        let count = self.size()?;
        ensure(count <= self.rest.len() / least)?;
        Ok(count)
    }

    /// Passes a string by.
    pub fn skip_text(&mut self) -> Checked<()> {
        let bytes = match self.length()? {
            Length::Plain(length) => usize::try_from(length).map_err(|_| Corrupt)?,
            Length::Special(0) => 1,
            Length::Special(1) => 2,
            Length::Special(2) => 4,
            Length::Special(3) => {
                let packed = self.size()?;
                self.size()?;
                packed
            }
            Length::Special(_) => return Err(Corrupt),
        };
        ensure(bytes <= MAX_TEXT)?;
        self.take(bytes).map(drop)
    }

    /// A string: its bytes, an integer, or compressed.
    pub fn text(&mut self) -> Checked<Cow<'a, [u8]>> {
        match self.length()? {
            Length::Plain(length) => {
                let length = usize::try_from(length).map_err(|_| Corrupt)?;
                ensure(length <= MAX_TEXT)?;
                self.take(length).map(Cow::Borrowed)
            }
            Length::Special(0) => Ok(digits(i8::from_le_bytes(self.array()?).into())),
            Length::Special(1) => Ok(digits(i16::from_le_bytes(self.array()?).into())),
            Length::Special(2) => Ok(digits(i32::from_le_bytes(self.array()?))),
            Length::Special(3) => self.compressed(),
            Length::Special(_) => Err(Corrupt),
        }
    }

    fn compressed(&mut self) -> Checked<Cow<'a, [u8]>> {
        let (packed, plain) = (self.size()?, self.size()?);
        ensure(plain <= MAX_TEXT)?;
        lzf::decompress(self.take(packed)?, plain).map(Cow::Owned).ok_or(Corrupt)
    }

    /// A score in eight bytes.
    pub fn score(&mut self) -> Checked<f64> {
        number_only(f64::from_le_bytes(self.array()?))
    }

    /// A score as Redis wrote it until version 7: its digits behind their number.
    pub fn score_in_digits(&mut self) -> Checked<f64> {
        match self.byte()? {
            253 => Err(Corrupt),
            254 => Ok(f64::INFINITY),
            255 => Ok(f64::NEG_INFINITY),
            length => parse_score(self.take(length.into())?),
        }
    }

    /// Unix time in milliseconds; what is before 1970 is that year's beginning.
    pub fn time(&mut self) -> Checked<u64> {
        Ok(self.signed_time()?.unwrap_or(0))
    }

    /// The same, none if it is negative.
    pub fn signed_time(&mut self) -> Checked<Option<u64>> {
        Ok(u64::try_from(i64::from_le_bytes(self.array()?)).ok())
    }
}

fn digits<'a>(int: i32) -> Cow<'a, [u8]> {
    Cow::Owned(itoa::Buffer::new().format(int).as_bytes().to_vec())
}

fn number_only(score: f64) -> Checked<f64> {
    ensure(!score.is_nan())?;
    Ok(score)
}

/// A score that is written as a text.
pub fn parse_score(text: &[u8]) -> Checked<f64> {
    let text = str::from_utf8(text).map_err(|_| Corrupt)?;
    number_only(text.parse().map_err(|_| Corrupt)?)
}
