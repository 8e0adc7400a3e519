//! Configuration: one table of directives, read from a file and the command line, shown and changed by CONFIG.
//!
//! | file | holds |
//! |---|---|
//! | `table` | the directives: name, kind, default, status |
//! | `kind`, `special`, `units`, `split` | values: from text, to text |
//! | `live` | the values that the hot path reads without a lock |
//! | `load`, `include` | files, standard input and the command line |
//! | `set` | CONFIG SET: all pairs or none |
//! | `rewrite` | CONFIG REWRITE |
//! | `cli` | what the process was started with |

pub mod cli;
mod include;
pub mod kind;
mod live;
mod load;
mod rewrite;
mod set;
pub mod special;
pub mod split;
pub mod table;
pub mod units;

use std::{
    io,
    num::NonZero,
    path::PathBuf,
    sync::{Mutex, RwLock, RwLockReadGuard},
};

pub use live::Live;
pub use load::LoadError;
pub use set::Hook;

use crate::{glob, sync::Ordering};
use kind::{Kind, Value};
use table::{DIRECTIVES, Directive};

/// The server's settings. Shared by every worker; values that commands need are in [`Config::live`], all others are
/// behind a lock that nobody holds while doing anything else.
pub struct Config {
    live: Live,
    /// One value per line of the table, in its order.
    values: RwLock<Vec<Value>>,
    /// The file that CONFIG REWRITE rewrites, absolute.
    file: Option<PathBuf>,
    hooks: RwLock<Vec<(usize, Hook)>>,
    /// Held during CONFIG SET and CONFIG REWRITE: they never overlap.
    changing: Mutex<()>,
    warnings: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self::with(defaults(), None, Vec::new())
    }
}

/// The value that every directive has when nobody says anything.
fn defaults() -> Vec<Value> {
    DIRECTIVES.iter().map(default_of).collect()
}

fn default_of(directive: &Directive) -> Value {
    if let Kind::Line(..) = directive.kind {
        return Value::Words(Vec::new());
    }
    let words = split::words(directive.default.as_bytes()).unwrap_or_default();
    let mut words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    if matches!(directive.kind, Kind::Text(_)) || words.is_empty() {
        words = vec![directive.default.as_bytes()];
    }
    directive.kind.parse(&words, None).expect("every default of the table is valid, as a test proves")
}

impl Config {
    fn with(values: Vec<Value>, file: Option<PathBuf>, warnings: Vec<String>) -> Self {
        let config = Self {
            live: Live::default(),
            values: RwLock::new(Vec::new()),
            file,
            hooks: RwLock::default(),
            changing: Mutex::default(),
            warnings,
        };
        config.store(values);
        config
    }

    /// Publishes all values, to the lock's readers and to the live ones.
    fn store(&self, values: Vec<Value>) {
        for (directive, value) in DIRECTIVES.iter().zip(&values) {
            self.publish(directive, value);
        }
        *self.values.write().unwrap_or_else(|broken| broken.into_inner()) = values;
        self.publish_share_of_clients();
    }

    /// The limit of all clients' memory may be a share of `maxmemory`.
    fn publish_share_of_clients(&self) {
        let bytes = match self.value("maxmemory-clients") {
            Value::Percent(percent) => (u128::from(self.live.maxmemory()) * u128::from(percent) / 100) as u64,
            value => number_of(&value).unwrap_or(0),
        };
        self.live.maxmemory_clients.store(bytes, Ordering::Relaxed);
    }

    fn publish(&self, directive: &Directive, value: &Value) {
        if let (Some(field), Some(number)) = (directive.live, number_of(value)) {
            field(&self.live).store(number, Ordering::Relaxed);
        }
        if let Value::Buffers([normal, _, listeners]) = value {
            self.live.output.set(normal);
            self.live.output_of_listeners.set(listeners);
        }
    }

    fn values(&self) -> RwLockReadGuard<'_, Vec<Value>> {
        self.values.read().unwrap_or_else(|broken| broken.into_inner())
    }

    /// The values that can be read without a lock.
    #[inline]
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// What the start-up should tell the user: directives of the file that have no effect yet.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The file that the server was started with.
    pub fn file(&self) -> Option<&std::path::Path> {
        self.file.as_deref()
    }

    /// CONFIG GET: every name that one of the patterns matches, in any case, once, with its value.
    pub fn get(&self, patterns: &[&[u8]]) -> Vec<(&'static str, Vec<u8>)> {
        let values = self.values();
        let mut found = Vec::new();
        for (directive, value) in DIRECTIVES.iter().zip(values.iter()) {
            for name in [Some(directive.name), directive.alias].into_iter().flatten() {
                if patterns.iter().any(|pattern| asks_for(pattern, name, directive)) {
                    found.push((name, directive.kind.show(value)));
                }
            }
        }
        found
    }

    /// The current value of the directive `name`.
    ///
    /// # Panics
    /// If the table has no such directive: names come from the code, not from clients.
    pub fn value(&self, name: &str) -> Value {
        let index = table::find(name.as_bytes()).expect("the directive is in the table");
        self.values()[index].clone()
    }

    /// The number of an integer, octal, memory, enum or boolean directive; panics as [`Config::value`] does.
    pub fn number(&self, name: &str) -> u64 {
        number_of(&self.value(name)).expect("the directive is a number")
    }

    /// The bytes of a textual directive; panics as [`Config::value`] does.
    pub fn text(&self, name: &str) -> Vec<u8> {
        match self.value(name) {
            Value::Text(text) => text,
            other => panic!("{name} is no text but {other:?}"),
        }
    }

    /// The words of `bind` and its like; panics as [`Config::value`] does.
    pub fn words(&self, name: &str) -> Vec<Vec<u8>> {
        match self.value(name) {
            Value::Words(words) => words,
            other => panic!("{name} is no list but {other:?}"),
        }
    }

    /// How many workers to start: `threads`, or one for each core that the process may run on.
    pub fn threads(&self) -> usize {
        match self.number("threads") {
            0 => std::thread::available_parallelism().map_or(1, NonZero::get),
            given => given as usize,
        }
    }
}

/// CONFIG GET's rule: a hidden name must be given in full, any other may be matched by a pattern.
fn asks_for(pattern: &[u8], name: &str, directive: &Directive) -> bool {
    if matches!(directive.kind, Kind::Line(..)) {
        return false;
    }
    let nickname = directive.hides_alias && directive.alias == Some(name);
    match directive.hidden || nickname {
        true => pattern.eq_ignore_ascii_case(name.as_bytes()),
        false => glob::matches(pattern, name.as_bytes(), true),
    }
}

/// A value as one number, if it is one. A negative number keeps its bits.
fn number_of(value: &Value) -> Option<u64> {
    match value {
        Value::Bool(on) => Some(u64::from(*on)),
        Value::Int(number) => Some(*number as u64),
        Value::Memory(bytes) => Some(*bytes),
        Value::Bits(bits) => Some(u64::from(*bits)),
        _ => None,
    }
}

/// What the value becomes before it is kept: `hz` has limits that it is moved to rather than refused.
fn adjusted(directive: &Directive, value: Value) -> Value {
    match value {
        Value::Int(hz) if directive.name == "hz" => Value::Int(hz.clamp(1, 500)),
        other => other,
    }
}

/// The operating system's words for an error, without the number that Rust appends.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_string(),
        None => text,
    }
}

/// Changes the working directory and returns its absolute name.
fn enter(dir: &[u8]) -> Result<Value, String> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let entered =
        std::env::set_current_dir(std::ffi::OsStr::from_bytes(dir)).and_then(|()| std::env::current_dir());
    entered.map(|now| Value::Text(now.into_os_string().into_vec())).map_err(|error| reason(&error))
}

#[cfg(test)]
mod tests;
