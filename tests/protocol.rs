//! What the server answers to requests that are broken, empty or cut into pieces.

mod common;
use common::{TestServer, encode};

/// Sends bytes on a connection of their own; a PING before them shows that what preceded the error was answered.
#[track_caller]
fn refused(server: &TestServer, bytes: &[u8], error: &str) {
    let mut c = server.raw();
    let mut request = b"PING\r\n".to_vec();
    request.extend_from_slice(bytes);
    c.send(request);
    c.expect(format!("+PONG\r\n-ERR Protocol error: {error}\r\n"));
    assert!(c.closed(), "{error}: closes");
}

#[test]
fn row_18_argument_counts_are_bounded() {
    let server = TestServer::start();
    let before = server.resident();
    for count in ["2147483648", "1048577", "9223372036854775808", "x", "1 ", ""] {
        refused(&server, format!("*{count}\r\n").as_bytes(), "invalid multibulk length");
    }
    let mut c = server.raw();
    c.send("*-1\r\n*-2147483648\r\n*1\r\n$4\r\nPING\r\n");
    c.expect("+PONG\r\n");
    for _ in 0..50 {
        server.raw().send("*1048576\r\n$1\r\n");
    }
    assert!(server.resident() < before + (16 << 20), "nothing is allocated from a claim");
}

#[test]
fn row_19_argument_lengths_are_bounded() {
    let server = TestServer::start();
    for length in ["536870913", "18446744073709551616", "-5", "-1", "abc", ""] {
        refused(&server, format!("*2\r\n$3\r\nGET\r\n${length}\r\n").as_bytes(), "invalid bulk length");
    }
    refused(&server, b"*1\r\n:1\r\n", "expected '$', got ':'");
}

#[test]
fn row_19_the_length_limit_is_the_configured_one() {
    let server = TestServer::with(&["--proto-max-bulk-len", "1mb"]);
    let mut c = server.raw();
    c.send(encode(&["SET", "k", &"x".repeat(1 << 20)]));
    c.expect("+OK\r\n");
    refused(&server, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1048577\r\n", "invalid bulk length");
}

#[test]
fn row_20_lines_are_bounded() {
    let server = TestServer::start();
    refused(&server, &vec![b'a'; 70_000], "too big inline request");
    let long = |kind: &str| [kind.as_bytes(), &[b'1'; 70_000]].concat();
    refused(&server, &long("*"), "too big mbulk count string");
    refused(&server, &long("*1\r\n$"), "too big bulk count string");
    refused(&server, b"SET k \"v\r\n", "unbalanced quotes in request");
}

#[test]
fn row_20_unfinished_requests_are_bounded() {
    let server = TestServer::with(&["--client-query-buffer-limit", "1mb"]);
    let mut c = server.raw();
    let mut request = b"*1000000\r\n".to_vec();
    while request.len() < 3 << 20 {
        request.extend_from_slice(b"$1000\r\n");
        request.extend_from_slice(&[b'x'; 1000]);
        request.extend_from_slice(b"\r\n");
    }
    // The server may close before it has read all of it.
    drop(std::io::Write::write_all(&mut c.stream, &request));
    let mut rest = Vec::new();
    drop(std::io::Read::read_to_end(&mut c.stream, &mut rest));
    assert!(rest.is_empty(), "closed without a reply, as Redis does");
    server.raw().check("PING", "+PONG\r\n");
}

#[test]
fn row_21_arguments_end_with_a_line_end() {
    let server = TestServer::start();
    refused(&server, b"*2\r\n$3\r\nGET\r\n$1\r\nkxx*1\r\n", "expected CRLF after bulk");
}

/// Requests of every kind whose replies do not depend on what ran before.
fn script() -> (Vec<u8>, Vec<u8>) {
    let steps: &[(&[u8], &str)] = &[
        (b"DEL k n\r\n", ""),
        (b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nva\r\nu\r\n", "+OK\r\n"),
        (b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "$5\r\nva\r\nu\r\n"),
        (b"\r\n", ""),
        (b"set n \"\\x31\"\r\n", "+OK\r\n"),
        (b"*0\r\n", ""),
        (b"*2\r\n$4\r\nincr\r\n$1\r\nn\r\n", ":2\r\n"),
        (b"*3\r\n$4\r\nMGET\r\n$1\r\nn\r\n$0\r\n\r\n", "*2\r\n$1\r\n2\r\n$-1\r\n"),
        (b"GET\r\n", "-ERR wrong number of arguments for 'get' command\r\n"),
        (b"*1\r\n$4\r\nPING\r\n", "+PONG\r\n"),
    ];
    let sent = steps[1..].iter().flat_map(|step| step.0.to_vec()).collect();
    (sent, steps.iter().flat_map(|step| step.1.bytes()).collect())
}

#[test]
fn row_22_every_split_gives_the_same_replies() {
    let server = TestServer::start();
    let (sent, replies) = script();
    for at in 0..sent.len() {
        let mut c = server.raw();
        c.send(&sent[..at]);
        if at % 8 == 0 {
            // Without a rest the kernel may well join the pieces again.
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        c.send(&sent[at..]);
        c.expect(&replies);
    }
}

#[test]
fn row_22_single_bytes_give_the_same_replies() {
    let server = TestServer::start();
    let (sent, replies) = script();
    let mut c = server.raw();
    for byte in sent {
        c.send([byte]);
        std::thread::sleep(std::time::Duration::from_micros(200));
    }
    c.expect(&replies);
}

#[test]
fn row_31_empty_requests_leave_no_state() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.send("\r\n\n*0\r\n   \r\n*-1\r\nPING\r\n*0\r\n\r\n*2\r\n$4\r\nPING\r\n$0\r\n\r\n*0\r\n*1\r\n$0\r\n\r\nPING\r\n");
    c.expect("+PONG\r\n$0\r\n\r\n-ERR unknown command '', with args beginning with: \r\n+PONG\r\n");
}
