//! Reading a configuration: a file, then standard input, then the command line; the last word wins.

use std::{
    borrow::Cow,
    fmt,
    io::{self, Read},
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

use super::{
    BAD_DIRECTIVE, Config, adjusted, defaults, enter, include,
    kind::{Kind, Value},
    reason,
    split::{quoted, words},
    table::{self, DIRECTIVES, Status},
};
use crate::limits::CONFIG_INCLUDE_DEPTH;

/// Why a configuration cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub enum LoadError {
    /// A file cannot be read: its name, the operating system's reason.
    Unreadable(PathBuf, String),
    /// A line says something impossible.
    Malformed {
        /// The file, standard input or the command line.
        source: String,
        /// Counted from 1.
        line: usize,
        /// The line itself.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(file, reason) => {
                write!(f, "Fatal error, can't open config file '{}': {reason}", file.display())
            }
            Self::Malformed { source, line, text, reason } => {
                let version = env!("CARGO_PKG_VERSION");
                writeln!(f, "\n*** FATAL CONFIG FILE ERROR (sockudo-kv {version}) ***")?;
                writeln!(f, "Reading {source}, at line {line}")?;
                write!(f, ">>> '{text}'\n{reason}")
            }
        }
    }
}

impl std::error::Error for LoadError {}

/// One `--name value ...` of the command line.
pub type Override = (Vec<u8>, Vec<Vec<u8>>);

/// A configuration under construction.
struct Loader {
    values: Vec<Value>,
    warnings: Vec<String>,
    /// Somebody has named save points, so the default ones do not hold.
    has_save_points: bool,
}

impl Config {
    /// Reads `file` if there is one, then all of `stdin` if it is wanted, then the overrides.
    pub fn load(file: Option<&Path>, stdin: bool, overrides: &[Override]) -> Result<Self, LoadError> {
        let mut loader = Loader { values: defaults(), warnings: Vec::new(), has_save_points: false };
        let absolute = file.map(|path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()));
        if let Some(path) = &absolute {
            loader.read_file(path, 0)?;
        }
        if stdin {
            let text = read_all(io::stdin().lock()).map_err(|why| LoadError::Unreadable("-".into(), why))?;
            loader.read_text(&text, "the configuration from standard input", 0)?;
        }
        loader.read_overrides(overrides)?;
        loader.settle_dir();
        Ok(Self::with(loader.values, absolute, loader.warnings))
    }
}

fn read_all(mut from: impl Read) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    from.read_to_end(&mut text).map_err(|error| reason(&error))?;
    Ok(text)
}

impl Loader {
    fn read_file(&mut self, path: &Path, depth: usize) -> Result<(), LoadError> {
        let unreadable = |why| LoadError::Unreadable(path.to_path_buf(), why);
        let opened = std::fs::File::open(path).map_err(|error| unreadable(reason(&error)))?;
        let text = read_all(opened).map_err(unreadable)?;
        self.read_text(&text, &format!("the configuration file '{}'", path.display()), depth)
    }

    fn read_text(&mut self, text: &[u8], source: &str, depth: usize) -> Result<(), LoadError> {
        for (at, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let malformed = |why| malformed(source, at + 1, line, why);
            let words =
                words(line).ok_or_else(|| malformed("Unbalanced quotes in configuration line".into()))?;
            match words.split_first() {
                Some((name, [path])) if name.eq_ignore_ascii_case(b"include") => {
                    if depth == CONFIG_INCLUDE_DEPTH {
                        return Err(malformed("files include one another too deeply".into()));
                    }
                    for file in include::files(path) {
                        self.read_file(&file, depth + 1)?;
                    }
                }
                Some((name, arguments)) => {
                    let place = format!("line {} of {source}", at + 1);
                    self.read_directive(name, arguments, &place).map_err(malformed)?;
                }
                None => {}
            }
        }
        Ok(())
    }

    fn read_overrides(&mut self, overrides: &[Override]) -> Result<(), LoadError> {
        for (at, (name, arguments)) in overrides.iter().enumerate() {
            let read = self.read_directive(name, arguments, "the command line");
            read.map_err(|why| malformed("the command line", at + 1, &override_line(name, arguments), why))?;
        }
        Ok(())
    }

    /// Takes one directive in; the error is the reason that the user reads.
    fn read_directive(&mut self, name: &[u8], arguments: &[Vec<u8>], place: &str) -> Result<(), String> {
        let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
        let Some(index) = table::find(name) else { return unknown(name, &arguments) };
        let directive = &DIRECTIVES[index];
        let parts;
        let arguments = match arguments.as_slice() {
            // A list may be one quoted argument, as it is on the command line.
            [list] if directive.kind.takes_words() && !list.is_empty() => {
                parts = words(list).ok_or("Unbalanced quotes in configuration line")?;
                Cow::Owned(parts.iter().map(Vec::as_slice).collect())
            }
            given => Cow::Borrowed(given),
        };
        let value = adjusted(directive, directive.kind.parse(&arguments, Some(&self.values[index]))?);
        self.keep(index, value, place)
    }

    fn keep(&mut self, index: usize, value: Value, place: &str) -> Result<(), String> {
        let directive = &DIRECTIVES[index];
        match (directive.status, &value) {
            (Status::NotYet, _) => {
                if value != self.values[index] {
                    self.warn(directive.name, place);
                }
                return Ok(());
            }
            (_, Value::Text(dir)) if matches!(directive.kind, Kind::Dir) => self.values[index] = enter(dir)?,
            (_, Value::Save(points)) => {
                let known = std::mem::replace(&mut self.has_save_points, true);
                self.values[index].add_save_points(points, known);
            }
            _ => self.values[index] = value,
        }
        Ok(())
    }

    fn warn(&mut self, name: &str, place: &str) {
        self.warnings.push(format!("'{name}' is not supported yet and has no effect ({place})"));
    }

    /// Replaces the default `.` by the directory's name.
    fn settle_dir(&mut self) {
        let dir = table::find(b"dir").expect("dir is in the table");
        if let Ok(here) = std::env::current_dir() {
            self.values[dir] = Value::Text(here.into_os_string().into_vec());
        }
    }
}

/// What Redis says of a name that is no directive.
fn unknown(name: &[u8], arguments: &[&[u8]]) -> Result<(), String> {
    let retired = table::RETIRED.iter().any(|retired| name.eq_ignore_ascii_case(retired.as_bytes()));
    match arguments {
        [_] if retired => Ok(()),
        _ if name.eq_ignore_ascii_case(b"sentinel") => {
            Err("sentinel directive while not in sentinel mode".into())
        }
        _ => Err(BAD_DIRECTIVE.into()),
    }
}

fn malformed(source: &str, line: usize, text: &[u8], reason: String) -> LoadError {
    LoadError::Malformed { source: source.into(), line, text: String::from_utf8_lossy(text).into(), reason }
}

/// An override as the line of a file that it stands for.
fn override_line(name: &[u8], arguments: &[Vec<u8>]) -> Vec<u8> {
    let quoted = arguments.iter().map(|argument| quoted(argument));
    std::iter::once(name.to_vec()).chain(quoted).collect::<Vec<_>>().join(b" ".as_slice())
}
