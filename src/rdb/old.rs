//! The packed forms that Redis wrote before listpacks, and arrays of integers, which it still writes.

use super::listpack::little_endian;
use super::{Checked, Corrupt, ensure};
use crate::value::packed::Item;
use crate::value::set::ints::Width;

const END: u8 = 0xff;
/// A length of one byte that says that four bytes of it follow.
const LONG: u8 = 0xfe;

fn four(bytes: &[u8]) -> Checked<(usize, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>().ok_or(Corrupt)?;
    Ok((u32::from_le_bytes(*head) as usize, rest))
}

// -- ziplist ----------------------------------------------------------------------------------------------------

/// Bytes of the size, the last entry's place and the number of entries.
const ZIPLIST_HEAD: usize = 10;

/// The entries of a ziplist. Whoever reads to the end has seen that all of it is whole.
pub struct Ziplist<'a> {
    all: &'a [u8],
    at: usize,
    /// Length of the entry before.
    before: usize,
    /// Where the last entry begins, as the head says.
    tail: usize,
    left: Option<usize>,
    done: bool,
}

/// The entries of `bytes`, whose head is checked: its size, the place of the last entry, the number of entries.
pub fn ziplist(bytes: &[u8]) -> Checked<Ziplist<'_>> {
    let (size, rest) = four(bytes)?;
    let (tail, rest) = four(rest)?;
    let count = u16::from_le_bytes(*rest.first_chunk().ok_or(Corrupt)?);
    ensure(size == bytes.len() && bytes.len() > ZIPLIST_HEAD)?;
    let left = (count != u16::MAX).then_some(count.into());
    Ok(Ziplist { all: bytes, at: ZIPLIST_HEAD, before: 0, tail, left, done: false })
}

impl<'a> Ziplist<'a> {
    fn step(&mut self) -> Checked<Item<'a>> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(1).ok_or(Corrupt)?;
        }
        let bytes = &self.all[self.at..];
        let (before, rest) = match bytes.split_first().ok_or(Corrupt)? {
            (&LONG, rest) => four(rest)?,
            (&END, _) => return Err(Corrupt),
            (&short, rest) => (short.into(), rest),
        };
        ensure(before == self.before)?;
        let (item, length) = ziplist_entry(rest)?;
        self.before = bytes.len() - rest.len() + length;
        self.at += self.before;
        Ok(item)
    }

    /// Whether the head was right about the last entry and their number.
    fn end(&self) -> Checked<()> {
        ensure(self.at + 1 == self.all.len())?;
        ensure(self.tail + self.before == self.at && self.left.is_none_or(|left| left == 0))
    }
}

impl<'a> Iterator for Ziplist<'a> {
    type Item = Checked<Item<'a>>;

    fn next(&mut self) -> Option<Checked<Item<'a>>> {
        if self.done {
            return None;
        }
        if self.all.get(self.at) == Some(&END) {
            self.done = true;
            return self.end().err().map(Err);
        }
        let item = self.step();
        self.done = item.is_err();
        Some(item)
    }
}

/// An entry behind the length of the one before, and its own length.
fn ziplist_entry(bytes: &[u8]) -> Checked<(Item<'_>, usize)> {
    let first = *bytes.first().ok_or(Corrupt)?;
    let text = |head: usize, length: usize| {
        let text = bytes.get(head..).and_then(|rest| rest.get(..length)).ok_or(Corrupt)?;
        Ok((Item::of(text), head + length))
    };
    let int = |width: usize| {
        let bytes = bytes.get(1..=width).ok_or(Corrupt)?;
        Ok((Item::Int(little_endian(bytes)), 1 + width))
    };
    match first {
        0..0x40 => text(1, first.into()),
        0x40..0x80 => {
            let second = usize::from(*bytes.get(1).ok_or(Corrupt)?);
            text(2, usize::from(first & 0x3f) << 8 | second)
        }
        0x80 => {
            let length = bytes.get(1..).and_then(<[u8]>::first_chunk::<4>).ok_or(Corrupt)?;
            text(5, u32::from_be_bytes(*length) as usize)
        }
        0xc0 => int(2),
        0xd0 => int(4),
        0xe0 => int(8),
        0xf0 => int(3),
        0xfe => int(1),
        0xf1..=0xfd => Ok((Item::Int(i64::from(first & 0x0f) - 1), 1)),
        _ => Err(Corrupt),
    }
}

// -- zipmap -----------------------------------------------------------------------------------------------------

/// Names and values of a zipmap, in turn.
pub fn zipmap(bytes: &[u8]) -> Checked<Vec<&[u8]>> {
    let (&count, mut rest) = bytes.split_first().ok_or(Corrupt)?;
    let mut words = Vec::new();
    while rest != [END] {
        let (length, behind) = zipmap_length(rest)?;
        let (name, behind) = behind.split_at_checked(length).ok_or(Corrupt)?;
        let (length, behind) = zipmap_length(behind)?;
        let (&free, behind) = behind.split_first().ok_or(Corrupt)?;
        let (value, behind) = behind.split_at_checked(length).ok_or(Corrupt)?;
        rest = behind.get(free.into()..).ok_or(Corrupt)?;
        words.extend([name, value]);
    }
    ensure(count >= LONG || words.len() == 2 * usize::from(count))?;
    Ok(words)
}

fn zipmap_length(bytes: &[u8]) -> Checked<(usize, &[u8])> {
    match bytes.split_first().ok_or(Corrupt)? {
        (&END, _) => Err(Corrupt),
        (&LONG, rest) => four(rest),
        (&short, rest) => Ok((short.into(), rest)),
    }
}

// -- intset -----------------------------------------------------------------------------------------------------

/// Width and bytes of an array of integers, which are ascending.
pub fn intset(bytes: &[u8]) -> Checked<(Width, &[u8])> {
    let (width, rest) = four(bytes)?;
    let (count, rest) = four(rest)?;
    let width = match width {
        2 => Width::Two,
        4 => Width::Four,
        8 => Width::Eight,
        _ => return Err(Corrupt),
    };
    ensure(count.checked_mul(width.bytes()) == Some(rest.len()))?;
    ensure(rest.chunks_exact(width.bytes()).map(little_endian).is_sorted_by(|one, next| one < next))?;
    Ok((width, rest))
}

#[cfg(all(test, not(sockudo_loom)))]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Checked<Vec<Vec<u8>>> {
        ziplist(bytes)?.map(|item| item.map(Item::to_vec)).collect()
    }

    /// "a", 5, -1, 300, 100000
    const ZIPLIST: &[u8] =
        b"\x1d\0\0\0\x16\0\0\0\x05\0\0\x01a\x03\xf6\x02\xfe\xff\x03\xc0\x2c\x01\x04\xf0\xa0\x86\x01\xff";

    fn sized(bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        bytes[0] = bytes.len() as u8;
        bytes
    }

    #[test]
    fn ziplists_are_read() {
        let bytes = sized(ZIPLIST);
        let expected: Vec<Vec<u8>> =
            ["a", "5", "-1", "300", "100000"].iter().map(|text| text.as_bytes().to_vec()).collect();
        assert_eq!(read(&bytes), Ok(expected));
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length]).is_err(), "{length}");
            assert!(read(&sized_or_empty(&bytes[..length])).is_err(), "{length}");
        }
    }

    fn sized_or_empty(bytes: &[u8]) -> Vec<u8> {
        if bytes.is_empty() { Vec::new() } else { sized(bytes) }
    }

    #[test]
    fn wrong_heads_and_back_lengths_are_found() {
        for at in [0, 4, 8, 10, 13, 15] {
            let mut bytes = sized(ZIPLIST);
            bytes[at] += 1;
            assert!(read(&bytes).is_err(), "{at}");
        }
    }

    #[test]
    fn zipmaps_are_read() {
        let bytes = b"\x02\x01a\x01\x00b\x02cd\x03\x02efg..\xff";
        assert_eq!(zipmap(bytes), Ok(vec![&b"a"[..], b"b", b"cd", b"efg"]));
        assert!((0..bytes.len()).all(|length| zipmap(&bytes[..length]).is_err()));
        assert!(zipmap(b"\x01\x01a\x01\x00b\x02cd\x03\x02efg..\xff").is_err());
    }

    #[test]
    fn arrays_ascend() {
        let array = |ints: &[i16]| {
            let mut bytes = vec![2, 0, 0, 0, ints.len() as u8, 0, 0, 0];
            ints.iter().for_each(|int| bytes.extend_from_slice(&int.to_le_bytes()));
            bytes
        };
        assert_eq!(
            intset(&array(&[-3, 0, 9])).map(|(width, bytes)| (width, bytes.len())),
            Ok((Width::Two, 6))
        );
        assert!(intset(&array(&[1, 1])).is_err() && intset(&array(&[2, 1])).is_err());
        assert!(intset(&array(&[1, 2])[..11]).is_err());
    }
}
