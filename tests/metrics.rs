//! The metrics port: what it answers, to whom, and what it refuses.

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use common::TestServer;

/// A server with a metrics port.
fn server(more: &[&str]) -> (TestServer, u16) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let port = listener.local_addr().expect("bound").port();
    drop(listener);
    let number = port.to_string();
    let directives = [&["--threads", "2", "--metrics-port", &number], more].concat();
    (TestServer::with(&directives), port)
}

/// Sends a request and reads the whole answer: its status line, its head and its body.
fn ask(port: u16, request: &str) -> (String, String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the port listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
    stream.write_all(request.as_bytes()).expect("the server reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("the server answers and closes");
    let answer = String::from_utf8(answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.lines().next().unwrap_or_default().into(), head.into(), body.into())
}

fn get(port: u16, path: &str) -> (String, String, String) {
    ask(port, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
}

/// The value of a metric.
fn value(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn prometheus_finds_the_numbers() {
    let (server, port) = server(&[]);
    let mut raw = server.raw();
    raw.send("SET a 1\r\nSET b 1\r\nHSET h f v\r\nGET a\r\nGET nosuch\r\nINCR h\r\nEXPIRE b 100\r\n");
    raw.expect("+OK\r\n+OK\r\n:1\r\n$1\r\n1\r\n$-1\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n:1\r\n");
    let (status, head, text) = get(port, "/metrics");
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(head.contains("Content-Type: text/plain; version=0.0.4"), "{head}");
    for (name, expected) in [
        ("command_calls_total{command=\"set\"}", 2.0),
        ("command_failed_total{command=\"incr\"}", 1.0),
        ("errors_total{code=\"WRONGTYPE\"}", 1.0),
        ("command_duration_seconds_count{command=\"set\"}", 2.0),
        ("keys{db=\"0\"}", 3.0),
        ("volatile_keys{db=\"0\"}", 1.0),
        ("keys_by_type{type=\"string\"}", 2.0),
        ("keys_by_type{type=\"hash\"}", 1.0),
        ("keyspace_hits_total", 1.0),
        ("keyspace_misses_total", 1.0),
        ("connected_clients", 1.0),
        ("evicted_keys_total", 0.0),
    ] {
        assert_eq!(value(&text, &format!("sockudo_kv_{name}")), Some(expected), "{name}\n{text}");
    }
    for name in [
        "memory_used_bytes",
        "memory_resident_bytes",
        "command_duration_seconds{command=\"get\",quantile=\"0.99\"}",
    ] {
        assert!(
            value(&text, &format!("sockudo_kv_{name}")).is_some_and(|value| value > 0.0),
            "{name}\n{text}"
        );
    }
    for name in ["garbage_bytes", "gate_waits_total"] {
        assert!(value(&text, &format!("sockudo_kv_{name}")).is_some(), "{name}");
    }
    for line in text.lines() {
        assert!(
            line.starts_with("# ") || line.rsplit(' ').next().is_some_and(|n| n.parse::<f64>().is_ok()),
            "{line}"
        );
    }
}

#[test]
fn the_page_stands_alone_and_its_numbers_are_json() {
    let (server, port) = server(&["--slowlog-log-slower-than", "0"]);
    let mut raw = server.raw();
    raw.check("SET \"quoted\\\"\\x01key\" 1", "+OK\r\n");
    let (status, _, page) = get(port, "/");
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(!page.contains("http://") || !page.replace("http://www.w3.org/2000/svg", "").contains("http://"));
    assert!(!page.contains("https://") && !page.contains("src="), "the page asks for nothing from elsewhere");
    let (_, head, json) = get(port, "/live.json");
    assert!(head.contains("Content-Type: application/json"), "{head}");
    assert!(json.contains("[\"set\",1,") && json.contains("\"keys\":1,"), "{json}");
    assert!(json.contains("quoted\\\"\\u0001key"), "{json}");
}

#[test]
fn secrets_need_the_password() {
    let (_server, port) = server(&[]);
    assert_eq!(get(port, "/flamegraph").0, "HTTP/1.1 403 Forbidden");
    assert_eq!(get(port, "/live.json").0, "HTTP/1.1 200 OK");
}

#[test]
fn other_requests_are_refused() {
    let (_server, port) = server(&[]);
    assert_eq!(get(port, "/nosuch").0, "HTTP/1.1 404 Not Found");
    assert_eq!(ask(port, "POST / HTTP/1.1\r\n\r\n").0, "HTTP/1.1 405 Method Not Allowed");
    assert_eq!(ask(port, "PING\r\n\r\n").0, "HTTP/1.1 400 Bad Request");
    let long = format!("GET / HTTP/1.1\r\nX: {}", "y".repeat(10_000));
    assert_eq!(ask(port, &long).0, "HTTP/1.1 431 Request Header Fields Too Large");
    let (status, _, body) = ask(port, "HEAD /metrics HTTP/1.1\r\n\r\n");
    assert_eq!((status.as_str(), body.len()), ("HTTP/1.1 200 OK", 0));
    // Those who say nothing keep nobody from being answered.
    let silent: Vec<TcpStream> =
        (0..10).map(|_| TcpStream::connect(("127.0.0.1", port)).expect("the port listens")).collect();
    assert_eq!(get(port, "/metrics").0, "HTTP/1.1 200 OK");
    drop(silent);
}

/// Debian's Chromium, or none: ci/tools installs it.
fn chromium() -> Option<&'static str> {
    ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success()))
}

#[test]
fn a_browser_shows_the_page() {
    let Some(browser) = chromium() else {
        eprintln!("skipped: no chromium");
        return;
    };
    let (server, port) = server(&["--slowlog-log-slower-than", "0"]);
    let mut raw = server.raw();
    raw.check("SET shown-in-the-slow-log 1", "+OK\r\n");
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--virtual-time-budget=4000",
        ])
        .args(["--dump-dom", &format!("http://127.0.0.1:{port}/")])
        .output()
        .expect("the browser runs");
    let page = String::from_utf8_lossy(&output.stdout);
    assert!(page.contains(">live</span>"), "{page}");
    assert!(page.contains("SET shown-in-the-slow-log 1") && page.contains("<td>set</td>"), "{page}");
    assert!(page.contains("<polyline"), "{page}");
}
