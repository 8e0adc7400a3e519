//! XREAD and XREADGROUP: entries of several streams that a reader has not seen.
//!
//! A call is parsed into a [`Request`] in which nothing depends on the moment any more: `$` and `+` are ids by then.
//! [`try_read`] answers a request if there is something to answer, and says whether it did; it may be called for one
//! request as often as the caller likes, so that a reader can wait for entries.

mod request;
mod serve;

pub(crate) use request::Request;
pub(crate) use serve::try_read;

use super::Refusal;
use crate::command::Ctx;
use crate::command::blocking::Block;
use crate::command::notify::Events;

pub(super) fn xread(ctx: &mut Ctx<'_>) -> Result<(), Refusal> {
    let request = Request::parse_read(ctx)?;
    run(ctx, &request);
    Ok(())
}

pub(super) fn xreadgroup(ctx: &mut Ctx<'_>) -> Result<(), Refusal> {
    let request = Request::parse_group_read(ctx)?;
    run(ctx, &request);
    Ok(())
}

fn run(ctx: &mut Ctx<'_>, request: &Request<'_>) {
    let mut created = Vec::new();
    let answered = try_read(ctx.space, request, &mut ctx.reply, &mut |key| created.push(key.to_vec()));
    for key in created {
        ctx.notify(Events::STREAM, "xgroup-createconsumer", &key);
    }
    if !answered {
        answer_nothing(ctx, request);
    }
}

/// What a request gets for which there is nothing: the end of its wait, at once if it does not want to wait.
fn answer_nothing(ctx: &mut Ctx<'_>, request: &Request<'_>) {
    match request.wait(ctx.args) {
        Some(block) => ctx.wait_or_nothing(Block { again_at: request.claims_at(ctx.space), ..block }),
        None => ctx.reply.null_array(),
    }
}
