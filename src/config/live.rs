//! The values that the hot path reads: plain atomics, no lock.

use super::special::BufferLimit;
use crate::sync::{AtomicU64, Ordering};

/// A [`BufferLimit`] that changes.
#[derive(Debug, Default)]
pub(super) struct OutputLimit {
    hard: AtomicU64,
    soft: AtomicU64,
    seconds: AtomicU64,
}

impl OutputLimit {
    pub(super) fn set(&self, limit: &BufferLimit) {
        self.hard.store(limit.hard, Ordering::Relaxed);
        self.soft.store(limit.soft, Ordering::Relaxed);
        self.seconds.store(limit.seconds, Ordering::Relaxed);
    }
}

/// Mirrors of single values. Each stands alone, so relaxed loads are enough: a reader sees a change soon, and no reader
/// draws a conclusion from two of them together.
#[derive(Debug, Default)]
pub struct Live {
    pub(super) tcp_keepalive: AtomicU64,
    pub(super) timeout: AtomicU64,
    pub(super) latency_tracking: AtomicU64,
    pub(super) maxclients: AtomicU64,
    pub(super) proto_max_bulk_len: AtomicU64,
    pub(super) client_query_buffer_limit: AtomicU64,
    pub(super) hll_sparse_max_bytes: AtomicU64,
    pub(super) maxmemory: AtomicU64,
    pub(super) maxmemory_clients: AtomicU64,
    pub(super) maxmemory_policy: AtomicU64,
    pub(super) maxmemory_samples: AtomicU64,
    pub(super) eviction_tenacity: AtomicU64,
    pub(super) lfu_log_factor: AtomicU64,
    pub(super) lfu_decay_time: AtomicU64,
    pub(super) output: OutputLimit,
    pub(super) output_of_listeners: OutputLimit,
    pub(super) hash_max_listpack_entries: AtomicU64,
    pub(super) hash_max_listpack_value: AtomicU64,
    pub(super) list_max_listpack_size: AtomicU64,
    pub(super) list_compress_depth: AtomicU64,
    pub(super) set_max_intset_entries: AtomicU64,
    pub(super) set_max_listpack_entries: AtomicU64,
    pub(super) set_max_listpack_value: AtomicU64,
    pub(super) zset_max_listpack_entries: AtomicU64,
    pub(super) zset_max_listpack_value: AtomicU64,
    pub(super) stream_node_max_bytes: AtomicU64,
    pub(super) stream_node_max_entries: AtomicU64,
    pub(super) notify_keyspace_events: AtomicU64,
    pub(super) busy_reply_threshold: AtomicU64,
    pub(super) lua_memory_limit: AtomicU64,
    pub(super) latency_monitor_threshold: AtomicU64,
    pub(super) slowlog_log_slower_than: AtomicU64,
    pub(super) slowlog_max_len: AtomicU64,
    pub(super) tracking_table_max_keys: AtomicU64,
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

    /// Whether the distribution of the times that commands take is kept.
    #[inline]
    pub fn latency_tracking(&self) -> bool {
        self.latency_tracking.load(Ordering::Relaxed) != 0
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

    /// Bytes up to which a HyperLogLog stays sparse.
    pub fn hll_sparse_max_bytes(&self) -> usize {
        self.hll_sparse_max_bytes.load(Ordering::Relaxed) as usize
    }

    /// Bytes of memory beyond which commands that need more are refused; zero is no limit.
    pub fn maxmemory(&self) -> u64 {
        self.maxmemory.load(Ordering::Relaxed)
    }

    /// Bytes that all clients may take together; zero is no limit.
    #[inline]
    pub fn maxmemory_clients(&self) -> u64 {
        self.maxmemory_clients.load(Ordering::Relaxed)
    }

    /// The number of the eviction policy, as the directive's table has it.
    pub fn maxmemory_policy(&self) -> u64 {
        self.maxmemory_policy.load(Ordering::Relaxed)
    }

    /// Keys that are looked at for each that is evicted.
    pub fn maxmemory_samples(&self) -> usize {
        self.maxmemory_samples.load(Ordering::Relaxed) as usize
    }

    /// How long eviction may keep a command, from 0 to 100.
    pub fn eviction_tenacity(&self) -> u64 {
        self.eviction_tenacity.load(Ordering::Relaxed)
    }

    /// How slowly the counter of uses rises.
    pub fn lfu_log_factor(&self) -> u32 {
        self.lfu_log_factor.load(Ordering::Relaxed) as u32
    }

    /// Minutes without a use after which the counter of uses falls by one; zero is never.
    pub fn lfu_decay_time(&self) -> u32 {
        self.lfu_decay_time.load(Ordering::Relaxed) as u32
    }

    /// Milliseconds after which a script counts as one that keeps others waiting; zero is never.
    pub fn busy_reply_threshold(&self) -> u64 {
        self.busy_reply_threshold.load(Ordering::Relaxed)
    }

    /// Bytes that the scripts of one thread may have.
    pub fn lua_memory_limit(&self) -> usize {
        self.lua_memory_limit.load(Ordering::Relaxed) as usize
    }

    /// Milliseconds from which on a delay is noted; none if delays are not.
    pub fn latency_monitor_threshold(&self) -> Option<u64> {
        Some(self.latency_monitor_threshold.load(Ordering::Relaxed)).filter(|&millis| millis != 0)
    }

    /// Microseconds from which on a call is slow; none if none is.
    pub fn slowlog_log_slower_than(&self) -> Option<u64> {
        let micros = self.slowlog_log_slower_than.load(Ordering::Relaxed) as i64;
        u64::try_from(micros).ok()
    }

    /// Slow calls that are kept.
    pub fn slowlog_max_len(&self) -> usize {
        self.slowlog_max_len.load(Ordering::Relaxed) as usize
    }

    /// Keys at most whose readers are remembered; zero is no limit.
    pub fn tracking_table_max_keys(&self) -> usize {
        self.tracking_table_max_keys.load(Ordering::Relaxed) as usize
    }

    /// When a client is closed because it does not read; other limits hold for those who listen to channels.
    pub fn output_limit(&self, listens: bool) -> BufferLimit {
        let limit = if listens { &self.output_of_listeners } else { &self.output };
        BufferLimit {
            hard: limit.hard.load(Ordering::Relaxed),
            soft: limit.soft.load(Ordering::Relaxed),
            seconds: limit.seconds.load(Ordering::Relaxed),
        }
    }

    /// Fields up to which a hash is packed.
    pub fn hash_max_listpack_entries(&self) -> usize {
        self.hash_max_listpack_entries.load(Ordering::Relaxed) as usize
    }

    /// Bytes of a field or value up to which a hash is packed.
    pub fn hash_max_listpack_value(&self) -> usize {
        self.hash_max_listpack_value.load(Ordering::Relaxed) as usize
    }

    /// Size of a packed piece of a list: elements, or if negative one of five numbers of bytes.
    pub fn list_max_listpack_size(&self) -> i64 {
        self.list_max_listpack_size.load(Ordering::Relaxed) as i64
    }

    /// Pieces at each end of a list that are never compressed; zero compresses none.
    pub fn list_compress_depth(&self) -> usize {
        self.list_compress_depth.load(Ordering::Relaxed) as usize
    }

    /// Members up to which a set of integers is packed as such.
    pub fn set_max_intset_entries(&self) -> usize {
        self.set_max_intset_entries.load(Ordering::Relaxed) as usize
    }

    /// Members up to which a set is packed.
    pub fn set_max_listpack_entries(&self) -> usize {
        self.set_max_listpack_entries.load(Ordering::Relaxed) as usize
    }

    /// Bytes of a member up to which a set is packed.
    pub fn set_max_listpack_value(&self) -> usize {
        self.set_max_listpack_value.load(Ordering::Relaxed) as usize
    }

    /// Members up to which a sorted set is packed.
    pub fn zset_max_listpack_entries(&self) -> usize {
        self.zset_max_listpack_entries.load(Ordering::Relaxed) as usize
    }

    /// Bytes of a member up to which a sorted set is packed.
    pub fn zset_max_listpack_value(&self) -> usize {
        self.zset_max_listpack_value.load(Ordering::Relaxed) as usize
    }

    /// Bytes of a block of a stream; zero is no limit.
    pub fn stream_node_max_bytes(&self) -> usize {
        self.stream_node_max_bytes.load(Ordering::Relaxed) as usize
    }

    /// Entries of a block of a stream; zero is no limit.
    pub fn stream_node_max_entries(&self) -> usize {
        self.stream_node_max_entries.load(Ordering::Relaxed) as usize
    }

    /// Classes of keyspace events that are published, as bits of the command layer's `Events`.
    pub fn notify_keyspace_events(&self) -> u32 {
        self.notify_keyspace_events.load(Ordering::Relaxed) as u32
    }
}
