//! Walking over slots by rank, from either end.

use std::ops::Range;
use std::{iter, slice};

use super::Tree;
use crate::value::zset::entry::Entry;

type Slots<'a> = iter::Zip<slice::Iter<'a, f64>, slice::Iter<'a, Entry>>;

/// The slots of a range of ranks.
#[derive(Clone, Debug)]
pub struct Walk<'a> {
    tree: &'a Tree,
    ranks: Range<usize>,
    ahead: Slots<'a>,
    behind: Slots<'a>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(tree: &'a Tree, ranks: Range<usize>) -> Walk<'a> {
        let none: Slots<'a> = iter::zip([].iter(), [].iter());
        Walk { tree, ranks, ahead: none.clone(), behind: none }
    }

    /// Takes up the leaf in which the first rank is, and asks for the members that will be read from it.
    fn load_ahead(&mut self) {
        let (leaf, at) = self.tree.leaf_of(self.ranks.start);
        let end = leaf.len().min(at + self.ranks.len());
        let entries = &leaf.entries()[at..end];
        entries.iter().for_each(|entry| entry.prefetch());
        self.ahead = iter::zip(&leaf.scores()[at..end], entries);
    }

    fn load_behind(&mut self) {
        let (leaf, at) = self.tree.leaf_of(self.ranks.end - 1);
        let start = (at + 1).saturating_sub(self.ranks.len());
        let entries = &leaf.entries()[start..=at];
        entries.iter().rev().for_each(|entry| entry.prefetch());
        self.behind = iter::zip(&leaf.scores()[start..=at], entries);
    }
}

impl Iterator for Walk<'_> {
    type Item = (f64, Entry);

    #[inline]
    fn next(&mut self) -> Option<(f64, Entry)> {
        if self.ranks.is_empty() {
            return None;
        }
        if self.ahead.len() == 0 {
            self.load_ahead();
        }
        self.ranks.start += 1;
        self.ahead.next().map(|(score, entry)| (*score, *entry))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.ranks.len(), Some(self.ranks.len()))
    }
}

impl DoubleEndedIterator for Walk<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<(f64, Entry)> {
        if self.ranks.is_empty() {
            return None;
        }
        if self.behind.len() == 0 {
            self.load_behind();
        }
        self.ranks.end -= 1;
        self.behind.next_back().map(|(score, entry)| (*score, *entry))
    }
}

impl ExactSizeIterator for Walk<'_> {}
