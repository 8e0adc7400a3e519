//! The text format of Prometheus, version 0.0.4.

use std::fmt::{Display, Write};

use super::PERCENTILES;
use super::types::keys_by_type;
use crate::command::latency::Distribution;
use crate::command::pubsub::Scope;
use crate::command::server::resident;
use crate::command::state::Server;
use crate::command::stats::Sums;
use crate::command::table::registry;
use crate::command::ticks;
use crate::keyspace::reclaim;
use crate::memory;
use crate::sync::epoch::pin;

/// Lines of text; writing them cannot fail.
#[derive(Default)]
struct Text(String);

impl Text {
    /// Begins a metric.
    fn metric(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP sockudo_kv_{name} {help}\n# TYPE sockudo_kv_{name} {kind}");
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.0, "sockudo_kv_{name}");
        for (at, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}=\"{}\"", if at == 0 { '{' } else { ',' }, escaped(text));
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.metric(name, "gauge", help);
        self.value(name, &[], value);
    }

    fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.metric(name, "counter", help);
        self.value(name, &[], value);
    }
}

/// A label's text with what would end it escaped.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// All metrics.
pub fn prometheus(server: &Server) -> String {
    let (mut text, sums) = (Text::default(), server.sums());
    process(&mut text, server);
    commands(&mut text, &sums);
    durations(&mut text, &sums);
    memory(&mut text, server);
    keys(&mut text, server, &sums);
    connections(&mut text, server, &sums);
    text.0
}

fn process(text: &mut Text, server: &Server) {
    text.metric("info", "gauge", "The server's version.");
    text.value("info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    text.gauge("uptime_seconds", "Seconds since the start.", server.started.elapsed().as_secs());
    text.gauge("workers", "Threads that run commands.", server.workers);
}

fn commands(text: &mut Text, sums: &Sums) {
    let mut of = |name: &str, help: &str, count: fn(&crate::command::stats::Counts) -> u64| {
        text.metric(name, "counter", help);
        for (command, counts) in registry().numbered().iter().zip(&sums.commands) {
            if *counts != Default::default() {
                text.value(name, &[("command", command.name)], count(counts));
            }
        }
    };
    of("command_calls_total", "Calls that ran.", |counts| counts.calls);
    of("command_failed_total", "Calls that answered with an error.", |counts| counts.failed);
    of("command_rejected_total", "Calls that were refused before they ran.", |counts| counts.rejected);
    text.metric("errors_total", "counter", "Errors by their code.");
    for (code, count) in &sums.errors {
        text.value("errors_total", &[("code", code)], count);
    }
    text.counter(
        "gate_waits_total",
        "Times that a command met something closed, and waited.",
        sums.gate_waits,
    );
}

fn seconds(ticks: u64) -> f64 {
    ticks::nanos(ticks) as f64 / 1e9
}

fn durations(text: &mut Text, sums: &Sums) {
    const NAME: &str = "command_duration_seconds";
    text.metric(NAME, "summary", "How long calls took.");
    for (number, command) in registry().numbered().iter().enumerate() {
        let (times, counts): (&Distribution, _) = (&sums.latencies[number], sums.commands[number]);
        if times.is_empty() {
            continue;
        }
        for (quantile, percent) in PERCENTILES {
            let value = times.percentile(percent).map_or(0.0, seconds);
            text.value(NAME, &[("command", command.name), ("quantile", quantile)], value);
        }
        text.value(&format!("{NAME}_sum"), &[("command", command.name)], seconds(counts.ticks));
        text.value(&format!("{NAME}_count"), &[("command", command.name)], counts.calls);
    }
}

fn memory(text: &mut Text, server: &Server) {
    text.gauge("memory_used_bytes", "Bytes that are allocated.", memory::used());
    text.gauge(
        "memory_peak_bytes",
        "The most bytes that were allocated.",
        server.stats.note_peak(memory::used()),
    );
    if let Some(resident) = resident() {
        text.gauge("memory_resident_bytes", "Bytes of the process that are in memory.", resident);
    }
    text.gauge("memory_limit_bytes", "maxmemory; zero is no limit.", server.config.live().maxmemory());
    text.gauge("garbage_bytes", "Unlinked bytes that wait until nobody can read them.", memory::garbage());
    text.gauge("lazyfree_pending", "Values that wait for the background to free them.", reclaim::pending());
}

fn keys(text: &mut Text, server: &Server, sums: &Sums) {
    let guard = pin();
    text.metric("keys", "gauge", "Keys by database.");
    for number in 0..server.keyspace.databases() {
        let keys = server.keyspace.db(number).table(&guard).len();
        text.value("keys", &[("db", &number.to_string())], keys);
    }
    text.metric("volatile_keys", "gauge", "Keys with a deadline, by database.");
    for number in 0..server.keyspace.databases() {
        text.value("volatile_keys", &[("db", &number.to_string())], server.keyspace.db(number).volatile());
    }
    text.metric("keys_by_type", "gauge", "Keys by type, estimated from a sample.");
    for (name, keys) in keys_by_type(server) {
        text.value("keys_by_type", &[("type", name)], keys);
    }
    text.counter("expired_keys_total", "Keys that ended by their deadline.", sums.keys.expired);
    text.counter("evicted_keys_total", "Keys that ended because memory was short.", sums.keys.evicted);
    text.counter(
        "expired_fields_total",
        "Hash fields that ended by their deadline.",
        server.keyspace.due_fields.expired(),
    );
    text.counter("keyspace_hits_total", "Reads that found their key.", sums.keys.hits);
    text.counter("keyspace_misses_total", "Reads that did not.", sums.keys.misses);
}

fn connections(text: &mut Text, server: &Server, sums: &Sums) {
    text.gauge("connected_clients", "Clients now.", server.clients.len());
    text.gauge("blocked_clients", "Clients whose command waits.", server.queues.len() + server.pause.held());
    text.gauge("tracking_clients", "Clients that keep copies.", server.tracking.len());
    text.gauge("tracked_keys", "Keys that such clients have read.", server.keyspace.readers.keys());
    text.counter("connections_total", "Connections so far.", sums.connections);
    text.counter("rejected_connections_total", "Connections beyond maxclients.", sums.rejected_connections);
    for (name, scope, help) in [
        ("channels", Scope::Channel, "Channels that somebody listens to."),
        ("patterns", Scope::Pattern, "Patterns that somebody listens to."),
        ("shard_channels", Scope::Shard, "Channels of shards that somebody listens to."),
    ] {
        text.gauge(&format!("pubsub_{name}"), help, server.hub.count(scope));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let mut text = Text::default();
        text.value("x", &[("a", "b\"\\\n"), ("c", "d")], 1.5);
        assert_eq!(text.0, "sockudo_kv_x{a=\"b\\\"\\\\\\n\",c=\"d\"} 1.5\n");
    }
}
