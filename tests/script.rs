//! EVAL and its like, as a client sees them.

mod common;

use std::thread;
use std::time::{Duration, Instant};

use common::{Raw, TestServer, encode};

/// Sends EVAL without keys and expects this reply.
#[track_caller]
fn check(c: &mut Raw, script: &str, reply: &str) {
    c.command(&["EVAL", script, "0"]);
    c.expect(reply);
}

/// Sends EVAL without keys and returns the first line of the reply.
fn line(c: &mut Raw, script: &str) -> String {
    c.command(&["EVAL", script, "0"]);
    c.read_line()
}

#[test]
fn results_become_replies() {
    let server = TestServer::start();
    let mut c = server.raw();
    for (script, reply) in [
        ("return 1", ":1\r\n"),
        ("return 3.99", ":3\r\n"),
        ("return -1e300", ":-9223372036854775808\r\n"),
        ("return 'abc'", "$3\r\nabc\r\n"),
        ("return true", ":1\r\n"),
        ("return false", "$-1\r\n"),
        ("return nil", "$-1\r\n"),
        ("return {1,2.7,nil,4}", "*2\r\n:1\r\n:2\r\n"),
        ("return {ok='x\\r\\ny'}", "+x  y\r\n"),
        ("return {double=1.5}", "$3\r\n1.5\r\n"),
        ("return {map={a=1}}", "*2\r\n$1\r\na\r\n:1\r\n"),
        ("return {set={a=1}}", "*1\r\n$1\r\na\r\n"),
        ("return {big_number='12'}", "$2\r\n12\r\n"),
        ("return {verbatim_string={format='txt',string='a'}}", "$1\r\na\r\n"),
        ("return function() end", "$-1\r\n"),
        ("return cjson", "*0\r\n"),
    ] {
        check(&mut c, script, reply);
    }
}

#[test]
fn errors_name_the_script_and_the_line() {
    let server = TestServer::start();
    let mut c = server.raw();
    let sha = "5534f9391a35c19fc34744875ed4a820d7666369";
    check(
        &mut c,
        "local function f() error('deep') end\nf()",
        &format!("-ERR user_script:1: deep script: {sha}, on @user_script:1.\r\n"),
    );
    check(
        &mut c,
        "return redis.call('nope')",
        "-ERR Unknown Redis command called from script script: f01f0776df71cc5b400c2268135aa7f30dce2e53, on \
         @user_script:1.\r\n",
    );
    check(
        &mut c,
        "syntax err(",
        "-ERR Error compiling script (new function): user_script:1: '=' expected near 'err'\r\n",
    );
    check(&mut c, "return redis.pcall('nope')", "-ERR Unknown Redis command called from script\r\n");
    check(&mut c, "return {pcall(error,{err='E x'})}", "*2\r\n$-1\r\n$3\r\nE x\r\n");
    c.check("EVALSHA abc 0", "-NOSCRIPT No matching script. Please use EVAL.\r\n");
    c.check("EVAL x -1 a", "-ERR Number of keys can't be negative\r\n");
    c.check("EVAL x 2 a", "-ERR Number of keys can't be greater than number of args\r\n");
    c.check("EVAL x y a", "-ERR value is not an integer or out of range\r\n");
}

#[test]
fn script_remembers_and_forgets() {
    let server = TestServer::start();
    let mut c = server.raw();
    let sha = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";
    c.command(&["SCRIPT", "LOAD", "return 1"]);
    c.expect(format!("$40\r\n{sha}\r\n"));
    c.check(&format!("SCRIPT EXISTS {sha} {} x", sha.to_uppercase()), "*3\r\n:1\r\n:1\r\n:0\r\n");
    c.check(&format!("EVALSHA {} 0", sha.to_uppercase()), ":1\r\n");
    c.check(&format!("SCRIPT SHOW {sha}"), "$8\r\nreturn 1\r\n");
    c.check("SCRIPT FLUSH nope", "-ERR SCRIPT FLUSH only support SYNC|ASYNC option\r\n");
    c.check("SCRIPT FLUSH ASYNC", "+OK\r\n");
    c.check(&format!("EVALSHA {sha} 0"), "-NOSCRIPT No matching script. Please use EVAL.\r\n");
    c.check("SCRIPT KILL", "-NOTBUSY No scripts in execution right now.\r\n");
}

#[test]
fn flags_of_the_first_line_hold() {
    let server = TestServer::start();
    let mut c = server.raw();
    for (script, reply) in [
        ("#!lua flags=nope\nreturn 1", "-ERR Unexpected flag in script shebang: nope\r\n"),
        ("#!lua foo=1\nreturn 1", "-ERR Unknown lua shebang option: foo=1\r\n"),
        ("#!python\nreturn 1", "-ERR Unexpected engine in script shebang: #!python\r\n"),
        ("#!lua", "-ERR Invalid script shebang\r\n"),
        ("#!lua flags=no-writes\nreturn 2", ":2\r\n"),
    ] {
        check(&mut c, script, reply);
    }
    let refused = line(&mut c, "#!lua flags=no-writes\nreturn redis.call('set','a','b')");
    assert!(refused.starts_with("-ERR Write commands are not allowed from read-only scripts. script: "));
    assert!(refused.ends_with(", on @user_script:2."), "{refused}");
    c.command(&["EVAL_RO", "#!lua\nreturn 1", "0"]);
    c.expect("-ERR Can not execute a script with write flag using *_ro command.\r\n");
}

#[test]
fn resp3_goes_both_ways() {
    let server = TestServer::start();
    let mut c = server.raw();
    check(&mut c, "redis.setresp(3) return type(redis.call('get','nokey'))", "$3\r\nnil\r\n");
    check(&mut c, "return type(redis.call('get','nokey'))", "$7\r\nboolean\r\n");
    c.command(&["HELLO", "3"]);
    c.send("PING ready\r\n");
    while c.read_line() != "ready" {}
    for (script, reply) in [
        ("return {double=1.5}", ",1.5\r\n"),
        ("return {map={a=1}}", "%1\r\n$1\r\na\r\n:1\r\n"),
        ("return {set={a=1}}", "~1\r\n$1\r\na\r\n"),
        ("return {big_number='12'}", "(12\r\n"),
        ("return {verbatim_string={format='txt',string='a'}}", "=5\r\ntxt:a\r\n"),
        ("redis.setresp(3) return false", "#f\r\n"),
        ("redis.setresp(3) return true", "#t\r\n"),
        ("return nil", "_\r\n"),
        ("redis.setresp(3) return redis.call('command','docs','nosuch')", "%0\r\n"),
    ] {
        check(&mut c, script, reply);
    }
}

// -- rows of the list of faults -------------------------------------------------------------------------------------

/// Ends a script from another connection as soon as the server lets it.
fn kill(server: &TestServer) {
    let mut c = server.raw();
    let began = Instant::now();
    while c.line("SCRIPT KILL") != "+OK" {
        assert!(began.elapsed() < Duration::from_secs(10), "no script can be killed");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn row_47_endless_scripts_are_killed_wherever_they_hide() {
    let server = TestServer::with(&["--threads", "3"]);
    let mut c = server.raw();
    // Another worker's connections.
    let mut others: Vec<Raw> = (0..2).map(|_| server.raw()).collect();
    for script in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "pcall(pcall, function() while true do end end) while true do end",
        "while true do coroutine.wrap(function() while true do end end)() end",
        "while true do xpcall(function() while true do end end, function() return 1 end) end",
        "local t={} for i=1,100 do t[i]=i end while true do table.sort(t,function(a,b) return a<b end) end",
        "return string.find(string.rep('a',100000), string.rep('.-',20)..'b')",
        "string.gsub(string.rep('a',1000),'.',function() while true do end end)",
        "while true do redis.call('ping') end",
    ] {
        c.command(&["EVAL", script, "1", "mine"]);
        thread::sleep(Duration::from_millis(50));
        others.iter_mut().for_each(|other| other.check("GET yours", "$-1\r\n"));
        kill(&server);
        let ended = c.read_line();
        assert!(ended.contains("Script killed by user with SCRIPT KILL."), "{script}: {ended}");
        check(&mut c, "return 7", ":7\r\n");
    }
}

#[test]
fn row_47_a_script_that_has_written_is_not_killed() {
    let server = TestServer::with(&["--threads", "3"]);
    let mut c = server.raw();
    let script = "redis.call('set',KEYS[1],1) local n=0 for i=1,2e8 do n=n+1 end return n";
    c.command(&["EVAL", script, "1", "mine"]);
    thread::sleep(Duration::from_millis(100));
    let refused = server.raw().line("SCRIPT KILL");
    assert!(refused.starts_with("-UNKILLABLE "), "{refused}");
    c.stream.set_read_timeout(Some(Duration::from_secs(120))).expect("a timeout can be set");
    assert_eq!(c.read_line(), ":200000000");
}

#[test]
fn row_48_a_script_has_no_more_memory_than_the_cap() {
    let server = TestServer::with(&["--threads", "1", "--lua-memory-limit", "32mb"]);
    let mut c = server.raw();
    for script in [
        "local t={} for i=1,1e9 do t[i]={} end",
        "local s='x' while true do s=s..s end",
        "return string.rep('x',1e9)",
        "local t={} while true do t[#t+1]=cjson.encode(string.rep('x',1e6)..#t) end",
        "return cjson.decode(string.rep('[[],',3e6)..'1')",
        "cjson.encode_sparse_array(false,0,0) return #cjson.encode({[1e9]=1})",
        "return (string.gsub(string.rep('x',1e5),'x',string.rep('y',1e5)))",
    ] {
        let error = line(&mut c, script);
        let expected = error.contains("not enough memory") || error.contains("too many nested");
        assert!(expected, "{script}: {error}");
        check(&mut c, "return 7", ":7\r\n");
    }
    assert!(server.resident() < 300 << 20, "{} bytes are resident", server.resident());
}

#[test]
fn row_49_depth_has_an_end_everywhere() {
    let server = TestServer::start();
    let mut c = server.raw();
    for (script, part) in [
        ("return cjson.decode(string.rep('[',1e6))", "Found too many nested data structures (1001)"),
        ("cjson.decode_max_depth(1e9) return cjson.decode(string.rep('[',1e6))", "Found too many nested"),
        ("return cjson.decode(string.rep('{\"a\":',1e6))", "Found too many nested data structures (1001)"),
        (
            "local t={} for i=1,1e6 do t={t} end return cjson.encode(t)",
            "Cannot serialise, excessive depth (1001)",
        ),
        ("local t={} t[1]=t return cjson.encode(t)", "Cannot serialise, excessive depth (1001)"),
        ("return cmsgpack.unpack(string.rep('\\145',1e6))", "stack overflow"),
        ("return string.rep('(',1e6):find(string.rep('(',1e6))", "too many captures"),
        ("return string.find(string.rep('a',1e5), string.rep('a?',1e5))", "pattern too complex"),
        ("return loadstring(string.rep('(',1e6))()", "attempt to call a nil value"),
    ] {
        let error = line(&mut c, script);
        assert!(error.starts_with("-ERR") && error.contains(part), "{script}: {error}");
    }
    // A table in itself ends as an error deep inside the reply.
    c.command(&["EVAL", "local a={} a[1]=a return a", "0"]);
    while c.read_line() == "*1" {}
    check(&mut c, "local t={} t[1]=t return #cmsgpack.pack(t)", ":17\r\n");
    check(&mut c, "return 7", ":7\r\n");
}

#[test]
fn row_50_a_script_cannot_get_out_or_leave_anything_behind() {
    let server = TestServer::with(&["--threads", "1"]);
    let mut c = server.raw();
    for name in [
        "package", "require", "module", "io", "debug", "dofile", "loadfile", "print", "getfenv", "setfenv",
        "newproxy", "ffi", "jit",
    ] {
        let error = line(&mut c, &format!("return {name}"));
        assert!(error.contains("attempted to access nonexistent global variable"), "{name}: {error}");
    }
    check(&mut c, "return tostring(os.execute)..tostring(os.getenv)", "$6\r\nnilnil\r\n");
    check(&mut c, "return {tostring(loadstring('\\27Lua'))}", "*1\r\n$3\r\nnil\r\n");
    check(
        &mut c,
        "local n=0 return tostring(load(function() n=n+1 return n==1 and '\\27Lua' or nil end))",
        "$3\r\nnil\r\n",
    );
    for script in [
        "foo=1",
        "_G.foo=1",
        "_G._G=1",
        "setmetatable(_G,{})",
        "getmetatable(_G).__index=1",
        "getmetatable(getmetatable(_G)).__index=1",
        "rawset(_G,'a',1)",
        "redis.call=1",
        "string.rep=1",
        "table.insert(redis,1)",
        "table.remove(redis)",
        "table.sort(redis)",
        "getmetatable('').__index=1",
        "setmetatable(string,nil)",
        "rawset(cjson,'null',1)",
        "math.random=nil",
    ] {
        let error = line(&mut c, script);
        assert!(error.contains("Attempt to modify a readonly table"), "{script}: {error}");
    }
    check(
        &mut c,
        "local n=0 for k,v in pairs(redis) do n=n+1 end return n>10 and type(next(redis))=='string'",
        ":1\r\n",
    );
    check(&mut c, "cjson.encode_max_depth(3) collectgarbage('stop') return 1", ":1\r\n");
    check(&mut c, "return cjson.encode_max_depth()", ":1000\r\n");
    check(&mut c, "math.randomseed(0) return tostring(math.random())", "$16\r\n0.17082803611217\r\n");
}

#[test]
fn row_51_no_text_of_a_script_breaks_the_protocol() {
    let server = TestServer::start();
    let mut c = server.raw();
    check(&mut c, "return redis.error_reply('a\\r\\nb c')", "-a  b c\r\n");
    check(&mut c, "return redis.error_reply('My\\0Err x')", "-My Err x\r\n");
    check(&mut c, "return redis.status_reply('a\\r\\n-ERR b')", "+a  -ERR b\r\n");
    check(&mut c, "return {big_number='1\\r\\n2'}", "$4\r\n1  2\r\n");
    let raised = line(&mut c, "error('a\\r\\nb')");
    assert!(raised.starts_with("-ERR user_script:1: a  b script: "), "{raised}");
    c.send("HELLO 3\r\n");
    c.send(encode(&["EVAL", "return {big_number='1\\r\\n2'}", "0"]));
    c.send("PING end\r\n");
    let mut seen = String::new();
    while seen != "(1  2" {
        seen = c.read_line();
    }
    c.expect("$3\r\nend\r\n");
}

#[test]
fn row_53_a_panic_under_a_script_is_the_scripts_error() {
    let server = TestServer::with(&["--threads", "2", "--enable-debug-command", "yes"]);
    let (mut c, mut other) = (server.raw(), server.raw());
    check(&mut c, "return redis.call('set','a','1')", "+OK\r\n");
    let refused = line(&mut c, "return redis.call('debug','panic')");
    assert!(refused.contains("not allowed from script"), "{refused}");
    other.check("DEBUG SET-DISABLE-DENY-SCRIPTS 1", "+OK\r\n");
    // The script may go on with the error, and its client is disconnected when it has its reply.
    let script = "redis.call('set',KEYS[1],'2') local e=redis.pcall('debug','panic') \
                  redis.call('set',KEYS[1],'3') return e.err";
    for _ in 0..3 {
        let mut victim = server.raw();
        victim.command(&["EVAL", script, "1", "a"]);
        assert_eq!(victim.bulk(), b"ERR internal error: the command failed and was abandoned");
        assert!(victim.closed());
        // Everything is open, for single keys, for scripts, and for those who close everything.
        other.check("GET a", "$1\r\n3\r\n");
        other.check("SET a 1", "+OK\r\n");
        check(&mut other, "return redis.call('get','a')", "$1\r\n1\r\n");
        other.check("DBSIZE", ":1\r\n");
    }
    let mut victim = server.raw();
    victim.command(&["EVAL", "redis.call('debug','panic')", "1", "a"]);
    assert!(victim.read_line().starts_with("-ERR internal error"));
    assert!(victim.closed());
    other.check("DEBUG SET-DISABLE-DENY-SCRIPTS 0", "+OK\r\n");
    assert!(line(&mut other, "return redis.call('debug','panic')").contains("not allowed from script"));
}

#[test]
fn a_scripts_protocol_decides_what_its_values_are() {
    let server = TestServer::with(&["--threads", "1", "--enable-debug-command", "yes"]);
    let mut c = server.raw();
    check(&mut c, "return {true,false}", "*2\r\n:1\r\n$-1\r\n");
    check(&mut c, "redis.setresp(3) return {true,false}", "*2\r\n:1\r\n:0\r\n");
    c.send("HELLO 3\r\n");
    c.send("PING ready\r\n");
    while c.read_line() != "ready" {}
    check(&mut c, "return {true,false,1}", "*3\r\n:1\r\n_\r\n:1\r\n");
    check(&mut c, "redis.setresp(3) return {true,false}", "*2\r\n#t\r\n#f\r\n");
    c.check("DEBUG SET-DISABLE-DENY-SCRIPTS 1", "+OK\r\n");
    let text = "Some real reply following the attribute";
    check(
        &mut c,
        "redis.setresp(3) return redis.call('debug','protocol','attrib')",
        &format!("$39\r\n{text}\r\n"),
    );
}

#[test]
fn scripts_do_not_block_and_see_sets_in_order() {
    let server = TestServer::start();
    let mut c = server.raw();
    for (script, name) in [
        ("return redis.call('xread','BLOCK','no','STREAMS','s','$')", "xread"),
        ("return redis.call('XREADGROUP','GROUP','a','b','BLOCK',0,'STREAMS','s','>')", "XREADGROUP"),
    ] {
        let error = line(&mut c, script);
        let text = format!("-ERR {name} command is not allowed with BLOCK option from scripts script: ");
        assert!(error.starts_with(&text), "{error}");
    }
    c.check("SADD set c aa b a azz", ":5\r\n");
    check(&mut c, "return table.concat(redis.call('sort','set','by','_'),' ')", "$12\r\na aa azz b c\r\n");
    check(&mut c, "return type(string.dump(function() return 1 end))", "$6\r\nstring\r\n");
    let error = line(&mut c, "return loadstring(string.dump(function() return 1 end))()");
    assert!(error.contains("attempt to call a nil value"), "{error}");
}

#[test]
fn clients_that_meet_a_long_scripts_keys_are_told_and_others_are_served() {
    let server = TestServer::with(&["--threads", "1", "--busy-reply-threshold", "100"]);
    let (mut c, mut other) = (server.raw(), server.raw());
    c.command(&["EVAL", "while true do end", "1", "mine"]);
    thread::sleep(Duration::from_millis(50));
    let mut slowest = Duration::ZERO;
    for _ in 0..200 {
        let began = Instant::now();
        other.check("GET yours", "$-1\r\n");
        slowest = slowest.max(began.elapsed());
    }
    assert!(slowest < Duration::from_secs(1), "a GET took {slowest:?}");
    let busy = other.line("GET mine");
    assert_eq!(
        busy,
        "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
    );
    other.check("SET yours 1", "+OK\r\n");
    other.check("FUNCTION KILL", &format!("{busy}\r\n"));
    kill(&server);
    assert!(c.read_line().contains("Script killed by user"));
    other.check("GET mine", "$-1\r\n");
}

// -- atomicity ------------------------------------------------------------------------------------------------------

/// Moves one from `ARGV[1]` to `ARGV[2]`, neither of which is declared, beside the declared key.
const STRAY: &str = "redis.call('incr',KEYS[1]) \
                     redis.call('decrby',ARGV[1],1) redis.call('incrby',ARGV[2],1) return 1";

#[test]
fn scripts_that_stray_into_each_others_keys_stay_atomic() {
    let server = TestServer::with(&["--threads", "2"]);
    let rounds = 3000;
    let port = &server;
    thread::scope(|scope| {
        for (mine, from, to) in
            [("k1", "k1", "k2"), ("k2", "k2", "k1"), ("k3", "k1", "k2"), ("k4", "k2", "k1")]
        {
            scope.spawn(move || {
                let mut c = port.raw();
                for round in 0..rounds {
                    // A text of its own each time is a script that nothing is known about.
                    let script =
                        if round % 3 == 0 { format!("{STRAY} -- {mine}{round}") } else { STRAY.into() };
                    c.command(&["EVAL", &script, "1", mine, from, to]);
                    c.expect(":1\r\n");
                }
            });
        }
        scope.spawn(move || {
            let mut c = port.raw();
            for _ in 0..rounds {
                c.command(&[
                    "EVAL",
                    "return (redis.call('get',KEYS[1]) or 0)+(redis.call('get',KEYS[2]) or 0)-\
                    (redis.call('get','x1') or 0)",
                    "2",
                    "k1",
                    "k2",
                ]);
                let sum: i64 = c.read_line()[1..].parse().expect("a number");
                assert!((0..=2 * rounds).contains(&sum), "a sum of {sum}");
            }
        });
    });
    let mut c = server.raw();
    // Every script raised its declared key by one and left the sum of the other changes at zero.
    c.check("MGET k3 k4", "*2\r\n$4\r\n3000\r\n$4\r\n3000\r\n");
    check(&mut c, "return redis.call('get','k1')+redis.call('get','k2')", &format!(":{}\r\n", 2 * rounds));
}

#[test]
fn what_was_written_before_straying_is_undone() {
    let server = TestServer::with(&["--threads", "2"]);
    let mut c = server.raw();
    // KEYS needs everything, after a write: the script begins anew, and its first write counts once.
    let script = "redis.call('incr',KEYS[1]) redis.call('del',KEYS[2]) return {redis.call('get',KEYS[1]), \
                  #redis.call('keys','*')}";
    c.check("SET b 1 PX 100000", "+OK\r\n");
    c.command(&["EVAL", script, "2", "a", "b"]);
    c.expect("*2\r\n$1\r\n1\r\n:1\r\n");
    c.command(&["EVAL", script, "2", "a", "b"]);
    c.expect("*2\r\n$1\r\n2\r\n:1\r\n");
}

// -- what Redis's own suite found -----------------------------------------------------------------------------------

/// Lua's own `unpack` counts in an `int`: a range of 2^31 and more overflowed the check of its stack, and the process.
#[test]
fn unpack_of_more_than_an_int_counts_is_an_error() {
    let server = TestServer::start();
    let mut c = server.raw();
    for range in ["-2,2147483647", "0,2147483647", "-2147483648,-2", "-2147483648", "1,2147483647"] {
        let got = line(&mut c, &format!("return {{unpack({{1,2,3}},{range})}}"));
        assert!(got.contains("too many results to unpack"), "{range}: {got}");
    }
    check(&mut c, "return {unpack({1,2,3},-1,-2)}", "*0\r\n");
    check(&mut c, "return {unpack({1,2,3},2)}", "*2\r\n:2\r\n:3\r\n");
    check(&mut c, "return select('#',unpack({1,2,3},-1,5))", ":7\r\n");
    check(&mut c, "return {unpack({1,2,3},'2','3')}", "*2\r\n:2\r\n:3\r\n");
    assert!(
        line(&mut c, "return unpack(nil,'x')")
            .contains("bad argument #1 to 'unpack' (table expected, got nil)")
    );
}

/// PUBLISH and PFCOUNT change nothing of their caller's, but are sent to replicas: CLIENT PAUSE WRITE lets read-only
/// scripts run, so these may not.
#[test]
fn read_only_scripts_may_not_run_what_is_replicated() {
    let server = TestServer::start();
    let mut c = server.raw();
    for call in ["'publish','channel','message'", "'pfcount','key'"] {
        let script = format!("return redis.call({call})");
        c.command(&["EVAL_RO", &script, "0"]);
        let got = c.read_line();
        assert!(
            got.starts_with("-ERR Write commands are not allowed from read-only scripts. script:"),
            "{got}"
        );
        assert_eq!(line(&mut c, &format!("#!lua flags=no-writes\n{script}"))[..30], got[..30]);
        check(&mut c, &script, ":0\r\n");
    }
}

/// As many arguments as Lua's stack is deep left no room for the reply: a panic, and an interpreter in disorder.
#[test]
fn calls_with_as_many_arguments_as_there_can_be_leave_the_interpreter_whole() {
    let server = TestServer::with(&["--threads", "1"]);
    let mut c = server.raw();
    let with = |call: &str| format!("local a={{}} for i=1,7999 do a[i]=1 end {call}");
    check(&mut c, &with("return redis.call('lpush','l',unpack(a))"), ":7999\r\n");
    check(&mut c, &with("return redis.pcall('rpush','l',unpack(a))"), ":15998\r\n");
    for call in [
        "redis.call('nonesuch',unpack(a))",
        "a[1]={} return redis.call('lpush',unpack(a))",
        "redis.sha1hex(1,unpack(a))",
        "redis.acl_check_cmd('get',unpack(a))",
        "redis.log(1,unpack(a))",
        "cjson.encode(unpack(a))",
        "struct.pack('b',unpack(a))",
        "bit.band(1,unpack(a))",
        "cmsgpack.pack(1,unpack(a))",
        "loadstring(1,unpack(a))",
        "string.format('a',unpack(a))",
    ] {
        for _ in 0..2 {
            let got = line(&mut c, &with(call));
            assert!(got.starts_with('-') || got == "$-1", "{call}: {got}");
            assert!(!got.contains("internal error"), "{call}: {got}");
        }
    }
    check(&mut c, "return 7", ":7\r\n");
}

/// A client that had the functions back would also find this directive; ours have none, and a file may say so.
#[test]
fn what_deprecated_functions_could_do_stays_out_of_reach() {
    let server = TestServer::with(&["--lua-enable-deprecated-api", "no"]);
    let mut c = server.raw();
    for name in ["getfenv", "setfenv", "newproxy"] {
        let got = line(&mut c, &format!("return {name}"));
        assert!(got.contains(&format!("nonexistent global variable '{name}'")), "{got}");
    }
}

/// Closing everything waited, on its worker, for the script to end: nobody on that worker was served, SCRIPT KILL least
/// of all.
#[test]
fn flushall_beside_an_endless_script_keeps_nobody_else() {
    let server = TestServer::with(&["--threads", "1", "--busy-reply-threshold", "200"]);
    let (mut looping, mut flushing, mut other) = (server.raw(), server.raw(), server.raw());
    looping.command(&["EVAL", "while true do end", "0"]);
    std::thread::sleep(Duration::from_millis(50));
    flushing.send("FLUSHALL\r\n");
    other.check("SET a 1", "+OK\r\n");
    assert!(flushing.read_line().starts_with("-BUSY "));
    other.check("GET a", "$1\r\n1\r\n");
    other.check("SCRIPT KILL", "+OK\r\n");
    assert!(looping.read_line().starts_with("-ERR "));
    flushing.check("FLUSHALL", "+OK\r\n");
    other.check("EXISTS a", ":0\r\n");
}

#[test]
fn an_error_counts_once_where_it_came_up() {
    let server = TestServer::start();
    let mut c = server.raw();
    let mut stats = |script: &str, expected: &[&str]| {
        c.check("CONFIG RESETSTAT", "+OK\r\n");
        c.command(&["EVAL", script, "0"]);
        c.read_line();
        c.send("INFO everything\r\n");
        let info = String::from_utf8(c.bulk()).expect("text");
        for line in expected {
            assert!(info.contains(line), "{script}: {line} is not in {info}");
        }
    };
    stats(
        "return redis.call('select',99)",
        &["total_error_replies:1\r\n", "errorstat_ERR:count=1\r\n", "cmdstat_select:calls=1,"],
    );
    stats("return redis.pcall('select',99)", &["total_error_replies:1\r\n", "errorstat_ERR:count=1\r\n"]);
    stats("redis.pcall('nosuch') return 1", &["total_error_replies:1\r\n"]);
    stats("redis.pcall('get') return 1", &["total_error_replies:1\r\n", "cmdstat_get:calls=0,"]);
    stats(
        "return redis.error_reply('MINE text')",
        &["total_error_replies:1\r\n", "errorstat_MINE:count=1\r\n"],
    );
    stats("error('x')", &["total_error_replies:1\r\n", "errorstat_ERR:count=1\r\n"]);
}
