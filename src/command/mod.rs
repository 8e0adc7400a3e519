//! Commands: the table, the executor that takes them through the gate, and one file per family of handlers.
//!
//! A handler is a plain synchronous function. It knows its arguments, the database as [`Space`] shows it, and the
//! reply; it knows nothing of sockets, nor of the gate: the executor has closed what must be closed.

pub mod bitmap;
pub mod blocking;
pub mod client;
pub mod connection;
pub mod container;
pub mod diagnosis;
pub mod error;
pub mod exec;
pub mod expire;
pub mod footprint;
pub mod geo;
pub mod hash;
pub mod hyperloglog;
pub mod key;
pub mod keys;
pub mod latency;
pub mod list;
pub mod nested;
pub mod notify;
pub mod pause;
pub mod pubsub;
pub mod rdb;
pub mod room;
pub mod script;
pub mod server;
pub mod set;
pub mod sort;
pub mod state;
pub mod stats;
pub mod stream;
pub mod string;
pub mod table;
pub mod ticks;
pub mod tracking;
pub mod transaction;
pub mod zset;

use blocking::Block;
use client::Client;
use nested::Caller;
use state::Server;
use table::Command;

use crate::keyspace::gate::Section;
use crate::keyspace::{Key, Space};
use crate::protocol::args::Args;
use crate::protocol::reply::Reply;

/// The families, in the order of COMMAND's reply.
pub(crate) const FAMILIES: &[&[Command]] = &[
    string::COMMANDS,
    key::COMMANDS,
    expire::COMMANDS,
    rdb::COMMANDS,
    set::COMMANDS,
    sort::COMMANDS,
    bitmap::COMMANDS,
    hash::COMMANDS,
    hyperloglog::COMMANDS,
    stream::COMMANDS,
    list::COMMANDS,
    zset::COMMANDS,
    geo::COMMANDS,
    blocking::COMMANDS,
    connection::COMMANDS,
    pubsub::COMMANDS,
    transaction::COMMANDS,
    script::COMMANDS,
    server::COMMANDS,
    diagnosis::COMMANDS,
    #[cfg(test)]
    exec::tests::COMMANDS,
];

/// What a handler works with.
pub struct Ctx<'a> {
    /// The server.
    pub server: &'a Server,
    /// Who sent the command.
    pub client: &'a mut Client,
    /// The client's database.
    pub space: &'a Space<'a>,
    /// The arguments, the command's name first.
    pub args: Args<'a>,
    /// Where the reply goes.
    pub reply: Reply<'a>,
    /// The command that is running (of a container: the subcommand).
    pub command: &'static Command,
    /// The section that the command runs in, if it does.
    pub section: Option<&'a Section<'a>>,
    /// Who runs the command.
    pub caller: Caller,
    /// Set by a handler that needs keys it could not name before: its reply is thrown away, and it is called again
    /// with everything closed. It must not have changed anything yet, and it must be its client's own command.
    pub strayed: bool,
    /// What the command waits for: see [`Ctx::block`].
    block: Option<Box<Block>>,
    /// The first key as the batch looked it up, with the number of its argument.
    first_key: Option<(usize, Key<'a>)>,
}

impl<'a> Ctx<'a> {
    /// The key at argument `index`.
    #[inline(always)]
    pub fn key(&self, index: usize) -> Key<'a> {
        match self.first_key {
            Some((at, key)) if at == index => key,
            _ => self.space.key(self.arg(index)),
        }
    }

    /// The argument at `index`, which the arity has promised.
    #[inline(always)]
    pub fn arg(&self, index: usize) -> &'a [u8] {
        self.args.get(index).expect("the arity was checked")
    }
}
