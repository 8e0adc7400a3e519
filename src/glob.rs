//! Glob patterns, as KEYS, SCAN, PSUBSCRIBE, CONFIG GET and ACL rules read them.
//!
//! | element | matches |
//! |---|---|
//! | `*` | any bytes, none too |
//! | `?` | one byte |
//! | `[abc]` `[a-z]` `[z-a]` | one byte of the set; a range may stand in either order |
//! | `[^abc]` | one byte outside the set |
//! | `\x` | the byte `x`, in a set as well |
//!
//! Two habits of Redis are kept because clients see them: a set that is never closed ends with the pattern, and `]`
//! right after `[` closes an empty set. Inside a set an escaped byte is compared with its case even when case is
//! ignored. One habit is not kept: stars match an empty text, which Redis's matcher denies.
//!
//! Matching never recurses and never allocates. Every element but `*` takes exactly one byte, so it is enough to
//! remember the last `*` and to let it take one byte more after a mismatch. That is quadratic at worst, so the steps
//! of one match are bounded by [`GLOB_STEPS_BASE`] and [`GLOB_STEPS_PER_BYTE`]; a match that would need more is
//! answered with "no", as Redis answers patterns that nest too deeply.

use crate::limits::{GLOB_STEPS_BASE, GLOB_STEPS_PER_BYTE};

/// Whether `pattern` matches the whole of `text`; `nocase` ignores the case of ASCII letters.
pub fn matches(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
    let mut budget = GLOB_STEPS_BASE + GLOB_STEPS_PER_BYTE * (pattern.len() + text.len());
    let (mut p, mut t) = (0, 0);
    // Where to go on after a mismatch: the element behind the last star, and the first byte the star did not take.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        let step = match pattern.get(p) {
            Some(b'*') => {
                p = skip_stars(pattern, p);
                if p == pattern.len() {
                    return true;
                }
                retry = Some((p, t));
                continue;
            }
            Some(_) => take_one(&pattern[p..], text[t], nocase),
            None => Step { used: 0, hit: false },
        };
        if budget <= step.used {
            return false;
        }
        budget -= step.used.max(1);
        if step.hit {
            (p, t) = (p + step.used, t + 1);
            continue;
        }
        let Some((element, from)) = retry else { return false };
        let Some(next) = next_candidate(&pattern[element..], text, from + 1, nocase) else { return false };
        (p, t) = (element, next);
        retry = Some((element, next));
    }
    skip_stars(pattern, p) == pattern.len()
}

/// What one element did with one byte.
struct Step {
    /// Bytes of the pattern that the element occupies.
    used: usize,
    hit: bool,
}

/// Compares the element at the start of `pattern`, which is no star, with one byte.
fn take_one(pattern: &[u8], byte: u8, nocase: bool) -> Step {
    match pattern[0] {
        b'?' => Step { used: 1, hit: true },
        b'[' => take_set(pattern, byte, nocase),
        b'\\' if pattern.len() > 1 => Step { used: 2, hit: same(pattern[1], byte, nocase) },
        literal => Step { used: 1, hit: same(literal, byte, nocase) },
    }
}

/// Compares the set at the start of `pattern` with one byte.
fn take_set(pattern: &[u8], byte: u8, nocase: bool) -> Step {
    let negated = pattern.get(1) == Some(&b'^');
    let mut at = if negated { 2 } else { 1 };
    let mut found = false;
    loop {
        match &pattern[at..] {
            [] => break,
            [b'\\', escaped, ..] => {
                found |= *escaped == byte;
                at += 2;
            }
            [b']', ..] => {
                at += 1;
                break;
            }
            [first, b'-', last, ..] => {
                found |= in_range(*first, *last, byte, nocase);
                at += 3;
            }
            [member, ..] => {
                found |= same(*member, byte, nocase);
                at += 1;
            }
        }
    }
    Step { used: at, hit: found != negated }
}

fn in_range(first: u8, last: u8, byte: u8, nocase: bool) -> bool {
    let (low, high) = (first.min(last), first.max(last));
    // The ends are ordered before their case is folded, as Redis does it; `[Z-a]` depends on that.
    match nocase {
        true => (low.to_ascii_lowercase()..=high.to_ascii_lowercase()).contains(&byte.to_ascii_lowercase()),
        false => (low..=high).contains(&byte),
    }
}

fn same(a: u8, b: u8, nocase: bool) -> bool {
    a == b || (nocase && a.eq_ignore_ascii_case(&b))
}

fn skip_stars(pattern: &[u8], mut at: usize) -> usize {
    while pattern.get(at) == Some(&b'*') {
        at += 1;
    }
    at
}

/// The first position at or behind `from` where the element at the start of `rest` can match. A literal is looked for
/// with `memchr`; for anything else the next byte is as good as any.
fn next_candidate(rest: &[u8], text: &[u8], from: usize, nocase: bool) -> Option<usize> {
    if from >= text.len() {
        return None;
    }
    match literal(rest) {
        Some((byte, _)) if !nocase => memchr::memchr(byte, &text[from..]).map(|at| from + at),
        Some((byte, _)) => {
            let (lower, upper) = (byte.to_ascii_lowercase(), byte.to_ascii_uppercase());
            memchr::memchr2(lower, upper, &text[from..]).map(|at| from + at)
        }
        None => Some(from),
    }
}

/// The literal byte that the pattern starts with and the pattern bytes that it occupies, if it starts with one.
fn literal(pattern: &[u8]) -> Option<(u8, usize)> {
    match pattern {
        [b'*' | b'?' | b'[', ..] | [] => None,
        [b'\\', escaped, ..] => Some((*escaped, 2)),
        [byte, ..] => Some((*byte, 1)),
    }
}

/// A pattern prepared for many texts, as KEYS and SCAN meet it: case matters, and the two shapes that clients send most,
/// a plain name and `prefix*`, are one comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// The bytes that every match starts with, escapes removed.
    prefix: Vec<u8>,
    rest: Rest,
}

/// What follows the literal prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Rest {
    Nothing,
    Anything,
    Glob(Vec<u8>),
}

impl Pattern {
    /// Prepares `pattern`; every byte string is a valid pattern.
    pub fn new(pattern: &[u8]) -> Self {
        let (mut prefix, mut at) = (Vec::new(), 0);
        while let Some((byte, used)) = literal(&pattern[at..]) {
            prefix.push(byte);
            at += used;
        }
        let rest = match &pattern[at..] {
            [] => Rest::Nothing,
            stars if stars.iter().all(|&byte| byte == b'*') => Rest::Anything,
            glob => Rest::Glob(glob.to_vec()),
        };
        Self { prefix, rest }
    }

    /// Whether the pattern matches the whole of `text`.
    #[inline]
    pub fn matches(&self, text: &[u8]) -> bool {
        let Some(behind) = text.strip_prefix(self.prefix.as_slice()) else { return false };
        match &self.rest {
            Rest::Nothing => behind.is_empty(),
            Rest::Anything => true,
            Rest::Glob(glob) => matches(glob, behind, false),
        }
    }

    /// Whether the pattern matches every text, so that a caller need not look at any.
    pub fn matches_all(&self) -> bool {
        self.prefix.is_empty() && self.rest == Rest::Anything
    }

    /// The only text that the pattern matches, if it has no wildcard: a lookup can replace the scan.
    pub fn as_literal(&self) -> Option<&[u8]> {
        (self.rest == Rest::Nothing).then_some(self.prefix.as_slice())
    }
}

#[cfg(test)]
#[path = "glob_tests.rs"]
mod tests;
