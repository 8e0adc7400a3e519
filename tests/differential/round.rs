//! One round on both servers, from empty to the first difference.

use std::time::Duration;

use sockudo_kv::value::crc64::crc64;

use crate::common::dice::Dice;
use crate::compare::differences;
use crate::exceptions;
use crate::steps::{Step, line};
use crate::values::all_keys;
use crate::wire::{Node, Wire, Words, shown};

/// Commands that are sent together.
const BATCH: usize = 64;
/// Deadlines of a few milliseconds are past after this.
const PAST: Duration = Duration::from_millis(6);
/// The last type of a serialized value that Redis 7.0 knows, and its version.
const LAST_TYPE: u8 = 19;
const VERSION: [u8; 2] = [10, 0];

/// How a round's servers are set up: thresholds, and the protocol.
#[derive(Clone, Debug)]
pub struct Setup {
    both: Vec<String>,
    ours: Vec<String>,
    resp3: bool,
    sets_are_packed: bool,
}

impl Setup {
    pub fn new(seed: u64) -> Setup {
        let mut dice = Dice::new(seed ^ 0x5e7);
        let choices: &[(&str, &[&str])] = &[
            ("hash-max-listpack-entries", &["128", "8", "3"]),
            ("hash-max-listpack-value", &["64", "16"]),
            ("zset-max-listpack-entries", &["128", "8", "3"]),
            ("zset-max-listpack-value", &["64", "16"]),
            ("set-max-intset-entries", &["512", "8"]),
            ("list-max-listpack-size", &["-2", "4", "1"]),
            ("list-compress-depth", &["0", "1"]),
            ("stream-node-max-entries", &["100", "4"]),
            ("hll-sparse-max-bytes", &["3000", "40"]),
        ];
        let mut one = |name: &str, values: &[&str]| format!("CONFIG SET {name} {}", dice.pick(values));
        let both = choices.iter().map(|(name, values)| one(name, values)).collect();
        let packed = *dice.pick(&["0", "8", "128"]);
        Setup {
            both,
            ours: vec![format!("CONFIG SET set-max-listpack-entries {packed}")],
            resp3: dice.likely(40),
            sets_are_packed: packed != "0",
        }
    }
}

/// Connections to both.
struct Pair {
    theirs: Wire,
    ours: Wire,
    packed: bool,
}

impl Pair {
    fn new(ports: (u16, u16), setup: &Setup) -> Pair {
        let mut pair =
            Pair { theirs: Wire::new(ports.0), ours: Wire::new(ports.1), packed: setup.sets_are_packed };
        let hello = format!("HELLO {}", if setup.resp3 { 3 } else { 2 });
        for wire in [&mut pair.theirs, &mut pair.ours] {
            wire.line("FLUSHALL");
            wire.line("DEBUG SET-ACTIVE-EXPIRE 0");
            setup.both.iter().for_each(|line| assert_eq!(wire.line(line).text(), b"OK", "{line}"));
            assert!(!wire.line(&hello).parts().is_empty());
        }
        setup.ours.iter().for_each(|line| assert_eq!(pair.ours.line(line).text(), b"OK", "{line}"));
        pair
    }

    fn replies(&mut self, commands: &[&Words]) -> (Vec<Node>, Vec<Node>) {
        let (mut theirs, mut ours) = (Vec::new(), Vec::new());
        for batch in commands.chunks(BATCH) {
            self.theirs.send(batch);
            self.ours.send(batch);
            theirs.extend(self.theirs.replies(batch.len()));
            ours.extend(self.ours.replies(batch.len()));
        }
        (theirs, ours)
    }

    /// Sends commands to both; the first difference.
    fn run(&mut self, commands: &[&Words]) -> Option<(usize, String)> {
        let (theirs, ours) = self.replies(commands);
        differences(commands, &theirs, &ours)
    }

    fn both(&mut self, words: &Words) -> (Node, Node) {
        (self.theirs.ask(words), self.ours.ask(words))
    }

    /// A difference in the keys of a database.
    fn look(&mut self, database: u32) -> Option<String> {
        let questions = questions(database);
        let questions: Vec<&Words> = questions.iter().collect();
        let (theirs, ours) = self.replies(&questions);
        let told = differences(&questions, &theirs, &ours);
        let told = told.map(|(at, told)| match &questions[at][0][..] {
            b"DEBUG" => self.wrong_digest(questions[at], &theirs[at], &ours[at]),
            _ => told,
        });
        let told = told.or_else(|| self.strictly(&questions, &theirs, &ours));
        self.both(&line("SELECT 0"));
        told
    }

    /// Names the key whose digests differ, and tells what both have there.
    fn wrong_digest(&mut self, words: &Words, theirs: &Node, ours: &Node) -> String {
        let wrong = (0..theirs.parts().len()).find(|&at| theirs.parts().get(at) != ours.parts().get(at));
        let Some(key) = wrong.and_then(|at| words.get(at + 2)) else { return shown(words) };
        let (theirs, ours) = self.both(&vec![b"DUMP".to_vec(), key.clone()]);
        format!(
            "DEBUG DIGEST-VALUE {}\n    redis-server: {theirs}\n    this server:  {ours}",
            key.escape_ascii()
        )
    }

    /// What is decided here although it is not for a command in general.
    fn strictly(&self, questions: &[&Words], theirs: &[Node], ours: &[Node]) -> Option<String> {
        let mut packed = false;
        for (at, words) in questions.iter().enumerate() {
            let (them, us) = (&theirs[at], &ours[at]);
            let same = match &words[0][..] {
                b"OBJECT" => {
                    packed = them.text() == b"listpack";
                    them == us || exceptions::encodings(them, us, self.packed)
                }
                // A packed hash keeps the order in which its fields came.
                b"HGETALL" => !packed || them == us,
                _ => true,
            };
            if !same {
                return Some(format!("{}\n    redis-server: {them}\n    this server:  {us}", shown(words)));
            }
        }
        None
    }

    fn digest(wire: &mut Wire, key: &str) -> Node {
        wire.line(&format!("DEBUG DIGEST-VALUE {key}"))
    }

    /// Loads each one's serialized value into the other.
    fn exchange(&mut self, key: &str) -> Option<String> {
        let (theirs, ours) = self.both(&line(&format!("DUMP {key}")));
        let (Node::Bulk(_, theirs), Node::Bulk(_, ours)) = (theirs, ours) else { return None };
        // A digest tells of a deadline, which does not travel.
        let plain = |payload: &[u8]| {
            vec![b"RESTORE".to_vec(), b"other".to_vec(), b"0".to_vec(), payload.to_vec(), b"REPLACE".to_vec()]
        };
        self.theirs.ask(&plain(&theirs));
        let loaded = self.ours.ask(&plain(&theirs));
        let (mut there, mut here) =
            (Self::digest(&mut self.theirs, "other"), Self::digest(&mut self.ours, "other"));
        let encodings = self.both(&line("OBJECT ENCODING other"));
        let same =
            encodings.0 == encodings.1 || exceptions::encodings(&encodings.0, &encodings.1, self.packed);
        let mut sent = "redis-server's";
        let mut answer = loaded;
        if same && here == there && ours[0] <= LAST_TYPE {
            sent = "this server's";
            answer = self.theirs.ask(&plain(&for_7_0(&ours)));
            there = Self::digest(&mut self.theirs, "other");
            here = Self::digest(&mut self.ours, "other");
        }
        self.both(&line("DEL other"));
        (here != there || !same).then(|| {
            format!("{sent} DUMP of {key} loaded by the other: {answer}\n    {theirs:?}\n    {ours:?}\n    {encodings:?}")
        })
    }

    fn restore(&mut self, from: &str, words: &Words) -> Option<String> {
        let payload = self.theirs.line(&format!("DUMP {from}"));
        let payload =
            if payload.text().is_empty() { b"no payload".to_vec() } else { payload.text().to_vec() };
        let mut words = words.clone();
        words.insert(3.min(words.len()), payload);
        self.run(&[&words]).map(|(_, told)| told)
    }

    fn expire(&mut self, words: &Words) -> Option<String> {
        let told = self.run(&[words]);
        std::thread::sleep(PAST);
        let mut touch = line("EXISTS");
        touch.extend(all_keys().into_iter().map(String::into_bytes));
        told.or_else(|| self.run(&[&touch])).map(|(_, told)| told)
    }

    fn step(&mut self, step: &Step) -> Option<String> {
        match step {
            Step::Run(commands) => self.run(&commands.iter().collect::<Vec<_>>()).map(|(_, told)| told),
            Step::Expire(words) => self.expire(words),
            Step::Exchange(key) => self.exchange(key),
            Step::Restore { from, words } => self.restore(from, words),
            Step::Look => (0..3).rev().find_map(|database| self.look(database)),
        }
    }
}

/// What is asked about the keys of a database.
fn questions(database: u32) -> Vec<Words> {
    let keys = all_keys();
    let with_keys = |head: &str| line(&format!("{head} {}", keys.join(" ")));
    // The first ends keys that are past their deadlines.
    let mut all = vec![line(&format!("SELECT {database}")), with_keys("EXISTS"), line("KEYS *")];
    all.push(with_keys("DEBUG DIGEST-VALUE"));
    for key in &keys {
        all.extend(["TYPE", "OBJECT ENCODING", "PEXPIRETIME"].map(|about| line(&format!("{about} {key}"))));
        match key.as_bytes()[0] {
            b'x' => all.push(line(&format!("XINFO STREAM {key} FULL"))),
            b'h' => all.push(line(&format!("HGETALL {key}"))),
            b'p' | b't' => all.push(line(&format!("GET {key}"))),
            b'l' => all.push(line(&format!("LRANGE {key} 0 -1"))),
            b'z' | b'g' | b'q' => all.push(line(&format!("ZRANGE {key} 0 -1 WITHSCORES"))),
            _ => {}
        }
    }
    all
}

/// A payload as Redis 7.0 reads it: of its version.
fn for_7_0(payload: &[u8]) -> Vec<u8> {
    let mut bytes = payload[..payload.len() - 10].to_vec();
    bytes.extend_from_slice(&VERSION);
    bytes.extend_from_slice(&crc64(0, &bytes).to_le_bytes());
    bytes
}

/// Where two servers differ.
pub struct Difference {
    /// The step.
    pub at: usize,
    /// What was sent, and both replies.
    pub told: String,
}

impl Difference {
    /// The command, by which differences are told apart.
    pub fn command(&self) -> &str {
        self.told.split([' ', '\n']).next().unwrap_or_default()
    }
}

/// Runs steps on both servers, emptied and set up.
pub fn run(ports: (u16, u16), setup: &Setup, steps: &[Step]) -> Option<Difference> {
    let mut pair = Pair::new(ports, setup);
    let mut at = 0;
    while at < steps.len() {
        // Steps that only send commands go together.
        let runs = steps[at..].iter().take_while(|step| matches!(step, Step::Run(_))).count();
        if runs == 0 {
            if let Some(told) = pair.step(&steps[at]) {
                return Some(Difference { at, told });
            }
            at += 1;
            continue;
        }
        let (commands, owners) = joined(&steps[at..at + runs]);
        if let Some((wrong, told)) = pair.run(&commands) {
            return Some(Difference { at: at + owners[wrong], told });
        }
        at += runs;
    }
    None
}

/// The commands of several steps in a row, each with the number of its step.
fn joined(steps: &[Step]) -> (Vec<&Words>, Vec<usize>) {
    let of = |(owner, step): (usize, &'_ Step)| match step {
        Step::Run(commands) => vec![owner; commands.len()],
        _ => vec![],
    };
    let owners = steps.iter().enumerate().flat_map(of).collect();
    let commands =
        steps.iter().flat_map(|step| if let Step::Run(commands) = step { &commands[..] } else { &[] });
    (commands.collect(), owners)
}

/// Fewer steps that still differ in the same command.
pub fn shrink(
    ports: (u16, u16),
    setup: &Setup,
    steps: &[Step],
    found: Difference,
) -> (Vec<Step>, Difference) {
    let mut steps = steps[..=found.at].to_vec();
    let mut found = found;
    let mut chunk = steps.len() / 2;
    while chunk > 0 {
        let mut at = 0;
        while at + chunk < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..at + chunk);
            match run(ports, setup, &fewer) {
                Some(still) if still.command() == found.command() => {
                    fewer.truncate(still.at + 1);
                    (steps, found) = (fewer, still);
                }
                _ => at += chunk,
            }
        }
        chunk = (chunk / 2).min(steps.len() / 2);
    }
    (steps, found)
}
