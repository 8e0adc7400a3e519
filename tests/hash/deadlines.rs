//! Deadlines of fields.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::common::TestServer;
use super::{array_of_one, both, fill};

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64
}

#[test]
fn fields_have_deadlines() {
    both(|_, c| {
        c.check("HSET h a 1 b 2 c 3", ":3\r\n");
        c.check("HEXPIRE h 100 FIELDS 3 a b nosuch", "*3\r\n:1\r\n:1\r\n:-2\r\n");
        c.check("HTTL h FIELDS 3 a c nosuch", "*3\r\n:100\r\n:-1\r\n:-2\r\n");
        let at = now_ms() / 1000 + 500;
        c.check(&format!("HEXPIREAT h {at} FIELDS 1 a"), "*1\r\n:1\r\n");
        c.check("HEXPIRETIME h FIELDS 1 a", &format!("*1\r\n:{at}\r\n"));
        c.check("HPEXPIRETIME h FIELDS 2 a c", &format!("*2\r\n:{at}000\r\n:-1\r\n"));
        c.check(&format!("HPEXPIREAT h {at}001 FIELDS 1 a"), "*1\r\n:1\r\n");
        c.check("HEXPIRETIME h FIELDS 1 a", &format!("*1\r\n:{}\r\n", at + 1));
        c.check("HPEXPIRE h 200000 FIELDS 1 a", "*1\r\n:1\r\n");
        assert_eq!(c.line("HPTTL h FIELDS 1 a"), "*1");
        let left: i64 = c.read_line()[1..].parse().expect("an integer");
        assert!((190_000..=200_000).contains(&left), "{left}");
        c.check("HPERSIST h FIELDS 3 a c nosuch", "*3\r\n:1\r\n:-1\r\n:-2\r\n");
        c.check("HTTL h FIELDS 2 a b", "*2\r\n:-1\r\n:100\r\n");
        for line in ["HEXPIRE k 9 FIELDS 2 a b", "HTTL k FIELDS 2 a b", "HPERSIST k FIELDS 2 a b"] {
            c.check(line, "*2\r\n:-2\r\n:-2\r\n");
        }
        c.check("EXISTS k", ":0\r\n");
    });
}

#[test]
fn conditions_decide_on_deadlines() {
    both(|_, c| {
        c.check("HSET h a 1 b 2", ":2\r\n");
        for (line, reply) in [
            ("HEXPIRE h 100 XX FIELDS 1 a", 0),
            ("HEXPIRE h 100 GT FIELDS 1 a", 0),
            ("HEXPIRE h 100 NX FIELDS 1 a", 1),
            ("HEXPIRE h 100 NX FIELDS 1 a", 0),
            ("HEXPIRE h 50 GT FIELDS 1 a", 0),
            ("HEXPIRE h 200 GT FIELDS 1 a", 1),
            ("HEXPIRE h 300 LT FIELDS 1 a", 0),
            ("HEXPIRE h 50 lt FIELDS 1 a", 1),
            ("HEXPIRE h 70 FIELDS 1 a xx", 1),
            ("HEXPIRE h 100 LT FIELDS 1 b", 1),
            ("HEXPIRE h 0 GT FIELDS 1 b", 0),
        ] {
            c.check(line, &format!("*1\r\n:{reply}\r\n"));
        }
        c.check("HEXPIRE h 1 NX XX FIELDS 1 a", "-ERR Multiple condition flags specified\r\n");
    });
}

#[test]
fn times_in_the_past_delete() {
    both(|_, c| {
        c.check("HSET h a 1 b 2 c 3 d 4", ":4\r\n");
        c.check("HEXPIRE h 0 FIELDS 2 a nosuch", "*2\r\n:2\r\n:-2\r\n");
        c.check("HPEXPIREAT h 1 FIELDS 2 b b", "*2\r\n:2\r\n:-2\r\n");
        c.check("HGETEX h EXAT 1 FIELDS 2 c b", "*2\r\n$1\r\n3\r\n$-1\r\n");
        c.check("HKEYS h", "*1\r\n$1\r\nd\r\n");
        c.check("HSETEX h PXAT 1 FIELDS 2 d 5 e 6", ":1\r\n");
        c.check("EXISTS h", ":0\r\n");
        c.check("HSETEX h EXAT 1 FIELDS 1 d 5", ":1\r\n");
        c.check("EXISTS h", ":0\r\n");
    });
}

#[test]
fn bad_deadlines_are_refused() {
    let server = TestServer::start();
    let mut c = server.raw();
    c.check("HSET h a 1", ":1\r\n");
    for (line, error) in [
        ("HEXPIRE h x FIELDS 1 a", "value is not an integer or out of range"),
        ("HEXPIRE h -1 FIELDS 1 a", "invalid expire time, must be >= 0"),
        ("HEXPIRE h 70368744177 FIELDS 1 a", "invalid expire time in 'hexpire' command"),
        ("HEXPIRE h 9223372036854775807 FIELDS 1 a", "invalid expire time in 'hexpire' command"),
        ("HPEXPIREAT h 70368744177664 FIELDS 1 a", "invalid expire time in 'hpexpireat' command"),
        ("HEXPIRE h 1 foo FIELDS 1 a", "unknown argument: foo"),
        ("HEXPIRE h 1 FIELDS 0 a", "invalid number of fields"),
        ("HEXPIRE h 1 FIELDS 2 a", "wrong number of arguments"),
        ("HEXPIRE h 1 FIELDS 9223372036854775807 a", "wrong number of arguments"),
        ("HEXPIRE h 1 FIELDS 1 a b", "unknown argument: b"),
        ("HEXPIRE h 1 FIELDS 1 a FIELDS 1 a", "FIELDS keyword specified multiple times"),
        ("HEXPIRE h 1 NX nx2 y z", "unknown argument: nx2"),
        ("HTTL h FELDS 1 a", "Mandatory argument FIELDS is missing or not at the right position"),
        ("HTTL h FIELDS 0 a", "Number of fields must be a positive integer"),
        ("HTTL h FIELDS 2 a", "The `numfields` parameter must match the number of arguments"),
        ("HPERSIST h FIELDS 1 a b", "The `numfields` parameter must match the number of arguments"),
        ("HGETDEL h FIELDS x a", "Number of fields must be a positive integer"),
        (
            "HGETEX h EX 1 PX 1 FIELDS 1 a",
            "Only one of EX, PX, EXAT, PXAT or PERSIST arguments can be specified",
        ),
        ("HGETEX h KEEPTTL FIELDS 1 a", "unknown argument: KEEPTTL"),
        ("HGETEX h EX -1 FIELDS 1 a", "invalid expire time, must be >= 0"),
        ("HGETEX h PERSIST EX 5 PX", "Only one of EX, PX, EXAT, PXAT or PERSIST arguments can be specified"),
        ("HSETEX h FNX FXX FIELDS 1 a 1", "Only one of FXX or FNX arguments can be specified"),
        (
            "HSETEX h EX 1 KEEPTTL FIELDS 1 a 1",
            "Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified",
        ),
        ("HSETEX h FIELDS 2 a 1 b", "wrong number of arguments"),
        ("HSETEX h EX 70368744177 FIELDS 1 a 1", "invalid expire time in 'hsetex' command"),
        ("HSETEX h EX 5 FNX a 1", "unknown argument: a"),
    ] {
        c.check(line, &format!("-ERR {error}\r\n"));
    }
    c.check("HTTL h FIELDS 1 a", "*1\r\n:-1\r\n");
}

#[test]
fn writes_keep_or_drop_deadlines() {
    both(|_, c| {
        c.check("HSET h a 1 b 1 c 1 d 1", ":4\r\n");
        c.check("HEXPIRE h 100 FIELDS 4 a b c d", "*4\r\n:1\r\n:1\r\n:1\r\n:1\r\n");
        c.check("HSET h a 2", ":0\r\n");
        c.check("HINCRBY h b 1", ":2\r\n");
        c.check("HINCRBYFLOAT h c 0.5", "$3\r\n1.5\r\n");
        c.check("HSETNX h d 2", ":0\r\n");
        c.check("HTTL h FIELDS 4 a b c d", "*4\r\n:-1\r\n:100\r\n:100\r\n:100\r\n");
        c.check("HMSET h d 2", "+OK\r\n");
        c.check("HTTL h FIELDS 1 d", "*1\r\n:-1\r\n");
        c.check("HDEL h b", ":1\r\n");
        c.check("HSET h b 5", ":1\r\n");
        c.check("HTTL h FIELDS 1 b", "*1\r\n:-1\r\n");
        c.check("COPY h k", ":1\r\n");
        c.check("HTTL k FIELDS 2 b c", "*2\r\n:-1\r\n:100\r\n");
    });
}

#[test]
fn values_are_taken_out() {
    both(|_, c| {
        c.check("HSET h a 1 b x", ":2\r\n");
        c.check("HGETDEL h FIELDS 3 a nosuch a", "*3\r\n$1\r\n1\r\n$-1\r\n$-1\r\n");
        c.check("HGETDEL nokey FIELDS 2 a b", "*2\r\n$-1\r\n$-1\r\n");
        c.check("HKEYS h", "*1\r\n$1\r\nb\r\n");
        c.check("HGETDEL h FIELDS 1 b", "*1\r\n$1\r\nx\r\n");
        c.check("EXISTS h", ":0\r\n");
    });
}

#[test]
fn values_are_read_and_set_with_deadlines() {
    both(|_, c| {
        c.check("HSETEX h EX 100 FIELDS 2 a 1 b x", ":1\r\n");
        c.check("HTTL h FIELDS 2 a b", "*2\r\n:100\r\n:100\r\n");
        c.check("HGETEX h FIELDS 2 a nosuch", "*2\r\n$1\r\n1\r\n$-1\r\n");
        c.check("HGETEX h FIELDS 1 a EX 50", "*1\r\n$1\r\n1\r\n");
        c.check("HGETEX h PERSIST FIELDS 1 b", "*1\r\n$1\r\nx\r\n");
        c.check("HTTL h FIELDS 2 a b", "*2\r\n:50\r\n:-1\r\n");
        c.check("HGETEX nokey EX 5 FIELDS 1 a", "*1\r\n$-1\r\n");
        c.check("HSETEX h KEEPTTL FIELDS 1 a 2", ":1\r\n");
        c.check("HTTL h FIELDS 1 a", "*1\r\n:50\r\n");
        c.check("HSETEX h FNX FIELDS 2 new 1 a 3", ":0\r\n");
        c.check("HSETEX h FXX FIELDS 2 new 1 a 3", ":0\r\n");
        c.check("HSETEX h FXX FIELDS 2 b 1 a 3", ":1\r\n");
        c.check("HTTL h FIELDS 1 a", "*1\r\n:-1\r\n");
        c.check("HSETEX h FIELDS 1 new 1 PX 100000 FNX", ":1\r\n");
        c.check("HTTL h FIELDS 1 new", "*1\r\n:100\r\n");
        c.check("HSETEX nokey FXX FIELDS 1 a 1", ":0\r\n");
        c.check("HSETEX nokey XX FIELDS 1 a 1", ":0\r\n");
        c.check("EXISTS nokey", ":0\r\n");
        c.check("HSETEX h NX FIELDS 1 a 1", ":0\r\n");
        c.check("HSETEX h XX FIELDS 1 a 9", ":1\r\n");
        c.check("HSETEX fresh NX FNX EX 10 FIELDS 1 a 1", ":1\r\n");
        c.check("HMGET h a b new", "*3\r\n$1\r\n9\r\n$1\r\n1\r\n$1\r\n1\r\n");
    });
}

/// With active expiry off, so that what hides the fields is the deadline alone.
#[test]
fn expired_fields_are_not_there_for_anybody() {
    both(|_, c| {
        c.check("HSET h a 1 b 2 c 3 d 4", ":4\r\n");
        c.check("HPEXPIRE h 1 FIELDS 3 a b c", "*3\r\n:1\r\n:1\r\n:1\r\n");
        std::thread::sleep(Duration::from_millis(20));
        c.check("HGET h a", "$-1\r\n");
        c.check("HMGET h a d", "*2\r\n$-1\r\n$1\r\n4\r\n");
        c.check("HGETALL h", "*2\r\n$1\r\nd\r\n$1\r\n4\r\n");
        c.check("HKEYS h", "*1\r\n$1\r\nd\r\n");
        c.check("HVALS h", "*1\r\n$1\r\n4\r\n");
        c.check("HEXISTS h b", ":0\r\n");
        c.check("HSTRLEN h b", ":0\r\n");
        c.check("HSCAN h 0", "*2\r\n$1\r\n0\r\n*2\r\n$1\r\nd\r\n$1\r\n4\r\n");
        c.check("HRANDFIELD h 9", "*1\r\n$1\r\nd\r\n");
        c.check("HRANDFIELD h -2", "*2\r\n$1\r\nd\r\n$1\r\nd\r\n");
        c.check("HRANDFIELD h", "$1\r\nd\r\n");
        c.check("HTTL h FIELDS 2 a d", "*2\r\n:-2\r\n:-1\r\n");
        c.check("HSETNX h a new", ":1\r\n");
        c.check("HLEN h", ":2\r\n");
        c.check("HTTL h FIELDS 1 a", "*1\r\n:-1\r\n");
        c.check("HINCRBY h b 7", ":7\r\n");
        c.check("HDEL h c", ":0\r\n");
    });
}

#[test]
fn a_hash_whose_fields_have_all_expired_ends_with_the_next_write() {
    both(|_, c| {
        c.check("HSETEX h PX 1 FIELDS 2 a 1 b 2", ":1\r\n");
        std::thread::sleep(Duration::from_millis(20));
        c.check("HGETALL h", "*0\r\n");
        c.check("HRANDFIELD h", "$-1\r\n");
        c.check("HDEL h a", ":0\r\n");
        c.check("EXISTS h", ":0\r\n");
    });
}

#[test]
fn expired_fields_are_freed_although_nobody_touches_them() {
    both(|_, c| {
        fill(c, "h", 0..300);
        let names: Vec<String> = (1..300).map(|n| format!("f{n}")).collect();
        c.check(
            &format!("HPEXPIRE h 30 FIELDS 299 {}", names.join(" ")),
            &format!("*299\r\n{}", ":1\r\n".repeat(299)),
        );
        c.check("HSETEX gone PX 30 FIELDS 2 a 1 b 2", ":1\r\n");
        let began = Instant::now();
        while c.line("EXISTS gone") != ":0" || c.line("HLEN h") != ":1" {
            assert!(began.elapsed() < Duration::from_secs(10), "the fields stay");
            std::thread::sleep(Duration::from_millis(10));
        }
        c.check("HGETALL h", "*2\r\n$2\r\nf0\r\n$2\r\nv0\r\n");
        let stats = array_of_one(c, "INFO stats");
        assert!(stats.contains("expired_subkeys:301\r\n"), "{stats}");
    });
}

/// A hash that moves takes the deadlines of its fields along, and subscribers hear of the fields that nobody touched.
#[test]
fn fields_of_hashes_that_moved_end_and_tell() {
    let server = TestServer::with(&["--threads", "2", "--notify-keyspace-events", "Eghx"]);
    let (mut c, mut listener) = (server.raw(), server.raw());
    listener.check("PSUBSCRIBE *:hexpired *:del", "*3\r\n$10\r\npsubscribe\r\n$10\r\n*:hexpired\r\n:1\r\n*3\r\n$10\r\npsubscribe\r\n$5\r\n*:del\r\n:2\r\n");
    c.check("HSETEX a PX 60 FIELDS 1 f v", ":1\r\n");
    c.check("RENAME a b", "+OK\r\n");
    c.check("COPY b c DB 1", ":1\r\n");
    c.check("SWAPDB 0 2", "+OK\r\n");
    let mut heard = Vec::new();
    while heard.len() < 4 {
        assert_eq!(listener.read_line(), "*4");
        let parts: Vec<_> = (0..4).map(|_| String::from_utf8(listener.bulk()).expect("text")).collect();
        heard.push(format!("{} {}", parts[2], parts[3]));
    }
    heard.sort();
    let events = [
        "__keyevent@1__:del c",
        "__keyevent@1__:hexpired c",
        "__keyevent@2__:del b",
        "__keyevent@2__:hexpired b",
    ];
    assert_eq!(heard, events);
}
