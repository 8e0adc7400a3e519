//! The dense sketch that a keyspace holds.

use super::header::{DIRTY, Encoding, Header, Invalid};
use super::shared::{Raise, Seal, Shared, Snapshot};
use super::{MAX_REGISTER, REGISTERS, Registers, hash, packed};
use crate::sync::{AtomicU64, Ordering};

/// Words of eight registers.
const WORDS: usize = REGISTERS / 8;

/// A sketch whose registers any thread raises and counts without a lock; see `shared.rs` for the protocol. 16 KB.
pub struct Dense {
    shared: Shared<WORDS>,
    /// The last cardinality that was cached. Redis leaves it in the header when it marks it as out of date; so do we.
    /// Nothing but [`Dense::to_redis_bytes`] reads it.
    stale: AtomicU64,
}

impl Dense {
    /// The sketch of no elements.
    #[must_use]
    pub fn new() -> Dense {
        Dense::from_registers(&Registers::new(), DIRTY)
    }

    /// A sketch with these registers and bytes 8 to 15 of a header.
    pub(super) fn from_registers(registers: &Registers, card: u64) -> Dense {
        let (words, _) = registers.as_bytes().as_chunks::<8>();
        let cached = (card & DIRTY == 0).then_some(card);
        let shared = Shared::new(words.iter().map(|word| u64::from_le_bytes(*word)), cached);
        Dense { shared, stale: AtomicU64::new(card & !DIRTY) }
    }

    /// Reads a sketch of either encoding.
    ///
    /// # Errors
    /// [`Invalid::NotHll`] for another string, [`Invalid::Corrupt`] for a sparse sketch whose runs do not add up.
    pub fn from_redis_bytes(value: &[u8]) -> Result<Dense, Invalid> {
        let header = Header::parse(value)?;
        let registers = match header.encoding {
            Encoding::Dense => packed::unpack(value),
            Encoding::Sparse => {
                let mut registers = Registers::new();
                registers.max_with_sparse(value)?;
                registers
            }
        };
        Ok(Dense::from_registers(&registers, header.card))
    }

    /// The string that Redis stores for this sketch, as it stands at one moment of the call: 12304 bytes.
    #[must_use]
    pub fn to_redis_bytes(&self) -> Vec<u8> {
        let snapshot = self.shared.snapshot();
        // Ordering: Relaxed, as only the bytes of an out-of-date cardinality depend on it.
        let card = snapshot.cached.unwrap_or_else(|| self.stale.load(Ordering::Relaxed) | DIRTY);
        packed::pack(Header { encoding: Encoding::Dense, card }, &plain(&snapshot))
    }

    /// All registers as they stand at one moment of the call.
    #[must_use]
    pub fn registers(&self) -> Registers {
        plain(&self.shared.snapshot())
    }

    /// The value of register `index`, which is below 16384.
    #[must_use]
    pub fn register(&self, index: usize) -> u8 {
        self.shared.get(index)
    }

    /// Raises register `index` to `rank`, or to 63 if that is less, unless it is as high already.
    pub fn raise(&self, index: usize, rank: u8) -> Raise {
        self.shared.raise(index, rank.min(MAX_REGISTER))
    }

    /// Adds elements, which others see all together or not at all.
    pub fn raise_all<'e>(&self, elements: impl IntoIterator<Item = &'e [u8]>) -> Raise {
        self.shared.raise_all(elements.into_iter().map(hash))
    }

    /// Makes this the union with `other`, which others see as one step.
    pub fn merge_from(&self, other: &Registers) -> Raise {
        self.shared.raise_all(other.as_bytes().iter().copied().enumerate())
    }

    /// A sketch with other registers and no cached cardinality, whose string keeps this one's out-of-date cardinality
    /// as Redis does: what PFMERGE makes of its destination.
    #[must_use]
    pub fn with_registers(&self, registers: &Registers) -> Dense {
        // Ordering: Relaxed, see `to_redis_bytes`.
        Dense::from_registers(registers, self.stale.load(Ordering::Relaxed) | DIRTY)
    }

    /// The estimated number of distinct elements: the cached one, or one that is computed and, unless elements are
    /// being added meanwhile, cached.
    #[must_use]
    pub fn count(&self) -> u64 {
        if let Some(cached) = self.shared.cached() {
            return cached;
        }
        let snapshot = self.shared.snapshot();
        let cardinality = plain(&snapshot).count();
        self.shared.publish(&snapshot, cardinality);
        // Ordering: Relaxed, see `to_redis_bytes`.
        self.stale.store(cardinality & !DIRTY, Ordering::Relaxed);
        cardinality
    }

    /// Whether the cached cardinality is up to date: a count would not change the header.
    #[must_use]
    pub fn is_cached(&self) -> bool {
        self.shared.cached().is_some()
    }

    /// Refuses all further raises and waits for those at work, so that what is read after this call is final.
    pub fn seal(&self) -> Seal {
        self.shared.seal()
    }

    /// Whether [`Dense::seal`] has been called, if perhaps not yet returned.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.shared.is_sealed()
    }
}

impl Default for Dense {
    fn default() -> Dense {
        Dense::new()
    }
}

impl std::fmt::Debug for Dense {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dense").field("registers", &self.registers()).finish_non_exhaustive()
    }
}

fn plain(snapshot: &Snapshot<WORDS>) -> Registers {
    let mut registers = Registers::new();
    let (out, _) = registers.as_bytes_mut().as_chunks_mut::<8>();
    for (out, word) in out.iter_mut().zip(snapshot.words.iter()) {
        *out = word.to_le_bytes();
    }
    registers
}
