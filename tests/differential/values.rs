//! Values for arguments: few keys, so that commands meet, and values on both sides of every threshold.

use crate::common::dice::Dice;

/// How many keys there are of each type.
const KEYS: u64 = 3;

/// The letter that begins the keys of a family.
fn letter(group: &str, dice: &mut Dice) -> char {
    let any = ['t', 'n', 'b', 'h', 'l', 's', 'z', 'g', 'x', 'p'];
    if dice.likely(4) {
        return *dice.pick(&any[..if group == "geo" { 6 } else { any.len() }]);
    }
    match group {
        "string" => *dice.pick(&['t', 't', 'n']),
        "bitmap" => 'b',
        "hash" => 'h',
        "list" => 'l',
        "set" => 's',
        "sorted-set" => *dice.pick(&['z', 'z', 'z', 'z', 'z', 'z', 's', 'g']),
        // Only places: what a place is that other scores mean, Redis leaves open.
        "geo" => 'q',
        "stream" => 'x',
        "hyperloglog" => 'p',
        _ => *dice.pick(&any),
    }
}

/// A key for a command of this family.
pub fn key(group: &str, dice: &mut Dice) -> String {
    format!("{}{}", letter(group, dice), dice.roll(KEYS))
}

/// A sorted set whose members have one score: only then Redis says what a range by name holds.
pub fn key_of_names(dice: &mut Dice) -> String {
    format!("y{}", dice.roll(KEYS))
}

/// Every key that [`key`] and [`key_of_names`] may name.
pub fn all_keys() -> Vec<String> {
    "tnbhlszgxpyq".chars().flat_map(|letter| (0..KEYS).map(move |at| format!("{letter}{at}"))).collect()
}

/// Numbers at the borders of the encodings of integers, in all packings.
const BORDERS: &[&str] = &[
    "12",
    "13",
    "63",
    "64",
    "127",
    "128",
    "-128",
    "-129",
    "255",
    "256",
    "4095",
    "4096",
    "-4096",
    "-4097",
    "8191",
    "8192",
    "32767",
    "32768",
    "-32768",
    "-32769",
    "65535",
    "65536",
    "8388607",
    "8388608",
    "-8388609",
    "2147483647",
    "2147483648",
    "-2147483648",
    "-2147483649",
    "4294967295",
    "4294967296",
    "1152921504606846975",
    "1152921504606846976",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
];
/// What looks like a number to some and not to others.
const ODD: &[&str] = &[
    "", " 1", "1 ", "+1", "-0", "01", "0x10", "1.0", "1e3", "nan", "inf", "-inf", "abc", "1.5x", "(1", "[a",
    "-", "+", "*", "#", "--1", "1,5", "1e400", "\u{0}", "1\u{0}",
];
const FLOATS: &[&str] = &[
    "0",
    "1",
    "-1",
    "1.5",
    "-2.25",
    "0.1",
    "3.14159265358979",
    "1e10",
    "1e-10",
    "1.7976931348623157e308",
    "5e-324",
    "inf",
    "-inf",
    "+inf",
    "Infinity",
    "100",
    "2",
    "3",
    "17",
    "1e17",
    "123456789012345678",
    "0.30000000000000004",
    "3.0e3",
    "1e21",
];

/// Text of a length that is around some threshold.
fn sized(dice: &mut Dice) -> String {
    let length =
        *dice.pick(&[0, 1, 7, 8, 15, 16, 17, 20, 43, 44, 45, 62, 63, 64, 65, 127, 128, 255, 256, 300]);
    let letter = *dice.pick(&["x", "y", "ab", "\u{ff}"]);
    letter.repeat(length).chars().take(length).collect()
}

/// A value, an element, a member.
pub fn value(dice: &mut Dice) -> String {
    match dice.roll(100) {
        0..30 => dice.roll(14).to_string(),
        30..60 => char::from(b'a' + dice.roll(14) as u8).to_string(),
        60..72 => format!("m{}", dice.roll(60)),
        72..82 => (*dice.pick(BORDERS)).to_owned(),
        82..88 => (*dice.pick(FLOATS)).to_owned(),
        88..98 => sized(dice),
        98 => format!("long{}", "z".repeat(2000 + dice.roll(3000) as usize)),
        _ => (*dice.pick(ODD)).to_owned(),
    }
}

/// A word that is seldom what a command expects.
pub fn junk(dice: &mut Dice, no_numbers: bool) -> String {
    let words =
        ["", "abc", "COUNT", "STORE", "LIMIT", "withscores", "nx", "XX", "(", "[", "-inf", "*", "\r\n"];
    match dice.roll(3) {
        0 if !no_numbers => (*dice.pick(BORDERS)).to_owned(),
        1 if !no_numbers => (*dice.pick(ODD)).to_owned(),
        _ => (*dice.pick(&words)).to_owned(),
    }
}

/// What [`text`], [`integer`] and [`double`] need to know of the command.
pub struct Asked<'a> {
    /// The command.
    pub command: &'a str,
    /// Its family.
    pub group: &'a str,
    /// The argument.
    pub name: &'a str,
    /// Grows with every command: identifiers of a stream's entries follow it.
    pub now: u64,
}

/// A score, or a plain fraction. Never the negative zero: how long Redis remembers its sign depends on how often it
/// converted the sorted set.
pub fn double(asked: &Asked<'_>, dice: &mut Dice) -> String {
    // A timeout of 0 waits for ever.
    if let Some(word) = careful(asked, dice) {
        return word;
    }
    let odd = dice.likely(2);
    match asked.name {
        _ if odd => (*dice.pick(ODD)).replace("-0", "x"),
        "longitude" => coordinate(dice, 181),
        "latitude" => coordinate(dice, 86),
        "min" | "max" => bound(asked, dice),
        "radius" | "width" | "height" => {
            (*dice.pick(&["1", "100", "500.5", "3000", "20000", "0", "-1"])).to_owned()
        }
        _ if dice.likely(60) => (dice.roll(16) as i64 - 4).to_string(),
        _ => (*dice.pick(FLOATS)).to_owned(),
    }
}

fn coordinate(dice: &mut Dice, limit: u64) -> String {
    let sign = if dice.likely(30) { "-" } else { "" };
    if dice.likely(60) {
        return format!("{sign}{}.{}", 10 + dice.roll(4), dice.roll(1000));
    }
    format!("{sign}{}.{}", dice.roll(limit), dice.roll(1_000_000))
}

/// Numbers that would make a server take much memory, or much time, are left out of these.
fn careful(asked: &Asked<'_>, dice: &mut Dice) -> Option<String> {
    let some = |dice: &mut Dice, words: &[&str]| Some((*dice.pick(words)).to_owned());
    match (asked.command, asked.name) {
        ("setbit", "offset") => some(
            dice,
            &["0", "1", "7", "8", "9", "100", "127", "500", "-1", "4294967296", "9223372036854775807", "x"],
        ),
        ("setrange", "offset") => {
            some(dice, &["0", "1", "5", "7", "8", "50", "200", "536870912", "-1", "9223372036854775807", "x"])
        }
        ("bitfield" | "bitfield_ro", "offset") => some(
            dice,
            &["0", "1", "7", "9", "63", "#0", "#1", "#5", "100", "-1", "#-1", "4294967296", "x", "#"],
        ),
        ("srandmember" | "hrandfield" | "zrandmember", "count") => some(
            dice,
            &[
                "0",
                "1",
                "2",
                "5",
                "100",
                "-1",
                "-7",
                "-60",
                "-9223372036854775808",
                "x",
                "9223372036854775808",
            ],
        ),
        ("xautoclaim", "count") => some(dice, &["1", "2", "5", "100", "0", "-1", "x", "9223372036854775807"]),
        ("scan" | "hscan" | "sscan" | "zscan", "count") => {
            some(dice, &["1000", "1000", "1000", "0", "-1", "x"])
        }
        ("scan" | "hscan" | "sscan" | "zscan", "cursor") => {
            some(dice, &["0", "0", "0", "0", "0", "0", "0", "x", "1x", "18446744073709551616", " 0"])
        }
        ("copy" | "move", "destination-db" | "db") => some(dice, &["0", "1", "1", "2", "2", "16", "-1", "x"]),
        (_, "timeout") => some(dice, &["0.002", "0.002", "0.002", "-1", "x", "inf"]),
        ("xread" | "xreadgroup", "milliseconds") => some(dice, &["1", "1", "1", "-1", "x"]),
        _ => None,
    }
}

/// A number.
pub fn integer(asked: &Asked<'_>, dice: &mut Dice) -> String {
    if let Some(word) = careful(asked, dice) {
        return word;
    }
    match asked.name {
        "bit" => (*dice.pick(&["0", "0", "1", "1", "1", "2", "-1"])).to_owned(),
        // Deadlines are far off or past: what a test meets by chance must not decide a reply.
        "seconds" | "milliseconds" => {
            let words = [
                "100000",
                "5000000",
                "200000000",
                "0",
                "-1",
                "9223372036854775807",
                "9223372036854775",
                "x",
                "-5",
            ];
            (*dice.pick(&words)).to_owned()
        }
        "min-idle-time" | "ms" => (*dice.pick(&["0", "0", "0", "1000000", "-1", "x"])).to_owned(),
        "increment" | "decrement" if dice.likely(15) => (*dice.pick(BORDERS)).to_owned(),
        _ => match dice.roll(100) {
            0..75 => dice.roll(12).to_string(),
            75..91 => format!("-{}", dice.roll(12)),
            91..96 => (*dice.pick(BORDERS)).to_owned(),
            _ => (*dice.pick(ODD)).to_owned(),
        },
    }
}

/// An absolute time: seconds, or milliseconds where the command or the token says so.
pub fn time(asked: &Asked<'_>, dice: &mut Dice) -> String {
    let milliseconds = asked.name.contains("milli") || asked.name == "ms";
    let words = if milliseconds {
        [
            "4102444800000",
            "4102444800123",
            "99999999999999",
            "1",
            "1000",
            "-1",
            "9223372036854775807",
            "x",
            "0",
        ]
    } else {
        ["4102444800", "4102444801", "99999999999", "1", "1000", "-1", "9223372036854775807", "x", "0"]
    };
    (*dice.pick(&words)).to_owned()
}

/// The identifier of a stream's entry, or a bound of a range of them.
fn stream_id(asked: &Asked<'_>, dice: &mut Dice) -> String {
    let near = |dice: &mut Dice| asked.now.saturating_sub(dice.roll(40));
    match (asked.command, dice.roll(12)) {
        ("xadd", 0..8) => format!("{}-{}", asked.now, dice.roll(3)),
        ("xadd", 8 | 9) => format!("{}-*", asked.now),
        ("xreadgroup", 0..6) => ">".to_owned(),
        ("xrange" | "xrevrange" | "xpending", 0..4) => (*dice.pick(&["-", "+"])).to_owned(),
        ("xrange" | "xrevrange" | "xpending", 4) => format!("({}", near(dice)),
        (_, 0..3) => {
            (*dice.pick(&["0", "0-0", "0-1", "$", "18446744073709551615-18446744073709551615"])).to_owned()
        }
        (_, 3) => (*dice.pick(&["", "-", "1-", "x", "1-x", "18446744073709551616", "(0", ">"])).to_owned(),
        (_, 4..8) => near(dice).to_string(),
        _ => format!("{}-{}", near(dice), dice.roll(3)),
    }
}

/// A bound of a range of a sorted set: by rank, score or text.
fn bound(asked: &Asked<'_>, dice: &mut Dice) -> String {
    let either = matches!(asked.command, "zrange" | "zrangestore");
    let by_text = asked.command.contains("lex") || either && dice.likely(30);
    match dice.roll(10) {
        0..4 if by_text => format!("{}{}", dice.pick(&["[", "("]), value(dice)),
        4..8 if by_text => (*dice.pick(&["-", "+"])).to_owned(),
        0..3 => (*dice.pick(&["-inf", "+inf", "inf"])).to_owned(),
        4..=6 => (dice.roll(12) as i64 - 3).to_string(),
        7 => format!("({}", dice.roll(9)),
        8 if dice.likely(50) => format!("[{}", value(dice)),
        8 => (*dice.pick(FLOATS)).to_owned(),
        _ => (*dice.pick(ODD)).to_owned(),
    }
}

/// Text for an argument of this name.
pub fn text(asked: &Asked<'_>, dice: &mut Dice) -> String {
    if let Some(word) = careful(asked, dice) {
        return word;
    }
    let some = |dice: &mut Dice, words: &[&str]| (*dice.pick(words)).to_owned();
    match asked.name {
        "group" | "groupname" => format!("g{}", dice.roll(3)),
        "consumer" | "consumername" => format!("c{}", dice.roll(3)),
        "min-idle-time" => some(dice, &["0", "0", "0", "1000000", "-1", "x"]),
        "encoding" => {
            some(dice, &["u8", "u8", "i16", "i5", "u63", "i64", "u1", "i1", "u64", "i65", "u0", "x8", "u"])
        }
        "pattern" => some(
            dice,
            &[
                "*", "*", "?*", "[a-m]*", "m*", "t*", "h*->a", "h*->1", "n*", "#", "nosort", "[^a]", "\\*",
                "z?",
            ],
        ),
        "operation" => some(dice, &["AND", "or", "XOR", "NOT", "NOT", "DIFFS"]),
        "subcommand" => some(dice, &["ENCODING", "getreg", "DECODE", "TODENSE", "x"]),
        "type" => some(dice, &["string", "hash", "list", "set", "zset", "stream", "HASH", "x"]),
        _ if asked.group == "stream" && is_id(asked.name) => stream_id(asked, dice),
        "threshold" => dice.roll(20).to_string(),
        "min" | "max" | "start" | "stop" if asked.group == "sorted-set" => bound(asked, dice),
        _ => value(dice),
    }
}

fn is_id(name: &str) -> bool {
    name.contains("id") && !name.contains("idle") || matches!(name, "start" | "end" | "threshold")
}
