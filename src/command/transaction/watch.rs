//! WATCH and UNWATCH.

use std::sync::Arc;

use crate::command::Ctx;
use crate::command::client::Client;
use crate::command::footprint::Footprint;
use crate::command::state::Server;
use crate::keyspace::Space;
use crate::keyspace::observe::Watcher;

/// What a client watches.
#[derive(Default)]
pub struct Watching {
    watcher: Arc<Watcher>,
    keys: Vec<(usize, Box<[u8]>)>,
    /// Bytes that they take.
    memory: usize,
}

/// Bytes that watching a key takes besides two copies of its name: here, and in the list of the key's watchers.
const WATCH_BYTES: usize = 128;

impl Watching {
    /// How many keys it watches.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Bytes that watching them takes.
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// Whether it watches no key.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether one of them has changed.
    pub fn is_dirty(&self) -> bool {
        self.watcher.is_dirty()
    }
}

pub(super) fn watch(ctx: &mut Ctx<'_>) {
    if ctx.client.multi.is_some() {
        return ctx.reply.error("ERR WATCH inside MULTI is not allowed");
    }
    let (db, keyspace) = (ctx.space.db, ctx.space.keyspace);
    let Some(section) = ctx.section else { return };
    let watching = ctx.client.watching.get_or_insert_default();
    for name in ctx.args.iter().skip(1) {
        if watching.keys.iter().any(|(of, known)| *of == db && **known == *name) {
            continue;
        }
        let key = ctx.space.key(name);
        // A key that is past its deadline is gone before it is watched, so its vanishing is no change.
        ctx.space.peek(key);
        keyspace.watches.enter(&keyspace.gate, section, (db, name, key.hash), &watching.watcher);
        watching.keys.push((db, name.into()));
        watching.memory += WATCH_BYTES + 2 * name.len();
    }
    ctx.reply.ok();
}

pub(super) fn unwatch(ctx: &mut Ctx<'_>) {
    ctx.client.unwatch(ctx.server);
    ctx.reply.ok();
}

/// Adds the stripes of what the client watches.
pub(super) fn add_footprint(server: &Server, client: &Client, footprint: &mut Footprint) {
    let keys = client.watching.iter().flat_map(|watching| &watching.keys);
    keys.for_each(|(_, key)| footprint.add_key(server, key));
}

/// Whether a watched key has changed, or is about to: those past their deadlines end here.
pub(super) fn has_changed(client: &Client, space: &Space<'_>) -> bool {
    let Some(watching) = &client.watching else { return false };
    for (db, key) in &watching.keys {
        let space = space.other(*db);
        space.peek(space.key(key));
    }
    watching.is_dirty()
}

impl Client {
    /// Forgets what the client watches.
    pub fn unwatch(&mut self, server: &Server) {
        let Some(watching) = self.watching.take() else { return };
        let keyspace = &server.keyspace;
        for (db, key) in &watching.keys {
            let hash = keyspace.hasher.hash(key);
            keyspace.watches.leave(&keyspace.gate, (*db, key, hash), &watching.watcher);
        }
    }
}
