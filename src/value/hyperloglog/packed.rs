//! The dense layout of the wire: after the header, 16384 registers of 6 bits, each group of four in three bytes,
//! the first register in the lowest bits of the first byte.

use super::header::{HEADER_BYTES, Header};
use super::{MAX_REGISTER, REGISTERS, Registers};

/// Length of a dense sketch: header and registers, 12304 bytes.
pub const DENSE_BYTES: usize = HEADER_BYTES + REGISTERS / 4 * 3;

/// The dense string of `registers`.
pub(super) fn pack(header: Header, registers: &Registers) -> Vec<u8> {
    let mut value = Vec::with_capacity(DENSE_BYTES);
    value.extend_from_slice(&header.to_bytes());
    let (groups, _) = registers.as_bytes().as_chunks::<4>();
    value.extend(groups.iter().flat_map(|&[a, b, c, d]| [a | b << 6, b >> 2 | c << 4, c >> 4 | d << 2]));
    value
}

/// The registers of a dense string, whose header [`Header::parse`] accepted: every bit pattern is a valid sketch.
pub(super) fn unpack(value: &[u8]) -> Registers {
    let mut registers = Registers::new();
    let (groups, _) = value[HEADER_BYTES..].as_chunks::<3>();
    let (out, _) = registers.as_bytes_mut().as_chunks_mut::<4>();
    for (out, &[a, b, c]) in out.iter_mut().zip(groups) {
        *out = [a, a >> 6 | b << 2, b >> 4 | c << 4, c >> 2].map(|register| register & MAX_REGISTER);
    }
    registers
}
