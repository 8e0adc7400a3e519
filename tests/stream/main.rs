//! Streams, as a client sees them. What Redis 7.0 has answers exactly as redis-server 7.0.15 does, but for what 7.2
//! changed: consumers are created by every attempt to read, and XINFO tells their times of activity.

#[path = "../common/mod.rs"]
mod common;
mod newer;

use common::{Raw, TestServer, encode};

const WRONGTYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
const INVALID: &str = "-ERR Invalid stream ID specified as stream command argument\r\n";
const NUMBER: &str = "-ERR value is not an integer or out of range\r\n";
const SYNTAX: &str = "-ERR syntax error\r\n";
const OK: &str = "+OK\r\n";
const NONE: &str = "*-1\r\n";
const EMPTY: &str = "*0\r\n";
const NOGROUP: &str = "-NOGROUP No such key 's' or consumer group 'nog'\r\n";

/// A server and a connection to it.
fn start() -> (TestServer, Raw) {
    let server = TestServer::start();
    let connection = server.raw();
    (server, connection)
}

/// Runs commands given as words between spaces, each with its exact reply.
#[track_caller]
fn all(c: &mut Raw, cases: &[(&str, &str)]) {
    for (line, reply) in cases {
        c.check(line, reply);
    }
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

fn array(parts: &[String]) -> String {
    format!("*{}\r\n{}", parts.len(), parts.concat())
}

fn bulks(texts: &[&str]) -> String {
    array(&texts.iter().map(|text| bulk(text)).collect::<Vec<_>>())
}

/// An entry with names and values between spaces.
fn entry(id: &str, words: &str) -> String {
    array(&[bulk(id), bulks(&words.split(' ').collect::<Vec<_>>())])
}

/// What XREAD answers about one stream.
fn read(key: &str, entries: &[String]) -> String {
    array(&[array(&[bulk(key), array(entries)])])
}

/// Entries 1-1, 2-1, 2-2 and 3-0.
fn four(c: &mut Raw) -> [String; 4] {
    all(c, &[("XADD s 1-1 a b", "$3\r\n1-1\r\n"), ("XADD s 2-1 c d e f", "$3\r\n2-1\r\n")]);
    all(c, &[("XADD s 2-2 a 5", "$3\r\n2-2\r\n"), ("XADD s 3-0 a b", "$3\r\n3-0\r\n")]);
    [entry("1-1", "a b"), entry("2-1", "c d e f"), entry("2-2", "a 5"), entry("3-0", "a b")]
}

#[test]
fn xadd_refuses_what_redis_refuses() {
    let (_server, mut c) = start();
    c.check("SET str x", OK);
    let arity = "-ERR wrong number of arguments for 'xadd' command\r\n";
    for line in ["s", "s * a", "s * a b c", "s MAXLEN 5", "s nomkstream", "s maxlen 10 nomkstream"] {
        c.check(&format!("XADD {line}"), arity);
    }
    for id in
        ["foo", "1-x", "1-1-1", "-1", "-", "+", "(1", "*-1", "1-**", "18446744073709551616", "1-", "-5-1"]
    {
        c.check(&format!("XADD s {id} a b"), INVALID);
    }
    let options = [
        ("MAXLEN a *", NUMBER),
        ("MAXLEN ~ ~ 1-1", NUMBER),
        ("MAXLEN ~ 10 LIMIT a *", NUMBER),
        ("MAXLEN -1 *", "-ERR The MAXLEN argument must be >= 0.\r\n"),
        ("MAXLEN ~ 5 LIMIT -1 *", "-ERR The LIMIT argument must be >= 0.\r\n"),
        ("MAXLEN = 5 LIMIT 1 *", "-ERR syntax error, LIMIT cannot be used without the special ~ option\r\n"),
        ("LIMIT 1 *", "-ERR syntax error, LIMIT cannot be used without specifying a trimming strategy\r\n"),
        (
            "MAXLEN 5 MINID 3 *",
            "-ERR syntax error, MAXLEN and MINID options at the same time are not compatible\r\n",
        ),
        ("MINID x 1-1", INVALID),
        ("KEEPREF ACKED *", SYNTAX),
        ("IDMP p i 1-1", "-ERR IDMP/IDMPAUTO can be used only with auto-generated IDs\r\n"),
    ];
    for (words, reply) in options {
        c.check(&format!("XADD s {words} a b"), reply);
    }
    let zero = "-ERR The ID specified in XADD must be greater than 0-0\r\n";
    all(&mut c, &[("XADD s 0 a b", zero), ("XADD str 0-0 a b", zero), ("XADD str 5-1 a b", WRONGTYPE)]);
    all(&mut c, &[("EXISTS s", ":0\r\n"), ("XADD s NOMKSTREAM 5-1 a b", "$-1\r\n"), ("EXISTS s", ":0\r\n")]);
}

#[test]
fn ids_grow_as_they_are_told_to() {
    let (_server, mut c) = start();
    let not_greater = "-ERR The ID specified in XADD is equal or smaller than the target stream top item\r\n";
    let exhausted = "-ERR The stream has exhausted the last possible ID, unable to add more items\r\n";
    let last = "$41\r\n18446744073709551615-18446744073709551615\r\n";
    let cases = [
        ("XADD s 0-* a b", "$3\r\n0-1\r\n"),
        ("XADD s 0-* a b", "$3\r\n0-2\r\n"),
        ("XADD s 01-1 a b", "$3\r\n1-1\r\n"),
        ("XADD s +5-1 a b", "$3\r\n5-1\r\n"),
        ("XADD s 5-1 a b", not_greater),
        ("XADD s 5-0 a b", not_greater),
        ("XADD s 4-* a b", not_greater),
        ("XADD s 5-* a b", "$3\r\n5-2\r\n"),
        ("XADD s MAXLEN = 1 6 a b", "$3\r\n6-0\r\n"),
        ("XLEN s", ":1\r\n"),
        ("XADD s MAXLEN 0 7 a b", "$3\r\n7-0\r\n"),
        ("XLEN s", ":0\r\n"),
        ("EXISTS s", ":1\r\n"),
        ("TYPE s", "+stream\r\n"),
        ("OBJECT ENCODING s", "$6\r\nstream\r\n"),
        ("XADD s 18446744073709551615-18446744073709551615 a b", last),
        ("XADD s * a b", exhausted),
        ("XADD s 18446744073709551615-* a b", exhausted),
        ("XADD s 1-1 a b", exhausted),
        ("XADD t 18446744073709551615-5 a b", "$22\r\n18446744073709551615-5\r\n"),
        ("XADD t * a b", "$22\r\n18446744073709551615-6\r\n"),
    ];
    all(&mut c, &cases);
}

#[test]
fn ranges_have_open_and_closed_ends() {
    let (_server, mut c) = start();
    let e = four(&mut c);
    let empty = EMPTY.to_string();
    let invalid = INVALID.to_string();
    let cases = [
        ("XRANGE s - +", array(&e)),
        ("XRANGE s + -", empty.clone()),
        ("XRANGE s 2 2", array(&e[1..3])),
        ("XRANGE s (1-1 (3", array(&e[1..4])),
        ("XRANGE s - (3-0", array(&e[..3])),
        ("XRANGE s (- +", invalid.clone()),
        ("XRANGE s - (+", invalid.clone()),
        ("XRANGE s ( +", invalid.clone()),
        (
            "XRANGE s (18446744073709551615-18446744073709551615 +",
            "-ERR invalid start ID for the interval\r\n".into(),
        ),
        ("XRANGE s - (0-0", "-ERR invalid end ID for the interval\r\n".into()),
        ("XRANGE s - (0", empty.clone()),
        ("XRANGE s - + COUNT 0", NONE.into()),
        ("XRANGE s - + COUNT -1", NONE.into()),
        ("XRANGE s - + COUNT 1 COUNT 2", array(&e[..2])),
        ("XRANGE s - + COUNT", SYNTAX.into()),
        ("XRANGE s - + COUNT a", NUMBER.into()),
        ("XRANGE s - + FOO 1", SYNTAX.into()),
        ("XRANGE nokey - + COUNT 0", empty.clone()),
        ("XREVRANGE s + - COUNT 2", array(&[e[3].clone(), e[2].clone()])),
        ("XREVRANGE s (3 (1-1", array(&[e[3].clone(), e[2].clone(), e[1].clone()])),
        ("XREVRANGE s - +", empty),
        ("XREVRANGE s 2 2", array(&[e[2].clone(), e[1].clone()])),
    ];
    for (line, reply) in &cases {
        c.check(line, reply);
    }
}

#[test]
fn deleting_and_trimming() {
    let (_server, mut c) = start();
    four(&mut c);
    c.check("SET str x", OK);
    let cases = [
        ("XDEL nokey x", ":0\r\n"),
        ("XDEL str x", WRONGTYPE),
        ("XDEL s 1-*", INVALID),
        ("XDEL s 1-1 1-1 9-9", ":1\r\n"),
        ("XTRIM s foo 5", SYNTAX),
        ("XTRIM s MAXLEN 5 *", SYNTAX),
        ("XTRIM s NOMKSTREAM MAXLEN 4", SYNTAX),
        (
            "XTRIM s LIMIT 5",
            "-ERR syntax error, LIMIT cannot be used without specifying a trimming strategy\r\n",
        ),
        ("XTRIM str MAXLEN a", NUMBER),
        ("XTRIM str MAXLEN 4", WRONGTYPE),
        ("XTRIM nokey MAXLEN 4", ":0\r\n"),
        ("XTRIM s MAXLEN ~ 0 LIMIT 2", ":0\r\n"),
        ("XTRIM s MINID = 2-2", ":1\r\n"),
        ("XTRIM s MAXLEN 1", ":1\r\n"),
        ("XLEN s", ":1\r\n"),
        ("XDEL s 3-0", ":1\r\n"),
        ("EXISTS s", ":1\r\n"),
        (
            "XADD s 3-0 a b",
            "-ERR The ID specified in XADD is equal or smaller than the target stream top item\r\n",
        ),
    ];
    all(&mut c, &cases);
    // Whole blocks of a hundred entries go.
    (1..=250).for_each(|n| c.check(&format!("XADD long {n} a b"), &bulk(&format!("{n}-0"))));
    let cases = [
        ("XTRIM long MAXLEN ~ 55", ":100\r\n"),
        ("XTRIM long MAXLEN ~ 51 LIMIT 99", ":0\r\n"),
        ("XTRIM long MINID ~ 201", ":100\r\n"),
        ("XTRIM long MAXLEN ~ 0 LIMIT 0", ":50\r\n"),
    ];
    all(&mut c, &cases);
}

#[test]
fn xread_answers_what_is_new() {
    let (_server, mut c) = start();
    let e = four(&mut c);
    c.check("SET str x", OK);
    let unbalanced =
        "-ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.\r\n";
    let only = |option| {
        format!("-ERR The {option} option is only supported by XREADGROUP. You called XREAD instead.\r\n")
    };
    let new = "-ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> \
               option.\r\n";
    let cases = [
        ("XREAD STREAMS s 0", read("s", &e)),
        ("XREAD COUNT 1 STREAMS s 1-1", read("s", &e[1..2])),
        ("XREAD COUNT 0 STREAMS s 2-1", read("s", &e[2..])),
        ("XREAD COUNT -1 STREAMS s 2-1", read("s", &e[2..])),
        ("XREAD STREAMS nokey s 0 2-2", read("s", &e[3..])),
        ("XREAD STREAMS s +", read("s", &e[3..])),
        ("XREAD STREAMS nokey +", NONE.into()),
        ("XREAD STREAMS s $", NONE.into()),
        ("XREAD STREAMS s 3", NONE.into()),
        ("XREAD STREAMS nokey 0", NONE.into()),
        ("XREAD STREAMS s s 0", unbalanced.into()),
        ("XREAD COUNT a STREAMS s 0", NUMBER.into()),
        ("XREAD BLOCK a STREAMS s 0", "-ERR timeout is not an integer or out of range\r\n".into()),
        ("XREAD BLOCK -1 STREAMS s 0", "-ERR timeout is negative\r\n".into()),
        ("XREAD STREAMS s >", new.into()),
        ("XREAD STREAMS s -", INVALID.into()),
        ("XREAD STREAMS s 2-*", INVALID.into()),
        ("XREAD STREAMS str x", WRONGTYPE.into()),
        ("XREAD STREAMS s str 0 0", WRONGTYPE.into()),
        ("XREAD FOO 1 STREAMS s 0", SYNTAX.into()),
        ("XREAD COUNT 1 BLOCK 1 s 0", SYNTAX.into()),
        ("XREAD NOACK STREAMS s 0", only("NOACK")),
        ("XREAD GROUP g c STREAMS s 0", only("GROUP")),
        ("XREAD CLAIM 5 STREAMS s 0", only("CLAIM")),
    ];
    for (line, reply) in &cases {
        c.check(line, reply);
    }
    let both = array(&[array(&[bulk("s"), array(&e[..2])]), array(&[bulk("s"), array(&e[1..2])])]);
    c.check("XREAD COUNT 2 MAXCOUNT 3 STREAMS s s s 0 1-1 0", &both);
    c.check(
        "XREAD COUNT 2 MAXCOUNT 1 STREAMS s 0",
        "-ERR MAXCOUNT must be greater than or equal to COUNT\r\n",
    );
    c.check("XREAD MAXSIZE 0 STREAMS s 0", "-ERR value is out of range, must be positive\r\n");
    c.check("XREAD MAXSIZE 1 STREAMS s s 0 0", &read("s", &e[..1]));
    c.check("XREAD MAXSIZE 110 STREAMS s 0", &read("s", &e[..2]));
}

#[test]
fn resp3_has_maps_and_one_null() {
    let (_server, mut c) = start();
    let e = four(&mut c);
    c.send("HELLO 3\r\nPING\r\n");
    while c.read_line() != "+PONG" {}
    let cases = [
        ("XREAD STREAMS s 2-2", format!("%1\r\n$1\r\ns\r\n{}", array(&e[3..]))),
        ("XREAD STREAMS s $", "_\r\n".into()),
        ("XRANGE s - + COUNT 0", "_\r\n".into()),
        ("XADD n NOMKSTREAM 1-1 a b", "_\r\n".into()),
        ("XGROUP CREATE s g 0", OK.into()),
        ("XPENDING s g", "*4\r\n:0\r\n_\r\n_\r\n_\r\n".into()),
    ];
    for (line, reply) in &cases {
        c.check(line, reply);
    }
}

#[test]
fn groups_come_and_go() {
    let (_server, mut c) = start();
    four(&mut c);
    c.check("SET str x", OK);
    let no_key = "-ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the \
                  MKSTREAM option to create an empty stream automatically.\r\n";
    let wrong = |word| {
        format!("-ERR unknown subcommand or wrong number of arguments for '{word}'. Try XGROUP HELP.\r\n")
    };
    let nog = "-NOGROUP No such consumer group 'nog' for key name 's'\r\n";
    let cases = [
        ("XGROUP CREATE s g 0", OK),
        ("XGROUP CREATE s g 0", "-BUSYGROUP Consumer Group name already exists\r\n"),
        ("XGROUP CREATE s g x", INVALID),
        ("XGROUP CREATE s h 5-*", INVALID),
        ("XGROUP CREATE s h $ ENTRIESREAD -2", "-ERR value for ENTRIESREAD must be positive or -1\r\n"),
        ("XGROUP CREATE s h $ ENTRIESREAD a", NUMBER),
        ("XGROUP CREATE s h $ ENTRIESREAD", &wrong("CREATE")),
        ("XGROUP CREATE str h $ FOO", &wrong("CREATE")),
        ("XGROUP CREATE str h x", WRONGTYPE),
        ("XGROUP CREATE nokey h x", no_key),
        ("XGROUP CREATE nokey h x MKSTREAM", INVALID),
        ("EXISTS nokey", ":0\r\n"),
        ("XGROUP CREATE new h $ MKSTREAM", OK),
        ("XLEN new", ":0\r\n"),
        ("XGROUP FOO a b", "-ERR unknown subcommand 'FOO'. Try XGROUP HELP.\r\n"),
        ("XGROUP SETID s nog 0", nog),
        ("XGROUP SETID s g 3 ENTRIESREAD 4", OK),
        ("XGROUP SETID s g x", INVALID),
        ("XGROUP SETID s g 3 MKSTREAM", &wrong("SETID")),
        ("XGROUP SETID nokey g 0", no_key),
        ("XGROUP CREATECONSUMER s g c", ":1\r\n"),
        ("XGROUP CREATECONSUMER s g c", ":0\r\n"),
        ("XGROUP CREATECONSUMER s nog c", nog),
        ("XGROUP DELCONSUMER s g c", ":0\r\n"),
        ("XGROUP DELCONSUMER s nog c", nog),
        ("XGROUP DESTROY s nog", ":0\r\n"),
        ("XGROUP DESTROY s g", ":1\r\n"),
        ("XGROUP DESTROY nokey g", no_key),
    ];
    all(&mut c, &cases);
}

/// What XREADGROUP refuses where the stream has a group `g`.
fn group_reads_are_refused(c: &mut Raw) {
    let cases = [
        (
            "XREADGROUP GROUP nog c STREAMS s x",
            "-NOGROUP No such key 's' or consumer group 'nog' in XREADGROUP with GROUP option\r\n",
        ),
        ("XREADGROUP GROUP g c STREAMS s x", INVALID),
        (
            "XREADGROUP GROUP g c STREAMS s t > >",
            "-NOGROUP No such key 't' or consumer group 'g' in XREADGROUP with GROUP option\r\n",
        ),
        ("XREADGROUP COUNT 1 COUNT 1 STREAMS s >", "-ERR Missing GROUP option for XREADGROUP\r\n"),
        (
            "XREADGROUP COUNT 1 GROUP streams c STREAMS s >",
            "-NOGROUP No such key 's' or consumer group 'streams' in XREADGROUP with GROUP option\r\n",
        ),
    ];
    all(c, &cases);
}

#[test]
fn a_group_shares_entries_out_and_remembers_who_has_them() {
    let (_server, mut c) = start();
    let e = four(&mut c);
    c.check("XGROUP CREATE s g 0", OK);
    group_reads_are_refused(&mut c);
    let cases = [
        ("XREADGROUP GROUP g c COUNT 2 STREAMS s >", read("s", &e[..2])),
        ("XREADGROUP GROUP g c STREAMS s 0", read("s", &e[..2])),
        ("XREADGROUP GROUP g c COUNT 1 STREAMS s 1-1", read("s", &e[1..2])),
        ("XREADGROUP GROUP g d STREAMS s 0", read("s", &[])),
        ("XREADGROUP GROUP g d NOACK COUNT 1 STREAMS s >", read("s", &e[2..3])),
        ("XREADGROUP GROUP g d STREAMS s 0", read("s", &[])),
        ("XREADGROUP GROUP g d STREAMS s >", read("s", &e[3..])),
        ("XREADGROUP GROUP g e STREAMS s >", NONE.into()),
        (
            "XPENDING s g",
            array(&[
                ":3\r\n".into(),
                bulk("1-1"),
                bulk("3-0"),
                array(&[bulks(&["c", "2"]), bulks(&["d", "1"])]),
            ]),
        ),
        ("XPENDING s g - +", SYNTAX.into()),
        ("XPENDING s g - + 10 nobody", EMPTY.into()),
        ("XPENDING s g - + -1", EMPTY.into()),
        ("XPENDING s g IDLE 100000 - + 10", EMPTY.into()),
        ("XPENDING s g IDLE a - + 10", NUMBER.into()),
        ("XPENDING s g x + a", NUMBER.into()),
        ("XPENDING s nog", NOGROUP.into()),
        ("XACK s g 3-0 3-0 9-9", ":1\r\n".into()),
        ("XACK s g -", INVALID.into()),
        ("XACK s nog x", ":0\r\n".into()),
        ("XACK nokey g x", ":0\r\n".into()),
        (
            "XINFO GROUPS s",
            array(&[array(&[
                bulk("name"),
                bulk("g"),
                bulk("consumers"),
                ":3\r\n".into(),
                bulk("pending"),
                ":2\r\n".into(),
                bulk("last-delivered-id"),
                bulk("3-0"),
                bulk("entries-read"),
                ":4\r\n".into(),
                bulk("lag"),
                ":0\r\n".into(),
            ])]),
        ),
        ("XGROUP DELCONSUMER s g c", ":2\r\n".into()),
        ("XPENDING s g", "*4\r\n:0\r\n$-1\r\n$-1\r\n*-1\r\n".into()),
    ];
    for (line, reply) in &cases {
        c.check(line, reply);
    }
}

#[test]
fn claiming_moves_entries() {
    let (_server, mut c) = start();
    let e = four(&mut c);
    c.check("XGROUP CREATE s g 0", OK);
    c.check("XREADGROUP GROUP g c STREAMS s >", &read("s", &e));
    let unknown = |word| format!("-ERR Unrecognized XCLAIM option '{word}'\r\n");
    let cases = [
        ("XCLAIM s g f 0 1-1", array(&e[..1])),
        ("XCLAIM s g f 0 1-1 2-1 JUSTID", bulks(&["1-1", "2-1"])),
        ("XCLAIM s g f a 1-1", "-ERR Invalid min-idle-time argument for XCLAIM\r\n".into()),
        ("XCLAIM s g f 0 x", unknown("x")),
        ("XCLAIM s g f 0 1-1 IDLE", unknown("IDLE")),
        ("XCLAIM s g f 0 1-1 TIME a", "-ERR Invalid TIME option argument for XCLAIM\r\n".into()),
        ("XCLAIM s g f 0 1-1 LASTID x", INVALID.into()),
        ("XCLAIM s g f 0 9-1 FORCE", EMPTY.into()),
        ("XCLAIM s g f 100000 1-1", EMPTY.into()),
        ("XCLAIM s nog f a 1-1", NOGROUP.into()),
        ("XCLAIM s g f 0 1-1 FORCE JUSTID IDLE 5000 RETRYCOUNT 7", bulks(&["1-1"])),
        ("XPENDING s g IDLE 5000 - + 10 c", EMPTY.into()),
        ("XAUTOCLAIM s g h 4000 0 JUSTID", array(&[bulk("0-0"), bulks(&["1-1"]), EMPTY.into()])),
        ("XAUTOCLAIM s g h 0 - COUNT 0", "-ERR COUNT must be > 0\r\n".into()),
        ("XAUTOCLAIM s g h 0 - COUNT 922337203685477580", "-ERR COUNT must be > 0\r\n".into()),
        ("XAUTOCLAIM s g h 0 - FOO", SYNTAX.into()),
        ("XAUTOCLAIM s g h a -", "-ERR Invalid min-idle-time argument for XAUTOCLAIM\r\n".into()),
        ("XAUTOCLAIM s nog h 0 -", NOGROUP.into()),
        ("XAUTOCLAIM s g h 0 - COUNT 2", array(&[bulk("2-2"), array(&e[..2]), EMPTY.into()])),
        ("XAUTOCLAIM s g h -1 (3-0", array(&[bulk("0-0"), EMPTY.into(), EMPTY.into()])),
    ];
    for (line, reply) in &cases {
        c.check(line, reply);
    }
}

#[test]
fn row_41_deleted_entries_leave_what_is_pending_safely() {
    let (_server, mut c) = start();
    let e = four(&mut c);
    c.check("XGROUP CREATE s g 0", OK);
    c.check("XREADGROUP GROUP g c STREAMS s >", &read("s", &e));
    c.check("XDEL s 1-1 2-1 2-2", ":3\r\n");
    let gone = array(&[bulk("1-1"), NONE.into()]);
    c.check("XREADGROUP GROUP g c COUNT 1 STREAMS s 0", &read("s", &[gone]));
    c.check("XCLAIM s g d 0 1-1 JUSTID", EMPTY);
    let claimed = array(&[bulk("0-0"), array(&e[3..]), bulks(&["2-1", "2-2"])]);
    c.check("XAUTOCLAIM s g d 0 0", &claimed);
    c.check("XGROUP DELCONSUMER s g c", ":0\r\n");
    c.check("XGROUP DELCONSUMER s g d", ":1\r\n");
    c.check("XAUTOCLAIM s g e 0 0", &array(&[bulk("0-0"), EMPTY.into(), EMPTY.into()]));
}

#[test]
fn xsetid_obeys_the_order_of_ids() {
    let (_server, mut c) = start();
    four(&mut c);
    c.check("SET str x", OK);
    let smaller = "-ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id\r\n";
    let cases = [
        ("XSETID s 1-1", "-ERR The ID specified in XSETID is smaller than the target stream top item\r\n"),
        ("XSETID s 5-1 FOO", SYNTAX),
        (
            "XSETID s 5-1 ENTRIESADDED 1",
            "-ERR The entries_added specified in XSETID is smaller than the target stream length\r\n",
        ),
        ("XSETID s 5-1 ENTRIESADDED -1", "-ERR entries_added must be positive\r\n"),
        ("XSETID s 5-1 ENTRIESADDED 10 MAXDELETEDID 10", smaller),
        ("XSETID s 5-1 ENTRIESADDED 10 MAXDELETEDID 3-5", OK),
        ("XSETID nokey x", INVALID),
        ("XSETID nokey 1-1", "-ERR no such key\r\n"),
        ("XSETID str 1-1", WRONGTYPE),
        (
            "XADD s 5-1 a b",
            "-ERR The ID specified in XADD is equal or smaller than the target stream top item\r\n",
        ),
    ];
    all(&mut c, &cases);
    let info: Vec<String> = ["length", "4", "radix-tree-keys", "1", "radix-tree-nodes", "2"]
        .chunks(2)
        .flat_map(|pair| [bulk(pair[0]), format!(":{}\r\n", pair[1])])
        .collect();
    let rest = [
        bulk("last-generated-id") + &bulk("5-1"),
        bulk("max-deleted-entry-id") + &bulk("3-5"),
        bulk("entries-added") + ":10\r\n",
        bulk("recorded-first-entry-id") + &bulk("1-1"),
        bulk("groups") + ":0\r\n",
        bulk("first-entry") + &entry("1-1", "a b"),
        bulk("last-entry") + &entry("3-0", "a b"),
    ];
    c.check("XINFO STREAM s", &format!("*20\r\n{}{}", info.concat(), rest.concat()));
    let wrong = "-ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP.\r\n";
    let cases = [
        ("XINFO STREAM nokey", "-ERR no such key\r\n"),
        ("XINFO STREAM str", WRONGTYPE),
        ("XINFO STREAM s COUNT 1", wrong),
        ("XINFO STREAM s FULL COUNT", wrong),
        ("XINFO STREAM s FULL COUNT a", NUMBER),
        ("XINFO CONSUMERS s nog", "-NOGROUP No such consumer group 'nog' for key name 's'\r\n"),
    ];
    all(&mut c, &cases);
}
