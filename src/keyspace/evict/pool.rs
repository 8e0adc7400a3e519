//! The best candidates of the samples so far.
//!
//! Each sample is small; keeping the best of all samples makes the choice about as good as one of a sample that is many
//! times larger (Redis's pool, since its version 3.0). A candidate is an address: it costs nothing to keep, and says
//! nothing about whether the key is still there. Whoever takes it looks.

/// Candidates that are kept.
const SIZE: usize = 16;

/// A key that may be the next to go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Candidate {
    /// How much it deserved it when it was sampled.
    pub(super) score: u64,
    /// Its database.
    pub(super) db: usize,
    /// Its hash.
    pub(super) hash: u64,
    /// Where its entry was.
    pub(super) address: usize,
}

/// Candidates in ascending order of their scores.
#[derive(Debug, Default)]
pub(super) struct Pool {
    sorted: Vec<Candidate>,
}

impl Pool {
    /// Whether a key of this score would be kept.
    pub(super) fn wants(&self, score: u64) -> bool {
        self.sorted.len() < SIZE || self.sorted.first().is_some_and(|least| least.score < score)
    }

    /// Adds a candidate, at the expense of the worst if there are many. One that is known gets its new score.
    pub(super) fn add(&mut self, new: Candidate) {
        let known = |old: &Candidate| old.address == new.address && old.db == new.db;
        if let Some(at) = self.sorted.iter().position(known) {
            self.sorted.remove(at);
        } else if self.sorted.len() == SIZE {
            self.sorted.remove(0);
        }
        let at = self.sorted.partition_point(|old| old.score <= new.score);
        self.sorted.insert(at, new);
    }

    /// Takes the candidate that deserves it most.
    pub(super) fn take(&mut self) -> Option<Candidate> {
        self.sorted.pop()
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.sorted.clear();
    }
}

#[cfg(all(test, not(sockudo_loom)))]
mod tests {
    use super::*;

    fn candidate(score: u64) -> Candidate {
        Candidate { score, db: 0, hash: score, address: score as usize }
    }

    #[test]
    fn the_best_stay_and_come_out_first() {
        let mut pool = Pool::default();
        for score in (0..100).map(|i| i * 37 % 100) {
            if pool.wants(score) {
                pool.add(candidate(score));
            }
        }
        assert!(!pool.wants(84) && pool.wants(85));
        let taken: Vec<u64> = std::iter::from_fn(|| pool.take()).map(|taken| taken.score).collect();
        assert_eq!(taken, (84..100).rev().collect::<Vec<_>>());
    }

    #[test]
    fn a_key_is_a_candidate_once() {
        let mut pool = Pool::default();
        pool.add(candidate(5));
        pool.add(Candidate { score: 9, ..candidate(5) });
        assert_eq!(pool.take().map(|taken| taken.score), Some(9));
        assert_eq!(pool.take(), None);
    }
}
