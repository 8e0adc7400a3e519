//! JSON documents, as a client sees them. There is no RedisJSON to ask here: what is expected is what its documentation
//! says, and what its users have shown of it.

mod bounds;
#[path = "../common/mod.rs"]
mod common;
mod keys;
mod newer;
mod paths;
mod writes;

use common::{Raw, TestServer};

const OK: &str = "+OK\r\n";
const NULL: &str = "$-1\r\n";
const EMPTY: &str = "*0\r\n";
const WRONG_TYPE: &str = "-Existing key has wrong Redis type\r\n";
const NO_KEY: &str = "-ERR could not perform this operation on a key that doesn't exist\r\n";
const SYNTAX: &str = "-ERR syntax error\r\n";
const NOT_AN_INTEGER: &str = "-Couldn't parse as integer\r\n";

fn start() -> (TestServer, Raw) {
    let server = TestServer::with(&["--threads", "2", "--enable-debug-command", "yes"]);
    let connection = server.raw();
    (server, connection)
}

/// A connection that speaks RESP3.
fn resp3(server: &TestServer) -> Raw {
    let mut connection = server.raw();
    connection.command(&["HELLO", "3"]);
    let header = connection.read_line();
    let pairs: usize = header[1..].parse().expect("a map");
    // Every line of the greeting: two for each text, one for a number or an empty list.
    let mut left = 2 * pairs;
    while left > 0 {
        let line = connection.read_line();
        if line.starts_with('$') {
            connection.read_line();
        }
        left -= 1;
    }
    connection
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

fn array(parts: &[&str]) -> String {
    format!("*{}\r\n{}", parts.len(), parts.concat())
}

fn bulks(texts: &[&str]) -> String {
    format!("*{}\r\n{}", texts.len(), texts.iter().map(|text| bulk(text)).collect::<String>())
}

fn ints(numbers: &[Option<i64>]) -> String {
    let each =
        numbers.iter().map(|number| number.map_or(NULL.to_string(), |number| format!(":{number}\r\n")));
    format!("*{}\r\n{}", numbers.len(), each.collect::<String>())
}

fn error(text: &str) -> String {
    format!("-{text}\r\n")
}

/// Runs a command whose words have single spaces between them; in a word `~` stands for a space.
#[track_caller]
fn check(c: &mut Raw, line: &str, reply: impl AsRef<str>) {
    let words: Vec<String> = line.split(' ').map(|word| word.replace('~', " ")).collect();
    c.command(&words.iter().map(String::as_str).collect::<Vec<_>>());
    c.expect(reply.as_ref());
}

#[track_caller]
fn all(c: &mut Raw, cases: &[(&str, &str)]) {
    for (line, reply) in cases {
        check(c, line, reply);
    }
}

/// Sets `key` to a document.
#[track_caller]
fn set(c: &mut Raw, key: &str, document: &str) {
    c.command(&["JSON.SET", key, "$", document]);
    c.expect(OK);
}

/// What `key` holds now.
#[track_caller]
fn holds(c: &mut Raw, key: &str, document: &str) {
    c.command(&["JSON.GET", key, "."]);
    c.expect(bulk(document));
}

const DOC: &str = r#"{"a":2,"b":3,"nested":{"a":4,"b":null}}"#;

#[test]
fn documents_are_got_by_paths() {
    let (_server, mut c) = start();
    set(&mut c, "doc", DOC);
    for (line, text) in [
        ("JSON.GET doc", DOC),
        ("JSON.GET doc .", DOC),
        ("JSON.GET doc $", &format!("[{DOC}]")),
        ("JSON.GET doc $..b", "[3,null]"),
        ("JSON.GET doc ..b", "3"),
        ("JSON.GET doc nested.a", "4"),
        ("json.get doc $.nowhere", "[]"),
        ("JSON.GET doc ..a $..b", r#"{"..a":[2,4],"$..b":[3,null]}"#),
        ("JSON.GET doc .a .nested.b", r#"{".a":2,".nested.b":null}"#),
        ("JSON.GET doc $.a $.x $.a", r#"{"$.a":[2],"$.x":[]}"#),
        ("JSON.GET doc NOESCAPE a", "2"),
        (
            "JSON.GET doc INDENT 1 NEWLINE 2 SPACE 3 $",
            r#"[21{211"a":32,211"b":33,211"nested":3{2111"a":34,2111"b":3null211}21}2]"#,
        ),
        ("JSON.GET doc indent ~ newline | a b", r#"{| "a":2,| "b":3|}"#),
        ("JSON.GET doc SPACE _ $.a $.b", r#"{"$.a":_[2],"$.b":_[3]}"#),
    ] {
        check(&mut c, line, bulk(text));
    }
    check(&mut c, "JSON.GET absent", NULL);
    check(&mut c, "JSON.GET absent $.a .b", NULL);
    check(&mut c, "JSON.GET doc .nowhere", error("ERR Path '$.nowhere' does not exist"));
    check(&mut c, "JSON.GET doc nowhere .a", error("ERR Path '$.nowhere' does not exist"));
    check(&mut c, "JSON.GET doc INDENT", error("ERR wrong number of arguments for 'json.get' command"));
    check(&mut c, "SET text x", OK);
    check(&mut c, "JSON.GET text", WRONG_TYPE);
    check(&mut c, "JSON.GET text $", WRONG_TYPE);
}

#[test]
fn several_documents_are_got_at_once() {
    let (_server, mut c) = start();
    set(&mut c, "one", r#"{"a":1,"n":{"a":3}}"#);
    set(&mut c, "two", r#"{"a":4}"#);
    check(&mut c, "SET text x", OK);
    check(
        &mut c,
        "JSON.MGET one two absent text $..a",
        array(&[&bulks(&["[1,3]", "[4]"])[4..], NULL, NULL]).replace("*3", "*4"),
    );
    check(&mut c, "JSON.MGET one two .n.a", array(&[&bulk("3"), NULL]));
    check(&mut c, "JSON.MGET one two $.n.a", bulks(&["[3]", "[]"]));
    check(&mut c, "JSON.MGET one", error("ERR wrong number of arguments for 'json.mget' command"));
    check(&mut c, "COMMAND GETKEYS JSON.MGET one two $", bulks(&["one", "two"]));
    check(&mut c, "COMMAND GETKEYS JSON.MSET one $ 1 two $ 2", bulks(&["one", "two"]));
    check(&mut c, "COMMAND GETKEYS JSON.DEBUG MEMORY one", bulks(&["one"]));
}

#[test]
fn types_have_names() {
    let (_server, mut c) = start();
    set(&mut c, "d", r#"{"a":[null,true,1,1.0,"s",[],{},18446744073709551615]}"#);
    let names = ["null", "boolean", "integer", "number", "string", "array", "object", "integer"];
    check(&mut c, "JSON.TYPE d $.a[*]", bulks(&names));
    check(&mut c, "JSON.TYPE d", bulk("object"));
    check(&mut c, "JSON.TYPE d .a[1]", bulk("boolean"));
    check(&mut c, "JSON.TYPE d $..x", EMPTY);
    check(&mut c, "JSON.TYPE d .x", NULL);
    check(&mut c, "JSON.TYPE absent", NULL);
    check(&mut c, "JSON.TYPE absent $", NULL);
    check(&mut c, "TYPE d", "+ReJSON-RL\r\n");
    check(&mut c, "OBJECT ENCODING d", bulk("raw"));
}

#[test]
fn sizes_are_told_each_in_its_way() {
    let (_server, mut c) = start();
    let document = r#"{"t":"née","l":[1,2,3],"o":{"k":{},"m":1},"n":5,"in":{"l":[]}}"#;
    set(&mut c, "d", document);
    check(&mut c, "JSON.STRLEN d $.*", ints(&[Some(4), None, None, None, None]));
    check(&mut c, "JSON.STRLEN d t", ":4\r\n");
    check(
        &mut c,
        "JSON.STRLEN d n",
        error("WRONGTYPE wrong type of path value - expected string but found integer"),
    );
    check(&mut c, "JSON.STRLEN d .x", error("ERR Path '.x' does not exist"));
    check(&mut c, "JSON.ARRLEN d $..l", ints(&[Some(3), Some(0)]));
    check(&mut c, "JSON.ARRLEN d ..l", ":3\r\n");
    check(&mut c, "JSON.ARRLEN d", error("ERR Path '.' does not exist or not an array"));
    check(&mut c, "JSON.ARRLEN d ..x", error("ERR Path '..x' does not exist"));
    check(&mut c, "JSON.OBJLEN d $.*", ints(&[None, None, Some(2), None, Some(1)]));
    check(&mut c, "JSON.OBJLEN d", ":5\r\n");
    check(&mut c, "JSON.OBJLEN d .x", NULL);
    check(
        &mut c,
        "JSON.OBJLEN d .n",
        error("WRONGTYPE wrong type of path value - expected object but found integer"),
    );
    check(&mut c, "JSON.OBJKEYS d", bulks(&["t", "l", "o", "n", "in"]));
    check(&mut c, "JSON.OBJKEYS d $.*", array(&[NULL, NULL, &bulks(&["k", "m"]), NULL, &bulks(&["l"])]));
    check(&mut c, "JSON.OBJKEYS d .x", NULL);
    check(&mut c, "JSON.OBJKEYS d .n", error("ERR Path '$.n' does not exist or not an object"));
    for command in ["STRLEN", "ARRLEN", "OBJLEN", "OBJKEYS"] {
        check(&mut c, &format!("JSON.{command} absent"), NULL);
        check(&mut c, &format!("JSON.{command} d $.x"), EMPTY);
        let missing = if command == "OBJLEN" {
            error("ERR Path '$.x' does not exist or not an object")
        } else {
            NO_KEY.into()
        };
        check(&mut c, &format!("JSON.{command} absent $.x"), missing);
    }
}

#[test]
fn elements_are_found_in_their_range() {
    let (_server, mut c) = start();
    set(&mut c, "d", r#"{"a":[1,2,"x",1],"b":{"a":[{"k":[1]},1.0]},"c":{"a":7}}"#);
    check(&mut c, "JSON.ARRINDEX d $..a 1", ints(&[Some(0), Some(1), None]));
    check(&mut c, "JSON.ARRINDEX d $.a \"x\"", ints(&[Some(2)]));
    check(&mut c, "JSON.ARRINDEX d ..a 9", ":-1\r\n");
    check(&mut c, "JSON.ARRINDEX d .a 1 1", ":3\r\n");
    check(&mut c, "JSON.ARRINDEX d .a 1 1 3", ":-1\r\n");
    check(&mut c, "JSON.ARRINDEX d .a 1 1 -1", ":-1\r\n");
    check(&mut c, "JSON.ARRINDEX d .a 1 -1 0", ":3\r\n");
    check(&mut c, r#"JSON.ARRINDEX d .b.a {"k":[1]}"#, ":0\r\n");
    check(
        &mut c,
        "JSON.ARRINDEX d .c.a 1",
        error("WRONGTYPE wrong type of path value - expected array but found integer"),
    );
    check(&mut c, "JSON.ARRINDEX d .x 1", error("ERR Path '$.x' does not exist"));
    check(&mut c, "JSON.ARRINDEX absent $.x 1", error("ERR Path '$.x' does not exist"));
    check(&mut c, "JSON.ARRINDEX d $.x 1", EMPTY);
    check(&mut c, "JSON.ARRINDEX d $.a x", error("ERR expected value at line 1 column 1"));
    check(&mut c, "JSON.ARRINDEX d $.a 1 x", NOT_AN_INTEGER);
    check(
        &mut c,
        "JSON.ARRINDEX d $.a 1 1 1 1",
        error("ERR wrong number of arguments for 'json.arrindex' command"),
    );
}

#[test]
fn values_are_shown_in_the_types_of_the_protocol() {
    let (_server, mut c) = start();
    set(
        &mut c,
        "d",
        r#"{"n":null,"t":true,"i":-7,"f":64.99,"u":18446744073709551615,"s":"x","a":[1,[]],"o":{}}"#,
    );
    let parts = [
        "+{\r\n".to_string(),
        bulk("n") + NULL,
        bulk("t") + "+true\r\n",
        bulk("i") + ":-7\r\n",
        bulk("f") + &bulk("64.99"),
        bulk("u") + &bulk("18446744073709551615"),
        bulk("s") + &bulk("x"),
        bulk("a") + "*3\r\n+[\r\n:1\r\n*1\r\n+[\r\n",
        bulk("o") + "*1\r\n+{\r\n",
    ];
    check(&mut c, "JSON.RESP d", format!("*17\r\n{}", parts.concat()));
    check(&mut c, "JSON.RESP d $.i", "*1\r\n:-7\r\n");
    check(&mut c, "JSON.RESP d $.x", EMPTY);
    check(&mut c, "JSON.RESP d .x", error("ERR Path '$.x' does not exist"));
    check(&mut c, "JSON.RESP absent $", NULL);
}

#[test]
fn memory_is_told() {
    let (_server, mut c) = start();
    set(&mut c, "d", r#"{"short":"a","long":"a text that does not fit in place","list":[1,2,3]}"#);
    check(&mut c, "JSON.DEBUG MEMORY d .short", ":16\r\n");
    check(&mut c, "JSON.DEBUG MEMORY d $.*", ints(&[Some(16), Some(49), Some(16 + 24 + 3 * 16)]));
    check(&mut c, "JSON.DEBUG MEMORY d $.x", EMPTY);
    check(&mut c, "JSON.DEBUG MEMORY d .x", error("ERR Path '$.x' does not exist"));
    check(&mut c, "JSON.DEBUG MEMORY absent", ":0\r\n");
    check(&mut c, "JSON.DEBUG MEMORY absent $", EMPTY);
    check(&mut c, "JSON.DEBUG MEMORY", error("ERR wrong number of arguments for 'json.debug' command"));
    check(&mut c, "JSON.DEBUG other d", error("ERR unknown subcommand - try `JSON.DEBUG HELP`"));
    let help = ["MEMORY <key> [path] - reports memory usage", "HELP                - this message"];
    check(&mut c, "JSON.DEBUG HELP", bulks(&help));
    let usage: usize = c.line("MEMORY USAGE d")[1..].parse().expect("a number");
    assert!((200..1000).contains(&usage), "{usage}");
}
