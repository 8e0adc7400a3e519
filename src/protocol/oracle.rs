//! The plainest parser of requests that is right, which every other one is compared with.
//!
//! It sees the whole input at once and looks at it byte by byte. Words of inline requests alone are left to
//! [`decoder`](super::decoder), whose unquoting has its own tests: it does not depend on how bytes arrive.

use super::decoder::{Decoder, Limits, Parsed, ProtocolError};
use super::scan::Level;
use bytes::BufMut;

/// A command's arguments.
pub type Command = Vec<Vec<u8>>;

/// The commands of an input and the error that ended them, if any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Complete commands, empty requests left out.
    pub commands: Vec<Command>,
    /// Why the bytes behind them are no request.
    pub error: Option<ProtocolError>,
}

/// What a parser finds in `input`.
pub fn expected(input: &[u8], limits: &Limits) -> Outcome {
    let mut outcome = Outcome::default();
    let mut rest = input;
    while !rest.is_empty() {
        match request(&mut rest, limits) {
            Ok(Some(command)) if command.is_empty() => {}
            Ok(Some(command)) => outcome.commands.push(command),
            Ok(None) => break,
            Err(error) => {
                outcome.error = Some(error);
                break;
            }
        }
    }
    outcome
}

fn request(rest: &mut &[u8], limits: &Limits) -> Result<Option<Command>, ProtocolError> {
    if rest[0] != b'*' {
        return inline(rest, limits);
    }
    let Some(count) = number(rest, limits, ProtocolError::BigMultibulkCount)? else { return Ok(None) };
    let mut command = Command::new();
    for _ in 0..limits.args(count)? {
        let announced = rest.first().copied();
        let Some(len) = number(rest, limits, ProtocolError::BigBulkCount)? else { return Ok(None) };
        if announced != Some(b'$') {
            return Err(ProtocolError::ExpectedDollar(announced.unwrap_or_default()));
        }
        let len = limits.bulk(len)?;
        if rest.len() < len + 2 {
            return Ok(None);
        }
        if &rest[len..len + 2] != b"\r\n" {
            return Err(ProtocolError::MissingCrlf);
        }
        command.push(rest[..len].to_vec());
        *rest = &rest[len + 2..];
    }
    Ok(Some(command))
}

/// The number of a header line, whatever byte begins it; none within when the line is wrong, none without when it
/// does not end.
fn number(
    rest: &mut &[u8],
    limits: &Limits,
    long: ProtocolError,
) -> Result<Option<Option<i64>>, ProtocolError> {
    let end = rest.iter().position(|byte| *byte == b'\r');
    if end.unwrap_or(rest.len()) > limits.max_inline {
        return Err(long);
    }
    let Some(end) = end.filter(|end| end + 1 < rest.len()) else { return Ok(None) };
    let (line, after) = (&rest[..end], rest[end + 1]);
    *rest = &rest[end + 2..];
    let text = std::str::from_utf8(line.get(1..).unwrap_or_default()).unwrap_or_default();
    let value = text.parse::<i64>().ok().filter(|value| value.to_string() == text);
    Ok(Some(value.filter(|_| after == b'\n')))
}

fn inline(rest: &mut &[u8], limits: &Limits) -> Result<Option<Command>, ProtocolError> {
    let end = rest.iter().position(|byte| *byte == b'\n');
    if end.unwrap_or(rest.len()) > limits.max_inline {
        return Err(ProtocolError::BigInline);
    }
    let Some(end) = end else { return Ok(None) };
    let line = &rest[..=end];
    *rest = &rest[end + 1..];
    words(line).map(Some)
}

fn words(line: &[u8]) -> Result<Command, ProtocolError> {
    let limits = Limits { max_inline: usize::MAX, ..Limits::default() };
    let mut line = line.to_vec();
    // A leading space makes an inline request of any line and changes none of its words.
    line.insert(0, b' ');
    let mut outcome = decode([&line[..]], limits, Level::available()[0]);
    match outcome.error {
        Some(error) => Err(error),
        None => Ok(outcome.commands.pop().unwrap_or_default()),
    }
}

/// What the decoder finds in the bytes of `chunks`, received one after the other.
pub fn decode<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, limits: Limits, level: Level) -> Outcome {
    let mut decoder = Decoder::with_level(limits, level);
    let mut outcome = Outcome::default();
    for mut chunk in chunks {
        while !chunk.is_empty() && outcome.error.is_none() {
            let mut room = decoder.read_target();
            let count = room.remaining_mut().min(chunk.len());
            assert_ne!(count, 0, "a decoder that waits must have room");
            room.put_slice(&chunk[..count]);
            chunk = &chunk[count..];
            drain(&mut decoder, &mut outcome);
        }
    }
    outcome
}

fn drain(decoder: &mut Decoder, outcome: &mut Outcome) {
    let mut parsed = Parsed::Full;
    while parsed == Parsed::Full {
        parsed = decoder.parse();
        let args = (0..decoder.batch_len()).map(|index| decoder.args(index));
        outcome.commands.extend(args.map(|args| args.iter().map(<[u8]>::to_vec).collect::<Command>()));
        decoder.clear_batch();
    }
    outcome.error = decoder.error();
}

/// Compares every level with the oracle on `input`, received in chunks of the sizes in `cuts`, over and over.
///
/// # Panics
/// When one of them differs.
pub fn compare(input: &[u8], cuts: &[u8], limits: Limits) {
    let expected = expected(input, &limits);
    for level in Level::available() {
        let found = decode(Chunks { input, cuts: cuts.iter().cycle() }, limits, *level);
        assert_eq!(found, expected, "{level:?} on {:?} cut at {cuts:?}", input.escape_ascii().to_string());
    }
}

/// Compares on arbitrary `data`: a byte of options, then, behind their number, the sizes of the chunks, then the input.
///
/// # Panics
/// When a level differs from the oracle.
pub fn fuzz(data: &[u8]) {
    let [options, count, rest @ ..] = data else { return };
    let (cuts, input) = rest.split_at(rest.len().min(usize::from(count % 8)));
    let mut limits = Limits { unauthenticated: options & 1 != 0, ..Limits::default() };
    if options & 2 != 0 {
        limits = Limits { max_bulk: 40_000, max_inline: 30, max_args: 12, ..limits };
    }
    compare(input, cuts, limits);
}

/// Pieces of an input, of the given sizes and at least one byte.
struct Chunks<'a, C> {
    input: &'a [u8],
    cuts: C,
}

impl<'a, 'c, C: Iterator<Item = &'c u8>> Iterator for Chunks<'a, C> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let cut = self.cuts.next().map_or(self.input.len(), |cut| usize::from(*cut).max(1));
        let (chunk, rest) = self.input.split_at(cut.min(self.input.len()));
        self.input = rest;
        (!chunk.is_empty()).then_some(chunk)
    }
}
