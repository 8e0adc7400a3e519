//! Comparison of short texts without a call, which costs as much as the comparison itself.

/// Longer texts are compared by the library.
const SHORT: usize = 32;

/// Whether two texts are equal.
#[inline(always)]
pub fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    // Both ends as whole words, which overlap in the middle.
    match a.len() {
        0..4 => a.iter().zip(b).all(|(a, b)| a == b),
        4..8 => ends::<4>(a, b),
        8..16 => ends::<8>(a, b),
        16..=SHORT => ends::<16>(a, b),
        _ => a == b,
    }
}

#[inline(always)]
fn ends<const N: usize>(a: &[u8], b: &[u8]) -> bool {
    a.first_chunk::<N>() == b.first_chunk::<N>() && a.last_chunk::<N>() == b.last_chunk::<N>()
}

#[cfg(all(test, not(sockudo_loom)))]
mod tests {
    use super::*;

    #[test]
    fn any_byte_makes_a_difference() {
        for len in 0..80 {
            let text: Vec<u8> = (0..len).map(|at| at as u8).collect();
            assert!(same(&text, &text.clone()));
            assert!(!same(&text, &[&text[..], b"x"].concat()));
            for at in 0..len {
                let mut other = text.clone();
                other[at] ^= 0x40;
                assert!(!same(&text, &other), "{len}, {at}");
            }
        }
    }
}
