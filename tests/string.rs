//! Strings, as a client sees them. What Redis 7 has answers exactly as redis-server 7.0.15 does.

mod common;
use common::{Raw, TestServer, encode};
use std::time::{Duration, Instant};

const WRONG_NUMBER: &str = "-ERR value is not an integer or out of range\r\n";
const SYNTAX: &str = "-ERR syntax error\r\n";
const NIL: &str = "$-1\r\n";
const OK: &str = "+OK\r\n";
const TOO_LONG: &str = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
/// XXH3-64 of `Hello world`, as Redis's documentation shows it.
const HELLO_DIGEST: &str = "b6acb9d84a38ff74";

/// A server and a connection to it.
fn start() -> (TestServer, Raw) {
    let server = TestServer::start();
    let connection = server.raw();
    (server, connection)
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// Runs commands given as words between spaces, each with its exact reply.
#[track_caller]
fn all(c: &mut Raw, cases: &[(&str, &str)]) {
    for (line, reply) in cases {
        c.check(line, reply);
    }
}

#[track_caller]
fn run(c: &mut Raw, words: &[&str], reply: &str) {
    c.command(words);
    c.expect(reply);
}

#[test]
fn a_value_is_what_was_set() {
    let (_server, mut c) = start();
    for length in [0, 1, 7, 8, 100, 1023, 1024, 32_767, 32_768, 65_535, 65_536, 300_000] {
        let text = "x".repeat(length);
        run(&mut c, &["SET", "k", &text], OK);
        run(&mut c, &["GET", "k"], &bulk(&text));
        run(&mut c, &["STRLEN", "k"], &format!(":{length}\r\n"));
    }
    for text in
        ["0", "-1", "-0", "007", "+5", "1152921504606846976", "-9223372036854775808", "9223372036854775808"]
    {
        run(&mut c, &["SET", "k", text], OK);
        run(&mut c, &["GET", "k"], &bulk(text));
        run(&mut c, &["STRLEN", "k"], &format!(":{}\r\n", text.len()));
    }
    c.check("GET nokey", NIL);
    c.check("STRLEN nokey", ":0\r\n");
    c.check("GET", "-ERR wrong number of arguments for 'get' command\r\n");
}

#[test]
fn set_obeys_its_conditions() {
    let (_server, mut c) = start();
    let cases = [
        ("SET k a XX", NIL),
        ("SET k a NX", OK),
        ("SET k b nx", NIL),
        ("SET k b xX", OK),
        ("SET k c GET", "$1\r\nb\r\n"),
        ("SET k d NX GET", "$1\r\nc\r\n"),
        ("GET k", "$1\r\nc\r\n"),
        ("SET new d NX GET", NIL),
        ("GET new", "$1\r\nd\r\n"),
        ("SET absent d XX GET", NIL),
        ("GET absent", NIL),
        ("SET k d NX NX", NIL),
        ("SETNX k d", ":0\r\n"),
        ("SETNX n d", ":1\r\n"),
        ("GETSET n e", "$1\r\nd\r\n"),
        ("GETSET m e", NIL),
        ("GET m", "$1\r\ne\r\n"),
    ];
    all(&mut c, &cases);
}

#[test]
fn set_refuses_options_that_contradict_each_other() {
    let (_server, mut c) = start();
    for options in [
        "NX XX",
        "XX NX",
        "EX",
        "PX",
        "EX 1 PX 1",
        "EX 1 KEEPTTL",
        "KEEPTTL EX 1",
        "PXAT 1 EXAT 1",
        "PERSIST",
        "FOO",
        "NX IFEQ a",
        "IFEQ a XX",
        "IFEQ a IFEQ a",
        "IFEQ",
        "IFDNE a IFDEQ a",
    ] {
        c.check(&format!("SET k v {options}"), SYNTAX);
    }
    c.check("GET k", NIL);
    c.check("SET k v EX 100 EX 200 KEEPTT", SYNTAX);
    c.check("SET k v EX 100 EX 200 GET GET", NIL);
}

#[test]
fn deadlines_that_cannot_be_are_refused() {
    let (_server, mut c) = start();
    for (command, name) in [
        ("SET k v EX 0", "set"),
        ("SET k v PX -1", "set"),
        ("SET k v EX 9223372036854775807", "set"),
        ("SET k v PX 9223372036854775807", "set"),
        ("SET k v EXAT 9223372036854776", "set"),
        ("SETEX k 0 v", "setex"),
        ("SETEX k 9223372036854775 v", "setex"),
        ("PSETEX k -5 v", "psetex"),
    ] {
        c.check(command, &format!("-ERR invalid expire time in '{name}' command\r\n"));
    }
    for command in ["SET k v EX a", "SET k v PX 1.5", "SETEX k a v", "PSETEX k 01 v", "SET k v EX NX"] {
        c.check(command, WRONG_NUMBER);
    }
    // GETEX has nothing to complain about when there is no key to give the deadline to.
    let cases = [
        ("GETEX k EX 0", NIL),
        ("GETEX k EX a", NIL),
        ("SET k v", OK),
        ("GETEX k EX 0", "-ERR invalid expire time in 'getex' command\r\n"),
        ("GETEX k EX a", WRONG_NUMBER),
        ("GETEX k EX", SYNTAX),
        ("GETEX k KEEPTTL", SYNTAX),
        ("GETEX k NX", SYNTAX),
        ("GETEX k PERSIST EX 1", SYNTAX),
        ("GETEX k PERSIST PERSIST", "$1\r\nv\r\n"),
        ("GETEX k EXAT 1", "$1\r\nv\r\n"),
        ("GET k", NIL),
    ];
    all(&mut c, &cases);
}

#[test]
fn writes_keep_or_clear_the_deadline_as_they_should() {
    let (server, mut c) = start();
    let long = "z".repeat(70_000);
    let keeping: [(&str, &str, &[&str]); 11] = [
        ("incr", "1", &["INCR", "incr"]),
        ("decr", "1152921504606846976", &["DECRBY", "decr", "3"]),
        ("float", "1", &["INCRBYFLOAT", "float", "0.5"]),
        ("append", "1", &["APPEND", "append", "x"]),
        ("append-long", &long, &["APPEND", "append-long", "x"]),
        ("range", "abcdefghij", &["SETRANGE", "range", "3", "x"]),
        ("keepttl", "1", &["SET", "keepttl", "2", "KEEPTTL"]),
        ("keepttl-long", &long, &["SET", "keepttl-long", &long, "KEEPTTL"]),
        ("mkeep", "1", &["MSETEX", "1", "mkeep", "2", "KEEPTTL"]),
        ("getex", "1", &["GETEX", "getex"]),
        ("refused", "1", &["SET", "refused", "2", "NX"]),
    ];
    let clearing: [(&str, &str, &[&str]); 7] = [
        ("set", "1", &["SET", "set", "2"]),
        ("getset", "1", &["GETSET", "getset", "2"]),
        ("mset", "1", &["MSET", "mset", "2"]),
        ("msetex", "1", &["MSETEX", "1", "msetex", "2"]),
        ("persist", "1", &["GETEX", "persist", "PERSIST"]),
        ("persist-long", &long, &["GETEX", "persist-long", "PERSIST"]),
        ("later", "1", &["GETEX", "later", "EX", "100"]),
    ];
    // One write to the socket, so that all of it runs long before the deadlines.
    let mut batch = Vec::new();
    for (key, value, command) in keeping.iter().chain(&clearing) {
        batch.extend(encode(&["SET", key, value, "PX", "400"]));
        batch.extend(encode(command));
    }
    batch.extend(encode(&["SET", "done", "1"]));
    c.send(batch);
    std::thread::sleep(Duration::from_millis(1000));
    let mut other = server.raw();
    for (key, ..) in keeping {
        run(&mut other, &["STRLEN", key], ":0\r\n");
    }
    for (key, ..) in clearing {
        run(&mut other, &["SETNX", key, "x"], ":0\r\n");
    }
}

#[test]
fn getdel_and_getex_return_what_they_take() {
    let (_server, mut c) = start();
    let long = "z".repeat(70_000);
    for text in ["", "5", "abcdefghi", "9223372036854775807", &long] {
        run(&mut c, &["SET", "k", text], OK);
        run(&mut c, &["GETEX", "k", "PX", "100000"], &bulk(text));
        run(&mut c, &["GETDEL", "k"], &bulk(text));
        run(&mut c, &["GETDEL", "k"], NIL);
    }
}

#[test]
fn ranges_count_from_either_end() {
    let (_server, mut c) = start();
    for (text, command) in [("Hello", "GETRANGE"), ("12345", "SUBSTR")] {
        run(&mut c, &["SET", "k", text], OK);
        for (start, end, from, to) in [
            (0, -1, 0, 5),
            (-3, -1, 2, 5),
            (1, 2, 1, 3),
            (2, 100, 2, 5),
            (5, 10, 0, 0),
            (3, 1, 0, 0),
            (-1, -3, 0, 0),
            (0, -100, 0, 1),
            (-100, -100, 0, 1),
            (-100, 100, 0, 5),
            (i64::MIN, i64::MAX, 0, 5),
            (i64::MAX, i64::MIN, 0, 0),
        ] {
            let words = [command, "k", &start.to_string(), &end.to_string()];
            run(&mut c, &words, &bulk(&text[from..to]));
        }
    }
    c.check("GETRANGE nokey 0 -1", "$0\r\n\r\n");
    c.check("GETRANGE k a 1", WRONG_NUMBER);
    c.check("GETRANGE nokey 0 9223372036854775808", WRONG_NUMBER);
}

#[test]
fn append_and_setrange_edit_every_form() {
    let (_server, mut c) = start();
    let cases = [
        ("APPEND k 12", ":2\r\n"),
        ("APPEND k 3", ":3\r\n"),
        ("INCR k", ":124\r\n"),
        ("APPEND k abcdefgh", ":11\r\n"),
        ("SETRANGE k 3 XY", ":11\r\n"),
        ("GET k", "$11\r\n124XYcdefgh\r\n"),
        ("SETRANGE k 10 pqr", ":13\r\n"),
        ("SETRANGE k 3 \"\"", ":13\r\n"),
        ("GET k", "$13\r\n124XYcdefgpqr\r\n"),
        ("SETRANGE z 0 \"\"", ":0\r\n"),
        ("GET z", NIL),
        ("SETRANGE z 3 ab", ":5\r\n"),
        ("GET z", "$5\r\n\0\0\0ab\r\n"),
        ("SETRANGE z -1 ab", "-ERR offset is out of range\r\n"),
        ("SETRANGE z a ab", WRONG_NUMBER),
        ("APPEND empty \"\"", ":0\r\n"),
        ("GET empty", "$0\r\n\r\n"),
    ];
    all(&mut c, &cases);
}

#[test]
fn long_texts_are_edited_like_short_ones() {
    let (_server, mut c) = start();
    for length in [1000, 1020, 1024, 5000, 65_530, 70_000] {
        let mut text = "x".repeat(length);
        run(&mut c, &["SET", "k", &text], OK);
        for part in ["", "1234567890", &"y".repeat(3000)] {
            text.push_str(part);
            run(&mut c, &["APPEND", "k", part], &format!(":{}\r\n", text.len()));
        }
        for (offset, part) in [(0, "AB"), (text.len() - 1, "CDE"), (text.len() + 10, "F")] {
            text.push_str(&"\0".repeat((offset + part.len()).saturating_sub(text.len())));
            text.replace_range(offset..offset + part.len(), part);
            run(&mut c, &["SETRANGE", "k", &offset.to_string(), part], &format!(":{}\r\n", text.len()));
        }
        run(&mut c, &["GET", "k"], &bulk(&text));
        run(&mut c, &["GETRANGE", "k", "-5", "-1"], &bulk(&text[text.len() - 5..]));
    }
}

/// A reply that was not sent yet shares the text's buffer: editing the text must not change the reply.
#[test]
fn a_reply_is_not_changed_by_a_later_edit() {
    let (_server, mut c) = start();
    let text = "a".repeat(100_000);
    run(&mut c, &["SET", "k", &text], OK);
    let mut batch = encode(&["GET", "k"]);
    batch.extend(encode(&["SETRANGE", "k", "0", "bbb"]));
    batch.extend(encode(&["GETRANGE", "k", "0", "3"]));
    c.send(batch);
    c.expect(bulk(&text));
    c.expect(":100000\r\n$4\r\nbbba\r\n");
}

/// Copying eight megabytes for each of these would take a minute.
#[test]
fn appending_costs_what_is_appended() {
    let (_server, mut c) = start();
    run(&mut c, &["SETRANGE", "k", "8000000", "x"], ":8000001\r\n");
    let began = Instant::now();
    let rounds = 20_000;
    c.send(encode(&["APPEND", "k", "y"]).repeat(rounds));
    let replies: String = (1..=rounds).map(|n| format!(":{}\r\n", 8_000_001 + n)).collect();
    c.expect(replies);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn row_34_lengths_are_checked_before_memory_is_taken() {
    let (server, mut c) = start();
    let before = server.resident();
    run(&mut c, &["SET", "node", &"x".repeat(70_000)], OK);
    let cases = [
        ("SETRANGE k 536870912 x", TOO_LONG),
        ("SETRANGE k 9223372036854775807 x", TOO_LONG),
        ("SETRANGE node 536870912 x", TOO_LONG),
        ("SETRANGE node 9223372036854775807 xx", TOO_LONG),
        ("SET raw abcdefghij", OK),
        ("SETRANGE raw 536870911 xy", TOO_LONG),
        ("GET raw", "$10\r\nabcdefghij\r\n"),
        ("GET k", NIL),
        ("STRLEN node", ":70000\r\n"),
    ];
    all(&mut c, &cases);
    assert!(server.resident() < before + 64 * 1024 * 1024);
}

#[test]
fn row_34_appends_stop_at_the_configured_limit() {
    let server = TestServer::with(&["--threads", "2", "--proto-max-bulk-len", "1mb"]);
    let mut c = server.raw();
    let most = 1024 * 1024;
    run(&mut c, &["SETRANGE", "k", &(most - 2).to_string(), "x"], &format!(":{}\r\n", most - 1));
    run(&mut c, &["APPEND", "k", "yz"], TOO_LONG);
    run(&mut c, &["APPEND", "k", "y"], &format!(":{most}\r\n"));
    run(&mut c, &["APPEND", "k", "z"], TOO_LONG);
    run(&mut c, &["SETRANGE", "k", &most.to_string(), "z"], TOO_LONG);
    run(&mut c, &["SET", "short", "abc"], OK);
    run(&mut c, &["APPEND", "short", &"x".repeat(most - 2)], TOO_LONG);
    run(&mut c, &["GET", "short"], "$3\r\nabc\r\n");
}

#[test]
fn counters_count_in_every_form() {
    let (_server, mut c) = start();
    let cases = [
        ("INCR k", ":1\r\n"),
        ("INCRBY k 1152921504606846975", ":1152921504606846976\r\n"),
        ("INCR k", ":1152921504606846977\r\n"),
        ("DECRBY k 2", ":1152921504606846975\r\n"),
        ("DECR k", ":1152921504606846974\r\n"),
        ("SET k -9223372036854775808", OK),
        ("DECR k", "-ERR increment or decrement would overflow\r\n"),
        ("INCR k", ":-9223372036854775807\r\n"),
        ("SET k 10 EX 100", OK),
        ("INCRBY k -20", ":-10\r\n"),
        ("DECRBY k -9223372036854775808", "-ERR decrement would overflow\r\n"),
        ("DECRBY k 1.0", WRONG_NUMBER),
        ("INCRBY k 9223372036854775808", WRONG_NUMBER),
        ("SET k \" 1\"", OK),
        ("INCR k", WRONG_NUMBER),
        ("SET k 01", OK),
        ("INCR k", WRONG_NUMBER),
        ("SET k \"\"", OK),
        ("INCR k", WRONG_NUMBER),
    ];
    all(&mut c, &cases);
}

#[test]
fn floats_are_added_in_long_double() {
    let (_server, mut c) = start();
    let not_a_float = "-ERR value is not a valid float\r\n";
    let cases = [
        ("INCRBYFLOAT k 10.50", "$4\r\n10.5\r\n"),
        ("INCRBYFLOAT k 0.1", "$4\r\n10.6\r\n"),
        ("INCRBYFLOAT k -5", "$3\r\n5.6\r\n"),
        ("SET k 5.0e3", OK),
        ("INCRBYFLOAT k 2.0e2", "$4\r\n5200\r\n"),
        ("INCR k", ":5201\r\n"),
        ("INCRBYFLOAT k 0x1p-1", "$6\r\n5201.5\r\n"),
        ("SET k 3.0e-20", OK),
        ("INCRBYFLOAT k 0", "$1\r\n0\r\n"),
        ("SET k 9223372036854775807", OK),
        ("INCRBYFLOAT k 1", "$19\r\n9223372036854775808\r\n"),
        ("INCRBYFLOAT k inf", "-ERR increment would produce NaN or Infinity\r\n"),
        ("INCRBYFLOAT k nan", not_a_float),
        ("INCRBYFLOAT k abc", not_a_float),
        ("INCRBYFLOAT k \"\"", not_a_float),
        ("SET k abc", OK),
        ("INCRBYFLOAT k 1", not_a_float),
    ];
    all(&mut c, &cases);
}

#[test]
fn several_keys_are_set_and_read_together() {
    let (_server, mut c) = start();
    let cases = [
        ("MSET a 1 b bb c \"\"", OK),
        ("MGET a nokey b c a", "*5\r\n$1\r\n1\r\n$-1\r\n$2\r\nbb\r\n$0\r\n\r\n$1\r\n1\r\n"),
        ("MSETNX d 1 a 2", ":0\r\n"),
        ("GET d", NIL),
        ("MSETNX d 1 e 2 d 3", ":1\r\n"),
        ("GET d", "$1\r\n3\r\n"),
        ("MSETNX d 1", ":0\r\n"),
        ("MSETNX f 1", ":1\r\n"),
        ("MSET a 1 b", "-ERR wrong number of arguments for 'mset' command\r\n"),
        ("MSETNX a 1 b", "-ERR wrong number of arguments for 'msetnx' command\r\n"),
        ("MSET a", "-ERR wrong number of arguments for 'mset' command\r\n"),
    ];
    all(&mut c, &cases);
}

#[test]
fn msetex_sets_all_or_none() {
    let (_server, mut c) = start();
    let pairs = "-ERR wrong number of key-value pairs\r\n";
    let numkeys = "-ERR invalid numkeys value\r\n";
    let cases = [
        ("MSETEX 2 a 1 b 2 XX", ":0\r\n"),
        ("MSETEX 2 a 1 b 2 NX EX 100", ":1\r\n"),
        ("MSETEX 2 a 5 c 5 NX", ":0\r\n"),
        ("MSETEX 2 a 6 c 6 XX", ":0\r\n"),
        ("MSETEX 2 a 7 b 7 xx keepttl", ":1\r\n"),
        ("MGET a b c", "*3\r\n$1\r\n7\r\n$1\r\n7\r\n$-1\r\n"),
        ("MSETEX 0 a 1", numkeys),
        ("MSETEX -1 a 1", numkeys),
        ("MSETEX x a 1", numkeys),
        ("MSETEX 2 a 1", pairs),
        ("MSETEX 2 a 1 b", pairs),
        ("MSETEX 9223372036854775807 a 1", pairs),
        ("MSETEX 1 a 1 b 2", SYNTAX),
        ("MSETEX 1 a 1 NX XX", SYNTAX),
        ("MSETEX 1 a 1 GET", SYNTAX),
        ("MSETEX 1 a 1 IFEQ 1", SYNTAX),
        ("MSETEX 1 a 1 EX 0", "-ERR invalid expire time in 'msetex' command\r\n"),
        ("MSETEX 1 a 9 EXAT 1", ":1\r\n"),
        ("GET a", NIL),
        ("MSETEX 1 a", "-ERR wrong number of arguments for 'msetex' command\r\n"),
    ];
    all(&mut c, &cases);
}

#[test]
fn set_compares_the_value_before_it_sets() {
    let (_server, mut c) = start();
    let cases = [
        ("SET k v IFEQ v", NIL),
        ("SET k v IFDEQ 0000000000000000", NIL),
        ("SET k 41 IFNE v", OK),
        ("SET k 42 ifeq 41", OK),
        ("SET k 43 IFEQ 41", NIL),
        ("SET k 43 IFEQ 41 GET", "$2\r\n42\r\n"),
        ("SET k 43 GET IFEQ 42", "$2\r\n42\r\n"),
        ("SET k 44 IFNE 43", NIL),
        ("SET k 44 IFNE 42 EX 100", OK),
        ("SET k 45 IFDEQ 123", "-ERR must be exactly 16 hexadecimal characters\r\n"),
        ("SET k 45 IFDNE 123", "-ERR must be exactly 16 hexadecimal characters\r\n"),
        ("SET k \"Hello world\"", OK),
        ("SET k x IFDNE b6acb9d84a38ff74", NIL),
        ("SET k x IFDEQ B6ACB9D84A38FF74 KEEPTTL", OK),
        ("SET n x IFDNE b6acb9d84a38ff74", OK),
        ("MGET k n", "*2\r\n$1\r\nx\r\n$1\r\nx\r\n"),
    ];
    all(&mut c, &cases);
}

#[test]
fn digests_are_those_of_the_text() {
    let (_server, mut c) = start();
    c.check("DIGEST nokey", NIL);
    run(&mut c, &["SET", "k", "Hello world"], OK);
    run(&mut c, &["DIGEST", "k"], &bulk(HELLO_DIGEST));
    run(&mut c, &["SET", "k", ""], OK);
    run(&mut c, &["DIGEST", "k"], &bulk("2d06800538d394c2"));
    // An integer has the digest of its decimal text, however it is held.
    run(&mut c, &["SET", "int", "123"], OK);
    c.check("APPEND text 1", ":1\r\n");
    c.check("APPEND text 23", ":3\r\n");
    c.check("DIGEST int", "$16\r\n404a763b3f4c8c9a\r\n");
    c.check("DIGEST text", "$16\r\n404a763b3f4c8c9a\r\n");
}

#[test]
fn delex_and_delifeq_compare_before_they_delete() {
    let (_server, mut c) = start();
    let cases = [
        ("DELEX k", ":0\r\n"),
        ("DELEX k IFNE x", ":0\r\n"),
        ("SET k 42", OK),
        ("DELEX k IFEQ 41", ":0\r\n"),
        ("DELEX k ifne 42", ":0\r\n"),
        ("DELEX k IFEQ 42", ":1\r\n"),
        ("GET k", NIL),
        ("SET k \"Hello world\"", OK),
        ("DELEX k IFDNE b6acb9d84a38ff74", ":0\r\n"),
        ("DELEX k IFDEQ b6acb9d84a38ff7", "-ERR must be exactly 16 hexadecimal characters\r\n"),
        ("DELEX k IFDEQ b6acb9d84a38FF74", ":1\r\n"),
        ("SET k v", OK),
        ("DELEX k IFEQ", "-ERR wrong number of arguments for 'delex' command\r\n"),
        ("DELEX k IFEQ v x", "-ERR wrong number of arguments for 'delex' command\r\n"),
        ("DELEX k NX v", SYNTAX),
        ("DELIFEQ k w", ":0\r\n"),
        ("DELIFEQ k v", ":1\r\n"),
        ("DELIFEQ k v", ":0\r\n"),
        ("SET k v", OK),
        ("DELEX k", ":1\r\n"),
    ];
    all(&mut c, &cases);
}

#[test]
fn lcs_finds_what_redis_finds() {
    let (_server, mut c) = start();
    let matches =
        "*2\r\n*2\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n*2\r\n*2\r\n:2\r\n:3\r\n*2\r\n:0\r\n:1\r\n";
    let cases = [
        ("MSET a ohmytext b mynewtext n 12345", OK),
        ("LCS a b", "$6\r\nmytext\r\n"),
        ("LCS a b LEN", ":6\r\n"),
        ("LCS a b IDX", &format!("*4\r\n$7\r\nmatches\r\n{matches}$3\r\nlen\r\n:6\r\n")),
        (
            "LCS a b idx MinMatchLen 4 withmatchlen",
            "*4\r\n$7\r\nmatches\r\n*1\r\n*3\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n:4\r\n$3\r\nlen\r\n:6\r\n",
        ),
        ("LCS a b IDX MINMATCHLEN -5", &format!("*4\r\n$7\r\nmatches\r\n{matches}$3\r\nlen\r\n:6\r\n")),
        ("LCS a b IDX MINMATCHLEN 5", "*4\r\n$7\r\nmatches\r\n*0\r\n$3\r\nlen\r\n:6\r\n"),
        ("LCS n n", "$5\r\n12345\r\n"),
        ("LCS a nokey", "$0\r\n\r\n"),
        ("LCS nokey nokey LEN", ":0\r\n"),
        ("LCS a b LEN IDX", "-ERR If you want both the length and indexes, please just use IDX.\r\n"),
        ("LCS a b MINMATCHLEN", SYNTAX),
        ("LCS a b MINMATCHLEN x", WRONG_NUMBER),
        ("LCS a b FOO", SYNTAX),
        ("LCS a", "-ERR wrong number of arguments for 'lcs' command\r\n"),
    ];
    all(&mut c, &cases);
}

#[test]
fn row_38_lcs_refuses_what_needs_too_much_memory() {
    let server = TestServer::with(&["--threads", "2", "--proto-max-bulk-len", "1mb"]);
    let mut c = server.raw();
    let too_much = "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len\r\n";
    // 512 times 512 cells of four bytes are a mebibyte.
    run(&mut c, &["SET", "most", &"x".repeat(511)], OK);
    run(&mut c, &["SET", "more", &"x".repeat(512)], OK);
    run(&mut c, &["SETRANGE", "huge", "1048575", "x"], ":1048576\r\n");
    c.check("LCS most most LEN", ":511\r\n");
    let before = server.resident();
    for command in ["LCS most more", "LCS more most LEN", "LCS most huge IDX", "LCS huge huge"] {
        c.check(command, too_much);
    }
    assert!(server.resident() < before + 16 * 1024 * 1024);
}
