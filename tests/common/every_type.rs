//! Commands that make a key of every type and encoding.

/// `count` words behind `head`, each made by `word`.
pub fn many(head: &str, count: usize, word: impl Fn(usize) -> String) -> String {
    let words: Vec<String> = (0..count).map(word).collect();
    format!("{head} {}", words.join(" "))
}

/// Keys of every type and encoding; [`commands`] make all but the last.
pub const KEYS: &[&str] = &[
    "empty-ish",
    "int8",
    "int16",
    "int32",
    "int64",
    "not-int",
    "compressible",
    "incompressible",
    "list-small",
    "list-large",
    "list-huge",
    "set-16",
    "set-32",
    "set-64",
    "set-text",
    "set-large",
    "zset-small",
    "zset-large",
    "hash-small",
    "hash-large",
    "hash-long",
    "sketch",
    "stream",
    "no-entries",
    "stream-large",
];

/// What makes them, but for one.
pub fn commands() -> Vec<String> {
    let long = "x".repeat(3000);
    vec![
        "SET empty-ish a".to_owned(),
        "SET int8 -100".to_owned(),
        "SET int16 -30000".to_owned(),
        "SET int32 2147483647".to_owned(),
        "SET int64 9223372036854775807".to_owned(),
        "SET not-int 007".to_owned(),
        format!("SET compressible {long}"),
        many("SET incompressible", 1, |_| {
            (0..90u32).map(|at| char::from((33 + at * 7 % 90) as u8)).collect()
        }),
        "RPUSH list-small a 1 -1 300 70000 10000000 5000000000".to_owned(),
        many("RPUSH list-large", 3000, |at| format!("element:{at}")),
        format!("RPUSH list-huge a {} b {} c", "y".repeat(20_000), "z".repeat(70_000)),
        "SADD set-16 1 2 -3".to_owned(),
        "SADD set-32 1 2 -70000".to_owned(),
        "SADD set-64 1 2 5000000000".to_owned(),
        "SADD set-text a b c".to_owned(),
        many("SADD set-large", 1000, |at| format!("member:{at}")),
        "ZADD zset-small 1 a 2.5 b -0.1 c inf d -inf e 1e300 f 12345678901234567890 g".to_owned(),
        many("ZADD zset-large", 500, |at| format!("{}.5 member:{at}", at * 7 % 100)),
        "HSET hash-small a 1 b 2 c text".to_owned(),
        many("HSET hash-large", 500, |at| format!("field:{at} {at}")),
        format!("HSET hash-long field {long}"),
        "PFADD sketch a b c".to_owned(),
        "XADD stream 1-1 a b".to_owned(),
        "XADD stream 1-2 a c".to_owned(),
        "XADD stream 5-3 other 1 names 2".to_owned(),
        "XADD stream 7-0 a d".to_owned(),
        "XDEL stream 1-2".to_owned(),
        "XGROUP CREATE stream workers 0".to_owned(),
        "XGROUP CREATE stream idle $".to_owned(),
        "XREADGROUP GROUP workers alice COUNT 2 STREAMS stream >".to_owned(),
        "XREADGROUP GROUP workers bob COUNT 1 STREAMS stream >".to_owned(),
        "XGROUP CREATE no-entries group 0 MKSTREAM".to_owned(),
    ]
}
