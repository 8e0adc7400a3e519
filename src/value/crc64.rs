//! The CRC-64 of RDB files and DUMP payloads: Jones' polynomial, bits reflected, neither end inverted.

/// Jones' polynomial, its bits in reverse.
const POLYNOMIAL: u64 = 0x95ac_9329_ac4b_c9b5;

/// Eight tables: a byte's remainder, and that after one to seven more bytes of zeros.
static TABLES: [[u64; 256]; 8] = tables();

const fn tables() -> [[u64; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ POLYNOMIAL } else { sum >> 1 };
            bit += 1;
        }
        tables[0][byte] = sum;
        byte += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[table - 1][byte];
            tables[table][byte] = tables[0][(before & 0xff) as usize] ^ before >> 8;
            byte += 1;
        }
        table += 1;
    }
    tables
}

/// Continues the sum of what came before `data`; zero at the beginning.
pub fn crc64(sum: u64, data: &[u8]) -> u64 {
    let (words, rest) = data.as_chunks::<8>();
    let sum = words.iter().fold(sum, |sum, word| {
        let mixed = (sum ^ u64::from_le_bytes(*word)).to_le_bytes();
        (0..8).fold(0, |all, at| all ^ TABLES[7 - at][usize::from(mixed[at])])
    });
    rest.iter().fold(sum, |sum, byte| TABLES[0][usize::from(sum as u8 ^ byte)] ^ sum >> 8)
}

/// The sum of two pieces behind one another, of their sums and the length of the second: so that the first may change
/// when the second is written already.
pub fn join(first: u64, second: u64, length: u64) -> u64 {
    // The first piece is followed by as many zeros: its sum is multiplied by x to the power of their bits.
    let (mut power, mut square, mut left) = (ONE, ONE >> 8, length);
    while left > 0 {
        if left & 1 == 1 {
            power = multiply(power, square);
        }
        square = multiply(square, square);
        left >>= 1;
    }
    multiply(first, power) ^ second
}

/// The polynomial 1: its lowest power is the highest bit.
const ONE: u64 = 1 << 63;

/// The product of two polynomials modulo Jones' one.
fn multiply(a: u64, mut b: u64) -> u64 {
    let mut product = 0;
    for bit in (0..u64::BITS).rev() {
        if a >> bit & 1 == 1 {
            product ^= b;
        }
        b = if b & 1 == 1 { b >> 1 ^ POLYNOMIAL } else { b >> 1 };
    }
    product
}

#[cfg(all(test, not(sockudo_loom)))]
mod tests {
    use super::*;

    #[test]
    fn sums_are_the_published_ones() {
        assert_eq!(crc64(0, b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        assert_eq!(crc64(0, b""), 0);
        let text: Vec<u8> = (0..1000u32).map(|at| (at * 7) as u8).collect();
        assert_eq!(crc64(crc64(0, &text[..333]), &text[333..]), crc64(0, &text));
        for at in [0, 1, 9, 333, 1000] {
            let (first, second) = text.split_at(at);
            assert_eq!(join(crc64(0, first), crc64(0, second), second.len() as u64), crc64(0, &text));
        }
    }
}
