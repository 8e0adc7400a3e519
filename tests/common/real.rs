//! The real redis-server, for tests that exchange data with it.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::Connection;

/// A redis-server, killed when the test ends.
pub struct Redis {
    child: Child,
    port: u16,
}

impl Redis {
    /// Starts it with these directives besides the usual ones; none if it is not installed.
    pub fn start(directives: &[&str]) -> Option<Redis> {
        let port = std::net::TcpListener::bind(("127.0.0.1", 0)).ok()?.local_addr().ok()?.port();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--enable-debug-command", "yes"])
            .args(directives)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = child else {
            println!("redis-server is not installed: nothing to exchange data with");
            return None;
        };
        Some(Redis { child, port })
    }

    /// A connection, once it serves.
    pub fn client(&self) -> Connection {
        let client =
            redis::Client::open(format!("redis://127.0.0.1:{}/", self.port)).expect("a valid address");
        for _ in 0..200 {
            if let Ok(mut connection) = client.get_connection()
                && redis::cmd("PING").query::<String>(&mut connection).is_ok()
            {
                return connection;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("redis-server does not start");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
