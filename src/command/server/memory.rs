//! Where the memory is: what INFO and MEMORY tell about it.

use super::info::system;
use crate::command::client::Kind;
use crate::command::state::Server;
use crate::keyspace::reclaim;
use crate::memory;
use crate::sync::epoch::Guard;

/// Bytes by purpose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::command) struct Report {
    /// Asked of the allocator and not given back.
    pub(in crate::command) used: u64,
    /// The most that any look has seen.
    pub(in crate::command) peak: u64,
    /// What the empty server had.
    pub(in crate::command) startup: u64,
    /// Pages of the process that are in memory; what is used, where the system does not say.
    pub(in crate::command) resident: u64,
    /// Buffers and names of clients that read and write keys or listen to channels.
    pub(in crate::command) clients: u64,
    /// Interpreters of scripts, and those of functions.
    pub(in crate::command) interpreters: [u64; 2],
    /// Scripts, and the bytes of their text.
    pub(in crate::command) scripts: (u64, u64),
    /// Libraries and functions, and the bytes of their text.
    pub(in crate::command) functions: (u64, u64, u64),
    /// Databases that have keys: their numbers, their keys, and the bytes of their tables.
    pub(in crate::command) databases: Vec<(usize, u64, u64)>,
    /// Unlinked, and not freed because somebody may still be reading it, or because it is many things.
    pub(in crate::command) unlinked: u64,
}

/// Bytes that a script takes besides its text.
const SCRIPT_BYTES: u64 = 160;

impl Report {
    /// The report when `used` bytes are in use.
    pub(in crate::command) fn new(server: &Server, guard: &Guard, used: u64) -> Report {
        let (scripts, texts) = server.scripts.count();
        let (libraries, functions) = server.functions.count();
        let databases = (0..server.keyspace.databases()).map(|number| {
            let table = server.keyspace.db(number).table(guard);
            (number, table.len(), table.overhead_bytes())
        });
        Report {
            used,
            peak: server.stats.note_peak(used),
            startup: server.stats.startup_memory(),
            resident: system::resident().unwrap_or(used),
            clients: clients(server),
            interpreters: memory::of_interpreters(),
            scripts: (scripts as u64, texts as u64 + scripts as u64 * SCRIPT_BYTES),
            functions: (libraries as u64, functions as u64, server.functions.bytes() as u64),
            databases: databases.filter(|&(_, keys, _)| keys != 0).collect(),
            unlinked: memory::garbage() + reclaim::pending_bytes(),
        }
    }

    /// Bytes of all interpreters.
    pub(in crate::command) fn all_interpreters(&self) -> u64 {
        self.interpreters.iter().sum()
    }

    /// Bytes of the texts of scripts and functions.
    pub(in crate::command) fn texts(&self) -> u64 {
        self.scripts.1 + self.functions.2
    }

    /// Bytes that are not keys and values: as in Redis what the empty server had, clients, texts, interpreters, tables.
    pub(in crate::command) fn overhead(&self) -> u64 {
        let tables: u64 = self.databases.iter().map(|&(_, _, bytes)| bytes).sum();
        self.startup + self.clients + self.texts() + self.all_interpreters() + tables
    }

    /// Bytes of keys and values.
    pub(in crate::command) fn dataset(&self) -> u64 {
        self.used.saturating_sub(self.overhead())
    }

    /// Their percentage of what has come to the empty server.
    pub(in crate::command) fn dataset_percentage(&self) -> f64 {
        percentage(self.dataset(), self.grown())
    }

    /// Bytes that have come to those of the empty server.
    fn grown(&self) -> u64 {
        self.used.saturating_sub(self.startup)
    }

    /// Keys of all databases.
    pub(in crate::command) fn keys(&self) -> u64 {
        self.databases.iter().map(|&(_, keys, _)| keys).sum()
    }

    /// Bytes that a key takes with all that belongs to it.
    pub(in crate::command) fn bytes_per_key(&self) -> u64 {
        self.grown().checked_div(self.keys()).unwrap_or(0)
    }

    /// What the process has of the system, as a multiple of what is used.
    pub(in crate::command) fn fragmentation(&self) -> f64 {
        self.resident as f64 / self.used.max(1) as f64
    }

    /// The difference in bytes.
    pub(in crate::command) fn fragmentation_bytes(&self) -> i64 {
        self.resident as i64 - self.used as i64
    }
}

/// A part in hundredths of the whole.
pub(in crate::command) fn percentage(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// Bytes that clients take; replicas and masters, of which there are none, would not count.
fn clients(server: &Server) -> u64 {
    let clients = server.clients.snapshot();
    let own = clients.iter().filter(|client| matches!(client.kind(), Kind::Normal | Kind::Pubsub));
    own.map(|client| client.parts().total() as u64).sum()
}
