//! The `redis` crate through every family, as its users call it. The other client libraries are in tests/clients.

mod common;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use common::TestServer;
use redis::{Commands, Connection, PubSubCommands, RedisResult, cmd, pipe};

fn connect() -> (TestServer, Connection) {
    let server = TestServer::start();
    let connection = server.client();
    (server, connection)
}

#[test]
fn strings_and_keys() -> RedisResult<()> {
    let (_server, mut c) = connect();
    let () = c.set_ex("s", "v", 100)?;
    let () = c.mset(&[("a", 1), ("b", 2)])?;
    let found: Vec<Option<i64>> = c.mget(&["a", "none", "b"])?;
    assert_eq!(found, [Some(1), None, Some(2)]);
    assert_eq!(c.incr::<_, _, i64>("a", 4)?, 5);
    let keys: HashSet<String> = c.scan()?.collect::<RedisResult<_>>()?;
    assert_eq!(keys, ["s", "a", "b"].map(String::from).into());
    assert_eq!(c.del::<_, usize>(&["a", "b", "none"])?, 2);
    Ok(())
}

#[test]
fn collections() -> RedisResult<()> {
    let (_server, mut c) = connect();
    assert_eq!(c.rpush::<_, _, usize>("l", &[1, 2, 3])?, 3);
    assert_eq!(c.lrange::<_, Vec<i64>>("l", 0, -1)?, [1, 2, 3]);
    let () = c.hset_multiple("h", &[("f", 1), ("g", 2)])?;
    assert_eq!(c.hgetall::<_, HashMap<String, i64>>("h")?, HashMap::from([("f".into(), 1), ("g".into(), 2)]));
    assert_eq!(c.sadd::<_, _, usize>("t", &["x", "y"])?, 2);
    assert_eq!(c.smembers::<_, HashSet<String>>("t")?, ["x", "y"].map(String::from).into());
    let () = c.zadd_multiple("z", &[(1.5, "a"), (0.5, "b")])?;
    assert_eq!(
        c.zrange_withscores::<_, Vec<(String, f64)>>("z", 0, -1)?,
        [("b".into(), 0.5), ("a".into(), 1.5)]
    );
    let id: String = cmd("XADD").arg("x").arg("*").arg("f").arg("v").query(&mut c)?;
    let entries: Vec<(String, Vec<String>)> = cmd("XRANGE").arg("x").arg("-").arg("+").query(&mut c)?;
    assert_eq!(entries, [(id, vec!["f".to_string(), "v".to_string()])]);
    Ok(())
}

#[test]
fn pipelines_and_transactions() -> RedisResult<()> {
    let (_server, mut c) = connect();
    let mut many = pipe();
    (0..5000).for_each(|i| _ = many.set(format!("p:{i}"), i).ignore().get(format!("p:{i}")));
    assert_eq!(many.query::<Vec<usize>>(&mut c)?, (0..5000).collect::<Vec<_>>());
    let sums: (i64, i64) = pipe().atomic().incr("n", 1).incr("n", 2).query(&mut c)?;
    assert_eq!(sums, (1, 3));
    Ok(())
}

#[test]
fn scripts() -> RedisResult<()> {
    let (_server, mut c) = connect();
    let text = "return {KEYS[1], redis.call('INCRBY', KEYS[1], ARGV[1])}";
    let (key, sum): (String, i64) = cmd("EVAL").arg(text).arg(1).arg("k").arg(4).query(&mut c)?;
    assert_eq!((key.as_str(), sum), ("k", 4));
    Ok(())
}

#[test]
fn messages() -> RedisResult<()> {
    let (server, mut c) = connect();
    let mut listener = server.client();
    let sender = std::thread::spawn(move || {
        while c.publish::<_, _, usize>("channel", "hello").is_ok_and(|reached| reached == 0) {
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let heard: String =
        listener.subscribe(&["channel"], |message| match message.get_payload::<String>() {
            Ok(text) => redis::ControlFlow::Break(text),
            Err(_) => redis::ControlFlow::Continue,
        })?;
    assert_eq!(heard, "hello");
    sender.join().expect("it only publishes");
    Ok(())
}
