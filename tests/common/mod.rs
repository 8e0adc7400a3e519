//! Starting the server for a test, and talking to it in raw bytes or through a real client.
#![allow(dead_code, reason = "every test file uses its part")]

pub mod dice;
pub mod redis_server;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server of the test's own, killed when the test ends.
pub struct TestServer {
    child: Child,
    pub port: u16,
}

const START_LIMIT: Duration = Duration::from_secs(20);
const REPLY_LIMIT: Duration = Duration::from_secs(20);

impl TestServer {
    /// Starts a server with two workers.
    pub fn start() -> TestServer {
        Self::with(&["--threads", "2"])
    }

    /// Starts a server with a configuration file, on a free port.
    pub fn with_file(file: &Path) -> TestServer {
        Self::start_with(Some(file), &[])
    }

    /// Starts a server with these directives, on a free port.
    pub fn with(directives: &[&str]) -> TestServer {
        Self::start_with(None, directives)
    }

    fn start_with(file: Option<&Path>, directives: &[&str]) -> TestServer {
        let mut last = String::new();
        for _ in 0..5 {
            // Another process may take the port between here and the server's bind: then another one is tried.
            let port = free_port();
            match Self::try_start(file, port, directives) {
                Ok(server) => return server,
                Err(error) => last = error,
            }
        }
        panic!("the server does not start: {last}");
    }

    fn try_start(file: Option<&Path>, port: u16, directives: &[&str]) -> Result<TestServer, String> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sockudo-kv"))
            .args(file)
            .args(["--port", &port.to_string()])
            .args(directives)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let began = Instant::now();
        while !answers_as(child.id(), port) {
            if let Ok(Some(status)) = child.try_wait() {
                return Err(format!("ended with {status}"));
            }
            if began.elapsed() > START_LIMIT {
                drop(child.kill());
                return Err("takes too long".into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(TestServer { child, port })
    }

    /// The process's number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A connection that speaks bytes.
    pub fn raw(&self) -> Raw {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the server listens");
        stream.set_read_timeout(Some(REPLY_LIMIT)).expect("a timeout can be set");
        stream.set_nodelay(true).expect("nodelay can be set");
        Raw { stream }
    }

    /// A connection through the `redis` crate.
    pub fn client(&self) -> redis::Connection {
        let client =
            redis::Client::open(format!("redis://127.0.0.1:{}/", self.port)).expect("a valid address");
        client.get_connection().expect("the server accepts")
    }

    /// Waits until the process has ended by itself, and returns whether it succeeded.
    pub fn wait_for_end(&mut self, limit: Duration) -> Option<bool> {
        let began = Instant::now();
        while began.elapsed() < limit {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status.success());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }

    /// Resident bytes of the process.
    pub fn resident(&self) -> usize {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.pid())).expect("the server runs");
        statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("statm has pages") * 4096
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Whether the process `pid` serves at `port`. A test beside this one may have been given the same free port, and be
/// faster; its server must not be taken for ours.
fn answers_as(pid: u32, port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let asked = stream
        .set_read_timeout(Some(REPLY_LIMIT))
        .and_then(|()| stream.write_all(b"INFO server\r\nQUIT\r\n"));
    let mut reply = Vec::new();
    let read = asked.and_then(|()| stream.read_to_end(&mut reply));
    read.is_ok() && String::from_utf8_lossy(&reply).contains(&format!("process_id:{pid}\r\n"))
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    listener.local_addr().expect("bound").port()
}

/// A connection that speaks bytes.
pub struct Raw {
    pub stream: TcpStream,
}

impl Raw {
    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the server reads");
    }

    /// Sends a command as an array of bulk strings.
    pub fn command(&mut self, words: &[&str]) {
        self.send(encode(words));
    }

    /// Reads exactly these bytes or fails with what came instead.
    #[track_caller]
    pub fn expect(&mut self, bytes: impl AsRef<[u8]>) {
        let expected = bytes.as_ref();
        let mut got = vec![0; expected.len()];
        let mut have = 0;
        while have < got.len() && got[..have] == expected[..have] {
            match self.stream.read(&mut got[have..]) {
                Ok(0) => break,
                Ok(n) => have += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        let (got, expected) = (String::from_utf8_lossy(&got[..have]), String::from_utf8_lossy(expected));
        assert_eq!(got, expected);
    }

    /// Sends an inline command line and expects exactly this reply.
    #[track_caller]
    pub fn check(&mut self, line: &str, reply: &str) {
        self.send(format!("{line}\r\n"));
        self.expect(reply);
    }

    /// Sends an inline command line and returns the one-line reply without its line end.
    pub fn line(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n"));
        self.read_line()
    }

    /// Reads one line without its end.
    pub fn read_line(&mut self) -> String {
        let mut got = Vec::new();
        let mut byte = [0];
        while !got.ends_with(b"\r\n") && self.stream.read(&mut byte).is_ok_and(|n| n == 1) {
            got.push(byte[0]);
        }
        String::from_utf8_lossy(&got).trim_end().to_string()
    }

    /// Reads one bulk string.
    pub fn bulk(&mut self) -> Vec<u8> {
        let header = self.read_line();
        let length: usize =
            header.get(1..).and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{header}"));
        let mut body = vec![0; length + 2];
        self.stream.read_exact(&mut body).expect("the bulk arrives");
        body.truncate(length);
        body
    }

    /// Whether the server closes the connection, after whatever it still sends.
    pub fn closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => true,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }
}

/// A command as an array of bulk strings.
pub fn encode(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    bytes
}
