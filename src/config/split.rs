//! The words of a configuration line, and how a word is written back.
//!
//! Words are separated by blanks. Double quotes hold escapes (`\n` `\r` `\t` `\b` `\a` `\xHH`, any other byte after a
//! backslash is itself); single quotes hold everything but `\'`. A closing quote must end its word.

/// Splits a line into words; `None` when a quote is left open or text follows a closing one.
pub fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut found, mut rest) = (Vec::new(), line);
    loop {
        let Some(start) = rest.iter().position(|&byte| !is_blank(byte)) else { return Some(found) };
        rest = &rest[start..];
        let (word, behind) = word(rest)?;
        found.push(word);
        rest = behind;
    }
}

/// One word from the start of `text` and what stands behind it. Quotes may open in the middle of a word.
fn word(mut text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    loop {
        match text {
            [] => return Some((word, text)),
            [blank, ..] if is_blank(*blank) => return Some((word, text)),
            [b'"', rest @ ..] => return ended(double_quoted(rest, &mut word)?, word),
            [b'\'', rest @ ..] => return ended(single_quoted(rest, &mut word)?, word),
            [byte, rest @ ..] => {
                word.push(*byte);
                text = rest;
            }
        }
    }
}

/// C's blanks, and the zero byte, which ends a word as well.
fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0 || byte == 0x0b
}

fn ended(behind: &[u8], word: Vec<u8>) -> Option<(Vec<u8>, &[u8])> {
    behind.first().is_none_or(|&byte| is_blank(byte)).then_some((word, behind))
}

fn double_quoted<'a>(mut text: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        text = match text {
            [] => return None,
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', b'x', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                word.push(hex(*high) << 4 | hex(*low));
                rest
            }
            [b'\\', escaped, rest @ ..] => {
                word.push(unescaped(*escaped));
                rest
            }
            [byte, rest @ ..] => {
                word.push(*byte);
                rest
            }
        }
    }
}

fn single_quoted<'a>(mut text: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        text = match text {
            [] => return None,
            [b'\'', rest @ ..] => return Some(rest),
            [b'\\', b'\'', rest @ ..] => {
                word.push(b'\'');
                rest
            }
            [byte, rest @ ..] => {
                word.push(*byte);
                rest
            }
        }
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit.to_ascii_lowercase() - b'a' + 10,
    }
}

fn unescaped(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'a' => 7,
        other => other,
    }
}

/// A word in double quotes, so that [`words`] reads the same bytes back.
pub fn quoted(word: &[u8]) -> Vec<u8> {
    let mut out = vec![b'"'];
    for &byte in word {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            7 => out.extend(b"\\a"),
            8 => out.extend(b"\\b"),
            b' '..=b'~' => out.push(byte),
            _ => out.extend(format!("\\x{byte:02x}").bytes()),
        }
    }
    out.push(b'"');
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(line: &str) -> Option<Vec<String>> {
        let texts =
            |all: Vec<Vec<u8>>| all.into_iter().map(|word| String::from_utf8(word).expect("text")).collect();
        words(line.as_bytes()).map(texts)
    }

    #[test]
    fn blanks_and_quotes() {
        assert_eq!(split("  save\t900   1\r\n").expect("plain"), ["save", "900", "1"]);
        assert_eq!(split("a \"\" 'b c' d\"e f\"").expect("quotes"), ["a", "", "b c", "de f"]);
        assert_eq!(split(r#""1\x30\n\q" '\'\n'"#).expect("escapes"), ["10\nq", "'\\n"]);
        assert_eq!(split("").expect("empty"), Vec::<String>::new());
    }

    #[test]
    fn broken_quotes() {
        for bad in ["\"a", "'a", "\"a\"b", "'a'b", "x \"a\"\"b\"", "\"a\\"] {
            assert_eq!(split(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn every_blank_separates() {
        assert_eq!(split("a\0b\u{b}c\u{c}\0").expect("plain"), ["a", "b", "c"]);
    }

    proptest! {
        #[test]
        fn any_line_ends(line: Vec<u8>) {
            let found = words(&line).unwrap_or_default();
            prop_assert!(found.iter().map(Vec::len).sum::<usize>() <= line.len());
        }

        #[test]
        fn quoting_round_trips(word: Vec<u8>) {
            prop_assert_eq!(words(&quoted(&word)), Some(vec![word]));
        }
    }
}
