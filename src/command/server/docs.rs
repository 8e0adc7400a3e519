//! COMMAND DOCS, written from the table: redis-cli makes its hints of it.

use super::syntax::{self, Argument, Kind};
use crate::command::table::Command;
use crate::protocol::reply::Reply;

/// A map from the names of commands to their documentation.
pub(super) fn reply_all(reply: &mut Reply<'_>, commands: &[&Command]) {
    reply.map(commands.len());
    commands.iter().for_each(|command| named(reply, command));
}

fn named(reply: &mut Reply<'_>, command: &Command) {
    text(reply, command.name);
    let arguments = syntax::arguments(command).unwrap_or_default();
    let texts = texts(command);
    let lists = usize::from(!arguments.is_empty()) + usize::from(!command.subcommands.is_empty());
    reply.map(texts.len() + lists);
    for (name, value) in texts {
        text(reply, name);
        text(reply, value);
    }
    if !arguments.is_empty() {
        text(reply, "arguments");
        list(reply, &arguments);
    }
    if !command.subcommands.is_empty() {
        text(reply, "subcommands");
        reply.map(command.subcommands.len());
        command.subcommands.iter().for_each(|command| named(reply, command));
    }
}

/// The plain texts of a command, those that it has.
fn texts(command: &Command) -> Vec<(&'static str, &'static str)> {
    let docs = &command.docs;
    let texts = [
        ("summary", docs.summary),
        ("since", docs.since),
        ("group", command.group),
        ("complexity", docs.complexity),
    ];
    texts.into_iter().filter(|(_, text)| !text.is_empty()).collect()
}

fn list(reply: &mut Reply<'_>, arguments: &[Argument]) {
    reply.array(arguments.len());
    arguments.iter().for_each(|argument| one(reply, argument));
}

fn one(reply: &mut Reply<'_>, argument: &Argument) {
    let flags = flags(argument);
    let parts = match &argument.kind {
        Kind::OneOf(parts) | Kind::Block(parts) => Some(parts),
        _ => None,
    };
    let optional = [
        argument.display.is_some(),
        matches!(argument.kind, Kind::Key(_)),
        argument.token.is_some(),
        !flags.is_empty(),
        parts.is_some(),
    ];
    reply.map(2 + optional.iter().filter(|present| **present).count());
    field(reply, "name", &argument.name);
    field(reply, "type", argument.kind.name());
    if let Some(display) = &argument.display {
        field(reply, "display_text", display);
    }
    if let Kind::Key(spec) = argument.kind {
        text(reply, "key_spec_index");
        reply.int(spec as i64);
    }
    if let Some(token) = &argument.token {
        field(reply, "token", token);
    }
    if !flags.is_empty() {
        text(reply, "flags");
        reply.set(flags.len());
        flags.iter().for_each(|flag| reply.simple(flag));
    }
    if let Some(parts) = parts {
        text(reply, "arguments");
        list(reply, parts);
    }
}

fn flags(argument: &Argument) -> Vec<&'static str> {
    let all = [
        (argument.optional, "optional"),
        (argument.multiple, "multiple"),
        (argument.multiple_token, "multiple_token"),
    ];
    all.into_iter().filter(|(on, _)| *on).map(|(_, name)| name).collect()
}

fn field(reply: &mut Reply<'_>, name: &str, value: &str) {
    text(reply, name);
    text(reply, value);
}

fn text(reply: &mut Reply<'_>, text: &str) {
    reply.bulk(text.as_bytes());
}
