//! What the process was started with: `sockudo-kv [path/to/redis.conf|-] [--directive value ...]`.
//!
//! `--help` and `--version` count only as the first argument, and the argument after a `--directive` is its value even
//! if it starts with dashes, and a `-` reads standard input only as the first or the last argument: all as in Redis,
//! whose start scripts rely on it.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::PathBuf};

use clap::{Arg, ArgAction, Command};

use super::{Config, LoadError, load::Override, split};

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Print this and leave with success.
    Print(String),
    /// Check this RDB file.
    CheckRdb(PathBuf),
    /// Serve with this configuration.
    Serve(Start),
}

/// Where the configuration comes from.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// The file named first.
    pub file: Option<PathBuf>,
    /// A `-` was given.
    pub stdin: bool,
    /// The directives of the command line, in order.
    pub overrides: Vec<Override>,
}

impl Start {
    /// Reads the configuration.
    pub fn load(&self) -> Result<Config, LoadError> {
        Config::load(self.file.as_deref(), self.stdin, &self.overrides)
    }
}

/// Reads the arguments behind the program's name.
pub fn parse(arguments: impl IntoIterator<Item: AsRef<OsStr>>) -> Action {
    let mut arguments: Vec<Vec<u8>> =
        arguments.into_iter().map(|one| one.as_ref().as_bytes().to_vec()).collect();
    match arguments.first().map(Vec::as_slice) {
        Some(b"--version" | b"-v") => return Action::Print(version()),
        Some(b"--help" | b"-h") => return Action::Print(help()),
        _ => {}
    }
    if let [word, file] = &arguments[..]
        && word == b"check-rdb"
    {
        return Action::CheckRdb(PathBuf::from(OsStr::from_bytes(file)));
    }
    let mut start = Start::default();
    if arguments.first().is_some_and(|first| !first.starts_with(b"-")) {
        start.file = Some(PathBuf::from(OsStr::from_bytes(&arguments.remove(0)))).filter(|file| file != "");
    }
    for at in [0, arguments.len().saturating_sub(1)] {
        if arguments.get(at).is_some_and(|one| one == b"-") {
            arguments.remove(at);
            start.stdin = true;
        }
    }
    Action::Serve(Start { overrides: overrides(&arguments), ..start })
}

/// Groups the arguments by directive. Arguments before the first one with dashes are a directive too.
fn overrides(arguments: &[Vec<u8>]) -> Vec<Override> {
    let mut found: Vec<Override> = Vec::new();
    let mut wants_value = false;
    for (at, argument) in arguments.iter().enumerate() {
        match argument.strip_prefix(b"--") {
            Some(name) if !wants_value => {
                let next_is_name = arguments.get(at + 1).is_none_or(|next| next.starts_with(b"--"));
                let directive = directive(name, next_is_name);
                wants_value = directive.1.is_empty();
                found.push(directive);
            }
            _ => {
                match found.last_mut() {
                    Some(last) => last.1.push(argument.clone()),
                    None => found.push((argument.clone(), Vec::new())),
                }
                wants_value = false;
            }
        }
    }
    found
}

/// A directive from its argument, which may hold its values as well: `--port 7000` in one argument. A `--save` without
/// a value means none at all, because scripts that join their arguments lose an empty one.
fn directive(argument: &[u8], next_is_name: bool) -> Override {
    let mut words = split::words(argument).unwrap_or_else(|| vec![argument.to_vec()]);
    if words.is_empty() {
        words.push(Vec::new());
    }
    let name = words.remove(0);
    if words.is_empty() && next_is_name && name.eq_ignore_ascii_case(b"save") {
        words.push(Vec::new());
    }
    (name, words)
}

fn version() -> String {
    let bits = usize::BITS;
    format!("sockudo-kv v={} malloc=mimalloc bits={bits}\n", env!("CARGO_PKG_VERSION"))
}

/// The help text. Directives are free-form, so clap only writes the page and never reads an argument.
fn help() -> String {
    let flag = |name: &'static str, short, help| {
        Arg::new(name).long(name).short(short).action(ArgAction::SetTrue).help(help)
    };
    let directive =
        Arg::new("--directive value").num_args(0..).help("Any directive of redis.conf, as --port 7000");
    let mut command = Command::new("sockudo-kv")
        .about("A Redis-compatible in-memory server: any thread runs any command on any key.")
        .disable_help_flag(true)
        .arg(Arg::new("redis.conf").help("A configuration file; - reads standard input"))
        .arg(directive)
        .arg(flag("help", 'h', "Print this"))
        .arg(flag("version", 'v', "Print the version"))
        .after_help(EXAMPLES);
    command.render_help().to_string()
}

const EXAMPLES: &str = "\
Examples:
  sockudo-kv                                  listen on 127.0.0.1:6379, one worker per core
  sockudo-kv /etc/redis/redis.conf
  sockudo-kv redis.conf --port 7000 --threads 2
  echo 'maxclients 100' | sockudo-kv - --loglevel verbose
  sockudo-kv check-rdb dump.rdb               look through a snapshot's file";

#[cfg(test)]
mod tests {
    use super::*;

    fn start(arguments: &[&str]) -> Start {
        match parse(arguments) {
            Action::Serve(start) => start,
            other => panic!("{arguments:?} gave {other:?}"),
        }
    }

    fn lines(arguments: &[&str]) -> Vec<String> {
        let line =
            |(name, values): &Override| [vec![name.clone()], values.clone()].concat().join(b"|".as_slice());
        start(arguments).overrides.iter().map(|one| String::from_utf8(line(one)).expect("text")).collect()
    }

    #[test]
    fn directives_take_what_follows() {
        assert_eq!(
            lines(&["--port", "7000", "--bind", "a", "b", "--save", ""]),
            ["port|7000", "bind|a|b", "save|"]
        );
        assert_eq!(lines(&["--port 7000", "--hz", "5"]), ["port|7000", "hz|5"]);
        assert_eq!(lines(&["--port", "--hz", "5"]), ["port|--hz|5"], "a value may start with dashes");
        assert_eq!(lines(&["--save", "--hz", "5", "--save"]), ["save|", "hz|5", "save|"]);
        assert_eq!(lines(&["--port"]), ["port"]);
    }

    #[test]
    fn files_and_standard_input() {
        let given = start(&["redis.conf", "--hz", "5"]);
        assert_eq!((given.file, given.stdin), (Some("redis.conf".into()), false));
        assert_eq!(parse(["check-rdb", "dump.rdb"]), Action::CheckRdb("dump.rdb".into()));
        assert!(start(&["-", "--hz", "5"]).stdin && start(&["--hz", "5", "-"]).stdin);
        assert!(!start(&["--bind", "-", "a"]).stdin);
        assert_eq!(start(&[]), Start::default());
        assert_eq!(lines(&["redis.conf", "loglevel", "verbose", "--hz", "5"]), ["loglevel|verbose", "hz|5"]);
    }

    #[test]
    fn help_and_version_come_first() {
        let printed = |argument| match parse([argument]) {
            Action::Print(text) => text,
            other => panic!("{argument} gave {other:?}"),
        };
        assert!(printed("--version").starts_with(concat!("sockudo-kv v=", env!("CARGO_PKG_VERSION"), " ")));
        assert_eq!(printed("-v"), printed("--version"));
        assert!(
            printed("--help").contains("Usage: sockudo-kv [redis.conf]")
                && printed("-h").contains("--port 7000")
        );
        assert_eq!(lines(&["--hz", "5", "--version"]), ["hz|5", "version"]);
    }
}
