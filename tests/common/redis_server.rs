//! The real redis-server, for tests that compare with it.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::Connection;

/// A redis-server of the test's own, killed when the test ends.
pub struct Redis {
    child: Child,
    pub port: u16,
}

impl Redis {
    /// Starts one that saves nothing and allows DEBUG; none if it is not installed.
    pub fn start() -> Option<Redis> {
        let port = super::free_port();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--enable-debug-command", "yes"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = child else {
            println!("redis-server is not installed: nothing to compare with");
            return None;
        };
        let redis = Redis { child, port };
        redis.wait();
        Some(redis)
    }

    fn wait(&self) {
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("redis-server does not start");
    }

    /// A connection through the `redis` crate.
    pub fn client(&self) -> Connection {
        let client =
            redis::Client::open(format!("redis://127.0.0.1:{}/", self.port)).expect("a valid address");
        client.get_connection().expect("redis-server accepts")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
