//! One piece of a long list: a run of records with room at both ends, or the same compressed.

use super::Side;
use super::limits::{Limits, listpack_len};
use super::record::{Record, Records, record_len, write};
use crate::value::lzf;
use crate::value::packed::Item;

/// The least room that a chunk asks the allocator for.
const MIN_ROOM: usize = 64;
/// Chunks with less room are not worth shrinking.
const SHRINK_FROM: usize = 1024;
/// Chunks of fewer bytes are not compressed.
const COMPRESS_FROM: usize = 48;
/// Compression that saves less is undone.
const LEAST_GAIN: usize = 8;
/// What `start` is while the chunk is compressed.
const COMPRESSED: u32 = u32::MAX;

/// A piece of a list. It has at least one element whenever its list is at rest.
///
/// ```text
///   | room | record | record | record | room |       start and end are offsets into `bytes`
///          ^ start                    ^ end
/// ```
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    bytes: Box<[u8]>,
    /// Where the first record begins, or [`COMPRESSED`].
    start: u32,
    /// Where the last record ends; while compressed, how many bytes the records have.
    end: u32,
    count: u32,
    /// Bytes that its entries would take in a listpack.
    listpack: u32,
}

/// A length or an offset. A chunk beyond the limits holds one element, and those are shorter than 2 GB; the others
/// hold at most 64 KB in Redis's measure.
fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).expect("a chunk has less than 4 GB")
}

impl Chunk {
    /// A chunk without elements, and with room for `room` bytes.
    pub fn with_room(room: usize) -> Chunk {
        let bytes = vec![0; room.max(MIN_ROOM)].into_boxed_slice();
        Chunk { bytes, start: 0, end: 0, count: 0, listpack: 0 }
    }

    /// A chunk of one element.
    pub fn of(item: Item<'_>) -> Chunk {
        let mut chunk = Chunk::with_room(record_len(item));
        chunk.push(Side::Right, item);
        chunk
    }

    /// How many elements it has.
    pub fn count(&self) -> usize {
        self.count as usize
    }

    /// Bytes that its entries would take in a listpack.
    pub fn listpack(&self) -> usize {
        self.listpack as usize
    }

    /// Bytes that it asked the allocator for.
    pub fn heap_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes of its records.
    pub fn used(&self) -> usize {
        if self.is_compressed() { self.end as usize } else { (self.end - self.start) as usize }
    }

    /// Whether it takes a text of `len` bytes more.
    pub fn takes(&self, len: usize, limits: &Limits) -> bool {
        // A large element is alone in its chunk, so a chunk beyond the limits takes nothing.
        limits.takes(self.listpack(), self.count(), len)
    }

    pub fn is_compressed(&self) -> bool {
        self.start == COMPRESSED
    }

    /// Its records; of a compressed chunk they are put into `scratch` first.
    pub fn run<'a>(&'a self, scratch: &'a mut Vec<u8>) -> &'a [u8] {
        if !self.is_compressed() {
            return self.plain();
        }
        lzf::decompress_into(&self.bytes, self.end as usize, scratch).expect("it was compressed here");
        scratch
    }

    /// The records of a chunk that is not compressed.
    fn plain(&self) -> &[u8] {
        &self.bytes[self.start as usize..self.end as usize]
    }

    /// Makes it not compressed.
    pub fn open(&mut self) {
        if self.is_compressed() {
            let mut scratch = Vec::new();
            let len = self.run(&mut scratch).len();
            *self = Chunk { bytes: scratch.into_boxed_slice(), start: 0, end: narrow(len), ..self.emptied() };
        }
    }

    /// Compresses it if that gains something.
    pub fn compress(&mut self) {
        if self.is_compressed() || self.used() < COMPRESS_FROM {
            return;
        }
        if let Some(small) = lzf::compress(self.plain(), self.used() - LEAST_GAIN) {
            let end = narrow(self.used());
            *self = Chunk { bytes: small.into_boxed_slice(), start: COMPRESSED, end, ..self.emptied() };
        }
    }

    /// The same numbers without the bytes.
    fn emptied(&self) -> Chunk {
        Chunk { bytes: Box::default(), ..*self }
    }

    // -- the ends ---------------------------------------------------------------------------------------------

    /// Adds an element at one end. The chunk is not compressed.
    #[inline(always)]
    pub fn push(&mut self, side: Side, item: Item<'_>) {
        let need = record_len(item);
        if self.room(side) < need {
            self.make_room(side, need);
        }
        match side {
            Side::Left => {
                let end = self.start as usize;
                write(item, &mut self.bytes[end - need..end]);
                self.start -= need as u32;
            }
            Side::Right => {
                let start = self.end as usize;
                write(item, &mut self.bytes[start..start + need]);
                self.end += need as u32;
            }
        }
        self.count += 1;
        self.listpack += listpack_len(item) as u32;
    }

    #[inline]
    fn room(&self, side: Side) -> usize {
        match side {
            Side::Left => self.start as usize,
            Side::Right => self.bytes.len() - self.end as usize,
        }
    }

    /// Makes room for `need` bytes at one end. If half of the chunk is free, the free part goes to both ends alike;
    /// otherwise the chunk doubles, and the new room is at the end that needs it. Either way a quarter of the chunk
    /// fills before bytes move again.
    #[cold]
    fn make_room(&mut self, side: Side, need: usize) {
        let (used, all) = (self.used(), self.bytes.len());
        let free = all - used;
        if free / 2 >= need && free >= all / 2 {
            return self.move_to(free / 2);
        }
        let all = (2 * all).max(used + need).max(MIN_ROOM);
        self.resize(side, all);
    }

    /// Moves the records to offset `start`.
    fn move_to(&mut self, start: usize) {
        let end = start + self.used();
        self.bytes.copy_within(self.start as usize..self.end as usize, start);
        (self.start, self.end) = (narrow(start), narrow(end));
    }

    /// Gives it another size, with all of its room at one end.
    fn resize(&mut self, side: Side, all: usize) {
        let used = self.used();
        let start = if side == Side::Left { all - used } else { 0 };
        let mut bytes = vec![0; all].into_boxed_slice();
        bytes[start..start + used].copy_from_slice(self.plain());
        *self = Chunk { bytes, start: narrow(start), end: narrow(start + used), ..*self };
    }

    /// Gives back room that will not be needed: no end of the list is here any more.
    pub fn seal(&mut self) {
        if !self.is_compressed() && self.bytes.len() - self.used() > self.bytes.len() / 8 {
            self.resize(Side::Right, self.used());
        }
    }

    /// The element at one end. The chunk is not compressed and has elements.
    #[inline]
    pub fn peek(&self, side: Side) -> Item<'_> {
        self.end_record(side).item(self.plain())
    }

    #[inline]
    fn end_record(&self, side: Side) -> Record {
        let run = self.plain();
        let record = match side {
            Side::Left => Record::at(run, 0),
            Side::Right => Record::before(run, run.len()),
        };
        record.expect("a chunk has elements")
    }

    /// Removes the element at one end.
    #[inline]
    pub fn drop_end(&mut self, side: Side) {
        let record = self.end_record(side);
        self.listpack -= listpack_len(record.item(self.plain())) as u32;
        self.count -= 1;
        let len = (record.end() - record.start) as u32;
        match side {
            Side::Left => self.start += len,
            Side::Right => self.end -= len,
        }
        if self.bytes.len() >= SHRINK_FROM && self.used() < self.bytes.len() / 4 {
            self.resize(side, 2 * self.used());
        }
    }

    // -- the middle -------------------------------------------------------------------------------------------

    /// The record of the element at `index`, from the nearer end of `run`, which is the chunk's.
    pub fn locate(&self, run: &[u8], index: usize) -> Record {
        let from_back = self.count() - 1 - index;
        let record = if index <= from_back {
            Records::new(run).nth(index)
        } else {
            Records::new(run).nth_back(from_back)
        };
        record.expect("the index is within the chunk")
    }

    /// Where in the run the element at `index` begins; its end if there is none.
    fn offset(&self, index: usize) -> usize {
        let run = self.plain();
        if index == self.count() { run.len() } else { self.locate(run, index).start }
    }

    /// Puts an element in front of the one at `index`.
    pub fn insert(&mut self, index: usize, item: Item<'_>) {
        self.open();
        let at = self.offset(index);
        self.splice(at, at, item);
        self.count += 1;
        self.listpack += listpack_len(item) as u32;
    }

    /// Replaces the element at `index`.
    pub fn replace(&mut self, index: usize, item: Item<'_>) {
        self.open();
        let record = self.locate(self.plain(), index);
        self.listpack -= listpack_len(record.item(self.plain())) as u32;
        self.listpack += listpack_len(item) as u32;
        self.splice(record.start, record.end(), item);
    }

    /// Puts a record in the place of the bytes from `from` to `to` of the run.
    fn splice(&mut self, from: usize, to: usize, item: Item<'_>) {
        let need = record_len(item);
        if to - from == need {
            let start = self.start as usize + from;
            return write(item, &mut self.bytes[start..start + need]);
        }
        let run = self.plain();
        let mut bytes = vec![0; run.len() - (to - from) + need].into_boxed_slice();
        bytes[..from].copy_from_slice(&run[..from]);
        write(item, &mut bytes[from..from + need]);
        bytes[from + need..].copy_from_slice(&run[to..]);
        let end = narrow(bytes.len());
        *self = Chunk { bytes, start: 0, end, ..*self };
    }

    /// Keeps the elements before `index` and returns a chunk of the others.
    pub fn split_off(&mut self, index: usize) -> Chunk {
        self.open();
        let mut rest = self.clone();
        rest.cut(Side::Left, index);
        self.cut(Side::Right, self.count() - index);
        rest
    }

    /// Removes so many elements from one end.
    pub fn cut(&mut self, side: Side, count: usize) {
        self.open();
        let run = self.plain();
        let (at, gone) = match side {
            Side::Left => {
                let at = self.offset(count);
                (at, &run[..at])
            }
            Side::Right => {
                let at = self.offset(self.count() - count);
                (at, &run[at..])
            }
        };
        self.listpack -= listpack_of(gone) as u32;
        self.count -= narrow(count);
        match side {
            Side::Left => self.start += at as u32,
            Side::Right => self.end = self.start + at as u32,
        }
    }

    /// Adds the elements of `before` in front.
    pub fn prepend(&mut self, mut before: Chunk) {
        self.open();
        before.open();
        let bytes = [before.plain(), self.plain()].concat().into_boxed_slice();
        *self = Chunk {
            start: 0,
            end: narrow(bytes.len()),
            bytes,
            count: self.count + before.count,
            listpack: self.listpack + before.listpack,
        };
    }

    /// Removes elements that equal `wanted`, at most `most` of them, beginning at the left or the right. Returns how
    /// many there were.
    pub fn remove(&mut self, wanted: Item<'_>, side: Side, most: usize) -> usize {
        let mut scratch = Vec::new();
        let run = self.run(&mut scratch);
        let is_wanted = |record: &Record| record.item(run) == wanted;
        let mut found: Vec<Record> = match side {
            Side::Left => Records::new(run).filter(is_wanted).take(most).collect(),
            Side::Right => Records::new(run).rev().filter(is_wanted).take(most).collect(),
        };
        if found.is_empty() {
            return 0;
        }
        if side == Side::Right {
            found.reverse();
        }
        let bytes = without(run, &found).into_boxed_slice();
        self.count -= narrow(found.len());
        self.listpack -= (found.len() * listpack_len(wanted)) as u32;
        *self = Chunk { start: 0, end: narrow(bytes.len()), bytes, ..*self };
        found.len()
    }
}

/// The run without these records.
fn without(run: &[u8], records: &[Record]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(run.len());
    let mut from = 0;
    for record in records {
        kept.extend_from_slice(&run[from..record.start]);
        from = record.end();
    }
    kept.extend_from_slice(&run[from..]);
    kept
}

/// What the records would take in a listpack.
fn listpack_of(run: &[u8]) -> usize {
    Records::new(run).map(|record| listpack_len(record.item(run))).sum()
}
