//! How the server gets along with whoever starts it: a shell, or a supervisor.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::free_port;

const LIMIT: Duration = Duration::from_secs(20);

fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("sockudo-kv-supervise-{}-{name}", std::process::id()))
}

fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < LIMIT, "it takes too long");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn ask(port: u16, lines: &str) -> String {
    let mut stream = wait_for(|| TcpStream::connect(("127.0.0.1", port)).ok());
    stream.set_read_timeout(Some(LIMIT)).expect("a timeout can be set");
    stream.write_all(lines.as_bytes()).expect("the server reads");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("a reply");
    reply
}

fn server(port: u16, directives: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sockudo-kv"));
    command.args(["--port", &port.to_string(), "--threads", "1"]).args(directives);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
fn a_daemon_leaves_its_shell_and_its_number() {
    let (port, pid_file) = (free_port(), path("pid"));
    let name = pid_file.to_str().expect("text");
    let started = server(port, &["--daemonize", "yes", "--pidfile", name]).status().expect("it starts");
    assert!(started.success(), "who started it hears that it runs");
    let pid = wait_for(|| fs::read_to_string(&pid_file).ok().filter(|text| text.ends_with('\n')));
    let pid = pid.trim();
    assert!(ask(port, "INFO server\r\nQUIT\r\n").contains(&format!("process_id:{pid}\r\n")));
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let session = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(3)).expect("a session");
    assert_eq!(session, pid, "it leads a session of its own");
    assert_eq!(fs::read_link(format!("/proc/{pid}/fd/1")).expect("it is ours"), PathBuf::from("/dev/null"));
    ask(port, "SHUTDOWN NOSAVE\r\n");
    wait_for(|| (!pid_file.exists()).then_some(()));
}

#[test]
fn systemd_hears_when_the_server_serves_and_when_it_ends() {
    let (port, socket) = (free_port(), path("notify"));
    let inbox = UnixDatagram::bind(&socket).expect("a free name");
    inbox.set_read_timeout(Some(LIMIT)).expect("a timeout can be set");
    for mode in ["systemd", "auto"] {
        // Who is supervised stays the process that was started.
        let mut command = server(port, &["--supervised", mode, "--daemonize", "yes"]);
        let mut child = command.env("NOTIFY_SOCKET", &socket).spawn().expect("it starts");
        let mut message = [0; 256];
        let hear = |message: &mut [u8]| {
            let count = inbox.recv(message).expect("a message");
            String::from_utf8_lossy(&message[..count]).into_owned()
        };
        assert_eq!(hear(&mut message), "STATUS=Ready to accept connections\nREADY=1\n");
        let pid = format!("process_id:{}\r\n", child.id());
        assert!(ask(port, "INFO server\r\nQUIT\r\n").contains(&pid));
        ask(port, "SHUTDOWN NOSAVE\r\n");
        assert_eq!(hear(&mut message), "STOPPING=1\n");
        assert!(child.wait().expect("it is ours").success());
    }
    fs::remove_file(&socket).expect("there");
}
