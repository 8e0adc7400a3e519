//! What each section says. A field that Redis has and this server cannot know is left out rather than made up.

use std::env;
use std::os::unix::ffi::OsStrExt;

use super::{Text, system};
use crate::command::client::Parts;
use crate::command::latency::Distribution;
use crate::command::pubsub::Scope;
use crate::command::server::memory::{Report, percentage};
use crate::command::state::REDIS_VERSION;
use crate::command::state::unix_ms;
use crate::command::table::registry;
use crate::command::ticks;
use crate::keyspace::reclaim;
use crate::protocol::args::parse_f64;

const DAY: u64 = 24 * 60 * 60;

pub(super) fn server(text: &mut Text<'_>) {
    let server = text.server;
    let now = unix_ms();
    let uptime = server.started.elapsed().as_secs();
    let executable = env::current_exe().unwrap_or_default();
    let file = server.config.file().map(|file| file.as_os_str().as_bytes()).unwrap_or_default();
    text.field("redis_version", REDIS_VERSION);
    text.field("sockudo_kv_version", env!("CARGO_PKG_VERSION"));
    // Clients parse these; they name a commit of Redis, which this server is not built from.
    text.field("redis_git_sha1", "00000000");
    text.field("redis_git_dirty", 0);
    text.field("redis_build_id", "0");
    text.field("redis_mode", "standalone");
    text.field("os", system::name());
    text.field("arch_bits", usize::BITS);
    text.field("monotonic_clock", "POSIX clock_gettime");
    text.field("multiplexing_api", "epoll");
    text.field("process_id", std::process::id());
    text.field("process_supervised", "no");
    text.field("run_id", &server.run_id);
    text.field("tcp_port", server.config.number("port"));
    text.field("server_time_usec", system::unix_us());
    text.field("uptime_in_seconds", uptime);
    text.field("uptime_in_days", uptime / DAY);
    text.field("hz", server.config.number("hz"));
    text.field("configured_hz", server.config.number("hz"));
    // Redis keeps 24 bits of the seconds.
    text.field("lru_clock", (now / 1000) & 0xff_ffff);
    text.field("executable", executable.display());
    text.field("config_file", String::from_utf8_lossy(file));
    text.field("worker_threads", server.workers);
}

pub(super) fn clients(text: &mut Text<'_>) {
    let server = text.server;
    text.field("connected_clients", server.clients.len());
    text.field("cluster_connections", 0);
    text.field("maxclients", server.config.live().maxclients());
    let parts: Vec<Parts> = server.clients.snapshot().iter().map(|client| client.parts()).collect();
    let most = |of: fn(&Parts) -> usize| parts.iter().map(of).max().unwrap_or(0);
    text.field("client_recent_max_input_buffer", most(|parts| parts.input));
    text.field("client_recent_max_output_buffer", most(|parts| parts.output));
    text.field("blocked_clients", server.queues.len() + server.pause.held());
    text.field("tracking_clients", server.tracking.len());
}

pub(super) fn memory(text: &mut Text<'_>) {
    let report = Report::new(text.server, text.guard, text.used);
    used_memory(text, &report);
    script_memory(text, &report);
    text.bytes("maxmemory", text.server.config.number("maxmemory"));
    for (_, policy) in text.server.config.get(&[b"maxmemory-policy"]) {
        text.field("maxmemory_policy", String::from_utf8_lossy(&policy));
    }
    allocator(text, &report);
    for name in ["mem_not_counted_for_evict", "mem_replication_backlog", "mem_total_replication_buffers"] {
        text.field(name, 0);
    }
    text.field("mem_clients_slaves", 0);
    text.field("mem_clients_normal", report.clients);
    text.field("mem_cluster_links", 0);
    text.field("mem_aof_buffer", 0);
    text.field("mem_allocator", "mimalloc");
    text.field("active_defrag_running", 0);
    // Unlinked values whose memory waits until no reader can see them any more.
    text.field("mem_unlinked", report.unlinked);
    text.field("lazyfree_pending_objects", reclaim::pending());
    text.field("lazyfreed_objects", text.sums.lazyfreed);
}

fn used_memory(text: &mut Text<'_>, report: &Report) {
    text.bytes("used_memory", report.used);
    text.bytes("used_memory_rss", report.resident);
    text.bytes("used_memory_peak", report.peak);
    text.field("used_memory_peak_perc", format_args!("{:.2}%", percentage(report.used, report.peak)));
    text.field("used_memory_overhead", report.overhead());
    text.field("used_memory_startup", report.startup);
    text.field("used_memory_dataset", report.dataset());
    text.field("used_memory_dataset_perc", format_args!("{:.2}%", report.dataset_percentage()));
}

fn script_memory(text: &mut Text<'_>, report: &Report) {
    text.bytes("total_system_memory", system::total_memory());
    let [scripts, functions] = report.interpreters;
    text.bytes("used_memory_lua", scripts);
    text.field("used_memory_vm_eval", scripts);
    text.field("used_memory_scripts_eval", report.scripts.1);
    text.field("number_of_cached_scripts", report.scripts.0);
    text.field("number_of_functions", report.functions.1);
    text.field("number_of_libraries", report.functions.0);
    text.field("used_memory_vm_functions", functions);
    text.bytes("used_memory_vm_total", report.all_interpreters());
    text.field("used_memory_functions", report.functions.2);
    text.bytes("used_memory_scripts", report.texts());
}

/// The allocator counts pages, not what they are used for: all of the process counts as its own, as in Redis with an
/// allocator that it knows no better.
fn allocator(text: &mut Text<'_>, report: &Report) {
    let (ratio, bytes) = (report.fragmentation(), report.fragmentation_bytes());
    text.field("allocator_allocated", report.used);
    text.field("allocator_active", report.resident);
    text.field("allocator_resident", report.resident);
    text.field("allocator_frag_ratio", format_args!("{ratio:.2}"));
    text.field("allocator_frag_bytes", bytes);
    for name in ["allocator_rss", "rss_overhead"] {
        text.field(&format!("{name}_ratio"), "1.00");
        text.field(&format!("{name}_bytes"), 0);
    }
    text.field("mem_fragmentation_ratio", format_args!("{ratio:.2}"));
    text.field("mem_fragmentation_bytes", bytes);
}

pub(super) fn persistence(text: &mut Text<'_>) {
    for (name, value) in [
        ("loading", "0"),
        ("async_loading", "0"),
        ("rdb_bgsave_in_progress", "0"),
        ("rdb_last_bgsave_status", "ok"),
        ("rdb_last_bgsave_time_sec", "-1"),
        ("rdb_current_bgsave_time_sec", "-1"),
        ("rdb_saves", "0"),
        ("aof_enabled", "0"),
        ("aof_rewrite_in_progress", "0"),
        ("aof_rewrite_scheduled", "0"),
        ("aof_last_rewrite_time_sec", "-1"),
        ("aof_current_rewrite_time_sec", "-1"),
        ("aof_last_bgrewrite_status", "ok"),
        ("aof_last_write_status", "ok"),
        ("module_fork_in_progress", "0"),
    ] {
        text.field(name, value);
    }
}

pub(super) fn stats(text: &mut Text<'_>) {
    let (keys, errors) = (text.sums.keys, text.sums.all_errors());
    text.field("total_connections_received", text.sums.connections);
    text.field("total_commands_processed", text.sums.all_calls());
    text.field("instantaneous_ops_per_sec", text.server.stats.commands_per_second());
    text.field("rejected_connections", text.sums.rejected_connections);
    text.field("sync_full", 0);
    text.field("sync_partial_ok", 0);
    text.field("sync_partial_err", 0);
    text.field("expired_subkeys", text.server.keyspace.due_fields.expired());
    text.field("expired_keys", keys.expired);
    text.field("evicted_keys", keys.evicted);
    text.field("evicted_clients", text.sums.evicted_clients);
    let (all, current) = text.server.shortage.millis(text.server);
    text.field("total_eviction_exceeded_time", all);
    text.field("current_eviction_exceeded_time", current);
    text.field("keyspace_hits", keys.hits);
    text.field("keyspace_misses", keys.misses);
    text.field("pubsub_channels", text.server.hub.count(Scope::Channel));
    text.field("pubsub_patterns", text.server.hub.count(Scope::Pattern));
    text.field("pubsubshard_channels", text.server.hub.count(Scope::Shard));
    text.field("latest_fork_usec", 0);
    text.field("total_forks", 0);
    text.field("tracking_total_keys", text.server.keyspace.readers.keys());
    text.field("tracking_total_items", text.server.keyspace.readers.names());
    text.field("tracking_total_prefixes", text.server.tracking.prefixes());
    text.field("total_error_replies", errors);
}

pub(super) fn replication(text: &mut Text<'_>) {
    text.field("role", "master");
    text.field("connected_slaves", 0);
    text.field("master_failover_state", "no-failover");
    text.field("master_replid", &text.server.replication_id);
    text.field("master_replid2", "0".repeat(text.server.replication_id.len()));
    text.field("master_repl_offset", 0);
    text.field("second_repl_offset", -1);
    text.field("repl_backlog_active", 0);
    text.field("repl_backlog_size", text.server.config.number("repl-backlog-size"));
    text.field("repl_backlog_first_byte_offset", 0);
    text.field("repl_backlog_histlen", 0);
}

pub(super) fn cpu(text: &mut Text<'_>) {
    let own = system::cpu(libc::RUSAGE_SELF);
    let children = system::cpu(libc::RUSAGE_CHILDREN);
    text.field("used_cpu_sys", format_args!("{:.6}", own.system));
    text.field("used_cpu_user", format_args!("{:.6}", own.user));
    text.field("used_cpu_sys_children", format_args!("{:.6}", children.system));
    text.field("used_cpu_user_children", format_args!("{:.6}", children.user));
}

pub(super) fn commandstats(text: &mut Text<'_>) {
    for (number, command) in registry().numbered().iter().enumerate() {
        let counts = text.sums.commands[number];
        if counts != Default::default() {
            let usec = ticks::micros(counts.ticks);
            let per_call = usec as f64 / counts.calls.max(1) as f64;
            text.field(
                &format!("cmdstat_{}", command.name),
                format_args!(
                    "calls={},usec={usec},usec_per_call={per_call:.2},rejected_calls={},failed_calls={}",
                    counts.calls, counts.rejected, counts.failed
                ),
            );
        }
    }
}

pub(super) fn errorstats(text: &mut Text<'_>) {
    for (code, count) in std::mem::take(&mut text.sums.errors) {
        text.field(&format!("errorstat_{code}"), format_args!("count={count}"));
    }
}

/// Percentiles of the times that commands take, in microseconds.
pub(super) fn latencystats(text: &mut Text<'_>) {
    if !text.server.config.live().latency_tracking() {
        return;
    }
    let names = text.server.config.words("latency-tracking-info-percentiles");
    let names: Vec<String> = names.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    for (command, times) in registry().numbered().iter().zip(std::mem::take(&mut text.sums.latencies)) {
        let shown: Option<Vec<String>> = names.iter().map(|name| percentile(&times, name)).collect();
        if let Some(shown) = shown.filter(|_| times.percentile(100.0).is_some()) {
            text.field(&format!("latency_percentiles_usec_{}", command.name), shown.join(","));
        }
    }
}

/// `p99.9=1.003`, if there were calls.
fn percentile(times: &Distribution, name: &str) -> Option<String> {
    let ticks = times.percentile(parse_f64(name.as_bytes())?)?;
    Some(format!("p{name}={:.3}", ticks::nanos(ticks) as f64 / 1000.0))
}

pub(super) fn cluster(text: &mut Text<'_>) {
    text.field("cluster_enabled", 0);
}

pub(super) fn keyspace(text: &mut Text<'_>) {
    let keyspace = &text.server.keyspace;
    for number in 0..keyspace.databases() {
        let db = keyspace.db(number);
        let keys = db.table(text.guard).len();
        if keys != 0 {
            // Nobody walks the deadlines to average them; Redis shows zero too as long as it has no sample.
            let shown = format_args!("keys={keys},expires={},avg_ttl=0", db.volatile());
            text.field(&format!("db{number}"), shown);
        }
    }
}
