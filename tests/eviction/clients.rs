//! `maxmemory-clients`, what CLIENT LIST tells of memory, and the limits of what clients leave unread.

use std::io::Write;
use std::time::{Duration, Instant};

use super::*;

/// A field of a client's line in CLIENT LIST; none if there is no client of this name.
fn field(c: &mut Raw, name: &str, field: &str) -> Option<u64> {
    c.send("CLIENT LIST\r\n");
    let text = String::from_utf8(c.bulk()).expect("text");
    let line = text.lines().find(|line| line.contains(&format!(" name={name} ")))?;
    let start = format!(" {field}=");
    let value = line.split_once(&start).unwrap_or_else(|| panic!("{field}: {line}")).1;
    let value = value.split(' ').next().expect("a value");
    Some(value.parse().unwrap_or_else(|_| panic!("{field}: {line}")))
}

fn named(server: &TestServer, name: &str) -> Raw {
    let mut c = server.raw();
    c.check(&format!("CLIENT SETNAME {name}"), "+OK\r\n");
    c
}

/// Sends part of a request: an argument of `bytes` bytes whose end does not come.
fn half_a_request(c: &mut Raw, bytes: usize) {
    let mut request = format!("*2\r\n${bytes}\r\n").into_bytes();
    request.resize(request.len() + bytes, b'v');
    // The server may end the connection in the middle.
    drop(c.stream.write_all(&request));
}

#[test]
fn memory_of_clients_is_told() {
    let server = TestServer::start();
    let (mut c, mut other) = (server.raw(), named(&server, "other"));
    half_a_request(&mut other, 500_000);
    wait_until("it is received", || field(&mut c, "other", "qbuf") == Some(500_000));
    assert!(field(&mut c, "other", "tot-mem").is_some_and(|total| total >= 500_000));
    let normal = number(&mut c, "memory", "mem_clients_normal");
    assert!(normal >= 500_000, "{normal}");
    assert!(number(&mut c, "clients", "client_recent_max_input_buffer") >= 500_000);
    drop(other);

    let mut queues = named(&server, "queues");
    queues.check("MULTI", "+OK\r\n");
    queues.check(&format!("SET k {}", "x".repeat(10_000)), "+QUEUED\r\n");
    assert!(field(&mut c, "queues", "multi-mem").is_some_and(|bytes| (10_000..12_000).contains(&bytes)));
    queues.check("DISCARD", "+OK\r\n");
    assert_eq!(field(&mut c, "queues", "multi-mem"), Some(0));

    let mut watches = named(&server, "watches");
    let before = field(&mut c, "watches", "tot-mem").expect("it is there");
    for i in 0..100 {
        watches.check(&format!("WATCH key:{i}"), "+OK\r\n");
    }
    let after = field(&mut c, "watches", "tot-mem").expect("it is there");
    assert!(after > before + 10_000, "{before} {after}");
    watches.check("UNWATCH", "+OK\r\n");
    assert!(field(&mut c, "watches", "tot-mem").is_some_and(|now| now < before + 4000));
}

#[test]
fn what_is_unread_counts_as_output() {
    let server = TestServer::start();
    let (mut c, mut reader) = (server.raw(), named(&server, "reader"));
    c.check(&format!("SET k {}", "x".repeat(60_000)), "+OK\r\n");
    // More replies than the sockets' buffers hold.
    reader.send("GET k\r\n".repeat(500));
    wait_until("replies wait", || field(&mut c, "reader", "omem").is_some_and(|bytes| bytes > 30_000));
    assert!(field(&mut c, "reader", "oll").is_some_and(|blocks| blocks > 1));
    assert!(field(&mut c, "reader", "obl").is_some_and(|bytes| bytes <= 16 << 10));
    (0..500).for_each(|_| assert_eq!(reader.bulk().len(), 60_000));
    wait_until("nothing waits", || field(&mut c, "reader", "omem") == Some(0));
}

#[test]
fn the_largest_clients_are_ended_first() {
    let server = TestServer::start();
    let mut c = named(&server, "control");
    c.check("CLIENT NO-EVICT ON", "+OK\r\n");
    let sizes = [100_000, 800_000, 200_000, 1_600_000];
    let mut clients: Vec<Raw> = (0..4).map(|i| named(&server, &format!("client{i}"))).collect();
    for (i, client) in clients.iter_mut().enumerate() {
        half_a_request(client, sizes[i]);
        let name = format!("client{i}");
        wait_until("it is received", || field(&mut c, &name, "qbuf") == Some(sizes[i] as u64));
    }
    // What is left is what fits.
    for (limit, left) in [(2_000_000, [true, true, true, false]), (500_000, [true, false, true, false])] {
        set(&mut c, "maxmemory-clients", limit);
        let now: Vec<bool> =
            (0..4).map(|i| field(&mut c, &format!("client{i}"), "tot-mem").is_some()).collect();
        assert_eq!(now, left, "{limit}");
    }
    assert_eq!(number(&mut c, "stats", "evicted_clients"), 2);
    assert!(clients[3].closed() && clients[1].closed());
    c.check("CONFIG RESETSTAT", "+OK\r\n");
    assert_eq!(number(&mut c, "stats", "evicted_clients"), 0);
}

#[test]
fn a_request_that_grows_too_large_ends_its_client_before_it_runs() {
    let server = TestServer::with(&["--threads", "2", "--maxmemory-clients", "3000000"]);
    let mut c = server.raw();
    let mut large = named(&server, "large");
    large.command(&["MSET", "k", "v", "k2", &"v".repeat(1_000_000)]);
    large.expect("+OK\r\n");
    drop(large.stream.write_all(&encode(&["MSET", "k", "w", "k2", &"v".repeat(3_000_000)])));
    assert!(large.closed());
    assert_eq!(field(&mut c, "large", "tot-mem"), None);
    c.check("GET k", "$1\r\nv\r\n");
    assert_eq!(number(&mut c, "stats", "evicted_clients"), 1);
}

/// What a client sends again and again.
type Line = fn(usize) -> String;

#[test]
fn queued_commands_and_names_end_their_client_too() {
    let server = TestServer::with(&["--threads", "2", "--maxmemory-clients", "200kb"]);
    let mut c = server.raw();
    let lines: [(&str, Line); 4] = [
        ("MULTI", |_| format!("SET k {}", "v".repeat(5000))),
        ("PING", |i| format!("WATCH key:{i}")),
        ("PING", |i| format!("SUBSCRIBE channel:{i}")),
        ("PING", |i| format!("PSUBSCRIBE pattern:{i}")),
    ];
    for (at, (first, line)) in lines.iter().enumerate() {
        let mut client = named(&server, "client");
        client.line(first);
        for i in 0..3000 {
            // It may have ended already.
            drop(client.stream.write_all(format!("{}\r\n", line(i)).as_bytes()));
        }
        wait_until(&line(0), || field(&mut c, "client", "tot-mem").is_none());
        assert_eq!(number(&mut c, "stats", "evicted_clients"), at as u64 + 1);
    }
}

/// A share of `maxmemory`, which moves with it.
#[test]
fn the_limit_may_be_a_share_of_maxmemory() {
    let server = TestServer::start();
    let (mut c, mut other) = (server.raw(), named(&server, "other"));
    set(&mut c, "maxmemory", "100mb");
    set(&mut c, "maxmemory-clients", "2%");
    half_a_request(&mut other, 1_000_000);
    wait_until("it is received", || field(&mut c, "other", "qbuf") == Some(1_000_000));
    set(&mut c, "maxmemory", "40mb");
    assert_eq!(field(&mut c, "other", "tot-mem"), None);
    assert_eq!(number(&mut c, "stats", "evicted_keys"), 0);
    c.check(
        "CONFIG SET maxmemory-clients 200%",
        "-ERR CONFIG SET failed (possibly related to argument 'maxmemory-clients') - percentage argument must be less \
         or equal to 100\r\n",
    );
}

#[test]
fn the_protected_are_spared_until_they_give_it_up() {
    let server = TestServer::start();
    let (mut c, mut other) = (named(&server, "control"), named(&server, "other"));
    c.check("CLIENT NO-EVICT ON", "+OK\r\n");
    c.command(&["SET", "k", &"x".repeat(500_000)]);
    c.expect("+OK\r\n");
    other.check("CLIENT NO-EVICT ON", "+OK\r\n");
    set(&mut c, "maxmemory-clients", 100_000);
    other.send("GET k\r\nGET k\r\nPING\r\n");
    assert_eq!((other.bulk().len(), other.bulk().len()), (500_000, 500_000));
    other.expect("+PONG\r\n");
    other.check("CLIENT NO-EVICT OFF", "+OK\r\n");
    drop(other.stream.write_all(b"GET k\r\n"));
    assert!(other.closed());
    c.check("PING", "+PONG\r\n");
}

#[test]
fn row_32_slow_subscribers_end_at_their_limit() {
    let limit = ["--threads", "2", "--client-output-buffer-limit", "pubsub 1mb 0 0"];
    let server = TestServer::with(&limit);
    let (mut c, mut slow, mut quick) = (server.raw(), named(&server, "slow"), named(&server, "quick"));
    for listener in [&mut slow, &mut quick] {
        listener.check("SUBSCRIBE ch", "*3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n");
    }
    let (message, mut most, mut slowest) = ("x".repeat(50_000), 0, Duration::ZERO);
    let mut published = 0;
    while let Some(waiting) = field(&mut c, "slow", "omem") {
        most = most.max(waiting);
        let began = Instant::now();
        c.command(&["PUBLISH", "ch", &message]);
        assert!(c.read_line().starts_with(':'));
        slowest = slowest.max(began.elapsed());
        quick.expect("*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$50000\r\n");
        quick.expect(format!("{message}\r\n"));
        published += 1;
        assert!(published < 2000, "it is never closed");
    }
    // The buffer for a megabyte may have room for two.
    assert!((100_000..2_400_000).contains(&most), "{most} after {published} messages");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    assert!(slow.closed());
}

/// Row 24, and what `client-output-buffer-limit normal` says: a client that never reads is not read from, and bounded.
#[test]
fn row_24_who_never_reads_is_bounded() {
    let server = TestServer::start();
    let (mut c, mut deaf) = (server.raw(), named(&server, "deaf"));
    c.check(&format!("SET k {}", "x".repeat(30_000)), "+OK\r\n");
    let before = used(&mut c);
    deaf.stream.set_write_timeout(Some(Duration::from_millis(300))).expect("a timeout can be set");
    let lines = "GET k\r\n".repeat(1000);
    for _ in 0..50 {
        drop(deaf.stream.write(lines.as_bytes()));
    }
    let after = used(&mut c);
    assert!(after < before + (4 << 20), "{before} {after}");
}
