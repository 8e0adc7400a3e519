//! HELLO and AUTH.

use crate::command::acl::{Context, DEFAULT_USER, Reason};
use crate::command::state::REDIS_VERSION;
use crate::command::{Ctx, error};
use crate::protocol::args::{eq_ignore_case, parse_i64};

use super::client::is_name;

const HELLO_FIRST: &str = "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH \
    <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time";
const BAD_NAME: &str = "ERR Client names cannot contain spaces, newlines or special characters.";

/// What HELLO was asked for.
#[derive(Default)]
struct Greeting<'a> {
    resp3: Option<bool>,
    /// The user's name and password.
    user: Option<(&'a [u8], &'a [u8])>,
    name: Option<&'a [u8]>,
}

pub(super) fn hello(ctx: &mut Ctx<'_>) {
    match parse(ctx) {
        Ok(greeting) => greet(ctx, &greeting),
        Err(text) => ctx.reply.error(&text),
    }
}

fn parse<'a>(ctx: &Ctx<'a>) -> Result<Greeting<'a>, String> {
    let mut greeting = Greeting::default();
    let Some(version) = ctx.args.get(1) else { return Ok(greeting) };
    greeting.resp3 = match parse_i64(version) {
        Some(2) => Some(false),
        Some(3) => Some(true),
        Some(_) => return Err("NOPROTO unsupported protocol version".into()),
        None => return Err("ERR Protocol version is not an integer or out of range".into()),
    };
    let mut at = 2;
    while let Some(option) = ctx.args.get(at) {
        let left = ctx.args.len() - at - 1;
        if left >= 2 && eq_ignore_case(option, b"auth") {
            greeting.user = Some((ctx.arg(at + 1), ctx.arg(at + 2)));
            at += 3;
        } else if left >= 1 && eq_ignore_case(option, b"setname") {
            greeting.name = Some(ctx.arg(at + 1)).filter(|name| is_name(name));
            greeting.name.ok_or(BAD_NAME)?;
            at += 2;
        } else {
            let option = String::from_utf8_lossy(option);
            return Err(format!("ERR Syntax error in HELLO option '{option}'"));
        }
    }
    Ok(greeting)
}

fn greet(ctx: &mut Ctx<'_>, greeting: &Greeting<'_>) {
    if let Some((name, password)) = greeting.user
        && !authenticate(ctx, name, password)
    {
        return ctx.reply.error(error::WRONG_PASSWORD);
    }
    if ctx.client.needs_auth() {
        return ctx.reply.error(HELLO_FIRST);
    }
    if let Some(name) = greeting.name {
        ctx.client.shared.names().name = name.to_vec();
    }
    if let Some(resp3) = greeting.resp3 {
        ctx.client.resp3 = resp3;
        ctx.reply.set_resp3(resp3);
    }
    describe(ctx);
}

fn describe(ctx: &mut Ctx<'_>) {
    let reply = &mut ctx.reply;
    reply.map(7);
    reply.bulk(b"server");
    reply.bulk(b"redis");
    reply.bulk(b"version");
    reply.bulk(REDIS_VERSION.as_bytes());
    reply.bulk(b"proto");
    reply.int(if ctx.client.resp3 { 3 } else { 2 });
    reply.bulk(b"id");
    reply.int(ctx.client.id as i64);
    reply.bulk(b"mode");
    reply.bulk(b"standalone");
    reply.bulk(b"role");
    reply.bulk(b"master");
    reply.bulk(b"modules");
    reply.array(0);
}

pub(super) fn auth(ctx: &mut Ctx<'_>) {
    let (name, password) = match ctx.args.len() {
        2 if ctx.server.users.default_account().current().nopass => {
            return ctx.reply.error(
                "ERR AUTH <password> called without any password configured for the default user. \
                 Are you sure your configuration is correct?",
            );
        }
        2 => (DEFAULT_USER, ctx.arg(1)),
        3 => (ctx.arg(1), ctx.arg(2)),
        _ => return ctx.reply.error(error::SYNTAX),
    };
    match authenticate(ctx, name, password) {
        true => ctx.reply.ok(),
        false => ctx.reply.error(error::WRONG_PASSWORD),
    }
}

/// Makes the client the user of this name if the password is right; a wrong one goes to the log.
fn authenticate(ctx: &mut Ctx<'_>, name: &[u8], password: &[u8]) -> bool {
    let (server, word) = (ctx.server, ctx.arg(0));
    let admitted = server.users.admit(ctx.client, name, password);
    if !admitted {
        let context = if ctx.client.multi.is_some() { Context::Multi } else { Context::TopLevel };
        server.users.note(server, ctx.client, Reason::Auth, context, word, name);
    }
    admitted
}

/// CLIENT SETNAME.
pub(super) fn set_name(ctx: &mut Ctx<'_>) {
    let name = ctx.arg(2);
    if !is_name(name) {
        return ctx.reply.error(BAD_NAME);
    }
    ctx.client.shared.names().name = name.to_vec();
    ctx.reply.ok();
}
