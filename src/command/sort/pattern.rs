//! Patterns of BY and GET: the name of a key, or of a field of a hash, with a place for the element.

use crate::command::string::text::{self, text_of};
use crate::keyspace::Space;
use crate::keyspace::collections::look_at;
use crate::value::hash::Hash;
use crate::value::packed::Item;

/// What an element names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pattern<'a> {
    /// Itself: `#`.
    Element,
    /// Nothing: a name without a place for the element.
    Nothing,
    /// The value of a key, or of a field of it.
    Key {
        /// The name before the element.
        before: &'a [u8],
        /// The name behind it.
        behind: &'a [u8],
        /// The field, if the key is a hash.
        field: Option<&'a [u8]>,
    },
}

impl<'a> Pattern<'a> {
    pub fn parse(text: &'a [u8]) -> Pattern<'a> {
        if text == b"#" {
            return Pattern::Element;
        }
        let Some(star) = text.iter().position(|&byte| byte == b'*') else { return Pattern::Nothing };
        let (before, rest) = (&text[..star], &text[star + 1..]);
        let arrow = rest.windows(2).position(|pair| pair == b"->").filter(|at| at + 2 < rest.len());
        match arrow {
            Some(at) => Pattern::Key { before, behind: &rest[..at], field: Some(&rest[at + 2..]) },
            None => Pattern::Key { before, behind: rest, field: None },
        }
    }

    /// Looks up what `element` names; nothing if it is not there or of another type.
    pub fn look_up<R>(
        &self,
        space: &Space<'_>,
        element: &[u8],
        look: impl FnOnce(Option<Item<'_>>) -> R,
    ) -> R {
        let (before, behind, field) = match *self {
            Pattern::Element => return look(Some(Item::Text(element))),
            Pattern::Nothing => return look(None),
            Pattern::Key { before, behind, field } => (before, behind, field),
        };
        let name = [before, element, behind].concat();
        let Some(live) = space.read(space.key(&name)) else { return look(None) };
        let Some(field) = field else {
            return match text_of(&live) {
                Ok(text) => look(Some(Item::Text(text.bytes(&mut text::Digits::new())))),
                Err(text::WrongType) => look(None),
            };
        };
        let mut look = Some(look);
        let found = look_at::<Hash, _>(&live, |hash| {
            let value = hash.get(field, space.now).map(|pair| pair.value);
            look.take().map(|look| look(value))
        });
        match (found, look) {
            (Ok(Some(Some(answer))), _) => answer,
            (_, Some(look)) => look(None),
            (_, None) => unreachable!("whoever took the closure has its answer"),
        }
    }
}
