//! PUBSUB: who listens to what.

use super::hub::Scope;
use crate::command::table::{Categories, Command, Flags};
use crate::command::{Ctx, container};

const NONE: Categories = Categories::empty();
const ASK: Flags = Flags::PUBSUB.union(Flags::LOADING).union(Flags::STALE);

#[rustfmt::skip]
pub(super) const COMMANDS: &[Command] = &[
    Command::new("pubsub|channels", -2, ASK, NONE, &[], channels).docs("pubsub", "2.8.0", "Lists the channels that somebody listens to.", "O(N) where N is the number of active channels, and assuming constant time pattern matching (relatively short channels and patterns)", "[pattern]"),
    Command::new("pubsub|help", 2, Flags::LOADING.union(Flags::STALE), NONE, &[], help).docs("pubsub", "6.2.0", "Explains the subcommands.", "O(1)", ""),
    Command::new("pubsub|numpat", 2, ASK, NONE, &[], numpat).docs("pubsub", "2.8.0", "Counts the patterns that somebody listens to.", "O(1)", ""),
    Command::new("pubsub|numsub", -2, ASK, NONE, &[], numsub).docs("pubsub", "2.8.0", "Counts who listens to channels.", "O(N) for the NUMSUB subcommand, where N is the number of requested channels", "[channel [channel ...]]"),
    Command::new("pubsub|shardchannels", -2, ASK, NONE, &[], shardchannels).docs("pubsub", "7.0.0", "Lists the channels of shards that somebody listens to.", "O(N) where N is the number of active shard channels, and assuming constant time pattern matching (relatively short shard channels).", "[pattern]"),
    Command::new("pubsub|shardnumsub", -2, ASK, NONE, &[], shardnumsub).docs("pubsub", "7.0.0", "Counts who listens to channels of shards.", "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels", "[shardchannel [shardchannel ...]]"),
];

fn channels(ctx: &mut Ctx<'_>) {
    list(ctx, Scope::Channel);
}

fn shardchannels(ctx: &mut Ctx<'_>) {
    list(ctx, Scope::Shard);
}

fn list(ctx: &mut Ctx<'_>, scope: Scope) {
    if ctx.args.len() > 3 {
        let text = container::wrong_words(ctx.args);
        return ctx.reply.error(&text);
    }
    let names = ctx.server.hub.names(scope, ctx.args.get(2));
    ctx.reply.array(names.len());
    names.iter().for_each(|name| ctx.reply.bulk(name));
}

fn numsub(ctx: &mut Ctx<'_>) {
    count(ctx, Scope::Channel);
}

fn shardnumsub(ctx: &mut Ctx<'_>) {
    count(ctx, Scope::Shard);
}

fn count(ctx: &mut Ctx<'_>, scope: Scope) {
    ctx.reply.array(2 * (ctx.args.len() - 2));
    for at in 2..ctx.args.len() {
        let listeners = ctx.server.hub.listeners(scope, ctx.arg(at));
        ctx.reply.bulk(ctx.arg(at));
        ctx.reply.int(listeners as i64);
    }
}

fn numpat(ctx: &mut Ctx<'_>) {
    ctx.reply.int(ctx.server.hub.count(Scope::Pattern) as i64);
}

fn help(ctx: &mut Ctx<'_>) {
    container::help(
        ctx,
        &[
            "CHANNELS [<pattern>]",
            "    Return the names of channels that somebody listens to, of those that match",
            "    <pattern> if there is one.",
            "NUMPAT",
            "    Return how many patterns somebody listens to.",
            "NUMSUB [<channel> ...]",
            "    Return how many clients listen to each <channel>, not counting patterns.",
            "SHARDCHANNELS [<pattern>]",
            "    Return the names of channels of shards that somebody listens to.",
            "SHARDNUMSUB [<shardchannel> ...]",
            "    Return how many clients listen to each <shardchannel>.",
        ],
    );
}
