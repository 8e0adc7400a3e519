//! LZF, the compression of Redis: inner chunks of lists, and long strings in snapshots.
//!
//! The format is Marc Lehmann's (liblzf). A control byte begins each piece:
//!
//! ```text
//! 000lllll            lllll + 1 literal bytes follow
//! lllddddd dddddddd   lll + 2 bytes (lll is 1 to 6) from ddddddddddddd + 1 bytes back
//! 111ddddd llllllll dddddddd   llllllll + 9 bytes from that far back
//! ```
//!
//! Both directions work within bounds that the caller gives, whatever the input is.

/// Bits of the table of recent places: positions of three-byte sequences, by hash.
const TABLE_BITS: u32 = 13;
/// A copy starts at most so many bytes back.
const MAX_DISTANCE: usize = 1 << 13;
/// Bytes of the longest copy.
const MAX_COPY: usize = 264;
/// Literal bytes of one piece.
const MAX_LITERALS: usize = 32;
/// Copies shorter than this gain nothing.
const MIN_COPY: usize = 3;

/// Compresses `input` into at most `most` bytes; none if it does not fit.
pub fn compress(input: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut packer = Packer { out: Vec::with_capacity(most.min(input.len())), most };
    let mut table = [0u32; 1 << TABLE_BITS];
    let (mut at, mut literals) = (0, 0);
    while at + MIN_COPY <= input.len() {
        let slot = &mut table[slot_of(&input[at..])];
        // Places are counted from one, so that zero is an empty slot.
        let before = (*slot as usize).checked_sub(1);
        *slot = u32::try_from(at + 1).ok()?;
        match before.and_then(|from| copy_length(input, from, at)) {
            Some((distance, length)) => {
                packer.literals(&input[literals..at])?;
                packer.copy(distance, length)?;
                at += length;
                literals = at;
            }
            None => at += 1,
        }
    }
    packer.literals(&input[literals..])?;
    Some(packer.out)
}

/// Where the table remembers the first three bytes.
fn slot_of(bytes: &[u8]) -> usize {
    let three = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]);
    (three.wrapping_mul(0x9e37_79b1) >> (32 - TABLE_BITS)) as usize
}

/// How far back `from` is of `at`, and how many bytes are the same there, if it is near enough and they are enough.
fn copy_length(input: &[u8], from: usize, at: usize) -> Option<(usize, usize)> {
    let distance = at - from;
    if distance > MAX_DISTANCE {
        return None;
    }
    let most = MAX_COPY.min(input.len() - at);
    let same = (0..most).take_while(|&i| input[from + i] == input[at + i]).count();
    (same >= MIN_COPY).then_some((distance, same))
}

/// The output and its bound.
struct Packer {
    out: Vec<u8>,
    most: usize,
}

impl Packer {
    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let fits = self.out.len() + bytes.len() <= self.most;
        fits.then(|| self.out.extend_from_slice(bytes))
    }

    fn literals(&mut self, bytes: &[u8]) -> Option<()> {
        bytes.chunks(MAX_LITERALS).try_for_each(|piece| {
            self.put(&[piece.len() as u8 - 1])?;
            self.put(piece)
        })
    }

    fn copy(&mut self, distance: usize, length: usize) -> Option<()> {
        let (back, length) = (distance - 1, length - 2);
        let (high, low) = ((back >> 8) as u8, back as u8);
        match length {
            0..=6 => self.put(&[(length as u8) << 5 | high, low]),
            _ => self.put(&[7 << 5 | high, (length - 7) as u8, low]),
        }
    }
}

/// The `length` bytes that `input` stands for; none if it stands for anything else, or is damaged.
pub fn decompress(input: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    decompress_into(input, length, &mut out)?;
    Some(out)
}

/// As [`decompress`], into a buffer that is cleared before.
pub fn decompress_into(input: &[u8], length: usize, out: &mut Vec<u8>) -> Option<()> {
    // The longest copy takes three bytes: a claim beyond that is refused before anything is allocated for it.
    if length > input.len().checked_mul(MAX_COPY)? {
        return None;
    }
    out.clear();
    out.reserve_exact(length);
    let mut rest = input;
    while let Some((&control, behind)) = rest.split_first() {
        rest = match control {
            0..32 => literal_piece(behind, usize::from(control) + 1, length, out)?,
            _ => copied_piece(behind, control, length, out)?,
        };
    }
    (out.len() == length).then_some(())
}

fn literal_piece<'a>(input: &'a [u8], count: usize, most: usize, out: &mut Vec<u8>) -> Option<&'a [u8]> {
    let (literals, rest) = input.split_at_checked(count)?;
    (out.len() + count <= most).then(|| out.extend_from_slice(literals))?;
    Some(rest)
}

fn copied_piece<'a>(input: &'a [u8], control: u8, most: usize, out: &mut Vec<u8>) -> Option<&'a [u8]> {
    let (length, input) = match control >> 5 {
        7 => {
            let (&more, rest) = input.split_first()?;
            (usize::from(more) + 9, rest)
        }
        short => (usize::from(short) + 2, input),
    };
    let (&low, rest) = input.split_first()?;
    let distance = (usize::from(control & 31) << 8 | usize::from(low)) + 1;
    let from = out.len().checked_sub(distance)?;
    if out.len() + length > most {
        return None;
    }
    if distance >= length {
        out.extend_from_within(from..from + length);
    } else {
        // The copy reads what it writes: a short pattern repeats itself.
        (from..from + length).for_each(|at| out.push(out[at]));
    }
    Some(rest)
}

#[cfg(all(test, not(sockudo_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_bytes_are_read() {
        let cases: [(&[u8], &[u8]); 4] = [
            (b"", b""),
            (b"\x02abc", b"abc"),
            // One literal, then nine bytes more from one byte back.
            (b"\x00a\xe0\x00\x00", b"aaaaaaaaaa"),
            (b"\x02abc\x20\x02", b"abcabc"),
        ];
        for (packed, plain) in cases {
            assert_eq!(decompress(packed, plain.len()).as_deref(), Some(plain), "{packed:?}");
        }
    }

    #[test]
    fn damage_is_refused() {
        let cases: [(&[u8], usize); 7] = [
            (b"\x02ab", 3),             // literals are missing
            (b"\x02abc", 2),            // more than was announced
            (b"\x02abc", 4),            // less
            (b"\x20\x00", 3),           // nothing is that far back
            (b"\x00a\x20", 4),          // the distance is missing
            (b"\x00a\xe0", 10),         // the length is missing
            (b"\x00a", usize::MAX / 2), // a claim that would exhaust memory
        ];
        for (packed, length) in cases {
            assert_eq!(decompress(packed, length), None, "{packed:?}");
        }
    }

    #[test]
    fn what_repeats_becomes_small() {
        let text = b"0123456789".repeat(1000);
        let packed = compress(&text, text.len()).expect("it fits");
        assert!(packed.len() < 200, "{}", packed.len());
        assert_eq!(decompress(&packed, text.len()), Some(text));
        assert_eq!(compress(b"abcdefghijkl", 12), None);
    }

    proptest! {
        #[test]
        fn what_was_compressed_comes_back(
            pieces in proptest::collection::vec((proptest::collection::vec(0u8..5, 1..40), 1usize..40), 0..60),
        ) {
            let text: Vec<u8> = pieces.into_iter().flat_map(|(piece, times)| piece.repeat(times)).collect();
            let packed = compress(&text, 2 * text.len()).expect("room enough");
            prop_assert_eq!(decompress(&packed, text.len()), Some(text.clone()));
            prop_assert_eq!(compress(&text, packed.len()).map(|again| again.len()), Some(packed.len()));
            if !packed.is_empty() {
                prop_assert_eq!(compress(&text, packed.len() - 1), None);
                prop_assert_eq!(decompress(&packed, text.len() + 1), None);
            }
        }

        #[test]
        fn any_input_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200), length in 0usize..2000) {
            if let Some(text) = decompress(&bytes, length) {
                prop_assert_eq!(text.len(), length);
            }
        }
    }
}
