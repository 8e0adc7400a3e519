//! Bits of a byte string. Bit 0 is the highest of the first byte; what lies behind the end reads as zero.

/// Bytes that a field of 64 bits can touch.
const WINDOW: usize = 9;

/// The byte that holds bit `offset`.
pub(super) fn byte_of(offset: u64) -> usize {
    (offset / 8) as usize
}

/// One bit.
pub(super) fn get(bytes: &[u8], offset: u64) -> bool {
    bytes.get(byte_of(offset)).is_some_and(|byte| byte & mask(offset) != 0)
}

/// Sets or clears one bit, which must lie within the bytes; returns what it was.
pub(super) fn set(bytes: &mut [u8], offset: u64, on: bool) -> bool {
    let byte = &mut bytes[byte_of(offset)];
    let was = *byte & mask(offset) != 0;
    *byte = if on { *byte | mask(offset) } else { *byte & !mask(offset) };
    was
}

fn mask(offset: u64) -> u8 {
    0x80 >> (offset % 8)
}

/// The bytes that a field at `offset` can touch, at the high end of a number, and how many of them there are.
fn window(bytes: &[u8], offset: u64) -> (u128, usize) {
    let mut room = [0; 16];
    let there = bytes.get(byte_of(offset)..).unwrap_or_default();
    let len = there.len().min(WINDOW);
    room[..len].copy_from_slice(&there[..len]);
    (u128::from_be_bytes(room), len)
}

/// The field of `width` bits, 1 to 64, that begins at bit `offset`.
pub(super) fn get_field(bytes: &[u8], offset: u64, width: u32) -> u64 {
    let (window, _) = window(bytes, offset);
    ((window << (offset % 8)) >> (128 - width)) as u64
}

/// Overwrites the field of `width` bits, 1 to 64, at bit `offset`, which must lie within the bytes, with the low bits
/// of `value`.
pub(super) fn set_field(bytes: &mut [u8], offset: u64, width: u32, value: u64) {
    let (window, len) = window(bytes, offset);
    let up = 128 - width - (offset % 8) as u32;
    let ones = u128::from(u64::MAX >> (64 - width));
    let new = window & !(ones << up) | (u128::from(value) & ones) << up;
    let first = byte_of(offset);
    bytes[first..first + len].copy_from_slice(&new.to_be_bytes()[..len]);
}

/// The first bit from `start` up to but not including `end` that is `bit`. `end` lies within the bytes.
pub(super) fn find(bytes: &[u8], bit: bool, start: u64, end: u64) -> Option<u64> {
    let part = bytes.get(byte_of(start)..end.div_ceil(8) as usize)?;
    let flip = if bit { 0 } else { u8::MAX };
    let (first, rest) = part.split_first()?;
    let base = start - start % 8;
    // The bits before the start must not be found, whatever is looked for.
    let head = (first ^ flip) & (u8::MAX >> (start % 8));
    let found =
        if head != 0 { base + u64::from(head.leading_zeros()) } else { base + 8 + first_one(rest, flip)? };
    (found < end).then_some(found)
}

/// The first set bit of the bytes, each combined with `flip` by exclusive or.
fn first_one(bytes: &[u8], flip: u8) -> Option<u64> {
    const STEP: usize = 32;
    // Whole stretches are compared first: a loop without a way out in it works on several bytes at once.
    let skipped = bytes.chunks_exact(STEP).take_while(|chunk| chunk.iter().all_same(flip)).count() * STEP;
    let at = skipped + bytes[skipped..].iter().position(|&byte| byte != flip)?;
    Some(at as u64 * 8 + u64::from((bytes[at] ^ flip).leading_zeros()))
}

/// A comparison of all items that does not stop early.
trait AllSame {
    fn all_same(self, value: u8) -> bool;
}

impl<'a, I: Iterator<Item = &'a u8>> AllSame for I {
    #[inline]
    fn all_same(self, value: u8) -> bool {
        self.fold(0, |differing, byte| differing | (byte ^ value)) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn fields_are_their_bits(mut bytes: [u8; 20], offset in 0u64..96, width in 1u32..=64, value: u64) {
            let before = bytes;
            let bitwise = |bytes: &[u8]| {
                (0..u64::from(width)).fold(0, |field, i| field << 1 | u64::from(get(bytes, offset + i)))
            };
            prop_assert_eq!(get_field(&bytes, offset, width), bitwise(&bytes));
            set_field(&mut bytes, offset, width, value);
            prop_assert_eq!(bitwise(&bytes), value & (u64::MAX >> (64 - width)));
            for bit in (0..offset).chain(offset + u64::from(width)..160) {
                prop_assert_eq!(get(&bytes, bit), get(&before, bit));
            }
        }

        #[test]
        fn the_first_bit_is_found(
            fill in prop_oneof![Just(0u8), Just(255u8)],
            len in 1usize..200,
            odd in proptest::collection::vec((0usize..200, any::<u8>()), 0..3),
            bit: bool,
            ends in (0u64..1600, 0u64..1600),
        ) {
            let mut bytes = vec![fill; len];
            odd.iter().for_each(|&(at, byte)| bytes[at % len] = byte);
            let end = ends.1.min(len as u64 * 8);
            let expected = (ends.0..end).find(|&at| get(&bytes, at) == bit);
            prop_assert_eq!(find(&bytes, bit, ends.0, end), expected);
        }
    }

    #[test]
    fn what_is_behind_the_end_is_zero() {
        assert!(!get(b"\xff", 8));
        assert_eq!(get_field(b"\xff", 4, 8), 0xf0);
        assert_eq!(get_field(b"\xff", 800, 64), 0);
        assert_eq!(find(b"", true, 0, 0), None);
    }
}
