//! What SORT's caller asks for.

use super::pattern::Pattern;
use crate::command::error;
use crate::protocol::args::{Args, eq_ignore_case, parse_i64};

/// The order of the elements.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum By<'a> {
    /// Their own.
    Own,
    /// That of the values which they name.
    Weights(Pattern<'a>),
    /// The one in which they are held.
    Nothing,
}

/// The arguments behind the key.
pub(super) struct Options<'a> {
    pub by: By<'a>,
    pub get: Vec<Pattern<'a>>,
    pub store: Option<&'a [u8]>,
    pub descending: bool,
    /// Texts are compared, rather than numbers.
    pub alpha: bool,
    offset: i64,
    count: i64,
}

impl<'a> Options<'a> {
    /// Parses the arguments of a call; `stores` if STORE is one of its options.
    pub fn parse(args: Args<'a>, stores: bool) -> Result<Options<'a>, &'static str> {
        let mut options = Options {
            by: By::Own,
            get: Vec::new(),
            store: None,
            descending: false,
            alpha: false,
            offset: 0,
            count: -1,
        };
        let mut words = args.slice_from(2).iter();
        while let Some(word) = words.next() {
            let mut operand = || words.next().ok_or(error::SYNTAX);
            if eq_ignore_case(word, b"asc") {
                options.descending = false;
            } else if eq_ignore_case(word, b"desc") {
                options.descending = true;
            } else if eq_ignore_case(word, b"alpha") {
                options.alpha = true;
            } else if eq_ignore_case(word, b"limit") {
                let (offset, count) = (operand()?, operand()?);
                options.offset = parse_i64(offset).ok_or(error::NOT_AN_INTEGER)?;
                options.count = parse_i64(count).ok_or(error::NOT_AN_INTEGER)?;
            } else if eq_ignore_case(word, b"by") {
                options.sort_by(operand()?);
            } else if eq_ignore_case(word, b"get") {
                options.get.push(Pattern::parse(operand()?));
            } else if eq_ignore_case(word, b"store") && stores {
                options.store = Some(operand()?);
            } else {
                return Err(error::SYNTAX);
            }
        }
        Ok(options)
    }

    /// A pattern that names the same value for all elements means no order at all, whatever other BY there is.
    fn sort_by(&mut self, text: &'a [u8]) {
        if !text.contains(&b'*') {
            self.by = By::Nothing;
        } else if self.by != By::Nothing {
            self.by = By::Weights(Pattern::parse(text));
        }
    }

    /// Whether keys are looked up that are not among the arguments.
    pub fn follows_patterns(&self) -> bool {
        matches!(self.by, By::Weights(_)) || self.get.iter().any(|pattern| *pattern != Pattern::Element)
    }

    /// The part of `len` sorted elements that is asked for.
    pub fn range(&self, len: usize) -> std::ops::Range<usize> {
        let start = usize::try_from(self.offset).unwrap_or(0).min(len);
        let end = usize::try_from(self.count).map_or(len, |count| start.saturating_add(count).min(len));
        start..end
    }
}
