//! The command table: one line per command, next to its family. Dispatch, COMMAND, ACL categories, the gate and the
//! fuzzer's dictionary all read it.

use std::sync::OnceLock;

use bitflags::bitflags;

use super::Ctx;
use super::client::Client;
use super::footprint::{Footprint, Setting};
use super::keys::KeySpec;
use super::state::Server;
use crate::protocol::args::{Args, eq_ignore_case};

bitflags! {
    /// What a command does, with the names that COMMAND INFO shows.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Flags: u32 {
        /// May change keys.
        const WRITE = 1 << 0;
        /// Reads keys and changes none.
        const READONLY = 1 << 1;
        /// Refused when memory is short.
        const DENYOOM = 1 << 2;
        /// For administrators.
        const ADMIN = 1 << 3;
        /// Publishes or subscribes.
        const PUBSUB = 1 << 4;
        /// Not for scripts.
        const NOSCRIPT = 1 << 5;
        /// May wait.
        const BLOCKING = 1 << 6;
        /// Allowed while the data set loads.
        const LOADING = 1 << 7;
        /// Allowed on a replica whose data is stale.
        const STALE = 1 << 8;
        /// Not shown to MONITOR.
        const SKIP_MONITOR = 1 << 9;
        /// Not in the slow log.
        const SKIP_SLOWLOG = 1 << 10;
        /// Constant or logarithmic time.
        const FAST = 1 << 11;
        /// Allowed before authentication.
        const NO_AUTH = 1 << 12;
        /// A write that replicas need not be told in every case.
        const MAY_REPLICATE = 1 << 13;
        /// Not inside MULTI.
        const NO_MULTI = 1 << 14;
        /// Keys cannot all be told from the key specifications.
        const MOVABLEKEYS = 1 << 15;
        /// Allowed while another command holds everything.
        const ALLOW_BUSY = 1 << 16;
        /// Asynchronous replication or loading does not stop it.
        const NO_ASYNC_LOADING = 1 << 17;
        /// Runs with every stripe closed: it touches all keys, or keys nobody can name before.
        const CLOSES_ALL = 1 << 18;
        /// Reads a property of the whole keyspace that must be of one instant.
        const STABLE = 1 << 19;
        /// Takes several steps on its only key: runs with the key's stripe closed instead of announced.
        const EXCLUSIVE = 1 << 20;
        /// Runs in a section even though it only reads: it registers something there, or runs commands of its own.
        const SECTION = 1 << 21;
        /// Runs a script, which may take long.
        const RUNS_SCRIPT = 1 << 22;
        /// As short as those that are `FAST`, although it is not called so.
        const SHORT = 1 << 23;
    }
}

impl Flags {
    /// Commands that need their only key to themselves for longer than one step.
    pub const SEVERAL_STEPS: Flags = Flags::EXCLUSIVE.union(Flags::SECTION);

    /// Those that are the gate's business and no client's.
    pub const INTERNAL: Flags = Flags::CLOSES_ALL
        .union(Flags::STABLE)
        .union(Flags::EXCLUSIVE)
        .union(Flags::SECTION)
        .union(Flags::RUNS_SCRIPT)
        .union(Flags::SHORT);
}

bitflags! {
    /// ACL categories.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Categories: u32 {
        /// Commands on keys of any type.
        const KEYSPACE = 1 << 0;
        /// Reads.
        const READ = 1 << 1;
        /// Writes.
        const WRITE = 1 << 2;
        /// Sets.
        const SET = 1 << 3;
        /// Sorted sets.
        const SORTEDSET = 1 << 4;
        /// Lists.
        const LIST = 1 << 5;
        /// Hashes.
        const HASH = 1 << 6;
        /// Strings.
        const STRING = 1 << 7;
        /// Bitmaps.
        const BITMAP = 1 << 8;
        /// HyperLogLogs.
        const HYPERLOGLOG = 1 << 9;
        /// Geospatial indexes.
        const GEO = 1 << 10;
        /// Streams.
        const STREAM = 1 << 11;
        /// Publish and subscribe.
        const PUBSUB = 1 << 12;
        /// Administration.
        const ADMIN = 1 << 13;
        /// Fast commands.
        const FAST = 1 << 14;
        /// Slow commands.
        const SLOW = 1 << 15;
        /// Commands that may wait.
        const BLOCKING = 1 << 16;
        /// Commands that can do harm.
        const DANGEROUS = 1 << 17;
        /// Connections.
        const CONNECTION = 1 << 18;
        /// Transactions.
        const TRANSACTION = 1 << 19;
        /// Scripts.
        const SCRIPTING = 1 << 20;
    }
}

/// What COMMAND DOCS says about a command.
#[derive(Clone, Copy, Debug)]
pub struct Docs {
    /// The Redis version that brought the command.
    pub since: &'static str,
    /// What it does, in a few words.
    pub summary: &'static str,
    /// Its cost.
    pub complexity: &'static str,
    /// Its arguments in the usual notation: `key value [NX | XX]`.
    pub syntax: &'static str,
}

/// Adds what a call works on besides the keys of its specifications.
pub type AddFootprint = fn(&Server, &Client, Args<'_>, Setting, &mut Footprint);

/// A handler writes exactly one reply (or as many as its protocol says) to the context.
pub type Handler = fn(&mut Ctx<'_>);

/// Arguments that name fields or members: from `first` on every `step`th, or that one alone if `step` is 0.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// The first of them.
    pub first: usize,
    /// How far apart they are.
    pub step: usize,
    /// Whether a score stands before each of them, and options before the first score.
    pub scored: bool,
}

/// One command, or one subcommand of a container.
pub struct Command {
    /// The name in lower case; of a container's command both names, as in `client|kill`.
    pub name: &'static str,
    /// The name has letters only.
    is_letters: bool,
    /// Words with the name; negative for "at least".
    pub arity: i32,
    /// What it does.
    pub flags: Flags,
    /// Categories besides those that the flags imply: see [`Command::categories`].
    own_categories: Categories,
    /// Where its keys are.
    pub keys: &'static [KeySpec],
    /// The argument of its only key, if every call has exactly one there and one step on it is all that the command
    /// does; otherwise 0.
    pub only_key: usize,
    /// What it works on besides these keys, if only its arguments or its client can tell.
    pub footprint: Option<AddFootprint>,
    /// Which of its arguments name what it looks up in the collection at its first key.
    pub names: Option<Names>,
    /// What runs it.
    pub handler: Handler,
    /// What COMMAND DOCS says.
    pub docs: Docs,
    /// The group of the documentation.
    pub group: &'static str,
    /// The commands of a container.
    pub subcommands: &'static [Command],
}

impl Command {
    /// A command of a family; the builder's methods add the rest.
    pub const fn new(
        name: &'static str,
        arity: i32,
        flags: Flags,
        categories: Categories,
        keys: &'static [KeySpec],
        handler: Handler,
    ) -> Command {
        let docs = Docs { since: "", summary: "", complexity: "", syntax: "" };
        Command {
            name,
            is_letters: all_letters(name),
            arity,
            flags,
            own_categories: categories,
            keys,
            only_key: only_key(flags, keys),
            footprint: None,
            names: None,
            handler,
            docs,
            group: "generic",
            subcommands: &[],
        }
    }

    /// The same command with its documentation.
    pub const fn docs(
        mut self,
        group: &'static str,
        since: &'static str,
        summary: &'static str,
        complexity: &'static str,
        syntax: &'static str,
    ) -> Command {
        self.group = group;
        self.docs = Docs { since, summary, complexity, syntax };
        self
    }

    /// The same command, which works on more than the keys of its specifications.
    pub const fn works_on(mut self, footprint: AddFootprint) -> Command {
        self.footprint = Some(footprint);
        self
    }

    /// The same command, which looks up in its collection what its arguments from `first` on name, every `step`th, or
    /// one alone if `step` is 0. A pipeline of such commands looks them up together: see [`exec`](super::exec).
    pub const fn looks_up(mut self, first: usize, step: usize) -> Command {
        self.names = Some(Names { first, step, scored: false });
        self
    }

    /// The same for pairs of score and member behind options.
    pub const fn looks_up_scored(mut self, first: usize) -> Command {
        self.names = Some(Names { first, step: 2, scored: true });
        self
    }

    /// A command that only contains others.
    pub const fn container(name: &'static str, subcommands: &'static [Command]) -> Command {
        let bare = Command::new(name, -2, Flags::empty(), Categories::empty(), &[], super::container::bare);
        bare.with(subcommands)
    }

    /// The same command as the container of others, whose names begin with its own: `client|kill`.
    pub const fn with(mut self, subcommands: &'static [Command]) -> Command {
        self.subcommands = subcommands;
        self
    }

    /// The word that a client sends for it: the name, of a container's command the second part of it.
    pub fn word(&self) -> &'static str {
        self.name.split_once('|').map_or(self.name, |(_, word)| word)
    }

    /// Whether it changes keys.
    #[inline]
    pub fn writes(&self) -> bool {
        self.flags.contains(Flags::WRITE)
    }

    /// Whether a call of so many words takes about as long as any other such call: one step on one element.
    #[inline]
    pub fn is_brief(&self, words: usize) -> bool {
        self.flags.intersects(Flags::FAST.union(Flags::SHORT)) && words == self.arity.unsigned_abs() as usize
    }

    /// Whether `words` words, the name included, are a valid number for it.
    #[inline]
    pub fn accepts(&self, words: usize) -> bool {
        if self.arity >= 0 {
            words == self.arity as usize
        } else {
            words >= self.arity.unsigned_abs() as usize
        }
    }

    /// All ACL categories: its own, and those that its flags imply.
    pub fn categories(&self) -> Categories {
        let implied = [
            (Flags::WRITE, Categories::WRITE),
            (Flags::READONLY, Categories::READ),
            (Flags::ADMIN, Categories::ADMIN.union(Categories::DANGEROUS)),
            (Flags::PUBSUB, Categories::PUBSUB),
            (Flags::FAST, Categories::FAST),
            (Flags::BLOCKING, Categories::BLOCKING),
        ];
        let mut all = self.own_categories;
        for (flag, category) in implied {
            if self.flags.contains(flag) {
                all |= category;
            }
        }
        if !self.flags.contains(Flags::FAST) {
            all |= Categories::SLOW;
        }
        all
    }
}

/// Every command of the server, found by name with one probe.
///
/// Commands are numbered: first those of the families, then those of each container in turn.
pub struct Registry {
    commands: Vec<&'static Command>,
    /// How many of them stand by themselves.
    families: usize,
    /// Of each command, the number of the first that it contains.
    contained: Vec<u16>,
    slots: Box<[u16]>,
    seed: u64,
}

const SLOTS: usize = 4096;
const SHIFT: u32 = 64 - SLOTS.trailing_zeros();
const NONE: u16 = u16::MAX;

const fn all_letters(name: &str) -> bool {
    let mut at = 0;
    while at < name.len() {
        if !name.as_bytes()[at].is_ascii_lowercase() {
            return false;
        }
        at += 1;
    }
    at != 0
}

const fn only_key(flags: Flags, keys: &[KeySpec]) -> usize {
    match keys {
        [spec] if !flags.intersects(Flags::SEVERAL_STEPS) => match spec.fixed() {
            Some(at) => at,
            None => 0,
        },
        _ => 0,
    }
}

const CASE_BITS: u64 = 0x2020_2020_2020_2020;

/// Up to eight bytes as a little-endian number. Loads that overlap take the place of a copy of variable length, which
/// would be a call.
#[inline]
fn word(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    if let (Some(low), Some(high)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let high = u64::from(u32::from_le_bytes(*high)) << (8 * (len.min(8) - 4));
        return u64::from(u32::from_le_bytes(*low)) | high;
    }
    match *bytes {
        [] => 0,
        [a] => u64::from(a),
        [a, .., c] => {
            u64::from(a) | u64::from(bytes[len / 2]) << (8 * (len / 2)) | u64::from(c) << (8 * (len - 1))
        }
    }
}

/// A number that tells names apart: their length and up to sixteen of their bytes, without regard to case.
///
/// Setting the case bit of every byte maps letters to lower case; what else it merges, [`is_named`] tells apart.
#[inline]
fn digest(name: &[u8]) -> u64 {
    let len = name.len();
    if len <= 8 {
        return (word(name) | CASE_BITS).wrapping_add(len as u64);
    }
    let (head, tail) = (word(&name[..8]) | CASE_BITS, word(&name[len - 8..]) | CASE_BITS);
    head.rotate_left(23).wrapping_add(tail).wrapping_add(len as u64)
}

/// Whether `name` is the command's, in any case.
#[inline]
fn is_named(command: &Command, name: &[u8]) -> bool {
    let own = command.name.as_bytes();
    if own.len() != name.len() {
        return false;
    }
    // Of the bytes that become a lower-case letter by setting the case bit, all are that letter. Nearly every name is
    // a few letters, and then two words decide.
    if own.len() <= 8 && command.is_letters {
        return word(own) == word(name) | (CASE_BITS >> (8 * (8 - own.len())));
    }
    own.eq_ignore_ascii_case(name)
}

impl Registry {
    fn build(families: &[&'static [Command]]) -> Registry {
        let mut commands: Vec<&'static Command> = families.iter().flat_map(|family| family.iter()).collect();
        let outer = commands.clone();
        let mut contained = Vec::new();
        for command in &outer {
            contained.push(u16::try_from(commands.len()).expect("few commands"));
            commands.extend(command.subcommands);
        }
        // The golden ratio's bits first; a few tries always find a multiplier under which no two names meet.
        let mut seed = 0x9e37_79b9_7f4a_7c15u64;
        loop {
            if let Some(slots) = Self::place(&outer, seed) {
                return Registry { commands, families: outer.len(), contained, slots, seed };
            }
            seed = seed.wrapping_mul(0xd128_2b8a_6e2b_5a21) | 1;
        }
    }

    fn place(commands: &[&'static Command], seed: u64) -> Option<Box<[u16]>> {
        let mut slots = vec![NONE; SLOTS].into_boxed_slice();
        for (id, command) in commands.iter().enumerate() {
            let slot = &mut slots[(digest(command.name.as_bytes()).wrapping_mul(seed) >> SHIFT) as usize];
            if *slot != NONE {
                return None;
            }
            *slot = u16::try_from(id).expect("few commands");
        }
        Some(slots)
    }

    /// The command or container called `name`, in any case, with its number.
    #[inline]
    pub fn find(&self, name: &[u8]) -> Option<(usize, &'static Command)> {
        let slot = (digest(name).wrapping_mul(self.seed) >> SHIFT) as usize;
        let id = usize::from(self.slots[slot]);
        let command = *self.commands.get(id)?;
        is_named(command, name).then_some((id, command))
    }

    /// What a call runs, with its number: the command, or what the second word means inside a container. None if
    /// there is no such command: [`container::unknown`](super::container::unknown) has the words for it.
    #[inline]
    pub fn resolve(&self, args: Args<'_>) -> Option<(usize, &'static Command)> {
        let (id, command) = self.find(args.get(0)?)?;
        match args.get(1) {
            Some(word) if !command.subcommands.is_empty() => self.inside(id, command, word),
            _ => Some((id, command)),
        }
    }

    fn inside(&self, id: usize, container: &Command, word: &[u8]) -> Option<(usize, &'static Command)> {
        let same = |command: &Command| eq_ignore_case(command.word().as_bytes(), word);
        let at = container.subcommands.iter().position(same)?;
        Some((usize::from(self.contained[id]) + at, &container.subcommands[at]))
    }

    /// The command of this full name, `get` or `client|kill`, in any case, with its number.
    pub fn find_full(&self, name: &[u8]) -> Option<(usize, &'static Command)> {
        let Some(at) = name.iter().position(|&byte| byte == b'|') else { return self.find(name) };
        let (id, container) = self.find(&name[..at])?;
        self.inside(id, container, &name[at + 1..])
    }

    /// The commands and containers, in the order of their numbers.
    pub fn all(&self) -> &[&'static Command] {
        &self.commands[..self.families]
    }

    /// Every command that has a number, those inside containers too, in the order of their numbers.
    pub fn numbered(&self) -> &[&'static Command] {
        &self.commands
    }
}

/// The table.
#[inline]
pub fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(|| Registry::build(super::FAMILIES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_found_in_any_case() {
        for (id, command) in registry().all().iter().enumerate() {
            let upper = command.name.to_ascii_uppercase();
            for name in [command.name, &upper] {
                assert_eq!(registry().find(name.as_bytes()).map(|(found, _)| found), Some(id), "{name}");
            }
        }
        for name in [
            "",
            "g",
            "gett",
            "g%t",
            "g\u{5}t",
            "\u{7}et",
            "ge4",
            "pin'",
            "zzzzzzzz",
            "ge\0",
            "nosuchcommandatall",
        ] {
            assert!(registry().find(name.as_bytes()).is_none(), "{name}");
        }
    }

    #[test]
    fn every_numbered_command_is_found_by_its_full_name() {
        for (id, command) in registry().numbered().iter().enumerate() {
            let upper = command.name.to_ascii_uppercase();
            let found = registry().find_full(upper.as_bytes());
            assert_eq!(found.map(|(found, command)| (found, command.name)), Some((id, command.name)));
        }
        for name in ["get|x", "|get", "client|", "client|nosuch", "client|id|x"] {
            assert!(registry().find_full(name.as_bytes()).is_none(), "{name}");
        }
    }

    #[test]
    fn contained_commands_are_named_after_their_container() {
        for container in registry().all() {
            for command in container.subcommands {
                assert_eq!(command.name, format!("{}|{}", container.name, command.word()));
                assert!(command.subcommands.is_empty(), "{} contains nothing further", command.name);
            }
        }
    }
}
