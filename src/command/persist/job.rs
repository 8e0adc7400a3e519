//! One RDB file: from the cut of a snapshot to a name in the directory.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{directory, rdb_path, status};
use crate::command::state::{REDIS_VERSION, Server, unix_ms};
use crate::config::reason;
use crate::disk::{Failed, Fresh, Step};
use crate::keyspace::evict::usage::{self, Tracking};
use crate::keyspace::gate::Section;
use crate::keyspace::snapshot::{Cut, Image, Kept};
use crate::memory;
use crate::rdb::file::write::{self, Usage};
use crate::rdb::{self, file};
use crate::sync::epoch::Guard;
use crate::sync::{AtomicU16, Ordering};
use crate::value::crc64::crc64;
use crate::{log_notice, log_warning};

/// Bytes that are handed to the system together.
const BUFFER: usize = 1 << 18;
/// How long a delay that tests ask for sleeps before it looks whether it is still wanted.
const NAP: Duration = Duration::from_millis(1);

/// A file that is about to be written.
pub(super) struct Job {
    cut: Cut,
    path: PathBuf,
    beside: PathBuf,
    compress: bool,
    summed: bool,
    incremental: bool,
    functions: Vec<Bytes>,
    /// Changes of keys until the cut.
    changes: u64,
    /// The version that the keys so far need.
    version: Arc<AtomicU16>,
}

/// Why no file was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unwritten {
    /// The log says why.
    Failed,
    /// It was not wanted any more.
    Cancelled,
}

/// Who writes: the names of their files differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum By {
    /// A command, in its section.
    Command,
    /// The saver.
    Background,
}

impl Job {
    /// Makes the cut, in a section over everything. None while another snapshot is under way.
    pub(super) fn begin(server: &Server, section: &Section<'_>, guard: &Guard, by: By) -> Option<Job> {
        let config = &server.config;
        let compress = config.number("rdbcompression") != 0;
        let version = Arc::new(AtomicU16::new(0));
        let record = {
            let (version, clocks) = (Arc::clone(&version), Clocks::of(server));
            move |image: &Image<'_>, out: &mut Vec<u8>| record(image, compress, &clocks, &version, out)
        };
        let cut = server.keyspace.cut(section, Arc::new(record), guard)?;
        let suffix = if by == By::Background { "-bg" } else { "" };
        Some(Job {
            cut,
            path: rdb_path(config),
            beside: directory(config).join(format!("temp-{}{suffix}.rdb", std::process::id())),
            compress,
            summed: config.number("rdbchecksum") != 0,
            incremental: config.number("rdb-save-incremental-fsync") != 0,
            functions: server.functions.codes(),
            changes: server.keyspace.stats().changed,
            version,
        })
    }

    /// Changes of keys until the cut.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// Keys at the cut.
    pub(super) fn keys(&self) -> u64 {
        self.cut.keys()
    }

    /// Writes the file, and ends the snapshot.
    pub(super) fn run(mut self, server: &Server, cancelled: &dyn Fn() -> bool) -> Result<(), Unwritten> {
        let persist = &server.persist;
        *persist.beside.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.beside.clone());
        // However it ends, the snapshot does too.
        let written = catch_unwind(AssertUnwindSafe(|| self.write(server, cancelled)));
        *persist.beside.lock().unwrap_or_else(PoisonError::into_inner) = None;
        server.keyspace.end_snapshot(self.cut);
        match written {
            Ok(Ok(true)) => {
                log_notice!("DB saved on disk");
                return Ok(());
            }
            Ok(Ok(false)) => return Err(Unwritten::Cancelled),
            Ok(Err(failed)) => complain(&failed, &self.beside, &self.path),
            Err(_) => log_warning!("Saving failed in an unforeseen way and was given up"),
        }
        Err(Unwritten::Failed)
    }

    /// Whether it was wanted until the end.
    fn write(&mut self, server: &Server, cancelled: &dyn Fn() -> bool) -> Result<bool, Failed> {
        let file = Fresh::create(&self.beside, self.incremental)?;
        let mut out = Out::new(file, self.summed);
        // Its version is written at the end.
        out.file.write(&[0; file::MAGIC])?;
        facts(server, &mut out.buffer);
        self.functions.iter().for_each(|code| write::function(code, self.compress, &mut out.buffer));
        if !self.write_keys(server, &mut out, cancelled)? {
            return Ok(false);
        }
        write::end(&mut out.buffer);
        out.flush()?;
        let version = self.version.load(Ordering::Relaxed).max(rdb::OLDEST_WRITTEN);
        let body = out.file.len() - file::MAGIC as u64;
        out.file.write(&if self.summed { write::sum(version, out.sum, body) } else { [0; 8] })?;
        out.file.write_at(&write::magic(version), 0)?;
        out.file.settle(&self.path)?;
        Ok(true)
    }

    fn write_keys(
        &mut self,
        server: &Server,
        out: &mut Out,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<bool, Failed> {
        loop {
            let kept = self.cut.take_kept(&server.keyspace);
            let was_empty = kept.is_empty();
            let mut keys = kept.len() as u64;
            for Kept { db, bytes } in kept {
                out.keys(db, self.cut.counts(db), &bytes)?;
            }
            match self.cut.step(&server.keyspace) {
                Some(step) => {
                    keys += step.keys;
                    out.keys(step.db, self.cut.counts(step.db), self.cut.bytes())?;
                }
                // Behind the walk's end writers keep nothing more.
                None if was_empty => return Ok(true),
                None => {}
            }
            server.persist.keys_done.fetch_add(keys, Ordering::Relaxed);
            if !delay(server, keys, cancelled) {
                return Ok(false);
            }
        }
    }
}

/// The file, what is not written to it yet, and where it stands.
struct Out {
    file: Fresh,
    buffer: Vec<u8>,
    /// Of everything behind the magic.
    sum: u64,
    summed: bool,
    db: Option<usize>,
    /// Databases whose size has been told.
    told: Vec<usize>,
}

impl Out {
    fn new(file: Fresh, summed: bool) -> Out {
        Out { file, buffer: Vec::with_capacity(2 * BUFFER), sum: 0, summed, db: None, told: Vec::new() }
    }

    /// Adds keys of a database, and the database if the last keys were of another one.
    fn keys(&mut self, db: usize, (keys, volatile): (u64, u64), bytes: &[u8]) -> Result<(), Failed> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.db.replace(db) != Some(db) {
            write::select(db, &mut self.buffer);
        }
        if !self.told.contains(&db) {
            self.told.push(db);
            write::resize(keys, volatile, &mut self.buffer);
        }
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Failed> {
        if self.summed {
            self.sum = crc64(self.sum, &self.buffer);
        }
        self.file.write(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

/// What the file says of itself.
fn facts(server: &Server, out: &mut Vec<u8>) {
    let number = |number: u64| number.to_string();
    for (name, value) in [
        ("redis-ver", REDIS_VERSION.into()),
        ("redis-bits", number(64)),
        ("ctime", number(status::seconds())),
        ("used-mem", number(memory::used())),
        ("repl-stream-db", number(0)),
        ("repl-id", server.replication_id.clone()),
        ("repl-offset", number(0)),
        ("aof-base", number(0)),
    ] {
        write::aux(name, value.as_bytes(), out);
    }
}

/// What a file tells of keys' access clocks: as in Redis, what the policy of eviction asks for.
enum Clocks {
    Untold,
    Recency,
    /// With the decay of now.
    Frequency(usage::Usage),
}

impl Clocks {
    fn of(server: &Server) -> Clocks {
        /// Policies by their numbers.
        const LRU: [u64; 2] = [0, 4];
        const LFU: [u64; 2] = [1, 5];
        match server.config.number("maxmemory-policy") {
            policy if LRU.contains(&policy) => Clocks::Recency,
            policy if LFU.contains(&policy) => {
                let usages = usage::Usage::default();
                let decay = u32::try_from(server.config.number("lfu-decay-time")).unwrap_or(u32::MAX);
                usages.set(Tracking::Frequency, 0, decay);
                Clocks::Frequency(usages)
            }
            _ => Clocks::Untold,
        }
    }

    fn usage(&self, clock: u32) -> Usage {
        match self {
            Clocks::Untold => Usage::Unknown,
            Clocks::Recency => Usage::Idle(usage::seconds_since(clock, unix_ms())),
            Clocks::Frequency(usages) => Usage::Frequency(usage::steps(usages.decayed(clock, unix_ms()))),
        }
    }
}

fn record(image: &Image<'_>, compress: bool, clocks: &Clocks, version: &AtomicU16, out: &mut Vec<u8>) {
    let Image { key, view, expire_at, clock } = *image;
    let key = write::Key { name: key, view, expire_at, usage: clocks.usage(clock) };
    match write::key(&key, compress, out) {
        Some(needed) if needed > version.load(Ordering::Relaxed) => {
            _ = version.fetch_max(needed, Ordering::Relaxed)
        }
        Some(_) => {}
        None => log_warning!(
            "The value of '{}' has no form in RDB files and was left out",
            key.name.escape_ascii()
        ),
    }
}

/// Sleeps as long as `rdb-key-save-delay` says for so many keys; whether the file is still wanted.
fn delay(server: &Server, keys: u64, cancelled: &dyn Fn() -> bool) -> bool {
    let (began, mut wanted) = (Instant::now(), true);
    loop {
        wanted &= !cancelled();
        let micros = server.config.number("rdb-key-save-delay").cast_signed();
        let whole = Duration::from_micros(u64::try_from(micros).unwrap_or(0).saturating_mul(keys));
        if !wanted || began.elapsed() >= whole {
            return wanted;
        }
        std::thread::sleep(NAP.min(whole));
    }
}

/// Logs what went wrong, in Redis's words.
fn complain(failed: &Failed, beside: &Path, path: &Path) {
    let (why, root) = (reason(&failed.error), path.parent().unwrap_or(Path::new("unknown")).display());
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match failed.step {
        Step::Create => log_warning!(
            "Failed opening the temp RDB file {} (in server root dir {root}) for saving: {why}",
            name(beside)
        ),
        Step::Rename => log_warning!(
            "Error moving temp DB file {} on the final destination {} (in server root dir {root}): {why}",
            name(beside),
            name(path)
        ),
        step => log_warning!("Write error saving DB on disk({}): {why}", step.name()),
    }
}
