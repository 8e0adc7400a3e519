//! What is too deep, too long or too much.

use super::*;

fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

#[test]
fn row_49_nesting_is_bounded() {
    let (_server, mut c) = start();
    set(&mut c, "d", &nested(128));
    c.command(&["JSON.SET", "d", "$", &nested(129)]);
    c.expect("-recursion limit exceeded at line 1 column 129\r\n");
    for text in ["[".repeat(1_000_000), "{\"a\":".repeat(1_000_000), nested(1_000_000)] {
        c.command(&["JSON.SET", "d", "$", &text]);
        assert!(c.read_line().starts_with("-recursion limit exceeded"));
        c.command(&["JSON.ARRAPPEND", "d", "$", &text]);
        assert!(c.read_line().starts_with("-recursion limit exceeded"));
    }
    // Neither does a document grow too deep step by step.
    set(&mut c, "e", "[]");
    let mut path = "$".to_string();
    for _ in 1..128 {
        c.command(&["JSON.ARRAPPEND", "e", &path, "[]"]);
        c.expect(":1\r\n".replace(':', "*1\r\n:"));
        path.push_str("[0]");
    }
    let too_deep = error("ERR recursion limit exceeded");
    for words in [
        &["JSON.ARRAPPEND", "e", &path, "[]"][..],
        &["JSON.ARRINSERT", "e", &path, "0", "{}"],
        &["JSON.SET", "e", &path, "[[]]"],
        &["JSON.MERGE", "e", &path, "{\"a\":{}}"],
        &["JSON.MSET", "e", &path, "[{}]"],
    ] {
        c.command(words);
        c.expect(&too_deep);
    }
    check(&mut c, "DEBUG RELOAD", OK);
    holds(&mut c, "e", &nested(128));
    holds(&mut c, "d", &nested(128));
    check(&mut c, "COPY e f", ":1\r\n");
    check(&mut c, "JSON.RESP f $..x", EMPTY);
}

#[test]
fn row_34_strings_have_the_length_of_others() {
    let (_server, mut c) = start();
    check(&mut c, "CONFIG SET proto-max-bulk-len 1048576", OK);
    set(&mut c, "d", &format!("[\"{}\",\"\"]", "x".repeat(1_000_000)));
    c.command(&["JSON.STRAPPEND", "d", "$[0]", &format!("\"{}\"", "y".repeat(48_577))]);
    c.expect("-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n");
    c.command(&["JSON.STRAPPEND", "d", "$[*]", &format!("\"{}\"", "y".repeat(48_576))]);
    c.expect(ints(&[Some(1_048_576), Some(48_576)]));
    check(
        &mut c,
        "JSON.STRAPPEND d $[0] \"z\"",
        error("ERR string exceeds maximum allowed size (proto-max-bulk-len)"),
    );
    // Twice the same match: the second time it is too long.
    set(&mut c, "o", &format!("{{\"a\":\"{}\"}}", "x".repeat(600_000)));
    c.command(&["JSON.STRAPPEND", "o", "$['a','a']", &format!("\"{}\"", "y".repeat(300_000))]);
    c.expect(ints(&[Some(900_000), None]));
}

#[test]
fn row_37_indices_of_any_size_are_answered() {
    let (_server, mut c) = start();
    let (least, most) = (i64::MIN, i64::MAX);
    set(&mut c, "d", "[0,1,2,3,4,5,6,7]");
    for index in [least, most] {
        check(&mut c, &format!("JSON.ARRINSERT d $ {index} 1"), error("ERR index out of bounds"));
        check(&mut c, &format!("JSON.GET d $[{index}]"), bulk("[]"));
        check(&mut c, &format!("JSON.SET d $[{index}] 1"), error("ERR array index out of range"));
        check(&mut c, &format!("JSON.DEL d $[{index}]"), ":0\r\n");
        check(&mut c, &format!("JSON.ARRINDEX d . 9 {index} {index}"), ":-1\r\n");
    }
    check(&mut c, &format!("JSON.GET d $[{least}:{most}:{most}]"), bulk("[0]"));
    check(&mut c, &format!("JSON.GET d $[{most}:{least}:{least}]"), bulk("[7]"));
    check(&mut c, "JSON.GET d $[99999999999999999999999]", bulk("[]"));
    check(&mut c, &format!("JSON.ARRPOP d . {least}"), bulk("0"));
    check(&mut c, &format!("JSON.ARRPOP d . {most}"), bulk("7"));
    check(&mut c, &format!("JSON.ARRTRIM d . {least} {most}"), ":6\r\n");
    check(&mut c, &format!("JSON.ARRTRIM d . 1 {least}"), ":0\r\n");
    check(&mut c, "JSON.ARRPOP d . 9223372036854775808", NOT_AN_INTEGER);
}

#[test]
fn row_36_numbers_stay_finite_and_whole_ones_whole() {
    let (_server, mut c) = start();
    set(&mut c, "d", r#"{"i":9223372036854775807,"f":1.7e308,"u":18446744073709551615}"#);
    for (line, text) in [
        ("JSON.NUMINCRBY d $.i 1", "ERR numeric overflow"),
        ("JSON.NUMMULTBY d .i -2", "ERR numeric overflow"),
        ("JSON.NUMINCRBY d $.f 1.7e308", "ERR result is not a number"),
        ("JSON.NUMMULTBY d $.* 1e300", "ERR result is not a number"),
        ("JSON.NUMINCRBY d $.f 1e400", "ERR number out of range at line 1 column 5"),
        ("JSON.NUMINCRBY d $.f nan", "ERR expected ident at line 1 column 2"),
        ("JSON.NUMINCRBY d $.f inf", "ERR expected value at line 1 column 1"),
        ("JSON.SET d $.f 1e400", "number out of range at line 1 column 5"),
        ("JSON.SET d $.f -Infinity", "invalid number at line 1 column 2"),
    ] {
        check(&mut c, line, error(text));
    }
    holds(&mut c, "d", r#"{"i":9223372036854775807,"f":1.7e308,"u":18446744073709551615}"#);
    check(&mut c, "JSON.NUMINCRBY d $.u 1", bulk("[1.8446744073709552e19]"));
}

#[test]
fn one_change_makes_no_document_huge() {
    let (_server, mut c) = start();
    let many = format!("[{}0]", "0,".repeat(99_999));
    set(&mut c, "d", &many);
    let large = format!("\"{}\"", "x".repeat(10_000));
    let too_large = error("ERR the document would grow by too much at once");
    for words in [
        &["JSON.SET", "d", "$[*]", &large][..],
        &["JSON.MERGE", "d", "$[*]", &large],
        &["JSON.MSET", "d", "$[*]", &large],
    ] {
        c.command(words);
        c.expect(&too_large);
    }
    set(&mut c, "d", &format!("[{}[]]", "[],".repeat(99_999)));
    c.command(&["JSON.ARRAPPEND", "d", "$[*]", &large]);
    c.expect(&too_large);
    c.command(&["JSON.SET", "d", "$[5]", &large]);
    c.expect(OK);
}

#[test]
fn row_45_large_documents_are_freed_in_the_background() {
    let (server, mut c) = start();
    let many = format!("[{}{{}}]", "{\"a\":[1,2,3]},".repeat(50_000));
    let mut other = server.raw();
    for _ in 0..3 {
        set(&mut c, "d", &many);
        check(&mut c, "JSON.SET d $ {}", OK);
        set(&mut c, "d", &many);
        check(&mut c, "JSON.ARRTRIM d . 0 0", ":1\r\n");
        set(&mut c, "d", &many);
        check(&mut c, "DEL d", ":1\r\n");
        check(&mut other, "PING", "+PONG\r\n");
    }
}

#[test]
fn malformed_calls_are_refused() {
    let (_server, mut c) = start();
    for name in [
        "set",
        "mset",
        "merge",
        "get",
        "mget",
        "del",
        "forget",
        "type",
        "numincrby",
        "nummultby",
        "toggle",
        "strappend",
        "strlen",
        "arrappend",
        "arrindex",
        "arrinsert",
        "arrlen",
        "arrpop",
        "arrtrim",
        "objkeys",
        "objlen",
        "clear",
        "resp",
        "debug",
    ] {
        check(
            &mut c,
            &format!("json.{name}"),
            error(&format!("ERR wrong number of arguments for 'json.{name}' command")),
        );
    }
    c.send(b"*4\r\n$8\r\nJSON.SET\r\n$1\r\nd\r\n$1\r\n$\r\n$3\r\n\"\xff\"\r\n");
    c.expect("-invalid unicode code point at line 1 column 3\r\n");
    c.send(b"*4\r\n$8\r\nJSON.SET\r\n$1\r\nd\r\n$1\r\n$\r\n$0\r\n\r\n");
    c.expect("-EOF while parsing a value at line 1 column 0\r\n");
}
