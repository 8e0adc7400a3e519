//! Users in files.

use std::fs;
use std::path::PathBuf;

use super::common::TestServer;
use super::{bulk, list, login};

/// A folder of the test's own.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("sockudo-kv-acl-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Scratch(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("writable");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

const DEFAULT: &str = "user default on nopass sanitize-payload ~* &* +@all";

#[test]
fn the_acl_file_is_loaded_and_saved() {
    let scratch = Scratch::new("file");
    let path =
        scratch.file("users.acl", "user bob on >bob ~k* +get (+set ~s*)\n\nuser eve on >eve +@all ~*\n");
    let server = TestServer::with(&["--aclfile", path.to_str().expect("text")]);
    let mut admin = server.raw();
    list(&mut admin, "ACL USERS", &["bob", "default", "eve"]);
    let (mut bob, mut eve) = (login(&server, "bob"), login(&server, "eve"));
    bob.check("SET s1 x", "+OK\r\n");
    admin.check("ACL SETUSER bob +del", "+OK\r\n");
    admin.check("ACL SAVE", "+OK\r\n");
    let saved = fs::read_to_string(&path).expect("readable");
    assert!(saved.contains("resetchannels -@all +get +del (~s* resetchannels -@all +set)\n"), "{saved}");
    assert!(saved.contains(DEFAULT) && fs::read_dir(&scratch.0).expect("a folder").count() == 1);
    // Those who are still there stay connected with what they may do now, the others are gone.
    fs::write(&path, "user bob on >bob ~k* +ping\n").expect("writable");
    admin.check("ACL LOAD", "+OK\r\n");
    bob.check("GET k", "-NOPERM User bob has no permissions to run the 'get' command\r\n");
    bob.check("PING", "+PONG\r\n");
    assert!(eve.closed());
    list(&mut admin, "ACL USERS", &["bob", "default"]);
}

#[test]
fn a_file_with_mistakes_changes_nothing() {
    let scratch = Scratch::new("mistakes");
    let path = scratch.file("users.acl", &format!("{DEFAULT}\n"));
    let name = path.to_str().expect("text");
    let server = TestServer::with(&["--aclfile", name]);
    let mut admin = server.raw();
    let lines = "foo\nuser\nuser alice on +nosuch >x +bad\nuser alice on\nuser bob (+get\nuser d +get|\n";
    fs::write(&path, lines).expect("writable");
    let unknown = "Unknown command or category name in ACL. ";
    let expected = [
        format!("-ERR {name}:1 should start with user keyword followed by the username. "),
        format!("{name}:2 should start with user keyword followed by the username. "),
        format!("{name}:3: Error in applying operation '+nosuch': {unknown}"),
        format!("{name}:3: Error in applying operation '+bad': {unknown}"),
        "WARNING: Duplicate user 'alice' found on line 4. ".to_string(),
        format!("{name}:5: Unmatched parenthesis in selector definition. "),
        format!("{name}:6: Error in applying operation '+get|': Syntax error. "),
        "WARNING: ACL errors detected, no change to the previously active ACL rules was performed\r\n"
            .to_string(),
    ];
    admin.check("ACL LOAD", &expected.concat());
    list(&mut admin, "ACL LIST", &[DEFAULT]);
    fs::remove_file(&path).expect("there");
    admin.check(
        "ACL LOAD",
        &format!("-ERR Error loading ACLs, opening file '{name}': No such file or directory\r\n"),
    );
    admin.check("ACL SAVE", "+OK\r\n");
    assert_eq!(fs::read_to_string(&path).expect("readable"), format!("{DEFAULT}\n"));
}

#[test]
fn without_a_file_there_is_nothing_to_load_or_save() {
    let server = TestServer::start();
    let mut raw = server.raw();
    for line in ["ACL LOAD", "ACL SAVE"] {
        assert!(
            raw.line(line).starts_with("-ERR This Redis instance is not configured to use an ACL file. ")
        );
    }
}

#[test]
fn the_configuration_describes_users_and_is_rewritten_with_them() {
    let scratch = Scratch::new("config");
    let path = scratch.file(
        "redis.conf",
        "# users\nuser bob on >bob ~k* +get ( +set ~s* )\nrename-command KEYS \"\"\nrename-command CONFIG settings\n",
    );
    let server = TestServer::with_file(&path);
    let mut bob = login(&server, "bob");
    bob.check("SET s1 x", "+OK\r\n");
    let mut admin = server.raw();
    admin.check("ACL SETUSER eve on nopass +@all &a", "+OK\r\n");
    admin.check("ACL DELUSER bob", ":1\r\n");
    admin.check("SETTINGS SET requirepass secret", "+OK\r\n");
    admin.check("SETTINGS REWRITE", "+OK\r\n");
    let text = fs::read_to_string(&path).expect("readable");
    let digest = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    for line in [
        "# users",
        "rename-command KEYS \"\"",
        "requirepass \"secret\"",
        &format!("user default on sanitize-payload #{digest} ~* &* +@all"),
        "user eve on nopass sanitize-payload resetchannels &a +@all",
    ] {
        assert!(text.lines().any(|one| one == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("bob"), "{text}");
    drop(server);
    // The folder that it names ended with the server.
    let text =
        text.replace("requirepass", "#").replace(&format!("#{digest}"), "nopass").replace("\ndir ", "\n# ");
    fs::write(&path, text).expect("writable");
    let server = TestServer::with_file(&path);
    let mut raw = server.raw();
    list(&mut raw, "ACL USERS", &["default", "eve"]);
}

#[test]
fn commands_have_the_names_that_the_operator_gives_them() {
    let server = TestServer::with(&["--rename-command", "GET", "fetch", "--rename-command", "KEYS", ""]);
    let mut raw = server.raw();
    raw.check("GET k", "-ERR unknown command 'GET', with args beginning with: 'k' \r\n");
    raw.check("KEYS *", "-ERR unknown command 'KEYS', with args beginning with: '*' \r\n");
    raw.check("FETCH k", "$-1\r\n");
    raw.check("fetch", "-ERR wrong number of arguments for 'get' command\r\n");
    // Rules are about commands, whatever they are called.
    raw.check("ACL SETUSER bob on nopass -@all +get ~*", "+OK\r\n");
    raw.check(
        "ACL SETUSER bob +fetch",
        "-ERR Error in ACL SETUSER modifier '+fetch': Unknown command or category name in ACL\r\n",
    );
    bulk(&mut raw, "ACL DRYRUN bob set k v", "User bob has no permissions to run the 'set' command");
    raw.check("ACL DRYRUN bob fetch k", "+OK\r\n");
}

fn refuses_to_start(directives: &[&str], reason: &str) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sockudo-kv"));
    let output = command.args(["--port", "0"]).args(directives).output().expect("the server starts");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(!output.status.success() && said.contains(reason), "{directives:?}: {said}");
}

#[test]
fn contradictions_are_told_at_the_start() {
    refuses_to_start(&["--user", "a", "on", "--user", "a", "off"], "Duplicate user");
    refuses_to_start(&["--user", "default", "--user", "default"], "Duplicate user");
    refuses_to_start(&["--user", "a b", "on"], "Spaces not allowed in ACL usernames");
    refuses_to_start(
        &["--user", "a", "on", "+nosuch"],
        "Error loading ACL rule '+nosuch' for the user named 'a'",
    );
    refuses_to_start(&["--user", "a", "on", "--aclfile", "users.acl"], "Users are described in an ACL file");
    refuses_to_start(&["--user", "a", "(+get"], "Unmatched parenthesis");
    refuses_to_start(&["--tls-port", "1"], "Failed to configure TLS");
    refuses_to_start(&["--rename-command", "nosuch", "x"], "No such command in rename-command");
    refuses_to_start(&["--rename-command", "get", "set"], "Target command name already exists");
}
