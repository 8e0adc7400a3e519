//! SHA-1 (RFC 3174), by which scripts are named.

/// Forty lower-case hexadecimal digits.
pub type Hex = [u8; 40];

const BLOCK: usize = 64;
const START: [u32; 5] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0];
const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The digest of `data` in hexadecimal digits.
pub fn hex(data: &[u8]) -> Hex {
    let mut text = [0; 40];
    for (at, byte) in digest(data).into_iter().enumerate() {
        text[2 * at] = DIGITS[usize::from(byte >> 4)];
        text[2 * at + 1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

/// The digest of `data`.
pub fn digest(data: &[u8]) -> [u8; 20] {
    let mut state = START;
    let (blocks, rest) = data.as_chunks::<BLOCK>();
    blocks.iter().for_each(|block| mix(&mut state, block));
    // The rest, a one bit, zeros, and the length in bits: one block or two.
    let mut last = [0; 2 * BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    last[rest.len()] = 0x80;
    let end = if rest.len() < BLOCK - 8 { BLOCK } else { 2 * BLOCK };
    last[end - 8..end].copy_from_slice(&(8 * data.len() as u64).to_be_bytes());
    last[..end].as_chunks::<BLOCK>().0.iter().for_each(|block| mix(&mut state, block));
    let mut digest = [0; 20];
    for (bytes, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    digest
}

fn mix(state: &mut [u32; 5], block: &[u8; BLOCK]) {
    let mut words = [0u32; 80];
    for (word, bytes) in words.iter_mut().zip(block.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    for at in 16..80 {
        words[at] = (words[at - 3] ^ words[at - 8] ^ words[at - 14] ^ words[at - 16]).rotate_left(1);
    }
    let [mut a, mut b, mut c, mut d, mut e] = *state;
    for (at, word) in words.into_iter().enumerate() {
        let (f, k) = match at / 20 {
            0 => ((b & c) | (!b & d), 0x5A82_7999),
            1 => (b ^ c ^ d, 0x6ED9_EBA1),
            2 => ((b & c) | (b & d) | (c & d), 0x8F1B_BCDC),
            _ => (b ^ c ^ d, 0xCA62_C1D6),
        };
        let next = a.rotate_left(5).wrapping_add(f).wrapping_add(e).wrapping_add(k).wrapping_add(word);
        (a, b, c, d, e) = (next, a, b.rotate_left(30), c, d);
    }
    for (sum, part) in state.iter_mut().zip([a, b, c, d, e]) {
        *sum = sum.wrapping_add(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_standard() {
        let known: [(&[u8], &[u8; 40]); 3] = [
            (b"", b"da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            (b"abc", b"a9993e364706816aba3e25717850c26c9cd0d89d"),
            (
                b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                b"84983e441c3bd26ebaae4aa1f95129e5e54670f1",
            ),
        ];
        for (data, digest) in known {
            assert_eq!(hex(data), *digest);
        }
        assert_eq!(&hex(&[b'a'; 1_000_000]), b"34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    }
}
