//! The libraries that scripts find, and the conversions of values, side by side with a `redis-server` where one is
//! installed: generated scripts give the same replies.

mod common;

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use common::TestServer;

/// A `redis-server` of the test's own, if there is one to start.
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

    fn client(&self) -> redis::Connection {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}/", self.port)).expect("an address");
        client.get_connection().expect("redis-server accepts")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What the library functions give for awkward arguments, as a text; `%s` is where a generated value goes.
const PROBES: &[&str] = &[
    "return cjson.encode(%s)",
    "return cjson.encode({%s, a=1})",
    "return tostring(cjson.decode(cjson.encode({%s}))[1])",
    "local b=cmsgpack.pack(%s) local o={} for i=1,#b do o[i]=string.format('%02x',b:byte(i)) end return table.concat(o)",
    "return tostring(cmsgpack.unpack(cmsgpack.pack(%s)))",
    "return tostring(bit.band(%s,0xff))..bit.tohex(%s)",
    "return tostring(bit.lshift(%s,3))..' '..tostring(bit.arshift(%s,3))..' '..tostring(bit.rol(%s,5))",
    "return tostring(struct.unpack('<i4',struct.pack('<i4',%s)))",
    "local b=struct.pack('>dhBi3',%s,1,2,3) local o={} for i=1,#b do o[i]=string.format('%02x',b:byte(i)) end return table.concat(o)",
    "return tostring(%s)..redis.sha1hex(%s)",
    "redis.call('set','k',%s) return redis.call('get','k')",
    "return {%s}",
];

const VALUES: &[&str] = &[
    "0",
    "1",
    "-1",
    "127",
    "128",
    "255",
    "256",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "-2147483649",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "1e15",
    "1e16",
    "123456789012345",
    "0.1",
    "1/3",
    "-0.5",
    "1e-7",
    "1e100",
    "-32",
    "-33",
    "-128",
    "-129",
    "1.5e300",
    "3.4028235e38",
    "'12'",
    "'abc'",
    "'a\\nb\\\"c/\\\\\\127'",
    "string.rep('x',31)",
    "string.rep('x',32)",
    "string.rep('x',300)",
    "true",
    "nil",
    "{}",
    "{1,2,{3}}",
    "{a=1}",
    "{[1]=1,[2]=2,[4]=4}",
    "{[1]=1,[100]=2}",
    "{[1.5]=1}",
    "cjson.null",
    "'0x10'",
    "'\\195\\169'",
];

const TEXTS: &[&str] = &[
    "[1,2,3]",
    "{\"a\":[1,{\"b\":null}]}",
    "1e5",
    "-0",
    "0x1F",
    "nan",
    "-inf",
    "01",
    "+1",
    "1.",
    ".5",
    "[1,]",
    "{\"a\"}",
    "{\"a\":1,}",
    "\"\\u00e9\\ud83d\\ude00\"",
    "\"\\ud83d\"",
    "\"\\x\"",
    "\"abc",
    "tru",
    "true false",
    "",
    " ",
    "[1 2]",
    "{1:2}",
    "\"\\u0000\"",
    "[[[]]]",
    "null",
    "1\\0x",
];

const PATTERNS: &[(&str, &str)] = &[
    ("hello world", "o w"),
    ("hello", "l+"),
    ("hello", "(h)(e)(l+)"),
    ("key=val, k2=v2", "(%w+)=(%w+)"),
    ("abc", "^b"),
    ("abc", "()b()"),
    ("THE (quick) fox", "%((%a+)%)"),
    ("f(a(b)c)d", "%b()"),
    ("xaax", "(a)%1"),
    ("THE fox", "%f[%a]%a+"),
    ("a.b", "%."),
    ("  trim  ", "^%s*(.-)%s*$"),
    ("aaa", "a-"),
    ("x", "[^%d]"),
    ("]", "[]]"),
    ("a-z", "[a%-z]+"),
    ("", ""),
    ("abc", ""),
    ("a\\0b", "%z"),
    ("bad", "%"),
    ("bad", "[a"),
    ("bad", "(a"),
    ("bad", "a)"),
    ("bad", "%b"),
    ("12ab", "%x+"),
    ("Äa", "%w"),
    ("xyz", ".-z$"),
    ("a$", "a$$"),
    ("2*3", "%d%*%d"),
];

fn scripts() -> Vec<String> {
    let mut all = Vec::new();
    for probe in PROBES {
        all.extend(VALUES.iter().map(|value| probe.replace("%s", value)));
    }
    for text in TEXTS {
        all.push(format!("return cjson.encode(cjson.decode('{text}'))"));
        all.push(format!("cjson.decode_invalid_numbers(false) return cjson.encode(cjson.decode('{text}'))"));
    }
    for (text, pattern) in PATTERNS {
        all.push(format!("return {{string.find('{text}','{pattern}')}}"));
        all.push(format!("return {{string.match('{text}','{pattern}')}}"));
        all.push(format!("local o={{}} for a,b in string.gmatch('{text}','{pattern}') do o[#o+1]=tostring(a)..tostring(b) end return o"));
        all.push(format!("return {{string.gsub('{text}','{pattern}','<%0>')}}"));
        all.push(format!(
            "return {{string.gsub('{text}','{pattern}',function(a) return '['..tostring(a)..']' end, 2)}}"
        ));
        all.push(format!("return {{string.gsub('{text}','{pattern}',{{a='A',h='H'}})}}"));
    }
    all
}

#[test]
fn libraries_give_what_redis_gives() {
    let Some(redis) = Redis::start() else { return println!("skipped: there is no redis-server") };
    let server = TestServer::start();
    let (mut theirs, mut ours) = (redis.client(), server.client());
    let mut differences = Vec::new();
    for script in scripts() {
        // Both keep the settings of a library away from the next script.
        let reset = "cjson.decode_invalid_numbers(true) ";
        let script = if script.starts_with("cjson.") { script } else { format!("{reset}{script}") };
        let ask = |c: &mut redis::Connection| {
            let reply = redis::cmd("EVAL").arg(&script).arg(0).query::<redis::Value>(c);
            reply.map_or_else(|error| error.to_string(), |value| format!("{value:?}"))
        };
        // An address is each server's own.
        let known = |text: String| text.split("table: 0x").next().unwrap_or_default().to_string();
        let (expected, got) = (known(ask(&mut theirs)), known(ask(&mut ours)));
        if expected != got {
            differences.push(format!("{script}\n  redis: {expected}\n  ours:  {got}"));
        }
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}
