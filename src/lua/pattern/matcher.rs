//! One match of a pattern at one place, by backtracking.

/// Captures of one pattern at most.
const CAPTURES: usize = 32;
/// Items of a pattern that may be tried within one another: it bounds the depth of the recursion.
const DEPTH: usize = 2_000;
/// Steps between two looks whether the script must end.
const STEPS: u32 = 1 << 16;

const ESCAPE: u8 = b'%';

/// What a pair of parentheses has caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Capture {
    /// It began here and has not ended.
    Open(usize),
    /// The text between the two places.
    Part(usize, usize),
    /// `()`: the place itself.
    Position(usize),
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The pattern makes no sense.
    Malformed(&'static str),
    /// The script must end.
    Doomed,
}

type Found = Result<Option<usize>, Stop>;

pub(super) struct Matcher<'t, T: Fn() -> bool> {
    text: &'t [u8],
    pattern: &'t [u8],
    captures: Vec<Capture>,
    depth: usize,
    steps: u32,
    tick: T,
}

impl<'t, T: Fn() -> bool> Matcher<'t, T> {
    /// `tick` is called every so many steps; true stops the matching.
    pub(super) fn new(text: &'t [u8], pattern: &'t [u8], tick: T) -> Self {
        Matcher { text, pattern, captures: Vec::new(), depth: 0, steps: 0, tick }
    }

    /// Where the match that begins at `start` ends.
    pub(super) fn at(&mut self, start: usize) -> Found {
        self.captures.clear();
        self.depth = 0;
        self.rest(start, 0)
    }

    /// What the last match has caught.
    pub(super) fn captures(&self) -> &[Capture] {
        &self.captures
    }

    fn step(&mut self) -> Result<(), Stop> {
        self.steps += 1;
        if self.steps == STEPS {
            self.steps = 0;
            if (self.tick)() {
                return Err(Stop::Doomed);
            }
        }
        Ok(())
    }

    /// Matches the pattern from `at` on against the text from `here` on.
    fn rest(&mut self, here: usize, at: usize) -> Found {
        if self.depth == DEPTH {
            return Err(Stop::Malformed("pattern too complex"));
        }
        self.depth += 1;
        let found = self.items(here, at);
        self.depth -= 1;
        found
    }

    fn items(&mut self, mut here: usize, mut at: usize) -> Found {
        loop {
            self.step()?;
            let Some(&item) = self.pattern.get(at) else { return Ok(Some(here)) };
            let next = self.pattern.get(at + 1).copied();
            match (item, next) {
                (b'(', Some(b')')) => return self.capture(Capture::Position(here), here, at + 2),
                (b'(', _) => return self.capture(Capture::Open(here), here, at + 1),
                (b')', _) => return self.close(here, at + 1),
                (b'$', None) => return Ok((here == self.text.len()).then_some(here)),
                (ESCAPE, Some(b'b')) => match self.balance(here, at + 2)? {
                    Some(end) => (here, at) = (end, at + 4),
                    None => return Ok(None),
                },
                (ESCAPE, Some(b'f')) => match self.frontier(here, at + 2)? {
                    Some(after) => at = after,
                    None => return Ok(None),
                },
                (ESCAPE, Some(digit)) if digit.is_ascii_digit() => match self.again(here, digit)? {
                    Some(end) => (here, at) = (end, at + 2),
                    None => return Ok(None),
                },
                _ => {
                    let end = self.class_end(at)?;
                    match self.pattern.get(end) {
                        Some(b'?') => {
                            if self.single(here, at, end)
                                && let Some(found) = self.rest(here + 1, end + 1)?
                            {
                                return Ok(Some(found));
                            }
                            at = end + 1;
                        }
                        Some(b'*') => return self.most(here, at, end, 0),
                        Some(b'+') => return self.most(here, at, end, 1),
                        Some(b'-') => return self.least(here, at, end),
                        _ if self.single(here, at, end) => (here, at) = (here + 1, end),
                        _ => return Ok(None),
                    }
                }
            }
        }
    }

    fn capture(&mut self, capture: Capture, here: usize, at: usize) -> Found {
        if self.captures.len() == CAPTURES {
            return Err(Stop::Malformed("too many captures"));
        }
        self.captures.push(capture);
        let count = self.captures.len();
        let found = self.rest(here, at)?;
        if found.is_none() {
            self.captures.truncate(count - 1);
        }
        Ok(found)
    }

    fn close(&mut self, here: usize, at: usize) -> Found {
        let open = |capture: &Capture| matches!(capture, Capture::Open(_));
        let Some(index) = self.captures.iter().rposition(open) else {
            return Err(Stop::Malformed("invalid pattern capture"));
        };
        let before = self.captures[index];
        let Capture::Open(start) = before else { return Ok(None) };
        self.captures[index] = Capture::Part(start, here);
        let found = self.rest(here, at)?;
        if found.is_none() {
            self.captures[index] = before;
        }
        Ok(found)
    }

    /// `%bxy`: from an x to the y that balances it.
    fn balance(&mut self, here: usize, at: usize) -> Found {
        let (Some(&open), Some(&close)) = (self.pattern.get(at), self.pattern.get(at + 1)) else {
            return Err(Stop::Malformed("unbalanced pattern"));
        };
        if self.text.get(here) != Some(&open) {
            return Ok(None);
        }
        let mut depth = 1;
        for (offset, &byte) in self.text[here + 1..].iter().enumerate() {
            if byte == close {
                depth -= 1;
                if depth == 0 {
                    return Ok(Some(here + offset + 2));
                }
            } else if byte == open {
                depth += 1;
            }
        }
        Ok(None)
    }

    /// `%f[set]`: between a character that is not in the set and one that is. Returns where the pattern goes on.
    fn frontier(&mut self, here: usize, at: usize) -> Found {
        if self.pattern.get(at) != Some(&b'[') {
            return Err(Stop::Malformed("missing '[' after '%f' in pattern"));
        }
        let end = self.class_end(at)?;
        // Before the text and behind it stands a NUL.
        let before = if here == 0 { 0 } else { self.text[here - 1] };
        let after = self.text.get(here).copied().unwrap_or(0);
        let crossed = !self.in_set(before, at, end) && self.in_set(after, at, end);
        Ok(crossed.then_some(end))
    }

    /// `%1`: what a capture has caught, once more.
    fn again(&mut self, here: usize, digit: u8) -> Found {
        let index = usize::from(digit).wrapping_sub(usize::from(b'1'));
        match self.captures.get(index) {
            Some(&Capture::Part(start, end)) => {
                let caught = &self.text[start..end];
                Ok(self.text[here..].starts_with(caught).then_some(here + caught.len()))
            }
            // A position has no length that could fit.
            Some(Capture::Position(_)) => Ok(None),
            _ => Err(Stop::Malformed("invalid capture index")),
        }
    }

    /// As many as possible, at least `least`, then the rest.
    fn most(&mut self, here: usize, at: usize, end: usize, least: usize) -> Found {
        let mut count = 0;
        while self.single(here + count, at, end) {
            self.step()?;
            count += 1;
        }
        while count >= least {
            if let Some(found) = self.rest(here + count, end + 1)? {
                return Ok(Some(found));
            }
            if count == 0 {
                break;
            }
            count -= 1;
        }
        Ok(None)
    }

    /// As few as possible, then the rest.
    fn least(&mut self, mut here: usize, at: usize, end: usize) -> Found {
        loop {
            if let Some(found) = self.rest(here, end + 1)? {
                return Ok(Some(found));
            }
            if !self.single(here, at, end) {
                return Ok(None);
            }
            self.step()?;
            here += 1;
        }
    }

    /// Where the single-character class that begins at `at` ends.
    fn class_end(&self, at: usize) -> Result<usize, Stop> {
        match self.pattern[at] {
            ESCAPE if at + 1 == self.pattern.len() => {
                Err(Stop::Malformed("malformed pattern (ends with '%')"))
            }
            ESCAPE => Ok(at + 2),
            b'[' => self.set_end(at + 1),
            _ => Ok(at + 1),
        }
    }

    fn set_end(&self, mut at: usize) -> Result<usize, Stop> {
        const MISSING: Stop = Stop::Malformed("malformed pattern (missing ']')");
        if self.pattern.get(at) == Some(&b'^') {
            at += 1;
        }
        // A bracket that comes first is a member.
        let first = at;
        loop {
            match self.pattern.get(at) {
                None => return Err(MISSING),
                Some(b']') if at > first => return Ok(at + 1),
                Some(&ESCAPE) if at + 1 == self.pattern.len() => return Err(MISSING),
                Some(&ESCAPE) => at += 2,
                Some(_) => at += 1,
            }
        }
    }

    fn single(&self, here: usize, at: usize, end: usize) -> bool {
        let Some(&byte) = self.text.get(here) else { return false };
        match self.pattern[at] {
            b'.' => true,
            ESCAPE => in_class(byte, self.pattern[at + 1]),
            b'[' => self.in_set(byte, at, end),
            literal => literal == byte,
        }
    }

    /// Whether `byte` is in the set between `at`, its bracket, and `end`, behind the closing one.
    fn in_set(&self, byte: u8, at: usize, end: usize) -> bool {
        let mut members = &self.pattern[at + 1..end - 1];
        let negated = members.first() == Some(&b'^');
        if negated {
            members = &members[1..];
        }
        while let Some((&first, rest)) = members.split_first() {
            let (hit, left) = match (first, rest) {
                (ESCAPE, [class, rest @ ..]) => (in_class(byte, *class), rest),
                (low, [b'-', high, rest @ ..]) => ((low..=*high).contains(&byte), rest),
                (literal, rest) => (literal == byte, rest),
            };
            if hit {
                return !negated;
            }
            members = left;
        }
        negated
    }
}

/// Whether `byte` belongs to a class such as `%a`; an upper-case letter means its complement.
fn in_class(byte: u8, class: u8) -> bool {
    let hit = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => byte.is_ascii_whitespace() || byte == 0x0b,
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        b'z' => byte == 0,
        _ => return class == byte,
    };
    hit != class.is_ascii_uppercase()
}
