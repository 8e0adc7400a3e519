//! DEBUG DIGEST and DIGEST-VALUE: digests that equal data has in equal form, here and in Redis 7.
//!
//! A digest is 20 bytes, zero at first. *Adding* data xors its SHA-1 in, so that order does not matter; *mixing* data
//! adds it and replaces the digest by its own SHA-1, so that order matters. Redis's `debug.c` has the recipe: the type's
//! number is mixed in first, then come the parts of the value, and a deadline of any height is added at the end.

use sha1_smol::Sha1;

use crate::command::Ctx;
use crate::command::string::text::{Digits, text_of};
use crate::keyspace::collections::look_at;
use crate::keyspace::{Live, Space};
use crate::value::collection::{Collection, Kind};
use crate::value::hash::{Hash, HashRef};
use crate::value::json::{Json, JsonRef, Value, print};
use crate::value::list::{List, ListRef};
use crate::value::node::NodeKind;
use crate::value::packed;
use crate::value::set::{Set, SetRef};
use crate::value::stream::{Id, Log, Stream};
use crate::value::word::{NO_EXPIRY, View};
use crate::value::zset::{ZRef, ZSet};

/// Redis's numbers of the types.
const STRING: u32 = 0;
const LIST: u32 = 1;
const SET: u32 = 2;
const ZSET: u32 = 3;
const HASH: u32 = 4;
/// Values of modules.
const MODULE: u32 = 5;
const STREAM: u32 = 6;

/// A digest in the making.
#[derive(Clone, Copy, Default)]
struct Digest([u8; 20]);

impl Digest {
    /// Takes data in whose place among others does not matter.
    fn add(&mut self, data: &[u8]) {
        let hash = Sha1::from(data).digest().bytes();
        self.0.iter_mut().zip(hash).for_each(|(own, new)| *own ^= new);
    }

    /// Takes data in whose place matters.
    fn mix(&mut self, data: &[u8]) {
        self.add(data);
        self.0 = Sha1::from(self.0).digest().bytes();
    }

    fn text(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

pub(super) fn values(ctx: &mut Ctx<'_>) {
    ctx.reply.array(ctx.args.len() - 2);
    for name in ctx.args.iter().skip(2) {
        let mut digest = Digest::default();
        if let Some(live) = ctx.space.peek(ctx.space.key(name)) {
            add_value(&mut digest, &live, ctx.space.now);
        }
        ctx.reply.simple(&digest.text());
    }
}

pub(super) fn all(ctx: &mut Ctx<'_>) {
    let mut digest = Digest::default();
    for db in 0..ctx.space.keyspace.databases() {
        let space = ctx.space.other(db);
        if !space.table().is_empty() {
            digest.mix(&(db as u32).to_be_bytes());
            add_keys(&mut digest, &space);
        }
    }
    ctx.reply.simple(&digest.text());
}

fn add_keys(all: &mut Digest, space: &Space<'_>) {
    let mut cursor = 0;
    loop {
        cursor = space.table().scan(cursor, space.guard(), |entry| {
            if let Some(live) = space.passing(entry) {
                let mut digest = Digest::default();
                digest.mix(entry.key());
                add_value(&mut digest, &live, space.now);
                all.add(&digest.0);
            }
        });
        if cursor == 0 {
            return;
        }
    }
}

fn add_value(digest: &mut Digest, live: &Live<'_>, now: u64) {
    match collection_kind(live.view()) {
        None => add_string(digest, live),
        Some(Kind::List) => add_collection::<List>(digest, live, LIST, add_list),
        Some(Kind::Set) => add_collection::<Set>(digest, live, SET, add_set),
        Some(Kind::ZSet) => add_collection::<ZSet>(digest, live, ZSET, add_zset),
        Some(Kind::Hash) => {
            add_collection::<Hash>(digest, live, HASH, |digest, hash| add_hash(digest, hash, now));
        }
        Some(Kind::Stream) => add_collection::<Stream>(digest, live, STREAM, add_stream),
        Some(Kind::Json) => add_collection::<Json>(digest, live, MODULE, add_json),
    }
    if live.expire_at != NO_EXPIRY {
        digest.add(b"!!expire!!");
    }
}

/// What kind of collection a value is; none for strings.
fn collection_kind(view: View<'_>) -> Option<Kind> {
    match view {
        View::Int(_) | View::Short(_) | View::Raw(_) => None,
        View::Packed(packed) => Some(packed.kind),
        View::Node(node) => match node.kind() {
            NodeKind::Text(_) | NodeKind::HyperLogLog(_) => None,
            NodeKind::Collection(shared) => Some(shared.kind()),
        },
    }
}

fn add_string(digest: &mut Digest, live: &Live<'_>) {
    if let Ok(text) = text_of(live) {
        digest.mix(&STRING.to_be_bytes());
        digest.mix(text.bytes(&mut Digits::new()));
    }
}

/// Mixes in the type, then whatever `add` does with the parts.
fn add_collection<C: Collection>(
    digest: &mut Digest,
    live: &Live<'_>,
    number: u32,
    add: impl FnOnce(&mut Digest, C::Ref<'_>),
) {
    digest.mix(&number.to_be_bytes());
    // The view said which type it is, and everything is closed.
    let _ = look_at::<C, ()>(live, |view| add(digest, view));
}

fn add_list(digest: &mut Digest, list: ListRef<'_>) {
    list.visit(0, list.len(), |item| digest.mix(item.bytes(&mut packed::Digits::default())));
}

fn add_set(digest: &mut Digest, set: SetRef<'_>) {
    set.iter().for_each(|item| digest.add(item.bytes(&mut packed::Digits::default())));
}

fn add_zset(digest: &mut Digest, zset: ZRef<'_>) {
    for (member, score) in zset.iter() {
        let score = general(score);
        add_pair(digest, member.bytes(&mut packed::Digits::default()), score.as_bytes());
    }
}

fn add_hash(digest: &mut Digest, hash: HashRef<'_>, now: u64) {
    for pair in hash.iter(now) {
        let (mut name, mut value) = (packed::Digits::default(), packed::Digits::default());
        add_pair(digest, pair.name.bytes(&mut name), pair.value.bytes(&mut value));
    }
}

/// Adds two things that belong together.
fn add_pair(digest: &mut Digest, one: &[u8], other: &[u8]) {
    let mut pair = Digest::default();
    pair.mix(one);
    pair.mix(other);
    digest.add(&pair.0);
}

fn add_stream(digest: &mut Digest, stream: &Log) {
    for entry in stream.range(Id::MIN, Id::MAX) {
        digest.mix(format!("{}.{}", entry.id.ms, entry.id.seq).as_bytes());
        for (name, value) in entry.pairs() {
            digest.mix(name.bytes(&mut packed::Digits::default()));
            digest.mix(value.bytes(&mut packed::Digits::default()));
        }
    }
}

/// A module makes its own digest; ours of a document is that of its text, in which the order of members counts.
fn add_json(digest: &mut Digest, document: JsonRef<'_>) {
    let mut text = Vec::new();
    print::print(document.as_ref().unwrap_or(&Value::Null), &mut text);
    digest.mix(&text);
}

/// A score as C's `%.17g` writes it: 17 significant digits, without zeros at the end, with an exponent if that is below
/// -4 or above 16.
fn general(value: f64) -> String {
    if !value.is_finite() {
        return if value > 0.0 { "inf".into() } else { "-inf".into() };
    }
    let text = format!("{value:.16e}");
    let (digits, exponent) = text.split_once('e').expect("the format has an exponent");
    let exponent: i32 = exponent.parse().expect("the exponent is a number");
    if (-4..17).contains(&exponent) {
        return trimmed(&format!("{value:.*}", (16 - exponent) as usize)).into();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trimmed(digits), exponent.abs())
}

/// Without zeros behind the point, and without a point that nothing follows.
fn trimmed(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

#[cfg(test)]
mod tests {
    use super::general;

    /// What C's printf writes for `%.17g`.
    #[test]
    fn scores_are_written_as_c_writes_them() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (2.5, "2.5"),
            (0.1, "0.10000000000000001"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (1.5e300, "1.5000000000000001e+300"),
            (0.0001, "0.0001"),
            (0.00001, "1.0000000000000001e-05"),
            (-123.456, "-123.456"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(general(value), text);
        }
    }
}
