//! Members chosen at random, each as likely as any other.

use std::collections::HashSet;

use super::ints::IntsRef;
use super::member::Member;
use super::{Limits, Set, SetRef};
use crate::value::collection::Collection;
use crate::value::dict::Dict;
use crate::value::packed::{self, Item};

/// A table gives up members one by one, rather than all but a few, up to this ratio of taken to left.
const MOVE_THE_REST: usize = 5;
/// A sample of at least one in so many members is drawn in one pass over them.
const PASS: usize = 3;

/// A member that was taken out of a set.
#[derive(Debug)]
pub enum Taken {
    /// An integer.
    Int(i64),
    /// Any other text.
    Member(Member),
}

impl Taken {
    fn of(item: Item<'_>) -> Taken {
        match item {
            Item::Int(int) => Taken::Int(int),
            Item::Text(text) => Taken::Member(Member::new(text)),
        }
    }

    /// The member.
    pub fn item(&self) -> Item<'_> {
        match self {
            Taken::Int(int) => Item::Int(*int),
            Taken::Member(member) => Item::Text(member.text()),
        }
    }
}

/// Members that were taken out of a set together.
#[derive(Debug)]
pub enum Popped {
    /// Some of many.
    Some(Vec<Taken>),
    /// All that were in it but a few: what the set was before.
    Most(Set),
}

/// A number below `limit`, of 64 random bits.
fn below(random: u64, limit: usize) -> usize {
    ((u128::from(random) * limit as u128) >> 64) as usize
}

impl Set {
    /// Takes out one member; none if there is none. `random` gives evenly distributed numbers.
    pub fn take(&mut self, random: &mut impl FnMut() -> u64) -> Option<Taken> {
        if self.view().is_empty() {
            return None;
        }
        match self {
            Set::Table(table) => table.take_random(random).map(Taken::Member),
            Set::Ints(ints) => {
                let index = below(random(), ints.view().len());
                Some(Taken::Int(ints.remove_at(index)))
            }
            Set::Packed(run) => {
                let index = below(random(), packed::count(run));
                let mut items = packed::items(run);
                let range = (0..=index).filter_map(|_| items.next_range()).last()?;
                let taken = Taken::of(packed::item(&run[range.clone()]));
                run.drain(range);
                Some(taken)
            }
        }
    }

    /// Takes out `count` members, or all if there are not more.
    pub fn take_many(&mut self, count: usize, limits: &Limits, random: &mut impl FnMut() -> u64) -> Popped {
        let left = self.view().len().saturating_sub(count);
        if left > 0 && left.saturating_mul(MOVE_THE_REST) > count {
            return Popped::Some((0..count).filter_map(|_| self.take(random)).collect());
        }
        let mut rest = if matches!(self, Set::Ints(_)) { Set::new_ints() } else { Set::new_packed() };
        for taken in (0..left).filter_map(|_| self.take(random)) {
            rest.insert(taken.item(), limits);
        }
        Popped::Most(std::mem::replace(self, rest))
    }
}

impl<'a> SetRef<'a> {
    /// Visits `count` members, any of them any number of times.
    pub fn draw(self, count: usize, random: &mut impl FnMut() -> u64, mut visit: impl FnMut(Item<'a>)) {
        match self {
            _ if self.is_empty() => {}
            SetRef::Ints(ints) => (0..count).for_each(|_| visit(random_int(ints, random))),
            SetRef::Packed(run) if count == 1 => {
                SetRef::nth_packed(run, below(random(), packed::count(run))).into_iter().for_each(visit);
            }
            SetRef::Packed(run) => {
                let all: Vec<Item<'a>> = packed::items(run).collect();
                (0..count).for_each(|_| visit(all[below(random(), all.len())]));
            }
            SetRef::Table(table) => {
                (0..count).filter_map(|_| table.random(random)).for_each(|text| visit(Item::Text(text)));
            }
        }
    }

    /// Visits `count` different members, or all if there are not more.
    pub fn sample(self, count: usize, random: &mut impl FnMut() -> u64, mut visit: impl FnMut(Item<'a>)) {
        match self {
            SetRef::Table(table) if count.saturating_mul(PASS) < table.len() => {
                sample_few(table, count, random, visit);
            }
            _ => {
                let (mut wanted, mut left) = (count, self.len());
                for member in self.iter() {
                    // Each member is chosen with the chance that keeps the odds of the others even.
                    if below(random(), left) < wanted {
                        visit(member);
                        wanted -= 1;
                    }
                    left -= 1;
                }
            }
        }
    }
}

fn random_int<'a>(ints: IntsRef<'_>, random: &mut impl FnMut() -> u64) -> Item<'a> {
    Item::Int(ints.get(below(random(), ints.len())))
}

/// Visits `count` different members of a table that has many more.
fn sample_few<'a>(
    table: &'a Dict<Member>,
    count: usize,
    random: &mut impl FnMut() -> u64,
    mut visit: impl FnMut(Item<'a>),
) {
    // A member is known by its address, as the table does not change meanwhile.
    let mut seen = HashSet::with_capacity(count);
    while seen.len() < count {
        let Some(text) = table.random(random) else { return };
        if seen.insert(text.as_ptr()) {
            visit(Item::Text(text));
        }
    }
}
