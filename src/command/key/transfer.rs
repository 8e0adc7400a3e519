//! Keys that change their name or database, or are copied. All of it happens in a section over the keys concerned.

use super::databases;
use crate::command::notify::Events;
use crate::command::{Ctx, error};
use crate::keyspace::{Live, Space};
use crate::protocol::args::eq_ignore_case;
use crate::value::collection::Any;
use crate::value::node::{Node, NodeKind, Text};
use crate::value::word::{ExpireAt, OwnedWord, View};

pub(super) fn rename(ctx: &mut Ctx<'_>) {
    match renamed(ctx, true) {
        Ok(_) => ctx.reply.ok(),
        Err(text) => ctx.reply.error(text),
    }
}

pub(super) fn renamenx(ctx: &mut Ctx<'_>) {
    match renamed(ctx, false) {
        Ok(done) => ctx.reply.int(i64::from(done)),
        Err(text) => ctx.reply.error(text),
    }
}

/// Renames the first key to the second; false if that is taken and not to be overwritten.
fn renamed(ctx: &Ctx<'_>, overwrite: bool) -> Result<bool, &'static str> {
    if !ctx.space.exists(ctx.key(1)) {
        return Err(error::NO_SUCH_KEY);
    }
    if ctx.arg(1) == ctx.arg(2) || (!overwrite && ctx.space.exists(ctx.key(2))) {
        return Ok(false);
    }
    let done = ctx.space.relocate(ctx.key(1), ctx.space, ctx.key(2));
    if done {
        ctx.notify(Events::GENERIC, "rename_from", ctx.arg(1));
        ctx.notify(Events::GENERIC, "rename_to", ctx.arg(2));
    }
    Ok(done)
}

pub(super) fn move_to(ctx: &mut Ctx<'_>) {
    match moved(ctx) {
        Ok(done) => ctx.reply.int(i64::from(done)),
        Err(text) => ctx.reply.error(text),
    }
}

fn moved(ctx: &Ctx<'_>) -> Result<bool, &'static str> {
    let db = databases::number(ctx, 2)?;
    if db == ctx.space.db {
        return Err(error::SAME_OBJECT);
    }
    let there = ctx.space.other(db);
    let to = there.key(ctx.arg(1));
    let done = !there.exists(to) && ctx.space.relocate(ctx.key(1), &there, to);
    if done {
        ctx.notify(Events::GENERIC, "move_from", ctx.arg(1));
        ctx.notify_in(db, Events::GENERIC, "move_to", ctx.arg(1));
    }
    Ok(done)
}

/// What COPY's options say.
struct Options {
    db: usize,
    replace: bool,
}

pub(super) fn copy(ctx: &mut Ctx<'_>) {
    match copied(ctx) {
        Ok(done) => ctx.reply.int(i64::from(done)),
        Err(text) => ctx.reply.error(text),
    }
}

fn copied(ctx: &Ctx<'_>) -> Result<bool, &'static str> {
    let options = copy_options(ctx)?;
    if options.db == ctx.space.db && ctx.arg(1) == ctx.arg(2) {
        return Err(error::SAME_OBJECT);
    }
    let there = ctx.space.other(options.db);
    let Some(live) = ctx.space.read(ctx.key(1)) else { return Ok(false) };
    let done = place(&there, ctx.arg(2), &live, options.replace);
    if done {
        ctx.notify_in(options.db, Events::GENERIC, "copy_to", ctx.arg(2));
    }
    Ok(done)
}

fn copy_options(ctx: &Ctx<'_>) -> Result<Options, &'static str> {
    let mut options = Options { db: ctx.space.db, replace: false };
    let mut at = 3;
    while at < ctx.args.len() {
        let word = ctx.arg(at);
        if eq_ignore_case(word, b"replace") {
            options.replace = true;
        } else if eq_ignore_case(word, b"db") && at + 1 < ctx.args.len() {
            at += 1;
            options.db = databases::number(ctx, at)?;
        } else {
            return Err(error::SYNTAX);
        }
        at += 1;
    }
    Ok(options)
}

/// Sets `name` to what `live` holds; false if the name is taken and not to be overwritten.
fn place(space: &Space<'_>, name: &[u8], live: &Live<'_>, overwrite: bool) -> bool {
    let key = space.key(name);
    if !overwrite && space.exists(key) {
        return false;
    }
    space.set(key, duplicate(live));
    if !space.keyspace.due_fields.is_empty() {
        space.note_fields(key);
    }
    true
}

/// A value of its own that holds what `live` does, with the same deadline.
fn duplicate(live: &Live<'_>) -> OwnedWord {
    duplicate_view(live.view(), live.expire_at)
}

/// A value of its own that holds what is seen, with this deadline.
pub(in crate::command) fn duplicate_view(view: View<'_>, expire_at: ExpireAt) -> OwnedWord {
    match view {
        View::Int(int) => OwnedWord::from_int(int, expire_at),
        View::Short(text) => OwnedWord::from_bytes(text.as_slice(), expire_at),
        View::Raw(text) => OwnedWord::from_bytes(text, expire_at),
        View::Packed(packed) => OwnedWord::from_packed(packed.kind, packed.form, packed.bytes, expire_at),
        View::Node(node) => duplicate_node(node, expire_at),
    }
}

fn duplicate_node(node: &Node, expire_at: ExpireAt) -> OwnedWord {
    match node.kind() {
        NodeKind::Text(text) => {
            let held = node.latch().read();
            let share = text.load();
            drop(held);
            OwnedWord::from_node(Node::new(NodeKind::Text(Text::from_shared(share)), expire_at))
        }
        // The plain string that stands for the sketch; the next PFADD makes registers of it again.
        NodeKind::Collection(shared) => {
            let copy = shared.read(&node.latch().read(), Any::clone);
            copy.into_word(expire_at)
        }
        NodeKind::HyperLogLog(dense) => OwnedWord::from_bytes(&dense.to_redis_bytes(), expire_at),
    }
}
