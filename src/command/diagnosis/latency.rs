//! LATENCY: delays by their kind, and how long commands take.

use super::report;
use super::spikes::{Event, Sample};
use crate::command::latency::Distribution;
use crate::command::table::{Categories, Command, Flags, registry};
use crate::command::{Ctx, container, ticks};

const ADMIN: Flags = Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE);
const NONE: Categories = Categories::empty();
/// Nanoseconds of the first step of a histogram.
const FIRST_STEP: u64 = 1024;
/// Steps of a histogram: the last is more than a day.
const STEPS: u32 = 37;

pub(super) const COMMAND: Command = Command::container("latency", SUBCOMMANDS).docs(
    "server",
    "2.8.13",
    "Contains the commands about delays.",
    "Depends on subcommand.",
    "",
);

#[rustfmt::skip]
const SUBCOMMANDS: &[Command] = &[
    Command::new("latency|doctor", 2, ADMIN, NONE, &[], doctor).docs("server", "2.8.13", "Explains the delays to people.", "O(1)", ""),
    Command::new("latency|graph", 3, ADMIN, NONE, &[], graph).docs("server", "2.8.13", "Draws the delays of an event.", "O(1)", "event"),
    Command::new("latency|help", 2, Flags::LOADING.union(Flags::STALE), NONE, &[], help).docs("server", "2.8.13", "Explains the subcommands.", "O(1)", ""),
    Command::new("latency|histogram", -2, ADMIN, NONE, &[], histogram).docs("server", "7.0.0", "Shows how long calls of commands took.", "O(N) where N is the number of commands with latency information being retrieved.", "[command [command ...]]"),
    Command::new("latency|history", 3, ADMIN, NONE, &[], history).docs("server", "2.8.13", "Lists the delays of an event.", "O(1)", "event"),
    Command::new("latency|latest", 2, ADMIN, NONE, &[], latest).docs("server", "2.8.13", "Shows the latest delay of each event.", "O(1)", ""),
    Command::new("latency|reset", -2, ADMIN, NONE, &[], reset).docs("server", "2.8.13", "Forgets the delays of some events, or of all.", "O(1)", "[event [event ...]]"),
];

fn latest(ctx: &mut Ctx<'_>) {
    let all = ctx.server.diagnosis.spikes.series();
    let last = |samples: &std::collections::VecDeque<Sample>| samples.back().copied();
    let known: Vec<_> = all
        .iter()
        .filter_map(|(event, series)| Some((*event, last(&series.samples)?, series.worst)))
        .collect();
    ctx.reply.array(known.len());
    for (event, sample, worst) in known {
        ctx.reply.array(4);
        ctx.reply.bulk(event.name().as_bytes());
        ctx.reply.int(sample.time as i64);
        ctx.reply.int(sample.millis as i64);
        ctx.reply.int(worst as i64);
    }
}

fn history(ctx: &mut Ctx<'_>) {
    let series = Event::named(ctx.arg(2)).and_then(|event| ctx.server.diagnosis.spikes.of(event));
    let samples = series.map(|series| series.samples).unwrap_or_default();
    ctx.reply.array(samples.len());
    for sample in samples {
        ctx.reply.array(2);
        ctx.reply.int(sample.time as i64);
        ctx.reply.int(sample.millis as i64);
    }
}

fn reset(ctx: &mut Ctx<'_>) {
    let names: Vec<&[u8]> = ctx.args.iter().skip(2).collect();
    let chosen = |event: Event| names.is_empty() || names.contains(&event.name().as_bytes());
    let forgotten = ctx.server.diagnosis.spikes.forget(chosen);
    ctx.reply.int(forgotten as i64);
}

fn graph(ctx: &mut Ctx<'_>) {
    let event = Event::named(ctx.arg(2));
    match event.and_then(|event| Some((event, ctx.server.diagnosis.spikes.of(event)?))) {
        Some((event, series)) => {
            let text = report::graph(event.name(), &series);
            ctx.reply.verbatim(b"txt", text.as_bytes());
        }
        None => {
            let event = String::from_utf8_lossy(ctx.arg(2)).into_owned();
            ctx.reply.error(&format!("ERR No samples available for event '{event}'"));
        }
    }
}

fn doctor(ctx: &mut Ctx<'_>) {
    let live = ctx.server.config.live();
    let text = report::doctor(&ctx.server.diagnosis.spikes.series(), live);
    ctx.reply.verbatim(b"txt", text.as_bytes());
}

// -- HISTOGRAM ----------------------------------------------------------------------------------------------------

fn histogram(ctx: &mut Ctx<'_>) {
    let sums = ctx.server.sums();
    let mut numbers: Vec<usize> = ctx.args.iter().skip(2).flat_map(numbers_of).collect();
    if ctx.args.len() == 2 {
        numbers = (0..registry().numbered().len()).collect();
    }
    numbers.retain(|&number| sums.commands[number].calls != 0 && !sums.latencies[number].is_empty());
    ctx.reply.map(numbers.len());
    for number in numbers {
        ctx.reply.bulk(registry().numbered()[number].name.as_bytes());
        ctx.reply.map(2);
        ctx.reply.bulk(b"calls");
        ctx.reply.int(sums.latencies[number].calls() as i64);
        ctx.reply.bulk(b"histogram_usec");
        let steps = steps(&sums.latencies[number]);
        ctx.reply.map(steps.len());
        for (micros, calls) in steps {
            ctx.reply.int(micros as i64);
            ctx.reply.int(calls as i64);
        }
    }
}

/// The numbers of a command and of those that it contains; a name that nobody has is passed over.
fn numbers_of(name: &[u8]) -> Vec<usize> {
    let Some((number, command)) = registry().find_full(name) else { return Vec::new() };
    if command.subcommands.is_empty() {
        return vec![number];
    }
    let inside = |word: &Command| registry().find_full(word.name.as_bytes()).map(|(number, _)| number);
    std::iter::once(number).chain(command.subcommands.iter().filter_map(inside)).collect()
}

/// Microseconds, each twice the one before it, and how many calls took no longer; only those where that changes.
fn steps(times: &Distribution) -> Vec<(u64, u64)> {
    let (mut steps, mut counted) = (Vec::new(), 0);
    let mut buckets = times.buckets().map(|(last, calls)| (ticks::nanos(last), calls)).peekable();
    for step in 0..STEPS {
        let start = FIRST_STEP << step;
        // Where Redis's histogram of two digits draws its line.
        let last = start + (start >> 7) - 1;
        let before = counted;
        while let Some((_, calls)) = buckets.next_if(|(nanos, _)| *nanos <= last || step + 1 == STEPS) {
            counted += calls;
        }
        if counted > before {
            steps.push((last / 1000, counted));
        }
    }
    steps
}

fn help(ctx: &mut Ctx<'_>) {
    container::help(
        ctx,
        &[
            "DOCTOR",
            "    Explain the delays, with advice.",
            "GRAPH <event>",
            "    Draw the delays of <event>.",
            "HISTORY <event>",
            "    List the delays of <event>, each with its time.",
            "LATEST",
            "    Show the latest delay of each event.",
            "RESET [<event> ...]",
            "    Forget the delays of the given events, or of all.",
            "HISTOGRAM [COMMAND ...]",
            "    Show how many calls of the commands, or of all, took how long.",
        ],
    );
}
