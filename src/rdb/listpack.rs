//! Listpacks: a head of six bytes (size, number of entries), entries, and a last byte of ones. An entry is a header that
//! says what follows, the integer or text, and the length of both, seven bits a byte, to be read from behind.

use super::{Checked, Corrupt, ensure};
use crate::value::packed::Item;

const HEAD: usize = 6;
const END: u8 = 0xff;
/// What the head says when the number of entries does not fit.
const UNKNOWN_COUNT: u16 = u16::MAX;

/// A listpack that is being written.
pub struct Listpack {
    bytes: Vec<u8>,
    count: usize,
}

impl Listpack {
    pub fn new() -> Listpack {
        Listpack { bytes: vec![0; HEAD], count: 0 }
    }

    /// Bytes so far.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    pub fn count(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Appends an entry. A text that spells an integer becomes one.
    pub fn push(&mut self, item: Item<'_>) {
        let start = self.bytes.len();
        match item {
            Item::Int(int) => self.int(int),
            Item::Text(text) => match Item::of(text) {
                Item::Int(int) => self.int(int),
                Item::Text(text) => self.text(text),
            },
        }
        push_back_length(&mut self.bytes, start);
        self.count += 1;
    }

    fn int(&mut self, int: i64) {
        let bytes = int.to_le_bytes();
        let (head, width) = match int {
            0..=127 => (int as u8, 0),
            -4096..=4095 => {
                let low = (int & 0x1fff) as u16 | 0xc000;
                return self.bytes.extend_from_slice(&low.to_be_bytes());
            }
            -0x8000..=0x7fff => (0xf1, 2),
            -0x80_0000..=0x7f_ffff => (0xf2, 3),
            -0x8000_0000..=0x7fff_ffff => (0xf3, 4),
            _ => (0xf4, 8),
        };
        self.bytes.push(head);
        self.bytes.extend_from_slice(&bytes[..width]);
    }

    fn text(&mut self, text: &[u8]) {
        match text.len() {
            len @ 0..=63 => self.bytes.push(0x80 | len as u8),
            len @ 64..=4095 => self.bytes.extend_from_slice(&(len as u16 | 0xe000).to_be_bytes()),
            len => {
                self.bytes.push(0xf0);
                self.bytes.extend_from_slice(&(len as u32).to_le_bytes());
            }
        }
        self.bytes.extend_from_slice(text);
    }

    /// Appends the entries of another.
    pub fn append(&mut self, other: &Listpack) {
        self.bytes.extend_from_slice(&other.bytes[HEAD..]);
        self.count += other.count;
    }

    /// The whole of it. The caller has kept it below four gigabytes.
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.push(END);
        let size = u32::try_from(self.bytes.len()).expect("a listpack is kept small");
        let count = u16::try_from(self.count).unwrap_or(UNKNOWN_COUNT);
        self.bytes[..4].copy_from_slice(&size.to_le_bytes());
        self.bytes[4..HEAD].copy_from_slice(&count.to_le_bytes());
        self.bytes
    }
}

/// Bytes that the length of an entry takes behind it.
fn back_length_size(length: usize) -> usize {
    match length {
        0..=127 => 1,
        128..=16_382 => 2,
        16_383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    }
}

/// The seven bits of `length` that stand `at` bytes from the end of its back-length of `size` bytes.
fn back_length_byte(length: usize, size: usize, at: usize) -> u8 {
    let bits = (length >> (7 * (size - 1 - at))) as u8 & 0x7f;
    if at == 0 { bits } else { bits | 0x80 }
}

fn push_back_length(bytes: &mut Vec<u8>, start: usize) {
    let length = bytes.len() - start;
    let size = back_length_size(length);
    (0..size).for_each(|at| bytes.push(back_length_byte(length, size, at)));
}

/// The entries of a listpack that is read. Whoever reads to the end has seen that all of it is whole.
pub struct Entries<'a> {
    rest: &'a [u8],
    /// Entries still to come, if the head says so.
    left: Option<usize>,
    done: bool,
}

/// The entries of `bytes`, whose head is checked.
pub fn entries(bytes: &[u8]) -> Checked<Entries<'_>> {
    let (head, rest) = bytes.split_first_chunk::<HEAD>().ok_or(Corrupt)?;
    let [a, b, c, d, count @ ..] = *head;
    ensure(u32::from_le_bytes([a, b, c, d]) as usize == bytes.len())?;
    let count = u16::from_le_bytes(count);
    let left = (count != UNKNOWN_COUNT).then_some(count.into());
    Ok(Entries { rest, left, done: false })
}

impl<'a> Entries<'a> {
    /// The next entry, where there must be one.
    pub fn need(&mut self) -> Checked<Item<'a>> {
        self.next().ok_or(Corrupt)?
    }

    /// The next entry, which must be an integer.
    pub fn need_int(&mut self) -> Checked<i64> {
        match self.need()? {
            Item::Int(int) => Ok(int),
            Item::Text(_) => Err(Corrupt),
        }
    }

    /// The next entry, which must be a number of things each of which is an entry to come.
    pub fn need_count(&mut self) -> Checked<usize> {
        let count = usize::try_from(self.need_int()?).map_err(|_| Corrupt)?;
        ensure(count <= self.rest.len())?;
        Ok(count)
    }

    fn step(&mut self) -> Checked<Item<'a>> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(1).ok_or(Corrupt)?;
        }
        let (item, length) = entry(self.rest)?;
        let size = back_length_size(length);
        let back = self.rest.get(length..length + size).ok_or(Corrupt)?;
        ensure(back.iter().enumerate().all(|(at, &byte)| byte == back_length_byte(length, size, at)))?;
        self.rest = &self.rest[length + size..];
        Ok(item)
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Checked<Item<'a>>;

    fn next(&mut self) -> Option<Checked<Item<'a>>> {
        if self.done {
            return None;
        }
        if self.rest == [END] {
            self.done = true;
            return self.left.is_some_and(|left| left > 0).then_some(Err(Corrupt));
        }
        let item = self.step();
        self.done = item.is_err();
        Some(item)
    }
}

/// The entry at the front and its length without the back-length.
fn entry(bytes: &[u8]) -> Checked<(Item<'_>, usize)> {
    let first = *bytes.first().ok_or(Corrupt)?;
    let second = || bytes.get(1).map(|&byte| usize::from(byte)).ok_or(Corrupt);
    let low = |bits: u8| usize::from(first & bits) << 8;
    match first {
        0..0x80 => Ok((Item::Int(first.into()), 1)),
        0x80..0xc0 => text(bytes, 1, usize::from(first & 0x3f)),
        0xc0..0xe0 => {
            let bits = (low(0x1f) | second()?) as i64;
            Ok((Item::Int(if bits < 4096 { bits } else { bits - 8192 }), 2))
        }
        0xe0..0xf0 => text(bytes, 2, low(0x0f) | second()?),
        0xf0 => {
            let length = bytes.get(1..).and_then(<[u8]>::first_chunk::<4>).ok_or(Corrupt)?;
            text(bytes, 5, u32::from_le_bytes(*length) as usize)
        }
        0xf1 => int(bytes, 2),
        0xf2 => int(bytes, 3),
        0xf3 => int(bytes, 4),
        0xf4 => int(bytes, 8),
        _ => Err(Corrupt),
    }
}

fn text(bytes: &[u8], head: usize, length: usize) -> Checked<(Item<'_>, usize)> {
    let text = bytes.get(head..).and_then(|rest| rest.get(..length)).ok_or(Corrupt)?;
    Ok((Item::of(text), head + length))
}

fn int(bytes: &[u8], width: usize) -> Checked<(Item<'_>, usize)> {
    let bytes = bytes.get(1..=width).ok_or(Corrupt)?;
    Ok((Item::Int(little_endian(bytes)), 1 + width))
}

/// The signed number in up to eight bytes.
pub fn little_endian(bytes: &[u8]) -> i64 {
    let mut wide = [0; 8];
    wide[8 - bytes.len()..].copy_from_slice(bytes);
    // The bytes fill the upper end, so that shifting them down repeats the sign.
    i64::from_le_bytes(wide) >> (64 - 8 * bytes.len())
}

#[cfg(all(test, not(sockudo_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let long = (0usize..40_000).prop_map(|length| vec![b'x'; length]);
        let text = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..100),
            any::<i64>().prop_map(|int| int.to_string().into_bytes()),
            (-70_000i64..70_000).prop_map(|int| int.to_string().into_bytes()),
            (-9_000_000i64..9_000_000).prop_map(|int| int.to_string().into_bytes()),
            long,
        ];
        proptest::collection::vec(text, 0..20)
    }

    fn read(bytes: &[u8]) -> Checked<Vec<Vec<u8>>> {
        entries(bytes)?.map(|item| item.map(Item::to_vec)).collect()
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(texts in texts()) {
            let mut pack = Listpack::new();
            texts.iter().for_each(|text| pack.push(Item::Text(text)));
            prop_assert_eq!(read(&pack.finish()), Ok(texts));
        }

        #[test]
        fn damage_is_found_or_harmless(texts in texts(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let mut pack = Listpack::new();
            texts.iter().for_each(|text| pack.push(Item::Text(text)));
            let mut bytes = pack.finish();
            let at = at.index(bytes.len());
            prop_assert!(read(&bytes[..at]).is_err());
            bytes[at] ^= 1 << bit;
            drop(read(&bytes));
        }
    }

    #[test]
    fn bytes_are_those_of_redis() {
        let mut pack = Listpack::new();
        [&b"1"[..], b"a", b"-1", b"1000000"].into_iter().for_each(|text| pack.push(Item::Text(text)));
        let expected = b"\x16\0\0\0\x04\0\x01\x01\x81a\x02\xdf\xff\x02\xf2\x40\x42\x0f\x04\xff";
        let mut expected = expected.to_vec();
        expected[0] = expected.len() as u8;
        assert_eq!(pack.finish(), expected);
    }
}
