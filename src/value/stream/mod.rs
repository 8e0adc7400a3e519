//! Streams: entries in the order of their ids, and groups of consumers that share them out.
//!
//! | file | holds |
//! |---|---|
//! | `id` | ids of entries |
//! | `block` | the packed storage of entries that follow each other |
//! | `range` | walks over entries, from either end |
//! | `trim` | deleting: one entry, or those at the front |
//! | `group` | consumer groups and what is pending in them |
//! | `idempotence` | entries that a producer may send twice |
//!
//! The index of the blocks is a double-ended queue in the order of their ids, searched by halving: entries come at the
//! end and are trimmed at the front, both of which take constant time there, and the search touches few cache lines.
//! A block in the middle goes only when all of its entries were deleted one by one.
//!
//! A stream lives when it has no entries, as its last id and its groups stay; [`Collection::is_empty`] therefore always
//! says no. It is a node from its first entry on: the usual stream grows, so there is no packed form.

mod block;
mod group;
mod id;
mod idempotence;
mod range;
#[cfg(all(test, not(sockudo_loom)))]
mod tests;
mod trim;

use std::collections::{BTreeMap, VecDeque};
use std::ops::{Deref, DerefMut};

use super::collection::{Any, Collection, Kind};
use block::Block;
pub use block::{Entry, Pairs};
pub use group::{Consumer, ConsumerNo, Count, Group, Pending};
pub use id::Id;
pub use idempotence::Idempotence;
pub use range::{Range, RangeReversed};
pub use trim::{Keep, References, Removed, Trim};

/// Bytes of a block where the configuration sets no limit, and of one entry at most, as in Redis.
const MOST_BYTES: usize = 1 << 30;

/// When a block is full.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes (`stream-node-max-bytes`); zero is no limit.
    pub bytes: usize,
    /// Entries (`stream-node-max-entries`); zero is no limit.
    pub entries: usize,
}

/// Why an entry cannot be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendError {
    /// Its id is not greater than the last one.
    NotGreater,
    /// Its names and values are longer than a block can be.
    TooLarge,
}

/// A stream as a collection.
#[derive(Clone, Debug, Default)]
pub struct Stream(Box<Log>);

/// What a stream holds.
#[derive(Clone, Debug, Default)]
pub struct Log {
    blocks: VecDeque<Block>,
    length: usize,
    last_id: Id,
    first_id: Id,
    max_deleted_id: Id,
    entries_added: u64,
    groups: BTreeMap<Box<[u8]>, Group>,
    idempotence: Option<Box<Idempotence>>,
}

/// What readers of packed bytes see, of which a stream has none.
static NOTHING: Log = Log {
    blocks: VecDeque::new(),
    length: 0,
    last_id: Id::MIN,
    first_id: Id::MIN,
    max_deleted_id: Id::MIN,
    entries_added: 0,
    groups: BTreeMap::new(),
    idempotence: None,
};

impl Deref for Stream {
    type Target = Log;

    fn deref(&self) -> &Log {
        &self.0
    }
}

impl DerefMut for Stream {
    fn deref_mut(&mut self) -> &mut Log {
        &mut self.0
    }
}

impl Collection for Stream {
    const KIND: Kind = Kind::Stream;
    type Ref<'a> = &'a Log;

    fn new() -> Stream {
        Stream::default()
    }

    /// An empty stream: there is no packed form.
    fn from_packed(_form: u8, _bytes: Vec<u8>) -> Stream {
        Stream::default()
    }

    fn packed(&self) -> Option<(u8, &[u8])> {
        None
    }

    fn view(&self) -> &Log {
        &self.0
    }

    fn view_packed(_form: u8, _bytes: &[u8]) -> &Log {
        &NOTHING
    }

    /// Never: a stream without entries keeps its last id and its groups, and its key.
    fn is_empty(&self) -> bool {
        false
    }

    fn weight(&self) -> usize {
        2 + self.blocks.len() + self.groups.values().map(Group::weight).sum::<usize>()
    }

    fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }

    fn encoding(_view: &Log) -> &'static str {
        "stream"
    }

    fn wrap(self) -> Any {
        Any::Stream(self)
    }

    fn of(any: &Any) -> Option<&Stream> {
        if let Any::Stream(it) = any { Some(it) } else { None }
    }

    fn of_mut(any: &mut Any) -> Option<&mut Stream> {
        if let Any::Stream(it) = any { Some(it) } else { None }
    }
}

impl Log {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The greatest id that was ever given.
    pub fn last_id(&self) -> Id {
        self.last_id
    }

    /// The id of the first entry, or [`Id::MIN`] if there is none.
    pub fn first_id(&self) -> Id {
        self.first_id
    }

    /// The greatest id of an entry that was deleted by name; trimming leaves it alone.
    pub fn max_deleted_id(&self) -> Id {
        self.max_deleted_id
    }

    /// How many entries were ever added.
    pub fn entries_added(&self) -> u64 {
        self.entries_added
    }

    /// How many blocks hold the entries.
    pub fn block_count(&self) -> usize {
        self.blocks.len()
    }

    /// The counters of a stream as XSETID sets them; what is none stays.
    pub fn set_counters(&mut self, last_id: Id, entries_added: Option<u64>, max_deleted_id: Option<Id>) {
        self.last_id = last_id;
        self.entries_added = entries_added.unwrap_or(self.entries_added);
        self.max_deleted_id = max_deleted_id.unwrap_or(self.max_deleted_id);
    }

    // -- appending ----------------------------------------------------------------------------------------------

    /// The id that an entry gets by itself: the time (Unix milliseconds), or the one after the last if the clock is
    /// not ahead of that. None if there are no more ids.
    pub fn next_id(&self, now: u64) -> Option<Id> {
        if now > self.last_id.ms { Some(Id::new(now, 0)) } else { self.last_id.next() }
    }

    /// The id with this time and the next free number; none if the time is over or its numbers are used up.
    pub fn next_id_in(&self, ms: u64) -> Option<Id> {
        match ms.cmp(&self.last_id.ms) {
            std::cmp::Ordering::Less => None,
            std::cmp::Ordering::Equal => self.last_id.seq.checked_add(1).map(|seq| Id::new(ms, seq)),
            std::cmp::Ordering::Greater => Some(Id::new(ms, 0)),
        }
    }

    /// Appends an entry of alternating names and values, of which there is at least one pair.
    pub fn append<'a>(
        &mut self,
        id: Id,
        words: impl Iterator<Item = &'a [u8]> + Clone,
        limits: Limits,
    ) -> Result<(), AppendError> {
        if id <= self.last_id {
            return Err(AppendError::NotGreater);
        }
        let size = words.clone().map(<[u8]>::len).sum::<usize>();
        if size > MOST_BYTES {
            return Err(AppendError::TooLarge);
        }
        self.block_for(id, words.clone(), size, limits).append(id, words);
        if self.length == 0 {
            self.first_id = id;
        }
        self.length += 1;
        self.entries_added = self.entries_added.saturating_add(1);
        self.last_id = id;
        Ok(())
    }

    /// The last block if it has room for `size` more bytes, or else a new one.
    fn block_for<'a>(
        &mut self,
        id: Id,
        words: impl Iterator<Item = &'a [u8]>,
        size: usize,
        limits: Limits,
    ) -> &mut Block {
        let most = if limits.bytes == 0 { MOST_BYTES } else { limits.bytes.min(MOST_BYTES) };
        let is_full = |block: &Block| {
            block.size() + size >= most || (limits.entries > 0 && block.appended() >= limits.entries)
        };
        if self.blocks.back().is_none_or(is_full) {
            if let Some(last) = self.blocks.back_mut() {
                last.seal();
            }
            self.blocks.push_back(Block::new(id, words.step_by(2)));
        }
        self.blocks.back_mut().expect("there is one now")
    }

    // -- groups -------------------------------------------------------------------------------------------------

    /// The groups in the order of their names.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = (&[u8], &Group)> + '_ {
        self.groups.iter().map(|(name, group)| (&name[..], group))
    }

    /// The group of this name.
    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.groups.get(name)
    }

    /// The same to change it.
    pub fn group_mut(&mut self, name: &[u8]) -> Option<&mut Group> {
        self.groups.get_mut(name)
    }

    /// The group of this name to change it, and beside it the entries, to be read.
    pub fn group_and_entries(&mut self, name: &[u8]) -> Option<(&mut Group, Entries<'_>)> {
        let group = self.groups.get_mut(name)?;
        let entries = Entries {
            blocks: &self.blocks,
            first_id: self.first_id,
            last_id: self.last_id,
            max_deleted_id: self.max_deleted_id,
            length: self.length,
            entries_added: self.entries_added,
        };
        Some((group, entries))
    }

    /// Creates a group; false if there is one of this name.
    pub fn create_group(&mut self, name: &[u8], last_id: Id, entries_read: Option<i64>) -> bool {
        if self.groups.contains_key(name) {
            return false;
        }
        self.groups.insert(name.into(), Group::new(last_id, entries_read));
        true
    }

    /// Deletes a group; false if there is none of this name.
    pub fn destroy_group(&mut self, name: &[u8]) -> bool {
        self.groups.remove(name).is_some()
    }

    // -- producers ----------------------------------------------------------------------------------------------

    /// What is remembered of producers, if anything ever was.
    pub fn idempotence(&self) -> Option<&Idempotence> {
        self.idempotence.as_deref()
    }

    /// The same to change it.
    pub fn idempotence_mut(&mut self) -> &mut Idempotence {
        self.idempotence.get_or_insert_default()
    }

    fn heap_bytes(&self) -> usize {
        /// Blocks at the front that stand for all.
        const SAMPLE: usize = 8;
        let sample: usize = self.blocks.iter().take(SAMPLE).map(Block::heap_bytes).sum();
        let blocks = sample / self.blocks.len().clamp(1, SAMPLE) * self.blocks.len();
        let groups: usize = self.groups.iter().map(|(name, group)| name.len() + group.heap_bytes()).sum();
        size_of::<Log>()
            + blocks
            + self.blocks.capacity() * size_of::<Block>()
            + self.groups.len() * size_of::<Group>()
            + groups
    }

    /// The entries, to be read.
    pub fn entries(&self) -> Entries<'_> {
        Entries {
            blocks: &self.blocks,
            first_id: self.first_id,
            last_id: self.last_id,
            max_deleted_id: self.max_deleted_id,
            length: self.length,
            entries_added: self.entries_added,
        }
    }
}

/// The entries of a stream, and the counters about them, apart from its groups.
#[derive(Clone, Copy, Debug)]
pub struct Entries<'a> {
    blocks: &'a VecDeque<Block>,
    first_id: Id,
    last_id: Id,
    max_deleted_id: Id,
    length: usize,
    entries_added: u64,
}
