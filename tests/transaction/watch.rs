//! WATCH: what counts as a change, and what does not.

use std::time::Duration;

use crate::common::{Raw, TestServer};

const ABORTED: &str = "*-1\r\n";
const RAN: &str = "*1\r\n+PONG\r\n";

/// Prepares, watches, lets another client do something, and expects what EXEC then answers.
#[track_caller]
fn watched(c: &mut Raw, other: &mut Raw, before: &[&str], keys: &str, between: &[&str], outcome: &str) {
    let run = |c: &mut Raw, lines: &[&str]| {
        for line in lines {
            // Some are longer than an inline command may be.
            for line in line.split("\r\n").chain(["ECHO done"]) {
                c.command(&line.split(' ').collect::<Vec<_>>());
            }
            assert!((0..10_000).any(|_| c.read_line() == "done"), "{}", &line[..line.len().min(80)]);
        }
    };
    run(other, &["SELECT 0", "FLUSHALL"]);
    run(other, before);
    c.check(&format!("WATCH {keys}"), "+OK\r\n");
    run(other, between);
    c.check("MULTI", "+OK\r\n");
    c.check("PING", "+QUEUED\r\n");
    c.send("EXEC\r\n");
    let mut got = c.read_line() + "\r\n";
    if got == "*1\r\n" {
        got += &(c.read_line() + "\r\n");
    }
    assert_eq!(got, outcome, "{before:?} {between:?}");
}

#[test]
fn changes_of_a_watched_key_undo_the_transaction() {
    let server = TestServer::start();
    let (mut c, mut other) = (server.raw(), server.raw());
    let long = format!("SET k {}", "x".repeat(70_000));
    for (before, between) in [
        ("PING", "SET k 1"),
        ("SET k 1", "SET k 1"),
        ("SET k 1", "INCR k"),
        ("SET k 1", "APPEND k x"),
        ("SET k abc", "SETRANGE k 1 x"),
        ("SET k 1", "DEL k"),
        ("SET k 1", "UNLINK k"),
        ("SET k 1", "GETDEL k"),
        ("SET k 1", "EXPIRE k 100"),
        ("SET k 1 EX 100", "PERSIST k"),
        ("SET k 1", "PEXPIREAT k 1"),
        ("SET k 1", "RENAME k j"),
        ("SET j 1", "RENAME j k"),
        ("SET j 1", "COPY j k"),
        ("SET k 1", "MOVE k 1"),
        ("PING", "MSET j 1 k 2"),
        ("PING", "RPUSH k a"),
        ("RPUSH k a b", "LPOP k"),
        ("RPUSH k a", "LPOP k"),
        ("RPUSH k a", "RPUSH k b"),
        ("RPUSH j a", "LMOVE j k LEFT LEFT"),
        ("SADD k a", "SADD k b"),
        ("SADD k a", "SREM k a"),
        ("ZADD k 1 a", "ZADD k 2 a"),
        ("SADD j a", "SUNIONSTORE k j"),
        ("SADD k a", "SINTERSTORE k none"),
        ("PING", "PFADD k a"),
        ("PFADD k a", "PFADD k b c d"),
        ("SET k 1", "FLUSHDB"),
        ("SET k 1", "FLUSHALL"),
        (&long, "APPEND k x"),
        (&long, "EXPIRE k 100"),
        (&long, "DEL k"),
    ] {
        watched(&mut c, &mut other, &[before], "k", &[between], ABORTED);
        watched(&mut c, &mut other, &[before], "a b c k d e", &[between], ABORTED);
    }
    watched(&mut c, &mut other, &[], "k", &["SET k 1", "DEL k"], ABORTED);
    watched(&mut c, &mut other, &[], "k", &["MULTI\r\nSET k 1\r\nEXEC"], ABORTED);
}

#[test]
fn what_changes_nothing_does_not() {
    let server = TestServer::start();
    let (mut c, mut other) = (server.raw(), server.raw());
    for (before, between) in [
        ("SET k 1", "GET k"),
        ("SET k 1", "TOUCH k"),
        ("SET k 1", "SETNX k 2"),
        ("SET k 1", "SET k 2 NX"),
        ("SET k text", "INCR k"),
        ("SET k 1", "PERSIST k"),
        ("SET k 1", "SET other 2"),
        ("PING", "DEL k"),
        ("PING", "EXPIRE k 100"),
        ("PING", "FLUSHALL"),
        ("PING", "FLUSHDB"),
        ("SET k 1", "DBSIZE"),
        ("SET k 1", "SELECT 3"),
        ("PFADD k a", "PFADD k a"),
        ("SADD k a", "SADD k a"),
        ("SADD k a", "SREM k b"),
        ("ZADD k 1 a", "ZADD k 1 a"),
        ("RPUSH k a", "LRANGE k 0 -1"),
        ("PING", "LPUSHX k a"),
    ] {
        watched(&mut c, &mut other, &[before], "k", &[between], RAN);
    }
    watched(&mut c, &mut other, &["SET k 1"], "k", &["SELECT 1", "SET k 2", "FLUSHDB"], RAN);
    watched(&mut c, &mut other, &["SET k 1"], "k", &["SWAPDB 1 2"], RAN);
    watched(&mut c, &mut other, &["SET j 1"], "k", &["SWAPDB 0 1"], RAN);
}

/// Sketches that are dense change in place, and become strings again without anybody having changed them.
#[test]
fn dense_sketches_change_in_place() {
    let server = TestServer::start();
    let (mut c, mut other) = (server.raw(), server.raw());
    let fill: Vec<String> = (0..40).map(|i| format!("PFADD k {}", names(i * 100, 100))).collect();
    let fill: Vec<&str> = fill.iter().map(String::as_str).collect();
    let more = format!("PFADD k {}", names(100_000, 100));
    watched(&mut c, &mut other, &fill, "k", &[&more], ABORTED);
    watched(&mut c, &mut other, &fill, "k", &[fill[7]], RAN);
    watched(&mut c, &mut other, &fill, "k", &["PFCOUNT k", "GET k", "STRLEN k"], RAN);
}

fn names(from: usize, count: usize) -> String {
    (from..from + count).map(|i| format!("e{i}")).collect::<Vec<_>>().join(" ")
}

#[test]
fn swapdb_touches_what_is_in_either_database() {
    let server = TestServer::start();
    let (mut c, mut other) = (server.raw(), server.raw());
    watched(&mut c, &mut other, &["SET k 1"], "k", &["SWAPDB 0 1"], ABORTED);
    watched(&mut c, &mut other, &["SELECT 1", "SET k 1"], "k", &["SWAPDB 0 1"], ABORTED);
    watched(&mut c, &mut other, &["SELECT 1", "SET k 1"], "k", &["SWAPDB 1 0"], ABORTED);
}

#[test]
fn deadlines_that_pass_while_a_key_is_watched() {
    let server = TestServer::with(&["--threads", "2", "--enable-debug-command", "yes"]);
    let (mut c, mut other) = (server.raw(), server.raw());
    for active in ["DEBUG SET-ACTIVE-EXPIRE 0", "DEBUG SET-ACTIVE-EXPIRE 1"] {
        other.check(active, "+OK\r\n");
        // It passes after WATCH, whoever notices it.
        for notice in ["PING", "GET k", "SET k 2 XX"] {
            other.check("SET k 1 PX 300", "+OK\r\n");
            c.check("WATCH k", "+OK\r\n");
            std::thread::sleep(Duration::from_millis(450));
            other.line(notice);
            c.check("MULTI", "+OK\r\n");
            c.check("PING", "+QUEUED\r\n");
            c.check("EXEC", ABORTED);
        }
        // It had passed before.
        other.check("SET k 1 PX 1", "+OK\r\n");
        std::thread::sleep(Duration::from_millis(10));
        c.check("WATCH k", "+OK\r\n");
        other.line("GET k");
        std::thread::sleep(Duration::from_millis(150));
        c.check("MULTI", "+OK\r\n");
        c.check("PING", "+QUEUED\r\n");
        c.check("EXEC", RAN);
    }
}

#[test]
fn what_ends_the_watching() {
    let server = TestServer::start();
    let (mut c, mut other) = (server.raw(), server.raw());
    let transaction = |c: &mut Raw, other: &mut Raw, outcome: &str| {
        other.check("SET k 1", "+OK\r\n");
        c.check("MULTI", "+OK\r\n");
        c.check("PING", "+QUEUED\r\n");
        c.check("EXEC", outcome);
    };
    c.check("WATCH k", "+OK\r\n");
    transaction(&mut c, &mut other, ABORTED);
    transaction(&mut c, &mut other, RAN);
    c.check("WATCH k", "+OK\r\n");
    c.check("UNWATCH", "+OK\r\n");
    transaction(&mut c, &mut other, RAN);
    c.check("WATCH k", "+OK\r\n");
    c.check("MULTI", "+OK\r\n");
    c.check("DISCARD", "+OK\r\n");
    transaction(&mut c, &mut other, RAN);
    c.check("WATCH k", "+OK\r\n");
    c.check("RESET", "+RESET\r\n");
    transaction(&mut c, &mut other, RAN);
    // A client's own changes count as anybody's, and UNWATCH in a transaction comes too late.
    c.check("WATCH k", "+OK\r\n");
    c.check("SET k 2", "+OK\r\n");
    c.check("MULTI", "+OK\r\n");
    c.check("UNWATCH", "+QUEUED\r\n");
    c.check("EXEC", ABORTED);
    c.check("MULTI", "+OK\r\n");
    c.check("WATCH k", "-ERR WATCH inside MULTI is not allowed\r\n");
    c.check("EXEC", "*0\r\n");
    c.check("WATCH", "-ERR wrong number of arguments for 'watch' command\r\n");
    // An aborted transaction forgets what was watched too.
    c.check("WATCH k", "+OK\r\n");
    c.check("MULTI", "+OK\r\n");
    c.check("NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: \r\n");
    c.check("EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n");
    transaction(&mut c, &mut other, RAN);
}

#[test]
fn client_list_counts_watched_keys() {
    let server = TestServer::start();
    let (mut c, mut other) = (server.raw(), server.raw());
    c.check("WATCH a b a c", "+OK\r\n");
    c.send("CLIENT INFO\r\n");
    let line = String::from_utf8(c.bulk()).expect("text");
    assert!(line.contains(" flags=N ") && line.contains(" watch=3 "), "{line}");
    other.check("SET b 1", "+OK\r\n");
    c.send("CLIENT INFO\r\n");
    let line = String::from_utf8(c.bulk()).expect("text");
    assert!(line.contains(" flags=d ") && line.contains(" watch=3 "), "{line}");
    c.check("UNWATCH", "+OK\r\n");
    c.send("CLIENT INFO\r\n");
    let line = String::from_utf8(c.bulk()).expect("text");
    assert!(line.contains(" flags=N ") && line.contains(" watch=0 "), "{line}");
}

/// Clients that leave without UNWATCH leave nothing behind: memory does not grow with them.
#[test]
fn row_54_a_connection_that_ends_forgets_what_it_watched() {
    let server = TestServer::start();
    let mut witness = server.raw();
    let used = |witness: &mut Raw| {
        witness.send("INFO memory\r\n");
        let text = String::from_utf8(witness.bulk()).expect("text");
        let line = text.lines().find_map(|line| line.strip_prefix("used_memory:")).expect("a field");
        line.parse::<usize>().expect("a number")
    };
    let keys: String = (0..1000).map(|i| format!(" key:{i}")).collect();
    let round = |server: &TestServer| {
        let mut c = server.raw();
        c.check(&format!("WATCH{keys}"), "+OK\r\n");
    };
    round(&server);
    std::thread::sleep(Duration::from_millis(100));
    let before = used(&mut witness);
    (0..100).for_each(|_| round(&server));
    std::thread::sleep(Duration::from_millis(500));
    let after = used(&mut witness);
    // A hundred clients' keys would be ten megabytes.
    assert!(after < before + 1_000_000, "{before} {after}");
}

/// Eight clients count with WATCH, GET, MULTI, SET, EXEC: no step is lost.
#[test]
fn optimistic_counting_loses_nothing() {
    const CLIENTS: usize = 8;
    const STEPS: usize = 200;
    let server = TestServer::with(&["--threads", "4"]);
    server.raw().check("SET n 0", "+OK\r\n");
    let count = || {
        let mut c = server.raw();
        let mut done = 0;
        while done < STEPS {
            c.send("WATCH n\r\nGET n\r\n");
            c.expect("+OK\r\n$");
            c.read_line();
            let n: usize = c.read_line().parse().expect("a number");
            c.send(format!("MULTI\r\nSET n {}\r\nEXEC\r\n", n + 1));
            c.expect("+OK\r\n+QUEUED\r\n");
            match &*c.read_line() {
                "*1" => {
                    c.expect("+OK\r\n");
                    done += 1;
                }
                line => assert_eq!(line, "*-1"),
            }
        }
    };
    std::thread::scope(|s| (0..CLIENTS).for_each(|_| drop(s.spawn(count))));
    server.raw().check("GET n", "$4\r\n1600\r\n");
}
