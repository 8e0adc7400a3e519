//! Keys of any type under clients that race.

mod common;
use common::{Raw, TestServer};

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Keys of the selected database, counted by a complete SCAN.
fn scanned(client: &mut redis::Connection) -> Vec<Vec<u8>> {
    let (mut cursor, mut all) = (0u64, Vec::new());
    loop {
        let (next, keys): (u64, Vec<Vec<u8>>) =
            redis::cmd("SCAN").arg(cursor).arg("COUNT").arg(500).query(client).expect("SCAN answers");
        all.extend(keys);
        if next == 0 {
            all.sort_unstable();
            return all;
        }
        cursor = next;
    }
}

#[track_caller]
fn assert_counts_agree(client: &mut redis::Connection) {
    let mut found = scanned(client);
    let total = found.len();
    found.dedup();
    assert_eq!(found.len(), total, "a quiet SCAN names each key once");
    let mut listed: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query(client).expect("KEYS answers");
    listed.sort_unstable();
    assert_eq!(listed, found);
    assert_eq!(redis::cmd("DBSIZE").query::<usize>(client).expect("DBSIZE answers"), total);
}

/// Runs `disturb` over and over on a connection of its own until `observe` is done.
fn race(server: &TestServer, disturb: impl Fn(&mut Raw) + Sync, observe: impl FnOnce(&mut Raw)) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut c = server.raw();
            while !over.load(Ordering::Relaxed) {
                disturb(&mut c);
            }
        });
        // The flag is set on the way out of a failed observation too, or the scope would wait for ever.
        struct End<'a>(&'a AtomicBool);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let _end = End(&over);
        observe(&mut server.raw());
    });
}

fn pipeline(c: &mut Raw, lines: &[&str], replies: &str, times: usize) {
    let batch: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    c.send(batch.repeat(times));
    c.expect(replies.repeat(times));
}

#[test]
fn a_renamed_key_is_always_under_one_of_its_names() {
    let server = TestServer::start();
    let value = "v".repeat(70);
    server.raw().check(&format!("SET a {value}"), "+OK\r\n");
    let (there, gone) = (format!("$70\r\n{value}\r\n"), "$-1\r\n");
    let states = [format!("*2\r\n{there}{gone}"), format!("*2\r\n{gone}{there}")];
    race(
        &server,
        |c| pipeline(c, &["RENAME a b", "RENAMENX b a"], "+OK\r\n:1\r\n", 50),
        |c| {
            let mut seen = [0, 0];
            for _ in 0..5000 {
                c.check("EXISTS a b", ":1\r\n");
                c.send("MGET a b\r\n");
                let mut got = c.read_line();
                while got.len() + 2 < states[0].len() {
                    got = format!("{got}\r\n{}", c.read_line());
                }
                let state = states.iter().position(|state| *state == format!("{got}\r\n"));
                seen[state.unwrap_or_else(|| panic!("{got}"))] += 1;
            }
            println!("first name {}, second name {}", seen[0], seen[1]);
        },
    );
}

#[test]
fn keys_that_are_set_together_are_equal() {
    let server = TestServer::start();
    server.raw().check("MSET a 0 b 0", "+OK\r\n");
    race(
        &server,
        |c| pipeline(c, &["MSET a 1 b 1", "MSET b 22 a 22", "COPY a b REPLACE"], "+OK\r\n+OK\r\n:1\r\n", 30),
        |c| {
            for _ in 0..5000 {
                c.send("MGET a b\r\n");
                c.expect("*2\r\n");
                let (a, b) = (c.bulk(), c.bulk());
                assert_eq!(a, b);
            }
        },
    );
}

#[test]
fn no_increment_is_lost_or_doubled_while_its_key_moves() {
    const INCREMENTS: i64 = 20_000;
    let server = TestServer::start();
    let round = AtomicUsize::new(0);
    race(
        &server,
        |c| {
            // What was moved to the other database gets a name of its own there, so that the next move succeeds.
            let name = round.fetch_add(1, Ordering::Relaxed);
            c.send(format!("MOVE k 1\r\nSWAPDB 0 1\r\nRENAMENX k out:{name}\r\nSWAPDB 0 1\r\n"));
            (0..4).for_each(|_| drop(c.read_line()));
        },
        |c| {
            for _ in 0..INCREMENTS / 10 {
                c.send("INCR k\r\n".repeat(10));
                (0..10).for_each(|_| drop(c.read_line()));
            }
        },
    );
    let mut client = server.client();
    let (mut sum, mut keys) = (0, 0);
    for _ in 0..2 {
        let names = scanned(&mut client);
        keys += names.len();
        for name in names {
            sum += redis::cmd("GET").arg(name).query::<i64>(&mut client).expect("GET answers");
        }
        redis::cmd("SWAPDB").arg(&[0, 1]).exec(&mut client).expect("SWAPDB answers");
    }
    println!("{keys} keys hold the increments");
    assert_eq!(sum, INCREMENTS);
}

#[test]
fn readers_see_one_whole_database_while_two_are_exchanged() {
    let server = TestServer::start();
    let mut c = server.raw();
    for line in ["MSET a 1 b 1 c 1", "SWAPDB 0 1", "MSET a 2 b 2"] {
        c.check(line, "+OK\r\n");
    }
    race(
        &server,
        |c| pipeline(c, &["SWAPDB 0 1"], "+OK\r\n", 50),
        |c| {
            for _ in 0..3000 {
                c.send("MGET a b\r\n");
                c.expect("*2\r\n");
                let (a, b) = (c.bulk(), c.bulk());
                assert_eq!(a, b);
                let size = c.line("DBSIZE");
                assert!(size == ":3" || size == ":2", "{size}");
                let keys = c.line("KEYS *");
                assert!(keys == "*3" || keys == "*2", "{keys}");
                (0..2 * keys[1..].parse::<usize>().expect("a number")).for_each(|_| drop(c.read_line()));
            }
        },
    );
}

/// A cheap source of numbers that differs between threads.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

fn storm(server: &TestServer, seed: u64, rounds: usize) {
    let mut c = server.raw();
    let mut state = seed;
    for round in 0..rounds {
        let mut lines = String::new();
        for _ in 0..50 {
            let (a, b) = (next(&mut state) % 300, next(&mut state) % 300);
            let line = match next(&mut state) % 12 {
                0..4 => format!("SET k{a} v{b}"),
                4 => format!("DEL k{a} k{b}"),
                5 => format!("RENAME k{a} k{b}"),
                6 => format!("COPY k{a} k{b} REPLACE"),
                7 => format!("PEXPIRE k{a} {}", b % 20),
                8 => format!("MSET k{a} 1 k{b} 2"),
                9 => format!("MOVE k{a} 1"),
                10 => format!("UNLINK k{a}"),
                _ => format!("PERSIST k{a}"),
            };
            lines.push_str(&line);
            lines.push_str("\r\n");
        }
        lines.push_str(if round % 10 == 0 { "FLUSHALL\r\n" } else { "SWAPDB 0 1\r\n" });
        c.send(lines);
        (0..51).for_each(|_| drop(c.read_line()));
    }
}

#[test]
fn after_a_storm_the_counts_agree() {
    let server = TestServer::start();
    std::thread::scope(|scope| {
        for seed in 1..=4 {
            let server = &server;
            scope.spawn(move || storm(server, seed, 150));
        }
    });
    // What the storm gave a deadline is over by now and found by the walk.
    std::thread::sleep(Duration::from_millis(1500));
    let mut client = server.client();
    for _ in 0..2 {
        assert_counts_agree(&mut client);
        redis::cmd("SWAPDB").arg(&[0, 1]).exec(&mut client).expect("SWAPDB answers");
    }
    let mut c = server.raw();
    c.check("FLUSHALL", "+OK\r\n");
    c.check("DBSIZE", ":0\r\n");
}

#[test]
fn flushing_under_writers_leaves_no_ghosts() {
    let server = TestServer::start();
    race(
        &server,
        |c| {
            let lines: String = (0..200).map(|i| format!("SET key:{i} v\r\n")).collect();
            c.send(lines);
            c.expect("+OK\r\n".repeat(200));
        },
        |c| {
            for i in 0..300 {
                c.check(if i % 2 == 0 { "FLUSHALL" } else { "FLUSHDB" }, "+OK\r\n");
            }
        },
    );
    assert_counts_agree(&mut server.client());
    let mut c = server.raw();
    c.check("FLUSHALL", "+OK\r\n");
    c.check("DBSIZE", ":0\r\n");
    c.check("KEYS *", "*0\r\n");
}
