//! The log, in Redis's line format: `pid:M 23 Nov 2026 16:04:28.868 * Ready to accept connections`.
//!
//! | Redis | sign | macro | `tracing` |
//! |---|---|---|---|
//! | debug | `.` | [`log_debug!`](crate::log_debug) | `TRACE` |
//! | verbose | `-` | [`log_verbose!`](crate::log_verbose) | `DEBUG` |
//! | notice | `*` | [`log_notice!`](crate::log_notice) | `INFO` |
//! | warning | `#` | [`log_warning!`](crate::log_warning) | `WARN`, `ERROR` |
//!
//! A line that the level leaves out costs its caller one relaxed load.

use std::{
    fmt::{self, Write as _},
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::PathBuf,
    sync::Mutex,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tracing::{Event, Metadata, Subscriber, field::Visit, level_filters::LevelFilter, subscriber::Interest};
use tracing_subscriber::{Layer, layer::Context, layer::SubscriberExt};

use crate::{
    config::Config,
    limits::LOG_MESSAGE,
    sync::{AtomicU8, Ordering},
};

/// Logs what only a developer wants to see.
#[macro_export]
macro_rules! log_debug { ($($message:tt)+) => { ::tracing::trace!($($message)+) } }

/// Logs what is rarely useful, such as every connection.
#[macro_export]
macro_rules! log_verbose { ($($message:tt)+) => { ::tracing::debug!($($message)+) } }

/// Logs what an operator wants to know.
#[macro_export]
macro_rules! log_notice { ($($message:tt)+) => { ::tracing::info!($($message)+) } }

/// Logs what an operator must know.
#[macro_export]
macro_rules! log_warning { ($($message:tt)+) => { ::tracing::warn!($($message)+) } }

/// `loglevel`, from the most to the least talkative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Level {
    /// Everything.
    Debug,
    /// Much that is rarely useful.
    Verbose,
    /// What production wants.
    Notice,
    /// Only what is important or critical.
    Warning,
    /// Nothing at all.
    Nothing,
}

impl Level {
    /// The level behind the number that the `loglevel` directive has in the table.
    fn of(number: u64) -> Self {
        match number {
            0 => Self::Debug,
            1 => Self::Verbose,
            2 => Self::Notice,
            3 => Self::Warning,
            _ => Self::Nothing,
        }
    }

    fn filter(self) -> LevelFilter {
        match self {
            Self::Debug => LevelFilter::TRACE,
            Self::Verbose => LevelFilter::DEBUG,
            Self::Notice => LevelFilter::INFO,
            Self::Warning => LevelFilter::WARN,
            Self::Nothing => LevelFilter::OFF,
        }
    }
}

/// The level in force; one log per process, as there is one `tracing` subscriber.
static LEVEL: AtomicU8 = AtomicU8::new(Level::Notice as u8);

/// Changes the level of a running server.
pub fn set_level(level: Level) {
    LEVEL.store(level as u8, Ordering::Relaxed);
    tracing::callsite::rebuild_interest_cache();
}

/// Starts the log as `loglevel` and `logfile` say, and lets CONFIG SET change the level from now on.
///
/// # Errors
/// If the file cannot be opened, with the text that the user reads. If another log is already installed in this
/// process, that one stays.
pub fn init(config: &Config) -> Result<(), String> {
    let sink = Sink::open(&config.text("logfile"))?;
    set_level(Level::of(config.number("loglevel")));
    let layer = RedisFormat { pid: std::process::id(), sink: Mutex::new(sink) };
    // A process that embeds the server may have a subscriber of its own.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer));
    config.on_change(
        "loglevel",
        Box::new(|config| {
            set_level(Level::of(config.number("loglevel")));
            Ok(())
        }),
    );
    Ok(())
}

/// Where lines go.
enum Sink {
    Stdout,
    File { path: PathBuf, file: File, opened: Instant },
}

/// How long a log file stays open: when it has been renamed, the next line after this goes to a new one. Redis opens it
/// for every line.
const REOPEN: Duration = Duration::from_secs(1);

impl Sink {
    fn open(path: &[u8]) -> Result<Self, String> {
        use std::os::unix::ffi::OsStrExt;
        if path.is_empty() {
            return Ok(Self::Stdout);
        }
        let path = PathBuf::from(std::ffi::OsStr::from_bytes(path));
        let path = std::path::absolute(&path).unwrap_or(path);
        let opened = append_to(&path).map_err(|error| crate::config::reason(&error));
        let file = opened
            .map_err(|why| format!("\n*** FATAL CONFIG FILE ERROR ***\nCan't open the log file: {why}"))?;
        Ok(Self::File { path, file, opened: Instant::now() })
    }

    /// Writes one line in one call, so that lines of several processes do not mix.
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => io::stdout().lock().write_all(line),
            Self::File { path, file, opened } => {
                if opened.elapsed() >= REOPEN
                    && let Ok(fresh) = append_to(path)
                {
                    (*file, *opened) = (fresh, Instant::now());
                }
                file.write_all(line)
            }
        }
    }
}

fn append_to(path: &PathBuf) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// The layer that writes Redis's lines.
struct RedisFormat {
    pid: u32,
    sink: Mutex<Sink>,
}

impl<S: Subscriber> Layer<S> for RedisFormat {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match current() >= *metadata.level() {
            true => Interest::always(),
            false => Interest::never(),
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        current() >= *metadata.level()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(current())
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        let line = line(self.pid, SystemTime::now(), sign(*event.metadata().level()), message.text());
        let mut sink = self.sink.lock().unwrap_or_else(|broken| broken.into_inner());
        // A log that cannot be written has nowhere to say so.
        let _ = sink.write(line.as_bytes());
    }
}

fn current() -> LevelFilter {
    Level::of(u64::from(LEVEL.load(Ordering::Relaxed))).filter()
}

fn sign(level: tracing::Level) -> char {
    match level {
        tracing::Level::TRACE => '.',
        tracing::Level::DEBUG => '-',
        tracing::Level::INFO => '*',
        _ => '#',
    }
}

/// The message of an event with its other fields behind it, as `name=value`.
struct Message(String);

impl Message {
    /// The message, cut to its bound at a character's end.
    fn text(&self) -> &str {
        &self.0[..self.0.floor_char_boundary(LOG_MESSAGE)]
    }
}

impl Visit for Message {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        // Writing to a string cannot fail.
        let _ = match field.name() {
            "message" => {
                let fields = std::mem::take(&mut self.0);
                write!(self.0, "{value:?}{fields}")
            }
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// One line of the log. `M` stands for a master; there is no other role.
fn line(pid: u32, now: SystemTime, sign: char, message: &str) -> String {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let local = local_time(since.as_secs() as libc::time_t);
    let month = MONTHS[local.tm_mon.clamp(0, 11) as usize];
    let (day, year, millis) = (local.tm_mday, local.tm_year + 1900, since.subsec_millis());
    let (hour, minute, second) = (local.tm_hour, local.tm_min, local.tm_sec);
    format!(
        "{pid}:M {day:02} {month} {year} {hour:02}:{minute:02}:{second:02}.{millis:03} {sign} {message}\n"
    )
}

fn local_time(seconds: libc::time_t) -> libc::tm {
    let mut local = std::mem::MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are to live values of the types that localtime_r takes.
    unsafe { libc::localtime_r(&seconds, local.as_mut_ptr()) };
    // SAFETY: all zero bytes are a valid `tm`, whose only pointer may be null, so it was valid before the call too.
    unsafe { local.assume_init() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_look_like_those_of_redis() {
        let now = UNIX_EPOCH + Duration::from_millis(1_795_449_868_007);
        let line = line(42, now, sign(tracing::Level::INFO), "Ready to accept connections");
        let (head, rest) = line.split_once(' ').expect("a blank behind the role");
        assert_eq!(head, "42:M");
        let shape: String = rest.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert!(shape.starts_with("00 Nov 0000 00:00:00.000 * Ready"), "{shape}");
        assert!(
            rest.ends_with(":28.007 * Ready to accept connections\n"),
            "minutes may differ by zone: {rest}"
        );
    }

    #[test]
    fn levels_and_signs() {
        use tracing::Level as T;
        let signs: String = [T::TRACE, T::DEBUG, T::INFO, T::WARN, T::ERROR].into_iter().map(sign).collect();
        assert_eq!(signs, ".-*##");
        for (name, number) in crate::config::table::LOG_LEVELS {
            let level = format!("{:?}", Level::of(u64::from(*number))).to_lowercase();
            assert_eq!(level, *name);
        }
    }

    #[test]
    fn long_messages_are_cut_at_a_character() {
        let message = Message("é".repeat(LOG_MESSAGE));
        assert_eq!(message.text().len(), LOG_MESSAGE);
        let message = Message(format!("x{}", "é".repeat(LOG_MESSAGE)));
        assert_eq!(message.text().len(), LOG_MESSAGE - 1);
    }

    /// The one test that installs the process's subscriber: nextest gives every test a process of its own.
    #[test]
    fn the_level_changes_while_running_and_the_file_is_appended_to() {
        let path = std::env::temp_dir().join(format!("sockudo-kv-log-{}", std::process::id()));
        std::fs::write(&path, "before\n").expect("a scratch file");
        let overrides = [("logfile", path.to_str().expect("text")), ("loglevel", "verbose")];
        let overrides = overrides.map(|(name, value)| (name.into(), vec![value.into()]));
        let config = Config::load(None, false, &overrides).expect("valid");
        init(&config).expect("the file can be opened");
        crate::log_debug!("a");
        crate::log_verbose!("b {}", 1);
        crate::log_notice!(port = 7, "c");
        crate::log_warning!("d");
        config.set(&[(b"loglevel", b"warning")], false).expect("valid");
        crate::log_notice!("e");
        crate::log_warning!("f");
        config.set(&[(b"loglevel", b"debug")], false).expect("valid");
        crate::log_debug!("g");
        config.set(&[(b"loglevel", b"nothing")], false).expect("valid");
        crate::log_warning!("h");
        let text = std::fs::read_to_string(&path).expect("readable");
        std::fs::remove_file(&path).expect("ours");
        let ends: Vec<_> = text.lines().map(|line| line.splitn(5, ' ').last().expect("a message")).collect();
        assert_eq!(ends[0], "before");
        let ends: Vec<_> = ends[1..].iter().map(|end| end.split_once(' ').expect("a sign").1).collect();
        assert_eq!(ends, ["- b 1", "* c port=7", "# d", "# f", ". g"]);
    }

    #[test]
    fn a_renamed_file_is_left_behind_within_a_second() {
        let path = std::env::temp_dir().join(format!("sockudo-kv-rotate-{}", std::process::id()));
        let moved = path.with_extension("old");
        let mut sink = Sink::open(path.to_str().expect("text").as_bytes()).expect("can be opened");
        sink.write(b"one\n").expect("written");
        std::fs::rename(&path, &moved).expect("ours");
        std::thread::sleep(REOPEN);
        sink.write(b"two\n").expect("written");
        let read = |path| std::fs::read_to_string(path).expect("readable");
        assert_eq!((read(&moved), read(&path)), ("one\n".into(), "two\n".into()));
        std::fs::remove_file(&moved).and(std::fs::remove_file(&path)).expect("ours");
        let error = Sink::open(b"/nonexistent/log").err().expect("no such directory");
        assert!(error.ends_with("Can't open the log file: No such file or directory"), "{error}");
    }
}
