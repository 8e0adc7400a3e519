//! JSON documents: a compact tree, 16 bytes a value.
//!
//! | file | holds |
//! |---|---|
//! | `text` | strings and names |
//! | `object` | members of an object |
//! | `number` | how numbers compare, and arithmetic |
//! | `parse`, `explain` | text to values, and what is wrong with a text |
//! | `print` | values to text |
//! | `path` | the path language: from its text to the values that a path means |
//! | `edit` | changes at places that a path has found |
//! | `array` | changes of one array |
//! | `merge` | RFC 7396's merge patch |
//! | `half` | rounding to narrow floating point types |
//!
//! No document is nested deeper than [`DEPTH_MAX`], so whatever walks one by recursion is bounded.

pub mod array;
pub mod edit;
mod explain;
pub mod half;
mod merge;
pub mod number;
mod object;
mod parse;
pub mod path;
pub mod print;
#[cfg(all(test, not(sockudo_loom)))]
mod tests;
mod text;

use super::collection::{Any, Collection, Kind};

pub use merge::merge;
pub use object::{Member, Object};
pub use parse::{Parsed, parse};
pub use text::{TEXT_MAX, Text};

/// How deep arrays and objects may be nested.
pub const DEPTH_MAX: usize = 128;

/// Values that [`Collection::heap_bytes`] looks at; what they keep stands for the others.
const SAMPLE: usize = 256;
/// Children of one value that it looks at.
const SAMPLE_CHILDREN: usize = 16;
/// Values at which counting for [`Collection::weight`] stops.
const WEIGHT_MAX: usize = 128;

/// A value.
#[derive(Clone, Debug)]
pub enum Value {
    /// Null.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number that no `i64` holds.
    Unsigned(u64),
    /// Any other number; it is finite.
    Float(f64),
    /// A string.
    Text(Text),
    /// An array.
    Array(Box<Vec<Value>>),
    /// An object.
    Object(Box<Object>),
}

impl Value {
    /// What JSON.TYPE calls it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Int(_) | Value::Unsigned(_) => "integer",
            Value::Float(_) => "number",
            Value::Text(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        }
    }

    /// The array, if it is one.
    pub fn as_array(&self) -> Option<&[Value]> {
        if let Value::Array(items) = self { Some(items) } else { None }
    }

    /// The object, if it is one.
    pub fn as_object(&self) -> Option<&Object> {
        if let Value::Object(object) = self { Some(object) } else { None }
    }

    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        if let Value::Text(text) = self { Some(text.as_str()) } else { None }
    }

    /// Whether it is an array or object that holds nothing.
    pub fn is_empty_container(&self) -> bool {
        match self {
            Value::Array(items) => items.is_empty(),
            Value::Object(object) => object.members().is_empty(),
            _ => false,
        }
    }

    /// The values directly inside, in their order.
    pub fn children(&self) -> impl Iterator<Item = &Value> {
        let (items, members) = match self {
            Value::Array(items) => (&items[..], &[][..]),
            Value::Object(object) => (&[][..], object.members()),
            _ => (&[][..], &[][..]),
        };
        items.iter().chain(members.iter().map(|member| &member.value))
    }

    /// How many values are directly inside.
    pub fn child_count(&self) -> usize {
        match self {
            Value::Array(items) => items.len(),
            Value::Object(object) => object.members().len(),
            _ => 0,
        }
    }

    /// How deep it is nested: 0 for what holds nothing.
    pub fn depth(&self) -> usize {
        match self {
            Value::Array(_) | Value::Object(_) => 1 + self.children().map(Value::depth).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// Bytes of heap that it keeps by itself, without what its children do.
    fn own_bytes(&self) -> usize {
        match self {
            Value::Text(text) => text.heap_bytes(),
            Value::Array(items) => size_of::<Vec<Value>>() + items.capacity() * size_of::<Value>(),
            Value::Object(object) => {
                let names = object.members().iter().take(SAMPLE);
                let sampled = object.members().len().min(SAMPLE);
                let bytes: usize = names.map(|member| member.name.heap_bytes()).sum();
                object.own_bytes() + scaled(bytes, sampled, object.members().len())
            }
            _ => 0,
        }
    }

    /// Bytes that it takes, all of what is inside included.
    pub fn bytes(&self) -> usize {
        size_of::<Value>() + self.inner_bytes()
    }

    fn inner_bytes(&self) -> usize {
        self.own_bytes() + self.children().map(Value::inner_bytes).sum::<usize>()
    }

    /// [`Value::inner_bytes`] after looking at no more than `budget` values.
    fn sampled_bytes(&self, budget: &mut usize) -> usize {
        *budget = budget.saturating_sub(1);
        let (mut sampled, mut bytes) = (0, 0);
        for child in self.children().take(SAMPLE_CHILDREN) {
            if *budget == 0 {
                break;
            }
            bytes += child.sampled_bytes(budget);
            sampled += 1;
        }
        self.own_bytes() + scaled(bytes, sampled, self.child_count())
    }

    /// How many values there are, itself included; counting stops at `max`.
    fn count(&self, max: usize) -> usize {
        let mut count = 1;
        for child in self.children() {
            if count >= max {
                break;
            }
            count += child.count(max - count);
        }
        count
    }
}

/// What `count` things have if the first `sampled` of them have `bytes`.
fn scaled(bytes: usize, sampled: usize, count: usize) -> usize {
    (bytes * count).checked_div(sampled).unwrap_or(0)
}

impl PartialEq for Value {
    /// Numbers are equal if they mean the same, whatever their form.
    fn eq(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(one), Value::Bool(other)) => one == other,
            (Value::Text(one), Value::Text(other)) => one == other,
            (Value::Array(one), Value::Array(other)) => one == other,
            (Value::Object(one), Value::Object(other)) => one == other,
            _ => number::compare(self, other).is_some_and(|order| order.is_eq()),
        }
    }
}

/// Takes the elements at `places` out of a vector; the places ascend.
fn remove_places<T>(items: &mut Vec<T>, places: &[usize]) {
    let (mut at, mut places) = (0, places.iter().copied().peekable());
    items.retain(|_| {
        let gone = places.next_if_eq(&at).is_some();
        at += 1;
        !gone
    });
}

/// A document as a collection: none at all is what an absent key has.
#[derive(Clone, Debug, Default)]
pub struct Json(pub Option<Value>);

/// What readers see.
pub type JsonRef<'a> = &'a Option<Value>;

/// What readers of packed bytes see, of which a document has none.
static NOTHING: Option<Value> = None;

impl Collection for Json {
    const KIND: Kind = Kind::Json;
    type Ref<'a> = JsonRef<'a>;

    fn new() -> Json {
        Json(None)
    }

    /// Nothing: there is no packed form.
    fn from_packed(_form: u8, _bytes: Vec<u8>) -> Json {
        Json(None)
    }

    fn packed(&self) -> Option<(u8, &[u8])> {
        None
    }

    fn view(&self) -> JsonRef<'_> {
        &self.0
    }

    fn view_packed(_form: u8, _bytes: &[u8]) -> JsonRef<'_> {
        &NOTHING
    }

    fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn weight(&self) -> usize {
        self.0.as_ref().map_or(0, |root| root.count(WEIGHT_MAX))
    }

    fn heap_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |root| root.sampled_bytes(&mut { SAMPLE }))
    }

    fn encoding(_view: JsonRef<'_>) -> &'static str {
        "raw"
    }

    fn wrap(self) -> Any {
        Any::Json(self)
    }

    fn of(any: &Any) -> Option<&Json> {
        if let Any::Json(it) = any { Some(it) } else { None }
    }

    fn of_mut(any: &mut Any) -> Option<&mut Json> {
        if let Any::Json(it) = any { Some(it) } else { None }
    }
}
