//! Entering what a client's command is about to read.

use super::tracker::Tracker;
use crate::command::keys;
use crate::command::state::Server;
use crate::command::table::Command;
use crate::keyspace::gate::{Closed, Section, stripe_of};
use crate::protocol::args::Args;

/// Enters the keys of a call that nothing is closed for, before it reads them. On an error the client begins anew when
/// that is open.
pub(in crate::command) fn enter(
    server: &Server,
    lane: usize,
    tracker: &Tracker,
    (command, args): (&Command, Args<'_>),
) -> Result<(), Closed> {
    if !tracker.wants(command) {
        return Ok(());
    }
    let keyspace = &server.keyspace;
    let mut stripes = Vec::new();
    for key in keys_of(command, args) {
        let hash = keyspace.hasher.hash(key);
        keyspace.readers.enter(&keyspace.gate, key, hash, tracker.id);
        stripes.push(stripe_of(hash));
    }
    stripes.sort_unstable();
    stripes.dedup();
    keyspace.gate.settle(lane, &stripes)
}

/// Enters the keys of a call that runs in a section over them.
pub(in crate::command) fn enter_in(
    server: &Server,
    section: &Section<'_>,
    tracker: &Tracker,
    (command, args): (&Command, Args<'_>),
) {
    if !tracker.wants(command) {
        return;
    }
    let keyspace = &server.keyspace;
    for key in keys_of(command, args) {
        keyspace.readers.enter_in(&keyspace.gate, section, key, keyspace.hasher.hash(key), tracker.id);
    }
}

/// The keys of a call; of arguments that do not fit, those in front, which the handler will not read.
fn keys_of<'a>(command: &Command, args: Args<'a>) -> impl Iterator<Item = &'a [u8]> {
    let mut places = Vec::new();
    keys::extract(command.keys, args, &mut places);
    places.into_iter().filter_map(move |at| args.get(at))
}
