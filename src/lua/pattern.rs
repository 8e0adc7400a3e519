//! The pattern functions of `string`: find, match, gmatch and gsub as Lua 5.1's manual describes them (section 5.4.1).
//!
//! They take the stock ones' place for two reasons: those recurse on the C stack as deep as a pattern is long, and a
//! pattern with several repetitions can keep them busy for hours, where no hook reaches. Here the depth has a bound,
//! and the steps are counted.

mod matcher;

use matcher::{Capture, Matcher, Stop};

use super::{Kind, Outcome, Raised, Stack};

/// Characters that make a pattern more than a text to look for.
const SPECIAL: &[u8] = b"^$*+?.([%-";

/// Adds the functions to the table on top.
pub(super) fn add_to(stack: &mut Stack<'_>) {
    stack.add_native("find", find);
    stack.add_native("match", match_);
    stack.add_native("gmatch", gmatch);
    stack.add_native("gfind", gmatch);
    stack.add_native("gsub", gsub);
}

fn find(stack: &mut Stack<'_>) -> Outcome {
    search(stack, true)
}

fn match_(stack: &mut Stack<'_>) -> Outcome {
    search(stack, false)
}

/// Makes sure that argument `number` is a string, of a number its digits.
fn want_text(stack: &mut Stack<'_>, number: i32) -> Result<(), Raised> {
    if stack.text(number).is_none() {
        return Err(stack.wrong_kind(number, "string"));
    }
    Ok(())
}

fn search(stack: &mut Stack<'_>, find: bool) -> Outcome {
    want_text(stack, 1)?;
    want_text(stack, 2)?;
    let given = stack.kind(3) != Kind::None && stack.kind(3) != Kind::Nil;
    let init = if given { stack.check_integer(3)? } else { 1 };
    let plain = find && stack.truth(4);
    let (text, pattern) = subject(stack);
    let from = start(init, text.len());
    if plain || (find && !pattern.iter().any(|byte| SPECIAL.contains(byte))) {
        let found = memchr::memmem::find(&text[from..], pattern).map(|at| (from + at, pattern.len()));
        return positions(stack, found);
    }
    let (anchored, pattern) = anchor(pattern);
    let mut matcher = Matcher::new(text, pattern, || stack.tick());
    let mut at = from;
    let found = loop {
        match matcher.at(at) {
            Ok(Some(end)) => break Ok(Some(end)),
            Ok(None) if anchored || at >= text.len() => break Ok(None),
            Ok(None) => at += 1,
            Err(stop) => break Err(stop),
        }
    };
    let captures = matcher.captures().to_vec();
    match found {
        Err(stop) => Err(stopped(stack, stop)),
        Ok(None) => {
            stack.push_nil();
            Ok(1)
        }
        Ok(Some(end)) if find => {
            stack.push_number((at + 1) as f64);
            stack.push_number(end as f64);
            Ok(2 + push_captures(stack, 1, &captures, None)?)
        }
        Ok(Some(end)) => push_captures(stack, 1, &captures, Some((at, end))),
    }
}

/// The first two arguments, which are strings.
fn subject<'s>(stack: &'s Stack<'_>) -> (&'s [u8], &'s [u8]) {
    (stack.bytes(1).unwrap_or_default(), stack.bytes(2).unwrap_or_default())
}

/// Where a search begins, from a position that may count from the end.
fn start(init: i64, len: usize) -> usize {
    let from = if init < 0 { (init + len as i64).max(0) } else { (init - 1).max(0) };
    usize::try_from(from).unwrap_or(usize::MAX).min(len)
}

fn anchor(pattern: &[u8]) -> (bool, &[u8]) {
    match pattern {
        [b'^', rest @ ..] => (true, rest),
        all => (false, all),
    }
}

fn positions(stack: &mut Stack<'_>, found: Option<(usize, usize)>) -> Outcome {
    let Some((at, len)) = found else {
        stack.push_nil();
        return Ok(1);
    };
    stack.push_number((at + 1) as f64);
    stack.push_number((at + len) as f64);
    Ok(2)
}

#[cold]
fn stopped(stack: &mut Stack<'_>, stop: Stop) -> Raised {
    match stop {
        Stop::Malformed(why) => stack.fail(why),
        Stop::Doomed => stack.doom(),
    }
}

/// Pushes what was captured, or the whole match if nothing was to be and `whole` is given; how many it pushed.
/// The text is at `subject`.
fn push_captures(
    stack: &mut Stack<'_>,
    subject: i32,
    captures: &[Capture],
    whole: Option<(usize, usize)>,
) -> Outcome {
    if !stack.reserve(captures.len() + 2) {
        return Err(stack.fail("too many captures"));
    }
    if let (Some((start, end)), []) = (whole, captures) {
        stack.push_part(subject, start..end);
        return Ok(1);
    }
    for capture in captures {
        push_capture(stack, subject, *capture)?;
    }
    Ok(captures.len())
}

fn push_capture(stack: &mut Stack<'_>, subject: i32, capture: Capture) -> Result<(), Raised> {
    match capture {
        Capture::Part(start, end) => stack.push_part(subject, start..end),
        Capture::Position(at) => stack.push_number((at + 1) as f64),
        Capture::Open(_) => return Err(stack.fail("unfinished capture")),
    }
    Ok(())
}

/// `gmatch`: an iterator whose upvalues are the text, the pattern, and where to go on.
fn gmatch(stack: &mut Stack<'_>) -> Outcome {
    want_text(stack, 1)?;
    want_text(stack, 2)?;
    stack.set_top(2);
    stack.push_number(0.0);
    stack.push_closure(gmatch_next, 3);
    stack.one()
}

fn gmatch_next(stack: &mut Stack<'_>) -> Outcome {
    stack.set_top(0);
    (1..=3).for_each(|number| stack.push_upvalue(number));
    let from = stack.number(3).unwrap_or(0.0) as usize;
    let (text, pattern) = subject(stack);
    let mut matcher = Matcher::new(text, pattern, || stack.tick());
    let last = text.len();
    let mut found = Ok(None);
    for at in from..=last {
        found = matcher.at(at).map(|end| end.map(|end| (at, end)));
        if !matches!(found, Ok(None)) {
            break;
        }
    }
    let captures = matcher.captures().to_vec();
    match found {
        Err(stop) => Err(stopped(stack, stop)),
        // Lua 5.1's iterator returns nothing at all at its end.
        Ok(None) => Ok(0),
        Ok(Some((at, end))) => {
            // After an empty match the search goes on one further.
            let next = if end == at { end + 1 } else { end };
            stack.push_number(next as f64);
            stack.set_upvalue(3);
            push_captures(stack, 1, &captures, Some((at, end)))
        }
    }
}

/// `gsub(text, pattern, replacement, limit)`.
fn gsub(stack: &mut Stack<'_>) -> Outcome {
    want_text(stack, 1)?;
    want_text(stack, 2)?;
    if stack.kind(3) == Kind::Number {
        want_text(stack, 3)?;
    }
    if !matches!(stack.kind(3), Kind::String | Kind::Table | Kind::Function) {
        return Err(stack.bad_argument(3, "string/function/table expected"));
    }
    let limited = stack.kind(4) != Kind::None && stack.kind(4) != Kind::Nil;
    let most = if limited { stack.check_integer(4)? } else { i64::MAX };
    let mut made = Vec::new();
    let mut at = 0;
    let mut count = 0;
    while count < most {
        let (text, pattern) = subject(stack);
        let (len, (anchored, pattern)) = (text.len(), anchor(pattern));
        let mut matcher = Matcher::new(text, pattern, || stack.tick());
        let found = matcher.at(at);
        let captures = matcher.captures().to_vec();
        let end = match found {
            Err(stop) => return Err(stopped(stack, stop)),
            Ok(end) => end,
        };
        if let Some(end) = end {
            count += 1;
            replace(stack, &captures, (at, end), &mut made)?;
        }
        match end {
            Some(end) if end > at => at = end,
            _ if at < len => {
                made.push(subject(stack).0[at]);
                at += 1;
            }
            _ => break,
        }
        if anchored {
            break;
        }
        if made.len() > stack.shared().limit.get() {
            return Err(stack.raise(b"not enough memory"));
        }
    }
    made.extend_from_slice(subject(stack).0.get(at..).unwrap_or_default());
    stack.push_bytes(&made);
    stack.push_number(count as f64);
    Ok(2)
}

/// Appends what takes the place of one match.
fn replace(
    stack: &mut Stack<'_>,
    captures: &[Capture],
    whole: (usize, usize),
    made: &mut Vec<u8>,
) -> Result<(), Raised> {
    let base = stack.top();
    match stack.kind(3) {
        Kind::Function => {
            stack.copy(3);
            let args = push_captures(stack, 1, captures, Some(whole))?;
            stack.call(args, 1)?;
        }
        Kind::Table => {
            stack.push_indexer();
            stack.copy(3);
            push_captures(stack, 1, &captures[..captures.len().min(1)], Some(whole))?;
            stack.call(2, 1)?;
        }
        _ => return expand(stack, captures, whole, made),
    }
    if stack.truth(-1) {
        let kind = stack.kind_name(-1);
        match stack.text(-1) {
            Some(text) => made.extend_from_slice(text),
            None => return Err(stack.fail(&format!("invalid replacement value (a {kind})"))),
        }
    } else {
        made.extend_from_slice(&subject(stack).0[whole.0..whole.1]);
    }
    stack.set_top(base);
    Ok(())
}

/// Appends the replacement text with its captures filled in.
fn expand(
    stack: &mut Stack<'_>,
    captures: &[Capture],
    whole: (usize, usize),
    made: &mut Vec<u8>,
) -> Result<(), Raised> {
    let template = stack.bytes(3).unwrap_or_default();
    let mut at = 0;
    while let Some(&byte) = template.get(at) {
        at += 1;
        if byte != b'%' {
            made.push(byte);
            continue;
        }
        // A lone percent sign at the end stands for the NUL behind it, as in C.
        let code = template.get(at).copied().unwrap_or(0);
        at += 1;
        if !code.is_ascii_digit() {
            made.push(code);
            continue;
        }
        let text = subject(stack).0;
        match (code - b'0', captures.get(usize::from(code).wrapping_sub(usize::from(b'1')))) {
            (0, _) => made.extend_from_slice(&text[whole.0..whole.1]),
            (1, None) if captures.is_empty() => made.extend_from_slice(&text[whole.0..whole.1]),
            (_, Some(Capture::Part(start, end))) => made.extend_from_slice(&text[*start..*end]),
            (_, Some(Capture::Position(at))) => made.extend_from_slice((at + 1).to_string().as_bytes()),
            (_, Some(Capture::Open(_))) => return Err(stack.fail("unfinished capture")),
            (_, None) => return Err(stack.fail("invalid capture index")),
        }
    }
    Ok(())
}
