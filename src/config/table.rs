//! Every directive of a stock redis.conf 7.2, and ours, one line each.
//!
//! Three constructors say how honest a line is: `read` when something in the server reads the value, `later` when
//! nothing does yet, and `moot` when every value describes what the server does anyway, with the reason.

use super::{kind::Kind, kind::Kind::*, live::Live};
use crate::{limits::THREADS, sync::AtomicU64};

/// Whether a directive does what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Something reads the value.
    Supported,
    /// A file may carry it and earns a warning; CONFIG SET refuses to change it.
    NotYet,
    /// Any value is accepted and none makes a difference, for the reason given.
    Moot(&'static str),
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Directive {
    /// The name that CONFIG REWRITE writes.
    pub name: &'static str,
    /// The other name that Redis knows it by.
    pub alias: Option<&'static str>,
    /// The shape of its value.
    pub kind: Kind,
    /// Its value when nobody says anything, as a line of a file would.
    pub default: &'static str,
    /// Whether it does what it says.
    pub status: Status,
    /// CONFIG SET may change it.
    pub modifiable: bool,
    /// CONFIG SET needs `enable-protected-configs`.
    pub protected: bool,
    /// CONFIG GET shows it only when asked by its full name.
    pub hidden: bool,
    /// CONFIG GET shows it under its other name only when asked by that in full: Redis does not know the name.
    pub hides_alias: bool,
    /// Where its value stands for readers that take no lock.
    pub live: Option<fn(&Live) -> &AtomicU64>,
}

const fn directive(name: &'static str, kind: Kind, default: &'static str, status: Status) -> Directive {
    let (modifiable, protected, hidden, hides_alias) = (true, false, false, false);
    let (alias, live) = (None, None);
    Directive { name, alias, kind, default, status, modifiable, protected, hidden, hides_alias, live }
}

const fn read(name: &'static str, kind: Kind, default: &'static str) -> Directive {
    directive(name, kind, default, Status::Supported)
}

const fn later(name: &'static str, kind: Kind, default: &'static str) -> Directive {
    directive(name, kind, default, Status::NotYet)
}

const fn moot(name: &'static str, kind: Kind, default: &'static str, reason: &'static str) -> Directive {
    directive(name, kind, default, Status::Moot(reason))
}

/// A line of a file that is no value: so many words at least and at most.
const fn line(name: &'static str, least: usize, most: usize) -> Directive {
    later(name, Line(least, most), "").fixed().hidden()
}

impl Directive {
    const fn alias(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self
    }
    /// Another name, which is ours alone.
    const fn nickname(mut self, alias: &'static str) -> Self {
        self.hides_alias = true;
        self.alias(alias)
    }
    const fn fixed(mut self) -> Self {
        self.modifiable = false;
        self
    }
    const fn protected(mut self) -> Self {
        self.protected = true;
        self
    }
    const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }
    const fn live(mut self, field: fn(&Live) -> &AtomicU64) -> Self {
        self.live = Some(field);
        self
    }
}

const NAT: Kind = Int(0, i32::MAX as i64);
const POS: Kind = Int(1, i32::MAX as i64);
const LONG: Kind = Int(0, i64::MAX);
const PORT: Kind = Int(0, 65535);
const MEM: Kind = Memory(0, i64::MAX as u64);
const MEM_1MB: Kind = Memory(1 << 20, i64::MAX as u64);
const TEXT: Kind = Text(any);

/// The numbers of `loglevel`, in the order of `logging::Level`.
pub const LOG_LEVELS: &[(&str, u32)] =
    &[("debug", 0), ("verbose", 1), ("notice", 2), ("warning", 3), ("nothing", 4)];

/// The numbers of `enable-protected-configs` and its siblings.
pub const ACCESS: &[(&str, u32)] = &[("no", 0), ("yes", 1), ("local", 2)];

const SHUTDOWN: &[(&str, u32)] = &[("default", 0), ("save", 1), ("nosave", 2), ("now", 4), ("force", 8)];
const SUPERVISED: &[(&str, u32)] = &[("upstart", 3), ("systemd", 2), ("auto", 1), ("no", 0)];
const POLICIES: &[(&str, u32)] = &[
    ("volatile-lru", 0),
    ("volatile-lfu", 1),
    ("volatile-random", 2),
    ("volatile-ttl", 3),
    ("allkeys-lru", 4),
    ("allkeys-lfu", 5),
    ("allkeys-random", 6),
    ("noeviction", 7),
    ("volatile-lrm", 8),
    ("allkeys-lrm", 9),
];
const FSYNC: &[(&str, u32)] = &[("everysec", 1), ("always", 2), ("no", 0)];
const FACILITIES: &[(&str, u32)] = &[
    ("user", 1),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];
const DISKLESS: &[(&str, u32)] = &[("disabled", 0), ("on-empty-db", 1), ("swapdb", 2)];
const OOM: &[(&str, u32)] = &[("no", 0), ("yes", 1), ("relative", 1), ("absolute", 2)];
const PUBSUB: &[(&str, u32)] = &[("allchannels", 1), ("resetchannels", 0)];
const SANITIZE: &[(&str, u32)] = &[("no", 0), ("yes", 1), ("clients", 2)];
const ENDPOINT: &[(&str, u32)] = &[("ip", 0), ("hostname", 1), ("unknown-endpoint", 2)];
const TLS_AUTH: &[(&str, u32)] = &[("no", 0), ("yes", 1), ("optional", 2)];
const PROPAGATION: &[(&str, u32)] = &[("ignore", 0), ("panic", 1), ("panic-on-replicas", 2)];

const BACKGROUND: &str = "large values are always freed in the background";
const NO_JEMALLOC: &str = "the allocator is mimalloc, which purges by itself";
const NO_FORK: &str = "the server never forks, so huge pages cost no copy";

fn any(_: &[u8]) -> Result<(), &'static str> {
    Ok(())
}

fn dump_name(name: &[u8]) -> Result<(), &'static str> {
    plain(name).ok_or("dbfilename can't be a path, just a filename")
}

fn log_name(name: &[u8]) -> Result<(), &'static str> {
    plain(name).ok_or("appendfilename can't be a path, just a filename")
}

fn log_dir(name: &[u8]) -> Result<(), &'static str> {
    plain(name).ok_or("appenddirname can't be a path, just a dirname")
}

fn plain(name: &[u8]) -> Option<()> {
    (!name.contains(&b'/') && !name.contains(&b'\\')).then_some(())
}

/// The directives, by topic.
pub static DIRECTIVES: &[Directive] = &[
    // Network
    read("bind", Bind, "127.0.0.1"),
    read("port", PORT, "6379"),
    read("tcp-backlog", NAT, "511").fixed(),
    read("tcp-keepalive", NAT, "300").live(|live| &live.tcp_keepalive),
    read("timeout", NAT, "0").live(|live| &live.timeout),
    read("maxclients", Int(1, u32::MAX as i64), "10000").live(|live| &live.maxclients),
    read("proto-max-bulk-len", MEM_1MB, "512mb").live(|live| &live.proto_max_bulk_len),
    read("client-query-buffer-limit", MEM_1MB, "1gb").live(|live| &live.client_query_buffer_limit),
    read(
        "client-output-buffer-limit",
        BufferLimits,
        "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
    ),
    later("protected-mode", Bool, "yes"),
    later("bind-source-addr", TEXT, ""),
    later("unixsocket", TEXT, "").fixed(),
    later("unixsocketperm", Octal(0, 0o777), "0").fixed(),
    later("socket-mark-id", Int(0, u32::MAX as i64), "0").fixed(),
    read("maxmemory-clients", MemoryOrPercent, "0"),
    later("max-new-connections-per-cycle", Int(1, 1000), "10"),
    // Server
    read("io-threads", Int(0, THREADS), "0").fixed().nickname("threads"),
    moot("io-threads-do-reads", Bool, "no", "every worker reads, runs and writes for its own clients")
        .fixed(),
    read("databases", POS, "16").fixed(),
    read("loglevel", Enum(LOG_LEVELS), "notice"),
    read("logfile", TEXT, "").fixed(),
    moot("hz", NAT, "10", "background work follows what is due instead of a rate"),
    moot("dynamic-hz", Bool, "yes", "the expiry's share of a tick follows the work that is due"),
    read("dir", Dir, ".").protected(),
    read("enable-protected-configs", Enum(ACCESS), "no").fixed(),
    read("enable-debug-command", Enum(ACCESS), "no").fixed(),
    later("enable-module-command", Enum(ACCESS), "no").fixed(),
    later("daemonize", Bool, "no").fixed(),
    read("pidfile", TEXT, "").fixed(),
    later("supervised", Enum(SUPERVISED), "no").fixed(),
    later("syslog-enabled", Bool, "no").fixed(),
    later("syslog-ident", TEXT, "redis").fixed(),
    later("syslog-facility", Enum(FACILITIES), "local0").fixed(),
    later("crash-log-enabled", Bool, "yes"),
    later("crash-memcheck-enabled", Bool, "yes"),
    moot("always-show-logo", Bool, "no", "there is no logo").fixed(),
    later("set-proc-title", Bool, "yes").fixed(),
    later("proc-title-template", TEXT, "{title} {listen-addr} {server-mode}"),
    later("locale-collate", TEXT, ""),
    later("shutdown-timeout", NAT, "10"),
    later("shutdown-on-sigint", Flags(SHUTDOWN), "default"),
    later("shutdown-on-sigterm", Flags(SHUTDOWN), "default"),
    read("busy-reply-threshold", LONG, "5000")
        .alias("lua-time-limit")
        .live(|live| &live.busy_reply_threshold),
    moot("lua-enable-deprecated-api", Bool, "no", "scripts never find getfenv, setfenv and newproxy")
        .fixed()
        .hidden(),
    read("lua-memory-limit", MEM_1MB, "256mb").live(|live| &live.lua_memory_limit),
    read("oom-score-adj", Enum(OOM), "no"),
    read("oom-score-adj-values", OomScores, "0 200 800"),
    moot("disable-thp", Bool, "yes", NO_FORK).fixed(),
    later("server_cpulist", TEXT, "").fixed(),
    later("bio_cpulist", TEXT, "").fixed(),
    later("aof_rewrite_cpulist", TEXT, "").fixed(),
    later("bgsave_cpulist", TEXT, "").fixed(),
    later("ignore-warnings", TEXT, ""),
    read("latency-monitor-threshold", LONG, "0").live(|live| &live.latency_monitor_threshold),
    read("latency-tracking", Bool, "yes").live(|live| &live.latency_tracking),
    read("latency-tracking-info-percentiles", Percentiles, "50 99 99.9"),
    read("slowlog-log-slower-than", Int(-1, i64::MAX), "10000").live(|live| &live.slowlog_log_slower_than),
    read("slowlog-max-len", LONG, "128").live(|live| &live.slowlog_max_len),
    read("notify-keyspace-events", Events, "").live(|live| &live.notify_keyspace_events),
    read("tracking-table-max-keys", LONG, "1000000").live(|live| &live.tracking_table_max_keys),
    // Memory and data types
    read("hll-sparse-max-bytes", MEM, "3000").live(|live| &live.hll_sparse_max_bytes),
    read("maxmemory", Memory(0, u64::MAX), "0").live(|live| &live.maxmemory),
    read("maxmemory-policy", Enum(POLICIES), "noeviction").live(|live| &live.maxmemory_policy),
    read("maxmemory-samples", POS, "5").live(|live| &live.maxmemory_samples),
    read("maxmemory-eviction-tenacity", Int(0, 100), "10").live(|live| &live.eviction_tenacity),
    later("active-expire-effort", Int(1, 10), "1"),
    read("lfu-decay-time", NAT, "1").live(|live| &live.lfu_decay_time),
    read("lfu-log-factor", NAT, "10").live(|live| &live.lfu_log_factor),
    moot("lazyfree-lazy-eviction", Bool, "no", BACKGROUND),
    moot("lazyfree-lazy-expire", Bool, "no", BACKGROUND),
    moot("lazyfree-lazy-server-del", Bool, "no", BACKGROUND),
    moot("lazyfree-lazy-user-del", Bool, "no", BACKGROUND),
    moot("lazyfree-lazy-user-flush", Bool, "no", BACKGROUND),
    moot("replica-lazy-flush", Bool, "no", BACKGROUND).alias("slave-lazy-flush"),
    moot("activerehashing", Bool, "yes", "the map grows in steps that writers share"),
    moot("jemalloc-bg-thread", Bool, "yes", NO_JEMALLOC),
    later("activedefrag", Bool, "no"),
    later("active-defrag-cycle-min", Int(1, 99), "1"),
    later("active-defrag-cycle-max", Int(1, 99), "25"),
    later("active-defrag-threshold-lower", Int(0, 1000), "10"),
    later("active-defrag-threshold-upper", Int(0, 1000), "100"),
    later("active-defrag-ignore-bytes", Memory(1, i64::MAX as u64), "100mb"),
    later("active-defrag-max-scan-fields", Int(1, i64::MAX), "1000"),
    read("hash-max-listpack-entries", LONG, "512")
        .alias("hash-max-ziplist-entries")
        .live(|live| &live.hash_max_listpack_entries),
    read("hash-max-listpack-value", MEM, "64")
        .alias("hash-max-ziplist-value")
        .live(|live| &live.hash_max_listpack_value),
    read("list-max-listpack-size", Int(i32::MIN as i64, i32::MAX as i64), "-2")
        .alias("list-max-ziplist-size")
        .live(|live| &live.list_max_listpack_size),
    read("list-compress-depth", NAT, "0").live(|live| &live.list_compress_depth),
    read("set-max-intset-entries", LONG, "512").live(|live| &live.set_max_intset_entries),
    read("set-max-listpack-entries", LONG, "128").live(|live| &live.set_max_listpack_entries),
    read("set-max-listpack-value", LONG, "64").live(|live| &live.set_max_listpack_value),
    read("zset-max-listpack-entries", LONG, "128")
        .alias("zset-max-ziplist-entries")
        .live(|live| &live.zset_max_listpack_entries),
    read("zset-max-listpack-value", MEM, "64")
        .alias("zset-max-ziplist-value")
        .live(|live| &live.zset_max_listpack_value),
    read("stream-node-max-bytes", MEM, "4096").live(|live| &live.stream_node_max_bytes),
    read("stream-node-max-entries", LONG, "100").live(|live| &live.stream_node_max_entries),
    // Access
    later("requirepass", TEXT, ""),
    later("aclfile", TEXT, "").fixed(),
    later("acllog-max-len", LONG, "128"),
    later("acl-pubsub-default", Enum(PUBSUB), "resetchannels"),
    line("user", 1, usize::MAX),
    line("rename-command", 2, 2),
    line("loadmodule", 1, usize::MAX),
    // Persistence
    // Redis's default is `3600 1 300 100 60 10000`; nothing is saved here, and CONFIG GET says so.
    later("save", Save, ""),
    later("dbfilename", Text(dump_name), "dump.rdb").protected(),
    read("rdbcompression", Bool, "yes"),
    later("rdbchecksum", Bool, "yes").fixed(),
    later("rdb-del-sync-files", Bool, "no"),
    later("rdb-save-incremental-fsync", Bool, "yes"),
    later("stop-writes-on-bgsave-error", Bool, "yes"),
    later("sanitize-dump-payload", Enum(SANITIZE), "no"),
    later("appendonly", Bool, "no"),
    later("appendfilename", Text(log_name), "appendonly.aof").fixed(),
    later("appenddirname", Text(log_dir), "appendonlydir").fixed(),
    later("appendfsync", Enum(FSYNC), "everysec"),
    later("no-appendfsync-on-rewrite", Bool, "no"),
    later("auto-aof-rewrite-percentage", NAT, "100"),
    later("auto-aof-rewrite-min-size", MEM, "64mb"),
    later("aof-load-truncated", Bool, "yes"),
    later("aof-use-rdb-preamble", Bool, "yes"),
    later("aof-timestamp-enabled", Bool, "no"),
    later("aof-rewrite-incremental-fsync", Bool, "yes"),
    later("aof-disable-auto-gc", Bool, "no").hidden(),
    later("key-load-delay", Int(i32::MIN as i64, i32::MAX as i64), "0").hidden(),
    later("rdb-key-save-delay", Int(i32::MIN as i64, i32::MAX as i64), "0").hidden(),
    later("loading-process-events-interval-bytes", Int(1024, i32::MAX as i64), "2097152").hidden(),
    // Replication
    later("replicaof", ReplicaOf, "").alias("slaveof").fixed(),
    later("masterauth", TEXT, ""),
    later("masteruser", TEXT, ""),
    later("replica-serve-stale-data", Bool, "yes").alias("slave-serve-stale-data"),
    later("replica-read-only", Bool, "yes").alias("slave-read-only"),
    later("replica-ignore-maxmemory", Bool, "yes").alias("slave-ignore-maxmemory"),
    later("replica-ignore-disk-write-errors", Bool, "no"),
    later("replica-priority", NAT, "100").alias("slave-priority"),
    later("replica-announced", Bool, "yes"),
    later("replica-announce-ip", TEXT, "").alias("slave-announce-ip"),
    later("replica-announce-port", PORT, "0").alias("slave-announce-port"),
    later("repl-diskless-sync", Bool, "yes"),
    later("repl-diskless-sync-delay", NAT, "5"),
    later("repl-diskless-sync-max-replicas", NAT, "0"),
    later("repl-diskless-load", Enum(DISKLESS), "disabled"),
    later("repl-ping-replica-period", POS, "10").alias("repl-ping-slave-period"),
    later("repl-timeout", POS, "60"),
    later("repl-disable-tcp-nodelay", Bool, "no"),
    later("repl-backlog-size", Memory(1, i64::MAX as u64), "1mb"),
    later("repl-backlog-ttl", LONG, "3600"),
    later("min-replicas-to-write", NAT, "0").alias("min-slaves-to-write"),
    later("min-replicas-max-lag", NAT, "10").alias("min-slaves-max-lag"),
    later("propagation-error-behavior", Enum(PROPAGATION), "ignore"),
    // Cluster
    later("cluster-enabled", Bool, "no").fixed(),
    later("cluster-config-file", TEXT, "nodes.conf").fixed(),
    later("cluster-port", PORT, "0").fixed(),
    later("cluster-node-timeout", LONG, "15000"),
    later("cluster-replica-validity-factor", NAT, "10").alias("cluster-slave-validity-factor"),
    later("cluster-replica-no-failover", Bool, "no").alias("cluster-slave-no-failover"),
    later("cluster-migration-barrier", NAT, "1"),
    later("cluster-allow-replica-migration", Bool, "yes"),
    later("cluster-require-full-coverage", Bool, "yes"),
    later("cluster-allow-reads-when-down", Bool, "no"),
    later("cluster-allow-pubsubshard-when-down", Bool, "yes"),
    later("cluster-link-sendbuf-limit", MEM, "0"),
    later("cluster-announce-ip", TEXT, ""),
    later("cluster-announce-port", PORT, "0"),
    later("cluster-announce-bus-port", PORT, "0"),
    later("cluster-announce-tls-port", PORT, "0"),
    later("cluster-announce-hostname", TEXT, ""),
    later("cluster-announce-human-nodename", TEXT, ""),
    later("cluster-preferred-endpoint-type", Enum(ENDPOINT), "ip"),
    // TLS
    later("tls-port", PORT, "0"),
    later("tls-cert-file", TEXT, ""),
    later("tls-key-file", TEXT, ""),
    later("tls-key-file-pass", TEXT, ""),
    later("tls-client-cert-file", TEXT, ""),
    later("tls-client-key-file", TEXT, ""),
    later("tls-client-key-file-pass", TEXT, ""),
    later("tls-dh-params-file", TEXT, ""),
    later("tls-ca-cert-file", TEXT, ""),
    later("tls-ca-cert-dir", TEXT, ""),
    later("tls-auth-clients", Enum(TLS_AUTH), "yes"),
    later("tls-replication", Bool, "no"),
    later("tls-cluster", Bool, "no"),
    later("tls-protocols", TEXT, ""),
    later("tls-ciphers", TEXT, ""),
    later("tls-ciphersuites", TEXT, ""),
    later("tls-prefer-server-ciphers", Bool, "no"),
    later("tls-session-caching", Bool, "yes"),
    later("tls-session-cache-size", NAT, "20480"),
    later("tls-session-cache-timeout", NAT, "300"),
    later("max-new-tls-connections-per-cycle", Int(1, 1000), "1"),
];

/// Directives of old files that Redis skips without a word.
pub const RETIRED: [&str; 3] =
    ["list-max-ziplist-entries", "list-max-ziplist-value", "lua-replicate-commands"];

/// The position of a directive in [`DIRECTIVES`] by either of its names, in any case.
pub fn find(name: &[u8]) -> Option<usize> {
    let same = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    DIRECTIVES.iter().position(|directive| same(directive.name) || directive.alias.is_some_and(same))
}
