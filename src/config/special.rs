//! The directives whose value has a shape of its own.

use super::{kind::Value, units};
use crate::limits::BIND_ADDRESSES;

/// When the output of one class of clients has grown too large; zero is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BufferLimit {
    /// Bytes at which the client is closed at once.
    pub hard: u64,
    /// Bytes at which it is closed after `seconds`.
    pub soft: u64,
    /// How long the output may stay over `soft`.
    pub seconds: u64,
}

/// The client classes of `client-output-buffer-limit`, as CONFIG GET names them; `replica` is another name of `slave`.
pub const CLASSES: [&str; 3] = ["normal", "slave", "pubsub"];

fn class(word: &[u8]) -> Option<usize> {
    let name = if word.eq_ignore_ascii_case(b"replica") { b"slave".as_slice() } else { word };
    CLASSES.iter().position(|class| name.eq_ignore_ascii_case(class.as_bytes()))
}

/// `class hard soft seconds` groups over the current limits; classes that are not named keep theirs.
pub fn buffers(words: &[&[u8]], current: Option<&Value>) -> Result<Value, String> {
    let mut limits = match current {
        Some(Value::Buffers(limits)) => *limits,
        _ => [BufferLimit::default(); 3],
    };
    let (groups, rest) = words.as_chunks::<4>();
    if !rest.is_empty() {
        return Err("Wrong number of arguments in buffer limit configuration.".into());
    }
    for [name, hard, soft, seconds] in groups {
        let class = class(name).ok_or("Invalid client class specified in buffer limit configuration.")?;
        limits[class] = buffer(hard, soft, seconds)
            .ok_or("Error in hard, soft or soft_seconds setting in buffer limit configuration.")?;
    }
    Ok(Value::Buffers(limits))
}

fn buffer(hard: &[u8], soft: &[u8], seconds: &[u8]) -> Option<BufferLimit> {
    let seconds = u64::try_from(units::integer(seconds)?).ok()?;
    Some(BufferLimit { hard: units::memory(hard)?, soft: units::memory(soft)?, seconds })
}

/// All classes on one line, in bytes.
pub fn buffers_text(limits: &[BufferLimit; 3]) -> String {
    let each =
        CLASSES.iter().zip(limits).map(|(name, l)| format!("{name} {} {} {}", l.hard, l.soft, l.seconds));
    each.collect::<Vec<_>>().join(" ")
}

/// One line per class, with units.
pub fn buffers_lines(limits: &[BufferLimit; 3]) -> Vec<Vec<u8>> {
    let line = |(name, limit): (&&str, &BufferLimit)| {
        let name = if *name == "slave" { "replica" } else { name };
        let (hard, soft) = (units::memory_text(limit.hard), units::memory_text(limit.soft));
        format!("{name} {hard} {soft} {}", limit.seconds).into_bytes()
    };
    CLASSES.iter().zip(limits).map(line).collect()
}

/// Addresses to listen on; none at all is allowed and means that TCP is off.
pub fn bind(words: &[&[u8]]) -> Result<Value, String> {
    if words.len() > BIND_ADDRESSES {
        return Err("Too many bind addresses specified.".into());
    }
    Ok(Value::Words(listed(words)))
}

/// The words as they are; one empty word stands for none.
fn listed(words: &[&[u8]]) -> Vec<Vec<u8>> {
    match words {
        [b""] => Vec::new(),
        _ => words.iter().map(|word| word.to_vec()).collect(),
    }
}

/// Pairs of seconds and changes; one empty word means none.
pub fn save(words: &[&[u8]]) -> Result<Value, String> {
    if let [b""] | [] = words {
        return Ok(Value::Save(Vec::new()));
    }
    let (pairs, rest) = words.as_chunks::<2>();
    let read = |[seconds, changes]: &[&[u8]; 2]| {
        let (seconds, changes) = (units::integer(seconds)?, units::integer(changes)?);
        (seconds >= 1 && changes >= 0).then_some((seconds, changes))
    };
    let points: Option<Vec<_>> = pairs.iter().map(read).collect();
    points.filter(|_| rest.is_empty()).map(Value::Save).ok_or("Invalid save parameters".into())
}

/// The pairs on one line.
pub fn save_text(pairs: &[(i64, i64)]) -> String {
    pairs.iter().map(|(seconds, changes)| format!("{seconds} {changes}")).collect::<Vec<_>>().join(" ")
}

/// One line per pair, or the line that means none.
pub fn save_lines(pairs: &[(i64, i64)]) -> Vec<Vec<u8>> {
    match pairs {
        [] => vec![b"\"\"".to_vec()],
        _ => pairs.iter().map(|(seconds, changes)| format!("{seconds} {changes}").into_bytes()).collect(),
    }
}

/// The scores of the master, its replicas and its children.
pub fn oom_scores(words: &[&[u8]]) -> Result<Value, String> {
    if words.len() != 3 {
        return Err("wrong number of arguments".into());
    }
    let valid = |word: &&[u8]| units::integer(word).is_some_and(|score| (-2000..=2000).contains(&score));
    match words.iter().all(valid) {
        true => Ok(Value::Words(listed(words))),
        false => Err("Invalid oom-score-adj-values, elements must be between -2000 and 2000.".into()),
    }
}

/// Percentiles that INFO latencystats reports.
pub fn percentiles(words: &[&[u8]]) -> Result<Value, String> {
    let mut percentiles = Vec::new();
    for word in listed(words) {
        let number: Option<f64> = std::str::from_utf8(&word).ok().and_then(|text| text.parse().ok());
        match number {
            None => return Err("Invalid latency-tracking-info-percentiles parameters".into()),
            Some(number) if !(0.0..=100.0).contains(&number) => {
                return Err(
                    "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]".into()
                );
            }
            Some(number) => percentiles.push(number.to_string().into_bytes()),
        }
    }
    Ok(Value::Words(percentiles))
}

/// `no one`, or a host and its port.
pub fn replica_of(words: &[&[u8]]) -> Result<Value, String> {
    match words {
        [] | [b""] => Ok(Value::Words(Vec::new())),
        [no, one] if no.eq_ignore_ascii_case(b"no") && one.eq_ignore_ascii_case(b"one") => {
            Ok(Value::Words(Vec::new()))
        }
        [_, port] => match units::integer(port) {
            Some(0..=65535) => Ok(Value::Words(listed(words))),
            _ => Err("Invalid master port".into()),
        },
        _ => Err("wrong number of arguments".into()),
    }
}

/// Event classes by bit; the first [`COMMON`] of them together are written `A`. The order is the one of CONFIG GET.
const EVENTS: [u8; 14] = *b"g$lshzxetdKEmn";

/// How many classes `A` stands for.
const COMMON: usize = 10;

const ALL: u32 = (1 << COMMON) - 1;

/// The classes that the letters name.
pub fn events(word: &[u8]) -> Result<Value, String> {
    let mut bits = 0;
    for letter in word {
        bits |= match EVENTS.iter().position(|known| known == letter) {
            _ if *letter == b'A' => ALL,
            Some(bit) => 1 << bit,
            None => return Err("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".into()),
        };
    }
    Ok(Value::Bits(bits))
}

/// The letters of the classes.
pub fn events_text(bits: u32) -> String {
    let (mut text, from) = match bits & ALL == ALL {
        true => ("A".to_string(), COMMON),
        false => (String::new(), 0),
    };
    let set = (from..EVENTS.len()).filter(|bit| bits & 1 << bit != 0);
    text.extend(set.map(|bit| char::from(EVENTS[bit])));
    text
}
