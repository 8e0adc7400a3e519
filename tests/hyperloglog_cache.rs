//! The cardinality that PFCOUNT leaves in a sketch's string, where GET shows it.

mod common;

use common::{Raw, TestServer};

/// Bytes 8 to 15 of the sketch: the cardinality, and in the top bit whether it is out of date.
#[track_caller]
fn remembers(c: &mut Raw, bytes: [u8; 8]) {
    c.send("GETRANGE h 8 15\r\n");
    c.expect([b"$8\r\n".as_slice(), &bytes, b"\r\n"].concat());
}

#[test]
fn counting_one_key_remembers_as_redis_does() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("PFADD h a b c", ":1\r\n");
    c.check("PEXPIRE h 100000000", ":1\r\n");
    remembers(&mut c, [0, 0, 0, 0, 0, 0, 0, 0x80]);
    c.check("PFCOUNT h", ":3\r\n");
    remembers(&mut c, [3, 0, 0, 0, 0, 0, 0, 0]);
    assert!(!c.line("PTTL h").starts_with(":-"), "the deadline stays");
    c.check("PFADD h a", ":0\r\n");
    remembers(&mut c, [3, 0, 0, 0, 0, 0, 0, 0]);
    c.check("PFADD h d", ":1\r\n");
    remembers(&mut c, [3, 0, 0, 0, 0, 0, 0, 0x80]);
    c.check("PFCOUNT h h", ":4\r\n");
    remembers(&mut c, [3, 0, 0, 0, 0, 0, 0, 0x80]);
}
