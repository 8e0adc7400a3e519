//! Arguments that nobody may see: passwords, and what comes with them.

use crate::command::table::Command;
use crate::protocol::args::{Args, eq_ignore_case};

/// What stands in their place.
const SHOWN: &[u8] = b"(redacted)";

/// Directives whose values are secrets.
const SECRETS: [&[u8]; 5] =
    [b"masterauth", b"masteruser", b"requirepass", b"tls-key-file-pass", b"tls-client-key-file-pass"];

/// The arguments of a call with the secret ones replaced.
pub(super) fn shown<'a>(command: &Command, args: Args<'a>) -> impl ExactSizeIterator<Item = &'a [u8]> {
    let hidden = hidden(command, args);
    args.iter().enumerate().map(move |(at, arg)| if hidden(at) { SHOWN } else { arg })
}

/// Which arguments are secret.
fn hidden<'a>(command: &Command, args: Args<'a>) -> impl Fn(usize) -> bool + use<'a> {
    let (from, step, behind): (usize, usize, usize) = match command.name {
        "auth" => (1, 1, usize::MAX),
        "acl|setuser" | "acl|deluser" | "acl|getuser" => (2, 1, usize::MAX),
        "hello" => behind_word(args, 2, b"auth", 2),
        "migrate" => match behind_word(args, 6, b"auth", 1) {
            (_, _, 0) => behind_word(args, 6, b"auth2", 2),
            found => found,
        },
        "config|set" => (3, 2, usize::MAX),
        _ => (0, 1, 0),
    };
    let of_config = command.name == "config|set";
    move |at| {
        let within = at >= from && at - from < behind && (at - from).is_multiple_of(step);
        within && (!of_config || args.get(at - 1).is_some_and(is_secret))
    }
}

fn is_secret(directive: &[u8]) -> bool {
    SECRETS.iter().any(|secret| eq_ignore_case(directive, secret))
}

/// The `count` arguments behind a word that is looked for from `start` on.
fn behind_word(args: Args<'_>, start: usize, word: &[u8], count: usize) -> (usize, usize, usize) {
    let found = (start..args.len()).find(|&at| args.get(at).is_some_and(|arg| eq_ignore_case(arg, word)));
    found.map_or((0, 1, 0), |at| (at + 1, 1, count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::table::{Categories, Command, Flags};
    use crate::protocol::args::ArgBuf;

    fn redacted(name: &'static str, line: &str) -> String {
        let command = Command::new(name, -1, Flags::empty(), Categories::empty(), &[], |_| {});
        let args: ArgBuf = line.split(' ').collect();
        let words: Vec<&str> =
            shown(&command, args.args()).map(|word| std::str::from_utf8(word).expect("text")).collect();
        words.join(" ")
    }

    #[test]
    fn secrets_are_replaced_and_nothing_else() {
        for (name, line, expected) in [
            ("auth", "auth a", "auth (redacted)"),
            ("auth", "auth a b", "auth (redacted) (redacted)"),
            ("hello", "hello 3 AUTH u p SETNAME x", "hello 3 AUTH (redacted) (redacted) SETNAME x"),
            ("hello", "hello 3 SETNAME x", "hello 3 SETNAME x"),
            ("acl|setuser", "acl setuser u on >p", "acl setuser (redacted) (redacted) (redacted)"),
            ("acl|deluser", "acl deluser u v", "acl deluser (redacted) (redacted)"),
            ("config|set", "config set hz 1 MasterAuth x", "config set hz 1 MasterAuth (redacted)"),
            ("config|set", "config set masterauth", "config set masterauth"),
            ("migrate", "migrate h p k 9 50 AUTH x", "migrate h p k 9 50 AUTH (redacted)"),
            ("migrate", "migrate h p k 9 50 auth2 x y", "migrate h p k 9 50 auth2 (redacted) (redacted)"),
            ("migrate", "migrate h p k 9 50", "migrate h p k 9 50"),
            ("set", "set auth x", "set auth x"),
        ] {
            assert_eq!(redacted(name, line), expected);
        }
    }
}
