//! SCAN and RANDOMKEY: walks through a table that changes under them.

mod common;
use common::{Raw, TestServer, encode};

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const SYNTAX: &str = "-ERR syntax error\r\n";
const INVALID_CURSOR: &str = "-ERR invalid cursor\r\n";
const NOT_AN_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";

/// One call: the next cursor and the keys.
fn step(client: &mut redis::Connection, cursor: u64, options: &[&str]) -> (u64, Vec<String>) {
    redis::cmd("SCAN").arg(cursor).arg(options).query(client).expect("SCAN answers")
}

/// A whole walk: the keys, and how many calls it took.
fn walk(client: &mut redis::Connection, options: &[&str]) -> (Vec<String>, usize) {
    let (mut cursor, mut all, mut calls) = (0, Vec::new(), 0);
    loop {
        let (next, keys) = step(client, cursor, options);
        all.extend(keys);
        calls += 1;
        if next == 0 {
            return (all, calls);
        }
        cursor = next;
    }
}

fn in_batches(c: &mut Raw, count: usize, command: impl Fn(usize) -> Vec<u8>, reply: &str) {
    let all: Vec<usize> = (0..count).collect();
    for part in all.chunks(1000) {
        c.send(part.iter().flat_map(|&i| command(i)).collect::<Vec<u8>>());
        c.expect(reply.repeat(part.len()));
    }
}

fn set_keys(c: &mut Raw, prefix: &str, count: usize) {
    in_batches(c, count, |i| encode(&["SET", &format!("{prefix}{i}"), "v"]), "+OK\r\n");
}

fn delete_keys(c: &mut Raw, prefix: &str, count: usize) {
    in_batches(c, count, |i| encode(&["DEL", &format!("{prefix}{i}")]), ":1\r\n");
}

#[test]
fn arguments() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SET k v", "+OK\r\n");
    for cursor in ["abc", "' 1'", "18446744073709551616", "+", "-", "1x"] {
        c.check(&format!("SCAN {cursor}"), INVALID_CURSOR);
    }
    let (one, none) = ("*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n", "*2\r\n$1\r\n0\r\n*0\r\n");
    for (line, reply) in [
        ("SCAN", "-ERR wrong number of arguments for 'scan' command\r\n"),
        ("SCAN ''", one),
        ("SCAN 0", one),
        ("SCAN 000", one),
        ("SCAN -0", one),
        ("SCAN 0 COUNT", SYNTAX),
        ("SCAN 0 COUNT 0", SYNTAX),
        ("SCAN 0 COUNT -1", SYNTAX),
        ("SCAN 0 COUNT abc", NOT_AN_INTEGER),
        ("SCAN 0 COUNT 99999999999999999999", NOT_AN_INTEGER),
        ("SCAN 0 COUNT 9223372036854775807", one),
        ("SCAN 0 MATCH", SYNTAX),
        ("SCAN 0 TYPE", SYNTAX),
        ("SCAN 0 foo bar", SYNTAX),
        ("SCAN abc foo bar", INVALID_CURSOR),
        ("SCAN 0 COUNT x foo bar", NOT_AN_INTEGER),
        ("SCAN 0 TYPE foo", none),
        ("SCAN 0 TYPE STRING", one),
        ("SCAN 0 TYPE list", none),
        ("SCAN 0 match k count 10 type string", one),
        ("SCAN 0 MATCH k*", one),
        ("SCAN 0 MATCH z*", none),
        ("SCAN 0 MATCH z* MATCH k", one),
    ] {
        c.check(line, reply);
    }
}

#[test]
fn a_quiet_walk_names_each_key_once() {
    const KEYS: usize = 5000;
    let server = TestServer::start();
    set_keys(&mut server.raw(), "key:", KEYS);
    let mut client = server.client();
    for count in ["1", "10", "333", "100000"] {
        let (keys, _) = walk(&mut client, &["COUNT", count]);
        assert_eq!(keys.len(), KEYS, "COUNT {count}");
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), KEYS, "COUNT {count}");
    }
    let (thousands, _) = walk(&mut client, &["MATCH", "key:1???", "COUNT", "100"]);
    assert_eq!(thousands.len(), 1000);
    assert!(thousands.iter().all(|key| key.starts_with("key:1") && key.len() == 8));
}

#[test]
fn a_call_visits_about_as_many_keys_as_it_was_asked() {
    let server = TestServer::start();
    set_keys(&mut server.raw(), "key:", 20_000);
    let mut client = server.client();
    for count in [1usize, 10, 100, 1000] {
        let mut cursor = 0;
        for _ in 0..10 {
            let (next, keys) = step(&mut client, cursor, &["COUNT", &count.to_string()]);
            // Whole buckets: at least what was asked for, and less than a bucket more.
            assert!((count..count + 64).contains(&keys.len()), "COUNT {count}: {}", keys.len());
            cursor = next;
        }
    }
    // What the pattern refuses counts as visited.
    let (_, calls) = walk(&mut client, &["MATCH", "nothing*", "COUNT", "100"]);
    assert!((100..=201).contains(&calls), "{calls}");
}

#[test]
fn expired_keys_are_not_named() {
    let server = TestServer::start();
    let mut c = server.raw();
    set_keys(&mut c, "dying:", 1000);
    in_batches(&mut c, 1000, |i| encode(&["PEXPIRE", &format!("dying:{i}"), "500"]), ":1\r\n");
    let set = Instant::now();
    set_keys(&mut c, "staying:", 100);
    std::thread::sleep(Duration::from_millis(510).saturating_sub(set.elapsed()));
    let mut client = server.client();
    for _ in 0..20 {
        let (keys, _) = walk(&mut client, &["COUNT", "1000"]);
        assert_eq!(keys.len(), 100);
        let listed: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut client).expect("KEYS answers");
        assert_eq!(listed.len(), 100);
        let key: String = redis::cmd("RANDOMKEY").query(&mut client).expect("RANDOMKEY answers");
        assert!(key.starts_with("staying:"), "{key}");
    }
}

#[test]
fn keys_that_stay_are_named_while_the_table_grows_and_shrinks() {
    const STAYING: usize = 2000;
    const CHURN: usize = 100_000;
    let server = TestServer::start();
    set_keys(&mut server.raw(), "stay:", STAYING);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut c = server.raw();
            while !over.load(Ordering::Relaxed) {
                set_keys(&mut c, "churn:", CHURN);
                delete_keys(&mut c, "churn:", CHURN);
            }
        });
        let walks = std::panic::catch_unwind(|| {
            let mut client = server.client();
            let (began, mut walks, mut sizes) = (Instant::now(), 0, Vec::new());
            while walks < 3 || (began.elapsed() < Duration::from_secs(6) && walks < 40) {
                let (keys, _) = walk(&mut client, &["COUNT", "20"]);
                sizes.push(keys.len());
                let named: HashSet<&str> = keys.iter().map(String::as_str).collect();
                let missing: Vec<usize> =
                    (0..STAYING).filter(|i| !named.contains(format!("stay:{i}").as_str())).collect();
                assert!(missing.is_empty(), "walk {walks} missed {missing:?}");
                assert!(named.iter().all(|key| key.starts_with("stay:") || key.starts_with("churn:")));
                walks += 1;
            }
            println!("{walks} walks, which named {sizes:?} keys");
        });
        over.store(true, Ordering::Relaxed);
        walks.expect("every walk is complete");
    });
    let mut client = server.client();
    let (keys, _) = walk(&mut client, &[]);
    assert_eq!(keys.len(), STAYING, "everything else was deleted");
}

#[test]
fn a_table_that_was_large_is_walked_quickly() {
    const KEYS: usize = 300_000;
    let server = TestServer::start();
    let mut c = server.raw();
    set_keys(&mut c, "key:", KEYS);
    delete_keys(&mut c, "key:", KEYS - 10);
    c.check("DBSIZE", ":10\r\n");
    let mut client = server.client();
    let began = Instant::now();
    let (keys, calls) = walk(&mut client, &[]);
    println!("{calls} calls in {:?}", began.elapsed());
    assert_eq!(keys.len(), 10);
    assert!(calls <= 200, "{calls} calls: the table did not shrink");
}

/// How often each key was named in `draws` calls.
fn draw(client: &mut redis::Connection, draws: usize) -> HashMap<String, usize> {
    let mut pipe = redis::pipe();
    for _ in 0..draws {
        pipe.cmd("RANDOMKEY");
    }
    let names: Vec<String> = pipe.query(client).expect("RANDOMKEY answers");
    let mut counts = HashMap::new();
    names.into_iter().for_each(|name| *counts.entry(name).or_default() += 1);
    counts
}

#[test]
fn every_key_is_as_likely_as_any_other() {
    let server = TestServer::start();
    let mut client = server.client();
    // A table that RANDOMKEY walks, and one in which it tries places.
    for keys in [3usize, 40, 400] {
        let mut c = server.raw();
        c.check("FLUSHALL", "+OK\r\n");
        set_keys(&mut c, "key:", keys);
        let mean = 50;
        let counts = draw(&mut client, keys * mean);
        let square = |i: usize| {
            let seen = counts.get(&format!("key:{i}")).copied().unwrap_or(0);
            (seen as f64 - mean as f64).powi(2) / mean as f64
        };
        let chi_square: f64 = (0..keys).map(square).sum();
        let freedom = (keys - 1) as f64;
        println!("{keys} keys: chi-square {chi_square:.1} at {freedom} degrees of freedom");
        // Seven standard deviations above the expectation, and more where the normal law is a poor guide.
        assert!(chi_square < freedom + 7.0 * (2.0 * freedom).sqrt() + 15.0, "{chi_square}");
    }
}

#[test]
fn the_only_key_is_found_in_a_table_that_was_large() {
    const KEYS: usize = 50_000;
    let server = TestServer::start();
    let mut c = server.raw();
    set_keys(&mut c, "key:", KEYS);
    delete_keys(&mut c, "key:", KEYS - 1);
    for _ in 0..50 {
        c.check("RANDOMKEY", &format!("$9\r\nkey:{}\r\n", KEYS - 1));
    }
    c.check(&format!("DEL key:{}", KEYS - 1), ":1\r\n");
    c.check("RANDOMKEY", "$-1\r\n");
}
