//! Doubles as text, in the style of Redis 7.2.
//!
//! Whole numbers of up to 2^52 are written as integers. Any other number is its shortest digits that read back the same,
//! laid out by the rules of fpconv, which Redis 7.2 uses.

/// Whole numbers within these bounds are written as integers.
const WHOLE: std::ops::RangeInclusive<f64> = -4_503_599_627_370_495.0..=4_503_599_627_370_496.0;
/// Digits of the longest shortest text.
const MAX_DIGITS: usize = 17;

/// The text of a double. The longest is a negative plain fraction of 17 digits with its zeros.
pub struct DoubleText {
    bytes: [u8; 32],
    len: usize,
}

impl DoubleText {
    /// The text of `value`.
    pub fn new(value: f64) -> Self {
        let mut text = Self { bytes: [0; 32], len: 0 };
        text.format(value);
        text
    }

    /// The text's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    fn zeros(&mut self, count: usize) {
        self.put(&[b'0'; 32][..count]);
    }

    fn format(&mut self, value: f64) {
        if value.is_nan() {
            return self.put(b"nan");
        }
        if value.is_sign_negative() && (value == 0.0 || value.is_infinite()) {
            self.put(b"-");
        }
        if value.is_infinite() {
            self.put(b"inf");
        } else if WHOLE.contains(&value) && value.trunc() == value {
            self.put(itoa::Buffer::new().format(value as i64).as_bytes());
        } else {
            self.format_digits(value);
        }
    }

    fn format_digits(&mut self, value: f64) {
        if value < 0.0 {
            self.put(b"-");
        }
        let digits = Digits::of(value.abs());
        let (text, power) = (&digits.bytes[..digits.len], digits.power);
        let count = digits.len as i32;
        let exponent = power + count - 1;
        if power >= 0 && exponent.abs() < count + 7 {
            self.put(text);
            self.zeros(power as usize);
        } else if power < 0 && (power > -7 || exponent.abs() < 4) {
            self.fraction(text, (count + power) as isize);
        } else {
            self.scientific(text, exponent);
        }
    }

    /// `digits` with a point behind the first `whole` of them; fewer than one means zeros behind the point.
    fn fraction(&mut self, digits: &[u8], whole: isize) {
        match usize::try_from(whole) {
            Ok(whole) if whole > 0 => {
                self.put(&digits[..whole]);
                self.put(b".");
                self.put(&digits[whole..]);
            }
            _ => {
                self.put(b"0.");
                self.zeros(whole.unsigned_abs());
                self.put(digits);
            }
        }
    }

    fn scientific(&mut self, digits: &[u8], exponent: i32) {
        self.put(&digits[..1]);
        if digits.len() > 1 {
            self.put(b".");
            self.put(&digits[1..]);
        }
        self.put(if exponent < 0 { b"e-" } else { b"e+" });
        self.put(itoa::Buffer::new().format(exponent.unsigned_abs()).as_bytes());
    }
}

/// The shortest digits of a positive number: `bytes` as an integer, times ten to the `power`.
struct Digits {
    bytes: [u8; MAX_DIGITS + 8],
    len: usize,
    power: i32,
}

impl Digits {
    fn of(value: f64) -> Self {
        let mut buffer = zmij::Buffer::new();
        let text = buffer.format_finite(value).as_bytes();
        let (mantissa, exponent) = match text.iter().position(|byte| *byte == b'e') {
            Some(at) => (&text[..at], decimal(&text[at + 1..])),
            None => (text, 0),
        };
        let mut digits = Self { bytes: [0; MAX_DIGITS + 8], len: 0, power: exponent };
        digits.collect(mantissa);
        digits.trim();
        digits
    }

    /// Takes the digits of `mantissa` without its point and without zeros in front.
    fn collect(&mut self, mantissa: &[u8]) {
        let mut point = false;
        for &byte in mantissa {
            if byte == b'.' {
                point = true;
                continue;
            }
            self.power -= i32::from(point);
            if self.len != 0 || byte != b'0' {
                self.bytes[self.len] = byte;
                self.len += 1;
            }
        }
    }

    /// Turns zeros at the end into a higher power.
    fn trim(&mut self) {
        while self.len > 1 && self.bytes[self.len - 1] == b'0' {
            self.len -= 1;
            self.power += 1;
        }
    }
}

/// A short integer with an optional sign, as it stands behind the `e`.
fn decimal(text: &[u8]) -> i32 {
    let (sign, digits) = match text {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        _ => (1, text),
    };
    sign * digits.iter().fold(0, |value, byte| value * 10 + i32::from(byte - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::args::parse_f64;
    use proptest::prelude::*;

    #[test]
    fn laid_out_as_redis_does() {
        let cases = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-17.0, "-17"),
            (3.5, "3.5"),
            (0.1, "0.1"),
            (-0.25, "-0.25"),
            (0.000001, "0.000001"),
            (0.0000001, "1e-7"),
            (1.5e-7, "1.5e-7"),
            (0.0012345678, "0.0012345678"),
            (0.00012345678, "1.2345678e-4"),
            (12345.678912345, "1.2345678912345e+4"),
            (123.456, "123.456"),
            (4503599627370496.0, "4503599627370496"),
            (9007199254740992.0, "9007199254740992"),
            (1e16, "1e+16"),
            (1e20, "1e+20"),
            (-1e20, "-1e+20"),
            (1.2345678e19, "1.2345678e+19"),
            (123456789012345680000.0, "123456789012345680000"),
            (f64::MAX, "1.7976931348623157e+308"),
            (-f64::MAX, "-1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ];
        for (value, expected) in cases {
            assert_eq!(std::str::from_utf8(DoubleText::new(value).as_bytes()), Ok(expected));
        }
    }

    proptest! {
        #[test]
        fn text_reads_back_the_same(bits: u64, whole in -1i64 << 60..1 << 60, scale in 0i32..12) {
            for value in [f64::from_bits(bits), whole as f64, whole as f64 / 10f64.powi(scale)] {
                prop_assume!(!value.is_nan());
                prop_assert_eq!(parse_f64(DoubleText::new(value).as_bytes()).map(f64::to_bits), Some(value.to_bits()));
            }
        }
    }
}
