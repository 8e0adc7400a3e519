//! FCALL and FCALL_RO.

use std::time::Instant;

use crate::command::client::Client;
use crate::command::footprint::{Footprint, Setting};
use crate::command::script::engine;
use crate::command::script::eval::{admit, key_count};
use crate::command::script::run::{self, Ended, Job};
use crate::command::state::Server;
use crate::command::{Ctx, diagnosis};
use crate::protocol::args::Args;
use crate::sync::Ordering;

/// As EVAL's.
pub(in crate::command::script) fn footprint(
    server: &Server,
    _: &Client,
    args: Args<'_>,
    setting: Setting,
    footprint: &mut Footprint,
) {
    let found = || server.functions.find(args.get(1).unwrap_or_default());
    let strays = || found().is_some_and(|(_, function)| function.strays.load(Ordering::Relaxed));
    if setting == Setting::Nested || strays() {
        footprint.add_everything();
    }
}

pub(in crate::command::script) fn fcall(ctx: &mut Ctx<'_>) {
    call(ctx, false);
}

pub(in crate::command::script) fn fcall_ro(ctx: &mut Ctx<'_>) {
    call(ctx, true);
}

fn call(ctx: &mut Ctx<'_>, read_only: bool) {
    diagnosis::begin_script(ctx);
    let Some((library, function)) = ctx.server.functions.find(ctx.arg(1)) else {
        return ctx.reply.error("ERR Function not found");
    };
    let admitted = key_count(ctx, "ERR Bad number of keys provided")
        .and_then(|keys| admit(ctx, function.flags, read_only).map(|()| keys));
    let keys = match admitted {
        Ok(keys) => keys,
        Err(text) => return ctx.reply.error(text),
    };
    engine::with_functions(ctx.server.config.live().lua_memory_limit(), |engine| {
        let reference = match engine.function(&library, &function.name) {
            Ok(reference) => reference,
            Err(text) => return ctx.reply.error(&text),
        };
        let job = Job { name: &function.name, flags: function.flags, read_only, is_function: true, keys };
        let began = Instant::now();
        let ended = run::execute(ctx, engine, reference, &job);
        function.pace.note(began.elapsed());
        if ended == Ended::Strayed {
            function.strays.store(true, Ordering::Relaxed);
            ctx.strayed = true;
        }
    });
}
