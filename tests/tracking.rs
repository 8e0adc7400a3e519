//! Client-side caching: who is told of what, in which order, and that nothing is missed.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{Raw, TestServer, encode};

fn hello3(server: &TestServer) -> Raw {
    let mut raw = server.raw();
    raw.command(&["HELLO", "3"]);
    raw.command(&["ECHO", "mark"]);
    while raw.read_line() != "mark" {}
    raw
}

fn tracking(server: &TestServer, options: &str) -> Raw {
    let mut raw = hello3(server);
    raw.check(&format!("CLIENT TRACKING ON {options}"), "+OK\r\n");
    raw
}

/// An invalidation in RESP3.
fn news(keys: &[&str]) -> String {
    format!(">2\r\n$10\r\ninvalidate\r\n{}", String::from_utf8(encode(keys)).expect("text"))
}

const ALL: &str = ">2\r\n$10\r\ninvalidate\r\n_\r\n";

#[test]
fn a_reader_hears_of_the_next_change_once() {
    let server = TestServer::start();
    let (mut a, mut b) = (tracking(&server, ""), server.raw());
    a.check("GET k", "_\r\n");
    b.check("SET k 1", "+OK\r\n");
    a.expect(news(&["k"]));
    b.check("SET k 2", "+OK\r\n");
    a.check("GET k", "$1\r\n2\r\n");
    b.check("DEL other", ":0\r\n");
    b.check("DEL k", ":1\r\n");
    a.expect(news(&["k"]));
    a.check("PING", "+PONG\r\n");
}

#[test]
fn news_of_own_commands_follow_their_reply() {
    let server = TestServer::start();
    let mut a = tracking(&server, "");
    a.send("GET k\r\nSET k 1\r\nGET k\r\nMULTI\r\nGET k\r\nINCR k\r\nPING\r\nEXEC\r\nPING\r\n");
    a.expect(format!("_\r\n+OK\r\n{}$1\r\n1\r\n", news(&["k"])));
    a.expect(format!(
        "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n$1\r\n1\r\n:2\r\n+PONG\r\n{}",
        news(&["k"])
    ));
    a.expect("+PONG\r\n");
}

#[test]
fn several_keys_scripts_and_waiting_commands_are_reads_too() {
    let server = TestServer::start();
    let (mut a, mut b) = (tracking(&server, ""), server.raw());
    a.check("MGET x y", "*2\r\n_\r\n_\r\n");
    b.check("SET y 1", "+OK\r\n");
    a.expect(news(&["y"]));
    a.command(&["EVAL", "return redis.call('get', KEYS[1])", "1", "s"]);
    a.expect("_\r\n");
    b.check("SET s 1", "+OK\r\n");
    a.expect(news(&["s"]));
    a.send("XREAD BLOCK 0 STREAMS t $\r\n");
    std::thread::sleep(Duration::from_millis(50));
    b.check("XADD t 1-1 a b", "$3\r\n1-1\r\n");
    // What it looked at when it began to wait, and then what it has read.
    a.expect(news(&["t"]));
    a.expect("%1\r\n$1\r\nt\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    a.check("PING", "+PONG\r\n");
    b.check("XADD t 2-1 a b", "$3\r\n2-1\r\n");
    a.expect(news(&["t"]));
}

#[test]
fn time_and_flushes_end_copies() {
    let server = TestServer::start();
    let (mut a, mut b) = (tracking(&server, ""), server.raw());
    b.check("SET k v PX 60", "+OK\r\n");
    a.check("GET k", "$1\r\nv\r\n");
    a.expect(news(&["k"]));
    a.check("GET k", "_\r\n");
    b.check("FLUSHDB", "+OK\r\n");
    a.expect(ALL);
    a.check("FLUSHALL", "+OK\r\n");
    a.expect(ALL);
    b.check("SET k 1", "+OK\r\n");
    a.check("PING", "+PONG\r\n");
}

#[test]
fn opting_in_and_out() {
    let server = TestServer::start();
    let (mut a, mut b) = (tracking(&server, "OPTIN"), server.raw());
    a.check("GET x", "_\r\n");
    a.check("CLIENT CACHING YES", "+OK\r\n");
    a.check("GET y", "_\r\n");
    a.check("GET z", "_\r\n");
    b.check("MSET x 1 y 1 z 1", "+OK\r\n");
    a.expect(news(&["y"]));
    a.check("CLIENT TRACKING OFF", "+OK\r\n");
    a.check("CLIENT TRACKING ON OPTOUT", "+OK\r\n");
    a.check("CLIENT CACHING NO", "+OK\r\n");
    a.check("GET x", "$1\r\n1\r\n");
    a.check("GET y", "$1\r\n1\r\n");
    b.check("MSET x 2 y 2", "+OK\r\n");
    a.expect(news(&["y"]));
    a.check("PING", "+PONG\r\n");
}

#[test]
fn caching_is_about_a_whole_transaction() {
    let server = TestServer::start();
    let (mut a, mut b) = (tracking(&server, "OPTIN"), server.raw());
    a.send("CLIENT CACHING YES\r\nMULTI\r\nGET x\r\nGET y\r\nEXEC\r\n");
    a.expect("+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n_\r\n_\r\n");
    b.check("SET y 1", "+OK\r\n");
    a.expect(news(&["y"]));
}

/// A script that is new runs on another thread, which would not know whose it is.
#[test]
fn what_a_new_script_changes_is_no_news_to_its_client() {
    let server = TestServer::start();
    let mut a = tracking(&server, "NOLOOP");
    a.check("SET x 1", "+OK\r\n");
    a.check("GET x", "$1\r\n1\r\n");
    a.check("EVAL \"return redis.call('set', KEYS[1], 2)\" 1 x", "+OK\r\n");
    a.check("GET x", "$1\r\n2\r\n");
}

#[test]
fn a_broadcast_is_of_everything_with_a_prefix() {
    let server = TestServer::start();
    let mut a = tracking(&server, "BCAST PREFIX a: PREFIX b:");
    let mut b = tracking(&server, "BCAST NOLOOP");
    let mut c = server.raw();
    c.check("MSET a:1 x a:2 x c:1 x", "+OK\r\n");
    a.expect(news(&["a:1", "a:2"]));
    b.expect(news(&["a:1", "a:2", "c:1"]));
    b.check("SET b:1 x", "+OK\r\n");
    a.expect(news(&["b:1"]));
    a.check("SET a:3 x", "+OK\r\n");
    a.expect(news(&["a:3"]));
    b.expect(news(&["a:3"]));
    for raw in [&mut a, &mut b] {
        raw.check("PING", "+PONG\r\n");
        raw.check("CLIENT TRACKING OFF", "+OK\r\n");
    }
    c.check("SET a:1 y", "+OK\r\n");
    a.check("PING", "+PONG\r\n");
}

#[test]
fn a_client_may_be_told_through_another() {
    let server = TestServer::start();
    let (mut a, mut listener, mut b) = (server.raw(), server.raw(), server.raw());
    let id = listener.line("CLIENT ID").replace(':', "");
    listener.check(
        "SUBSCRIBE __redis__:invalidate",
        "*3\r\n$9\r\nsubscribe\r\n$20\r\n__redis__:invalidate\r\n:1\r\n",
    );
    a.check(&format!("CLIENT TRACKING ON REDIRECT {id}"), "+OK\r\n");
    a.check("CLIENT GETREDIR", &format!(":{id}\r\n"));
    a.check("GET k", "$-1\r\n");
    b.check("SET k 1", "+OK\r\n");
    listener.expect("*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$1\r\nk\r\n");
    a.check("GET k", "$1\r\n1\r\n");
    a.check("SET k 2", "+OK\r\n");
    listener.expect("*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$1\r\nk\r\n");
    b.check("FLUSHALL", "+OK\r\n");
    listener.expect("*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n$-1\r\n");
}

#[test]
fn who_is_gone_breaks_the_redirection() {
    let server = TestServer::start();
    let (mut a, mut listener, mut b) = (hello3(&server), server.raw(), server.raw());
    let id = listener.line("CLIENT ID").replace(':', "");
    a.check(&format!("CLIENT TRACKING ON REDIRECT {id}"), "+OK\r\n");
    a.check("GET k", "_\r\n");
    listener.check("QUIT", "+OK\r\n");
    assert!(listener.closed());
    b.check("SET k 1", "+OK\r\n");
    a.expect(format!(">2\r\n$21\r\ntracking-redir-broken\r\n:{id}\r\n"));
    a.command(&["CLIENT", "TRACKINGINFO"]);
    a.expect(format!(
        "%3\r\n$5\r\nflags\r\n~2\r\n$2\r\non\r\n$15\r\nbroken_redirect\r\n$8\r\nredirect\r\n:{id}\r\n$8\r\nprefixes\r\n*0\r\n"
    ));
}

#[test]
fn the_table_is_bounded_and_forgets_with_notice() {
    let server = TestServer::with(&["--threads", "2", "--tracking-table-max-keys", "10"]);
    let mut a = tracking(&server, "");
    for key in 0..50 {
        a.send(format!("GET key:{key}\r\n"));
    }
    a.command(&["ECHO", "mark"]);
    let mut told = 0;
    loop {
        let line = a.read_line();
        told += usize::from(line == "invalidate");
        if line == "mark" {
            break;
        }
    }
    assert!((39..=40).contains(&told), "{told}");
    let mut b = server.raw();
    b.send("INFO\r\n");
    let info = String::from_utf8(b.bulk()).expect("text");
    assert!(info.contains("tracking_clients:1\r\n"), "{info}");
    assert!(
        info.contains("tracking_total_keys:10\r\n") && info.contains("tracking_total_items:10\r\n"),
        "{info}"
    );
}

#[test]
fn refusals() {
    let server = TestServer::start();
    let mut a = server.raw();
    let overlap = "Prefixes for a single client must not overlap.";
    for (line, reply) in [
        ("TRACKING foo", "-ERR syntax error"),
        ("TRACKING ON REDIRECT", "-ERR syntax error"),
        ("TRACKING ON REDIRECT x", "-ERR value is not an integer or out of range"),
        ("TRACKING ON REDIRECT 9999", "-ERR The client ID you want redirect to does not exist"),
        ("TRACKING ON PREFIX a", "-ERR PREFIX option requires BCAST mode to be enabled"),
        ("TRACKING ON OPTIN OPTOUT", "-ERR You can't specify both OPTIN mode and OPTOUT mode"),
        ("TRACKING ON BCAST OPTIN", "-ERR OPTIN and OPTOUT are not compatible with BCAST"),
        (
            "CACHING YES",
            "-ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
        ),
        (
            "TRACKING ON BCAST PREFIX ab PREFIX a",
            &format!("-ERR Prefix 'ab' overlaps with another provided prefix 'a'. {overlap}"),
        ),
        ("TRACKING ON BCAST PREFIX ab", "+OK"),
        (
            "TRACKING ON BCAST PREFIX abc",
            &format!("-ERR Prefix 'abc' overlaps with an existing prefix 'ab'. {overlap}"),
        ),
        (
            "TRACKING ON",
            "-ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.",
        ),
        ("TRACKING OFF", "+OK"),
        ("TRACKING ON OPTIN", "+OK"),
        ("CACHING NO", "-ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode."),
        (
            "TRACKING ON OPTOUT",
            "-ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.",
        ),
        ("GETREDIR", ":0"),
        ("TRACKING OFF", "+OK"),
        ("GETREDIR", ":-1"),
    ] {
        assert_eq!(a.line(&format!("CLIENT {line}")), reply, "{line}");
    }
}

/// A client's copy, kept by the rules of client-side caching, while others write: when all is quiet, it is true.
#[test]
fn no_copy_stays_old_however_reads_and_writes_meet() {
    let server = TestServer::start();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let (mut raw, stop) = (server.raw(), &stop);
            scope.spawn(move || {
                let mut count = 0u64;
                while !stop.load(Ordering::Relaxed) {
                    count += 1;
                    let key = format!("k{}", count % 4);
                    match count % 3 {
                        0 => raw.command(&["MSET", &key, &format!("{writer}:{count}"), "other", "x"]),
                        _ => raw.command(&["SET", &key, &format!("{writer}:{count}")]),
                    }
                    raw.expect("+OK\r\n");
                }
            });
        }
        let mut reader = tracking(&server, "");
        let mut copies: [Option<String>; 4] = Default::default();
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(2) {
            for (key, copy) in copies.iter_mut().enumerate().filter(|(_, copy)| copy.is_none()) {
                let _ = copy;
                reader.command(&["GET", &format!("k{key}")]);
            }
            settle(&mut reader, &mut copies);
        }
        stop.store(true, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(300));
        settle(&mut reader, &mut copies);
        let mut plain = server.raw();
        for (key, copy) in copies.iter().enumerate() {
            let Some(copy) = copy else { continue };
            plain.command(&["GET", &format!("k{key}")]);
            assert_eq!(String::from_utf8(plain.bulk()).expect("text"), *copy, "k{key}");
        }
    });
}

/// Takes replies and news in, in the order in which they come, up to the answer to a question asked now.
fn settle(reader: &mut Raw, copies: &mut [Option<String>; 4]) {
    let mut asked: std::collections::VecDeque<usize> =
        (0..copies.len()).filter(|&key| copies[key].is_none()).collect();
    reader.command(&["PING"]);
    loop {
        let line = reader.read_line();
        if line == "+PONG" {
            return;
        } else if line.starts_with('>') {
            // The word, the array's header, and the key.
            (0..3).for_each(|_| drop(reader.read_line()));
            reader.read_line();
            let key = reader.read_line();
            copies[key[1..].parse::<usize>().unwrap_or(9) % 4] = None;
        } else if line.starts_with('$') {
            let text = reader.read_line();
            copies[asked.pop_front().expect("an answer to a question")] = Some(text);
        } else if line == "_" {
            asked.pop_front();
        }
    }
}
