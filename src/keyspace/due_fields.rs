//! Which hashes have fields that fall due, and when: the way from a field's deadline to its memory.
//!
//! Readers pass expired fields by, and writes take out some along their way. What nobody touches is found here: every
//! hash with deadlines of fields is noted once, at a time before which none of its fields ends. A note can be stale, as
//! nobody takes it back when its key ends or moves: whoever comes to it looks at the key, and a few notes are looked at
//! ahead of their time, so that stale ones do not pile up. A hash that comes under another name is noted there; when
//! databases change places, so do their notes.
//!
//! A note is taken back only by who has announced its key: a section that exchanges databases meets all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use super::gate::Announced;
use super::observe::Trace;
use super::{Absent, Access, Edit, Key, Keyspace, Space};
use crate::sync::epoch::Guard;
use crate::sync::{AtomicU64, Mutex, Ordering};
use crate::value::collection::Collection;
use crate::value::hash::Hash;
use crate::value::word::ExpireAt;

/// Fields that one step takes out of a hash, under its latch.
const FIELDS_PER_STEP: usize = 64;
/// Notes that are looked at ahead of their time in one go.
const PROBES: usize = 8;
/// The time of the first note while there is none.
const NEVER: u64 = u64::MAX;

/// A database's number and a key.
type Name = (usize, Arc<[u8]>);

/// The notes.
pub struct DueFields {
    notes: Mutex<Notes>,
    /// The time of the first note, so that nobody takes the lock to learn that nothing is due.
    first: AtomicU64,
    expired: AtomicU64,
}

#[derive(Default)]
struct Notes {
    by_name: BTreeMap<Name, ExpireAt>,
    by_time: BTreeSet<(ExpireAt, Name)>,
    /// The last one that was probed.
    probed: Option<Name>,
}

impl Default for DueFields {
    fn default() -> Self {
        DueFields { notes: Mutex::default(), first: AtomicU64::new(NEVER), expired: AtomicU64::new(0) }
    }
}

impl DueFields {
    /// Notes that a field of the hash at `key` ends at `deadline`, but none before.
    pub fn note(&self, db: usize, key: &[u8], deadline: ExpireAt) {
        self.change(|notes| notes.insert((db, key.into()), deadline));
    }

    /// Counts fields that were taken out because they had expired.
    pub fn count_expired(&self, fields: usize) {
        self.expired.fetch_add(fields as u64, Ordering::Relaxed);
    }

    /// How many were, since the start.
    pub fn expired(&self) -> u64 {
        self.expired.load(Ordering::Relaxed)
    }

    fn change<R>(&self, change: impl FnOnce(&mut Notes) -> R) -> R {
        let mut notes = self.notes.lock().expect("no panic under this lock");
        let answer = change(&mut notes);
        let first = notes.by_time.first().map_or(NEVER, |(at, _)| *at);
        self.first.store(first, Ordering::Relaxed);
        answer
    }

    /// The first note, if its time is over at `now`.
    fn first_due(&self, now: u64) -> Option<Name> {
        if self.first.load(Ordering::Relaxed) >= now {
            return None;
        }
        let notes = self.notes.lock().expect("no panic under this lock");
        notes.by_time.first().filter(|(at, _)| *at < now).map(|(_, name)| name.clone())
    }

    /// Takes a note back, if it is there.
    fn forget(&self, name: &Name) {
        self.change(|notes| {
            if let Some(&at) = notes.by_name.get(name) {
                notes.remove(name, at);
            }
        });
    }

    /// Whether there are no notes at all.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.first.load(Ordering::Relaxed) == NEVER
    }

    /// Two databases have changed places.
    pub fn swap(&self, a: usize, b: usize) {
        if self.is_empty() {
            return;
        }
        self.change(|notes| {
            for ((db, key), at) in std::mem::take(notes).by_name {
                let db = if db == a {
                    b
                } else if db == b {
                    a
                } else {
                    db
                };
                notes.insert((db, key), at);
            }
        });
    }

    /// The next notes in turn, to be looked at ahead of their time.
    fn some(&self) -> Vec<Name> {
        if self.is_empty() {
            return Vec::new();
        }
        self.change(|notes| {
            let from = notes.probed.take().map_or(Bound::Unbounded, Bound::Excluded);
            let some = notes.by_name.range((from, Bound::Unbounded)).take(PROBES);
            let some: Vec<Name> = some.map(|(name, _)| name.clone()).collect();
            notes.probed = some.last().cloned();
            some
        })
    }
}

impl Notes {
    /// Notes the earlier of the deadline and the one that is noted.
    fn insert(&mut self, name: Name, deadline: ExpireAt) {
        match self.by_name.get(&name) {
            Some(&noted) if noted <= deadline => return,
            Some(&noted) => self.remove(&name, noted),
            None => {}
        }
        self.by_name.insert(name.clone(), deadline);
        self.by_time.insert((deadline, name));
    }

    fn remove(&mut self, name: &Name, at: ExpireAt) {
        self.by_name.remove(name);
        self.by_time.remove(&(at, name.clone()));
    }
}

impl Keyspace {
    /// Takes some expired fields out of one hash; whether there may be more to do at once.
    pub fn expire_fields(&self, lane: usize, guard: &Guard, now: u64) -> bool {
        let Some(name) = self.due_fields.first_due(now) else { return false };
        let (db, key) = (name.0, &name.1);
        // Otherwise a section works on the key: its time stands still.
        let Some((space, announced)) = self.space_of(db, key, lane, guard, now) else { return false };
        self.due_fields.forget(&name);
        let trace = Trace::new(announced.observers());
        let space = space.traced(Some(&trace));
        let edited = space.edit(space.key(key), Absent::Skip, |hash: &mut Hash| {
            let expired = hash.expire_fields(now, FIELDS_PER_STEP);
            let outcome = (expired, hash.next_deadline());
            if expired > 0 { Edit::Changed(outcome) } else { Edit::Unchanged(outcome) }
        });
        if let Ok(Some(edited)) = edited {
            let (expired, next) = edited.answer;
            self.due_fields.count_expired(expired);
            if let Some(next) = next {
                self.due_fields.note(db, key, next);
            }
            if expired > 0
                && let Some(tell) = self.on_fields_expired.get()
            {
                tell(db, key);
            }
            if edited.ended
                && let Some(tell) = self.on_emptied.get()
            {
                tell(db, key);
            }
        }
        true
    }

    /// Forgets a few notes whose hashes are gone, if it comes by any.
    pub fn probe_fields(&self, lane: usize, guard: &Guard, now: u64) {
        for name in self.due_fields.some() {
            if let Some((space, _announced)) = self.space_of(name.0, &name.1, lane, guard, now) {
                self.due_fields.forget(&name);
                space.note_fields(space.key(&name.1));
            }
        }
    }

    /// A view to change `key` through, unless a section works on it.
    fn space_of<'g>(
        &'g self,
        db: usize,
        key: &[u8],
        lane: usize,
        guard: &'g Guard,
        now: u64,
    ) -> Option<(Space<'g>, Announced<'g>)> {
        let space = Space::new(self, db, guard, lane, now, Access::Writing);
        let announced = self.gate.announce(lane, space.key(key).stripe()).ok()?;
        Some((space, announced))
    }
}

impl Space<'_> {
    /// Notes the hash that has come to `key`, if it is one and has fields that end.
    pub fn note_fields(&self, key: Key<'_>) {
        let next = self.edit(key, Absent::Skip, |hash: &mut Hash| {
            Edit::Unchanged(if hash.is_empty() { None } else { hash.next_deadline() })
        });
        if let Some(next) = next.ok().flatten().and_then(|edited| edited.answer) {
            self.keyspace.due_fields.note(self.db, key.bytes, next);
        }
    }
}

#[cfg(all(test, not(sockudo_loom)))]
mod tests {
    use super::*;
    use crate::sync::epoch::pin;
    use crate::value::hash::{Limits, Ttl};

    const LIMITS: Limits = Limits { entries: 10, value: 64 };
    const T: u64 = 1_700_000_000_000;

    fn fill(keyspace: &Keyspace, key: &[u8], fields: u64, deadline: impl Fn(u64) -> ExpireAt) {
        let guard = pin();
        let space = Space::new(keyspace, 0, &guard, 0, T, Access::Writing);
        let mut hash = Hash::new();
        for n in 0..fields {
            hash.set(n.to_string().as_bytes(), b"v", Ttl::Set(deadline(n)), T, LIMITS);
        }
        let next = hash.next_deadline().expect("they have deadlines");
        space.store(space.key(key), hash, 0);
        keyspace.due_fields.note(0, key, next);
    }

    fn sweep(keyspace: &Keyspace, now: u64) -> u64 {
        let before = keyspace.due_fields.expired();
        while keyspace.expire_fields(0, &pin(), now) {}
        keyspace.due_fields.expired() - before
    }

    fn exists(keyspace: &Keyspace, key: &[u8]) -> bool {
        let guard = pin();
        let space = Space::new(keyspace, 0, &guard, 0, T, Access::Reading);
        space.exists(space.key(key))
    }

    #[test]
    fn due_fields_go_and_hashes_with_the_last_of_them() {
        let keyspace = Keyspace::new(1, 1, T);
        fill(&keyspace, b"small", 5, |n| T + n);
        fill(&keyspace, b"large", 1000, |n| T + n);
        assert_eq!(sweep(&keyspace, T), 0);
        assert_eq!(sweep(&keyspace, T + 3), 6);
        assert_eq!(sweep(&keyspace, T + 500), 499);
        assert!(!exists(&keyspace, b"small") && exists(&keyspace, b"large"));
        assert_eq!(sweep(&keyspace, T + 5000), 500);
        assert!(!exists(&keyspace, b"large"));
        assert_eq!(sweep(&keyspace, T + 50_000), 0);
    }

    #[test]
    fn notes_of_hashes_that_are_gone_are_forgotten() {
        let keyspace = Keyspace::new(1, 1, T);
        for n in 0..50u64 {
            fill(&keyspace, &n.to_le_bytes(), 2, |_| T + 1_000_000);
        }
        for n in 10..50u64 {
            let guard = pin();
            let space = Space::new(&keyspace, 0, &guard, 0, T, Access::Writing);
            space.delete(space.key(&n.to_le_bytes()));
        }
        (0..20).for_each(|_| keyspace.probe_fields(0, &pin(), T));
        assert_eq!(keyspace.due_fields.change(|notes| (notes.by_name.len(), notes.by_time.len())), (10, 10));
    }

    #[test]
    fn hashes_that_move_are_found_where_they_are() {
        let keyspace = Keyspace::new(2, 1, T);
        fill(&keyspace, b"a", 5, |_| T + 1);
        {
            let guard = pin();
            let space = Space::new(&keyspace, 0, &guard, 0, T, Access::Writing);
            assert!(space.relocate(space.key(b"a"), &space, space.key(b"b")));
        }
        keyspace.swap(0, 1);
        assert_eq!(sweep(&keyspace, T + 10), 5);
        assert_eq!(keyspace.due_fields.change(|notes| notes.by_name.len()), 0);
    }

    #[test]
    fn a_closed_stripe_puts_the_sweep_off() {
        let keyspace = Keyspace::new(1, 2, T);
        fill(&keyspace, b"k", 5, |_| T + 1);
        let section = keyspace.gate.close_all(1).expect("nothing is closed yet");
        assert_eq!(sweep(&keyspace, T + 10), 0);
        drop(section);
        assert_eq!(sweep(&keyspace, T + 10), 5);
    }
}
