//! What one round does: commands made from their syntax, transactions, scripts, and looks at the whole state.

use std::collections::BTreeMap;

use crate::common::dice::Dice;
use crate::grammar::{Argument, Kind, Syntax};
use crate::values::{self, Asked};
use crate::wire::Words;

/// One thing that a round does on both servers.
#[derive(Clone, Debug)]
pub enum Step {
    /// Commands, sent together: one, or a transaction.
    Run(Vec<Words>),
    /// Waits until a deadline of a few milliseconds is past, and lets both servers see that it is.
    Expire(Words),
    /// Serializes a key on each side and restores it on the other.
    Exchange(String),
    /// Serializes one key on redis-server and restores it under another name on both, with options.
    Restore { from: String, words: Words },
    /// Compares all keys.
    Look,
}

/// How often a family's turn comes.
const WEIGHTS: &[(&str, u64)] = &[
    ("string", 14),
    ("bitmap", 7),
    ("hash", 16),
    ("list", 15),
    ("set", 13),
    ("sorted-set", 20),
    ("geo", 6),
    ("stream", 16),
    ("hyperloglog", 5),
    ("generic", 14),
];
/// Commands that wait for other servers, tell in words of their own, or come as steps of their own.
const LEFT_OUT: &[&str] = &[
    "migrate",
    "wait",
    "restore",
    "object|help",
    "xgroup|help",
    "xinfo|help",
    // It takes a second.
    "pfselftest",
];
/// Commands on a whole database, which no family has.
const ON_DATABASES: &[&str] =
    &["DBSIZE", "SWAPDB 0 1", "SWAPDB 1 2", "FLUSHDB", "FLUSHDB ASYNC", "SWAPDB 0 x"];
/// Those in which a number out of place could cost much time or memory.
const NO_NUMBERS_INSTEAD: &[&str] = &[
    "setbit",
    "setrange",
    "bitfield",
    "srandmember",
    "hrandfield",
    "zrandmember",
    "xautoclaim",
    "xread",
    "xreadgroup",
    "blpop",
    "brpop",
    "blmove",
    "brpoplpush",
    "blmpop",
    "bzpopmin",
    "bzpopmax",
    "bzmpop",
];

/// Makes the commands of a round.
pub struct Maker<'a> {
    families: BTreeMap<&'static str, Vec<&'a Syntax>>,
    dice: Dice,
    /// Counts commands.
    now: u64,
}

/// What is being put together.
struct Call<'a> {
    syntax: &'a Syntax,
    words: Words,
    /// How many there are of what may be repeated.
    times: u64,
    now: u64,
}

impl Call<'_> {
    fn asked<'b>(&'b self, name: &'b str) -> Asked<'b> {
        Asked { command: &self.syntax.name, group: &self.syntax.group, name, now: self.now }
    }

    fn argument(&mut self, argument: &Argument, dice: &mut Dice) {
        if argument.optional && dice.likely(65) {
            return;
        }
        let exact = argument.multiple && dice.likely(93);
        let times = if exact { self.times } else { 1 };
        for at in 0..times {
            if let Some(token) = argument.token.as_ref().filter(|_| at == 0 || argument.token_each) {
                self.push(token.clone(), dice);
            }
            self.one(argument, dice);
        }
    }

    fn push(&mut self, word: String, dice: &mut Dice) {
        let word = if dice.likely(5) { word.to_ascii_lowercase() } else { word };
        self.words.push(word.into_bytes());
    }

    fn one(&mut self, argument: &Argument, dice: &mut Dice) {
        let word = match &argument.kind {
            Kind::Token => return,
            Kind::OneOf(choices) => return self.inner(dice.pick(choices), dice),
            Kind::Block(parts) => return parts.iter().for_each(|part| self.argument(part, dice)),
            Kind::Key => values::key(&self.syntax.group, dice),
            Kind::Integer if argument.name == "numkeys" && dice.likely(95) => self.times.to_string(),
            Kind::Integer => values::integer(&self.asked(&argument.name), dice),
            Kind::Double => values::double(&self.asked(&argument.name), dice),
            Kind::Time => values::time(&self.asked(&argument.name), dice),
            Kind::Text => values::text(&self.asked(&argument.name), dice),
        };
        self.words.push(word.into_bytes());
    }

    /// One of several: it has a token of its own.
    fn inner(&mut self, argument: &Argument, dice: &mut Dice) {
        if let Some(token) = &argument.token {
            self.push(token.clone(), dice);
        }
        self.one(argument, dice);
    }
}

impl<'a> Maker<'a> {
    pub fn new(syntax: &'a [Syntax], seed: u64) -> Maker<'a> {
        let mut families = BTreeMap::new();
        for (group, _) in WEIGHTS {
            let wanted = |it: &&Syntax| it.group == *group && !LEFT_OUT.contains(&&*it.name);
            families.insert(*group, syntax.iter().filter(wanted).collect());
        }
        Maker { families, dice: Dice::new(seed), now: 100 }
    }

    /// The steps of a round of about `commands` commands.
    pub fn steps(mut self, commands: usize) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut made = 0;
        while made < commands {
            let step = self.step();
            made += if let Step::Run(commands) = &step { commands.len() } else { 1 };
            steps.push(step);
        }
        steps.push(Step::Look);
        steps
    }

    fn step(&mut self) -> Step {
        match self.dice.roll(1000) {
            0..30 => self.transaction(),
            30..70 => self.script(),
            70..75 => self.expire(),
            75..85 => Step::Exchange(self.any_key()),
            85..95 => self.restore(),
            95..105 => Step::Look,
            105..110 => self.elsewhere(),
            110..113 => Step::Run(vec![line(self.dice.pick::<&str>(ON_DATABASES))]),
            113..140 => self.growth(),
            _ => self.single(),
        }
    }

    fn any_key(&mut self) -> String {
        values::key("generic", &mut self.dice)
    }

    fn single(&mut self) -> Step {
        let words = self.command();
        Step::Run(settled(vec![words]))
    }

    /// A command, now and then a wrong one.
    fn command(&mut self) -> Words {
        let total = WEIGHTS.iter().map(|(_, weight)| weight).sum();
        let mut at = self.dice.roll(total);
        let passed = |(_, weight): &&(&str, u64)| {
            let here = at < *weight;
            at = at.saturating_sub(*weight);
            here
        };
        let (group, _) = WEIGHTS.iter().find(passed).expect("the weights have this sum");
        let syntax = *self.dice.pick(&self.families[group]);
        self.now += 1;
        let times = match self.dice.roll(10) {
            0..5 => 1,
            5..8 => 2,
            8 => 3,
            _ => 4 + self.dice.roll(14),
        };
        let mut call = Call { syntax, words: syntax.words(), times, now: self.now };
        syntax.arguments.iter().for_each(|argument| call.argument(argument, &mut self.dice));
        let mut words = call.words;
        self.decided(syntax, &mut words);
        if self.dice.likely(7) {
            self.spoil(syntax, &mut words);
        }
        if matches!(&*syntax.name, "zrank" | "zrevrank") {
            // Redis 7.2 has an argument more: WITHSCORE.
            words.truncate(3);
        }
        words
    }

    /// Takes out what would depend on the time, or on an order that Redis leaves open.
    fn decided(&mut self, syntax: &Syntax, words: &mut Words) {
        match &*syntax.name {
            "xadd" => {
                let now = self.now.to_string();
                words
                    .iter_mut()
                    .filter(|word| *word == b"*")
                    .for_each(|word| *word = now.clone().into_bytes());
            }
            "sort" | "sort_ro" => sorted(words),
            name if name.contains("lex") || words.iter().any(|word| word.eq_ignore_ascii_case(b"BYLEX")) => {
                let key = if name == "zrangestore" { 2 } else { 1 };
                words[key] = values::key_of_names(&mut self.dice).into_bytes();
            }
            _ => {}
        }
    }

    fn spoil(&mut self, syntax: &Syntax, words: &mut Words) {
        let dice = &mut self.dice;
        let first = syntax.words().len();
        let careful = NO_NUMBERS_INSTEAD.contains(&&*syntax.name);
        let at = first + dice.roll((words.len() - first).max(1) as u64) as usize;
        let there = at < words.len();
        match dice.roll(6) {
            0 if there => drop(words.remove(at)),
            1 if there => words.truncate(at),
            2 if there && !careful => words.insert(at, words[at].clone()),
            3 if there && at + 1 < words.len() && !careful => words.swap(at, at + 1),
            4 if there => words[at] = values::junk(dice, careful).into_bytes(),
            _ => words.push(values::junk(dice, careful).into_bytes()),
        }
    }

    fn commands(&mut self, most: u64) -> Vec<Words> {
        (0..=self.dice.roll(most)).map(|_| self.command()).collect()
    }

    fn transaction(&mut self) -> Step {
        let mut all = Vec::new();
        if self.dice.likely(30) {
            all.push(line(&format!("WATCH {}", self.any_key())));
            // A change of a stream's groups or its last id touches it here, and not in Redis.
            all.extend(self.commands(2).into_iter().filter(|words| !words[0].starts_with(b"X")));
        }
        all.push(line("MULTI"));
        all.extend(self.commands(4));
        // What a consumer that only one server made would change is seen after the transaction, when both have it.
        let made = all.iter().position(|words| position(words, MAKE_CONSUMERS).is_some());
        all.truncate(made.map_or(all.len(), |made| made + 1));
        all.push(line(if self.dice.likely(92) { "EXEC" } else { "DISCARD" }));
        all.push(line("UNWATCH"));
        Step::Run(settled(all))
    }

    /// A script that calls a command, whose keys it declares or not.
    fn script(&mut self) -> Step {
        const BODIES: &[&str] = &[
            "return redis.call(unpack(ARGV))",
            "return redis.call(unpack(ARGV))",
            "return redis.pcall(unpack(ARGV))",
            "local r = redis.pcall(unpack(ARGV)); return {type(r), r}",
            "redis.setresp(3); return redis.call(unpack(ARGV))",
            "redis.call('INCR', 'n0'); return redis.call(unpack(ARGV))",
            "local a = redis.call('EXISTS', 't0', 'h0', 'z0'); return {a, redis.pcall(unpack(ARGV))}",
        ];
        let inner = self.command();
        let declared = if self.dice.likely(50) { vec![] } else { vec![self.any_key(), self.any_key()] };
        let name = if self.dice.likely(10) { "EVAL_RO" } else { "EVAL" };
        let mut words = line(name);
        words.push(self.dice.pick(BODIES).as_bytes().to_vec());
        words.push(declared.len().to_string().into_bytes());
        words.extend(declared.into_iter().map(String::into_bytes));
        words.extend(inner);
        Step::Run(settled(vec![words]))
    }

    fn expire(&mut self) -> Step {
        let key = self.any_key();
        let after = 1 + self.dice.roll(3);
        Step::Expire(line(&format!("PEXPIRE {key} {after}")))
    }

    fn restore(&mut self) -> Step {
        let (from, to) = (self.any_key(), self.any_key());
        let options = [
            "0",
            "0 REPLACE",
            "0 REPLACE",
            "100000 REPLACE",
            "4102444800000 REPLACE ABSTTL",
            "0 IDLETIME 1000 REPLACE",
            "0 FREQ 10 REPLACE",
            "1000 ABSTTL REPLACE",
            "-1",
            "x",
            "0 IDLETIME -1",
            "0 FREQ 256",
            "0 NOSUCH",
        ];
        Step::Restore { from, words: line(&format!("RESTORE {to} {}", self.dice.pick(&options))) }
    }

    /// A command in another database.
    fn elsewhere(&mut self) -> Step {
        let inner = self.command();
        let there = line(&format!("SELECT {}", 1 + self.dice.roll(2)));
        let mut all = settled(vec![inner]);
        all.insert(0, there);
        all.push(line("SELECT 0"));
        Step::Run(all)
    }

    /// Many elements for one key, which takes it past its thresholds.
    fn growth(&mut self) -> Step {
        let heads =
            ["SADD s", "SADD s", "HSET h", "RPUSH l", "LPUSH l", "ZADD z", "ZADD y", "PFADD p", "XADD x"];
        let head = *self.dice.pick(&heads);
        let mut words = line(&format!("{head}{}", self.dice.roll(3)));
        self.now += 1;
        if head.starts_with("XADD") {
            words.push(format!("{}-1", self.now).into_bytes());
        }
        let only_numbers = self.dice.likely(40);
        for _ in 0..4 + self.dice.roll(30) {
            match head {
                "ZADD z" => words.push(self.dice.roll(20).to_string().into_bytes()),
                "ZADD y" => words.push(b"0".to_vec()),
                _ => {}
            }
            let value =
                if only_numbers { self.dice.roll(5000).to_string() } else { values::value(&mut self.dice) };
            words.push(value.into_bytes());
            if head.starts_with("HSET") || head.starts_with("XADD") {
                words.push(values::value(&mut self.dice).into_bytes());
            }
        }
        Step::Run(vec![words])
    }
}

/// Leaves no elements whose order, or whose choice by a LIMIT, is open.
fn sorted(words: &mut Words) {
    let is = |word: &[u8], name: &[u8]| word.eq_ignore_ascii_case(name);
    let Some(by) = words.iter().position(|word| is(word, b"BY")) else { return };
    if words.iter().any(|word| is(word, b"LIMIT"))
        && let Some(pattern) = words.get_mut(by + 1)
    {
        *pattern = b"t*".to_vec();
    }
    // Elements of one weight are in the order of their names, but not of weights as text.
    words.retain(|word| !is(word, b"ALPHA"));
}

/// A line's words.
pub fn line(line: &str) -> Words {
    line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

/// Commands that make a consumer: Redis 7.2 does so also when there is nothing for it, 7.0 does not.
const MAKE_CONSUMERS: &[&[u8]] = &[b"XREADGROUP", b"XCLAIM", b"XAUTOCLAIM"];

fn position(words: &Words, wanted: &[&[u8]]) -> Option<usize> {
    words.iter().position(|word| wanted.iter().any(|wanted| word.eq_ignore_ascii_case(wanted)))
}

/// The same commands, and behind them what makes the servers agree again after a random pick, and where only one of
/// them made a consumer. That command is written in small letters, and its reply is not compared.
fn settled(mut commands: Vec<Words>) -> Vec<Words> {
    let mut more = Vec::new();
    for words in &commands {
        // SORT turns a small sorted set into a large one in Redis.
        if let Some(key) = position(words, &[b"SPOP", b"SORT", b"SORT_RO"]).and_then(|at| words.get(at + 1))
            && key.first().is_some_and(|letter| b"szgyq".contains(letter))
        {
            more.push(vec![b"DEL".to_vec(), key.clone()]);
        }
        let Some(at) = position(words, MAKE_CONSUMERS) else { continue };
        more.extend(consumers(&words[at..]));
    }
    commands.extend(more);
    commands
}

/// Commands that make the consumer of this one in each of its streams.
fn consumers(words: &[Vec<u8>]) -> Vec<Words> {
    let make = |key: &Vec<u8>, group: &Vec<u8>, consumer: &Vec<u8>| {
        let mut words = line("xgroup CREATECONSUMER");
        words.extend([key, group, consumer].map(Clone::clone));
        words
    };
    match words {
        [name, _, group, consumer, rest @ ..] if name == b"XREADGROUP" => {
            let keys = rest.iter().filter(|word| word.first() == Some(&b'x') && word.len() == 2);
            keys.map(|key| make(key, group, consumer)).collect()
        }
        [_, key, group, consumer, ..] => vec![make(key, group, consumer)],
        _ => vec![],
    }
}
