//! Keys that were saved and come back.

use super::space::{Key, Space};
use super::table::Insert;
use crate::value::word::{NO_EXPIRY, OwnedWord};

impl Space<'_> {
    /// Adds an absent key with this access clock, for who fills the keyspace before anybody may use it: nothing is
    /// counted as a change. The word comes back if the key is there.
    pub fn fill(&self, key: &Key<'_>, new: OwnedWord, clock: u32) -> Result<(), OwnedWord> {
        let word = new.into_word();
        match self.table.insert(key.hash, key.bytes, word, clock, self.guard) {
            Insert::Inserted(_) => {
                self.table.count(self.lane, 1);
                // SAFETY: another thread may have ended it already, but the guard keeps it readable.
                self.count_deadlines(NO_EXPIRY, unsafe { word.expire_at() });
                Ok(())
            }
            // SAFETY: the table did not take the word.
            Insert::Exists(_) => Err(unsafe { OwnedWord::from_word(word) }),
        }
    }
}
