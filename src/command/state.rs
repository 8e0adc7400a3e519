//! What all workers share.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;

use super::acl::Users;
use super::blocking::Queues;
use super::client::Clients;
use super::diagnosis::Diagnosis;
use super::notify::{self, Events};
use super::pause::Pause;
use super::persist::Persist;
use super::pubsub::Hub;
use super::room::{self, Shortage};
use super::script::{self, Functions, Scripts};
use super::stats::Stats;
use super::tracking::Tracking;
use crate::config::Config;
use crate::keyspace::Keyspace;
use crate::sync::{AtomicBool, AtomicU64, Ordering};

/// The version of Redis whose behaviour this server has: what HELLO and INFO tell libraries that look.
pub const REDIS_VERSION: &str = "7.2.0";

/// The server: configuration, keys and clients.
pub struct Server {
    /// The settings.
    pub config: Arc<Config>,
    /// The keys.
    pub keyspace: Keyspace,
    /// Who is connected.
    pub clients: Arc<Clients>,
    /// Who they may be.
    pub users: Users,
    /// Who waits for data.
    pub queues: Queues,
    /// CLIENT PAUSE.
    pub pause: Pause,
    /// When the process started.
    pub started: Instant,
    /// Forty random hexadecimal digits that tell this run from others.
    pub run_id: String,
    /// Forty random hexadecimal digits that name the history of this data set.
    pub replication_id: String,
    /// How many workers run commands; their lanes have the numbers below it.
    pub workers: usize,
    /// Asks the process to end.
    pub shutdown: Shutdown,
    /// Connections that were served since the start; the refused ones do not count.
    pub total_connections_received: AtomicU64,
    /// Connections that were refused because `maxclients` were connected.
    pub rejected_connections: AtomicU64,
    /// Counters of commands and errors.
    pub stats: Stats,
    /// Who listens to what.
    pub hub: Arc<Hub>,
    /// Who keeps copies of values.
    pub tracking: Arc<Tracking>,
    /// What operators look at: slow commands, delays, the commands themselves.
    pub diagnosis: Diagnosis,
    /// The scripts that are known, and those that run.
    pub scripts: Scripts,
    /// Threads for scripts that take long; their lanes follow those of the workers.
    pub script_pool: script::Pool,
    /// The libraries of functions.
    pub functions: Functions,
    /// Whether the housekeeping of every tenth of a second happens; DEBUG PAUSE-CRON switches it off.
    pub keeps_house: AtomicBool,
    /// Saving and loading.
    pub persist: Persist,
    /// Whether keys that fell due are looked for; DEBUG SET-ACTIVE-EXPIRE switches it off. Reads find them anyway.
    pub active_expiry: AtomicBool,
    /// Whether the buffers of silent clients are freed; DEBUG REPLYBUFFER RESIZING switches it off.
    pub frees_buffers: AtomicBool,
    /// How long `maxmemory` was exceeded.
    pub shortage: Shortage,
}

/// The wish that the process ends: SIGINT, SIGTERM and SHUTDOWN utter it, the listener and the workers obey. It cannot
/// be taken back.
#[derive(Debug, Default)]
pub struct Shutdown {
    wish: watch::Sender<bool>,
}

impl Shutdown {
    /// Asks for the end. Returns at once, also when it has been asked for already.
    pub fn request(&self) {
        self.wish.send_replace(true);
    }

    /// Whether the end has been asked for.
    pub fn is_requested(&self) -> bool {
        *self.wish.borrow()
    }

    /// Waits until somebody asks for the end.
    pub async fn requested(&self) {
        let mut seen = self.wish.subscribe();
        // It fails when the sender is gone, and the sender is borrowed here.
        drop(seen.wait_for(|asked| *asked).await);
    }
}

impl Server {
    /// A server with empty databases.
    pub fn new(config: Arc<Config>, workers: usize) -> Server {
        super::ticks::start();
        let lanes = workers + script::THREADS + 1;
        let databases = config.number("databases") as usize;
        let hub = Arc::new(Hub::new(workers));
        let keyspace = Keyspace::new(databases, lanes, unix_ms());
        let clients = Arc::<Clients>::default();
        let tracking = Tracking::new(Arc::clone(&hub), Arc::clone(&clients), &keyspace);
        let diagnosis = Diagnosis::new(config.live());
        // Nobody else has the keyspace yet, so these are the first calls.
        let tell = |class, event| notify::of_ended(Arc::clone(&config), Arc::clone(&hub), class, event);
        let _ = keyspace.on_expired.set(tell(Events::EXPIRED, "expired"));
        let _ = keyspace.on_fields_expired.set(tell(Events::HASH, "hexpired"));
        let _ = keyspace.on_emptied.set(tell(Events::GENERIC, "del"));
        let _ = keyspace.on_new.set(tell(Events::NEW, "new"));
        let _ = keyspace.on_missed.set(tell(Events::KEY_MISS, "keymiss"));
        let _ = keyspace.on_evicted.set(tell(Events::EVICTED, "evicted"));
        let server = Server {
            keyspace,
            config,
            clients,
            users: Users::default(),
            tracking,
            diagnosis,
            queues: Queues::default(),
            pause: Pause::default(),
            started: Instant::now(),
            run_id: random_hex(40),
            replication_id: random_hex(40),
            workers,
            shutdown: Shutdown::default(),
            total_connections_received: AtomicU64::new(0),
            rejected_connections: AtomicU64::new(0),
            hub,
            stats: Stats::new(lanes),
            scripts: Scripts::new(lanes),
            script_pool: script::Pool::default(),
            functions: Functions::default(),
            keeps_house: AtomicBool::new(true),
            persist: Persist::default(),
            active_expiry: AtomicBool::new(true),
            frees_buffers: AtomicBool::new(true),
            shortage: Shortage::default(),
        };
        room::follow_policy(&server);
        server
    }

    /// The lane of the thread that saves: the last one.
    pub(super) fn saver_lane(&self) -> usize {
        self.workers + script::THREADS
    }
}

/// Unix time in milliseconds.
#[inline]
pub fn unix_ms() -> u64 {
    // Asked for every batch: the standard library's way to the same number takes twice the instructions.
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes to `now` alone, which outlives it.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &mut now) };
    (now.tv_sec as u64).saturating_mul(1000) + now.tv_nsec as u64 / 1_000_000
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
