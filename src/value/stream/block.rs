//! A block: up to a few thousand bytes of entries that follow each other.
//!
//! ```text
//! block  = fields entry*
//! fields = item*                     the field names of the first entry
//! entry  = length flags ms seq body  the length is of what follows it
//! body   = value*                    if SAME: the names are the block's
//!        | count (name value)*       otherwise
//! ```
//!
//! `length`, `ms`, `seq` and `count` are variable-length numbers of seven bits a byte, the lowest first. `ms` is the
//! distance to the block's first id; `seq` is that too where `ms` is zero, and the number itself elsewhere. Names and
//! values are items of [`packed`]. Entries mean the same wherever in their block they stand, so what
//! was deleted can be cut out.

use super::id::Id;
use crate::value::packed::{self, Item, Items};

const DELETED: u8 = 1;
const SAME: u8 = 2;

/// Entries in a row that share their storage.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// The id of the first entry ever; ids are stored as distances from it.
    first: Id,
    /// The id of the last entry that is there.
    last: Id,
    /// Entries that are there.
    live: u32,
    /// Entries that were ever appended.
    appended: u32,
    /// Field names of the first entry, and the bytes they take.
    names: u32,
    names_len: u32,
    bytes: Vec<u8>,
}

/// An entry as it stands in its block.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its id.
    pub id: Id,
    /// Where it begins in the block's bytes, with its length.
    start: usize,
    flags_at: usize,
    body_at: usize,
    end: usize,
    block: &'a Block,
}

/// Names and values of one entry, in the order in which they were given.
#[derive(Clone, Debug)]
pub struct Pairs<'a> {
    names: Option<Items<'a>>,
    rest: Items<'a>,
}

impl Block {
    /// A block whose first entry is to have the id `first` and these names.
    pub fn new<'a>(first: Id, names: impl Iterator<Item = &'a [u8]>) -> Block {
        let mut bytes = Vec::new();
        let mut count = 0;
        names.for_each(|name| {
            packed::push(&mut bytes, name);
            count += 1;
        });
        let names_len = bytes.len() as u32;
        Block { first, last: first, live: 0, appended: 0, names: count, names_len, bytes }
    }

    /// The id of the first entry ever.
    pub fn first(&self) -> Id {
        self.first
    }

    /// The id of the last entry that is there.
    pub fn last(&self) -> Id {
        self.last
    }

    pub fn live(&self) -> usize {
        self.live as usize
    }

    /// Entries that were ever appended, the deleted ones too.
    pub fn appended(&self) -> usize {
        self.appended as usize
    }

    /// Bytes in use.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Gives back the room at the end: nothing will be appended any more. The bytes are copied, because an allocator
    /// leaves a block that is made a little smaller where it is, in all its size.
    pub fn seal(&mut self) {
        if self.bytes.capacity() - self.bytes.len() > self.bytes.len() / 16 {
            self.bytes = self.bytes.as_slice().into();
        }
    }

    /// Appends an entry of alternating names and values, whose id is greater than all before.
    pub fn append<'a>(&mut self, id: Id, words: impl Iterator<Item = &'a [u8]> + Clone) {
        let start = self.bytes.len();
        let same = self.has_names(words.clone());
        self.bytes.push(0);
        self.bytes.push(if same { SAME } else { 0 });
        let ms = id.ms - self.first.ms;
        push_number(&mut self.bytes, ms);
        push_number(&mut self.bytes, if ms == 0 { id.seq - self.first.seq } else { id.seq });
        if same {
            every_second(words, 1).for_each(|value| packed::push(&mut self.bytes, value));
        } else {
            push_number(&mut self.bytes, words.clone().count() as u64 / 2);
            words.for_each(|word| packed::push(&mut self.bytes, word));
        }
        self.set_length(start);
        self.last = id;
        self.live += 1;
        self.appended += 1;
    }

    /// Writes the length of the entry at `start`, which is the last one, over the byte that was left for it.
    fn set_length(&mut self, start: usize) {
        let length = (self.bytes.len() - start - 1) as u64;
        if length < 0x80 {
            self.bytes[start] = length as u8;
            return;
        }
        let mut digits = Vec::with_capacity(5);
        push_number(&mut digits, length);
        self.bytes.splice(start..=start, digits);
    }

    /// Whether an entry of these names and values has the block's names.
    fn has_names<'a>(&self, words: impl Iterator<Item = &'a [u8]> + Clone) -> bool {
        let mut names = self.name_items();
        let mut given = every_second(words, 0);
        loop {
            match (names.next(), given.next()) {
                (None, None) => return true,
                (Some(name), Some(word)) if is_word(name, word) => {}
                _ => return false,
            }
        }
    }

    fn name_items(&self) -> Items<'_> {
        packed::items(&self.bytes[..self.names_len as usize])
    }

    /// The entries from the front, the deleted ones too.
    fn all(&self) -> Entries<'_> {
        Entries { block: self, at: self.names_len as usize }
    }

    /// The entries that are there, from the front.
    pub fn entries(&self) -> Live<'_> {
        Live(self.all())
    }

    /// Appends to `places` where the entries from `start` to `end` are, for [`Block::entry_at`].
    pub fn places(&self, start: Id, end: Id, places: &mut Vec<u32>) {
        let inside = self.entries().skip_while(|entry| entry.id < start).take_while(|entry| entry.id <= end);
        places.extend(inside.map(|entry| entry.start as u32));
    }

    /// The entry at one of the places that [`Block::places`] gave.
    pub fn entry_at(&self, place: u32) -> Option<Entry<'_>> {
        Entries { block: self, at: place as usize }.next()
    }

    /// The entry with this id, if it is there.
    pub fn find(&self, id: Id) -> Option<Entry<'_>> {
        self.all().find(|entry| entry.id >= id).filter(|entry| entry.id == id && !entry.is_deleted())
    }

    /// Deletes the entry with this id; false if it is not there. The room of deleted entries is given back when there
    /// are more of them than of others.
    pub fn delete(&mut self, id: Id) -> bool {
        let Some(at) = self.find(id).map(|entry| entry.flags_at) else { return false };
        self.bytes[at] |= DELETED;
        self.live -= 1;
        self.after_deleting();
        true
    }

    /// Deletes entries from the front as long as there are some for which `takes` says so; it says nothing about one
    /// that shall stay although later ones may go. Returns how many went.
    pub fn delete_each(&mut self, mut takes: impl FnMut(Id) -> Take) -> usize {
        let mut gone = Vec::new();
        for entry in self.entries() {
            match takes(entry.id) {
                Take::Delete => gone.push(entry.flags_at),
                Take::Keep => {}
                Take::Stop => break,
            }
        }
        gone.iter().for_each(|&at| self.bytes[at] |= DELETED);
        self.live -= gone.len() as u32;
        if !gone.is_empty() {
            self.after_deleting();
        }
        gone.len()
    }

    fn after_deleting(&mut self) {
        let last = self.last;
        if let Some(entry) = self.find(last).is_none().then(|| self.entries().last()).flatten() {
            self.last = entry.id;
        }
        if self.live > 0 && self.live * 2 <= self.appended {
            self.cut_if_sparse();
        }
    }

    /// Leaves out what is deleted if it is half of the bytes.
    fn cut_if_sparse(&mut self) {
        let used = self.bytes.len() - self.names_len as usize;
        let live: usize = self.entries().map(|entry| entry.full().len()).sum();
        if live * 2 <= used {
            self.cut(live);
        }
    }

    /// Leaves out what is deleted. `live` is the number of bytes that stay.
    fn cut(&mut self, live: usize) {
        let mut bytes = Vec::with_capacity(self.names_len as usize + live);
        bytes.extend_from_slice(&self.bytes[..self.names_len as usize]);
        for entry in self.entries() {
            bytes.extend_from_slice(entry.full());
        }
        self.bytes = bytes;
    }
}

/// What becomes of an entry in [`Block::delete_each`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Take {
    Delete,
    /// It stays, and the next one is looked at.
    Keep,
    /// It stays, and so do all after it.
    Stop,
}

/// The entries of a block that are there.
#[derive(Clone, Debug)]
pub(super) struct Live<'a>(Entries<'a>);

impl<'a> Iterator for Live<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        self.0.find(|entry| !entry.is_deleted())
    }
}

/// The entries of a block, deleted ones included.
#[derive(Clone, Debug)]
struct Entries<'a> {
    block: &'a Block,
    at: usize,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        let bytes = &self.block.bytes[..];
        if self.at >= bytes.len() {
            return None;
        }
        let start = self.at;
        let length = number(bytes, &mut self.at) as usize;
        let flags_at = self.at;
        self.at += length;
        let mut body_at = flags_at + 1;
        let ms = number(bytes, &mut body_at);
        let seq = number(bytes, &mut body_at);
        let first = self.block.first;
        let id = Id::new(first.ms + ms, if ms == 0 { first.seq + seq } else { seq });
        Some(Entry { id, start, flags_at, body_at, end: self.at, block: self.block })
    }
}

impl<'a> Entry<'a> {
    fn flags(&self) -> u8 {
        self.block.bytes[self.flags_at]
    }

    fn is_deleted(&self) -> bool {
        self.flags() & DELETED != 0
    }

    fn body(&self) -> &'a [u8] {
        &self.block.bytes[self.body_at..self.end]
    }

    /// All its bytes.
    fn full(&self) -> &'a [u8] {
        &self.block.bytes[self.start..self.end]
    }

    /// How many names it has, which is one at least.
    pub fn count(&self) -> usize {
        match self.flags() & SAME {
            0 => number(self.body(), &mut 0) as usize,
            _ => self.block.names as usize,
        }
    }

    /// Its names and values.
    pub fn pairs(&self) -> Pairs<'a> {
        let body = self.body();
        if self.flags() & SAME != 0 {
            return Pairs { names: Some(self.block.name_items()), rest: packed::items(body) };
        }
        let mut at = 0;
        number(body, &mut at);
        Pairs { names: None, rest: Items::from(body, at) }
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (Item<'a>, Item<'a>);

    #[inline]
    fn next(&mut self) -> Option<(Item<'a>, Item<'a>)> {
        let name = match &mut self.names {
            Some(names) => names.next()?,
            None => self.rest.next()?,
        };
        Some((name, self.rest.next()?))
    }
}

/// Whether `item` is what `word` is stored as.
#[inline]
fn is_word(item: Item<'_>, word: &[u8]) -> bool {
    match item {
        // A text item is never a canonical integer, so equal bytes are the same item.
        Item::Text(text) => text == word,
        Item::Int(_) => item == Item::of(word),
    }
}

/// Every second word: from the first on the names, from the second on the values.
fn every_second<'a>(
    words: impl Iterator<Item = &'a [u8]> + Clone,
    from: usize,
) -> impl Iterator<Item = &'a [u8]> {
    words.skip(from).step_by(2)
}

#[inline]
fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// The number at `at`, which moves behind it.
#[inline]
fn number(bytes: &[u8], at: &mut usize) -> u64 {
    let mut value = 0;
    let mut shift = 0;
    loop {
        let byte = bytes[*at];
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return value;
        }
        shift += 7;
    }
}
