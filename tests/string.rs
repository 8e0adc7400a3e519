//! Strings, as a client sees them.

mod common;
use common::TestServer;

#[test]
fn a_value_is_what_was_set() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SET k v", "+OK\r\n");
    c.check("GET k", "$1\r\nv\r\n");
    c.check("GET nokey", "$-1\r\n");
}
