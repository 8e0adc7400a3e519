//! INFO, DEBUG, SHUTDOWN and the small commands of the server family.

mod common;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::{Raw, TestServer};

const DEBUG: &[&str] = &["--threads", "2", "--enable-debug-command", "yes"];

fn info(c: &mut Raw, sections: &str) -> String {
    c.send(format!("INFO {sections}\r\n"));
    String::from_utf8(c.bulk()).expect("text")
}

/// The value of a field of INFO.
#[track_caller]
fn field(text: &str, name: &str) -> String {
    let start = format!("{name}:");
    let line = text.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("{name}: {text}"));
    line[start.len()..].to_string()
}

#[track_caller]
fn number(text: &str, name: &str) -> u64 {
    field(text, name).parse().expect("a number")
}

// -- INFO -----------------------------------------------------------------------------------------------------------

fn headings(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("# ")).collect()
}

#[test]
fn info_shows_the_sections_that_are_asked_for() {
    let server = TestServer::start();
    let mut c = server.raw();
    let usual = [
        "Server",
        "Clients",
        "Memory",
        "Persistence",
        "Stats",
        "Replication",
        "CPU",
        "Modules",
        "Errorstats",
        "Cluster",
        "Keyspace",
    ];
    for sections in ["", "default", "DEFAULT server"] {
        assert_eq!(headings(&info(&mut c, sections)), usual, "{sections}");
    }
    for sections in ["all", "everything", "keyspace all"] {
        let mut all = usual.to_vec();
        all.insert(8, "Commandstats");
        all.insert(10, "Latencystats");
        all.push("Keysizes");
        assert_eq!(headings(&info(&mut c, sections)), all, "{sections}");
    }
    c.check("INFO nosuch", "$0\r\n\r\n");
    c.check("INFO cluster", "$30\r\n# Cluster\r\ncluster_enabled:0\r\n\r\n");
    c.check("SET k v", "+OK\r\n");
    c.check(
        "INFO KeySpace nosuch cluster",
        "$76\r\n# Cluster\r\ncluster_enabled:0\r\n\r\n# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0\r\n\r\n",
    );
}

#[test]
fn latencies_are_tracked_per_command() {
    let server = TestServer::with(DEBUG);
    let mut c = server.raw();
    c.check("CONFIG SET latency-tracking-info-percentiles \"0.0 50.0 100\"", "+OK\r\n");
    c.send("CONFIG GET latency-tracking-info-percentiles\r\n");
    c.expect("*2\r\n$33\r\nlatency-tracking-info-percentiles\r\n$8\r\n0 50 100\r\n");
    c.check("CONFIG SET latency-tracking no", "+OK\r\n");
    c.check("SET k v", "+OK\r\n");
    assert_eq!(info(&mut c, "latencystats"), "# Latencystats\r\n");
    c.check("CONFIG SET latency-tracking yes", "+OK\r\n");
    assert!(!info(&mut c, "latencystats").contains("_set:"), "what ran before does not count");
    c.check("DEBUG SLEEP 0.05", "+OK\r\n");
    let text = info(&mut c, "latencystats");
    let times = field(&text, "latency_percentiles_usec_debug");
    let median: f64 = times
        .split(',')
        .nth(1)
        .and_then(|p50| p50.strip_prefix("p50="))
        .expect(&times)
        .parse()
        .expect(&times);
    assert!((50_000.0..500_000.0).contains(&median), "{times}");
    c.check("CONFIG RESETSTAT", "+OK\r\n");
    assert!(!info(&mut c, "latencystats").contains("_debug:"));
}

#[test]
fn info_tells_what_clients_parse() {
    let server = TestServer::start();
    let mut c = server.raw();
    let text = info(&mut c, "everything");
    assert_eq!(field(&text, "redis_version"), "7.2.0");
    assert_eq!(field(&text, "redis_mode"), "standalone");
    assert_eq!(number(&text, "process_id"), u64::from(server.pid()));
    assert_eq!(number(&text, "tcp_port"), u64::from(server.port));
    assert_eq!(number(&text, "worker_threads"), 2);
    // Whoever looked whether the server is up may be counted for a moment more.
    let began = Instant::now();
    while number(&info(&mut c, "clients"), "connected_clients") != 1 {
        assert!(began.elapsed() < Duration::from_secs(10), "one client is connected");
    }
    assert_eq!(number(&text, "maxclients"), 10_000);
    assert_eq!(number(&text, "loading"), 0);
    assert_eq!(field(&text, "role"), "master");
    assert_eq!(field(&text, "mem_allocator"), "mimalloc");
    for id in ["run_id", "master_replid"] {
        let id = field(&text, id);
        assert!(id.len() == 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    }
    assert!(field(&text, "os").starts_with("Linux "), "{text}");
    assert!(field(&text, "executable").ends_with("sockudo-kv"));
    assert!(field(&text, "used_cpu_user").parse::<f64>().expect("seconds") >= 0.0);
    assert!(text.lines().all(|line| line.is_empty() || line.starts_with("# ") || line.contains(':')));
}

#[test]
fn memory_is_what_is_in_use() {
    let server = TestServer::start();
    let mut c = server.raw();
    let before = number(&info(&mut c, "memory"), "used_memory");
    c.command(&["SET", "big", &"x".repeat(5_000_000)]);
    c.expect("+OK\r\n");
    let text = info(&mut c, "memory");
    let used = number(&text, "used_memory");
    assert!((5_000_000..6_500_000).contains(&(used - before)), "{before} {used}");
    assert!(number(&text, "used_memory_peak") >= used);
    assert!(number(&text, "used_memory_rss") > 5_000_000);
    assert!(field(&text, "used_memory_human").ends_with('M'));
    c.check("DEL big", ":1\r\n");
    // The value is freed in the background, when the epochs of its readers are over.
    let began = Instant::now();
    while number(&info(&mut c, "memory"), "used_memory") > before + 1_000_000 {
        assert!(began.elapsed() < Duration::from_secs(10), "the memory does not come back");
        std::thread::sleep(Duration::from_millis(10));
    }
    let text = info(&mut c, "memory");
    assert!(number(&text, "used_memory_peak") >= used);
    assert_eq!(number(&text, "lazyfreed_objects"), 1);
}

#[test]
fn calls_and_errors_are_counted() {
    let server = TestServer::start();
    let mut c = server.raw();
    // Whoever looked whether the server is up has called commands too.
    c.check("CONFIG RESETSTAT", "+OK\r\n");
    c.check("SET k v", "+OK\r\n");
    c.check("INCR k", "-ERR value is not an integer or out of range\r\n");
    c.check("GET", "-ERR wrong number of arguments for 'get' command\r\n");
    c.check("CONFIG SET a", "-ERR wrong number of arguments for 'config|set' command\r\n");
    c.line("NOSUCH");
    let text = info(&mut c, "commandstats errorstats stats");
    // Redis's fields in Redis's order, because exporters read them by their place.
    let counts = |name: &str| {
        let line = field(&text, name);
        let fields: Vec<(&str, &str)> = line.split(',').filter_map(|one| one.split_once('=')).collect();
        let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["calls", "usec", "usec_per_call", "rejected_calls", "failed_calls"]);
        let usec: u64 = fields[1].1.parse().expect("microseconds");
        assert!(usec < 1_000_000, "{line}");
        [fields[0].1, fields[3].1, fields[4].1].map(|count| count.parse::<u64>().expect("a count"))
    };
    assert_eq!(counts("cmdstat_set"), [1, 0, 0]);
    assert_eq!(counts("cmdstat_incr"), [1, 0, 1]);
    assert_eq!(counts("cmdstat_get"), [0, 1, 0]);
    assert_eq!(counts("cmdstat_config|set"), [0, 1, 0]);
    assert_eq!(field(&text, "errorstat_ERR"), "count=4");
    assert_eq!(number(&text, "total_error_replies"), 4);
    assert_eq!(number(&text, "total_commands_processed"), 3, "CONFIG RESETSTAT, SET and INCR");
}

#[test]
fn the_rate_follows_the_load() {
    let server = TestServer::start();
    let mut c = server.raw();
    let began = Instant::now();
    loop {
        c.send("PING\r\n".repeat(200));
        c.expect("+PONG\r\n".repeat(200));
        let rate = number(&info(&mut c, "stats"), "instantaneous_ops_per_sec");
        if rate > 100 {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "the rate stays at {rate}");
    }
}

// -- small ones -----------------------------------------------------------------------------------------------------

#[test]
fn small_commands_answer() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("ROLE", "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n");
    c.check("ROLE x", "-ERR wrong number of arguments for 'role' command\r\n");
    c.check("TIME x", "-ERR wrong number of arguments for 'time' command\r\n");
    c.send("LOLWUT\r\nLOLWUT VERSION 5 1 2\r\n");
    for _ in 0..2 {
        assert!(String::from_utf8(c.bulk()).expect("text").ends_with("\nRedis ver. 7.2.0\n"));
    }
    c.check("LOLWUT VERSION x", "-ERR value is not an integer or out of range\r\n");
    let (seconds, micros): (u64, u32) = redis::cmd("TIME").query(&mut server.client()).expect("the time");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    assert!(now - seconds < 60 && micros < 1_000_000);
}

// -- SHUTDOWN -------------------------------------------------------------------------------------------------------

#[test]
fn shutdown_ends_the_process() {
    for line in ["SHUTDOWN", "SHUTDOWN NOSAVE", "shutdown now force nosave", "SHUTDOWN SAVE FORCE"] {
        let mut server = TestServer::start();
        let mut c = server.raw();
        c.send(format!("SET k v\r\n{line}\r\nGET k\r\n"));
        c.expect("+OK\r\n");
        // No reply follows, and nothing that came behind it runs.
        assert_eq!(c.read_line(), "", "{line}");
        assert!(c.closed(), "{line}");
        assert_eq!(server.wait_for_end(Duration::from_secs(10)), Some(true), "{line}");
    }
}

#[test]
fn shutdown_refuses_what_makes_no_sense() {
    let server = TestServer::start();
    let mut c = server.raw();
    for line in ["x", "SAVE NOSAVE", "ABORT NOW", "NOW ABORT", "SAVE SAVE x"] {
        c.check(&format!("SHUTDOWN {line}"), "-ERR syntax error\r\n");
    }
    c.check("SHUTDOWN ABORT", "-ERR No shutdown in progress.\r\n");
    c.check("PING", "+PONG\r\n");
}

// -- DEBUG ----------------------------------------------------------------------------------------------------------

#[test]
fn debug_must_be_allowed() {
    let refused = "-ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run \
                   it from a local connection, otherwise you need to set this option in the configuration file, and \
                   then restart the server.\r\n";
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("DEBUG SLEEP 0", refused);
    c.check("DEBUG PANIC", refused);
    c.check("DEBUG", "-ERR wrong number of arguments for 'debug' command\r\n");
    let server = TestServer::with(&["--enable-debug-command", "local"]);
    server.raw().check("DEBUG SLEEP 0", "+OK\r\n");
}

#[test]
fn debug_subcommands() {
    let server = TestServer::with(DEBUG);
    let mut c = server.raw();
    for (name, line) in [("nosuch", "nosuch"), ("SLEEP", "SLEEP"), ("PANIC", "PANIC x"), ("LOG", "LOG a b")] {
        let reply =
            format!("-ERR unknown subcommand or wrong number of arguments for '{name}'. Try DEBUG HELP.\r\n");
        c.check(&format!("DEBUG {line}"), &reply);
    }
    c.check("DEBUG SLEEP x", "+OK\r\n");
    c.check("DEBUG SLEEP -1", "+OK\r\n");
    let began = Instant::now();
    c.check("DEBUG SLEEP 0.2", "+OK\r\n");
    assert!(began.elapsed() >= Duration::from_millis(200));
    c.check("DEBUG ERROR \"MYCODE my words\"", "-MYCODE my words\r\n");
    c.check("DEBUG LOG hello", "+OK\r\n");
    assert_eq!(field(&info(&mut c, "errorstats"), "errorstat_MYCODE"), "count=1");
    assert_eq!(c.line("DEBUG HELP"), "*37");
}

/// The digests are those that redis-server 7.0.15 answers for the same data.
#[test]
fn digests_are_those_of_redis() {
    let server = TestServer::with(DEBUG);
    let mut c = server.raw();
    let zeros = "0".repeat(40);
    c.check("DEBUG DIGEST", &format!("+{zeros}\r\n"));
    c.check("DEBUG DIGEST-VALUE", "*0\r\n");
    c.check("SET a 1", "+OK\r\n");
    c.check("SET b abcd", "+OK\r\n");
    c.check(
        "DEBUG DIGEST-VALUE a none b",
        &format!(
            "*3\r\n+b4fc66738120fba0b5aa500ab5c2bf89cea1c5da\r\n+{zeros}\r\n\
             +caad49b214f1a7ed6b88b1b6f9c28f22d256896c\r\n"
        ),
    );
    c.check("SELECT 3", "+OK\r\n");
    c.check("SET c 3.5 PX 100000000", "+OK\r\n");
    c.check("DEBUG DIGEST-VALUE c", "*1\r\n+91fd2f50722417b875d62dfe3e1be808d5ef74b4\r\n");
    c.check("DEBUG DIGEST", "+2fc84259ef8eeba11085478df7ed48318a0aa841\r\n");
}

/// As above, with a key of each type.
#[test]
fn digests_of_collections_are_those_of_redis() {
    let server = TestServer::with(DEBUG);
    let mut c = server.raw();
    for (line, reply) in [
        ("RPUSH l a 1 bcd", ":3"),
        ("SADD s 1 2 3", ":3"),
        ("SADD t x yy 7", ":3"),
        ("ZADD z 1 a 2.5 b inf c", ":3"),
        ("HSET h f v 1 2", ":2"),
        ("XADD x 1-1 f v g w", "$3\r\n1-1"),
        ("XADD x 2-0 a 1", "$3\r\n2-0"),
        ("PEXPIRE h 100000000", ":1"),
    ] {
        c.check(line, &format!("{reply}\r\n"));
    }
    c.check(
        "DEBUG DIGEST-VALUE l s t z h x",
        "*6\r\n+b7ce06b8de4bbd15dd930ac1590bb91a6243138d\r\n+2a462a3f51a1db89738ebbeef0c47ce1bbc85246\r\n\
         +81ccc646056849d0af73c245f577087cd02f2480\r\n+692ab70d673d8bf452c3a17fb4be02bfcdf437bc\r\n\
         +9e9d9357ca6890ee05faa06ab36212fb43092b6a\r\n+6eb0658988e6eeee02052d6e914b9f1e0ac49b4a\r\n",
    );
    c.check("DEBUG DIGEST", "+d7ee1dc254f77a57dc946c9f4d11c2e6e7f568e3\r\n");
}

#[test]
fn debug_populate_makes_keys() {
    let server = TestServer::with(DEBUG);
    let mut c = server.raw();
    c.check("SET key:1 mine", "+OK\r\n");
    c.check("DEBUG POPULATE 3", "+OK\r\n");
    c.check("MGET key:0 key:1 key:2", "*3\r\n$7\r\nvalue:0\r\n$4\r\nmine\r\n$7\r\nvalue:2\r\n");
    c.check("DEBUG POPULATE 1 x 3", "+OK\r\n");
    c.check("DEBUG POPULATE 1 y 9", "+OK\r\n");
    c.check("MGET x:0 y:0", "*2\r\n$3\r\nval\r\n$9\r\nvalue:0\0\0\r\n");
    for wrong in ["-1", "x", "1 z -1", "1 z x"] {
        c.check(&format!("DEBUG POPULATE {wrong}"), "-ERR value is out of range, must be positive\r\n");
    }
    let huge = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
    c.check("DEBUG POPULATE 1 z 3000000000000", huge);
    c.check("DBSIZE", ":5\r\n");
}

#[test]
fn debug_protocol_has_every_type() {
    let server = TestServer::with(DEBUG);
    let mut c = server.raw();
    let both = [
        ("string", "$11\r\nHello World\r\n", "$11\r\nHello World\r\n"),
        ("integer", ":12345\r\n", ":12345\r\n"),
        ("double", "$5\r\n3.141\r\n", ",3.141\r\n"),
        ("null", "$-1\r\n", "_\r\n"),
        ("array", "*3\r\n:0\r\n:1\r\n:2\r\n", "*3\r\n:0\r\n:1\r\n:2\r\n"),
        ("set", "*3\r\n:0\r\n:1\r\n:2\r\n", "~3\r\n:0\r\n:1\r\n:2\r\n"),
        ("map", "*6\r\n:0\r\n:0\r\n:1\r\n:1\r\n:2\r\n:0\r\n", "%3\r\n:0\r\n#f\r\n:1\r\n#t\r\n:2\r\n#f\r\n"),
        (
            "attrib",
            "$39\r\nSome real reply following the attribute\r\n",
            "|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n$39\r\nSome real reply following the attribute\r\n",
        ),
        (
            "push",
            "-ERR RESP2 is not supported by this command\r\n",
            ">2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n$40\r\nSome real reply following the push reply\r\n",
        ),
        ("verbatim", "$25\r\nThis is a verbatim\nstring\r\n", "=29\r\ntxt:This is a verbatim\nstring\r\n"),
        ("true", ":1\r\n", "#t\r\n"),
        ("FALSE", ":0\r\n", "#f\r\n"),
        (
            "bignum",
            "$37\r\n1234567999999999999999999999999999999\r\n",
            "(1234567999999999999999999999999999999\r\n",
        ),
    ];
    for (name, resp2, _) in both {
        c.check(&format!("DEBUG PROTOCOL {name}"), resp2);
    }
    assert!(c.line("DEBUG PROTOCOL foo").starts_with("-ERR Wrong protocol type name. Please use one of"));
    c.send("HELLO 3\r\nECHO end\r\n");
    while c.read_line() != "end" {}
    for (name, _, resp3) in both {
        c.check(&format!("DEBUG PROTOCOL {name}"), resp3);
    }
}

#[test]
fn debug_object_describes_a_value() {
    let server = TestServer::with(DEBUG);
    let mut c = server.raw();
    c.check("DEBUG OBJECT none", "-ERR no such key\r\n");
    c.check("SET n 12345678", "+OK\r\n");
    let before = c.line("DEBUG OBJECT n");
    assert!(
        before.starts_with("+Value at:0x") && before.contains(" refcount:1 encoding:int lru:"),
        "{before}"
    );
    c.check("INCR n", ":12345679\r\n");
    assert_eq!(
        c.line("DEBUG OBJECT n").split(' ').nth(1),
        before.split(' ').nth(1),
        "integers change in place"
    );
}

#[test]
fn active_expiry_can_be_switched_off() {
    let server = TestServer::with(DEBUG);
    let mut c = server.raw();
    if !c.line("SET probe v PX 0").starts_with('-') {
        return println!("skipped: SET has no options");
    }
    c.check("DEBUG SET-ACTIVE-EXPIRE 0", "+OK\r\n");
    c.check("SET k v PX 1", "+OK\r\n");
    std::thread::sleep(Duration::from_millis(500));
    let before = number(&info(&mut c, "stats"), "expired_keys");
    c.check("DEBUG SET-ACTIVE-EXPIRE 1", "+OK\r\n");
    let began = Instant::now();
    while number(&info(&mut c, "stats"), "expired_keys") == before {
        assert!(began.elapsed() < Duration::from_secs(10), "the key does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn row_53_a_panic_hits_one_client_only() {
    let server = TestServer::with(DEBUG);
    let mut other = server.raw();
    other.check("SET k v", "+OK\r\n");
    for round in 0..8 {
        let mut c = server.raw();
        c.send("SET k v\r\nDEBUG PANIC\r\nSET k never\r\n");
        c.expect("+OK\r\n-ERR internal error: the command failed and was abandoned\r\n");
        assert!(c.closed());
        // Both workers go on: the connections land on either.
        let mut next = server.raw();
        next.check("GET k", "$1\r\nv\r\n");
        next.check(&format!("MSET a {round} b {round}"), "+OK\r\n");
        other.check("MGET a b", &format!("*2\r\n$1\r\n{round}\r\n$1\r\n{round}\r\n"));
        other.check("INCR n", &format!(":{}\r\n", round + 1));
    }
    let began = Instant::now();
    while number(&info(&mut other, "clients"), "connected_clients") != 1 {
        assert!(began.elapsed() < Duration::from_secs(10), "a client is still counted");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn row_46_nothing_can_be_evicted() {
    const REFUSAL: &str = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("SET small v", "+OK\r\n");
    let used = number(&info(&mut c, "memory"), "used_memory");
    c.check(&format!("CONFIG SET maxmemory {}", used + (4 << 20)), "+OK\r\n");
    c.check(&format!("SET big {}", "x".repeat(60_000)), "+OK\r\n");
    let mut refused = false;
    for i in 0..200 {
        refused = c.line(&format!("SET big:{i} {}", "x".repeat(60_000))).starts_with("-OOM");
        if refused {
            break;
        }
    }
    assert!(refused, "4 MB take 12 MB of values");
    for command in ["SET other v", "APPEND small v", "MSET a 1 b 2", "INCR n", "PFADD p a"] {
        c.check(command, REFUSAL);
    }
    // What reads, or gives memory back, goes on.
    c.check("GET small", "$1\r\nv\r\n");
    c.check("EXPIRE small 100", ":1\r\n");
    assert!(number(&info(&mut c, "memory"), "used_memory") < used + (6 << 20));
    c.check("FLUSHALL", "+OK\r\n");
    let began = Instant::now();
    while c.line("SET again v") != "+OK" {
        assert!(began.elapsed() < Duration::from_secs(10), "the memory does not come back");
        std::thread::sleep(Duration::from_millis(10));
    }
}
