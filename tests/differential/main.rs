//! Random commands of every family against redis-server and this server side by side: every reply is compared, and
//! now and then every key.
//!
//! Commands are made from the syntax that redis-server's COMMAND DOCS tells, with few keys and with values around
//! every threshold; some are spoilt. A round begins with empty servers and a seed of its own, so it comes again:
//! `ci/differential --seed 17 --commands 400`. What differs is cut down to as few steps as still differ.

#[path = "../common/mod.rs"]
mod common;
mod compare;
mod exceptions;
mod grammar;
mod round;
mod steps;
mod values;
mod wire;

use std::collections::BTreeMap;
use std::time::Instant;

use common::TestServer;
use common::redis_server::Redis;
use grammar::Syntax;
use round::{Difference, Setup};
use steps::{Maker, Step};
use wire::{Wire, shown};

/// Commands of one round.
const ROUND: usize = 400;
/// Commands that the test sends when nobody says how many.
const COMMANDS: usize = 20_000;
/// Different commands that may differ before the test gives up.
const ENOUGH: usize = 25;

fn number(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn told(steps: &[Step], setup: &Setup) -> String {
    let mut text = format!("  with {setup:?}\n");
    for step in steps {
        match step {
            Step::Run(commands) => {
                commands.iter().for_each(|words| text.push_str(&format!("  {}\n", shown(words))))
            }
            Step::Expire(words) => text.push_str(&format!("  {} (and a wait)\n", shown(words))),
            Step::Restore { from, words } => text.push_str(&format!("  {} of {from}\n", shown(words))),
            other => text.push_str(&format!("  ({other:?})\n")),
        }
    }
    text
}

/// One round; what differs twice, cut down.
fn round(ports: (u16, u16), syntax: &[Syntax], seed: u64) -> Option<(Difference, String)> {
    let (setup, steps) = (Setup::new(seed), Maker::new(syntax, seed).steps(ROUND));
    let first = round::run(ports, &setup, &steps)?;
    // A deadline of chance may fall between two replies, but not twice.
    let again = round::run(ports, &setup, &steps)?;
    if again.at != first.at {
        println!("seed {seed} differs in different places: {} and {}", first.told, again.told);
    }
    let (steps, found) = round::shrink(ports, &setup, &steps, again);
    let text = told(&steps, &setup);
    Some((found, text))
}

#[test]
fn redis_and_this_server_answer_alike() {
    let Some(redis) = Redis::start() else { return };
    let server = TestServer::with(&["--threads", "2", "--enable-debug-command", "yes"]);
    let ports = (redis.port, server.port);
    let syntax = grammar::read(&mut Wire::new(redis.port));
    let (first, commands) = (number("DIFFERENTIAL_SEED", 1), number("DIFFERENTIAL_COMMANDS", COMMANDS));
    let began = Instant::now();
    let rounds = commands.div_ceil(ROUND);
    println!("{rounds} rounds of {ROUND} commands, seeds from {first}");
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for seed in first..first + rounds {
        let Some((difference, steps)) = round(ports, &syntax, seed as u64) else { continue };
        let times = found.entry(difference.command().to_owned()).or_default();
        *times += 1;
        if *times <= 2 {
            println!("seed {seed} differs in {}\n{steps}", difference.told);
        }
        if found.len() == ENOUGH {
            break;
        }
    }
    println!("{} seconds", began.elapsed().as_secs());
    assert!(found.is_empty(), "differences by command, and how often: {found:?}");
}
