//! A small hash: one packed run of name and value, or of name, value and deadline, field after field.

use std::ops::Range;

use super::Pair;
use crate::value::packed::{Item, Items, item, items};
use crate::value::word::{ExpireAt, NO_EXPIRY};

/// The packed form without deadlines.
pub(super) const PLAIN: u8 = 0;
/// The packed form in which a deadline, an integer, follows every value; zero is [`NO_EXPIRY`].
pub(super) const TIMED: u8 = 1;

/// A run and its form, borrowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct PackedRef<'a> {
    pub run: &'a [u8],
    pub timed: bool,
}

/// A run and its form.
#[derive(Clone, Debug, Default)]
pub(super) struct Packed {
    pub run: Vec<u8>,
    pub timed: bool,
}

/// Where a field is in its run.
pub(super) struct Found {
    /// All of it.
    pub whole: Range<usize>,
    /// What is behind its name.
    pub rest: Range<usize>,
    pub deadline: ExpireAt,
}

/// The fields of a run, expired ones too.
#[derive(Clone)]
pub(super) struct Pairs<'a> {
    items: Items<'a>,
    timed: bool,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    #[inline]
    fn next(&mut self) -> Option<Pair<'a>> {
        let (name, value) = (self.items.next()?, self.items.next()?);
        let deadline = if self.timed { deadline_of(self.items.next()?) } else { NO_EXPIRY };
        Some(Pair { name, value, deadline })
    }
}

fn deadline_of(item: Item<'_>) -> ExpireAt {
    match item {
        Item::Int(deadline) => deadline as ExpireAt,
        Item::Text(_) => NO_EXPIRY,
    }
}

fn deadline_item(deadline: ExpireAt) -> Item<'static> {
    Item::Int(deadline as i64)
}

impl<'a> PackedRef<'a> {
    pub fn pairs(self) -> Pairs<'a> {
        Pairs { items: items(self.run), timed: self.timed }
    }

    /// Where the field is; otherwise how many fields there are.
    pub fn find(self, name: &[u8]) -> Result<Found, usize> {
        let wanted = Item::of(name);
        let mut items = items(self.run);
        let mut count = 0;
        while let Some(range) = items.next_range() {
            if item(&self.run[range.clone()]) == wanted {
                return Ok(self.found(range, items));
            }
            items.next_range();
            if self.timed {
                items.next_range();
            }
            count += 1;
        }
        Err(count)
    }

    fn found(self, name: Range<usize>, mut rest: Items<'_>) -> Found {
        rest.next_range();
        let deadline = if self.timed { rest.next().map_or(NO_EXPIRY, deadline_of) } else { NO_EXPIRY };
        let end = rest.position();
        Found { whole: name.start..end, rest: name.end..end, deadline }
    }

    /// The field called `name`.
    pub fn get(self, name: &[u8]) -> Option<Pair<'a>> {
        let found = self.find(name).ok()?;
        Pairs { items: Items::from(self.run, found.whole.start), timed: self.timed }.next()
    }
}

impl Packed {
    pub fn borrow(&self) -> PackedRef<'_> {
        PackedRef { run: &self.run, timed: self.timed }
    }

    /// Puts a value and a deadline behind the name at `found`.
    pub fn replace(&mut self, found: &Found, value: &[u8], deadline: ExpireAt) {
        // What is new is written behind the end and moved from there, which takes no buffer of its own.
        let (start, end, old) = (found.rest.start, self.run.len(), found.rest.len());
        Item::of(value).push(&mut self.run);
        if self.timed {
            deadline_item(deadline).push(&mut self.run);
        }
        let new = self.run.len() - end;
        if new == old {
            self.run.copy_within(end.., start);
            self.run.truncate(end);
        } else {
            self.run[start..].rotate_right(new);
            self.run.drain(start + new..start + new + old);
        }
    }

    /// Appends a field that is not there.
    pub fn push(&mut self, pair: Pair<'_>) {
        pair.name.push(&mut self.run);
        pair.value.push(&mut self.run);
        if self.timed {
            deadline_item(pair.deadline).push(&mut self.run);
        }
    }

    pub fn remove(&mut self, found: &Found) {
        self.run.drain(found.whole.clone());
    }

    /// Makes room for deadlines, if there is none.
    pub fn make_timed(&mut self) {
        if !self.timed {
            let plain = std::mem::replace(self, Packed { run: Vec::new(), timed: true });
            plain.borrow().pairs().for_each(|pair| self.push(pair));
        }
    }

    /// Takes out up to `max` fields that `is_over`; how many.
    pub fn expire(&mut self, max: usize, is_over: impl Fn(ExpireAt) -> bool) -> usize {
        if !self.timed || !self.borrow().pairs().any(|pair| is_over(pair.deadline)) {
            return 0;
        }
        let all = std::mem::replace(self, Packed { run: Vec::new(), timed: true });
        let mut expired = 0;
        for pair in all.borrow().pairs() {
            if expired < max && is_over(pair.deadline) {
                expired += 1;
            } else {
                self.push(pair);
            }
        }
        expired
    }

    /// The smallest deadline.
    pub fn next_deadline(&self) -> Option<ExpireAt> {
        if !self.timed {
            return None;
        }
        self.borrow().pairs().map(|pair| pair.deadline).filter(|&deadline| deadline != NO_EXPIRY).min()
    }
}
