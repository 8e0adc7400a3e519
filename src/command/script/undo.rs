//! What keeps a script atomic when it touches keys that it has not declared.
//!
//! A script runs in a section over its declared keys. A call on another key needs that key's stripe too:
//!
//! 1. The section tries to close it, which never waits for another section (rule 8 of `gate`). Nearly always that is
//!    all.
//! 2. If another section has the stripe, the script begins anew with everything closed, and its later runs begin that
//!    way. What it has written is undone first: before the first change of a key, its word was copied. Nobody has seen
//!    the changes, because the keys are closed.
//! 3. Some changes cannot be undone at that price: those of values too large to be copied, and messages to others.
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

use super::registry::Scripts;
use crate::command::key::duplicate;
use crate::command::keys;
use crate::command::nested::{Call, Host};
use crate::command::table::Flags;
use crate::keyspace::gate::{STRIPES, Stripe};
use crate::sync::{Ordering, spin_loop, yield_now};
use crate::value::word::{OwnedWord, View};

/// Keys whose old values are kept.
const IMAGES: usize = 128;
/// Bytes of a value that is copied.
const COPIED: usize = 4096;
/// Looks at the token before giving up: about as long as a short script takes. It is bounded, so it is no wait.
const TOKEN_SPINS: usize = 2000;

/// A key's value before the script changed it.
struct Image {
    db: usize,
    key: Vec<u8>,
    word: Option<OwnedWord>,
}

/// What a run has changed, as long as it may have to be undone.
pub(super) struct Undo<'s> {
    scripts: &'s Scripts,
    images: RefCell<Vec<Image>>,
    has_token: Cell<bool>,
}

/// The script must begin anew with everything closed.
pub(super) struct MustBeginAnew;

impl<'s> Undo<'s> {
    pub(super) fn new(scripts: &'s Scripts) -> Undo<'s> {
        Undo { scripts, images: RefCell::default(), has_token: Cell::new(false) }
    }

    /// Makes sure that the section covers the call, and that its changes can be undone as long as they may have to be.
    pub(super) fn prepare(&self, host: &Host<'_>, call: &Call<'_>) -> Result<(), MustBeginAnew> {
        let section = host.section();
        if section.is_of_everything() {
            return Ok(());
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
        self.remember(host, call)
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

    /// Copies what the call may change, or takes the token.
    fn remember(&self, host: &Host<'_>, call: &Call<'_>) -> Result<(), MustBeginAnew> {
        let flags = call.command.flags;
        if self.has_token.get() || !flags.intersects(Flags::WRITE | Flags::MAY_REPLICATE | Flags::PUBSUB) {
            return Ok(());
        }
        if flags.contains(Flags::WRITE) && self.copy_keys(host, call) {
            return Ok(());
        }
        self.take_token()
    }

    /// Copies the call's keys; false if one is too large, or there are no keys to tell what it changes.
    fn copy_keys(&self, host: &Host<'_>, call: &Call<'_>) -> bool {
        let mut places = Vec::new();
        let told = keys::extract(call.command.keys, call.args, &mut places);
        // Arguments that fit no key specification are refused by the handler before it changes anything. A database
        // among the arguments is one that the specifications do not tell of.
        let elsewhere = matches!(call.command.name, "move" | "copy");
        if elsewhere || call.command.keys.is_empty() {
            return false;
        }
        !told || places.iter().all(|&at| self.copy_key(host, call.args.get(at).unwrap_or_default()))
    }

    fn copy_key(&self, host: &Host<'_>, key: &[u8]) -> bool {
        let mut images = self.images.borrow_mut();
        let db = host.client.db;
        if images.iter().any(|image| image.db == db && image.key == key) {
            return true;
        }
        let space = host.space();
        let word = match space.peek(space.key(key)) {
            None => None,
            Some(live) => match live.view() {
                View::Node(_) => return false,
                _ if live.heap_bytes() > COPIED => return false,
                _ => Some(duplicate(&live)),
            },
        };
        let has_room = images.len() < IMAGES;
        if has_room {
            images.push(Image { db, key: key.to_vec(), word });
        }
        has_room
    }

    fn take_token(&self) -> Result<(), MustBeginAnew> {
        for _ in 0..TOKEN_SPINS {
            // Ordering: AcqRel, so that the holders follow one another.
            if !self.scripts.token.swap(true, Ordering::AcqRel) {
                self.has_token.set(true);
                self.images.borrow_mut().clear();
                return Ok(());
            }
            spin_loop();
        }
        Err(MustBeginAnew)
    }

    /// Takes back all changes so far.
    pub(super) fn roll_back(&self, host: &Host<'_>) {
        debug_assert!(!self.has_token.get(), "the holder of the token is never undone");
        for image in self.images.borrow_mut().drain(..).rev() {
            let space = host.space().other(image.db);
            let key = space.key(&image.key);
            match image.word {
                Some(word) => space.set(key, word),
                None => _ = space.delete(key),
            }
        }
    }
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        if self.has_token.get() {
            self.scripts.token.store(false, Ordering::Release);
        }
    }
}
