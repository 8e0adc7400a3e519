//! Changes at places that a path has found. Only what is on the way to a place is touched.
//!
//! Places of a path come outermost first. Changes go through them backwards, so that none of them moves a place that is
//! still to come.

use std::mem;

use super::path::{Last, Path, Place, TooMuch};
use super::{DEPTH_MAX, Parsed, Value, merge};

/// Why a document stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The path passes by too many values.
    TooMuch,
    /// What the path means is not there, and it does not say where that would be.
    NotStatic,
    /// The path's last step is an index that the array does not have.
    OutOfRange,
    /// The document would be nested too deep.
    TooDeep,
}

impl From<TooMuch> for Refused {
    fn from(TooMuch: TooMuch) -> Refused {
        Refused::TooMuch
    }
}

/// Whether JSON.SET sets what is there, or what is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Both.
    Always,
    /// Only what is not there: NX.
    Absent,
    /// Only what is there: XX.
    Present,
}

/// The value at `place`.
pub fn at<'a>(root: &'a mut Value, place: &[u32]) -> Option<&'a mut Value> {
    place.iter().try_fold(root, |value, &at| match value {
        Value::Array(items) => items.get_mut(at as usize),
        Value::Object(object) => object.value_mut(at as usize),
        _ => None,
    })
}

/// Whether something nested `depth` deep may be put at each of `places`.
pub fn fits(places: &[Place], depth: usize) -> Result<(), Refused> {
    let deepest = places.iter().map(|place| place.len() + depth).max().unwrap_or(0);
    if deepest <= DEPTH_MAX { Ok(()) } else { Err(Refused::TooDeep) }
}

/// Puts a value wherever the path leads, or into the parent that the path names; whether it is anywhere now. What that
/// replaces is added to `garbage`.
pub fn set(
    root: &mut Value,
    path: &Path,
    new: Parsed,
    when: When,
    garbage: &mut Vec<Value>,
) -> Result<bool, Refused> {
    let places = path.places(root)?;
    match (&places[..], when) {
        ([], When::Present) | ([_, ..], When::Absent) => Ok(false),
        ([], _) => add(root, path, new),
        ([first, others @ ..], _) => {
            fits(&places, new.depth)?;
            for place in others.iter().rev() {
                replace(root, place, new.value.clone(), garbage);
            }
            replace(root, first, new.value, garbage);
            Ok(true)
        }
    }
}

fn replace(root: &mut Value, place: &[u32], new: Value, garbage: &mut Vec<Value>) {
    if let Some(old) = at(root, place) {
        garbage.push(mem::replace(old, new));
    }
}

/// What [`set`] would refuse.
pub fn check(root: &Value, path: &Path, depth: usize) -> Result<(), Refused> {
    let places = path.places(root)?;
    if places.is_empty() { parent(root, path, depth).map(|_| ()) } else { fits(&places, depth) }
}

/// Makes the member that the path ends with; false if its parent is not there or no object.
fn add(root: &mut Value, path: &Path, new: Parsed) -> Result<bool, Refused> {
    let Some((place, name)) = parent(root, path, new.depth)? else { return Ok(false) };
    match at(root, &place) {
        Some(Value::Object(object)) => {
            object.set(name, new.value);
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// Where the member would be made that the path ends with, and its name; none if there is no parent.
fn parent<'p>(root: &Value, path: &'p Path, depth: usize) -> Result<Option<(Place, &'p str)>, Refused> {
    match path.parent(root).ok_or(Refused::NotStatic)? {
        (_, Last::Index) => Err(Refused::OutOfRange),
        (None, Last::Name(_)) => Ok(None),
        (Some(place), Last::Name(name)) => {
            fits(std::slice::from_ref(&place), depth + 1)?;
            Ok(Some((place, name)))
        }
    }
}

/// Merges a patch into every value that the path means, or makes it the member that the path names; whether it is
/// anywhere now.
pub fn merge_at(
    root: &mut Value,
    path: &Path,
    patch: Parsed,
    garbage: &mut Vec<Value>,
) -> Result<bool, Refused> {
    let places = path.places(root)?;
    if places.is_empty() {
        return add(root, path, patch);
    }
    fits(&places, patch.depth)?;
    for place in places.iter().rev() {
        if let Some(target) = at(root, place) {
            merge(target, &patch.value, garbage);
        }
    }
    Ok(true)
}

/// Takes the values at `places` out, the root not among them; how many. Values inside of others go with them and do not
/// count.
pub fn remove(root: &mut Value, mut places: Vec<Place>, garbage: &mut Vec<Value>) -> usize {
    places.sort_unstable();
    places.dedup();
    // A place sorts behind those that it is inside of, with nothing but such in between.
    places.dedup_by(|place, outer| place.starts_with(outer));
    let mut rest = &places[..];
    while let Some((last, _)) = rest.split_last() {
        let parent = &last[..last.len().saturating_sub(1)];
        let siblings = rest.iter().rev().take_while(|place| is_child(place, parent)).count().max(1);
        let (before, group) = rest.split_at(rest.len() - siblings);
        let children: Vec<usize> =
            group.iter().filter_map(|place| place.last()).map(|at| *at as usize).collect();
        if let Some(parent) = at(root, parent) {
            remove_children(parent, &children, garbage);
        }
        rest = before;
    }
    places.len()
}

fn is_child(place: &[u32], parent: &[u32]) -> bool {
    place.split_last().is_some_and(|(_, before)| before == parent)
}

/// Takes the children at `places` out, which ascend.
fn remove_children(parent: &mut Value, places: &[usize], garbage: &mut Vec<Value>) {
    match (parent, places) {
        (Value::Array(items), [at]) => garbage.extend((*at < items.len()).then(|| items.remove(*at))),
        (Value::Array(items), _) => super::remove_places(items, places),
        (Value::Object(object), [at]) => {
            garbage.extend((*at < object.members().len()).then(|| object.remove(*at)));
        }
        (Value::Object(object), _) => object.remove_all(places),
        _ => {}
    }
}
