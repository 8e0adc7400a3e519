//! SLOWLOG, LATENCY, MONITOR and HOTKEYS.

mod common;

use std::time::Duration;

use common::{Raw, TestServer};

fn slow(server: &TestServer) -> Raw {
    let mut raw = server.raw();
    raw.check("CONFIG SET slowlog-log-slower-than 0", "+OK\r\n");
    raw.check("SLOWLOG RESET", "+OK\r\n");
    raw
}

/// The words of the latest entries, the latest first.
fn words(raw: &mut Raw, count: usize) -> Vec<Vec<String>> {
    let header = raw.line(&format!("SLOWLOG GET {count}"));
    (0..header[1..].parse::<usize>().expect("a count"))
        .map(|_| {
            (0..4).for_each(|_| drop(raw.read_line()));
            let words = raw.read_line()[1..].parse::<usize>().expect("a count");
            let all = (0..words).map(|_| String::from_utf8(raw.bulk()).expect("text")).collect();
            (0..2).for_each(|_| drop(raw.bulk()));
            all
        })
        .collect()
}

#[test]
fn slow_calls_are_kept_with_their_words() {
    let server = TestServer::start();
    let mut raw = slow(&server);
    raw.check("SET k v", "+OK\r\n");
    raw.check("CONFIG SET masterauth secret slowlog-max-len 128", "-ERR CONFIG SET failed (possibly related to argument 'masterauth') - this directive is not supported yet\r\n");
    raw.check("AUTH secret", "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?\r\n");
    let shown = words(&mut raw, 3);
    assert_eq!(shown[0], ["AUTH", "(redacted)"]);
    assert_eq!(shown[1], ["CONFIG", "SET", "masterauth", "(redacted)", "slowlog-max-len", "128"]);
    assert_eq!(shown[2], ["SET", "k", "v"]);
    raw.check("CONFIG SET slowlog-log-slower-than -1", "+OK\r\n");
    raw.check("SLOWLOG LEN", ":5\r\n");
    raw.check("SLOWLOG GET -2", "-ERR count should be greater than or equal to -1\r\n");
    raw.check("SLOWLOG GET 0", "*0\r\n");
    raw.check("SLOWLOG RESET", "+OK\r\n");
    raw.check("SLOWLOG LEN", ":0\r\n");
}

#[test]
fn long_entries_are_shortened_and_old_ones_go() {
    let server = TestServer::start();
    let mut raw = slow(&server);
    raw.check("CONFIG SET slowlog-max-len 2", "+OK\r\n");
    let many: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    let long = "x".repeat(130);
    raw.check(&format!("SADD s {} {long}", many.join(" ")), ":41\r\n");
    raw.check(&format!("GET {long}"), "$-1\r\n");
    let shown = words(&mut raw, 9);
    assert_eq!(shown.len(), 2);
    assert_eq!(shown[0][1], format!("{}... (2 more bytes)", "x".repeat(128)));
    assert_eq!((shown[1].len(), &shown[1][31][..]), (32, "... (12 more arguments)"));
}

#[test]
fn in_transactions_and_scripts_the_inner_calls_count() {
    let server = TestServer::start();
    let mut raw = slow(&server);
    raw.send("MULTI\r\nSET a 1\r\nEXEC\r\n");
    raw.expect("+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
    raw.command(&["EVAL", "return redis.call('get', 'a')", "0"]);
    raw.expect("$1\r\n1\r\n");
    let shown = words(&mut raw, 4);
    let names: Vec<&str> = shown.iter().map(|entry| entry[0].as_str()).collect();
    assert_eq!(names, ["EVAL", "get", "SET", "MULTI"]);
}

#[test]
fn only_what_takes_long_is_kept_by_default() {
    let server = TestServer::with(&["--threads", "2", "--enable-debug-command", "yes"]);
    let mut raw = server.raw();
    raw.check("CONFIG SET slowlog-log-slower-than 20000", "+OK\r\n");
    raw.check("SET a 1", "+OK\r\n");
    raw.check("DEBUG SLEEP 0.03", "+OK\r\n");
    assert_eq!(words(&mut raw, 9), [["DEBUG", "SLEEP", "0.03"]]);
    // Among brief calls too.
    raw.send("GET a\r\nDEBUG SLEEP 0.03\r\nGET a\r\n");
    raw.expect("$1\r\n1\r\n+OK\r\n$1\r\n1\r\n");
    assert_eq!(words(&mut raw, 9).len(), 2);
}

#[test]
fn a_wait_counts_when_it_is_over() {
    let server = TestServer::start();
    let (mut raw, mut other) = (slow(&server), server.raw());
    other.send("BLPOP list 0\r\n");
    std::thread::sleep(Duration::from_millis(60));
    raw.check("SLOWLOG RESET", "+OK\r\n");
    raw.check("RPUSH list x", ":1\r\n");
    other.expect("*2\r\n$4\r\nlist\r\n$1\r\nx\r\n");
    let shown = words(&mut raw, 9);
    assert!(shown.contains(&vec!["BLPOP".into(), "list".into(), "0".into()]), "{shown:?}");
}

#[test]
fn delays_are_noted_by_event() {
    let server = TestServer::with(&["--threads", "2", "--enable-debug-command", "yes"]);
    let mut raw = server.raw();
    raw.check("LATENCY LATEST", "*0\r\n");
    raw.check("CONFIG SET latency-monitor-threshold 20", "+OK\r\n");
    raw.check("DEBUG SLEEP 0.03", "+OK\r\n");
    assert_eq!(raw.line("LATENCY LATEST"), "*1");
    assert_eq!(raw.read_line(), "*4");
    assert_eq!(String::from_utf8(raw.bulk()).expect("text"), "command");
    let time = raw.read_line();
    let (last, worst) = (raw.read_line(), raw.read_line());
    assert!(last == worst && last[1..].parse::<u64>().expect("a number") >= 30, "{last} {worst}");
    raw.check("LATENCY HISTORY command", &format!("*1\r\n*2\r\n{time}\r\n{last}\r\n"));
    raw.check("LATENCY HISTORY nosuch", "*0\r\n");
    raw.check("LATENCY GRAPH nosuch", "-ERR No samples available for event 'nosuch'\r\n");
    raw.send("LATENCY GRAPH command\r\n");
    let graph = String::from_utf8(raw.bulk()).expect("text");
    assert!(graph.starts_with(&format!("command - high {} ms, low", &last[1..])), "{graph}");
    raw.send("LATENCY DOCTOR\r\n");
    assert!(String::from_utf8(raw.bulk()).expect("text").contains("1. command: 1 delays"));
    raw.check("LATENCY RESET nosuch command", ":1\r\n");
    raw.check("LATENCY LATEST", "*0\r\n");
}

#[test]
fn a_histogram_counts_calls() {
    let server = TestServer::start();
    let mut raw = server.raw();
    raw.send("SET a 1\r\nSET b 1\r\nGET a\r\n");
    raw.expect("+OK\r\n+OK\r\n$1\r\n1\r\n");
    raw.command(&["LATENCY", "HISTOGRAM", "nosuch", "set"]);
    raw.expect("*2\r\n$3\r\nset\r\n*4\r\n$5\r\ncalls\r\n:2\r\n$14\r\nhistogram_usec\r\n");
    let steps = raw.read_line()[1..].parse::<usize>().expect("a count");
    let lines: Vec<String> = (0..steps).map(|_| raw.read_line()).collect();
    assert!(steps >= 2 && lines.last().is_some_and(|last| last == ":2"), "{lines:?}");
    raw.check("LATENCY HISTOGRAM nosuch", "*0\r\n");
}

/// A line of MONITOR without its time and address.
fn line(raw: &mut Raw) -> String {
    let line = raw.read_line();
    let (time, rest) = line.split_once(' ').expect("a time");
    assert!(time.starts_with('+') && time[1..].parse::<f64>().is_ok(), "{line}");
    let (from, words) = rest.split_once("] ").expect("a source");
    match from.split_once(' ') {
        Some((db, "lua")) => format!("{db} lua {words}"),
        Some((db, _)) => format!("{db} {words}"),
        None => panic!("{line}"),
    }
}

#[test]
fn monitors_see_every_call() {
    let server = TestServer::start();
    let (mut monitor, mut raw) = (server.raw(), server.raw());
    monitor.check("MONITOR", "+OK\r\n");
    raw.command(&["SET", "k\0\"\\\n\u{7}", "v"]);
    raw.expect("+OK\r\n");
    assert_eq!(line(&mut monitor), r#"[0 "SET" "k\x00\"\\\n\a" "v""#);
    raw.check("SELECT 3", "+OK\r\n");
    assert_eq!(line(&mut monitor), r#"[3 "SELECT" "3""#);
    raw.send("MULTI\r\nGET a\r\nEXEC\r\n");
    raw.expect("+OK\r\n+QUEUED\r\n*1\r\n$-1\r\n");
    for word in ["MULTI\"", "GET\" \"a\"", "EXEC\""] {
        assert_eq!(line(&mut monitor), format!("[3 \"{word}"));
    }
    raw.command(&["EVAL", "redis.pcall('get') return redis.call('get', 'x')", "0"]);
    raw.expect("$-1\r\n");
    assert!(line(&mut monitor).starts_with("[3 \"EVAL\""));
    assert_eq!(line(&mut monitor), "[3 lua \"get\" \"x\"");
    raw.check("CONFIG GET nosuch", "*0\r\n");
    raw.check("AUTH a b", "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    assert_eq!(line(&mut monitor), "[3 \"AUTH\" \"(redacted)\" \"(redacted)\"");
    monitor.check("GET a", "-ERR Replica can't interact with the keyspace\r\n");
    monitor.check("RESET", "+RESET\r\n");
    raw.check("PING", "+PONG\r\n");
    monitor.check("GET a", "$-1\r\n");
}

#[test]
fn a_monitor_that_does_not_read_keeps_nobody() {
    let server = TestServer::start();
    let (mut monitor, mut raw) = (server.raw(), server.raw());
    monitor.check("MONITOR", "+OK\r\n");
    let value = "v".repeat(1000);
    let calls = format!("SET k {value}\r\n").repeat(500);
    for _ in 0..20 {
        raw.send(&calls);
        raw.expect("+OK\r\n".repeat(500));
    }
}

#[test]
fn hot_keys_are_found_while_a_session_collects() {
    let server = TestServer::start();
    let mut raw = server.raw();
    raw.check("HOTKEYS GET", "$-1\r\n");
    raw.check("HOTKEYS STOP", "$-1\r\n");
    raw.check(
        "HOTKEYS START METRICS 2 CPU",
        "-ERR METRICS count does not match number of metric types provided\r\n",
    );
    raw.check("HOTKEYS START METRICS 2 CPU NET COUNT 2", "+OK\r\n");
    raw.check("HOTKEYS START METRICS 1 NET", "-ERR hotkey tracking session already in progress\r\n");
    for n in 0..300 {
        raw.check(&format!("SET cold:{n} x"), "+OK\r\n");
        raw.check("SET hot 0123456789012345678901234567890123456789", "+OK\r\n");
    }
    raw.check("HOTKEYS STOP", "+OK\r\n");
    raw.command(&["HOTKEYS", "GET"]);
    raw.command(&["ECHO", "mark"]);
    let mut lines = Vec::new();
    while lines.last().is_none_or(|last| last != "mark") {
        lines.push(raw.read_line());
    }
    let behind = |name: &str| lines.iter().position(|line| line == name).expect("the field") + 1;
    assert_eq!(lines[behind("tracking-active")], ":0");
    assert_eq!(lines[behind("by-net-bytes") + 2], "hot");
    assert!(lines[behind("by-cpu-time")..].contains(&"hot".to_string()));
    raw.check("HOTKEYS RESET", "+OK\r\n");
    raw.check("HOTKEYS GET", "$-1\r\n");
}
