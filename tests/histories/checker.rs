//! A linearizability checker: the search of Wing and Gong, with Lowe's memory of the states that it has been in.
//!
//! A history is a set of calls with the times of their beginning and end. It is linearizable if they can be put in an
//! order in which each stands before all that began after its end, and in which a model of one client at a time gives
//! every call the reply that it got. The search extends an order call by call; a set of calls that led to a state once
//! is not tried again in another order.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What the calls run on, one after the other.
pub trait Model: Clone + Hash {
    /// What was called, with the reply.
    type Call;

    /// Runs the call; whether the reply is the one that this state gives.
    fn step(&mut self, call: &Self::Call) -> bool;
}

/// A call with its times, in any unit.
pub struct Timed<C> {
    pub begin: u64,
    pub end: u64,
    pub call: C,
}

/// A point of the search: which calls can be next, and what they find.
struct Point<M> {
    state: M,
    candidates: Vec<usize>,
    tried: usize,
}

/// The longest order that was found, if it does not have all calls: their numbers in the order of their beginnings.
pub fn check<M: Model>(first: M, history: &mut [Timed<M::Call>]) -> Result<(), Vec<usize>> {
    history.sort_by_key(|timed| timed.begin);
    let mut done = vec![false; history.len()];
    let (mut order, mut longest) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    let mut points = vec![point(first, history, &done)];
    while let Some(top) = points.last_mut() {
        if order.len() == history.len() {
            return Ok(());
        }
        let Some(&next) = top.candidates.get(top.tried) else {
            points.pop();
            if let Some(undone) = order.pop() {
                done[undone] = false;
            }
            continue;
        };
        top.tried += 1;
        let mut state = top.state.clone();
        if !state.step(&history[next].call) {
            continue;
        }
        done[next] = true;
        if !seen.insert(digest(&done, &state)) {
            done[next] = false;
            continue;
        }
        order.push(next);
        if order.len() > longest.len() {
            longest.clone_from(&order);
        }
        points.push(point(state, history, &done));
    }
    Err(longest)
}

/// The calls that may be next: those that began before any other that is left ended.
fn point<M: Model>(state: M, history: &[Timed<M::Call>], done: &[bool]) -> Point<M> {
    let mut candidates = Vec::new();
    let mut first_end = u64::MAX;
    for at in (0..history.len()).filter(|&at| !done[at]) {
        if history[at].begin > first_end {
            break;
        }
        first_end = first_end.min(history[at].end);
        candidates.push(at);
    }
    candidates.retain(|&at| history[at].begin <= first_end);
    Point { state, candidates, tried: 0 }
}

/// Stands for the set of calls and the state that they led to.
fn digest<M: Model>(done: &[bool], state: &M) -> (u64, u64) {
    // All calls before the first that is left are done, and only few behind it.
    let first = done.iter().position(|done| !done).unwrap_or(done.len());
    let last = done.iter().rposition(|&done| done).unwrap_or(0);
    let mut set = DefaultHasher::new();
    first.hash(&mut set);
    done.get(first..=last).unwrap_or_default().hash(&mut set);
    let mut value = DefaultHasher::new();
    state.hash(&mut value);
    (set.finish(), value.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A register: writes, reads and what they returned.
    #[derive(Clone, Hash)]
    struct Register(i32);

    #[derive(Clone, Copy)]
    enum Op {
        Write(i32),
        Read(i32),
    }

    impl Model for Register {
        type Call = Op;

        fn step(&mut self, call: &Op) -> bool {
            match *call {
                Op::Write(value) => self.0 = value,
                Op::Read(value) => return self.0 == value,
            }
            true
        }
    }

    fn is_linearizable(calls: &[(u64, u64, Op)]) -> bool {
        let mut history: Vec<_> =
            calls.iter().map(|&(begin, end, call)| Timed { begin, end, call }).collect();
        check(Register(0), &mut history).is_ok()
    }

    use Op::{Read, Write};

    #[test]
    fn good_histories_pass() {
        assert!(is_linearizable(&[]));
        assert!(is_linearizable(&[(0, 1, Write(1)), (2, 3, Read(1))]));
        // A write that lasts is seen by some, and not by others that began earlier.
        assert!(is_linearizable(&[(0, 10, Write(1)), (1, 2, Read(0)), (3, 4, Read(1)), (5, 6, Read(1))]));
        // Two writes that overlap happen in the order that the reads say.
        assert!(is_linearizable(&[(0, 9, Write(1)), (0, 9, Write(2)), (1, 2, Read(2)), (3, 4, Read(1))]));
    }

    #[test]
    fn wrong_histories_fail() {
        // A read of what nobody wrote, and a stale one.
        assert!(!is_linearizable(&[(0, 1, Read(7))]));
        assert!(!is_linearizable(&[(0, 1, Write(1)), (2, 3, Read(0))]));
        // New, then old again.
        assert!(!is_linearizable(&[(0, 10, Write(1)), (1, 2, Read(1)), (3, 4, Read(0))]));
        // Two readers that disagree about the order of two writes.
        assert!(!is_linearizable(&[
            (0, 1, Write(1)),
            (0, 1, Write(2)),
            (2, 3, Read(1)),
            (4, 5, Read(2)),
            (6, 7, Read(1)),
        ]));
        // A write that is lost.
        assert!(!is_linearizable(&[(0, 1, Write(1)), (2, 3, Write(2)), (4, 5, Read(1))]));
    }

    #[test]
    fn a_failure_tells_how_far_it_came() {
        let calls = [(0, 1, Write(1)), (2, 3, Read(1)), (4, 5, Read(0))];
        let mut history: Vec<_> =
            calls.iter().map(|&(begin, end, call)| Timed { begin, end, call }).collect();
        assert_eq!(check(Register(0), &mut history), Err(vec![0, 1]));
    }

    #[test]
    fn many_calls_at_once_are_no_burden() {
        // Fourteen reads and writes that all overlap: without a memory of states the search would not end.
        let mut calls: Vec<_> = (0..7).map(|i| (0, 100, Write(i % 2))).collect();
        calls.extend((0..7).map(|i| (0, 100, Read(i % 2))));
        calls.push((101, 102, Read(7)));
        assert!(!is_linearizable(&calls));
    }
}
