//! Connections, as clients see their own and others'.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BufMut;
use common::{Raw, TestServer};
use sockudo_kv::command::client::Client;
use sockudo_kv::command::exec::{Progress, Worker};
use sockudo_kv::command::state::Server;
use sockudo_kv::config::Config;
use sockudo_kv::protocol::decoder::{Decoder, Limits, Parsed};
use sockudo_kv::protocol::reply::Output;
use sockudo_kv::sync::epoch;

const HELLO_2: &str = "*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.0\r\n$5\r\nproto\r\n:2\r\n$2\r\nid\r\n:ID\r\n\
    $4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n";

fn hello(proto: u8, id: &str) -> String {
    let text = HELLO_2.replace("ID", id);
    if proto == 2 { text } else { text.replace("*14", "%7").replace("proto\r\n:2", "proto\r\n:3") }
}

fn id_of(c: &mut Raw) -> String {
    c.line("CLIENT ID")[1..].to_string()
}

fn own_line(c: &mut Raw) -> String {
    c.send("CLIENT INFO\r\n");
    String::from_utf8(c.bulk()).expect("text")
}

/// The value of one field of a line of CLIENT LIST.
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let found = line.split_ascii_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    found.unwrap_or_else(|| panic!("no {name} in {line}"))
}

fn list(c: &mut Raw, options: &str) -> Vec<String> {
    c.send(format!("CLIENT LIST {options}\r\n"));
    let text = String::from_utf8(c.bulk()).expect("text");
    assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
    text.lines().map(String::from).collect()
}

/// Repeats `attempt` until it succeeds: what others see of a client follows a moment after its reply.
#[track_caller]
fn eventually(mut attempt: impl FnMut() -> bool) {
    let began = Instant::now();
    while !attempt() {
        assert!(began.elapsed() < Duration::from_secs(20), "it does not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn ping_and_echo() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("PING", "+PONG\r\n");
    c.check("pInG \"a b\"", "$3\r\na b\r\n");
    c.check("PING a b", "-ERR wrong number of arguments for 'ping' command\r\n");
    c.check("ECHO \"\"", "$0\r\n\r\n");
    c.check("ECHO", "-ERR wrong number of arguments for 'echo' command\r\n");
    c.check("ECHO a b", "-ERR wrong number of arguments for 'echo' command\r\n");
    c.check("CLIENT REPLY ON", "+OK\r\n");
}

#[test]
fn select_separates_keys() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SET k 0", "+OK\r\n");
    c.check("SELECT 15", "+OK\r\n");
    c.check("GET k", "$-1\r\n");
    for (index, error) in [
        ("x", "value is not an integer or out of range"),
        ("01", "value is not an integer or out of range"),
        ("99999999999999999999", "value is not an integer or out of range"),
        ("3000000000", "value is out of range, value must between -2147483648 and 2147483647"),
        ("-1", "DB index is out of range"),
        ("16", "DB index is out of range"),
    ] {
        c.check(&format!("SELECT {index}"), &format!("-ERR {error}\r\n"));
    }
    // In one packet: the keys of commands behind SELECT belong to the new database.
    c.send("SET k 15\r\nSELECT 0\r\nGET k\r\nSELECT 15\r\nGET k\r\n");
    c.expect("+OK\r\n+OK\r\n$1\r\n0\r\n+OK\r\n$2\r\n15\r\n");
    assert_eq!(field(&own_line(&mut c), "db"), "15");
}

#[test]
fn quit_closes_behind_its_reply() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.send("SET k 1\r\nQUIT now\r\nSET k 2\r\n");
    c.expect("+OK\r\n+OK\r\n");
    assert!(c.closed());
    server.raw().check("GET k", "$1\r\n1\r\n");
    let mut silent = server.raw();
    silent.send("CLIENT REPLY OFF\r\nQUIT\r\n");
    assert!(silent.closed());
}

#[test]
fn hello_describes_the_server() {
    let server = TestServer::start();
    let mut c = server.raw();
    let id = id_of(&mut c);
    c.check("HELLO", &hello(2, &id));
    c.check("HELLO 3", &hello(3, &id));
    c.check("GET nokey", "_\r\n");
    c.check("HELLO", &hello(3, &id));
    c.check("HELLO 2 SETNAME me AUTH default whatever", &hello(2, &id));
    c.check("CLIENT GETNAME", "$2\r\nme\r\n");
    for (options, error) in [
        ("x", "ERR Protocol version is not an integer or out of range"),
        ("1", "NOPROTO unsupported protocol version"),
        ("4", "NOPROTO unsupported protocol version"),
        ("3 FOO", "ERR Syntax error in HELLO option 'FOO'"),
        ("3 AUTH default", "ERR Syntax error in HELLO option 'AUTH'"),
        ("3 SETNAME", "ERR Syntax error in HELLO option 'SETNAME'"),
        ("3 SETNAME \"a b\"", "ERR Client names cannot contain spaces, newlines or special characters."),
        ("3 SETNAME other AUTH nobody x", "WRONGPASS invalid username-password pair or user is disabled."),
    ] {
        c.check(&format!("HELLO {options}"), &format!("-{error}\r\n"));
    }
    // No refused HELLO changed anything.
    c.check("CLIENT GETNAME", "$2\r\nme\r\n");
    c.check("GET nokey", "$-1\r\n");
}

#[test]
fn auth_without_passwords() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("AUTH", "-ERR wrong number of arguments for 'auth' command\r\n");
    c.check(
        "AUTH x",
        "-ERR AUTH <password> called without any password configured for the default user. Are you sure your \
         configuration is correct?\r\n",
    );
    c.check("AUTH default anything", "+OK\r\n");
    c.check("AUTH Default x", "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    c.check("AUTH a b c", "-ERR syntax error\r\n");
}

#[test]
fn row_29_protocol_changes_in_mid_pipeline() {
    let server = TestServer::start();
    let mut c = server.raw();
    let id = id_of(&mut c);
    c.send("GET no\r\nHELLO 3\r\nGET no\r\nHELLO 2\r\nGET no\r\nHELLO 3\r\nGET no\r\nRESET\r\nGET no\r\n");
    c.expect("$-1\r\n");
    c.expect(hello(3, &id));
    c.expect("_\r\n");
    c.expect(hello(2, &id));
    c.expect("$-1\r\n");
    c.expect(hello(3, &id));
    c.expect("_\r\n+RESET\r\n$-1\r\n");
}

#[test]
fn row_29_reset_makes_a_new_client() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("RESET a", "-ERR wrong number of arguments for 'reset' command\r\n");
    c.send("CLIENT SETNAME me\r\nCLIENT SETINFO LIB-NAME lib\r\nSELECT 3\r\nCLIENT NO-EVICT ON\r\nCLIENT NO-TOUCH ON\r\n");
    c.expect("+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n");
    assert_eq!(field(&own_line(&mut c), "flags"), "eT");
    let id = id_of(&mut c);
    c.check("HELLO 3", &hello(3, &id));
    c.send("CLIENT REPLY OFF\r\nPING\r\nRESET\r\n");
    c.expect("+RESET\r\n");
    let line = own_line(&mut c);
    let shown = ["name", "db", "flags", "resp", "lib-name"].map(|name| field(&line, name));
    assert_eq!(shown, ["", "0", "N", "2", "lib"]);
    // A skipped RESET is silent, and the skip ends with it.
    c.send("CLIENT REPLY SKIP\r\nRESET\r\nPING\r\n");
    c.expect("+PONG\r\n");
}

#[test]
fn row_28_requests_of_a_browser_end_the_connection() {
    let log = std::env::temp_dir().join(format!("sockudo-kv-attack-{}", std::process::id()));
    let server = TestServer::with(&["--threads", "1", "--logfile", log.to_str().expect("text")]);
    for first_line in ["POST / HTTP/1.1", "Host: localhost", "post x", "hOST: x"] {
        let mut c = server.raw();
        c.send(format!("{first_line}\r\nSET stolen 1\r\n"));
        let mut rest = Vec::new();
        // The end may be a reset, because the server leaves the body unread.
        let _ = c.stream.read_to_end(&mut rest);
        assert_eq!(rest, b"", "{first_line}");
        assert!(c.closed());
    }
    let mut c = server.raw();
    c.check("GET stolen", "$-1\r\n");
    c.check("POSTS", "-ERR unknown command 'POSTS', with args beginning with: \r\n");
    c.check("HOST", "-ERR unknown command 'HOST', with args beginning with: \r\n");
    let text = std::fs::read_to_string(&log).expect("a log");
    std::fs::remove_file(&log).expect("ours");
    // Once a minute is enough, or attackers could fill the disk.
    assert_eq!(text.matches("# Possible SECURITY ATTACK detected. ").count(), 1, "{text}");
}

#[test]
fn row_31_empty_requests_change_nothing() {
    let server = TestServer::start();
    let mut c = server.raw();
    let id = id_of(&mut c);
    c.send("\r\n*0\r\n*-1\r\nCLIENT REPLY SKIP\r\n\r\n*0\r\n*-1\r\n\n   \r\nPING\r\n*0\r\nECHO a\r\n");
    c.expect("$1\r\na\r\n");
    c.send("*0\r\nHELLO 3\r\n\r\n*0\r\nSELECT 5\r\n*-5\r\n\r\nCLIENT SETNAME n\r\n*0\r\n");
    c.expect(hello(3, &id));
    c.expect("+OK\r\n+OK\r\n");
    c.send("\r\n*0\r\nCLIENT GETNAME\r\nGET no\r\n*0\r\n");
    c.expect("$1\r\nn\r\n_\r\n");
}

#[test]
fn containers_refuse_in_redis_words() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("CLIENT", "-ERR wrong number of arguments for 'client' command\r\n");
    c.check("client Nosuch y", "-ERR unknown subcommand 'Nosuch'. Try CLIENT HELP.\r\n");
    c.check("CLIENT KILL", "-ERR wrong number of arguments for 'client|kill' command\r\n");
    c.check("CLIENT ID x", "-ERR wrong number of arguments for 'client|id' command\r\n");
    c.check("CLIENT \"a\\r\\n+OK\"", "-ERR unknown subcommand 'a  +OK'. Try CLIENT HELP.\r\n");
    let long = "x".repeat(200);
    let shown = "x".repeat(128);
    c.check(&format!("CLIENT {long}"), &format!("-ERR unknown subcommand '{shown}'. Try CLIENT HELP.\r\n"));
    c.check("CLIENT|ID", "-ERR unknown command 'CLIENT|ID', with args beginning with: \r\n");
}

#[test]
fn help_lists_the_subcommands() {
    let server = TestServer::start();
    let mut c = server.raw();
    let count: usize = c.line("client help")[1..].parse().expect("an array");
    let lines: Vec<String> = (0..count).map(|_| c.read_line()).collect();
    assert_eq!(lines[0], "+CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    assert_eq!(lines[count - 2..], ["+HELP", "+    Prints this help."]);
    for line in lines.iter().filter(|line| !line.starts_with("+ ") && !line.starts_with("+CLIENT")) {
        let word = line[1..].split(' ').next().expect("a word");
        // The headlines name commands that there are.
        let reply = c.line(&format!("CLIENT {word} 1 2 3 4 5 6"));
        assert!(!reply.contains("unknown subcommand '"), "{word}: {reply}");
    }
    c.check("CLIENT HELP x", "-ERR wrong number of arguments for 'client|help' command\r\n");
}

#[test]
fn names_are_printable_words() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("CLIENT GETNAME", "$-1\r\n");
    c.check("CLIENT SETNAME a~!", "+OK\r\n");
    for bad in ["\"a b\"", "\"a\\n\"", "\"\\x7f\"", "\"\\xc3\\xa9\""] {
        let reply = "-ERR Client names cannot contain spaces, newlines or special characters.\r\n";
        c.check(&format!("CLIENT SETNAME {bad}"), reply);
    }
    c.check("CLIENT GETNAME", "$3\r\na~!\r\n");
    c.check("CLIENT SETNAME \"\"", "+OK\r\n");
    c.check("CLIENT GETNAME", "$-1\r\n");
    c.check("CLIENT SETINFO lib-Name py", "+OK\r\n");
    c.check("CLIENT SETINFO LIB-VER 1.2", "+OK\r\n");
    c.check("CLIENT SETINFO foo 1", "-ERR Unrecognized option 'foo'\r\n");
    let error = "-ERR lib-ver cannot contain spaces, newlines or special characters.\r\n";
    c.check("CLIENT SETINFO lib-ver \"1 2\"", error);
    assert!(own_line(&mut c).ends_with(" resp=2 lib-name=py lib-ver=1.2\n"));
    c.check("CLIENT SETINFO LIB-NAME \"\"", "+OK\r\n");
    assert_eq!(field(&own_line(&mut c), "lib-name"), "");
}

#[test]
fn replies_on_off_and_skip() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("CLIENT REPLY x", "-ERR syntax error\r\n");
    c.send("CLIENT REPLY OFF\r\nPING\r\nNOSUCH\r\nGET\r\nCLIENT REPLY SKIP\r\nCLIENT REPLY x\r\nCLIENT REPLY ON\r\nPING\r\n");
    c.expect("+OK\r\n+PONG\r\n");
    c.send("CLIENT REPLY SKIP\r\nNOSUCH\r\nNOSUCH\r\n");
    c.expect("-ERR unknown command 'NOSUCH', with args beginning with: \r\n");
    c.send("CLIENT REPLY SKIP\r\nCLIENT REPLY SKIP\r\nPING\r\nPING\r\n");
    c.expect("+PONG\r\n");
    c.send("CLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nCLIENT REPLY SKIP\r\nCLIENT REPLY OFF\r\nPING\r\nCLIENT REPLY ON\r\n");
    c.expect("+OK\r\n+OK\r\n");
    // A large value among what is dropped leaves no trace either.
    let big = "x".repeat(100_000);
    c.command(&["SET", "big", &big]);
    c.expect("+OK\r\n");
    c.send("CLIENT REPLY SKIP\r\nGET big\r\nGET big\r\n");
    assert_eq!(c.bulk(), big.as_bytes());
    c.send("CLIENT REPLY OFF\r\nGET big\r\nHELLO 3\r\n*1\r\n$-5\r\n");
    let mut rest = Vec::new();
    c.stream.read_to_end(&mut rest).expect("the server closes");
    assert_eq!(String::from_utf8_lossy(&rest), "");
}

#[test]
fn small_answers_about_clients() {
    let server = TestServer::start();
    let mut c = server.raw();
    let first: u64 = id_of(&mut c).parse().expect("a number");
    let second: u64 = id_of(&mut server.raw()).parse().expect("a number");
    assert!(second > first);
    c.check("CLIENT GETREDIR", ":-1\r\n");
    c.check("CLIENT NO-EVICT x", "-ERR syntax error\r\n");
    c.check("CLIENT NO-TOUCH x", "-ERR syntax error\r\n");
    c.check("CLIENT NO-EVICT on", "+OK\r\n");
    assert_eq!(field(&own_line(&mut c), "flags"), "e");
    c.check("CLIENT NO-EVICT off", "+OK\r\n");
    c.check("CLIENT UNBLOCK x", "-ERR value is not an integer or out of range\r\n");
    c.check("CLIENT UNBLOCK 1 x", "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR\r\n");
    c.check("CLIENT UNBLOCK 1 error", ":0\r\n");
    c.check("CLIENT UNBLOCK -1 TIMEOUT", ":0\r\n");
    c.check(
        "CLIENT UNBLOCK 1 ERROR x",
        "-ERR unknown subcommand or wrong number of arguments for 'UNBLOCK'. Try CLIENT HELP.\r\n",
    );
}

#[test]
fn list_shows_every_client() {
    let server = TestServer::start();
    let (mut c, mut other) = (server.raw(), server.raw());
    c.check("CLIENT SETNAME lister", "+OK\r\n");
    other.send("SELECT 7\r\nCLIENT SETNAME other\r\nSET k v\r\n");
    other.expect("+OK\r\n+OK\r\n+OK\r\n");
    let other_id = id_of(&mut other);
    eventually(|| list(&mut c, "").len() == 2 && field(&list(&mut c, "")[1], "cmd") == "client|id");
    let lines = list(&mut c, "");
    let mine = &lines[0];
    assert_eq!(field(mine, "addr"), c.stream.local_addr().expect("bound").to_string());
    assert_eq!(field(mine, "laddr"), format!("127.0.0.1:{}", server.port));
    assert_eq!((field(mine, "cmd"), field(mine, "name")), ("client|list", "lister"));
    assert_eq!(["id", "name", "db"].map(|name| field(&lines[1], name)), [&other_id, "other", "7"]);
    let names: Vec<&str> = mine.split(' ').map(|word| word.split('=').next().expect("a name")).collect();
    let expected = "id addr laddr fd name age idle flags db sub psub ssub multi qbuf qbuf-free argv-mem multi-mem rbs \
                    rbp obl oll omem tot-mem events cmd user redir resp lib-name lib-ver";
    assert_eq!(names, expected.split_ascii_whitespace().collect::<Vec<_>>());
    assert!(field(mine, "fd").parse::<u32>().is_ok_and(|fd| fd > 2));
    assert_eq!(list(&mut c, &format!("ID {other_id} 9999 {other_id}")).len(), 2);
    assert_eq!(list(&mut c, "TYPE normal").len(), 2);
    for kind in ["pubsub", "REPLICA", "slave", "master"] {
        assert_eq!(list(&mut c, &format!("TYPE {kind}")), [""; 0]);
    }
    c.check("CLIENT LIST ID x", "-ERR Invalid client ID\r\n");
    c.check("CLIENT LIST ID -1", "$0\r\n\r\n");
    for words in ["TYPE", "ID", "x", "TYPE normal ID 1"] {
        c.check(&format!("CLIENT LIST {words}"), "-ERR syntax error\r\n");
    }
    c.check("CLIENT LIST TYPE foo", "-ERR Unknown client type 'foo'\r\n");
    let id = id_of(&mut c);
    c.check("HELLO 3", &hello(3, &id));
    let header = c.line("CLIENT INFO");
    assert!(header.starts_with('=') && c.read_line().starts_with("txt:id="), "{header}");
}

#[test]
fn list_shows_a_reader_that_does_not_read() {
    let server = TestServer::start();
    let (mut c, mut slow) = (server.raw(), server.raw());
    let id = id_of(&mut slow);
    c.command(&["SET", "big", &"x".repeat(1 << 20)]);
    c.expect("+OK\r\n");
    slow.send("GET big\r\n".repeat(40));
    eventually(|| {
        let line = list(&mut c, &format!("ID {id}")).remove(0);
        field(&line, "obl") != "0" && field(&line, "events") == "rw"
    });
}

#[test]
fn list_while_connections_come_and_go() {
    let server = TestServer::start();
    let port = server.port;
    let guests: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(move || {
                for _ in 0..50 {
                    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the server accepts");
                    stream.write_all(b"CLIENT SETNAME guest\r\n").expect("the server reads");
                    let mut reply = [0; 5];
                    stream.read_exact(&mut reply).expect("a reply");
                    assert_eq!(&reply, b"+OK\r\n");
                }
            })
        })
        .collect();
    let mut c = server.raw();
    let id = id_of(&mut c);
    while !guests.iter().all(|guest| guest.is_finished()) {
        let lines = list(&mut c, "");
        let ids: Vec<u64> = lines.iter().map(|line| field(line, "id").parse().expect("a number")).collect();
        assert!(ids.is_sorted() && lines.len() <= 210, "{lines:?}");
        assert!(lines.iter().any(|line| field(line, "id") == id && line.contains(" resp=2 lib-name=")));
    }
    guests.into_iter().for_each(|guest| guest.join().expect("every guest was served"));
    eventually(|| list(&mut c, "").len() == 1);
}

#[test]
fn kill_ends_others_on_both_workers() {
    let server = TestServer::start();
    let mut c = server.raw();
    // More victims than workers: some of them live on the killer's thread and some on the other.
    for by_address in [true, false] {
        let mut victims: Vec<Raw> = (0..4).map(|_| server.raw()).collect();
        for victim in &mut victims {
            let id = id_of(victim);
            let addr = victim.stream.local_addr().expect("bound");
            if by_address {
                c.check(&format!("CLIENT KILL {addr}"), "+OK\r\n");
                c.check(&format!("CLIENT KILL {addr}"), "-ERR No such client\r\n");
            } else {
                let laddr = format!("127.0.0.1:{}", server.port);
                c.check(&format!("CLIENT KILL ID {id} ADDR 1.2.3.4:5"), ":0\r\n");
                c.check(&format!("CLIENT KILL ID {id} LADDR {laddr} TYPE normal USER default"), ":1\r\n");
            }
            assert_eq!(list(&mut c, "").iter().filter(|line| field(line, "id") == id).count(), 0);
            assert!(victim.closed());
        }
    }
    c.check("PING", "+PONG\r\n");
}

#[test]
fn kill_ends_a_client_that_does_not_read() {
    let server = TestServer::start();
    let (mut c, mut slow) = (server.raw(), server.raw());
    let id = id_of(&mut slow);
    c.command(&["SET", "big", &"x".repeat(1 << 20)]);
    c.expect("+OK\r\n");
    slow.send("GET big\r\n".repeat(40));
    eventually(|| field(&list(&mut c, &format!("ID {id}"))[0], "obl") != "0");
    c.check(&format!("CLIENT KILL ID {id}"), ":1\r\n");
    let mut rest = Vec::new();
    let _ = slow.stream.read_to_end(&mut rest);
    assert!(rest.len() < 40 << 20);
}

#[test]
fn the_killed_runs_no_further_command() {
    let server = TestServer::start();
    for _ in 0..30 {
        let (mut c, mut victim) = (server.raw(), server.raw());
        let id = id_of(&mut victim);
        let mut stream = victim.stream.try_clone().expect("a second handle");
        let writer = std::thread::spawn(move || while stream.write_all(b"INCR n\r\n").is_ok() {});
        while c.line("GET n") == "$-1" {}
        c.read_line();
        let count = |c: &mut Raw| {
            c.send("GET n\r\n");
            c.bulk()
        };
        c.check(&format!("CLIENT KILL ID {id}"), ":1\r\n");
        let before = count(&mut c);
        std::thread::sleep(Duration::from_millis(3));
        assert_eq!(count(&mut c), before);
        drop(writer.join());
        c.check("DEL n", ":1\r\n");
    }
}

#[test]
fn kill_ends_oneself_behind_the_reply() {
    let server = TestServer::start();
    let mut c = server.raw();
    let addr = c.stream.local_addr().expect("bound");
    let id = id_of(&mut c);
    c.check(&format!("CLIENT KILL ID {id}"), ":0\r\n");
    c.send(format!("CLIENT KILL {addr}\r\nSET k v\r\n"));
    c.expect("+OK\r\n");
    assert!(c.closed());
    let (mut c, mut other) = (server.raw(), server.raw());
    c.check("GET k", "$-1\r\n");
    other.check("PING", "+PONG\r\n");
    c.send("CLIENT KILL SKIPME no TYPE normal\r\nPING\r\n");
    c.expect(":2\r\n");
    assert!(c.closed() && other.closed());
}

#[test]
fn kill_refuses_in_redis_words() {
    let server = TestServer::start();
    let mut c = server.raw();
    for (filters, reply) in [
        ("1.2.3.4:5", "-ERR No such client"),
        ("ID", "-ERR No such client"),
        ("ID x", "-ERR client-id should be greater than 0"),
        ("ID 0", "-ERR client-id should be greater than 0"),
        ("ID 999", ":0"),
        ("ID 999 ADDR", "-ERR syntax error"),
        ("SKIPME x", "-ERR syntax error"),
        ("TYPE foo", "-ERR Unknown client type 'foo'"),
        ("TYPE pubsub", ":0"),
        ("USER nosuch", "-ERR No such user 'nosuch'"),
        ("USER default", ":0"),
        ("FOO bar", "-ERR syntax error"),
        ("MAXAGE x", "-ERR maxage is not an integer or out of range"),
        ("MAXAGE 0", "-ERR maxage should be greater than 0"),
        ("MAXAGE 1000 SKIPME no", ":0"),
    ] {
        c.check(&format!("CLIENT KILL {filters}"), &format!("{reply}\r\n"));
    }
    let mut old = server.raw();
    old.check("PING", "+PONG\r\n");
    std::thread::sleep(Duration::from_millis(1100));
    let mut young = server.raw();
    young.check("PING", "+PONG\r\n");
    c.check("CLIENT KILL MAXAGE 1", ":1\r\n");
    assert!(old.closed());
    young.check("PING", "+PONG\r\n");
}

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

/// Runs inline commands on one worker without a socket, and returns the replies.
fn run(server: &Server, worker: &mut Worker, client: &mut Client, lines: &str) -> String {
    let mut decoder = Decoder::new(Limits::default());
    decoder.read_target().put_slice(lines.as_bytes());
    assert_eq!(decoder.parse(), Parsed::Drained);
    let mut out = Output::new();
    assert_eq!(worker.run(server, client, &decoder, 0, &mut out), Progress::Done);
    let all = out.pending();
    let bytes = bytes::Buf::copy_to_bytes(&mut out, all);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn no_touch_leaves_access_clocks_alone() {
    let server = Server::new(Arc::new(Config::default()), 1);
    let (mut worker, mut client) = (Worker::new(0), server.clients.join("peer".into(), "here".into()));
    let clock = || {
        let guard = epoch::pin();
        let table = server.keyspace.db(0).table(&guard);
        table.find(server.keyspace.hasher.hash(b"k"), b"k", &guard).map(|entry| entry.clock())
    };
    assert_eq!(run(&server, &mut worker, &mut client, "SET k v\r\nCLIENT NO-TOUCH ON\r\n"), "+OK\r\n+OK\r\n");
    let set_at = clock();
    std::thread::sleep(Duration::from_millis(2100));
    assert_eq!(run(&server, &mut worker, &mut client, "GET k\r\n"), "$1\r\nv\r\n");
    assert_eq!(clock(), set_at);
    assert_eq!(
        run(&server, &mut worker, &mut client, "CLIENT NO-TOUCH OFF\r\nGET k\r\n"),
        "+OK\r\n$1\r\nv\r\n"
    );
    assert!(clock() >= set_at.map(|seconds| seconds + 2));
}

#[test]
fn a_library_greets_and_names_itself() {
    let server = TestServer::start();
    let mut client = server.client();
    let pong: String = redis::cmd("PING").query(&mut client).expect("a reply");
    assert_eq!(pong, "PONG");
    let line: String = redis::cmd("CLIENT").arg("INFO").query(&mut client).expect("a reply");
    assert!(!field(&line, "lib-name").is_empty(), "{line}");
}
