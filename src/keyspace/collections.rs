//! Collections as commands see them: whether one is a packed word or a node is decided here and nowhere else.
//!
//! A packed word changes by compare-and-swap, so an edit of it may be run again on a fresh copy. A node changes in place
//! under its latch, once: when somebody replaces or deletes the key blindly at that moment, the edit counts as just
//! before that.

use super::entry::{Entry, Swap};
use super::reclaim::retire_word;
use super::space::{Change, Key, Live, Space, is_past};
use crate::sync::epoch::Guard;
use crate::value::collection::{Collection, PACKED_WORD_MAX, Sought, word_of};
use crate::value::node::Node;
use crate::value::word::{ExpireAt, NO_EXPIRY, View, Word};

/// The key holds a value of another type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WrongType;

/// What an edit does about an absent key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Absent {
    /// Begins with an empty collection, which the key holds if it is not empty afterwards.
    Create,
    /// Nothing.
    Skip,
}

/// What became of a collection inside an edit.
#[must_use]
pub enum Edit<R> {
    /// It is as it was.
    Unchanged(R),
    /// It was changed.
    Changed(R),
}

/// What an edit has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Edited<R> {
    /// The closure's answer.
    pub answer: R,
    /// The collection was changed.
    pub changed: bool,
    /// The key is gone because its collection became empty.
    pub ended: bool,
}

impl<R> Edit<R> {
    fn answer(self) -> (R, bool) {
        match self {
            Edit::Unchanged(answer) => (answer, false),
            Edit::Changed(answer) => (answer, true),
        }
    }
}

impl Space<'_> {
    /// Reads a collection for a command: counts a hit or a miss and moves the access clock. The closure runs at most
    /// once; nothing if the key is absent.
    #[inline]
    pub fn read_as<C: Collection, R>(
        &self,
        key: Key<'_>,
        look: impl FnOnce(C::Ref<'_>) -> R,
    ) -> Result<Option<R>, WrongType> {
        match self.read(key) {
            Some(live) => look_at::<C, R>(&live, look),
            None => Ok(None),
        }
    }

    /// [`Space::read_as`] without a trace that somebody looked.
    pub fn peek_as<C: Collection, R>(
        &self,
        key: Key<'_>,
        look: impl FnOnce(C::Ref<'_>) -> R,
    ) -> Result<Option<R>, WrongType> {
        match self.peek(key) {
            Some(live) => look_at::<C, R>(&live, look),
            None => Ok(None),
        }
    }

    /// Changes a collection in one step. The closure may run again on a fresh copy, so it changes nothing but the
    /// collection; its last answer counts. Nothing if the key is absent and to be skipped. Does not count a lookup.
    #[inline]
    pub fn edit<C: Collection, R>(
        &self,
        key: Key<'_>,
        absent: Absent,
        mut change: impl FnMut(&mut C) -> Edit<R>,
    ) -> Result<Option<Edited<R>>, WrongType> {
        if let Some(edited) = self.edit_large(&key, &mut change) {
            return Ok(Some(edited));
        }
        self.update(key, |live| match live {
            Some(live) => edit_live(live, &mut change),
            None if absent == Absent::Skip => Change::Keep(Ok(None)),
            None => replace(C::new(), NO_EXPIRY, &mut change),
        })
    }

    /// [`Space::edit`] of a key that holds a large collection; none, and nothing is done, if it holds anything
    /// else, is past its deadline, or is just being replaced.
    #[inline]
    fn edit_large<C: Collection, R>(
        &self,
        key: &Key<'_>,
        change: &mut impl FnMut(&mut C) -> Edit<R>,
    ) -> Option<Edited<R>> {
        let entry = self.entry(key)?;
        let word = entry.load();
        if !word.is_large_collection() {
            return None;
        }
        // SAFETY: loaded under the guard, and a node.
        let node: &Node = unsafe { word.node() };
        let shared = node.as_collection(C::KIND)?;
        let held = node.latch().write();
        if entry.load() != word || is_past(node.expire_at(), self.now) {
            return None;
        }
        let edited = shared.write(&held, |any| {
            let collection = C::of_mut(any)?;
            let (answer, changed) = change(collection).answer();
            Some(Edited { answer, changed, ended: changed && collection.is_empty() })
        })?;
        // The swap happens under the latch. Where it is lost, somebody replaced or ended the key blindly since the
        // check above: the edit counts as before that, and there is nothing to account for.
        let swapped = edited.ended && entry.swap(word, Word::DEAD) == Swap::Done;
        drop(held);
        if swapped {
            self.ended(key.hash, entry, word, false);
        } else if edited.changed && !edited.ended {
            self.was_written(entry);
            self.changed(key.bytes);
        }
        Some(edited)
    }

    /// Puts a whole collection in the key's place, whatever it held, or ends the key if the collection is empty.
    /// Whether the key holds it now.
    pub fn store<C: Collection>(&self, key: Key<'_>, collection: C, expire_at: ExpireAt) -> bool {
        let stored = !collection.is_empty();
        if stored {
            self.set(key, word_of(collection, expire_at));
        } else {
            self.delete(key);
        }
        stored
    }

    /// Frees a collection that was taken out of its key: a large one in the background.
    pub fn discard<C: Collection>(&self, collection: C) {
        let word = word_of(collection, NO_EXPIRY).into_word();
        // SAFETY: the word was never published, so its only owner gives it up here.
        unsafe { retire_word(word, self.guard()) }
    }
}

/// Asks the processor for what lookups that are about to come will read in the large collection that an entry holds.
pub fn look_ahead(entry: &Entry, sought: &[Sought<'_>], _guard: &Guard) {
    let word = entry.load();
    if word.is_large_collection() {
        // SAFETY: loaded under the guard, and a node.
        unsafe { word.node::<'_>() }.look_ahead(sought);
    }
}

/// Looks at the collection of a live key; nothing if it was emptied a moment ago.
pub fn look_at<C: Collection, R>(
    live: &Live<'_>,
    look: impl FnOnce(C::Ref<'_>) -> R,
) -> Result<Option<R>, WrongType> {
    match live.view() {
        View::Packed(packed) if packed.kind == C::KIND => {
            Ok(Some(look(C::view_packed(packed.form, packed.bytes))))
        }
        View::Node(node) => {
            let shared = node.as_collection(C::KIND).ok_or(WrongType)?;
            shared.read(&node.latch().read(), |any| {
                let collection = C::of(any).ok_or(WrongType)?;
                Ok((!collection.is_empty()).then(|| look(collection.view())))
            })
        }
        _ => Err(WrongType),
    }
}

/// An edit's outcome, as the update behind it passes it on.
type Outcome<R> = Result<Option<Edited<R>>, WrongType>;

fn edit_live<C: Collection, R>(
    live: &Live<'_>,
    change: &mut impl FnMut(&mut C) -> Edit<R>,
) -> Change<Outcome<R>> {
    match live.view() {
        View::Packed(packed) if packed.kind == C::KIND => {
            let mut copy = Vec::with_capacity(PACKED_WORD_MAX.max(packed.bytes.len()));
            copy.extend_from_slice(packed.bytes);
            replace(C::from_packed(packed.form, copy), live.expire_at, change)
        }
        View::Node(node) => match (node.as_collection(C::KIND), live.held()) {
            (Some(shared), Some(held)) => shared.write(held, |any| match C::of_mut(any) {
                Some(collection) => edit_in_place(collection, change),
                None => Change::Keep(Err(WrongType)),
            }),
            _ => Change::Keep(Err(WrongType)),
        },
        _ => Change::Keep(Err(WrongType)),
    }
}

/// Edits a collection that nobody else sees and puts it in the key's place.
fn replace<C: Collection, R>(
    mut collection: C,
    expire_at: ExpireAt,
    change: &mut impl FnMut(&mut C) -> Edit<R>,
) -> Change<Outcome<R>> {
    let (answer, changed) = change(&mut collection).answer();
    let ended = changed && collection.is_empty();
    let outcome = Ok(Some(Edited { answer, changed, ended }));
    match (changed, ended) {
        (false, _) => Change::Keep(outcome),
        (true, true) => Change::Delete(outcome),
        (true, false) => Change::Put(word_of(collection, expire_at), outcome),
    }
}

fn edit_in_place<C: Collection, R>(
    collection: &mut C,
    change: &mut impl FnMut(&mut C) -> Edit<R>,
) -> Change<Outcome<R>> {
    let (answer, changed) = change(collection).answer();
    let ended = changed && collection.is_empty();
    let outcome = Ok(Some(Edited { answer, changed, ended }));
    match (changed, ended) {
        (false, _) => Change::Keep(outcome),
        (true, true) => Change::Delete(outcome),
        (true, false) => Change::Edited(outcome),
    }
}
