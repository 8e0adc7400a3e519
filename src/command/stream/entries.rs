//! Entries as replies.

use super::id::reply_id;
use crate::protocol::reply::Reply;
use crate::value::packed::Item;
use crate::value::stream::{Entry, Id};

/// An entry: its id, and its names and values.
pub(super) fn reply_entry(reply: &mut Reply<'_>, entry: &Entry<'_>) {
    reply.array(2);
    reply_body(reply, entry);
}

/// The id, and the names and values, as two replies.
pub(super) fn reply_body(reply: &mut Reply<'_>, entry: &Entry<'_>) {
    reply_id(reply, entry.id);
    reply.array(2 * entry.count());
    for (name, value) in entry.pairs() {
        reply_item(reply, name);
        reply_item(reply, value);
    }
}

/// What stands for an entry that is pending and was deleted.
pub(super) fn reply_deleted(reply: &mut Reply<'_>, id: Id) {
    reply.array(2);
    reply_id(reply, id);
    reply.null_array();
}

#[inline]
fn reply_item(reply: &mut Reply<'_>, item: Item<'_>) {
    match item {
        Item::Text(text) => reply.bulk(text),
        Item::Int(int) => reply.bulk_int(int),
    }
}

/// An array of up to `most` entries.
pub(super) fn reply_entries<'a>(
    reply: &mut Reply<'_>,
    entries: impl Iterator<Item = Entry<'a>>,
    most: usize,
) {
    let start = reply.begin_array();
    let count = entries.take(most).map(|entry| reply_entry(reply, &entry)).count();
    reply.end_array(start, count);
}
