//! Deleting: entries by their ids, and the oldest ones.

use super::block::Take;
use super::id::Id;
use super::{Group, Log};

/// Which entries at the front are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// All but this many.
    Newest(u64),
    /// Those below this id.
    From(Id),
}

/// How the front is trimmed.
#[derive(Clone, Copy, Debug)]
pub struct Trim {
    /// What stays.
    pub keep: Keep,
    /// Only whole blocks go.
    pub approximate: bool,
    /// At most this many entries go; zero is no limit.
    pub limit: u64,
    /// What becomes of references to them.
    pub references: References,
}

/// What becomes of the groups' references to an entry that is to be deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum References {
    /// They stay, and point at nothing.
    #[default]
    Keep,
    /// They go too.
    Delete,
    /// The entry stays as long as a group has not read and acknowledged it.
    Acknowledged,
}

/// What became of an entry that was to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It was not there.
    Absent,
    /// It is gone.
    Gone,
    /// It stays, as some group is not through with it.
    Referenced,
}

impl Log {
    /// Deletes an entry by its id, which [`Log::max_deleted_id`] remembers.
    pub fn delete(&mut self, id: Id) -> bool {
        let at = self.blocks.partition_point(|block| block.last() < id);
        let Some(block) = self.blocks.get_mut(at) else { return false };
        if !block.delete(id) {
            return false;
        }
        if block.live() == 0 {
            self.blocks.remove(at);
        }
        self.length -= 1;
        self.max_deleted_id = self.max_deleted_id.max(id);
        if id == self.first_id || self.length == 0 {
            self.find_first();
        }
        true
    }

    /// Deletes an entry, and obeys what is said about references to it.
    pub fn delete_with(&mut self, id: Id, references: References) -> Removed {
        if self.find(id).is_none() {
            return Removed::Absent;
        }
        match references {
            References::Acknowledged if !is_done_with(self.groups.values(), id) => {
                return Removed::Referenced;
            }
            References::Delete => self.dereference(id),
            _ => {}
        }
        self.delete(id);
        Removed::Gone
    }

    /// No group waits for this entry any more.
    pub fn dereference(&mut self, id: Id) {
        for group in self.groups.values_mut() {
            group.acknowledge(id);
        }
    }

    fn find_first(&mut self) {
        self.first_id = self.first().map_or(Id::MIN, |entry| entry.id);
    }

    /// Trims the front, and returns how many entries went.
    pub fn trim(&mut self, trim: Trim) -> usize {
        let gone = match trim.references {
            References::Keep => self.trim_unseen(trim),
            _ => self.trim_seen(trim),
        };
        if gone > 0 {
            self.find_first();
        }
        gone
    }

    /// Trims without a look at single entries, but for the last block.
    fn trim_unseen(&mut self, trim: Trim) -> usize {
        let mut gone = 0;
        while let Some(block) = self.blocks.front() {
            let live = block.live();
            if self.is_trimmed(trim.keep) || trim.stops_before(gone, live) {
                break;
            }
            if !self.takes_all_of_front(trim.keep) {
                gone += if trim.approximate { 0 } else { self.trim_front_block(trim.keep) };
                break;
            }
            self.length -= live;
            gone += live;
            self.blocks.pop_front();
        }
        gone
    }

    fn is_trimmed(&self, keep: Keep) -> bool {
        matches!(keep, Keep::Newest(most) if self.length as u64 <= most)
    }

    fn takes_all_of_front(&self, keep: Keep) -> bool {
        let Some(block) = self.blocks.front() else { return false };
        match keep {
            Keep::Newest(most) => (self.length - block.live()) as u64 >= most,
            Keep::From(id) => block.last() < id,
        }
    }

    fn trim_front_block(&mut self, keep: Keep) -> usize {
        let mut surplus = match keep {
            Keep::Newest(most) => self.length as u64 - most,
            Keep::From(_) => u64::MAX,
        };
        let Some(block) = self.blocks.front_mut() else { return 0 };
        let gone = block.delete_each(|id| {
            let low = match keep {
                Keep::Newest(_) => surplus > 0,
                Keep::From(least) => id < least,
            };
            surplus = surplus.saturating_sub(1);
            if low { Take::Delete } else { Take::Stop }
        });
        self.length -= gone;
        gone
    }

    /// Trims entry by entry: references to each must go, or keep it.
    fn trim_seen(&mut self, trim: Trim) -> usize {
        let mut gone = 0;
        let mut at = 0;
        while at < self.blocks.len() {
            let live = self.blocks[at].live();
            if self.is_trimmed(trim.keep) || trim.stops_before(gone, live) || self.is_above(at, trim) {
                break;
            }
            gone += self.trim_block_seen(at, trim);
            if self.blocks[at].live() == 0 {
                self.blocks.remove(at);
            } else {
                at += 1;
            }
        }
        gone
    }

    /// Whether the block at `at` has nothing to trim, or not all of it is while only whole blocks go.
    fn is_above(&self, at: usize, trim: Trim) -> bool {
        let block = &self.blocks[at];
        match trim.keep {
            Keep::From(id) if trim.approximate => block.last() >= id,
            Keep::From(id) => block.entries().next().is_some_and(|entry| entry.id >= id),
            Keep::Newest(most) => trim.approximate && ((self.length - block.live()) as u64) < most,
        }
    }

    fn trim_block_seen(&mut self, at: usize, trim: Trim) -> usize {
        let mut surplus = match trim.keep {
            Keep::Newest(most) => self.length as u64 - most,
            Keep::From(_) => u64::MAX,
        };
        let groups = &mut self.groups;
        let gone = self.blocks[at].delete_each(|id| {
            if surplus == 0 || matches!(trim.keep, Keep::From(least) if id >= least) {
                return Take::Stop;
            }
            match trim.references {
                References::Acknowledged if !is_done_with(groups.values(), id) => return Take::Keep,
                References::Delete => groups.values_mut().for_each(|group| {
                    group.acknowledge(id);
                }),
                _ => {}
            }
            surplus -= 1;
            Take::Delete
        });
        self.length -= gone;
        gone
    }
}

impl Trim {
    /// Whether `more` entries on top of those that went are beyond the limit.
    fn stops_before(&self, gone: usize, more: usize) -> bool {
        self.limit > 0 && (gone + more) as u64 > self.limit
    }
}

/// Whether every group has read and acknowledged the entry.
fn is_done_with<'a>(mut groups: impl Iterator<Item = &'a Group>, id: Id) -> bool {
    groups.all(|group| group.is_done_with(id))
}
