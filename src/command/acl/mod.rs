//! Users, and what they may do: ACL.
//!
//! | file | holds |
//! |---|---|
//! | `users` | all users, and how connections notice that theirs has changed |
//! | `user` | one user at one moment |
//! | `selector` | commands, keys and channels that are allowed together |
//! | `rule` | what is wrong with a rule |
//! | `check` | whether a user may make a call |
//! | `listeners` | clients that listen to what they may not listen to any more |
//! | `log` | ACL LOG |
//! | `password` | digests, and ACL GENPASS |
//! | `file` | the ACL file and the configuration's `user` lines |
//! | `commands` | the other handlers |
//!
//! A client whose user may do everything is not looked at: [`Client::is_plain`](super::client::Client::is_plain), which
//! the executor asks about anyway, has one more flag. All others go the slow way, through [`refusal`]. EXEC, scripts and
//! commands that waited ask once more when they run.

mod check;
mod commands;
mod file;
mod listeners;
mod log;
mod password;
mod rule;
mod selector;
mod user;
mod users;

pub use check::{refusal, refusal_at_exec, refusal_in_script};
pub use file::{lines, start};
pub use listeners::are_welcome;
pub use log::{Context, Reason};
pub use selector::category_of;
pub use user::User;
pub use users::{Account, Users};

use super::table::{Categories, Command, Flags};

/// The user that connections are before they say who they are.
pub const DEFAULT_USER: &[u8] = b"default";

const NONE: Categories = Categories::empty();
const ANY_TIME: Flags = Flags::LOADING.union(Flags::STALE);
const OPEN: Flags = ANY_TIME.union(Flags::NOSCRIPT);
const ADMIN: Flags = OPEN.union(Flags::ADMIN);
/// Of those that change users: see `users`.
const CHANGES: Flags = ADMIN.union(Flags::CLOSES_ALL);

#[rustfmt::skip]
pub(in crate::command) const COMMANDS: &[Command] = &[
    Command::container("acl", SUBCOMMANDS).docs("server", "6.0.0", "Contains the commands about users.", "Depends on the subcommand.", ""),
];

#[rustfmt::skip]
const SUBCOMMANDS: &[Command] = &[
    Command::new("acl|cat", -2, OPEN, NONE, &[], commands::categories).docs("server", "6.0.0", "Lists the categories of commands, or the commands of a category.", "O(1) since the categories and commands are a fixed set.", "[category]"),
    Command::new("acl|deluser", -3, CHANGES, NONE, &[], commands::delete_users).docs("server", "6.0.0", "Deletes users and ends their connections.", "O(1) amortized time considering the typical user.", "username [username ...]"),
    Command::new("acl|dryrun", -4, ADMIN, NONE, &[], commands::dry_run).docs("server", "7.0.0", "Says whether a user may run a command, without running it.", "O(1).", "username command [arg [arg ...]]"),
    Command::new("acl|genpass", -2, OPEN, NONE, &[], commands::generate_password).docs("server", "6.0.0", "Makes up a password that nobody can guess.", "O(1)", "[bits]"),
    Command::new("acl|getuser", 3, ADMIN, NONE, &[], commands::get_user).docs("server", "6.0.0", "Describes a user.", "O(N). Where N is the number of password, command and pattern rules that the user has.", "username"),
    Command::new("acl|help", 2, ANY_TIME, NONE, &[], commands::help).docs("server", "6.0.0", "Explains the subcommands.", "O(1)", ""),
    Command::new("acl|list", 2, ADMIN, NONE, &[], commands::list).docs("server", "6.0.0", "Describes all users as a configuration file does.", "O(N). Where N is the number of configured users.", ""),
    Command::new("acl|load", 2, CHANGES, NONE, &[], commands::load).docs("server", "6.0.0", "Reads all users from the ACL file again.", "O(N). Where N is the number of configured users.", ""),
    Command::new("acl|log", -2, ADMIN, NONE, &[], log::log).docs("server", "6.0.0", "Shows what was denied of late.", "O(N) with N being the number of entries shown.", "[count | RESET]"),
    Command::new("acl|save", 2, ADMIN, NONE, &[], commands::save).docs("server", "6.0.0", "Writes all users to the ACL file.", "O(N). Where N is the number of configured users.", ""),
    Command::new("acl|setuser", -3, CHANGES, NONE, &[], commands::set_user).docs("server", "6.0.0", "Makes a user, or changes one.", "O(N). Where N is the number of rules provided.", "username [rule [rule ...]]"),
    Command::new("acl|users", 2, ADMIN, NONE, &[], commands::users).docs("server", "6.0.0", "Lists the names of all users.", "O(N). Where N is the number of configured users.", ""),
    Command::new("acl|whoami", 2, OPEN, NONE, &[], commands::who_am_i).docs("server", "6.0.0", "Says who the connection is.", "O(1)", ""),
];
