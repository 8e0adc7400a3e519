//! Producers, consumers, movers and leavers at once: every element arrives once.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::TestServer;

/// Fifty producers and fifty consumers over three lists.
#[test]
fn nothing_is_lost_or_doubled() {
    const CLIENTS: usize = 50;
    const EACH: usize = 200;
    let server = TestServer::with(&["--threads", "4"]);
    let producer = |number: usize| {
        let mut c = server.raw();
        for i in 0..EACH {
            let name = i % 3;
            match i % 4 {
                0 => c.send(format!("MULTI\r\nRPUSH l{name} {number}-{i}\r\nINCR pushes\r\nEXEC\r\n")),
                1 => c.send(format!("LPUSH l{name} {number}-{i}\r\n")),
                2 => c.send(format!("RPUSH way {number}-{i}\r\nLMOVE way l{name} LEFT RIGHT\r\n")),
                _ => c.send(format!("RPUSH l{name} {number}-{i}\r\n")),
            }
        }
        c.send("ECHO done\r\n");
        while c.read_line() != "done" {}
    };
    let consumer = |number: usize| {
        let mut c = server.raw();
        let mut got = Vec::new();
        for i in 0..EACH {
            match (number + i) % 3 {
                0 => c.send("BLPOP l0 l1 l2 0\r\n"),
                1 => c.send("BRPOP l2 l1 l0 0\r\n"),
                _ => c.send("BLMPOP 0 3 l1 l0 l2 LEFT\r\n"),
            }
            c.expect("*2\r\n$2\r\n");
            c.read_line();
            if c.read_line() == "*1" {
                c.read_line();
            }
            got.push(c.read_line());
        }
        got
    };
    let (producer, consumer) = (&producer, &consumer);
    let all: Vec<String> = std::thread::scope(|s| {
        let consumers: Vec<_> = (0..CLIENTS).map(|number| s.spawn(move || consumer(number))).collect();
        (0..CLIENTS).for_each(|number| drop(s.spawn(move || producer(number))));
        consumers.into_iter().flat_map(|consumer| consumer.join().expect("a consumer")).collect()
    });
    assert_eq!(all.len(), CLIENTS * EACH);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), CLIENTS * EACH);
    server.raw().check("EXISTS l0 l1 l2 way", ":0\r\n");
}

/// Elements travel around a ring of lists by blocking moves, while waits end by time and clients leave; at the end all
/// of them are somewhere in the ring.
#[test]
fn row_54_a_ring_of_moves_keeps_its_elements() {
    const RING: usize = 6;
    const ELEMENTS: usize = 20;
    let server = TestServer::with(&["--threads", "4"]);
    let mover = |number: usize| {
        for round in 0..40 {
            let mut c = server.raw();
            for i in 0..10 {
                let from = (number + i + round) % RING;
                let to = (from + 1) % RING;
                c.send(format!("BLMOVE r{from} r{to} LEFT RIGHT 0.01\r\n"));
            }
            // Some leave in the middle, and with replies unread.
            if round % 3 != 0 {
                c.send("ECHO done\r\n");
                while c.read_line() != "done" {}
            }
        }
    };
    let mut c = server.raw();
    for i in 0..ELEMENTS {
        c.check(&format!("RPUSH r0 e{i}"), &format!(":{}\r\n", i + 1));
    }
    let mover = &mover;
    std::thread::scope(|s| (0..8).for_each(|number| drop(s.spawn(move || mover(number)))));
    std::thread::sleep(Duration::from_millis(200));
    let mut found = HashSet::new();
    for i in 0..RING {
        c.send(format!("LRANGE r{i} 0 -1\r\n"));
        let count: usize = c.read_line()[1..].parse().expect("a count");
        for _ in 0..count {
            c.read_line();
            assert!(found.insert(c.read_line()), "an element is twice there");
        }
    }
    assert_eq!(found.len(), ELEMENTS);
}

/// Pairs of clients play ping-pong over lists of their own.
#[test]
fn ping_pong() {
    let server = TestServer::start();
    let rounds = AtomicUsize::new(0);
    let play = |first: bool, pair: usize| {
        let mut c = server.raw();
        let (mine, theirs) = if first { ("a", "b") } else { ("b", "a") };
        for i in 0..100 {
            if first {
                c.check(&format!("LPUSH {theirs}{pair} {i}"), ":1\r\n");
            }
            c.send(format!("BRPOP {mine}{pair} 10\r\n"));
            c.expect("*2\r\n");
            (0..3).for_each(|_| drop(c.read_line()));
            assert_eq!(c.read_line(), i.to_string());
            if !first {
                c.check(&format!("LPUSH {theirs}{pair} {i}"), ":1\r\n");
            }
        }
        rounds.fetch_add(1, Ordering::Relaxed);
    };
    let play = &play;
    std::thread::scope(|s| {
        for pair in 0..20 {
            s.spawn(move || play(true, pair));
            s.spawn(move || play(false, pair));
        }
    });
    assert_eq!(rounds.load(Ordering::Relaxed), 40);
}
