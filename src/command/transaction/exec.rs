//! EXEC.

use super::watch;
use crate::command::Ctx;
use crate::command::client::{Client, Replies};
use crate::command::footprint::{Footprint, Setting};
use crate::command::nested::{Call, Caller, Host};
use crate::command::state::Server;
use crate::protocol::args::Args;
use crate::protocol::reply::Output;

/// What EXEC works on: all that its commands work on, and what its client watches.
pub(super) fn footprint(
    server: &Server,
    client: &Client,
    _: Args<'_>,
    _: Setting,
    footprint: &mut Footprint,
) {
    let Some(multi) = &client.multi else { return };
    if multi.is_aborted() {
        return;
    }
    watch::add_footprint(server, client, footprint);
    for call in multi.calls() {
        footprint.add(server, client, call.command, call.args, Setting::Nested);
    }
}

pub(super) fn exec(ctx: &mut Ctx<'_>) {
    let aborted = match &ctx.client.multi {
        None => return ctx.reply.error("ERR EXEC without MULTI"),
        Some(multi) => multi.is_aborted(),
    };
    if aborted {
        ctx.client.end_transaction(ctx.server);
        return ctx.reply.error("EXECABORT Transaction discarded because of previous errors.");
    }
    if watch::has_changed(ctx.client, ctx.space) {
        ctx.client.end_transaction(ctx.server);
        return ctx.reply.null_array();
    }
    ctx.client.unwatch(ctx.server);
    run_all(ctx);
    ctx.client.end_transaction(ctx.server);
}

fn run_all(ctx: &mut Ctx<'_>) {
    let Some(multi) = &mut ctx.client.multi else { return };
    // The commands see their client as one that is still in its transaction.
    let commands = multi.take_commands();
    let Some((mut host, reply)) = ctx.host() else { return };
    if answers(host.client) {
        reply.array(commands.len());
    }
    for call in commands.calls() {
        run_one(&mut host, &call, reply.output());
    }
    commands.end();
}

/// Runs one of the commands. Its reply is dropped if the client wants none once the command has run: so `CLIENT REPLY`
/// acts from its own place on.
fn run_one(host: &mut Host<'_>, call: &Call<'_>, out: &mut Output) {
    let mark = out.checkpoint();
    let resp3 = host.client.resp3;
    match host.refusal_at_exec(call) {
        Some(text) => host.refuse(call, &text, resp3, out),
        None => host.run(call, None, Caller::Exec, resp3, out),
    }
    if !answers(host.client) {
        out.rollback(mark);
    }
}

/// Whether the client wants a reply to what runs now; `CLIENT REPLY SKIP` is about the command after EXEC.
fn answers(client: &Client) -> bool {
    matches!(client.replies, Replies::On | Replies::SkipNext)
}
