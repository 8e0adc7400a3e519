//! Walks over the entries of a stream, and what its counters say about a group's progress.

use super::block::{Block, Entry, Live};
use super::group::Group;
use super::id::Id;
use super::{Entries, Log};

impl Log {
    /// The entries from `start` to `end`, both included.
    pub fn range(&self, start: Id, end: Id) -> Range<'_> {
        self.entries().range(start, end)
    }

    /// The entries from `start` to `end`, both included, the last one first.
    pub fn range_reversed(&self, start: Id, end: Id) -> RangeReversed<'_> {
        self.entries().range_reversed(start, end)
    }

    /// The entry with this id.
    pub fn find(&self, id: Id) -> Option<Entry<'_>> {
        self.entries().find(id)
    }

    /// The first entry.
    pub fn first(&self) -> Option<Entry<'_>> {
        self.blocks.front()?.entries().next()
    }

    /// The last entry.
    pub fn last(&self) -> Option<Entry<'_>> {
        let block = self.blocks.back()?;
        block.find(block.last())
    }
}

impl<'a> Entries<'a> {
    /// The number of the first block whose entries can have `id` or a greater one.
    fn block_at(&self, id: Id) -> usize {
        // Readers of a stream's end ask for the last block, or for what comes after it.
        match self.blocks.back() {
            Some(last) if last.first() <= id && last.last() >= id => self.blocks.len() - 1,
            Some(last) if last.last() < id => self.blocks.len(),
            _ => self.blocks.partition_point(|block| block.last() < id),
        }
    }

    /// As [`Log::range`].
    pub fn range(self, start: Id, end: Id) -> Range<'a> {
        let next = self.block_at(start);
        Range { blocks: self, next, inside: None, start, end }
    }

    /// As [`Log::range_reversed`].
    pub fn range_reversed(self, start: Id, end: Id) -> RangeReversed<'a> {
        let before = (self.block_at(end) + 1).min(self.blocks.len());
        RangeReversed { blocks: self, before, block: None, places: Vec::new(), start, end }
    }

    /// As [`Log::find`].
    pub fn find(&self, id: Id) -> Option<Entry<'a>> {
        self.blocks.get(self.block_at(id))?.find(id)
    }

    /// Whether some entry has an id greater than this one.
    pub fn has_after(&self, id: Id) -> bool {
        self.blocks.back().is_some_and(|block| block.last() > id)
    }

    /// Whether an entry after `id`, `id` included, was deleted by name, as far as that is known: only the last such
    /// entry is.
    fn has_tombstone_from(&self, id: Id) -> bool {
        self.length > 0 && self.max_deleted_id != Id::MIN && id <= self.max_deleted_id
    }

    /// How many entries were ever added up to the one with this id, if the counters tell.
    pub fn added_up_to(&self, id: Id) -> Option<i64> {
        let added = self.entries_added as i64;
        if added == 0 {
            return Some(0);
        }
        if self.length == 0 && id <= self.last_id {
            return Some(added);
        }
        // Something between the first entry and this one may be gone.
        if id != Id::MIN && id < self.max_deleted_id {
            return None;
        }
        if id >= self.last_id {
            return (id == self.last_id).then_some(added);
        }
        if self.max_deleted_id != Id::MIN && self.max_deleted_id >= self.first_id {
            return None;
        }
        let before = added.wrapping_sub(self.length as i64);
        match id.cmp(&self.first_id) {
            std::cmp::Ordering::Less => Some(before),
            std::cmp::Ordering::Equal => Some(before.wrapping_add(1)),
            std::cmp::Ordering::Greater => None,
        }
    }

    /// The group has read the entry with this id, which is after all that it had read before.
    pub fn advance(&self, group: &mut Group, id: Id) {
        group.entries_read = match group.entries_read {
            Some(read) if group.last_id >= self.first_id && !self.has_tombstone_from(group.last_id) => {
                Some(read.saturating_add(1))
            }
            _ => self.added_up_to(id),
        };
        group.last_id = id;
    }

    /// How many entries the group has not read, if the counters tell.
    pub fn lag(&self, group: &Group) -> Option<i64> {
        let added = self.entries_added as i64;
        if added == 0 {
            return Some(0);
        }
        if group.last_id < self.first_id && self.max_deleted_id < self.first_id {
            return Some(self.length as i64);
        }
        let read = match group.entries_read {
            Some(read) if !self.has_tombstone_from(group.last_id) => Some(read),
            _ => self.added_up_to(group.last_id),
        };
        read.map(|read| added.wrapping_sub(read))
    }
}

/// Entries from the front: see [`Log::range`].
#[derive(Clone)]
pub struct Range<'a> {
    blocks: Entries<'a>,
    next: usize,
    inside: Option<Live<'a>>,
    start: Id,
    end: Id,
}

impl<'a> Iterator for Range<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let Some(inside) = &mut self.inside else {
                self.inside = Some(self.blocks.blocks.get(self.next)?.entries());
                self.next += 1;
                continue;
            };
            match inside.find(|entry| entry.id >= self.start) {
                Some(entry) => return (entry.id <= self.end).then_some(entry),
                None => self.inside = None,
            }
        }
    }
}

/// Entries from the end: see [`Log::range_reversed`].
#[derive(Clone)]
pub struct RangeReversed<'a> {
    blocks: Entries<'a>,
    /// The number after the one of the next block.
    before: usize,
    /// The block that was opened last, and where in it the entries to come are, the next one last: a block can only
    /// be read from the front.
    block: Option<&'a Block>,
    places: Vec<u32>,
    start: Id,
    end: Id,
}

impl<'a> Iterator for RangeReversed<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            if let (Some(block), Some(place)) = (self.block, self.places.pop()) {
                return block.entry_at(place);
            }
            self.before = self.before.checked_sub(1)?;
            let block = self.blocks.blocks.get(self.before).filter(|block| block.last() >= self.start)?;
            block.places(self.start, self.end, &mut self.places);
            self.block = Some(block);
        }
    }
}
