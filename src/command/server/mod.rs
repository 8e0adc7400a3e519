//! The server family.

mod command;
mod config;
mod debug;
mod docs;
mod info;
pub(in crate::command) mod memory;
mod small;
mod syntax;

use crate::command::table::{Categories, Command, Flags};

const NONE: Categories = Categories::empty();
const OPEN: Flags = Flags::LOADING.union(Flags::STALE);
const ADMIN: Flags = OPEN.union(Flags::ADMIN).union(Flags::NOSCRIPT);
const DEBUG: Flags = ADMIN.union(Flags::CLOSES_ALL);
const SHUTDOWN: Flags = ADMIN.union(Flags::NO_MULTI).union(Flags::ALLOW_BUSY);
const ROLE: Flags = OPEN.union(Flags::NOSCRIPT).union(Flags::FAST);
const DANGER: Categories = Categories::DANGEROUS;

pub(in crate::command) const COMMANDS: &[Command] = &[
    Command::new("command", -1, OPEN, Categories::CONNECTION, &[], command::all)
        .docs(
            "server",
            "2.8.13",
            "Describes every command.",
            "O(N) where N is the total number of commands",
            "",
        )
        .with(command::SUBCOMMANDS),
    Command::container("config", config::SUBCOMMANDS).docs(
        "server",
        "2.0.0",
        "A container for commands about the configuration.",
        "Depends on subcommand.",
        "",
    ),
    Command::new("debug", -2, DEBUG, NONE, &[], debug::debug).docs(
        "server",
        "1.0.0",
        "A container for commands that help to test the server.",
        "Depends on subcommand.",
        "",
    ),
    Command::new("info", -1, OPEN, DANGER, &[], info::info).docs(
        "server",
        "1.0.0",
        "Tells how the server is and what it has done.",
        "O(1)",
        "[section [section ...]]",
    ),
    Command::new("lolwut", -1, Flags::READONLY.union(Flags::FAST), NONE, &[], small::lolwut).docs(
        "server",
        "5.0.0",
        "Says something nice, and the version.",
        "O(1)",
        "[VERSION version]",
    ),
    Command::new("role", 1, ROLE, Categories::ADMIN.union(DANGER), &[], small::role).docs(
        "server",
        "2.8.12",
        "Tells which part the server has in replication.",
        "O(1)",
        "",
    ),
    Command::new("shutdown", -1, SHUTDOWN, NONE, &[], small::shutdown).docs(
        "server",
        "1.0.0",
        "Ends the server.",
        "O(N) when saving, where N is the total number of keys in all databases, otherwise O(1)",
        "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]",
    ),
    Command::new("time", 1, OPEN.union(Flags::FAST), NONE, &[], small::time).docs(
        "server",
        "2.6.0",
        "Tells the server's time.",
        "O(1)",
        "",
    ),
];
