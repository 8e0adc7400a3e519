//! The way of a dense sketch back to a string.

use super::entry::{Entry, Swap};
use super::space::Space;
use crate::value::hyperloglog::Dense;
use crate::value::node::Node;
use crate::value::word::{OwnedWord, Word};

impl Space<'_> {
    /// Turns a dense sketch into the plain string that it stands for, before somebody reads and replaces it.
    ///
    /// The sketch is sealed first: a writer that raised a register and then sees the seal repeats itself on the
    /// string, so nothing that it was told is lost; what it raised before the seal is in the string already.
    pub(super) fn thaw(&self, entry: &Entry, word: Word, node: &Node, dense: &Dense) {
        // Whoever sealed it first, the registers are final from here on.
        let _either_way = dense.seal();
        let text = dense.to_redis_bytes();
        let held = node.latch().write();
        let new = OwnedWord::from_bytes(&text, node.expire_at());
        let done = entry.swap(word, new.word()) == Swap::Done;
        drop(held);
        // It is the same value in another form, so nobody hears of it.
        if done {
            self.swapped(word, new.into_word());
        }
    }
}
