//! The 80-bit `long double` of x86 C compilers, in which Redis adds for INCRBYFLOAT and HINCRBYFLOAT.
//!
//! Sums must be those of Redis to the last digit on every machine, so the arithmetic is done in software. Format: one
//! sign bit, fifteen bits of exponent with bias 16383, sixty-four bits of significand whose leading bit is explicit
//! (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, section 4.2).

use rustc_apfloat::ieee::X87DoubleExtended;
use rustc_apfloat::{Float, Round, Status};

/// Bytes of text from which nothing is a number: the size of Redis's buffer.
const TEXT_LIMIT: usize = 5 * 1024;
/// Digits behind the point.
const DECIMALS: usize = 17;
/// Ten to the [`DECIMALS`].
const SCALE: u128 = 10u128.pow(DECIMALS as u32);
/// The power of two of the significand's lowest bit is the exponent field minus this.
const EXPONENT_OF_LOWEST_BIT: i32 = 16383 + 63;

/// A finite or infinite number; never NaN.
#[derive(Clone, Copy, Debug)]
pub struct LongDouble(X87DoubleExtended);

impl LongDouble {
    /// An integer, exactly.
    pub fn from_int(int: i64) -> LongDouble {
        LongDouble(X87DoubleExtended::from_i128(int.into()).value)
    }

    /// The number that `text` is, all of it, as C's `strtold` reads it: decimal or hexadecimal, or an infinity.
    ///
    /// Refused are `nan`, spaces, and what is too large for the format or too small to differ from zero.
    pub fn parse(text: &[u8]) -> Option<LongDouble> {
        if text.len() >= TEXT_LIMIT {
            return None;
        }
        let text = std::str::from_utf8(text).ok()?;
        let (negative, magnitude) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let value = parse_magnitude(magnitude)?;
        Some(LongDouble(if negative { -value } else { value }))
    }

    /// Whether it is no infinity.
    pub fn is_finite(self) -> bool {
        self.0.is_finite()
    }

    /// The sum, rounded to nearest; none if it is no finite number.
    pub fn plus(self, other: LongDouble) -> Option<LongDouble> {
        let sum = (self.0 + other.0).value;
        sum.is_finite().then_some(LongDouble(sum))
    }

    /// A finite number with seventeen decimals, less the zeros at their end.
    pub fn to_text(self) -> String {
        let bits = self.0.to_bits();
        let (significand, exponent) = (bits as u64, (bits >> 64 & 0x7fff) as i32);
        // Subnormal numbers have the exponent of the least normal one.
        let power = exponent.max(1) - EXPONENT_OF_LOWEST_BIT;
        let magnitude = match u32::try_from(power) {
            Ok(power) => shifted(significand, power),
            Err(_) => fixed(significand, power.unsigned_abs()),
        };
        let sign = if self.0.is_negative() && magnitude != "0" { "-" } else { "" };
        format!("{sign}{magnitude}")
    }
}

fn parse_magnitude(text: &str) -> Option<X87DoubleExtended> {
    if text.eq_ignore_ascii_case("inf") || text.eq_ignore_ascii_case("infinity") {
        return Some(X87DoubleExtended::INFINITY);
    }
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let parsed = match hexadecimal {
        // The exponent, which C leaves out at will, is mandatory for the parser.
        Some(digits) => match is_numeral(digits, |byte| byte.is_ascii_hexdigit(), b'p')? {
            true => X87DoubleExtended::from_str_r(text, Round::NearestTiesToEven),
            false => X87DoubleExtended::from_str_r(&format!("{text}p0"), Round::NearestTiesToEven),
        },
        None => {
            is_numeral(text, |byte| byte.is_ascii_digit(), b'e')?;
            X87DoubleExtended::from_str_r(text, Round::NearestTiesToEven)
        }
    };
    let parsed = parsed.ok()?;
    let out_of_range = parsed.value.is_infinite() || (parsed.value.is_zero() && parsed.status != Status::OK);
    (!out_of_range).then_some(parsed.value)
}

/// Whether a well-formed numeral has an exponent; none if it is not well-formed: digits with at most one point, then
/// possibly the exponent's letter, a sign and decimal digits.
fn is_numeral(text: &str, is_digit: impl Fn(&u8) -> bool, letter: u8) -> Option<bool> {
    let bytes = text.as_bytes();
    let at = bytes.iter().position(|byte| byte.eq_ignore_ascii_case(&letter));
    let (mantissa, exponent) = bytes.split_at(at.unwrap_or(bytes.len()));
    let digits = mantissa.iter().filter(|byte| is_digit(byte)).count();
    let points = mantissa.iter().filter(|byte| **byte == b'.').count();
    let exponent_digits = match exponent {
        [] => &b"0"[..],
        [_, b'+' | b'-', digits @ ..] | [_, digits @ ..] => digits,
    };
    let well_formed = digits > 0
        && points <= 1
        && digits + points == mantissa.len()
        && !exponent_digits.is_empty()
        && exponent_digits.iter().all(u8::is_ascii_digit);
    well_formed.then_some(at.is_some())
}

/// `significand / 2^power` with seventeen decimals, rounded to nearest, ties to even.
fn fixed(significand: u64, power: u32) -> String {
    // The product is less than 2^121, and so what 2^128 would divide is less than half of the last decimal.
    let scaled = u128::from(significand) * SCALE;
    let (whole, rest) =
        if power < u128::BITS { (scaled >> power, scaled & ((1 << power) - 1)) } else { (0, 0) };
    let half = 1u128 << (power.min(u128::BITS) - 1);
    let rounded = whole + u128::from(rest > half || (rest == half && whole & 1 == 1));
    let text = format!("{}.{:0DECIMALS$}", rounded / SCALE, rounded % SCALE);
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// `significand * 2^power` in decimal.
fn shifted(significand: u64, power: u32) -> String {
    const STEP: u32 = 32;
    const BASE: u64 = 1_000_000_000;
    let mut limbs = vec![significand % BASE, significand / BASE % BASE, significand / BASE / BASE];
    let mut left = power;
    while left > 0 {
        let step = left.min(STEP);
        let mut carry = 0;
        for limb in &mut limbs {
            let product = (*limb << step) + carry;
            (*limb, carry) = (product % BASE, product / BASE);
        }
        while carry > 0 {
            limbs.push(carry % BASE);
            carry /= BASE;
        }
        left -= step;
    }
    let text: String = limbs.iter().rev().map(|limb| format!("{limb:09}")).collect();
    text.trim_start_matches('0').to_string()
}

#[cfg(all(test, not(sockudo_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sum(a: &str, b: &str) -> Option<String> {
        let (a, b) = (LongDouble::parse(a.as_bytes())?, LongDouble::parse(b.as_bytes())?);
        a.plus(b).map(LongDouble::to_text)
    }

    #[test]
    fn sums_are_those_of_redis() {
        for (a, b, expected) in [
            ("10.50", "0.1", "10.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("0.1", "0.2", "0.3"),
            ("3", "-1.1", "1.9"),
            ("-1e-30", "0", "0"),
            ("1", "-1", "0"),
            ("0x1.8p1", "0xA", "13"),
            (".5", "5.", "5.5"),
            ("9223372036854775807", "1", "9223372036854775808"),
            ("1e20", "1e-17", "100000000000000000000"),
            ("0.000000000000000005", "0", "0"),
            ("0.00000000000000001", "0", "0.00000000000000001"),
        ] {
            assert_eq!(sum(a, b).as_deref(), Some(expected), "{a} + {b}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            " 1",
            "1 ",
            "nan",
            "-nan",
            "1e",
            "1e+",
            "e5",
            ".",
            "+-1",
            "--1",
            "0x",
            "0xg",
            "0x1p",
            "1_0",
            "1p3",
            "infi",
            "1e5000",
            "1e-5000",
            "0x1p16384",
            "0x1p-16446",
            "1..2",
            "1\0",
        ] {
            assert!(LongDouble::parse(text.as_bytes()).is_none(), "{text:?}");
        }
        assert!(LongDouble::parse(&[b'1'; TEXT_LIMIT]).is_none());
        for text in ["inf", "-Infinity", "+INF", "1e4932", "3.7e-4951", "0e99999", "0x1P-16445"] {
            assert!(LongDouble::parse(text.as_bytes()).is_some(), "{text:?}");
        }
    }

    #[test]
    fn infinity_is_no_sum() {
        assert_eq!((sum("inf", "1"), sum("inf", "-inf")), (None, None));
        assert_eq!(sum("1.1e4932", "1.1e4932"), None);
    }

    #[test]
    fn large_powers_print_exactly() {
        let text = |power: u32| LongDouble::parse(format!("0x1p{power}").as_bytes()).unwrap().to_text();
        assert_eq!(text(64), (1u128 << 64).to_string());
        assert_eq!(text(127), (1u128 << 127).to_string());
        assert_eq!(text(16383).len(), 4932);
    }

    proptest! {
        #[test]
        fn integers_print_as_themselves(int: i64) {
            prop_assert_eq!(LongDouble::from_int(int).to_text(), int.to_string());
        }

        #[test]
        fn powers_of_two_print_as_integers(int: u64, power in 0u32..64) {
            let text = format!("0x{int:x}p{power}");
            let expected = (u128::from(int) << power).to_string();
            prop_assert_eq!(LongDouble::parse(text.as_bytes()).unwrap().to_text(), expected);
        }

        #[test]
        fn any_text_is_parsed_without_a_panic(text in "[-+]?(0x)?[0-9a-f.]{0,12}([ep][-+]?[0-9]{0,12})?") {
            let _ = LongDouble::parse(text.as_bytes()).map(LongDouble::to_text);
        }
    }
}
