//! Numbers as a configuration writes them.

/// A decimal integer without sign `+`, blanks or leading zeros, as every number of a client is read.
pub fn integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let canonical = match digits {
        [b'0'] => text.len() == 1,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !canonical {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Bytes with an optional unit: `b`, `k` `m` `g` of thousands, `kb` `mb` `gb` of 1024, in any case. An empty text is
/// zero, as in Redis; a number past 64 bits is refused where Redis wraps.
pub fn memory(text: &[u8]) -> Option<u64> {
    let split = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let factor: u64 = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    if digits.is_empty() {
        return unit.is_empty().then_some(0);
    }
    std::str::from_utf8(digits).ok()?.parse::<u64>().ok()?.checked_mul(factor)
}

/// Bytes in the largest unit of 1024 that leaves no remainder, as CONFIG REWRITE writes them.
pub fn memory_text(bytes: u64) -> String {
    for (shift, unit) in [(30, "gb"), (20, "mb"), (10, "kb")] {
        if bytes != 0 && bytes.is_multiple_of(1 << shift) {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}

/// A file mode in octal digits.
pub fn octal(text: &[u8]) -> Option<i64> {
    i64::from_str_radix(std::str::from_utf8(text).ok()?, 8).ok()
}

/// `yes` or `no` in any case.
pub fn yes_no(text: &[u8]) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case(b"yes") => Some(true),
        _ if text.eq_ignore_ascii_case(b"no") => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_canonical() {
        assert_eq!(integer(b"-12"), Some(-12));
        assert_eq!(integer(b"9223372036854775807"), Some(i64::MAX));
        for bad in ["", "-", "+1", "007", "-0", "1 ", " 1", "1k", "9223372036854775808", "0x10"] {
            assert_eq!(integer(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn memory_knows_both_kinds_of_units() {
        let cases =
            [("", 0), ("7", 7), ("5b", 5), ("1k", 1000), ("1KB", 1024), ("2m", 2_000_000), ("2Mb", 2 << 20)];
        for (text, bytes) in cases.into_iter().chain([("1g", 1_000_000_000), ("3gb", 3 << 30)]) {
            assert_eq!(memory(text.as_bytes()), Some(bytes), "{text:?}");
        }
        for bad in
            ["-1", "10%", "1x", "1gb1", "1 kb", "kb", "1.5", "5t", "18446744073709551616", "99999999999gb"]
        {
            assert_eq!(memory(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn memory_text_prefers_the_largest_unit() {
        assert_eq!(memory_text(0), "0");
        assert_eq!(memory_text(1 << 30), "1gb");
        assert_eq!(memory_text(1500 << 20), "1500mb");
        assert_eq!(memory_text(2_000_001), "2000001");
    }

    #[test]
    fn yes_and_no() {
        assert_eq!((yes_no(b"YES"), yes_no(b"no"), yes_no(b"true")), (Some(true), Some(false), None));
        assert_eq!((octal(b"700"), octal(b"9")), (Some(0o700), None));
    }
}
