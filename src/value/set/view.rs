//! What a reader sees of a set.

use super::Packed;
use super::ints::IntsRef;
use super::member::Member;
use crate::value::dict::{self, Dict};
use crate::value::packed::{self, Digits, Item, Items};
use crate::value::word::canonical_int;

/// A set that is read. Of a table, integers come as their texts.
#[derive(Clone, Copy, Debug)]
pub enum SetRef<'a> {
    /// Integers, sorted.
    Ints(IntsRef<'a>),
    /// Packed items.
    Packed(&'a [u8]),
    /// A hash table.
    Table(&'a Dict<Member>),
}

/// The integer that an item is or spells.
#[inline]
pub(super) fn as_int(item: Item<'_>) -> Option<i64> {
    match item {
        Item::Int(int) => Some(int),
        Item::Text(text) => canonical_int(text),
    }
}

/// The item as packed bytes hold it.
pub(super) fn normal(item: Item<'_>) -> Item<'_> {
    match item {
        Item::Int(_) => item,
        Item::Text(text) => Item::of(text),
    }
}

impl<'a> SetRef<'a> {
    /// How many members there are.
    pub fn len(self) -> usize {
        match self {
            SetRef::Ints(ints) => ints.len(),
            SetRef::Packed(run) => packed::count(run),
            SetRef::Table(table) => table.len(),
        }
    }

    /// Whether there is no member.
    pub fn is_empty(self) -> bool {
        match self {
            SetRef::Ints(ints) => ints.is_empty(),
            SetRef::Packed(run) => run.is_empty(),
            SetRef::Table(table) => table.is_empty(),
        }
    }

    /// Whether `member` is in the set. An integer may come as its text.
    #[inline]
    pub fn contains(self, member: Item<'_>) -> bool {
        match self {
            SetRef::Ints(ints) => as_int(member).is_some_and(|int| ints.search(int).is_ok()),
            SetRef::Packed(run) => packed::find(run, normal(member), 1).is_some(),
            SetRef::Table(table) => table.contains(member.bytes(&mut Digits::default())),
        }
    }

    /// All members: integers in ascending order, packed ones in the order in which they came.
    pub fn iter(self) -> Members<'a> {
        match self {
            SetRef::Ints(ints) => Members::Ints(ints, 0),
            SetRef::Packed(run) => Members::Packed(packed::items(run)),
            SetRef::Table(table) => Members::Table(table.iter()),
        }
    }

    /// Visits members from `cursor` on until there were about `count`; where to go on, or 0 at the end. The first
    /// cursor is 0. A set that is no table is visited at once.
    pub fn scan(self, cursor: u64, count: usize, mut visit: impl FnMut(Item<'a>)) -> u64 {
        if let SetRef::Table(table) = self {
            return table.scan(cursor, count, |text| visit(Item::Text(text)));
        }
        self.iter().for_each(visit);
        0
    }

    /// What OBJECT ENCODING answers.
    pub fn encoding(self) -> &'static str {
        match self {
            SetRef::Ints(_) => "intset",
            SetRef::Packed(_) => "listpack",
            SetRef::Table(_) => "hashtable",
        }
    }

    /// The member number `index` of a packed set.
    pub(super) fn nth_packed(run: &'a [u8], index: usize) -> Option<Item<'a>> {
        packed::items(run).nth(index)
    }
}

/// The members of a set.
pub enum Members<'a> {
    /// Integers from an index on.
    Ints(IntsRef<'a>, usize),
    /// The rest of packed items.
    Packed(Items<'a>),
    /// The rest of a table.
    Table(dict::Iter<'a, Member>),
}

impl<'a> Iterator for Members<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        match self {
            Members::Ints(ints, at) => {
                let int = (*at < ints.len()).then(|| ints.get(*at))?;
                *at += 1;
                Some(Item::Int(int))
            }
            Members::Packed(items) => items.next(),
            Members::Table(members) => members.next().map(Item::Text),
        }
    }
}

/// Where `wanted` is in packed items, or how many there are.
pub(super) fn search(run: &Packed, wanted: Item<'_>) -> Result<std::ops::Range<usize>, usize> {
    let mut items = packed::items(run);
    for count in 0.. {
        let Some(range) = items.next_range() else { return Err(count) };
        if packed::item(&run[range.clone()]) == wanted {
            return Ok(range);
        }
    }
    unreachable!("a run has an end")
}
