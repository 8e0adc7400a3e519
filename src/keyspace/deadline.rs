//! Deadlines of keys: how they move, and that they are counted.

use super::Db;
use super::space::{Change, Key, Live, Space};
use crate::value::word::{ExpireAt, NO_EXPIRY, OwnedWord, View};

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
}
