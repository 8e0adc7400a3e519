//! HyperLogLog: PFADD, PFCOUNT, PFMERGE, and what looks inside a sketch.
//!
//! A sketch is a string of Redis's layout until it outgrows the sparse one or a dense string is first added to; from
//! then on it is a node whose registers any number of PFADDs raise at once, without the node's latch. A command that
//! needs the string again thaws the node: it seals it first, so a PFADD that meets the seal has changed nothing and
//! repeats itself on the string. A PFADD whose node is replaced blindly while it raises counts as before that.

use std::ops::Deref;

use bytes::Bytes;

use crate::command::keys::{KeyFlags, KeySpec};
use crate::command::notify::Events;
use crate::command::table::{Categories, Command, Flags};
use crate::command::{Ctx, error};
use crate::keyspace::{Change, Key, Live, Space};
use crate::protocol::args::{Args, eq_ignore_case};
use crate::value::hyperloglog::sparse::{self, SparseOutcome};
use crate::value::hyperloglog::{Dense, Encoding, Header, Invalid, Raise, Registers, self_test};
use crate::value::node::{Node, NodeKind};
use crate::value::word::{ExpireAt, NO_EXPIRY, OwnedWord, View};

const ADD: KeyFlags = KeyFlags::RW.union(KeyFlags::INSERT);
const COUNT: KeyFlags = KeyFlags::RW.union(KeyFlags::ACCESS);
const MERGED: KeyFlags = ADD.union(KeyFlags::ACCESS);
const SOURCE: KeyFlags = KeyFlags::RO.union(KeyFlags::ACCESS);

const WRITE: Flags = Flags::WRITE.union(Flags::DENYOOM);
const C: Categories = Categories::HYPERLOGLOG;
const GROUP: &str = "hyperloglog";
const SINCE: &str = "2.8.9";

pub(in crate::command) const COMMANDS: &[Command] = &[
    Command::new("pfadd", -2, WRITE.union(Flags::FAST), C, &[KeySpec::one(1, ADD)], pfadd).docs(
        GROUP,
        SINCE,
        "Adds elements to a HyperLogLog, which it creates if the key is absent.",
        "O(1) for each element.",
        "key [element [element ...]]",
    ),
    Command::new(
        "pfcount",
        -2,
        Flags::READONLY.union(Flags::MAY_REPLICATE),
        C,
        &[KeySpec::range(1, -1, 1, COUNT)],
        pfcount,
    )
    .docs(
        GROUP,
        SINCE,
        "Estimates how many distinct elements a HyperLogLog, or the union of several, was given.",
        "O(1) for one key, with a very small constant. O(N) for N keys, with a much larger one.",
        "key [key ...]",
    ),
    Command::new(
        "pfmerge",
        -2,
        WRITE,
        C,
        &[KeySpec::one(1, MERGED), KeySpec::range(2, -1, 1, SOURCE)],
        pfmerge,
    )
    .docs(
        GROUP,
        SINCE,
        "Makes a HyperLogLog the union of itself and others.",
        "O(N) for N HyperLogLogs, with a large constant.",
        "destkey [sourcekey [sourcekey ...]]",
    ),
    Command::new("pfdebug", 3, WRITE.union(Flags::ADMIN), C, &[KeySpec::one(2, COUNT)], pfdebug).docs(
        GROUP,
        SINCE,
        "Shows or changes the representation of a HyperLogLog.",
        "O(1): at most all registers are visited.",
        "subcommand key",
    ),
    Command::new("pfselftest", 1, Flags::ADMIN, C, &[], pfselftest).docs(
        GROUP,
        SINCE,
        "Checks that HyperLogLog registers and estimates work.",
        "O(1), with a constant of ten million elements.",
        "",
    ),
];

const NOT_HLL: &str = "WRONGTYPE Key is not a valid HyperLogLog string value.";
const CORRUPT: &str = "INVALIDOBJ Corrupted HLL object detected";

/// An answer, or the error to reply.
type Answer<T> = Result<T, &'static str>;

fn text_of(invalid: Invalid) -> &'static str {
    match invalid {
        Invalid::NotHll => NOT_HLL,
        Invalid::Corrupt => CORRUPT,
    }
}

/// A key's sketch, as it is stored.
enum Sketch<'a> {
    /// In a node of its own: changes in place.
    Live(&'a Dense),
    /// A string with a sparse header. Its runs are not checked yet.
    Sparse(Text<'a>),
    /// A string in the dense layout.
    Dense(Text<'a>),
}

/// A string of the keyspace, borrowed or shared.
enum Text<'a> {
    Borrowed(&'a [u8]),
    Shared(Bytes),
}

impl Deref for Text<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Text::Borrowed(bytes) => bytes,
            Text::Shared(bytes) => bytes,
        }
    }
}

impl<'a> Sketch<'a> {
    /// The sketch that a key holds, or why it holds none.
    fn of(live: &Live<'a>) -> Answer<Sketch<'a>> {
        match live.view() {
            View::Int(_) | View::Short(_) => Err(NOT_HLL),
            View::Raw(text) => Sketch::in_string(Text::Borrowed(text)),
            View::Node(node) => match (node.as_hyperloglog(), node.as_text()) {
                (Some(dense), _) => Ok(Sketch::Live(dense)),
                (None, Some(text)) => {
                    // An update holds the latch already.
                    let _held = live.held().is_none().then(|| node.latch().read());
                    Sketch::in_string(Text::Shared(text.load()))
                }
                (None, None) => Err(error::WRONGTYPE),
            },
            View::Packed(_) => Err(error::WRONGTYPE),
        }
    }

    fn in_string(text: Text<'a>) -> Answer<Sketch<'a>> {
        let header = Header::parse(&text).map_err(text_of)?;
        Ok(match header.encoding {
            Encoding::Sparse => Sketch::Sparse(text),
            Encoding::Dense => Sketch::Dense(text),
        })
    }

    fn count(&self) -> Answer<u64> {
        match self {
            Sketch::Live(dense) => Ok(dense.count()),
            Sketch::Sparse(text) => sparse::count(text).map_err(text_of),
            Sketch::Dense(text) => match Header::parse(text).map_err(text_of)?.cached() {
                Some(cached) => Ok(cached),
                None => Ok(self.registers()?.count()),
            },
        }
    }

    fn registers(&self) -> Answer<Registers> {
        let mut registers = Registers::new();
        self.join(&mut registers)?;
        Ok(registers)
    }

    /// Makes `union` the union with this sketch.
    fn join(&self, union: &mut Registers) -> Answer<()> {
        match self {
            Sketch::Live(dense) => union.max_with(dense),
            Sketch::Sparse(text) | Sketch::Dense(text) => union.max_with_string(text).map_err(text_of)?,
        }
        Ok(())
    }

    fn is_sparse(&self) -> bool {
        matches!(self, Sketch::Sparse(_))
    }
}

/// The word for a sketch that changes in place.
fn node(dense: Dense, expire_at: ExpireAt) -> OwnedWord {
    OwnedWord::from_node(Node::new(NodeKind::HyperLogLog(dense), expire_at))
}

// -- PFADD ------------------------------------------------------------------------------------------------------

fn pfadd(ctx: &mut Ctx<'_>) {
    let (key, elements) = (ctx.key(1), ctx.args.slice_from(2));
    let max_bytes = ctx.server.config.live().hll_sparse_max_bytes();
    let added = loop {
        if let Some(raised) = raise_live(ctx.space, key, elements) {
            break Ok(raised);
        }
        if let Some(added) = ctx.space.update_sketch(key, |live| add(live, elements, max_bytes)) {
            break added;
        }
    };
    match added {
        Ok(changed) => {
            if changed {
                ctx.notify(Events::STRING, "pfadd", ctx.arg(1));
            }
            ctx.reply.int(changed.into());
        }
        Err(text) => ctx.reply.error(text),
    }
}

/// Adds to a sketch that changes in place, side by side with others; none if the key holds no such sketch, or one that
/// is about to become a string again.
fn raise_live(space: &Space<'_>, key: Key<'_>, elements: Args<'_>) -> Option<bool> {
    let live = space.peek(key)?;
    let View::Node(node) = live.view() else { return None };
    let raise = node.as_hyperloglog()?.raise_all(elements.iter());
    space.was_written(live.entry());
    match raise {
        Raise::Unchanged => Some(false),
        Raise::Raised => {
            space.changed(key.bytes);
            Some(true)
        }
        Raise::Sealed => None,
    }
}

/// Adds to a string, or to no key yet. The answer is none for a sketch that changes in place: another thread has put
/// it there, and [`raise_live`] adds to it.
fn add(live: Option<&Live<'_>>, elements: Args<'_>, max_bytes: usize) -> Change<Option<Answer<bool>>> {
    let Some(live) = live else { return create(elements, max_bytes) };
    let change = match Sketch::of(live) {
        Ok(Sketch::Live(_)) => return Change::Keep(None),
        Ok(Sketch::Sparse(text)) => add_sparse(&text, elements, max_bytes, live.expire_at),
        Ok(Sketch::Dense(text)) => add_dense(&text, elements, live.expire_at),
        Err(text) => Err(text),
    };
    match change {
        Ok((Some(word), changed)) => Change::Put(word, Some(Ok(changed))),
        Ok((None, changed)) => Change::Keep(Some(Ok(changed))),
        Err(text) => Change::Keep(Some(Err(text))),
    }
}

fn create(elements: Args<'_>, max_bytes: usize) -> Change<Option<Answer<bool>>> {
    let empty = sparse::new_empty();
    match add_sparse(&empty, elements, max_bytes, NO_EXPIRY) {
        Ok((word, _)) => {
            let word = word.unwrap_or_else(|| OwnedWord::from_bytes(&empty, NO_EXPIRY));
            Change::Put(word, Some(Ok(true)))
        }
        Err(text) => Change::Keep(Some(Err(text))),
    }
}

fn add_sparse(
    text: &[u8],
    elements: Args<'_>,
    max_bytes: usize,
    expire_at: ExpireAt,
) -> Answer<(Option<OwnedWord>, bool)> {
    if elements.is_empty() {
        // Redis looks at no register then, and so finds no corruption.
        return Ok((None, false));
    }
    Ok(match sparse::add(text, elements.iter(), max_bytes).map_err(text_of)? {
        SparseOutcome::Unchanged => (None, false),
        SparseOutcome::Changed(text) => (Some(OwnedWord::from_bytes(&text, expire_at)), true),
        SparseOutcome::Promote(dense) => (Some(node(dense, expire_at)), true),
    })
}

/// Adds to a dense string, which becomes a sketch that changes in place: whoever adds once adds again.
fn add_dense(text: &[u8], elements: Args<'_>, expire_at: ExpireAt) -> Answer<(Option<OwnedWord>, bool)> {
    if elements.is_empty() {
        return Ok((None, false));
    }
    let dense = Dense::from_redis_bytes(text).map_err(text_of)?;
    let changed = dense.raise_all(elements.iter()) == Raise::Raised;
    Ok((Some(node(dense, expire_at)), changed))
}

// -- PFCOUNT and PFMERGE ------------------------------------------------------------------------------------------

fn pfcount(ctx: &mut Ctx<'_>) {
    let count = match ctx.args.len() {
        2 => ctx.space.read(ctx.key(1)).map_or(Ok(0), |live| count_one(ctx, &live)),
        _ => union(ctx).map(|union| union.registers.count()),
    };
    match count {
        // The conversion is Redis's: a crafted sketch can count more than fits, and clients then read a negative number.
        Ok(count) => ctx.reply.int(count as i64),
        Err(text) => ctx.reply.error(text),
    }
}

/// The cardinality of the only key, which a string of a sketch then remembers: clients see it in GET.
fn count_one(ctx: &Ctx<'_>, live: &Live<'_>) -> Answer<u64> {
    let sketch = Sketch::of(live)?;
    let count = sketch.count()?;
    if let Sketch::Sparse(text) | Sketch::Dense(text) = &sketch
        && Header::parse(text).is_ok_and(|header| header.cached().is_none())
    {
        let remembering = OwnedWord::from_bytes(&Header::remember(text, count), live.expire_at);
        ctx.space.refine(ctx.key(1), live, remembering);
    }
    Ok(count)
}

/// The union of several keys.
struct Union {
    registers: Registers,
    /// Whether one of the sketches is not sparse.
    dense: bool,
}

/// The union of the sketches at all arguments; absent keys are empty.
fn union(ctx: &Ctx<'_>) -> Answer<Union> {
    let mut union = Union { registers: Registers::new(), dense: false };
    for index in 1..ctx.args.len() {
        let Some(live) = ctx.space.read(ctx.key(index)) else { continue };
        let sketch = Sketch::of(&live)?;
        sketch.join(&mut union.registers)?;
        union.dense |= !sketch.is_sparse();
    }
    Ok(union)
}

fn pfmerge(ctx: &mut Ctx<'_>) {
    let max_bytes = ctx.server.config.live().hll_sparse_max_bytes();
    let merged = union(ctx).and_then(|union| {
        ctx.space.update_sketch(ctx.key(1), |live| match merge(live, &union, max_bytes) {
            Ok(word) => Change::Put(word, Ok(())),
            Err(text) => Change::Keep(Err(text)),
        })
    });
    match merged {
        Ok(()) => ctx.reply.ok(),
        Err(text) => ctx.reply.error(text),
    }
}

/// What the destination holds after the merge: dense if any of the sketches was, and in any case without a cached
/// cardinality, as in Redis. It may replace a sketch that changes in place, as the section keeps all PFADDs out.
fn merge(live: Option<&Live<'_>>, union: &Union, max_bytes: usize) -> Answer<OwnedWord> {
    let expire_at = live.map_or(NO_EXPIRY, |live| live.expire_at);
    let sketch = match live {
        Some(live) => Sketch::of(live)?,
        None => Sketch::Sparse(Text::Shared(sparse::new_empty().into())),
    };
    let registers = &union.registers;
    match sketch {
        Sketch::Live(dense) => Ok(node(dense.with_registers(registers), expire_at)),
        Sketch::Sparse(text) if !union.dense => merge_sparse(&text, registers, max_bytes, expire_at),
        Sketch::Sparse(text) | Sketch::Dense(text) => {
            let dense = Dense::from_redis_bytes(&text).map_err(text_of)?;
            Ok(node(dense.with_registers(registers), expire_at))
        }
    }
}

fn merge_sparse(text: &[u8], union: &Registers, max_bytes: usize, expire_at: ExpireAt) -> Answer<OwnedWord> {
    Ok(match sparse::merge(text, union, max_bytes).map_err(text_of)? {
        SparseOutcome::Changed(text) => OwnedWord::from_bytes(&text, expire_at),
        SparseOutcome::Promote(dense) => node(dense, expire_at),
        SparseOutcome::Unchanged => {
            let mut text = text.to_vec();
            sparse::clear_cached(&mut text);
            OwnedWord::from_bytes(&text, expire_at)
        }
    })
}

// -- PFDEBUG and PFSELFTEST ---------------------------------------------------------------------------------------

/// What PFDEBUG is asked for.
#[derive(Clone, Copy)]
enum Probe {
    GetReg,
    Decode,
    Encoding,
    ToDense,
}

/// What it found.
enum Finding {
    Registers(Registers),
    Runs(String),
    Encoding(&'static str),
    Converted(bool),
}

impl Probe {
    fn parse(name: &[u8]) -> Option<Probe> {
        let all = [
            ("getreg", Probe::GetReg),
            ("decode", Probe::Decode),
            ("encoding", Probe::Encoding),
            ("todense", Probe::ToDense),
        ];
        all.into_iter().find(|(word, _)| eq_ignore_case(name, word.as_bytes())).map(|(_, probe)| probe)
    }

    fn look(self, sketch: &Sketch<'_>) -> Answer<Finding> {
        match (self, sketch) {
            (Probe::GetReg, _) => sketch.registers().map(Finding::Registers),
            (Probe::Decode, Sketch::Sparse(text)) => {
                sparse::describe(text).map(Finding::Runs).map_err(text_of)
            }
            (Probe::Decode, _) => Err("ERR HLL encoding is not sparse"),
            (Probe::Encoding, _) => {
                Ok(Finding::Encoding(if sketch.is_sparse() { "sparse" } else { "dense" }))
            }
            (Probe::ToDense, _) => Ok(Finding::Converted(sketch.is_sparse())),
        }
    }

    /// Whether a sparse sketch is dense afterwards.
    fn converts(self) -> bool {
        matches!(self, Probe::GetReg | Probe::ToDense)
    }
}

fn pfdebug(ctx: &mut Ctx<'_>) {
    let probe = Probe::parse(ctx.arg(1));
    let unknown = || format!("ERR Unknown PFDEBUG subcommand '{}'", String::from_utf8_lossy(ctx.arg(1)));
    let found = ctx.space.update_sketch(ctx.key(2), |live| match probed(live, probe) {
        Ok((finding, Some(word))) => Change::Put(word, Ok(finding)),
        Ok((finding, None)) => Change::Keep(Ok(finding)),
        Err(text) => Change::Keep(Err(text)),
    });
    match found {
        Ok(Some(finding)) => reply_finding(ctx, finding),
        Ok(None) => {
            let text = unknown();
            ctx.reply.error(&text);
        }
        Err(text) => ctx.reply.error(text),
    }
}

/// What there is to find, and what the key is to hold instead; no finding for an unknown probe, of which Redis complains
/// only after it looked at the key.
fn probed(live: Option<&Live<'_>>, probe: Option<Probe>) -> Answer<(Option<Finding>, Option<OwnedWord>)> {
    let live = live.ok_or("ERR The specified key does not exist")?;
    let sketch = Sketch::of(live)?;
    let Some(probe) = probe else { return Ok((None, None)) };
    let finding = probe.look(&sketch)?;
    let word = match &sketch {
        Sketch::Sparse(text) if probe.converts() => {
            Some(node(Dense::from_redis_bytes(text).map_err(text_of)?, live.expire_at))
        }
        _ => None,
    };
    Ok((Some(finding), word))
}

fn reply_finding(ctx: &mut Ctx<'_>, finding: Finding) {
    match finding {
        Finding::Registers(registers) => {
            ctx.reply.array(registers.as_bytes().len());
            registers.as_bytes().iter().for_each(|&register| ctx.reply.int(register.into()));
        }
        Finding::Runs(text) => ctx.reply.bulk(text.as_bytes()),
        Finding::Encoding(name) => ctx.reply.simple(name),
        Finding::Converted(converted) => ctx.reply.int(converted.into()),
    }
}

fn pfselftest(ctx: &mut Ctx<'_>) {
    match self_test() {
        Ok(()) => ctx.reply.ok(),
        Err(text) => ctx.reply.error(&text),
    }
}
