//! Bytes to values. Elements are added one by one under the limits of now, so a value gets the form that it would have
//! if a client had made it.

use super::read::{Reader, parse_score};
use super::{Checked, Corrupt, Limits, Value, ensure, json, kind, listpack, old, stream};
use crate::value::collection::Collection;
use crate::value::hash::{Hash, Ttl};
use crate::value::list::{List, MAX_ELEMENT, Side};
use crate::value::packed::{Digits, Item};
use crate::value::set::Set;
use crate::value::set::ints::Ints;
use crate::value::word::{ExpireAt, NO_EXPIRY};
use crate::value::zset::ZSet;

/// What stands before a node of a list that is one text.
const PLAIN: u64 = 1;
/// What stands before a node that is a listpack.
const PACKED: u64 = 2;
/// The latest deadline that Redis keeps for a field.
const LAST_DEADLINE: ExpireAt = 0xffff_ffff_fffe;

/// Reads type and value.
pub fn value(reader: &mut Reader<'_>, limits: &Limits) -> Checked<Value> {
    let kind = reader.byte()?;
    body(reader, kind, limits)
}

/// Reads a value of this kind, which may be empty.
pub fn body(reader: &mut Reader<'_>, kind: u8, limits: &Limits) -> Checked<Value> {
    let any = match kind {
        kind::STRING => return Ok(Value::Text(reader.text()?.into_owned())),
        kind::LIST | kind::LIST_ZIPLIST | kind::LIST_QUICKLIST | kind::LIST_QUICKLIST_2 => {
            list(reader, kind, limits)?.wrap()
        }
        kind::SET | kind::SET_INTSET | kind::SET_LISTPACK => set(reader, kind, limits)?.wrap(),
        kind::ZSET | kind::ZSET_2 | kind::ZSET_ZIPLIST | kind::ZSET_LISTPACK => {
            zset(reader, kind, limits)?.wrap()
        }
        kind::HASH
        | kind::HASH_ZIPMAP
        | kind::HASH_ZIPLIST
        | kind::HASH_LISTPACK
        | kind::HASH_DEADLINES_EARLY..=kind::HASH_LISTPACK_DEADLINES => hash(reader, kind, limits)?.wrap(),
        kind::STREAM | kind::STREAM_2 | kind::STREAM_3 => stream::load(reader, kind, limits.stream)?.wrap(),
        kind::MODULE_2 => json::load(reader)?.wrap(),
        _ => return Err(Corrupt),
    };
    Ok(Value::Collection(any))
}

// -- lists ------------------------------------------------------------------------------------------------------

fn list(reader: &mut Reader<'_>, kind: u8, limits: &Limits) -> Checked<List> {
    let mut list = List::new();
    let mut push = |item: Item<'_>| {
        let mut digits = Digits::default();
        let text = item.bytes(&mut digits);
        ensure(text.len() <= MAX_ELEMENT)?;
        list.push(Side::Right, std::iter::once(text), &limits.list);
        Ok(())
    };
    if kind == kind::LIST_ZIPLIST {
        old::ziplist(&reader.text()?)?.try_for_each(|item| push(item?))?;
        return Ok(list);
    }
    for _ in 0..reader.count(1)? {
        match node_kind(reader, kind)? {
            Node::Text => push(Item::Text(&reader.text()?))?,
            Node::Ziplist => old::ziplist(&reader.text()?)?.try_for_each(|item| push(item?))?,
            Node::Listpack => listpack::entries(&reader.text()?)?.try_for_each(|item| push(item?))?,
        }
    }
    Ok(list)
}

/// What a list consists of.
enum Node {
    Text,
    Ziplist,
    Listpack,
}

fn node_kind(reader: &mut Reader<'_>, kind: u8) -> Checked<Node> {
    match kind {
        kind::LIST => Ok(Node::Text),
        kind::LIST_QUICKLIST => Ok(Node::Ziplist),
        _ => match reader.number()? {
            PLAIN => Ok(Node::Text),
            PACKED => Ok(Node::Listpack),
            _ => Err(Corrupt),
        },
    }
}

// -- sets -------------------------------------------------------------------------------------------------------

fn set(reader: &mut Reader<'_>, kind: u8, limits: &Limits) -> Checked<Set> {
    let limits = &limits.set;
    let mut set = Set::new();
    match kind {
        kind::SET_INTSET => {
            let bytes = reader.text()?;
            let (width, ints) = old::intset(&bytes)?;
            let array = Set::Ints(Ints::from_bytes(width, ints.to_vec()));
            if array.view().len() <= limits.ints {
                return Ok(array);
            }
            set = Set::Table(Box::default());
            array.view().iter().for_each(|int| _ = set.insert(int, limits));
        }
        kind::SET_LISTPACK => {
            set = Set::Packed(Vec::new());
            for item in listpack::entries(&reader.text()?)? {
                ensure(set.insert(item?, limits))?;
            }
        }
        _ => {
            let count = reader.count(1)?;
            if count > limits.ints {
                set = Set::Table(Box::default());
            }
            for _ in 0..count {
                ensure(set.insert(Item::Text(&reader.text()?), limits))?;
            }
        }
    }
    Ok(set)
}

// -- sorted sets ------------------------------------------------------------------------------------------------

fn zset(reader: &mut Reader<'_>, kind: u8, limits: &Limits) -> Checked<ZSet> {
    let mut set = ZSet::new();
    let mut put = |member: &[u8], score: f64| {
        let mut new = false;
        set.alter(member, limits.zset, |before| {
            new = before.is_none();
            Some(score)
        });
        ensure(new)
    };
    match kind {
        kind::ZSET_LISTPACK => members(listpack::entries(&reader.text()?)?, put)?,
        kind::ZSET_ZIPLIST => members(old::ziplist(&reader.text()?)?, put)?,
        _ => {
            for _ in 0..reader.count(2)? {
                let member = reader.text()?;
                let score = if kind == kind::ZSET { reader.score_in_digits()? } else { reader.score()? };
                put(&member, score)?;
            }
        }
    }
    Ok(set)
}

/// Puts members, each followed by its score.
fn members<'a>(
    mut items: impl Iterator<Item = Checked<Item<'a>>>,
    mut put: impl FnMut(&[u8], f64) -> Checked<()>,
) -> Checked<()> {
    while let Some(member) = items.next() {
        let score = match items.next().ok_or(Corrupt)?? {
            Item::Int(int) => int as f64,
            Item::Text(text) => parse_score(text)?,
        };
        put(member?.bytes(&mut Digits::default()), score)?;
    }
    Ok(())
}

// -- hashes -----------------------------------------------------------------------------------------------------

/// A hash that is being read.
struct Fields<'l> {
    hash: Hash,
    limits: &'l Limits,
}

impl Fields<'_> {
    fn put(&mut self, name: &[u8], value: &[u8], deadline: ExpireAt) -> Checked<()> {
        ensure(deadline <= LAST_DEADLINE)?;
        // At the beginning of time nothing is over: a field that has expired meanwhile is still one.
        ensure(self.hash.set(name, value, Ttl::Set(deadline), 0, self.limits.hash))
    }

    /// Name and value of each field, and its deadline if `timed` says so.
    fn put_items<'a>(
        &mut self,
        mut items: impl Iterator<Item = Checked<Item<'a>>>,
        timed: bool,
    ) -> Checked<()> {
        let (mut digits, mut value_digits) = (Digits::default(), Digits::default());
        while let Some(name) = items.next() {
            let value = items.next().ok_or(Corrupt)??;
            let deadline = match timed.then(|| items.next().ok_or(Corrupt)).transpose()?.transpose()? {
                None => NO_EXPIRY,
                Some(Item::Int(deadline)) => ExpireAt::try_from(deadline).map_err(|_| Corrupt)?,
                Some(Item::Text(_)) => return Err(Corrupt),
            };
            self.put(name?.bytes(&mut digits), value.bytes(&mut value_digits), deadline)?;
        }
        Ok(())
    }

    /// A number of fields, each a name and a value.
    fn put_texts(&mut self, reader: &mut Reader<'_>) -> Checked<()> {
        for _ in 0..reader.count(2)? {
            let (name, value) = (reader.text()?, reader.text()?);
            self.put(&name, &value, NO_EXPIRY)?;
        }
        Ok(())
    }

    /// A number of fields, each a deadline, a name and a value. Deadlines count from just before `first`; where there is
    /// none of these, they are what they are.
    fn put_timed(&mut self, reader: &mut Reader<'_>, first: Option<ExpireAt>) -> Checked<()> {
        for _ in 0..reader.count(3)? {
            let deadline = match (reader.number()?, first) {
                (0, _) => NO_EXPIRY,
                (after, Some(first)) => first.checked_add(after - 1).ok_or(Corrupt)?,
                (deadline, None) => deadline,
            };
            let (name, value) = (reader.text()?, reader.text()?);
            self.put(&name, &value, deadline)?;
        }
        Ok(())
    }
}

fn hash(reader: &mut Reader<'_>, kind: u8, limits: &Limits) -> Checked<Hash> {
    let mut fields = Fields { hash: Hash::new(), limits };
    match kind {
        kind::HASH => fields.put_texts(reader)?,
        kind::HASH_ZIPMAP => {
            let bytes = reader.text()?;
            fields.put_items(old::zipmap(&bytes)?.into_iter().map(|text| Ok(Item::Text(text))), false)?;
        }
        kind::HASH_ZIPLIST => fields.put_items(old::ziplist(&reader.text()?)?, false)?,
        kind::HASH_LISTPACK => fields.put_items(listpack::entries(&reader.text()?)?, false)?,
        kind::HASH_LISTPACK_DEADLINES_EARLY => {
            fields.put_items(listpack::entries(&reader.text()?)?, true)?;
        }
        kind::HASH_LISTPACK_DEADLINES => {
            reader.time()?;
            fields.put_items(listpack::entries(&reader.text()?)?, true)?;
        }
        kind::HASH_DEADLINES_EARLY => fields.put_timed(reader, None)?,
        _ => {
            let first = reader.time()?;
            fields.put_timed(reader, Some(first))?;
        }
    }
    Ok(fields.hash)
}
