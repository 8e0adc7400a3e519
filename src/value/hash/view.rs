//! What readers see of a hash. A field whose deadline is over is not there for them, whether or not its memory is back.

use std::collections::HashSet;

use super::field::{Field, FieldView};
use super::packed::{PackedRef, Pairs};
use super::table::Table;
use super::{Pair, is_over};
use crate::value::dict;
use crate::value::packed::Item;

/// Fields drawn in vain, because they have expired, before all are looked at.
const DRAWS: usize = 100;

/// A hash to be read.
#[derive(Clone, Copy, Debug)]
pub struct HashRef<'a>(pub(super) Form<'a>);

/// What is behind it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form<'a> {
    Packed(PackedRef<'a>),
    Table(&'a Table),
}

impl<'a> From<FieldView<'a>> for Pair<'a> {
    #[inline]
    fn from(field: FieldView<'a>) -> Pair<'a> {
        Pair { name: Item::Text(field.name), value: Item::Text(field.value), deadline: field.deadline }
    }
}

/// The fields that are there at a time.
pub struct Iter<'a> {
    source: Source<'a>,
    now: u64,
}

enum Source<'a> {
    Packed(Pairs<'a>),
    Table(dict::Iter<'a, Field>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = Pair<'a>;

    #[inline]
    fn next(&mut self) -> Option<Pair<'a>> {
        loop {
            let pair = match &mut self.source {
                Source::Packed(pairs) => pairs.next()?,
                Source::Table(fields) => fields.next()?.into(),
            };
            if !is_over(pair.deadline, self.now) {
                return Some(pair);
            }
        }
    }
}

impl<'a> HashRef<'a> {
    /// The field called `name`, if it is there at `now` (Unix time in milliseconds, as everywhere here).
    #[inline]
    pub fn get(self, name: &[u8], now: u64) -> Option<Pair<'a>> {
        let pair = match self.0 {
            Form::Packed(packed) => packed.get(name)?,
            Form::Table(table) => table.dict().get(name)?.into(),
        };
        (!is_over(pair.deadline, now)).then_some(pair)
    }

    /// How many fields there are. A large hash counts those too that have expired and not yet been taken out.
    pub fn len(self, now: u64) -> usize {
        match self.0 {
            Form::Packed(_) => self.iter(now).count(),
            Form::Table(table) => table.dict().len(),
        }
    }

    /// How many fields there are exactly, at the cost of a walk if some may have expired.
    pub fn exact_len(self, now: u64) -> usize {
        match self.0 {
            Form::Table(table) if !table.next_deadline().is_some_and(|next| is_over(next, now)) => {
                table.dict().len()
            }
            _ => self.iter(now).count(),
        }
    }

    /// The fields, in the order in which they were added to a small hash, in none of a large one.
    pub fn iter(self, now: u64) -> Iter<'a> {
        let source = match self.0 {
            Form::Packed(packed) => Source::Packed(packed.pairs()),
            Form::Table(table) => Source::Table(table.dict().iter()),
        };
        Iter { source, now }
    }

    /// Visits about `count` fields from `cursor` on, all of a small hash; where to go on, or 0 at the end.
    pub fn scan(self, cursor: u64, count: usize, now: u64, mut visit: impl FnMut(Pair<'a>)) -> u64 {
        match self.0 {
            Form::Packed(_) => {
                self.iter(now).for_each(visit);
                0
            }
            Form::Table(table) => table.dict().scan(cursor, count, |field| {
                if !is_over(field.deadline, now) {
                    visit(field.into());
                }
            }),
        }
    }

    /// A field, each as likely as any other; none if all have expired.
    pub fn random(self, now: u64, random: &mut impl FnMut() -> u64) -> Option<Pair<'a>> {
        if let Form::Table(table) = self.0 {
            for _ in 0..DRAWS {
                let field = table.dict().random(random)?;
                if !is_over(field.deadline, now) {
                    return Some(field.into());
                }
            }
        }
        // The n-th field takes the place of the one chosen so far with probability 1/n.
        let counted = (1u64..).zip(self.iter(now));
        counted.filter(|(n, _)| random().is_multiple_of(*n)).last().map(|(_, pair)| pair)
    }

    /// `count` fields, each drawn as [`HashRef::random`] does; none if there is none.
    pub fn draw(self, count: usize, now: u64, random: &mut impl FnMut() -> u64) -> Vec<Pair<'a>> {
        if let Form::Table(table) = self.0
            && !table.next_deadline().is_some_and(|next| is_over(next, now))
        {
            return (0..count).map_while(|_| self.random(now, random)).collect();
        }
        let all: Vec<Pair<'a>> = self.iter(now).collect();
        if all.is_empty() {
            all
        } else {
            (0..count).map(|_| all[(random() % all.len() as u64) as usize]).collect()
        }
    }

    /// `count` different fields, or all if there are fewer: every choice is as likely as any other.
    pub fn sample(self, count: usize, now: u64, random: &mut impl FnMut() -> u64) -> Vec<Pair<'a>> {
        match self.0 {
            // Drawing until there are enough different ones is cheap while they are few of all.
            Form::Table(table) if table.timed() == 0 && count < table.dict().len() / 3 => {
                draw_different(table, count, random)
            }
            _ => self.select(count, now, random),
        }
    }

    /// Walks over all fields and takes each with the probability that makes `count` of them (Knuth, The Art of
    /// Computer Programming, volume 2, algorithm 3.4.2 S).
    fn select(self, count: usize, now: u64, random: &mut impl FnMut() -> u64) -> Vec<Pair<'a>> {
        let mut left = self.exact_len(now);
        let mut chosen = Vec::with_capacity(count.min(left));
        for pair in self.iter(now) {
            let wanted = (count - chosen.len()) as u64;
            if random() % (left.max(1) as u64) < wanted {
                chosen.push(pair);
            }
            left = left.saturating_sub(1);
        }
        chosen
    }
}

fn draw_different<'a>(table: &'a Table, count: usize, random: &mut impl FnMut() -> u64) -> Vec<Pair<'a>> {
    let mut seen = HashSet::with_capacity(count);
    let mut chosen = Vec::with_capacity(count);
    while chosen.len() < count {
        let Some(field) = table.dict().random(random) else { break };
        if seen.insert(field.name.as_ptr()) {
            chosen.push(field.into());
        }
    }
    chosen
}
