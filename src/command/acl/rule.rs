//! What is wrong with a rule, and how rules that were cut at blanks are put together again.

use std::borrow::Cow;

/// Why a rule is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is no rule.
    Syntax,
    /// It names a command or category that does not exist.
    Unknown,
    /// It adds a pattern of keys where all keys are allowed.
    AllKeys,
    /// It adds a pattern of channels where all channels are allowed.
    AllChannels,
    /// It takes away a password that the user does not have.
    NoSuchPassword,
    /// What should be a digest is none.
    BadDigest,
    /// It allows a first argument of a command inside a container.
    ArgumentOfSubcommand,
}

impl Refused {
    /// The words for it.
    pub fn text(self) -> &'static str {
        match self {
            Refused::Syntax => "Syntax error",
            Refused::Unknown => "Unknown command or category name in ACL",
            Refused::AllKeys => {
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any \
                 effect. Try 'resetkeys' to start with an empty list of patterns"
            }
            Refused::AllChannels => {
                "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any \
                 effect. Try 'resetchannels' to start with an empty list of channels"
            }
            Refused::NoSuchPassword => "The password you are trying to remove from the user does not exist",
            Refused::BadDigest => {
                "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
            }
            Refused::ArgumentOfSubcommand => "Allowing first-arg of a subcommand is not supported",
        }
    }
}

/// Joins the words of each selector, `(+get ~x*)`, to one rule. The error is the word that opens one without an end.
pub fn join_selectors<'a>(words: impl Iterator<Item = &'a [u8]>) -> Result<Vec<Cow<'a, [u8]>>, &'a [u8]> {
    let mut rules = Vec::new();
    let mut open: Option<(&[u8], Vec<u8>)> = None;
    for word in words {
        let closes = word.ends_with(b")");
        open = match open.take() {
            Some((first, mut joined)) => {
                joined.push(b' ');
                joined.extend_from_slice(word);
                match closes {
                    true => {
                        rules.push(Cow::Owned(joined));
                        None
                    }
                    false => Some((first, joined)),
                }
            }
            None if word.starts_with(b"(") && !closes => Some((word, word.to_vec())),
            None => {
                rules.push(Cow::Borrowed(word));
                None
            }
        };
    }
    open.map_or(Ok(rules), |(first, _)| Err(first))
}

/// Whether `text` has a blank or a zero byte in it, which neither a name nor a pattern may have.
pub fn has_blanks(text: &[u8]) -> bool {
    text.iter().any(|&byte| byte.is_ascii_whitespace() || byte == 0x0b || byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(line: &'static str) -> Result<Vec<String>, &'static [u8]> {
        let rules = join_selectors(line.split(' ').map(str::as_bytes))?;
        Ok(rules.iter().map(|rule| String::from_utf8_lossy(rule).into_owned()).collect())
    }

    #[test]
    fn selectors_are_one_rule_each() {
        let expected = ["on", "(+get ~x)", "()", "( ~y )", "+set)"].map(String::from).to_vec();
        assert_eq!(joined("on (+get ~x) () ( ~y ) +set)"), Ok(expected));
        assert_eq!(joined("on (+get ~x"), Err(&b"(+get"[..]));
        assert_eq!(joined("("), Err(&b"("[..]));
    }
}
