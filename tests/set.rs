//! Sets, as a client sees them.

mod common;

use std::collections::HashSet;

use common::{Raw, TestServer};

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
const NOT_AN_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";
const SYNTAX: &str = "-ERR syntax error\r\n";

/// Reads an array or a set of bulk strings.
fn bulks(c: &mut Raw) -> Vec<String> {
    let header = c.read_line();
    let count: usize = header[1..].parse().unwrap_or_else(|_| panic!("{header}"));
    (0..count).map(|_| String::from_utf8(c.bulk()).expect("text")).collect()
}

/// The members that the command answers, sorted.
fn sorted(c: &mut Raw, line: &str) -> Vec<String> {
    c.send(format!("{line}\r\n"));
    let mut members = bulks(c);
    members.sort();
    members
}

fn resp3(c: &mut Raw) {
    c.command(&["HELLO", "3", "SETNAME", "resp3"]);
    while c.read_line() != "$7" {}
    while !c.read_line().starts_with("*") {}
}

fn encoding(c: &mut Raw, key: &str) -> String {
    c.command(&["OBJECT", "ENCODING", key]);
    String::from_utf8(c.bulk()).expect("text")
}

/// Adds `count` members that begin with `text`.
fn fill(c: &mut Raw, key: &str, text: &str, count: usize) {
    for some in (0..count).collect::<Vec<_>>().chunks(100) {
        let lines: String = some.iter().map(|at| format!("SADD {key} {text}{at}\r\n")).collect();
        c.send(lines);
        c.expect(":1\r\n".repeat(some.len()));
    }
}

#[test]
fn members_come_and_go() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SADD s a b a 7", ":3\r\n");
    c.check("SADD s b c", ":1\r\n");
    c.check("SCARD s", ":4\r\n");
    c.check("SISMEMBER s a", ":1\r\n");
    c.check("SISMEMBER s 07", ":0\r\n");
    c.check("SMISMEMBER s 7 x c", "*3\r\n:1\r\n:0\r\n:1\r\n");
    c.check("SMEMBERS s", "*4\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\n7\r\n$1\r\nc\r\n");
    c.check("SREM s a x 7", ":2\r\n");
    c.check("SREM s a", ":0\r\n");
    c.check("TYPE s", "+set\r\n");
    c.check("SREM s b c", ":2\r\n");
    c.check("EXISTS s", ":0\r\n");
    c.check("SADD s ''", ":1\r\n");
    c.check("SMEMBERS s", "*1\r\n$0\r\n\r\n");
}

#[test]
fn absent_sets_are_empty() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SREM s a", ":0\r\n");
    c.check("SCARD s", ":0\r\n");
    c.check("SISMEMBER s a", ":0\r\n");
    c.check("SMISMEMBER s a b", "*2\r\n:0\r\n:0\r\n");
    c.check("SMEMBERS s", "*0\r\n");
    c.check("SPOP s", "$-1\r\n");
    c.check("SPOP s 3", "*0\r\n");
    c.check("SRANDMEMBER s", "$-1\r\n");
    c.check("SRANDMEMBER s 3", "*0\r\n");
    c.check("SRANDMEMBER s -3", "*0\r\n");
    c.check("SMOVE s t a", ":0\r\n");
    c.check("SINTER s t", "*0\r\n");
    c.check("SUNION s t", "*0\r\n");
    c.check("SDIFF s t", "*0\r\n");
    c.check("SINTERCARD 2 s t", ":0\r\n");
    c.check("SSCAN s 0", "*2\r\n$1\r\n0\r\n*0\r\n");
    c.check("DBSIZE", ":0\r\n");
}

#[test]
fn other_types_are_refused() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SET str x", "+OK\r\n");
    c.check("SADD s a", ":1\r\n");
    let lines = "SADD str a|SREM str a|SMOVE str s a|SMOVE s str a|SMOVE s str nomember|SISMEMBER str a|\
        SMISMEMBER str a|SCARD str|SMEMBERS str|SPOP str|SPOP str 1|SPOP str 0|SRANDMEMBER str|SRANDMEMBER str 1|\
        SINTER str|SINTER s str|SINTER nokey str|SINTERSTORE d s str|SINTERCARD 2 nokey str|SUNION s str|\
        SUNIONSTORE d s str|SUNIONCARD 2 s str|SDIFF s str|SDIFF nokey str|SDIFFSTORE d str s|SDIFFCARD 1 str|\
        SSCAN str 0";
    for line in lines.split('|') {
        c.check(line, WRONG_TYPE);
    }
    c.check("SMOVE nokey str a", ":0\r\n");
    c.check("GET s", WRONG_TYPE);
    c.check("SETBIT s 0 1", WRONG_TYPE);
    c.check("BITCOUNT s", WRONG_TYPE);
    c.check("BITOP OR d s", WRONG_TYPE);
    c.check("BITFIELD s SET u8 0 1", WRONG_TYPE);
    c.check("EXISTS d", ":0\r\n");
}

#[test]
fn integers_are_sorted() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SADD s 5 -3 100000 9223372036854775807 -9223372036854775808 5", ":5\r\n");
    assert_eq!(encoding(&mut c, "s"), "intset");
    let all = ["-9223372036854775808", "-3", "5", "100000", "9223372036854775807"];
    c.send("SMEMBERS s\r\n");
    assert_eq!(bulks(&mut c), all);
    c.check("SADD s 9223372036854775808", ":1\r\n");
    assert_eq!(encoding(&mut c, "s"), "listpack");
    c.send("SMEMBERS s\r\n");
    assert_eq!(bulks(&mut c)[..5], all);
    c.check("SADD t 3 1", ":2\r\n");
    c.check("SADD u 2 1", ":2\r\n");
    c.check("SUNION t u", "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n");
}

#[test]
fn encodings_follow_the_thresholds() {
    let server = TestServer::with(&["--threads", "2", "--set-max-intset-entries", "4"]);
    let mut c = server.raw();
    c.check("CONFIG SET set-max-listpack-entries 6 set-max-listpack-value 5", "+OK\r\n");
    let cases = [
        ("1 2 3 4", "intset"),
        ("1 2 3 4 5", "listpack"),
        ("1 2 3 4 5 6 7", "hashtable"),
        ("1 x", "listpack"),
        ("x y z 1 2 3", "listpack"),
        ("x y z 1 2 3 4", "hashtable"),
        ("x abcde", "listpack"),
        ("x abcdef", "hashtable"),
        ("1 abcdef", "hashtable"),
        ("123456 x", "hashtable"),
    ];
    for (members, expected) in cases {
        c.line(&format!("SADD k {members}"));
        assert_eq!(encoding(&mut c, "k"), expected, "{members}");
        c.check("DEL k", ":1\r\n");
    }
    for member in 1..=5 {
        c.check(&format!("SADD k {member}"), ":1\r\n");
    }
    assert_eq!(encoding(&mut c, "k"), "hashtable");
    c.check("SREM k 1 2 3 4", ":4\r\n");
    assert_eq!(encoding(&mut c, "k"), "hashtable");
}

#[test]
fn stored_results_take_their_form() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SADD ints 1 2 3", ":3\r\n");
    c.check("SADD mixed 1 2 x", ":3\r\n");
    fill(&mut c, "table", "", 600);
    assert_eq!(encoding(&mut c, "table"), "hashtable");
    let cases = [
        ("SINTERSTORE d mixed ints", 2, "intset"),
        ("SINTERSTORE d mixed mixed", 3, "listpack"),
        ("SINTERSTORE d table table", 600, "hashtable"),
        ("SUNIONSTORE d ints ints", 3, "intset"),
        ("SUNIONSTORE d ints mixed", 4, "listpack"),
        ("SUNIONSTORE d ints table", 600, "hashtable"),
        ("SDIFFSTORE d mixed table", 1, "listpack"),
        ("SDIFFSTORE d table mixed", 598, "hashtable"),
        ("SDIFFSTORE d ints mixed", 1, "intset"),
    ];
    for (line, count, expected) in cases {
        c.check(line, &format!(":{count}\r\n"));
        assert_eq!(encoding(&mut c, "d"), expected, "{line}");
        c.check("SCARD d", &format!(":{count}\r\n"));
    }
}

#[test]
fn moving() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SADD a 1 x", ":2\r\n");
    c.check("SMOVE a b x", ":1\r\n");
    c.check("SMOVE a b x", ":0\r\n");
    c.check("SMEMBERS b", "*1\r\n$1\r\nx\r\n");
    c.check("SMOVE a a 1", ":1\r\n");
    c.check("SMOVE a a 2", ":0\r\n");
    c.check("SADD b 1", ":1\r\n");
    c.check("SMOVE a b 1", ":1\r\n");
    c.check("EXISTS a", ":0\r\n");
    c.check("SCARD b", ":2\r\n");
}

#[test]
fn algebra() {
    let server = TestServer::start();
    let mut c = server.raw();
    for (key, members) in [("a", "1 2 3 x y"), ("b", "2 3 4 y z"), ("c", "3 y w"), ("e", "3 3")] {
        c.line(&format!("SADD {key} {members}"));
    }
    assert_eq!(sorted(&mut c, "SINTER a b c"), ["3", "y"]);
    assert_eq!(sorted(&mut c, "SINTER a"), ["1", "2", "3", "x", "y"]);
    assert_eq!(sorted(&mut c, "SINTER a a e"), ["3"]);
    assert_eq!(sorted(&mut c, "SUNION a b c nokey e"), ["1", "2", "3", "4", "w", "x", "y", "z"]);
    assert_eq!(sorted(&mut c, "SDIFF a b c"), ["1", "x"]);
    assert_eq!(sorted(&mut c, "SDIFF a nokey"), ["1", "2", "3", "x", "y"]);
    assert!(sorted(&mut c, "SDIFF a a").is_empty());
    assert!(sorted(&mut c, "SINTER a nokey").is_empty());
    c.check("SINTERSTORE d a b", ":3\r\n");
    assert_eq!(sorted(&mut c, "SMEMBERS d"), ["2", "3", "y"]);
    c.check("SUNIONSTORE a a c", ":6\r\n");
    c.check("SCARD a", ":6\r\n");
    c.check("SDIFFSTORE a a b", ":3\r\n");
    assert_eq!(sorted(&mut c, "SMEMBERS a"), ["1", "w", "x"]);
    c.check("SET d text EX 100", "+OK\r\n");
    c.check("SUNIONSTORE d a", ":3\r\n");
    c.check("TTL d", ":-1\r\n");
    c.check("SINTERSTORE d a nokey", ":0\r\n");
    c.check("EXISTS d", ":0\r\n");
}

#[test]
fn counting_results() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SADD a 1 2 3 x y", ":5\r\n");
    c.check("SADD b 2 3 4 y z", ":5\r\n");
    c.check("SINTERCARD 2 a b", ":3\r\n");
    c.check("SINTERCARD 2 a b LIMIT 0", ":3\r\n");
    c.check("SINTERCARD 2 a b limit 2", ":2\r\n");
    c.check("SINTERCARD 2 a b LIMIT 9", ":3\r\n");
    c.check("SUNIONCARD 2 a b", ":7\r\n");
    c.check("SUNIONCARD 2 a b LIMIT 6", ":6\r\n");
    c.check("SUNIONCARD 1 nokey", ":0\r\n");
    c.check("SUNIONCARD 2 a b APPROX", ":7\r\n");
    c.check("SUNIONCARD 2 a b LIMIT 3 APPROX", ":3\r\n");
    c.check("SDIFFCARD 2 a b", ":2\r\n");
    c.check("SDIFFCARD 2 a b LIMIT 1", ":1\r\n");
    c.check("SDIFFCARD 2 nokey b", ":0\r\n");
    for command in ["SINTERCARD", "SUNIONCARD", "SDIFFCARD"] {
        for numkeys in ["0", "-1", "x", "1.5", "9223372036854775808"] {
            c.check(&format!("{command} {numkeys} a"), "-ERR numkeys should be greater than 0\r\n");
        }
        let too_many = "-ERR Number of keys can't be greater than number of args\r\n";
        c.check(&format!("{command} 3 a b"), too_many);
        c.check(&format!("{command} 9223372036854775807 a b"), too_many);
        c.check(&format!("{command} 1 a LIMIT -1"), "-ERR LIMIT can't be negative\r\n");
        c.check(&format!("{command} 1 a LIMIT x"), "-ERR LIMIT can't be negative\r\n");
        c.check(&format!("{command} 1 a LIMIT"), SYNTAX);
        c.check(&format!("{command} 1 a NOSUCH 1"), SYNTAX);
        c.check(&format!("{command} 1 a LIMIT 3 LIMIT 1"), ":1\r\n");
    }
    c.check("SINTERCARD 1 a APPROX", SYNTAX);
}

#[test]
fn estimated_unions() {
    let server = TestServer::start();
    let mut c = server.raw();
    fill(&mut c, "a", "m", 4000);
    fill(&mut c, "b", "n", 4000);
    let estimate: i64 = c.line("SUNIONCARD 3 a b a APPROX")[1..].parse().expect("a number");
    assert!((7600..8400).contains(&estimate), "{estimate}");
    c.check("SUNIONCARD 3 a b a", ":8000\r\n");
    c.check("SUNIONCARD 1 a APPROX", ":4000\r\n");
}

#[test]
fn many_large_sets() {
    let server = TestServer::start();
    let mut c = server.raw();
    fill(&mut c, "all", "m", 3000);
    let keys: Vec<String> = (0..8).map(|set| format!("s{set}")).collect();
    for (at, key) in keys.iter().enumerate() {
        fill(&mut c, key, &format!("m{at}"), 10);
    }
    let keys = keys.join(" ");
    assert_eq!(sorted(&mut c, &format!("SUNION {keys}")).len(), 80);
    assert_eq!(sorted(&mut c, &format!("SDIFF all {keys}")).len(), 2930);
    assert_eq!(sorted(&mut c, &format!("SUNION all {keys} all")).len(), 3000 + 10);
    c.check(&format!("SDIFFCARD 9 all {keys}"), ":2930\r\n");
}

#[test]
fn sets_in_resp3() {
    let server = TestServer::start();
    let mut c = server.raw();
    resp3(&mut c);
    c.check("SADD s a", ":1\r\n");
    for line in ["SMEMBERS s", "SINTER s", "SUNION s s", "SDIFF s nokey"] {
        c.check(line, "~1\r\n$1\r\na\r\n");
        c.check(&line.replace(" s", " nokey"), "~0\r\n");
    }
    c.check("SRANDMEMBER s 5", "*1\r\n$1\r\na\r\n");
    c.check("SRANDMEMBER s -2", "*2\r\n$1\r\na\r\n$1\r\na\r\n");
    c.check("SRANDMEMBER nokey 2", "*0\r\n");
    c.check("SRANDMEMBER nokey", "_\r\n");
    c.check("SMISMEMBER s a", "*1\r\n:1\r\n");
    c.check("SSCAN s 0", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n");
    c.check("SPOP s 0", "~0\r\n");
    c.check("SPOP s 2", "~1\r\n$1\r\na\r\n");
    c.check("SPOP s 1", "~0\r\n");
    c.check("SPOP s", "_\r\n");
}

/// Every form of a set, by the name of its encoding, with 100 members.
fn forms(c: &mut Raw) -> [(&'static str, &'static str); 3] {
    fill(c, "ints", "", 100);
    fill(c, "texts", "m", 100);
    fill(c, "table", "m", 200);
    let gone: Vec<String> = (100..200).map(|at| format!("m{at}")).collect();
    c.check(&format!("SREM table {}", gone.join(" ")), ":100\r\n");
    [("ints", "intset"), ("texts", "listpack"), ("table", "hashtable")]
}

#[test]
fn random_members() {
    let server = TestServer::start();
    let mut c = server.raw();
    for (key, form) in forms(&mut c) {
        assert_eq!(encoding(&mut c, key), form);
        let all: HashSet<String> = sorted(&mut c, &format!("SMEMBERS {key}")).into_iter().collect();
        for count in [1, 2, 5, 20, 34, 50, 99, 100, 1000] {
            let some = sorted(&mut c, &format!("SRANDMEMBER {key} {count}"));
            let different: HashSet<String> = some.iter().cloned().collect();
            assert_eq!((some.len(), different.len()), (count.min(100), count.min(100)));
            assert!(different.is_subset(&all));
            let some = sorted(&mut c, &format!("SRANDMEMBER {key} -{count}"));
            assert_eq!(some.len(), count);
            assert!(some.iter().all(|member| all.contains(member)));
        }
        c.check(&format!("SRANDMEMBER {key} 0"), "*0\r\n");
        let many: HashSet<String> = sorted(&mut c, &format!("SRANDMEMBER {key} -3000")).into_iter().collect();
        assert_eq!(many.len(), 100);
        assert_eq!(encoding(&mut c, key), form);
    }
}

#[test]
fn popped_members() {
    let server = TestServer::start();
    for count in [1, 2, 10, 60, 95, 99, 100, 101] {
        let mut c = server.raw();
        c.check("FLUSHALL", "+OK\r\n");
        for (key, _) in forms(&mut c) {
            let all: HashSet<String> = sorted(&mut c, &format!("SMEMBERS {key}")).into_iter().collect();
            let popped: HashSet<String> =
                sorted(&mut c, &format!("SPOP {key} {count}")).into_iter().collect();
            let left: HashSet<String> = sorted(&mut c, &format!("SMEMBERS {key}")).into_iter().collect();
            assert_eq!(popped.len(), count.min(100));
            assert!(popped.is_disjoint(&left));
            assert_eq!(&popped | &left, all);
            c.check(&format!("EXISTS {key}"), if count < 100 { ":1\r\n" } else { ":0\r\n" });
        }
    }
}

#[test]
fn popping_wrongly() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SADD s a", ":1\r\n");
    for count in ["-1", "x", "1.5", "9223372036854775808", "-9223372036854775808"] {
        c.check(&format!("SPOP s {count}"), "-ERR value is out of range, must be positive\r\n");
    }
    c.check("SPOP s 1 2", SYNTAX);
    c.check("SRANDMEMBER s 1 2", SYNTAX);
    c.check("SCARD s", ":1\r\n");
    c.check("SPOP s 9223372036854775807", "*1\r\n$1\r\na\r\n");
}

/// Row 37: a count whose opposite does not exist.
#[test]
fn row_37_counts_out_of_range() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SADD s a b", ":2\r\n");
    let range =
        "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807\r\n";
    c.check("SRANDMEMBER s -9223372036854775808", range);
    c.check("SRANDMEMBER nokey -9223372036854775808", range);
    c.check("SRANDMEMBER s -9223372036854775807", "-ERR value is out of range\r\n");
    c.check("SRANDMEMBER s 9223372036854775808", NOT_AN_INTEGER);
    c.check("SRANDMEMBER s x", NOT_AN_INTEGER);
    assert_eq!(sorted(&mut c, "SRANDMEMBER s 9223372036854775807"), ["a", "b"]);
}

#[test]
fn scanning() {
    let server = TestServer::start();
    let mut c = server.raw();
    for (key, form) in forms(&mut c) {
        let all = sorted(&mut c, &format!("SMEMBERS {key}"));
        let (mut cursor, mut seen, mut steps) = ("0".to_string(), Vec::new(), 0);
        loop {
            c.check(&format!("SSCAN {key} {cursor} COUNT 7"), "*2\r\n");
            cursor = String::from_utf8(c.bulk()).expect("a number");
            seen.extend(bulks(&mut c));
            steps += 1;
            if cursor == "0" {
                break;
            }
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen, all);
        assert_eq!(steps > 1, form == "hashtable", "{form}: {steps}");
    }
    c.check("SSCAN ints 0 MATCH 9?", "*2\r\n$1\r\n0\r\n*10\r\n");
    (90..100).for_each(|int| c.expect(format!("$2\r\n{int}\r\n")));
    c.check("SSCAN texts 0 COUNT 1 MATCH m1", "*2\r\n$1\r\n0\r\n*1\r\n$2\r\nm1\r\n");
}

#[test]
fn scanning_wrongly() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SADD s a", ":1\r\n");
    c.check("SSCAN s x", "-ERR invalid cursor\r\n");
    c.check("SSCAN nokey x", "-ERR invalid cursor\r\n");
    c.check("SSCAN nokey 0 NOSUCH", "*2\r\n$1\r\n0\r\n*0\r\n");
    for options in ["NOSUCH", "NOSUCH 1", "COUNT", "MATCH", "COUNT 0", "COUNT -1"] {
        c.check(&format!("SSCAN s 0 {options}"), SYNTAX);
    }
    c.check("SSCAN s 0 COUNT x", NOT_AN_INTEGER);
}

#[test]
fn copies_are_deep() {
    let server = TestServer::start();
    let mut c = server.raw();
    for (key, form) in forms(&mut c) {
        c.check(&format!("COPY {key} copy"), ":1\r\n");
        c.check("SADD copy 5000", ":1\r\n");
        c.check("SCARD copy", ":101\r\n");
        c.check(&format!("SCARD {key}"), ":100\r\n");
        assert_eq!(encoding(&mut c, "copy"), form);
        c.check("DEL copy", ":1\r\n");
    }
}

#[test]
fn long_members() {
    let server = TestServer::start();
    let mut c = server.raw();
    let members: Vec<String> =
        [64, 65, 127, 128, 300, 20_000, 70_000].iter().map(|&len| "x".repeat(len)).collect();
    for member in &members {
        c.command(&["SADD", "s", member]);
        c.expect(":1\r\n");
        c.command(&["SISMEMBER", "s", member]);
        c.expect(":1\r\n");
    }
    c.command(&["SMEMBERS", "s"]);
    assert_eq!(bulks(&mut c).iter().map(String::len).sum::<usize>(), 64 + 65 + 127 + 128 + 300 + 90_000);
}
