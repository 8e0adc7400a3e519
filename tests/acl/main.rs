//! Users and what they may do: ACL, AUTH, and everything that asks for rights.

#[path = "../common/mod.rs"]
mod common;

mod enforce;
mod files;
mod limits;
mod races;

use common::{Raw, TestServer};

/// A connection as the user `name`, which the server must know by that very password.
fn login(server: &TestServer, name: &str) -> Raw {
    let mut raw = server.raw();
    raw.check(&format!("AUTH {name} {name}"), "+OK\r\n");
    raw
}

/// Makes a user with its name as the password, and these rules.
fn make(admin: &mut Raw, name: &str, rules: &str) {
    admin.check(&format!("ACL SETUSER {name} reset on >{name} {rules}"), "+OK\r\n");
}

/// Lines of the reply to HELLO 3.
const HELLO_LINES: usize = 26;

/// Reads lines that do not matter.
fn skip(raw: &mut Raw, lines: usize) {
    (0..lines).for_each(|_| drop(raw.read_line()));
}

#[track_caller]
fn bulk(raw: &mut Raw, line: &str, expected: &str) {
    raw.check(line, &format!("${}\r\n{expected}\r\n", expected.len()));
}

#[track_caller]
fn list(raw: &mut Raw, line: &str, expected: &[&str]) {
    raw.send(format!("{line}\r\n"));
    raw.expect(format!("*{}\r\n", expected.len()));
    for one in expected {
        raw.expect(format!("${}\r\n{one}\r\n", one.len()));
    }
}

#[test]
fn the_default_user_may_do_everything() {
    let server = TestServer::start();
    let mut raw = server.raw();
    bulk(&mut raw, "ACL WHOAMI", "default");
    list(&mut raw, "ACL USERS", &["default"]);
    list(&mut raw, "ACL LIST", &["user default on nopass sanitize-payload ~* &* +@all"]);
    raw.check("AUTH default anything", "+OK\r\n");
    raw.check("ACL DELUSER default", "-ERR The 'default' user cannot be removed\r\n");
    raw.check("ACL GETUSER nobody", "$-1\r\n");
    raw.check(
        "AUTH x",
        "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?\r\n",
    );
    raw.check("AUTH nobody x", "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    raw.check("AUTH a b c", "-ERR syntax error\r\n");
}

#[test]
fn users_are_described_as_they_were_made() {
    let server = TestServer::start();
    let mut raw = server.raw();
    raw.check("ACL SETUSER bob", "+OK\r\n");
    list(&mut raw, "ACL USERS", &["bob", "default"]);
    raw.check(
        "ACL SETUSER bob on >pw ~x* %R~r* %W~w* &c +get +set (+mget ~m*) (%RW~z &ch +@all) +client|id",
        "+OK\r\n",
    );
    raw.send("ACL GETUSER bob\r\n");
    let flags = "*12\r\n$5\r\nflags\r\n*2\r\n$2\r\non\r\n$16\r\nsanitize-payload\r\n";
    let digest = "30c952fab122c3f9759f02a6d95c3758b246b4fee239957b2d4fee46e26170c4";
    let root = "$8\r\ncommands\r\n$26\r\n-@all +get +set +client|id\r\n$4\r\nkeys\r\n$15\r\n~x* %R~r* %W~w*\r\n$8\r\nchannels\r\n$2\r\n&c\r\n";
    let others = "$9\r\nselectors\r\n*2\r\n*6\r\n$8\r\ncommands\r\n$11\r\n-@all +mget\r\n$4\r\nkeys\r\n$3\r\n~m*\r\n$8\r\nchannels\r\n$0\r\n\r\n*6\r\n$8\r\ncommands\r\n$5\r\n+@all\r\n$4\r\nkeys\r\n$2\r\n~z\r\n$8\r\nchannels\r\n$3\r\n&ch\r\n";
    raw.expect(format!("{flags}$9\r\npasswords\r\n*1\r\n$64\r\n{digest}\r\n{root}{others}"));
    let line = format!(
        "user bob on sanitize-payload #{digest} ~x* %R~r* %W~w* resetchannels &c -@all +get +set +client|id (~m* resetchannels -@all +mget) (~z resetchannels &ch +@all)"
    );
    list(&mut raw, "ACL LIST", &[&line, "user default on nopass sanitize-payload ~* &* +@all"]);
    raw.check("ACL SETUSER bob reset skip-sanitize-payload", "+OK\r\n");
    list(
        &mut raw,
        "ACL LIST",
        &[
            "user bob off skip-sanitize-payload resetchannels -@all",
            "user default on nopass sanitize-payload ~* &* +@all",
        ],
    );
    raw.check("ACL DELUSER nosuch bob", ":1\r\n");
}

#[test]
fn wrong_rules_change_nothing() {
    let server = TestServer::start();
    let mut raw = server.raw();
    let unknown = "Unknown command or category name in ACL";
    let hash =
        "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters";
    for (rule, why) in [
        ("%~x", "Syntax error"),
        ("%X~x", "Syntax error"),
        ("%RR~x", "Syntax error"),
        ("foo", "Syntax error"),
        ("+get|", "Syntax error"),
        ("(on)", "Syntax error"),
        ("+nosuch", unknown),
        ("-nosuch", unknown),
        ("+@nosuch", unknown),
        ("+config|nosuch", unknown),
        ("-config|nosuch", unknown),
        ("-select|1", unknown),
        ("+get)", unknown),
        ("+config|get|x", "Allowing first-arg of a subcommand is not supported"),
        ("<nope", "The password you are trying to remove from the user does not exist"),
        ("#abc", hash),
        ("!abc", hash),
    ] {
        raw.check(
            &format!("ACL SETUSER bob on +get {rule}"),
            &format!("-ERR Error in ACL SETUSER modifier '{rule}': {why}\r\n"),
        );
    }
    raw.command(&["ACL", "SETUSER", "bob", "~a b"]);
    raw.expect("-ERR Error in ACL SETUSER modifier '~a b': Syntax error\r\n");
    raw.check("ACL SETUSER bob (+get", "-ERR Unmatched parenthesis in acl selector starting at '(+get'.\r\n");
    let twice = |what, how| {
        format!(
            "Adding a pattern after the * pattern (or the '{what}' flag) is not valid and does not have any effect. Try '{how}' to start with an empty list of"
        )
    };
    raw.check(
        "ACL SETUSER bob allkeys ~x",
        &format!("-ERR Error in ACL SETUSER modifier '~x': {} patterns\r\n", twice("allkeys", "resetkeys")),
    );
    raw.check(
        "ACL SETUSER bob allchannels &x",
        &format!(
            "-ERR Error in ACL SETUSER modifier '&x': {} channels\r\n",
            twice("allchannels", "resetchannels")
        ),
    );
    raw.check("ACL SETUSER \"a b\"", "-ERR Usernames can't contain spaces or null characters\r\n");
    raw.check("ACL GETUSER bob", "$-1\r\n");
}

#[test]
fn passwords_are_right_or_wrong() {
    let server = TestServer::start();
    let (mut admin, mut raw) = (server.raw(), server.raw());
    let wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
    admin.check("ACL SETUSER bob >one >two +ping +acl|whoami", "+OK\r\n");
    raw.check("AUTH bob one", wrong);
    admin.check("ACL SETUSER bob on", "+OK\r\n");
    raw.check("AUTH bob three", wrong);
    bulk(&mut raw, "ACL WHOAMI", "default");
    raw.check("AUTH bob two", "+OK\r\n");
    bulk(&mut raw, "ACL WHOAMI", "bob");
    admin.check("ACL SETUSER bob <two", "+OK\r\n");
    raw.check("PING", "+PONG\r\n");
    raw.check("AUTH bob two", wrong);
    bulk(&mut raw, "ACL WHOAMI", "bob");
    admin.check("ACL SETUSER bob nopass", "+OK\r\n");
    raw.check("AUTH bob whatever", "+OK\r\n");
    admin.check("ACL SETUSER bob off", "+OK\r\n");
    raw.check("PING", "+PONG\r\n");
    raw.check("AUTH bob whatever", wrong);
    admin.check("ACL SETUSER bob on resetpass", "+OK\r\n");
    raw.check("AUTH bob whatever", wrong);
    // SHA-256 of `foobar`.
    let digest = "c3ab8ff13720e8ad9047dd39466b3c8974e592c2fa383d4a3960714caef0c4f2";
    admin.check(&format!("ACL SETUSER bob #{digest}"), "+OK\r\n");
    raw.check("AUTH bob foobar", "+OK\r\n");
    admin.check(&format!("ACL SETUSER bob !{digest}"), "+OK\r\n");
    raw.check("AUTH bob foobar", wrong);
}

#[test]
fn hello_authenticates() {
    let server = TestServer::start();
    server.raw().check("CONFIG SET requirepass secret", "+OK\r\n");
    let mut raw = server.raw();
    let first = "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time\r\n";
    raw.check("HELLO", first);
    raw.check("HELLO 3", first);
    raw.check(
        "HELLO 3 AUTH default no",
        "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
    );
    raw.check("HELLO 3 AUTH default", "-ERR Syntax error in HELLO option 'AUTH'\r\n");
    raw.check("PING", "-NOAUTH Authentication required.\r\n");
    raw.check("nosuch x", "-ERR unknown command 'nosuch', with args beginning with: 'x' \r\n");
    raw.check("GET", "-ERR wrong number of arguments for 'get' command\r\n");
    raw.send("HELLO 3 AUTH default secret SETNAME me\r\n");
    skip(&mut raw, HELLO_LINES);
    bulk(&mut raw, "CLIENT GETNAME", "me");
    raw.check("RESET", "+RESET\r\n");
    raw.check("PING", "-NOAUTH Authentication required.\r\n");
    raw.check("AUTH secret", "+OK\r\n");
    raw.check("PING", "+PONG\r\n");
    raw.check("QUIT", "+OK\r\n");
}

#[test]
fn requirepass_changes_while_the_server_runs() {
    let server = TestServer::start();
    let (mut admin, mut early) = (server.raw(), server.raw());
    early.check("PING", "+PONG\r\n");
    admin.check("CONFIG SET requirepass secret", "+OK\r\n");
    early.check("PING", "+PONG\r\n");
    let mut late = server.raw();
    late.check("PING", "-NOAUTH Authentication required.\r\n");
    admin.check("CONFIG SET requirepass other", "+OK\r\n");
    late.check("AUTH secret", "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    late.check("AUTH other", "+OK\r\n");
    let mut waiting = server.raw();
    waiting.check("PING", "-NOAUTH Authentication required.\r\n");
    admin.check("CONFIG SET requirepass \"\"", "+OK\r\n");
    waiting.check("PING", "+PONG\r\n");
    list(&mut admin, "ACL LIST", &["user default on nopass sanitize-payload ~* &* +@all"]);
}

#[test]
fn made_up_passwords_and_categories() {
    let server = TestServer::start();
    let mut raw = server.raw();
    for (line, digits) in [("ACL GENPASS", 64), ("ACL GENPASS 5", 2), ("ACL GENPASS 4096", 1024)] {
        raw.send(format!("{line}\r\n"));
        let password = raw.bulk();
        assert!(password.len() == digits && password.iter().all(u8::is_ascii_hexdigit), "{line}");
    }
    let bits = "-ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096\r\n";
    raw.check("ACL GENPASS 0", bits);
    raw.check("ACL GENPASS 4097", bits);
    raw.check("ACL GENPASS x", "-ERR value is not an integer or out of range\r\n");
    list(
        &mut raw,
        "ACL CAT",
        &[
            "keyspace",
            "read",
            "write",
            "set",
            "sortedset",
            "list",
            "hash",
            "string",
            "bitmap",
            "hyperloglog",
            "geo",
            "stream",
            "pubsub",
            "admin",
            "fast",
            "slow",
            "blocking",
            "dangerous",
            "connection",
            "transaction",
            "scripting",
        ],
    );
    list(&mut raw, "ACL CAT transaction", &["multi", "exec", "discard", "watch", "unwatch"]);
    raw.check("ACL CAT nosuch", "-ERR Unknown category 'nosuch'\r\n");
    raw.check(
        "ACL CAT a b",
        "-ERR unknown subcommand or wrong number of arguments for 'CAT'. Try ACL HELP.\r\n",
    );
    raw.check("ACL FOO", "-ERR unknown subcommand 'FOO'. Try ACL HELP.\r\n");
    raw.check("ACL WHOAMI x", "-ERR wrong number of arguments for 'acl|whoami' command\r\n");
}

#[test]
fn dry_runs_say_what_is_missing() {
    let server = TestServer::start();
    let mut raw = server.raw();
    make(&mut raw, "bob", "+@all -del %R~read* %W~write* %RW~rw* &c");
    raw.check("ACL DRYRUN nobody get x", "-ERR User 'nobody' not found\r\n");
    raw.check("ACL DRYRUN bob nosuch y", "-ERR Command 'nosuch' not found\r\n");
    raw.check("ACL DRYRUN bob set y", "-ERR wrong number of arguments for 'set' command\r\n");
    bulk(&mut raw, "ACL DRYRUN bob del rw", "User bob has no permissions to run the 'del' command");
    let key = |key: &str| format!("User bob has no permissions to access the '{key}' key");
    for (command, missing) in [
        ("get read", None),
        ("get write", Some("write")),
        ("set write x", None),
        ("set write x get", Some("write")),
        ("set read x", Some("read")),
        ("set rw x get", None),
        ("copy read write", None),
        ("copy write read", Some("write")),
        ("copy read read2", Some("read2")),
        ("mset write1 1 other 2", Some("other")),
        ("bitfield read get u4 0", None),
        ("bitfield read get u4 0 set u4 0 1", Some("read")),
        ("bitfield write set u4 0 1", Some("write")),
        ("bitfield rw set u4 0 1", None),
        ("sintercard 2 read write", Some("write")),
        ("eval x 1 rw other", None),
        ("eval x 2 rw other", Some("other")),
        ("xread streams read nothing 0 0", Some("nothing")),
        ("exists write", None),
        ("exists nothing", Some("nothing")),
        ("strlen write", None),
        ("sort read store write", None),
        ("sort read store rread", Some("rread")),
        ("georadius read 1 2 3 m store write", None),
        ("georadius read 1 2 3 m store read", Some("read")),
        ("publish c x", None),
        ("zunionstore write 2 read read2", None),
        ("memory usage nothing", Some("nothing")),
    ] {
        let line = format!("ACL DRYRUN bob {command}");
        match missing {
            None => raw.check(&line, "+OK\r\n"),
            Some(missing) => bulk(&mut raw, &line, &key(missing)),
        }
    }
    bulk(&mut raw, "ACL DRYRUN bob publish d x", "User bob has no permissions to access the 'd' channel");
    bulk(&mut raw, "ACL DRYRUN bob psubscribe c*", "User bob has no permissions to access the 'c*' channel");
}

/// The log's entries as maps from name to value.
fn log(raw: &mut Raw) -> Vec<std::collections::BTreeMap<String, String>> {
    raw.send("ACL LOG\r\n");
    let count: usize = raw.read_line()[1..].parse().expect("an array");
    let word = |raw: &mut Raw| match raw.read_line() {
        line if line.starts_with('$') => raw.read_line(),
        line => line[1..].to_string(),
    };
    let mut entries = Vec::new();
    for _ in 0..count {
        assert_eq!(raw.read_line(), "*20");
        entries.push((0..10).map(|_| (word(raw), word(raw))).collect());
    }
    entries
}

#[test]
fn the_log_tells_who_lacked_what() {
    let server = TestServer::start();
    let mut admin = server.raw();
    make(&mut admin, "bob", "+get +set +multi +exec +discard +eval +publish ~k* (+mget ~k* ~m*)");
    let mut bob = login(&server, "bob");
    for line in ["DEL k", "GET x", "GET x", "PUBLISH c m", "MGET kx mx x"] {
        assert!(bob.line(line).starts_with("-NOPERM"), "{line}");
    }
    bob.check("MULTI", "+OK\r\n");
    assert!(bob.line("GET y").starts_with("-NOPERM"));
    bob.check("DISCARD", "+OK\r\n");
    assert!(bob.line("EVAL \"return redis.call('get','z')\" 0").starts_with("-NOPERM"));
    assert!(bob.line("AUTH eve x").starts_with("-WRONGPASS"));
    let entries = log(&mut admin);
    let seen: Vec<[&str; 5]> = entries
        .iter()
        .map(|entry| ["count", "reason", "context", "object", "username"].map(|name| entry[name].as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            ["1", "auth", "toplevel", "AUTH", "eve"],
            ["1", "key", "lua", "z", "bob"],
            ["1", "key", "multi", "y", "bob"],
            ["3", "key", "toplevel", "x", "bob"],
            ["1", "channel", "toplevel", "c", "bob"],
            ["1", "command", "toplevel", "del", "bob"],
        ]
    );
    assert!(entries[5]["client-info"].contains(" cmd=del user=bob "), "{}", entries[5]["client-info"]);
    assert!(entries[5]["timestamp-created"].parse::<u64>().is_ok_and(|ms| ms > 1_700_000_000_000));
    admin.send("INFO stats\r\n");
    let stats = String::from_utf8(admin.bulk()).expect("text");
    for field in ["auth:1", "cmd:1", "key:5", "channel:1"] {
        assert!(stats.contains(&format!("acl_access_denied_{field}\r\n")), "{field}");
    }
    admin.check("CONFIG SET acllog-max-len 2", "+OK\r\n");
    assert!(bob.line("SELECT 1").starts_with("-NOPERM"));
    assert_eq!(log(&mut admin).len(), 2);
    admin.check("ACL LOG -1", "*0\r\n");
    admin.check("ACL LOG x", "-ERR value is not an integer or out of range\r\n");
    admin.check("ACL LOG RESET", "+OK\r\n");
    admin.check("ACL LOG", "*0\r\n");
}
