//! The key family.

use crate::command::Ctx;
use crate::command::table::{Categories, Command, Flags};

pub(in crate::command) const COMMANDS: &[Command] = &[Command::new(
    "dbsize",
    1,
    Flags::READONLY.union(Flags::FAST).union(Flags::STABLE),
    Categories::KEYSPACE,
    &[],
    dbsize,
)];

fn dbsize(ctx: &mut Ctx<'_>) {
    ctx.reply.int(ctx.space.table().len() as i64);
}
