//! Publish and subscribe: messages to whoever listens at that moment.
//!
//! | file | holds |
//! |---|---|
//! | `hub` | who listens to what, and the way of a message to the workers |
//! | `subscriptions` | what one client listens to |
//! | `inspect` | PUBSUB |

mod hub;
mod inspect;
mod subscriptions;

pub use hub::{Content, Hub, Post, Scope};
pub use subscriptions::Subscriptions;

use bytes::Bytes;

use super::Ctx;
use super::client::Client;
use super::table::{Categories, Command, Flags};
use crate::protocol::args::Args;

const P: Categories = Categories::PUBSUB;
const LISTEN: Flags = Flags::PUBSUB.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE);
const PUBLISH: Flags =
    Flags::PUBSUB.union(Flags::LOADING).union(Flags::STALE).union(Flags::FAST).union(Flags::MAY_REPLICATE);

#[rustfmt::skip]
pub(in crate::command) const COMMANDS: &[Command] = &[
    Command::new("subscribe", -2, LISTEN, P, &[], subscribe).docs("pubsub", "2.0.0", "Listens to channels.", "O(N) where N is the number of channels to subscribe to.", "channel [channel ...]"),
    Command::new("unsubscribe", -1, LISTEN, P, &[], unsubscribe).docs("pubsub", "2.0.0", "Stops listening to channels.", "O(N) where N is the number of channels to unsubscribe.", "[channel [channel ...]]"),
    Command::new("psubscribe", -2, LISTEN, P, &[], psubscribe).docs("pubsub", "2.0.0", "Listens to channels whose names match patterns.", "O(N) where N is the number of patterns to subscribe to.", "pattern [pattern ...]"),
    Command::new("punsubscribe", -1, LISTEN, P, &[], punsubscribe).docs("pubsub", "2.0.0", "Stops listening to patterns.", "O(N) where N is the number of patterns to unsubscribe.", "[pattern [pattern ...]]"),
    Command::new("ssubscribe", -2, LISTEN, P, &[], ssubscribe).docs("pubsub", "7.0.0", "Listens to channels of shards.", "O(N) where N is the number of shard channels to subscribe to.", "shardchannel [shardchannel ...]"),
    Command::new("sunsubscribe", -1, LISTEN, P, &[], sunsubscribe).docs("pubsub", "7.0.0", "Stops listening to channels of shards.", "O(N) where N is the number of shard channels to unsubscribe.", "[shardchannel [shardchannel ...]]"),
    Command::new("publish", 3, PUBLISH, P, &[], publish).docs("pubsub", "2.0.0", "Sends a message to a channel.", "O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of subscribed patterns (by any client).", "channel message"),
    Command::new("spublish", 3, PUBLISH, P, &[], spublish).docs("pubsub", "7.0.0", "Sends a message to a channel of a shard.", "O(N) where N is the number of clients subscribed to the receiving shard channel.", "shardchannel message"),
    Command::container("pubsub", inspect::COMMANDS).docs("pubsub", "2.8.0", "Contains the commands about subscriptions.", "Depends on the subcommand.", ""),
];

/// Whether the call answers with messages, which a client gets that has said CLIENT REPLY OFF too.
pub(super) fn answers_by_pushing(command: &Command, args: Args<'_>) -> bool {
    let listens = command.flags.contains(Flags::PUBSUB) && command.name.ends_with("subscribe");
    listens && command.accepts(args.len())
}

/// Whether a client that listens in RESP2 may run the command: replies and messages cannot be told apart there.
pub(super) fn is_allowed_while_listening(command: &Command) -> bool {
    matches!(
        command.name,
        "subscribe"
            | "unsubscribe"
            | "psubscribe"
            | "punsubscribe"
            | "ssubscribe"
            | "sunsubscribe"
            | "ping"
            | "quit"
            | "reset"
    )
}

/// The refusal of every other command.
pub(super) fn refusal(command: &Command) -> String {
    format!(
        "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
        command.name
    )
}

impl Client {
    /// Ends all of the client's subscriptions, and MONITOR, without telling it. `worker` serves the client.
    pub fn stop_listening(&mut self, hub: &Hub, worker: usize) {
        if std::mem::take(&mut self.monitors) {
            hub.leave(Scope::Monitor, &Bytes::new(), worker, self.id);
        }
        if let Some(subscriptions) = self.subscriptions.take() {
            subscriptions.leave_all(hub, worker, self.id);
        }
    }
}

fn subscribe(ctx: &mut Ctx<'_>) {
    listen(ctx, Scope::Channel, b"subscribe");
}

fn psubscribe(ctx: &mut Ctx<'_>) {
    listen(ctx, Scope::Pattern, b"psubscribe");
}

fn ssubscribe(ctx: &mut Ctx<'_>) {
    listen(ctx, Scope::Shard, b"ssubscribe");
}

/// Listens to all names of the call, with a message about each.
fn listen(ctx: &mut Ctx<'_>, scope: Scope, kind: &[u8]) {
    for at in 1..ctx.args.len() {
        let name = Bytes::copy_from_slice(ctx.arg(at));
        let subscriptions = ctx.client.subscriptions.get_or_insert_default();
        if subscriptions.add(scope, &name) {
            ctx.server.hub.join(scope, &name, ctx.space.lane(), ctx.client.seat, ctx.client.id);
        }
        confirm(ctx, kind, Some(&name), scope);
    }
}

fn unsubscribe(ctx: &mut Ctx<'_>) {
    stop(ctx, Scope::Channel, b"unsubscribe");
}

fn punsubscribe(ctx: &mut Ctx<'_>) {
    stop(ctx, Scope::Pattern, b"punsubscribe");
}

fn sunsubscribe(ctx: &mut Ctx<'_>) {
    stop(ctx, Scope::Shard, b"sunsubscribe");
}

/// Stops listening to the names of the call, or to all of them, with a message about each.
fn stop(ctx: &mut Ctx<'_>, scope: Scope, kind: &[u8]) {
    let named: Vec<Bytes> = ctx.args.iter().skip(1).map(Bytes::copy_from_slice).collect();
    let names = match (&ctx.client.subscriptions, named.is_empty()) {
        (Some(subscriptions), true) => subscriptions.names(scope),
        (_, _) => named,
    };
    if names.is_empty() {
        return confirm(ctx, kind, None, scope);
    }
    for name in names {
        if let Some(subscriptions) = &mut ctx.client.subscriptions
            && subscriptions.remove(scope, &name)
        {
            ctx.server.hub.leave(scope, &name, ctx.space.lane(), ctx.client.id);
        }
        confirm(ctx, kind, Some(&name), scope);
    }
    if ctx.client.subscriptions.as_ref().is_some_and(|subscriptions| subscriptions.is_empty()) {
        ctx.client.subscriptions = None;
    }
}

/// The message that a subscription began or ended, and how many there are now.
fn confirm(ctx: &mut Ctx<'_>, kind: &[u8], name: Option<&[u8]>, scope: Scope) {
    let count = ctx.client.subscriptions.as_ref().map_or(0, |subscriptions| subscriptions.shown(scope));
    ctx.reply.push(3);
    ctx.reply.bulk(kind);
    match name {
        Some(name) => ctx.reply.bulk(name),
        None => ctx.reply.null(),
    }
    ctx.reply.int(count as i64);
}

fn publish(ctx: &mut Ctx<'_>) {
    let reached = ctx.server.hub.publish(Scope::Channel, ctx.arg(1), ctx.arg(2));
    ctx.reply.int(reached as i64);
}

fn spublish(ctx: &mut Ctx<'_>) {
    let reached = ctx.server.hub.publish(Scope::Shard, ctx.arg(1), ctx.arg(2));
    ctx.reply.int(reached as i64);
}
