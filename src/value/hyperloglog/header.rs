//! The 16 bytes that open every sketch.
//!
//! ```text
//! 0..4   "HYLL"
//! 4      encoding: 0 dense, 1 sparse
//! 5..8   reserved, zero
//! 8..16  cached cardinality, little endian; the top bit of byte 15 says that it is out of date
//! ```

use super::DENSE_BYTES;

/// Length of the header in bytes.
pub const HEADER_BYTES: usize = 16;

/// The bit of the cardinality word that marks it as out of date.
pub(super) const DIRTY: u64 = 1 << 63;

const MAGIC: &[u8; 4] = b"HYLL";
const DENSE: u8 = 0;
const SPARSE: u8 = 1;

/// Why a string is not usable as a sketch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// The header is not a sketch's, or not the one that the function takes. Redis answers WRONGTYPE,
    /// "Key is not a valid HyperLogLog string value."
    NotHll,
    /// The header is a sketch's, but its registers do not add up. Redis answers INVALIDOBJ,
    /// "Corrupted HLL object detected".
    Corrupt,
}

/// How the registers of a sketch are laid out in its string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// 6 bits for each register.
    Dense,
    /// Runs of equal registers.
    Sparse,
}

/// The header of a string that passes for a sketch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The layout of what follows.
    pub encoding: Encoding,
    /// Bytes 8 to 15: the cardinality, and the bit that marks it as out of date.
    pub(super) card: u64,
}

impl Header {
    /// Reads the header of `value`. A dense sketch must also have exactly its length; the registers of a sparse one
    /// are not looked at, which is Redis's line between "not a sketch" and "a corrupt one".
    ///
    /// # Errors
    /// [`Invalid::NotHll`], and no other.
    pub fn parse(value: &[u8]) -> Result<Header, Invalid> {
        let header = value.first_chunk::<HEADER_BYTES>().ok_or(Invalid::NotHll)?;
        if &header[..4] != MAGIC {
            return Err(Invalid::NotHll);
        }
        let encoding = match header[4] {
            DENSE if value.len() == DENSE_BYTES => Encoding::Dense,
            SPARSE => Encoding::Sparse,
            _ => return Err(Invalid::NotHll),
        };
        Ok(Header { encoding, card: card_word(header) })
    }

    /// The cached cardinality, unless it is out of date.
    #[must_use]
    pub fn cached(&self) -> Option<u64> {
        (self.card & DIRTY == 0).then_some(self.card)
    }

    /// A copy of the sketch `value`, which is at least a header long, that remembers its cardinality.
    #[must_use]
    pub fn remember(value: &[u8], cardinality: u64) -> Vec<u8> {
        let mut value = value.to_vec();
        value[HEADER_BYTES - 8..HEADER_BYTES].copy_from_slice(&(cardinality & !DIRTY).to_le_bytes());
        value
    }

    pub(super) fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        header[..4].copy_from_slice(MAGIC);
        header[4] = match self.encoding {
            Encoding::Dense => DENSE,
            Encoding::Sparse => SPARSE,
        };
        header[8..].copy_from_slice(&self.card.to_le_bytes());
        header
    }
}

/// Bytes 8 to 15 as a number.
fn card_word(header: &[u8; HEADER_BYTES]) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&header[8..]);
    u64::from_le_bytes(word)
}

/// Marks the cached cardinality of `value` as out of date. `value` is at least a header long.
pub(super) fn invalidate(value: &mut [u8]) {
    value[HEADER_BYTES - 1] |= 0x80;
}
