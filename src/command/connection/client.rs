//! CLIENT: the table of its commands, and those that need no file of their own.

use super::{hello, kill, list, on_or_off, replies};
use crate::command::blocking::End;
use crate::command::pause::Mode;
use crate::command::state::unix_ms;
use crate::command::table::{Categories, Command, Flags};
use crate::command::{Ctx, container, error, tracking};
use crate::protocol::args::{eq_ignore_case, parse_i64};

const C: Categories = Categories::CONNECTION;
const ANY_TIME: Flags = Flags::LOADING.union(Flags::STALE);
const OWN: Flags = ANY_TIME.union(Flags::NOSCRIPT);
const ADMIN: Flags = OWN.union(Flags::ADMIN);

/// A command of a group that all of these are in.
const fn line(
    name: &'static str,
    arity: i32,
    flags: Flags,
    handler: fn(&mut Ctx<'_>),
    [since, summary, complexity, syntax]: [&'static str; 4],
) -> Command {
    Command::new(name, arity, flags, C, &[], handler).docs("connection", since, summary, complexity, syntax)
}

#[rustfmt::skip]
pub(super) const COMMANDS: &[Command] = &[
    line("client|caching", 3, OWN, tracking::caching, ["6.0.0", "Says whether what the next command reads is remembered.", "O(1)", "<YES | NO>"]),
    line("client|getname", 2, OWN, get_name, ["2.6.9", "Returns the connection's name.", "O(1)", ""]),
    line("client|getredir", 2, OWN, tracking::get_redirection, ["6.0.0", "Returns the client that invalidations are sent to.", "O(1)", ""]),
    line("client|help", 2, ANY_TIME, help, ["5.0.0", "Explains the subcommands.", "O(1)", ""]),
    line("client|id", 2, OWN, id, ["5.0.0", "Returns the connection's number.", "O(1)", ""]),
    line("client|info", 2, OWN, list::info, ["6.2.0", "Describes the connection.", "O(1)", ""]),
    line("client|kill", -3, ADMIN.union(Flags::CLOSES_ALL), kill::kill, ["2.4.0", "Ends connections.", "O(N) where N is the number of connections", "<ip:port | <[ID client-id] | [TYPE <NORMAL | MASTER | SLAVE | REPLICA | PUBSUB>] | [USER username] | [ADDR ip:port] | [LADDR ip:port] | [SKIPME <YES | NO>] | [MAXAGE maxage] [[ID client-id] | [TYPE <NORMAL | MASTER | SLAVE | REPLICA | PUBSUB>] | [USER username] | [ADDR ip:port] | [LADDR ip:port] | [SKIPME <YES | NO>] | [MAXAGE maxage] ...]>>"]),
    line("client|list", -2, ADMIN, list::list, ["2.4.0", "Describes connections.", "O(N) where N is the number of connections", "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]"]),
    line("client|no-evict", 3, ADMIN, no_evict, ["7.0.0", "Protects the connection when clients use too much memory.", "O(1)", "<ON | OFF>"]),
    line("client|no-touch", 3, OWN, no_touch, ["7.2.0", "Says whether the connection's reads count as use of the keys.", "O(1)", "<ON | OFF>"]),
    line("client|pause", -3, ADMIN.union(Flags::CLOSES_ALL), pause, ["3.0.0", "Makes commands wait for a while.", "O(1)", "timeout [WRITE | ALL]"]),
    line("client|reply", 3, OWN, replies, ["3.2.0", "Says whether the connection wants replies.", "O(1)", "<ON | OFF | SKIP>"]),
    line("client|setinfo", 4, OWN, set_info, ["7.2.0", "Names the library that the client uses.", "O(1)", "<LIB-NAME libname | LIB-VER libver>"]),
    line("client|setname", 3, OWN, hello::set_name, ["2.6.9", "Names the connection.", "O(1)", "connection-name"]),
    line("client|tracking", -3, OWN.union(Flags::SECTION), tracking::track, ["6.0.0", "Asks to be told when what the connection has read changes.", "O(1). Some options may introduce additional complexity.", "<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]"]).works_on(tracking::footprint),
    line("client|trackinginfo", 2, OWN, tracking::info, ["6.2.0", "Describes how the connection asked to be told of changes.", "O(1)", ""]),
    line("client|unblock", -3, ADMIN, unblock, ["5.0.0", "Ends the wait of another connection's command.", "O(log N) where N is the number of connections", "client-id [TIMEOUT | ERROR]"]),
    line("client|unpause", 2, ADMIN, unpause, ["6.2.0", "Ends CLIENT PAUSE.", "O(N) where N is the number of commands that wait", ""]),
];

const HELP: &[&str] = &[
    "CACHING (YES|NO)",
    "    Remember, or do not, what this connection's next command reads.",
    "GETNAME",
    "    Show this connection's name.",
    "GETREDIR",
    "    Show which client gets the invalidations of this one's keys.",
    "ID",
    "    Show this connection's number.",
    "INFO",
    "    Describe this connection.",
    "KILL <ip:port>",
    "    End the connection that comes from <ip:port>.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    End the connections that fit all of:",
    "    * ADDR <ip:port>",
    "      The other end's address",
    "    * LADDR <ip:port>",
    "      This end's address",
    "    * ID <client-id>",
    "      The number",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      What the client is",
    "    * USER <username>",
    "      Who the client is",
    "    * MAXAGE <seconds>",
    "      At least this long connected",
    "    * SKIPME (YES|NO)",
    "      Whether this connection is spared (yes unless told otherwise)",
    "LIST [options ...]",
    "    Describe the connections that fit the option:",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      What the client is",
    "    * ID <client-id> [<client-id> ...]",
    "      The numbers",
    "NO-EVICT (ON|OFF)",
    "    Keep this connection when clients use too much memory.",
    "NO-TOUCH (ON|OFF)",
    "    Read keys without counting as their user.",
    "PAUSE <timeout> [WRITE|ALL]",
    "    Make all commands wait, or those that may write, for <timeout> milliseconds.",
    "REPLY (ON|OFF|SKIP)",
    "    Ask for replies, for none, or for none to the next command.",
    "SETINFO <option> <value>",
    "    Name the client's library. Options are:",
    "    * LIB-NAME",
    "      Its name",
    "    * LIB-VER",
    "      Its version",
    "SETNAME <name>",
    "    Name this connection.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
    "         [OPTIN] [OPTOUT] [NOLOOP]",
    "    Tell this connection, or another, when what it has read changes.",
    "TRACKINGINFO",
    "    Describe how this connection is told of changes.",
    "UNBLOCK <client-id> [TIMEOUT|ERROR]",
    "    End the wait of that connection's command.",
    "UNPAUSE",
    "    Let all commands go on.",
];

fn help(ctx: &mut Ctx<'_>) {
    container::help(ctx, HELP);
}

fn id(ctx: &mut Ctx<'_>) {
    ctx.reply.int(ctx.client.id as i64);
}

/// Whether `text` may be a name: printable, without blanks.
pub(super) fn is_name(text: &[u8]) -> bool {
    text.iter().all(|byte| (b'!'..=b'~').contains(byte))
}

fn get_name(ctx: &mut Ctx<'_>) {
    let names = ctx.client.shared.names();
    if names.name.is_empty() { ctx.reply.null() } else { ctx.reply.bulk(&names.name) }
}

fn set_info(ctx: &mut Ctx<'_>) {
    let (option, value) = (ctx.arg(2), ctx.arg(3));
    let lib_name = eq_ignore_case(option, b"lib-name");
    let shown = String::from_utf8_lossy(option);
    if !lib_name && !eq_ignore_case(option, b"lib-ver") {
        return ctx.reply.error(&format!("ERR Unrecognized option '{shown}'"));
    }
    if !is_name(value) {
        let text = format!("ERR {shown} cannot contain spaces, newlines or special characters.");
        return ctx.reply.error(&text);
    }
    let mut names = ctx.client.shared.names();
    *(if lib_name { &mut names.lib_name } else { &mut names.lib_ver }) = value.to_vec();
    drop(names);
    ctx.reply.ok();
}

fn no_evict(ctx: &mut Ctx<'_>) {
    if let Some(on) = on_or_off(ctx) {
        ctx.client.no_evict = on;
    }
}

fn no_touch(ctx: &mut Ctx<'_>) {
    if let Some(on) = on_or_off(ctx) {
        ctx.client.no_touch = on;
    }
}

/// CLIENT UNBLOCK. A command that CLIENT PAUSE holds back is no blocked one.
fn unblock(ctx: &mut Ctx<'_>) {
    let end = match ctx.args.get(3) {
        _ if ctx.args.len() > 4 => return ctx.reply.error(&container::wrong_words(ctx.args)),
        None => End::TimedOut,
        Some(word) if eq_ignore_case(word, b"timeout") => End::TimedOut,
        Some(word) if eq_ignore_case(word, b"error") => End::Unblocked,
        Some(_) => return ctx.reply.error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"),
    };
    let Some(id) = parse_i64(ctx.arg(2)) else { return ctx.reply.error(error::NOT_AN_INTEGER) };
    let waiter = u64::try_from(id).ok().and_then(|id| ctx.server.queues.of_client(id));
    let ended = waiter.is_some_and(|waiter| ctx.server.queues.end(ctx.server, &waiter, end));
    ctx.reply.int(ended.into());
}

fn pause(ctx: &mut Ctx<'_>) {
    match pause_of(ctx) {
        Ok((until, mode)) => {
            ctx.server.pause.begin(until, mode);
            ctx.server.keyspace.hold_expiry(until);
            ctx.reply.ok();
        }
        Err(text) => ctx.reply.error(&text),
    }
}

/// The deadline and the mode that CLIENT PAUSE was given.
fn pause_of(ctx: &Ctx<'_>) -> Result<(u64, Mode), String> {
    let mode = match ctx.args.get(3) {
        _ if ctx.args.len() > 4 => return Err(container::wrong_words(ctx.args)),
        None => Mode::All,
        Some(word) if eq_ignore_case(word, b"write") => Mode::Write,
        Some(word) if eq_ignore_case(word, b"all") => Mode::All,
        Some(_) => return Err("ERR CLIENT PAUSE mode must be WRITE or ALL".into()),
    };
    let millis = parse_i64(ctx.arg(2)).ok_or("ERR timeout is not an integer or out of range")?;
    let millis = u64::try_from(millis).map_err(|_| "ERR timeout is negative")?;
    let until = unix_ms() + millis;
    if until > i64::MAX as u64 {
        return Err("ERR timeout is out of range".into());
    }
    Ok((until, mode))
}

fn unpause(ctx: &mut Ctx<'_>) {
    ctx.server.pause.end();
    ctx.server.keyspace.resume_expiry();
    ctx.reply.ok();
}
