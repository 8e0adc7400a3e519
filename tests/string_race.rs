//! Strings under clients that race for one key, or for several.

mod common;
use common::{Raw, TestServer, encode};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

const CLIENTS: usize = 4;

/// Runs `work` on as many connections at once and returns what each came back with.
fn race<T: Send>(server: &TestServer, work: impl Fn(usize, &mut Raw) -> T + Sync) -> Vec<T> {
    let work = &work;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CLIENTS)
            .map(|i| {
                let mut connection = server.raw();
                scope.spawn(move || work(i, &mut connection))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("the client's checks hold")).collect()
    })
}

fn int(line: &str) -> i64 {
    line.strip_prefix(':').and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("no integer: {line}"))
}

fn get_int(c: &mut Raw, key: &str) -> i64 {
    c.command(&["GET", key]);
    String::from_utf8(c.bulk()).expect("digits").parse().expect("an integer")
}

/// Sends a command `times` in one go and returns each one-line reply.
fn pipeline(c: &mut Raw, words: &[&str], times: usize) -> Vec<String> {
    c.send(encode(words).repeat(times));
    (0..times).map(|_| c.read_line()).collect()
}

#[test]
fn no_increment_is_lost() {
    let server = TestServer::start();
    let mut c = server.raw();
    // Each form that a counter can have: in the word, behind a deadline, as text beyond 61 bits.
    for (start, options) in [("0", ""), ("-500", "EX 1000"), ("1152921504606840000", "")] {
        c.check(&format!("SET k {start} {options}"), "+OK\r\n");
        let replies = race(&server, |_, c| {
            let mut seen = pipeline(c, &["INCR", "k"], 2000);
            seen.extend((0..300).map(|_| c.line("INCRBY k 1")));
            seen
        });
        let seen: HashSet<i64> = replies.iter().flatten().map(|line| int(line)).collect();
        let start: i64 = start.parse().expect("an integer");
        assert_eq!(seen, (start + 1..=start + 2300 * CLIENTS as i64).collect());
        assert_eq!(get_int(&mut c, "k"), start + 2300 * CLIENTS as i64);
    }
}

#[test]
fn row_35_an_overflow_is_refused_and_never_seen() {
    let server = TestServer::start();
    let mut c = server.raw();
    let room = 1000;
    for (start, command) in [(i64::MAX - room, "INCR"), (i64::MIN + room, "DECR")] {
        let distance = |value: i64| start.abs_diff(value) as i64;
        c.command(&["SET", "k", &start.to_string()]);
        c.expect("+OK\r\n");
        let done = AtomicBool::new(false);
        let replies = std::thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                let mut c = server.raw();
                while !done.load(Ordering::Relaxed) {
                    let value = get_int(&mut c, "k");
                    assert!(distance(value) <= room, "a wrapped value was visible: {value}");
                }
            });
            let replies = race(&server, |_, c| pipeline(c, &[command, "k"], 600));
            done.store(true, Ordering::Relaxed);
            watcher.join().expect("no wrapped value");
            replies
        });
        let (sums, errors): (Vec<_>, Vec<_>) =
            replies.into_iter().flatten().partition(|line| line.starts_with(':'));
        let distances: HashSet<i64> = sums.iter().map(|line| distance(int(line))).collect();
        assert_eq!(distances, (1..=room).collect());
        assert_eq!(errors.len(), 600 * CLIENTS - room as usize);
        assert!(errors.iter().all(|line| line == "-ERR increment or decrement would overflow"));
    }
}

#[test]
fn float_increments_are_one_step() {
    let server = TestServer::start();
    race(&server, |_, c| {
        c.send(encode(&["INCRBYFLOAT", "k", "0.5"]).repeat(1000));
        (0..1000).for_each(|_| drop(c.bulk()));
    });
    server.raw().check("GET k", &format!("$4\r\n{}\r\n", CLIENTS * 500));
}

#[test]
fn appends_only_grow_the_text() {
    let server = TestServer::start();
    // The text starts in the word and ends in a node, beyond what a tagged pointer describes.
    let replies = race(&server, |i, c| {
        let part = [b'a' + i as u8; 25];
        let part = std::str::from_utf8(&part).expect("letters");
        let lengths: Vec<i64> =
            pipeline(c, &["APPEND", "k", part], 1000).iter().map(|line| int(line)).collect();
        assert!(lengths.is_sorted_by(|a, b| a < b), "a length went back");
        lengths
    });
    let lengths: HashSet<i64> = replies.into_iter().flatten().collect();
    assert_eq!(lengths, (1..=1000 * CLIENTS as i64).map(|n| 25 * n).collect());
    let mut c = server.raw();
    c.command(&["GET", "k"]);
    let text = c.bulk();
    assert!(text.chunks(25).all(|part| part.iter().all(|byte| *byte == part[0])), "two appends were mixed");
}

#[test]
fn setrange_writes_whole_parts() {
    let server = TestServer::start();
    let mut c = server.raw();
    for length in [200, 3000, 90_000] {
        c.command(&["SET", "k", &"-".repeat(length)]);
        c.expect("+OK\r\n");
        race(&server, |i, c| {
            let own = [b'a' + i as u8; 20];
            let own = std::str::from_utf8(&own).expect("letters");
            for _ in 0..200 {
                // One part of the client's own, and one that all fight for.
                c.command(&["SETRANGE", "k", &(20 * (i + 1)).to_string(), own]);
                c.command(&["SETRANGE", "k", "150", own]);
                c.command(&["GETRANGE", "k", "150", "169"]);
                let expected = format!(":{length}\r\n").repeat(2);
                c.expect(expected);
                let common = c.bulk();
                assert!(common.iter().all(|byte| *byte == common[0]), "half of a write was visible");
            }
        });
        c.command(&["GETRANGE", "k", "20", "99"]);
        assert_eq!(c.bulk(), [[b'a'; 20], [b'b'; 20], [b'c'; 20], [b'd'; 20]].concat());
    }
}

/// Every value set must come back exactly once: from one of the commands that take it, or at the end.
fn values_come_back_once(taking: &[&str], long: bool) {
    let server = TestServer::start();
    let pad = if long { "p".repeat(40_000) } else { String::new() };
    let rounds = 300;
    let taken = race(&server, |i, c| {
        let mut taken = Vec::new();
        for n in 0..rounds {
            let value = format!("{i}-{n}{pad}");
            c.command(&["SET", "k", &value, "GET"]);
            let words: Vec<&str> =
                taking.iter().map(|word| if *word == "VALUE" { &*value } else { word }).collect();
            if !words.is_empty() {
                c.command(&words);
            }
            for _ in 0..1 + usize::from(!words.is_empty()) {
                taken.extend(bulk_or_nil(c));
            }
        }
        taken
    });
    let mut all: Vec<Vec<u8>> = taken.into_iter().flatten().collect();
    let mut c = server.raw();
    c.command(&["GET", "k"]);
    all.extend(bulk_or_nil(&mut c));
    let distinct: HashSet<&Vec<u8>> = all.iter().collect();
    assert_eq!((all.len(), distinct.len()), (rounds * CLIENTS, rounds * CLIENTS));
}

fn bulk_or_nil(c: &mut Raw) -> Option<Vec<u8>> {
    let header = c.read_line();
    let length: usize = header.strip_prefix('$').and_then(|n| n.parse::<i64>().ok())?.try_into().ok()?;
    let mut body = vec![0; length + 2];
    std::io::Read::read_exact(&mut c.stream, &mut body).expect("the bulk arrives");
    body.truncate(length);
    Some(body)
}

#[test]
fn set_get_returns_each_value_once() {
    values_come_back_once(&[], false);
    values_come_back_once(&[], true);
}

#[test]
fn getdel_hands_each_value_out_once() {
    values_come_back_once(&["GETDEL", "k"], false);
    values_come_back_once(&["GETDEL", "k"], true);
}

#[test]
fn getset_returns_each_value_once() {
    let server = TestServer::start();
    let replies = race(&server, |i, c| {
        (0..500)
            .filter_map(|n| {
                c.command(&["GETSET", "k", &format!("{i}-{n}")]);
                bulk_or_nil(c)
            })
            .collect::<Vec<_>>()
    });
    let all: Vec<_> = replies.into_iter().flatten().collect();
    assert_eq!(all.len(), 500 * CLIENTS - 1);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
}

#[test]
fn one_of_those_who_create_a_key_wins() {
    let server = TestServer::start();
    let wins = race(&server, |i, c| {
        let mut wins = 0;
        for n in 0..500 {
            // Single and several keys take different ways through the gate and must still exclude each other.
            wins += match i % 4 {
                0 => int(&c.line(&format!("SETNX k{n} a"))),
                1 => int(&c.line(&format!("MSETNX k{n} b"))),
                2 => int(&c.line(&format!("MSETNX k{n} c other{n} c"))),
                _ => i64::from(c.line(&format!("SET k{n} d NX")) == "+OK"),
            };
        }
        wins
    });
    assert_eq!(wins.iter().sum::<i64>(), 500);
}

#[test]
fn msetnx_sets_all_or_nothing() {
    let server = TestServer::start();
    let rounds = 400;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut c = server.raw();
            while !done.load(Ordering::Relaxed) {
                c.command(&["MGET", "a", "b", "c"]);
                assert_eq!(c.read_line(), "*3");
                let values: Vec<_> = (0..3).map(|_| bulk_or_nil(&mut c)).collect();
                assert!(values.iter().all(|value| *value == values[0]), "{values:?}");
            }
        });
        let wins = race(&server, |i, c| {
            let mut wins = 0;
            for n in 0..rounds {
                let value = format!("{i}-{n}");
                c.command(&["MSETNX", "c", &value, "a", &value, "b", &value]);
                wins += int(&c.read_line());
                if n % 2 == 0 {
                    // Taking all three away is as atomic as setting them: their deadline is past.
                    c.check("MSETEX 3 a - b - c - EXAT 1", ":1\r\n");
                }
            }
            wins
        });
        done.store(true, Ordering::Relaxed);
        watcher.join().expect("never a part of the keys");
        assert!(wins.iter().sum::<i64>() >= 1);
    });
}
