//! Money moves between accounts in transactions, while others sum all accounts: the sum never wavers.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::broken_server;
use crate::common::TestServer;
use crate::common::dice::Dice;
use crate::wire::{Reply, Wire, words};

const CLIENTS: usize = 16;
const ACCOUNTS: u64 = 100;
const MONEY: i64 = 1000;
const LASTS: Duration = Duration::from_secs(3);

/// How money is moved.
#[derive(Clone, Copy)]
enum Way {
    /// WATCH, GET, and a transaction that writes what was computed.
    Watched,
    /// A transaction that adds and subtracts.
    Added,
    /// A script that declares both accounts.
    Scripted,
    /// A script that declares neither.
    Strayed,
}

const DECLARED: &str = "redis.call('DECRBY', KEYS[1], ARGV[1]) return redis.call('INCRBY', KEYS[2], ARGV[1])";
const UNDECLARED: &str =
    "redis.call('DECRBY', ARGV[2], ARGV[1]) return redis.call('INCRBY', ARGV[3], ARGV[1])";

fn accounts() -> Vec<String> {
    (0..ACCOUNTS).map(|i| format!("account:{i}")).collect()
}

fn number(reply: &Reply) -> i64 {
    match reply {
        Reply::Text(text) => text.parse().expect("a number"),
        Reply::Int(int) => *int,
        other => panic!("no number: {other:?}"),
    }
}

fn sum(reply: &Reply) -> i64 {
    let Reply::Array(all) = reply else { panic!("no array: {reply:?}") };
    all.iter().map(number).sum()
}

fn script(body: &str, rest: &str) -> Vec<String> {
    let mut call = vec!["EVAL".to_owned(), body.to_owned()];
    call.extend(words(rest));
    call
}

fn transfer(wire: &mut Wire, dice: &mut Dice, way: Way) -> bool {
    let (from, amount) = (dice.roll(ACCOUNTS), dice.roll(50) as i64);
    let to = (from + 1 + dice.roll(ACCOUNTS - 1)) % ACCOUNTS;
    let mut sent = Vec::new();
    match way {
        Way::Added => {
            let lines = [format!("DECRBY account:{from} {amount}"), format!("INCRBY account:{to} {amount}")];
            sent.extend(["MULTI", &lines[0], &lines[1], "EXEC"].map(words));
        }
        Way::Scripted => sent.push(script(DECLARED, &format!("2 account:{from} account:{to} {amount}"))),
        Way::Strayed => sent.push(script(UNDECLARED, &format!("0 {amount} account:{from} account:{to}"))),
        Way::Watched => {
            wire.one(&format!("WATCH account:{from} account:{to}"));
            let has = |wire: &mut Wire, account| number(&wire.one(&format!("GET account:{account}")));
            let (before, after) = (has(wire, from), has(wire, to));
            sent.push(words("MULTI"));
            sent.push(words(&format!("SET account:{from} {}", before - amount)));
            sent.push(words(&format!("SET account:{to} {}", after + amount)));
            sent.push(words("EXEC"));
        }
    }
    wire.all(&sent).pop().is_some_and(|reply| reply != Reply::Nothing)
}

const ALL_WAYS: &[Way] = &[Way::Added, Way::Watched, Way::Scripted, Way::Strayed];

/// Lets money move for a while; how many sums were wrong, of how many, and how many transfers there were.
fn run(server: &TestServer, ways: &[Way]) -> (usize, usize, usize) {
    let mut wire = Wire::new(server.port);
    for account in accounts() {
        wire.one(&format!("SET {account} {MONEY}"));
    }
    let [wrong, sums, moved] = [0; 3].map(AtomicUsize::new);
    let (wrong, sums, moved, over) = (&wrong, &sums, &moved, &AtomicBool::new(false));
    let began = Instant::now();
    std::thread::scope(|s| {
        for client in 0..CLIENTS {
            s.spawn(move || {
                let (mut wire, mut dice) = (Wire::new(server.port), Dice::new(client as u64 + 1));
                while !over.load(Ordering::Relaxed) {
                    let done = transfer(&mut wire, &mut dice, ways[client % ways.len()]);
                    moved.fetch_add(usize::from(done), Ordering::Relaxed);
                }
            });
        }
        for in_transaction in [false, true] {
            s.spawn(move || {
                let mut wire = Wire::new(server.port);
                while began.elapsed() < LASTS && wrong.load(Ordering::Relaxed) == 0 {
                    let total = match in_transaction {
                        false => sum(&wire.one(&format!("MGET {}", accounts().join(" ")))),
                        true => sum_in_transaction(&mut wire),
                    };
                    sums.fetch_add(1, Ordering::Relaxed);
                    wrong.fetch_add(usize::from(total != MONEY * ACCOUNTS as i64), Ordering::Relaxed);
                }
                over.store(true, Ordering::Relaxed);
            });
        }
    });
    [wrong, sums, moved].map(|count| count.load(Ordering::Relaxed)).into()
}

fn sum_in_transaction(wire: &mut Wire) -> i64 {
    let mut sent = vec![words("MULTI")];
    sent.extend(accounts().iter().map(|account| words(&format!("GET {account}"))));
    sent.push(words("EXEC"));
    sum(&wire.all(&sent).pop().expect("a reply to each"))
}

#[test]
fn the_sum_of_all_accounts_never_wavers() {
    let server = TestServer::with(&["--threads", "4"]);
    for ways in [&[Way::Added][..], &[Way::Watched], &[Way::Scripted], &[Way::Strayed], ALL_WAYS] {
        let (wrong, sums, moved) = run(&server, ways);
        assert_eq!(wrong, 0, "of {sums} sums");
        assert!(sums > 10 && moved > 100, "{sums} sums, {moved} transfers");
        println!("{sums} sums, {moved} transfers");
    }
}

#[test]
fn a_broken_gate_is_found_by_the_bank() {
    let Some(server) = broken_server() else { return };
    let found = (0..10).any(|_| run(&server, ALL_WAYS).0 > 0);
    assert!(found, "nobody noticed");
}
