//! Sets of integers: a sorted array, each integer in as many bytes as the widest that was ever in it needs.

use crate::value::collection::PACKED_WORD_MAX;

/// Bytes of each integer of an array. Arrays never become narrower, as in Redis.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Width {
    /// `i16`.
    Two,
    /// `i32`.
    Four,
    /// `i64`.
    Eight,
}

impl Width {
    /// The least width that holds `int`.
    pub fn of(int: i64) -> Width {
        if i16::try_from(int).is_ok() {
            Width::Two
        } else if i32::try_from(int).is_ok() {
            Width::Four
        } else {
            Width::Eight
        }
    }

    /// The number of bytes.
    #[inline]
    pub fn bytes(self) -> usize {
        match self {
            Width::Two => 2,
            Width::Four => 4,
            Width::Eight => 8,
        }
    }

    /// The form of packed bytes: 1 to 3.
    pub fn form(self) -> u8 {
        1 + self as u8
    }

    /// The width of a form.
    pub fn of_form(form: u8) -> Width {
        match form {
            1 => Width::Two,
            2 => Width::Four,
            _ => Width::Eight,
        }
    }
}

/// A sorted array that is read.
#[derive(Clone, Copy, Debug)]
pub struct IntsRef<'a> {
    width: Width,
    bytes: &'a [u8],
}

impl<'a> IntsRef<'a> {
    /// The array of these little-endian bytes.
    pub fn new(width: Width, bytes: &'a [u8]) -> IntsRef<'a> {
        IntsRef { width, bytes }
    }

    /// How many integers there are.
    #[inline]
    pub fn len(self) -> usize {
        self.bytes.len() / self.width.bytes()
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }

    /// The integer at `index`, which is less than the length.
    #[inline]
    pub fn get(self, index: usize) -> i64 {
        fn at<const N: usize>(bytes: &[u8], index: usize) -> [u8; N] {
            bytes.as_chunks::<N>().0[index]
        }
        match self.width {
            Width::Two => i16::from_le_bytes(at(self.bytes, index)).into(),
            Width::Four => i32::from_le_bytes(at(self.bytes, index)).into(),
            Width::Eight => i64::from_le_bytes(at(self.bytes, index)),
        }
    }

    /// Where `int` is, or where it would be.
    pub fn search(self, int: i64) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.get(middle).cmp(&int) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Ok(middle),
            }
        }
        Err(low)
    }
}

/// A sorted array.
#[derive(Clone, Debug)]
pub struct Ints {
    width: Width,
    bytes: Vec<u8>,
}

impl Default for Ints {
    /// An empty one.
    fn default() -> Ints {
        Ints { width: Width::Two, bytes: Vec::new() }
    }
}

impl Ints {
    /// The array of these sorted little-endian bytes.
    pub fn from_bytes(width: Width, bytes: Vec<u8>) -> Ints {
        Ints { width, bytes }
    }

    /// The width of the integers.
    pub fn width(&self) -> Width {
        self.width
    }

    /// The integers, little-endian, in ascending order.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes of heap.
    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// The array to be read.
    #[inline]
    pub fn view(&self) -> IntsRef<'_> {
        IntsRef { width: self.width, bytes: &self.bytes }
    }

    /// Adds `int`; whether it is new.
    pub fn insert(&mut self, int: i64) -> bool {
        if Width::of(int) > self.width {
            self.widen(Width::of(int));
        }
        let Err(index) = self.view().search(int) else { return false };
        let (at, width) = (index * self.width.bytes(), self.width.bytes());
        self.bytes.splice(at..at, int.to_le_bytes()[..width].iter().copied());
        true
    }

    /// Takes `int` out; whether it was there.
    pub fn remove(&mut self, int: i64) -> bool {
        let found = self.view().search(int);
        if let Ok(index) = found {
            self.remove_at(index);
        }
        found.is_ok()
    }

    /// Takes out the integer at `index`, which is less than the length.
    pub fn remove_at(&mut self, index: usize) -> i64 {
        let (int, width) = (self.view().get(index), self.width.bytes());
        self.bytes.drain(index * width..(index + 1) * width);
        int
    }

    fn widen(&mut self, width: Width) {
        let old = self.view();
        let mut bytes = Vec::with_capacity(((old.len() + 1) * width.bytes()).max(PACKED_WORD_MAX));
        for index in 0..old.len() {
            bytes.extend_from_slice(&old.get(index).to_le_bytes()[..width.bytes()]);
        }
        *self = Ints { width, bytes };
    }
}

#[cfg(all(test, not(sockudo_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn int() -> impl Strategy<Value = i64> {
        prop_oneof![-9i64..9, -40_000i64..40_000, any::<i32>().prop_map(i64::from), any::<i64>()]
    }

    proptest! {
        #[test]
        fn an_array_is_a_sorted_set(steps in proptest::collection::vec((any::<bool>(), int()), 0..200)) {
            let (mut ints, mut model) = (Ints::default(), BTreeSet::new());
            for (add, int) in steps {
                if add {
                    prop_assert_eq!(ints.insert(int), model.insert(int));
                } else {
                    prop_assert_eq!(ints.remove(int), model.remove(&int));
                }
                prop_assert_eq!(ints.view().search(int).is_ok(), model.contains(&int));
            }
            let view = ints.view();
            let all: Vec<i64> = (0..view.len()).map(|index| view.get(index)).collect();
            prop_assert_eq!(all, model.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_widest_decides() {
        let mut ints = Ints::default();
        for (int, width) in [(1, 2), (-32_768, 2), (32_768, 4), (2, 4), (1 << 31, 8), (i64::MIN, 8)] {
            assert!(ints.insert(int));
            assert_eq!(ints.width().bytes(), width);
        }
        assert!(ints.remove(i64::MIN) && ints.remove(1 << 31));
        assert_eq!((ints.width().bytes(), ints.bytes().len()), (8, 32));
    }
}
