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

use std::time::Instant;

use checker::{Timed, check};
use common::TestServer;
use common::dice::Dice;
use model::{Done, Keys};
use wire::{Reply, Wire, words};

const CLIENTS: usize = 8;
/// Steps of one client; a transaction is one step.
const STEPS: usize = 125;
const HISTORIES: usize = 60;

/// One client's random steps.
struct Client<'a> {
    wire: Wire,
    dice: Dice,
    number: usize,
    step: usize,
    /// Begins the names of this history's keys.
    prefix: &'a str,
    epoch: Instant,
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

    fn command(&mut self) -> String {
        let (p, v) = (self.prefix, self.fresh());
        let (text, other) = (self.text(), self.text());
        let (list, to) = (self.list(), self.list());
        let field = self.dice.roll(2);
        match self.dice.roll(20) {
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
            _ => format!("HGET {p}h f{field}"),
        }
    }

    fn timed(&mut self, make: impl FnOnce(&mut Client<'_>) -> Done) -> Timed<Done> {
        let begin = self.epoch.elapsed().as_nanos() as u64;
        let call = make(self);
        Timed { begin, end: self.epoch.elapsed().as_nanos() as u64, call }
    }

    fn single(&mut self, line: &str) -> Timed<Done> {
        let words = words(line);
        self.timed(|client| {
            let reply = client.wire.all(std::slice::from_ref(&words)).remove(0);
            Done { commands: vec![words], transaction: false, watched: None, reply }
        })
    }

    fn transaction(&mut self, watched: Option<(String, Option<String>)>) -> Timed<Done> {
        let commands: Vec<_> = (0..=self.dice.roll(3)).map(|_| words(&self.command())).collect();
        self.timed(|client| {
            let mut sent = vec![words("MULTI")];
            sent.extend(commands.iter().cloned());
            sent.push(words("EXEC"));
            let reply = client.wire.all(&sent).pop().expect("a reply to each");
            Done { commands, transaction: true, watched, reply }
        })
    }

    fn act(&mut self, into: &mut Vec<Timed<Done>>) {
        self.step += 1;
        let (from, to) = (self.list(), self.list());
        match self.dice.roll(10) {
            0 => into.push(self.single(&format!("BLPOP {from} 0.002"))),
            1 => into.push(self.single(&format!("BLMOVE {from} {to} LEFT RIGHT 0.002"))),
            2 => into.push(self.transaction(None)),
            3 => {
                let key = self.text();
                self.wire.one(&format!("WATCH {key}"));
                let read = self.single(&format!("GET {key}"));
                let seen = match &read.call.reply {
                    Reply::Text(text) => Some(text.clone()),
                    _ => None,
                };
                into.push(read);
                into.push(self.transaction(Some((key, seen))));
            }
            _ => {
                let line = self.command();
                into.push(self.single(&line));
            }
        }
    }
}

/// Makes one history and checks it: the calls that no order explains, if there are any.
fn history(server: &TestServer, seed: u64) -> Result<usize, String> {
    let (prefix, epoch) = (format!("{seed}:"), Instant::now());
    let prefix = &prefix;
    let mut calls: Vec<Timed<Done>> = std::thread::scope(|s| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                s.spawn(move || {
                    let wire = Wire::new(server.port);
                    let dice = Dice::new(seed * CLIENTS as u64 + number as u64 + 1);
                    let mut client = Client { wire, dice, number, step: 0, prefix, epoch };
                    let mut calls = Vec::new();
                    (0..STEPS).for_each(|_| client.act(&mut calls));
                    calls
                })
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().expect("a client")).collect()
    });
    match check(Keys::default(), &mut calls) {
        Ok(()) => Ok(calls.len()),
        Err(order) => Err(tell(&calls, &order)),
    }
}

/// The end of the longest order, and the calls that could not follow it.
fn tell(calls: &[Timed<Done>], order: &[usize]) -> String {
    let line = |at: &usize| {
        let Timed { begin, end, call } = &calls[*at];
        format!("  {begin}..{end} {:?} -> {:?}\n", call.commands, call.reply)
    };
    let last: String = order.iter().rev().take(10).rev().map(line).collect();
    let left: Vec<usize> = (0..calls.len()).filter(|at| !order.contains(at)).take(8).collect();
    let left: String = left.iter().map(line).collect();
    format!("{} of {} calls in order; the last of them\n{last}left\n{left}", order.len(), calls.len())
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
