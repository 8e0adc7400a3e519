//! Where a command's keys are: the one extractor that the gate, ACL, cluster slots and COMMAND GETKEYS share.

use bitflags::bitflags;

use crate::protocol::args::{Args, eq_ignore_case, parse_i64};

bitflags! {
    /// What a command does to the keys of one specification, with the names that COMMAND INFO shows.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct KeyFlags: u16 {
        /// Reads the value without changing it.
        const RO = 1 << 0;
        /// Reads and changes.
        const RW = 1 << 1;
        /// Overwrites.
        const OW = 1 << 2;
        /// Removes.
        const RM = 1 << 3;
        /// The user's data is returned, copied or otherwise shown.
        const ACCESS = 1 << 4;
        /// The value may be changed.
        const UPDATE = 1 << 5;
        /// Data is added.
        const INSERT = 1 << 6;
        /// Data is removed explicitly.
        const DELETE = 1 << 7;
        /// The name is not a key of the keyspace.
        const NOT_KEY = 1 << 8;
        /// Some keys may be missed.
        const INCOMPLETE = 1 << 9;
        /// The flags depend on the arguments.
        const VARIABLE_FLAGS = 1 << 10;
    }
}

/// Where a specification's first key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// At this argument.
    Index(usize),
    /// Behind this word, which is searched from `from` (from the end if negative).
    Keyword {
        /// The word.
        word: &'static str,
        /// Where the search starts.
        from: i32,
    },
    /// Behind this word where the command itself finds it: options come first, each with so many operands, which may
    /// look like the word. COMMAND shows it as a keyword.
    Option {
        /// The word.
        word: &'static str,
        /// Where a client that knows no options starts its search.
        from: i32,
        /// The options, each with the number of its operands.
        options: &'static [(&'static str, usize)],
    },
    /// Behind the last of these words among a command's options, if there is one.
    LastOption {
        /// The word.
        word: &'static str,
        /// Options and how many operands each has: those are not looked at.
        operands: &'static [(&'static str, usize)],
        /// Where the options start.
        from: usize,
    },
    /// Nowhere among the arguments: the keys' names follow from data.
    Data,
}

/// How the other keys follow from the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Find {
    /// Every `step`-th argument until `last`, which counts from the first key; negative: from the last argument.
    /// `limit` greater than one stops at that fraction of the arguments.
    Range {
        /// Offset of the last key.
        last: i32,
        /// Distance between keys.
        step: usize,
        /// Fraction of the remaining arguments that are keys; 0 for all.
        limit: usize,
    },
    /// A number at offset `at` says how many keys start at offset `first`.
    Keynum {
        /// Where the number is.
        at: usize,
        /// Where the keys start.
        first: usize,
        /// Distance between keys.
        step: usize,
    },
}

/// One group of keys among a command's arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySpec {
    /// What happens to them.
    pub flags: KeyFlags,
    /// Where they begin.
    pub begin: Begin,
    /// Where they go on.
    pub find: Find,
}

impl KeySpec {
    /// One key at argument `index`.
    pub const fn one(index: usize, flags: KeyFlags) -> KeySpec {
        KeySpec::range(index, 0, 1, flags)
    }

    /// Keys from `index` on.
    pub const fn range(index: usize, last: i32, step: usize, flags: KeyFlags) -> KeySpec {
        KeySpec { flags, begin: Begin::Index(index), find: Find::Range { last, step, limit: 0 } }
    }

    /// Keys behind a count at argument `index`.
    pub const fn counted(index: usize, step: usize, flags: KeyFlags) -> KeySpec {
        KeySpec { flags, begin: Begin::Index(index), find: Find::Keynum { at: 0, first: 1, step } }
    }

    /// The argument of the only key, if the specification always means exactly one at a fixed place.
    #[inline]
    pub const fn fixed(&self) -> Option<usize> {
        match (self.begin, self.find) {
            (Begin::Index(index), Find::Range { last: 0, .. }) => Some(index),
            _ => None,
        }
    }

    /// The argument of the key if a call of `words` words happens to have just one: `DEL key`.
    #[inline]
    pub fn only_key_of(&self, words: usize) -> Option<usize> {
        match (self.begin, self.find) {
            (Begin::Index(index), Find::Range { last: -1, step, limit: 0 }) if words <= index + step => {
                Some(index)
            }
            _ => None,
        }
    }

    /// Appends the places of the keys in `args`; false if the arguments do not fit the specification.
    pub fn extract(&self, args: Args<'_>, into: &mut Vec<usize>) -> bool {
        let Some(begin) = self.begin(args) else {
            return matches!(self.begin, Begin::LastOption { .. } | Begin::Data);
        };
        match self.find {
            Find::Range { last, step, limit } => range(args, begin, last, step, limit, into),
            Find::Keynum { at, first, step } => counted(args, begin + at, begin + first, step, into),
        }
    }

    fn begin(&self, args: Args<'_>) -> Option<usize> {
        match self.begin {
            Begin::Index(index) => Some(index),
            Begin::Keyword { word, from } => {
                let hit = |i: &usize| args.get(*i).is_some_and(|arg| eq_ignore_case(arg, word.as_bytes()));
                let found = if from >= 0 {
                    (from as usize..args.len()).find(hit)
                } else {
                    (1..=args.len().checked_sub(from.unsigned_abs() as usize)?).rev().find(hit)
                };
                found.map(|i| i + 1)
            }
            Begin::Option { word, options, .. } => behind_options(args, word, options),
            Begin::LastOption { word, operands, from } => behind_option(args, word, operands, from),
            Begin::Data => None,
        }
    }

    /// The argument of the key of a call that happens to have just one behind its options: `XREAD STREAMS key id`.
    #[inline]
    pub fn only_key_behind_options(&self, args: Args<'_>) -> Option<usize> {
        match (self.begin, self.find) {
            (Begin::Option { .. }, Find::Range { last: -1, step: 1, limit: 2 }) => {
                self.begin(args).filter(|begin| begin + 2 == args.len())
            }
            _ => None,
        }
    }
}

/// The argument behind `word`, which comes after options; none if something else comes first.
fn behind_options(args: Args<'_>, word: &str, options: &[(&str, usize)]) -> Option<usize> {
    let mut at = 1;
    loop {
        let arg = args.get(at)?;
        if eq_ignore_case(arg, word.as_bytes()) {
            return Some(at + 1);
        }
        let option = options.iter().find(|(name, _)| eq_ignore_case(arg, name.as_bytes()))?;
        at += 1 + option.1;
    }
}

/// The place behind the last `word` among the options from `from` on.
fn behind_option(args: Args<'_>, word: &str, operands: &[(&str, usize)], from: usize) -> Option<usize> {
    let (mut at, mut found) = (from, None);
    while let Some(option) = args.get(at) {
        let skipped = operands.iter().find(|(name, _)| eq_ignore_case(option, name.as_bytes()));
        if eq_ignore_case(option, word.as_bytes()) && at + 1 < args.len() {
            found = Some(at + 1);
            at += 1;
        }
        at += 1 + skipped.map_or(0, |(_, count)| *count);
    }
    found
}

fn range(args: Args<'_>, begin: usize, last: i32, step: usize, limit: usize, into: &mut Vec<usize>) -> bool {
    let last = if last >= 0 {
        begin + last as usize
    } else if limit > 1 {
        let left = args.len().saturating_sub(begin);
        (begin + left / limit).saturating_sub(last.unsigned_abs() as usize)
    } else {
        args.len().saturating_sub(last.unsigned_abs() as usize)
    };
    if last >= args.len() || last < begin {
        return false;
    }
    into.extend((begin..=last).step_by(step));
    true
}

fn counted(args: Args<'_>, at: usize, first: usize, step: usize, into: &mut Vec<usize>) -> bool {
    let Some(count) = args.get(at).and_then(parse_i64).and_then(|n| usize::try_from(n).ok()) else {
        return false;
    };
    // The claimed number is compared with what is there before anything is made of it.
    let room = args.len().saturating_sub(first).div_ceil(step);
    if count > room {
        return false;
    }
    into.extend((first..).step_by(step).take(count));
    true
}

/// Appends the places of all keys of a call; false if some specification does not fit the arguments.
pub fn extract(specs: &[KeySpec], args: Args<'_>, into: &mut Vec<usize>) -> bool {
    specs.iter().all(|spec| spec.extract(args, into))
}
