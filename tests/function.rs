//! FUNCTION and FCALL, as a client sees them; where `redis-server` is installed, payloads go both ways.

mod common;

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use common::{Raw, TestServer};

const LIBRARY: &str = "#!lua name=lib\n\
    redis.register_function('f',function(k,a) return {k,a} end)\n\
    redis.register_function{function_name='g',callback=function() return redis.call('set','a','b') end,\
    flags={'no-writes','allow-oom'},description='d'}\n\
    redis.register_function('h',function() error('x') end)\n\
    redis.register_function('r',function() return redis.register_function('x',function() end) end)\n\
    redis.register_function('k',function() return KEYS end)\n\
    redis.register_function('w',function(keys) return redis.call('incr',keys[1]) end)";

#[track_caller]
fn load(c: &mut Raw, code: &str, reply: &str) {
    c.command(&["FUNCTION", "LOAD", code]);
    c.expect(reply);
}

#[test]
fn functions_are_called() {
    let server = TestServer::start();
    let mut c = server.raw();
    load(&mut c, LIBRARY, "$3\r\nlib\r\n");
    for (line, reply) in [
        ("FCALL f 1 a b", "*2\r\n*1\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n"),
        (
            "FCALL g 0",
            "-ERR Write commands are not allowed from read-only scripts. script: g, on @user_function:3.\r\n",
        ),
        ("FCALL h 0", "-ERR user_function:4: x script: h, on @user_function:4.\r\n"),
        (
            "FCALL r 0",
            "-ERR user_function:5: attempt to call field 'register_function' (a nil value) script: r, on \
             @user_function:5.\r\n",
        ),
        (
            "FCALL k 0",
            "-ERR user_function:6: Script attempted to access nonexistent global variable 'KEYS' script: k, on \
             @user_function:6.\r\n",
        ),
        ("FCALL w 1 n", ":1\r\n"),
        ("FCALL nope 0", "-ERR Function not found\r\n"),
        ("FCALL f x", "-ERR Bad number of keys provided\r\n"),
        ("FCALL f -1", "-ERR Number of keys can't be negative\r\n"),
        ("FCALL f 3 a", "-ERR Number of keys can't be greater than number of args\r\n"),
        ("FCALL_RO f 0", "-ERR Can not execute a script with write flag using *_ro command.\r\n"),
    ] {
        // Each of several runs, on whatever thread, answers the same.
        (0..6).for_each(|_| {
            if !line.contains("w 1 n") {
                c.check(line, reply)
            }
        });
    }
    (1..=10).for_each(|n| c.check("FCALL w 1 n", &format!(":{n}\r\n")));
}

#[test]
fn what_is_no_library_is_refused() {
    let server = TestServer::start();
    let mut c = server.raw();
    for (code, reply) in [
        ("return 1", "Missing library metadata"),
        ("#!lua\nreturn 1", "Library name was not given"),
        ("#!lua name=a name=b\n", "Invalid metadata value, name argument was given multiple times"),
        ("#!lua foo=a\n", "Invalid metadata value given: foo=a"),
        ("#!x name=a\n", "Engine 'x' not found"),
        ("#!lua name=a", "Invalid library metadata"),
        ("#!lua name=a\nreturn 1", "No functions registered"),
        ("#!lua name=a\nx y", "Error compiling function: user_function:2: '=' expected near 'y'"),
        (
            "#!lua name=a\nredis.call('ping')",
            "Error registering functions: ERR user_function:2: Script attempted to access nonexistent global \
             variable 'call'",
        ),
        (
            "#!lua name=a\nredis.register_function()",
            "Error registering functions: ERR wrong number of arguments to redis.register_function",
        ),
        (
            "#!lua name=a\nredis.register_function('a',1)",
            "Error registering functions: ERR second argument to redis.register_function must be a function",
        ),
        (
            "#!lua name=a\nredis.register_function('a',function() end) redis.register_function('a',function() end)",
            "Error registering functions: ERR Function already exists in the library",
        ),
        (
            "#!lua name=a\nredis.register_function{function_name='a',callback=function() end,flags={'x'}}",
            "Error registering functions: ERR unknown flag given",
        ),
        (
            "#!lua name=a\nfoo=1",
            "Error registering functions: ERR user_function:2: Attempt to modify a readonly table",
        ),
        ("#!lua name=a\nwhile true do end", "Error registering functions: ERR FUNCTION LOAD timeout"),
    ] {
        load(&mut c, code, &format!("-ERR {reply}\r\n"));
    }
    c.check("FUNCTION LIST", "*0\r\n");
}

#[test]
fn libraries_are_listed_replaced_and_deleted() {
    let server = TestServer::start();
    let mut c = server.raw();
    load(&mut c, "#!lua name=a\nredis.register_function('f',function() return 1 end)", "$1\r\na\r\n");
    load(
        &mut c,
        "#!lua name=a\nredis.register_function('f',function() end)",
        "-ERR Library 'a' already exists\r\n",
    );
    load(
        &mut c,
        "#!lua name=b\nredis.register_function('f',function() end)",
        "-ERR Function f already exists\r\n",
    );
    c.command(&[
        "FUNCTION",
        "LOAD",
        "REPLACE",
        "#!lua name=a\nredis.register_function('g',function() return 2 end)",
    ]);
    c.expect("$1\r\na\r\n");
    c.check("FCALL f 0", "-ERR Function not found\r\n");
    c.check("FCALL g 0", ":2\r\n");
    c.check(
        "FUNCTION LIST LIBRARYNAME a*",
        "*1\r\n*6\r\n$12\r\nlibrary_name\r\n$1\r\na\r\n$6\r\nengine\r\n$3\r\nLUA\r\n$9\r\nfunctions\r\n*1\r\n*6\r\n\
         $4\r\nname\r\n$1\r\ng\r\n$11\r\ndescription\r\n$-1\r\n$5\r\nflags\r\n*0\r\n",
    );
    c.check("FUNCTION LIST LIBRARYNAME b*", "*0\r\n");
    c.check("FUNCTION LIST foo", "-ERR Unknown argument foo\r\n");
    c.check("FUNCTION LIST LIBRARYNAME", "-ERR library name argument was not given\r\n");
    c.check(
        "FUNCTION STATS",
        "*4\r\n$14\r\nrunning_script\r\n$-1\r\n$7\r\nengines\r\n*2\r\n$3\r\nLUA\r\n*4\r\n$15\r\nlibraries_count\r\n\
         :1\r\n$15\r\nfunctions_count\r\n:1\r\n",
    );
    c.check("FUNCTION DELETE zz", "-ERR Library not found\r\n");
    c.check("FUNCTION DELETE a", "+OK\r\n");
    c.check("FCALL g 0", "-ERR Function not found\r\n");
    c.check("FUNCTION FLUSH x", "-ERR FUNCTION FLUSH only supports SYNC|ASYNC option\r\n");
    c.check("FUNCTION FLUSH", "+OK\r\n");
    c.check("FUNCTION KILL", "-NOTBUSY No scripts in execution right now.\r\n");
}

#[test]
fn a_long_function_is_seen_and_killed() {
    let server = TestServer::with(&["--threads", "1"]);
    let (mut c, mut other) = (server.raw(), server.raw());
    load(
        &mut c,
        "#!lua name=a\nredis.register_function('f',function() while true do end end)",
        "$1\r\na\r\n",
    );
    c.send("FCALL f 0 word\r\n");
    thread::sleep(Duration::from_millis(200));
    other.send("FUNCTION STATS\r\n");
    other.expect(
        "*4\r\n$14\r\nrunning_script\r\n*6\r\n$4\r\nname\r\n$1\r\nf\r\n$7\r\ncommand\r\n*4\r\n$5\r\nFCALL\r\n$1\r\nf\r\n\
         $1\r\n0\r\n$4\r\nword\r\n$11\r\nduration_ms\r\n",
    );
    let duration: i64 = other.read_line()[1..].parse().expect("a number");
    assert!(duration >= 100, "{duration}");
    other.expect(
        "$7\r\nengines\r\n*2\r\n$3\r\nLUA\r\n*4\r\n$15\r\nlibraries_count\r\n:1\r\n$15\r\nfunctions_count\r\n:1\r\n",
    );
    let refused = other.line("SCRIPT KILL");
    assert!(refused.starts_with("-BUSY Redis is busy running a script. You can only call FUNCTION KILL"));
    other.check("FUNCTION KILL", "+OK\r\n");
    assert!(c.read_line().contains("Script killed by user with FUNCTION KILL."));
}

struct Redis {
    child: Child,
    port: u16,
}

impl Redis {
    fn start() -> Option<Redis> {
        let port = std::net::TcpListener::bind(("127.0.0.1", 0)).ok()?.local_addr().ok()?.port();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let redis = Redis { child, port };
        for _ in 0..200 {
            if std::net::TcpStream::connect(("127.0.0.1", redis.port)).is_ok() {
                return Some(redis);
            }
            thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn function(c: &mut redis::Connection, words: &[&[u8]]) -> redis::RedisResult<redis::Value> {
    let mut command = redis::cmd("FUNCTION");
    words.iter().for_each(|word| _ = command.arg(*word));
    command.query(c)
}

fn dump(c: &mut redis::Connection) -> Vec<u8> {
    redis::cmd("FUNCTION").arg("DUMP").query(c).expect("libraries are dumped")
}

#[test]
fn payloads_go_both_ways() {
    let Some(redis) = Redis::start() else { return println!("skipped: there is no redis-server") };
    let server = TestServer::start();
    let client = redis::Client::open(format!("redis://127.0.0.1:{}/", redis.port)).expect("an address");
    let (mut theirs, mut ours) = (client.get_connection().expect("it accepts"), server.client());
    let long = format!("{LIBRARY}\n-- {}", "padding that compresses ".repeat(2000));
    for code in [LIBRARY, &long] {
        function(&mut theirs, &[b"LOAD", b"REPLACE", code.as_bytes()]).expect("redis loads it");
        let payload = dump(&mut theirs);
        function(&mut ours, &[b"RESTORE", &payload, b"REPLACE"]).expect("we restore what redis dumped");
        let listed = |c: &mut redis::Connection| format!("{:?}", function(c, &[b"LIST", b"WITHCODE"])).len();
        assert_eq!(listed(&mut ours), listed(&mut theirs));
        let payload = dump(&mut ours);
        function(&mut theirs, &[b"RESTORE", &payload, b"FLUSH"]).expect("redis restores what we dumped");
    }
    let payload = dump(&mut ours);
    let again = function(&mut ours, &[b"RESTORE", &payload]).expect_err("the library is there");
    assert!(again.to_string().contains("Library lib already exists"), "{again}");
    let broken = function(&mut ours, &[b"RESTORE", &payload[1..]]).expect_err("the sum is wrong");
    assert!(broken.to_string().contains("DUMP payload version or checksum are wrong"), "{broken}");
    let policy = function(&mut ours, &[b"RESTORE", &payload, b"foo"]).expect_err("there is no such policy");
    assert!(policy.to_string().contains("Wrong restore policy given"), "{policy}");
}

#[test]
fn a_library_that_is_loaded_finds_its_registration_only() {
    let server = TestServer::start();
    let mut c = server.raw();
    let refused = |name: &str| {
        format!(
            "-ERR Error registering functions: ERR user_function:2: Script attempted to access nonexistent global \
             variable '{name}'\r\n"
        )
    };
    for name in ["string", "math", "pairs", "getmetatable", "_G", "KEYS"] {
        load(&mut c, &format!("#!lua name=lib\nlocal x={name}"), &refused(name));
    }
    for name in ["call", "sha1hex", "redis", "setresp"] {
        load(&mut c, &format!("#!lua name=lib\nlocal x=redis.{name}"), &refused(name));
    }
    let readonly =
        "-ERR Error registering functions: ERR user_function:2: Attempt to modify a readonly table\r\n";
    load(&mut c, "#!lua name=lib\nx=1", readonly);
    load(&mut c, "#!lua name=lib\nredis.x=1", readonly);
    // What it kept of its registration is of no use to its functions, and theirs is there.
    load(
        &mut c,
        "#!lua name=lib\nlocal lib=redis lib.log(lib.LOG_DEBUG,'x')\n\
         lib.register_function('late',function() lib.register_function('x',function() end) end)\n\
         lib.register_function('old',function() return lib.call('ping') end)\n\
         lib.register_function('Now',function() return {type(redis.call),type(math.max),type(lib.LOG_DEBUG)} end)",
        "$3\r\nlib\r\n",
    );
    c.check(
        "FCALL late 0",
        "-ERR redis.register_function can only be called on FUNCTION LOAD command script: late, on @user_function:3.\r\n",
    );
    c.check(
        "FCALL old 0",
        "-ERR user_function:4: Script attempted to access nonexistent global variable 'call' script: old, on \
         @user_function:4.\r\n",
    );
    let kinds = "*3\r\n$8\r\nfunction\r\n$8\r\nfunction\r\n$6\r\nnumber\r\n";
    // Names of functions are the same in letters of any case, those of libraries are not.
    c.check("FCALL Now 0", kinds);
    c.check("FCALL nOW 0", kinds);
    load(
        &mut c,
        "#!lua name=LIB\nredis.register_function('NOW',function() end)",
        "-ERR Function NOW already exists\r\n",
    );
    load(
        &mut c,
        "#!lua name=LIB\nredis.register_function('a',function() return 1 end) redis.register_function('A',function() return 2 end)",
        "$3\r\nLIB\r\n",
    );
    c.check("FCALL A 0", ":1\r\n");
    c.send("INFO memory\r\n");
    let info = String::from_utf8(c.bulk()).expect("text");
    assert!(
        info.contains("number_of_libraries:2\r\n") && info.contains("number_of_functions:4\r\n"),
        "{info}"
    );
    c.check("FUNCTION DELETE LIB", "+OK\r\n");
    c.check("FCALL a 0", "-ERR Function not found\r\n");
    c.check(
        "FUNCTION FLUSH a b",
        "-ERR unknown subcommand or wrong number of arguments for 'FLUSH'. Try FUNCTION HELP.\r\n",
    );
}
