//! LATENCY DOCTOR and GRAPH: delays for people.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::spikes::{Event, Series};
use crate::command::state::unix_ms;
use crate::config::Live;

/// Columns of a graph.
const COLUMNS: usize = 80;
/// Rows of a graph.
const ROWS: usize = 4;
/// What a column's top shows of the height within its row.
const SHADES: [u8; 4] = *b"_o#|";

/// One column for each of the latest delays, higher for longer ones, with its age beneath it from top to bottom.
pub(super) fn graph(name: &str, series: &Series) -> String {
    let skipped = series.samples.len().saturating_sub(COLUMNS);
    let samples: Vec<_> = series.samples.iter().skip(skipped).collect();
    let (high, low) = samples
        .iter()
        .fold((0, u64::MAX), |(high, low), sample| (high.max(sample.millis), low.min(sample.millis)));
    let worst = series.worst;
    let mut text = format!("{name} - high {high} ms, low {low} ms (all time high {worst} ms)\n");
    text.extend(std::iter::repeat_n('-', COLUMNS));
    text.push('\n');
    let levels = (ROWS * SHADES.len()) as u64;
    let level = |millis: u64| if high == low { 0 } else { (millis - low) * (levels - 1) / (high - low) };
    for row in (0..ROWS).rev() {
        let base = (row * SHADES.len()) as u64;
        let line: String = samples.iter().map(|sample| shade(level(sample.millis), base)).collect();
        add_line(&mut text, &line);
    }
    let now = unix_ms() / 1000;
    let ages: Vec<Vec<u8>> =
        samples.iter().map(|sample| age(now.saturating_sub(sample.time)).into_bytes()).collect();
    for row in 0..ages.iter().map(Vec::len).max().unwrap_or(0) {
        let line: String = ages.iter().map(|age| age.get(row).map_or(' ', |&byte| byte.into())).collect();
        add_line(&mut text, &line);
    }
    text
}

fn add_line(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}

/// What a column of this level shows in the row that begins at `base`.
fn shade(level: u64, base: u64) -> char {
    match level.checked_sub(base) {
        None => ' ',
        Some(above) => SHADES[(above as usize).min(SHADES.len() - 1)].into(),
    }
}

/// A time of the past in its largest unit.
fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// What the delays say about the server, and what may help.
pub(super) fn doctor(all: &BTreeMap<Event, Series>, live: &Live) -> String {
    let Some(threshold) = live.latency_monitor_threshold() else {
        return "Delays are not watched. CONFIG SET latency-monitor-threshold <milliseconds> makes the server note \
                everything that takes that long; ask again when it has run for a while.\n"
            .into();
    };
    if all.is_empty() {
        return format!("Nothing has taken {threshold} ms or more since the samples were reset.\n");
    }
    let mut text = format!("Delays of {threshold} ms or more were seen.\n\n");
    for (number, (event, series)) in all.iter().enumerate() {
        describe(&mut text, number + 1, *event, series);
    }
    text.push_str("\nWhat may help:\n\n");
    for event in all.keys() {
        text.push_str(advice(*event, live));
    }
    text
}

fn describe(text: &mut String, number: usize, event: Event, series: &Series) {
    let count = series.samples.len() as u64;
    let sum: u64 = series.samples.iter().map(|sample| sample.millis).sum();
    let mean = sum / count.max(1);
    let deviation =
        series.samples.iter().map(|sample| sample.millis.abs_diff(mean)).sum::<u64>() / count.max(1);
    let span = match (series.samples.front(), series.samples.back()) {
        (Some(first), Some(last)) => last.time - first.time,
        _ => 0,
    };
    let (name, worst) = (event.name(), series.worst);
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{number}. {name}: {count} delays within {} (average {mean} ms, mean deviation {deviation} ms, worst {worst} ms).",
        age(span)
    );
}

fn advice(event: Event, live: &Live) -> &'static str {
    match event {
        Event::Command if live.slowlog_log_slower_than().is_none() => {
            "- Commands took long, and the slow log is off: CONFIG SET slowlog-log-slower-than 1000 shows which.\n"
        }
        Event::Command => {
            "- SLOWLOG GET shows the commands that took long. Split work on large collections with SCAN, HSCAN, SSCAN \
             and ZSCAN, and ask for less at once.\n"
        }
        Event::FastCommand => {
            "- Commands that are always short took long, so the process did not get the processor or its memory: look \
             for swapping, for other processes, and for more threads than processors.\n"
        }
        Event::ExpireCycle => {
            "- Ending keys whose time is over took long: spread the deadlines of large groups of keys a little.\n"
        }
        Event::EvictionCycle => {
            "- Evictions took long: give the server more memory, or make clients write more slowly.\n"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::spikes::Sample;
    use super::*;

    fn series(millis: &[u64]) -> Series {
        let now = unix_ms() / 1000;
        let samples = millis.iter().map(|&millis| Sample { time: now - 90, millis }).collect();
        Series { samples, worst: 500 }
    }

    #[test]
    fn a_graph_has_columns_and_ages() {
        let text = graph("command", &series(&[100, 200, 400]));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "command - high 400 ms, low 100 ms (all time high 500 ms)");
        assert_eq!((lines[1].len(), &lines[2..6]), (80, &["  |", "  |", " o|", "_||"][..]));
        assert_eq!(&lines[6..], ["111", "mmm"]);
    }

    #[test]
    fn equal_delays_make_a_flat_graph() {
        assert!(graph("x", &series(&[7, 7])).contains("\n__\n"));
    }
}
