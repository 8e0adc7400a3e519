//! Values that travel between this server and a real one, or come from an old one.

use redis::Value;

use crate::common::redis_server::Redis;
use crate::old::old_payloads;
use crate::{body, digest, dump, encoding, fill, line, restore, sealed, start, stream_facts};

#[test]
fn values_of_redis_come_here_and_ours_go_there() {
    let Some(redis) = Redis::start() else { return };
    let server = start();
    let (mut ours, mut theirs) = (server.client(), redis.client());
    for key in fill(&mut theirs) {
        let payload = dump(&mut theirs, key);
        restore(&mut ours, key, &payload).unwrap_or_else(|error| panic!("{key}: {error}"));
        let wanted = digest(&mut theirs, key);
        assert_eq!(digest(&mut ours, key), wanted, "{key}");
        let own = dump(&mut ours, key);
        assert_eq!(own[own.len() - 10..own.len() - 8], [11, 0]);
        restore(&mut ours, "again", &own).unwrap_or_else(|error| panic!("{key}: {error}"));
        assert_eq!(digest(&mut ours, "again"), wanted, "{key}");
        assert_eq!(encoding(&mut ours, "again"), encoding(&mut ours, key), "{key}");
        // Redis 7.0 knows version 10, and types up to 19.
        if own[0] <= 19 {
            restore(&mut theirs, "again", &sealed(body(&own), 10))
                .unwrap_or_else(|error| panic!("{key}: {error}"));
            assert_eq!(digest(&mut theirs, "again"), wanted, "{key}");
            restore(&mut theirs, "own", &payload).expect("it is Redis's own");
            assert_eq!(encoding(&mut theirs, "again"), encoding(&mut theirs, "own"), "{key}");
        }
    }
    for key in ["stream", "no-entries"] {
        assert_eq!(stream_facts(&mut ours, key), stream_facts(&mut theirs, key), "{key}");
    }
}

#[test]
fn types_that_old_versions_wrote_are_read() {
    let redis = Redis::start();
    let server = start();
    let (mut ours, mut theirs) = (server.client(), redis.as_ref().map(Redis::client));
    for (payload, reads) in old_payloads() {
        restore(&mut ours, "k", &payload)
            .unwrap_or_else(|error| panic!("{}: {error}", payload.escape_ascii()));
        let (ask_for, answer) = reads;
        assert_eq!(flat(line(&mut ours, ask_for)), answer, "{}", payload.escape_ascii());
        if let Some(theirs) = theirs.as_mut().filter(|_| payload[0] <= 19) {
            restore(theirs, "k", &payload).unwrap_or_else(|error| panic!("{ask_for}: {error}"));
            assert_eq!(digest(theirs, "k"), digest(&mut ours, "k"), "{}", payload.escape_ascii());
        }
    }
}

/// A reply as words.
fn flat(value: Value) -> String {
    match value {
        Value::Array(values) => values.into_iter().map(flat).collect::<Vec<_>>().join(" "),
        Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Value::Int(int) => int.to_string(),
        other => format!("{other:?}"),
    }
}
