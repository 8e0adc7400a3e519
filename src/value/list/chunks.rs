//! A long list: chunks in order, of which the inner ones may be compressed.
//!
//! Rules:
//! 1. No chunk is empty while the list is at rest.
//! 2. While `quick` is false there is one chunk, which is what Redis calls a listpack. It never is compressed.
//! 3. With a compression depth of `d` the `d` chunks at either end are not compressed. Readers unpack the others into
//!    memory of their own; changes unpack them in place, and [`Chunks::settle`] compresses them again.

use std::collections::VecDeque;

use super::Side;
use super::chunk::Chunk;
use super::limits::Limits;
use super::record::{Records, visit};
use crate::value::packed::{self, Item};

/// Chunks that the estimate of memory looks at.
const SAMPLED: usize = 16;

/// A list of chunks.
#[derive(Clone, Debug)]
pub struct Chunks {
    pub(super) chunks: VecDeque<Chunk>,
    /// Elements in all chunks.
    pub(super) len: usize,
    /// Chunks at either end that stay uncompressed; zero compresses nothing. Set when the list is made, as in Redis.
    depth: usize,
    /// Whether Redis would have a quicklist here.
    pub(super) quick: bool,
}

/// A chunk, and an element's index in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub chunk: usize,
    pub index: usize,
}

impl Chunks {
    /// The elements of a packed run in one chunk.
    pub fn from_packed(run: &[u8], limits: &Limits) -> Chunks {
        let mut chunk = Chunk::with_room(2 * run.len());
        packed::items(run).for_each(|item| chunk.push(Side::Right, item));
        let len = chunk.count();
        let chunks = if len > 0 { VecDeque::from([chunk]) } else { VecDeque::new() };
        Chunks { chunks, len, depth: limits.depth, quick: false }
    }

    /// The elements as a packed run, if there is one chunk.
    pub fn to_packed(&self) -> Vec<u8> {
        let mut run = Vec::new();
        self.visit(0, self.len, |item| item.push(&mut run));
        run
    }

    /// Bytes of the records of all chunks, if there is only one.
    pub fn bytes_of_one(&self) -> Option<usize> {
        if self.chunks.len() == 1 { self.chunks.front().map(Chunk::used) } else { None }
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many chunks there are.
    pub fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// Bytes of heap, from a sample of the chunks.
    pub fn heap_bytes(&self) -> usize {
        let step = self.chunks.len().div_ceil(SAMPLED).max(1);
        let sampled = self.chunks.iter().step_by(step);
        let (count, bytes) = sampled.fold((0, 0), |(n, bytes), chunk| (n + 1, bytes + chunk.heap_bytes()));
        self.chunks.capacity() * size_of::<Chunk>() + bytes * self.chunks.len() / count.max(1)
    }

    // -- the rule of encodings ----------------------------------------------------------------------------------

    /// Becomes what Redis calls a quicklist if `count` texts of `bytes` bytes in all would exceed its limit.
    pub fn grow(&mut self, count: usize, bytes: usize, limits: &Limits) {
        if !self.quick {
            let size = self.chunks.front().map_or(0, Chunk::listpack);
            self.quick = limits.exceeded(size, bytes, self.len + count);
        }
    }

    /// Becomes what Redis calls a listpack if there is one chunk that has shrunk to half the limit.
    pub fn shrink(&mut self, limits: &Limits) {
        let Some(only) = self.chunks.front() else { return };
        if self.quick && self.chunks.len() == 1 && limits.is_half(only.listpack(), only.count()) {
            self.quick = limits.is_large(only.listpack());
            self.chunks[0].open();
        }
    }

    // -- the ends -----------------------------------------------------------------------------------------------

    /// Adds an element at one end. [`Chunks::grow`] has been told of it.
    #[inline]
    pub fn push(&mut self, side: Side, text: &[u8], limits: &Limits) {
        let fits = self.end(side).is_some_and(|end| !self.quick || end.takes(text.len(), limits));
        if !fits {
            self.new_end(side);
        }
        let end = self.end_mut(side).expect("there is a chunk");
        end.push(side, Item::of(text));
        self.len += 1;
    }

    #[inline]
    fn end(&self, side: Side) -> Option<&Chunk> {
        match side {
            Side::Left => self.chunks.front(),
            Side::Right => self.chunks.back(),
        }
    }

    #[inline]
    fn end_mut(&mut self, side: Side) -> Option<&mut Chunk> {
        match side {
            Side::Left => self.chunks.front_mut(),
            Side::Right => self.chunks.back_mut(),
        }
    }

    #[cold]
    fn new_end(&mut self, side: Side) {
        if let Some(end) = self.end_mut(side) {
            end.seal();
        }
        match side {
            Side::Left => self.chunks.push_front(Chunk::with_room(0)),
            Side::Right => self.chunks.push_back(Chunk::with_room(0)),
        }
        self.settle_ends();
    }

    /// The element at one end.
    #[inline]
    pub fn peek(&self, side: Side) -> Option<Item<'_>> {
        self.end(side).map(|chunk| chunk.peek(side))
    }

    /// Removes the element at one end.
    #[inline]
    pub fn drop_end(&mut self, side: Side) {
        let Some(end) = self.end_mut(side) else { return };
        end.drop_end(side);
        let emptied = end.count() == 0;
        self.len -= 1;
        if emptied {
            self.drop_chunk(if side == Side::Left { 0 } else { self.chunks.len() - 1 });
            self.settle_ends();
        }
    }

    fn drop_chunk(&mut self, at: usize) {
        self.chunks.remove(at);
        if self.chunks.capacity() > 64 && self.chunks.len() < self.chunks.capacity() / 4 {
            self.chunks.shrink_to(2 * self.chunks.len());
        }
    }

    // -- reading ------------------------------------------------------------------------------------------------

    /// Where the element at `index` is: the counts are added up from the nearer end.
    pub(super) fn place(&self, index: usize) -> Option<Place> {
        if index >= self.len {
            return None;
        }
        let (mut before, mut behind) = (0, self.len);
        if index < self.len / 2 {
            for (chunk, it) in self.chunks.iter().enumerate() {
                if index < before + it.count() {
                    return Some(Place { chunk, index: index - before });
                }
                before += it.count();
            }
        }
        for (chunk, it) in self.chunks.iter().enumerate().rev() {
            behind -= it.count();
            if index >= behind {
                return Some(Place { chunk, index: index - behind });
            }
        }
        None
    }

    /// Looks at the element at `index`.
    pub fn at<R>(&self, index: usize, look: impl FnOnce(Item<'_>) -> R) -> Option<R> {
        let place = self.place(index)?;
        let mut scratch = Vec::new();
        let chunk = &self.chunks[place.chunk];
        let run = chunk.run(&mut scratch);
        Some(look(chunk.locate(run, place.index).item(run)))
    }

    /// Looks at `count` elements from `from` on.
    #[inline]
    pub fn visit(&self, from: usize, count: usize, mut look: impl FnMut(Item<'_>)) {
        let Some(place) = self.place(from) else { return };
        let (mut skip, mut left) = (place.index, count);
        let mut scratch = Vec::new();
        for chunk in self.chunks.range(place.chunk..) {
            let run = chunk.run(&mut scratch);
            let taken = left.min(chunk.count() - skip);
            visit(run, chunk.locate(run, skip).start, taken, &mut look);
            (skip, left) = (0, left - taken);
            if left == 0 {
                return;
            }
        }
    }

    /// Looks at the elements from one end on, each with its index, until `look` says that it has enough.
    pub fn walk(&self, side: Side, mut look: impl FnMut(usize, Item<'_>) -> bool) {
        let mut scratch = Vec::new();
        let mut index = 0;
        for chunk in in_order(&self.chunks, side) {
            let run = chunk.run(&mut scratch);
            for record in in_order_of(Records::new(run), side) {
                let at = if side == Side::Left { index } else { self.len - 1 - index };
                if !look(at, record.item(run)) {
                    return;
                }
                index += 1;
            }
        }
    }

    // -- the middle ---------------------------------------------------------------------------------------------

    /// Replaces the element at `index`, which there is.
    pub fn set(&mut self, index: usize, text: &[u8], limits: &Limits) {
        let Some(place) = self.place(index) else { return };
        let chunk = &mut self.chunks[place.chunk];
        if chunk.count() == 1 || !self.quick || !limits.is_large(text.len()) {
            chunk.replace(place.index, Item::of(text));
        } else {
            // A large element stands alone.
            let mut rest = chunk.split_off(place.index);
            rest.cut(Side::Left, 1);
            self.len -= 1;
            self.put_between(place.chunk, rest, text, limits);
        }
        self.settle_around(place.chunk);
    }

    /// Puts an element before the one at `index`, or behind it. [`Chunks::grow`] has been told of it.
    pub fn insert(&mut self, index: usize, behind: bool, text: &[u8], limits: &Limits) {
        let Some(Place { chunk: at, index }) = self.place(index) else { return };
        let index = index + usize::from(behind);
        let (chunk, item) = (&mut self.chunks[at], Item::of(text));
        if !self.quick || chunk.takes(text.len(), limits) {
            chunk.insert(index, item);
            self.len += 1;
        } else if index == 0 && !behind {
            self.insert_beside(at, at.checked_sub(1), at, text, limits);
        } else if index == chunk.count() && behind {
            self.insert_beside(at, Some(at + 1), at + 1, text, limits);
        } else {
            let rest = chunk.split_off(index);
            self.put_between(at, rest, text, limits);
        }
        self.settle_around(at);
    }

    /// Puts an element between the chunk `of` and its `neighbour`: into the neighbour if it takes it, otherwise into a
    /// new chunk at `new`.
    fn insert_beside(
        &mut self,
        of: usize,
        neighbour: Option<usize>,
        new: usize,
        text: &[u8],
        limits: &Limits,
    ) {
        let taker =
            neighbour.filter(|&at| self.chunks.get(at).is_some_and(|it| it.takes(text.len(), limits)));
        match taker {
            Some(at) => {
                let index = if at > of { 0 } else { self.chunks[at].count() };
                self.chunks[at].insert(index, Item::of(text));
            }
            None => self.chunks.insert(new, Chunk::of(Item::of(text))),
        }
        self.len += 1;
    }

    /// Puts an element, and behind it `rest`, behind the chunk `at`, and joins what is small enough.
    fn put_between(&mut self, at: usize, mut rest: Chunk, text: &[u8], limits: &Limits) {
        self.len += 1;
        let mut pieces = vec![Chunk::of(Item::of(text))];
        if rest.count() > 0 && rest.takes(text.len(), limits) {
            rest.push(Side::Left, Item::of(text));
            pieces = vec![rest];
        } else if rest.count() > 0 {
            pieces.push(rest);
        }
        let many = pieces.len();
        for (offset, piece) in pieces.into_iter().enumerate() {
            self.chunks.insert(at + 1 + offset, piece);
        }
        if self.chunks[at].count() == 0 {
            self.drop_chunk(at);
        }
        // From the back, so that the places of what is still to be joined stay.
        let last = (at + many + 1).min(self.chunks.len() - 1);
        for right in (at.saturating_sub(1)..last).rev() {
            self.join(right, limits);
        }
    }

    /// Makes one chunk of the one at `left` and the next, if the limits allow it.
    fn join(&mut self, left: usize, limits: &Limits) {
        let (a, b) = (&self.chunks[left], &self.chunks[left + 1]);
        if limits.joins(a.listpack() + b.listpack(), a.count() + b.count()) {
            let a = self.chunks.remove(left).expect("it was just read");
            self.chunks[left].prepend(a);
        }
    }

    /// Removes elements that equal `wanted`, at most `most`, beginning at one end. Returns how many there were.
    pub fn remove(&mut self, wanted: Item<'_>, side: Side, most: usize) -> usize {
        let mut removed = 0;
        for step in 0..self.chunks.len() {
            if removed == most {
                break;
            }
            let at = if side == Side::Left { step } else { self.chunks.len() - 1 - step };
            removed += self.chunks[at].remove(wanted, side, most - removed);
        }
        if removed > 0 {
            self.len -= removed;
            self.chunks.retain(|chunk| chunk.count() > 0);
            self.settle();
        }
        removed
    }

    /// Removes elements from one end.
    pub fn cut(&mut self, side: Side, mut count: usize) {
        self.len -= count;
        while count > 0 {
            let Some(end) = self.end_mut(side) else { return };
            if end.count() > count {
                end.cut(side, count);
                break;
            }
            count -= end.count();
            self.drop_chunk(if side == Side::Left { 0 } else { self.chunks.len() - 1 });
        }
        self.settle_ends();
    }

    // -- compression --------------------------------------------------------------------------------------------

    /// Restores rule 3 where chunks came or went at the ends.
    fn settle_ends(&mut self) {
        if self.depth == 0 {
            return;
        }
        let all = self.chunks.len();
        for near in 0..(self.depth + 1).min(all) {
            self.settle_one(near);
            self.settle_one(all - 1 - near);
        }
    }

    /// Restores rule 3 where something changed near `at`.
    fn settle_around(&mut self, at: usize) {
        if self.depth == 0 {
            return;
        }
        self.settle_ends();
        for near in at.saturating_sub(2)..(at + 4).min(self.chunks.len()) {
            self.settle_one(near);
        }
    }

    /// Restores rule 3 everywhere.
    fn settle(&mut self) {
        if self.depth > 0 {
            (0..self.chunks.len()).for_each(|at| self.settle_one(at));
        }
    }

    fn settle_one(&mut self, at: usize) {
        let is_inner = at >= self.depth && at + self.depth < self.chunks.len();
        if is_inner { self.chunks[at].compress() } else { self.chunks[at].open() }
    }
}

/// The chunks from one end on.
fn in_order(chunks: &VecDeque<Chunk>, side: Side) -> impl Iterator<Item = &Chunk> {
    let mut chunks = chunks.iter();
    std::iter::from_fn(move || if side == Side::Left { chunks.next() } else { chunks.next_back() })
}

/// The records from one end on.
fn in_order_of<I: DoubleEndedIterator>(mut records: I, side: Side) -> impl Iterator<Item = I::Item> {
    std::iter::from_fn(move || if side == Side::Left { records.next() } else { records.next_back() })
}
