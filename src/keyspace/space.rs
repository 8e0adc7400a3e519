//! One database as one command sees it: the only way to keys, liveness, expiry and counts.
//!
//! Every method is one atomic step on one key. Commands on several keys are made atomic by the gate, not by them.

use super::Keyspace;
use super::entry::{Entry, Swap};
use super::evict::usage::{self, Tracking};
use super::gate::{Stripe, stripe_of};
use super::observe::{Cause, Trace};
use super::reclaim::retire_word;
use super::table::{Insert, Table};
use crate::sync::epoch::Guard;
use crate::value::latch::WriteGuard;
use crate::value::node::{Node, NodeKind, Text};
use crate::value::word::{ExpireAt, NO_EXPIRY, OwnedWord, View, Word};

/// A key with its hash, and the entry that a batched lookup found for it.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// The key's bytes.
    pub bytes: &'a [u8],
    /// Its hash.
    pub hash: u64,
    /// Where it stood a moment ago. A hint only: dead entries and none at all send the caller to the table.
    pub hint: Option<&'a Entry>,
}

impl Key<'_> {
    /// The stripe that the gate knows the key by.
    #[inline]
    pub fn stripe(&self) -> Stripe {
        stripe_of(self.hash)
    }
}

/// Whether the lane is inside an announced write or a section, or reads optimistically.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Nothing is announced: what must be written goes through the gate first.
    Reading,
    /// The keys' stripes are the lane's own.
    Writing,
}

/// A database, the epoch guard, the lane and the time that one command works with.
pub struct Space<'g> {
    /// The whole keyspace.
    pub keyspace: &'g Keyspace,
    /// The database's number.
    pub db: usize,
    pub(super) table: &'g Table,
    pub(super) guard: &'g Guard,
    pub(super) lane: usize,
    /// Unix time in milliseconds, the same for all of a command.
    pub now: u64,
    pub(super) access: Access,
    /// What the access clocks tell.
    pub tracking: Tracking,
    /// Whether reads move the access clock.
    touches: bool,
    /// Whom to tell what is changed, if anybody wants to hear of it.
    trace: Option<&'g Trace>,
}

/// A key that is there, with what its slot said.
#[derive(Clone, Copy)]
pub struct Live<'a> {
    entry: &'a Entry,
    word: Word,
    /// The deadline, or [`NO_EXPIRY`].
    pub expire_at: ExpireAt,
    /// Held while [`Space::update`] looks at a node, so that it may be changed in place.
    held: Option<&'a WriteGuard<'a>>,
}

/// What an update does with what it saw.
#[must_use]
pub enum Change<R> {
    /// Nothing.
    Keep(R),
    /// Nothing more: the node was changed in place.
    Edited(R),
    /// The key holds this from now on.
    Put(OwnedWord, R),
    /// The key ends.
    Delete(R),
}

impl<'a> Live<'a> {
    /// What the key holds.
    #[inline]
    pub fn view(&self) -> View<'a> {
        // SAFETY: the word was loaded under the guard that `'a` is bounded by.
        unsafe { self.word.view() }
    }

    /// The latch proof of a node inside an update.
    pub fn held(&self) -> Option<&'a WriteGuard<'a>> {
        self.held
    }

    /// The slot's entry.
    pub fn entry(&self) -> &'a Entry {
        self.entry
    }

    /// Bytes of heap for key and value.
    pub fn heap_bytes(&self) -> usize {
        // SAFETY: as in `view`.
        self.entry.heap_bytes() + unsafe { self.word.heap_bytes() }
    }

    /// Whether two looks at a slot saw the same word.
    pub fn same_word(&self, other: &Live<'_>) -> bool {
        self.word == other.word
    }
}

/// A deadline that is over at `now`.
#[inline]
pub fn is_past(expire_at: ExpireAt, now: u64) -> bool {
    expire_at != NO_EXPIRY && now > expire_at
}

impl<'g> Space<'g> {
    /// The view of database `db` for a command that runs on `lane`.
    #[inline]
    pub fn new(
        keyspace: &'g Keyspace,
        db: usize,
        guard: &'g Guard,
        lane: usize,
        now: u64,
        access: Access,
    ) -> Space<'g> {
        let table = keyspace.db(db).table(guard);
        let tracking = keyspace.usage.tracking();
        Space { keyspace, db, table, guard, lane, now, access, tracking, touches: true, trace: None }
    }

    /// The same view for a client whose reads move the access clock or, after `CLIENT NO-TOUCH ON`, leave it alone.
    #[inline]
    pub fn touching(self, touches: bool) -> Space<'g> {
        Space { touches, ..self }
    }

    /// The same view for a command whose changes others want to hear of.
    #[inline]
    pub fn traced(self, trace: Option<&'g Trace>) -> Space<'g> {
        Space { trace, ..self }
    }

    /// The same command's view of another database.
    pub fn other(&self, db: usize) -> Space<'g> {
        let other = Space::new(self.keyspace, db, self.guard, self.lane, self.now, self.access);
        other.touching(self.touches).traced(self.trace)
    }

    /// The table, for walks.
    pub fn table(&self) -> &'g Table {
        self.table
    }

    /// The guard that everything read here lives under.
    pub fn guard(&self) -> &'g Guard {
        self.guard
    }

    /// The lane that the command runs on.
    pub fn lane(&self) -> usize {
        self.lane
    }

    /// A key from its bytes.
    #[inline]
    pub fn key<'a>(&self, bytes: &'a [u8]) -> Key<'a> {
        Key { bytes, hash: self.keyspace.hasher.hash(bytes), hint: None }
    }

    // -- reading ------------------------------------------------------------------------------------------------

    #[inline]
    pub(super) fn entry<'a>(&'a self, key: &Key<'a>) -> Option<&'a Entry> {
        match key.hint {
            Some(entry) if !entry.load().is_dead() => Some(entry),
            _ => self.table.find(key.hash, key.bytes, self.guard),
        }
    }

    /// The key as it is now, without a trace that somebody looked.
    #[inline]
    pub fn peek<'a>(&'a self, key: Key<'a>) -> Option<Live<'a>> {
        let entry = self.entry(&key)?;
        loop {
            let word = entry.load();
            if word.is_dead() {
                return None;
            }
            // SAFETY: loaded under the guard.
            let expire_at = unsafe { word.expire_at() };
            if !is_past(expire_at, self.now) {
                return Some(Live { entry, word, expire_at, held: None });
            }
            // Nobody says that a key has ended before it has: a command whose clock is behind might still prolong it.
            if self.expire(key, entry) {
                return None;
            }
        }
    }

    /// The key for a command that reads it: counts a hit or a miss and moves the access clock.
    #[inline]
    pub fn read<'a>(&'a self, key: Key<'a>) -> Option<Live<'a>> {
        let live = self.inspect(key);
        if let (Some(live), true) = (&live, self.touches) {
            self.was_read(live.entry);
        }
        live
    }

    /// The key for a command that asks about it: counts a hit or a miss, but the key is not used by that.
    #[inline]
    pub fn inspect<'a>(&'a self, key: Key<'a>) -> Option<Live<'a>> {
        let live = self.peek(key);
        self.count_lookup(key.bytes, live.is_some());
        live
    }

    /// What a walk of the table came by, if the key is there. Nothing is counted or ended: the walk may be repeated,
    /// and the entry may have been replaced since the walk saw its bucket.
    #[inline]
    pub fn passing<'a>(&self, entry: &'a Entry) -> Option<Live<'a>>
    where
        'g: 'a,
    {
        let word = entry.load();
        if word.is_dead() {
            return None;
        }
        // SAFETY: the entry's lifetime is bounded by the guard's, and the word was loaded under it.
        let expire_at = unsafe { word.expire_at() };
        (!is_past(expire_at, self.now)).then_some(Live { entry, word, expire_at, held: None })
    }

    /// Whether the key is there.
    #[inline]
    pub fn exists(&self, key: Key<'_>) -> bool {
        self.peek(key).is_some()
    }

    #[inline]
    fn was_read(&self, entry: &Entry) {
        match self.tracking {
            Tracking::Recency => entry.touch(usage::ticks(self.now)),
            Tracking::Modification => {}
            Tracking::Frequency => self.keyspace.usage.count(entry, self.now),
        }
    }

    /// Notes a write in the key's access clock.
    #[inline]
    pub fn was_written(&self, entry: &Entry) {
        match self.tracking {
            Tracking::Recency | Tracking::Modification => entry.touch(usage::ticks(self.now)),
            Tracking::Frequency => self.keyspace.usage.count(entry, self.now),
        }
    }

    // -- writing ------------------------------------------------------------------------------------------------

    /// Sets the key, whatever it held.
    #[inline]
    pub fn set(&self, key: Key<'_>, new: OwnedWord) {
        self.keep_old(&key);
        let mut new = Some(new);
        loop {
            let Some(entry) = self.entry(&key) else {
                match self.insert(&key, new.take().expect("not yet published")) {
                    Ok(()) => return,
                    Err(back) => new = Some(back),
                }
                continue;
            };
            let old = entry.load();
            if old.is_dead() {
                self.table.unlink(key.hash, entry, self.guard);
                continue;
            }
            let word = new.take().expect("not yet published").into_word();
            match entry.swap(old, word) {
                Swap::Done => {
                    self.was_written(entry);
                    return self.replaced(key.bytes, old, word);
                }
                // SAFETY: the swap failed, so the word is still ours alone.
                Swap::Lost(_) => new = Some(unsafe { OwnedWord::from_word(word) }),
            }
        }
    }

    /// Reads and changes the key in one step. `change` may be called several times before one of its answers counts,
    /// so it must be pure; the answer that counted is returned.
    #[inline]
    pub fn update<R>(&self, key: Key<'_>, change: impl FnMut(Option<&Live<'_>>) -> Change<R>) -> R {
        self.update_with(key, true, change)
    }

    /// [`Space::update`] for the HyperLogLog commands, which work on dense sketches in place.
    pub fn update_sketch<R>(&self, key: Key<'_>, change: impl FnMut(Option<&Live<'_>>) -> Change<R>) -> R {
        self.update_with(key, false, change)
    }

    #[inline]
    fn update_with<R>(
        &self,
        key: Key<'_>,
        thaw: bool,
        mut change: impl FnMut(Option<&Live<'_>>) -> Change<R>,
    ) -> R {
        self.keep_old(&key);
        loop {
            let attempt = match self.entry(&key) {
                None => self.update_absent(&key, &mut change),
                Some(entry) => self.update_present(&key, entry, thaw, &mut change),
            };
            if let Some(answer) = attempt {
                return answer;
            }
        }
    }

    fn update_absent<R>(
        &self,
        key: &Key<'_>,
        change: &mut impl FnMut(Option<&Live<'_>>) -> Change<R>,
    ) -> Option<R> {
        match change(None) {
            Change::Keep(answer) | Change::Edited(answer) | Change::Delete(answer) => Some(answer),
            Change::Put(word, answer) => self.insert(key, word).is_ok().then_some(answer),
        }
    }

    #[inline]
    fn update_present<R>(
        &self,
        key: &Key<'_>,
        entry: &Entry,
        thaw: bool,
        change: &mut impl FnMut(Option<&Live<'_>>) -> Change<R>,
    ) -> Option<R> {
        let word = entry.load();
        if word.is_dead() {
            self.table.unlink(key.hash, entry, self.guard);
            return None;
        }
        if word.is_node() {
            return self.update_node(key, entry, word, thaw, change);
        }
        // SAFETY: loaded under the guard.
        let expire_at = unsafe { word.expire_at() };
        if is_past(expire_at, self.now) {
            self.end(key.hash, entry, word, true);
            return None;
        }
        let answer = change(Some(&Live { entry, word, expire_at, held: None }));
        self.apply(key, entry, word, answer)
    }

    /// An update of a node: under its latch, after checking that the slot still points to it.
    fn update_node<R>(
        &self,
        key: &Key<'_>,
        entry: &Entry,
        word: Word,
        thaw: bool,
        change: &mut impl FnMut(Option<&Live<'_>>) -> Change<R>,
    ) -> Option<R> {
        // SAFETY: loaded under the guard, and a node.
        let node: &Node = unsafe { word.node() };
        // A sealed sketch is on its way to its string: whoever needs the successor brings it about.
        if let Some(dense) = node.as_hyperloglog()
            && (thaw || dense.is_sealed())
        {
            self.thaw(entry, word, node, dense);
            return None;
        }
        let held = node.latch().write();
        if entry.load() != word {
            return None;
        }
        let expire_at = node.expire_at();
        if is_past(expire_at, self.now) {
            let ended = entry.swap(word, Word::DEAD) == Swap::Done;
            drop(held);
            if ended {
                self.ended(key.hash, entry, word, true);
            }
            return None;
        }
        let answer = change(Some(&Live { entry, word, expire_at, held: Some(&held) }));
        let new = match &answer {
            Change::Keep(_) | Change::Edited(_) => None,
            Change::Put(new, _) => Some(new.word()),
            Change::Delete(_) => Some(Word::DEAD),
        };
        // The swap happens under the latch, the accounting (which reads the node) after it. Where it is lost, somebody
        // replaced or ended the key blindly since the check above: what was done to the node, perhaps in place, counts
        // as before that, so the answer stands and there is nothing to account for.
        let swapped = new.is_some_and(|new| entry.swap(word, new) == Swap::Done);
        drop(held);
        Some(match answer {
            Change::Keep(answer) => answer,
            Change::Edited(answer) => {
                self.was_written(entry);
                self.changed(key.bytes);
                answer
            }
            Change::Put(new, answer) => {
                if swapped {
                    self.was_written(entry);
                    self.replaced(key.bytes, word, new.into_word());
                }
                answer
            }
            Change::Delete(answer) => {
                if swapped {
                    self.ended(key.hash, entry, word, false);
                }
                answer
            }
        })
    }

    #[inline]
    fn apply<R>(&self, key: &Key<'_>, entry: &Entry, word: Word, change: Change<R>) -> Option<R> {
        match change {
            Change::Keep(answer) | Change::Edited(answer) => Some(answer),
            Change::Delete(answer) => self.end(key.hash, entry, word, false).then_some(answer),
            Change::Put(new, answer) => {
                let done = entry.swap(word, new.word()) == Swap::Done;
                done.then(|| {
                    self.was_written(entry);
                    self.replaced(key.bytes, word, new.into_word());
                    answer
                })
            }
        }
    }

    /// Ends the key; whether it was there.
    pub fn delete(&self, key: Key<'_>) -> bool {
        self.keep_old(&key);
        while let Some(entry) = self.entry(&key) {
            let word = entry.load();
            if word.is_dead() {
                self.table.unlink(key.hash, entry, self.guard);
                continue;
            }
            // SAFETY: loaded under the guard.
            let expired = is_past(unsafe { word.expire_at() }, self.now);
            if expired && self.expire(key, entry) {
                return false;
            }
            if !expired && self.end(key.hash, entry, word, false) {
                return true;
            }
        }
        false
    }

    /// Puts a word that means the same in the place of what a read saw, if the gate lets us and the slot still holds
    /// it: such as a value with something remembered. Only who watches the key hears of it, as in Redis. A deadline
    /// stays the caller's business, and nodes remember by themselves.
    pub fn refine(&self, key: Key<'_>, seen: &Live<'_>, new: OwnedWord) {
        match self.access {
            Access::Writing => self.refine_announced(key, seen, new),
            Access::Reading => {
                if let Ok(announced) = self.keyspace.gate.announce(self.lane, key.stripe()) {
                    let trace = Trace::new(announced.observers());
                    self.other(self.db).traced(Some(&trace)).refine_announced(key, seen, new);
                }
            }
        }
    }

    fn refine_announced(&self, key: Key<'_>, seen: &Live<'_>, new: OwnedWord) {
        self.keep_old(&key);
        if !seen.word.is_node() && seen.entry.swap(seen.word, new.word()) == Swap::Done {
            self.replaced(key.bytes, seen.word, new.into_word());
        }
    }

    // -- the slot's transitions ---------------------------------------------------------------------------------

    /// Tells those who want to hear of it that the key was changed: every change calls this, after it was made.
    #[inline]
    pub fn changed(&self, key: &[u8]) {
        self.changed_by(key, Cause::Command);
    }

    #[inline]
    fn changed_by(&self, key: &[u8], cause: Cause) {
        self.keyspace.lane_stats(self.lane).changed(1);
        if let Some(trace) = self.trace {
            trace.changed(self.keyspace, self.db, key, cause);
        }
    }

    /// Adds an absent key; gives the word back if somebody was first.
    fn insert(&self, key: &Key<'_>, new: OwnedWord) -> Result<(), OwnedWord> {
        let word = new.into_word();
        let clock = usage::first(self.tracking, self.now);
        match self.table.insert(key.hash, key.bytes, word, clock, self.guard) {
            Insert::Inserted(_) => {
                self.table.count(self.lane, 1);
                // SAFETY: another thread may have ended it already, but the guard keeps it readable.
                self.count_deadlines(NO_EXPIRY, unsafe { word.expire_at() });
                self.changed(key.bytes);
                if let Some(tell) = self.keyspace.on_new.get() {
                    tell(self.db, key.bytes);
                }
                Ok(())
            }
            // SAFETY: the table did not take the word.
            Insert::Exists(_) => Err(unsafe { OwnedWord::from_word(word) }),
        }
    }

    /// Accounts for a change of the key's value from `old` to `new` and retires `old`.
    #[inline]
    fn replaced(&self, key: &[u8], old: Word, new: Word) {
        self.changed(key);
        self.swapped(old, new);
    }

    /// Accounts for a swap of `old` by `new` and retires `old`.
    #[inline]
    pub(super) fn swapped(&self, old: Word, new: Word) {
        // SAFETY: both are readable under the guard.
        let (before, after) = unsafe { (old.expire_at(), new.expire_at()) };
        if before != after {
            self.count_deadlines(before, after);
        }
        // SAFETY: the caller's swap unlinked it.
        unsafe { retire_word(old, self.guard) }
    }

    /// Swaps a word to dead; whether this call did it.
    pub(super) fn end(&self, hash: u64, entry: &Entry, word: Word, expired: bool) -> bool {
        let done = entry.swap(word, Word::DEAD) == Swap::Done;
        if done {
            self.ended(hash, entry, word, expired);
        }
        done
    }

    /// Ends the key whose slot is `entry` if it `deserves` it: a node is asked under its latch, so that nobody is in the
    /// middle of changing it. Whether this call did it.
    pub(super) fn end_if(&self, hash: u64, entry: &Entry, deserves: impl Fn() -> bool) -> bool {
        let word = entry.load();
        if word.is_dead() || !deserves() {
            return false;
        }
        self.keep_old(&Key { bytes: entry.key(), hash, hint: Some(entry) });
        if !word.is_node() {
            return self.end(hash, entry, word, false);
        }
        // SAFETY: loaded under the guard, and a node.
        let held = unsafe { word.node() }.latch().write();
        let ended = deserves() && entry.swap(word, Word::DEAD) == Swap::Done;
        drop(held);
        if ended {
            self.ended(hash, entry, word, false);
        }
        ended
    }

    /// Accounts for a key whose slot this thread swapped from `word` to dead.
    pub(super) fn ended(&self, hash: u64, entry: &Entry, word: Word, expired: bool) {
        self.table.count(self.lane, -1);
        // SAFETY: readable under the guard.
        self.count_deadlines(unsafe { word.expire_at() }, NO_EXPIRY);
        if expired {
            self.keyspace.lane_stats(self.lane).expired();
            if let Some(tell) = self.keyspace.on_expired.get() {
                tell(self.db, entry.key());
            }
        }
        self.changed_by(entry.key(), if expired { Cause::Time } else { Cause::Command });
        self.table.unlink(hash, entry, self.guard);
        // SAFETY: the caller's swap unlinked it.
        unsafe { retire_word(word, self.guard) }
    }

    /// The word for long text that was received in a buffer of its own.
    pub fn shared_text(bytes: bytes::Bytes, expire_at: ExpireAt) -> OwnedWord {
        OwnedWord::from_node(Node::new(NodeKind::Text(Text::from_shared(bytes)), expire_at))
    }
}
