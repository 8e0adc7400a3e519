//! Entry ids: a time in milliseconds and a number within it.

/// The id of an entry. Ids of a stream only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Unix time in milliseconds, or whatever number the user chose.
    pub ms: u64,
    /// Tells entries of one `ms` apart.
    pub seq: u64,
}

impl Id {
    /// Below every entry: no entry has it.
    pub const MIN: Id = Id { ms: 0, seq: 0 };
    /// The last id that an entry can have.
    pub const MAX: Id = Id { ms: u64::MAX, seq: u64::MAX };

    /// The id of these parts.
    pub const fn new(ms: u64, seq: u64) -> Id {
        Id { ms, seq }
    }

    /// The next greater id; none after [`Id::MAX`].
    pub fn next(self) -> Option<Id> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(Id { seq, ..self }),
            None => self.ms.checked_add(1).map(|ms| Id { ms, seq: 0 }),
        }
    }

    /// The next smaller id; none before [`Id::MIN`].
    pub fn previous(self) -> Option<Id> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(Id { seq, ..self }),
            None => self.ms.checked_sub(1).map(|ms| Id { ms, seq: u64::MAX }),
        }
    }
}

#[cfg(all(test, not(sockudo_loom)))]
mod tests {
    use super::Id;

    #[test]
    fn neighbours_carry_and_end() {
        assert_eq!(Id::new(1, 2).next(), Some(Id::new(1, 3)));
        assert_eq!(Id::new(1, u64::MAX).next(), Some(Id::new(2, 0)));
        assert_eq!(Id::MAX.next(), None);
        assert_eq!(Id::new(2, 0).previous(), Some(Id::new(1, u64::MAX)));
        assert_eq!(Id::MIN.previous(), None);
        assert!(Id::new(1, 5) < Id::new(2, 0));
    }
}
