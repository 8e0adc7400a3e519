//! Connections.

use crate::command::Ctx;
use crate::command::table::{Categories, Command, Flags};

pub(in crate::command) const COMMANDS: &[Command] =
    &[Command::new("ping", -1, Flags::FAST, Categories::CONNECTION, &[], ping)];

fn ping(ctx: &mut Ctx<'_>) {
    match ctx.args.get(1) {
        Some(text) => ctx.reply.bulk(text),
        None => ctx.reply.simple("PONG"),
    }
}
