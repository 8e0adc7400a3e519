//! Passwords: known only by their digests, and compared without telling by the time it takes how much of one is right.

use std::fmt::Write;

use sha2::{Digest as _, Sha256};

/// Bits of a password of ACL GENPASS at most.
const MOST_BITS: usize = 4096;
/// Bits for each digit of such a password.
const DIGIT_BITS: usize = 4;

/// The SHA-256 digest of a password.
#[derive(Clone, Copy, Debug)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of a password.
    pub fn of(password: &[u8]) -> Digest {
        Digest(Sha256::digest(password).into())
    }

    /// Reads 64 hexadecimal digits in lower case.
    pub fn parse(hex: &[u8]) -> Option<Digest> {
        let (pairs, rest) = hex.as_chunks::<2>();
        let bytes: Option<Vec<u8>> =
            pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect();
        let bytes = bytes.filter(|_| rest.is_empty())?;
        Some(Digest(bytes.try_into().ok()?))
    }

    /// Whether they are the same; takes the same time wherever they differ.
    pub fn is(&self, other: &Digest) -> bool {
        let differing =
            self.0.iter().zip(&other.0).fold(0, |differing, (mine, its)| differing | (mine ^ its));
        std::hint::black_box(differing) == 0
    }

    /// 64 hexadecimal digits in lower case.
    pub fn hex(&self) -> String {
        hex(&self.0)
    }
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A password of `bits` random bits, rounded up to whole hexadecimal digits; none if that is too few or too many.
pub fn generate(bits: i64) -> Option<String> {
    let bits = usize::try_from(bits).ok().filter(|bits| (1..=MOST_BITS).contains(bits))?;
    let digits = bits.div_ceil(DIGIT_BITS);
    let mut bytes = vec![0; digits.div_ceil(2)];
    fill(&mut bytes);
    let mut text = hex(&bytes);
    text.truncate(digits);
    Some(text)
}

/// Fills `room` with what nobody can foretell.
fn fill(room: &mut [u8]) {
    let mut done = 0;
    while done < room.len() {
        // A kernel whose generator is seeded never fails; a signal may cut one call short.
        done +=
            rustix::rand::getrandom(&mut room[done..], rustix::rand::GetRandomFlags::empty()).unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_read_back() {
        let digest = Digest::of(b"foobar");
        assert_eq!(digest.hex(), "c3ab8ff13720e8ad9047dd39466b3c8974e592c2fa383d4a3960714caef0c4f2");
        assert!(Digest::parse(digest.hex().as_bytes()).is_some_and(|same| same.is(&digest)));
        assert!(!Digest::of(b"foobas").is(&digest));
        for bad in [&b""[..], b"c3", &[b'c'; 63], &[b'c'; 65], &[b'C'; 64], &[b'g'; 64]] {
            assert!(Digest::parse(bad).is_none());
        }
    }

    #[test]
    fn generated_passwords_have_the_digits_that_the_bits_take() {
        for (bits, digits) in [(1, 1), (4, 1), (5, 2), (256, 64), (4096, 1024)] {
            assert_eq!(generate(bits).map(|password| password.len()), Some(digits));
        }
        assert_eq!((generate(0), generate(-1), generate(4097)), (None, None, None));
        assert_ne!(generate(256), generate(256));
    }
}
