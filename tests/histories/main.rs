//! Real clients against the real server, and what they saw proven linearizable.
//!
//! `HISTORIES` says how many histories are made; `ci/histories` makes 300, or as many as it is told:
//! `HISTORIES=10000 ci/histories --release`.

mod bank;
mod checker;
#[path = "../common/mod.rs"]
mod common;
mod model;
mod wire;

use std::collections::BTreeSet;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use checker::{Timed, check};
use common::TestServer;
use common::dice::Dice;
use model::{Done, Event, Keys, Words};
use wire::{Reply, Wire, words};

const CLIENTS: usize = 8;
/// Steps of one client; a transaction is one step.
const STEPS: usize = 125;
const HISTORIES: usize = 60;

/// Runs the commands in its first argument, which `;` separates, and answers as a transaction of them would.
const SCRIPT: &str = "local replies = {} \
    for line in string.gmatch(ARGV[1], '[^;]+') do \
        local words = {} \
        for word in string.gmatch(line, '%S+') do words[#words + 1] = word end \
        replies[#replies + 1] = redis.pcall(unpack(words)) \
    end \
    return replies";
/// How late the server may be seen to look at a clock that the client saw before it, in nanoseconds.
const CLOCK: u64 = 1_000_000;

/// Both clocks at the beginning of a history.
#[derive(Clone, Copy)]
struct Epoch {
    instant: Instant,
    /// Nanoseconds since 1970.
    wall: u64,
}

impl Epoch {
    fn now() -> Epoch {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos() as u64;
        Epoch { instant: Instant::now(), wall }
    }

    fn elapsed(self) -> u64 {
        self.instant.elapsed().as_nanos() as u64
    }

    /// The two events of a deadline, in the time of the history.
    fn of_deadline(self, unix_ms: u64) -> [Timed<Event>; 2] {
        let begin = (unix_ms * 1_000_000).saturating_sub(self.wall + CLOCK);
        let at = |begin, call| Timed { begin, end: begin + 2 * CLOCK, call };
        [at(begin, Event::Reached(unix_ms)), at(begin + 1_000_000, Event::Passed(unix_ms))]
    }
}

/// One client's random steps.
struct Client<'a> {
    wire: Wire,
    dice: Dice,
    number: usize,
    step: usize,
    /// Begins the names of this history's keys.
    prefix: &'a str,
    epoch: Epoch,
    /// Deadlines that it has set, in Unix milliseconds.
    deadlines: Vec<u64>,
}

impl Client<'_> {
    fn text(&mut self) -> String {
        let p = self.prefix;
        format!("{p}t{}", self.dice.roll(3))
    }

    fn list(&mut self) -> String {
        let p = self.prefix;
        format!("{p}l{}", self.dice.roll(3))
    }

    /// A value that nobody else writes.
    fn fresh(&self) -> String {
        format!("v{}.{}", self.number, self.step)
    }

    /// A deadline some milliseconds ahead.
    fn deadline(&mut self) -> u64 {
        let now = (self.epoch.wall + self.epoch.elapsed()) / 1_000_000;
        let deadline = now + 1 + self.dice.roll(6);
        self.deadlines.push(deadline);
        deadline
    }

    fn command(&mut self) -> String {
        let (p, v) = (self.prefix, self.fresh());
        let (text, other) = (self.text(), self.text());
        let (list, to) = (self.list(), self.list());
        let field = self.dice.roll(2);
        match self.dice.roll(23) {
            0 | 1 => format!("SET {text} {v}"),
            2 | 3 => format!("GET {text}"),
            4 | 5 => format!("INCR {p}n"),
            6 => format!("GET {p}n"),
            7 | 8 => format!("MSET {p}t0 {v} {p}t1 {v} {p}t2 {v}"),
            9 | 10 => format!("MGET {p}t2 {p}t0 {p}t1 {p}n"),
            11 => format!("RENAME {text} {other}"),
            12 => format!("DEL {text}"),
            13 | 14 => format!("RPUSH {list} {v}"),
            15 => format!("LPOP {list}"),
            16 => format!("LMOVE {list} {to} LEFT RIGHT"),
            17 => format!("LRANGE {list} 0 -1"),
            18 => format!("HSET {p}h f{field} {v}"),
            19 => format!("SET {text} {v} PXAT {}", self.deadline()),
            20 => format!(
                "PEXPIREAT {} {}",
                [text, list, format!("{p}n")][self.dice.roll(3) as usize],
                self.deadline()
            ),
            21 => format!("PERSIST {text}"),
            _ => format!("HGET {p}h f{field}"),
        }
    }

    fn timed(&mut self, make: impl FnOnce(&mut Client<'_>) -> Done) -> Timed<Event> {
        let begin = self.epoch.elapsed();
        let call = Event::Did(make(self));
        Timed { begin, end: self.epoch.elapsed(), call }
    }

    /// Some commands, all at once.
    fn several(&mut self) -> Vec<Words> {
        (0..=self.dice.roll(3)).map(|_| words(&self.command())).collect()
    }

    fn single(&mut self, line: &str) -> Timed<Event> {
        let words = words(line);
        self.timed(|client| {
            let reply = client.wire.all(std::slice::from_ref(&words)).remove(0);
            Done { commands: vec![words], transaction: false, watched: None, reply }
        })
    }

    fn transaction(&mut self, watched: Option<(String, Option<String>)>) -> Timed<Event> {
        let commands = self.several();
        self.timed(|client| {
            let mut sent = vec![words("MULTI")];
            sent.extend(commands.iter().cloned());
            sent.push(words("EXEC"));
            let reply = client.wire.all(&sent).pop().expect("a reply to each");
            Done { commands, transaction: true, watched, reply }
        })
    }

    /// A script that declares all of its keys, some, or none.
    fn script(&mut self) -> Timed<Event> {
        let commands = self.several();
        let of_history = |word: &&String| word.starts_with(self.prefix);
        let mut keys: Vec<String> = commands.iter().flatten().filter(of_history).cloned().collect();
        keys.truncate([0, 1, keys.len()][self.dice.roll(3) as usize]);
        let lines: Vec<String> = commands.iter().map(|words| words.join(" ")).collect();
        let mut call = vec!["EVAL".to_owned(), SCRIPT.to_owned(), keys.len().to_string()];
        call.extend(keys);
        call.push(lines.join(";"));
        self.timed(|client| {
            let reply = client.wire.all(std::slice::from_ref(&call)).remove(0);
            Done { commands, transaction: true, watched: None, reply }
        })
    }

    fn act(&mut self, into: &mut Vec<Timed<Event>>) {
        self.step += 1;
        let (from, to) = (self.list(), self.list());
        match self.dice.roll(12) {
            0 => into.push(self.single(&format!("BLPOP {from} 0.002"))),
            1 => into.push(self.single(&format!("BLMOVE {from} {to} LEFT RIGHT 0.002"))),
            2 => into.push(self.transaction(None)),
            3 => {
                let key = self.text();
                self.wire.one(&format!("WATCH {key}"));
                let read = self.single(&format!("GET {key}"));
                let seen = match &read.call {
                    Event::Did(Done { reply: Reply::Text(text), .. }) => Some(text.clone()),
                    _ => None,
                };
                into.push(read);
                into.push(self.transaction(Some((key, seen))));
            }
            4 | 5 => into.push(self.script()),
            _ => {
                let line = self.command();
                into.push(self.single(&line));
            }
        }
    }
}

/// Makes one history and checks it: the calls that no order explains, if there are any.
fn history(server: &TestServer, seed: u64) -> Result<usize, String> {
    let (prefix, epoch) = (format!("{seed}:"), Epoch::now());
    let prefix = &prefix;
    let made: Vec<_> = std::thread::scope(|s| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                s.spawn(move || {
                    let wire = Wire::new(server.port);
                    let dice = Dice::new(seed * CLIENTS as u64 + number as u64 + 1);
                    let deadlines = Vec::new();
                    let mut client = Client { wire, dice, number, step: 0, prefix, epoch, deadlines };
                    let mut calls = Vec::new();
                    (0..STEPS).for_each(|_| client.act(&mut calls));
                    (calls, client.deadlines)
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().expect("a client")).collect()
    });
    let (calls, deadlines): (Vec<_>, Vec<_>) = made.into_iter().unzip();
    let mut calls = calls.into_iter().flatten().collect::<Vec<_>>();
    let deadlines: BTreeSet<u64> = deadlines.into_iter().flatten().collect();
    calls.extend(deadlines.into_iter().flat_map(|deadline| epoch.of_deadline(deadline)));
    match check(Keys::default(), &mut calls) {
        Ok(()) => Ok(calls.len()),
        Err(order) => Err(tell(&calls, &order)),
    }
}

/// The end of the longest order, and the calls that could not follow it.
fn tell(calls: &[Timed<Event>], order: &[usize]) -> String {
    let line = |at: &usize| {
        let Timed { begin, end, call } = &calls[*at];
        format!("  {begin}..{end} {call:?}\n")
    };
    let last: String = order.iter().rev().take(25).rev().map(line).collect();
    let left: Vec<usize> = (0..calls.len()).filter(|at| !order.contains(at)).collect();
    let first_end = left.iter().map(|&at| calls[at].end).min().unwrap_or(u64::MAX);
    let next: String = left.iter().filter(|&&at| calls[at].begin <= first_end).map(line).collect();
    format!(
        "{} of {} calls in order; the last of them\n{last}one of these must be next\n{next}",
        order.len(),
        calls.len()
    )
}

#[test]
fn histories_are_linearizable() {
    let count = std::env::var("HISTORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(HISTORIES);
    let server = TestServer::with(&["--threads", "4"]);
    let mut calls = 0;
    for seed in 0..count {
        match history(&server, seed as u64) {
            Ok(more) => calls += more,
            Err(text) => panic!("history {seed} is not linearizable: {text}"),
        }
    }
    println!("{count} histories, {calls} calls");
}

/// A server whose sections exclude nobody is found out; builds without debug assertions cannot be broken so.
#[test]
fn a_broken_gate_is_found_by_the_checker() {
    let Some(server) = broken_server() else { return };
    let found = (0..200).any(|seed| history(&server, seed).is_err());
    assert!(found, "nobody noticed");
}

/// A server with a broken gate, if this build has such a thing.
fn broken_server() -> Option<TestServer> {
    let server = TestServer::with(&["--threads", "4", "--enable-debug-command", "yes"]);
    let broken = Wire::new(server.port).one("DEBUG BREAK-GATE") == Reply::Status("OK".into());
    broken.then_some(server)
}
