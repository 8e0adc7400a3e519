//! `sockudo-kv check-rdb FILE`: reads a file as the server would, and tells what is in it.

use std::path::Path;

use crate::config::reason;
use crate::disk::Source;
use crate::rdb::Limits;
use crate::rdb::file::read::{Chunk, Fact, Scanner, Summed, Wrong};
use crate::value::word::NO_EXPIRY;
use crate::value::{hash, list, set, stream, zset};

/// The thresholds of a server without a configuration; a check depends on none of them.
fn limits() -> Limits {
    Limits {
        list: list::Limits::new(-2, 0),
        hash: hash::Limits { entries: 512, value: 64 },
        set: set::Limits { ints: 512, entries: 128, value: 64 },
        zset: zset::Limits { entries: 128, value: 64 },
        stream: stream::Limits { bytes: 4096, entries: 100 },
    }
}

/// What was found.
#[derive(Default)]
struct Found {
    keys: u64,
    with_deadline: u64,
    expired: u64,
    now: u64,
}

/// Checks the file, and prints what a check by Redis's tool prints; whether it is fine.
pub fn check_rdb(path: &Path) -> bool {
    println!("[offset 0] Checking RDB file {}", path.display());
    let source = match Source::open(path) {
        Ok(source) => source,
        Err(error) => {
            println!("Cannot open the file: {}", reason(&error));
            return false;
        }
    };
    let size = source.size;
    let mut found = Found { now: super::super::state::unix_ms(), ..Found::default() };
    let outcome = match Scanner::new(source, size, true) {
        Ok(mut scanner) => {
            let outcome = found.read(&mut scanner);
            outcome.map_err(|wrong| (scanner.offset(), wrong))
        }
        Err(wrong) => Err((0, wrong)),
    };
    match outcome {
        Ok(()) => println!("[offset {size}] \\o/ RDB looks OK! \\o/"),
        Err((offset, ref wrong)) => {
            println!("--- RDB ERROR DETECTED ---");
            println!("[offset {offset}] {}", describe(wrong));
        }
    }
    println!("[info] {} keys read", found.keys);
    println!("[info] {} expires", found.with_deadline);
    println!("[info] {} already expired", found.expired);
    outcome.is_ok()
}

impl Found {
    fn read(&mut self, scanner: &mut Scanner<Source>) -> Result<(), Wrong> {
        while let Some(chunk) = scanner.chunk()? {
            self.keys_of(&chunk)?;
            chunk.facts.iter().for_each(|fact| tell(fact, scanner.offset()));
        }
        Ok(())
    }

    fn keys_of(&mut self, chunk: &Chunk) -> Result<(), Wrong> {
        let limits = limits();
        for raw in &chunk.keys {
            let opened = chunk.open(raw).map_err(|_| Wrong::Corrupt("a key's name"))?;
            // The server takes no values of modules in, but the file is none the worse for them.
            if opened.module().is_none() {
                opened.value(&limits, raw.expire_at).map_err(|_| Wrong::Corrupt("a key's value"))?;
            }
            self.keys += 1;
            self.with_deadline += u64::from(raw.expire_at != NO_EXPIRY);
            self.expired += u64::from(raw.expire_at != NO_EXPIRY && raw.expire_at < self.now);
        }
        Ok(())
    }
}

fn tell(fact: &Fact, offset: u64) {
    let text = String::from_utf8_lossy;
    match fact {
        Fact::Aux(name, value) => println!("[offset {offset}] AUX FIELD {} = '{}'", text(name), text(value)),
        Fact::Select(db) => println!("[offset {offset}] Selecting DB ID {db}"),
        Fact::End(Summed::Right) => println!("[offset {offset}] Checksum OK"),
        Fact::End(_) => {
            println!("[offset {offset}] RDB file was saved with checksum disabled: no check performed.");
        }
        Fact::Function(_) | Fact::Resize(..) => {}
    }
}

fn describe(wrong: &Wrong) -> String {
    match wrong {
        Wrong::Short => "Unexpected EOF reading RDB file".into(),
        Wrong::Corrupt(doing) => format!("Corrupt bytes while reading {doing}"),
        Wrong::Signature => "Wrong signature trying to load DB from file".into(),
        Wrong::Version(version) => format!("Can't handle RDB format version {version}"),
        Wrong::Sum(..) => "RDB CRC error".into(),
        Wrong::Module(name) => {
            format!("A value of the module '{name}' in a form that only the module can read")
        }
        Wrong::ModuleAux(name) => format!("Data of the module '{name}' beside the keys"),
        Wrong::Io(error) => format!("Reading failed: {}", reason(error)),
    }
}
