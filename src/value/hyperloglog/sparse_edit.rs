//! Raising registers of a sparse sketch in place.
//!
//! A string must have the same bytes that Redis would have made of it, or the two would promote at different sizes.
//! So the rules are Redis's: the run that covers the register is split in up to three, then neighbours of equal
//! value are joined among the five runs that start with the one before it.

use super::header::{self, HEADER_BYTES};
use super::sparse::{MAX_SHORT_ZEROS, MAX_VALUE, MAX_VALUES, Run, SparseOutcome};
use super::{Dense, Header, Registers};
use std::borrow::Cow;

/// How many runs are looked at for neighbours of equal value after an edit.
const JOIN_WINDOW: usize = 5;

/// A sparse sketch that is being added to: untouched, copied at the first change, or outgrown.
pub(super) struct Editor<'a> {
    value: Cow<'a, [u8]>,
    max_bytes: usize,
    promoted: Option<Registers>,
}

/// Where a register stands.
struct Site {
    /// Offset of the run before the one that covers the register, or of that run when it is the first.
    previous: usize,
    /// Offset of the run that covers the register.
    offset: usize,
    run: Run,
    /// The first register of that run.
    start: usize,
}

/// Up to five bytes of runs: two long runs of zeros around one value.
#[derive(Default)]
struct Replacement {
    bytes: [u8; 5],
    len: usize,
}

impl Replacement {
    fn push(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    fn push_zeros(&mut self, len: usize) {
        if len > MAX_SHORT_ZEROS {
            self.push(0x40 | ((len - 1) >> 8) as u8);
            self.push((len - 1) as u8);
        } else if len > 0 {
            self.push((len - 1) as u8);
        }
    }

    fn push_value(&mut self, rank: u8, len: usize) {
        if len > 0 {
            self.push(encode_value(rank, len));
        }
    }

    /// What remains of `run` on one side of the register.
    fn push_rest(&mut self, run: Run, len: usize) {
        match run {
            Run::Value { rank, .. } => self.push_value(rank, len),
            Run::ShortZeros(_) | Run::LongZeros(_) => self.push_zeros(len),
        }
    }
}

fn encode_value(rank: u8, len: usize) -> u8 {
    0x80 | (rank - 1) << 2 | (len - 1) as u8
}

impl<'a> Editor<'a> {
    /// Starts on `value`, whose runs were found valid.
    pub(super) fn new(value: &'a [u8], max_bytes: usize) -> Editor<'a> {
        Editor { value: Cow::Borrowed(value), max_bytes, promoted: None }
    }

    /// Raises one register to `rank`, if it is lower.
    pub(super) fn raise(&mut self, index: usize, rank: u8) {
        if let Some(registers) = &mut self.promoted {
            registers.raise(index, rank);
        } else if rank > MAX_VALUE {
            self.promote(index, rank);
        } else {
            self.raise_sparse(index, rank);
        }
    }

    pub(super) fn finish(self) -> SparseOutcome {
        match (self.promoted, self.value) {
            (Some(registers), value) => {
                // The stale cardinality moves along, as it does in Redis.
                let card = Header::parse(&value).map_or(0, |header| header.card);
                SparseOutcome::Promote(Dense::from_registers(&registers, card | header::DIRTY))
            }
            (None, Cow::Owned(value)) => SparseOutcome::Changed(value),
            (None, Cow::Borrowed(_)) => SparseOutcome::Unchanged,
        }
    }

    fn promote(&mut self, index: usize, rank: u8) {
        let mut registers = Registers::new();
        // The runs were valid before the first edit, and an edit keeps their sum.
        let valid = registers.max_with_sparse(&self.value);
        debug_assert_eq!(valid, Ok(()));
        registers.raise(index, rank);
        self.promoted = Some(registers);
    }

    fn raise_sparse(&mut self, index: usize, rank: u8) {
        let Some(site) = self.locate(index) else { return };
        if matches!(site.run, Run::Value { rank: current, .. } if current >= rank) {
            return;
        }
        let mut new = Replacement::default();
        new.push_rest(site.run, index - site.start);
        new.push_value(rank, 1);
        new.push_rest(site.run, site.start + site.run.len() - 1 - index);

        let grows = new.len > site.run.bytes();
        if grows && self.value.len() + new.len - site.run.bytes() > self.max_bytes {
            return self.promote(index, rank);
        }
        let value = self.value.to_mut();
        value.splice(site.offset..site.offset + site.run.bytes(), new.bytes[..new.len].iter().copied());
        join_neighbours(value, site.previous);
        header::invalidate(value);
    }

    /// The run that covers register `index`. There is one for every index, as the runs are valid.
    fn locate(&self, index: usize) -> Option<Site> {
        let (mut previous, mut offset, mut start) = (HEADER_BYTES, HEADER_BYTES, 0);
        loop {
            let run = Run::decode(&self.value[offset..])?;
            if index < start + run.len() {
                return Some(Site { previous, offset, run, start });
            }
            previous = offset;
            offset += run.bytes();
            start += run.len();
        }
    }
}

/// Joins runs of the same value, within a few steps from `offset`.
fn join_neighbours(value: &mut Vec<u8>, mut offset: usize) {
    for _ in 0..JOIN_WINDOW {
        let Some(run) = Run::decode(&value[offset..]) else { return };
        match joined(run, Run::decode(&value[offset + run.bytes()..])) {
            Some(byte) => {
                value[offset] = byte;
                value.remove(offset + 1);
            }
            None => offset += run.bytes(),
        }
    }
}

/// The one run that `first` and `second` make, if they have one value and fit.
fn joined(first: Run, second: Option<Run>) -> Option<u8> {
    match (first, second) {
        (Run::Value { rank, len }, Some(Run::Value { rank: next, len: more }))
            if rank == next && len + more <= MAX_VALUES =>
        {
            Some(encode_value(rank, len + more))
        }
        _ => None,
    }
}
