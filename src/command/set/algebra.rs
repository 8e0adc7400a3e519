//! Intersections, unions and differences of sets that are held for reading.
//!
//! Each visits the members of the result once and in place; none copies more than it has to in order to know them
//! again. The visitor says whether to go on.

use crate::value::collection::Collection;
use crate::value::packed::Item;
use crate::value::set::{Limits, Set, SetRef};

/// Sets up to which a union looks into the earlier ones, rather than into a set of what it has seen.
const LOOK_BACK: usize = 3;

/// A set that is looked into often is a table.
const TABLE: Limits = Limits { ints: 0, entries: 0, value: 0 };

/// Which members of several sets are the result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Operation {
    /// Those that are in all.
    Inter,
    /// Those that are in any.
    Union,
    /// Those of the first that are in no other.
    Diff,
}

/// Whether there is anything more to visit.
type GoOn = bool;

impl Operation {
    /// Visits the members of the result of sets that are there or not.
    pub fn visit<'a>(
        self,
        sets: &[Option<SetRef<'a>>],
        limits: &Limits,
        visit: &mut dyn FnMut(Item<'_>) -> GoOn,
    ) {
        match self {
            Operation::Inter => {
                if let Some(mut sets) = sets.iter().copied().collect::<Option<Vec<_>>>() {
                    sets.sort_by_key(|set| set.len());
                    intersect(&sets, visit);
                }
            }
            Operation::Union => {
                let sets: Vec<_> = sets.iter().flatten().copied().collect();
                unite(&sets, limits, visit);
            }
            Operation::Diff => {
                if let Some((Some(first), others)) = sets.split_first() {
                    let others: Vec<_> = others.iter().flatten().copied().collect();
                    subtract(*first, &others, visit);
                }
            }
        }
    }

    /// The empty set to which the result is added when it is stored: as in Redis, an intersection has the form of the
    /// smallest set.
    pub fn result(self, sets: &[Option<SetRef<'_>>]) -> Set {
        let smallest = sets.iter().flatten().min_by_key(|set| set.len());
        match (self, smallest) {
            (Operation::Inter, Some(&smallest)) => Set::like(smallest),
            _ => Set::new(),
        }
    }
}

fn is_in_any(sets: &[SetRef<'_>], member: Item<'_>) -> bool {
    sets.iter().any(|set| set.contains(member))
}

fn intersect(sets: &[SetRef<'_>], visit: &mut dyn FnMut(Item<'_>) -> GoOn) {
    let Some((smallest, others)) = sets.split_first() else { return };
    for member in smallest.iter() {
        if others.iter().all(|set| set.contains(member)) && !visit(member) {
            return;
        }
    }
}

fn unite(sets: &[SetRef<'_>], limits: &Limits, visit: &mut dyn FnMut(Item<'_>) -> GoOn) {
    if sets.len() > 1 && sets.iter().all(|set| matches!(set, SetRef::Ints(_))) {
        // Integers alone come in ascending order, as in Redis.
        let mut all = Set::new();
        sets.iter().flat_map(|set| set.iter()).for_each(|member| _ = all.insert(member, limits));
        all.view().iter().all(visit);
    } else if sets.len() <= LOOK_BACK {
        let new = |(at, set): (usize, &SetRef<'_>), visit: &mut dyn FnMut(Item<'_>) -> GoOn| {
            set.iter().filter(|&member| !is_in_any(&sets[..at], member)).all(visit)
        };
        sets.iter().enumerate().all(|set| new(set, visit));
    } else {
        let mut seen = Set::new();
        let mut members = sets.iter().flat_map(|set| set.iter());
        members.all(|member| !seen.insert(member, &TABLE) || visit(member));
    }
}

fn subtract(first: SetRef<'_>, others: &[SetRef<'_>], visit: &mut dyn FnMut(Item<'_>) -> GoOn) {
    let total: usize = others.iter().map(|set| set.len()).sum();
    // Either each member is looked for in half of the others on average, or all others are joined before.
    if others.len() > 1 && first.len() + total < first.len().saturating_mul(others.len()) / 2 {
        let mut joined = Set::new();
        others.iter().flat_map(|set| set.iter()).for_each(|member| _ = joined.insert(member, &TABLE));
        return subtract(first, &[joined.view()], visit);
    }
    first.iter().filter(|&member| !is_in_any(others, member)).all(visit);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const LIMITS: Limits = Limits { ints: 6, entries: 6, value: 10 };

    fn set(numbers: &BTreeSet<u8>, texts: bool) -> Set {
        let mut set = Set::new();
        for number in numbers {
            let text = if texts && number % 2 == 1 { format!("m{number}") } else { number.to_string() };
            set.insert(Item::Text(text.as_bytes()), &LIMITS);
        }
        set
    }

    fn numbers(visited: &[Vec<u8>]) -> BTreeSet<u8> {
        let number = |text: &Vec<u8>| {
            let digits = text.strip_prefix(b"m").unwrap_or(text);
            std::str::from_utf8(digits).expect("digits").parse().expect("a number")
        };
        visited.iter().map(number).collect()
    }

    proptest! {
        #[test]
        fn results_are_their_definitions(
            all in proptest::collection::vec(proptest::collection::btree_set(0u8..30, 0..20), 1..7),
            texts: bool,
        ) {
            let sets: Vec<Set> = all.iter().map(|numbers| set(numbers, texts)).collect();
            let views: Vec<_> = sets.iter().map(|set| (!set.is_empty()).then(|| set.view())).collect();
            let (first, others) = all.split_first().expect("one at least");
            let expected = [
                (Operation::Inter, others.iter().fold(first.clone(), |a, b| &a & b)),
                (Operation::Union, others.iter().fold(first.clone(), |a, b| &a | b)),
                (Operation::Diff, others.iter().fold(first.clone(), |a, b| &a - b)),
            ];
            for (operation, expected) in expected {
                let mut visited = Vec::new();
                operation.visit(&views, &LIMITS, &mut |member| {
                    visited.push(member.to_vec());
                    true
                });
                prop_assert_eq!(visited.len(), expected.len(), "{:?}", operation);
                prop_assert_eq!(numbers(&visited), expected, "{:?}", operation);
                let mut few = 0;
                operation.visit(&views, &LIMITS, &mut |_| {
                    few += 1;
                    few < 3
                });
                prop_assert_eq!(few, visited.len().min(3));
            }
        }
    }
}
