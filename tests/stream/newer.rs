//! What came after Redis 7.2, as its documentation describes it.

use super::*;

#[test]
fn row_41_many_ids_are_acknowledged_and_deleted_at_once() {
    let (_server, mut c) = start();
    let n = 10_000;
    let adds: Vec<u8> = (1..=n).flat_map(|ms| encode(&["XADD", "s", &format!("{ms}-1"), "f", "v"])).collect();
    c.send(adds);
    (1..=n).for_each(|_| drop(c.bulk()));
    c.check("XGROUP CREATE s g 0", OK);
    c.check("XGROUP CREATE s h 0", OK);
    c.send("XREADGROUP GROUP g c STREAMS s >\r\nECHO done-reading\r\n");
    while c.read_line() != "done-reading" {}
    let ids: Vec<String> = (1..=n).map(|ms| format!("{ms}-1")).collect();
    let count = n.to_string();
    let words = |mode: &'static str| {
        let head = ["XACKDEL", "s", "g", mode, "IDS", &count].map(str::to_string);
        head.into_iter().chain(ids.iter().cloned()).collect::<Vec<_>>()
    };
    let send = |c: &mut Raw, words: Vec<String>| {
        c.send(encode(&words.iter().map(String::as_str).collect::<Vec<_>>()));
    };
    // The other group has read nothing: acknowledged here, kept for it.
    send(&mut c, words("ACKED"));
    c.expect(format!("*{n}\r\n{}", ":2\r\n".repeat(n)));
    c.check("XLEN s", &format!(":{n}\r\n"));
    send(&mut c, words("KEEPREF"));
    c.expect(format!("*{n}\r\n{}", ":-1\r\n".repeat(n)));
    c.check("XGROUP SETID s g 0", OK);
    c.send("XREADGROUP GROUP g c STREAMS s >\r\nECHO done-reading\r\n");
    while c.read_line() != "done-reading" {}
    send(&mut c, words("DELREF"));
    c.expect(format!("*{n}\r\n{}", ":1\r\n".repeat(n)));
    c.check("XLEN s", ":0\r\n");
    c.check("XPENDING s g", "*4\r\n:0\r\n$-1\r\n$-1\r\n*-1\r\n");
}

#[test]
fn references_are_kept_deleted_or_respected() {
    let (_server, mut c) = start();
    let e = four(&mut c);
    c.check("XGROUP CREATE s g 0", OK);
    c.check("XREADGROUP GROUP g c COUNT 3 STREAMS s >", &read("s", &e[..3]));
    let numids = "-ERR The `numids` parameter must match the number of arguments\r\n";
    let cases = [
        ("XDELEX nokey IDS 2 1-1 2-1", "*2\r\n:-1\r\n:-1\r\n"),
        ("XDELEX s IDS 2 1-1", numids),
        ("XDELEX s IDS 1 1-1 2-1", numids),
        ("XDELEX s KEEPREF 2 1-1", SYNTAX),
        ("XDELEX s ACKED KEEPREF ACKED", SYNTAX),
        ("XDELEX s ACKED IDS 2 1-1 9-9", "*2\r\n:2\r\n:-1\r\n"),
        ("XACK s g 1-1", ":1\r\n"),
        ("XDELEX s ACKED IDS 2 1-1 3-0", "*2\r\n:1\r\n:2\r\n"),
        ("XDELEX s DELREF IDS 1 2-1", "*1\r\n:1\r\n"),
        ("XDELEX s IDS 1 2-2", "*1\r\n:1\r\n"),
        ("XACKDEL s g IDS 3 2-1 2-2 3-0", "*3\r\n:-1\r\n:1\r\n:-1\r\n"),
        ("XACKDEL s nog IDS 1 3-0", "*1\r\n:-1\r\n"),
        ("XTRIM s MAXLEN 0 ACKED", ":0\r\n"),
        ("XTRIM s MAXLEN 0 DELREF", ":1\r\n"),
    ];
    all(&mut c, &cases);
}

#[test]
fn released_entries_are_claimed_first() {
    let (_server, mut c) = start();
    let e = four(&mut c);
    c.check("XGROUP CREATE s g 0", OK);
    c.check("XREADGROUP GROUP g c COUNT 3 STREAMS s >", &read("s", &e[..3]));
    let pending =
        |id: &str, count: &str| array(&[bulk(id), bulk(""), ":-1\r\n".into(), format!(":{count}\r\n")]);
    let cases = [
        ("XNACK s g LOUD IDS 1 1-1", "-ERR mode must be one of SILENT, FAIL or FATAL\r\n".into()),
        ("XNACK s nog FAIL IDS 1 1-1", NOGROUP.into()),
        ("XNACK s g FAIL IDS 1 1-1 RETRYCOUNT", SYNTAX.into()),
        ("XNACK s g FAIL IDS 2 2-1 9-9", ":1\r\n".into()),
        ("XNACK s g SILENT IDS 1 1-1", ":1\r\n".into()),
        ("XNACK s g FATAL IDS 2 3-0 9-9 FORCE", ":1\r\n".into()),
        ("XPENDING s g - + 2", array(&[pending("1-1", "0"), pending("2-1", "1")])),
        ("XPENDING s g 3 + 2", array(&[pending("3-0", "9223372036854775807")])),
        ("XGROUP DELCONSUMER s g c", ":1\r\n".into()),
    ];
    for (line, reply) in &cases {
        c.check(line, reply);
    }
    let waited = |e: &str, idle: &str, count: &str| format!("*4\r\n{}:{idle}\r\n:{count}\r\n", &e[4..]);
    c.check("XACK s g 3-0", ":1\r\n");
    let claimed = [waited(&e[1], "-1", "1"), waited(&e[0], "-1", "0"), waited(&e[3], "0", "0")];
    c.check("XREADGROUP GROUP g d CLAIM 1000 STREAMS s >", &read("s", &claimed));
    c.check("XREADGROUP GROUP g d CLAIM 1000 STREAMS s >", NONE);
}

#[test]
fn a_message_that_is_sent_twice_is_added_once() {
    let (_server, mut c) = start();
    let ask = |c: &mut Raw, line: &str| {
        c.send(format!("{line}\r\n"));
        String::from_utf8(c.bulk()).expect("an id")
    };
    let first = ask(&mut c, "XADD s IDMP p one * a b");
    assert_eq!(ask(&mut c, "XADD s IDMP p one * c d"), first);
    let second = ask(&mut c, "XADD s IDMPAUTO p * a b c d");
    assert_eq!(ask(&mut c, "XADD s IDMPAUTO p * c d a b"), second);
    assert_ne!(ask(&mut c, "XADD s IDMPAUTO p * a d c b"), second);
    assert_ne!(ask(&mut c, "XADD s IDMP q one * a b"), first);
    let cases = [
        ("XLEN s", ":4\r\n"),
        ("XCFGSET s", SYNTAX),
        ("XCFGSET nokey IDMP-MAXSIZE 1", "-ERR no such key\r\n"),
        ("XCFGSET s IDMP-MAXSIZE 10001", "-ERR IDMP-MAXSIZE must be between 1 and 10000 entries\r\n"),
        ("XCFGSET s IDMP-DURATION 0", "-ERR IDMP-DURATION must be between 1 and 86400 seconds\r\n"),
        ("XCFGSET s IDMP-DURATION 100", OK),
    ];
    all(&mut c, &cases);
    assert_eq!(ask(&mut c, "XADD s IDMP p one * c d"), first, "the same setting forgets nothing");
    c.check("XCFGSET s IDMP-MAXSIZE 1", OK);
    assert_ne!(ask(&mut c, "XADD s IDMP p one * c d"), first);
}
