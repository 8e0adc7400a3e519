//! The elements of a chunk: packed items, each with its length behind it, so that a run is read from both ends.
//!
//! ```text
//! item | length        a length of up to 251
//! item | length | 252  in two bytes, little-endian
//! item | length | 253  in four
//! ```

use crate::value::packed::{Item, Items, item, short_text};

const BACK_SMALL_MAX: usize = 251;
const BACK_16: u8 = 252;
const BACK_32: u8 = 253;

/// Bytes of the length behind an item of `len` bytes.
#[inline]
fn back_len(len: usize) -> usize {
    match len {
        0..=BACK_SMALL_MAX => 1,
        252..=0xffff => 3,
        _ => 5,
    }
}

/// Bytes of the record of an item.
#[inline]
pub(super) fn record_len(item: Item<'_>) -> usize {
    let len = item.packed_len();
    len + back_len(len)
}

/// Writes the record of an item, which fills `room`.
#[inline(always)]
pub(super) fn write(item: Item<'_>, room: &mut [u8]) {
    let len = item.packed_len();
    let (body, back) = room.split_at_mut(len);
    item.write(body);
    match back {
        [small] => *small = len as u8,
        [low, high, kind] => {
            [*low, *high] = (len as u16).to_le_bytes();
            *kind = BACK_16;
        }
        wide => {
            wide[..4].copy_from_slice(&(len as u32).to_le_bytes());
            wide[4] = BACK_32;
        }
    }
}

/// One element in a run of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Where it begins.
    pub start: usize,
    /// Where its item ends and the length behind it begins.
    item_end: usize,
}

impl Record {
    /// The record that begins at `start`.
    #[inline]
    pub fn at(run: &[u8], start: usize) -> Option<Record> {
        let item = Items::from(run, start).next_range()?;
        Some(Record { start, item_end: item.end })
    }

    /// The record that ends at `end`.
    #[inline]
    pub fn before(run: &[u8], end: usize) -> Option<Record> {
        let (len, back) = match *run[..end].last()? {
            BACK_16 => (usize::from(u16::from_le_bytes([run[end - 3], run[end - 2]])), 3),
            BACK_32 => {
                let bytes = [run[end - 5], run[end - 4], run[end - 3], run[end - 2]];
                (u32::from_le_bytes(bytes) as usize, 5)
            }
            small => (usize::from(small), 1),
        };
        let item_end = end - back;
        Some(Record { start: item_end - len, item_end })
    }

    /// Where it ends.
    #[inline]
    pub fn end(&self) -> usize {
        self.item_end + back_len(self.item_end - self.start)
    }

    /// Its item.
    #[inline]
    pub fn item<'a>(&self, run: &'a [u8]) -> Item<'a> {
        item(&run[self.start..self.item_end])
    }
}

/// Looks at `count` records from the one that begins at `start`; there are so many.
#[inline(always)]
pub(super) fn visit<'a>(run: &'a [u8], start: usize, count: usize, look: &mut impl FnMut(Item<'a>)) {
    let mut at = start;
    for _ in 0..count {
        if let Some(text) = short_text(run, at) {
            look(Item::Text(text));
            // One byte in front of the text, and one behind it.
            at += text.len() + 2;
        } else {
            let record = Record::at(run, at).expect("the run has so many");
            look(record.item(run));
            at = record.end();
        }
    }
}

/// The records of a run from its front, or from its back.
#[derive(Clone, Copy)]
pub(super) struct Records<'a> {
    run: &'a [u8],
    front: usize,
    back: usize,
}

impl<'a> Records<'a> {
    /// All records of the run.
    #[inline]
    pub fn new(run: &'a [u8]) -> Records<'a> {
        Records::from(run, 0)
    }

    /// The records from the one that begins at `start`.
    #[inline]
    pub fn from(run: &'a [u8], start: usize) -> Records<'a> {
        Records { run, front: start, back: run.len() }
    }
}

impl Iterator for Records<'_> {
    type Item = Record;

    #[inline]
    fn next(&mut self) -> Option<Record> {
        if self.front == self.back {
            return None;
        }
        let record = Record::at(self.run, self.front)?;
        self.front = record.end();
        Some(record)
    }
}

impl DoubleEndedIterator for Records<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Record> {
        if self.front == self.back {
            return None;
        }
        let record = Record::before(self.run, self.back)?;
        self.back = record.start;
        Some(record)
    }
}
