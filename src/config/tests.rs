//! Loading, CONFIG GET, CONFIG SET and CONFIG REWRITE, with the texts that Redis 7 answers.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{table::Status, *};

/// The working directory belongs to the process, and `dir` changes it: one test at a time.
static WORKING_DIRECTORY: Mutex<()> = Mutex::new(());

/// A directory that is gone with the test, and where to return to.
struct Scratch(
    PathBuf,
    PathBuf,
    #[expect(dead_code, reason = "held, not read")] Option<MutexGuard<'static, ()>>,
);

thread_local! {
    /// A test may use several directories; its first one holds the lock.
    static SCRATCHES: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

impl Scratch {
    fn new(name: &str) -> Self {
        let first = SCRATCHES.replace(SCRATCHES.get() + 1) == 0;
        let alone = first.then(|| WORKING_DIRECTORY.lock().unwrap_or_else(PoisonError::into_inner));
        let home = std::env::current_dir().expect("a working directory");
        let dir = std::env::temp_dir().join(format!("sockudo-kv-config-{}-{name}", std::process::id()));
        fs::create_dir_all(&dir).expect("a scratch directory");
        Self(fs::canonicalize(dir).expect("its real name"), home, alone)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a scratch file");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        SCRATCHES.set(SCRATCHES.get() - 1);
        std::env::set_current_dir(&self.1).expect("the directory that the test began in");
        fs::remove_dir_all(&self.0).expect("the scratch directory is ours");
    }
}

fn load(path: &Path) -> Result<Config, String> {
    Config::load(Some(path), false, &[]).map_err(|error| error.to_string())
}

/// What the one line of a file is refused with.
fn refused(name: &str, line: &str) -> String {
    let scratch = Scratch::new(name);
    let error =
        load(&scratch.file("redis.conf", line)).err().unwrap_or_else(|| panic!("{line:?} was accepted"));
    error.lines().last().expect("a reason").to_string()
}

fn get(config: &Config, name: &str) -> String {
    let found = config.get(&[name.as_bytes()]);
    assert_eq!(found.len(), 1, "{name}");
    String::from_utf8(found[0].1.clone()).expect("text")
}

fn set(config: &Config, pairs: &[(&str, &str)]) -> Result<(), String> {
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    config.set(&pairs, false)
}

/// CONFIG SET of one pair that must fail, without the sentence that names it.
fn set_refused(config: &Config, name: &str, value: &str) -> String {
    let error = set(config, &[(name, value)]).expect_err("refused");
    let prefix = format!("CONFIG SET failed (possibly related to argument '{name}') - ");
    error.strip_prefix(&prefix).unwrap_or_else(|| panic!("{error}")).to_string()
}

#[test]
fn names_are_unique_and_defaults_are_valid() {
    let mut names: Vec<_> = DIRECTIVES.iter().flat_map(|one| [Some(one.name), one.alias]).flatten().collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "two directives share a name");
    assert_eq!(defaults().len(), DIRECTIVES.len());
}

#[test]
fn every_value_survives_its_own_line() {
    for (directive, value) in DIRECTIVES.iter().zip(defaults()) {
        let mut said = default_of(directive);
        if matches!(directive.kind, Kind::Line(..)) {
            continue;
        }
        for (at, line) in directive.kind.lines(&value).iter().enumerate() {
            let words = split::words(line).expect("quotes are closed");
            let words: Vec<_> = words.iter().map(Vec::as_slice).collect();
            let new = directive.kind.parse(&words, Some(&said));
            let new = new.unwrap_or_else(|why| panic!("{}: {why}", directive.name));
            match &new {
                Value::Save(points) => said.add_save_points(points, at > 0),
                _ => said = new,
            }
        }
        assert_eq!(said, value, "{}", directive.name);
    }
}

proptest::proptest! {
    #[test]
    fn no_value_breaks_a_parser(words: Vec<Vec<u8>>, near in "[0-9]{0,21}[kKmMgGbB%x ]{0,3}", many in 0..6usize) {
        let mut words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        words.extend(std::iter::repeat_n(near.as_bytes(), many));
        for (directive, value) in DIRECTIVES.iter().zip(defaults()) {
            for words in [words.as_slice(), &[near.as_bytes()]] {
                if let Ok(value) = directive.kind.parse(words, Some(&value)) {
                    let _shown = (directive.kind.show(&value), directive.kind.lines(&value));
                }
            }
        }
    }
}

#[test]
fn a_stock_file_loads() {
    let scratch = Scratch::new("stock");
    let text = include_str!("stock.conf").replace("@dir@", scratch.0.to_str().expect("text"));
    let config = load(&scratch.file("redis.conf", &text)).expect("a stock file is accepted");
    assert_eq!(config.warnings(), [""; 0]);
    assert_eq!(config.words("bind"), [b"127.0.0.1".to_vec(), b"-::1".to_vec()]);
    assert_eq!(get(&config, "daemonize"), "yes");
}

#[test]
fn every_directive_of_the_table_is_accepted_in_a_file() {
    let scratch = Scratch::new("all");
    let mut text = String::new();
    for (directive, value) in DIRECTIVES.iter().zip(defaults()) {
        if let Kind::Line(least, _) = directive.kind {
            text += &format!("{}{}\n", directive.name, " x".repeat(least));
        }
        for line in directive.kind.lines(&value) {
            let line = String::from_utf8(line).expect("text");
            text += &format!("{} {line}\n", directive.alias.unwrap_or(directive.name));
        }
    }
    let config = load(&scratch.file("redis.conf", &text)).expect("accepted");
    assert_eq!(config.warnings().len(), 1, "only loadmodule: {:?}", config.warnings());
}

#[test]
fn malformed_lines_name_file_and_line() {
    let scratch = Scratch::new("malformed");
    let path = scratch.file("redis.conf", "# a comment\n\n  hz abc  \r\n");
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "\n*** FATAL CONFIG FILE ERROR (sockudo-kv {version}) ***\nReading the configuration file '{}', at line 3\n>>> \
         'hz abc'\nargument couldn't be parsed into an integer",
        path.display()
    );
    assert_eq!(load(&path).err(), Some(expected));
}

/// Lines and what Redis says of them.
const MALFORMED: &[(&str, &str)] = &[
    ("foo bar", "Bad directive or wrong number of arguments"),
    ("hz", "wrong number of arguments"),
    ("hz 10 20", "wrong number of arguments"),
    ("hz \"10", "Unbalanced quotes in configuration line"),
    ("hz \"10\"x", "Unbalanced quotes in configuration line"),
    ("timeout -1", "argument must be between 0 and 2147483647 inclusive"),
    ("port 70000", "argument must be between 0 and 65535 inclusive"),
    ("maxclients 0", "argument must be between 1 and 4294967295 inclusive"),
    ("databases 0", "argument must be between 1 and 2147483647 inclusive"),
    ("loglevel foo", "argument(s) must be one of the following: debug, verbose, notice, warning, nothing"),
    ("appendonly maybe", "argument must be 'yes' or 'no'"),
    ("maxmemory 1x", "argument must be a memory value"),
    ("maxmemory-clients 200%", "percentage argument must be less or equal to 100"),
    ("maxmemory-clients x%", "argument must be a memory or percent value"),
    ("save 1", "Invalid save parameters"),
    ("save 1 2 3", "Invalid save parameters"),
    ("save 0 1", "Invalid save parameters"),
    ("client-output-buffer-limit foo 1 2 3", "Invalid client class specified in buffer limit configuration."),
    ("client-output-buffer-limit normal 1 2", "Wrong number of arguments in buffer limit configuration."),
    (
        "client-output-buffer-limit normal 1x 2 3",
        "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
    ),
    ("oom-score-adj-values 1 2", "wrong number of arguments"),
    (
        "oom-score-adj-values 1 2 3000",
        "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
    ),
    ("notify-keyspace-events Kq", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
    ("unixsocketperm 999", "argument couldn't be parsed as an octal number"),
    ("bind 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", "Too many bind addresses specified."),
    ("replicaof a", "wrong number of arguments"),
    ("replicaof a x", "Invalid master port"),
    ("dir /nonexistent/dir", "No such file or directory"),
    ("dbfilename a/b", "dbfilename can't be a path, just a filename"),
    ("sentinel monitor x", "sentinel directive while not in sentinel mode"),
    ("rename-command a", "Bad directive or wrong number of arguments"),
    ("user", "Bad directive or wrong number of arguments"),
    ("include", "Bad directive or wrong number of arguments"),
    (
        "shutdown-on-sigterm now foo",
        "argument(s) must be one of the following: default, save, nosave, now, force",
    ),
    (
        "latency-tracking-info-percentiles 50 101",
        "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
    ),
];

#[test]
fn malformed_values_are_refused_as_redis_does() {
    for (line, reason) in MALFORMED {
        assert_eq!(refused("values", line), *reason, "{line}");
    }
}

#[test]
fn retired_directives_are_skipped() {
    let scratch = Scratch::new("retired");
    let text = "list-max-ziplist-entries 3\nlua-replicate-commands yes\n";
    assert!(load(&scratch.file("redis.conf", text)).expect("skipped").warnings().is_empty());
    assert_eq!(
        refused("retired2", "list-max-ziplist-value 3 4"),
        "Bad directive or wrong number of arguments"
    );
}

#[test]
fn includes_follow_patterns_and_stop_loops() {
    let scratch = Scratch::new("include");
    let dir = scratch.0.display();
    scratch.file("b.part", "timeout 2\n");
    scratch.file("a.part", "timeout 1\nhz 20\n");
    scratch.file(".c.part", "timeout 3\n");
    let config = load(&scratch.file("redis.conf", &format!("include {dir}/*.part\ninclude {dir}/none*\n")));
    let config = config.expect("a pattern may match nothing");
    assert_eq!(
        (config.live().timeout(), config.number("hz")),
        (2, 20),
        "in the order of names, hidden files left out"
    );
    let looping = scratch.file("loop.conf", &format!("include {dir}/loop.conf\n"));
    assert!(load(&looping).err().expect("a loop").ends_with("files include one another too deeply"));
    let missing = scratch.file("missing.conf", &format!("include {dir}/nope.conf\n"));
    let expected =
        format!("Fatal error, can't open config file '{dir}/nope.conf': No such file or directory");
    assert_eq!(load(&missing).err(), Some(expected));
    scratch.file("d.part", "\nhz x\n");
    let error = load(&scratch.0.join("redis.conf")).err().expect("malformed");
    assert!(error.contains(&format!("'{dir}/d.part', at line 2")), "{error}");
}

#[test]
fn the_command_line_has_the_last_word() {
    let scratch = Scratch::new("overrides");
    let path = scratch.file("redis.conf", "port 7000\nio-threads 3\nHZ 20\n");
    let overrides = |name: &str, values: &[&str]| {
        vec![(name.as_bytes().to_vec(), values.iter().map(|value| value.as_bytes().to_vec()).collect())]
    };
    let config = Config::load(Some(&path), false, &overrides("port", &["7001"])).expect("valid");
    assert_eq!((config.number("port"), config.threads(), config.number("hz")), (7001, 3, 20));
    let config =
        Config::load(None, false, &overrides("bind", &["127.0.0.1 ::1"])).expect("a list in one argument");
    assert_eq!(get(&config, "bind"), "127.0.0.1 ::1");
    let error = Config::load(None, false, &overrides("hz", &["a b"])).err().expect("malformed").to_string();
    assert!(error.contains("Reading the command line, at line 1\n>>> 'hz \"a b\"'\n"), "{error}");
}

#[test]
fn get_matches_patterns_and_both_names() {
    let config = Config::default();
    assert_eq!(config.get(&[b"P[o]rt", b"port"]), [("port", b"6379".to_vec())]);
    let both = config.get(&[b"*-read-only"]);
    assert_eq!(both, [("replica-read-only", b"yes".to_vec()), ("slave-read-only", b"yes".to_vec())]);
    assert_eq!(config.get(&[b"SLAVE-read-only"]).len(), 1);
    assert!(config.get(&[b"aof-disable-auto-g*"]).is_empty(), "hidden from patterns");
    assert_eq!(get(&config, "aof-disable-auto-gc"), "no");
    assert!(config.get(&[b"user"]).is_empty() && config.get(&[b"nope"]).is_empty());
    assert_eq!(get(&config, "notify-keyspace-events"), "");
    assert_eq!(get(&config, "proto-max-bulk-len"), "536870912");
    let limits = "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60";
    assert_eq!(get(&config, "client-output-buffer-limit"), limits);
}

#[test]
fn set_reaches_the_live_values() {
    let config = Config::default();
    let pairs = [
        ("timeout", "7"),
        ("MAXCLIENTS", "50"),
        ("proto-max-bulk-len", "2mb"),
        ("hll-sparse-max-bytes", "1k"),
        ("hz", "600"),
        ("tcp-keepalive", "1"),
        ("client-query-buffer-limit", "1mb"),
        ("client-output-buffer-limit", "normal 1kb 2 3"),
    ];
    set(&config, &pairs).expect("all valid");
    let live = config.live();
    assert_eq!((live.timeout(), live.maxclients(), live.proto_max_bulk_len()), (7, 50, 2 << 20));
    assert_eq!((live.hll_sparse_max_bytes(), config.number("hz"), live.tcp_keepalive()), (1000, 500, 1));
    assert_eq!(live.client_query_buffer_limit(), 1 << 20);
    let limit = live.output_limit(false);
    assert_eq!((limit.hard, limit.soft, limit.seconds), (1024, 2, 3));
    assert!(
        get(&config, "client-output-buffer-limit").ends_with("pubsub 33554432 8388608 60"),
        "others are kept"
    );
    set(&config, &[("hz", "0")]).expect("moved into its limits");
    assert_eq!(config.number("hz"), 1);
}

#[test]
fn set_answers_redis_errors() {
    let config = Config::default();
    let unknown = |name: &str| format!("Unknown option or number of arguments for CONFIG SET - '{name}'");
    assert_eq!(set(&config, &[("foo", "bar")]), Err(unknown("foo")));
    assert_eq!(set(&config, &[("rename-command", "x")]), Err(unknown("rename-command")));
    assert_eq!(set(&config, &[("hz", "x"), ("foo", "1")]), Err(unknown("foo")), "names are checked first");
    assert_eq!(set_refused(&config, "databases", "17"), "can't set immutable config");
    assert_eq!(set_refused(&config, "dir", "."), "can't set protected config");
    assert_eq!(set_refused(&config, "port", "abc"), "argument couldn't be parsed into an integer");
    assert_eq!(set_refused(&config, "timeout", "007"), "argument couldn't be parsed into an integer");
    assert_eq!(
        set_refused(&config, "proto-max-bulk-len", "1"),
        "argument must be between 1048576 and 9223372036854775807 inclusive"
    );
    let twice = set(&config, &[("hz", "50"), ("HZ", "20")]).expect_err("twice");
    assert_eq!(twice, "CONFIG SET failed (possibly related to argument 'HZ') - duplicate parameter");
}

#[test]
fn set_of_an_unsupported_directive_is_refused_unless_it_changes_nothing() {
    let config = Config::default();
    let later =
        DIRECTIVES.iter().find(|one| one.status == Status::NotYet && one.modifiable && !one.protected);
    let later = later.expect("something is left to do").name;
    let current = get(&config, later);
    let other = if current == "yes" { "no" } else { "yes" };
    set(&config, &[(later, &current)]).expect("nothing changes");
    assert_eq!(set_refused(&config, later, other), "this directive is not supported yet");
}

#[test]
fn set_is_all_or_nothing() {
    let config = Config::default();
    set(&config, &[("hz", "50"), ("maxclients", "0")]).expect_err("the second is out of range");
    assert_eq!(config.number("hz"), 10);
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    config.on_change(
        "timeout",
        Box::new(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }),
    );
    config.on_change(
        "port",
        Box::new(|config| match config.number("port") {
            1 => Err("Unable to listen on this port. Check server logs.".into()),
            _ => Ok(()),
        }),
    );
    let error = set(&config, &[("timeout", "9"), ("port", "1")]).expect_err("the hook refuses");
    assert_eq!(
        error,
        "CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server logs."
    );
    assert_eq!((config.live().timeout(), get(&config, "port").as_str()), (0, "6379"));
    assert_eq!(calls.load(Ordering::Relaxed), 2, "the hook that ran is told of the restored value");
    set(&config, &[("timeout", "0"), ("port", "7001")]).expect("the hook agrees");
    assert_eq!(calls.load(Ordering::Relaxed), 2, "an unchanged value calls no hook");
}

/// Row 17: the working directory is not for clients to choose unless the operator says so.
#[test]
fn row_17_protected_directives_need_permission() {
    let scratch = Scratch::new("protected");
    let config = load(&scratch.file("redis.conf", "enable-protected-configs local\n")).expect("valid");
    let pairs: [(&[u8], &[u8]); 1] = [(b"dir", b"/nonexistent/dir")];
    let expected = |why: &str| Err(format!("CONFIG SET failed (possibly related to argument 'dir') - {why}"));
    assert_eq!(config.set(&pairs, false), expected("can't set protected config"));
    assert_eq!(config.set(&pairs, true), expected("No such file or directory"));
}

#[test]
fn rewrite_needs_a_file() {
    assert_eq!(Config::default().rewrite(), Err("The server is running without a config file".into()));
}

#[test]
fn rewrite_keeps_what_it_does_not_change() {
    let scratch = Scratch::new("rewrite");
    let dir = scratch.0.display();
    let here = std::env::current_dir().expect("a directory");
    let here = here.display();
    let old = format!(
        "# mine\nport 7000\nclient-query-buffer-limit 1024mb\n\n# speed\nhz 10\nHZ 12\n#tail\nappendonly yes\nrename-command \
         DEBUG \"\"\nclient-output-buffer-limit replica 1gb 64mb 60\nslave-read-only yes\ndir {here}\ninclude {dir}/more\n"
    );
    scratch.file("more", "");
    let path = scratch.file("redis.conf", &old);
    let config = load(&path).expect("valid");
    config.rewrite().expect("writable");
    assert_eq!(fs::read_to_string(&path).expect("readable"), old);
    let pairs = [("hz", "30"), ("maxclients", "50"), ("client-output-buffer-limit", "normal 1mb 2 3")];
    set(&config, &pairs).expect("valid");
    config.rewrite().expect("writable");
    let expected = old
        .replace("hz 10\nHZ 12", "hz 30\n")
        .replace("client-output-buffer-limit replica 1gb", "client-output-buffer-limit normal 1mb 2 3\n#")
        .replace("\n# 64mb 60", "")
        + "\n# Generated by CONFIG REWRITE\nmaxclients 50\nclient-output-buffer-limit replica 1gb 64mb 60\n";
    let written = fs::read_to_string(&path).expect("readable");
    assert_eq!(sorted_tail(&written), sorted_tail(&expected));
    assert_eq!(
        load(&path).expect("valid").get(&[b"*"]),
        config.get(&[b"*"]),
        "it means what the server does"
    );
    assert_eq!(fs::read_dir(&scratch.0).expect("readable").count(), 2, "no temporary file is left");
}

/// The text with its generated lines in order: theirs is the table's.
fn sorted_tail(text: &str) -> (String, Vec<String>) {
    let (kept, generated) = text.split_once("# Generated by CONFIG REWRITE\n").expect("a header");
    let mut generated: Vec<_> = generated.lines().map(String::from).collect();
    generated.sort();
    (kept.into(), generated)
}

#[test]
fn rewrite_follows_links_and_keeps_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new("links");
    let real = scratch.file("real.conf", "timeout 1\n");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).expect("ours");
    let link = scratch.0.join("link.conf");
    std::os::unix::fs::symlink(&real, &link).expect("a link");
    let config = load(&link).expect("valid");
    set(&config, &[("timeout", "5")]).expect("valid");
    config.rewrite().expect("writable");
    assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
    assert!(fs::read_to_string(&real).expect("readable").starts_with("timeout 5\n"));
    assert_eq!(fs::metadata(&real).expect("there").permissions().mode() & 0o777, 0o600);
    fs::remove_dir_all(scratch.0.join("gone")).unwrap_or(());
}
