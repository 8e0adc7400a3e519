//! Plain registers: unions, conversions and counts outside the keyspace.

use super::estimate::{self, Histogram};
use super::sparse::{self, Run};
use super::{Dense, Encoding, Header, Invalid, MAX_REGISTER, REGISTERS, packed};

/// One byte for each register of a sketch.
#[derive(Clone, PartialEq, Eq)]
pub struct Registers(Box<[u8; REGISTERS]>);

impl Registers {
    /// All zero: the empty sketch.
    #[must_use]
    pub fn new() -> Registers {
        Registers(Box::new([0; REGISTERS]))
    }

    /// Each register's value, 0 to 63.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; REGISTERS] {
        &self.0
    }

    pub(super) fn as_bytes_mut(&mut self) -> &mut [u8; REGISTERS] {
        &mut self.0
    }

    /// Raises one register to `rank`, if it is lower; says whether it was.
    pub(super) fn raise(&mut self, index: usize, rank: u8) -> bool {
        let register = &mut self.0[index];
        let raised = *register < rank;
        *register = rank.max(*register);
        raised
    }

    /// Makes this the union with `other`.
    pub fn max_with_registers(&mut self, other: &Registers) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0.iter()) {
            *mine = (*mine).max(*theirs);
        }
    }

    /// Makes this the union with `other`, as it stands at one moment of the call.
    pub fn max_with(&mut self, other: &Dense) {
        self.max_with_registers(&other.registers());
    }

    /// Makes this the union with a sparse sketch. Nothing changes when it is not valid.
    ///
    /// # Errors
    /// [`Invalid`] as of [`sparse::count`].
    pub fn max_with_sparse(&mut self, value: &[u8]) -> Result<(), Invalid> {
        for (start, run) in sparse::positioned(sparse::runs(value)?) {
            if let Run::Value { rank, .. } = run {
                self.0[start..start + run.len()]
                    .iter_mut()
                    .for_each(|register| *register = rank.max(*register));
            }
        }
        Ok(())
    }

    /// Makes this the union with the sketch in a string of either encoding. Nothing changes when it is not valid.
    ///
    /// # Errors
    /// [`Invalid::NotHll`] for another string, [`Invalid::Corrupt`] for a sparse sketch whose runs do not add up.
    pub fn max_with_string(&mut self, value: &[u8]) -> Result<(), Invalid> {
        match Header::parse(value)?.encoding {
            Encoding::Sparse => self.max_with_sparse(value),
            Encoding::Dense => {
                self.max_with_registers(&packed::unpack(value));
                Ok(())
            }
        }
    }

    /// The estimated number of distinct elements.
    #[must_use]
    pub fn count(&self) -> u64 {
        estimate::cardinality(&self.histogram())
    }

    /// Four tables, so that equal neighbours, which are common, do not wait for each other's increments.
    fn histogram(&self) -> Histogram {
        let mut tables = [[0u32; MAX_REGISTER as usize + 1]; 4];
        let (groups, _) = self.0.as_chunks::<4>();
        for group in groups {
            for (table, &register) in tables.iter_mut().zip(group) {
                table[usize::from(register & MAX_REGISTER)] += 1;
            }
        }
        let [a, b, c, d] = tables;
        std::array::from_fn(|value| a[value] + b[value] + c[value] + d[value])
    }
}

impl Default for Registers {
    fn default() -> Registers {
        Registers::new()
    }
}

impl std::fmt::Debug for Registers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let set = self.0.iter().filter(|register| **register > 0).count();
        write!(f, "Registers({set} of {REGISTERS} set)")
    }
}
