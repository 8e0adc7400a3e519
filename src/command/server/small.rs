//! LOLWUT, ROLE, SHUTDOWN and TIME.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::command::persist::Ending;
use crate::command::state::REDIS_VERSION;
use crate::command::{Ctx, error};
use crate::protocol::args::{Args, eq_ignore_case, parse_i64};

pub(super) fn lolwut(ctx: &mut Ctx<'_>) {
    let asks = ctx.args.get(1).is_some_and(|word| eq_ignore_case(word, b"VERSION"));
    if asks && ctx.args.get(2).is_some_and(|number| parse_i64(number).is_none()) {
        return ctx.reply.error(error::NOT_AN_INTEGER);
    }
    let text = format!("One keyspace, every core: first come, all served.\nRedis ver. {REDIS_VERSION}\n");
    ctx.reply.verbatim(b"txt", text.as_bytes());
}

/// A master with nothing replicated so far and no replica.
pub(super) fn role(ctx: &mut Ctx<'_>) {
    ctx.reply.array(3);
    ctx.reply.bulk(b"master");
    ctx.reply.int(0);
    ctx.reply.array(0);
}

pub(super) fn time(ctx: &mut Ctx<'_>) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    ctx.reply.array(2);
    ctx.reply.bulk_int(now.as_secs() as i64);
    ctx.reply.bulk_int(i64::from(now.subsec_micros()));
}

// -- SHUTDOWN ---------------------------------------------------------------------------------------------------

/// The options of SHUTDOWN. NOW is not among them: there is no replica to wait for.
#[derive(Default)]
struct Options {
    save: bool,
    nosave: bool,
    force: bool,
    abort: bool,
}

impl Options {
    fn parse(args: Args<'_>) -> Option<Options> {
        let mut options = Options::default();
        let mut others = false;
        for word in args.iter().skip(1) {
            match word.to_ascii_lowercase().as_slice() {
                b"nosave" => options.nosave = true,
                b"save" => options.save = true,
                b"now" => {}
                b"force" => options.force = true,
                b"abort" => {
                    options.abort = true;
                    continue;
                }
                _ => return None,
            }
            others = true;
        }
        let contradiction = (options.abort && others) || (options.save && options.nosave);
        (!contradiction).then_some(options)
    }
}

pub(super) fn shutdown(ctx: &mut Ctx<'_>) {
    let Some(options) = Options::parse(ctx.args) else { return ctx.reply.error(error::SYNTAX) };
    if options.abort {
        // A shutdown waits for nothing but its file, and then for nobody.
        return ctx.reply.error("ERR No shutdown in progress.");
    }
    let Options { save, nosave, force, .. } = options;
    match ctx.server.prepare_end(Ending { save, nosave, force }) {
        Some(true) => {
            ctx.server.shutdown.request();
            ctx.client.closing = true;
        }
        _ => ctx.reply.error("ERR Errors trying to SHUTDOWN. Check logs."),
    }
}
