//! DEBUG DISK-FAULT, in builds with debug assertions: makes steps of writing files fail.

use crate::command::{Ctx, error};
use crate::disk::fault::{Fault, arm as arm_fault, disarm, named};
use crate::protocol::args::parse_i64;

/// `DISK-FAULT NONE`, or `DISK-FAULT operation number-of-the-error [calls that succeed before]`; the error 0 ends the
/// process.
pub(super) fn arm(ctx: &mut Ctx<'_>) {
    let word = ctx.arg(2).to_ascii_lowercase();
    if word == b"none" {
        disarm();
        return ctx.reply.ok();
    }
    let number =
        |at| ctx.args.get(at).map_or(Some(0), parse_i64).and_then(|number| i32::try_from(number).ok());
    let (Some(op), Some(error), Some(after)) = (named(&word), number(3), number(4)) else {
        return ctx.reply.error(error::SYNTAX);
    };
    let fault = if error == 0 { Fault::Crash } else { Fault::Error(error) };
    arm_fault(op, u64::try_from(after).unwrap_or(0), fault);
    ctx.reply.ok();
}
