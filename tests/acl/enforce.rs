//! Every way to run a command asks for rights.

use super::common::{Raw, TestServer};
use super::{HELLO_LINES, bulk, login, make, skip};

const KEY: &str = "-NOPERM No permissions to access a key\r\n";
const CHANNEL: &str = "-NOPERM No permissions to access a channel\r\n";

fn command(user: &str, name: &str) -> String {
    format!("-NOPERM User {user} has no permissions to run the '{name}' command\r\n")
}

#[test]
fn commands_keys_and_channels() {
    let server = TestServer::start();
    let mut admin = server.raw();
    make(&mut admin, "bob", "+get +set +mset +publish +subscribe +psubscribe +client|id +select|1 ~k* &c*");
    let mut bob = login(&server, "bob");
    bob.check("SET k1 1", "+OK\r\n");
    bob.check("SET x 1", KEY);
    bob.check("GET x", KEY);
    bob.check("MSET k1 1 x 2", KEY);
    bob.check("DEL k1", &command("bob", "del"));
    bob.check("CLIENT LIST", &command("bob", "client|list"));
    assert!(bob.line("CLIENT ID").starts_with(':'));
    bob.check("SELECT 1", "+OK\r\n");
    bob.check("SELECT 0", &command("bob", "select"));
    bob.check("PUBLISH c1 x", ":0\r\n");
    bob.check("PUBLISH d x", CHANNEL);
    bob.check("SUBSCRIBE c1 d", CHANNEL);
    bob.check("PSUBSCRIBE c1*", CHANNEL);
    bob.check("PSUBSCRIBE c*", "*3\r\n$10\r\npsubscribe\r\n$2\r\nc*\r\n:1\r\n");
    // What has no keys in it is refused for its words, and not for keys.
    let mut other = login(&server, "bob");
    other.check("MSET k1", "-ERR wrong number of arguments for 'mset' command\r\n");
    other.check("nosuch", "-ERR unknown command 'nosuch', with args beginning with: \r\n");
}

#[test]
fn selectors_do_not_add_up() {
    let server = TestServer::start();
    let mut admin = server.raw();
    make(&mut admin, "bob", "(+@write ~write*) (+@read ~read*)");
    let mut bob = login(&server, "bob");
    bob.check("PING", &command("bob", "ping"));
    bob.check("SET write1 bar", "+OK\r\n");
    bob.check("GET read1", "$-1\r\n");
    bob.check("GET write1", KEY);
    bob.check("SET read1 x", KEY);
    bob.check("COPY read1 write1", KEY);
    admin.check("ACL SETUSER bob clearselectors", "+OK\r\n");
    bob.check("GET read1", &command("bob", "get"));
}

#[test]
fn rights_change_for_connections_that_are_there() {
    let server = TestServer::start();
    let mut admin = server.raw();
    make(&mut admin, "bob", "+get ~*");
    let (mut bob, mut default) = (login(&server, "bob"), server.raw());
    bob.check("GET k", "$-1\r\n");
    admin.check("ACL SETUSER bob -get", "+OK\r\n");
    bob.check("GET k", &command("bob", "get"));
    admin.check("ACL SETUSER bob allcommands", "+OK\r\n");
    bob.check("SET k 1", "+OK\r\n");
    // The user of everybody else, and in the middle of a batch.
    default.check("GET k", "$1\r\n1\r\n");
    bob.send("ACL SETUSER default -get\r\nACL SETUSER bob -get\r\nGET k\r\nSET k 2\r\n");
    bob.expect(format!("+OK\r\n+OK\r\n{}+OK\r\n", command("bob", "get")));
    default.check("GET k", &command("default", "get"));
}

#[test]
fn transactions_ask_when_they_queue_and_when_they_run() {
    let server = TestServer::start();
    let mut admin = server.raw();
    make(&mut admin, "bob", "+@all ~k*");
    let mut bob = login(&server, "bob");
    bob.check("MULTI", "+OK\r\n");
    bob.check("GET x", KEY);
    bob.check("SET k 1", "+QUEUED\r\n");
    bob.check("EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n");
    bob.check("MULTI", "+OK\r\n");
    bob.check("SET k 1", "+QUEUED\r\n");
    bob.check("GET k", "+QUEUED\r\n");
    bob.check("PUBLISH c x", CHANNEL);
    bob.check("DISCARD", "+OK\r\n");
    bob.check("MULTI", "+OK\r\n");
    bob.check("SET k 1", "+QUEUED\r\n");
    bob.check("GET k", "+QUEUED\r\n");
    admin.check("ACL SETUSER bob -set", "+OK\r\n");
    let changed = "-NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command can't be executed for the following reason: ";
    bob.check(
        "EXEC",
        &format!("*2\r\n{changed}no permission to execute the command or subcommand\r\n$-1\r\n"),
    );
    admin.check("ACL SETUSER bob +set", "+OK\r\n");
    // A transaction that takes its own user's rights away feels it from there on.
    bob.send("MULTI\r\nSET k 1\r\nACL SETUSER bob resetkeys\r\nSET k 2\r\nACL WHOAMI\r\nEXEC\r\n");
    bob.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n");
    bob.expect(format!(
        "*4\r\n+OK\r\n+OK\r\n{changed}no permission to touch the specified keys\r\n$3\r\nbob\r\n"
    ));
    bulk(&mut admin, "GET k", "1");
    admin.check("ACL SETUSER bob ~*", "+OK\r\n");
    bob.check("MULTI", "+OK\r\n");
    admin.check("ACL SETUSER bob -exec", "+OK\r\n");
    bob.check(
        "EXEC",
        "-EXECABORT Transaction discarded because of: NOPERM User bob has no permissions to run the 'exec' command\r\n",
    );
}

#[test]
fn scripts_have_the_rights_of_their_client() {
    let server = TestServer::start();
    let mut admin = server.raw();
    make(&mut admin, "bob", "+eval +fcall +get +set +publish ~k* &c");
    admin.command(&[
        "FUNCTION",
        "LOAD",
        "#!lua name=l\nredis.register_function('f', function(keys) return redis.call('del', keys[1]) end)",
    ]);
    admin.expect("$1\r\nl\r\n");
    let mut bob = login(&server, "bob");
    let script = "-NOPERM ACL failure in script: ";
    for (code, text) in [
        ("redis.call('get','x')", "No permissions to access a key"),
        ("redis.call('del','k')", "User bob has no permissions to run the 'del' command"),
        ("redis.call('publish','d','m')", "No permissions to access a channel"),
    ] {
        bob.command(&["EVAL", &format!("return {code}"), "0"]);
        let line = bob.read_line();
        assert!(line.starts_with(&format!("{script}{text} script: ")), "{line}");
        bob.command(&["EVAL", &format!("return {}", code.replace("call", "pcall")), "0"]);
        bob.expect(format!("{script}{text}\r\n"));
    }
    bob.command(&["EVAL", "return redis.call('set','k1','v')", "0"]);
    bob.expect("+OK\r\n");
    bob.check("EVAL \"return 1\" 1 x", KEY);
    bob.check("FCALL f 1 x", KEY);
    assert!(
        bob.line("FCALL f 1 k1")
            .starts_with(&format!("{script}User bob has no permissions to run the 'del'"))
    );
    bulk(&mut admin, "GET k1", "v");
    for (words, allowed) in [("'get','x'", "$-1\r\n"), ("'get','k'", ":1\r\n"), ("'del','k'", "$-1\r\n")] {
        bob.command(&["EVAL", &format!("return redis.acl_check_cmd({words})"), "0"]);
        bob.expect(allowed);
    }
}

/// SORT's patterns may name any key, so they take the right to read every key.
#[test]
fn patterns_of_sort_need_every_key() {
    let server = TestServer::start();
    let mut admin = server.raw();
    admin.check("RPUSH mylist 1", ":1\r\n");
    admin.check("SET v1 1", "+OK\r\n");
    make(&mut admin, "bob", "(+sort +sort_ro ~mylist)");
    let mut bob = login(&server, "bob");
    bob.check("SORT mylist STORE other", KEY);
    let denied = |what| format!("-ERR {what} option of SORT denied due to insufficient ACL permissions.\r\n");
    for rules in ["(+sort +sort_ro ~mylist ~v*)", "(+sort +sort_ro ~mylist %W~*)"] {
        for command in ["SORT", "SORT_RO"] {
            bob.check(&format!("{command} mylist BY v*"), &denied("BY"));
            bob.check(&format!("{command} mylist GET v*"), &denied("GET"));
            bob.check(&format!("{command} mylist GET #"), &denied("GET"));
            bob.check(&format!("{command} mylist BY nosort"), "*1\r\n$1\r\n1\r\n");
        }
        admin.check(&format!("ACL SETUSER bob {rules}"), "+OK\r\n");
    }
    admin.check("ACL SETUSER bob (+sort ~mylist %R~*)", "+OK\r\n");
    bob.check("SORT mylist BY v* GET v*", "*1\r\n$1\r\n1\r\n");
}

fn wait_until_blocked(admin: &mut Raw) {
    while !{
        admin.send("CLIENT LIST\r\n");
        String::from_utf8_lossy(&admin.bulk()).contains("flags=b")
    } {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn a_command_that_waited_asks_again() {
    let server = TestServer::start();
    let mut admin = server.raw();
    make(&mut admin, "bob", "+@all ~*");
    let mut bob = login(&server, "bob");
    bob.send("BLPOP q 0\r\n");
    wait_until_blocked(&mut admin);
    admin.check("ACL SETUSER bob resetkeys", "+OK\r\n");
    admin.check("RPUSH q x", ":1\r\n");
    bob.expect(KEY);
    admin.check("LLEN q", ":1\r\n");
    bob.check("PING", "+PONG\r\n");
    admin.send("INFO commandstats\r\n");
    let stats = String::from_utf8(admin.bulk()).expect("text");
    let blpop = stats.lines().find(|line| line.starts_with("cmdstat_blpop:")).expect("it was called");
    assert!(blpop.contains(":calls=0,") && blpop.ends_with(",rejected_calls=1,failed_calls=0"), "{blpop}");
}

#[test]
fn deleted_users_are_disconnected() {
    let server = TestServer::start();
    let mut admin = server.raw();
    make(&mut admin, "bob", "+@all");
    make(&mut admin, "eve", "+@all ~*");
    let (mut bob, mut eve, mut blocked) =
        (login(&server, "bob"), login(&server, "eve"), login(&server, "eve"));
    blocked.send("BLPOP q 0\r\n");
    wait_until_blocked(&mut admin);
    admin.check("ACL DELUSER eve nosuch", ":1\r\n");
    assert!(eve.closed() && blocked.closed());
    bob.check("ACL DELUSER bob", ":1\r\n");
    assert!(bob.closed());
    // The next one of that name is somebody else.
    make(&mut admin, "eve", "+ping");
    login(&server, "eve").check("PING", "+PONG\r\n");
}

#[test]
fn listeners_without_their_channels_are_disconnected() {
    let server = TestServer::start();
    let mut admin = server.raw();
    let listening = |rules: &str, line: &str| {
        let mut admin = server.raw();
        make(&mut admin, "bob", &format!("+@all {rules}"));
        let mut bob = login(&server, "bob");
        bob.send(format!("{line}\r\n"));
        assert_eq!(bob.read_line(), "*3");
        (0..5).for_each(|_| drop(bob.read_line()));
        bob
    };
    for line in ["SUBSCRIBE foo", "SSUBSCRIBE foo", "PSUBSCRIBE foo"] {
        let mut bob = listening("&foo &bar", line);
        admin.check("ACL SETUSER bob resetchannels &bar &foo &more", "+OK\r\n");
        admin.check("ACL SETUSER bob allchannels", "+OK\r\n");
        bob.check("PING", "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
        admin.check("ACL SETUSER bob resetchannels &foo", "+OK\r\n");
        bob.check("PING", "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
        admin.check("ACL SETUSER bob resetchannels &bar", "+OK\r\n");
        assert!(bob.closed(), "{line}");
    }
    // The literal name of a pattern counts.
    let mut bob = listening("&foo*", "PSUBSCRIBE foo*");
    admin.check("ACL SETUSER bob resetchannels &fo*", "+OK\r\n");
    assert!(bob.closed());
    // Who takes its own channels away still hears that it worked.
    let mut bob = listening("&foo", "SUBSCRIBE foo");
    bob.check("RESET", "+RESET\r\n");
    bob.send("HELLO 3 AUTH bob bob\r\nSUBSCRIBE foo\r\n");
    skip(&mut bob, HELLO_LINES + 6);
    bob.check("ACL SETUSER bob resetchannels", "+OK\r\n");
    assert!(bob.closed());
}

#[test]
fn clients_are_found_by_their_user() {
    let server = TestServer::start();
    let mut admin = server.raw();
    make(&mut admin, "bob", "+@all");
    let (mut first, mut second) = (login(&server, "bob"), login(&server, "bob"));
    admin.send("CLIENT LIST\r\n");
    let clients = String::from_utf8(admin.bulk()).expect("text");
    assert_eq!(clients.matches(" user=bob ").count(), 2, "{clients}");
    admin.check("CLIENT KILL USER nosuch", "-ERR No such user 'nosuch'\r\n");
    admin.check("CLIENT KILL USER bob", ":2\r\n");
    assert!(first.closed() && second.closed());
    admin.check("PING", "+PONG\r\n");
}
