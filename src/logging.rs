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
