//! Hashes, as a client sees them.

#[path = "../common/mod.rs"]
mod common;
mod deadlines;

use std::collections::{HashMap, HashSet};

use common::{Raw, TestServer, encode};

const WRONGTYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
const SYNTAX: &str = "-ERR syntax error\r\n";
const NOT_AN_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";
const OUT_OF_RANGE: &str = "-ERR value is out of range\r\n";

/// A server whose hashes are packed, and one whose hashes are tables from the first field on.
fn both(check: impl Fn(&TestServer, &mut Raw)) {
    for entries in ["512", "0"] {
        let debug = ["--threads", "2", "--enable-debug-command", "yes"];
        let server = TestServer::with(&[&debug[..], &["--hash-max-listpack-entries", entries]].concat());
        check(&server, &mut server.raw());
    }
}

fn arity(command: &str) -> String {
    format!("-ERR wrong number of arguments for '{command}' command\r\n")
}

/// A flat array of bulk strings.
fn array(c: &mut Raw, line: &str) -> Vec<String> {
    let header = c.line(line);
    let count: usize = header[1..].parse().unwrap_or_else(|_| panic!("{header}"));
    (0..count).map(|_| String::from_utf8(c.bulk()).expect("text")).collect()
}

/// One step of HSCAN: the next cursor and what it found.
fn scan(c: &mut Raw, line: &str) -> (String, Vec<String>) {
    assert_eq!(c.line(line), "*2");
    let cursor = String::from_utf8(c.bulk()).expect("digits");
    let header = c.read_line();
    let count: usize = header[1..].parse().expect("a count");
    (cursor, (0..count).map(|_| String::from_utf8(c.bulk()).expect("text")).collect())
}

/// Sets fields `f0`, `f1` ... to `v0`, `v1` ...
fn fill(c: &mut Raw, key: &str, fields: std::ops::Range<usize>) {
    for some in fields.clone().collect::<Vec<_>>().chunks(100) {
        let mut words = vec!["HSET".to_string(), key.to_string()];
        some.iter().for_each(|n| words.extend([format!("f{n}"), format!("v{n}")]));
        c.command(&words.iter().map(String::as_str).collect::<Vec<_>>());
        c.expect(format!(":{}\r\n", some.len()));
    }
}

#[test]
fn fields_are_set_and_read() {
    both(|_, c| {
        c.check("HSET h a 1 b two c ''", ":3\r\n");
        c.check("HSET h a 2 d 4 d 5", ":1\r\n");
        c.check("HGET h a", "$1\r\n2\r\n");
        c.check("HGET h d", "$1\r\n5\r\n");
        c.check("HGET h c", "$0\r\n\r\n");
        c.check("HGET h nosuch", "$-1\r\n");
        c.check("HGET nokey a", "$-1\r\n");
        c.check("HMGET h b nosuch a b", "*4\r\n$3\r\ntwo\r\n$-1\r\n$1\r\n2\r\n$3\r\ntwo\r\n");
        c.check("HMGET nokey a b", "*2\r\n$-1\r\n$-1\r\n");
        c.check("HMSET h b 007 e 5", "+OK\r\n");
        c.check("HGET h b", "$3\r\n007\r\n");
        c.check("HLEN h", ":5\r\n");
        c.check("HLEN nokey", ":0\r\n");
        c.check("HSTRLEN h b", ":3\r\n");
        c.check("HSTRLEN h nosuch", ":0\r\n");
        c.check("HSTRLEN nokey a", ":0\r\n");
        c.check("HEXISTS h c", ":1\r\n");
        c.check("HEXISTS h nosuch", ":0\r\n");
        c.check("HEXISTS nokey a", ":0\r\n");
        c.check("HSETNX h a 9", ":0\r\n");
        c.check("HSETNX h n -12", ":1\r\n");
        c.check("HGET h n", "$3\r\n-12\r\n");
        c.check("HSTRLEN h n", ":3\r\n");
        c.check("TYPE h", "+hash\r\n");
    });
}

#[test]
fn fields_are_deleted_and_the_last_one_ends_the_key() {
    both(|_, c| {
        c.check("HSET h a 1 b 2 c 3", ":3\r\n");
        c.check("HDEL h a nosuch a b", ":2\r\n");
        c.check("HDEL h nosuch", ":0\r\n");
        c.check("HDEL nokey a", ":0\r\n");
        c.check("HGETALL h", "*2\r\n$1\r\nc\r\n$1\r\n3\r\n");
        c.check("HDEL h c", ":1\r\n");
        c.check("EXISTS h", ":0\r\n");
        c.check("HSET h a 1", ":1\r\n");
        c.check("HLEN h", ":1\r\n");
    });
}

#[test]
fn all_fields_names_and_values() {
    both(|_, c| {
        for command in ["HGETALL", "HKEYS", "HVALS"] {
            c.check(&format!("{command} nokey"), "*0\r\n");
        }
        fill(c, "h", 0..50);
        let all = array(c, "HGETALL h");
        let pairs: HashMap<_, _> = all.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
        let expected: HashMap<_, _> = (0..50).map(|n| (format!("f{n}"), format!("v{n}"))).collect();
        assert_eq!(pairs, expected);
        let names: Vec<_> = all.iter().step_by(2).cloned().collect();
        let values: Vec<_> = all.iter().skip(1).step_by(2).cloned().collect();
        assert_eq!((array(c, "HKEYS h"), array(c, "HVALS h")), (names, values));
    });
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("HSET h a 1 b x", ":2\r\n");
    c.check("HGETALL h", "*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\nx\r\n");
    c.check("HKEYS h", "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    c.check("HVALS h", "*2\r\n$1\r\n1\r\n$1\r\nx\r\n");
    c.send("HELLO 3\r\nECHO ~~~~\r\n");
    while c.read_line() != "~~~~" {}
    c.check("HGETALL h", "%2\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\nx\r\n");
    c.check("HGETALL nokey", "%0\r\n");
    c.check("HKEYS h", "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    c.check("HGET h z", "_\r\n");
}

#[test]
fn arguments_must_be_complete() {
    let server = TestServer::start();
    let mut c = server.raw();
    for command in ["hset", "hmset"] {
        for rest in ["", "h", "h a", "h a 1 b", "h a 1 b 2 c"] {
            c.check(&format!("{command} {rest}"), &arity(command));
        }
    }
    for (command, rest) in [
        ("hsetnx", "h a"),
        ("hsetnx", "h a 1 2"),
        ("hget", "h"),
        ("hmget", "h"),
        ("hgetall", "h x"),
        ("hdel", "h"),
        ("hlen", ""),
        ("hstrlen", "h"),
        ("hexists", "h"),
        ("hincrby", "h a"),
        ("hincrbyfloat", "h a"),
        ("hrandfield", ""),
        ("hscan", "h"),
        ("hexpire", "h 1 FIELDS 1"),
        ("httl", "h FIELDS 1"),
        ("hpersist", "h FIELDS 1"),
        ("hgetdel", "h FIELDS 1"),
        ("hgetex", "h FIELDS 1"),
        ("hsetex", "h FIELDS 1 a"),
    ] {
        c.check(&format!("{command} {rest}"), &arity(command));
    }
    c.check("EXISTS h", ":0\r\n");
}

#[test]
fn other_types_are_refused_and_kept() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SET s x", "+OK\r\n");
    for line in [
        "HSET s a 1",
        "HMSET s a 1",
        "HSETNX s a 1",
        "HGET s a",
        "HMGET s a b",
        "HGETALL s",
        "HDEL s a",
        "HLEN s",
        "HSTRLEN s a",
        "HEXISTS s a",
        "HKEYS s",
        "HVALS s",
        "HINCRBY s a 1",
        "HINCRBYFLOAT s a 1",
        "HRANDFIELD s",
        "HRANDFIELD s 1",
        "HSCAN s 0",
        "HEXPIRE s 10 FIELDS 1 a",
        "HTTL s FIELDS 1 a",
        "HPERSIST s FIELDS 1 a",
        "HGETDEL s FIELDS 1 a",
        "HGETEX s FIELDS 1 a",
        "HGETEX s EX 1 FIELDS 1 a",
        "HSETEX s FIELDS 1 a 1",
    ] {
        c.check(line, WRONGTYPE);
    }
    c.check("GET s", "$1\r\nx\r\n");
    c.check("HSET h a 1", ":1\r\n");
    c.check("GET h", WRONGTYPE);
}

#[test]
fn encodings_follow_the_thresholds() {
    let server = TestServer::start();
    let mut c = server.raw();
    let encoding = |c: &mut Raw, key: &str| array_of_one(c, &format!("OBJECT ENCODING {key}"));
    fill(&mut c, "h", 0..512);
    assert_eq!(encoding(&mut c, "h"), "listpack");
    c.check("HSET h f0 again", ":0\r\n");
    assert_eq!(encoding(&mut c, "h"), "listpack");
    c.check("HSET h one-more 1", ":1\r\n");
    assert_eq!(encoding(&mut c, "h"), "hashtable");
    c.check("HDEL h one-more", ":1\r\n");
    assert_eq!(encoding(&mut c, "h"), "hashtable");
    for (line, expected) in [
        (format!("HSET k a {}", "x".repeat(64)), "listpack"),
        (format!("HSET k {} a", "x".repeat(64)), "listpack"),
        (format!("HSET k a {}", "x".repeat(65)), "hashtable"),
        (format!("HSET k {} a", "x".repeat(65)), "hashtable"),
    ] {
        c.check("DEL k", if expected == "listpack" && line.ends_with('x') { ":0\r\n" } else { ":1\r\n" });
        c.check(&line, ":1\r\n");
        assert_eq!(encoding(&mut c, "k"), expected);
    }
    c.check("HSET t a 1", ":1\r\n");
    c.check("HEXPIRE t 100 FIELDS 1 a", "*1\r\n:1\r\n");
    assert_eq!(encoding(&mut c, "t"), "listpackex");
    c.check("CONFIG SET hash-max-ziplist-value 2", "+OK\r\n");
    c.check("HSET i f 99", ":1\r\n");
    assert_eq!(encoding(&mut c, "i"), "listpack");
    c.check("HINCRBY i f 1", ":100\r\n");
    assert_eq!(encoding(&mut c, "i"), "hashtable");
}

fn array_of_one(c: &mut Raw, line: &str) -> String {
    c.send(format!("{line}\r\n"));
    String::from_utf8(c.bulk()).expect("text")
}

#[test]
fn fields_are_integers() {
    both(|_, c| {
        c.check("HINCRBY h n 5", ":5\r\n");
        c.check("HINCRBY h n -15", ":-10\r\n");
        c.check("HGET h n", "$3\r\n-10\r\n");
        c.check("HSET h big 9223372036854775807 t abc s ' 12' d 1.5", ":4\r\n");
        c.check("HINCRBY h big 1", "-ERR increment or decrement would overflow\r\n");
        c.check("HINCRBY h big -1", ":9223372036854775806\r\n");
        for field in ["t", "s", "d"] {
            c.check(&format!("HINCRBY h {field} 1"), "-ERR hash value is not an integer\r\n");
        }
        for number in ["x", "1.5", "9223372036854775808", "''"] {
            c.check(&format!("HINCRBY h n {number}"), NOT_AN_INTEGER);
        }
        c.check("HINCRBY nokey n x", NOT_AN_INTEGER);
        c.check("EXISTS nokey", ":0\r\n");
    });
}

#[test]
fn row_36_fields_are_numbers_but_never_nan_or_infinite() {
    both(|_, c| {
        c.check("HINCRBYFLOAT h n 10.50", "$4\r\n10.5\r\n");
        c.check("HINCRBYFLOAT h n 0.1", "$4\r\n10.6\r\n");
        c.check("HINCRBYFLOAT h n 5.0e3", "$22\r\n5010.60000000000000009\r\n");
        c.check("HINCRBYFLOAT h n -5010.6", "$1\r\n0\r\n");
        c.check("HINCRBYFLOAT h n x", "-ERR value is not a valid float\r\n");
        c.check("HINCRBYFLOAT h n nan", "-ERR value is not a valid float\r\n");
        for infinity in ["inf", "-inf", "+Infinity"] {
            c.check(&format!("HINCRBYFLOAT h n {infinity}"), "-ERR value is NaN or Infinity\r\n");
            c.check(&format!("HINCRBYFLOAT nokey n {infinity}"), "-ERR value is NaN or Infinity\r\n");
        }
        c.check("HSET h t abc s ' 1' nan nan inf inf huge 1e4932", ":5\r\n");
        for field in ["t", "s", "nan"] {
            c.check(&format!("HINCRBYFLOAT h {field} 1"), "-ERR hash value is not a float\r\n");
        }
        for (field, number) in [("inf", "1"), ("huge", "1.1e4932")] {
            let line = format!("HINCRBYFLOAT h {field} {number}");
            c.check(&line, "-ERR increment would produce NaN or Infinity\r\n");
        }
        c.check("HGET h n", "$1\r\n0\r\n");
        c.check("HGET h huge", "$6\r\n1e4932\r\n");
        c.check("EXISTS nokey", ":0\r\n");
    });
}

#[test]
fn random_fields() {
    both(|_, c| {
        c.check("HRANDFIELD nokey", "$-1\r\n");
        c.check("HRANDFIELD nokey 3", "*0\r\n");
        c.check("HRANDFIELD nokey -3 WITHVALUES", "*0\r\n");
        c.check("HSET one f 1", ":1\r\n");
        c.check("HRANDFIELD one", "$1\r\nf\r\n");
        c.check(
            "HRANDFIELD one -3 withvalues",
            "*6\r\n$1\r\nf\r\n$1\r\n1\r\n$1\r\nf\r\n$1\r\n1\r\n$1\r\nf\r\n$1\r\n1\r\n",
        );
        c.check("HRANDFIELD one 0", "*0\r\n");
        fill(c, "h", 0..100);
        for count in [1, 10, 90, 100, 200] {
            let names = array(c, &format!("HRANDFIELD h {count}"));
            assert_eq!(names.iter().collect::<HashSet<_>>().len(), count.min(100));
            assert_eq!(names.len(), count.min(100));
            let pairs = array(c, &format!("HRANDFIELD h {count} WITHVALUES"));
            assert!(pairs.chunks(2).all(|pair| pair[0][1..] == pair[1][1..]));
            assert_eq!(pairs.len(), 2 * count.min(100));
        }
        let drawn = array(c, "HRANDFIELD h -3000");
        assert_eq!((drawn.len(), drawn.iter().collect::<HashSet<_>>().len()), (3000, 100));
        c.send("HELLO 3\r\nECHO ~~~~\r\n");
        while c.read_line() != "~~~~" {}
        c.check("HRANDFIELD one 5 WITHVALUES", "*1\r\n*2\r\n$1\r\nf\r\n$1\r\n1\r\n");
        c.check("HRANDFIELD one 5", "*1\r\n$1\r\nf\r\n");
    });
}

#[test]
fn row_37_counts_out_of_range_are_refused() {
    both(|_, c| {
        c.check("HSET h f 1", ":1\r\n");
        let limits = "value must between -9223372036854775807 and 9223372036854775807\r\n";
        for rest in ["", " WITHVALUES"] {
            let line = format!("HRANDFIELD h -9223372036854775808{rest}");
            c.check(&line, &format!("-ERR value is out of range, {limits}"));
        }
        // Redis would fill its memory over these draws.
        c.check("HRANDFIELD h -9223372036854775807", OUT_OF_RANGE);
        c.check("HRANDFIELD h -9223372036854775807 WITHVALUES", OUT_OF_RANGE);
        c.check("HRANDFIELD h 4611686018427387904 WITHVALUES", OUT_OF_RANGE);
        c.check("HRANDFIELD h 9223372036854775807", "*1\r\n$1\r\nf\r\n");
        c.check("HRANDFIELD h 4611686018427387903 WITHVALUES", "*2\r\n$1\r\nf\r\n$1\r\n1\r\n");
        c.check("HRANDFIELD h x", NOT_AN_INTEGER);
        c.check("HRANDFIELD h 9223372036854775808", NOT_AN_INTEGER);
        c.check("HRANDFIELD h 1 foo", SYNTAX);
        c.check("HRANDFIELD h 1 WITHVALUES foo", SYNTAX);
        c.check("HRANDFIELD h x WITHVALUES foo", NOT_AN_INTEGER);
    });
}

#[test]
fn small_hashes_are_scanned_in_one_step() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("HSCAN nokey 0", "*2\r\n$1\r\n0\r\n*0\r\n");
    c.check("HSCAN nokey 0 foo", "*2\r\n$1\r\n0\r\n*0\r\n");
    c.check("HSCAN nokey x", "-ERR invalid cursor\r\n");
    c.check("HSET h a 1 b 2 12 3", ":3\r\n");
    let all = "*2\r\n$1\r\n0\r\n*6\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n$2\r\n12\r\n$1\r\n3\r\n";
    c.check("HSCAN h 0 COUNT 1", all);
    c.check("HSCAN h 55", all);
    c.check("HSCAN h 0 MATCH 1* COUNT 1", "*2\r\n$1\r\n0\r\n*2\r\n$2\r\n12\r\n$1\r\n3\r\n");
    c.check("HSCAN h 0 NOVALUES MATCH ?", "*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    for line in
        ["HSCAN h 0 foo", "HSCAN h 0 COUNT", "HSCAN h 0 COUNT 0", "HSCAN h 0 COUNT -1", "HSCAN h 0 TYPE hash"]
    {
        c.check(line, SYNTAX);
    }
    c.check("HSCAN h 0 COUNT x", NOT_AN_INTEGER);
    c.check("HSCAN h 18446744073709551616", "-ERR invalid cursor\r\n");
}

#[test]
fn a_scan_of_a_large_hash_misses_nothing_that_stays() {
    let server = TestServer::start();
    let mut c = server.raw();
    fill(&mut c, "h", 0..1000);
    let (mut seen, mut cursor, mut steps, mut others) = (HashSet::new(), "0".to_string(), 0, 1000);
    loop {
        let (next, found) = scan(&mut c, &format!("HSCAN h {cursor} COUNT 20 NOVALUES"));
        seen.extend(found);
        (cursor, steps) = (next, steps + 1);
        if cursor == "0" {
            break;
        }
        // The table grows while it is scanned.
        fill(&mut c, "h", others..others + 100);
        others += 100;
    }
    assert!(steps > 10, "{steps}");
    assert!((0..1000).all(|n| seen.contains(&format!("f{n}"))));
    let (_, pairs) = scan(&mut c, "HSCAN h 0 COUNT 1000000 MATCH f77*");
    assert!(pairs.chunks(2).all(|pair| pair[0].starts_with("f77") && pair[0][1..] == pair[1][1..]));
    assert!(pairs.len() >= 22);
}

// -- races ----------------------------------------------------------------------------------------------------------

const CLIENTS: usize = 4;
const TURNS: usize = 1500;

#[test]
fn no_increment_of_a_field_is_lost() {
    let server = TestServer::start();
    let mut c = server.raw();
    fill(&mut c, "large", 0..1000);
    fill(&mut c, "node", 0..100);
    for key in ["small", "node", "large"] {
        std::thread::scope(|scope| {
            for client in 0..CLIENTS {
                let mut c = server.raw();
                scope.spawn(move || {
                    let own = format!("own{client}");
                    c.send(encode(&["HINCRBY", key, "sum", "1"]).repeat(TURNS));
                    c.send(encode(&["HINCRBY", key, &own, "1"]).repeat(TURNS));
                    (0..2 * TURNS).for_each(|_| assert!(c.read_line().starts_with(':')));
                });
            }
        });
        let sum = (CLIENTS * TURNS).to_string();
        c.check(&format!("HGET {key} sum"), &format!("${}\r\n{sum}\r\n", sum.len()));
        for client in 0..CLIENTS {
            c.check(&format!("HGET {key} own{client}"), &format!("$4\r\n{TURNS}\r\n"));
        }
    }
}

/// Each client sets fields of its own until the hash is a table and deletes them again; others' fields stay whole.
#[test]
fn a_hash_that_grows_ends_and_begins_again_loses_no_field() {
    let server = TestServer::start();
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let mut c = server.raw();
            scope.spawn(move || {
                for round in 0..15 {
                    for n in 0..200 {
                        c.send(encode(&["HSET", "h", &format!("{client}:{n}"), &format!("{round}")]));
                    }
                    (0..200).for_each(|_| assert_eq!(c.read_line(), ":1"));
                    for n in 0..200 {
                        c.send(encode(&["HGETDEL", "h", "FIELDS", "1", &format!("{client}:{n}")]));
                    }
                    for _ in 0..200 {
                        assert_eq!(c.read_line(), "*1");
                        assert_eq!(c.bulk(), round.to_string().as_bytes());
                    }
                }
            });
        }
    });
    server.raw().check("EXISTS h", ":0\r\n");
}
