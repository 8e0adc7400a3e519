//! A large hash: a table of fields, and a queue of those that have a deadline.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::field::{Field, FieldView};
use crate::value::dict::{Dict, Slot};
use crate::value::word::{ExpireAt, NO_EXPIRY};

/// Stale places in a queue that are not worth looking for.
const SLACK: usize = 64;
/// Fields whose size is looked at to estimate that of all.
const SAMPLE: usize = 16;

/// The fields of a large hash.
#[derive(Clone, Debug, Default)]
pub struct Table {
    dict: Dict<Field>,
    /// None until a field has a deadline.
    queue: Option<Box<Queue>>,
}

/// Which fields end when.
///
/// A field is named by its hash, in sixteen bytes per deadline. Places are not taken out when a field loses its
/// deadline: a place counts only if there is a field with its hash and its deadline.
#[derive(Clone, Debug, Default)]
struct Queue {
    places: BinaryHeap<Reverse<(ExpireAt, u64)>>,
    /// How many fields have a deadline.
    timed: usize,
}

impl Table {
    pub(super) fn dict(&self) -> &Dict<Field> {
        &self.dict
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let sample = self.dict.iter().take(SAMPLE).map(Field::heap_bytes);
        let (count, bytes) = sample.fold((0, 0), |(count, bytes), size| (count + 1, bytes + size));
        let fields = (bytes * self.dict.len()).checked_div(count).unwrap_or(0);
        let queue = self.queue.as_ref().map_or(0, |queue| size_of::<Queue>() + 16 * queue.places.capacity());
        size_of::<Table>() + self.dict.heap_bytes() + fields + queue
    }

    /// How many fields have a deadline.
    pub(super) fn timed(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.timed)
    }

    /// A time before which no field ends: the smallest deadline, or that of a field that has lost it.
    pub(super) fn next_deadline(&self) -> Option<ExpireAt> {
        let queue = self.queue.as_ref().filter(|queue| queue.timed > 0)?;
        queue.places.peek().map(|&Reverse((deadline, _))| deadline)
    }

    /// Sets a value with the deadline that `choose` makes of the present one, none if there is no such field; whether
    /// it is new, as `is_over` sees it.
    #[inline]
    pub(super) fn set(
        &mut self,
        name: &[u8],
        value: &[u8],
        choose: impl FnOnce(Option<ExpireAt>) -> (ExpireAt, bool),
    ) -> bool {
        let (before, after, new) = match self.dict.slot(name) {
            Slot::Occupied(found) => {
                let before = found.view().deadline;
                let (after, new) = choose(Some(before));
                found.modify(|field| field.set(value, after));
                (before, after, new)
            }
            Slot::Vacant(vacant) => {
                let (after, new) = choose(None);
                vacant.insert(Field::new(name, value, after));
                (NO_EXPIRY, after, new)
            }
        };
        if before != after {
            self.moved(name, before, after);
        }
        new
    }

    /// Gives a field that is there a deadline.
    pub(super) fn set_deadline(&mut self, name: &[u8], deadline: ExpireAt) {
        if let Slot::Occupied(found) = self.dict.slot(name) {
            let before = found.view().deadline;
            found.modify(|field| field.set_deadline(deadline));
            if before != deadline {
                self.moved(name, before, deadline);
            }
        }
    }

    /// Takes a field out; its deadline.
    pub(super) fn remove(&mut self, name: &[u8]) -> Option<ExpireAt> {
        let removed = self.dict.remove(name)?;
        let deadline = removed.view().deadline;
        if deadline != NO_EXPIRY {
            self.moved(name, deadline, NO_EXPIRY);
        }
        Some(deadline)
    }

    /// Keeps the queue in step with a field whose deadline has changed.
    fn moved(&mut self, name: &[u8], before: ExpireAt, after: ExpireAt) {
        let queue = self.queue.get_or_insert_default();
        queue.timed -= usize::from(before != NO_EXPIRY);
        if after != NO_EXPIRY {
            queue.timed += 1;
            queue.places.push(Reverse((after, Dict::<Field>::hash(name))));
        }
        if queue.places.len() > 2 * queue.timed + SLACK {
            queue.places.retain(|&Reverse((deadline, hash))| {
                self.dict.has_hashed(hash, |field| field.deadline == deadline)
            });
        }
    }

    /// Takes out up to `max` fields that `is_over`; how many.
    pub(super) fn expire(&mut self, max: usize, is_over: impl Fn(ExpireAt) -> bool) -> usize {
        let Some(queue) = &mut self.queue else { return 0 };
        let mut expired = 0;
        while expired < max {
            match queue.places.peek() {
                Some(&Reverse((deadline, hash))) if is_over(deadline) => {
                    queue.places.pop();
                    if let Some(found) = self.dict.find_hashed(hash, |field| field.deadline == deadline) {
                        drop(found.remove());
                        queue.timed -= 1;
                        expired += 1;
                    }
                }
                _ => break,
            }
        }
        expired
    }

    /// Adds a field that is not there.
    pub(super) fn add(&mut self, view: FieldView<'_>) {
        self.dict.insert(Field::new(view.name, view.value, view.deadline));
        if view.deadline != NO_EXPIRY {
            self.moved(view.name, NO_EXPIRY, view.deadline);
        }
    }
}
