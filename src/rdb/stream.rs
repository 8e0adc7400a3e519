//! Streams: listpacks of entries, counters, groups with what is pending in them, and consumers.
//!
//! A listpack begins with a master entry: how many entries there are and how many of them are deleted, the names of the
//! first entry, a zero. Each entry then is: flags, the distance of its id from the listpack's own, names (unless they
//! are the master's) and values, and how many items that were.
//!
//! An entry that was released (XNACK) is pending but nobody's, for which version 11 has no form. It is written as
//! pending since 1970 for a consumer without a name, so that Redis lets anybody claim it at once.

use std::collections::BTreeMap;
use std::ops::Range;

use super::listpack::{Entries, Listpack, entries};
use super::read::Reader;
use super::write::Writer;
use super::{Checked, Corrupt, ensure, kind};
use crate::value::collection::Collection;
use crate::value::packed::{Digits, Item};
use crate::value::stream::{Consumer, Count, Entry, Group, Id, Limits, Log, Pending, Stream};

const DELETED: i64 = 1;
const SAME_NAMES: i64 = 2;
/// What Redis begins a new listpack at.
const NODE_BYTES: usize = 4096;
const NODE_ENTRIES: usize = 100;
/// How Redis writes a count that it does not know, and a time that never was.
const UNKNOWN: i64 = -1;

// -- entries to bytes -------------------------------------------------------------------------------------------

/// A listpack of entries that is being written.
struct Node {
    first: Id,
    names: Vec<Vec<u8>>,
    entries: Listpack,
    count: usize,
}

impl Node {
    fn new(entry: &Entry<'_>) -> Node {
        let names = entry.pairs().map(|(name, _)| name.to_vec()).collect();
        Node { first: entry.id, names, entries: Listpack::new(), count: 0 }
    }

    fn is_full(&self) -> bool {
        self.count >= NODE_ENTRIES || self.entries.size() >= NODE_BYTES
    }

    fn push(&mut self, entry: &Entry<'_>) {
        let mut digits = Digits::default();
        let names = entry.pairs().map(|(name, _)| name);
        let same = entry.count() == self.names.len()
            && names.zip(&self.names).all(|(name, own)| name.bytes(&mut digits) == own);
        let before = self.entries.count();
        let numbers = [
            if same { SAME_NAMES } else { 0 },
            entry.id.ms.wrapping_sub(self.first.ms) as i64,
            entry.id.seq.wrapping_sub(self.first.seq) as i64,
        ];
        numbers.into_iter().for_each(|number| self.entries.push(Item::Int(number)));
        if !same {
            self.entries.push(Item::Int(entry.count() as i64));
        }
        for (name, value) in entry.pairs() {
            if !same {
                self.entries.push(name);
            }
            self.entries.push(value);
        }
        self.entries.push(Item::Int((self.entries.count() - before) as i64));
        self.count += 1;
    }

    fn finish(self, out: &mut Writer<'_>) {
        let mut pack = Listpack::new();
        let head = [self.count, 0, self.names.len()];
        head.into_iter().for_each(|number| pack.push(Item::Int(number as i64)));
        self.names.iter().for_each(|name| pack.push(Item::Text(name)));
        pack.push(Item::Int(0));
        pack.append(&self.entries);
        out.text(&id_bytes(self.first));
        out.text(&pack.finish());
    }
}

fn id_bytes(id: Id) -> [u8; 16] {
    (u128::from(id.ms) << 64 | u128::from(id.seq)).to_be_bytes()
}

/// Writes type and value.
pub fn save(log: &Log, out: &mut Writer<'_>) {
    let mut bytes = Vec::new();
    let count = save_entries(log, &mut out.to(&mut bytes));
    // They differ in what consumers have.
    let has_consumers = |(_, group): (_, &Group)| group.consumer_count() > 0 || group.released_count() > 0;
    let has_consumers = log.groups().any(has_consumers);
    out.kind(if out.wants_old() && !has_consumers { kind::STREAM_2 } else { kind::STREAM_3 });
    out.count(count);
    out.bytes(&bytes);
    out.count(log.len());
    [log.last_id(), log.first_id(), log.max_deleted_id()].into_iter().for_each(|id| save_id(id, out));
    out.number(log.entries_added());
    out.count(log.groups().len());
    for (name, group) in log.groups() {
        out.text(name);
        save_id(group.last_id, out);
        out.number(group.entries_read.unwrap_or(UNKNOWN) as u64);
        save_group(group, out);
    }
}

/// How many listpacks they make.
fn save_entries(log: &Log, out: &mut Writer<'_>) -> usize {
    let (mut open, mut count): (Option<Node>, _) = (None, 0);
    for entry in log.range(Id::MIN, Id::MAX) {
        if let Some(full) = open.take_if(|node| node.is_full()) {
            full.finish(out);
        }
        let node = open.get_or_insert_with(|| {
            count += 1;
            Node::new(&entry)
        });
        node.push(&entry);
    }
    if let Some(last) = open {
        last.finish(out);
    }
    count
}

fn save_id(id: Id, out: &mut Writer<'_>) {
    out.number(id.ms);
    out.number(id.seq);
}

// -- groups to bytes --------------------------------------------------------------------------------------------

fn save_group(group: &Group, out: &mut Writer<'_>) {
    out.count(group.pending_count());
    for (id, pending) in group.pending(..) {
        out.bytes(&id_bytes(id));
        out.time(pending.delivered_at());
        out.number(pending.deliveries);
    }
    let nameless = group.find_consumer(b"").is_some();
    let extra = group.released_count() > 0 && !nameless;
    out.count(group.consumer_count() + usize::from(extra));
    for consumer in group.consumers() {
        save_consumer(group, consumer, out);
    }
    if extra {
        out.text(b"");
        out.time(0);
        out.time(UNKNOWN as u64);
        save_ids(released(group), out);
    }
}

fn save_consumer(group: &Group, consumer: &Consumer, out: &mut Writer<'_>) {
    out.text(consumer.name());
    // Zero says that there is no such consumer, but only entries that are nobody's.
    out.time(if consumer.name().is_empty() { consumer.seen.max(1) } else { consumer.seen });
    out.time(consumer.active.unwrap_or(UNKNOWN as u64));
    let mut ids: Vec<Id> = consumer.pending(..).collect();
    if consumer.name().is_empty() {
        ids.extend(released(group));
        ids.sort_unstable();
    }
    save_ids(ids, out);
}

/// The entries that are pending and nobody's.
fn released(group: &Group) -> Vec<Id> {
    let nobodys = |(_, pending): &(Id, &Pending)| !pending.is_owned();
    let wanted = if group.released_count() > 0 { usize::MAX } else { 0 };
    group.pending(..).filter(nobodys).map(|(id, _)| id).take(wanted).collect()
}

fn save_ids(ids: Vec<Id>, out: &mut Writer<'_>) {
    out.count(ids.len());
    ids.into_iter().for_each(|id| out.bytes(&id_bytes(id)));
}

// -- bytes to entries -------------------------------------------------------------------------------------------

/// Names and values of one entry in turn, in one buffer that the next entry uses again.
#[derive(Default)]
struct Words {
    bytes: Vec<u8>,
    ranges: Vec<Range<usize>>,
}

impl Words {
    fn clear(&mut self) {
        self.bytes.clear();
        self.ranges.clear();
    }

    fn push(&mut self, item: Item<'_>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(item.bytes(&mut Digits::default()));
        self.ranges.push(start..self.bytes.len());
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.ranges.iter().map(|range| &self.bytes[range.clone()])
    }
}

/// Reads a stream behind its type.
pub fn load(reader: &mut Reader<'_>, kind: u8, limits: Limits) -> Checked<Stream> {
    let mut stream = Stream::new();
    let mut words = Words::default();
    for _ in 0..reader.count(2)? {
        let first = text_id(reader)?;
        let pack = reader.text()?;
        load_node(&mut stream, first, &pack, &mut words, limits)?;
    }
    load_counters(reader, &mut stream, kind)?;
    for _ in 0..reader.count(6)? {
        load_group(reader, &mut stream, kind)?;
    }
    Ok(stream)
}

fn text_id(reader: &mut Reader<'_>) -> Checked<Id> {
    let text = reader.text()?;
    Ok(id_of(text.as_ref().try_into().map_err(|_| Corrupt)?))
}

fn id_of(bytes: [u8; 16]) -> Id {
    let both = u128::from_be_bytes(bytes);
    Id::new((both >> 64) as u64, both as u64)
}

fn load_id(reader: &mut Reader<'_>) -> Checked<Id> {
    Ok(Id::new(reader.number()?, reader.number()?))
}

/// Appends the entries of a listpack, all of whose claims about itself must be true.
fn load_node(log: &mut Log, first: Id, bytes: &[u8], words: &mut Words, limits: Limits) -> Checked<()> {
    let mut pack = entries(bytes)?;
    let (live, deleted) = (pack.need_count()?, pack.need_count()?);
    ensure(live + deleted > 0)?;
    let names: Vec<Item<'_>> = (0..pack.need_count()?).map(|_| pack.need()).collect::<Checked<_>>()?;
    ensure(pack.need_int()? == 0)?;
    let limits = sharing(&names, bytes.len(), limits);
    let mut found = [0, 0];
    for _ in 0..live + deleted {
        let flags = pack.need_int()?;
        let ms = first.ms.wrapping_add_signed(pack.need_int()?);
        let seq = first.seq.wrapping_add_signed(pack.need_int()?);
        load_words(&mut pack, flags, &names, words)?;
        let is_deleted = flags & DELETED != 0;
        found[usize::from(is_deleted)] += 1;
        if !is_deleted {
            log.append(Id::new(ms, seq), words.iter(), limits).map_err(|_| Corrupt)?;
        }
    }
    ensure(found == [live, deleted] && pack.next().is_none())
}

/// The limits of the blocks for a listpack of `size` bytes. Names that are long for a block would be stored with every
/// entry: then one block takes the whole listpack, so that what is read is never much longer than its bytes.
fn sharing(names: &[Item<'_>], size: usize, limits: Limits) -> Limits {
    let long = names.iter().map(|name| name.text_len()).sum::<usize>() > limits.bytes / 4;
    match limits.bytes {
        0 => limits,
        bytes if long => Limits { bytes: bytes.saturating_add(2 * size), ..limits },
        _ => limits,
    }
}

fn load_words(pack: &mut Entries<'_>, flags: i64, names: &[Item<'_>], words: &mut Words) -> Checked<()> {
    ensure(flags & !(DELETED | SAME_NAMES) == 0)?;
    words.clear();
    let same = flags & SAME_NAMES != 0;
    let count = if same { names.len() } else { pack.need_count()? };
    let mut shared = same.then_some(names.iter()).into_iter().flatten();
    for _ in 0..count {
        let name = shared.next().map_or_else(|| pack.need(), |name| Ok(*name))?;
        words.push(name);
        words.push(pack.need()?);
    }
    // Flags and the two halves of the distance; names and their number only where they are the entry's own.
    let items = if same { 3 + count } else { 4 + 2 * count };
    ensure(count > 0 && pack.need_int()? == items as i64)
}

fn load_counters(reader: &mut Reader<'_>, log: &mut Log, kind: u8) -> Checked<()> {
    ensure(reader.number()? == log.len() as u64)?;
    let last = load_id(reader)?;
    ensure(last >= log.last_id())?;
    if kind == kind::STREAM {
        log.set_counters(last, None, None);
        return Ok(());
    }
    // The first id follows from the entries.
    load_id(reader)?;
    let max_deleted = load_id(reader)?;
    let added = reader.number()?;
    ensure(i64::try_from(added).is_ok())?;
    log.set_counters(last, Some(added), Some(max_deleted));
    Ok(())
}

// -- bytes to groups --------------------------------------------------------------------------------------------

/// When entries were delivered, and how often.
type Deliveries = BTreeMap<Id, (u64, u64)>;

fn load_group(reader: &mut Reader<'_>, log: &mut Log, kind: u8) -> Checked<()> {
    let name = reader.text()?;
    let last = load_id(reader)?;
    let read = match kind {
        kind::STREAM => log.entries().added_up_to(last),
        _ => u64::try_from(reader.number()? as i64).ok().map(u64::cast_signed),
    };
    ensure(log.create_group(&name, last, read))?;
    let group = log.group_mut(&name).ok_or(Corrupt)?;
    let mut deliveries = load_deliveries(reader)?;
    for _ in 0..reader.count(10)? {
        load_consumer(reader, group, &mut deliveries, kind)?;
    }
    // What is pending is pending for somebody.
    ensure(deliveries.is_empty())
}

fn load_deliveries(reader: &mut Reader<'_>) -> Checked<Deliveries> {
    let mut deliveries = Deliveries::new();
    for _ in 0..reader.count(16 + 8 + 1)? {
        let id = id_of(reader.array()?);
        let before = deliveries.insert(id, (reader.time()?, reader.number()?));
        ensure(before.is_none())?;
    }
    Ok(deliveries)
}

fn load_consumer(
    reader: &mut Reader<'_>,
    group: &mut Group,
    deliveries: &mut Deliveries,
    kind: u8,
) -> Checked<()> {
    let name = reader.text()?;
    let seen = reader.time()?;
    let active = if kind == kind::STREAM_3 { reader.signed_time()? } else { Some(seen) };
    let owner = if name.is_empty() && seen == 0 {
        None
    } else {
        let (owner, new) = group.consumer_or_new(&name, seen);
        ensure(new)?;
        group.consumer_mut(owner).active = active;
        Some(owner)
    };
    for _ in 0..reader.count(16)? {
        let id = id_of(reader.array()?);
        let (at, count) = deliveries.remove(&id).ok_or(Corrupt)?;
        match owner {
            Some(owner) if !name.is_empty() || at > 0 => group.claim(id, owner, at, Count::Set(count)),
            _ => _ = group.release(id, true, |_| count),
        }
    }
    Ok(())
}
