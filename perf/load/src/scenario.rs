//! What clients send.

use std::io::Write;

/// One kind of load.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scenario {
    /// MULTI, SET, INCR, GET and EXEC. A unit is a transaction.
    Transactions,
    /// Pairs of clients; each pushes to the other's list and waits at its own. A unit is a message.
    PingPong,
    /// GETs alone. A unit is a GET.
    Gets,
    /// GETs, and an MSET of ten keys in one of twenty commands. A unit is a command, and GETs count.
    Mixed,
    /// XREADGROUP of one entry, and XACK of the one before. A unit is either of them.
    Consumers,
    /// ZRANGE of a hundred members from a random rank of a large sorted set. A unit is a command.
    Ranks,
}

impl Scenario {
    /// Their names, in the order of the variants.
    pub const NAMES: [&str; 6] = ["transactions", "pingpong", "gets", "mixed", "consumers", "ranks"];

    /// The scenario of this name.
    pub fn named(name: &str) -> Option<Scenario> {
        use Scenario::{Consumers, Gets, Mixed, PingPong, Ranks, Transactions};
        let all = [Transactions, PingPong, Gets, Mixed, Consumers, Ranks];
        Self::NAMES.iter().position(|known| *known == name).map(|at| all[at])
    }
}

/// Of so many commands of a mix one is an MSET.
const MSET_EVERY: u64 = 20;
/// Keys of an MSET.
const MSET_KEYS: usize = 10;
/// Members of a ZRANGE.
const RANGE: u64 = 100;

/// One client's part.
pub struct Actor {
    scenario: Scenario,
    number: usize,
    depth: usize,
    keys: u64,
    random: u64,
    /// The turn has begun at least once.
    began: bool,
    /// Units of the present turn that count.
    counted: u64,
    /// Ids of entries that were received and not acknowledged.
    received: Vec<Vec<u8>>,
    /// Replies of the present turn that are not to be looked at.
    skipped: usize,
    /// A read found no entry: the group has to begin anew.
    at_end: bool,
}

/// Appends one command.
fn command(out: &mut Vec<u8>, words: &[&[u8]]) {
    write!(out, "*{}\r\n", words.len()).expect("memory takes all");
    for word in words {
        write!(out, "${}\r\n", word.len()).expect("memory takes all");
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

impl Actor {
    /// The part of the client with this number.
    pub fn new(scenario: Scenario, number: usize, depth: usize, keys: u64) -> Actor {
        let random = 0x9e37_79b9_7f4a_7c15u64.wrapping_mul(number as u64 + 1);
        Actor {
            scenario,
            number,
            depth,
            keys,
            random,
            began: false,
            counted: 0,
            received: Vec::new(),
            skipped: 0,
            at_end: false,
        }
    }

    /// A random number below `limit` (splitmix64).
    fn below(&mut self, limit: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(mixed ^ (mixed >> 31)) * u128::from(limit)) >> 64) as u64
    }

    /// A random key, named as redis-benchmark names its own.
    fn key(&mut self, prefix: &str) -> Vec<u8> {
        let keys = self.keys;
        format!("{prefix}:{:012}", self.below(keys)).into_bytes()
    }

    /// Units of a turn.
    pub fn units(&self) -> u64 {
        if self.scenario == Scenario::PingPong { 1 } else { self.depth as u64 }
    }

    /// Units of the turn that just ended which count.
    pub fn counted(&self) -> u64 {
        self.counted
    }

    /// Whether its present turn ends only when another client does something.
    pub fn waits_for_partner(&self) -> bool {
        self.scenario == Scenario::PingPong
    }

    /// Writes a turn; how many replies there will be.
    pub fn begin(&mut self, out: &mut Vec<u8>) -> usize {
        self.counted = self.units();
        let replies = match self.scenario {
            Scenario::Transactions => (0..self.depth).map(|_| self.transaction(out)).sum(),
            Scenario::PingPong => self.message(out),
            Scenario::Gets => (0..self.depth).map(|_| self.get(out)).sum(),
            Scenario::Mixed => (0..self.depth).map(|_| self.mixed(out)).sum(),
            Scenario::Consumers => self.consume(out),
            Scenario::Ranks => (0..self.depth).map(|_| self.ranks(out)).sum(),
        };
        self.began = true;
        replies
    }

    /// Looks at the first strings of a reply.
    pub fn take(&mut self, [_, id]: [&[u8]; 2]) {
        if self.scenario != Scenario::Consumers {
            return;
        }
        if self.skipped > 0 {
            self.skipped -= 1;
        } else if id.is_empty() {
            self.at_end = true;
        } else {
            self.received.push(id.to_vec());
        }
    }

    fn transaction(&mut self, out: &mut Vec<u8>) -> usize {
        let (text, count, other) = (self.key("key"), self.key("count"), self.key("key"));
        command(out, &[b"MULTI"]);
        command(out, &[b"SET", &text, b"xxx"]);
        command(out, &[b"INCR", &count]);
        command(out, &[b"GET", &other]);
        command(out, &[b"EXEC"]);
        5
    }

    fn message(&mut self, out: &mut Vec<u8>) -> usize {
        // What an earlier run has left is in lists of another name.
        let run = std::process::id();
        let list = |number: usize| format!("pair:{run}:{number}").into_bytes();
        // Of each pair the even one speaks first, and the odd one listens.
        let (own, others) = (list(self.number), list(self.number ^ 1));
        let speaks = self.began || self.number.is_multiple_of(2);
        if speaks {
            command(out, &[b"LPUSH", &others, b"xxx"]);
        }
        command(out, &[b"BRPOP", &own, b"0"]);
        usize::from(speaks) + 1
    }

    fn get(&mut self, out: &mut Vec<u8>) -> usize {
        let key = self.key("key");
        command(out, &[b"GET", &key]);
        1
    }

    fn mixed(&mut self, out: &mut Vec<u8>) -> usize {
        if self.below(MSET_EVERY) != 0 {
            return self.get(out);
        }
        self.counted -= 1;
        let keys: Vec<Vec<u8>> = (0..MSET_KEYS).map(|_| self.key("key")).collect();
        let pairs = keys.iter().flat_map(|key| [&key[..], b"xxx"]);
        let words: Vec<&[u8]> = std::iter::once(&b"MSET"[..]).chain(pairs).collect();
        command(out, &words);
        1
    }

    fn consume(&mut self, out: &mut Vec<u8>) -> usize {
        let begins_anew = std::mem::take(&mut self.at_end) && self.received.is_empty();
        if begins_anew {
            command(out, &[b"XGROUP", b"SETID", b"consumed", b"readers", b"0"]);
        }
        let acknowledged = self.received.len();
        for id in std::mem::take(&mut self.received) {
            command(out, &[b"XACK", b"consumed", b"readers", &id]);
        }
        let reads = (self.depth / 2).max(1);
        let consumer = format!("consumer:{}", self.number).into_bytes();
        for _ in 0..reads {
            let words: [&[u8]; 9] = [
                b"XREADGROUP",
                b"GROUP",
                b"readers",
                &consumer,
                b"COUNT",
                b"1",
                b"STREAMS",
                b"consumed",
                b">",
            ];
            command(out, &words);
        }
        self.skipped = usize::from(begins_anew) + acknowledged;
        self.counted = (acknowledged + reads) as u64;
        self.skipped + reads
    }

    fn ranks(&mut self, out: &mut Vec<u8>) -> usize {
        let first = self.below(self.keys - RANGE);
        let (first, last) = (first.to_string(), (first + RANGE - 1).to_string());
        command(out, &[b"ZRANGE", b"large", first.as_bytes(), last.as_bytes()]);
        1
    }
}
