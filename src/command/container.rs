//! Containers: commands whose second word names what to do, such as `CLIENT KILL`.
//!
//! A container's commands are commands of their own, with their own arity, flags and keys, and the executor runs them
//! as it runs any other. Their arguments begin with the container's name, so the first argument of their own is
//! number 2.

use super::Ctx;
use super::error::SHOWN_ARGUMENTS;
use super::table::{Command, registry};
use crate::protocol::args::Args;

/// The refusal of a call that [`Registry::resolve`](super::table::Registry::resolve) knows no command for.
#[cold]
pub fn unknown(args: Args<'_>) -> String {
    let name = args.get(0).unwrap_or_default();
    match (registry().find(name), args.get(1)) {
        (Some(_), Some(second)) => {
            let container = String::from_utf8_lossy(name).to_ascii_uppercase();
            format!("ERR unknown subcommand '{}'. Try {container} HELP.", shown(second, SHOWN_ARGUMENTS))
        }
        _ => unknown_command(name, args),
    }
}

fn unknown_command(name: &[u8], args: Args<'_>) -> String {
    let mut rest = String::new();
    for arg in args.iter().skip(1) {
        if rest.len() >= SHOWN_ARGUMENTS {
            break;
        }
        rest.push_str(&format!("'{}' ", shown(arg, SHOWN_ARGUMENTS - rest.len())));
    }
    let name = shown(name, SHOWN_ARGUMENTS);
    format!("ERR unknown command '{name}', with args beginning with: {rest}")
}

fn shown(arg: &[u8], most: usize) -> String {
    String::from_utf8_lossy(&arg[..arg.len().min(most)]).into_owned()
}

/// The refusal of a call with too few or too many words.
#[cold]
pub fn wrong_arity(command: &Command) -> String {
    format!("ERR wrong number of arguments for '{}' command", command.name)
}

/// The handler of a container that means nothing by itself.
pub(super) fn bare(ctx: &mut Ctx<'_>) {
    let text = wrong_arity(ctx.command);
    ctx.reply.error(&text);
}

/// Answers a HELP subcommand: a headline, the given lines, and those about HELP itself. A line that explains the one
/// before it begins with four blanks.
pub fn help(ctx: &mut Ctx<'_>, lines: &[&str]) {
    let container = String::from_utf8_lossy(ctx.arg(0)).to_ascii_uppercase();
    ctx.reply.array(lines.len() + 3);
    ctx.reply.simple(&format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    lines.iter().for_each(|line| ctx.reply.simple(line));
    ctx.reply.simple("HELP");
    ctx.reply.simple("    Prints this help.");
}
