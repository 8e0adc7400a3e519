//! The 64-bit word that a slot holds: a value in place, a tagged pointer to one, or `DEAD`.
//!
//! ```text
//! bits  63..48        47..3            2..0
//! INT   61-bit signed integer            1     decimal text that Redis would hold as an integer
//! SHORT seven bytes (63..8), length (5..3) 2   text of up to 7 bytes
//! RAW   length        pointer/8          3     text of 8..=65535 bytes in an allocation of exactly that size
//! RAWX  length        pointer/8          4     the same behind an 8-byte expire-at
//! INTX  0             pointer/8          5     expire-at and integer, 16 bytes
//! PACK  see below     pointer/8          6     a small collection: packed bytes, behind an expire-at if there is one
//! NODE  kind          pointer/8          0     a node with a header: see `node`
//! DEAD  0             0                  7     the slot's key is gone for good
//! ```
//!
//! The upper bits of a PACK: bit 63 says that the allocation begins with an 8-byte expire-at, 62..60 are the collection's
//! kind, 59..58 its form, 57..48 the number of packed bytes.
//!
//! Everything but a NODE is immutable once published, so that a compare-and-swap of the word is a whole update. The
//! length in the pointer's unused upper bits is what lets a 64-byte value take a 64-byte block.

use std::alloc::{Layout, handle_alloc_error};
use std::ptr::NonNull;

use super::collection::Kind;
use super::node::{self, Node, NodeKind};
use crate::sync::heap::{self, alloc, dealloc};

const TAG: u64 = 0b111;
const NODE: u64 = 0;
const INT: u64 = 1;
const SHORT: u64 = 2;
const RAW: u64 = 3;
const RAWX: u64 = 4;
const INTX: u64 = 5;
const PACK: u64 = 6;
const DEAD: u64 = 7;

const POINTER: u64 = 0x0000_ffff_ffff_fff8;
const UPPER_SHIFT: u32 = 48;
const EXPIRE_BYTES: usize = 8;

const PACK_DEADLINE: u64 = 1 << 63;
const PACK_KIND_SHIFT: u32 = 60;
const PACK_FORM_SHIFT: u32 = 58;
const PACK_LEN: usize = 0x3ff;
const _: () = assert!(super::collection::PACKED_WORD_MAX <= PACK_LEN);

/// The longest text that lives in the word itself.
pub const SHORT_MAX: usize = 7;
/// The longest text that a tagged pointer describes; longer ones get a node.
pub const RAW_MAX: usize = u16::MAX as usize;
const INT_MIN: i64 = -(1 << 60);
const INT_MAX: i64 = (1 << 60) - 1;

/// Unix time in milliseconds at which a key ends; `NO_EXPIRY` for never.
pub type ExpireAt = u64;
/// The deadline of a key that has none.
pub const NO_EXPIRY: ExpireAt = 0;

/// A slot's word, by value. Copying it does not copy or own what it points to: see [`OwnedWord`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Word(u64);

/// What a word says, with borrows that live as long as the epoch guard it was read under.
#[derive(Clone, Copy, Debug)]
pub enum View<'g> {
    /// An integer.
    Int(i64),
    /// Text inside the word.
    Short(Short),
    /// Text in its own allocation.
    Raw(&'g [u8]),
    /// A small collection.
    Packed(PackedView<'g>),
    /// A node.
    Node(&'g Node),
}

/// A small collection as its word says it.
#[derive(Clone, Copy, Debug)]
pub struct PackedView<'g> {
    /// The collection's type.
    pub kind: Kind,
    /// What the bytes mean to the type.
    pub form: u8,
    /// The packed bytes; never none.
    pub bytes: &'g [u8],
}

/// Up to seven bytes of text, copied out of a word.
#[derive(Clone, Copy, Debug)]
pub struct Short {
    bytes: [u8; 8],
    len: u8,
}

impl Short {
    /// The text.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl Word {
    /// The final word of every slot.
    pub const DEAD: Word = Word(DEAD);

    /// The word as it stands in an atomic.
    #[inline]
    pub fn to_bits(self) -> u64 {
        self.0
    }

    /// A word read from an atomic that holds only words.
    #[inline]
    pub fn from_bits(bits: u64) -> Word {
        Word(bits)
    }

    /// Whether this is [`Word::DEAD`].
    #[inline]
    pub fn is_dead(self) -> bool {
        self.0 == DEAD
    }

    /// Whether this word points to a node, whose content changes in place.
    #[inline]
    pub fn is_node(self) -> bool {
        self.0 & TAG == NODE
    }

    /// Whether this word points to a collection that has outgrown its word.
    #[inline]
    pub fn is_large_collection(self) -> bool {
        self.is_node() && self.0 >> UPPER_SHIFT >= u64::from(node::COLLECTIONS)
    }

    /// The address to prefetch before the value is read, if it is not in the word.
    #[inline]
    pub fn pointee(self) -> Option<*const u8> {
        match self.0 & TAG {
            INT | SHORT | DEAD => None,
            _ => Some(self.pointer().cast_const()),
        }
    }

    #[inline]
    fn touch(self) {
        if let Some(pointee) = self.pointee() {
            heap::touch(pointee);
        }
    }

    #[inline]
    fn pointer(self) -> *mut u8 {
        std::ptr::with_exposed_provenance_mut((self.0 & POINTER) as usize)
    }

    #[inline]
    fn upper(self) -> usize {
        (self.0 >> UPPER_SHIFT) as usize
    }

    /// The deadline of the value.
    ///
    /// # Safety
    /// The word was read from a slot under an epoch guard that is still held, or is owned.
    #[inline]
    pub unsafe fn expire_at(self) -> ExpireAt {
        self.touch();
        match self.0 & TAG {
            // SAFETY: both layouts begin with the expire-at, and the caller keeps the allocation alive.
            RAWX | INTX => unsafe { self.pointer().cast::<u64>().read() },
            // SAFETY: a NODE word points to a live node header for as long as the caller's guard is held.
            NODE => unsafe { self.node() }.expire_at(),
            // SAFETY: with this bit the allocation begins with the expire-at.
            PACK if self.0 & PACK_DEADLINE != 0 => unsafe { self.pointer().cast::<u64>().read() },
            _ => NO_EXPIRY,
        }
    }

    /// What the word says. `DEAD` must not be viewed.
    ///
    /// # Safety
    /// As for [`Word::expire_at`], for all of `'g`.
    #[inline]
    pub unsafe fn view<'g>(self) -> View<'g> {
        self.touch();
        match self.0 & TAG {
            INT => View::Int(self.0 as i64 >> 3),
            SHORT => View::Short(self.short()),
            // SAFETY: RAW words carry the exact length of their live allocation.
            RAW => View::Raw(unsafe { std::slice::from_raw_parts(self.pointer(), self.upper()) }),
            RAWX => {
                // SAFETY: a RAWX allocation is eight bytes of deadline followed by `upper()` bytes of text.
                View::Raw(unsafe {
                    std::slice::from_raw_parts(self.pointer().add(EXPIRE_BYTES), self.upper())
                })
            }
            // SAFETY: an INTX allocation is a deadline and an integer.
            INTX => View::Int(unsafe { self.pointer().cast::<i64>().add(1).read() }),
            // SAFETY: the caller's guard keeps the node alive.
            NODE => View::Node(unsafe { self.node() }),
            // SAFETY: passed on to the caller.
            PACK => View::Packed(unsafe { self.packed() }),
            _ => unreachable!("a dead word has no value"),
        }
    }

    /// Bytes of a PACK allocation before the packed bytes.
    #[inline]
    fn pack_head(self) -> usize {
        if self.0 & PACK_DEADLINE != 0 { EXPIRE_BYTES } else { 0 }
    }

    #[inline]
    fn pack_len(self) -> usize {
        self.upper() & PACK_LEN
    }

    /// The collection of a PACK word.
    ///
    /// # Safety
    /// As for [`Word::expire_at`].
    #[inline]
    unsafe fn packed<'g>(self) -> PackedView<'g> {
        // SAFETY: the word carries the exact lengths of its live allocation.
        let bytes =
            unsafe { std::slice::from_raw_parts(self.pointer().add(self.pack_head()), self.pack_len()) };
        PackedView {
            kind: Kind::from_bits((self.0 >> PACK_KIND_SHIFT) as u8 & 7),
            form: (self.0 >> PACK_FORM_SHIFT) as u8 & 3,
            bytes,
        }
    }

    #[inline]
    fn short(self) -> Short {
        Short { bytes: (self.0 >> 8).to_le_bytes(), len: (self.0 >> 3 & 7) as u8 }
    }

    /// The node behind a NODE word.
    ///
    /// # Safety
    /// [`Word::is_node`] holds, and the word is live as for [`Word::expire_at`].
    #[inline]
    pub unsafe fn node<'g>(self) -> &'g Node {
        debug_assert!(self.is_node());
        heap::touch(self.pointer());
        // SAFETY: NODE words are made only by `OwnedWord::from_node`, from a live box.
        unsafe { &*self.pointer().cast::<Node>() }
    }

    /// Frees what the word points to.
    ///
    /// # Safety
    /// The caller is its only owner: it unlinked the word and no reader can still hold it.
    pub unsafe fn free(self) {
        match self.0 & TAG {
            // SAFETY: the layout is the one that `allocate` was called with; ownership is the caller's promise.
            RAW => unsafe { dealloc(self.pointer(), layout(self.upper())) },
            // SAFETY: as above, with the deadline in front.
            RAWX => unsafe { dealloc(self.pointer(), layout(EXPIRE_BYTES + self.upper())) },
            // SAFETY: as above.
            INTX => unsafe { dealloc(self.pointer(), layout(2 * EXPIRE_BYTES)) },
            // SAFETY: as above.
            PACK => unsafe { dealloc(self.pointer(), layout(self.pack_head() + self.pack_len())) },
            // SAFETY: the pointer was leaked by `from_node`.
            NODE => unsafe { heap::free_leaked(self.pointer().cast::<Node>()) },
            _ => {}
        }
    }

    /// Bytes of heap behind the word, as asked of the allocator.
    ///
    /// # Safety
    /// As for [`Word::expire_at`].
    pub unsafe fn heap_bytes(self) -> usize {
        match self.0 & TAG {
            RAW => self.upper(),
            RAWX => EXPIRE_BYTES + self.upper(),
            INTX => 2 * EXPIRE_BYTES,
            PACK => self.pack_head() + self.pack_len(),
            // SAFETY: passed on to the caller.
            NODE => unsafe { self.node() }.heap_bytes(),
            _ => 0,
        }
    }

    /// Whether freeing the value could take so long that a worker should not do it.
    ///
    /// # Safety
    /// As for [`Word::expire_at`].
    pub unsafe fn is_large(self) -> bool {
        // SAFETY: passed on to the caller.
        self.is_node() && unsafe { self.node() }.is_large()
    }
}

/// A word that owns its allocation until it is published in a slot.
#[derive(Debug)]
#[must_use]
pub struct OwnedWord(Word);

// SAFETY: the pointee is exclusively owned and made of Send data.
unsafe impl Send for OwnedWord {}

impl Drop for OwnedWord {
    fn drop(&mut self) {
        // SAFETY: an OwnedWord is the only owner by construction.
        unsafe { self.0.free() }
    }
}

impl OwnedWord {
    /// The word for `text`, as an integer when Redis would hold it as one.
    #[inline]
    pub fn from_text(text: &[u8], expire_at: ExpireAt) -> OwnedWord {
        match canonical_int(text) {
            Some(int) => Self::from_int(int, expire_at),
            None => Self::from_bytes(text, expire_at),
        }
    }

    /// The word for an integer.
    #[inline]
    pub fn from_int(int: i64, expire_at: ExpireAt) -> OwnedWord {
        if expire_at != NO_EXPIRY {
            return Self::int_with_expiry(int, expire_at);
        }
        if (INT_MIN..=INT_MAX).contains(&int) {
            return OwnedWord(Word((int as u64) << 3 | INT));
        }
        Self::from_bytes(itoa::Buffer::new().format(int).as_bytes(), expire_at)
    }

    /// The word for bytes that are not an integer (or are to stay text).
    #[inline]
    pub fn from_bytes(text: &[u8], expire_at: ExpireAt) -> OwnedWord {
        if text.len() <= SHORT_MAX && expire_at == NO_EXPIRY {
            return OwnedWord(short_word(text));
        }
        if text.len() > RAW_MAX {
            return Self::from_node(Node::new(NodeKind::Text(node::Text::from_slice(text)), expire_at));
        }
        Self::allocated(text, expire_at)
    }

    /// The word for a small collection: `bytes` are at least one and at most `PACKED_WORD_MAX`.
    pub fn from_packed(kind: Kind, form: u8, bytes: &[u8], expire_at: ExpireAt) -> OwnedWord {
        assert!((1..=PACK_LEN).contains(&bytes.len()) && form < 4);
        let (block, head) = block_of(bytes, expire_at);
        let upper = (kind as u64) << PACK_KIND_SHIFT
            | u64::from(form) << PACK_FORM_SHIFT
            | (bytes.len() as u64) << UPPER_SHIFT;
        let deadline = if head == 0 { 0 } else { PACK_DEADLINE };
        OwnedWord(Word(deadline | upper | address(block) | PACK))
    }

    fn allocated(text: &[u8], expire_at: ExpireAt) -> OwnedWord {
        let (block, head) = block_of(text, expire_at);
        let tag = if head == 0 { RAW } else { RAWX };
        OwnedWord(Word((text.len() as u64) << UPPER_SHIFT | address(block) | tag))
    }

    fn int_with_expiry(int: i64, expire_at: ExpireAt) -> OwnedWord {
        let block = allocate(2 * EXPIRE_BYTES);
        // SAFETY: the block has 16 bytes, is aligned to eight and unshared.
        unsafe {
            block.cast::<u64>().write(expire_at);
            block.cast::<i64>().add(1).write(int);
        }
        OwnedWord(Word(address(block) | INTX))
    }

    /// The word for a node, which the word then owns.
    pub fn from_node(node: Node) -> OwnedWord {
        let kind = u64::from(node.kind_id());
        let block = heap::leak(Box::new(node)).cast::<u8>();
        OwnedWord(Word(kind << UPPER_SHIFT | address(block) | NODE))
    }

    /// The word to publish; the caller now owns the allocation.
    #[inline]
    pub fn into_word(self) -> Word {
        let word = self.0;
        std::mem::forget(self);
        word
    }

    /// The word, still owned here.
    #[inline]
    pub fn word(&self) -> Word {
        self.0
    }

    /// Takes back a word that was not published.
    ///
    /// # Safety
    /// `word` came from [`OwnedWord::into_word`] and nobody else owns it.
    pub unsafe fn from_word(word: Word) -> OwnedWord {
        OwnedWord(word)
    }
}

#[inline]
fn short_word(text: &[u8]) -> Word {
    debug_assert!(text.len() <= SHORT_MAX);
    Word(short_bytes(text) << 8 | (text.len() as u64) << 3 | SHORT)
}

/// Up to seven bytes as a little-endian number. Loads that overlap take the place of a copy of variable length, which
/// would be a call.
#[inline]
fn short_bytes(text: &[u8]) -> u64 {
    let len = text.len();
    if let (Some(low), Some(high)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        let high = u64::from(u32::from_le_bytes(*high)) << (8 * (len - 4));
        return u64::from(u32::from_le_bytes(*low)) | high;
    }
    match *text {
        [] => 0,
        [a] => u64::from(a),
        [a, .., c] => {
            u64::from(a) | u64::from(text[len / 2]) << (8 * (len / 2)) | u64::from(c) << (8 * (len - 1))
        }
    }
}

/// The integer that `text` spells, if printing it gives the same text back.
#[inline]
pub fn canonical_int(text: &[u8]) -> Option<i64> {
    let first = *text.first()?;
    if text.len() > 20 || !(first.is_ascii_digit() || first == b'-') {
        return None;
    }
    let (negative, digits) = if first == b'-' { (true, &text[1..]) } else { (false, text) };
    match digits {
        [] | [b'0', _, ..] => return None,
        [b'0'] if negative => return None,
        _ => {}
    }
    let mut value: i64 = 0;
    for &d in digits {
        let d = d.wrapping_sub(b'0');
        if d > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_sub(i64::from(d))?;
    }
    if negative { Some(value) } else { value.checked_neg() }
}

/// A block with these bytes behind their deadline, if there is one, and where they begin in it.
#[inline]
fn block_of(bytes: &[u8], expire_at: ExpireAt) -> (NonNull<u8>, usize) {
    let head = if expire_at == NO_EXPIRY { 0 } else { EXPIRE_BYTES };
    let block = allocate(head + bytes.len());
    // SAFETY: the block has room for `head + bytes.len()` bytes and is unshared; `head` is 0 or 8.
    unsafe {
        if head != 0 {
            block.cast::<u64>().write(expire_at);
        }
        block.add(head).copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len());
    }
    (block, head)
}

#[inline]
fn layout(size: usize) -> Layout {
    // SAFETY: sizes are at most RAW_MAX plus a deadline, and eight is a power of two.
    unsafe { Layout::from_size_align_unchecked(size, 8) }
}

#[inline]
fn allocate(size: usize) -> NonNull<u8> {
    debug_assert!(size > 0);
    // SAFETY: the size is not zero.
    let block = unsafe { alloc(layout(size)) };
    NonNull::new(block).unwrap_or_else(|| handle_alloc_error(layout(size)))
}

/// The address bits of a block, after the check that they fit their field.
#[inline]
fn address(block: NonNull<u8>) -> u64 {
    let bits = block.as_ptr().expose_provenance() as u64;
    assert!(bits & !POINTER == 0, "the allocator returned an address beyond 48 bits");
    bits
}

#[cfg(all(test, not(sockudo_loom)))]
mod tests {
    use super::*;

    fn text(word: &OwnedWord) -> Vec<u8> {
        // SAFETY: the word is owned by the test.
        match unsafe { word.word().view() } {
            View::Int(int) => int.to_string().into_bytes(),
            View::Short(short) => short.as_slice().to_vec(),
            View::Raw(bytes) => bytes.to_vec(),
            View::Node(node) => node.as_text().expect("text").load().to_vec(),
            View::Packed(packed) => packed.bytes.to_vec(),
        }
    }

    #[test]
    fn packed_words_read_back() {
        let bytes: Vec<u8> = (0..=255).cycle().take(PACK_LEN).collect();
        for len in [1, 2, 100, 512, PACK_LEN] {
            for kind in [Kind::List, Kind::Hash, Kind::Set, Kind::ZSet, Kind::Stream, Kind::Json] {
                for (form, expire_at) in [(0, NO_EXPIRY), (3, 7), (1, u64::MAX)] {
                    let word = OwnedWord::from_packed(kind, form, &bytes[..len], expire_at);
                    // SAFETY: the word is owned by the test.
                    let (view, deadline) = unsafe { (word.word().view(), word.word().expire_at()) };
                    let View::Packed(packed) = view else { panic!("a packed word") };
                    assert_eq!((packed.kind, packed.form, packed.bytes), (kind, form, &bytes[..len]));
                    assert_eq!(deadline, expire_at);
                }
            }
        }
    }

    #[test]
    fn every_length_and_deadline_reads_back() {
        for len in [0, 1, 3, 7, 8, 9, 16, 64, 255, 256, 4096, RAW_MAX, RAW_MAX + 1, 1 << 20] {
            for expire_at in [NO_EXPIRY, 1, u64::MAX] {
                let bytes: Vec<u8> = (0..len).map(|i| b'a' + (i % 26) as u8).collect();
                let word = OwnedWord::from_text(&bytes, expire_at);
                assert_eq!(text(&word), bytes);
                // SAFETY: the word is owned by the test.
                assert_eq!(unsafe { word.word().expire_at() }, expire_at);
            }
        }
    }

    #[test]
    fn integers_of_every_size_read_back() {
        for int in [0, 1, -1, 9, 10, INT_MAX, INT_MIN, INT_MAX + 1, INT_MIN - 1, i64::MAX, i64::MIN] {
            for expire_at in [NO_EXPIRY, 7] {
                let word = OwnedWord::from_text(int.to_string().as_bytes(), expire_at);
                assert_eq!(text(&word), int.to_string().into_bytes());
            }
        }
    }

    #[test]
    fn only_canonical_decimals_are_integers() {
        for (text, int) in [("0", Some(0)), ("-1", Some(-1)), ("9223372036854775807", Some(i64::MAX))] {
            assert_eq!(canonical_int(text.as_bytes()), int);
        }
        assert_eq!(canonical_int(b"-9223372036854775808"), Some(i64::MIN));
        for text in
            ["", "-", "-0", "00", "01", "+1", " 1", "1 ", "1a", "9223372036854775808", "-9223372036854775809"]
        {
            assert_eq!(canonical_int(text.as_bytes()), None, "{text}");
        }
    }
}
