//! The values that the hot path reads: plain atomics, no lock.

use crate::sync::{AtomicU64, Ordering};

/// Mirrors of single values. Each stands alone, so relaxed loads are enough: a reader sees a change soon, and no reader
/// draws a conclusion from two of them together.
#[derive(Debug, Default)]
pub struct Live {
    pub(super) tcp_keepalive: AtomicU64,
    pub(super) timeout: AtomicU64,
    pub(super) maxclients: AtomicU64,
    pub(super) proto_max_bulk_len: AtomicU64,
    pub(super) client_query_buffer_limit: AtomicU64,
    pub(super) hz: AtomicU64,
    pub(super) hll_sparse_max_bytes: AtomicU64,
    pub(super) maxmemory: AtomicU64,
    pub(super) busy_reply_threshold: AtomicU64,
    pub(super) lua_memory_limit: AtomicU64,
    pub(super) output_hard: AtomicU64,
    pub(super) output_soft: AtomicU64,
    pub(super) output_seconds: AtomicU64,
}

impl Live {
    /// Seconds of silence before a TCP probe; zero sends none.
    pub fn tcp_keepalive(&self) -> u64 {
        self.tcp_keepalive.load(Ordering::Relaxed)
    }

    /// Seconds after which an idle client is closed; zero is never.
    pub fn timeout(&self) -> u64 {
        self.timeout.load(Ordering::Relaxed)
    }

    /// Clients at most.
    pub fn maxclients(&self) -> usize {
        self.maxclients.load(Ordering::Relaxed) as usize
    }

    /// Bytes of one argument at most.
    pub fn proto_max_bulk_len(&self) -> usize {
        self.proto_max_bulk_len.load(Ordering::Relaxed) as usize
    }

    /// Bytes that a client may have sent without completing a command.
    pub fn client_query_buffer_limit(&self) -> usize {
        self.client_query_buffer_limit.load(Ordering::Relaxed) as usize
    }

    /// Background ticks per second, 1 to 500.
    pub fn hz(&self) -> u64 {
        self.hz.load(Ordering::Relaxed)
    }

    /// Bytes up to which a HyperLogLog stays sparse.
    pub fn hll_sparse_max_bytes(&self) -> usize {
        self.hll_sparse_max_bytes.load(Ordering::Relaxed) as usize
    }

    /// Bytes of memory beyond which commands that need more are refused; zero is no limit.
    pub fn maxmemory(&self) -> u64 {
        self.maxmemory.load(Ordering::Relaxed)
    }

    /// Milliseconds after which a script counts as one that keeps others waiting; zero is never.
    pub fn busy_reply_threshold(&self) -> u64 {
        self.busy_reply_threshold.load(Ordering::Relaxed)
    }

    /// Bytes that the scripts of one thread may have.
    pub fn lua_memory_limit(&self) -> usize {
        self.lua_memory_limit.load(Ordering::Relaxed) as usize
    }

    /// Bytes of unread replies at which a normal client is closed; zero is no limit.
    pub fn output_hard(&self) -> u64 {
        self.output_hard.load(Ordering::Relaxed)
    }

    /// Bytes of unread replies at which a normal client is closed after [`Self::output_seconds`]; zero is no limit.
    pub fn output_soft(&self) -> u64 {
        self.output_soft.load(Ordering::Relaxed)
    }

    /// Seconds that a normal client may stay over [`Self::output_soft`].
    pub fn output_seconds(&self) -> u64 {
        self.output_seconds.load(Ordering::Relaxed)
    }
}
