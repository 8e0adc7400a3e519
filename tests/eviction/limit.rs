//! Memory stays within the limit, whatever writers do.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::*;

/// Commands that one writer sends at once.
const PIPELINE: usize = 50;

/// Writes random keys with values of very different sizes until `stop`; how many were written.
fn write(server: &TestServer, seed: u64, sizes: &[usize], stop: &AtomicBool, refused: &AtomicU64) -> u64 {
    let mut c = server.raw();
    let (mut state, mut written) = (seed, 0);
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    while !stop.load(Relaxed) {
        let mut batch = Vec::new();
        for _ in 0..PIPELINE {
            let (key, value) = (format!("key:{}", next(1_000_000)), "x".repeat(sizes[next(sizes.len())]));
            batch.extend(match next(10) {
                0 => encode(&["RPUSH", &format!("list:{}", next(50)), &value]),
                1 => encode(&["HSET", &format!("hash:{}", next(50)), &key, &value]),
                2 => encode(&["SET", &key, &value, "EX", "100"]),
                _ => encode(&["SET", &key, &value]),
            });
        }
        c.send(batch);
        for _ in 0..PIPELINE {
            match c.read_line().as_bytes().first() {
                Some(b'+' | b':') => written += 1,
                _ => drop(refused.fetch_add(1, Relaxed)),
            }
        }
    }
    written
}

/// Writers at full speed, and how much memory was in use at most, as often as INFO can tell. The limit is never exceeded
/// by more than a hundredth: the bar of issue 6.
fn race(policy: &str, most: u64, sizes: &[usize]) {
    let server = TestServer::with(&["--threads", "2", "--maxmemory-policy", policy]);
    let mut c = server.raw();
    set(&mut c, "maxmemory", most);
    let (stop, refused) = (AtomicBool::new(false), AtomicU64::new(0));
    let (mut peak, mut filled, mut written) = (0, false, 0);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (1..=6)
            .map(|seed| {
                scope.spawn({
                    let (server, stop, refused) = (&server, &stop, &refused);
                    move || write(server, seed, sizes, stop, refused)
                })
            })
            .collect();
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(4) {
            let now = number(&mut c, "memory", "used_memory_peak");
            peak = peak.max(now);
            filled |= now > most - most / 50;
        }
        stop.store(true, Relaxed);
        written = writers.into_iter().map(|writer| writer.join().expect("it writes")).sum::<u64>();
    });
    let evicted = number(&mut c, "stats", "evicted_keys");
    println!("{policy}: {written} written, {evicted} evicted, at most {peak} of {most} bytes");
    assert!(filled && evicted > 1000, "{evicted} evictions are too few to tell");
    assert!(peak <= most + most / 100, "{peak} of {most}");
    assert_eq!(refused.load(Relaxed), 0, "{policy}: something could always be evicted");
    // Not everything went while memory only waited to be freed.
    assert!(used(&mut c) > most / 2, "{} of {most}", used(&mut c));
}

#[test]
fn writers_at_full_speed_stay_within_the_limit() {
    race("allkeys-lru", 64 << 20, &[3, 30, 300, 3000]);
}

#[test]
fn row_52_large_values_stay_within_the_limit() {
    race("allkeys-lfu", 128 << 20, &[100, 20_000, 60_000]);
}

#[test]
fn small_limits_hold_as_well() {
    race("allkeys-random", 32 << 20, &[10, 1000]);
}

/// The limit falls far below what is in use: eviction goes on without any command, and nothing more goes than must.
#[test]
fn a_lowered_limit_is_reached_and_not_missed() {
    let server = TestServer::start();
    let mut c = server.raw();
    let base = used(&mut c);
    for _ in 0..100 {
        let batch: Vec<u8> = (0..500)
            .flat_map(|_| encode(&["SET", &format!("{:p}{}", &c, fresh()), &"x".repeat(400)]))
            .collect();
        c.send(batch);
        (0..500).for_each(|_| c.expect("+OK\r\n"));
    }
    let full = used(&mut c);
    set(&mut c, "maxmemory-policy", "allkeys-lru");
    let most = base + (full - base) / 4;
    set(&mut c, "maxmemory", most);
    wait_until("the limit is reached", || used(&mut c) <= most + most / 100);
    let left = int(&mut c, "DBSIZE");
    assert!((11_000..13_000).contains(&left), "{left} of 50,000 for a quarter of the memory");
}

fn fresh() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Relaxed)
}

/// What FLUSHALL leaves to the background is still in use, but nothing else goes for it.
#[test]
fn what_waits_to_be_freed_evicts_nobody() {
    let server = TestServer::start();
    let mut c = server.raw();
    for _ in 0..60 {
        let batch: Vec<u8> =
            (0..1000).flat_map(|_| encode(&["SADD", "big", &format!("{:040}", fresh())])).collect();
        c.send(batch);
        (0..1000).for_each(|_| c.expect(":1\r\n"));
    }
    set(&mut c, "maxmemory-policy", "allkeys-lru");
    let most = used(&mut c) + (1 << 20);
    set(&mut c, "maxmemory", most);
    for i in 0..30 {
        c.check(&format!("SET key:{i} {}", "x".repeat(1000)), "+OK\r\n");
    }
    for command in ["UNLINK big", "FLUSHDB ASYNC"] {
        // Most of the memory is unlinked, and the command behind it comes before it is free.
        let lines =
            format!("{command}\r\nSET after {}\r\nSET more {}\r\n", "x".repeat(30_000), "x".repeat(30_000));
        c.send(lines);
        let first = c.read_line();
        assert!(first == ":1" || first == "+OK", "{first}");
        c.expect("+OK\r\n+OK\r\n");
    }
    assert_eq!(number(&mut c, "stats", "evicted_keys"), 0);
}

/// A reader that lasts keeps what is unlinked: writers wait or are refused, but the rest of the keys is not evicted.
#[test]
fn a_long_reader_costs_no_keys() {
    let server = TestServer::start();
    let (mut c, mut script) = (server.raw(), server.raw());
    set(&mut c, "maxmemory-policy", "allkeys-lru");
    let most = used(&mut c) + (8 << 20);
    set(&mut c, "maxmemory", most);
    (0..1000).for_each(|i| c.check(&format!("SET key:{i} {}", "x".repeat(5000)), "+OK\r\n"));
    let before = int(&mut c, "DBSIZE");
    script.command(&[
        "EVAL",
        "local t = redis.call('TIME')[1] while redis.call('TIME')[1] - t < 4 do end return 1",
        "0",
    ]);
    std::thread::sleep(Duration::from_millis(200));
    let began = Instant::now();
    let mut answers = 0;
    while began.elapsed() < Duration::from_secs(2) {
        let reply = c.line(&format!("SET key:{} {}", answers % 1000, "y".repeat(5000)));
        assert!(reply == "+OK" || reply.starts_with("-OOM"), "{reply}");
        answers += 1;
        // What the script itself takes comes on top, and evicting for it frees nothing yet.
        let now = used(&mut c);
        assert!(now <= most + (4 << 20), "{now} of {most}");
    }
    let after = int(&mut c, "DBSIZE");
    assert!(after * 2 > before, "{after} of {before} keys are left, after {answers} writes");
    script.expect(":1\r\n");
    wait_until("writers go on", || c.line("SET k v") == "+OK");
}

#[test]
fn reads_go_on_when_nothing_can_be_evicted() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SET k v", "+OK\r\n");
    set(&mut c, "maxmemory-policy", "volatile-ttl");
    set(&mut c, "maxmemory", 1);
    c.check("SET l v", OOM);
    c.check("GET k", "$1\r\nv\r\n");
    c.check("DEL k", ":1\r\n");
}
