//! HyperLogLog: counts distinct elements in 12 KB with a standard error of 0.81%.
//!
//! A sketch has 16384 registers. An element's hash names a register and a rank; the register keeps the largest rank
//! it was given. Hash, layouts and estimator are those of Redis, so that a sketch moves between the two servers as
//! a string.
//!
//! ```text
//! hash      element -> (register, rank)          MurmurHash64A
//! header    the 16 bytes that open every sketch  "HYLL", encoding, cached cardinality
//! sparse    functions over a run-length encoded byte string: small sketches stay plain strings
//! packed    16384 registers of 6 bits: the dense layout of the wire
//! registers plain registers of one byte, for unions and conversions
//! shared    the same registers as atomics, with the protocol for counting, batches and sealing
//! dense     `Dense`, the value that a keyspace holds: `shared` with the wire's layouts around it
//! estimate  histogram of registers -> cardinality
//! ```
//!
//! Sources: Flajolet, Fusy, Gandouet and Meunier, "HyperLogLog: the analysis of a near-optimal cardinality
//! estimation algorithm" (2007); Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches"
//! (2017); Redis's published description of its two representations.

mod dense;
mod estimate;
mod hash;
mod header;
mod packed;
mod registers;
mod self_test;
pub mod shared;
pub mod sparse;
mod sparse_edit;

#[cfg(all(test, not(sockudo_loom)))]
mod golden_tests;
#[cfg(all(test, not(sockudo_loom)))]
mod property_tests;

pub use dense::Dense;
pub use hash::hash;
pub use header::{Encoding, HEADER_BYTES, Header, Invalid};
pub use packed::DENSE_BYTES;
pub use registers::Registers;
pub use self_test::self_test;
pub use shared::{Raise, Seal};

/// Registers of a sketch: the low 14 bits of a hash choose one.
pub const REGISTERS: usize = 1 << INDEX_BITS;

/// Bits of a hash that choose the register.
const INDEX_BITS: u32 = 14;

/// Bits of a hash that are left for the rank.
const RANK_BITS: u32 = u64::BITS - INDEX_BITS;

/// The largest value that six bits hold. No hash has a rank above 51, but a string from a client may hold more.
const MAX_REGISTER: u8 = 63;
