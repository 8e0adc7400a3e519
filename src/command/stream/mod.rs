//! Streams.
//!
//! | file | holds |
//! |---|---|
//! | `id`, `entries` | ids and entries as arguments and replies |
//! | `options` | the words that several commands share: trimming, references, lists of ids |
//! | `add` | XADD and XCFGSET |
//! | `range` | XLEN, XRANGE, XREVRANGE |
//! | `delete` | XDEL, XDELEX, XTRIM, XSETID |
//! | `read` | XREAD and XREADGROUP |
//! | `group` | XGROUP |
//! | `acknowledge` | XACK, XACKDEL, XNACK |
//! | `claim` | XCLAIM and XAUTOCLAIM |
//! | `pending` | XPENDING |
//! | `info` | XINFO |
//!
//! A handler returns its refusal, and writes a reply only if it has none.

mod acknowledge;
mod add;
mod claim;
mod commands;
mod delete;
mod entries;
mod group;
mod id;
mod info;
mod options;
mod pending;
mod range;
pub(crate) mod read;

use std::borrow::Cow;

pub(in crate::command) use commands::COMMANDS;

use super::Ctx;
use super::error::{self, NO_SUCH_KEY, NOT_AN_INTEGER};
use crate::keyspace::WrongType;
use crate::protocol::args::{Args, parse_i64};
use crate::value::stream::{Id, Limits};

/// The error that a command answers instead of doing anything.
#[derive(Debug)]
pub(crate) struct Refusal(Cow<'static, str>);

impl From<&'static str> for Refusal {
    fn from(text: &'static str) -> Refusal {
        Refusal(Cow::Borrowed(text))
    }
}

impl From<String> for Refusal {
    fn from(text: String) -> Refusal {
        Refusal(Cow::Owned(text))
    }
}

impl From<WrongType> for Refusal {
    fn from(_: WrongType) -> Refusal {
        error::WRONGTYPE.into()
    }
}

/// Runs a handler and answers its refusal.
fn run(ctx: &mut Ctx<'_>, handler: fn(&mut Ctx<'_>) -> Result<(), Refusal>) {
    if let Err(refusal) = handler(ctx) {
        ctx.reply.error(&refusal.0);
    }
}

fn integer(text: &[u8]) -> Result<i64, Refusal> {
    parse_i64(text).ok_or(NOT_AN_INTEGER.into())
}

/// Ids, each with both parts or the first one alone.
fn parse_all(args: Args<'_>) -> Result<Vec<Id>, Refusal> {
    args.iter().map(|text| id::parse(text, 0)).collect()
}

/// When a block of a stream is full.
fn limits(ctx: &Ctx<'_>) -> Limits {
    let live = ctx.server.config.live();
    Limits { bytes: live.stream_node_max_bytes(), entries: live.stream_node_max_entries() }
}

/// The refusal where the key is there but not the group.
fn no_group(group: &[u8], key: &[u8]) -> Refusal {
    let (key, group) = (error::c_text(key), error::c_text(group));
    format!("NOGROUP No such consumer group '{group}' for key name '{key}'").into()
}

/// The refusal where the key or the group is missing.
fn no_key_or_group(key: &[u8], group: &[u8]) -> Refusal {
    let (key, group) = (error::c_text(key), error::c_text(group));
    format!("NOGROUP No such key '{key}' or consumer group '{group}'").into()
}
