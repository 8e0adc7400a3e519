//! From steps to the values that they mean.

use std::cmp::Ordering;

use regex::Regex;

use super::parse::pattern;
use super::{Comparison, Condition, Operand, Query, Slice, Step};
use crate::value::json::{Value, number};

/// Values that one path may pass by in a document, each as often as it does: a path such as `$..*..*` passes by every
/// value many times.
const VISITS_MAX: usize = if cfg!(test) { 1 << 20 } else { 1 << 24 };

/// The path passes by too many values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMuch;

/// Why a walk ended.
enum Stop {
    Enough,
    TooMuch,
}

type Flow = Result<(), Stop>;

/// Is told of a value and where it is; false ends the walk.
type Found<'f, 'a> = &'f mut dyn FnMut(&'a Value, &[u32]) -> bool;

/// Shows `found` every value that `steps` mean, from `root` on.
pub(super) fn visit<'a>(root: &'a Value, steps: &[Step], found: Found<'_, 'a>) -> Result<(), TooMuch> {
    let mut search = Search { root, visits: 0, trail: Vec::new(), pattern: None };
    match search.walk(root, steps, found) {
        Ok(()) | Err(Stop::Enough) => Ok(()),
        Err(Stop::TooMuch) => Err(TooMuch),
    }
}

/// Whether steps lead to one value at most, whatever the document.
pub(super) fn is_single(steps: &[Step]) -> bool {
    steps.iter().all(|step| matches!(step, Step::Name(_) | Step::Index(_)))
}

/// The place of an index that may count from the end.
fn place(index: i64, len: usize) -> Option<usize> {
    let at = if index < 0 { index.checked_add_unsigned(len as u64)? } else { index };
    usize::try_from(at).ok().filter(|at| *at < len)
}

/// The places of a slice, as RFC 9535 counts them.
fn places(slice: &Slice, len: usize) -> impl Iterator<Item = usize> {
    let last = len as i64;
    let from_begin = |bound: i64| if bound < 0 { bound.saturating_add(last) } else { bound };
    let forward = slice.step > 0;
    let (low, high) = if forward { (0, last) } else { (-1, last - 1) };
    let start = slice.start.map_or(if forward { 0 } else { last - 1 }, from_begin).clamp(low, high);
    let end = slice.end.map_or(if forward { last } else { -1 }, from_begin).clamp(low, high);
    let step = slice.step;
    let goes_on = move |at: &i64| if forward { *at < end } else { *at > end };
    let first = (step != 0).then_some(start);
    std::iter::successors(first, move |at| at.checked_add(step)).take_while(goes_on).map(|at| at as usize)
}

/// The value that single steps lead to.
fn single<'a>(from: &'a Value, steps: &[Step]) -> Option<&'a Value> {
    steps.iter().try_fold(from, |value, step| child(value, step).map(|(_, child)| child))
}

/// The child that a step means which means one at most.
fn child<'a>(value: &'a Value, step: &Step) -> Option<(usize, &'a Value)> {
    match (step, value) {
        (Step::Name(name), Value::Object(object)) => {
            object.find(name).map(|at| (at, &object.members()[at].value))
        }
        (Step::Index(index), Value::Array(items)) => place(*index, items.len()).map(|at| (at, &items[at])),
        _ => None,
    }
}

struct Search<'a> {
    root: &'a Value,
    visits: usize,
    trail: Vec<u32>,
    /// The last pattern that came out of a document.
    pattern: Option<(String, Option<Regex>)>,
}

impl<'a> Search<'a> {
    fn walk(&mut self, value: &'a Value, steps: &[Step], found: Found<'_, 'a>) -> Flow {
        self.visits += 1;
        if self.visits > VISITS_MAX {
            return Err(Stop::TooMuch);
        }
        let Some((step, rest)) = steps.split_first() else {
            return if found(value, &self.trail) { Ok(()) } else { Err(Stop::Enough) };
        };
        match (step, value) {
            (Step::Name(_) | Step::Index(_), _) => match child(value, step) {
                Some((at, child)) => self.enter(at, child, rest, found),
                None => Ok(()),
            },
            (Step::Names(names), Value::Object(object)) => {
                let mut places = names.iter().filter_map(|name| object.find(name));
                places.try_for_each(|at| self.enter(at, &object.members()[at].value, rest, found))
            }
            (Step::Indexes(indexes), Value::Array(items)) => {
                let mut places = indexes.iter().filter_map(|index| place(*index, items.len()));
                places.try_for_each(|at| self.enter(at, &items[at], rest, found))
            }
            (Step::Slice(slice), Value::Array(items)) => {
                places(slice, items.len()).try_for_each(|at| self.enter(at, &items[at], rest, found))
            }
            (Step::Names(_) | Step::Indexes(_) | Step::Slice(_), _) => Ok(()),
            (Step::All, _) => self.each(value, |search, at, child| search.enter(at, child, rest, found)),
            (Step::Filter(condition), _) => self.each(value, |search, at, child| {
                if search.holds(condition, child)? { search.enter(at, child, rest, found) } else { Ok(()) }
            }),
            (Step::Descend, _) => {
                self.walk(value, rest, found)?;
                self.each(value, |search, at, child| search.enter(at, child, steps, found))
            }
        }
    }

    /// Goes on at a child.
    fn enter(&mut self, at: usize, child: &'a Value, steps: &[Step], found: Found<'_, 'a>) -> Flow {
        self.trail.push(at as u32);
        let flow = self.walk(child, steps, found);
        self.trail.pop();
        flow
    }

    fn each(&mut self, value: &'a Value, mut visit: impl FnMut(&mut Self, usize, &'a Value) -> Flow) -> Flow {
        value.children().enumerate().try_for_each(|(at, child)| visit(self, at, child))
    }

    // -- filters ----------------------------------------------------------------------------------------------------

    fn holds(&mut self, condition: &Condition, current: &'a Value) -> Result<bool, Stop> {
        match condition {
            Condition::Any(all) => self.first(all, current, true),
            Condition::All(all) => self.first(all, current, false).map(|failed| !failed),
            Condition::Not(condition) => self.holds(condition, current).map(|holds| !holds),
            Condition::Exists(query) => self.any_of(query, current, &mut |_, _| Ok(true)),
            Condition::Compare(left, comparison, right) => self.compares(left, comparison, right, current),
        }
    }

    /// Whether one of `conditions` is `wanted`.
    fn first(&mut self, conditions: &[Condition], current: &'a Value, wanted: bool) -> Result<bool, Stop> {
        for condition in conditions {
            if self.holds(condition, current)? == wanted {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the comparison holds for any value of the left with any of the right. What is not there differs from
    /// everything.
    fn compares(
        &mut self,
        left: &Operand,
        comparison: &Comparison,
        right: &Operand,
        current: &'a Value,
    ) -> Result<bool, Stop> {
        let mut pairs = 0;
        let holds = self.any(left, current, &mut |search, left| {
            search.any(right, current, &mut |search, right| {
                pairs += 1;
                Ok(search.compare(left, comparison, right))
            })
        })?;
        Ok(holds || (pairs == 0 && matches!(comparison, Comparison::NotEqual)))
    }

    fn any(&mut self, operand: &Operand, current: &'a Value, test: Test<'_, 'a>) -> Result<bool, Stop> {
        match operand {
            Operand::Literal(literal) => test(self, literal),
            Operand::Query(query) => self.any_of(query, current, test),
        }
    }

    /// Whether the test holds for any value of a query.
    fn any_of(&mut self, query: &Query, current: &'a Value, test: Test<'_, 'a>) -> Result<bool, Stop> {
        let from = if query.from_root { self.root } else { current };
        if is_single(&query.steps) {
            return single(from, &query.steps).map_or(Ok(false), |value| test(self, value));
        }
        let trail = std::mem::take(&mut self.trail);
        let mut found = Vec::new();
        let walked = self.walk(from, &query.steps, &mut |value, _| {
            found.push(value);
            true
        });
        self.trail = trail;
        walked?;
        for value in found {
            if test(self, value)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn compare(&mut self, left: &Value, comparison: &Comparison, right: &Value) -> bool {
        let ordered = |wanted: fn(Ordering) -> bool| order(left, right).is_some_and(wanted);
        match comparison {
            Comparison::Equal => left == right,
            Comparison::NotEqual => left != right,
            Comparison::Less => ordered(Ordering::is_lt),
            Comparison::LessOrEqual => ordered(Ordering::is_le),
            Comparison::Greater => ordered(Ordering::is_gt),
            Comparison::GreaterOrEqual => ordered(Ordering::is_ge),
            Comparison::Matches(Some(pattern)) => left.as_str().is_some_and(|text| pattern.is_match(text)),
            Comparison::Matches(None) => match (left.as_str(), right.as_str()) {
                (Some(text), Some(pattern)) => self.matches(text, pattern),
                _ => false,
            },
        }
    }

    /// Whether a pattern that came out of a document is found in a text.
    fn matches(&mut self, text: &str, source: &str) -> bool {
        if self.pattern.as_ref().is_none_or(|(known, _)| known != source) {
            self.pattern = Some((source.to_string(), pattern(source)));
        }
        let ready = self.pattern.as_ref().and_then(|(_, ready)| ready.as_ref());
        ready.is_some_and(|pattern| pattern.is_match(text))
    }
}

/// What is asked of a value that a filter looks at.
type Test<'t, 'a> = &'t mut dyn FnMut(&mut Search<'a>, &Value) -> Result<bool, Stop>;

/// How two values compare that have an order.
fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => Some(left.as_bytes().cmp(right.as_bytes())),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        _ => number::compare(left, right),
    }
}
