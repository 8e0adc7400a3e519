//! Connections, as clients see their own and others'.

#[path = "../common/mod.rs"]
mod common;
mod kill;
mod pause;

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
    assert!(own_line(&mut c).ends_with(" resp=2 watch=0 lib-name=py lib-ver=1.2\n"));
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
                    rbp obl oll omem tot-mem events cmd user redir resp watch lib-name lib-ver";
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
        assert!(
            lines.iter().any(|line| field(line, "id") == id && line.contains(" resp=2 watch=0 lib-name="))
        );
    }
    guests.into_iter().for_each(|guest| guest.join().expect("every guest was served"));
    eventually(|| list(&mut c, "").len() == 1);
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
    let (mut worker, mut client) =
        (Worker::new(0), server.clients.join("peer".into(), "here".into(), server.users.default_account()));
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
