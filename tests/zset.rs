//! Sorted sets, in exact bytes.

mod common;

use common::{Raw, TestServer};

fn start(directives: &[&str]) -> (TestServer, Raw) {
    let all = [&["--threads", "2"], directives].concat();
    let server = TestServer::with(&all);
    let raw = server.raw();
    (server, raw)
}

/// An array of bulk strings.
fn bulks(words: &[&str]) -> String {
    let body: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    format!("*{}\r\n{body}", words.len())
}

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
const NOT_A_FLOAT: &str = "-ERR value is not a valid float\r\n";
const SYNTAX: &str = "-ERR syntax error\r\n";

#[test]
fn zadd_and_its_conditions() {
    let (_server, mut raw) = start(&[]);
    raw.check("ZADD z 1 a 2 b", ":2\r\n");
    raw.check("ZADD z 3 a 3 c", ":1\r\n");
    raw.check("ZADD z CH 4 a 3 c 5 d", ":2\r\n");
    raw.check("ZADD z NX 9 a 6 e", ":1\r\n");
    raw.check("ZADD z XX CH 9 nobody 7 e", ":1\r\n");
    raw.check("ZADD z GT CH 6 e 8 d", ":1\r\n");
    raw.check("ZADD z LT CH 9 d 1 b 2 new", ":2\r\n");
    raw.check(
        "ZRANGE z 0 -1 WITHSCORES",
        &bulks(&["b", "1", "new", "2", "c", "3", "a", "4", "e", "7", "d", "8"]),
    );
    raw.check("ZADD z INCR 0.5 a", "$3\r\n4.5\r\n");
    raw.check("ZADD z NX INCR 1 a", "$-1\r\n");
    raw.check("ZADD z XX INCR 1 nobody", "$-1\r\n");
    raw.check("ZADD z GT INCR -1 a", "$-1\r\n");
    raw.check("ZINCRBY z -1.5 a", "$1\r\n3\r\n");
    raw.check("ZADD absent XX 1 a", ":0\r\n");
    raw.check("EXISTS absent", ":0\r\n");
    raw.check("TYPE z", "+zset\r\n");
}

#[test]
fn zadd_refuses() {
    let (_server, mut raw) = start(&[]);
    raw.check("SET text x", "+OK\r\n");
    let gt_lt = "-ERR GT, LT, and/or NX options at the same time are not compatible\r\n";
    for (line, reply) in [
        ("ZADD z NX XX 1 a", "-ERR XX and NX options at the same time are not compatible\r\n"),
        ("ZADD z NX GT 1 a", gt_lt),
        ("ZADD z LT GT 1 a", gt_lt),
        ("ZADD z INCR 1 a 2 b", "-ERR INCR option supports a single increment-element pair\r\n"),
        ("ZADD z NX CH", SYNTAX),
        ("ZADD z 1 a 2", SYNTAX),
        ("ZADD z 1 a nan b", NOT_A_FLOAT),
        ("ZADD text x a", NOT_A_FLOAT),
        ("ZINCRBY z x a", NOT_A_FLOAT),
        ("ZADD text 1 a", WRONG_TYPE),
        ("ZREM text a", WRONG_TYPE),
        ("EXISTS z", ":0\r\n"),
    ] {
        raw.check(line, reply);
    }
}

/// A sum of infinities changes nothing.
#[test]
fn row_36_a_score_that_is_not_a_number_is_refused() {
    let (_server, mut raw) = start(&[]);
    let nan = "-ERR resulting score is not a number (NaN)\r\n";
    raw.check("ZADD z inf a", ":1\r\n");
    raw.check("ZINCRBY z -inf a", nan);
    raw.check("ZADD z INCR -inf a", nan);
    raw.check("ZSCORE z a", "$3\r\ninf\r\n");
    raw.check("ZUNIONSTORE d 1 z WEIGHTS 0", ":1\r\n");
    raw.check("ZSCORE d a", "$1\r\n0\r\n");
    raw.check("ZADD y -inf a", ":1\r\n");
    raw.check("ZUNION 2 z y WITHSCORES", &bulks(&["a", "0"]));
    raw.check("ZINTER 2 z y WITHSCORES", &bulks(&["a", "0"]));
}

#[test]
fn row_37_counts_that_cannot_be_negated_are_refused() {
    let (_server, mut raw) = start(&[]);
    raw.check("ZADD z 1 a", ":1\r\n");
    let bounds =
        "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807\r\n";
    raw.check("ZRANDMEMBER z -9223372036854775808", bounds);
    raw.check("ZRANDMEMBER absent -9223372036854775808", bounds);
    raw.check("ZRANDMEMBER z -9223372036854775807 WITHSCORES", "-ERR value is out of range\r\n");
    raw.check("ZRANDMEMBER z 9223372036854775807 WITHSCORES", "-ERR value is out of range\r\n");
    raw.check("ZRANDMEMBER z 9223372036854775807", &bulks(&["a"]));
    raw.check("ZRANDMEMBER z -3 WITHSCORES", &bulks(&["a", "1", "a", "1", "a", "1"]));
    raw.check("ZRANDMEMBER z", "$1\r\na\r\n");
    raw.check("ZRANDMEMBER absent", "$-1\r\n");
    raw.check("ZRANDMEMBER z 1 FOO", SYNTAX);
}

/// The same commands on the small form and on the large one.
fn both_forms(test: impl Fn(&mut Raw)) {
    for entries in ["128", "0"] {
        let (_server, mut raw) = start(&["--zset-max-listpack-entries", entries]);
        raw.check("ZADD z 1 a 2 b 3 c 4 d 5 e", ":5\r\n");
        raw.check("ZADD l 0 a 0 b 0 c 0 d 0 12", ":5\r\n");
        raw.check(
            "OBJECT ENCODING z",
            if entries == "0" { "$8\r\nskiplist\r\n" } else { "$8\r\nlistpack\r\n" },
        );
        test(&mut raw);
    }
}

#[test]
fn ranges_by_rank_score_and_name() {
    both_forms(|raw| {
        for (line, words) in [
            ("ZRANGE z 0 1", &["a", "b"][..]),
            ("ZRANGE z -2 99", &["d", "e"]),
            ("ZRANGE z 3 1", &[]),
            ("ZRANGE z 0 1 REV", &["e", "d"]),
            ("ZREVRANGE z -2 -1 WITHSCORES", &["b", "2", "a", "1"]),
            ("ZRANGE z (1 3 BYSCORE", &["b", "c"]),
            ("ZRANGE z (4 -inf BYSCORE REV LIMIT 1 5", &["b", "a"]),
            ("ZRANGEBYSCORE z 2 +inf LIMIT 1 2", &["c", "d"]),
            ("ZRANGEBYSCORE z 2 +inf LIMIT -1 2", &[]),
            ("ZRANGEBYSCORE z 2 +inf LIMIT 2 -1 WITHSCORES", &["d", "4", "e", "5"]),
            ("ZREVRANGEBYSCORE z 3 (1 WITHSCORES", &["c", "3", "b", "2"]),
            ("ZRANGE l - + BYLEX", &["12", "a", "b", "c", "d"]),
            ("ZRANGEBYLEX l [a (c", &["a", "b"]),
            ("ZRANGEBYLEX l (12 [b LIMIT 1 1", &["b"]),
            ("ZREVRANGEBYLEX l + (b", &["d", "c"]),
            ("ZRANGEBYLEX l + -", &[]),
            ("ZRANGE absent 0 -1 WITHSCORES", &[]),
        ] {
            raw.check(line, &bulks(words));
        }
        for (line, count) in [
            ("ZCOUNT z -inf (5", 4),
            ("ZCOUNT z 4 2", 0),
            ("ZLEXCOUNT l - [b", 3),
            ("ZLEXCOUNT l (a +", 3),
            ("ZCARD z", 5),
            ("ZRANK z d", 3),
            ("ZREVRANK z d", 1),
            ("ZCARD absent", 0),
        ] {
            raw.check(line, &format!(":{count}\r\n"));
        }
        raw.check("ZRANK z d WITHSCORE", "*2\r\n:3\r\n$1\r\n4\r\n");
        raw.check("ZREVRANK z nobody WITHSCORE", "*-1\r\n");
        raw.check("ZRANK z nobody", "$-1\r\n");
        raw.check("ZMSCORE z a nobody", "*2\r\n$1\r\n1\r\n$-1\r\n");
    });
}

#[test]
fn ranges_refuse() {
    let (_server, mut raw) = start(&[]);
    raw.check("ZADD z 1 a", ":1\r\n");
    raw.check("SET text x", "+OK\r\n");
    for (line, reply) in [
        (
            "ZRANGE z 0 -1 LIMIT 0 1",
            "-ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX\r\n",
        ),
        (
            "ZRANGE z - + BYLEX WITHSCORES",
            "-ERR syntax error, WITHSCORES not supported in combination with BYLEX\r\n",
        ),
        ("ZRANGE z a b", "-ERR value is not an integer or out of range\r\n"),
        ("ZRANGE text a b BYSCORE", "-ERR min or max is not a float\r\n"),
        ("ZRANGEBYLEX z a b", "-ERR min or max not valid string range item\r\n"),
        ("ZLEXCOUNT z +a -", "-ERR min or max not valid string range item\r\n"),
        ("ZRANGEBYSCORE z 0 1 REV", SYNTAX),
        ("ZRANGE z 0 1 LIMIT 1", SYNTAX),
        ("ZRANGESTORE d z 0 1 WITHSCORES", SYNTAX),
        ("ZRANK z a FOO", SYNTAX),
        ("ZRANGE text 0 1", WRONG_TYPE),
        ("ZREMRANGEBYRANK z a 1", "-ERR value is not an integer or out of range\r\n"),
    ] {
        raw.check(line, reply);
    }
}

#[test]
fn ranges_stored_and_removed() {
    both_forms(|raw| {
        raw.check("ZRANGESTORE d z 1 3", ":3\r\n");
        raw.check("ZRANGE d 0 -1 WITHSCORES", &bulks(&["b", "2", "c", "3", "d", "4"]));
        raw.check("ZRANGESTORE d z (4 inf BYSCORE", ":1\r\n");
        raw.check("ZRANGESTORE d z 9 9", ":0\r\n");
        raw.check("EXISTS d", ":0\r\n");
        raw.check("ZREMRANGEBYSCORE z 2 (4", ":2\r\n");
        raw.check("ZREMRANGEBYRANK z 0 0", ":1\r\n");
        raw.check("ZREMRANGEBYLEX l [12 (c", ":3\r\n");
        raw.check("ZRANGE l 0 -1", &bulks(&["c", "d"]));
        raw.check("ZREM z d nobody", ":1\r\n");
        raw.check("ZREMRANGEBYRANK z 0 -1", ":1\r\n");
        raw.check("EXISTS z", ":0\r\n");
        raw.check("ZREMRANGEBYRANK z 0 -1", ":0\r\n");
    });
}

#[test]
fn pops() {
    both_forms(|raw| {
        raw.check("ZPOPMIN z", &bulks(&["a", "1"]));
        raw.check("ZPOPMAX z 2", &bulks(&["e", "5", "d", "4"]));
        raw.check("ZPOPMIN z 0", "*0\r\n");
        raw.check("ZPOPMIN absent", "*0\r\n");
        raw.check(
            "ZMPOP 2 absent z MAX COUNT 9",
            "*2\r\n$1\r\nz\r\n*2\r\n*2\r\n$1\r\nc\r\n$1\r\n3\r\n*2\r\n$1\r\nb\r\n$1\r\n2\r\n",
        );
        raw.check("EXISTS z", ":0\r\n");
        raw.check("ZMPOP 1 z MIN", "*-1\r\n");
    });
    let (_server, mut raw) = start(&[]);
    raw.check("SET text x", "+OK\r\n");
    for (line, reply) in [
        ("ZPOPMIN z -1", "-ERR value is out of range, must be positive\r\n"),
        ("ZPOPMIN z 1 2", SYNTAX),
        ("ZPOPMIN text 0", WRONG_TYPE),
        ("ZMPOP 0 z MIN", "-ERR numkeys should be greater than 0\r\n"),
        ("ZMPOP 1 z MIN COUNT 0", "-ERR count should be greater than 0\r\n"),
        ("ZMPOP 1 z MIN COUNT 1 COUNT 1", SYNTAX),
        ("ZMPOP 3 z MIN COUNT 1", SYNTAX),
        ("ZMPOP 9223372036854775807 z MIN", SYNTAX),
        ("ZMPOP 1 text MIN", WRONG_TYPE),
    ] {
        raw.check(line, reply);
    }
}

#[test]
fn unions_intersections_and_differences() {
    both_forms(|raw| {
        raw.check("SADD s a c x", ":3\r\n");
        raw.check(
            "ZUNION 2 l s WITHSCORES",
            &bulks(&["12", "0", "b", "0", "d", "0", "a", "1", "c", "1", "x", "1"]),
        );
        raw.check("ZINTER 2 z s WITHSCORES", &bulks(&["a", "2", "c", "4"]));
        raw.check("ZINTER 2 z s WEIGHTS 2 10 AGGREGATE MAX WITHSCORES", &bulks(&["a", "10", "c", "10"]));
        raw.check("ZINTER 2 z s AGGREGATE MIN WITHSCORES", &bulks(&["a", "1", "c", "1"]));
        raw.check(
            "ZUNION 2 z s AGGREGATE COUNT WITHSCORES",
            &bulks(&["b", "1", "d", "1", "e", "1", "x", "1", "a", "2", "c", "2"]),
        );
        raw.check("ZDIFF 2 z s WITHSCORES", &bulks(&["b", "2", "d", "4", "e", "5"]));
        raw.check("ZINTERCARD 2 z s", ":2\r\n");
        raw.check("ZINTERCARD 2 z s LIMIT 1", ":1\r\n");
        raw.check("ZUNIONSTORE d 2 z s WEIGHTS 1 2", ":6\r\n");
        raw.check("ZRANGE d 0 -1", &bulks(&["b", "x", "a", "d", "c", "e"]));
        raw.check("ZINTERSTORE d 2 d absent", ":0\r\n");
        raw.check("EXISTS d", ":0\r\n");
        raw.check("ZDIFFSTORE z 2 z s", ":3\r\n");
        raw.check("ZRANGE z 0 -1", &bulks(&["b", "d", "e"]));
    });
}

#[test]
fn combinations_refuse() {
    let (_server, mut raw) = start(&[]);
    raw.check("ZADD z 1 a", ":1\r\n");
    raw.check("SET text x", "+OK\r\n");
    for (line, reply) in [
        ("ZUNION 0 z", "-ERR at least 1 input key is needed for 'zunion' command\r\n"),
        ("ZDIFFSTORE d 0 z", "-ERR at least 1 input key is needed for 'zdiffstore' command\r\n"),
        ("ZUNION a z", "-ERR value is not an integer or out of range\r\n"),
        ("ZUNION 2 z", SYNTAX),
        ("ZUNION 1 text foo", WRONG_TYPE),
        ("ZUNION 1 z WEIGHTS a", "-ERR weight value is not a float\r\n"),
        ("ZUNION 1 z AGGREGATE foo", SYNTAX),
        ("ZDIFF 1 z WEIGHTS 1", SYNTAX),
        ("ZUNIONSTORE d 1 z WITHSCORES", SYNTAX),
        ("ZINTERCARD 1 z LIMIT -1", "-ERR LIMIT can't be negative\r\n"),
        ("ZINTERCARD 1 z WITHSCORES", SYNTAX),
    ] {
        raw.check(line, reply);
    }
}

#[test]
fn scans() {
    both_forms(|raw| {
        raw.check("ZSCAN z 0 COUNT 100 MATCH b", "*2\r\n$1\r\n0\r\n*2\r\n$1\r\nb\r\n$1\r\n2\r\n");
        raw.check("ZSCAN z 0 COUNT 100 MATCH c NOSCORES", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nc\r\n");
        raw.check("ZSCAN absent 0 COUNT x", "*2\r\n$1\r\n0\r\n*0\r\n");
        raw.check("ZSCAN z x", "-ERR invalid cursor\r\n");
        raw.check("ZSCAN z 0 COUNT x", "-ERR value is not an integer or out of range\r\n");
        raw.check("ZSCAN z 0 COUNT 0", SYNTAX);
        raw.check("ZSCAN z 0 FOO", SYNTAX);
    });
}

#[test]
fn encodings_change_once() {
    let (_server, mut raw) = start(&["--zset-max-listpack-entries", "3", "--zset-max-listpack-value", "5"]);
    raw.check("ZADD z 1 a 2 b 3 c", ":3\r\n");
    raw.check("OBJECT ENCODING z", "$8\r\nlistpack\r\n");
    raw.check("ZADD z 4 d", ":1\r\n");
    raw.check("OBJECT ENCODING z", "$8\r\nskiplist\r\n");
    raw.check("ZREM z d c b", ":3\r\n");
    raw.check("OBJECT ENCODING z", "$8\r\nskiplist\r\n");
    raw.check("ZADD y 1 sixsix", ":1\r\n");
    raw.check("OBJECT ENCODING y", "$8\r\nskiplist\r\n");
    raw.check("COPY y x", ":1\r\n");
    raw.check("ZINCRBY x 1 sixsix", "$1\r\n2\r\n");
    raw.check("ZSCORE y sixsix", "$1\r\n1\r\n");
}

#[test]
fn resp3_has_doubles_and_pairs() {
    let (_server, mut raw) = start(&[]);
    raw.send("HELLO 3\r\nPING\r\n");
    while raw.read_line() != "+PONG" {}
    raw.check("ZADD z 1.5 a 2 b", ":2\r\n");
    raw.check("ZSCORE z a", ",1.5\r\n");
    raw.check("ZSCORE z nobody", "_\r\n");
    raw.check("ZRANGE z 0 0 WITHSCORES", "*1\r\n*2\r\n$1\r\na\r\n,1.5\r\n");
    raw.check("ZUNION 1 z WITHSCORES", "*2\r\n*2\r\n$1\r\na\r\n,1.5\r\n*2\r\n$1\r\nb\r\n,2\r\n");
    raw.check("ZRANDMEMBER z 9 WITHSCORES", "*2\r\n*2\r\n$1\r\na\r\n,1.5\r\n*2\r\n$1\r\nb\r\n,2\r\n");
    raw.check("ZRANK z b WITHSCORE", "*2\r\n:1\r\n,2\r\n");
    raw.check("ZSCAN z 0 MATCH a", "*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$3\r\n1.5\r\n");
    raw.check("ZPOPMIN z", "*2\r\n$1\r\na\r\n,1.5\r\n");
    raw.check("ZPOPMIN z 1", "*1\r\n*2\r\n$1\r\nb\r\n,2\r\n");
    raw.check("ZMPOP 1 z MIN", "_\r\n");
}

/// What was lost here before: nothing yet; increments and pops from many clients must neither vanish nor repeat.
#[test]
fn racing_clients_count_exactly_and_pop_each_member_once() {
    let (server, mut raw) = start(&[]);
    let port = server.port;
    let clients: Vec<_> = (0..4)
        .map(|client: u32| {
            std::thread::spawn(move || {
                let url = format!("redis://127.0.0.1:{port}/");
                let mut con = redis::Client::open(url).expect("valid").get_connection().expect("accepted");
                for turn in 0..500u32 {
                    let member = format!("m{}", turn % 7);
                    let _: f64 =
                        redis::cmd("ZINCRBY").arg("sums").arg(1).arg(&member).query(&mut con).expect("a sum");
                    let own = format!("{client}:{turn}");
                    let _: i64 =
                        redis::cmd("ZADD").arg("queue").arg(turn).arg(own).query(&mut con).expect("added");
                }
                let mut taken = Vec::new();
                loop {
                    let popped: Vec<String> =
                        redis::cmd("ZPOPMIN").arg("queue").query(&mut con).expect("popped");
                    let Some(member) = popped.into_iter().next() else { return taken };
                    taken.push(member);
                }
            })
        })
        .collect();
    let mut taken: Vec<String> =
        clients.into_iter().flat_map(|client| client.join().expect("no panic")).collect();
    // A client that found the queue empty may have been ahead of one that still added.
    while let Some(member) = redis::cmd("ZPOPMIN")
        .arg("queue")
        .query::<Vec<String>>(&mut server.client())
        .expect("popped")
        .into_iter()
        .next()
    {
        taken.push(member);
    }
    assert_eq!(taken.len(), 2000);
    taken.sort();
    taken.dedup();
    assert_eq!(taken.len(), 2000);
    for (member, turns) in [("m0", 72), ("m3", 71), ("m6", 71)] {
        let sum = (4 * turns).to_string();
        raw.check(&format!("ZSCORE sums {member}"), &format!("${}\r\n{sum}\r\n", sum.len()));
    }
}
