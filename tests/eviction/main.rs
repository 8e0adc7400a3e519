//! `maxmemory`: what is evicted, what is refused, and that memory stays within the limit whatever writers do.

#[path = "../common/mod.rs"]
mod common;

mod clients;
mod limit;
mod report;

use common::{Raw, TestServer, encode};

const OOM: &str = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";

fn info(c: &mut Raw, section: &str) -> String {
    c.send(format!("INFO {section}\r\n"));
    String::from_utf8(c.bulk()).expect("text")
}

/// A field of INFO that is a number.
#[track_caller]
fn number(c: &mut Raw, section: &str, name: &str) -> u64 {
    let text = info(c, section);
    let start = format!("{name}:");
    let line = text.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("{name}: {text}"));
    line[start.len()..].parse().unwrap_or_else(|_| panic!("{line}"))
}

fn used(c: &mut Raw) -> u64 {
    number(c, "memory", "used_memory")
}

/// The number in an integer reply.
#[track_caller]
fn int(c: &mut Raw, line: &str) -> i64 {
    let reply = c.line(line);
    reply[1..].parse().unwrap_or_else(|_| panic!("{line}: {reply}"))
}

fn set(c: &mut Raw, name: &str, value: impl std::fmt::Display) {
    c.check(&format!("CONFIG SET {name} {value}"), "+OK\r\n");
}

/// Waits until `is` holds.
#[track_caller]
fn wait_until(what: &str, mut is: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !is() {
        assert!(began.elapsed().as_secs() < 20, "never: {what}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

// -- clocks of keys -------------------------------------------------------------------------------------------------

#[test]
fn frequency_is_told_under_policies_that_count_uses() {
    let server = TestServer::start();
    let mut c = server.raw();
    set(&mut c, "maxmemory-policy", "allkeys-lfu");
    c.check("SET k v", "+OK\r\n");
    c.check("OBJECT FREQ k", ":5\r\n");
    (0..40).for_each(|_| c.check("GET k", "$1\r\nv\r\n"));
    let often = int(&mut c, "OBJECT FREQ k");
    assert!((6..=10).contains(&often), "{often}");
    c.check("CLIENT NO-TOUCH ON", "+OK\r\n");
    (0..200).for_each(|_| c.check("GET k", "$1\r\nv\r\n"));
    assert_eq!(int(&mut c, "OBJECT FREQ k"), often);
    c.check("CLIENT NO-TOUCH OFF", "+OK\r\n");
    c.check(
        "OBJECT IDLETIME k",
        "-ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between \
         policies at runtime LRU and LFU data will take some time to adjust.\r\n",
    );
    set(&mut c, "lfu-log-factor", 0);
    (0..300).for_each(|_| c.check("GET k", "$1\r\nv\r\n"));
    c.check("OBJECT FREQ k", ":255\r\n");
}

#[test]
fn restore_sets_what_the_clock_tells() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SET k v", "+OK\r\n");
    c.send("DUMP k\r\n");
    let payload = c.bulk();
    let restore = |c: &mut Raw, words: &[&[u8]]| {
        let mut bytes = format!("*{}\r\n", words.len() + 5).into_bytes();
        for word in [b"RESTORE", b"r".as_slice(), b"0", &payload, b"REPLACE"].iter().chain(words) {
            bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            bytes.extend_from_slice(word);
            bytes.extend_from_slice(b"\r\n");
        }
        c.send(bytes);
        c.expect("+OK\r\n");
    };
    restore(&mut c, &[b"IDLETIME", b"1000"]);
    assert!((1000..1010).contains(&int(&mut c, "OBJECT IDLETIME r")));
    restore(&mut c, &[b"FREQ", b"100"]);
    assert!(int(&mut c, "OBJECT IDLETIME r") < 10, "no policy counts uses");
    set(&mut c, "maxmemory-policy", "volatile-lfu");
    restore(&mut c, &[b"FREQ", b"100"]);
    c.check("OBJECT FREQ r", ":100\r\n");
    restore(&mut c, &[b"IDLETIME", b"1000"]);
    c.check("OBJECT FREQ r", ":5\r\n");
}

/// allkeys-lrm: a read does not make a key younger, a write does.
#[test]
fn modification_is_told_under_policies_about_writes() {
    let server = TestServer::start();
    let mut c = server.raw();
    set(&mut c, "maxmemory-policy", "allkeys-lrm");
    c.check("SET k v", "+OK\r\n");
    c.check("RPUSH l a", ":1\r\n");
    std::thread::sleep(std::time::Duration::from_millis(2100));
    c.check("GET k", "$1\r\nv\r\n");
    c.check("LRANGE l 0 -1", "*1\r\n$1\r\na\r\n");
    assert!(int(&mut c, "OBJECT IDLETIME k") >= 2 && int(&mut c, "OBJECT IDLETIME l") >= 2);
    c.check("APPEND k w", ":2\r\n");
    c.check("RPUSH l b", ":2\r\n");
    c.check("OBJECT IDLETIME k", ":0\r\n");
    c.check("OBJECT IDLETIME l", ":0\r\n");
}

#[test]
fn integers_count_as_shared_unless_their_use_is_told() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SET n 5", "+OK\r\n");
    for (most, policy, shared) in
        [("0", "allkeys-lru", true), ("1gb", "allkeys-random", true), ("1gb", "allkeys-lru", false)]
    {
        set(&mut c, "maxmemory-policy", policy);
        set(&mut c, "maxmemory", most);
        assert_eq!(int(&mut c, "OBJECT REFCOUNT n") > 1, shared, "{most} {policy}");
    }
}

// -- what is told of evictions --------------------------------------------------------------------------------------

#[test]
fn evictions_are_counted_and_told() {
    let server = TestServer::start();
    let (mut c, mut listener) = (server.raw(), server.raw());
    set(&mut c, "notify-keyspace-events", "Ee");
    listener.check(
        "SUBSCRIBE __keyevent@0__:evicted",
        "*3\r\n$9\r\nsubscribe\r\n$22\r\n__keyevent@0__:evicted\r\n:1\r\n",
    );
    c.check("MSET a 1 b 2 c 3", "+OK\r\n");
    set(&mut c, "maxmemory-policy", "allkeys-random");
    set(&mut c, "maxmemory", 1);
    wait_until("the keys are gone", || int(&mut c, "DBSIZE") == 0);
    assert_eq!(number(&mut c, "stats", "evicted_keys"), 3);
    let mut told = Vec::new();
    for _ in 0..3 {
        listener.expect("*3\r\n$7\r\nmessage\r\n$22\r\n__keyevent@0__:evicted\r\n");
        told.push(listener.bulk());
    }
    told.sort();
    assert_eq!(told, [b"a", b"b", b"c"]);
    c.check("SET d 4", OOM);
    std::thread::sleep(std::time::Duration::from_millis(20));
    let now = number(&mut c, "stats", "current_eviction_exceeded_time");
    assert!(now > 0 && number(&mut c, "stats", "total_eviction_exceeded_time") >= now);
    set(&mut c, "maxmemory", 0);
    c.check("SET d 4", "+OK\r\n");
}

/// Between two commands of a transaction nothing is evicted, and none of them is refused.
#[test]
fn transactions_run_as_a_whole() {
    let server = TestServer::start();
    let mut c = server.raw();
    set(&mut c, "maxmemory-policy", "allkeys-lru");
    c.check("MULTI", "+OK\r\n");
    for line in ["INCR x", "CONFIG SET maxmemory 1", "INCR x"] {
        c.check(line, "+QUEUED\r\n");
    }
    c.check("EXEC", "*3\r\n:1\r\n+OK\r\n:2\r\n");
    wait_until("the key is gone", || int(&mut c, "DBSIZE") == 0);
}

#[test]
fn scripts_are_refused_by_what_they_declare() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SET k v", "+OK\r\n");
    set(&mut c, "maxmemory", 1);
    let mut run = |body: &str, reply: &str| {
        c.command(&["EVAL", body, "1", "k"]);
        c.expect(reply);
    };
    run("return redis.call('get', KEYS[1])", "$1\r\nv\r\n");
    run("return redis.call('del', 'other')", ":0\r\n");
    run("#!lua flags=no-writes\nreturn redis.call('get', KEYS[1])", "$1\r\nv\r\n");
    run("#!lua flags=allow-oom\nreturn redis.call('set', KEYS[1], 'w')", "+OK\r\n");
    run(
        "#!lua\nreturn 1",
        "-OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'\r\n",
    );
    let mut refused = server.raw();
    refused.command(&["EVAL", "return redis.pcall('set', KEYS[1], 'x')", "1", "k"]);
    assert!(refused.read_line().starts_with("-OOM command not allowed when used memory > 'maxmemory'"));
    // The first write of a script lets it go on.
    refused.command(&["EVAL", "redis.call('del', KEYS[1]) return redis.call('set', KEYS[1], 'x')", "1", "k"]);
    refused.expect("+OK\r\n");
}

#[test]
fn pipelines_are_refused_command_by_command() {
    let server = TestServer::start();
    let mut c = server.raw();
    let most = used(&mut c) + (1 << 20);
    set(&mut c, "maxmemory", most);
    // One batch of 60 KB, far more than the rest of it wants: 4000 copies of one value.
    c.check(&format!("SET k {}", "x".repeat(5000)), "+OK\r\n");
    let batch: Vec<u8> = (0..2000).flat_map(|i| encode(&["COPY", "k", &format!("copy{i}")])).collect();
    c.send(batch);
    let replies: Vec<String> = (0..2000).map(|_| c.read_line()).collect();
    let done = replies.iter().filter(|reply| *reply == ":1").count();
    assert!((100..250).contains(&done), "{done} copies of 5 KB in a megabyte");
    assert!(replies[..done].iter().all(|reply| reply == ":1"), "what is refused comes after what is not");
    // Besides, there are the request and its replies.
    assert!(used(&mut c) < most + (256 << 10), "{} of {most}", used(&mut c));
}
