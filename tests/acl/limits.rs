//! What a client gets that has not said who it is.

use std::io::Write;
use std::time::Duration;

use super::common::{TestServer, encode};
use super::{HELLO_LINES, skip};

/// A server whose clients have to say who they are: the default user with `secret`, or bob.
fn guarded() -> TestServer {
    let server = TestServer::start();
    let mut admin = server.raw();
    admin.check("ACL SETUSER bob on >bob +@all ~*", "+OK\r\n");
    admin.check("CONFIG SET requirepass secret", "+OK\r\n");
    server
}

#[test]
fn row_26_requests_are_small_before_authentication() {
    let server = guarded();
    let mut raw = server.raw();
    raw.send("*11\r\n");
    raw.expect("-ERR Protocol error: unauthenticated multibulk length\r\n");
    assert!(raw.closed());
    let mut raw = server.raw();
    raw.send("*1\r\n$16385\r\n");
    raw.expect("-ERR Protocol error: unauthenticated bulk length\r\n");
    assert!(raw.closed());
    let mut raw = server.raw();
    raw.send(encode(&["SET", "k", "v", "a", "b", "c", "d", "e", "f", "g"]));
    raw.expect("-NOAUTH Authentication required.\r\n");
    // What follows AUTH in the same packet is not bound any more.
    let words: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    let mset: Vec<&str> = std::iter::once("MSET").chain(words.iter().map(String::as_str)).collect();
    let large = "x".repeat(20_000);
    let pipeline = [encode(&["AUTH", "secret"]), encode(&mset), encode(&["SET", "k", &large])].concat();
    raw.send(pipeline);
    raw.expect("+OK\r\n+OK\r\n+OK\r\n");
    raw.check("RESET", "+RESET\r\n");
    raw.send("*11\r\n");
    raw.expect("-ERR Protocol error: unauthenticated multibulk length\r\n");
}

/// A flood of refused commands whose replies nobody reads ends, and takes no memory meanwhile.
#[test]
fn row_26_unread_refusals_end_the_connection() {
    let server = guarded();
    let before = server.resident();
    let mut flood = server.raw();
    flood.stream.set_write_timeout(Some(Duration::from_secs(10))).expect("a timeout can be set");
    let batch = "PING\r\n".repeat(10_000);
    let ended = (0..2000).any(|_| flood.stream.write_all(batch.as_bytes()).is_err());
    assert!(ended, "the server took 20 million commands without being read");
    assert!(server.resident() < before + (32 << 20), "{} after {before}", server.resident());
    // One who reads is served, however much is in a packet.
    let mut patient = server.raw();
    patient.send("PING\r\n".repeat(500));
    patient.expect("-NOAUTH Authentication required.\r\n".repeat(500));
    patient.check("AUTH secret", "+OK\r\n");
}

/// Whoever resets gives its rights back at once, also in the middle of a transaction and of a batch.
#[test]
fn row_29_reset_takes_the_rights_away() {
    let server = guarded();
    let mut raw = server.raw();
    raw.send("AUTH secret\r\nHELLO 3\r\n");
    assert_eq!(raw.read_line(), "+OK");
    skip(&mut raw, HELLO_LINES);
    raw.send("MULTI\r\nSET k 1\r\nRESET\r\nGET k\r\nEXEC\r\nAUTH bob bob\r\nGET k\r\nHELLO 2\r\n");
    raw.expect("+OK\r\n+QUEUED\r\n+RESET\r\n-NOAUTH Authentication required.\r\n-NOAUTH Authentication required.\r\n");
    raw.expect("+OK\r\n$-1\r\n*14\r\n");
}

#[test]
fn row_28_browsers_are_cut_off_before_authentication_too() {
    let server = guarded();
    let mut raw = server.raw();
    raw.send("POST / HTTP/1.1\r\nHost: x\r\n\r\nAUTH secret\r\n");
    assert!(raw.closed());
}

/// Clients beyond `maxclients` are refused whether or not they would have a password.
#[test]
fn row_27_too_many_clients_are_refused_before_authentication() {
    let server = guarded();
    let mut admin = server.raw();
    admin.check("AUTH secret", "+OK\r\n");
    admin.check("CONFIG SET maxclients 1", "+OK\r\n");
    let mut refused = server.raw();
    refused.expect("-ERR max number of clients reached\r\n");
    assert!(refused.closed());
    admin.check("CONFIG SET maxclients 10", "+OK\r\n");
    server.raw().check("PING", "-NOAUTH Authentication required.\r\n");
}
