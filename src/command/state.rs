//! What all workers share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::client::Clients;
use super::pause::Pause;
use crate::config::Config;
use crate::keyspace::Keyspace;

/// The version of Redis whose behaviour this server has: what HELLO and INFO tell libraries that look.
pub const REDIS_VERSION: &str = "7.2.0";

/// The server: configuration, keys and clients.
pub struct Server {
    /// The settings.
    pub config: Arc<Config>,
    /// The keys.
    pub keyspace: Keyspace,
    /// Who is connected.
    pub clients: Clients,
    /// CLIENT PAUSE.
    pub pause: Pause,
    /// When the process started.
    pub started: Instant,
    /// Forty random hexadecimal digits that tell this run from others.
    pub run_id: String,
    /// How many workers run commands; their lanes have the numbers below it.
    pub workers: usize,
}

impl Server {
    /// A server with empty databases.
    pub fn new(config: Arc<Config>, workers: usize) -> Server {
        let databases = config.number("databases") as usize;
        Server {
            keyspace: Keyspace::new(databases, workers, unix_ms()),
            config,
            clients: Clients::default(),
            pause: Pause::default(),
            started: Instant::now(),
            run_id: random_hex(40),
            workers,
        }
    }
}

/// Unix time in milliseconds.
#[inline]
pub fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// `digits` random hexadecimal digits.
fn random_hex(digits: usize) -> String {
    let mut text = String::new();
    while text.len() < digits {
        text.push_str(&format!("{:016x}", random()));
    }
    text.truncate(digits);
    text
}

/// A number that nobody can foretell well enough to profit: a keyed hash of a counter.
pub fn random() -> u64 {
    use std::hash::BuildHasher;
    static KEY: std::sync::OnceLock<std::hash::RandomState> = std::sync::OnceLock::new();
    static NEXT: AtomicU64 = AtomicU64::new(0);
    KEY.get_or_init(std::hash::RandomState::new).hash_one(NEXT.fetch_add(1, Ordering::Relaxed))
}
