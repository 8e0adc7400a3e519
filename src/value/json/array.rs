//! Changes of one array, and what is looked for in one. Indices count from the end if they are negative.

use super::Value;

/// `index` as a place from 0 to `len`, the nearest one if it lies outside.
fn clamped(index: i64, len: usize) -> usize {
    let at = if index < 0 { index.saturating_add_unsigned(len as u64) } else { index };
    usize::try_from(at).unwrap_or(0).min(len)
}

/// Puts copies of `new` before the element at `index`, or behind the last one; false if there is no such place.
pub fn insert(items: &mut Vec<Value>, index: i64, new: &[Value]) -> bool {
    let len = items.len() as i64;
    let at = if index < 0 { index.saturating_add(len) } else { index };
    if !(0..=len).contains(&at) {
        return false;
    }
    items.splice(at as usize..at as usize, new.iter().cloned());
    true
}

/// Takes the element at `index` out, that at the nearer end if it lies outside; none of an empty array.
pub fn pop(items: &mut Vec<Value>, index: i64) -> Option<Value> {
    let last = items.len().checked_sub(1)?;
    let value = items.remove(clamped(index, items.len()).min(last));
    // What pops an array empty element by element gives its room back on the way.
    if items.capacity() > 4 * items.len() + 16 {
        items.shrink_to(2 * items.len());
    }
    Some(value)
}

/// Leaves only the elements from `start` to `stop`, both included; what it takes out.
pub fn trim(items: &mut Vec<Value>, start: i64, stop: i64) -> Vec<Value> {
    let len = items.len();
    let Some(final_place) = len.checked_sub(1) else { return Vec::new() };
    let (begin, last) = (clamped(start, len), clamped(stop, len).min(final_place));
    if begin > last {
        return std::mem::take(items);
    }
    let end = last + 1;
    let mut gone = items.split_off(end);
    gone.extend(items.drain(..begin));
    items.shrink_to_fit();
    gone
}

/// The place of the first element that equals `wanted`, from `start` up to but without `stop`, where 0 means the end. A
/// start behind the last element means the last one, as in RedisJSON.
pub fn index_of(items: &[Value], wanted: &Value, start: i64, stop: i64) -> Option<usize> {
    let len = items.len();
    let begin = clamped(start, len).min(len.saturating_sub(1));
    let end = if stop == 0 { len } else { clamped(stop, len) };
    let searched = items.get(begin..end)?;
    searched.iter().position(|item| item == wanted).map(|at| begin + at)
}
