//! SORT and SORT_RO.
//!
//! | file | holds |
//! |---|---|
//! | `options` | what the caller asks for |
//! | `pattern` | keys and fields that an element names |
//! | `elements` | the elements with their weights, and their order |
//!
//! The keys that patterns name are not among the arguments. A call with such patterns therefore works on everything:
//! it sees all keys as they are at one moment.

mod elements;
mod options;
mod pattern;

use elements::Elements;
use options::{By, Options};
use pattern::Pattern;

use crate::command::Ctx;
use crate::command::client::Client;
use crate::command::footprint::{Footprint, Setting};
use crate::command::keys::{Begin, Find, KeyFlags, KeySpec};
use crate::command::nested::Call;
use crate::command::notify::Events;
use crate::command::state::Server;
use crate::command::table::{Categories, Command, Flags, registry};
use crate::keyspace::Space;
use crate::protocol::args::Args;
use crate::value::collection::Collection;
use crate::value::list::{Limits, List, Side};
use crate::value::packed::Digits;
use crate::value::word::NO_EXPIRY;

const READS: KeyFlags = KeyFlags::RO.union(KeyFlags::ACCESS);
const ONE_KEY: Find = Find::Range { last: 0, step: 1, limit: 0 };
const BY_PATTERN: KeySpec = KeySpec { flags: READS, begin: Begin::Data, find: ONE_KEY };
const STORED: KeySpec = KeySpec {
    flags: KeyFlags::OW.union(KeyFlags::UPDATE),
    begin: Begin::LastOption { word: "store", operands: &[("limit", 2), ("get", 1), ("by", 1)], from: 2 },
    find: ONE_KEY,
};

const C: Categories =
    Categories::SET.union(Categories::SORTEDSET).union(Categories::LIST).union(Categories::DANGEROUS);
const COMPLEXITY: &str = "O(N+M*log(M)) where N is the number of elements of the key and M is the number of those \
    returned; O(N) if they are not sorted.";

pub(in crate::command) const COMMANDS: &[Command] = &[
    Command::new(
        "sort",
        -2,
        Flags::WRITE.union(Flags::DENYOOM).union(Flags::MOVABLEKEYS),
        C,
        &[KeySpec::one(1, READS), BY_PATTERN, STORED],
        sort,
    )
    .works_on(footprint)
    .docs(
        "generic",
        "1.0.0",
        "Sorts the elements of a list, set or sorted set, and can store the result.",
        COMPLEXITY,
        "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA] [STORE destination]",
    ),
    Command::new(
        "sort_ro",
        -2,
        Flags::READONLY.union(Flags::MOVABLEKEYS),
        C,
        &[KeySpec::one(1, READS), BY_PATTERN],
        sort_ro,
    )
    .works_on(footprint)
    .docs(
        "generic",
        "7.0.0",
        "Returns the sorted elements of a list, set or sorted set.",
        COMPLEXITY,
        "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]",
    ),
];

/// Everything, if patterns name keys that nobody can tell before.
fn footprint(_: &Server, _: &Client, args: Args<'_>, _: Setting, footprint: &mut Footprint) {
    if Options::parse(args, true).is_ok_and(|options| options.follows_patterns()) {
        footprint.add_everything();
    }
}

fn sort(ctx: &mut Ctx<'_>) {
    match Options::parse(ctx.args, true) {
        Ok(options) => run(ctx, &options),
        Err(text) => ctx.reply.error(text),
    }
}

fn sort_ro(ctx: &mut Ctx<'_>) {
    match Options::parse(ctx.args, false) {
        Ok(options) => run(ctx, &options),
        Err(text) => ctx.reply.error(text),
    }
}

fn run(ctx: &mut Ctx<'_>, options: &Options<'_>) {
    if let Some(text) = refusal(ctx, options) {
        return ctx.reply.error(text);
    }
    match Elements::sorted(ctx, options) {
        Err(text) => ctx.reply.error(text),
        Ok(elements) => match options.store {
            Some(to) => store(ctx, options, &elements, to),
            None => answer(ctx, options, &elements),
        },
    }
}

/// The refusal of patterns that may name any key, for a client that may not read every key.
fn refusal(ctx: &Ctx<'_>, options: &Options<'_>) -> Option<&'static str> {
    let weighs = matches!(options.by, By::Weights(_));
    if !ctx.client.guarded() || (!weighs && options.get.is_empty()) {
        return None;
    }
    let (id, _) = registry().find_original(ctx.command.name.as_bytes())?;
    if ctx.client.user.may_read_any_key(&Call { id, command: ctx.command, args: ctx.args }) {
        return None;
    }
    Some(match weighs {
        true => "ERR BY option of SORT denied due to insufficient ACL permissions.",
        false => "ERR GET option of SORT denied due to insufficient ACL permissions.",
    })
}

/// What a reply and a stored list consist of: for each element itself, or what each GET names.
fn for_each_part(
    space: &Space<'_>,
    options: &Options<'_>,
    elements: &Elements,
    mut take: impl FnMut(Option<&[u8]>),
) {
    let mut digits = Digits::default();
    for element in elements.iter() {
        if options.get.is_empty() {
            take(Some(element));
        }
        for pattern in &options.get {
            match pattern {
                Pattern::Element => take(Some(element)),
                pattern => pattern.look_up(space, element, |found| {
                    take(found.map(|found| found.bytes(&mut digits)));
                }),
            }
        }
    }
}

fn answer(ctx: &mut Ctx<'_>, options: &Options<'_>, elements: &Elements) {
    let parts = elements.len() * options.get.len().max(1);
    ctx.reply.array(parts);
    for_each_part(ctx.space, options, elements, |part| match part {
        Some(text) => ctx.reply.bulk(text),
        None => ctx.reply.null(),
    });
}

fn store(ctx: &mut Ctx<'_>, options: &Options<'_>, elements: &Elements, to: &[u8]) {
    let live = ctx.server.config.live();
    let limits = Limits::new(live.list_max_listpack_size(), live.list_compress_depth());
    let (mut list, key) = (List::new(), ctx.space.key(to));
    for_each_part(ctx.space, options, elements, |part| {
        list.push(Side::Right, [part.unwrap_or_default()].into_iter(), &limits);
    });
    let (count, existed) = (list.len(), ctx.space.exists(key));
    if ctx.space.store(key, list, NO_EXPIRY) {
        ctx.notify(Events::LIST, "sortstore", to);
    } else if existed {
        ctx.notify(Events::GENERIC, "del", to);
    }
    ctx.reply.int(count as i64);
}
