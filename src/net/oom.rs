//! `oom-score-adj`: how readily the kernel ends this process when the machine runs out of memory.
//!
//! Of the three scores of `oom-score-adj-values` only the first counts: the server is a master without replicas, and it
//! never forks a child.

use std::fs;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::{Config, reason};
use crate::log_warning;
use crate::protocol::args::parse_i64;

const FILE: &str = "/proc/self/oom_score_adj";
/// The kernel's bounds of a score.
const SCORES: std::ops::RangeInclusive<i64> = -1000..=1000;
/// The numbers of `oom-score-adj`: `relative`, which `yes` means too, and `absolute`.
const NO: u64 = 0;
const ABSOLUTE: u64 = 2;

/// The score from before the first change, while the server's own is in force.
type Before = Mutex<Option<i64>>;

/// Sets the score as the configuration says, now and whenever it changes.
///
/// # Errors
/// If the score cannot be set, with the text that the user reads.
pub(super) fn obey(config: &Config) -> Result<(), String> {
    let before = Arc::new(Before::default());
    for name in ["oom-score-adj", "oom-score-adj-values"] {
        let before = Arc::clone(&before);
        config.on_change(name, Box::new(move |config| apply(config, &before)));
    }
    apply(config, &before)
}

fn apply(config: &Config, before: &Before) -> Result<(), String> {
    let mut before = before.lock().unwrap_or_else(PoisonError::into_inner);
    let mode = config.number("oom-score-adj");
    let wanted = match (mode, *before) {
        (NO, None) => return Ok(()),
        (NO, Some(score)) => score,
        (ABSOLUTE, _) => first_score(config),
        (_, Some(score)) => score + first_score(config),
        (_, None) => read()? + first_score(config),
    };
    let present = read()?;
    let score = wanted.clamp(*SCORES.start(), *SCORES.end());
    if score != present {
        write(score)?;
    }
    *before = (mode != NO).then_some(before.unwrap_or(present));
    Ok(())
}

/// The score of a master.
fn first_score(config: &Config) -> i64 {
    let words = config.words("oom-score-adj-values");
    words.first().and_then(|word| parse_i64(word)).unwrap_or(0)
}

fn read() -> Result<i64, String> {
    let text = fs::read_to_string(FILE).map_err(|error| failed("read", &reason(&error)))?;
    parse_i64(text.trim().as_bytes()).ok_or_else(|| failed("read", "not a number"))
}

fn write(score: i64) -> Result<(), String> {
    fs::write(FILE, score.to_string()).map_err(|error| failed("write", &reason(&error)))
}

fn failed(verb: &str, why: &str) -> String {
    log_warning!("Unable to {verb} oom_score_adj: {why}");
    "Failed to apply new oom_score_adj configuration, check server logs.".into()
}
