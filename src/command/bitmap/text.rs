//! The bytes of a string key, to be read or to be changed in place.
//!
//! A long text is looked at and changed under its node's latch, so that nobody has to copy it: a reader that took a
//! share of the buffer instead would make the next writer copy all of it.

use bytes::BytesMut;

use crate::command::notify::Events;
use crate::command::string::edit::edited_word;
use crate::command::string::text::{Digits, text_of};
use crate::command::{Ctx, error};
use crate::keyspace::{Change, Live};
use crate::value::word::{NO_EXPIRY, View};

/// Looks at the key's text, which is empty if there is none. The closure must not touch the keyspace.
pub(super) fn read<R>(ctx: &Ctx<'_>, look: impl FnOnce(Option<&[u8]>) -> R) -> Result<R, &'static str> {
    let Some(live) = ctx.space.read(ctx.key(1)) else { return Ok(look(None)) };
    if let View::Node(node) = live.view()
        && let Some(text) = node.as_text()
    {
        let _held = node.latch().read();
        return Ok(look(Some(&text.load())));
    }
    let text = text_of(&live).map_err(|_| error::WRONGTYPE)?;
    Ok(look(Some(text.bytes(&mut Digits::new()))))
}

/// What a change of a text came to.
struct Changed<R> {
    answer: R,
    /// Whether the text is another one now.
    changed: bool,
}

/// Changes the text of the command's key after filling it up with zeros to `len` bytes, and tells of it. `change` says
/// whether it changed anything, and may be called again on a fresh copy.
pub(super) fn edit<R>(
    ctx: &Ctx<'_>,
    len: usize,
    change: impl Fn(&mut [u8]) -> (R, bool),
) -> Result<R, &'static str> {
    let edited = edit_quietly(ctx, len, change)?;
    if edited.changed {
        ctx.notify(Events::STRING, "setbit", ctx.arg(1));
    }
    Ok(edited.answer)
}

fn edit_quietly<R>(
    ctx: &Ctx<'_>,
    len: usize,
    change: impl Fn(&mut [u8]) -> (R, bool),
) -> Result<Changed<R>, &'static str> {
    ctx.space.update(ctx.key(1), |live| match live {
        Some(live) => edit_live(live, len, &change),
        None => {
            // The zeros come from the allocator, which need not touch fresh pages.
            let mut text = BytesMut::zeroed(len);
            let (answer, _) = change(&mut text);
            Change::Put(edited_word(text, NO_EXPIRY), Ok(Changed { answer, changed: true }))
        }
    })
}

fn edit_live<R>(
    live: &Live<'_>,
    len: usize,
    change: &impl Fn(&mut [u8]) -> (R, bool),
) -> Change<Result<Changed<R>, &'static str>> {
    if let (View::Node(node), Some(held)) = (live.view(), live.held())
        && let Some(text) = node.as_text()
    {
        let mut outcome = None;
        text.edit(|buffer| outcome = Some(grow_and_change(buffer, len, change)), held);
        let outcome = outcome.expect("the edit has run");
        return if outcome.changed { Change::Edited(Ok(outcome)) } else { Change::Keep(Ok(outcome)) };
    }
    let Ok(text) = text_of(live) else { return Change::Keep(Err(error::WRONGTYPE)) };
    let mut digits = Digits::new();
    let old = text.bytes(&mut digits);
    let mut new = BytesMut::with_capacity(old.len().max(len));
    new.extend_from_slice(old);
    let outcome = grow_and_change(&mut new, len, change);
    Change::Put(edited_word(new, live.expire_at), Ok(outcome))
}

fn grow_and_change<R>(
    text: &mut BytesMut,
    len: usize,
    change: &impl Fn(&mut [u8]) -> (R, bool),
) -> Changed<R> {
    let grown = text.len() < len;
    if grown {
        text.resize(len, 0);
    }
    let (answer, changed) = change(text);
    Changed { answer, changed: changed || grown }
}
