//! CLIENT PAUSE.

use std::time::{Duration, Instant};

use super::common::{Raw, TestServer};
use super::{eventually, field, id_of, list};

fn timed(c: &mut Raw, line: &str, reply: &str) -> Duration {
    let began = Instant::now();
    c.check(line, reply);
    began.elapsed()
}

/// Well before the end of a pause of [`PAUSE`] milliseconds.
const SOON: Duration = Duration::from_millis(1000);
const PAUSE: u64 = 1500;
/// The server's clock counts whole milliseconds.
const NEARLY_ALL: Duration = Duration::from_millis(PAUSE - 50);

#[test]
fn pause_of_writes_lets_reads_through() {
    let server = TestServer::start();
    let (mut c, mut other) = (server.raw(), server.raw());
    c.check("SET k v", "+OK\r\n");
    other.check("PING", "+PONG\r\n");
    let began = Instant::now();
    c.check(&format!("CLIENT PAUSE {PAUSE} WRITE"), "+OK\r\n");
    assert!(timed(&mut other, "GET k", "$1\r\nv\r\n") < SOON);
    assert!(timed(&mut other, "SET k", "-ERR wrong number of arguments for 'set' command\r\n") < SOON);
    let id = id_of(&mut other);
    // Replies to what ran before the write that waits arrive meanwhile; a shorter pause changes nothing.
    other.send("PING\r\nSET k w\r\nGET k\r\n");
    other.expect("+PONG\r\n");
    c.check("CLIENT PAUSE 1 WRITE", "+OK\r\n");
    eventually(|| field(&list(&mut c, &format!("ID {id}"))[0], "flags") == "b");
    c.check("GET k", "$1\r\nv\r\n");
    c.check("MGET k k", "*2\r\n$1\r\nv\r\n$1\r\nv\r\n");
    other.expect("+OK\r\n$1\r\nw\r\n");
    assert!(began.elapsed() >= NEARLY_ALL);
    assert_eq!(field(&list(&mut c, &format!("ID {id}"))[0], "flags"), "N");
    c.check("MSET a 1 b 2", "+OK\r\n");
}

#[test]
fn pause_of_all_holds_every_known_command() {
    let server = TestServer::start();
    let (mut c, mut other) = (server.raw(), server.raw());
    other.check("PING", "+PONG\r\n");
    c.check(&format!("CLIENT PAUSE {PAUSE}"), "+OK\r\n");
    let began = Instant::now();
    assert!(
        timed(&mut other, "NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: \r\n") < SOON
    );
    other.check("PING", "+PONG\r\n");
    c.check("CLIENT UNPAUSE", "+OK\r\n");
    assert!(began.elapsed() >= NEARLY_ALL);
    assert!(timed(&mut c, "PING", "+PONG\r\n") < SOON);
}

#[test]
fn unpause_wakes_those_who_wait() {
    let server = TestServer::start();
    let mut c = server.raw();
    let mut writers: Vec<Raw> = (0..6).map(|_| server.raw()).collect();
    writers.iter_mut().for_each(|writer| writer.check("PING", "+PONG\r\n"));
    c.check("CLIENT PAUSE 60000 WRITE", "+OK\r\n");
    writers.iter_mut().for_each(|writer| writer.send("INCR n\r\n"));
    let waiting = |c: &mut Raw| list(c, "").iter().filter(|line| field(line, "flags") == "b").count();
    eventually(|| waiting(&mut c) == 6);
    c.check("GET n", "$-1\r\n");
    c.check("CLIENT UNPAUSE", "+OK\r\n");
    writers.iter_mut().for_each(|writer| assert!(writer.read_line().starts_with(':')));
    c.check("GET n", "$1\r\n6\r\n");
}

#[test]
fn nothing_is_written_once_pause_has_answered() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SET n 0", "+OK\r\n");
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let mut writer = server.raw();
            std::thread::spawn(move || {
                for _ in 0..40 {
                    writer.send("INCR n\r\n".repeat(200));
                    (0..200).for_each(|_| assert!(writer.read_line().starts_with(':')));
                }
            })
        })
        .collect();
    let count = |c: &mut Raw| {
        c.send("GET n\r\n");
        c.bulk()
    };
    for _ in 0..20 {
        c.check("CLIENT PAUSE 60000 WRITE", "+OK\r\n");
        let before = count(&mut c);
        for _ in 0..20 {
            assert_eq!(count(&mut c), before);
        }
        c.check("CLIENT UNPAUSE", "+OK\r\n");
    }
    writers.into_iter().for_each(|writer| writer.join().expect("every reply came"));
    assert_eq!(count(&mut c), b"32000");
}

#[test]
fn pause_refuses_in_redis_words() {
    let server = TestServer::start();
    let mut c = server.raw();
    for (words, error) in [
        ("x", "timeout is not an integer or out of range"),
        ("-1", "timeout is negative"),
        ("9223372036854775807", "timeout is out of range"),
        ("x y", "CLIENT PAUSE mode must be WRITE or ALL"),
        ("1 ALL x", "unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP."),
    ] {
        c.check(&format!("CLIENT PAUSE {words}"), &format!("-ERR {error}\r\n"));
    }
    c.check("CLIENT PAUSE 0", "+OK\r\n");
    assert!(timed(&mut c, "PING", "+PONG\r\n") < SOON);
}

#[test]
fn nothing_ends_while_clients_are_paused() {
    let server = TestServer::start();
    let mut c = server.raw();
    let expired = |c: &mut Raw| {
        c.send("INFO stats\r\n");
        let text = String::from_utf8(c.bulk()).expect("text");
        let line = text.lines().find_map(|line| line.strip_prefix("expired_keys:")).expect("the field");
        line.parse::<u64>().expect("a number")
    };
    c.check("SET k v PX 30", "+OK\r\n");
    c.check("CLIENT PAUSE 60000 WRITE", "+OK\r\n");
    std::thread::sleep(std::time::Duration::from_millis(150));
    c.check("GET k", "$-1\r\n");
    assert_eq!(expired(&mut c), 0, "a key is absent after its deadline, and its end is for later");
    c.check("CLIENT UNPAUSE", "+OK\r\n");
    c.check("GET k", "$-1\r\n");
    assert_eq!(expired(&mut c), 1);
}

/// A script counts as what it declares, by itself and in a transaction; PFCOUNT, which may be replicated, as a write.
#[test]
fn pause_of_writes_holds_scripts_that_do_not_promise_to_write_nothing() {
    const READS: &str = "#!lua flags=no-writes\nreturn 1";
    const WRITES: &str = "#!lua\nreturn 2";
    let server = TestServer::start();
    let (mut c, mut other) = (server.raw(), server.raw());
    let library = "#!lua name=l\nredis.register_function{function_name='f',callback=function() return 3 end,flags={'no-writes'}}";
    c.command(&["FUNCTION", "LOAD", library]);
    c.expect("$1\r\nl\r\n");
    c.command(&["SCRIPT", "LOAD", READS]);
    c.expect("$40\r\n");
    let sha = c.read_line();
    let mut held: Vec<Raw> = (0..4).map(|_| server.raw()).collect();
    held[2].check("MULTI", "+OK\r\n");
    held[2].command(&["EVAL", WRITES, "0"]);
    held[2].expect("+QUEUED\r\n");
    c.check("CLIENT PAUSE 600000 WRITE", "+OK\r\n");
    for _ in 0..2 {
        other.command(&["EVAL", READS, "0"]);
        other.expect(":1\r\n");
    }
    other.check(&format!("EVALSHA {sha} 0"), ":1\r\n");
    other.check("FCALL f 0", ":3\r\n");
    other.command(&["EVAL_RO", "return 4", "0"]);
    other.expect(":4\r\n");
    other.check("MULTI", "+OK\r\n");
    other.command(&["EVAL", READS, "0"]);
    other.expect("+QUEUED\r\n");
    other.check("EXEC", "*1\r\n:1\r\n");
    held[0].command(&["EVAL", WRITES, "0"]);
    held[1].command(&["EVAL", "return 2", "0"]);
    held[2].send("EXEC\r\n");
    held[3].send("PFCOUNT k\r\n");
    eventually(|| {
        list(&mut c, "TYPE normal").iter().filter(|line| field(line, "flags").contains('b')).count() == 4
    });
    c.check("CLIENT UNPAUSE", "+OK\r\n");
    for (client, reply) in held.iter_mut().zip([":2\r\n", ":2\r\n", "*1\r\n:2\r\n", ":0\r\n"]) {
        client.expect(reply);
    }
}
