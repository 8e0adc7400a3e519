//! Values to bytes: the type, and what Redis 7.2 writes for it.

use super::listpack::Listpack;
use super::write::{Writer, format_score};
use super::{json, kind, stream};
use crate::value::collection::{Any, Collection, Kind};
use crate::value::hash::{Hash, HashRef, Pair};
use crate::value::list::{List, ListRef};
use crate::value::node::{Node, NodeKind};
use crate::value::packed::Item;
use crate::value::set::ints::Width;
use crate::value::set::{Set, SetRef};
use crate::value::word::{ExpireAt, NO_EXPIRY, PackedView, View};
use crate::value::zset::{ZRef, ZSet};

/// Bytes of a list's node, as `list-max-listpack-size` has it unless it is changed.
const NODE_BYTES: usize = 8192;
/// What stands before a node of a list: it is one text, or a listpack.
const PLAIN: u64 = 1;
const PACKED: u64 = 2;
/// Packed bytes from which on a collection is written element by element: a listpack has to stay below four gigabytes.
const LISTPACK_MAX: usize = 1 << 28;
/// Whole numbers below this magnitude are exact.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// Writes type and value; nothing of a JSON document.
pub fn value(view: View<'_>, out: &mut Writer<'_>) -> Option<()> {
    match view {
        View::Int(int) => string(itoa::Buffer::new().format(int).as_bytes(), out),
        View::Short(text) => string(text.as_slice(), out),
        View::Raw(text) => string(text, out),
        View::Packed(packed) => return small(packed, out),
        View::Node(node) => return large(node, out),
    }
    Some(())
}

fn string(text: &[u8], out: &mut Writer<'_>) {
    out.byte(kind::STRING);
    out.text(text);
}

fn small(packed: PackedView<'_>, out: &mut Writer<'_>) -> Option<()> {
    let (form, bytes) = (packed.form, packed.bytes);
    match packed.kind {
        Kind::List => list(List::view_packed(form, bytes), out),
        Kind::Hash => hash(Hash::view_packed(form, bytes), out),
        Kind::Set => set(Set::view_packed(form, bytes), out),
        Kind::ZSet => zset(ZSet::view_packed(form, bytes), out),
        Kind::Stream | Kind::Json => return None,
    }
    Some(())
}

fn large(node: &Node, out: &mut Writer<'_>) -> Option<()> {
    match node.kind() {
        NodeKind::Text(text) => {
            let held = node.latch().read();
            let share = text.load();
            drop(held);
            string(&share, out);
        }
        NodeKind::HyperLogLog(dense) => string(&dense.to_redis_bytes(), out),
        NodeKind::Collection(shared) => return shared.read(&node.latch().read(), |any| collection(any, out)),
    }
    Some(())
}

fn collection(any: &Any, out: &mut Writer<'_>) -> Option<()> {
    match any {
        Any::List(it) => list(it.view(), out),
        Any::Hash(it) => hash(it.view(), out),
        Any::Set(it) => set(it.view(), out),
        Any::ZSet(it) => zset(it.view(), out),
        Any::Stream(it) => stream::save(it, out),
        Any::Json(it) => json::save(it.view(), out)?,
    }
    Some(())
}

// -- lists ------------------------------------------------------------------------------------------------------

/// The nodes of a list, as they are written.
struct Nodes<'w> {
    out: Writer<'w>,
    count: usize,
    open: Listpack,
    /// Whether there may be more than one.
    split: bool,
}

impl Nodes<'_> {
    fn push(&mut self, item: Item<'_>) {
        let length = item.text_len();
        if self.split && length > NODE_BYTES {
            self.close();
            self.out.number(PLAIN);
            self.out.item(item);
            self.count += 1;
            return;
        }
        if self.split && self.open.size() + length > NODE_BYTES {
            self.close();
        }
        self.open.push(item);
    }

    fn close(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let node = std::mem::replace(&mut self.open, Listpack::new()).finish();
        self.out.number(PACKED);
        self.out.text(&node);
        self.count += 1;
    }
}

fn list(view: ListRef<'_>, out: &mut Writer<'_>) {
    let mut bytes = Vec::new();
    // What is one listpack for OBJECT ENCODING is one here, so that it is one again afterwards.
    let split = List::encoding(view) != "listpack";
    let mut nodes = Nodes { out: out.to(&mut bytes), count: 0, open: Listpack::new(), split };
    view.visit(0, usize::MAX, |item| nodes.push(item));
    nodes.close();
    let count = nodes.count;
    out.byte(kind::LIST_QUICKLIST_2);
    out.count(count);
    out.bytes(&bytes);
}

// -- sets -------------------------------------------------------------------------------------------------------

fn set(view: SetRef<'_>, out: &mut Writer<'_>) {
    match view {
        SetRef::Ints(_) => ints(view, out),
        SetRef::Packed(run) if run.len() < LISTPACK_MAX => {
            out.byte(kind::SET_LISTPACK);
            listpack(view.iter(), out);
        }
        _ => {
            out.byte(kind::SET);
            out.count(view.len());
            view.iter().for_each(|member| out.item(member));
        }
    }
}

fn listpack<'a>(items: impl Iterator<Item = Item<'a>>, out: &mut Writer<'_>) {
    let mut pack = Listpack::new();
    items.for_each(|item| pack.push(item));
    out.text(&pack.finish());
}

/// Integers in as many bytes each as the widest needs.
fn ints(view: SetRef<'_>, out: &mut Writer<'_>) {
    let ints = || {
        view.iter().map(|item| match item {
            Item::Int(int) => int,
            Item::Text(_) => unreachable!("an array has integers only"),
        })
    };
    let width = ints().map(Width::of).max().unwrap_or(Width::Two).bytes();
    let mut bytes = Vec::with_capacity(8 + width * view.len());
    bytes.extend_from_slice(&(width as u32).to_le_bytes());
    bytes.extend_from_slice(&(view.len() as u32).to_le_bytes());
    ints().for_each(|int| bytes.extend_from_slice(&int.to_le_bytes()[..width]));
    out.byte(kind::SET_INTSET);
    out.text(&bytes);
}

// -- sorted sets ------------------------------------------------------------------------------------------------

fn zset(view: ZRef<'_>, out: &mut Writer<'_>) {
    let packed: usize = if view.is_packed() { view.iter().map(|(item, _)| item.text_len()).sum() } else { 0 };
    if view.is_packed() && packed < LISTPACK_MAX {
        let mut pack = Listpack::new();
        for (member, score) in view.iter() {
            pack.push(member);
            push_score(&mut pack, score);
        }
        out.byte(kind::ZSET_LISTPACK);
        return out.text(&pack.finish());
    }
    out.byte(kind::ZSET_2);
    out.count(view.len());
    // The last one first, as Redis does: each goes to the front then when they are read.
    for (member, score) in view.iter().rev() {
        out.item(member);
        out.score(score);
    }
}

fn push_score(pack: &mut Listpack, score: f64) {
    if score.abs() <= WHOLE && score.trunc() == score {
        pack.push(Item::Int(score as i64));
    } else {
        pack.push(Item::Text(format_score(score).as_bytes()));
    }
}

// -- hashes -----------------------------------------------------------------------------------------------------

/// Before every deadline, so that all fields are there: what has expired is the reader's affair.
const BEGINNING: u64 = 0;

fn hash(view: HashRef<'_>, out: &mut Writer<'_>) {
    let deadlines = view.iter(BEGINNING).map(|pair| pair.deadline).filter(|&deadline| deadline != NO_EXPIRY);
    match (deadlines.min(), is_packed(view)) {
        (None, true) => {
            out.byte(kind::HASH_LISTPACK);
            listpack(view.iter(BEGINNING).flat_map(|pair| [pair.name, pair.value]), out);
        }
        (None, false) => {
            out.byte(kind::HASH);
            out.count(view.len(BEGINNING));
            view.iter(BEGINNING).for_each(|pair| name_and_value(pair, out));
        }
        (Some(first), true) => packed_with_deadlines(view, first, out),
        (Some(first), false) => with_deadlines(view, first, out),
    }
}

fn is_packed(view: HashRef<'_>) -> bool {
    let size = |pair: Pair<'_>| pair.name.text_len() + pair.value.text_len();
    Hash::encoding(view) != "hashtable" && view.iter(BEGINNING).map(size).sum::<usize>() < LISTPACK_MAX
}

fn name_and_value(pair: Pair<'_>, out: &mut Writer<'_>) {
    out.item(pair.name);
    out.item(pair.value);
}

/// Name, value and deadline of each field, those first that end first, as Redis has them; zero is no deadline.
fn packed_with_deadlines(view: HashRef<'_>, first: ExpireAt, out: &mut Writer<'_>) {
    let mut pairs: Vec<Pair<'_>> = view.iter(BEGINNING).collect();
    pairs.sort_by_key(|pair| if pair.deadline == NO_EXPIRY { ExpireAt::MAX } else { pair.deadline });
    out.byte(kind::HASH_LISTPACK_DEADLINES);
    out.time(first);
    let mut pack = Listpack::new();
    for pair in pairs {
        [pair.name, pair.value, Item::Int(pair.deadline as i64)].into_iter().for_each(|item| pack.push(item));
    }
    out.text(&pack.finish());
}

/// Deadlines count from just before the first one; zero is none.
fn with_deadlines(view: HashRef<'_>, first: ExpireAt, out: &mut Writer<'_>) {
    out.byte(kind::HASH_DEADLINES);
    out.time(first);
    out.count(view.len(BEGINNING));
    for pair in view.iter(BEGINNING) {
        out.number(if pair.deadline == NO_EXPIRY { 0 } else { pair.deadline - first + 1 });
        name_and_value(pair, out);
    }
}
