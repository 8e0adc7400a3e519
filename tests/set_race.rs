//! Sets under several clients at once.

mod common;

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Raw, TestServer};

const CLIENTS: usize = 4;

fn number(c: &mut Raw, line: &str) -> usize {
    let reply = c.line(line);
    reply[1..].parse().unwrap_or_else(|_| panic!("{reply}"))
}

/// Sends lines in batches and returns the sum of the numbers that they answer.
fn sum(c: &mut Raw, lines: impl Iterator<Item = String>) -> usize {
    let lines: Vec<String> = lines.collect();
    let mut sum = 0;
    for some in lines.chunks(50) {
        c.send(some.iter().map(|line| format!("{line}\r\n")).collect::<String>());
        sum += some.iter().map(|_| c.read_line()[1..].parse::<usize>().expect("a number")).sum::<usize>();
    }
    sum
}

/// Several clients add and remove the same members: what they were told adds up to what is left.
#[test]
fn additions_and_removals_add_up() {
    for (prefix, members) in [("", 100), ("m", 20), ("m", 2000)] {
        let server = TestServer::start();
        let (added, removed) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for client in 0..CLIENTS {
                let (mut c, added, removed) = (server.raw(), &added, &removed);
                scope.spawn(move || {
                    for round in 0..5 {
                        let member =
                            move |at: usize| format!("{prefix}{}", (at * 7 + client * 13 + round) % members);
                        let adds = (0..members).map(|at| format!("SADD s {}", member(at)));
                        added.fetch_add(sum(&mut c, adds), Ordering::Relaxed);
                        let removals = (0..members / 2).map(|at| format!("SREM s {}", member(at * 2)));
                        removed.fetch_add(sum(&mut c, removals), Ordering::Relaxed);
                    }
                });
            }
        });
        let (added, removed) = (added.into_inner(), removed.into_inner());
        let mut c = server.raw();
        assert_eq!(number(&mut c, "SCARD s"), added - removed);
        c.send("SMEMBERS s\r\n");
        assert_eq!(c.read_line(), format!("*{}", added - removed));
        let different: HashSet<Vec<u8>> = (0..added - removed).map(|_| c.bulk()).collect();
        assert_eq!(different.len(), added - removed);
    }
}

/// Members move between two sets; whoever looks sees each exactly once.
#[test]
fn moved_members_are_in_one_place() {
    for (prefix, members) in [("", 300), ("m", 30), ("m", 1000)] {
        let server = TestServer::start();
        let mut c = server.raw();
        assert_eq!(sum(&mut c, (0..members).map(|at| format!("SADD a {prefix}{at}"))), members);
        let moving = AtomicUsize::new(CLIENTS);
        std::thread::scope(|scope| {
            for client in 0..CLIENTS {
                let (mut c, moving) = (server.raw(), &moving);
                scope.spawn(move || {
                    let (from, to) = if client % 2 == 0 { ("a", "b") } else { ("b", "a") };
                    for _ in 0..3 {
                        sum(&mut c, (0..members).map(|at| format!("SMOVE {from} {to} {prefix}{at}")));
                    }
                    moving.fetch_sub(1, Ordering::Relaxed);
                });
            }
            let (mut c, moving) = (server.raw(), &moving);
            scope.spawn(move || {
                while moving.load(Ordering::Relaxed) > 0 {
                    assert_eq!(number(&mut c, "SUNIONCARD 2 a b"), members);
                    assert_eq!(number(&mut c, "SINTERCARD 2 b a"), 0);
                }
            });
        });
        assert_eq!(number(&mut c, "SCARD a") + number(&mut c, "SCARD b"), members);
    }
}

/// SPOP hands out every member exactly once, by ones and in numbers.
#[test]
fn popped_members_are_handed_out_once() {
    for (prefix, members) in [("", 400), ("m", 100), ("m", 20_000)] {
        let server = TestServer::start();
        let mut c = server.raw();
        assert_eq!(sum(&mut c, (0..members).map(|at| format!("SADD s {prefix}{at}"))), members);
        let pop = |client: usize| {
            let (mut c, mut popped) = (server.raw(), Vec::new());
            loop {
                c.send(if client.is_multiple_of(2) { "SPOP s 1\r\n" } else { "SPOP s 7\r\n" });
                let count: usize = c.read_line()[1..].parse().expect("a number");
                popped.extend((0..count).map(|_| c.bulk()));
                if count == 0 {
                    return popped;
                }
            }
        };
        let popped: Vec<Vec<u8>> = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|client| scope.spawn(move || pop(client))).collect();
            clients.into_iter().flat_map(|client| client.join().expect("it ends")).collect()
        });
        let different: HashSet<Vec<u8>> = popped.iter().cloned().collect();
        assert_eq!((popped.len(), different.len()), (members, members));
        c.check("EXISTS s", ":0\r\n");
    }
}

/// Readers of the same sets in every order, each set several times, beside writers: nobody waits for ever.
#[test]
fn readers_of_several_sets_do_not_lock_each_other_out() {
    let server = TestServer::start();
    let mut c = server.raw();
    for key in ["a", "b", "c"] {
        assert_eq!(sum(&mut c, (0..300).map(|at| format!("SADD {key} m{at}"))), 300);
    }
    std::thread::scope(|scope| {
        for keys in ["a b c", "c b a", "b a b", "a a c"] {
            let mut c = server.raw();
            scope.spawn(move || {
                for _ in 0..300 {
                    assert!(number(&mut c, &format!("SINTERCARD 3 {keys}")) >= 299);
                }
            });
        }
        for key in ["a", "b", "c"] {
            let mut c = server.raw();
            scope.spawn(move || {
                for _ in 0..20 {
                    sum(&mut c, (0..100).flat_map(|_| [format!("SREM {key} m7"), format!("SADD {key} m7")]));
                }
            });
        }
    });
}
