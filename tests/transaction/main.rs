//! MULTI, EXEC, DISCARD and what stands between them.

#[path = "../common/mod.rs"]
mod common;
mod watch;

use common::{Raw, TestServer};

/// Sends MULTI and the commands, which must all be queued.
#[track_caller]
fn queue(c: &mut Raw, lines: &[&str]) {
    c.check("MULTI", "+OK\r\n");
    lines.iter().for_each(|line| c.check(line, "+QUEUED\r\n"));
}

#[test]
fn what_was_queued_runs_at_exec() {
    let server = TestServer::start();
    let (mut c, mut other) = (server.raw(), server.raw());
    queue(&mut c, &["SET a 1", "INCR a", "INCR b", "LASTSAVE x", "GET a"][..3]);
    other.check("MGET a b", "*2\r\n$-1\r\n$-1\r\n");
    c.check("EXEC", "*3\r\n+OK\r\n:2\r\n:1\r\n");
    other.check("MGET a b", "*2\r\n$1\r\n2\r\n$1\r\n1\r\n");
    queue(&mut c, &[]);
    c.check("EXEC", "*0\r\n");
    // An error of one command is its own reply, and the others run.
    queue(&mut c, &["SET t text", "INCR t", "SET u 1"]);
    c.check("EXEC", "*3\r\n+OK\r\n-ERR value is not an integer or out of range\r\n+OK\r\n");
    other.check("GET u", "$1\r\n1\r\n");
}

#[test]
fn the_frame_is_checked() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("EXEC", "-ERR EXEC without MULTI\r\n");
    c.check("DISCARD", "-ERR DISCARD without MULTI\r\n");
    queue(&mut c, &["SET a 1"]);
    c.check("MULTI", "-ERR MULTI calls can not be nested\r\n");
    c.check("DISCARD", "+OK\r\n");
    c.check("EXISTS a", ":0\r\n");
    queue(&mut c, &[]);
    c.check("MULTI", "-ERR MULTI calls can not be nested\r\n");
    c.check("EXEC", "*0\r\n");
    queue(&mut c, &["SET a 1"]);
    c.check(
        "EXEC foo",
        "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command\r\n",
    );
    c.check("EXEC", "-ERR EXEC without MULTI\r\n");
}

#[test]
fn a_refused_command_spoils_the_transaction() {
    let server = TestServer::start();
    let mut c = server.raw();
    for (line, refusal) in [
        ("NOSUCH a", "-ERR unknown command 'NOSUCH', with args beginning with: 'a' \r\n"),
        ("GET", "-ERR wrong number of arguments for 'get' command\r\n"),
        ("DISCARD y", "-ERR wrong number of arguments for 'discard' command\r\n"),
        ("MULTI x", "-ERR wrong number of arguments for 'multi' command\r\n"),
        ("SHUTDOWN", "-ERR Command not allowed inside a transaction\r\n"),
        ("CLIENT NOSUCH", "-ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP.\r\n"),
    ] {
        queue(&mut c, &["SET a 1"]);
        c.check(line, refusal);
        c.check("SET b 1", "+QUEUED\r\n");
        c.check("EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n");
        c.check("EXISTS a b", ":0\r\n");
    }
}

#[test]
fn reset_and_quit_end_it() {
    let server = TestServer::start();
    let mut c = server.raw();
    queue(&mut c, &["SET a 1"]);
    c.check("RESET", "+RESET\r\n");
    c.check("EXEC", "-ERR EXEC without MULTI\r\n");
    queue(&mut c, &["SET a 1"]);
    c.check("QUIT", "+OK\r\n");
    assert!(c.closed());
    server.raw().check("EXISTS a", ":0\r\n");
}

#[test]
fn the_connection_changes_inside() {
    let server = TestServer::start();
    let mut c = server.raw();
    queue(&mut c, &["SET k zero", "SELECT 1", "SET k one", "GET k", "SELECT 99", "HELLO 3 AUTH x", "DBSIZE"]);
    c.check(
        "EXEC",
        "*7\r\n+OK\r\n+OK\r\n+OK\r\n$3\r\none\r\n-ERR DB index is out of range\r\n\
         -ERR Syntax error in HELLO option 'AUTH'\r\n:1\r\n",
    );
    c.check("GET k", "$3\r\none\r\n");
    // The protocol changes in the middle of the reply.
    queue(&mut c, &["GET none", "HELLO 3", "GET none", "CLIENT TRACKINGINFO"][..3]);
    c.check("EXEC", "*3\r\n$-1\r\n%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n");
    while c.read_line() != "_" {}
    c.check("GET none", "_\r\n");
}

#[test]
fn replies_are_dropped_from_where_the_client_says_so() {
    let server = TestServer::start();
    let mut c = server.raw();
    queue(&mut c, &["SET a 1", "CLIENT REPLY OFF", "GET a"]);
    c.check("EXEC", "*3\r\n+OK\r\n");
    c.send("PING\r\n");
    c.check("CLIENT REPLY ON", "+OK\r\n");
    queue(&mut c, &["CLIENT REPLY SKIP", "GET a"]);
    c.check("EXEC", "*2\r\n$1\r\n1\r\n");
    c.send("PING dropped\r\n");
    c.check("PING", "+PONG\r\n");
    c.send("CLIENT REPLY OFF\r\nMULTI\r\nINCR a\r\nCLIENT REPLY ON\r\nINCR a\r\n");
    c.check("EXEC", "+OK\r\n:3\r\n");
}

#[test]
fn all_keys_at_once_and_those_nobody_names() {
    let server = TestServer::start();
    let mut c = server.raw();
    queue(&mut c, &["MSET a 1 b 2", "DBSIZE", "RENAME a c", "MGET a b c", "FLUSHALL", "DBSIZE", "KEYS *"]);
    c.check("EXEC", "*7\r\n+OK\r\n:2\r\n+OK\r\n*3\r\n$-1\r\n$1\r\n2\r\n$1\r\n1\r\n+OK\r\n:0\r\n*0\r\n");
    // Keys in other databases, expired ones, and walks without a section of their own.
    queue(&mut c, &["SET a 1 PX 1", "COPY a z DB 3", "MOVE a 2", "SCAN 0 COUNT 1000", "RANDOMKEY"]);
    c.check("EXEC", "*5\r\n+OK\r\n:1\r\n:1\r\n*2\r\n$1\r\n0\r\n*0\r\n$-1\r\n");
    c.check("SET x 1 PX 1", "+OK\r\n");
    std::thread::sleep(std::time::Duration::from_millis(10));
    queue(&mut c, &["EXISTS x", "GET x", "SETNX x 2", "GET x"]);
    c.check("EXEC", "*4\r\n:0\r\n$-1\r\n:1\r\n$1\r\n2\r\n");
}

#[test]
fn memory_is_refused_as_early_as_it_can_be() {
    let server = TestServer::start();
    let (mut c, mut admin) = (server.raw(), server.raw());
    const OOM: &str = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
    admin.check("CONFIG SET maxmemory 1", "+OK\r\n");
    c.check("MULTI", "+OK\r\n");
    c.check("GET a", OOM);
    c.check("EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n");
    c.check("MULTI", "+OK\r\n");
    c.check("DISCARD", "+OK\r\n");
    admin.check("CONFIG SET maxmemory 0", "+OK\r\n");
    queue(&mut c, &["SET a 1"]);
    admin.check("CONFIG SET maxmemory 1", "+OK\r\n");
    c.check(
        "EXEC",
        "-EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.\r\n",
    );
    admin.check("CONFIG SET maxmemory 0", "+OK\r\n");
    queue(&mut c, &["GET a"]);
    admin.check("CONFIG SET maxmemory 1", "+OK\r\n");
    c.check("EXEC", "*1\r\n$-1\r\n");
}

#[test]
fn a_client_that_queues_too_much_is_closed() {
    let server = TestServer::with(&["--threads", "2", "--client-query-buffer-limit", "1mb"]);
    let mut c = server.raw();
    queue(&mut c, &[]);
    let line = format!("SET k {}", "x".repeat(30_000));
    let mut queued = 0;
    loop {
        c.send(format!("{line}\r\n"));
        if c.read_line() != "+QUEUED" {
            break;
        }
        queued += 1;
        assert!(queued < 100, "it is not bounded");
    }
    assert!(queued > 20, "{queued} is too few");
    assert!(c.closed());
    server.raw().check("EXISTS k", ":0\r\n");
}

#[test]
fn client_list_tells_of_it() {
    let server = TestServer::start();
    let (mut c, mut other) = (server.raw(), server.raw());
    let id = c.line("CLIENT ID")[1..].to_string();
    let line_of = |other: &mut Raw| {
        other.send(format!("CLIENT LIST ID {id}\r\n"));
        String::from_utf8(other.bulk()).expect("text")
    };
    assert!(line_of(&mut other).contains(" multi=-1 "));
    queue(&mut c, &["PING", "CLIENT INFO"]);
    let line = line_of(&mut other);
    assert!(
        line.contains(" flags=x ") && line.contains(" multi=2 ") && !line.contains(" multi-mem=0 "),
        "{line}"
    );
    c.check("EXEC", "*2\r\n+PONG\r\n");
    let inside = String::from_utf8(c.bulk()).expect("text");
    assert!(inside.contains(" flags=x ") && inside.contains(" multi=2 "), "{inside}");
    c.check("PING", "+PONG\r\n");
    let line = line_of(&mut other);
    assert!(
        line.contains(" flags=N ") && line.contains(" multi=-1 ") && line.contains(" multi-mem=0 "),
        "{line}"
    );
}

#[test]
fn a_pause_holds_transactions_that_write() {
    let server = TestServer::start();
    let (mut reader, mut writer, mut admin) = (server.raw(), server.raw(), server.raw());
    queue(&mut reader, &["GET a"]);
    queue(&mut writer, &["SET a 1"]);
    admin.check("CLIENT PAUSE 100000 WRITE", "+OK\r\n");
    reader.check("EXEC", "*1\r\n$-1\r\n");
    writer.send("EXEC\r\n");
    reader.check("GET a", "$-1\r\n");
    admin.check("CLIENT UNPAUSE", "+OK\r\n");
    writer.expect("*1\r\n+OK\r\n");
    // Queueing a write waits as well, as in Redis.
    queue(&mut writer, &[]);
    admin.check("CLIENT PAUSE 100000 WRITE", "+OK\r\n");
    writer.send("SET a 2\r\n");
    admin.check("CLIENT UNPAUSE", "+OK\r\n");
    writer.expect("+QUEUED\r\n");
    writer.check("EXEC", "*1\r\n+OK\r\n");
}

#[test]
fn commands_inside_are_counted() {
    let server = TestServer::start();
    let mut c = server.raw();
    queue(&mut c, &["SET a x", "INCR a", "GET a", "GET a"]);
    c.send("EXEC\r\n");
    c.expect("*4\r\n+OK\r\n-ERR value is not an integer or out of range\r\n$1\r\nx\r\n$1\r\nx\r\n");
    c.send("INFO commandstats\r\n");
    let info = String::from_utf8(c.bulk()).expect("text");
    for (name, calls, failed) in
        [("get", 2, 0), ("incr", 1, 1), ("set", 1, 0), ("exec", 1, 0), ("multi", 1, 0)]
    {
        let line = info.lines().find(|line| line.starts_with(&format!("cmdstat_{name}:"))).expect(name);
        assert!(line.contains(&format!("calls={calls},")), "{line}");
        assert!(line.ends_with(&format!("failed_calls={failed}")), "{line}");
    }
}

/// A client that leaves between MULTI and EXEC's reply has run all of it or nothing.
#[test]
fn row_30_a_reset_in_the_middle_leaves_all_or_nothing() {
    let server = TestServer::start();
    let mut witness = server.raw();
    for round in 0..200 {
        let c = server.raw();
        let socket = socket2::SockRef::from(&c.stream);
        socket.set_linger(Some(std::time::Duration::ZERO)).expect("linger can be set");
        let mut text = String::from("MULTI\r\n");
        (0..50).for_each(|i| text.push_str(&format!("INCR n{i}\r\n")));
        text.push_str("EXEC\r\n");
        let cut = if round % 2 == 0 { text.len() } else { text.len() * (round % 50) / 50 };
        let mut c = c;
        c.send(&text[..cut]);
        drop(c);
        let names: Vec<String> = (0..50).map(|i| format!("n{i}")).collect();
        witness.send(format!("MGET {}\r\n", names.join(" ")));
        witness.expect("*50\r\n");
        let values: Vec<String> = (0..50)
            .map(|_| match &*witness.read_line() {
                "$-1" => String::new(),
                _ => witness.read_line(),
            })
            .collect();
        assert!(values.iter().all(|value| *value == values[0]), "{values:?}");
    }
}

/// Two clients exchange what two keys hold, in transactions over opposite orders of them; a third sees them together.
#[test]
fn transactions_over_the_same_keys_do_not_mix_and_do_not_lock_up() {
    const ROUNDS: usize = 2000;
    let server = TestServer::start();
    let run = |first: &str, second: &str, tag: &str| {
        let mut c = server.raw();
        for i in 0..ROUNDS {
            c.send(format!(
                "MULTI\r\nSET {first} {tag}{i}\r\nSET {second} {tag}{i}\r\nINCR total\r\nEXEC\r\n"
            ));
            c.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n+OK\r\n");
            assert!(c.read_line().starts_with(':'));
        }
    };
    std::thread::scope(|s| {
        s.spawn(|| run("x", "y", "a"));
        s.spawn(|| run("y", "x", "b"));
        s.spawn(|| {
            let mut c = server.raw();
            for _ in 0..ROUNDS {
                c.send("MGET x y\r\n");
                c.expect("*2\r\n");
                let mut value = || match &*c.read_line() {
                    "$-1" => String::new(),
                    _ => c.read_line(),
                };
                let pair = [value(), value()];
                assert_eq!(pair[0], pair[1]);
            }
        });
    });
    server.raw().check("GET total", "$4\r\n4000\r\n");
}
