//! Unix sockets, and addresses of several families.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use common::TestServer;

fn socket(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("sockudo-kv-socket-{}-{name}", std::process::id()))
}

fn ask(stream: &mut UnixStream, line: &str) -> String {
    stream.write_all(format!("{line}\r\n").as_bytes()).expect("the server reads");
    let mut reply = vec![0; 64 << 10];
    let count = stream.read(&mut reply).expect("a reply");
    String::from_utf8_lossy(&reply[..count]).into_owned()
}

#[test]
fn a_unix_socket_serves_like_any_other() {
    let path = socket("serves");
    // What an earlier server has left there is in nobody's way.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a free name"));
    let name = path.to_str().expect("text");
    let mut server = TestServer::with(&["--unixsocket", name, "--unixsocketperm", "700"]);
    let metadata = fs::metadata(&path).expect("there");
    assert!(metadata.file_type().is_socket() && metadata.permissions().mode() & 0o777 == 0o700);
    let mut stream = UnixStream::connect(&path).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
    assert_eq!(ask(&mut stream, "SET k v"), "+OK\r\n");
    server.raw().check("GET k", "$1\r\nv\r\n");
    let line = ask(&mut stream, "CLIENT INFO");
    assert!(
        line.contains(&format!(" addr={name}:0 laddr={name}:0 ")) && line.contains(" flags=U "),
        "{line}"
    );
    assert_eq!(ask(&mut stream, "CONFIG GET unixsocketperm"), "*2\r\n$14\r\nunixsocketperm\r\n$3\r\n700\r\n");
    // Its clients are ended, and hear messages, as others do.
    assert_eq!(ask(&mut stream, "SUBSCRIBE c"), "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    server.raw().check("PUBLISH c m", ":1\r\n");
    let mut message = [0; 32];
    let count = stream.read(&mut message).expect("a message");
    assert_eq!(&message[..count], b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n");
    server.raw().check(&format!("CLIENT KILL {name}:0"), "+OK\r\n");
    assert_eq!(stream.read(&mut message).expect("an end"), 0);
    server.raw().send("SHUTDOWN NOSAVE\r\n");
    assert_eq!(server.wait_for_end(Duration::from_secs(10)), Some(true));
    assert!(!path.exists(), "the file goes with the server");
}

#[test]
fn addresses_of_both_families_are_served() {
    let Ok(probe) = std::net::TcpListener::bind("[::1]:0") else {
        return eprintln!("skipped: this machine has no IPv6");
    };
    drop(probe);
    let server = TestServer::with(&["--bind", "127.0.0.1", "::1", "-192.0.2.1"]);
    let mut stream = std::net::TcpStream::connect(("::1", server.port)).expect("the server listens");
    stream.write_all(b"CLIENT INFO\r\nQUIT\r\n").expect("the server reads");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("a reply");
    assert!(
        reply.contains(" addr=[::1]:") && reply.contains(&format!(" laddr=[::1]:{} ", server.port)),
        "{reply}"
    );
}
