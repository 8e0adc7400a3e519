//! WAIT: until replicas have what the client wrote. There are none, so only time can end it.

use super::{Block, milliseconds};
use crate::command::{Ctx, error};
use crate::protocol::args::parse_i64;
use crate::value::collection::Kind;

pub(super) fn wait(ctx: &mut Ctx<'_>) {
    let Some(replicas) = parse_i64(ctx.arg(1)) else { return ctx.reply.error(error::NOT_AN_INTEGER) };
    let timeout = match milliseconds(ctx.arg(2)) {
        Ok(timeout) => timeout,
        Err(text) => return ctx.reply.error(text),
    };
    if replicas <= 0 || !ctx.may_wait() {
        return ctx.reply.int(0);
    }
    let nothing = Block::on(Kind::List, Vec::new(), timeout);
    ctx.block(Block { on_timeout: |reply| reply.int(0), ..nothing });
}

/// WAITAOF. There is no append-only file that this server could have written to disk.
pub(super) fn wait_aof(ctx: &mut Ctx<'_>) {
    let local = parse_i64(ctx.arg(1)).filter(|local| (0..=1).contains(local));
    let (Some(local), Some(replicas)) = (local, parse_i64(ctx.arg(2)).filter(|&replicas| replicas >= 0))
    else {
        return ctx.reply.error("ERR value is out of range, must be positive");
    };
    let timeout = match milliseconds(ctx.arg(3)) {
        Ok(timeout) => timeout,
        Err(text) => return ctx.reply.error(text),
    };
    if local != 0 {
        return ctx
            .reply
            .error("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");
    }
    if replicas == 0 || !ctx.may_wait() {
        return none_written(&mut ctx.reply);
    }
    let nothing = Block::on(Kind::List, Vec::new(), timeout);
    ctx.block(Block { on_timeout: none_written, ..nothing });
}

/// As many local files and replicas as have the client's writes on disk.
fn none_written(reply: &mut crate::protocol::reply::Reply<'_>) {
    reply.array(2);
    reply.int(0);
    reply.int(0);
}
