//! APPEND and SETRANGE.
//!
//! Short text is replaced by an edited copy. Text that an edit makes [`IN_PLACE_FROM`] bytes long moves to a node,
//! where further edits happen in the buffer and its spare capacity grows in proportion, so that appending costs O(1)
//! per byte. Below that length a copy costs no more than the node's latch and takes no room for a header.

use bytes::BytesMut;

use super::set::value;
use super::text::{Digits, WrongType, text_of};
use crate::command::notify::Events;
use crate::command::{Ctx, error};
use crate::keyspace::{Change, Live, Space};
use crate::protocol::args::parse_i64;
use crate::value::word::{ExpireAt, NO_EXPIRY, OwnedWord, View};

/// Bytes from which edited text is kept in a buffer that can grow.
const IN_PLACE_FROM: usize = 1024;

/// The text after an edit has so many bytes, or why there was none.
type Edited = Result<usize, &'static str>;

/// The word for a text that was just edited: never an integer, as in Redis.
pub(in crate::command) fn edited_word(text: BytesMut, expire_at: ExpireAt) -> OwnedWord {
    if text.len() < IN_PLACE_FROM {
        return OwnedWord::from_bytes(&text, expire_at);
    }
    Space::shared_text(text.freeze(), expire_at)
}

/// Writes `part` at `offset`, with zeros between the old end and the offset.
fn place(text: &mut BytesMut, offset: usize, part: &[u8]) {
    if text.len() < offset {
        text.resize(offset, 0);
    }
    let (over, behind) = part.split_at(part.len().min(text.len() - offset));
    text[offset..offset + over.len()].copy_from_slice(over);
    text.extend_from_slice(behind);
}

/// Fails if `part` at `offset` ends behind the longest string that there may be: before anything is allocated.
fn check_length(ctx: &Ctx<'_>, offset: usize, part: &[u8]) -> Result<(), &'static str> {
    let most = ctx.server.config.live().proto_max_bulk_len();
    let fits = offset.checked_add(part.len()).is_some_and(|end| end <= most);
    fits.then_some(()).ok_or(error::STRING_TOO_LONG)
}

/// Writes `part` into the text of a live key, where `offset` says, given the text's length.
fn edit(ctx: &Ctx<'_>, live: &Live<'_>, part: &[u8], offset: impl Fn(usize) -> usize) -> Change<Edited> {
    if let (View::Node(node), Some(held)) = (live.view(), live.held())
        && let Some(text) = node.as_text()
    {
        let at = offset(text.size());
        return match check_length(ctx, at, part) {
            Ok(()) => Change::Edited(Ok(text.edit(|buffer| place(buffer, at, part), held))),
            Err(too_long) => Change::Keep(Err(too_long)),
        };
    }
    let Ok(text) = text_of(live) else { return Change::Keep(Err(error::WRONGTYPE)) };
    let mut digits = Digits::new();
    let old = text.bytes(&mut digits);
    let at = offset(old.len());
    if let Err(too_long) = check_length(ctx, at, part) {
        return Change::Keep(Err(too_long));
    }
    let mut new = BytesMut::with_capacity(old.len().max(at + part.len()));
    new.extend_from_slice(old);
    place(&mut new, at, part);
    let len = new.len();
    Change::Put(edited_word(new, live.expire_at), Ok(len))
}

/// Answers with the new length; `event` is what happened, if anything did.
fn reply_edited(ctx: &mut Ctx<'_>, edited: Edited, event: Option<&str>) {
    match edited {
        Ok(len) => {
            if let Some(event) = event {
                ctx.notify(Events::STRING, event, ctx.arg(1));
            }
            ctx.reply.int(len as i64);
        }
        Err(text) => ctx.reply.error(text),
    }
}

pub(super) fn append(ctx: &mut Ctx<'_>) {
    let part = ctx.arg(2);
    let edited = ctx.space.update(ctx.key(1), |live| match live {
        Some(live) => edit(ctx, live, part, |len| len),
        None => Change::Put(value(ctx.args, 2, NO_EXPIRY), Ok(part.len())),
    });
    reply_edited(ctx, edited, Some("append"));
}

pub(super) fn setrange(ctx: &mut Ctx<'_>) {
    let Some(offset) = parse_i64(ctx.arg(2)) else { return ctx.reply.error(error::NOT_AN_INTEGER) };
    let Ok(offset) = usize::try_from(offset) else { return ctx.reply.error("ERR offset is out of range") };
    let part = ctx.arg(3);
    let edited = ctx.space.update(ctx.key(1), |live| match live {
        _ if part.is_empty() => Change::Keep(length(live)),
        Some(live) => edit(ctx, live, part, |_| offset),
        None => match check_length(ctx, offset, part) {
            Ok(()) => Change::Put(padded(offset, part), Ok(offset + part.len())),
            Err(too_long) => Change::Keep(Err(too_long)),
        },
    });
    reply_edited(ctx, edited, (!part.is_empty()).then_some("setrange"));
}

/// The length of what the key holds, 0 for nothing.
fn length(live: Option<&Live<'_>>) -> Edited {
    match live.map(text_of).transpose() {
        Ok(text) => Ok(text.map_or(0, |text| text.len())),
        Err(WrongType) => Err(error::WRONGTYPE),
    }
}

/// A new text of `offset` zeros and `part`. The zeros come from the allocator, which need not touch fresh pages.
fn padded(offset: usize, part: &[u8]) -> OwnedWord {
    let mut text = BytesMut::zeroed(offset + part.len());
    text[offset..].copy_from_slice(part);
    edited_word(text, NO_EXPIRY)
}
