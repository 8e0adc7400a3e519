//! What keeps a script atomic when it touches keys that it has not declared.
//!
//! A script runs in a section over its declared keys. A call on another key needs that key's stripe too:
//!
//! 1. The section tries to close it, which never waits for another section (rule 8 of `gate`). Nearly always that is
//!    all.
//! 2. If another section has the stripe, the script begins anew with everything closed, and its later runs begin that
//!    way. What it has written is undone first: before the first change of a key, its word was noted. Nobody has seen
//!    the changes, because the keys are closed.
//! 3. Some changes cannot be undone at that price: those of values that are changed in place, messages to
//!    others, and whatever `notify-keyspace-events` tells of.
//!    Before the first of these the script takes the *token*, of which there is one. It then waits for stripes, one
//!    after the other, and is never undone. If somebody else has the token, the script does as in 2.
//!
//! # Why nobody waits for ever
//! Who holds stripes waits only as the holder of the token, in 3. It waits for a stripe that another section has. That
//! section belongs to a plain command or to EXEC, which hold all they need and wait for nothing; or to a script
//! without the token, which waits for nothing either: it goes on, ends, or is undone. So it ends, and the stripe
//! opens. Who is about to close everything has closed the word for all, waits for the holder's lane to become idle,
//! and holds no single stripe. Two holders of the token there are not.

use std::cell::{Cell, RefCell};
use std::ops::Range;

use super::registry::Scripts;
use crate::command::exec::single_key;
use crate::command::key::duplicate_view;
use crate::command::keys::{self, KeyFlags};
use crate::command::nested::{Call, Host};
use crate::command::table::{Command, Flags};
use crate::keyspace::Key;
use crate::keyspace::gate::{STRIPES, Stripe};
use crate::sync::{Ordering, spin_loop, yield_now};
use crate::value::word::{View, Word};

/// Keys whose old values are kept.
const IMAGES: usize = 128;
/// Looks at the token before giving up: about as long as a short script takes. It is bounded, so it is no wait.
const TOKEN_SPINS: usize = 2000;

/// A key's value before the script changed it. Words of this kind never change, and the run's guard keeps the memory of
/// one that was replaced.
struct Image {
    db: usize,
    hash: u64,
    /// The key among the names.
    name: Range<usize>,
    word: Option<Word>,
}

/// What a run has changed; kept from one run to the next for its room.
#[derive(Default)]
pub(super) struct Log {
    images: Vec<Image>,
    names: Vec<u8>,
}

impl Log {
    fn clear(&mut self) {
        self.images.clear();
        self.names.clear();
    }

    fn has(&self, db: usize, key: Key<'_>) -> bool {
        let same = |image: &Image| {
            image.hash == key.hash && image.db == db && self.names[image.name.clone()] == *key.bytes
        };
        self.images.iter().any(same)
    }

    fn push(&mut self, db: usize, key: Key<'_>, word: Option<Word>) {
        let start = self.names.len();
        self.names.extend_from_slice(key.bytes);
        self.images.push(Image { db, hash: key.hash, name: start..self.names.len(), word });
    }
}

/// What a run has changed, as long as it may have to be undone.
pub(super) struct Undo<'s> {
    scripts: &'s Scripts,
    log: RefCell<Log>,
    has_token: Cell<bool>,
}

/// The script must begin anew with everything closed.
pub(super) struct MustBeginAnew;

impl<'s> Undo<'s> {
    pub(super) fn new(scripts: &'s Scripts, log: Log) -> Undo<'s> {
        Undo { scripts, log: RefCell::new(log), has_token: Cell::new(false) }
    }

    /// Gives back what [`Undo::new`] was given.
    pub(super) fn take_log(&self) -> Log {
        let mut log = self.log.take();
        log.clear();
        log
    }

    /// Makes sure that the section covers the call, and that its changes can be undone as long as they may have to be.
    /// The call's key with the number of its argument, if it has just one.
    pub(super) fn prepare<'k>(
        &self,
        host: &Host<'k>,
        call: &Call<'k>,
    ) -> Result<Option<(usize, Key<'k>)>, MustBeginAnew> {
        let section = host.section();
        if section.is_of_everything() {
            return Ok(None);
        }
        if let Some(at) = only_key(call) {
            let bytes = call.args.get(at).unwrap_or_default();
            let key = Key { bytes, hash: host.server.keyspace.hasher.hash(bytes), hint: None };
            if !section.covers(key.stripe()) {
                self.close(host, key.stripe())?;
            }
            return Ok(Some((at, self.remember_key(host, call, key)?)));
        }
        let footprint = host.footprint(call);
        if !footprint.is_covered(section) {
            match footprint.stripes() {
                Some(stripes) => {
                    stripes.iter().try_for_each(|&stripe| self.close(host, stripe))?;
                }
                None if self.has_token.get() => {
                    (0..STRIPES).try_for_each(|stripe| self.close(host, Stripe(stripe as u16)))?;
                }
                None => return Err(MustBeginAnew),
            }
        }
        self.remember(host, call)?;
        Ok(None)
    }

    fn close(&self, host: &Host<'_>, stripe: Stripe) -> Result<(), MustBeginAnew> {
        while host.section().extend(stripe).is_err() {
            if !self.has_token.get() {
                return Err(MustBeginAnew);
            }
            yield_now();
        }
        Ok(())
    }

    /// Whether the call changes nothing that would have to be undone.
    fn is_free(&self, command: &Command) -> bool {
        let flags = command.flags;
        self.has_token.get() || !flags.intersects(Flags::WRITE | Flags::MAY_REPLICATE | Flags::PUBSUB)
    }

    /// Whether changes of keys can be undone: an event that somebody was told of cannot be taken back.
    fn is_silent(host: &Host<'_>, command: &Command) -> bool {
        host.server.config.live().notify_keyspace_events() == 0 && command.flags.contains(Flags::WRITE)
    }

    /// Notes the one key that the call may change, or takes the token. The key with its entry.
    fn remember_key<'k>(
        &self,
        host: &Host<'k>,
        call: &Call<'k>,
        key: Key<'k>,
    ) -> Result<Key<'k>, MustBeginAnew> {
        if self.is_free(call.command) {
            return Ok(key);
        }
        let key = Key { hint: host.space().table().find(key.hash, key.bytes, host.guard()), ..key };
        if !Self::is_silent(host, call.command) || !self.note(host, key) {
            self.take_token()?;
        }
        Ok(key)
    }

    /// Notes what the call may change, or takes the token.
    fn remember(&self, host: &Host<'_>, call: &Call<'_>) -> Result<(), MustBeginAnew> {
        let undoable = || Self::is_silent(host, call.command) && self.note_keys(host, call);
        if self.is_free(call.command) || undoable() { Ok(()) } else { self.take_token() }
    }

    /// Notes the call's keys; false if one cannot be, or there are no keys to tell what it changes.
    fn note_keys(&self, host: &Host<'_>, call: &Call<'_>) -> bool {
        let mut places = Vec::new();
        let told = keys::extract(call.command.keys, call.args, &mut places);
        // Arguments that fit no key specification are refused by the handler before it changes anything.
        if is_elsewhere(call.command) || call.command.keys.is_empty() {
            return false;
        }
        let note = |&at: &usize| {
            let bytes = call.args.get(at).unwrap_or_default();
            self.note(host, Key { bytes, hash: host.server.keyspace.hasher.hash(bytes), hint: None })
        };
        !told || places.iter().all(note)
    }

    /// Notes a key's word, unless the value may be changed in place.
    fn note(&self, host: &Host<'_>, key: Key<'_>) -> bool {
        let mut log = self.log.borrow_mut();
        let db = host.client.db;
        if log.has(db, key) {
            return true;
        }
        let space = host.space();
        // Nobody but the section changes the slot, so that what it holds is what was just seen.
        let word = space.peek(key).map(|live| (matches!(live.view(), View::Node(_)), live.entry().load()));
        let has_room = log.images.len() < IMAGES && !word.is_some_and(|(is_node, _)| is_node);
        if has_room {
            log.push(db, key, word.map(|(_, word)| word));
        }
        has_room
    }

    fn take_token(&self) -> Result<(), MustBeginAnew> {
        for _ in 0..TOKEN_SPINS {
            // Ordering: AcqRel, so that the holders follow one another.
            if !self.scripts.token.swap(true, Ordering::AcqRel) {
                self.has_token.set(true);
                self.log.borrow_mut().clear();
                return Ok(());
            }
            spin_loop();
        }
        Err(MustBeginAnew)
    }

    /// Takes back all changes so far.
    pub(super) fn roll_back(&self, host: &Host<'_>) {
        debug_assert!(!self.has_token.get(), "the holder of the token is never undone");
        let log = self.log.take();
        for image in log.images.iter().rev() {
            let space = host.space().other(image.db);
            let key = space.key(&log.names[image.name.clone()]);
            match image.word {
                Some(word) => {
                    // SAFETY: loaded under the run's guard, which the host still holds.
                    let (view, expire_at) = unsafe { (word.view(), word.expire_at()) };
                    space.set(key, duplicate_view(view, expire_at));
                }
                None => _ = space.delete(key),
            }
        }
    }
}

/// The argument of the call's only key, if its specification tells all that it works on.
fn only_key(call: &Call<'_>) -> Option<usize> {
    let command = call.command;
    let [spec] = command.keys else { return None };
    let is_all = command.footprint.is_none()
        && !command.flags.intersects(Flags::CLOSES_ALL.union(Flags::STABLE))
        && !spec.flags.contains(KeyFlags::INCOMPLETE)
        && !is_elsewhere(command);
    single_key(command, call.args).filter(|&at| is_all && at < call.args.len())
}

/// Whether a command has a database among its arguments, which the specifications of its keys do not tell of.
fn is_elsewhere(command: &Command) -> bool {
    matches!(command.name, "move" | "copy")
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        if self.has_token.get() {
            self.scripts.token.store(false, Ordering::Release);
        }
    }
}
