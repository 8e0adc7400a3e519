//! Connections: what a client says about itself, and what it asks about others.

mod client;
mod hello;
mod kill;
mod list;
mod security;

pub(super) use list::describe;
pub(super) use security::{is_of_a_browser, log_attack};

use crate::command::client::Replies;
use crate::command::table::{Categories, Command, Flags};
use crate::command::{Ctx, container, error};
use crate::protocol::args::parse_i64;

const C: Categories = Categories::CONNECTION;
const ANY_TIME: Flags = Flags::LOADING.union(Flags::STALE).union(Flags::FAST);
/// Of the commands that a client may send before it has said who it is.
const GREETING: Flags = ANY_TIME.union(Flags::NOSCRIPT).union(Flags::NO_AUTH).union(Flags::ALLOW_BUSY);

#[rustfmt::skip]
pub(in crate::command) const COMMANDS: &[Command] = &[
    Command::new("ping", -1, Flags::FAST, C, &[], ping).docs("connection", "1.0.0", "Answers, so that a client knows the server is alive.", "O(1)", "[message]"),
    Command::new("echo", 2, ANY_TIME, C, &[], echo).docs("connection", "1.0.0", "Returns its argument.", "O(1)", "message"),
    Command::new("select", 2, ANY_TIME, C, &[], select).docs("connection", "1.0.0", "Changes the connection's database.", "O(1)", "index"),
    Command::new("quit", -1, GREETING, C, &[], quit).docs("connection", "1.0.0", "Ends the connection.", "O(1)", ""),
    Command::new("reset", 1, GREETING, C, &[], reset).docs("connection", "6.2.0", "Makes the connection like a new one.", "O(1)", ""),
    Command::new("hello", -1, GREETING, C, &[], hello::hello).docs("connection", "6.0.0", "Agrees on the protocol and describes the server.", "O(1)", "[protover [AUTH username password] [SETNAME clientname]]"),
    Command::new("auth", -2, GREETING, C, &[], hello::auth).docs("connection", "1.0.0", "Tells the server who the client is.", "O(N) where N is the number of the user's passwords", "[username] password"),
    Command::container("client", client::COMMANDS).docs("connection", "2.4.0", "Contains the commands about clients.", "Depends on the subcommand.", ""),
];

fn ping(ctx: &mut Ctx<'_>) {
    if ctx.client.subscriptions.is_some() && !ctx.reply.resp3() && ctx.args.len() <= 2 {
        // Among messages, an answer has their shape.
        ctx.reply.array(2);
        ctx.reply.bulk(b"pong");
        return ctx.reply.bulk(ctx.args.get(1).unwrap_or_default());
    }
    match (ctx.args.len(), ctx.args.get(1)) {
        (1, _) => ctx.reply.simple("PONG"),
        (2, Some(text)) => ctx.reply.bulk(text),
        _ => ctx.reply.error(&container::wrong_arity(ctx.command)),
    }
}

fn echo(ctx: &mut Ctx<'_>) {
    ctx.reply.bulk(ctx.arg(1));
}

fn select(ctx: &mut Ctx<'_>) {
    match database(ctx.arg(1), ctx.server.keyspace.databases()) {
        Ok(db) => {
            ctx.client.db = db;
            ctx.reply.ok();
        }
        Err(text) => ctx.reply.error(text),
    }
}

fn database(text: &[u8], databases: usize) -> Result<usize, &'static str> {
    let number = parse_i64(text).ok_or(error::NOT_AN_INTEGER)?;
    let number = i32::try_from(number)
        .map_err(|_| "ERR value is out of range, value must between -2147483648 and 2147483647")?;
    let db = usize::try_from(number).ok().filter(|&db| db < databases);
    db.ok_or("ERR DB index is out of range")
}

fn quit(ctx: &mut Ctx<'_>) {
    ctx.client.closing = true;
    ctx.reply.ok();
}

fn reset(ctx: &mut Ctx<'_>) {
    ctx.client.stop_listening(&ctx.server.hub, ctx.space.lane());
    ctx.client.reset(ctx.server);
    ctx.server.users.dismiss(ctx.client);
    ctx.reply.set_resp3(false);
    ctx.reply.simple("RESET");
}

/// ON or OFF at argument 2; answers anything else with an error.
fn on_or_off(ctx: &mut Ctx<'_>) -> Option<bool> {
    let on = match ctx.arg(2) {
        word if word.eq_ignore_ascii_case(b"on") => true,
        word if word.eq_ignore_ascii_case(b"off") => false,
        _ => {
            ctx.reply.error(error::SYNTAX);
            return None;
        }
    };
    ctx.reply.ok();
    Some(on)
}

/// CLIENT REPLY, which answers nothing but to ON.
fn replies(ctx: &mut Ctx<'_>) {
    let word = ctx.arg(2);
    if word.eq_ignore_ascii_case(b"on") {
        ctx.client.replies = Replies::On;
        ctx.reply.ok();
    } else if word.eq_ignore_ascii_case(b"off") {
        ctx.client.replies = Replies::Off;
    } else if !word.eq_ignore_ascii_case(b"skip") {
        ctx.reply.error(error::SYNTAX);
    } else if ctx.client.replies != Replies::Off {
        ctx.client.replies = Replies::SkipNext;
    }
}
