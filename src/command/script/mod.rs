//! Scripts and functions: Lua programs that run as one command each.
//!
//! | file | holds |
//! |---|---|
//! | `eval`, `scripts` | EVAL and its like; SCRIPT |
//! | `function` | FUNCTION and FCALL |
//! | `registry`, `flags` | the scripts that are known, which of them run, what they declare |
//! | `engine` | each thread's interpreters and what they have compiled |
//! | `run`, `api`, `convert` | one run, the table `redis`, values to replies and back |
//! | `pool` | threads for scripts that take long |
//! | `undo` | how a script stays atomic when it touches keys that it has not declared |
//!
//! A script runs in a section over the keys that it declares (`Flags::SECTION`), on the worker of its client or, if it
//! may take long, on a thread of the pool; so scripts over different keys run at the same time.

mod api;
mod convert;
mod engine;
mod eval;
mod flags;
mod function;
mod pool;
mod registry;
mod run;
mod scripts;
mod undo;

pub(in crate::command) use eval::effective_flags;
pub use eval::is_long;
pub use function::Functions;
pub(in crate::command) use function::load_saved;
pub use pool::{Lent, Pool, THREADS};
pub use registry::Scripts;

use super::keys::{KeyFlags, KeySpec};
use super::table::{Categories, Command, Flags};

const C: Categories = Categories::SCRIPTING;
const RUNS: Flags = Flags::NOSCRIPT
    .union(Flags::STALE)
    .union(Flags::SKIP_MONITOR)
    .union(Flags::MAY_REPLICATE)
    .union(Flags::MOVABLEKEYS)
    .union(Flags::SECTION)
    .union(Flags::RUNS_SCRIPT);
const READS: Flags = RUNS.difference(Flags::MAY_REPLICATE).union(Flags::READONLY);
const NOSCRIPT: Flags = Flags::NOSCRIPT;
const ANY_TIME: Flags = Flags::NOSCRIPT.union(Flags::ALLOW_BUSY);
const CHANGES: Flags = Flags::NOSCRIPT.union(Flags::WRITE);
const ADDS: Flags = CHANGES.union(Flags::DENYOOM);

const ANY: &[KeySpec] =
    &[KeySpec::counted(2, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))];
const READ: &[KeySpec] = &[KeySpec::counted(2, 1, KeyFlags::RO.union(KeyFlags::ACCESS))];

const G: &str = "scripting";
const DEPENDS: &str = "Depends on the script that is executed.";
const CALLED: &str = "Depends on the function that is executed.";

#[rustfmt::skip]
pub(in crate::command) const COMMANDS: &[Command] = &[
    Command::new("eval", -3, RUNS, C, ANY, eval::eval).works_on(eval::footprint_of_text).docs(G, "2.6.0", "Runs a Lua script.", DEPENDS, "script numkeys [key [key ...]] [arg [arg ...]]"),
    Command::new("evalsha", -3, RUNS, C, ANY, eval::evalsha).works_on(eval::footprint_of_sha).docs(G, "2.6.0", "Runs a known Lua script by its SHA-1 digest.", DEPENDS, "sha1 numkeys [key [key ...]] [arg [arg ...]]"),
    Command::new("eval_ro", -3, READS, C, READ, eval::eval_ro).works_on(eval::footprint_of_text).docs(G, "7.0.0", "Runs a Lua script that only reads.", DEPENDS, "script numkeys [key [key ...]] [arg [arg ...]]"),
    Command::new("evalsha_ro", -3, READS, C, READ, eval::evalsha_ro).works_on(eval::footprint_of_sha).docs(G, "7.0.0", "Runs a known Lua script that only reads, by its SHA-1 digest.", DEPENDS, "sha1 numkeys [key [key ...]] [arg [arg ...]]"),
    Command::new("fcall", -3, RUNS, C, ANY, function::fcall).works_on(function::footprint).docs(G, "7.0.0", "Calls a function.", CALLED, "function numkeys [key [key ...]] [arg [arg ...]]"),
    Command::new("fcall_ro", -3, READS, C, READ, function::fcall_ro).works_on(function::footprint).docs(G, "7.0.0", "Calls a function that only reads.", CALLED, "function numkeys [key [key ...]] [arg [arg ...]]"),
    Command::container("script", SCRIPT).docs(G, "2.6.0", "Contains the commands about scripts.", "Depends on the subcommand.", ""),
    Command::container("function", FUNCTION).docs(G, "7.0.0", "Contains the commands about functions.", "Depends on the subcommand.", ""),
];

#[rustfmt::skip]
const SCRIPT: &[Command] = &[
    Command::new("script|exists", -3, NOSCRIPT, C, &[], scripts::exists).docs(G, "2.6.0", "Tells which scripts are known.", "O(N) where N is the number of scripts asked about", "sha1 [sha1 ...]"),
    Command::new("script|flush", -2, NOSCRIPT, C, &[], scripts::flush).docs(G, "2.6.0", "Forgets all scripts.", "O(N) where N is the number of scripts", "[ASYNC | SYNC]"),
    Command::new("script|help", 2, Flags::LOADING.union(Flags::STALE), C, &[], scripts::help).docs(G, "5.0.0", "Describes the subcommands.", "O(1)", ""),
    Command::new("script|kill", 2, ANY_TIME, C, &[], scripts::kill).docs(G, "2.6.0", "Ends a script that has written nothing.", "O(1)", ""),
    Command::new("script|load", 3, NOSCRIPT.union(Flags::STALE), C, &[], scripts::load).docs(G, "2.6.0", "Makes a script known.", "O(N) where N is the length of the script", "script"),
    Command::new("script|show", 3, NOSCRIPT, C, &[], scripts::show).docs(G, "8.0.0", "Returns the text of a known script.", "O(1)", "sha1"),
];

#[rustfmt::skip]
const FUNCTION: &[Command] = &[
    Command::new("function|delete", 3, CHANGES, C, &[], function::delete).docs(G, "7.0.0", "Removes a library.", "O(N) where N is the number of libraries", "library-name"),
    Command::new("function|dump", 2, NOSCRIPT, C, &[], function::dump).docs(G, "7.0.0", "Returns all libraries as a payload.", "O(N) where N is the length of all libraries", ""),
    Command::new("function|flush", -2, CHANGES, C, &[], function::flush).docs(G, "7.0.0", "Removes all libraries.", "O(N) where N is the number of functions", "[ASYNC | SYNC]"),
    Command::new("function|help", 2, Flags::LOADING.union(Flags::STALE), C, &[], function::help).docs(G, "7.0.0", "Describes the subcommands.", "O(1)", ""),
    Command::new("function|kill", 2, ANY_TIME, C, &[], function::kill).docs(G, "7.0.0", "Ends a function that has written nothing.", "O(1)", ""),
    Command::new("function|list", -2, NOSCRIPT, C, &[], function::list).docs(G, "7.0.0", "Describes the libraries.", "O(N) where N is the number of functions", "[LIBRARYNAME library-name-pattern] [WITHCODE]"),
    Command::new("function|load", -3, ADDS, C, &[], function::load).docs(G, "7.0.0", "Adds a library.", "O(1) besides compiling it", "[REPLACE] function-code"),
    Command::new("function|restore", -3, ADDS, C, &[], function::restore).docs(G, "7.0.0", "Adds the libraries of a payload.", "O(N) where N is the number of functions in it", "serialized-value [FLUSH | APPEND | REPLACE]"),
    Command::new("function|stats", 2, ANY_TIME, C, &[], function::stats).docs(G, "7.0.0", "Tells which function runs.", "O(1)", ""),
];
