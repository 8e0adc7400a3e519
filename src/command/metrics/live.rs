//! What the live page shows, as JSON.

use std::fmt::Write;

use super::types::keys_by_type;
use crate::command::server::resident;
use crate::command::state::{Server, unix_ms};
use crate::command::stats::Sums;
use crate::command::table::registry;
use crate::command::ticks;
use crate::memory;
use crate::sync::epoch::pin;

/// Slow calls that are shown.
const SLOW: usize = 20;

/// A JSON text that is being written; writing cannot fail.
#[derive(Default)]
struct Json(String);

impl Json {
    fn number(&mut self, name: &str, value: impl std::fmt::Display) {
        let _ = write!(self.0, "\"{name}\":{value},");
    }

    fn text(&mut self, text: &[u8]) {
        self.0.push('"');
        for letter in String::from_utf8_lossy(text).chars() {
            match letter {
                '"' | '\\' => self.0.extend(['\\', letter]),
                '\0'..' ' | '\u{2028}' | '\u{2029}' => {
                    let _ = write!(self.0, "\\u{:04x}", letter as u32);
                }
                _ => self.0.push(letter),
            }
        }
        self.0.push('"');
    }

    /// A list under a name, its parts written by `part`.
    fn list<T>(
        &mut self,
        name: &str,
        parts: impl IntoIterator<Item = T>,
        mut part: impl FnMut(&mut Json, T),
    ) {
        let _ = write!(self.0, "\"{name}\":[");
        let before = self.0.len();
        for item in parts {
            part(self, item);
            self.0.push(',');
        }
        if self.0.len() > before {
            self.0.pop();
        }
        self.0.push_str("],");
    }
}

/// The state of this moment; counters count from the last CONFIG RESETSTAT on.
pub fn live(server: &Server) -> String {
    let (mut json, sums) = (Json("{".into()), server.sums());
    numbers(&mut json, server, &sums);
    commands(&mut json, &sums);
    json.list("types", keys_by_type(server), |json, (name, keys)| {
        let _ = write!(json.0, "[\"{name}\",{keys}]");
    });
    let hot = server.diagnosis.hotkeys.by_time();
    json.list("hot", hot, |json, (key, nanos)| {
        json.0.push('[');
        json.text(&key);
        let _ = write!(json.0, ",{}]", nanos / 1000);
    });
    json.list("slow", server.diagnosis.slowlog.latest(SLOW), |json, entry| {
        let _ = write!(json.0, "[{},{},", entry.time, entry.micros);
        json.text(&entry.words.join(&b' '));
        json.0.push(',');
        json.text(entry.addr.as_bytes());
        json.0.push(']');
    });
    json.0.pop();
    json.0.push('}');
    json.0
}

fn numbers(json: &mut Json, server: &Server, sums: &Sums) {
    let guard = pin();
    let keys: u64 =
        (0..server.keyspace.databases()).map(|db| server.keyspace.db(db).table(&guard).len()).sum();
    json.number("now", unix_ms());
    json.number("uptime", server.started.elapsed().as_secs());
    json.number("calls", sums.all_calls());
    json.number("errors", sums.all_errors());
    json.number("clients", server.clients.len());
    json.number("blocked", server.queues.len() + server.pause.held());
    json.number("keys", keys);
    json.number("used", memory::used());
    json.number("resident", resident().unwrap_or(0));
    json.number("limit", server.config.live().maxmemory());
    json.number("garbage", memory::garbage());
    json.number("gateWaits", sums.gate_waits);
    json.number("expired", sums.keys.expired);
    json.number("evicted", sums.keys.evicted);
    json.number("hits", sums.keys.hits);
    json.number("misses", sums.keys.misses);
    json.number("hotActive", server.diagnosis.hotkeys.is_active());
}

/// Name, calls, and the microseconds that half and 99 of 100 of them took at most.
fn commands(json: &mut Json, sums: &Sums) {
    let called =
        registry().numbered().iter().enumerate().filter(|(number, _)| sums.commands[*number].calls != 0);
    json.list("commands", called, |json, (number, command)| {
        let times = &sums.latencies[number];
        let micros =
            |percent| times.percentile(percent).map_or(0.0, |ticks| ticks::nanos(ticks) as f64 / 1000.0);
        let _ = write!(
            json.0,
            "[\"{}\",{},{:.3},{:.3}]",
            command.name,
            sums.commands[number].calls,
            micros(50.0),
            micros(99.0)
        );
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_and_lists_end_without_a_comma() {
        let mut json = Json::default();
        json.list("a", [&b"x\"\\\n\xff"[..], b""], |json, text| json.text(text));
        json.list("b", [0; 0], |_, _| {});
        assert_eq!(json.0, "\"a\":[\"x\\\"\\\\\\u000a\u{fffd}\",\"\"],\"b\":[],");
    }
}
