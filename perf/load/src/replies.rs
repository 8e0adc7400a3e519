//! Where replies end, and the strings in them.

use std::ops::Range;

/// Strings of one reply that are remembered at most: enough for the id of an entry.
const REMEMBERED: usize = 2;

/// One whole reply.
#[derive(Debug)]
pub struct Reply {
    /// Where the next one begins.
    pub end: usize,
    /// Where the first strings in it are.
    pub strings: [Range<usize>; REMEMBERED],
    /// It is an error.
    pub is_error: bool,
}

/// The reply that begins at `start`; none if it is not whole.
pub fn reply(bytes: &[u8], start: usize) -> Option<Reply> {
    let (mut at, mut left, mut seen) = (start, 1usize, 0);
    let mut strings = [const { 0..0 }; REMEMBERED];
    while left > 0 {
        let kind = *bytes.get(at)?;
        let line = bytes[at..].iter().position(|byte| *byte == b'\n')?.checked_sub(1)?;
        let digits = &bytes[at + 1..at + line];
        let number = || std::str::from_utf8(digits).ok()?.parse::<i64>().ok();
        let body = at + line + 2;
        at = body;
        left -= 1;
        match kind {
            b'*' => left += usize::try_from(number()?).unwrap_or(0),
            b'$' => {
                let Ok(len) = usize::try_from(number()?) else { continue };
                at = body + len + 2;
                if bytes.len() < at {
                    return None;
                }
                if let Some(string) = strings.get_mut(seen) {
                    *string = body..body + len;
                    seen += 1;
                }
            }
            _ => {}
        }
    }
    Some(Reply { end: at, strings, is_error: bytes[start] == b'-' })
}
