//! Bitmaps, as a client sees them.

mod common;

use common::TestServer;

const BAD_OFFSET: &str = "-ERR bit offset is not an integer or out of range\r\n";
const NOT_AN_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";
const SYNTAX: &str = "-ERR syntax error\r\n";

#[test]
fn single_bits() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SETBIT k 1 1", ":0\r\n");
    c.check("GET k", "$1\r\n@\r\n");
    c.check("SETBIT k 1 1", ":1\r\n");
    c.check("SETBIT k 1 0", ":1\r\n");
    c.check("GETBIT k 1", ":0\r\n");
    c.check("SETBIT k 23 1", ":0\r\n");
    c.check("STRLEN k", ":3\r\n");
    c.check("GETBIT k 23", ":1\r\n");
    c.check("GETBIT k 24", ":0\r\n");
    c.check("GETBIT k 4000000", ":0\r\n");
    c.check("GETBIT nokey 0", ":0\r\n");
    c.check("SETBIT grown 80000 0", ":0\r\n");
    c.check("STRLEN grown", ":10001\r\n");
}

#[test]
fn numbers_are_strings_too() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SET n 1", "+OK\r\n");
    c.check("GETBIT n 2", ":1\r\n");
    c.check("BITCOUNT n", ":3\r\n");
    c.check("SETBIT n 6 1", ":0\r\n");
    c.check("GET n", "$1\r\n3\r\n");
    c.check("INCR n", ":4\r\n");
    c.check("SETBIT n 7 1", ":0\r\n");
    c.check("GET n", "$1\r\n5\r\n");
}

#[test]
fn a_changed_bit_keeps_the_deadline() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SET k abc EX 100", "+OK\r\n");
    c.check("SETBIT k 7 0", ":1\r\n");
    c.check("TTL k", ":100\r\n");
    c.check("SETBIT k 80000 1", ":0\r\n");
    c.check("TTL k", ":100\r\n");
    c.check("BITFIELD k SET u8 0 255", "*1\r\n:96\r\n");
    c.check("TTL k", ":100\r\n");
    c.check("BITOP NOT k k", ":10001\r\n");
    c.check("TTL k", ":-1\r\n");
}

#[test]
fn offsets_and_bits_are_checked() {
    let server = TestServer::start();
    let mut c = server.raw();
    for offset in ["-1", "x", "", "1.5", "4294967296", "9223372036854775807", "9223372036854775808"] {
        c.command(&["SETBIT", "k", offset, "1"]);
        c.expect(BAD_OFFSET);
        c.command(&["GETBIT", "k", offset]);
        c.expect(BAD_OFFSET);
    }
    for bit in ["2", "-1", "x", "01", ""] {
        c.command(&["SETBIT", "k", "0", bit]);
        c.expect("-ERR bit is not an integer or out of range\r\n");
    }
    c.check("EXISTS k", ":0\r\n");
}

/// Row 34: a bit beyond the longest string is refused before memory is asked for, whatever the limit is.
#[test]
fn row_34_bits_behind_the_longest_string() {
    let server = TestServer::with(&["--threads", "2", "--proto-max-bulk-len", "1mb"]);
    let mut c = server.raw();
    let before = server.resident();
    c.check("SETBIT k 8388608 1", BAD_OFFSET);
    c.check("BITFIELD k SET u8 8388608 1", BAD_OFFSET);
    c.check("BITFIELD k SET u8 8388601 1", BAD_OFFSET);
    c.check("BITFIELD k INCRBY i64 #131072 1", BAD_OFFSET);
    c.check("EXISTS k", ":0\r\n");
    assert!(server.resident() < before + (1 << 20));
    c.check("SETBIT k 8388607 1", ":0\r\n");
    c.check("STRLEN k", ":1048576\r\n");
    c.check("BITFIELD k GET u8 #1048575 GET u8 8388601", "*2\r\n:1\r\n:2\r\n");
}

/// Row 38: offsets that overflow when they are multiplied with a field's width.
#[test]
fn row_38_sizes_do_not_overflow() {
    let server = TestServer::start();
    let mut c = server.raw();
    for offset in [
        "#9223372036854775807",
        "#18446744073709551615",
        "#288230376151711744",
        "#-1",
        "#",
        "9223372036854775807",
        "-9223372036854775808",
    ] {
        for what in ["GET i64 O", "SET i64 O 1", "INCRBY i64 O 1", "GET u1 O", "SET u63 O 1"] {
            c.check(&format!("BITFIELD k {}", what.replace('O', offset)), BAD_OFFSET);
        }
    }
    c.check("EXISTS k", ":0\r\n");
    c.check("SET k abc", "+OK\r\n");
    let extremes = ["9223372036854775807", "-9223372036854775808"];
    for start in extremes {
        for end in extremes {
            for unit in ["BIT", "BYTE"] {
                let all = start.starts_with('-') && !end.starts_with('-');
                // Both ends before the front mean the first bit, or the first byte.
                let first = start == end && start.starts_with('-');
                let ones = match (all, first, unit) {
                    (true, ..) => 10,
                    (_, true, "BYTE") => 3,
                    _ => 0,
                };
                c.check(&format!("BITCOUNT k {start} {end} {unit}"), &format!(":{ones}\r\n"));
            }
        }
    }
    c.check("BITPOS k 1 -9223372036854775808 9223372036854775807 BIT", ":1\r\n");
    c.check("BITPOS k 1 9223372036854775807 9223372036854775807", ":-1\r\n");
}

#[test]
fn counting() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SET k foobar", "+OK\r\n");
    c.check("BITCOUNT k", ":26\r\n");
    c.check("BITCOUNT k 0 0", ":4\r\n");
    c.check("BITCOUNT k 1 1 byte", ":6\r\n");
    c.check("BITCOUNT k 5 30 BIT", ":17\r\n");
    c.check("BITCOUNT k 0 -1 bit", ":26\r\n");
    c.check("BITCOUNT k -2 -1", ":7\r\n");
    c.check("BITCOUNT k -1 -2", ":0\r\n");
    c.check("BITCOUNT k -100 -90", ":4\r\n");
    c.check("BITCOUNT k 4 100", ":7\r\n");
    c.check("BITCOUNT k 6 100", ":0\r\n");
    c.check("BITCOUNT nokey", ":0\r\n");
    c.check("BITCOUNT nokey 0 -1 BIT", ":0\r\n");
    c.check("BITCOUNT k 0", SYNTAX);
    c.check("BITCOUNT k 0 1 hello", SYNTAX);
    c.check("BITCOUNT k 0 1 BIT x", SYNTAX);
    c.check("BITCOUNT nokey 0", SYNTAX);
    c.check("BITCOUNT nokey x 1", NOT_AN_INTEGER);
    c.check("BITCOUNT k 0 1.5", NOT_AN_INTEGER);
}

#[test]
fn counting_much() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.command(&["SET", "k", &"a".repeat(1_000_003)]);
    c.expect("+OK\r\n");
    c.check("BITCOUNT k", ":3000009\r\n");
    c.check("BITCOUNT k 1 -2", ":3000003\r\n");
    c.check("BITPOS k 1 1000002", ":8000017\r\n");
    c.check("BITPOS k 1 8000019 8000022 BIT", ":-1\r\n");
}

#[test]
fn finding() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check(r#"SET k "\xff\xf0\x00""#, "+OK\r\n");
    c.check("BITPOS k 0", ":12\r\n");
    c.check("BITPOS k 1", ":0\r\n");
    c.check("BITPOS k 1 2", ":-1\r\n");
    c.check("BITPOS k 0 0 0", ":-1\r\n");
    c.check("BITPOS k 1 7 15 BIT", ":7\r\n");
    c.check("BITPOS k 0 -3 -1 byte", ":12\r\n");
    c.check("BITPOS k 1 12 -1 BIT", ":-1\r\n");
    c.check("BITPOS k 0 3", ":-1\r\n");
    c.check("BITPOS k 0 -100 -90", ":-1\r\n");
    c.check("BITPOS nokey 0", ":0\r\n");
    c.check("BITPOS nokey 1", ":-1\r\n");
    c.check("BITPOS nokey 0 3 4 BIT", ":0\r\n");
    c.check("SET e ''", "+OK\r\n");
    c.check("BITPOS e 0", ":-1\r\n");
    c.check("BITPOS e 1", ":-1\r\n");
}

/// A string of ones is followed by zeros, unless the caller said where it ends.
#[test]
fn a_clear_bit_behind_the_end() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check(r#"SET k "\xff\xff""#, "+OK\r\n");
    c.check("BITPOS k 0", ":16\r\n");
    c.check("BITPOS k 0 1", ":16\r\n");
    c.check("BITPOS k 0 -1", ":16\r\n");
    c.check("BITPOS k 0 2", ":-1\r\n");
    c.check("BITPOS k 0 0 -1", ":-1\r\n");
    c.check("BITPOS k 0 8 15 BIT", ":-1\r\n");
}

#[test]
fn finding_wrongly() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("BITPOS nokey 2", "-ERR The bit argument must be 1 or 0.\r\n");
    c.check("BITPOS nokey x", NOT_AN_INTEGER);
    c.check("BITPOS nokey 0 x", NOT_AN_INTEGER);
    c.check("BITPOS nokey 0 0 x", NOT_AN_INTEGER);
    c.check("BITPOS nokey 0 0 1 BITS", SYNTAX);
    c.check("BITPOS nokey 0 0 1 BIT more", SYNTAX);
}

#[test]
fn combining() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check(r#"SET a "\xf0\xcc\xff""#, "+OK\r\n");
    c.check(r#"SET b "\x3c\xaa""#, "+OK\r\n");
    let results: [(&str, &[u8]); 7] = [
        ("AND", b"\x30\x88\x00"),
        ("or", b"\xfc\xee\xff"),
        ("Xor", b"\xcc\x66\xff"),
        ("DIFF", b"\xc0\x44\xff"),
        ("DIFF1", b"\x0c\x22\x00"),
        ("ANDOR", b"\x30\x88\x00"),
        ("ONE", b"\xcc\x66\xff"),
    ];
    for (operation, bytes) in results {
        c.check(&format!("BITOP {operation} d a b"), ":3\r\n");
        c.check("GET d", "$3\r\n");
        c.expect([bytes, b"\r\n"].concat());
    }
    c.check("BITOP NOT d b", ":2\r\n");
    c.check("GET d", "$2\r\n");
    c.expect(b"\xc3\x55\r\n");
    c.check("SET c a", "+OK\r\n");
    c.check("BITOP ONE d a b c", ":3\r\n");
    c.check("GET d", "$3\r\n");
    c.expect(b"\x8d\x66\xff\r\n");
}

#[test]
fn combining_with_nothing() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SET a abc", "+OK\r\n");
    c.check("SET n 7", "+OK\r\n");
    c.check("BITOP AND d a nokey", ":3\r\n");
    c.check("GET d", "$3\r\n\0\0\0\r\n");
    c.check("BITOP OR d a nokey n", ":3\r\n");
    c.check("GET d", "$3\r\nwbc\r\n");
    c.check("BITOP OR d nokey", ":0\r\n");
    c.check("EXISTS d", ":0\r\n");
    c.check("BITOP AND a a", ":3\r\n");
    c.check("GET a", "$3\r\nabc\r\n");
}

#[test]
fn combining_wrongly() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("BITOP NOT d a b", "-ERR BITOP NOT must be called with a single source key.\r\n");
    for operation in ["DIFF", "DIFF1", "ANDOR"] {
        let error = format!("-ERR BITOP {operation} must be called with at least two source keys.\r\n");
        c.check(&format!("BITOP {operation} d a"), &error);
    }
    c.check("BITOP NAND d a b", SYNTAX);
    c.check("BITOP AND d", "-ERR wrong number of arguments for 'bitop' command\r\n");
}

/// Blocks of the combination meet where strings end inside of them.
#[test]
fn combining_long_strings() {
    let server = TestServer::start();
    let mut c = server.raw();
    for (key, byte, len) in [("a", "a", 100_000), ("b", "c", 50_001), ("c", "b", 8192)] {
        c.command(&["SET", key, &byte.repeat(len)]);
        c.expect("+OK\r\n");
    }
    c.check("BITOP XOR d a b c", ":100000\r\n");
    let expected = ["`".repeat(8192), "\u{2}".repeat(50_001 - 8192), "a".repeat(100_000 - 50_001)].concat();
    c.check("GET d", &format!("$100000\r\n{expected}\r\n"));
    c.check("BITOP AND d a b", ":100000\r\n");
    c.check("BITCOUNT d", &format!(":{}\r\n", 3 * 50_001));
}

#[test]
fn fields() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("BITFIELD bits SET u8 0 255 SET i8 0 -100", "*2\r\n:0\r\n:-1\r\n");
    c.check("BITFIELD bits GET u8 0 GET i8 0 GET u4 2 GET u64 0", "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.\r\n");
    c.check("BITFIELD bits GET u8 0 GET i8 0 GET u4 2", "*3\r\n:156\r\n:-100\r\n:7\r\n");
    c.check("BITFIELD bits SET u8 #0 65 SET u8 #1 66 SET u8 #2 67", "*3\r\n:156\r\n:0\r\n:0\r\n");
    c.check("GET bits", "$3\r\nABC\r\n");
    c.check("BITFIELD bits", "*0\r\n");
    c.check("BITFIELD bits incrby u8 3 10 GET u8 3", "*2\r\n:20\r\n:20\r\n");
    c.check("BITFIELD_RO bits GET u8 0 GET i64 8", "*2\r\n:66\r\n:-9060398025339305984\r\n");
    c.check("BITFIELD_RO nokey GET u8 0", "*1\r\n:0\r\n");
    c.check("BITFIELD nokey GET u8 80", "*1\r\n:0\r\n");
    c.check("EXISTS nokey", ":0\r\n");
}

#[test]
fn fields_that_overflow() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("BITFIELD k SET u8 0 250 INCRBY u8 0 10", "*2\r\n:0\r\n:4\r\n");
    c.check("BITFIELD k SET u8 0 250 OVERFLOW SAT INCRBY u8 0 10", "*2\r\n:4\r\n:255\r\n");
    c.check("BITFIELD k OVERFLOW fail INCRBY u8 0 1 GET u8 0", "*2\r\n$-1\r\n:255\r\n");
    c.check("BITFIELD k OVERFLOW WRAP INCRBY i8 0 -128", "*1\r\n:127\r\n");
    c.check("BITFIELD k OVERFLOW SAT SET i8 0 -200 SET u8 0 -1", "*2\r\n:127\r\n:128\r\n");
    c.check("BITFIELD k GET u8 0", "*1\r\n:255\r\n");
    c.check(
        "BITFIELD k SET i64 0 9223372036854775807 OVERFLOW SAT INCRBY i64 0 1",
        "*2\r\n:-72057594037927936\r\n:9223372036854775807\r\n",
    );
    c.check("BITFIELD k INCRBY i64 0 1", "*1\r\n:-9223372036854775808\r\n");
    c.check("HELLO 3", "%7\r\n");
    let mut rest = vec![0; 4096];
    use std::io::Read as _;
    _ = c.stream.read(&mut rest).expect("HELLO answers");
    c.check("BITFIELD k OVERFLOW FAIL SET u1 0 2", "*1\r\n_\r\n");
}

/// The string grows for a write even if the write then fails.
#[test]
fn a_failed_write_grows_the_string() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("BITFIELD k OVERFLOW FAIL SET u8 100 256", "*1\r\n$-1\r\n");
    c.check("STRLEN k", ":14\r\n");
}

#[test]
fn fields_wrongly() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("BITFIELD k GET u8", SYNTAX);
    c.check("BITFIELD k SET u8 0", SYNTAX);
    c.check("BITFIELD k OVERFLOW", SYNTAX);
    c.check("BITFIELD k NOSUCH u8 0", SYNTAX);
    c.check("BITFIELD k OVERFLOW more GET u8 0", "-ERR Invalid OVERFLOW type specified\r\n");
    c.check("BITFIELD k SET u8 0 x", NOT_AN_INTEGER);
    c.check("BITFIELD k INCRBY u8 0 9223372036854775808", NOT_AN_INTEGER);
    c.check("BITFIELD_RO k SET u8 0 1", "-ERR BITFIELD_RO only supports the GET subcommand\r\n");
    c.check("BITFIELD_RO k OVERFLOW WRAP GET u8 0", "*1\r\n:0\r\n");
    c.check("EXISTS k", ":0\r\n");
}

/// A long bitmap is changed in place, by several clients at once, and no bit is lost.
#[test]
fn racing_clients_lose_no_bit() {
    const EACH: usize = 20_000;
    let server = TestServer::start();
    std::thread::scope(|scope| {
        for client in 0..4 {
            let mut c = server.raw();
            scope.spawn(move || {
                for some in (0..EACH).collect::<Vec<_>>().chunks(100) {
                    let lines: String =
                        some.iter().map(|bit| format!("SETBIT k {} 1\r\n", bit * 4 + client)).collect();
                    c.send(lines);
                    c.expect(":0\r\n".repeat(some.len()));
                }
            });
        }
        let mut c = server.raw();
        scope.spawn(move || {
            let mut last = 0;
            while last < EACH * 4 {
                let now = c.line("BITCOUNT k")[1..].parse().expect("a number");
                assert!(now >= last, "{now} after {last}");
                last = now;
            }
        });
    });
    let mut c = server.raw();
    c.check("STRLEN k", &format!(":{}\r\n", EACH * 4 / 8));
    c.check("BITPOS k 0", &format!(":{}\r\n", EACH * 4));
}

/// Two clients add to two halves of one byte; each increment counts.
#[test]
fn racing_increments_count() {
    const EACH: usize = 5000;
    let server = TestServer::start();
    std::thread::scope(|scope| {
        for field in 0..2 {
            let mut c = server.raw();
            scope.spawn(move || {
                for number in 1..=EACH {
                    c.check(&format!("BITFIELD k INCRBY u20 #{field} 1"), &format!("*1\r\n:{number}\r\n"));
                }
            });
        }
    });
    server.raw().check("BITFIELD k GET u20 #0 GET u20 #1", &format!("*2\r\n:{EACH}\r\n:{EACH}\r\n"));
}
