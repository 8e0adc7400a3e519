//! The crate's only number parsers, as strict as Redis: what it refuses is refused here.

/// Digits that cannot overflow an unsigned 64-bit number.
const SAFE_DIGITS: usize = 19;

/// Every integer of so many digits is a double.
const EXACT_DIGITS: usize = 15;

/// A canonical decimal integer: an optional `-`, no `+`, no leading zero, no space, and no `-0`.
#[inline]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    match text {
        [b'-', digits @ ..] => negative(parse_u64(digits)?),
        digits => i64::try_from(parse_u64(digits)?).ok(),
    }
}

fn negative(magnitude: u64) -> Option<i64> {
    match magnitude {
        0 => None,
        _ => 0i64.checked_sub_unsigned(magnitude),
    }
}

/// A canonical decimal integer without a sign.
#[inline]
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    let (&first, rest) = text.split_first()?;
    let first = first.wrapping_sub(b'0');
    if first > 9 || text.len() > SAFE_DIGITS + 1 || (first == 0 && !rest.is_empty()) {
        return None;
    }
    rest.iter().try_fold(u64::from(first), |value, &byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// An unsigned integer as lenient as C's `strtoull`: besides canonical ones spaces in front, a `+`, leading zeros, and
/// `-` in front of what is no canonical integer, which then counts down from zero. Redis reads the parts of stream ids
/// so.
pub fn parse_u64_loose(text: &[u8]) -> Option<u64> {
    if let Some(canonical) = parse_u64(text) {
        return Some(canonical);
    }
    if parse_i64(text).is_some() {
        return None;
    }
    // C's spaces are these and the vertical tab.
    let text = match text.iter().position(|byte| !byte.is_ascii_whitespace() && *byte != 0x0b) {
        Some(start) => &text[start..],
        None => return None,
    };
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let zeros = digits.iter().take_while(|byte| **byte == b'0').count();
    let magnitude = match &digits[zeros..] {
        [] if zeros > 0 => 0,
        digits => parse_u64(digits)?,
    };
    Some(if negative { magnitude.wrapping_neg() } else { magnitude })
}

/// A double as C's `strtod` reads it in full: decimal or hexadecimal, `inf` and `infinity` in any case.
///
/// Refused are `nan`, spaces, trailing bytes, and numbers whose magnitude overflows or vanishes to zero.
#[inline]
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    let (negative, magnitude) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let value = whole(magnitude).or_else(|| parse_magnitude(magnitude))?;
    Some(if negative { -value } else { value })
}

/// Most doubles that clients send are integers. So few digits are one that a double holds exactly.
#[inline]
fn whole(digits: &[u8]) -> Option<f64> {
    let value = match digits.len() {
        1..8 => few(digits)?,
        8..=EXACT_DIGITS => {
            let (first, last) = (digits.first_chunk::<8>()?, digits.last_chunk::<8>()?);
            // What the last eight leave of the first, as the end of eight digits that begin with zeros.
            let missing = 8 * (16 - digits.len() as u32);
            let high = match missing {
                64 => ZEROS,
                _ => u64::from_le_bytes(*first) << missing | ZEROS >> (64 - missing),
            };
            eight(high)?.wrapping_mul(100_000_000).wrapping_add(eight(u64::from_le_bytes(*last))?)
        }
        _ => return None,
    };
    Some(value as f64)
}

/// The number that up to seven digits mean.
#[inline]
fn few(digits: &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    Some(value)
}

/// Eight times '0'.
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// The number that eight digits mean, the first in the lowest byte: neighbours are added up to pairs, pairs to fours, and fours to the eight.
#[inline]
fn eight(text: u64) -> Option<u64> {
    const UPPER: u64 = 0xf0f0_f0f0_f0f0_f0f0;
    // A digit has the upper half of '0', also with six added; no other byte has both.
    let is_digits = text & UPPER == ZEROS && text.wrapping_add(0x0606_0606_0606_0606) & UPPER == ZEROS;
    let ones = text.wrapping_sub(ZEROS);
    let pairs = ones.wrapping_mul(10).wrapping_add(ones >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    let eight = fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff;
    is_digits.then_some(eight)
}

fn parse_magnitude(magnitude: &[u8]) -> Option<f64> {
    match magnitude {
        [b'0', b'x' | b'X', hex @ ..] => parse_hex(hex),
        [b'0'..=b'9' | b'.', ..] => parse_decimal(magnitude),
        _ if is_infinity(magnitude) => Some(f64::INFINITY),
        _ => None,
    }
}

/// A double as a bare call of C's `strtod` reads it, the text to its end: nothing at all is zero, blanks in front do not
/// count, and a number that is too large or too small becomes infinite or zero.
pub fn parse_f64_loosely(text: &[u8]) -> Option<f64> {
    if text.is_empty() {
        return Some(0.0);
    }
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let blanks = text.iter().take_while(|byte| is_blank(byte)).count();
    let number = &text[blanks..];
    parse_f64(number).or_else(|| out_of_range(number))
}

/// What a decimal number becomes that is too large or too small.
fn out_of_range(text: &[u8]) -> Option<f64> {
    let digits = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    digits.first().filter(|first| first.is_ascii_digit() || **first == b'.')?;
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn is_infinity(text: &[u8]) -> bool {
    text.eq_ignore_ascii_case(b"inf") || text.eq_ignore_ascii_case(b"infinity")
}

fn parse_decimal(text: &[u8]) -> Option<f64> {
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let mut mantissa = text.iter().take_while(|byte| !matches!(byte, b'e' | b'E'));
    let vanished = value == 0.0 && mantissa.any(|byte| matches!(byte, b'1'..=b'9'));
    (value.is_finite() && !vanished).then_some(value)
}

/// The part behind `0x`: digits with an optional point, and an optional power of two behind `p`.
fn parse_hex(text: &[u8]) -> Option<f64> {
    let at = text.iter().position(|byte| matches!(byte, b'p' | b'P'));
    let (digits, power) = match at {
        Some(at) => (&text[..at], parse_power(&text[at + 1..])?),
        None => (text, 0),
    };
    let (mantissa, shift) = hex_mantissa(digits)?;
    let value = scale(mantissa, power.saturating_add(shift));
    (value.is_finite() && (value != 0.0 || mantissa == 0)).then_some(value)
}

fn parse_power(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        _ => (1, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |value: i64, byte: &u8| (value * 10 + i64::from(byte - b'0')).min(1 << 40);
    Some(sign * digits.iter().fold(0, add))
}

/// Up to 64 significant bits, the lowest set when anything beyond them is (so that rounding to 53 stays exact), and
/// the power of two that they are to be multiplied with.
fn hex_mantissa(digits: &[u8]) -> Option<(u64, i64)> {
    let (mut mantissa, mut shift, mut seen, mut point) = (0u64, 0i64, false, false);
    for &byte in digits {
        if byte == b'.' && !point {
            point = true;
            continue;
        }
        let digit = u64::from((byte as char).to_digit(16)?);
        seen = true;
        if mantissa >> 60 == 0 {
            mantissa = mantissa << 4 | digit;
            shift -= if point { 4 } else { 0 };
        } else {
            mantissa |= u64::from(digit != 0);
            shift += if point { 0 } else { 4 };
        }
    }
    seen.then_some((mantissa, shift))
}

/// `mantissa * 2^power`, rounded once to nearest, ties to even.
fn scale(mantissa: u64, power: i64) -> f64 {
    if mantissa == 0 {
        return 0.0;
    }
    let lead = mantissa.leading_zeros();
    let (mantissa, exponent) = (mantissa << lead, power - i64::from(lead) + 63);
    if exponent > 1023 {
        return f64::INFINITY;
    }
    // A subnormal keeps fewer bits the further its exponent lies below the least normal one.
    let drop = 11 + (-1022 - exponent).clamp(0, 54) as u32;
    let (kept, rest) = match drop {
        64.. => (0, if drop == 64 { mantissa } else { 1 }),
        _ => (mantissa >> drop, mantissa << (64 - drop)),
    };
    let up = rest > 1 << 63 || (rest == 1 << 63 && kept & 1 == 1);
    let biased = (exponent.max(-1022) + 1022) as u64;
    // The leading bit of a normal number adds one to the exponent field, and so does a carry out of the rounding.
    f64::from_bits((biased << 52) + kept + u64::from(up))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whole_numbers_of_any_length_are_read_the_quick_way_or_not() {
        for len in 1..=18 {
            for digit in b'0'..=b'9' {
                let mut text = vec![digit; len];
                text[len / 2] = b'7';
                let number = std::str::from_utf8(&text).unwrap().parse::<f64>().unwrap();
                assert_eq!(parse_f64(&text), Some(number));
                for at in 0..len {
                    for other in [b'/', b':', b' ', 0xb0, b'0' | 0x40] {
                        let mut broken = text.clone();
                        broken[at] = other;
                        assert_eq!(whole(&broken), None, "{}", broken.escape_ascii());
                    }
                }
            }
        }
    }

    #[test]
    fn integers_are_canonical() {
        for text in ["", "-", "+1", "01", "-0", "-01", " 1", "1 ", "1a", "0x1", "9223372036854775808", "1e3"]
        {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text}");
        }
        for value in [0, 1, -1, 10, 99, i64::MAX, i64::MIN] {
            assert_eq!(parse_i64(value.to_string().as_bytes()), Some(value));
        }
        assert_eq!(parse_i64(b"-9223372036854775809"), None);
        assert_eq!(parse_u64(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_u64(b"18446744073709551616"), None);
        assert_eq!(parse_u64(b"99999999999999999999"), None);
        assert_eq!(parse_u64(b"100000000000000000000"), None);
    }

    #[test]
    fn loose_integers_as_strtoull_reads_them() {
        let good = [
            ("7", 7),
            ("007", 7),
            ("+5", 5),
            (" \t5", 5),
            ("-0", 0),
            ("-01", u64::MAX),
            ("18446744073709551615", u64::MAX),
            ("000018446744073709551615", u64::MAX),
        ];
        for (text, value) in good {
            assert_eq!(parse_u64_loose(text.as_bytes()), Some(value), "{text}");
        }
        for text in ["", " ", "-", "+", "-5", "5 ", "5x", "x", "+-5", "18446744073709551616", "0x10", "1-1"] {
            assert_eq!(parse_u64_loose(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn doubles_as_strtod_reads_them() {
        let good: [(&str, f64); 19] = [
            ("1", 1.0),
            ("+1.5", 1.5),
            ("-.5", -0.5),
            ("5.", 5.0),
            ("1e3", 1000.0),
            ("1E-2", 0.01),
            ("00012", 12.0),
            ("inf", f64::INFINITY),
            ("+INF", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("0x10", 16.0),
            ("-0X1.8p1", -3.0),
            ("0x.8", 0.5),
            ("0x1p-1074", 5e-324),
            ("0x1.8p-1075", 5e-324),
            ("0x1.fffffffffffff8p1022", f64::from_bits(0x7fe0_0000_0000_0000)),
            ("0x1.00000000000008p0", 1.0),
            ("0x1.00000000000008000000000000000001p0", 1.0000000000000002),
            ("0e-999", 0.0),
        ];
        for (text, value) in good {
            assert_eq!(parse_f64(text.as_bytes()), Some(value), "{text}");
        }
        assert!(parse_f64(b"-0").unwrap().is_sign_negative());
    }

    #[test]
    fn doubles_read_loosely() {
        let good = [
            ("", 0.0),
            (" \t1.5", 1.5),
            ("1e999", f64::INFINITY),
            ("-1e999", f64::NEG_INFINITY),
            ("1e-999", 0.0),
        ];
        for (text, value) in good {
            assert_eq!(parse_f64_loosely(text.as_bytes()), Some(value), "{text}");
        }
        for text in [" ", "1 ", "nan", "a", "-", "+-1", "1e"] {
            assert_eq!(parse_f64_loosely(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn doubles_refused() {
        let bad = [
            "",
            " 1",
            "1 ",
            "nan",
            "-NaN",
            "1e400",
            "-1e400",
            "1e-400",
            ".",
            "e5",
            "1e",
            "--1",
            "0x",
            "0x.",
            "0xg",
            "0x1p",
            "0x1p9999",
            "0x1p-9999",
            "infin",
            "1_0",
            "1f",
            "0x1.2.3",
            "+-1",
            "0x1p-1075",
        ];
        for text in bad {
            assert_eq!(parse_f64(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_integer_round_trips(value: i64) {
            prop_assert_eq!(parse_i64(value.to_string().as_bytes()), Some(value));
            prop_assert_eq!(parse_u64((value as u64).to_string().as_bytes()), Some(value as u64));
        }

        #[test]
        fn only_canonical_text_is_an_integer(text in "[-+0-9 ]{0,22}") {
            let expected = text.parse::<i64>().ok().filter(|value| value.to_string() == text);
            prop_assert_eq!(parse_i64(text.as_bytes()), expected);
        }

        #[test]
        fn every_double_round_trips(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            prop_assert_eq!(parse_f64(format!("{value:e}").as_bytes()), Some(value));
        }

        #[test]
        fn hexadecimal_is_exact(mantissa in 1u64.., power in -1000i64..900) {
            let text = format!("0x{mantissa:x}p{power}");
            let expected = mantissa as f64 * 2f64.powi(power as i32);
            prop_assert_eq!(parse_f64(text.as_bytes()), Some(expected));
        }
    }
}
