//! Lists under clients that push and pop at once.

mod common;
use common::{Raw, TestServer, encode};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

const PRODUCERS: usize = 3;
const CONSUMERS: usize = 3;
const ELEMENTS: usize = 4000;

/// Reads one bulk string, or none where there was none.
fn popped(c: &mut Raw) -> Option<String> {
    let header = c.read_line();
    let length: i64 = header[1..].parse().unwrap_or_else(|_| panic!("{header}"));
    (length >= 0).then(|| {
        let text = c.read_line();
        assert_eq!(text.len() as i64, length);
        text
    })
}

/// Pushes this producer's elements in order, in pipelines of growing length.
fn produce(c: &mut Raw, producer: usize, command: &str) {
    let mut next = 0;
    while next < ELEMENTS {
        let count = (1 + next % 37).min(ELEMENTS - next);
        let lines: Vec<Vec<u8>> = (next..next + count)
            .map(|n| encode(&[command, "queue", &format!("{producer}:{n}:{}", "x".repeat(n % 50))]))
            .collect();
        c.send(lines.concat());
        (0..count).for_each(|_| assert!(c.read_line().starts_with(':')));
        next += count;
    }
}

/// Pops until everything that all producers push was popped by somebody.
fn consume(c: &mut Raw, command: &str, taken: &AtomicUsize) -> Vec<(usize, usize)> {
    let mut mine = Vec::new();
    while taken.load(Ordering::Relaxed) < PRODUCERS * ELEMENTS {
        c.send(encode(&[command, "queue"]).repeat(8));
        for element in (0..8).filter_map(|_| popped(c)) {
            let mut parts = element.split(':').map(|part| part.parse::<usize>());
            let (Some(Ok(producer)), Some(Ok(n))) = (parts.next(), parts.next()) else { panic!("{element}") };
            mine.push((producer, n));
            taken.fetch_add(1, Ordering::Relaxed);
        }
    }
    mine
}

/// Every element exactly once, and for each consumer those of one producer in their order.
fn check(consumed: &[Vec<(usize, usize)>]) {
    let mut seen = vec![[false; ELEMENTS]; PRODUCERS];
    for mine in consumed {
        let mut last: HashMap<usize, usize> = HashMap::new();
        for &(producer, n) in mine {
            assert!(!seen[producer][n], "{producer}:{n} was popped twice");
            seen[producer][n] = true;
            let before = last.insert(producer, n);
            assert!(before.is_none_or(|before| before < n), "{producer}:{n} came after {before:?}");
        }
    }
    assert!(seen.iter().flatten().all(|&seen| seen), "an element is lost");
}

#[test]
fn every_element_is_popped_once_and_in_order() {
    for (push, pop) in [("RPUSH", "LPOP"), ("LPUSH", "RPOP")] {
        let server = TestServer::start();
        let taken = AtomicUsize::new(0);
        let consumed: Vec<_> = std::thread::scope(|scope| {
            for producer in 0..PRODUCERS {
                let mut c = server.raw();
                scope.spawn(move || produce(&mut c, producer, push));
            }
            let consumers: Vec<_> = (0..CONSUMERS)
                .map(|_| {
                    let mut c = server.raw();
                    let taken = &taken;
                    scope.spawn(move || consume(&mut c, pop, taken))
                })
                .collect();
            consumers.into_iter().map(|thread| thread.join().expect("its checks hold")).collect()
        });
        check(&consumed);
        server.raw().check("EXISTS queue", ":0\r\n");
    }
}

/// Clients turn lists over into each other and back: no element may be in both, or in none.
#[test]
fn no_element_is_lost_on_its_way_to_another_list() {
    const ALL: usize = 60;
    let server = TestServer::start();
    let mut c = server.raw();
    (0..ALL).for_each(|n| drop(c.line(&format!("RPUSH a {n}"))));
    std::thread::scope(|scope| {
        for (from, to) in [("a", "b"), ("b", "c"), ("c", "a"), ("a", "a")] {
            let mut c = server.raw();
            scope.spawn(move || {
                for _ in 0..1500 {
                    c.send(encode(&["LMOVE", from, to, "LEFT", "RIGHT"]));
                    c.send(encode(&["LMOVEM", to, from, "RIGHT", "LEFT", "COUNT", "2", "BULK"]));
                    popped(&mut c);
                    let moved: i64 = c.read_line()[1..].parse().expect("a count");
                    (0..moved).for_each(|_| drop(popped(&mut c)));
                }
            });
        }
    });
    let mut left = Vec::new();
    for key in ["a", "b", "c"] {
        c.send(encode(&["LRANGE", key, "0", "-1"]));
        let count: usize = c.read_line()[1..].parse().expect("a count");
        left.extend(
            (0..count).map(|_| popped(&mut c).expect("an element").parse::<usize>().expect("a number")),
        );
    }
    left.sort_unstable();
    assert_eq!(left, (0..ALL).collect::<Vec<_>>());
}
