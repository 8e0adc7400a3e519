//! What a directive may be set to: one type per shape of value, with its parser, its CONFIG GET text and its line in a
//! file.

use super::{
    special::{self, BufferLimit},
    split::quoted,
    units,
};

/// The shape of a directive's value.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// `yes` or `no`.
    Bool,
    /// A decimal number from the first to the last, both included.
    Int(i64, i64),
    /// Bytes with a unit, within bounds.
    Memory(u64, u64),
    /// Bytes with a unit, or a share of `maxmemory` as `N%`.
    MemoryOrPercent,
    /// A file mode.
    Octal(i64, i64),
    /// One name of the list; two names of the same number are synonyms, the first of which is shown.
    Enum(&'static [(&'static str, u32)]),
    /// Several names at once, as bits; zero is a name of its own.
    Flags(&'static [(&'static str, u32)]),
    /// Any bytes that the check accepts.
    Text(fn(&[u8]) -> Result<(), &'static str>),
    /// Addresses to listen on.
    Bind,
    /// Seconds and changes, in pairs.
    Save,
    /// `class hard soft seconds`, in groups of four.
    BufferLimits,
    /// Three scores from -2000 to 2000.
    OomScores,
    /// Numbers from 0 to 100.
    Percentiles,
    /// Letters of keyspace event classes.
    Events,
    /// Nothing, or a host and a port.
    ReplicaOf,
    /// A directory that exists.
    Dir,
    /// Any number of lines of a file, such as `user`; how many words each has at least and at most.
    Line(usize, usize),
}

/// A directive's current value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// See [`Kind::Bool`].
    Bool(bool),
    /// See [`Kind::Int`] and [`Kind::Octal`].
    Int(i64),
    /// Bytes; see [`Kind::Memory`].
    Memory(u64),
    /// Percent of `maxmemory`.
    Percent(u64),
    /// The number of [`Kind::Enum`], the bits of [`Kind::Flags`] or [`Kind::Events`].
    Bits(u32),
    /// See [`Kind::Text`] and [`Kind::Dir`].
    Text(Vec<u8>),
    /// The words of [`Kind::Bind`], [`Kind::ReplicaOf`], [`Kind::OomScores`] and [`Kind::Percentiles`].
    Words(Vec<Vec<u8>>),
    /// The words of each line of [`Kind::Line`].
    Lines(Vec<Vec<Vec<u8>>>),
    /// Seconds and changes.
    Save(Vec<(i64, i64)>),
    /// One limit per client class, in the order of [`special::CLASSES`].
    Buffers([BufferLimit; 3]),
}

const WRONG_COUNT: &str = "wrong number of arguments";

impl Value {
    /// Takes further save points in: they come on top of those that a line has named before, unless there are none of
    /// them, which means none at all.
    pub(super) fn add_save_points(&mut self, more: &[(i64, i64)], named_before: bool) {
        match self {
            Value::Save(points) if named_before && !more.is_empty() => points.extend(more),
            _ => *self = Value::Save(more.to_vec()),
        }
    }
}

impl Kind {
    /// Whether CONFIG SET splits its one argument into words for this kind.
    pub fn takes_words(&self) -> bool {
        use Kind::*;
        matches!(self, Flags(_) | Bind | Save | BufferLimits | OomScores | Percentiles | ReplicaOf)
    }

    /// The value that `words` ask for, given the `current` one, which [`Kind::BufferLimits`] and [`Kind::Line`] add to; the error
    /// is the reason that a client or the start-up reads.
    pub fn parse(&self, words: &[&[u8]], current: Option<&Value>) -> Result<Value, String> {
        match self {
            Kind::Flags(names) => flags(words, names),
            Kind::Bind => special::bind(words),
            Kind::Save => special::save(words),
            Kind::BufferLimits => special::buffers(words, current),
            Kind::OomScores => special::oom_scores(words),
            Kind::Percentiles => special::percentiles(words),
            Kind::ReplicaOf => special::replica_of(words),
            Kind::Line(least, most) => line(words, *least..=*most, current),
            single => match words {
                [word] => single.parse_word(word),
                _ => Err(WRONG_COUNT.into()),
            },
        }
    }

    fn parse_word(&self, word: &[u8]) -> Result<Value, String> {
        match self {
            Kind::Bool => units::yes_no(word).map(Value::Bool).ok_or("argument must be 'yes' or 'no'".into()),
            Kind::Int(low, high) => {
                let number = units::integer(word).ok_or("argument couldn't be parsed into an integer")?;
                within(number, *low, *high).map(Value::Int)
            }
            Kind::Octal(low, high) => {
                let number = units::octal(word).ok_or("argument couldn't be parsed as an octal number")?;
                within_octal(number, *low, *high).map(Value::Int)
            }
            Kind::Memory(low, high) => {
                let bytes = units::memory(word).ok_or("argument must be a memory value")?;
                within(bytes, *low, *high).map(Value::Memory)
            }
            Kind::MemoryOrPercent => memory_or_percent(word),
            Kind::Enum(names) => choice(word, names).map(Value::Bits),
            Kind::Events => special::events(word),
            Kind::Text(check) => check(word).map(|()| Value::Text(word.to_vec())).map_err(String::from),
            _ => Ok(Value::Text(word.to_vec())),
        }
    }

    /// The value as CONFIG GET shows it.
    pub fn show(&self, value: &Value) -> Vec<u8> {
        match (self, value) {
            (_, Value::Bool(true)) => b"yes".to_vec(),
            (_, Value::Bool(false)) => b"no".to_vec(),
            (Kind::Octal(..), Value::Int(number)) => format!("{number:o}").into_bytes(),
            (_, Value::Int(number)) => number.to_string().into_bytes(),
            (_, Value::Memory(bytes)) => bytes.to_string().into_bytes(),
            (_, Value::Percent(percent)) => format!("{percent}%").into_bytes(),
            (Kind::Enum(names), Value::Bits(bits)) => name_of(*bits, names).into(),
            (Kind::Flags(names), Value::Bits(bits)) => names_of(*bits, names).into_bytes(),
            (_, Value::Bits(bits)) => special::events_text(*bits).into_bytes(),
            (_, Value::Text(text)) => text.clone(),
            (_, Value::Words(words)) => words.join(b" ".as_slice()),
            (_, Value::Lines(_)) => Vec::new(),
            (_, Value::Save(pairs)) => special::save_text(pairs).into_bytes(),
            (_, Value::Buffers(limits)) => special::buffers_text(limits).into_bytes(),
        }
    }

    /// The value as CONFIG REWRITE writes it behind the directive's name: one entry per line.
    pub fn lines(&self, value: &Value) -> Vec<Vec<u8>> {
        match (self, value) {
            (_, Value::Memory(bytes)) => vec![units::memory_text(*bytes).into_bytes()],
            (_, Value::Text(text)) => vec![quoted(text)],
            (Kind::Events, _) => vec![quoted(&self.show(value))],
            (_, Value::Words(words)) if words.is_empty() => vec![b"\"\"".to_vec()],
            (_, Value::Lines(lines)) => lines.iter().map(|line| line_text(line)).collect(),
            (_, Value::Save(pairs)) => special::save_lines(pairs),
            (_, Value::Buffers(limits)) => special::buffers_lines(limits),
            _ => vec![self.show(value)],
        }
    }
}

/// The lines so far and one more.
fn line(
    words: &[&[u8]],
    counts: std::ops::RangeInclusive<usize>,
    current: Option<&Value>,
) -> Result<Value, String> {
    if !counts.contains(&words.len()) {
        return Err(super::BAD_DIRECTIVE.into());
    }
    let mut lines = match current {
        Some(Value::Lines(lines)) => lines.clone(),
        _ => Vec::new(),
    };
    lines.push(words.iter().map(|word| word.to_vec()).collect());
    Ok(Value::Lines(lines))
}

/// The words of a line, in quotes where they need them.
fn line_text(words: &[Vec<u8>]) -> Vec<u8> {
    let is_plain = |word: &[u8]| {
        !word.is_empty() && word.iter().all(|byte| matches!(byte, b'!'..=b'~') && !b"\"'\\".contains(byte))
    };
    let each = words.iter().map(|word| if is_plain(word) { word.clone() } else { quoted(word) });
    each.collect::<Vec<_>>().join(&b' ')
}

fn within<N: PartialOrd + std::fmt::Display>(number: N, low: N, high: N) -> Result<N, String> {
    match number < low || number > high {
        true => Err(format!("argument must be between {low} and {high} inclusive")),
        false => Ok(number),
    }
}

fn within_octal(number: i64, low: i64, high: i64) -> Result<i64, String> {
    within(number, low, high).map_err(|_| format!("argument must be between {low:o} and {high:o} inclusive"))
}

fn memory_or_percent(word: &[u8]) -> Result<Value, String> {
    let refused = || "argument must be a memory or percent value".to_string();
    let Some(digits) = word.strip_suffix(b"%") else {
        return units::memory(word).map(Value::Memory).ok_or_else(refused);
    };
    match units::integer(digits).and_then(|percent| u64::try_from(percent).ok()) {
        Some(percent) if percent > 100 => Err("percentage argument must be less or equal to 100".into()),
        Some(percent) => Ok(Value::Percent(percent)),
        None => Err(refused()),
    }
}

fn choice(word: &[u8], names: &[(&str, u32)]) -> Result<u32, String> {
    let found = names.iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()));
    found.map(|&(_, bits)| bits).ok_or_else(|| {
        let all: Vec<_> = names.iter().map(|&(name, _)| name).collect();
        format!("argument(s) must be one of the following: {}", all.join(", "))
    })
}

fn flags(words: &[&[u8]], names: &[(&str, u32)]) -> Result<Value, String> {
    // Redis reads no word at all as one that it does not know.
    let words = if words.is_empty() { &[b"".as_slice()] } else { words };
    let bits = words.iter().try_fold(0, |bits, word| Ok::<u32, String>(bits | choice(word, names)?))?;
    Ok(Value::Bits(bits))
}

fn name_of(bits: u32, names: &[(&'static str, u32)]) -> &'static str {
    names.iter().find(|(_, number)| *number == bits).map_or("unknown", |&(name, _)| name)
}

fn names_of(bits: u32, names: &[(&'static str, u32)]) -> String {
    let set: Vec<_> =
        names.iter().filter(|(_, bit)| *bit != 0 && bits & bit == *bit).map(|&(name, _)| name).collect();
    match set.is_empty() {
        true => name_of(0, names).to_string(),
        false => set.join(" "),
    }
}
