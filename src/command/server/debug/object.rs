//! DEBUG OBJECT: how a value is held.

use crate::command::Ctx;
use crate::command::key::kind;
use crate::command::key::object::references;
use crate::keyspace::evict::usage;

/// Redis shows 24 bits of the clock.
const CLOCK_BITS: u32 = 0xff_ffff;

/// The address is that of the key's slot. The length of the serialized value is left out, because nothing serializes
/// values.
pub(super) fn describe(ctx: &mut Ctx<'_>) {
    let Some(live) = ctx.space.peek(ctx.key(2)) else { return ctx.reply.error("ERR no such key") };
    let entry = live.entry();
    let idle = usage::seconds_since(entry.clock(), ctx.space.now);
    let text = format!(
        "Value at:{entry:p} refcount:{} encoding:{} lru:{} lru_seconds_idle:{idle}",
        references(ctx.server, live.view()),
        kind::encoding(live.view()),
        entry.clock() & CLOCK_BITS,
    );
    ctx.reply.simple(&text);
}
