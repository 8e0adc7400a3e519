//! The elements of a key, with their weights, in order.

use std::cmp::Ordering;
use std::ops::Range;

use super::options::{By, Options};
use crate::command::nested::Caller;
use crate::command::{Ctx, error};
use crate::keyspace::WrongType;
use crate::keyspace::collections::look_at;
use crate::protocol::args::parse_f64;
use crate::value::list::List;
use crate::value::packed::{Digits, Item};
use crate::value::set::Set;
use crate::value::zset::ZSet;

const NOT_NUMBERS: &str = "ERR One or more scores can't be converted into double";

/// What an element is sorted by.
enum Weight {
    /// A number.
    Number(f64),
    /// The text of the element itself.
    Own,
    /// Another text, or none.
    Text(Option<Vec<u8>>),
}

struct Element {
    text: Range<usize>,
    weight: Weight,
}

/// Elements in the order that was asked for, and only those.
pub(super) struct Elements {
    /// The texts, one behind the other.
    texts: Vec<u8>,
    elements: Vec<Element>,
    /// The texts are those of a set, which has no order of its own.
    unordered: bool,
}

impl Elements {
    /// The elements of the call's key, sorted and cut.
    pub fn sorted(ctx: &Ctx<'_>, options: &Options<'_>) -> Result<Elements, &'static str> {
        let mut elements = Elements::load(ctx).map_err(|WrongType| error::WRONGTYPE)?;
        let range = options.range(elements.elements.len());
        // A set that is stored, or that a script sees, has to have some order that is the same on every server.
        let alpha = elements.unordered && (options.store.is_some() || ctx.caller == Caller::Script);
        match options.by {
            By::Nothing if !alpha => {
                if options.descending {
                    elements.elements.reverse();
                }
            }
            By::Nothing => elements.sort(&range, options.descending),
            _ => {
                elements.weigh(ctx, options)?;
                elements.sort(&range, options.descending);
            }
        }
        elements.elements.truncate(range.end);
        elements.elements.drain(..range.start);
        Ok(elements)
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    /// The texts of the elements.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.elements.iter().map(|element| &self.texts[element.text.clone()])
    }

    fn push(&mut self, item: Item<'_>) {
        let start = self.texts.len();
        self.texts.extend_from_slice(item.bytes(&mut Digits::default()));
        self.elements.push(Element { text: start..self.texts.len(), weight: Weight::Own });
    }

    /// The elements as the key holds them; those of a sorted set by their scores.
    fn load(ctx: &Ctx<'_>) -> Result<Elements, WrongType> {
        let mut elements = Elements { texts: Vec::new(), elements: Vec::new(), unordered: false };
        let Some(live) = ctx.space.read(ctx.key(1)) else { return Ok(elements) };
        let list = look_at::<List, _>(&live, |list| list.visit(0, list.len(), |item| elements.push(item)));
        if list.is_ok() {
            return Ok(elements);
        }
        let set = look_at::<Set, _>(&live, |set| set.iter().for_each(|item| elements.push(item)));
        if set.is_ok() {
            elements.unordered = true;
            return Ok(elements);
        }
        look_at::<ZSet, _>(&live, |zset| zset.iter().for_each(|(item, _)| elements.push(item)))?;
        Ok(elements)
    }

    fn weigh(&mut self, ctx: &Ctx<'_>, options: &Options<'_>) -> Result<(), &'static str> {
        for element in &mut self.elements {
            let own = &self.texts[element.text.clone()];
            element.weight = match &options.by {
                By::Weights(pattern) => {
                    pattern.look_up(ctx.space, own, |found| weight_of_another(found, options.alpha))?
                }
                _ if options.alpha => Weight::Own,
                _ => Weight::Number(number(own)?),
            };
        }
        Ok(())
    }

    /// Puts the elements in the range in their places; those behind it are in no order.
    fn sort(&mut self, range: &Range<usize>, descending: bool) {
        let texts = &self.texts;
        let order = |a: &Element, b: &Element| {
            let order = compare(texts, a, b);
            // Equals stay in the order in which they came.
            (if descending { order.reverse() } else { order }).then(a.text.start.cmp(&b.text.start))
        };
        if range.end < self.elements.len() {
            self.elements.select_nth_unstable_by(range.end, order);
        }
        self.elements[..range.end].sort_unstable_by(order);
    }
}

/// The weight that an element names; none weighs nothing.
fn weight_of_another(found: Option<Item<'_>>, alpha: bool) -> Result<Weight, &'static str> {
    match found {
        found if alpha => Ok(Weight::Text(found.map(Item::to_vec))),
        None => Ok(Weight::Number(0.0)),
        Some(Item::Int(int)) => Ok(Weight::Number(int as f64)),
        Some(Item::Text(text)) => number(text).map(Weight::Number),
    }
}

/// A number as C's `strtod` reads it: blanks before it do not count, and nothing at all is zero.
fn number(text: &[u8]) -> Result<f64, &'static str> {
    if text.is_empty() {
        return Ok(0.0);
    }
    let blanks = text.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == 0x0b).count();
    parse_f64(&text[blanks..]).ok_or(NOT_NUMBERS)
}

fn compare(texts: &[u8], a: &Element, b: &Element) -> Ordering {
    let own = || texts[a.text.clone()].cmp(&texts[b.text.clone()]);
    match (&a.weight, &b.weight) {
        (Weight::Number(a), Weight::Number(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal).then_with(own),
        (Weight::Text(a), Weight::Text(b)) => a.cmp(b),
        _ => own(),
    }
}
