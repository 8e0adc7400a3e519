//! A file into the keyspace.
//!
//! One thread reads the file and finds out where each key ends; the others decode keys and put them in their places,
//! a chunk at a time. Nobody else changes keys meanwhile: at the start clients are refused, and DEBUG RELOAD has closed
//! everything.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::{rdb_path, status};
use crate::command::script;
use crate::command::state::{Server, unix_ms};
use crate::config::reason;
use crate::disk::Source;
use crate::keyspace::evict::usage::{self, Tracking};
use crate::keyspace::reclaim::collect_if_due;
use crate::keyspace::table::{Table, prefetch};
use crate::keyspace::{Access, Key, Space};
use crate::protocol::args::parse_i64;
use crate::rdb::Limits;
use crate::rdb::file::read::{Chunk, Fact, Opened, Raw, Scanner, Summed, Wrong};
use crate::rdb::file::write::Usage;
use crate::sync::epoch::pin;
use crate::sync::{AtomicU64, Ordering};
use crate::value::word::NO_EXPIRY;
use crate::value::{hash, list, set, stream, zset};
use crate::{log_debug, log_notice, log_warning};

/// Chunks that may wait for each decoding thread.
const WAITING: usize = 2;
/// Keys whose cache misses overlap.
const TOGETHER: usize = 32;
/// Bytes of a file that a key takes at least: what it claims to have is not believed beyond that.
const LEAST_KEY: u64 = 3;
/// Names of empty keys that the log shows.
const SHOWN_EMPTY: u64 = 10;
/// Rest between lines of progress.
const PROGRESS: Duration = Duration::from_secs(5);

/// How a file is to be loaded.
pub(super) struct How {
    /// A key or library that is there already is replaced; else it is an error.
    pub(super) merge: bool,
    /// Up to where values are small.
    pub(super) limits: Limits,
    /// The lane whose counters are used.
    pub(super) lane: usize,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Counts {
    keys: AtomicU64,
    expired: AtomicU64,
    empty: AtomicU64,
}

/// Why a file could not be loaded.
#[derive(Debug)]
pub(super) enum Unloaded {
    /// There is none.
    Absent,
    /// It cannot be opened.
    Closed(std::io::Error),
    /// It cannot be read; how far it was.
    Unreadable(Wrong, u64),
    /// It has what the server cannot take in.
    Refused(String),
}

impl Unloaded {
    /// Tells the log, with the words of Redis where people look for them.
    pub(super) fn complain(&self) {
        match self {
            Unloaded::Absent => log_warning!("There is no RDB file"),
            Unloaded::Closed(error) => log_warning!("The RDB file cannot be opened: {}", reason(error)),
            Unloaded::Refused(text) => log_warning!("{text}"),
            Unloaded::Unreadable(wrong, offset) => complain_of(wrong, *offset),
        }
    }
}

fn complain_of(wrong: &Wrong, offset: u64) {
    match wrong {
        Wrong::Short => {
            log_warning!("Short read or OOM loading DB. Unrecoverable error, aborting now.");
            log_warning!("Unexpected EOF reading RDB file, behind offset {offset}");
        }
        Wrong::Corrupt(doing) => {
            log_warning!("The RDB file is corrupt near offset {offset}: reading {doing}")
        }
        Wrong::Signature => log_warning!("Wrong signature trying to load DB from file"),
        Wrong::Version(version) => log_warning!("Can't handle RDB format version {version}"),
        Wrong::Sum(right, told) => {
            log_warning!("Wrong RDB checksum expected: ({right:x}) but got ({told:x}). Aborting now.");
            log_warning!("RDB CRC error");
        }
        Wrong::Module(name) => {
            log_warning!("The RDB file contains module data I can't load: no matching module type '{name}'");
        }
        Wrong::ModuleAux(name) => {
            log_warning!("The RDB file contains AUX module data I can't load: no matching module '{name}'");
        }
        Wrong::Io(error) => log_warning!("Reading the RDB file failed: {}", reason(error)),
    }
}

/// The configuration's thresholds.
pub(in crate::command) fn rdb_limits(server: &Server) -> Limits {
    let live = server.config.live();
    Limits {
        list: list::Limits::new(live.list_max_listpack_size(), live.list_compress_depth()),
        hash: hash::Limits {
            entries: live.hash_max_listpack_entries(),
            value: live.hash_max_listpack_value(),
        },
        set: set::Limits {
            ints: live.set_max_intset_entries(),
            entries: live.set_max_listpack_entries(),
            value: live.set_max_listpack_value(),
        },
        zset: zset::Limits {
            entries: live.zset_max_listpack_entries(),
            value: live.zset_max_listpack_value(),
        },
        stream: stream::Limits {
            bytes: live.stream_node_max_bytes(),
            entries: live.stream_node_max_entries(),
        },
    }
}

// -- at the start -----------------------------------------------------------------------------------------------

/// From here on commands on keys are refused: before the first client comes.
pub fn start_loading(server: &Server) {
    server.persist.set_loading(true);
}

/// Loads what the server is to begin with.
///
/// # Errors
/// Why it must not begin; the log has the details.
pub fn load_at_start(server: &Arc<Server>) -> Result<(), String> {
    let began = Instant::now();
    let how = How { merge: false, limits: rdb_limits(server), lane: 0 };
    match load(server, &rdb_path(&server.config), &how) {
        Ok(_) => log_notice!("DB loaded from disk: {:.3} seconds", began.elapsed().as_secs_f64()),
        Err(Unloaded::Absent) => {}
        Err(wrong) => {
            wrong.complain();
            let why = match &wrong {
                Unloaded::Closed(error) => reason(error),
                _ => "the file was left as it is".into(),
            };
            return Err(format!("Fatal error loading the DB: {why}. Exiting."));
        }
    }
    server.persist.saved(server.keyspace.stats().changed);
    server.persist.set_loading(false);
    Ok(())
}

// -- loading ----------------------------------------------------------------------------------------------------

/// What the threads share.
struct Loader<'l> {
    server: &'l Server,
    how: &'l How,
    now: u64,
    counts: Counts,
    /// The first complaint ends it all.
    refused: OnceLock<String>,
}

/// Loads a file.
pub(super) fn load(server: &Server, path: &Path, how: &How) -> Result<Counts, Unloaded> {
    let source = Source::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Unloaded::Absent,
        _ => Unloaded::Closed(error),
    })?;
    let size = source.size;
    let loading = &server.persist.loading;
    for (count, value) in [
        (&loading.began, status::seconds()),
        (&loading.total, size),
        (&loading.loaded, 0),
        (&loading.used_memory, 0),
        (&loading.keys, 0),
        (&loading.expired, 0),
    ] {
        count.store(value, Ordering::Relaxed);
    }
    let summed =
        server.config.number("rdbchecksum") != 0 && !server.persist.skips_sums.load(Ordering::Relaxed);
    let wrong = |wrong| Unloaded::Unreadable(wrong, 0);
    let mut scanner = Scanner::new(source, size, summed).map_err(wrong)?;
    let loader = Loader { server, how, now: unix_ms(), counts: Counts::default(), refused: OnceLock::new() };
    let (sender, receiver) = sync_channel::<Chunk>(WAITING * threads());
    let (shared, receiver) = (&loader, &Mutex::new(receiver));
    let scanned = std::thread::scope(|scope| {
        for _ in 0..threads() {
            scope.spawn(move || shared.decode_all(receiver));
        }
        // The sender ends with the scan, and with it the threads.
        shared.scan(&mut scanner, sender)
    });
    let offset = scanner.offset();
    if let Some(text) = loader.refused.get() {
        return Err(Unloaded::Refused(text.clone()));
    }
    scanned.map_err(|wrong| Unloaded::Unreadable(wrong, offset))?;
    loader.report();
    Ok(loader.counts)
}

/// Decoding threads: one for each core that there is, at least one beside the reader.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

impl Loader<'_> {
    /// Reads the file to its end, unless somebody refuses it.
    fn scan(&self, scanner: &mut Scanner<Source>, sender: SyncSender<Chunk>) -> Result<(), Wrong> {
        let mut told = Instant::now();
        while let Some(mut chunk) = scanner.chunk()? {
            for fact in std::mem::take(&mut chunk.facts) {
                self.take_in(fact, scanner.offset());
            }
            self.server.persist.loading.loaded.store(scanner.offset(), Ordering::Relaxed);
            if self.refused.get().is_some() || sender.send(chunk).is_err() {
                return Ok(());
            }
            if told.elapsed() >= PROGRESS {
                told = Instant::now();
                self.tell_progress(scanner.offset());
            }
        }
        Ok(())
    }

    fn tell_progress(&self, offset: u64) {
        let total = self.server.persist.loading.total.load(Ordering::Relaxed).max(1);
        let keys = self.counts.keys.load(Ordering::Relaxed);
        log_notice!("Loading RDB: {}% of {total} bytes, {keys} keys", offset * 100 / total);
    }

    fn report(&self) {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (keys, expired, empty) =
            (get(&self.counts.keys), get(&self.counts.expired), get(&self.counts.empty));
        if empty == 0 {
            log_notice!("Done loading RDB, keys loaded: {keys}, keys expired: {expired}.");
        } else {
            log_warning!(
                "Done loading RDB, keys loaded: {keys}, keys expired: {expired}, empty keys skipped: {empty}."
            );
        }
    }

    fn refuse(&self, text: String) {
        // The first one counts.
        let _ = self.refused.set(text);
    }

    fn take_in(&self, fact: Fact, offset: u64) {
        match fact {
            Fact::Aux(name, value) => self.aux(&name, &value),
            Fact::Function(code) => {
                if let Err(why) = script::load_saved(self.server, code.into(), self.how.merge) {
                    let why = why.strip_prefix("ERR ").unwrap_or(&why);
                    self.refuse(format!("Failed loading library, {why}"));
                }
            }
            Fact::Select(db) => {
                let databases = self.server.keyspace.databases();
                if db >= databases as u64 {
                    self.refuse(format!(
                        "FATAL: Data file was created with a Redis server configured to handle more than {databases} \
                         databases. Exiting"
                    ));
                }
            }
            Fact::Resize(db, keys) => {
                let left = self.server.persist.loading.total.load(Ordering::Relaxed).saturating_sub(offset);
                if let Ok(db) = usize::try_from(db)
                    && db < self.server.keyspace.databases()
                {
                    let guard = pin();
                    self.server.keyspace.db(db).table(&guard).reserve(keys.min(left / LEAST_KEY), &guard);
                }
            }
            Fact::End(Summed::None) => {
                log_notice!("RDB file was saved with checksum disabled: no check performed.");
            }
            Fact::End(_) => {}
        }
    }

    fn aux(&self, name: &[u8], value: &[u8]) {
        let text = String::from_utf8_lossy(value);
        let number = parse_i64(value).unwrap_or(0).max(0) as u64;
        match name.to_ascii_lowercase().as_slice() {
            b"redis-ver" => log_notice!("Loading RDB produced by version {text}"),
            b"ctime" => log_notice!("RDB age {} seconds", status::seconds().saturating_sub(number)),
            b"used-mem" => {
                self.server.persist.loading.used_memory.store(number, Ordering::Relaxed);
                log_notice!("RDB memory usage when created {:.2} Mb", number as f64 / f64::from(1 << 20));
            }
            b"aof-base" if number != 0 => log_notice!("RDB is base AOF"),
            b"aof-preamble" if number != 0 => log_notice!("RDB has an AOF tail"),
            [b'%', ..] => log_notice!("RDB '{}': {text}", String::from_utf8_lossy(name)),
            // Where replication stood is taken up by who replicates; scripts are not kept in files any more.
            b"repl-stream-db" | b"repl-id" | b"repl-offset" | b"redis-bits" | b"lua" | b"aof-base"
            | b"aof-preamble" => {}
            _ => log_debug!("Unrecognized RDB AUX field: '{}'", String::from_utf8_lossy(name)),
        }
    }

    // -- the decoding threads -----------------------------------------------------------------------------------

    fn decode_all(&self, chunks: &Mutex<Receiver<Chunk>>) {
        loop {
            let next = chunks.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(chunk) = next else { return };
            for keys in chunk.keys.chunks(TOGETHER) {
                if self.refused.get().is_some() {
                    break;
                }
                // Without this a panic could leave the reader waiting for nobody.
                let decoded = catch_unwind(AssertUnwindSafe(|| self.decode(&chunk, keys)));
                if let Err(text) =
                    decoded.unwrap_or_else(|_| Err("Loading failed in an unforeseen way".into()))
                {
                    self.refuse(text);
                }
                self.delay(keys.len());
            }
        }
    }

    /// Decodes some keys and puts them in their places.
    fn decode(&self, chunk: &Chunk, keys: &[Raw]) -> Result<(), String> {
        let guard = pin();
        collect_if_due(&guard);
        let keyspace = &self.server.keyspace;
        let mut found: Vec<(usize, &Raw, Opened<'_>, u64)> = Vec::with_capacity(keys.len());
        for raw in keys {
            let opened =
                chunk.open(raw).map_err(|_| "The RDB file has a corrupt name of a key".to_string())?;
            if let Some(name) = opened.module() {
                return Err(format!(
                    "The RDB file contains module data I can't load: no matching module type '{name}'"
                ));
            }
            let db = usize::try_from(raw.db).ok().filter(|&db| db < keyspace.databases());
            // Whoever read the number has refused the file already.
            let Some(db) = db else { return Ok(()) };
            if raw.expire_at != NO_EXPIRY && raw.expire_at < self.now {
                self.count(&self.counts.expired, &self.server.persist.loading.expired);
                continue;
            }
            let hash = keyspace.hasher.hash(&opened.name);
            keyspace.db(db).table(&guard).prefetch_directory(hash);
            found.push((db, raw, opened, hash));
        }
        let buckets: Vec<_> = found
            .iter()
            .map(|(db, .., hash)| (keyspace.db(*db).table(&guard).prefetch_bucket(*hash, &guard), *hash))
            .collect();
        for (bucket, hash) in buckets {
            if let Some(entry) = Table::prefetch_entry(bucket, hash, &guard) {
                prefetch(entry.as_ptr().cast_const().cast());
            }
        }
        for (db, raw, opened, hash) in found {
            let space = Space::new(keyspace, db, &guard, self.how.lane, self.now, Access::Writing);
            self.place(&space, raw, opened, hash)?;
        }
        Ok(())
    }

    fn count(&self, own: &AtomicU64, shown: &AtomicU64) -> u64 {
        shown.fetch_add(1, Ordering::Relaxed);
        own.fetch_add(1, Ordering::Relaxed)
    }

    fn place(&self, space: &Space<'_>, raw: &Raw, opened: Opened<'_>, hash: u64) -> Result<(), String> {
        let name = opened.name.clone();
        let shown = || String::from_utf8_lossy(&name).into_owned();
        let value = opened.value(&self.how.limits, raw.expire_at);
        let value = value.map_err(|_| {
            format!("The RDB file has a corrupt value: integrity check failed at key '{}'", shown())
        })?;
        let Some(loaded) = value else {
            if self.counts.empty.fetch_add(1, Ordering::Relaxed) < SHOWN_EMPTY {
                log_warning!("rdbLoadObject skipping empty key: {}", shown());
            }
            return Ok(());
        };
        let counts = space.tracking == Tracking::Frequency;
        let clock = match raw.usage {
            Usage::Idle(seconds) if !counts => usage::used_ago(seconds, space.now),
            Usage::Frequency(frequency) if counts => usage::used_often(frequency, space.now),
            _ => usage::first(space.tracking, space.now),
        };
        let key = Key { bytes: &name, hash, hint: None };
        if let Err(word) = space.fill(&key, loaded.word, clock) {
            if !self.how.merge {
                return Err(format!("RDB has duplicated key '{}' in DB {}", shown(), space.db));
            }
            space.set(key, word);
        }
        if let Some(next) = loaded.next_deadline {
            space.keyspace.due_fields.note(space.db, &name, next);
        }
        self.count(&self.counts.keys, &self.server.persist.loading.keys);
        Ok(())
    }

    /// Sleeps as long as `key-load-delay` says for so many keys, in microseconds each.
    fn delay(&self, keys: usize) {
        let micros = self.server.config.number("key-load-delay").cast_signed();
        if let Ok(micros @ 1..) = u64::try_from(micros) {
            std::thread::sleep(Duration::from_micros(micros.saturating_mul(keys as u64)));
        }
    }
}
