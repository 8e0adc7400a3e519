//! A place in a table that was looked up for a change.

use std::mem::ManuallyDrop;

use super::bucket::{Place, Word};
use super::{Dict, Entry};

/// Where a key is, or would be.
pub enum Slot<'a, E: Entry> {
    /// The key has an entry.
    Occupied(Occupied<'a, E>),
    /// It has none.
    Vacant(Vacant<'a, E>),
}

/// A key's entry.
pub struct Occupied<'a, E: Entry> {
    dict: &'a mut Dict<E>,
    hash: u64,
    place: Place,
}

impl<'a, E: Entry> Occupied<'a, E> {
    #[inline]
    pub(super) fn new(dict: &'a mut Dict<E>, hash: u64, place: Place) -> Self {
        Occupied { dict, hash, place }
    }

    /// What readers see of it.
    #[inline]
    pub fn view(&self) -> E::View<'_> {
        // SAFETY: rules 1 and 3 of the table, which is borrowed.
        unsafe { E::view(self.place.word().pointer()) }
    }

    /// Lets `edit` change the entry, or put another one with the same key in its place.
    #[inline]
    pub fn modify<R>(self, edit: impl FnOnce(&mut E) -> R) -> R {
        let word = self.place.word();
        // SAFETY: rule 1 of the table; the guard below gives the entry back however `edit` ends.
        let entry = ManuallyDrop::new(unsafe { E::from_raw(word.pointer()) });
        let mut back = GiveBack { entry, word, place: self.place };
        edit(&mut back.entry)
    }

    /// Puts another entry with the same key in its place.
    pub fn replace(self, entry: E) -> E {
        self.modify(|old| std::mem::replace(old, entry))
    }

    /// Takes the entry out.
    pub fn remove(self) -> E {
        let word = self.dict.unlink(self.hash, self.place);
        // SAFETY: rule 1 of the table, which the word is no longer in.
        unsafe { E::from_raw(word.pointer()) }
    }
}

/// Writes the entry's address back to its place.
struct GiveBack<E: Entry> {
    entry: ManuallyDrop<E>,
    word: Word,
    place: Place,
}

impl<E: Entry> Drop for GiveBack<E> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the entry is taken once, here.
        let raw = unsafe { ManuallyDrop::take(&mut self.entry) }.into_raw();
        self.place.replace(self.word.with_pointer(raw));
    }
}

/// The lack of an entry.
pub struct Vacant<'a, E: Entry> {
    dict: &'a mut Dict<E>,
    hash: u64,
}

impl<'a, E: Entry> Vacant<'a, E> {
    #[inline]
    pub(super) fn new(dict: &'a mut Dict<E>, hash: u64) -> Self {
        Vacant { dict, hash }
    }

    /// Puts an entry in, whose key is the one that was looked up.
    #[inline]
    pub fn insert(self, entry: E) {
        let raw = entry.into_raw();
        // SAFETY: the entry was just given up.
        debug_assert_eq!(super::hash_of(unsafe { E::key(raw) }), self.hash);
        self.dict.add(self.hash, raw);
    }
}
