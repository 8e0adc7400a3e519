//! Lists: packed while small, a sequence of chunks beyond.
//!
//! | file | holds |
//! |---|---|
//! | `limits` | how large a piece may become, in Redis's measure |
//! | `record` | elements that can be read from both ends |
//! | `chunk` | a run of records with room at both ends, or compressed |
//! | `chunks` | the sequence |
//!
//! A packed list has no lengths behind its elements, so its far end is found by walking it: half a kilobyte at most.

mod chunk;
mod chunks;
mod limits;
mod record;
#[cfg(all(test, not(sockudo_loom)))]
mod tests;

pub use chunks::Chunks;
pub use limits::Limits;

use std::ops::Range;

use super::collection::{Any, Collection, Kind, PACKED_WORD_MAX};
use super::packed::{self, Item, Items};

/// Chunks of fewer bytes are packed again: half of where a list leaves that form, so that it does not go back and forth.
const REPACK_BELOW: usize = PACKED_WORD_MAX / 2;
/// The longest element. Redis has the same bound for what its listpacks refuse.
pub const MAX_ELEMENT: usize = 1 << 30;

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The head.
    Left,
    /// The tail.
    Right,
}

impl Side {
    /// The other end.
    pub fn opposite(self) -> Side {
        match self {
            Side::Left => Side::Right,
            Side::Right => Side::Left,
        }
    }
}

/// A list of texts.
#[derive(Clone, Debug)]
pub enum List {
    /// Few and short elements.
    Packed(Vec<u8>),
    /// All others.
    Chunks(Box<Chunks>),
}

/// What a reader of a list sees.
#[derive(Clone, Copy)]
pub enum ListRef<'a> {
    /// A packed run.
    Packed(&'a [u8]),
    /// Chunks.
    Chunks(&'a Chunks),
}

impl<'a> ListRef<'a> {
    /// How many elements it has.
    pub fn len(self) -> usize {
        match self {
            ListRef::Packed(run) => packed::count(run),
            ListRef::Chunks(chunks) => chunks.len(),
        }
    }

    /// Whether it has none; so only while it is being changed.
    pub fn is_empty(self) -> bool {
        match self {
            ListRef::Packed(run) => run.is_empty(),
            ListRef::Chunks(chunks) => chunks.is_empty(),
        }
    }

    /// Looks at the element at `index`; none if there is none.
    pub fn at<R>(self, index: usize, look: impl FnOnce(Item<'_>) -> R) -> Option<R> {
        match self {
            ListRef::Packed(run) => packed::items(run).nth(index).map(look),
            ListRef::Chunks(chunks) => chunks.at(index, look),
        }
    }

    /// Looks at up to `count` elements from `from` on, in order.
    #[inline]
    pub fn visit(self, from: usize, count: usize, look: impl FnMut(Item<'_>)) {
        match self {
            ListRef::Packed(run) => packed::items(run).skip(from).take(count).for_each(look),
            ListRef::Chunks(chunks) => chunks.visit(from, count, look),
        }
    }

    /// Looks at elements from one end on, each with its index from the left, until `look` answers that it needs no more.
    pub fn walk(self, side: Side, mut look: impl FnMut(usize, Item<'_>) -> bool) {
        match (self, side) {
            (ListRef::Packed(run), Side::Left) => {
                packed::items(run).enumerate().all(|(at, item)| look(at, item));
            }
            (ListRef::Packed(run), Side::Right) => {
                let all: Vec<Item<'_>> = packed::items(run).collect();
                all.into_iter().enumerate().rev().all(|(at, item)| look(at, item));
            }
            (ListRef::Chunks(chunks), side) => chunks.walk(side, look),
        }
    }
}

/// The bytes of the element at `index` of a packed run.
fn range_of(run: &[u8], index: usize) -> Option<Range<usize>> {
    let mut items = packed::items(run);
    for _ in 0..index {
        items.next_range()?;
    }
    items.next_range()
}

/// The bytes of the last element of a packed run.
fn last_range(run: &[u8]) -> Option<Range<usize>> {
    let mut items = packed::items(run);
    let mut last = None;
    while let Some(range) = items.next_range() {
        last = Some(range);
    }
    last
}

impl List {
    /// How many elements it has.
    pub fn len(&self) -> usize {
        self.view().len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes ready for `texts`: leaves the packed form if they would be too much for it, and becomes what Redis calls a
    /// quicklist if they exceed its limit. As in Redis, all that a command adds is counted before the first.
    #[inline]
    fn grow(&mut self, count: usize, bytes: usize, limits: &Limits) {
        let run = match self {
            List::Chunks(chunks) => return chunks.grow(count, bytes, limits),
            List::Packed(run) => run,
        };
        // An item takes at most five bytes besides its text.
        let stays = run.len() + bytes + 5 * count <= PACKED_WORD_MAX;
        if stays && limits.is_far_below(run.len(), bytes) {
            return;
        }
        let quick = exceeds(run, count, bytes, limits);
        if stays && !quick {
            return;
        }
        let mut chunks = Chunks::from_packed(run, limits);
        chunks.quick = quick;
        *self = List::Chunks(Box::new(chunks));
    }

    /// Goes back to simpler forms as far as the list has shrunk.
    fn shrink(&mut self, limits: &Limits) {
        let List::Chunks(chunks) = self else { return };
        chunks.shrink(limits);
        if !chunks.quick && chunks.bytes_of_one().is_some_and(|bytes| bytes <= REPACK_BELOW) {
            *self = List::Packed(chunks.to_packed());
        }
    }

    /// Adds texts at one end, each beyond the one before.
    #[inline]
    pub fn push<'t>(
        &mut self,
        side: Side,
        texts: impl ExactSizeIterator<Item = &'t [u8]> + Clone,
        limits: &Limits,
    ) {
        let bytes = texts.clone().map(<[u8]>::len).sum();
        self.grow(texts.len(), bytes, limits);
        for text in texts {
            self.push_one(side, text, limits);
        }
    }

    #[inline(always)]
    fn push_one(&mut self, side: Side, text: &[u8], limits: &Limits) {
        match (self, side) {
            (List::Chunks(chunks), _) => chunks.push(side, text, limits),
            (List::Packed(run), Side::Right) => packed::push(run, text),
            (List::Packed(run), Side::Left) => packed::replace(run, 0..0, Item::of(text)),
        }
    }

    /// Removes up to `count` elements from one end and shows each to `take`. Returns how many there were.
    pub fn pop(
        &mut self,
        side: Side,
        count: usize,
        limits: &Limits,
        mut take: impl FnMut(Item<'_>),
    ) -> usize {
        let mut popped = 0;
        while popped < count && self.pop_one(side, &mut take) {
            popped += 1;
        }
        self.shrink(limits);
        popped
    }

    #[inline]
    fn pop_one(&mut self, side: Side, take: &mut impl FnMut(Item<'_>)) -> bool {
        match self {
            List::Chunks(chunks) => {
                let Some(item) = chunks.peek(side) else { return false };
                take(item);
                chunks.drop_end(side);
            }
            List::Packed(run) => {
                let range = if side == Side::Left { range_of(run, 0) } else { last_range(run) };
                let Some(range) = range else { return false };
                take(packed::item(&run[range.clone()]));
                run.drain(range);
            }
        }
        true
    }

    /// Replaces the element at `index`; false if there is none.
    pub fn set(&mut self, index: usize, text: &[u8], limits: &Limits) -> bool {
        self.grow(1, text.len(), limits);
        let found = match self {
            List::Chunks(chunks) => {
                let found = index < chunks.len();
                chunks.set(index, text, limits);
                found
            }
            List::Packed(run) => {
                let range = range_of(run, index);
                let found = range.is_some();
                range.into_iter().for_each(|range| packed::replace(run, range, Item::of(text)));
                found
            }
        };
        self.shrink(limits);
        found
    }

    /// Puts a text before the first element that equals `pivot`, or `behind` it; false if there is none.
    pub fn insert(&mut self, pivot: &[u8], behind: bool, text: &[u8], limits: &Limits) -> bool {
        self.grow(1, text.len(), limits);
        let wanted = Item::of(pivot);
        match self {
            List::Chunks(chunks) => {
                let mut found = None;
                chunks.walk(Side::Left, |index, item| {
                    found = (item == wanted).then_some(index);
                    found.is_none()
                });
                found.into_iter().for_each(|index| chunks.insert(index, behind, text, limits));
                found.is_some()
            }
            List::Packed(run) => {
                let Some(range) = packed::find(run, wanted, 1) else { return false };
                let at = if behind { range.end } else { range.start };
                packed::replace(run, at..at, Item::of(text));
                true
            }
        }
    }

    /// Removes elements that equal `text`, at most `most` of them, beginning at one end. Returns how many there were.
    pub fn remove(&mut self, text: &[u8], side: Side, most: usize, limits: &Limits) -> usize {
        let wanted = Item::of(text);
        let removed = match self {
            List::Chunks(chunks) => chunks.remove(wanted, side, most),
            List::Packed(run) => remove_packed(run, wanted, side, most),
        };
        self.shrink(limits);
        removed
    }

    /// Keeps `count` elements from `from` on; they are within the list.
    pub fn trim(&mut self, from: usize, count: usize, limits: &Limits) {
        match self {
            List::Chunks(chunks) => {
                let behind = chunks.len() - from - count;
                chunks.cut(Side::Left, from);
                chunks.cut(Side::Right, behind);
            }
            List::Packed(run) => {
                let start = Items::from(run, 0).skip_to(from);
                let end = Items::from(run, start).skip_to(count);
                run.truncate(end);
                run.drain(..start);
            }
        }
        self.shrink(limits);
    }
}

/// Where the element begins that follows `count` others.
trait SkipTo {
    fn skip_to(self, count: usize) -> usize;
}

impl SkipTo for Items<'_> {
    fn skip_to(mut self, count: usize) -> usize {
        for _ in 0..count {
            self.next_range();
        }
        self.position()
    }
}

/// Whether `count` texts of `bytes` bytes more exceed what Redis would put into one listpack.
fn exceeds(run: &[u8], count: usize, bytes: usize, limits: &Limits) -> bool {
    let entries = packed::items(run).map(limits::listpack_len);
    let (size, len) = entries.fold((0, 0), |(size, len), entry| (size + entry, len + 1));
    limits.exceeded(size, bytes, len + count)
}

fn remove_packed(run: &mut Vec<u8>, wanted: Item<'_>, side: Side, most: usize) -> usize {
    let mut items = packed::items(run);
    let mut found: Vec<Range<usize>> = std::iter::from_fn(|| items.next_range())
        .filter(|range| packed::item(&run[range.clone()]) == wanted)
        .collect();
    if side == Side::Right {
        found.drain(..found.len().saturating_sub(most));
    }
    found.truncate(most);
    found.iter().rev().for_each(|range| drop(run.drain(range.clone())));
    found.len()
}

impl Collection for List {
    const KIND: Kind = Kind::List;
    type Ref<'a> = ListRef<'a>;

    fn new() -> Self {
        List::Packed(Vec::new())
    }

    fn from_packed(_form: u8, bytes: Vec<u8>) -> Self {
        List::Packed(bytes)
    }

    fn packed(&self) -> Option<(u8, &[u8])> {
        match self {
            List::Packed(run) => Some((0, run)),
            List::Chunks(_) => None,
        }
    }

    fn view(&self) -> ListRef<'_> {
        match self {
            List::Packed(run) => ListRef::Packed(run),
            List::Chunks(chunks) => ListRef::Chunks(chunks),
        }
    }

    fn view_packed(_form: u8, bytes: &[u8]) -> ListRef<'_> {
        ListRef::Packed(bytes)
    }

    fn is_empty(&self) -> bool {
        self.view().is_empty()
    }

    fn weight(&self) -> usize {
        match self {
            List::Packed(_) => 1,
            List::Chunks(chunks) => 2 + chunks.chunks(),
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            List::Packed(run) => run.capacity(),
            List::Chunks(chunks) => size_of::<Chunks>() + chunks.heap_bytes(),
        }
    }

    fn encoding(view: ListRef<'_>) -> &'static str {
        match view {
            ListRef::Chunks(chunks) if chunks.quick => "quicklist",
            _ => "listpack",
        }
    }

    fn wrap(self) -> Any {
        Any::List(self)
    }

    fn of(any: &Any) -> Option<&Self> {
        if let Any::List(it) = any { Some(it) } else { None }
    }

    fn of_mut(any: &mut Any) -> Option<&mut Self> {
        if let Any::List(it) = any { Some(it) } else { None }
    }
}
