//! The handlers of ACL.

use std::sync::Arc;

use super::rule::{has_blanks, join_selectors};
use super::selector::{Selector, category_of};
use super::{DEFAULT_USER, file, password};
use crate::command::nested::{Call, Unfit};
use crate::command::table::{Categories, registry};
use crate::command::{Ctx, container, error};
use crate::protocol::args::parse_i64;
use crate::protocol::reply::Reply;

const NO_FILE: &str = "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via \
    the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to \
    store users in the Redis configuration.";
const NOT_SAVED: &str =
    "ERR There was an error trying to save the ACLs. Please check the server logs for more information";

// -- changing users -------------------------------------------------------------------------------------------------

pub(super) fn set_user(ctx: &mut Ctx<'_>) {
    let name = ctx.arg(2);
    if has_blanks(name) {
        return ctx.reply.error("ERR Usernames can't contain spaces or null characters");
    }
    let rules = match join_selectors(ctx.args.iter().skip(3)) {
        Ok(rules) => rules,
        Err(open) => {
            let open = String::from_utf8_lossy(open);
            let text = format!("ERR Unmatched parenthesis in acl selector starting at '{open}'.");
            return ctx.reply.error(&text);
        }
    };
    match ctx.server.users.change(ctx.server, ctx.client.id, name, &rules) {
        Ok(()) => ctx.reply.ok(),
        Err(text) => ctx.reply.error(&format!("ERR {text}")),
    }
}

pub(super) fn delete_users(ctx: &mut Ctx<'_>) {
    let names = ctx.args.slice_from(2);
    if names.iter().any(|name| name == DEFAULT_USER) {
        return ctx.reply.error("ERR The 'default' user cannot be removed");
    }
    let delete = |name: &&[u8]| ctx.server.users.delete(ctx.server, ctx.client, name);
    let deleted = names.iter().filter(delete).count();
    ctx.reply.int(deleted as i64);
}

pub(super) fn load(ctx: &mut Ctx<'_>) {
    if file::path(ctx.server).is_none() {
        return ctx.reply.error(NO_FILE);
    }
    match file::load(ctx.server) {
        Ok(()) => ctx.reply.ok(),
        Err(text) => ctx.reply.error(&format!("ERR {text}")),
    }
}

pub(super) fn save(ctx: &mut Ctx<'_>) {
    if file::path(ctx.server).is_none() {
        return ctx.reply.error(NO_FILE);
    }
    match file::save(ctx.server) {
        Ok(()) => ctx.reply.ok(),
        Err(()) => ctx.reply.error(NOT_SAVED),
    }
}

// -- looking at users -----------------------------------------------------------------------------------------------

pub(super) fn get_user(ctx: &mut Ctx<'_>) {
    let Some(account) = ctx.server.users.find(ctx.arg(2)) else { return ctx.reply.null() };
    let user = account.current();
    let reply = &mut ctx.reply;
    reply.map(6);
    reply.bulk(b"flags");
    let flags: Vec<_> = user.flags().collect();
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.bulk(flag.as_bytes()));
    reply.bulk(b"passwords");
    let passwords = user.passwords();
    reply.array(passwords.len());
    passwords.for_each(|digest| reply.bulk(digest.as_bytes()));
    let selectors: Vec<_> = user.selectors().collect();
    let (root, others) = selectors.split_first().expect("a user has a selector of its own");
    describe(reply, root);
    reply.bulk(b"selectors");
    reply.array(others.len());
    for selector in others {
        reply.map(3);
        describe(reply, selector);
    }
}

fn describe(reply: &mut Reply<'_>, selector: &Selector) {
    for (name, text) in [
        ("commands", selector.commands_text()),
        ("keys", selector.keys_text()),
        ("channels", selector.channels_text()),
    ] {
        reply.bulk(name.as_bytes());
        reply.bulk(&text);
    }
}

pub(super) fn list(ctx: &mut Ctx<'_>) {
    let users = ctx.server.users.all();
    ctx.reply.array(users.len());
    for user in users {
        ctx.reply.bulk(&[b"user ", &*user.name, b" ", &user.text()].concat());
    }
}

pub(super) fn users(ctx: &mut Ctx<'_>) {
    let users = ctx.server.users.all();
    ctx.reply.array(users.len());
    users.iter().for_each(|user| ctx.reply.bulk(&user.name));
}

pub(super) fn who_am_i(ctx: &mut Ctx<'_>) {
    let user = Arc::clone(&ctx.client.user);
    ctx.reply.bulk(&user.name);
}

pub(super) fn dry_run(ctx: &mut Ctx<'_>) {
    let name = ctx.arg(2);
    let Some(account) = ctx.server.users.find(name) else {
        let text = format!("ERR User '{}' not found", String::from_utf8_lossy(name));
        return ctx.reply.error(&text);
    };
    let call = match Call::resolve(ctx.args.slice_from(3)) {
        Ok(call) => call,
        Err(Unfit::Unknown) => {
            let text = format!("ERR Command '{}' not found", String::from_utf8_lossy(ctx.arg(3)));
            return ctx.reply.error(&text);
        }
        Err(Unfit::Arity(_, command)) => return ctx.reply.error(&container::wrong_arity(command)),
    };
    let user = account.current();
    match user.may(&call) {
        Ok(()) => ctx.reply.ok(),
        Err(denied) => ctx.reply.bulk(user.text_of(denied, &call, true).as_bytes()),
    }
}

// -- the rest -------------------------------------------------------------------------------------------------------

pub(super) fn categories(ctx: &mut Ctx<'_>) {
    let Some(name) = ctx.args.get(2) else {
        let names = || Categories::all().iter_names().map(|(name, _)| name.to_ascii_lowercase());
        ctx.reply.array(names().count());
        return names().for_each(|name| ctx.reply.bulk(name.as_bytes()));
    };
    if ctx.args.len() > 3 {
        let text = container::wrong_words(ctx.args);
        return ctx.reply.error(&text);
    }
    let Some(category) = category_of(name) else {
        let text = format!("ERR Unknown category '{}'", String::from_utf8_lossy(name));
        return ctx.reply.error(&text);
    };
    let commands = || registry().numbered().iter().filter(|command| command.categories().contains(category));
    ctx.reply.array(commands().count());
    commands().for_each(|command| ctx.reply.bulk(command.name.as_bytes()));
}

pub(super) fn generate_password(ctx: &mut Ctx<'_>) {
    if ctx.args.len() > 3 {
        let text = container::wrong_words(ctx.args);
        return ctx.reply.error(&text);
    }
    let Some(bits) = ctx.args.get(2).map_or(Some(256), parse_i64) else {
        return ctx.reply.error(error::NOT_AN_INTEGER);
    };
    match password::generate(bits) {
        Some(password) => ctx.reply.bulk(password.as_bytes()),
        None => ctx.reply.error(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096",
        ),
    }
}

pub(super) fn help(ctx: &mut Ctx<'_>) {
    container::help(
        ctx,
        &[
            "CAT [<category>]",
            "    List the categories of commands, or the commands of one.",
            "DELUSER <username> [<username> ...]",
            "    Delete users and end their connections.",
            "DRYRUN <username> <command> [<arg> ...]",
            "    Say whether a user may run a command, without running it.",
            "GETUSER <username>",
            "    Describe a user.",
            "GENPASS [<bits>]",
            "    Make up a password of 256 random bits, or of so many.",
            "LIST",
            "    Describe all users as a configuration file does.",
            "LOAD",
            "    Read all users from the ACL file again.",
            "LOG [<count> | RESET]",
            "    Show what was denied of late, or forget it.",
            "SAVE",
            "    Write all users to the ACL file.",
            "SETUSER <username> <attribute> [<attribute> ...]",
            "    Make a user, or change one.",
            "USERS",
            "    List the names of all users.",
            "WHOAMI",
            "    Say who this connection is.",
        ],
    );
}
