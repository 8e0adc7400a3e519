//! Disks that are full or fail, and files that are not whole: rows 7, 11, 13, 14 and 17 of the faults.

use redis::Value;

use crate::common::TestServer;
use crate::{Folder, LIMIT, end, info, line, try_line, wait_for_save};

/// ENOSPC.
const FULL: &str = "28";

/// Only builds with debug assertions can make disks fail.
fn can_fail(server: &TestServer) -> bool {
    try_line::<Value>(&mut server.client(), "DEBUG DISK-FAULT NONE").is_ok()
}

#[test]
fn row_7_a_full_disk_leaves_the_old_file_and_stops_writes() {
    let folder = Folder::new("full");
    let server = folder.start(&["--save", "900 1000000"]);
    if !can_fail(&server) {
        return;
    }
    let mut c = server.client();
    let _: Value = line(&mut c, "SET a 1");
    let _: Value = line(&mut c, "SAVE");
    let old = std::fs::read(folder.file("dump.rdb")).expect("the file");
    let _: Value = line(&mut c, "SET a 2");
    for step in ["create", "write", "sync", "rename"] {
        let _: Value = line(&mut c, &format!("DEBUG DISK-FAULT {step} {FULL}"));
        assert!(try_line::<Value>(&mut c, "SAVE").is_err(), "{step}");
        assert_eq!(line::<String>(&mut c, "BGSAVE"), "Background saving started");
        wait_for_save(&mut c);
        assert_eq!(info(&mut c, "rdb_last_bgsave_status"), "err", "{step}");
        assert_eq!(std::fs::read(folder.file("dump.rdb")).expect("the file"), old, "{step}");
        assert_eq!(folder.names(), ["dump.rdb"], "{step}");
        for text in ["SET a 3", "PING", "DEL a", "MSET a 1 b 2"] {
            let error = try_line::<Value>(&mut c, text).expect_err("refused");
            assert!(error.contains("MISCONF"), "{step}, {text}: {error}");
        }
        assert_eq!(line::<String>(&mut c, "GET a"), "2");
        let write = redis::cmd("EVAL").arg("return redis.call('set', 'a', 4)").arg(0).query::<Value>(&mut c);
        assert!(write.expect_err("refused").to_string().contains("MISCONF"), "{step}");
        let _: Value = line(&mut c, "MULTI");
        assert!(try_line::<Value>(&mut c, "SET a 5").expect_err("refused").contains("MISCONF"));
        assert!(try_line::<Value>(&mut c, "EXEC").is_err());
        let _: Value = line(&mut c, "DEBUG DISK-FAULT NONE");
        let _: Value = line(&mut c, "BGSAVE");
        wait_for_save(&mut c);
        assert_eq!(info(&mut c, "rdb_last_bgsave_status"), "ok");
        let _: Value = line(&mut c, "SET a 2");
        std::fs::write(folder.file("dump.rdb"), &old).expect("written");
    }
    // The directive and the save points decide about it.
    let _: Value = line(&mut c, &format!("DEBUG DISK-FAULT write {FULL}"));
    let _: Value = line(&mut c, "BGSAVE");
    wait_for_save(&mut c);
    assert!(try_line::<Value>(&mut c, "SET a 3").is_err());
    let _: Value = line(&mut c, "CONFIG SET stop-writes-on-bgsave-error no");
    let _: Value = line(&mut c, "SET a 3");
    let _: Value = line(&mut c, "CONFIG SET stop-writes-on-bgsave-error yes");
    assert!(try_line::<Value>(&mut c, "SET a 3").is_err());
    // A server that cannot save does not end, unless it is told to.
    for how in ["SHUTDOWN", "SHUTDOWN SAVE"] {
        let error = try_line::<Value>(&mut c, how).expect_err("it cannot be saved");
        assert!(error.contains("Errors trying to SHUTDOWN. Check logs."), "{error}");
    }
    assert_eq!(line::<String>(&mut c, "GET a"), "3");
    end(server, &mut c, "SHUTDOWN FORCE");
    assert_eq!(std::fs::read(folder.file("dump.rdb")).expect("the file"), old);
}

#[test]
fn rows_13_and_14_a_crash_at_any_step_leaves_a_file_that_loads() {
    let folder = Folder::new("crash");
    let server = folder.start(&[]);
    if !can_fail(&server) {
        return;
    }
    let mut c = server.client();
    let _: Value = line(&mut c, "DEBUG POPULATE 3000 key 100");
    let _: Value = line(&mut c, "SAVE");
    end(server, &mut c, "SHUTDOWN NOSAVE");
    let mut keys = 3000;
    for (step, after) in [
        ("create", 0),
        ("write", 0),
        ("write", 1),
        ("write", 2),
        ("write", 3),
        ("sync", 0),
        ("rename", 0),
        ("sync-directory", 0),
    ] {
        let mut server = folder.start(&[]);
        let mut c = server.client();
        assert_eq!(line::<i64>(&mut c, "DBSIZE"), keys, "before {step} {after}");
        let _: Value = line(&mut c, &format!("SET new:{step}:{after} 1"));
        let _: Value = line(&mut c, &format!("DEBUG DISK-FAULT {step} 0 {after}"));
        assert!(try_line::<Value>(&mut c, "SAVE").is_err());
        assert_eq!(server.wait_for_end(LIMIT), Some(false));
        // Behind the renaming the new file counts.
        keys += i64::from(step == "sync-directory");
    }
    let server = folder.start(&[]);
    assert_eq!(line::<i64>(&mut server.client(), "DBSIZE"), keys);
}

/// Starts a server that must not come up, and returns what it logged.
fn refusal(folder: &Folder) -> String {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_sockudo-kv"))
        .args(["--port", "0", "--bind", "127.0.0.1", "--dir", folder.text(), "--save", ""])
        .args(["--port", &free_port().to_string()])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    listener.local_addr().expect("bound").port()
}

#[test]
fn row_11_a_server_does_not_begin_with_a_damaged_file_and_leaves_it_alone() {
    let folder = Folder::new("damaged");
    let server = folder.start(&[]);
    let mut c = server.client();
    let _: Value = line(&mut c, "RPUSH list 1 2 3");
    end(server, &mut c, "SHUTDOWN SAVE");
    let path = folder.file("dump.rdb");
    let good = std::fs::read(&path).expect("the file");
    let twice = [&good[..good.len() - 9], &good[good.len() - 25..]].concat();
    let version = [&b"REDIS0099"[..], &good[9..]].concat();
    for (bytes, told) in [
        (&good[..good.len() / 2], "Unexpected EOF reading RDB file"),
        (&[&good[..good.len() - 1], b"x"].concat(), "RDB CRC error"),
        (&version, "Can't handle RDB format version 99"),
        (&b"no such thing"[..], "Wrong signature trying to load DB from file"),
        (&b""[..], "Unexpected EOF reading RDB file"),
        (&twice, "The RDB file is corrupt"),
        (b"REDIS0010\xfe\x40\xc8\x00\x01a\x01b\xff\0\0\0\0\0\0\0\0", "configured to handle more than 16"),
        (b"REDIS0010\x00\x01a\x01b\x00\x01a\x01c\xff\0\0\0\0\0\0\0\0", "RDB has duplicated key 'a' in DB 0"),
        (b"REDIS0010\x07\x01a\x81\0\0\0\0\0\0\0\0\0\xff\0\0\0\0\0\0\0\0", "module data I can't load"),
    ] {
        std::fs::write(&path, bytes).expect("written");
        let log = refusal(&folder);
        assert!(log.contains(told) || told.contains("corrupt") && log.contains("RDB"), "{told}: {log}");
        assert!(log.contains("Fatal error loading the DB"), "{log}");
        assert_eq!(std::fs::read(&path).expect("the file"), bytes);
    }
    std::fs::remove_file(&path).expect("removed");
    std::fs::create_dir(&path).expect("made");
    assert!(refusal(&folder).contains("Is a directory"));
}

#[test]
fn row_17_clients_cannot_choose_the_file() {
    let folder = Folder::new("choose");
    let server = folder.start(&[]);
    let mut c = server.client();
    for text in ["CONFIG SET dir /", "CONFIG SET dbfilename other.rdb", "CONFIG SET dbfilename ../x.rdb"] {
        let error = try_line::<Value>(&mut c, text).expect_err("refused");
        assert!(error.contains("protected config"), "{error}");
    }
    let server = folder.start(&["--enable-protected-configs", "yes"]);
    let mut c = server.client();
    assert!(
        try_line::<Value>(&mut c, "CONFIG SET dbfilename ../x.rdb")
            .expect_err("a path")
            .contains("just a filename")
    );
    let _: Value = line(&mut c, "CONFIG SET dbfilename other.rdb");
    let _: Value = line(&mut c, "SAVE");
    assert_eq!(folder.names(), ["other.rdb"]);
}

#[test]
fn empty_keys_of_a_file_are_passed_by() {
    let folder = Folder::new("empty");
    let body = b"REDIS0010\x02\x01s\x00\x00\x01a\x01b\xff\0\0\0\0\0\0\0\0";
    std::fs::write(folder.file("dump.rdb"), body).expect("written");
    let server = folder.start(&[]);
    assert_eq!(line::<i64>(&mut server.client(), "DBSIZE"), 1);
}
