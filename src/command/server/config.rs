//! CONFIG: the configuration, as clients read and change it.

use crate::command::table::{Categories, Command, Flags};
use crate::command::{Ctx, container, error};

const ADMIN: Flags = Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE);
const NONE: Categories = Categories::empty();

pub(super) const SUBCOMMANDS: &[Command] = &[
    Command::new("config|get", -3, ADMIN, NONE, &[], get).docs(
        "server",
        "2.0.0",
        "Shows configuration parameters.",
        "O(N) when N is the number of configuration parameters provided",
        "parameter [parameter ...]",
    ),
    Command::new("config|help", 2, Flags::LOADING.union(Flags::STALE), NONE, &[], help).docs(
        "server",
        "5.0.0",
        "Explains the subcommands.",
        "O(1)",
        "",
    ),
    Command::new("config|resetstat", 2, ADMIN, NONE, &[], resetstat).docs(
        "server",
        "2.0.0",
        "Starts the counters of INFO at zero again.",
        "O(1)",
        "",
    ),
    Command::new("config|rewrite", 2, ADMIN, NONE, &[], rewrite).docs(
        "server",
        "2.8.0",
        "Writes the present configuration into the configuration file.",
        "O(1)",
        "",
    ),
    Command::new("config|set", -4, ADMIN, NONE, &[], set).docs(
        "server",
        "2.0.0",
        "Changes configuration parameters, all or none.",
        "O(N) when N is the number of configuration parameters provided",
        "parameter value [parameter value ...]",
    ),
];

fn get(ctx: &mut Ctx<'_>) {
    let patterns: Vec<&[u8]> = ctx.args.iter().skip(2).collect();
    let found = ctx.server.config.get(&patterns);
    ctx.reply.map(found.len());
    for (name, value) in found {
        ctx.reply.bulk(name.as_bytes());
        ctx.reply.bulk(&value);
    }
}

fn set(ctx: &mut Ctx<'_>) {
    let words: Vec<&[u8]> = ctx.args.iter().skip(2).collect();
    let (pairs, rest) = words.as_chunks();
    if !rest.is_empty() {
        return ctx.reply.error(error::SYNTAX);
    }
    let pairs: Vec<(&[u8], &[u8])> = pairs.iter().map(|&[name, value]| (name, value)).collect();
    let outcome = ctx.server.config.set(&pairs, ctx.client.is_local());
    ctx.server.diagnosis.refresh(ctx.server.config.live());
    answer(ctx, outcome);
}

fn rewrite(ctx: &mut Ctx<'_>) {
    let outcome = ctx.server.config.rewrite();
    answer(ctx, outcome);
}

fn answer(ctx: &mut Ctx<'_>, outcome: Result<(), String>) {
    match outcome {
        Ok(()) => ctx.reply.ok(),
        Err(reason) => ctx.reply.error(&format!("ERR {reason}")),
    }
}

fn resetstat(ctx: &mut Ctx<'_>) {
    ctx.server.reset_sums();
    ctx.server.shortage.reset();
    ctx.reply.ok();
}

fn help(ctx: &mut Ctx<'_>) {
    container::help(
        ctx,
        &[
            "GET <pattern> [<pattern> ...]",
            "    Show the parameters whose names match, with their values.",
            "SET <parameter> <value> [<parameter> <value> ...]",
            "    Change parameters, all or none.",
            "RESETSTAT",
            "    Start the counters of INFO at zero again.",
            "REWRITE",
            "    Write the present configuration into the configuration file.",
        ],
    );
}
