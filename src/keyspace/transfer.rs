//! A value that moves from one key to another as it is.

use super::entry::Swap;
use super::space::{Key, Space, is_past};
use crate::value::word::{NO_EXPIRY, OwnedWord, Word};

impl Space<'_> {
    /// Moves what `from` holds, deadline included, to the key `to` of `there`, whatever that held; whether `from` was
    /// there. Both keys' stripes are closed by the caller, so that nobody sees the moment in between.
    pub fn relocate(&self, from: Key<'_>, there: &Space<'_>, to: Key<'_>) -> bool {
        self.keep_old(&from);
        while let Some(entry) = self.entry(&from) {
            let word = entry.load();
            if word.is_dead() {
                self.table.unlink(from.hash, entry, self.guard);
                continue;
            }
            // SAFETY: loaded under the guard.
            let expire_at = unsafe { word.expire_at() };
            if is_past(expire_at, self.now) {
                if self.expire(from, entry) {
                    return false;
                }
                continue;
            }
            if entry.swap(word, Word::DEAD) == Swap::Done {
                self.table.count(self.lane, -1);
                self.count_deadlines(expire_at, NO_EXPIRY);
                self.changed(from.bytes);
                self.table.unlink(from.hash, entry, self.guard);
                // SAFETY: the swap made the word ours. Readers may still look at the value, as at any published one.
                there.set(to, unsafe { OwnedWord::from_word(word) });
                if !there.keyspace.due_fields.is_empty() {
                    there.note_fields(to);
                }
                return true;
            }
        }
        false
    }
}
