//! Numbers as C prints them.

use std::ffi::c_int;

/// Room for any `%.<digits>g` of up to 17 digits: a sign, the digits, a point, and an exponent.
const ROOM: usize = 40;

/// `printf("%.*g", digits, value)`: what Lua (14 digits) and Redis (17) print for a number.
pub fn print(value: f64, digits: u8, into: &mut Vec<u8>) {
    // Whole numbers below 10^14 have at most 14 digits, and all of these formats print them the same way.
    if digits >= 14
        && value.fract() == 0.0
        && value.abs() < 1e14
        && (value != 0.0 || value.is_sign_positive())
    {
        let mut buffer = itoa::Buffer::new();
        return into.extend_from_slice(buffer.format(value as i64).as_bytes());
    }
    let mut room = [0u8; ROOM];
    let digits = c_int::from(digits.min(17));
    // SAFETY: the buffer has the size that is given, the format takes an int and a double, and both are there.
    let len = unsafe { libc::snprintf(room.as_mut_ptr().cast(), ROOM, c"%.*g".as_ptr(), digits, value) };
    into.extend_from_slice(&room[..usize::try_from(len).unwrap_or(0).min(ROOM - 1)]);
}

/// The value of text that is nothing but a few digits.
pub(super) fn digits(text: &[u8]) -> Option<f64> {
    /// Fifteen digits fit a double without loss.
    const MOST: usize = 15;
    let few = !text.is_empty() && text.len() <= MOST && text.iter().all(u8::is_ascii_digit);
    few.then(|| text.iter().fold(0u64, |number, digit| number * 10 + u64::from(digit - b'0')) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(value: f64, digits: u8) -> String {
        let mut text = Vec::new();
        print(value, digits, &mut text);
        String::from_utf8(text).expect("digits")
    }

    #[test]
    fn digits_are_a_number() {
        for (text, number) in
            [(&b"0"[..], Some(0.0)), (b"0042", Some(42.0)), (b"999999999999999", Some(999_999_999_999_999.0))]
        {
            assert_eq!(digits(text), number);
        }
        for other in [&b""[..], b"-1", b"1.5", b" 1", b"0x10", b"1e3", b"1000000000000000"] {
            assert_eq!(digits(other), None);
        }
    }

    #[test]
    fn numbers_print_as_c_does() {
        for (value, digits, text) in [
            (0.1, 14, "0.1"),
            (0.1, 17, "0.10000000000000001"),
            (1e15, 14, "1e+15"),
            (1e15, 17, "1000000000000000"),
            (99_999_999_999_999.0, 14, "99999999999999"),
            (-0.0, 14, "-0"),
            (-7.0, 3, "-7"),
            (12345.0, 3, "1.23e+04"),
            (f64::INFINITY, 14, "inf"),
            (f64::MIN, 17, "-1.7976931348623157e+308"),
            (5e-324, 17, "4.9406564584124654e-324"),
        ] {
            assert_eq!(printed(value, digits), text);
        }
    }
}
