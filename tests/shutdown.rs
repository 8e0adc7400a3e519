//! The end of the server.

mod common;
use common::{TestServer, encode};
use std::io::{ErrorKind, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(10);

fn signal(server: &TestServer, signal: libc::c_int) {
    let pid = libc::pid_t::try_from(server.pid()).expect("a process number");
    // SAFETY: kill touches no memory; the process is this test's own child and has not been waited for.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}

#[test]
fn sigterm_and_sigint_end_it_with_success() {
    for number in [libc::SIGTERM, libc::SIGINT] {
        let mut server = TestServer::start();
        let mut c = server.raw();
        c.check("SET k v", "+OK\r\n");
        let idle = server.raw();
        signal(&server, number);
        let began = Instant::now();
        assert_eq!(server.wait_for_end(LIMIT), Some(true));
        assert!(began.elapsed() < Duration::from_millis(900), "nobody is at work, so nothing is waited for");
        assert!(c.closed());
        drop(idle);
    }
}

#[test]
fn a_hangup_does_not_end_it() {
    let mut server = TestServer::start();
    server.raw().check("PING", "+PONG\r\n");
    signal(&server, libc::SIGHUP);
    assert_eq!(server.wait_for_end(Duration::from_millis(300)), None);
    server.raw().check("PING", "+PONG\r\n");
}

/// A client that asks for much and reads nothing, so that its task is stuck in a write.
fn deaf_client(server: &TestServer) -> common::Raw {
    let mut c = server.raw();
    c.send(encode(&["SET", "big", &"x".repeat(1 << 20)]));
    c.expect("+OK\r\n");
    c.stream.set_write_timeout(Some(Duration::from_millis(500))).expect("can be set");
    loop {
        match c.stream.write_all(&encode(&["GET", "big"]).repeat(1000)) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return c,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_client_that_does_not_read_is_not_waited_for_long() {
    let mut server = TestServer::start();
    let _deaf = deaf_client(&server);
    signal(&server, libc::SIGTERM);
    assert_eq!(server.wait_for_end(LIMIT), Some(true));
}

#[test]
fn a_second_sigint_ends_it_at_once() {
    let mut server = TestServer::start();
    let _deaf = deaf_client(&server);
    signal(&server, libc::SIGINT);
    std::thread::sleep(Duration::from_millis(200));
    signal(&server, libc::SIGINT);
    assert_eq!(server.wait_for_end(LIMIT), Some(false));
}

#[test]
fn the_pid_file_lives_as_long_as_the_server() {
    let path = std::env::temp_dir().join(format!("sockudo-kv-pid-{}", std::process::id()));
    let mut server = TestServer::with(&["--pidfile", path.to_str().expect("text")]);
    server.raw().check("PING", "+PONG\r\n");
    let text = std::fs::read_to_string(&path).expect("the server wrote it");
    assert_eq!(text, format!("{}\n", server.pid()));
    signal(&server, libc::SIGTERM);
    assert_eq!(server.wait_for_end(LIMIT), Some(true));
    assert!(!path.exists());
}

/// Runs the server until it ends by itself; its exit code and its output.
fn outcome(arguments: &[&str]) -> (Option<i32>, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_sockudo-kv"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the server runs");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_port_in_use_is_told() {
    let server = TestServer::start();
    let port = server.port.to_string();
    let (code, log) = outcome(&["--port", &port, "--bind", "127.0.0.1"]);
    assert_eq!(code, Some(1));
    let told = format!(
        "Could not create server TCP listening socket 127.0.0.1:{port}: bind: Address already in use"
    );
    assert!(log.contains(&told), "{log}");
    assert!(log.contains(&format!("Failed listening on port {port} (tcp), aborting.")), "{log}");
}

#[test]
fn a_server_that_would_listen_nowhere_does_not_start() {
    for arguments in [&["--port", "0"][..], &["--port", "1", "--bind", "-192.0.2.1"]] {
        let (code, log) = outcome(arguments);
        assert_eq!(code, Some(1));
        assert!(log.contains("Configured to not listen anywhere, exiting."), "{log}");
    }
    let (code, log) = outcome(&["--port", "1", "--bind", "192.0.2.1"]);
    assert_eq!(code, Some(1));
    assert!(log.contains("192.0.2.1:1: bind: Cannot assign requested address"), "{log}");
}
