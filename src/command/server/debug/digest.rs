//! DEBUG DIGEST and DIGEST-VALUE: digests that equal data has in equal form, here and in Redis 7.
//!
//! A digest is 20 bytes, zero at first. *Adding* data xors its SHA-1 in, so that order does not matter; *mixing* data
//! adds it and replaces the digest by its own SHA-1, so that order matters. Redis's `debug.c` has the recipe: the type's
//! number is mixed in first, then come the parts of the value, and a deadline of any height is added at the end.

use sha1_smol::Sha1;

use crate::command::Ctx;
use crate::command::string::text::{Digits, text_of};
use crate::keyspace::{Live, Space};
use crate::value::word::NO_EXPIRY;

/// Redis's numbers of the types.
const STRING: u32 = 0;

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
            add_value(&mut digest, &live);
        }
        ctx.reply.simple(&digest.text());
    }
}

pub(super) fn all(ctx: &mut Ctx<'_>) {
    let mut digest = Digest::default();
    for db in 0..ctx.space.keyspace.databases() {
        let space = ctx.space.other(db);
        if space.table().len() != 0 {
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
                add_value(&mut digest, &live);
                all.add(&digest.0);
            }
        });
        if cursor == 0 {
            return;
        }
    }
}

fn add_value(digest: &mut Digest, live: &Live<'_>) {
    if let Ok(text) = text_of(live) {
        digest.mix(&STRING.to_be_bytes());
        digest.mix(text.bytes(&mut Digits::new()));
    }
    if live.expire_at != NO_EXPIRY {
        digest.add(b"!!expire!!");
    }
}
