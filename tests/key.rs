//! Keys of any type, as a client sees them.

mod common;
use common::{Raw, TestServer, encode};

use std::time::{Duration, Instant};

const SAME: &str = "-ERR source and destination objects are the same\r\n";
const NOT_AN_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";
const NOT_AN_INT: &str = "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n";
const DB_RANGE: &str = "-ERR DB index is out of range\r\n";
const SYNTAX: &str = "-ERR syntax error\r\n";
/// Values that are held in every way there is: an integer, in the word, in a block of their own, in a node.
const SIZES: [usize; 4] = [3, 7, 100, 70_000];

#[track_caller]
fn check_all(c: &mut Raw, script: &[(&str, &str)]) {
    script.iter().for_each(|(line, reply)| c.check(line, reply));
}

// -- one client -------------------------------------------------------------------------------------------------

#[test]
fn counting_and_deleting() {
    let server = TestServer::start();
    let mut c = server.raw();
    check_all(
        &mut c,
        &[
            ("MSET a 1 b 2 c 3 d 4", "+OK\r\n"),
            ("EXISTS a", ":1\r\n"),
            ("EXISTS a a nokey b", ":3\r\n"),
            ("TOUCH a a nokey b", ":3\r\n"),
            ("DBSIZE", ":4\r\n"),
            ("DEL a a nokey", ":1\r\n"),
            ("UNLINK b nokey b", ":1\r\n"),
            ("DEL nokey", ":0\r\n"),
            ("DBSIZE", ":2\r\n"),
            ("DEL c d", ":2\r\n"),
            ("DBSIZE", ":0\r\n"),
            ("RANDOMKEY", "$-1\r\n"),
            ("KEYS *", "*0\r\n"),
            ("EXISTS", "-ERR wrong number of arguments for 'exists' command\r\n"),
            ("DBSIZE x", "-ERR wrong number of arguments for 'dbsize' command\r\n"),
            ("KEYS a b", "-ERR wrong number of arguments for 'keys' command\r\n"),
            ("RENAME a", "-ERR wrong number of arguments for 'rename' command\r\n"),
        ],
    );
}

#[test]
fn types_and_encodings() {
    let server = TestServer::start();
    let mut c = server.raw();
    let digits = "1234567890".repeat(5);
    let encodings = [
        ("5", "int"),
        ("-1", "int"),
        ("9223372036854775807", "int"),
        ("-9223372036854775808", "int"),
        ("9223372036854775808", "embstr"),
        ("", "embstr"),
        ("v", "embstr"),
        (&digits[..44], "embstr"),
        (&digits[..45], "raw"),
    ];
    for (value, encoding) in encodings {
        c.command(&["SET", "k", value]);
        c.expect("+OK\r\n");
        c.check("TYPE k", "+string\r\n");
        c.check("OBJECT ENCODING k", &format!("${}\r\n{encoding}\r\n", encoding.len()));
    }
    c.check("TYPE nokey", "+none\r\n");
    c.check("OBJECT ENCODING nokey", "$-1\r\n");
}

#[test]
fn object_tells_of_use_and_references() {
    let server = TestServer::start();
    let mut c = server.raw();
    let no_lfu = "-ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when \
                  switching between policies at runtime LRU and LFU data will take some time to adjust.\r\n";
    check_all(
        &mut c,
        &[
            ("MSET k v small 9999 large 10000 negative -1", "+OK\r\n"),
            ("OBJECT REFCOUNT k", ":1\r\n"),
            ("OBJECT REFCOUNT small", ":2147483647\r\n"),
            ("OBJECT REFCOUNT large", ":1\r\n"),
            ("OBJECT REFCOUNT negative", ":1\r\n"),
            ("OBJECT FREQ k", no_lfu),
            ("OBJECT FREQ nokey", "$-1\r\n"),
            ("OBJECT IDLETIME nokey", "$-1\r\n"),
            ("OBJECT REFCOUNT nokey", "$-1\r\n"),
            ("OBJECT", "-ERR wrong number of arguments for 'object' command\r\n"),
            ("OBJECT foo", "-ERR unknown subcommand 'foo'. Try OBJECT HELP.\r\n"),
            ("OBJECT ENCODING", "-ERR wrong number of arguments for 'object|encoding' command\r\n"),
            ("OBJECT HELP x", "-ERR wrong number of arguments for 'object|help' command\r\n"),
        ],
    );
    c.send("OBJECT HELP\r\n");
    c.expect(
        "*12\r\n+OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n+ENCODING <key>\r\n",
    );
}

#[test]
fn asking_about_a_key_is_not_using_it() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SET k v", "+OK\r\n");
    std::thread::sleep(Duration::from_millis(2100));
    for line in ["EXISTS k", "TTL k", "TYPE k", "OBJECT ENCODING k", "MEMORY USAGE k", "KEYS k", "SCAN 0"] {
        c.send(format!("{line}\r\n"));
        c.send("PING done\r\n");
        while c.read_line() != "done" {}
        let idle = c.line("OBJECT IDLETIME k");
        assert!([":2", ":3", ":4"].contains(&idle.as_str()), "{line}: {idle}");
    }
    c.check("TOUCH k", ":1\r\n");
    let idle = c.line("OBJECT IDLETIME k");
    assert!([":0", ":1"].contains(&idle.as_str()), "{idle}");
}

#[test]
fn memory_usage_grows_with_the_value() {
    let server = TestServer::start();
    let mut c = server.raw();
    let mut last = 0;
    for size in [1, 100, 10_000, 100_000] {
        c.command(&["SET", "k", &"x".repeat(size)]);
        c.expect("+OK\r\n");
        let usage: usize = c.line("MEMORY USAGE k")[1..].parse().expect("a number");
        assert!(usage > last && usage >= size && usage < size + 200, "{size}: {usage}");
        assert_eq!(c.line("MEMORY USAGE k SAMPLES 0"), format!(":{usage}"));
        last = usage;
    }
    check_all(
        &mut c,
        &[
            ("MEMORY USAGE nokey", "$-1\r\n"),
            ("MEMORY USAGE k SAMPLES", SYNTAX),
            ("MEMORY USAGE k SAMPLES -1", SYNTAX),
            ("MEMORY USAGE k SAMPLES x", NOT_AN_INTEGER),
            ("MEMORY USAGE nokey SAMPLES x", NOT_AN_INTEGER),
            ("MEMORY USAGE k FOO 1", SYNTAX),
            ("MEMORY USAGE", "-ERR wrong number of arguments for 'memory|usage' command\r\n"),
            ("MEMORY foo", "-ERR unknown subcommand 'foo'. Try MEMORY HELP.\r\n"),
            ("MEMORY PURGE", "+OK\r\n"),
        ],
    );
}

#[test]
fn memory_stats_count_keys_and_bytes() {
    let server = TestServer::start();
    let mut client = server.client();
    let stats = |client: &mut redis::Connection| -> Vec<(String, redis::Value)> {
        redis::cmd("MEMORY").arg("STATS").query(client).expect("MEMORY STATS answers")
    };
    let number = |stats: &[(String, redis::Value)], name: &str| match stats.iter().find(|(n, _)| n == name) {
        Some((_, redis::Value::Int(number))) => *number,
        other => panic!("{name}: {other:?}"),
    };
    let before = stats(&mut client);
    redis::cmd("SET").arg("k").arg(vec![b'x'; 1 << 20]).exec(&mut client).expect("SET answers");
    let after = stats(&mut client);
    assert_eq!((number(&before, "keys.count"), number(&after, "keys.count")), (0, 1));
    let grown = number(&after, "total.allocated") - number(&before, "total.allocated");
    assert!((1 << 20..3 << 20).contains(&grown), "{grown}");
    assert!(!before.iter().any(|(name, _)| name == "db.0") && after.iter().any(|(name, _)| name == "db.0"));
}

// -- names and databases ----------------------------------------------------------------------------------------

#[test]
fn renaming() {
    let server = TestServer::start();
    let mut c = server.raw();
    check_all(
        &mut c,
        &[
            ("RENAME nokey x", "-ERR no such key\r\n"),
            ("RENAME nokey nokey", "-ERR no such key\r\n"),
            ("RENAMENX nokey x", "-ERR no such key\r\n"),
            ("MSET a 1 b two", "+OK\r\n"),
            ("RENAME a a", "+OK\r\n"),
            ("RENAMENX a a", ":0\r\n"),
            ("RENAMENX a b", ":0\r\n"),
            ("RENAMENX a c", ":1\r\n"),
            ("MGET a b c", "*3\r\n$-1\r\n$3\r\ntwo\r\n$1\r\n1\r\n"),
            ("RENAME c b", "+OK\r\n"),
            ("MGET a b c", "*3\r\n$-1\r\n$1\r\n1\r\n$-1\r\n"),
            ("INCR b", ":2\r\n"),
            ("DBSIZE", ":1\r\n"),
        ],
    );
}

#[test]
fn values_and_deadlines_stay_whole_when_they_move() {
    let server = TestServer::start();
    let mut c = server.raw();
    for value in SIZES.map(|size| "v".repeat(size)).iter().chain([&"12345".to_string()]) {
        for deadline in ["9000000000000", "-1"] {
            let expected = format!("${}\r\n{value}\r\n", value.len());
            c.check("FLUSHALL", "+OK\r\n");
            c.command(&["SET", "a", value]);
            c.expect("+OK\r\n");
            c.check(&format!("PEXPIREAT a {deadline}"), ":1\r\n");
            if deadline == "-1" {
                c.check("EXISTS a", ":0\r\n");
                c.command(&["SET", "a", value]);
                c.expect("+OK\r\n");
            }
            let check = |c: &mut Raw, key: &str| {
                c.check(&format!("PEXPIRETIME {key}"), &format!(":{deadline}\r\n"));
                c.check(&format!("GET {key}"), &expected);
            };
            c.check("RENAME a b", "+OK\r\n");
            check(&mut c, "b");
            c.check("COPY b c", ":1\r\n");
            check(&mut c, "b");
            check(&mut c, "c");
            c.check("DEL b", ":1\r\n");
            check(&mut c, "c");
            c.check("MOVE c 1", ":1\r\n");
            c.check("EXISTS c", ":0\r\n");
            c.check("SWAPDB 0 1", "+OK\r\n");
            check(&mut c, "c");
            c.check("COPY c d DB 1", ":1\r\n");
            c.check("SWAPDB 1 0", "+OK\r\n");
            check(&mut c, "d");
        }
    }
}

#[test]
fn a_copy_is_a_value_of_its_own() {
    let server = TestServer::start();
    let mut c = server.raw();
    check_all(
        &mut c,
        &[
            ("SET n 5", "+OK\r\n"),
            ("EXPIRE n 1000", ":1\r\n"),
            ("COPY n m", ":1\r\n"),
            ("INCR m", ":6\r\n"),
            ("PERSIST m", ":1\r\n"),
            ("GET n", "$1\r\n5\r\n"),
            ("TTL n", ":1000\r\n"),
            ("OBJECT ENCODING m", "$3\r\nint\r\n"),
        ],
    );
}

#[test]
fn copying() {
    let server = TestServer::start();
    let mut c = server.raw();
    check_all(
        &mut c,
        &[
            ("SET k v", "+OK\r\n"),
            ("COPY k k2 DB abc", NOT_AN_INTEGER),
            ("COPY k k2 DB 99999999999", NOT_AN_INT),
            ("COPY k k2 DB 99", DB_RANGE),
            ("COPY k k2 DB -1", DB_RANGE),
            ("COPY k k2 foo", SYNTAX),
            ("COPY k k2 DB", SYNTAX),
            ("COPY k k", SAME),
            ("COPY k k DB 0", SAME),
            ("COPY nokey nokey", SAME),
            ("COPY nokey b", ":0\r\n"),
            ("COPY k k DB 1", ":1\r\n"),
            ("COPY k k DB 1", ":0\r\n"),
            ("COPY k k replace DB 1", ":1\r\n"),
            ("COPY k k2", ":1\r\n"),
            ("COPY k k2", ":0\r\n"),
            ("SET k w", "+OK\r\n"),
            ("COPY k k2 REPLACE", ":1\r\n"),
            ("GET k2", "$1\r\nw\r\n"),
            ("DBSIZE", ":2\r\n"),
            ("SWAPDB 0 1", "+OK\r\n"),
            ("DBSIZE", ":1\r\n"),
            ("GET k", "$1\r\nv\r\n"),
        ],
    );
}

#[test]
fn moving() {
    let server = TestServer::start();
    let mut c = server.raw();
    check_all(
        &mut c,
        &[
            ("SET k v", "+OK\r\n"),
            ("MOVE k abc", NOT_AN_INTEGER),
            ("MOVE k 99999999999", NOT_AN_INT),
            ("MOVE k 99", DB_RANGE),
            ("MOVE k -1", DB_RANGE),
            ("MOVE k 0", SAME),
            ("MOVE nokey 0", SAME),
            ("MOVE nokey 1", ":0\r\n"),
            ("MOVE k 1", ":1\r\n"),
            ("DBSIZE", ":0\r\n"),
            ("SET k w", "+OK\r\n"),
            ("MOVE k 1", ":0\r\n"),
            ("GET k", "$1\r\nw\r\n"),
            ("SWAPDB 0 1", "+OK\r\n"),
            ("GET k", "$1\r\nv\r\n"),
        ],
    );
}

#[test]
fn whole_databases() {
    let server = TestServer::start();
    let mut c = server.raw();
    check_all(
        &mut c,
        &[
            ("SWAPDB a b", "-ERR invalid first DB index\r\n"),
            ("SWAPDB 0 b", "-ERR invalid second DB index\r\n"),
            ("SWAPDB 99999999999 0", "-ERR invalid first DB index\r\n"),
            ("SWAPDB 0 99", DB_RANGE),
            ("SWAPDB -1 0", DB_RANGE),
            ("SWAPDB 0 0", "+OK\r\n"),
            ("FLUSHALL foo", SYNTAX),
            ("FLUSHALL SYNC ASYNC", SYNTAX),
            ("FLUSHDB foo", SYNTAX),
            ("MSET a 1 b 2", "+OK\r\n"),
            ("EXPIRE a 1000", ":1\r\n"),
            ("SWAPDB 0 7", "+OK\r\n"),
            ("SET c 3", "+OK\r\n"),
            ("FLUSHDB SYNC", "+OK\r\n"),
            ("DBSIZE", ":0\r\n"),
            ("SWAPDB 7 0", "+OK\r\n"),
            ("DBSIZE", ":2\r\n"),
            ("TTL a", ":1000\r\n"),
            ("MOVE b 3", ":1\r\n"),
            ("FLUSHALL ASYNC", "+OK\r\n"),
            ("DBSIZE", ":0\r\n"),
            ("SWAPDB 0 3", "+OK\r\n"),
            ("DBSIZE", ":0\r\n"),
        ],
    );
}

#[test]
fn keys_through_a_real_client() {
    let server = TestServer::start();
    let mut client = server.client();
    redis::cmd("MSET").arg(&["a", "1", "b", "2"]).exec(&mut client).expect("MSET answers");
    assert!(redis::cmd("COPY").arg(&["a", "c"]).query::<bool>(&mut client).expect("COPY answers"));
    assert_eq!(redis::cmd("TYPE").arg("c").query::<String>(&mut client).expect("TYPE answers"), "string");
    let mut keys: Vec<String> = redis::cmd("KEYS").arg("?").query(&mut client).expect("KEYS answers");
    keys.sort_unstable();
    assert_eq!(keys, ["a", "b", "c"]);
}

// -- patterns ---------------------------------------------------------------------------------------------------

#[test]
fn row_42_patterns_of_keys() {
    let server = TestServer::start();
    let mut client = server.client();
    let names: [&[u8]; 7] = [b"hello", b"hallo", b"hxllo", b"hllo", b"h*llo", b"", b"\xff\0b"];
    for name in names {
        redis::cmd("SET").arg(name).arg("v").exec(&mut client).expect("SET answers");
    }
    let mut check = |pattern: &[u8], expected: &[&[u8]]| {
        let mut found: Vec<Vec<u8>> =
            redis::cmd("KEYS").arg(pattern).query(&mut client).expect("KEYS answers");
        found.sort_unstable();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(found, expected, "{}", pattern.escape_ascii());
    };
    check(b"h?llo", &[b"hello", b"hallo", b"hxllo", b"h*llo"]);
    check(b"h*llo", &[b"hello", b"hallo", b"hxllo", b"hllo", b"h*llo"]);
    check(b"h[ae]llo", &[b"hello", b"hallo"]);
    check(b"h[^e]llo", &[b"hallo", b"hxllo", b"h*llo"]);
    check(b"h[a-e]llo", &[b"hello", b"hallo"]);
    check(b"h\\*llo", &[b"h*llo"]);
    check(b"hello", &[b"hello"]);
    check(b"nokey", &[]);
    check(b"", &[b""]);
    check(b"\xff*", &[b"\xff\0b"]);
    check(b"*", &names);
}

#[test]
fn row_42_hostile_patterns_end() {
    let server = TestServer::start();
    let mut client = server.client();
    redis::cmd("SET").arg(vec![b'a'; 1 << 20]).arg("v").exec(&mut client).expect("SET answers");
    let mut nested = b"a*".repeat(10_000);
    nested.push(b'b');
    for pattern in [nested, vec![b'*'; 1 << 20], [vec![b'?'; 1 << 20], b"x".to_vec()].concat()] {
        let began = Instant::now();
        redis::cmd("KEYS").arg(pattern).exec(&mut client).expect("KEYS answers");
        assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    }
}

// -- size and speed ---------------------------------------------------------------------------------------------

/// How long it takes to set a key for each name.
fn time_to_insert(server: &TestServer, names: impl Iterator<Item = String>) -> Duration {
    let mut c = server.raw();
    let names: Vec<String> = names.collect();
    let began = Instant::now();
    for part in names.chunks(1000) {
        let batch: Vec<u8> = part.iter().flat_map(|name| encode(&["SET", name, "v"])).collect();
        c.send(batch);
        c.expect("+OK\r\n".repeat(part.len()));
    }
    began.elapsed()
}

#[test]
fn row_43_names_that_resemble_each_other_cost_no_more() {
    const KEYS: u64 = 200_000;
    let prefix = "x".repeat(24);
    let server = TestServer::start();
    let alike = time_to_insert(&server, (0..KEYS).map(|i| format!("{prefix}{i:08}")));
    let server = TestServer::start();
    let spread = time_to_insert(
        &server,
        (0..KEYS).map(|i| {
            format!("{:032x}", u128::from(i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
        }),
    );
    println!("alike {alike:?}, spread {spread:?}");
    // Twice, and a second of grace for a busy machine.
    assert!(alike < 2 * spread + Duration::from_secs(1), "alike {alike:?}, spread {spread:?}");
}

#[test]
fn row_45_a_large_value_ends_unnoticed() {
    const BYTES: usize = 64 << 20;
    let server = TestServer::start();
    let mut client = server.client();
    let mut other = server.raw();
    let mut worst = Duration::ZERO;
    for command in ["DEL", "UNLINK", "FLUSHALL", "SET"] {
        redis::cmd("SET").arg("big").arg(vec![b'x'; BYTES]).exec(&mut client).expect("SET answers");
        let mut end = redis::cmd(command);
        match command {
            "FLUSHALL" => &mut end,
            "SET" => end.arg("big").arg("small"),
            _ => end.arg("big"),
        }
        .exec(&mut client)
        .expect("the end of the value is answered");
        for _ in 0..500 {
            let began = Instant::now();
            other.check("PING", "+PONG\r\n");
            worst = worst.max(began.elapsed());
        }
    }
    println!("worst {worst:?}");
    assert!(worst < Duration::from_millis(100), "{worst:?}");
}
