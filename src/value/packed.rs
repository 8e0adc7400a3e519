//! A run of texts and integers in one piece of memory: what small collections, and pieces of large ones, are made of.
//!
//! Every item begins with one byte that says what follows:
//!
//! ```text
//! 0x00..=0x7f   text of 0 to 127 bytes
//! 0x80..=0xbf   the integer 0 to 63, nothing follows
//! 0xc0..=0xc3   an integer in 1, 2, 4 or 8 bytes, little-endian
//! 0xc4, 0xc5    the length in 2 or 4 bytes, little-endian, and the text
//! ```
//!
//! A text that is the canonical decimal of an `i64` is always held as the integer. There are no back-lengths: items are
//! read from the front, and whoever needs the other end keeps the places himself.

use std::ops::Range;

use super::word::canonical_int;

const INT_SMALL: u8 = 0x80;
const INT_SMALL_MAX: i64 = 63;
const INT_8: u8 = 0xc0;
const INT_16: u8 = 0xc1;
const INT_32: u8 = 0xc2;
const INT_64: u8 = 0xc3;
const TEXT_16: u8 = 0xc4;
const TEXT_32: u8 = 0xc5;
const TEXT_SMALL_MAX: usize = 0x7f;

/// One item of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// Text that is no canonical integer.
    Text(&'a [u8]),
    /// An integer, or the text that spells it.
    Int(i64),
}

/// Room for the digits of an integer.
pub struct Digits(itoa::Buffer);

impl Default for Digits {
    fn default() -> Self {
        Digits(itoa::Buffer::new())
    }
}

impl<'a> Item<'a> {
    /// What `text` is stored as.
    #[inline]
    pub fn of(text: &'a [u8]) -> Item<'a> {
        canonical_int(text).map_or(Item::Text(text), Item::Int)
    }

    /// Its text; the digits of an integer are written to `digits`.
    #[inline]
    pub fn bytes<'b>(self, digits: &'b mut Digits) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Item::Text(text) => text,
            Item::Int(int) => digits.0.format(int).as_bytes(),
        }
    }

    /// The length of its text.
    #[inline]
    pub fn text_len(self) -> usize {
        match self {
            Item::Text(text) => text.len(),
            Item::Int(int) => itoa::Buffer::new().format(int).len(),
        }
    }

    /// Its text in a vector of its own.
    pub fn to_vec(self) -> Vec<u8> {
        self.bytes(&mut Digits::default()).to_vec()
    }

    /// Bytes that it takes in a run.
    #[inline]
    pub fn packed_len(self) -> usize {
        match self {
            Item::Text(text) => match text.len() {
                0..=TEXT_SMALL_MAX => 1 + text.len(),
                0x80..=0xffff => 3 + text.len(),
                _ => 5 + text.len(),
            },
            Item::Int(0..=INT_SMALL_MAX) => 1,
            Item::Int(int) => 1 + int_width(int),
        }
    }

    /// Writes it to `room`, which is as long as [`Item::packed_len`] says.
    #[inline]
    pub fn write(self, room: &mut [u8]) {
        match self {
            Item::Text(text) => write_text(room, text),
            Item::Int(int) => write_int(room, int),
        }
    }

    /// Appends it to a run.
    #[inline]
    pub fn push(self, run: &mut Vec<u8>) {
        match self {
            Item::Text(text) => push_text(run, text),
            Item::Int(int) => push_int(run, int),
        }
    }
}

fn int_width(int: i64) -> usize {
    if i8::try_from(int).is_ok() {
        1
    } else if i16::try_from(int).is_ok() {
        2
    } else if i32::try_from(int).is_ok() {
        4
    } else {
        8
    }
}

#[inline]
fn push_text(run: &mut Vec<u8>, text: &[u8]) {
    run.reserve(text.len() + 5);
    match text.len() {
        len @ 0..=TEXT_SMALL_MAX => run.push(len as u8),
        len @ 0x80..=0xffff => {
            run.push(TEXT_16);
            run.extend_from_slice(&(len as u16).to_le_bytes());
        }
        len => {
            let len = u32::try_from(len).expect("a text is shorter than 4 GB: proto-max-bulk-len");
            run.push(TEXT_32);
            run.extend_from_slice(&len.to_le_bytes());
        }
    }
    run.extend_from_slice(text);
}

fn push_int(run: &mut Vec<u8>, int: i64) {
    if (0..=INT_SMALL_MAX).contains(&int) {
        return run.push(INT_SMALL + int as u8);
    }
    let (head, width) = match int_width(int) {
        1 => (INT_8, 1),
        2 => (INT_16, 2),
        4 => (INT_32, 4),
        _ => (INT_64, 8),
    };
    run.push(head);
    run.extend_from_slice(&int.to_le_bytes()[..width]);
}

#[inline]
fn write_text(room: &mut [u8], text: &[u8]) {
    let (head, body) = room.split_at_mut(room.len() - text.len());
    body.copy_from_slice(text);
    match head {
        [small] => *small = text.len() as u8,
        [kind, low, high] => {
            *kind = TEXT_16;
            [*low, *high] = (text.len() as u16).to_le_bytes();
        }
        wide => {
            wide[0] = TEXT_32;
            wide[1..].copy_from_slice(&(text.len() as u32).to_le_bytes());
        }
    }
}

fn write_int(room: &mut [u8], int: i64) {
    let (kind, body) = room.split_first_mut().expect("an integer takes a byte at least");
    body.copy_from_slice(&int.to_le_bytes()[..body.len()]);
    *kind = match body.len() {
        0 => INT_SMALL + int as u8,
        1 => INT_8,
        2 => INT_16,
        4 => INT_32,
        _ => INT_64,
    };
}

/// The items of a run, from the front.
#[derive(Clone, Copy, Debug)]
pub struct Items<'a> {
    run: &'a [u8],
    at: usize,
}

/// The items of `run`.
#[inline]
pub fn items(run: &[u8]) -> Items<'_> {
    Items { run, at: 0 }
}

impl<'a> Items<'a> {
    /// Goes on at byte `at`, where an item begins.
    pub fn from(run: &'a [u8], at: usize) -> Items<'a> {
        Items { run, at }
    }

    /// Where the next item begins.
    #[inline]
    pub fn position(&self) -> usize {
        self.at
    }

    /// The range of the next item's bytes, header included; moves behind it.
    #[inline]
    pub fn next_range(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        self.at += item_len(&self.run[start..])?;
        Some(start..self.at)
    }
}

/// Bytes of the first item, header included.
#[inline]
fn item_len(run: &[u8]) -> Option<usize> {
    Some(match *run.first()? {
        head @ 0..=0x7f => 1 + usize::from(head),
        INT_SMALL..=0xbf => 1,
        head @ INT_8..=INT_64 => 1 + (1 << (head - INT_8)),
        TEXT_16 => 3 + usize::from(u16::from_le_bytes([run[1], run[2]])),
        _ => 5 + u32::from_le_bytes([run[1], run[2], run[3], run[4]]) as usize,
    })
}

/// The text of the item at byte `at`, if it is a text of the shortest kind: one byte stands in front of it.
#[inline(always)]
pub fn short_text(run: &[u8], at: usize) -> Option<&[u8]> {
    let len = usize::from(*run.get(at)?);
    if len <= TEXT_SMALL_MAX { run.get(at + 1..at + 1 + len) } else { None }
}

/// The item that `bytes` are, as [`Items::next_range`] cuts them.
#[inline]
pub fn item(bytes: &[u8]) -> Item<'_> {
    match bytes[0] {
        0..=0x7f => Item::Text(&bytes[1..]),
        head @ INT_SMALL..=0xbf => Item::Int(i64::from(head - INT_SMALL)),
        INT_8..=INT_64 => Item::Int(little_endian(&bytes[1..])),
        TEXT_16 => Item::Text(&bytes[3..]),
        _ => Item::Text(&bytes[5..]),
    }
}

/// The signed number in these 1, 2, 4 or 8 bytes.
#[inline]
fn little_endian(bytes: &[u8]) -> i64 {
    match *bytes {
        [a] => i64::from(a as i8),
        [a, b] => i64::from(i16::from_le_bytes([a, b])),
        [a, b, c, d] => i64::from(i32::from_le_bytes([a, b, c, d])),
        _ => i64::from_le_bytes(bytes.try_into().expect("eight bytes")),
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        let range = self.next_range()?;
        Some(item(&self.run[range]))
    }
}

/// How many items the run has.
pub fn count(run: &[u8]) -> usize {
    let mut items = items(run);
    std::iter::from_fn(|| items.next_range()).count()
}

/// The range of the first item that equals `wanted` among those at places 0, `step`, 2 * `step` ...
pub fn find(run: &[u8], wanted: Item<'_>, step: usize) -> Option<Range<usize>> {
    let mut items = items(run);
    loop {
        let range = items.next_range()?;
        if item(&run[range.clone()]) == wanted {
            return Some(range);
        }
        for _ in 1..step {
            items.next_range()?;
        }
    }
}

/// Puts `new` in the place of the bytes in `range`; an empty range inserts.
pub fn replace(run: &mut Vec<u8>, range: Range<usize>, new: Item<'_>) {
    let mut bytes = Vec::with_capacity(new.packed_len());
    new.push(&mut bytes);
    run.splice(range, bytes);
}

/// Appends `text`.
#[inline]
pub fn push(run: &mut Vec<u8>, text: &[u8]) {
    Item::of(text).push(run);
}

#[cfg(all(test, not(sockudo_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let text = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..300),
            any::<i64>().prop_map(|int| int.to_string().into_bytes()),
            (-300i64..300).prop_map(|int| int.to_string().into_bytes()),
        ];
        proptest::collection::vec(text, 0..20)
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(texts in texts()) {
            let mut run = Vec::new();
            for text in &texts {
                let before = run.len();
                push(&mut run, text);
                prop_assert_eq!(run.len() - before, Item::of(text).packed_len());
                let mut room = vec![0; run.len() - before];
                Item::of(text).write(&mut room);
                prop_assert_eq!(&room, &run[before..]);
            }
            prop_assert_eq!(count(&run), texts.len());
            let back: Vec<Vec<u8>> = items(&run).map(Item::to_vec).collect();
            prop_assert_eq!(&back, &texts);
            for text in &texts {
                let first = texts.iter().position(|other| other == text).expect("it is there");
                let range = find(&run, Item::of(text), 1).expect("it is there");
                prop_assert_eq!(count(&run[..range.start]), first);
            }
        }

        #[test]
        fn a_replaced_item_leaves_the_others(texts in texts(), new in proptest::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>()) {
            prop_assume!(!texts.is_empty());
            let at = at.index(texts.len());
            let mut run = Vec::new();
            texts.iter().for_each(|text| push(&mut run, text));
            let mut walk = items(&run);
            let range = (0..=at).map(|_| walk.next_range().expect("enough items")).last().expect("one at least");
            replace(&mut run, range, Item::of(&new));
            let mut expected = texts.clone();
            expected[at] = new;
            prop_assert_eq!(items(&run).map(Item::to_vec).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn long_texts_have_wider_lengths() {
        for len in [127, 128, 65_535, 65_536, 100_000] {
            let text = vec![b'x'; len];
            let mut run = Vec::new();
            push(&mut run, &text);
            assert_eq!(run.len(), Item::of(&text).packed_len());
            assert_eq!(items(&run).next(), Some(Item::Text(&text)));
        }
    }
}
