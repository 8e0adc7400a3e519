//! Whole RDB files.
//!
//! ```text
//! REDIS0011                                magic and version
//! 250 name value                           facts about the file, any number
//! 245 code                                 a library of functions, any number
//! 254 number                               the database that the following keys are in
//! 251 keys keys-with-deadline              about how many there are
//! 252 ms | 253 s                           the deadline of the next key
//! 248 seconds | 249 frequency              when, or how often, the next key was used
//! kind key value                           a key
//! 255 sum                                  the end, with the CRC-64 of everything before; zero is none
//! ```
//! What is written has the version that its data needs: 10, which Redis 7.0 reads, unless a stream has consumers (11,
//! Redis 7.2) or fields of a hash have deadlines (12, Redis 7.4). The version is known when everything is written, and
//! is then put in its place at the front. Small sets are written element by element for that: there is no other form
//! that 7.0 reads.

pub mod read;
mod skip;
pub mod write;

/// The earliest version that is read.
const OLDEST_READ: u16 = 1;
/// Bytes of magic and version.
pub const MAGIC: usize = 9;
/// Bytes of the sum.
const SUM: usize = 8;
/// The first version with a sum.
const FIRST_SUMMED: u16 = 5;

/// The bytes that begin what is no key.
mod opcode {
    pub const FUNCTION: u8 = 245;
    pub const FUNCTION_EARLY: u8 = 246;
    pub const MODULE_AUX: u8 = 247;
    pub const IDLE: u8 = 248;
    pub const FREQUENCY: u8 = 249;
    pub const AUX: u8 = 250;
    pub const RESIZE: u8 = 251;
    pub const DEADLINE_MS: u8 = 252;
    pub const DEADLINE: u8 = 253;
    pub const SELECT: u8 = 254;
    pub const END: u8 = 255;
    /// Of Redis 8 in cluster mode: a slot's number and sizes.
    pub const SLOT: u8 = 244;
}

/// Of which module a value is: nine letters in 54 bits, and a version.
pub fn module_name(id: u64) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    (0..9).rev().map(|at| char::from(LETTERS[(id >> (10 + 6 * at)) as usize & 63])).collect()
}

#[cfg(test)]
mod tests;
