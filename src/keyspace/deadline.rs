//! Deadlines of keys: how they move and pass, and that they are counted.

use super::Db;
use super::entry::{Entry, Swap};
use super::observe::Trace;
use super::space::{Access, Change, Key, Live, Space, is_past};
use crate::value::word::{ExpireAt, NO_EXPIRY, OwnedWord, View, Word};

impl Space<'_> {
    /// Gives the key another deadline (or none) if `decide` says so after seeing the present one; its answer, or none
    /// if the key is absent.
    pub fn set_expiry<R>(
        &self,
        key: Key<'_>,
        mut decide: impl FnMut(ExpireAt) -> (Option<ExpireAt>, R),
    ) -> Option<R> {
        self.update(key, |live| {
            let Some(live) = live else { return Change::Keep(None) };
            let (deadline, answer) = decide(live.expire_at);
            match deadline {
                None => Change::Keep(Some(answer)),
                Some(deadline) => self.with_deadline(live, deadline, Some(answer)),
            }
        })
    }

    /// The change that gives a key, inside of an update, another deadline and leaves its value as it is.
    pub fn with_deadline<R>(&self, live: &Live<'_>, deadline: ExpireAt, answer: R) -> Change<R> {
        match live.view() {
            View::Node(node) => {
                let held = live.held().expect("updates of nodes hold the latch");
                node.set_expire_at(deadline, held);
                self.count_deadlines(live.expire_at, deadline);
                Change::Edited(answer)
            }
            View::Int(int) => Change::Put(OwnedWord::from_int(int, deadline), answer),
            View::Short(text) => Change::Put(OwnedWord::from_bytes(text.as_slice(), deadline), answer),
            View::Raw(text) => Change::Put(OwnedWord::from_bytes(text, deadline), answer),
            View::Packed(packed) => {
                let word = OwnedWord::from_packed(packed.kind, packed.form, packed.bytes, deadline);
                Change::Put(word, answer)
            }
        }
    }

    /// Accounts for a deadline that took another's place; [`NO_EXPIRY`] stands for none.
    pub(super) fn count_deadlines(&self, before: ExpireAt, after: ExpireAt) {
        let db: &Db = self.keyspace.db(self.db);
        if before != NO_EXPIRY {
            self.keyspace.wheel.count(self.lane, before, -1);
            db.count_volatile(self.lane, -1);
        }
        if after != NO_EXPIRY {
            self.keyspace.wheel.count(self.lane, after, 1);
            db.count_volatile(self.lane, 1);
        }
    }

    /// Ends a key whose deadline is past; false if it has changed meanwhile, so that it must be looked at again.
    ///
    /// While a pause or a section holds expiry back it stays, and counts as gone: nothing changes it in a pause, and who
    /// reads beside a section finds that out and reads again.
    #[cold]
    pub(super) fn expire(&self, key: Key<'_>, entry: &Entry) -> bool {
        if self.keyspace.holds_expiry(self.now) {
            return true;
        }
        if self.access == Access::Writing {
            return self.expire_exactly(key.hash, entry);
        }
        let Ok(announced) = self.keyspace.gate.announce(self.lane, key.stripe()) else { return true };
        let trace = Trace::new(announced.observers());
        self.other(self.db).traced(Some(&trace)).expire_exactly(key.hash, entry)
    }

    /// Swaps an expired word to dead; a node under its latch, where its deadline is looked at again.
    pub(super) fn expire_exactly(&self, hash: u64, entry: &Entry) -> bool {
        let word = entry.load();
        // SAFETY: loaded under the guard.
        if word.is_dead() || !is_past(unsafe { word.expire_at() }, self.now) {
            return false;
        }
        if !word.is_node() {
            return self.end(hash, entry, word, true);
        }
        // SAFETY: loaded under the guard, and a node.
        let node = unsafe { word.node() };
        let held = node.latch().write();
        let ended = is_past(node.expire_at(), self.now) && entry.swap(word, Word::DEAD) == Swap::Done;
        drop(held);
        if ended {
            self.ended(hash, entry, word, true);
        }
        ended
    }
}
