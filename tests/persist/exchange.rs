//! Files that travel between this server and a real one.

use redis::{Connection, Value};

use crate::common::every_type::KEYS;
use crate::common::redis_server::Redis;
use crate::{Folder, end, fill, line};

/// What both servers must agree about.
fn facts(c: &mut Connection) -> Vec<String> {
    let mut facts = vec![line::<String>(c, "DEBUG DIGEST")];
    for db in [3, 0] {
        let _: Value = line(c, &format!("SELECT {db}"));
        let mut keys: Vec<String> = line(c, "KEYS *");
        keys.sort();
        facts.extend(keys);
    }
    for key in KEYS {
        let digest: Vec<String> = line(c, &format!("DEBUG DIGEST-VALUE {key}"));
        facts.push(format!("{key} {}", digest[0]));
        facts.push(line::<i64>(c, &format!("PEXPIRETIME {key}")).to_string());
    }
    facts.push(format!("{:?}", line::<Value>(c, "FUNCTION LIST WITHCODE")));
    facts.push(format!("{:?}", line::<Value>(c, "XRANGE stream - +")));
    facts
}

/// Groups with consumers: Redis 7.0 has a form for them that lacks what 7.2 knows, so ours needs version 11.
fn forget_groups(c: &mut Connection) {
    for text in
        ["XGROUP DESTROY stream workers", "XGROUP DESTROY stream idle", "XGROUP DESTROY no-entries group"]
    {
        let _: Value = line(c, text);
    }
}

#[test]
fn a_file_of_redis_is_loaded_here() {
    let folder = Folder::new("from-redis");
    let Some(redis) = Redis::with(&["--dir", folder.text()]) else { return };
    let mut theirs = redis.client();
    fill(&mut theirs);
    let _: Value = line(&mut theirs, "SAVE");
    let server = folder.start(&[]);
    let mut ours = server.client();
    assert_eq!(facts(&mut ours), facts(&mut theirs));
    let pending: Value = line(&mut theirs, "XPENDING stream workers");
    assert_eq!(line::<Value>(&mut ours, "XPENDING stream workers"), pending);
}

#[test]
fn a_file_of_ours_is_loaded_by_redis() {
    let folder = Folder::new("to-redis");
    let server = folder.start(&[]);
    let mut ours = server.client();
    fill(&mut ours);
    forget_groups(&mut ours);
    let wanted = facts(&mut ours);
    let _: Value = line(&mut ours, "BGSAVE");
    crate::wait_for_save(&mut ours);
    let bytes = std::fs::read(folder.file("dump.rdb")).expect("the file");
    assert_eq!(&bytes[..9], b"REDIS0010");
    let Some(redis) = Redis::with(&["--dir", folder.text()]) else { return };
    let mut theirs = redis.client();
    assert_eq!(facts(&mut theirs), wanted);
    for key in KEYS {
        let payload: Vec<u8> = line(&mut theirs, &format!("DUMP {key}"));
        let _: Value = redis::cmd("RESTORE")
            .arg("again")
            .arg(0)
            .arg(payload)
            .arg("REPLACE")
            .query(&mut ours)
            .expect(key);
        let digests: Vec<String> = line(&mut ours, &format!("DEBUG DIGEST-VALUE again {key}"));
        // A deadline counts in the digest, and the copy has none.
        if line::<i64>(&mut ours, &format!("PTTL {key}")) < 0 {
            assert_eq!(digests[0], digests[1], "{key}");
        }
    }
    // And there and back again.
    let _: Value = line(&mut theirs, "SAVE");
    drop(theirs);
    end(server, &mut ours, "SHUTDOWN NOSAVE");
    let server = folder.start(&[]);
    assert_eq!(facts(&mut server.client()), wanted);
}
