//! Changes of documents.

use super::*;

#[test]
fn values_are_set_where_a_path_leads() {
    let (_server, mut c) = start();
    all(
        &mut c,
        &[
            ("JSON.SET d $.a 1", "-ERR new objects must be created at the root\r\n"),
            ("JSON.SET d $.a 1 XX", "-ERR new objects must be created at the root\r\n"),
            ("JSON.SET d $ 1 XX", NULL),
            ("JSON.SET d . {\"a\":2} NX", OK),
            ("JSON.SET d $ 1 NX", NULL),
            ("JSON.SET d $.a 3", OK),
            ("JSON.SET d $.a 4 NX", NULL),
            ("JSON.SET d $.b 8 XX", NULL),
            ("JSON.SET d $.b 8 nx", OK),
            ("JSON.SET d b.c 8", NULL),
            ("JSON.SET d $.x.y 8", NULL),
            ("JSON.SET d $..x 8", "-Err wrong static path\r\n"),
            ("JSON.SET d $.*.x 8 NX", "-Err wrong static path\r\n"),
            ("JSON.SET d $ 1 NX XX", SYNTAX),
            ("JSON.SET d $ 1 what", SYNTAX),
            ("JSON.SET d $ 1 FPHA", SYNTAX),
            ("JSON.SET d $ 1 FPHA FP8", SYNTAX),
            ("JSON.SET d $", "-ERR wrong number of arguments for 'json.set' command\r\n"),
            ("JSON.SET d $ foo", "-expected ident at line 1 column 2\r\n"),
            ("JSON.SET d $ {\"asd}", "-EOF while parsing a string at line 1 column 6\r\n"),
            ("JSON.SET new $ inf", "-expected value at line 1 column 1\r\n"),
            ("JSON.SET new $ ''", "-expected value at line 1 column 1\r\n"),
            ("EXISTS new", ":0\r\n"),
        ],
    );
    holds(&mut c, "d", r#"{"a":3,"b":8}"#);
    set(&mut c, "l", "[{},{}]");
    check(&mut c, "JSON.SET l $[1] 5", OK);
    check(&mut c, "JSON.SET l $[3] {}", error("ERR array index out of range"));
    check(&mut c, "JSON.SET l $[*] {\"f\":[]}", OK);
    holds(&mut c, "l", r#"[{"f":[]},{"f":[]}]"#);
    check(&mut c, "JSON.SET l [0].f[5] 5", error("ERR array index out of range"));
    check(&mut c, "SET text x", OK);
    check(&mut c, "JSON.SET text $ 1", WRONG_TYPE);
    check(&mut c, "JSON.SET text $.a 1", WRONG_TYPE);
    check(&mut c, "GET d", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
    check(
        &mut c,
        "JSON.GET d $[",
        error(
            "Error occurred on position 2, \"$[ ---->>>> \", expected one of the following: \
        '<string>[,<string>,...]', '<number>', ['start:end:steps'], '*', '?(<filter>)'.",
        ),
    );
}

#[test]
fn a_narrow_type_rounds_and_refuses() {
    let (_server, mut c) = start();
    check(&mut c, "JSON.SET d $ [[1,2,3,4e3],[5,6.0,7,8],[1,2]] FPHA FP16", OK);
    holds(&mut c, "d", "[[1.0,2.0,3.0,4000.0],[5.0,6.0,7.0,8.0],[1,2]]");
    check(&mut c, "JSON.SET d $[0] [0.1] XX FPHA fp32", OK);
    check(&mut c, "JSON.GET d $[0][0]", bulk("[0.10000000149011612]"));
    check(&mut c, "JSON.SET d $ [1.5,70000] FPHA FP16", error("value out of range for F16: 70000.0"));
}

#[test]
fn several_documents_are_set_at_once_or_none() {
    let (_server, mut c) = start();
    check(&mut c, "JSON.MSET a $ {\"x\":1} b . 2", OK);
    check(&mut c, "JSON.MSET a $.y 3 b $ {}", OK);
    holds(&mut c, "a", r#"{"x":1,"y":3}"#);
    holds(&mut c, "b", "{}");
    for (line, text) in [
        ("JSON.MSET a $.x 9 new $.f 1", "ERR new objects must be created at the root"),
        ("JSON.MSET a $.x 9 text $ 1", "Existing key has wrong Redis type"),
        ("JSON.MSET a $.x 9 b $..f 1", "Err wrong static path"),
        ("JSON.MSET a $.x 9 b $ nul", "EOF while parsing a value at line 1 column 3"),
        ("JSON.MSET a $.x 9 b", "ERR wrong number of arguments for 'json.mset' command"),
        ("JSON.MSET new $.f 1", "ERR new objects must be created at the root"),
    ] {
        check(&mut c, "SET text x", OK);
        check(&mut c, line, error(text));
    }
    holds(&mut c, "a", r#"{"x":1,"y":3}"#);
    // A path that leads nowhere is left out.
    check(&mut c, "JSON.MSET a $.x.z 1 b $.n 2", NULL);
    holds(&mut c, "b", r#"{"n":2}"#);
    check(&mut c, "JSON.MSET a $ 1 a $ 2", OK);
    holds(&mut c, "a", "2");
}

#[test]
fn patches_are_merged() {
    let (_server, mut c) = start();
    check(&mut c, "JSON.MERGE d $.a 1", error("ERR new objects must be created at the root"));
    check(&mut c, "JSON.MERGE d $ {\"a\":2,\"n\":null}", OK);
    holds(&mut c, "d", r#"{"a":2,"n":null}"#);
    check(&mut c, "JSON.MERGE d $ {\"n\":null,\"b\":{\"c\":null,\"d\":[1]}}", OK);
    holds(&mut c, "d", r#"{"a":2,"b":{"d":[1]}}"#);
    check(&mut c, "JSON.MERGE d $.b.d [10,12]", OK);
    check(&mut c, "JSON.MERGE d $.e {\"x\":null}", OK);
    holds(&mut c, "d", r#"{"a":2,"b":{"d":[10,12]},"e":{"x":null}}"#);
    check(&mut c, "JSON.MERGE d $.* {\"m\":1}", OK);
    holds(&mut c, "d", r#"{"a":{"m":1},"b":{"d":[10,12],"m":1},"e":{"x":null,"m":1}}"#);
    check(&mut c, "JSON.MERGE d $.q.r 1", NULL);
    check(&mut c, "JSON.MERGE d $..q 1", error("Err wrong static path"));
    check(&mut c, "JSON.MERGE d $ [", error("EOF while parsing a list at line 1 column 1"));
    check(&mut c, "JSON.MERGE d $.a null", OK);
    check(&mut c, "JSON.GET d a", bulk("null"));
}

#[test]
fn values_are_deleted_and_with_the_last_the_key() {
    let (_server, mut c) = start();
    set(&mut c, "d", r#"{"a":1,"nested":{"a":2,"b":3},"l":[0,1,2,3]}"#);
    all(
        &mut c,
        &[
            ("JSON.DEL d $..a", ":2\r\n"),
            ("JSON.FORGET d .l[1]", ":1\r\n"),
            ("JSON.DEL d $.l[0,-1,0]", ":2\r\n"),
            ("JSON.DEL d $.x", ":0\r\n"),
            ("JSON.DEL d .x", ":0\r\n"),
            ("JSON.DEL absent $..a", ":0\r\n"),
            ("JSON.DEL d $.l[5]", ":0\r\n"),
        ],
    );
    holds(&mut c, "d", r#"{"nested":{"b":3},"l":[2]}"#);
    check(&mut c, "JSON.DEL d $.*", ":2\r\n");
    check(&mut c, "EXISTS d", ":0\r\n");
    for root in ["", " $", " ."] {
        set(&mut c, "d", "[1]");
        check(&mut c, &format!("JSON.DEL d{root}"), ":1\r\n");
        check(&mut c, "EXISTS d", ":0\r\n");
    }
    set(&mut c, "empty", "{}");
    check(&mut c, "JSON.DEL empty $.x", ":0\r\n");
    holds(&mut c, "empty", "{}");
    check(&mut c, "SET text x", OK);
    check(&mut c, "JSON.DEL text", WRONG_TYPE);
}

#[test]
fn containers_are_emptied_and_numbers_zeroed() {
    let (_server, mut c) = start();
    set(&mut c, "d", r#"{"obj":{"a":1,"b":2},"arr":[1,2,3],"str":"foo","bool":true,"int":42,"float":3.14}"#);
    check(&mut c, "JSON.CLEAR d $.*", ":4\r\n");
    holds(&mut c, "d", r#"{"obj":{},"arr":[],"str":"foo","bool":true,"int":0,"float":0}"#);
    check(&mut c, "JSON.CLEAR d $.*", ":0\r\n");
    check(&mut c, "JSON.CLEAR d $.x", ":0\r\n");
    check(&mut c, "JSON.CLEAR d", ":1\r\n");
    holds(&mut c, "d", "{}");
    check(&mut c, "JSON.CLEAR absent", NO_KEY);
}

#[test]
fn truth_values_are_toggled() {
    let (_server, mut c) = start();
    set(&mut c, "d", r#"{"b":true,"n":{"b":false},"o":{"b":1}}"#);
    check(&mut c, "JSON.TOGGLE d $..b", ints(&[Some(0), Some(1), None]));
    check(&mut c, "JSON.TOGGLE d .b", bulk("true"));
    check(&mut c, "JSON.TOGGLE d ..b", bulk("false"));
    holds(&mut c, "d", r#"{"b":false,"n":{"b":false},"o":{"b":1}}"#);
    check(&mut c, "JSON.TOGGLE d $.x", EMPTY);
    check(&mut c, "JSON.TOGGLE d ..x", error("ERR Path '$..x' does not exist or not a bool"));
    check(&mut c, "JSON.TOGGLE d .o.b", error("ERR Path '$.o.b' does not exist or not a bool"));
    check(&mut c, "JSON.TOGGLE absent $", NO_KEY);
}

#[test]
fn numbers_are_calculated_with() {
    let (_server, mut c) = start();
    set(&mut c, "d", r#"{"a":"b","b":[{"a":2},{"a":5.5},{"a":"c"}]}"#);
    check(&mut c, "JSON.NUMINCRBY d $.a 2", bulk("[null]"));
    check(&mut c, "JSON.NUMINCRBY d $..a 2", bulk("[null,4,7.5,null]"));
    check(&mut c, "JSON.NUMINCRBY d $.b[0].a 0.5", bulk("[4.5]"));
    check(&mut c, "JSON.NUMMULTBY d $..a 2", bulk("[null,9.0,15.0,null]"));
    check(&mut c, "JSON.NUMMULTBY d ..a -1", bulk("-15.0"));
    check(&mut c, "JSON.NUMINCRBY d .b[0].a 9", bulk("0.0"));
    check(&mut c, "JSON.NUMINCRBY d $.x 1", bulk("[]"));
    check(
        &mut c,
        "JSON.NUMINCRBY d .x 1",
        error("ERR Path '$.x' does not exist or does not contains a number"),
    );
    check(
        &mut c,
        "JSON.NUMINCRBY d .a 1",
        error("ERR Path '$.a' does not exist or does not contains a number"),
    );
    check(&mut c, "JSON.NUMINCRBY d $.b[0].a true", error("bad input number"));
    check(&mut c, "JSON.NUMINCRBY d $.b[0].a x", error("ERR expected value at line 1 column 1"));
    check(&mut c, "JSON.NUMINCRBY d $.a x", bulk("[null]"));
    check(&mut c, "JSON.NUMINCRBY absent $.a 1", NO_KEY);
    check(&mut c, "JSON.NUMMULTBY absent .a 1", NO_KEY);
}

#[test]
fn strings_are_appended_to() {
    let (_server, mut c) = start();
    set(&mut c, "d", r#"{"a":"foo","n":{"a":"é"},"o":{"a":31}}"#);
    check(&mut c, "JSON.STRAPPEND d $..a \"baz\"", ints(&[Some(6), Some(5), None]));
    check(&mut c, "JSON.STRAPPEND d .a \"~and~more~than~fits\"", ":25\r\n");
    check(&mut c, "JSON.GET d $..a", bulk(r#"["foobaz and more than fits","ébaz",31]"#));
    check(&mut c, "JSON.STRAPPEND d $.x \"y\"", EMPTY);
    check(&mut c, "JSON.STRAPPEND d .o.a \"y\"", error("ERR Path '$.o.a' does not exist or not a string"));
    check(
        &mut c,
        "JSON.STRAPPEND d $.a 5",
        error("WRONGTYPE wrong type of path value - expected string but found integer"),
    );
    check(&mut c, "JSON.STRAPPEND d $.a y", error("ERR expected value at line 1 column 1"));
    check(&mut c, "JSON.STRAPPEND absent $.a \"y\"", NO_KEY);
    set(&mut c, "s", "\"x\"");
    check(&mut c, "JSON.STRAPPEND s \"y\"", ":2\r\n");
    check(
        &mut c,
        "JSON.STRAPPEND s . \"z\" 1",
        error("ERR wrong number of arguments for 'json.strappend' command"),
    );
    holds(&mut c, "s", "\"xy\"");
}

#[test]
fn arrays_are_changed_at_both_ends_and_between() {
    let (_server, mut c) = start();
    let document = r#"{"a":[1],"n":{"a":[1,2]},"o":{"a":{}}}"#;
    set(&mut c, "d", document);
    check(&mut c, "JSON.ARRAPPEND d $..a 3 {\"x\":[]}", ints(&[Some(3), Some(4), None]));
    check(&mut c, "JSON.ARRAPPEND d ..a null", ":5\r\n");
    check(&mut c, "JSON.ARRPOP d $..a", array(&[&bulk("null"), &bulk("null"), NULL]));
    check(&mut c, "JSON.ARRPOP d ..a 0", bulk("1"));
    check(&mut c, "JSON.ARRINSERT d $..a 1 \"i\" \"j\"", ints(&[Some(4), Some(5), None]));
    check(&mut c, "JSON.ARRINSERT d ..a -1 0", ":5\r\n");
    holds(&mut c, "d", r#"{"a":[3,"i","j",0,{"x":[]}],"n":{"a":[2,"i","j",3,0,{"x":[]}]},"o":{"a":{}}}"#);
    check(&mut c, "JSON.ARRTRIM d $..a 1 2", ints(&[Some(2), Some(2), None]));
    check(&mut c, "JSON.ARRTRIM d ..a -1 100", ":1\r\n");
    holds(&mut c, "d", r#"{"a":["j"],"n":{"a":["j"]},"o":{"a":{}}}"#);
    check(&mut c, "JSON.ARRTRIM d $.a 1 0", ints(&[Some(0)]));
    check(&mut c, "JSON.ARRPOP d $.a", array(&[NULL]));
    check(&mut c, "JSON.ARRPOP d .a", NULL);
    check(&mut c, "JSON.ARRPOP d .n.a -7", bulk("\"j\""));
    for command in ["ARRAPPEND d .o.a 1", "ARRINSERT d .o.a 0 1", "ARRPOP d .o.a", "ARRTRIM d .o.a 0 1"] {
        check(&mut c, &format!("JSON.{command}"), error("ERR Path '$.o.a' does not exist or not an array"));
        check(&mut c, &format!("JSON.{}", command.replace("d .o.a", "absent $.a")), NO_KEY);
        check(&mut c, &format!("JSON.{}", command.replace(".o.a", "$.x")), EMPTY);
    }
    check(&mut c, "JSON.ARRAPPEND d $.a x", error("expected value at line 1 column 1"));
    check(&mut c, "JSON.ARRPOP d $.a x", NOT_AN_INTEGER);
    check(&mut c, "JSON.ARRTRIM d $.a x 1", NOT_AN_INTEGER);
    check(&mut c, "JSON.ARRINSERT d $.a x 1", NOT_AN_INTEGER);
    check(&mut c, "JSON.ARRPOP d $.a 1 1", error("ERR wrong number of arguments for 'json.arrpop' command"));
    // Nothing is inserted anywhere if one of the arrays has no such place.
    set(&mut c, "op", r#"{"x":{"y":[1]},"p":{"y":[100,12]},"t":{"y":[]}}"#);
    check(&mut c, "JSON.ARRINSERT op $..y 1 99", error("ERR index out of bounds"));
    holds(&mut c, "op", r#"{"x":{"y":[1]},"p":{"y":[100,12]},"t":{"y":[]}}"#);
    // Arrays inside of arrays are changed before what they are in.
    set(&mut c, "deep", "[[1,2],[3,[4,5]]]");
    check(
        &mut c,
        "JSON.ARRPOP deep $..[*] 0",
        array(&[&bulk("1"), &bulk("3"), NULL, NULL, NULL, &bulk("4"), NULL, NULL]),
    );
    holds(&mut c, "deep", "[[2],[[5]]]");
}
