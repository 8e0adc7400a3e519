//! The sparse encoding: a plain byte string of a header and runs of equal registers.
//!
//! ```text
//! 00nnnnnn           n + 1 registers at zero               1 to 64
//! 01nnnnnn nnnnnnnn  n + 1 registers at zero               1 to 16384, high bits first
//! 1vvvvvnn           n + 1 registers at the value v + 1    1 to 4 registers, values 1 to 32
//! ```
//!
//! A string may come from a client, so each function first checks every run: together they cover 16384 registers,
//! not one more or less, and none is cut off. Sums cannot overflow: they are compared run by run, and a run is at
//! most 16384 long. (Redis lacked that check twice: CVE-2019-10192 and CVE-2025-32023.)

use super::estimate::{self, Histogram};
use super::header::{self, DIRTY, HEADER_BYTES};
use super::sparse_edit::Editor;
use super::{Dense, Encoding, Header, Invalid, MAX_REGISTER, REGISTERS, Registers, hash};
use std::fmt::Write;

/// The largest register value that a run can hold: a larger one needs the dense encoding.
pub(super) const MAX_VALUE: u8 = 32;

/// The longest run of zeros that one byte holds.
pub(super) const MAX_SHORT_ZEROS: usize = 64;

/// The longest run of a value above zero.
pub(super) const MAX_VALUES: usize = 4;

/// What adding to a sparse sketch led to.
#[must_use]
#[derive(Debug)]
pub enum SparseOutcome {
    /// Every register was as high already.
    Unchanged,
    /// Some register was raised: the new string, whose cached cardinality is marked as out of date.
    Changed(Vec<u8>),
    /// Some register was raised, and the sketch outgrew the encoding.
    Promote(Dense),
}

/// One run of equal registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Run {
    /// Zeros, in one byte.
    ShortZeros(usize),
    /// Zeros, in two bytes.
    LongZeros(usize),
    /// `len` registers at `rank`.
    Value { rank: u8, len: usize },
}

impl Run {
    /// How many registers the run covers.
    pub(super) fn len(self) -> usize {
        match self {
            Run::ShortZeros(len) | Run::LongZeros(len) | Run::Value { len, .. } => len,
        }
    }

    /// How many bytes the run takes.
    pub(super) fn bytes(self) -> usize {
        if matches!(self, Run::LongZeros(_)) { 2 } else { 1 }
    }

    /// The run at the start of `bytes`, or none if they are empty or end within it.
    pub(super) fn decode(bytes: &[u8]) -> Option<Run> {
        let first = *bytes.first()?;
        let low = usize::from(first & 0x3f);
        Some(match first >> 6 {
            0 => Run::ShortZeros(low + 1),
            1 => Run::LongZeros((low << 8 | usize::from(*bytes.get(1)?)) + 1),
            _ => Run::Value { rank: (first >> 2 & 0x1f) + 1, len: usize::from(first & 3) + 1 },
        })
    }
}

/// The runs of a string that [`runs`] found valid.
#[derive(Clone)]
pub(super) struct Runs<'a>(&'a [u8]);

impl Iterator for Runs<'_> {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        let run = Run::decode(self.0)?;
        self.0 = &self.0[run.bytes()..];
        Some(run)
    }
}

/// The runs of a sparse sketch, after a check of all of them.
pub(super) fn runs(value: &[u8]) -> Result<Runs<'_>, Invalid> {
    if Header::parse(value)?.encoding != Encoding::Sparse {
        return Err(Invalid::NotHll);
    }
    let runs = Runs(&value[HEADER_BYTES..]);
    let (mut rest, mut covered) = (runs.0, 0);
    while !rest.is_empty() {
        let run = Run::decode(rest).ok_or(Invalid::Corrupt)?;
        covered += run.len();
        if covered > REGISTERS {
            return Err(Invalid::Corrupt);
        }
        rest = &rest[run.bytes()..];
    }
    if covered == REGISTERS { Ok(runs) } else { Err(Invalid::Corrupt) }
}

/// Each run with the index of its first register.
pub(super) fn positioned(runs: Runs<'_>) -> impl Iterator<Item = (usize, Run)> {
    runs.scan(0, |next, run| {
        let start = *next;
        *next += run.len();
        Some((start, run))
    })
}

/// The sketch of no elements, its cached cardinality marked as out of date: what PFADD of a new key stores.
#[must_use]
pub fn new_empty() -> Vec<u8> {
    let mut value = Header { encoding: Encoding::Sparse, card: DIRTY }.to_bytes().to_vec();
    value.extend_from_slice(&[0x7f, 0xff]);
    value
}

/// Adds elements to the sparse sketch `value`. `max_bytes` is `hll-sparse-max-bytes`: the longest string, header
/// included, that stays sparse.
///
/// # Errors
/// [`Invalid::NotHll`] if `value` has no sparse header, [`Invalid::Corrupt`] if its runs do not add up.
pub fn add<'e>(
    value: &[u8],
    elements: impl IntoIterator<Item = &'e [u8]>,
    max_bytes: usize,
) -> Result<SparseOutcome, Invalid> {
    raise(value, elements.into_iter().map(hash), max_bytes)
}

/// Raises the sparse sketch `value` to its union with `other`, as PFMERGE does when every source is sparse.
///
/// # Errors
/// As of [`add`].
pub fn merge(value: &[u8], other: &Registers, max_bytes: usize) -> Result<SparseOutcome, Invalid> {
    let set = other.as_bytes().iter().copied().enumerate().filter(|(_, rank)| *rank > 0);
    raise(value, set, max_bytes)
}

fn raise(
    value: &[u8],
    ranks: impl Iterator<Item = (usize, u8)>,
    max_bytes: usize,
) -> Result<SparseOutcome, Invalid> {
    runs(value)?;
    let mut editor = Editor::new(value, max_bytes);
    ranks.for_each(|(index, rank)| editor.raise(index, rank));
    Ok(editor.finish())
}

/// The number of distinct elements: the cached one, or else an estimate.
///
/// # Errors
/// As of [`add`], except that a cached cardinality is believed without a look at the runs, as in Redis.
pub fn count(value: &[u8]) -> Result<u64, Invalid> {
    let header = Header::parse(value)?;
    match header.cached() {
        Some(cached) if header.encoding == Encoding::Sparse => Ok(cached),
        _ => estimate(value),
    }
}

fn estimate(value: &[u8]) -> Result<u64, Invalid> {
    let mut histogram: Histogram = [0; MAX_REGISTER as usize + 1];
    for run in runs(value)? {
        let rank = if let Run::Value { rank, .. } = run { rank } else { 0 };
        histogram[usize::from(rank)] += run.len() as u32;
    }
    Ok(estimate::cardinality(&histogram))
}

/// Stores `cardinality` as the cached one of a sketch of either encoding, which [`Header::parse`] accepted. Redis
/// does this in PFCOUNT of one key.
pub fn set_cached(value: &mut [u8], cardinality: u64) {
    value[HEADER_BYTES - 8..HEADER_BYTES].copy_from_slice(&cardinality.to_le_bytes());
}

/// Marks the cached cardinality of a sketch of either encoding, which [`Header::parse`] accepted, as out of date.
pub fn clear_cached(value: &mut [u8]) {
    header::invalidate(value);
}

/// The runs as PFDEBUG DECODE prints them: `z:` a short run of zeros, `Z:` a long one, `v:` a value and its count.
///
/// # Errors
/// As of [`add`].
pub fn describe(value: &[u8]) -> Result<String, Invalid> {
    let mut text = String::new();
    for run in runs(value)? {
        let separator = if text.is_empty() { "" } else { " " };
        let _ = match run {
            Run::ShortZeros(len) => write!(text, "{separator}z:{len}"),
            Run::LongZeros(len) => write!(text, "{separator}Z:{len}"),
            Run::Value { rank, len } => write!(text, "{separator}v:{rank},{len}"),
        };
    }
    Ok(text)
}
