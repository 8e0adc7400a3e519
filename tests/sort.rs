//! SORT, as a client sees it.

mod common;

use common::{Raw, TestServer};

const NOT_NUMBERS: &str = "-ERR One or more scores can't be converted into double\r\n";
const SYNTAX: &str = "-ERR syntax error\r\n";

/// An array of bulk strings; `-` stands for null.
fn array(parts: &str) -> String {
    let parts: Vec<&str> = parts.split_whitespace().collect();
    let part = |part: &&str| match *part {
        "-" => "$-1\r\n".to_string(),
        part => format!("${}\r\n{part}\r\n", part.len()),
    };
    format!("*{}\r\n{}", parts.len(), parts.iter().map(part).collect::<String>())
}

#[track_caller]
fn check(c: &mut Raw, line: &str, parts: &str) {
    c.check(line, &array(parts));
}

#[test]
fn numbers_and_texts() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("RPUSH l 3 1 2 10", ":4\r\n");
    check(&mut c, "SORT l", "1 2 3 10");
    check(&mut c, "SORT l DESC", "10 3 2 1");
    check(&mut c, "SORT l desc asc", "1 2 3 10");
    check(&mut c, "SORT l ALPHA", "1 10 2 3");
    check(&mut c, "SORT_RO l ALPHA DESC", "3 2 10 1");
    c.check("RPUSH dbl 1.5 1e3 -2 inf -inf 0x10", ":6\r\n");
    check(&mut c, "SORT dbl", "-inf -2 1.5 0x10 1e3 inf");
    c.command(&["RPUSH", "blank", " 7", "", "-1"]);
    c.expect(":3\r\n");
    c.check("SORT blank", "*3\r\n$2\r\n-1\r\n$0\r\n\r\n$2\r\n 7\r\n");
    c.check("SORT nokey", "*0\r\n");
}

#[test]
fn parts_of_the_result() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("RPUSH l 3 1 2 10", ":4\r\n");
    check(&mut c, "SORT l LIMIT 1 2", "2 3");
    check(&mut c, "SORT l LIMIT -1 2", "1 2");
    check(&mut c, "SORT l LIMIT 1 -1", "2 3 10");
    check(&mut c, "SORT l LIMIT 0 0", "");
    check(&mut c, "SORT l LIMIT 10 2", "");
    check(&mut c, "SORT l LIMIT 9223372036854775807 9223372036854775807", "");
    check(&mut c, "SORT l LIMIT 0 2 LIMIT 1 1", "2");
    check(&mut c, "SORT l BY nosort LIMIT 1 2", "1 2");
    check(&mut c, "SORT l BY nosort DESC LIMIT 1 2", "2 1");
    c.check("SORT l LIMIT x 2", "-ERR value is not an integer or out of range\r\n");
    c.check("SORT l LIMIT 0 1.5", "-ERR value is not an integer or out of range\r\n");
}

/// The first elements are found without sorting the others.
#[test]
fn the_first_of_many() {
    let server = TestServer::start();
    let mut c = server.raw();
    for some in (0..2000).map(|at| at * 1201 % 2000).collect::<Vec<_>>().chunks(100) {
        let line: String = some.iter().map(|number| format!(" {number}")).collect();
        c.line(&format!("RPUSH l{line}"));
    }
    check(&mut c, "SORT l LIMIT 0 5", "0 1 2 3 4");
    check(&mut c, "SORT l LIMIT 995 3", "995 996 997");
    check(&mut c, "SORT l DESC LIMIT 1997 9", "2 1 0");
}

#[test]
fn by_weights() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("RPUSH l 3 1 2 10", ":4\r\n");
    c.check("MSET w_1 3 w_2 2 w_3 1 w_10 0.5", "+OK\r\n");
    check(&mut c, "SORT l BY w_*", "10 3 2 1");
    check(&mut c, "SORT l BY w_* DESC", "1 2 3 10");
    check(&mut c, "SORT l BY w_* GET # GET w_* GET nokey_*", "10 0.5 - 3 1 - 2 2 - 1 3 -");
    c.check("HSET h_1 f 9 g b", ":2\r\n");
    c.check("HSET h_2 f 8 g a", ":2\r\n");
    check(&mut c, "SORT l BY h_*->f GET h_*->f GET #", "- 10 - 3 8 2 9 1");
    check(&mut c, "SORT l ALPHA BY h_*->g", "3 10 2 1");
    check(&mut c, "SORT l BY *", "1 10 2 3");
    check(&mut c, "SORT l GET h_*->", "- - - -");
    check(&mut c, "SORT l GET h_*", "- - - -");
    check(&mut c, "SORT l GET w_*->f", "- - - -");
    check(&mut c, "SORT l GET w_1", "- - - -");
    check(&mut c, "SORT l BY nosort BY w_*", "3 1 2 10");
    c.check("SET w_3 x", "+OK\r\n");
    c.check("SORT l BY w_*", NOT_NUMBERS);
    check(&mut c, "SORT l BY w_* ALPHA", "10 2 1 3");
}

/// Elements of equal weight are compared themselves, as numbers are.
#[test]
fn equal_weights() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("RPUSH l c a b a", ":4\r\n");
    check(&mut c, "SORT l BY nokey_*", "a a b c");
    check(&mut c, "SORT l BY nokey_* DESC", "c b a a");
    c.check("RPUSH n 1.0 1 01", ":3\r\n");
    check(&mut c, "SORT n", "01 1 1.0");
}

#[test]
fn sets_and_sorted_sets() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SADD s 3 1 2", ":3\r\n");
    check(&mut c, "SORT s DESC", "3 2 1");
    check(&mut c, "SORT s BY nosort", "1 2 3");
    c.check("SADD t x a m", ":3\r\n");
    check(&mut c, "SORT t ALPHA", "a m x");
    c.check("SORT t BY nosort STORE d", ":3\r\n");
    check(&mut c, "LRANGE d 0 -1", "a m x");
    c.check("ZADD z 3 a 1 b 2 c", ":3\r\n");
    check(&mut c, "SORT z ALPHA", "a b c");
    check(&mut c, "SORT z BY nosort", "b c a");
    check(&mut c, "SORT z BY nosort DESC LIMIT 1 1", "c");
    c.check("SORT z", NOT_NUMBERS);
}

#[test]
fn storing() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("RPUSH l 3 1 2", ":3\r\n");
    c.check("SET d text EX 100", "+OK\r\n");
    c.check("SORT l STORE d", ":3\r\n");
    check(&mut c, "LRANGE d 0 -1", "1 2 3");
    c.check("TTL d", ":-1\r\n");
    c.check("SORT l GET nokey_* GET # STORE d", ":6\r\n");
    c.check("LRANGE d 0 1", "*2\r\n$0\r\n\r\n$1\r\n1\r\n");
    c.check("SORT l DESC STORE l", ":3\r\n");
    check(&mut c, "LRANGE l 0 -1", "3 2 1");
    c.check("SORT l STORE d LIMIT 0 0", ":0\r\n");
    c.check("EXISTS d", ":0\r\n");
    c.check("SORT l STORE d", ":3\r\n");
    c.check("SORT nokey STORE d", ":0\r\n");
    c.check("EXISTS d", ":0\r\n");
}

#[test]
fn sorting_wrongly() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SET str x", "+OK\r\n");
    c.check("RPUSH l a b", ":2\r\n");
    c.check("SORT l", NOT_NUMBERS);
    c.check("SORT l STORE d", NOT_NUMBERS);
    c.check("SORT l BY nokey_* LIMIT 0 1 STORE str", ":1\r\n");
    c.check("SET str x", "+OK\r\n");
    let wrong_type = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
    c.check("SORT str", wrong_type);
    c.check("SORT str BY nosort", wrong_type);
    for options in ["NOSUCH", "STORE", "GET", "BY", "LIMIT 1", "LIMIT"] {
        c.check(&format!("SORT nokey {options}"), SYNTAX);
    }
    c.check("SORT_RO l ALPHA STORE d", SYNTAX);
    for number in ["nan", "1e400", "x", "1x", "- 1"] {
        c.command(&["RPUSH", "n", number]);
        c.expect(":1\r\n");
        c.check("SORT n", NOT_NUMBERS);
        c.check("DEL n", ":1\r\n");
    }
}

#[test]
fn missing_parts_in_resp3() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.command(&["HELLO", "3"]);
    while c.read_line() != "$7" {}
    while !c.read_line().starts_with('*') {}
    c.check("RPUSH l 1", ":1\r\n");
    c.check("SORT l GET nokey_* GET #", "*2\r\n_\r\n$1\r\n1\r\n");
}

/// Row 44: the keys that COMMAND GETKEYS names, and so those that are checked, are the ones that SORT works on; the
/// last STORE counts, and no operand is taken for an option.
#[test]
fn row_44_the_keys_are_the_ones_it_works_on() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("RPUSH l 2 1", ":2\r\n");
    let cases = [
        ("SORT l", "l"),
        ("SORT l STORE d", "l d"),
        ("SORT l BY w_* GET x_* store d", "l d"),
        ("SORT l BY STORE STORE d", "l d"),
        ("SORT l GET store STORE d", "l d"),
        ("SORT l STORE a STORE d", "l d"),
        ("SORT l STORE STORE", "l STORE"),
        ("SORT_RO l BY store", "l"),
    ];
    for (line, keys) in cases {
        check(&mut c, &format!("COMMAND GETKEYS {line}"), keys);
    }
    c.check("SORT l STORE a STORE d", ":2\r\n");
    c.check("EXISTS a", ":0\r\n");
    c.check("SORT l BY STORE STORE other", ":2\r\n");
    check(&mut c, "LRANGE other 0 -1", "2 1");
}

/// Weights that change together are seen together.
#[test]
fn patterns_see_one_moment() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("RPUSH l 1 2", ":2\r\n");
    c.check("MSET w_1 0 w_2 0", "+OK\r\n");
    std::thread::scope(|scope| {
        let mut writer = server.raw();
        scope.spawn(move || {
            (1..3000).for_each(|round| writer.check(&format!("MSET w_1 {round} w_2 {round}"), "+OK\r\n"));
        });
        for line in ["SORT l GET w_*", "SORT_RO l GET w_*"] {
            let mut reader = server.raw();
            scope.spawn(move || {
                for _ in 0..1500 {
                    assert_eq!(reader.line(line), "*2");
                    let (first, second) = (reader.bulk(), reader.bulk());
                    assert_eq!(first, second);
                }
            });
        }
    });
}
