//! CLIENT KILL.

use std::io::{Read, Write};
use std::time::Duration;

use super::common::{Raw, TestServer};
use super::{eventually, field, id_of, list};

#[test]
fn kill_ends_others_on_both_workers() {
    let server = TestServer::start();
    let mut c = server.raw();
    // More victims than workers: some of them live on the killer's thread and some on the other.
    for by_address in [true, false] {
        let mut victims: Vec<Raw> = (0..4).map(|_| server.raw()).collect();
        for victim in &mut victims {
            let id = id_of(victim);
            let addr = victim.stream.local_addr().expect("bound");
            if by_address {
                c.check(&format!("CLIENT KILL {addr}"), "+OK\r\n");
                c.check(&format!("CLIENT KILL {addr}"), "-ERR No such client\r\n");
            } else {
                let laddr = format!("127.0.0.1:{}", server.port);
                c.check(&format!("CLIENT KILL ID {id} ADDR 1.2.3.4:5"), ":0\r\n");
                c.check(&format!("CLIENT KILL ID {id} LADDR {laddr} TYPE normal USER default"), ":1\r\n");
            }
            assert_eq!(list(&mut c, "").iter().filter(|line| field(line, "id") == id).count(), 0);
            assert!(victim.closed());
        }
    }
    c.check("PING", "+PONG\r\n");
}

#[test]
fn kill_ends_a_client_that_does_not_read() {
    let server = TestServer::start();
    let (mut c, mut slow) = (server.raw(), server.raw());
    let id = id_of(&mut slow);
    c.command(&["SET", "big", &"x".repeat(1 << 20)]);
    c.expect("+OK\r\n");
    slow.send("GET big\r\n".repeat(40));
    eventually(|| field(&list(&mut c, &format!("ID {id}"))[0], "obl") != "0");
    c.check(&format!("CLIENT KILL ID {id}"), ":1\r\n");
    let mut rest = Vec::new();
    let _ = slow.stream.read_to_end(&mut rest);
    assert!(rest.len() < 40 << 20);
}

#[test]
fn the_killed_runs_no_further_command() {
    let server = TestServer::start();
    for _ in 0..30 {
        let (mut c, mut victim) = (server.raw(), server.raw());
        let id = id_of(&mut victim);
        let mut stream = victim.stream.try_clone().expect("a second handle");
        let writer = std::thread::spawn(move || while stream.write_all(b"INCR n\r\n").is_ok() {});
        while c.line("GET n") == "$-1" {}
        c.read_line();
        let count = |c: &mut Raw| {
            c.send("GET n\r\n");
            c.bulk()
        };
        c.check(&format!("CLIENT KILL ID {id}"), ":1\r\n");
        let before = count(&mut c);
        std::thread::sleep(Duration::from_millis(3));
        assert_eq!(count(&mut c), before);
        drop(writer.join());
        c.check("DEL n", ":1\r\n");
    }
}

#[test]
fn kill_ends_oneself_behind_the_reply() {
    let server = TestServer::start();
    let mut c = server.raw();
    let addr = c.stream.local_addr().expect("bound");
    let id = id_of(&mut c);
    c.check(&format!("CLIENT KILL ID {id}"), ":0\r\n");
    c.send(format!("CLIENT KILL {addr}\r\nSET k v\r\n"));
    c.expect("+OK\r\n");
    assert!(c.closed());
    let (mut c, mut other) = (server.raw(), server.raw());
    c.check("GET k", "$-1\r\n");
    other.check("PING", "+PONG\r\n");
    c.send("CLIENT KILL SKIPME no TYPE normal\r\nPING\r\n");
    c.expect(":2\r\n");
    assert!(c.closed() && other.closed());
}

#[test]
fn kill_refuses_in_redis_words() {
    let server = TestServer::start();
    let mut c = server.raw();
    for (filters, reply) in [
        ("1.2.3.4:5", "-ERR No such client"),
        ("ID", "-ERR No such client"),
        ("ID x", "-ERR client-id should be greater than 0"),
        ("ID 0", "-ERR client-id should be greater than 0"),
        ("ID 999", ":0"),
        ("ID 999 ADDR", "-ERR syntax error"),
        ("SKIPME x", "-ERR syntax error"),
        ("TYPE foo", "-ERR Unknown client type 'foo'"),
        ("TYPE pubsub", ":0"),
        ("USER nosuch", "-ERR No such user 'nosuch'"),
        ("USER default", ":0"),
        ("FOO bar", "-ERR syntax error"),
        ("MAXAGE x", "-ERR maxage is not an integer or out of range"),
        ("MAXAGE 0", "-ERR maxage should be greater than 0"),
        ("MAXAGE 1000 SKIPME no", ":0"),
    ] {
        c.check(&format!("CLIENT KILL {filters}"), &format!("{reply}\r\n"));
    }
    let mut old = server.raw();
    old.check("PING", "+PONG\r\n");
    std::thread::sleep(Duration::from_millis(1100));
    let mut young = server.raw();
    young.check("PING", "+PONG\r\n");
    c.check("CLIENT KILL MAXAGE 1", ":1\r\n");
    assert!(old.closed());
    young.check("PING", "+PONG\r\n");
}
