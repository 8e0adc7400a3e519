//! MONITOR: every call, as those who asked for it see it.
//!
//! A line is made when its call has run, and shown when the client's own call is done: a transaction's commands before
//! their EXEC, a script's after the call of the script. Calls that were undone because a script begins anew are not shown.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use super::{Attention, Seen, Source, redact};
use crate::command::Ctx;
use crate::command::nested::{Call, Caller};
use crate::command::pubsub::{Hub, Scope};
use crate::command::table::{Categories, Command, Flags};

const MONITOR: Flags = Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE);

pub(super) const COMMAND: Command = Command::new("monitor", 1, MONITOR, Categories::empty(), &[], monitor)
    .docs("server", "1.0.0", "Shows every command that the server runs.", "", "");

thread_local! {
    /// Lines of the client's call that this thread runs.
    static LINES: RefCell<Vec<Bytes>> = const { RefCell::new(Vec::new()) };
}

fn monitor(ctx: &mut Ctx<'_>) {
    if ctx.caller != Caller::Client {
        return ctx.reply.error("ERR MONITOR isn't allowed for DENY BLOCKING client");
    }
    // Who monitors already gets no reply, as in Redis.
    if !std::mem::replace(&mut ctx.client.monitors, true) {
        ctx.server.hub.join(Scope::Monitor, &Bytes::new(), ctx.space.lane(), ctx.client.seat, ctx.client.id);
        ctx.server.diagnosis.look(&ctx.server.hub);
        ctx.reply.ok();
    }
}

/// Makes the line of a call.
pub(super) fn note(seen: &Seen<'_>) {
    if !seen.call.command.flags.contains(Flags::ADMIN) {
        LINES.with_borrow_mut(|lines| lines.push(line(seen)));
    }
}

/// Shows what was noted since the last time.
pub(super) fn show(hub: &Hub) {
    hub.feed(LINES.take());
}

/// Makes the line of a call that runs a script, before what the script calls.
pub(in crate::command) fn begin_script(ctx: &Ctx<'_>) {
    if ctx.server.diagnosis.attention().contains(Attention::MONITORED) {
        if ctx.caller == Caller::Client {
            // It may have begun before.
            LINES.with_borrow_mut(Vec::clear);
        }
        let call = Call { id: 0, command: ctx.command, args: ctx.args };
        note(&Seen {
            source: Source::Client(ctx.client),
            db: ctx.client.db,
            call: &call,
            ticks: 0,
            bytes: 0,
        });
    }
}

/// `+1700000000.000000 [0 127.0.0.1:1234] "get" "a"`, as a simple string.
fn line(seen: &Seen<'_>) -> Bytes {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let from = match seen.source {
        Source::Client(client) => &client.shared.addr,
        Source::Script => "lua",
    };
    let mut line = format!("+{}.{:06} [{} {from}]", now.as_secs(), now.subsec_micros(), seen.db).into_bytes();
    for word in redact::shown(seen.call.command, seen.call.args) {
        line.extend_from_slice(b" \"");
        word.iter().for_each(|&byte| quote(byte, &mut line));
        line.push(b'"');
    }
    line.extend_from_slice(b"\r\n");
    line.into()
}

/// A byte as Redis quotes it.
fn quote(byte: u8, line: &mut Vec<u8>) {
    let letter = match byte {
        b'\\' | b'"' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        7 => b'a',
        8 => b'b',
        b' '..=b'~' => return line.push(byte),
        _ => return line.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
    };
    line.extend_from_slice(&[b'\\', letter]);
}
