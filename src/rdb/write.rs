//! Lengths, strings and numbers into bytes.

use super::kind;
use crate::value::lzf;
use crate::value::packed::{Digits, Item};
use crate::value::word::canonical_int;

/// Texts up to this length are never compressed.
const PLAIN_MAX: usize = 20;
/// Bytes that compression has to save.
const LEAST_GAIN: usize = 4;

/// Appends to bytes.
pub struct Writer<'o> {
    out: &'o mut Vec<u8>,
    compress: bool,
    /// What comes between a value's kind and the value: in files, its name.
    key: Option<&'o [u8]>,
    /// Where an older version has a form that says as much, that one is written.
    old: bool,
    /// The first version that reads what was written.
    version: u16,
}

impl<'o> Writer<'o> {
    pub fn new(out: &'o mut Vec<u8>, compress: bool) -> Writer<'o> {
        Writer { out, compress, key: None, old: false, version: kind::FIRST_VERSION }
    }

    /// A writer of one key with its value, in a form that is as old as may be.
    pub fn of_key(out: &'o mut Vec<u8>, compress: bool, key: &'o [u8]) -> Writer<'o> {
        Writer { key: Some(key), old: true, ..Writer::new(out, compress) }
    }

    /// A writer of the same kind to a buffer.
    pub fn to<'b>(&self, out: &'b mut Vec<u8>) -> Writer<'b> {
        Writer { old: self.old, ..Writer::new(out, self.compress) }
    }

    /// Whether an old form is wanted where there is one.
    pub fn wants_old(&self) -> bool {
        self.old
    }

    /// The first version that reads what was written.
    pub fn version(&self) -> u16 {
        self.version
    }

    /// The kind of a value, and the key that it belongs to.
    pub fn kind(&mut self, kind: u8) {
        self.version = self.version.max(kind::version(kind));
        self.byte(kind);
        if let Some(key) = self.key.take() {
            self.text(key);
        }
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub fn byte(&mut self, byte: u8) {
        self.out.push(byte);
    }

    /// A number as lengths are written.
    pub fn number(&mut self, number: u64) {
        match number {
            0..0x40 => self.byte(number as u8),
            0x40..0x4000 => self.bytes(&(number as u16 | 0x4000).to_be_bytes()),
            0x4000..=0xffff_ffff => {
                self.byte(0x80);
                self.bytes(&(number as u32).to_be_bytes());
            }
            _ => {
                self.byte(0x81);
                self.bytes(&number.to_be_bytes());
            }
        }
    }

    pub fn count(&mut self, count: usize) {
        self.number(count as u64);
    }

    /// A string.
    pub fn text(&mut self, text: &[u8]) {
        if let Some(int) = canonical_int(text).and_then(|int| i32::try_from(int).ok()) {
            return self.int(int);
        }
        match self.compressed(text) {
            Some(packed) => {
                self.byte(0xc3);
                self.count(packed.len());
                self.count(text.len());
                self.bytes(&packed);
            }
            None => {
                self.count(text.len());
                self.bytes(text);
            }
        }
    }

    fn compressed(&self, text: &[u8]) -> Option<Vec<u8>> {
        let wanted = self.compress && text.len() > PLAIN_MAX;
        wanted.then(|| lzf::compress(text, text.len() - LEAST_GAIN)).flatten()
    }

    fn int(&mut self, int: i32) {
        let bytes = int.to_le_bytes();
        let (head, width) = match int {
            -0x80..=0x7f => (0xc0, 1),
            -0x8000..=0x7fff => (0xc1, 2),
            _ => (0xc2, 4),
        };
        self.byte(head);
        self.bytes(&bytes[..width]);
    }

    /// A string that an item is.
    pub fn item(&mut self, item: Item<'_>) {
        self.text(item.bytes(&mut Digits::default()));
    }

    /// A score in eight bytes.
    pub fn score(&mut self, score: f64) {
        self.bytes(&score.to_le_bytes());
    }

    /// Unix time in milliseconds.
    pub fn time(&mut self, ms: u64) {
        self.bytes(&ms.to_le_bytes());
    }
}

/// A score as a text that C's `strtod` and Rust read alike, short whatever its magnitude.
pub fn format_score(score: f64) -> String {
    /// Digits, sign and point of a number that is written out.
    const WRITTEN_OUT: usize = 24;
    let text = score.to_string();
    if text.len() <= WRITTEN_OUT { text } else { format!("{score:e}") }
}
