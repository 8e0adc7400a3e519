//! COMMAND and its subcommands.

mod common;
use std::process::Command;

use common::{Raw, TestServer};

/// A connection that speaks RESP3.
fn resp3(server: &TestServer) -> Option<Raw> {
    let mut raw = server.raw();
    let greeting = raw.line("HELLO 3");
    if !greeting.starts_with('%') {
        return None;
    }
    // The rest of the greeting ends before the answer to a ping that nobody else would send.
    raw.send("PING marker\r\n");
    while raw.read_line() != "marker" {}
    Some(raw)
}

#[test]
fn info_describes_a_command_in_ten_elements() {
    let server = TestServer::start();
    let mut c = server.raw();
    let get = "*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n\
               *3\r\n+@read\r\n+@string\r\n+@fast\r\n*0\r\n*1\r\n*6\r\n$5\r\nflags\r\n*2\r\n+RO\r\n+access\r\n\
               $12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n*2\r\n$5\r\nindex\r\n:1\r\n\
               $9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n*6\r\n$7\r\nlastkey\r\n:0\r\n\
               $7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n*0\r\n";
    c.check("COMMAND INFO get", &format!("*1\r\n{get}"));
    c.check("COMMAND INFO nosuch GET config|nosuch get|x", &format!("*4\r\n$-1\r\n{get}$-1\r\n$-1\r\n"));
    c.check(
        "COMMAND INFO Config|Get",
        "*1\r\n*10\r\n$10\r\nconfig|get\r\n:-3\r\n*4\r\n+admin\r\n+noscript\r\n+loading\r\n+stale\r\n:0\r\n:0\r\n\
         :0\r\n*3\r\n+@admin\r\n+@slow\r\n+@dangerous\r\n*0\r\n*0\r\n*0\r\n",
    );
    c.check(
        "COMMAND INFO shutdown",
        "*1\r\n*10\r\n$8\r\nshutdown\r\n:-1\r\n*6\r\n+admin\r\n+noscript\r\n+loading\r\n+stale\r\n+no_multi\r\n\
         +allow_busy\r\n:0\r\n:0\r\n:0\r\n*3\r\n+@admin\r\n+@slow\r\n+@dangerous\r\n*0\r\n*0\r\n*0\r\n",
    );
}

#[test]
fn resp3_has_sets_and_maps() {
    let server = TestServer::start();
    let Some(mut c) = resp3(&server) else { return println!("skipped: the server has no HELLO") };
    c.check(
        "COMMAND INFO get nosuch",
        "*2\r\n*10\r\n$3\r\nget\r\n:2\r\n~2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n~3\r\n+@read\r\n+@string\r\n\
         +@fast\r\n~0\r\n~1\r\n%3\r\n$5\r\nflags\r\n~2\r\n+RO\r\n+access\r\n$12\r\nbegin_search\r\n%2\r\n$4\r\ntype\r\n\
         $5\r\nindex\r\n$4\r\nspec\r\n%1\r\n$5\r\nindex\r\n:1\r\n$9\r\nfind_keys\r\n%2\r\n$4\r\ntype\r\n$5\r\nrange\r\n\
         $4\r\nspec\r\n%3\r\n$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n~0\r\n_\r\n",
    );
    c.check("COMMAND GETKEYSANDFLAGS get a", "*1\r\n*2\r\n$1\r\na\r\n~2\r\n+RO\r\n+access\r\n");
    c.check("CONFIG GET hz", "%1\r\n$2\r\nhz\r\n$2\r\n10\r\n");
    c.check("INFO cluster", "=34\r\ntxt:# Cluster\r\ncluster_enabled:0\r\n\r\n");
}

#[test]
fn count_and_list_agree() {
    let server = TestServer::start();
    let mut client = server.client();
    let count: usize = redis::cmd("COMMAND").arg("COUNT").query(&mut client).expect("a count");
    let all: redis::Value = redis::cmd("COMMAND").query(&mut client).expect("all commands");
    let redis::Value::Array(all) = all else { panic!("{all:?}") };
    assert_eq!(all.len(), count);
    let names: Vec<String> = redis::cmd("COMMAND").arg("LIST").query(&mut client).expect("names");
    assert_eq!(names.iter().filter(|name| !name.contains('|')).count(), count);
    assert!(names.iter().any(|name| name == "config|get"));
}

#[test]
fn lists_are_filtered() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("COMMAND LIST FILTERBY MODULE json", "*0\r\n");
    c.check("COMMAND LIST FILTERBY ACLCAT nosuch", "*0\r\n");
    c.check("COMMAND LIST FILTERBY ACLCAT @read", "*0\r\n");
    c.check("COMMAND LIST filterby pattern LOLW?T", "*1\r\n$6\r\nlolwut\r\n");
    let mut client = server.client();
    let mut list = |by: &str, what: &str| -> Vec<String> {
        let mut names: Vec<String> =
            redis::cmd("COMMAND").arg(&["LIST", "FILTERBY", by, what]).query(&mut client).expect("names");
        names.sort();
        names
    };
    let config = ["config", "config|get", "config|help", "config|resetstat", "config|rewrite", "config|set"];
    assert_eq!(list("PATTERN", "CONFIG*"), config);
    assert!(list("ACLCAT", "Dangerous").contains(&"config|set".to_string()));
    for line in ["x", "FILTERBY", "FILTERBY x y", "FILTERBY PATTERN", "FILTERBY PATTERN a b"] {
        c.check(&format!("COMMAND LIST {line}"), "-ERR syntax error\r\n");
    }
}

#[test]
fn docs_hold_the_arguments() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("COMMAND DOCS nosuch", "*0\r\n");
    c.check(
        "COMMAND DOCS nosuch Config|Set",
        "*2\r\n$10\r\nconfig|set\r\n*10\r\n$7\r\nsummary\r\n$46\r\nChanges configuration parameters, all or none.\r\n\
         $5\r\nsince\r\n$5\r\n2.0.0\r\n$5\r\ngroup\r\n$6\r\nserver\r\n$10\r\ncomplexity\r\n\
         $62\r\nO(N) when N is the number of configuration parameters provided\r\n$9\r\narguments\r\n*1\r\n*8\r\n\
         $4\r\nname\r\n$15\r\nparameter_value\r\n$4\r\ntype\r\n$5\r\nblock\r\n$5\r\nflags\r\n*1\r\n+multiple\r\n\
         $9\r\narguments\r\n*2\r\n*6\r\n$4\r\nname\r\n$9\r\nparameter\r\n$4\r\ntype\r\n$6\r\nstring\r\n\
         $12\r\ndisplay_text\r\n$9\r\nparameter\r\n*6\r\n$4\r\nname\r\n$5\r\nvalue\r\n$4\r\ntype\r\n$6\r\nstring\r\n\
         $12\r\ndisplay_text\r\n$5\r\nvalue\r\n",
    );
}

#[test]
fn redis_cli_makes_its_help_of_the_docs() {
    let server = TestServer::start();
    let port = server.port.to_string();
    let help = |words: &[&str]| {
        let output = Command::new("redis-cli").args(["-p", &port, "help"]).args(words).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let Some(text) = help(&["config", "set"]) else { return println!("skipped: there is no redis-cli") };
    // The sentence is ours, so it was not redis-cli's own table that answered.
    assert!(text.contains("Changes configuration parameters, all or none."), "{text}");
    for (words, arguments) in [
        (&["config", "set"][..], "parameter value [parameter value ...]"),
        (&["shutdown"], "[NOSAVE|SAVE] [NOW] [FORCE] [ABORT]"),
        (&["command", "list"], "[FILTERBY MODULE module-name|ACLCAT category|PATTERN pattern]"),
        (&["command", "getkeys"], "command [arg [arg ...]]"),
    ] {
        let text = help(words).expect("it ran before");
        assert!(text.contains(arguments), "{words:?}: {text}");
    }
}

#[test]
fn row_44_getkeys_finds_what_the_command_touches() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("COMMAND GETKEYS get a", "*1\r\n$1\r\na\r\n");
    c.check("COMMAND GETKEYS mset a b c", "*2\r\n$1\r\na\r\n$1\r\nc\r\n");
    c.check("COMMAND GETKEYS MGET a b c", "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n");
    c.check("COMMAND GETKEYSANDFLAGS mget a", "*1\r\n*2\r\n$1\r\na\r\n*2\r\n+RO\r\n+access\r\n");
}

#[test]
fn row_44_getkeys_refuses_calls_that_would_not_run() {
    let server = TestServer::start();
    let mut c = server.raw();
    for command in ["GETKEYS", "GETKEYSANDFLAGS"] {
        let lower = command.to_ascii_lowercase();
        let arity = format!("-ERR wrong number of arguments for 'command|{lower}' command\r\n");
        c.check(&format!("COMMAND {command}"), &arity);
        for (line, reply) in [
            ("nosuch a", "-ERR Invalid command specified\r\n"),
            ("config nosuch x", "-ERR Invalid command specified\r\n"),
            ("ping a", "-ERR The command has no key arguments\r\n"),
            ("config get x", "-ERR The command has no key arguments\r\n"),
            ("get a b", "-ERR Invalid number of arguments specified for command\r\n"),
            ("get", "-ERR Invalid number of arguments specified for command\r\n"),
            ("mset a", "-ERR Invalid number of arguments specified for command\r\n"),
        ] {
            c.check(&format!("COMMAND {command} {line}"), reply);
        }
    }
}

#[test]
fn mistakes_have_their_words() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("COMMAND nosuch a", "-ERR unknown subcommand 'nosuch'. Try COMMAND HELP.\r\n");
    c.check("COMMAND COUNT x", "-ERR wrong number of arguments for 'command|count' command\r\n");
    c.check("COMMAND HELP x", "-ERR wrong number of arguments for 'command|help' command\r\n");
    assert_eq!(c.line("COMMAND HELP"), "*17");
}

/// The second of two commands of one container in a pipeline was once taken for the first.
#[test]
fn commands_of_one_container_follow_each_other() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SET k 1", "+OK\r\n");
    c.send(
        "OBJECT REFCOUNT k\r\nOBJECT ENCODING k\r\nXGROUP CREATE x g $ MKSTREAM\r\nXGROUP DESTROY x g\r\n",
    );
    c.expect(":1\r\n$3\r\nint\r\n+OK\r\n:1\r\n");
}
