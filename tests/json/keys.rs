//! Documents as values of keys: serialized, copied, watched, expired, told about.

use super::*;
use redis::{Commands, cmd};
use sockudo_kv::value::crc64::crc64;

const NESTED: &str =
    r#"{"a":[1,-2.5,"text",null,true,{"b":{}},18446744073709551615],"é\n":"a longer text than fits"}"#;

/// A serialized value with a footer of its own.
fn sealed(body: &[u8]) -> Vec<u8> {
    let mut bytes = [body, &11u16.to_le_bytes()].concat();
    bytes.extend_from_slice(&crc64(0, &bytes).to_le_bytes());
    bytes
}

/// The module's type as RedisJSON writes it around a text.
fn module(text: &[u8]) -> Vec<u8> {
    // Type 7, and the id of "ReJSON-RL" in version 3 as a length of eight bytes.
    let mut body = vec![7, 0x81];
    body.extend_from_slice(&id().to_be_bytes());
    body.push(5);
    match u8::try_from(text.len()) {
        Ok(length @ 0..64) => body.push(length),
        _ => body.extend_from_slice(&(0x4000 | text.len() as u16).to_be_bytes()),
    }
    body.extend_from_slice(text);
    body.push(0);
    body
}

/// Nine digits of six bits, and the version.
fn id() -> u64 {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digits = "ReJSON-RL".chars().map(|letter| LETTERS.find(letter).expect("a letter") as u64);
    digits.fold(0, |id, digit| id << 6 | digit) << 10 | 3
}

#[test]
fn documents_are_serialized_as_redisjson_does() {
    let (server, mut raw) = start();
    let mut c = server.client();
    let text = r#"{"a":[1]}"#;
    set(&mut raw, "d", text);
    let dumped: Vec<u8> = cmd("DUMP").arg("d").query(&mut c).expect("a payload");
    assert_eq!(dumped, sealed(&module(text.as_bytes())));
    for (key, document) in
        [("n", NESTED), ("i", "7"), ("big", "123456789012345678"), ("s", "\"\""), ("l", "[]")]
    {
        set(&mut raw, key, document);
        let payload: Vec<u8> = cmd("DUMP").arg(key).query(&mut c).expect("a payload");
        let () =
            cmd("RESTORE").arg("copy").arg(0).arg(payload).arg("REPLACE").query(&mut c).expect("it is whole");
        holds(&mut raw, "copy", document);
    }
    // A long text is compressed and comes back.
    let long = format!("[{}0]", "\"the same again\",".repeat(500));
    set(&mut raw, "long", &long);
    let payload: Vec<u8> = cmd("DUMP").arg("long").query(&mut c).expect("a payload");
    assert!(payload.len() < long.len() / 4, "{}", payload.len());
    let () =
        cmd("RESTORE").arg("copy").arg(0).arg(payload).arg("REPLACE").query(&mut c).expect("it is whole");
    holds(&mut raw, "copy", &long);
}

#[test]
fn row_40_damaged_payloads_are_refused_or_usable() {
    let (server, mut raw) = start();
    let mut c = server.client();
    let mut refused = |body: &[u8]| {
        let done: Result<(), _> =
            cmd("RESTORE").arg("x").arg(0).arg(sealed(body)).arg("REPLACE").query(&mut c);
        done.is_err()
    };
    let whole = module(NESTED.as_bytes());
    assert!(!refused(&whole));
    for at in 0..whole.len() {
        assert!(refused(&whole[..at]), "{at} bytes");
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            if !refused(&damaged) {
                raw.command(&["JSON.GET", "x", "$..*"]);
                assert!(!raw.bulk().is_empty());
                raw.command(&["JSON.SET", "x", "$", "1"]);
                raw.expect(OK);
            }
        }
    }
    for text in ["", "{", "[1,]", "nul", "1 2", "\u{1}"] {
        assert!(refused(&module(text.as_bytes())), "{text}");
    }
    let deep = "[".repeat(100) + &"]".repeat(100);
    assert!(!refused(&module(deep.as_bytes())));
    let mut longer = whole.clone();
    longer.push(0);
    assert!(refused(&longer));
}

#[test]
fn documents_survive_a_reload_with_their_digests() {
    let (_server, mut c) = start();
    set(&mut c, "n", NESTED);
    set(&mut c, "copied", NESTED);
    check(&mut c, "PEXPIRE n 1000000", ":1\r\n");
    let before = c.line("DEBUG DIGEST");
    check(&mut c, "DEBUG RELOAD", OK);
    assert_eq!(c.line("DEBUG DIGEST"), before);
    holds(&mut c, "n", NESTED);
    c.command(&["DEBUG", "DIGEST-VALUE", "copied", "absent"]);
    assert_eq!(c.read_line(), "*2");
    let digest = c.read_line();
    assert_eq!(c.read_line(), format!("+{}", "0".repeat(40)));
    check(&mut c, "JSON.SET copied $.x 1", OK);
    c.command(&["DEBUG", "DIGEST-VALUE", "copied"]);
    assert_eq!(c.read_line(), "*1");
    assert_ne!(c.read_line(), digest);
}

#[test]
fn keys_of_documents_move_copy_and_end() {
    let (server, mut c) = start();
    set(&mut c, "d", NESTED);
    all(
        &mut c,
        &[
            ("COPY d e", ":1\r\n"),
            ("JSON.SET e $.a 1", OK),
            ("JSON.DEL d $.a[0]", ":1\r\n"),
            ("RENAME e f", OK),
            ("JSON.GET f a", "$1\r\n1\r\n"),
            ("MOVE f 3", ":1\r\n"),
            ("EXISTS f", ":0\r\n"),
            ("EXPIRE d 1000", ":1\r\n"),
            ("JSON.SET d $.x 1", OK),
            ("JSON.SET d $ {}", OK),
            // A document that is replaced as a whole is the same key still.
            ("TTL d", ":1000\r\n"),
            ("PEXPIRE d 20", ":1\r\n"),
        ],
    );
    std::thread::sleep(std::time::Duration::from_millis(50));
    check(&mut c, "JSON.GET d", NULL);
    check(&mut c, "JSON.SET d $.x 1", error("ERR new objects must be created at the root"));
    let mut client = server.client();
    let () = client.set("d", "x").expect("it is gone");
    assert_eq!(client.get::<_, String>("d").expect("text"), "x");
}

#[test]
fn watchers_see_changes_and_only_those() {
    let (server, mut c) = start();
    let mut other = server.raw();
    for (change, done) in [
        ("JSON.SET d $.a 2", false),
        ("JSON.GET d $", true),
        ("JSON.SET d $.a 2 NX", true),
        ("JSON.NUMINCRBY d $.a 1", false),
        ("JSON.NUMINCRBY d $.s 1", true),
        ("JSON.ARRPOP d $.l", false),
        ("JSON.DEL d $.nowhere", true),
        ("JSON.DEL d", false),
    ] {
        set(&mut c, "d", r#"{"a":1,"l":[1],"s":"x"}"#);
        all(&mut c, &[("WATCH d", OK), ("MULTI", OK), ("PING", "+QUEUED\r\n")]);
        other.send(common::encode(&change.split(' ').collect::<Vec<_>>()));
        // The answer has come when the next one has.
        other.command(&["ECHO", "end-of-change"]);
        while !other.read_line().ends_with("end-of-change") {}
        check(&mut c, "EXEC", if done { "*1\r\n+PONG\r\n" } else { "*-1\r\n" });
    }
}

#[test]
fn events_have_the_names_of_the_commands() {
    let server = TestServer::with(&["--threads", "2", "--notify-keyspace-events", "KEA"]);
    let (mut c, mut listener) = (server.raw(), server.raw());
    listener.command(&["PSUBSCRIBE", "__keyevent@0__:*"]);
    for _ in 0..6 {
        listener.read_line();
    }
    let document = r#"{"n":1,"s":"x","b":true,"l":[1,2,3],"o":{"k":1}}"#;
    set(&mut c, "d", document);
    for call in [
        "JSON.NUMINCRBY d $.n 1",
        "JSON.NUMMULTBY d $.n 2",
        "JSON.STRAPPEND d $.s \"y\"",
        "JSON.TOGGLE d $.b",
        "JSON.ARRAPPEND d $.l 4",
        "JSON.ARRINSERT d $.l 0 0",
        "JSON.ARRPOP d $.l",
        "JSON.ARRTRIM d $.l 0 1",
        "JSON.CLEAR d $.o",
        "JSON.MERGE d $.o {\"a\":1}",
        "JSON.MSET d $.n 5 e $ 1",
        "JSON.SET d $.n 6 NX",
        "JSON.NUMINCRBY d $.s 1",
        "JSON.DEL d $.nowhere",
        "JSON.DEL d $.n",
        "JSON.FORGET d",
    ] {
        c.send(common::encode(&call.split(' ').collect::<Vec<_>>()));
    }
    let names = [
        "set",
        "numincrby",
        "nummultby",
        "strappend",
        "toggle",
        "arrappend",
        "arrinsert",
        "arrpop",
        "arrtrim",
        "clear",
        "merge",
        "mset",
        "mset",
        "del",
        "del",
    ];
    for name in names {
        let key = if name == "mset" { "" } else { "d" };
        let lines: Vec<String> = (0..9).map(|_| listener.read_line()).collect();
        assert_eq!(lines[6], format!("__keyevent@0__:json.{name}"), "{lines:?}");
        assert!(key.is_empty() || lines[8] == key, "{lines:?}");
    }
}

#[test]
fn a_real_client_reads_what_it_wrote() {
    let (server, _) = start();
    let mut c = server.client();
    let text = format!(
        "[{}]",
        (0..5000).map(|n| format!("{{\"id\":{n},\"t\":\"é {n}\"}}")).collect::<Vec<_>>().join(",")
    );
    let () = cmd("JSON.SET").arg("d").arg("$").arg(&text).query(&mut c).expect("JSON");
    let read: String = cmd("JSON.GET").arg("d").arg(".").query(&mut c).expect("a document");
    assert_eq!(read, text);
    let ids: String = cmd("JSON.GET").arg("d").arg("$[?(@.id>4997)].id").query(&mut c).expect("some");
    assert_eq!(ids, "[4998,4999]");
    let lengths: Vec<Option<i64>> = cmd("JSON.STRLEN").arg("d").arg("$[0].*").query(&mut c).expect("lengths");
    assert_eq!(lengths, [None, Some(4)]);
    let called: i64 = cmd("EVAL")
        .arg("redis.call('JSON.SET', KEYS[1], '$', '[1,2]') return redis.call('JSON.ARRLEN', KEYS[1], '.')")
        .arg(1)
        .arg("s")
        .query(&mut c)
        .expect("a length");
    assert_eq!(called, 2);
}
