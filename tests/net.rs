//! Connections: many, slow, deaf, idle, greedy and unwelcome ones.

mod common;
use common::{Raw, TestServer, encode};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

const MAX_CLIENTS: &str = "-ERR max number of clients reached\r\n";

/// Lets this process open more files than a shell's default.
fn many_files() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls get a pointer to a live value of their type.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        limit.rlim_cur = limit.rlim_max;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
}

/// Sends until nothing has moved for half a second; the bytes that were taken.
fn send_until_stuck(c: &mut Raw, request: &[u8], most: usize) -> usize {
    c.stream.set_write_timeout(Some(Duration::from_millis(500))).expect("can be set");
    let mut sent = 0;
    while sent < most {
        match c.stream.write(request) {
            Ok(n) => sent += n,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            Err(error) => panic!("{error}"),
        }
    }
    sent
}

#[track_caller]
fn ping_within(c: &mut Raw, limit: Duration) {
    let began = Instant::now();
    c.check("PING", "+PONG\r\n");
    assert!(began.elapsed() < limit, "{:?}", began.elapsed());
}

#[test]
fn row_23_unfinished_requests_are_cheap() {
    const CLIENTS: usize = 2000;
    many_files();
    let server = TestServer::start();
    let mut other = server.raw();
    other.check("PING", "+PONG\r\n");
    let before = server.resident();
    let mut slow: Vec<Raw> = (0..CLIENTS).map(|_| server.raw()).collect();
    for part in ["*2\r", "\n$3\r\nG", "ET\r\n$100\r\nabc"] {
        slow.iter_mut().for_each(|c| c.send(part));
        let mut times: Vec<Duration> = (0..200)
            .map(|_| {
                let began = Instant::now();
                other.check("PING", "+PONG\r\n");
                began.elapsed()
            })
            .collect();
        times.sort_unstable();
        assert!(times[197] < Duration::from_millis(100), "p99 {:?}", times[197]);
    }
    let each = server.resident().saturating_sub(before) / CLIENTS;
    assert!(each <= 32 << 10, "{each} bytes each");
    slow[7].send(format!("{}\r\n", "x".repeat(97)));
    slow[7].expect("$-1\r\n");
}

#[test]
fn row_23_idle_connections_are_cheaper() {
    const CLIENTS: usize = 2000;
    many_files();
    let server = TestServer::start();
    server.raw().check("PING", "+PONG\r\n");
    let before = server.resident();
    let idle: Vec<Raw> = (0..CLIENTS)
        .map(|_| {
            let mut c = server.raw();
            c.check("PING", "+PONG\r\n");
            c
        })
        .collect();
    // Four times less than row 23 allows a client that is in the middle of a request.
    let each = server.resident().saturating_sub(before) / CLIENTS;
    assert!(each <= 8 << 10, "{each} bytes each");
    drop(idle);
}

#[test]
fn row_24_a_client_that_does_not_read_is_not_read_from() {
    const MOST: usize = 64 << 20;
    let server = TestServer::with(&["--threads", "1"]);
    let mut c = server.raw();
    c.send(encode(&["SET", "k", &"x".repeat(64 << 10)]));
    c.expect("+OK\r\n");
    let before = server.resident();
    let sent = send_until_stuck(&mut c, &encode(&["GET", "k"]).repeat(500), MOST);
    assert!(sent < MOST, "the server goes on reading");
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes");
    ping_within(&mut server.raw(), Duration::from_secs(1));
}

#[test]
fn row_24_replies_over_the_hard_limit_close() {
    let server = TestServer::with(&["--client-output-buffer-limit", "normal", "100000", "0", "0"]);
    let mut c = server.raw();
    c.send(encode(&["SET", "k", &"x".repeat(60_000)]));
    c.expect("+OK\r\n");
    c.send("GET k\r\n");
    assert_eq!(c.bulk().len(), 60_000);
    c.send("MGET k k\r\n");
    assert!(c.closed());
}

#[test]
fn row_24_replies_over_the_soft_limit_close_in_time() {
    let server = TestServer::with(&["--client-output-buffer-limit", "normal", "0", "100000", "1"]);
    let mut c = server.raw();
    c.send(encode(&["SET", "k", &"x".repeat(1 << 20)]));
    c.expect("+OK\r\n");
    send_until_stuck(&mut c, &encode(&["GET", "k"]).repeat(100), 64 << 20);
    let began = Instant::now();
    loop {
        match c.stream.write(b"PING\r\n") {
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => break,
            _ => assert!(began.elapsed() < Duration::from_secs(10), "still open"),
        }
    }
}

#[test]
fn row_25_a_long_pipeline_is_ordered_bounded_and_fair() {
    const COMMANDS: usize = 1_000_000;
    let server = TestServer::with(&["--threads", "1"]);
    let mut other = server.raw();
    other.check("PING", "+PONG\r\n");
    let before = server.resident();
    let mut reader = server.raw();
    let mut writer = reader.stream.try_clone().expect("a socket can be cloned");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let thousand = encode(&["INCR", "n"]).repeat(1000);
            (0..COMMANDS / 1000).for_each(|_| writer.write_all(&thousand).expect("the server reads"));
        });
        let (done, server) = (&done, &server);
        scope.spawn(move || {
            let mut rounds = 0;
            while !done.load(Relaxed) {
                ping_within(&mut other, Duration::from_millis(500));
                let grown = server.resident().saturating_sub(before);
                assert!(grown < 16 << 20, "{grown} bytes");
                rounds += 1;
            }
            assert!(rounds > 10, "{rounds} rounds");
        });
        for first in (1..=COMMANDS).step_by(1000) {
            let expected: String = (first..first + 1000).map(|n| format!(":{n}\r\n")).collect();
            reader.expect(expected);
        }
        done.store(true, Relaxed);
    });
}

#[test]
fn row_25_large_replies_of_one_batch_are_bounded() {
    let server = TestServer::with(&["--threads", "1"]);
    let mut c = server.raw();
    // Below the size from which values are sent without a copy.
    c.send(encode(&["SET", "k", &"x".repeat(16_000)]));
    c.expect("+OK\r\n");
    let many = format!("MGET{}\r\n", " k".repeat(64)).repeat(250);
    let before = server.resident();
    let mut writer = c.stream.try_clone().expect("a socket can be cloned");
    let sending = std::thread::spawn(move || writer.write_all(many.as_bytes()).expect("the server reads"));
    std::thread::sleep(Duration::from_millis(300));
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes");
    let reply = format!("*64\r\n{}", format!("$16000\r\n{}\r\n", "x".repeat(16_000)).repeat(64));
    (0..250).for_each(|_| c.expect(&reply));
    sending.join().expect("all was sent");
}

/// The first line that a new connection gets for a PING.
fn first_line(server: &TestServer) -> (Raw, String) {
    let mut c = server.raw();
    c.stream.set_read_timeout(Some(Duration::from_millis(100))).expect("can be set");
    let mut line = c.read_line();
    if line.is_empty() {
        line = c.line("PING");
    }
    (c, line)
}

/// A connection that is served, as soon as earlier ones have left.
fn served(server: &TestServer) -> Raw {
    let began = Instant::now();
    loop {
        let (c, line) = first_line(server);
        if line == "+PONG" {
            return c;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{line}");
    }
}

#[test]
fn row_27_more_than_maxclients_are_refused() {
    let server = TestServer::with(&["--maxclients", "3"]);
    let mut inside: Vec<Raw> = (0..3).map(|_| served(&server)).collect();
    for _ in 0..20 {
        let mut c = server.raw();
        c.expect(MAX_CLIENTS);
        assert!(c.closed());
    }
    inside.iter_mut().for_each(|c| c.check("PING", "+PONG\r\n"));
    inside.pop();
    served(&server);
}

/// Processor time that the process has used, in ticks of ten milliseconds.
fn ticks(server: &TestServer) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).expect("the server runs");
    let fields: Vec<&str> = stat.rsplit(") ").next().expect("fields").split(' ').collect();
    fields[11..13].iter().map(|field| field.parse::<u64>().expect("a number")).sum()
}

fn limit_files(server: &TestServer, files: libc::rlim_t) {
    let pid = libc::pid_t::try_from(server.pid()).expect("a process number");
    let mut old = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointers are null or to live values of the type that prlimit takes.
    unsafe {
        assert_eq!(libc::prlimit(pid, libc::RLIMIT_NOFILE, std::ptr::null(), &mut old), 0);
        old.rlim_cur = files;
        assert_eq!(libc::prlimit(pid, libc::RLIMIT_NOFILE, &old, std::ptr::null_mut()), 0);
    }
}

#[test]
fn row_27_a_lack_of_descriptors_neither_ends_nor_spins_the_loop() {
    let server = TestServer::start();
    let mut inside = served(&server);
    limit_files(&server, 3);
    let mut waiting: Vec<Raw> = (0..10).map(|_| server.raw()).collect();
    let before = ticks(&server);
    std::thread::sleep(Duration::from_secs(1));
    assert!(ticks(&server) - before < 30, "it spins");
    inside.check("PING", "+PONG\r\n");
    limit_files(&server, 500);
    waiting.iter_mut().for_each(|c| c.check("PING", "+PONG\r\n"));
}

#[test]
fn row_27_connections_that_are_reset_at_once_harm_nobody() {
    let server = TestServer::start();
    let mut inside = served(&server);
    for _ in 0..2000 {
        let stream = TcpStream::connect(("127.0.0.1", server.port)).expect("the server listens");
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("can be set");
    }
    inside.check("PING", "+PONG\r\n");
    served(&server);
}

#[test]
fn row_27_maxclients_fits_the_limit_of_files() {
    let port =
        std::net::TcpListener::bind(("127.0.0.1", 0)).expect("free").local_addr().expect("bound").port();
    let binary = env!("CARGO_BIN_EXE_sockudo-kv");
    let mut child = std::process::Command::new("sh")
        .args(["-c", &format!("ulimit -n 60; exec {binary} --port {port} --threads 2")])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut log = String::new();
    let mut lines = std::io::BufReader::new(child.stdout.take().expect("piped"));
    while !log.contains("Ready to accept connections") {
        assert_ne!(std::io::BufRead::read_line(&mut lines, &mut log).expect("readable"), 0, "{log}");
    }
    drop(child.kill());
    drop(child.wait());
    // A privileged process may raise its limit; any other has to live with it.
    let lowered = log.contains("maxclients has been reduced to 20 to compensate for low ulimit");
    assert!(lowered || log.contains("Increased maximum number of open files to 10040"), "{log}");
}

#[test]
fn idle_clients_are_closed_after_the_timeout() {
    let server = TestServer::with(&["--timeout", "1"]);
    let mut active = server.raw();
    let mut idle = server.raw();
    idle.check("PING", "+PONG\r\n");
    let began = Instant::now();
    idle.stream.set_read_timeout(Some(Duration::from_millis(50))).expect("can be set");
    while !matches!(idle.stream.read(&mut [0]), Ok(0)) {
        active.check("PING", "+PONG\r\n");
        assert!(began.elapsed() < Duration::from_secs(8), "still open");
    }
    assert!(began.elapsed() > Duration::from_millis(900), "{:?}", began.elapsed());
    active.check("PING", "+PONG\r\n");
}

#[test]
fn all_addresses_of_bind_are_listened_on() {
    let server = TestServer::with(&["--bind", "127.0.0.1", "-::1", "127.0.0.2", "-192.0.2.1"]);
    let ping = |address: &str| {
        let mut stream = TcpStream::connect((address, server.port)).expect("the server listens");
        stream.write_all(b"PING\r\n").expect("the server reads");
        let mut reply = [0; 7];
        stream.read_exact(&mut reply).expect("it answers");
        assert_eq!(&reply, b"+PONG\r\n");
    };
    ping("127.0.0.1");
    ping("127.0.0.2");
    if std::net::TcpListener::bind(("::1", 0)).is_ok() {
        ping("::1");
    }
}

/// Overwrites a large value until told to stop.
fn storm(port: u16, stop: &AtomicBool) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_millis(100))).expect("can be set");
    let request = encode(&["SET", "k", &"x".repeat(64 << 10)]).repeat(4);
    while !stop.load(Relaxed) {
        stream.write_all(&request).expect("the server reads");
        let (mut reply, mut have) = ([0; 20], 0);
        while have < 20 && !stop.load(Relaxed) {
            have += stream.read(&mut reply[have..]).unwrap_or(0);
        }
    }
}

#[test]
fn row_52_garbage_is_bounded_while_a_reader_lasts() {
    use sockudo_kv::{config::Config, limits::GARBAGE, memory, net, sync::epoch};
    let port =
        std::net::TcpListener::bind(("127.0.0.1", 0)).expect("free").local_addr().expect("bound").port();
    let overrides = [("port", port.to_string()), ("threads", "2".into())];
    let overrides = overrides.map(|(name, value)| (name.into(), vec![value.into()]));
    let config = Config::load(None, false, &overrides).expect("valid");
    std::thread::spawn(move || net::serve(config));
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(began.elapsed() < Duration::from_secs(10), "it does not start");
    }
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        (0..4).for_each(|_| drop(scope.spawn(|| storm(port, &stop))));
        let reader = epoch::pin();
        let mut most = 0;
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(4) {
            most = memory::garbage().max(most);
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(reader);
        let began = Instant::now();
        while memory::garbage() > GARBAGE / 2 && began.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let after = memory::garbage();
        // The storm ends before anything is claimed: a failure must not leave it raging.
        stop.store(true, Relaxed);
        assert!(most > GARBAGE / 2, "the storm is too weak to tell: {most}");
        assert!(most < GARBAGE + GARBAGE / 8, "{most}");
        assert!(after <= GARBAGE / 2, "{after} not freed after the reader ended");
    });
}
