//! Lists, as a client sees them. What Redis 7 has answers exactly as redis-server 7.0.15 does.

mod common;
use common::{Raw, TestServer};

const WRONGTYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
const NOT_A_NUMBER: &str = "-ERR value is not an integer or out of range\r\n";
const SYNTAX: &str = "-ERR syntax error\r\n";
const NIL: &str = "$-1\r\n";
const NIL_ARRAY: &str = "*-1\r\n";
const EMPTY: &str = "*0\r\n";
const OK: &str = "+OK\r\n";

/// A server and a connection to it.
fn start() -> (TestServer, Raw) {
    let server = TestServer::start();
    let connection = server.raw();
    (server, connection)
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

fn array<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> String {
    let texts: Vec<String> = texts.into_iter().map(|text| bulk(text.as_ref())).collect();
    format!("*{}\r\n{}", texts.len(), texts.concat())
}

/// Words between spaces as an array of bulk strings.
fn words(line: &str) -> String {
    array(line.split_whitespace())
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

/// The list at `key` has these elements.
#[track_caller]
fn holds(c: &mut Raw, key: &str, elements: &str) {
    c.check(&format!("LRANGE {key} 0 -1"), &words(elements));
}

/// Makes `key` a list of these elements.
#[track_caller]
fn fill(c: &mut Raw, key: &str, elements: &str) {
    let there = i32::from(c_has(c, key));
    c.check(&format!("DEL {key}"), &format!(":{there}\r\n"));
    let count = elements.split_whitespace().count();
    c.check(&format!("RPUSH {key} {elements}"), &format!(":{count}\r\n"));
}

fn c_has(c: &mut Raw, key: &str) -> bool {
    c.line(&format!("EXISTS {key}")) == ":1"
}

/// Numbers with a letter before them, long enough for lists of several chunks.
fn many(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("element-{n:06}")).collect()
}

fn push_many(c: &mut Raw, key: &str, elements: &[String]) {
    for part in elements.chunks(1000) {
        let mut line = vec!["RPUSH", key];
        line.extend(part.iter().map(String::as_str));
        c.command(&line);
        c.read_line();
    }
}

#[test]
fn elements_are_pushed_and_popped_at_both_ends() {
    let (_server, mut c) = start();
    let cases = [
        ("LPUSH l b a", ":2\r\n"),
        ("RPUSH l c 4", ":4\r\n"),
        ("LLEN l", ":4\r\n"),
        ("TYPE l", "+list\r\n"),
        ("LPOP l", "$1\r\na\r\n"),
        ("RPOP l", "$1\r\n4\r\n"),
        ("RPOP l 5", "*2\r\n$1\r\nc\r\n$1\r\nb\r\n"),
        ("EXISTS l", ":0\r\n"),
        ("LPOP l", NIL),
        ("LPOP l 1", NIL_ARRAY),
        ("LPOP l 0", NIL_ARRAY),
        ("LLEN l", ":0\r\n"),
        ("LPUSHX l a", ":0\r\n"),
        ("RPUSHX l a b", ":0\r\n"),
        ("EXISTS l", ":0\r\n"),
        ("RPUSH l a", ":1\r\n"),
        ("LPUSHX l b c", ":3\r\n"),
        ("RPUSHX l d", ":4\r\n"),
        ("LPOP l 0", EMPTY),
        ("LPOP l 2", "*2\r\n$1\r\nc\r\n$1\r\nb\r\n"),
        ("LPOP l -1", "-ERR value is out of range, must be positive\r\n"),
        ("LPOP l x", "-ERR value is out of range, must be positive\r\n"),
        ("LPOP l 1 1", "-ERR wrong number of arguments for 'lpop' command\r\n"),
        ("RPOP l 1 1", "-ERR wrong number of arguments for 'rpop' command\r\n"),
        ("LPUSH l", "-ERR wrong number of arguments for 'lpush' command\r\n"),
    ];
    all(&mut c, &cases);
    holds(&mut c, "l", "a d");
}

#[test]
fn another_type_is_refused_and_left_alone() {
    let (_server, mut c) = start();
    c.check("SET s x", OK);
    c.check("RPUSH l a", ":1\r\n");
    for line in [
        "LPUSH s a",
        "RPUSHX s a",
        "LPOP s",
        "RPOP s 2",
        "LPOP s 0",
        "LLEN s",
        "LINDEX s 0",
        "LINDEX s x",
        "LSET s x a",
        "LINSERT s BEFORE a b",
        "LRANGE s 0 1",
        "LREM s 1 a",
        "LTRIM s 0 1",
        "LPOS s a",
        "LMOVE s l LEFT LEFT",
        "LMOVE l s LEFT LEFT",
        "RPOPLPUSH l s",
        "LMOVEM l s LEFT LEFT COUNT 1 OBO",
        "LMPOP 2 no s LEFT",
    ] {
        c.check(line, WRONGTYPE);
    }
    for line in ["GET l", "INCR l", "APPEND l x", "PFADD l x", "SETRANGE l 1 x", "GETSET l x"] {
        c.check(line, WRONGTYPE);
    }
    c.check("GET s", "$1\r\nx\r\n");
    holds(&mut c, "l", "a");
}

#[test]
fn an_index_counts_from_either_end() {
    let (_server, mut c) = start();
    fill(&mut c, "l", "a b 3 d");
    for (index, reply) in [("0", "a"), ("3", "d"), ("-1", "d"), ("-4", "a"), ("2", "3")] {
        c.check(&format!("LINDEX l {index}"), &bulk(reply));
    }
    for index in ["4", "-5", "9223372036854775807", "-9223372036854775808"] {
        c.check(&format!("LINDEX l {index}"), NIL);
        c.check(&format!("LSET l {index} x"), "-ERR index out of range\r\n");
    }
    let cases = [
        ("LINDEX l x", NOT_A_NUMBER),
        ("LINDEX no x", NIL),
        ("LSET l x a", NOT_A_NUMBER),
        ("LSET no x a", "-ERR no such key\r\n"),
        ("LSET l 0 A", OK),
        ("LSET l -1 1000000", OK),
    ];
    all(&mut c, &cases);
    holds(&mut c, "l", "A b 3 1000000");
}

#[test]
fn a_range_is_cut_to_the_list() {
    let (_server, mut c) = start();
    fill(&mut c, "l", "a b c d e");
    for (range, elements) in [
        ("0 -1", "a b c d e"),
        ("1 3", "b c d"),
        ("-2 -1", "d e"),
        ("-100 1", "a b"),
        ("3 100", "d e"),
        ("2 2", "c"),
        ("3 2", ""),
        ("5 9", ""),
        ("0 -6", ""),
        ("-9223372036854775808 9223372036854775807", "a b c d e"),
        ("9223372036854775807 -9223372036854775808", ""),
    ] {
        c.check(&format!("LRANGE l {range}"), &words(elements));
        let there = i32::from(c_has(&mut c, "copy"));
        c.check("DEL copy", &format!(":{there}\r\n"));
        c.check("COPY l copy", ":1\r\n");
        c.check(&format!("LTRIM copy {range}"), OK);
        holds(&mut c, "copy", elements);
        assert_eq!(c_has(&mut c, "copy"), !elements.is_empty());
    }
    let cases = [
        ("LRANGE no 0 1", EMPTY),
        ("LRANGE no x 1", NOT_A_NUMBER),
        ("LRANGE l 0 x", NOT_A_NUMBER),
        ("LTRIM no 0 1", OK),
        ("LTRIM no x 1", NOT_A_NUMBER),
    ];
    all(&mut c, &cases);
}

#[test]
fn equal_elements_are_removed_from_either_end() {
    let (_server, mut c) = start();
    for (count, removed, left) in [
        ("0", 3, "b 7"),
        ("1", 1, "b a a 7"),
        ("2", 2, "b a 7"),
        ("-1", 1, "a b a 7"),
        ("-2", 2, "a b 7"),
        ("-9223372036854775807", 3, "b 7"),
    ] {
        fill(&mut c, "l", "a b a a 7");
        c.check(&format!("LREM l {count} a"), &format!(":{removed}\r\n"));
        holds(&mut c, "l", left);
    }
    let cases = [
        ("LREM l 1 nothing", ":0\r\n"),
        ("LREM no 1 a", ":0\r\n"),
        ("LREM no x a", NOT_A_NUMBER),
        ("LREM l 0 7", ":1\r\n"),
        ("LREM l 0 b", ":1\r\n"),
        ("EXISTS l", ":0\r\n"),
    ];
    all(&mut c, &cases);
}

#[test]
fn elements_are_inserted_beside_another() {
    let (_server, mut c) = start();
    fill(&mut c, "l", "a b c b");
    let cases = [
        ("LINSERT l BEFORE b x", ":5\r\n"),
        ("LINSERT l after b y", ":6\r\n"),
        ("LINSERT l BEFORE a first", ":7\r\n"),
        ("LINSERT l BEFORE nothing z", ":-1\r\n"),
        ("LINSERT no BEFORE a b", ":0\r\n"),
        ("LINSERT l BESIDE a b", SYNTAX),
        ("LINSERT no BESIDE a b", SYNTAX),
    ];
    all(&mut c, &cases);
    holds(&mut c, "l", "first a x b y c b");
}

#[test]
fn positions_are_found() {
    let (_server, mut c) = start();
    fill(&mut c, "l", "a b c 1 2 3 c c");
    let cases = [
        ("LPOS l c", ":2\r\n"),
        ("LPOS l 1", ":3\r\n"),
        ("LPOS l nothing", NIL),
        ("LPOS no c", NIL),
        ("LPOS no c COUNT 1", EMPTY),
        ("LPOS l nothing COUNT 0", EMPTY),
        ("LPOS l c RANK 2", ":6\r\n"),
        ("LPOS l c RANK -1", ":7\r\n"),
        ("LPOS l c RANK 4", NIL),
        ("LPOS l c COUNT 2", "*2\r\n:2\r\n:6\r\n"),
        ("LPOS l c COUNT 0", "*3\r\n:2\r\n:6\r\n:7\r\n"),
        ("LPOS l c COUNT 0 RANK -1", "*3\r\n:7\r\n:6\r\n:2\r\n"),
        ("LPOS l c RANK -2 COUNT 5", "*2\r\n:6\r\n:2\r\n"),
        ("LPOS l c MAXLEN 2", NIL),
        ("LPOS l c MAXLEN 3", ":2\r\n"),
        ("LPOS l c MAXLEN 0 COUNT 0", "*3\r\n:2\r\n:6\r\n:7\r\n"),
        ("LPOS l c RANK 2 MAXLEN 7", ":6\r\n"),
        ("LPOS l c RANK -1 MAXLEN 2 COUNT 0", "*2\r\n:7\r\n:6\r\n"),
        (
            "LPOS l c RANK 0",
            "-ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative \
             to start from the end of the list\r\n",
        ),
        (
            "LPOS l c RANK -9223372036854775808",
            "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807\r\n",
        ),
        ("LPOS l c RANK x", NOT_A_NUMBER),
        ("LPOS l c COUNT -1", "-ERR COUNT can't be negative\r\n"),
        ("LPOS l c MAXLEN x", "-ERR MAXLEN can't be negative\r\n"),
        ("LPOS l c RANK", SYNTAX),
        ("LPOS l c FOO 1", SYNTAX),
    ];
    all(&mut c, &cases);
}

#[test]
fn one_element_moves_between_lists() {
    let (_server, mut c) = start();
    fill(&mut c, "l", "a b c");
    let cases = [
        ("LMOVE l d LEFT RIGHT", "$1\r\na\r\n"),
        ("LMOVE l d right left", "$1\r\nc\r\n"),
        ("RPOPLPUSH l d", "$1\r\nb\r\n"),
        ("EXISTS l", ":0\r\n"),
        ("RPOPLPUSH l d", NIL),
        ("LMOVE l d LEFT LEFT", NIL),
        ("RPOPLPUSH d d", "$1\r\na\r\n"),
        ("LMOVE d d LEFT LEFT", "$1\r\na\r\n"),
        ("LMOVE l d UP LEFT", SYNTAX),
        ("LMOVE l d LEFT DOWN", SYNTAX),
        ("RPUSH one x", ":1\r\n"),
        ("RPOPLPUSH one one", "$1\r\nx\r\n"),
        ("SET s x", OK),
        ("LMOVE no s LEFT LEFT", NIL),
    ];
    all(&mut c, &cases);
    holds(&mut c, "d", "a b c");
    holds(&mut c, "one", "x");
}

#[test]
fn several_elements_move_between_lists() {
    let (_server, mut c) = start();
    for (how, reply, source, destination) in [
        ("LEFT LEFT COUNT 2 OBO", "b a", "c d", "b a x y"),
        ("LEFT LEFT COUNT 2 BULK", "a b", "c d", "a b x y"),
        ("LEFT RIGHT COUNT 2 OBO", "a b", "c d", "x y a b"),
        ("LEFT RIGHT EXACTLY 2 BULK", "a b", "c d", "x y a b"),
        ("RIGHT LEFT count 2 obo", "c d", "a b", "c d x y"),
        ("RIGHT LEFT COUNT 2 BULK", "c d", "a b", "c d x y"),
        ("RIGHT RIGHT COUNT 2 OBO", "d c", "a b", "x y d c"),
        ("RIGHT RIGHT EXACTLY 2 BULK", "c d", "a b", "x y c d"),
        ("RIGHT LEFT", "d", "a b c", "d x y"),
        ("LEFT RIGHT COUNT 9 BULK", "a b c d", "", "x y a b c d"),
        ("LEFT RIGHT EXACTLY 4 OBO", "a b c d", "", "x y a b c d"),
    ] {
        fill(&mut c, "l", "a b c d");
        fill(&mut c, "m", "x y");
        c.check(&format!("LMOVEM l m {how}"), &words(reply));
        holds(&mut c, "l", source);
        holds(&mut c, "m", destination);
    }
}

#[test]
fn several_elements_move_within_a_list_or_not_at_all() {
    let (_server, mut c) = start();
    for (how, reply, left) in [
        ("LEFT LEFT COUNT 2 OBO", "b a", "b a c d"),
        ("LEFT LEFT COUNT 2 BULK", "a b", "a b c d"),
        ("LEFT RIGHT COUNT 2 BULK", "a b", "c d a b"),
        ("RIGHT LEFT COUNT 9 BULK", "a b c d", "a b c d"),
    ] {
        fill(&mut c, "l", "a b c d");
        c.check(&format!("LMOVEM l l {how}"), &words(reply));
        holds(&mut c, "l", left);
    }
    c.check("SET s x", OK);
    for line in [
        "LMOVEM l m LEFT LEFT EXACTLY 5 BULK",
        "LMOVEM l s LEFT LEFT EXACTLY 5 BULK",
        "LMOVEM no m LEFT LEFT COUNT 1 OBO",
        "LMOVEM no m LEFT LEFT",
    ] {
        c.check(line, NIL_ARRAY);
    }
    for how in ["COUNT 1", "COUNT 1 FOO", "FOO 1 OBO", "COUNT 1 OBO BULK", "COUNT"] {
        c.check(&format!("LMOVEM l m LEFT LEFT {how}"), SYNTAX);
    }
    for count in ["0", "-1", "x"] {
        let line = format!("LMOVEM l m LEFT LEFT COUNT {count} OBO");
        c.check(&line, "-ERR count should be greater than 0\r\n");
    }
    assert!(!c_has(&mut c, "m"));
}

#[test]
fn the_first_list_that_has_something_is_popped() {
    let (_server, mut c) = start();
    fill(&mut c, "l", "a b c");
    fill(&mut c, "m", "d");
    let cases = [
        ("LMPOP 3 no l m LEFT", "*2\r\n$1\r\nl\r\n*1\r\n$1\r\na\r\n"),
        ("LMPOP 1 l RIGHT COUNT 9", "*2\r\n$1\r\nl\r\n*2\r\n$1\r\nc\r\n$1\r\nb\r\n"),
        ("LMPOP 2 l m RIGHT COUNT 1", "*2\r\n$1\r\nm\r\n*1\r\n$1\r\nd\r\n"),
        ("LMPOP 2 l m RIGHT", NIL_ARRAY),
        ("LMPOP 0 l LEFT", "-ERR numkeys should be greater than 0\r\n"),
        ("LMPOP x l LEFT", "-ERR numkeys should be greater than 0\r\n"),
        ("LMPOP 1 l UP", SYNTAX),
        ("LMPOP 5 l LEFT", SYNTAX),
        ("LMPOP 9223372036854775807 l LEFT", SYNTAX),
        ("LMPOP 1 l LEFT FOO", SYNTAX),
        ("LMPOP 1 l LEFT COUNT", SYNTAX),
        ("LMPOP 1 l LEFT COUNT 1 COUNT 1", SYNTAX),
        ("LMPOP 1 l LEFT COUNT 0", "-ERR count should be greater than 0\r\n"),
        ("LMPOP 1 l LEFT COUNT x", "-ERR count should be greater than 0\r\n"),
    ];
    all(&mut c, &cases);
}

#[test]
fn long_lists_answer_like_short_ones() {
    let (_server, mut c) = start();
    for depth in ["0", "1"] {
        c.check(&format!("CONFIG SET list-compress-depth {depth}"), OK);
        c.check("FLUSHALL", OK);
        let mut model = many(20_000);
        push_many(&mut c, "l", &model);
        c.check("LLEN l", ":20000\r\n");
        for index in [0, 1, 600, 9_999, 10_000, 19_998, 19_999] {
            c.check(&format!("LINDEX l {index}"), &bulk(&model[index]));
            c.check(&format!("LINDEX l {}", index as i64 - 20_000), &bulk(&model[index]));
        }
        c.check("LRANGE l 500 10499", &array(&model[500..10_500]));
        c.check("LRANGE l -3 -1", &array(&model[19_997..]));
        c.check("LPOS l element-012345", ":12345\r\n");
        c.check("LPOS l element-012345 RANK -1", ":12345\r\n");
        c.check("LSET l 7000 changed", OK);
        c.check("LINSERT l AFTER element-003000 inserted", ":20001\r\n");
        c.check("LREM l -1 element-015000", ":1\r\n");
        model[7000] = "changed".into();
        model.remove(15_000);
        model.insert(3001, "inserted".into());
        c.check("LRANGE l 0 -1", &array(&model));
        c.check("LTRIM l 1000 -1001", OK);
        c.check("LRANGE l 0 -1", &array(&model[1000..19_000]));
        c.check("LPOP l 3", &array(&model[1000..1003]));
        c.check("RPOP l", &bulk(&model[18_999]));
        c.check("COPY l m", ":1\r\n");
        c.check("DEL l", ":1\r\n");
        c.check("LRANGE m 0 -1", &array(&model[1003..18_999]));
    }
}

#[test]
fn elements_of_any_length_are_kept() {
    let (_server, mut c) = start();
    let lengths = [0, 1, 63, 64, 127, 128, 251, 252, 4095, 4096, 8192, 8193, 65_535, 65_536, 300_000];
    let texts: Vec<String> = lengths.iter().map(|&length| "v".repeat(length)).collect();
    for (at, text) in texts.iter().enumerate() {
        run(&mut c, &["RPUSH", "l", text], &format!(":{}\r\n", at + 1));
        run(&mut c, &["LPUSH", "m", text], &format!(":{}\r\n", at + 1));
        run(&mut c, &["LSET", "l", "0", text], OK);
        run(&mut c, &["LSET", "l", "0", ""], OK);
    }
    c.check("LRANGE l 0 -1", &array(&texts));
    c.check("LRANGE m 0 -1", &array(texts.iter().rev()));
    run(&mut c, &["LINSERT", "l", "BEFORE", &texts[3], &texts[14]], &format!(":{}\r\n", texts.len() + 1));
    run(&mut c, &["LINDEX", "l", "3"], &bulk(&texts[14]));
    run(&mut c, &["LINDEX", "l", "4"], &bulk(&texts[3]));
    for text in texts.iter().rev() {
        run(&mut c, &["RPOP", "l"], &bulk(text));
        if text.len() == texts[3].len() {
            run(&mut c, &["RPOP", "l"], &bulk(&texts[14]));
        }
    }
    assert!(!c_has(&mut c, "l"));
}

#[test]
fn numbers_come_back_as_they_were_written() {
    let (_server, mut c) = start();
    let texts = [
        "0",
        "-1",
        "63",
        "64",
        "127",
        "128",
        "-129",
        "32767",
        "-32769",
        "2147483648",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "007",
        "-0",
        "+5",
        "1.5",
        " 1",
    ];
    let mut line = vec!["RPUSH", "l"];
    line.extend(texts);
    run(&mut c, &line, &format!(":{}\r\n", texts.len()));
    c.check("LRANGE l 0 -1", &array(texts));
    for text in texts {
        run(&mut c, &["LREM", "l", "0", text], ":1\r\n");
    }
}

/// The rules of Redis 7.2: 7.0 calls every list a quicklist.
#[test]
fn the_encoding_follows_the_limits_of_redis() {
    let (_server, mut c) = start();
    let is = |c: &mut Raw, encoding: &str| c.check("OBJECT ENCODING l", &bulk(encoding));
    c.check("CONFIG SET list-max-listpack-size 4", OK);
    fill(&mut c, "l", "a b c d");
    is(&mut c, "listpack");
    c.check("RPUSH l e", ":5\r\n");
    is(&mut c, "quicklist");
    c.check("LPOP l 2", &words("a b"));
    is(&mut c, "quicklist");
    c.check("LTRIM l 0 1", OK);
    is(&mut c, "listpack");
    // All that a command adds is counted before it adds any.
    fill(&mut c, "l", "a b c d e");
    is(&mut c, "quicklist");
    c.check("LREM l 0 a", ":1\r\n");
    c.check("CONFIG SET list-max-listpack-size -1", OK);
    fill(&mut c, "l", &"x ".repeat(500));
    is(&mut c, "listpack");
    let long = "y".repeat(4100);
    run(&mut c, &["LINSERT", "l", "BEFORE", "x", &long], ":501\r\n");
    is(&mut c, "quicklist");
    run(&mut c, &["LREM", "l", "1", &long], ":1\r\n");
    is(&mut c, "listpack");
    run(&mut c, &["LSET", "l", "7", &long], OK);
    is(&mut c, "quicklist");
}

/// Ten elements of eight bytes take no more than 165 bytes, key and all.
#[test]
fn small_lists_are_small() {
    let (server, mut c) = start();
    let keys = 20_000;
    let before = used_memory(&mut c);
    let elements: String = (0..10).map(|n| format!(" abcdefg{n}")).collect();
    for batch in 0..keys / 1000 {
        let lines: Vec<String> =
            (0..1000).map(|n| format!("RPUSH key:{:08}{elements}\r\n", batch * 1000 + n)).collect();
        c.send(lines.concat());
        (0..1000).for_each(|_| assert_eq!(c.read_line(), ":10"));
    }
    let each = (used_memory(&mut server.raw()) - before) / keys;
    assert!(each <= 165, "{each} bytes per list");
}

fn used_memory(c: &mut Raw) -> usize {
    c.command(&["INFO", "memory"]);
    let text = String::from_utf8(c.bulk()).expect("text");
    let line = text.lines().find_map(|line| line.strip_prefix("used_memory:")).expect("the line is there");
    line.parse().expect("a number")
}

#[test]
fn compression_saves_memory() {
    let (_server, mut c) = start();
    let elements = many(20_000);
    push_many(&mut c, "plain", &elements);
    c.check("CONFIG SET list-compress-depth 1", OK);
    push_many(&mut c, "small", &elements);
    let usage = |c: &mut Raw, key: &str| -> usize {
        c.line(&format!("MEMORY USAGE {key}"))[1..].parse().expect("a number")
    };
    let (plain, small) = (usage(&mut c, "plain"), usage(&mut c, "small"));
    assert!(small * 2 < plain, "{small} after {plain}");
}
