//! Files: saving, loading, and what goes wrong with them.

#[path = "../common/mod.rs"]
mod common;
mod exchange;
mod faults;
mod race;
mod sweep;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use common::TestServer;
use common::every_type::{KEYS, commands};
use redis::{Connection, FromRedisValue, Value};

const LIMIT: Duration = Duration::from_secs(20);

/// A directory of the test's own, removed when it ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("sockudo-kv-persist-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(&path).expect("a directory");
        Folder(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn text(&self) -> &str {
        self.0.to_str().expect("text")
    }

    /// The names of what is in it.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).expect("a directory");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// A server that has loaded what is there.
    fn start(&self, more: &[&str]) -> TestServer {
        let server = self.begin(more);
        let mut c = server.client();
        eventually("it has loaded", || info(&mut c, "loading") == "0");
        server
    }

    /// A server that may still load.
    fn begin(&self, more: &[&str]) -> TestServer {
        let usual = ["--threads", "2", "--enable-debug-command", "yes", "--dir", self.text()];
        TestServer::with(&[&usual[..], &["--dbfilename", "dump.rdb"], more].concat())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn try_line<T: FromRedisValue>(c: &mut Connection, text: &str) -> Result<T, String> {
    let mut words = text.split(' ');
    let mut command = redis::cmd(words.next().expect("a name"));
    words.for_each(|word| _ = command.arg(word));
    command.query(c).map_err(|error| error.to_string())
}

#[track_caller]
fn line<T: FromRedisValue>(c: &mut Connection, text: &str) -> T {
    try_line(c, text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn info(c: &mut Connection, field: &str) -> String {
    let all: String = line(c, "INFO persistence");
    let found = all.lines().find_map(|text| text.strip_prefix(field)?.strip_prefix(':'));
    found.unwrap_or_else(|| panic!("no {field} in {all}")).to_string()
}

#[track_caller]
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < LIMIT, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[track_caller]
fn wait_for_save(c: &mut Connection) {
    eventually("the file is written", || info(c, "rdb_bgsave_in_progress") == "0");
}

/// Keys of every type and encoding, in two databases, with deadlines, and a library.
fn fill(c: &mut Connection) {
    for text in commands() {
        let _: Value = line(c, &text);
    }
    for text in [
        "XADD stream-large 1-1 a b",
        "PEXPIREAT list-small 4102444800000",
        "PEXPIREAT set-large 4102444800001",
        "SELECT 3",
        "SET other database",
        "SELECT 0",
    ] {
        let _: Value = line(c, text);
    }
    let code = "#!lua name=lib\nredis.register_function('one', function() return 1 end)";
    let _: Value = redis::cmd("FUNCTION").arg("LOAD").arg(code).query(c).expect("a library");
}

/// What must be the same afterwards.
fn facts(c: &mut Connection) -> Vec<String> {
    let mut facts =
        vec![line::<String>(c, "DEBUG DIGEST"), format!("{:?}", line::<Value>(c, "FUNCTION DUMP"))];
    for key in KEYS {
        let encoding: String = line(c, &format!("OBJECT ENCODING {key}"));
        // The order of a hash table is the process's own.
        if encoding != "hashtable" {
            facts.push(format!("{:?}", line::<Value>(c, &format!("DUMP {key}"))));
        }
        facts.push(format!("{key} {encoding}"));
        facts.push(format!("{:?}", line::<Value>(c, &format!("DEBUG DIGEST-VALUE {key}"))));
        facts.push(line::<i64>(c, &format!("PEXPIRETIME {key}")).to_string());
    }
    facts
}

fn end(mut server: TestServer, c: &mut Connection, how: &str) {
    // The connection ends without a reply.
    drop(try_line::<Value>(c, how));
    assert_eq!(server.wait_for_end(LIMIT), Some(true), "{how}");
}

#[test]
fn a_saved_server_begins_where_it_ended() {
    let folder = Folder::new("restart");
    let server = folder.start(&[]);
    let mut c = server.client();
    fill(&mut c);
    let before = facts(&mut c);
    assert_eq!(line::<String>(&mut c, "SAVE"), "OK");
    assert_eq!(info(&mut c, "rdb_changes_since_last_save"), "0");
    assert_eq!(facts(&mut c), before);
    let _: Value = line(&mut c, "SET late 1");
    end(server, &mut c, "SHUTDOWN NOSAVE");
    assert_eq!(folder.names(), ["dump.rdb"]);

    let server = folder.start(&[]);
    let mut c = server.client();
    assert_eq!(facts(&mut c), before);
    assert_eq!(info(&mut c, "rdb_last_load_keys_loaded"), (KEYS.len() + 1).to_string());
    assert_eq!(info(&mut c, "loading"), "0");
    let _: Value = line(&mut c, "SET late 1");
    assert_eq!(line::<String>(&mut c, "BGSAVE"), "Background saving started");
    wait_for_save(&mut c);
    assert_eq!(info(&mut c, "rdb_last_bgsave_status"), "ok");
    let before = facts(&mut c);
    end(server, &mut c, "SHUTDOWN NOSAVE");

    // Without a sum, without compression, and with deadlines of fields, which need a later version.
    let server = folder.start(&["--rdbchecksum", "no", "--rdbcompression", "no"]);
    let mut c = server.client();
    assert_eq!(facts(&mut c)[0], before[0]);
    let _: Value = line(&mut c, "HSET timed a 1 b 2");
    let _: Value = line(&mut c, "HPEXPIREAT timed 4102444800000 FIELDS 1 a");
    let before = facts(&mut c);
    end(server, &mut c, "SHUTDOWN SAVE");
    let bytes = std::fs::read(folder.file("dump.rdb")).expect("the file");
    assert_eq!((&bytes[..9], &bytes[bytes.len() - 8..]), (&b"REDIS0012"[..], &[0; 8][..]));
    let server = folder.start(&["--rdbcompression", "no"]);
    let mut c = server.client();
    assert_eq!(facts(&mut c), before);
    let times: Vec<i64> = line(&mut c, "HPEXPIRETIME timed FIELDS 2 a b");
    assert_eq!(times, [4_102_444_800_000, -1]);
}

#[test]
fn keys_that_fell_due_meanwhile_are_not_loaded() {
    let folder = Folder::new("due");
    let server = folder.start(&[]);
    let mut c = server.client();
    let _: Value = line(&mut c, "DEBUG SET-ACTIVE-EXPIRE 0");
    let _: Value = line(&mut c, "SET stays 1");
    let _: Value = line(&mut c, "SET goes 1 PX 1");
    std::thread::sleep(Duration::from_millis(20));
    end(server, &mut c, "SHUTDOWN SAVE");
    let server = folder.start(&[]);
    let mut c = server.client();
    assert_eq!(line::<i64>(&mut c, "DBSIZE"), 1);
    assert_eq!(info(&mut c, "rdb_last_load_keys_expired"), "1");
    assert_eq!(info(&mut c, "rdb_last_load_keys_loaded"), "1");
}

#[test]
fn save_points_and_the_end_by_signals() {
    let folder = Folder::new("points");
    let mut server = folder.start(&["--save", "1 2"]);
    let mut c = server.client();
    assert_eq!(line::<Vec<String>>(&mut c, "CONFIG GET save"), ["save", "1 2"]);
    let _: Value = line(&mut c, "SET a 1");
    assert_eq!(info(&mut c, "rdb_changes_since_last_save"), "1");
    let before = line::<i64>(&mut c, "LASTSAVE");
    let _: Value = line(&mut c, "SET b 1");
    eventually("the save point is reached", || info(&mut c, "rdb_changes_since_last_save") == "0");
    assert!(line::<i64>(&mut c, "LASTSAVE") > before);
    let _: Value = line(&mut c, "SET c 1");
    let pid = libc::pid_t::try_from(server.pid()).expect("a process number");
    // SAFETY: kill touches no memory; the process is this test's own child and has not been waited for.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGTERM) }, 0);
    assert_eq!(server.wait_for_end(LIMIT), Some(true));
    let server = folder.start(&["--save", "60 1000"]);
    let mut c = server.client();
    assert_eq!(line::<i64>(&mut c, "DBSIZE"), 3);
    // With save points FLUSHALL leaves a file without keys.
    let _: Value = line(&mut c, "FLUSHALL");
    assert_eq!(info(&mut c, "rdb_changes_since_last_save"), "0");
    end(server, &mut c, "SHUTDOWN NOSAVE");
    let server = folder.start(&[]);
    assert_eq!(line::<i64>(&mut server.client(), "DBSIZE"), 0);
}

#[test]
fn one_file_at_a_time_and_none_that_is_not_wanted() {
    let folder = Folder::new("cancel");
    let server = folder.start(&[]);
    let mut c = server.client();
    let _: Value = line(&mut c, "DEBUG POPULATE 2000");
    let _: Value = line(&mut c, "CONFIG SET rdb-key-save-delay 10000");
    assert_eq!(line::<String>(&mut c, "BGSAVE SCHEDULE"), "Background saving started");
    for text in ["BGSAVE", "SAVE", "BGSAVE SCHEDULE"] {
        let error = try_line::<Value>(&mut c, text).expect_err("a file is being written");
        assert!(error.contains("Background save already in progress"), "{error}");
    }
    assert_eq!(info(&mut c, "rdb_bgsave_in_progress"), "1");
    assert_eq!(info(&mut c, "current_save_keys_total"), "2000");
    assert_eq!(line::<String>(&mut c, "BGSAVE CANCEL"), "Background saving cancelled");
    assert_eq!(info(&mut c, "rdb_bgsave_in_progress"), "0");
    assert_eq!(info(&mut c, "rdb_last_bgsave_status"), "ok");
    assert!(try_line::<Value>(&mut c, "BGSAVE CANCEL").expect_err("none").contains("not in progress"));
    assert!(try_line::<Value>(&mut c, "BGSAVE later").expect_err("no option").contains("syntax"));
    // FLUSHALL gives the file up as well, and the count of changes stays.
    let _: Value = line(&mut c, "BGSAVE");
    let _: Value = line(&mut c, "FLUSHALL");
    assert_eq!(info(&mut c, "rdb_bgsave_in_progress"), "0");
    assert_ne!(info(&mut c, "rdb_changes_since_last_save"), "0");
    assert_eq!(folder.names(), Vec::<String>::new());
    // In a transaction it waits for the end of that.
    let _: Value = line(&mut c, "CONFIG SET rdb-key-save-delay 0");
    for text in ["MULTI", "SET a 1", "BGSAVE", "SET b 1"] {
        let _: Value = line(&mut c, text);
    }
    let replies: Vec<String> = line(&mut c, "EXEC");
    assert_eq!(replies[1], "Background saving scheduled");
    eventually("the file is there", || folder.names() == ["dump.rdb"]);
    wait_for_save(&mut c);
    assert_eq!(info(&mut c, "rdb_changes_since_last_save"), "0");
}

#[test]
fn while_it_loads_it_says_so() {
    let folder = Folder::new("loading");
    let server = folder.start(&[]);
    let mut c = server.client();
    let _: Value = line(&mut c, "DEBUG POPULATE 20000");
    end(server, &mut c, "SHUTDOWN SAVE");
    let server = folder.begin(&["--key-load-delay", "200", "--save", "900 1"]);
    let mut c = server.client();
    assert_eq!(info(&mut c, "loading"), "1");
    assert!(info(&mut c, "loading_total_bytes").parse::<u64>().expect("a number") > 0);
    for text in ["GET key:1", "SET a 1", "DBSIZE", "SAVE", "BGSAVE", "FLUSHALL"] {
        let error = try_line::<Value>(&mut c, text).expect_err("refused");
        assert!(error.contains("Redis is loading the dataset in memory"), "{text}: {error}");
    }
    let _: Value = line(&mut c, "MULTI");
    assert!(try_line::<Value>(&mut c, "SET a 1").is_err());
    assert!(try_line::<Value>(&mut c, "EXEC").expect_err("spoiled").contains("discarded"));
    assert_eq!(line::<String>(&mut c, "CONFIG SET key-load-delay 0"), "OK");
    eventually("it has loaded", || info(&mut c, "loading") == "0");
    assert_eq!(line::<i64>(&mut c, "DBSIZE"), 20_000);
    end(server, &mut c, "SHUTDOWN NOSAVE");
    // What is half loaded does not take the file's place, whatever the save points say.
    let mut server = folder.begin(&["--key-load-delay", "1000", "--save", "900 1"]);
    let pid = libc::pid_t::try_from(server.pid()).expect("a process number");
    // SAFETY: as above.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGTERM) }, 0);
    assert_eq!(server.wait_for_end(LIMIT), Some(true));
    let server = folder.start(&[]);
    let mut c = server.client();
    eventually("it has loaded", || info(&mut c, "loading") == "0");
    assert_eq!(line::<i64>(&mut c, "DBSIZE"), 20_000);
}

#[test]
fn reload_and_its_options() {
    let folder = Folder::new("reload");
    let server = folder.start(&[]);
    let mut c = server.client();
    fill(&mut c);
    let before = facts(&mut c);
    assert_eq!(line::<String>(&mut c, "DEBUG RELOAD"), "OK");
    assert_eq!(facts(&mut c), before);
    let _: Value = line(&mut c, "SET int8 changed");
    let _: Value = line(&mut c, "SET new key");
    assert_eq!(line::<String>(&mut c, "DEBUG RELOAD NOSAVE NOFLUSH MERGE"), "OK");
    assert_eq!(line::<String>(&mut c, "GET int8"), "-100");
    assert_eq!(line::<String>(&mut c, "GET new"), "key");
    let error = try_line::<Value>(&mut c, "DEBUG RELOAD NOSAVE NOFLUSH").expect_err("keys are there");
    assert!(error.contains("Error trying to load the RDB dump"), "{error}");
    assert_eq!(line::<String>(&mut c, "DEBUG RELOAD NOSAVE"), "OK");
    assert_eq!(facts(&mut c), before);
    assert!(try_line::<Value>(&mut c, "DEBUG RELOAD all").expect_err("no option").contains("only supports"));
}

fn check(path: &Path) -> (bool, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_sockudo-kv")).arg("check-rdb").arg(path).output().expect("it runs");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn check_rdb_tells_what_is_in_a_file() {
    let folder = Folder::new("check");
    let server = folder.start(&[]);
    let mut c = server.client();
    let _: Value = line(&mut c, "SET a 1 EX 1000");
    let _: Value = line(&mut c, "SET b 1");
    let _: Value = line(&mut c, "SAVE");
    let path = folder.file("dump.rdb");
    let (fine, text) = check(&path);
    assert!(
        fine && text.contains("[info] 2 keys read\n[info] 1 expires\n[info] 0 already expired"),
        "{text}"
    );
    assert!(text.contains("Checksum OK") && text.contains("\\o/ RDB looks OK! \\o/"), "{text}");
    let mut bytes = std::fs::read(&path).expect("the file");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, &bytes).expect("written");
    let (fine, text) = check(&path);
    assert!(!fine && text.contains("RDB CRC error"), "{text}");
    std::fs::write(&path, &bytes[..last - 20]).expect("written");
    let (fine, text) = check(&path);
    assert!(!fine && text.contains("Unexpected EOF"), "{text}");
    assert!(!check(&folder.file("none.rdb")).0);
}
