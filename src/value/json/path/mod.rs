//! The path language: JSONPath as RedisJSON has it, and the paths of its first version.
//!
//! A path that begins with `$` may mean any number of values. Any other is a *legacy* path, which means its first one; it
//! is the same language with the `$.` left out.
//!
//! ```text
//! $  .name  ["name"]  [0]  [-1]      the root, a member, an element
//! .*  [*]  ["a","b"]  [0,2]          all children, or several
//! [1:9:2]                            a slice: from, up to but without, step
//! ..name  ..*  ..[0]                 here and at any depth below
//! [?(@.a > 1 && @.b == "x")]         the children for which this holds
//! ```

mod parse;
mod search;

use regex::Regex;

use super::Value;
pub use search::TooMuch;

/// Where a value is: the number of a child, of a child of that, and so on.
pub type Place = Box<[u32]>;

/// A path.
#[derive(Debug)]
pub struct Path {
    steps: Vec<Step>,
    legacy: bool,
    /// The path with its `$`.
    full: String,
}

/// One step from a value to others.
#[derive(Debug)]
enum Step {
    /// The member of this name.
    Name(Box<str>),
    /// The members of these names.
    Names(Vec<Box<str>>),
    /// The element at this place, from the end if negative.
    Index(i64),
    /// The elements at these places.
    Indexes(Vec<i64>),
    /// Elements at regular distances.
    Slice(Slice),
    /// All children.
    All,
    /// The value itself and everything inside.
    Descend,
    /// The children for which a condition holds.
    Filter(Box<Condition>),
}

/// Elements at regular distances.
#[derive(Debug)]
struct Slice {
    start: Option<i64>,
    end: Option<i64>,
    step: i64,
}

/// What a filter asks of a child.
#[derive(Debug)]
enum Condition {
    Any(Vec<Condition>),
    All(Vec<Condition>),
    Not(Box<Condition>),
    /// The query finds something.
    Exists(Query),
    Compare(Operand, Comparison, Operand),
}

/// What is compared.
#[derive(Debug)]
enum Operand {
    Literal(Value),
    Query(Query),
}

/// A path inside a filter.
#[derive(Debug)]
struct Query {
    /// It begins at the root rather than at the child in question.
    from_root: bool,
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// The left is a text in which the pattern on the right is found. The pattern of a literal is ready; one that is no
    /// pattern finds nothing.
    Matches(Option<Regex>),
}

/// What the last step of a path without matches would create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last<'p> {
    /// A member of this name.
    Name(&'p str),
    /// An element.
    Index,
}

impl Path {
    /// Reads a path. The error says where it is wrong.
    pub fn parse(text: &str) -> Result<Path, String> {
        let legacy = text != "$" && !text.starts_with("$.") && !text.starts_with("$[");
        let full = match text {
            _ if !legacy => text.to_string(),
            "." => "$".to_string(),
            _ if text.starts_with('.') => format!("${text}"),
            _ => format!("$.{text}"),
        };
        Ok(Path { steps: parse::steps(&full)?, legacy, full })
    }

    /// Whether it means the document.
    pub fn is_root(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether it means one value at most and answers are made for that.
    pub fn is_legacy(&self) -> bool {
        self.legacy
    }

    /// The path with its `$`, as errors show it.
    pub fn full(&self) -> &str {
        &self.full
    }

    /// Every value that the path means, in order.
    pub fn values<'a>(&self, root: &'a Value) -> Result<Vec<&'a Value>, TooMuch> {
        let mut found = Vec::new();
        search::visit(root, &self.steps, &mut |value, _| {
            found.push(value);
            true
        })?;
        Ok(found)
    }

    /// The first value that the path means.
    pub fn first<'a>(&self, root: &'a Value) -> Result<Option<&'a Value>, TooMuch> {
        let mut first = None;
        search::visit(root, &self.steps, &mut |value, _| {
            first = Some(value);
            false
        })?;
        Ok(first)
    }

    /// Where the values are that the path means, in order: a value comes before what is inside.
    pub fn places(&self, root: &Value) -> Result<Vec<Place>, TooMuch> {
        let mut places = Vec::new();
        search::visit(root, &self.steps, &mut |_, trail| {
            places.push(Place::from(trail));
            true
        })?;
        Ok(places)
    }

    /// The parent in which the path's last step would create something, none if it is not there; and what that would be.
    /// Nothing at all if the path could mean several places, or the document.
    pub fn parent(&self, root: &Value) -> Option<(Option<Place>, Last<'_>)> {
        let (last, before) = self.steps.split_last()?;
        let last = match last {
            Step::Name(name) => Last::Name(name),
            Step::Index(_) => Last::Index,
            _ => return None,
        };
        if !search::is_single(before) {
            return None;
        }
        let mut place = None;
        // A path of names and places visits no more values than it has steps.
        let visited = search::visit(root, before, &mut |_, trail| {
            place = Some(Place::from(trail));
            false
        });
        visited.ok().map(|()| (place, last))
    }
}
