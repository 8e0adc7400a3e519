//! Commands that wait for data: what ends the wait, who is served first, and what others see of it.

#[path = "../common/mod.rs"]
mod common;
mod race;
mod stream;

use std::time::{Duration, Instant};

use common::{Raw, TestServer};

/// Waits until so many clients are blocked, as INFO says.
#[track_caller]
fn blocked(other: &mut Raw, count: usize) {
    let began = Instant::now();
    loop {
        other.send("INFO clients\r\n");
        let text = String::from_utf8(other.bulk()).expect("text");
        if text.contains(&format!("blocked_clients:{count}\r\n")) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{text}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Starts a command that blocks.
#[track_caller]
fn block(c: &mut Raw, other: &mut Raw, line: &str, count: usize) {
    c.send(format!("{line}\r\n"));
    blocked(other, count);
}

/// Expects that nothing has arrived.
#[track_caller]
fn silent(c: &mut Raw) {
    c.stream.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout can be set");
    let got = std::io::Read::read(&mut c.stream, &mut [0; 64]);
    assert!(got.is_err(), "{got:?}");
    c.stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
}

fn bulks(words: &[&str]) -> String {
    let bulks: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    format!("*{}\r\n{bulks}", words.len())
}

#[test]
fn data_that_is_there_is_taken_at_once() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("RPUSH l a b c d e f", ":6\r\n");
    c.check("BLPOP l 0", &bulks(&["l", "a"]));
    c.check("BRPOP none l 0", &bulks(&["l", "f"]));
    c.check("BLMPOP 0 2 none l LEFT COUNT 2", &format!("*2\r\n$1\r\nl\r\n{}", bulks(&["b", "c"])));
    c.check("BLMOVE l m RIGHT LEFT 0", "$1\r\ne\r\n");
    c.check("BRPOPLPUSH l m 0", "$1\r\nd\r\n");
    c.check("LRANGE m 0 -1", &bulks(&["d", "e"]));
    c.check("EXISTS l", ":0\r\n");
    c.check("ZADD z 1 a 2 b 3 c 4 d", ":4\r\n");
    c.check("BZPOPMIN none z 0", &bulks(&["z", "a", "1"]));
    c.check("BZPOPMAX z 0", &bulks(&["z", "d", "4"]));
    c.check(
        "BZMPOP 0 1 z MAX COUNT 9",
        "*2\r\n$1\r\nz\r\n*2\r\n*2\r\n$1\r\nc\r\n$1\r\n3\r\n*2\r\n$1\r\nb\r\n$1\r\n2\r\n",
    );
    c.check("WAIT 0 0", ":0\r\n");
}

#[test]
fn arguments_are_checked() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SET s x", "+OK\r\n");
    c.check("RPUSH l 1", ":1\r\n");
    const NOT_A_FLOAT: &str = "-ERR timeout is not a float or out of range\r\n";
    const WRONGTYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
    for (line, error) in [
        ("BLPOP l x", NOT_A_FLOAT),
        ("BLPOP l -1", "-ERR timeout is negative\r\n"),
        ("BLPOP l inf", "-ERR timeout is out of range\r\n"),
        ("BZPOPMIN z nan", NOT_A_FLOAT),
        ("BLMPOP x 1 l LEFT", NOT_A_FLOAT),
        ("BLMPOP 0 0 l LEFT", "-ERR numkeys should be greater than 0\r\n"),
        ("BLMPOP 0 1 l UP", "-ERR syntax error\r\n"),
        ("BLMPOP 0 1 l LEFT COUNT 0", "-ERR count should be greater than 0\r\n"),
        ("BLMOVE l d UP LEFT x", "-ERR syntax error\r\n"),
        ("BLMOVE l d LEFT LEFT x", NOT_A_FLOAT),
        ("BLPOP s 0", WRONGTYPE),
        ("BLPOP none s 0", WRONGTYPE),
        ("BZPOPMIN s 0", WRONGTYPE),
        ("BLMOVE s d LEFT LEFT 0", WRONGTYPE),
        ("BLMOVE l s LEFT LEFT 0", WRONGTYPE),
        ("WAIT x 0", "-ERR value is not an integer or out of range\r\n"),
        ("WAIT 1 -1", "-ERR timeout is negative\r\n"),
        ("WAIT 1 x", "-ERR timeout is not an integer or out of range\r\n"),
    ] {
        c.check(line, error);
    }
    c.check("LLEN l", ":1\r\n");
}

#[test]
fn time_ends_a_wait() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SET s x", "+OK\r\n");
    for (line, reply) in [
        ("BLPOP a b 0.05", "*-1\r\n"),
        ("BLMPOP 0.05 1 a LEFT", "*-1\r\n"),
        ("BLMOVE a b LEFT LEFT 0.05", "*-1\r\n"),
        ("BLMOVE a s LEFT LEFT 0.05", "*-1\r\n"),
        ("BRPOPLPUSH a b 0.05", "*-1\r\n"),
        ("BZPOPMIN a 0.05", "*-1\r\n"),
        ("BZMPOP 0.05 1 a MIN", "*-1\r\n"),
        ("WAIT 1 50", ":0\r\n"),
    ] {
        let began = Instant::now();
        c.check(line, reply);
        assert!((45..2000).contains(&(began.elapsed().as_millis() as u64)), "{line}");
    }
    c.send("HELLO 3\r\nPING end\r\n");
    while c.read_line() != "end" {}
    c.check("BLPOP a 0.01", "_\r\n");
    // A long wait outlives the time after which its buffers are freed.
    let began = Instant::now();
    c.send("BLPOP a 1.3\r\nPING\r\n");
    c.expect("_\r\n+PONG\r\n");
    assert!(began.elapsed() >= Duration::from_millis(1250));
}

#[test]
fn whoever_came_first_is_served_first() {
    let server = TestServer::with(&["--threads", "4"]);
    let mut other = server.raw();
    let mut clients: Vec<Raw> = (0..12).map(|_| server.raw()).collect();
    for (i, c) in clients.iter_mut().enumerate() {
        block(c, &mut other, ["BLPOP l 0", "BRPOP x l y 0", "BLMPOP 0 1 l LEFT"][i % 3], i + 1);
    }
    other.check("RPUSH l 0 1 2 3 4", ":5\r\n");
    other.check("EXISTS l", ":0\r\n");
    for i in 5..12 {
        other.check(&format!("RPUSH l {i}"), ":1\r\n");
    }
    let mut got: Vec<String> = Vec::new();
    for (i, c) in clients.iter_mut().enumerate() {
        c.expect("*2\r\n$1\r\nl\r\n");
        if i % 3 == 2 {
            c.expect("*1\r\n");
        }
        c.read_line();
        got.push(c.read_line());
    }
    // The second of the first five takes from the right.
    let expected = ["0", "4", "1", "2", "3", "5", "6", "7", "8", "9", "10", "11"];
    assert_eq!(got, expected);
    blocked(&mut other, 0);
}

#[test]
fn moves_are_served_in_chains() {
    let server = TestServer::with(&["--threads", "4"]);
    let mut other = server.raw();
    let (mut one, mut two, mut three) = (server.raw(), server.raw(), server.raw());
    block(&mut three, &mut other, "BLPOP c 0", 1);
    block(&mut two, &mut other, "BLMOVE b c LEFT RIGHT 0", 2);
    block(&mut one, &mut other, "BRPOPLPUSH a b 0", 3);
    other.check("RPUSH a x", ":1\r\n");
    one.expect("$1\r\nx\r\n");
    two.expect("$1\r\nx\r\n");
    three.expect(bulks(&["c", "x"]));
    other.check("EXISTS a b c", ":0\r\n");
    // A circle ends.
    block(&mut one, &mut other, "BLMOVE a b LEFT LEFT 0", 1);
    block(&mut two, &mut other, "BLMOVE b a LEFT LEFT 0", 2);
    other.check("RPUSH a x", ":1\r\n");
    one.expect("$1\r\nx\r\n");
    two.expect("$1\r\nx\r\n");
    other.check("LRANGE a 0 -1", &bulks(&["x"]));
    // Onto itself.
    other.check("DEL a", ":1\r\n");
    block(&mut one, &mut other, "BLMOVE a a LEFT RIGHT 0", 1);
    other.check("RPUSH a x y", ":2\r\n");
    one.expect("$1\r\nx\r\n");
    other.check("LRANGE a 0 -1", &bulks(&["y", "x"]));
    // A destination of another type is the mover's error, and the element stays.
    other.check("SET t text", "+OK\r\n");
    block(&mut one, &mut other, "BLMOVE d t LEFT RIGHT 0", 1);
    block(&mut two, &mut other, "BLPOP d 0", 2);
    other.check("RPUSH d x", ":1\r\n");
    one.expect("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
    two.expect(bulks(&["d", "x"]));
}

#[test]
fn several_elements_move_when_they_are_enough() {
    let server = TestServer::start();
    let (mut c, mut other) = (server.raw(), server.raw());
    block(&mut c, &mut other, "BLMOVEM a b LEFT RIGHT 0 EXACTLY 3 OBO", 1);
    other.check("RPUSH a 1 2", ":2\r\n");
    silent(&mut c);
    other.check("RPUSH a 3 4", ":4\r\n");
    c.expect(bulks(&["1", "2", "3"]));
    other.check("LRANGE b 0 -1", &bulks(&["1", "2", "3"]));
    c.check("BLMOVEM a b LEFT RIGHT 0", &bulks(&["4"]));
    c.check("BLMOVEM a b LEFT RIGHT 0.02 COUNT 2 BULK", "*-1\r\n");
    c.check("BLMOVEM a b LEFT RIGHT 0 COUNT 0 BULK", "-ERR count should be greater than 0\r\n");
}

#[test]
fn whatever_makes_the_key_serves() {
    let server = TestServer::start();
    let (mut c, mut other) = (server.raw(), server.raw());
    for lines in [
        &["LPUSH k x"][..],
        &["LPUSH j x", "RENAME j k"],
        &["LPUSH j x", "COPY j k", "DEL j"],
        &["LPUSH j x", "LMOVE j k LEFT LEFT"],
        &["LPUSH j x", "RPOPLPUSH j k"],
        &["SELECT 1", "LPUSH k x", "MOVE k 0", "SELECT 0"],
        &["SELECT 1", "LPUSH k x", "SWAPDB 0 1", "SELECT 0"],
        &["MULTI", "LPUSH k x", "EXEC"],
        &["SET k text", "DEL k", "LPUSH k x"],
        &["MULTI", "SET k text", "DEL k", "LPUSH k x", "EXEC"],
    ] {
        other.line("FLUSHALL");
        block(&mut c, &mut other, "BLPOP k 0", 1);
        lines.iter().for_each(|line| other.send(format!("{line}\r\n")));
        c.expect(bulks(&["k", "x"]));
        other.send("ECHO end\r\n");
        while other.read_line() != "end" {}
        other.check("EXISTS k", ":0\r\n");
    }
    for lines in [&["ZADD k 1 x"][..], &["ZADD j 1 x", "ZUNIONSTORE k 1 j"], &["ZADD j 1 x", "RENAME j k"]] {
        other.line("FLUSHALL");
        block(&mut c, &mut other, "BZPOPMAX k 0", 1);
        lines.iter().for_each(|line| other.send(format!("{line}\r\n")));
        c.expect(bulks(&["k", "x", "1"]));
        other.send("ECHO end\r\n");
        while other.read_line() != "end" {}
    }
}

#[test]
fn other_types_and_vanished_data_serve_nobody() {
    let server = TestServer::start();
    let (mut list, mut sorted, mut other) = (server.raw(), server.raw(), server.raw());
    block(&mut list, &mut other, "BLPOP k 0", 1);
    block(&mut sorted, &mut other, "BZPOPMIN k 0", 2);
    other.check("SET k text", "+OK\r\n");
    other.check("DEL k", ":1\r\n");
    other.check("SADD k x", ":1\r\n");
    other.check("DEL k", ":1\r\n");
    // What a transaction makes and takes away again was never there.
    other.send("MULTI\r\nLPUSH k x\r\nDEL k\r\nEXEC\r\n");
    other.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n:1\r\n");
    silent(&mut list);
    silent(&mut sorted);
    other.check("ZADD k 1 m", ":1\r\n");
    sorted.expect(bulks(&["k", "m", "1"]));
    silent(&mut list);
    other.check("SELECT 1", "+OK\r\n");
    other.check("RPUSH k elsewhere", ":1\r\n");
    silent(&mut list);
    other.check("SELECT 0", "+OK\r\n");
    other.check("RPUSH k here", ":1\r\n");
    list.expect(bulks(&["k", "here"]));
}

#[test]
fn a_transaction_is_over_before_anybody_is_served() {
    let server = TestServer::start();
    let (mut c, mut other) = (server.raw(), server.raw());
    block(&mut c, &mut other, "BLPOP k j 0", 1);
    other.send("MULTI\r\nRPUSH j 1\r\nRPUSH k a\r\nLPUSH k b\r\nLRANGE k 0 -1\r\nEXEC\r\n");
    other.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n");
    other.expect(format!("*4\r\n:1\r\n:1\r\n:2\r\n{}", bulks(&["b", "a"])));
    // The command is run as a whole: its first key counts, whichever got data first.
    c.expect(bulks(&["k", "b"]));
    other.check("LRANGE k 0 -1", &bulks(&["a"]));
    other.check("LRANGE j 0 -1", &bulks(&["1"]));
}

#[test]
fn in_a_transaction_nothing_waits() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("MULTI", "+OK\r\n");
    for line in [
        "BLPOP a 0",
        "BLMOVE a b LEFT LEFT 0",
        "BRPOPLPUSH a b 0",
        "BLMPOP 0 1 a LEFT",
        "BZPOPMIN a 0",
        "BZMPOP 0 1 a MIN",
        "WAIT 1 0",
        "RPUSH a x",
        "BLPOP a 0",
    ] {
        c.check(line, "+QUEUED\r\n");
    }
    let last = bulks(&["a", "x"]);
    c.check("EXEC", &format!("*9\r\n*-1\r\n$-1\r\n$-1\r\n*-1\r\n*-1\r\n*-1\r\n:0\r\n:1\r\n{last}"));
}

#[test]
fn commands_behind_a_waiting_one_wait() {
    let server = TestServer::start();
    let (mut c, mut other) = (server.raw(), server.raw());
    c.send("SET n 1\r\nBLPOP k 0\r\nINCR n\r\nBLPOP k 0\r\nINCR n\r\n");
    c.expect("+OK\r\n");
    blocked(&mut other, 1);
    c.send("INCR n\r\n");
    silent(&mut c);
    other.check("GET n", "$1\r\n1\r\n");
    other.check("RPUSH k a", ":1\r\n");
    c.expect(format!("{}:2\r\n", bulks(&["k", "a"])));
    blocked(&mut other, 1);
    other.check("RPUSH k b", ":1\r\n");
    c.expect(format!("{}:3\r\n:4\r\n", bulks(&["k", "b"])));
    // A client that wants no replies is served all the same.
    c.send("CLIENT REPLY OFF\r\nBLPOP k 0\r\n");
    blocked(&mut other, 1);
    other.check("RPUSH k c", ":1\r\n");
    other.check("LLEN k", ":0\r\n");
    c.check("CLIENT REPLY ON", "+OK\r\n");
}

#[test]
fn others_end_a_wait() {
    let server = TestServer::start();
    let (mut c, mut other) = (server.raw(), server.raw());
    let id = c.line("CLIENT ID")[1..].to_string();
    other.check(&format!("CLIENT UNBLOCK {id}"), ":0\r\n");
    block(&mut c, &mut other, "BLPOP k 0", 1);
    other.send(format!("CLIENT LIST ID {id}\r\n"));
    let line = String::from_utf8(other.bulk()).expect("text");
    assert!(line.contains(" flags=b ") && line.contains(" cmd=blpop "), "{line}");
    other.check(&format!("CLIENT UNBLOCK {id}"), ":1\r\n");
    c.expect("*-1\r\n");
    other.check(&format!("CLIENT UNBLOCK {id}"), ":0\r\n");
    block(&mut c, &mut other, "BZPOPMIN k 0", 1);
    other.check(&format!("CLIENT UNBLOCK {id} TIMEOUT"), ":1\r\n");
    c.expect("*-1\r\n");
    block(&mut c, &mut other, "BLMOVE k j LEFT LEFT 0", 1);
    other.check(&format!("CLIENT UNBLOCK {id} ERROR"), ":1\r\n");
    c.expect("-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
    block(&mut c, &mut other, "WAIT 1 0", 1);
    other.check(&format!("CLIENT UNBLOCK {id}"), ":1\r\n");
    c.expect(":0\r\n");
    block(&mut c, &mut other, "BLPOP k 0", 1);
    other.check(&format!("CLIENT KILL ID {id}"), ":1\r\n");
    assert!(c.closed());
    other.check("RPUSH k stays", ":1\r\n");
    other.check("LLEN k", ":1\r\n");
    blocked(&mut other, 0);
}

#[test]
fn calls_and_held_clients_are_counted() {
    let server = TestServer::start();
    let (mut c, mut other) = (server.raw(), server.raw());
    block(&mut c, &mut other, "BLPOP k 0", 1);
    other.check("RPUSH k a", ":1\r\n");
    c.expect(bulks(&["k", "a"]));
    c.check("BLPOP k 0.01", "*-1\r\n");
    c.send("INFO commandstats\r\n");
    let text = String::from_utf8(c.bulk()).expect("text");
    let line = text.lines().find(|line| line.starts_with("cmdstat_blpop:")).expect("a line");
    assert!(line.contains("calls=2,"), "{line}");
    other.check("CLIENT PAUSE 100000 WRITE", "+OK\r\n");
    block(&mut c, &mut other, "SET a 1", 1);
    other.check("CLIENT UNPAUSE", "+OK\r\n");
    c.expect("+OK\r\n");
    blocked(&mut other, 0);
}

/// A client that is gone gets nothing: what was pushed afterwards stays.
#[test]
fn row_30_who_leaves_while_waiting_takes_nothing_along() {
    let server = TestServer::start();
    let mut other = server.raw();
    for behind in ["", "PING\r\nPING\r\n"] {
        for reset in [false, true] {
            let mut c = server.raw();
            block(&mut c, &mut other, "BLPOP k 0", 1);
            c.send(behind);
            std::thread::sleep(Duration::from_millis(20));
            if reset {
                let linger = Some(Duration::ZERO);
                socket2::SockRef::from(&c.stream).set_linger(linger).expect("linger can be set");
            }
            drop(c);
            blocked(&mut other, 0);
            other.check("RPUSH k x", ":1\r\n");
            other.check("LLEN k", ":1\r\n");
            other.check("DEL k", ":1\r\n");
        }
    }
}

/// What a waiting client costs beyond an idle one.
#[test]
fn a_waiting_client_costs_little() {
    const CLIENTS: usize = 400;
    let server = TestServer::start();
    let mut other = server.raw();
    let used = |other: &mut Raw| {
        other.send("INFO memory\r\n");
        let text = String::from_utf8(other.bulk()).expect("text");
        let line = text.lines().find_map(|line| line.strip_prefix("used_memory:")).expect("a field");
        line.parse::<usize>().expect("a number")
    };
    let mut clients: Vec<Raw> = (0..CLIENTS).map(|_| server.raw()).collect();
    clients.iter_mut().for_each(|c| c.check("PING", "+PONG\r\n"));
    // The sweep frees the buffers of the idle.
    std::thread::sleep(Duration::from_millis(3500));
    let idle = used(&mut other);
    for (i, c) in clients.iter_mut().enumerate() {
        c.send(format!("BLPOP queue:{i} 0\r\n"));
    }
    blocked(&mut other, CLIENTS);
    std::thread::sleep(Duration::from_millis(3500));
    let each = used(&mut other).saturating_sub(idle) / CLIENTS;
    assert!(each <= 2048, "{each} bytes");
    println!("{each} bytes a waiting client");
    for (i, c) in clients.iter_mut().enumerate() {
        other.check(&format!("RPUSH queue:{i} x"), ":1\r\n");
        c.expect(bulks(&[&format!("queue:{i}"), "x"]));
    }
}

#[test]
fn messages_reach_a_client_while_it_waits() {
    let server = TestServer::start();
    let (mut c, mut other) = (server.raw(), server.raw());
    c.send("HELLO 3\r\nSUBSCRIBE news\r\n");
    while c.read_line() != "$4" || c.read_line() != "news" {}
    c.expect(":1\r\n");
    block(&mut c, &mut other, "BLPOP l 0", 1);
    other.check("PUBLISH news one", ":1\r\n");
    c.expect(">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$3\r\none\r\n");
    // More than the socket takes at once arrives whole and in order, and the wait goes on.
    let large = "x".repeat(3_000_000);
    for _ in 0..4 {
        other.command(&["PUBLISH", "news", &large]);
        other.expect(":1\r\n");
    }
    for _ in 0..4 {
        c.expect(format!(">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$3000000\r\n{large}\r\n"));
    }
    blocked(&mut other, 1);
    other.check("RPUSH l a", ":1\r\n");
    c.expect(bulks(&["l", "a"]));
    other.check("PUBLISH news two", ":1\r\n");
    c.expect(">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$3\r\ntwo\r\n");
}

/// The order in which two clients' commands come is that of their waits, not that of their sending: see `left_out` of
/// unit/type/list in tests/upstream.
#[test]
fn a_wait_that_ends_with_an_error_leaves_the_element_to_the_next() {
    let server = TestServer::start();
    let (mut one, mut two, mut other) = (server.raw(), server.raw(), server.raw());
    other.check("SET wrong text", "+OK\r\n");
    block(&mut one, &mut other, "BRPOPLPUSH l wrong 0", 1);
    block(&mut two, &mut other, "BRPOPLPUSH l right 0", 2);
    other.check("LPUSH l foo", ":1\r\n");
    assert!(one.read_line().starts_with("-WRONGTYPE"));
    two.expect("$3\r\nfoo\r\n");
    other.check("LRANGE right 0 -1", "*1\r\n$3\r\nfoo\r\n");
}
