//! The payload of FUNCTION DUMP: a piece of an RDB file.
//!
//! For each library the opcode 245 and its code as an RDB string, then the RDB version in two bytes, and the CRC-64 of
//! everything before, all little endian. Written uncompressed; what is read may be compressed by LZF.

use bytes::Bytes;

use crate::value::crc64::crc64;

const OPCODE: u8 = 245;
/// What Redis 7.0 writes; any of these it and its successors read.
const VERSION: u16 = 10;
const VERSIONS: std::ops::RangeInclusive<u16> = 10..=13;
/// A string compressed by LZF.
const LZF: u8 = 0xc3;
/// Bytes of a library's code at most, whatever a payload claims.
const MOST: usize = 64 << 20;

/// The payload of these codes.
pub(super) fn write<'c>(codes: impl Iterator<Item = &'c [u8]>) -> Vec<u8> {
    let mut payload = Vec::new();
    for code in codes {
        payload.push(OPCODE);
        write_length(code.len(), &mut payload);
        payload.extend_from_slice(code);
    }
    payload.extend_from_slice(&VERSION.to_le_bytes());
    let sum = crc64(0, &payload);
    payload.extend_from_slice(&sum.to_le_bytes());
    payload
}

fn write_length(len: usize, into: &mut Vec<u8>) {
    match len {
        0..=0x3f => into.push(len as u8),
        0x40..=0x3fff => into.extend_from_slice(&(len as u16 | 0x4000).to_be_bytes()),
        _ => {
            into.push(0x80);
            into.extend_from_slice(&(len as u32).to_be_bytes());
        }
    }
}

/// The codes in a payload.
pub(super) fn read(payload: &[u8]) -> Result<Vec<Bytes>, &'static str> {
    const WRONG: &str = "ERR DUMP payload version or checksum are wrong";
    let (signed, sum) = payload.split_last_chunk::<8>().ok_or(WRONG)?;
    let (mut rest, version) = signed.split_last_chunk::<2>().ok_or(WRONG)?;
    let version_fits = VERSIONS.contains(&u16::from_le_bytes(*version));
    if !version_fits || crc64(0, signed) != u64::from_le_bytes(*sum) {
        return Err(WRONG);
    }
    let mut codes = Vec::new();
    while let Some((&opcode, behind)) = rest.split_first() {
        if opcode != OPCODE {
            return Err("ERR given type is not a function");
        }
        rest = behind;
        codes.push(read_string(&mut rest).ok_or("ERR Failed loading library data")?);
    }
    Ok(codes)
}

fn read_string(rest: &mut &[u8]) -> Option<Bytes> {
    if rest.first() == Some(&LZF) {
        *rest = &rest[1..];
        let packed = read_length(rest)?;
        let len = read_length(rest).filter(|len| *len <= MOST)?;
        let packed = take(rest, packed)?;
        return unpack(packed, len).map(Bytes::from);
    }
    let len = read_length(rest)?;
    take(rest, len).map(Bytes::copy_from_slice)
}

fn take<'b>(rest: &mut &'b [u8], count: usize) -> Option<&'b [u8]> {
    let (taken, behind) = rest.split_at_checked(count)?;
    *rest = behind;
    Some(taken)
}

fn read_length(rest: &mut &[u8]) -> Option<usize> {
    let first = take(rest, 1)?[0];
    let number = |bytes: &[u8]| bytes.iter().fold(0usize, |all, byte| all << 8 | usize::from(*byte));
    match first >> 6 {
        0 => Some(usize::from(first & 0x3f)),
        1 => Some(usize::from(first & 0x3f) << 8 | usize::from(take(rest, 1)?[0])),
        2 if first == 0x80 => Some(number(take(rest, 4)?)),
        2 if first == 0x81 => Some(number(take(rest, 8)?)),
        _ => None,
    }
}

/// LZF: runs of plain bytes, and copies of what was written before.
fn unpack(mut packed: &[u8], len: usize) -> Option<Vec<u8>> {
    let mut made = Vec::new();
    while let Some((&control, rest)) = packed.split_first() {
        packed = rest;
        if control < 32 {
            made.extend_from_slice(take(&mut packed, usize::from(control) + 1)?);
        } else {
            let mut count = usize::from(control >> 5);
            if count == 7 {
                count += usize::from(take(&mut packed, 1)?[0]);
            }
            let low = usize::from(take(&mut packed, 1)?[0]);
            let back = (usize::from(control & 31) << 8 | low) + 1;
            let start = made.len().checked_sub(back)?;
            (0..count + 2).for_each(|at| made.push(made[start + at]));
        }
        if made.len() > len {
            return None;
        }
    }
    (made.len() == len).then_some(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let long = vec![b'x'; 70_000];
        let codes = [&b"#!lua name=a\n"[..], &long, &[b'y'; 100]];
        let payload = write(codes.into_iter());
        let read_back = read(&payload).expect("a payload of ours");
        assert_eq!(read_back, codes.map(Bytes::copy_from_slice));
        for at in 0..payload.len().min(64) {
            let mut broken = payload.clone();
            broken[at] ^= 1;
            assert!(read(&broken).is_err(), "byte {at}");
        }
        assert!(read(b"").is_err());
    }

    #[test]
    fn compressed_text_is_unpacked() {
        // "abc" and a copy of six bytes from three back.
        assert_eq!(unpack(&[2, b'a', b'b', b'c', 4 << 5, 2], 9), Some(b"abcabcabc".to_vec()));
        assert_eq!(unpack(&[2, b'a', b'b', b'c', 4 << 5, 3], 9), None, "a copy from before the beginning");
        assert_eq!(unpack(&[2, b'a', b'b'], 3), None);
    }
}
