//! How long a command waits.

use std::time::Duration;

use crate::protocol::args::{parse_f64, parse_i64};

const NEGATIVE: &str = "ERR timeout is negative";
/// Redis answers so for a time whose end is beyond what its clock counts.
const TOO_LONG: &str = "ERR timeout is out of range";

/// A timeout in seconds with a fraction; zero means for ever.
pub fn seconds(text: &[u8]) -> Result<Option<Duration>, &'static str> {
    let seconds = parse_f64(text).filter(|seconds| !seconds.is_nan());
    let seconds = seconds.ok_or("ERR timeout is not a float or out of range")?;
    if seconds < 0.0 {
        return Err(NEGATIVE);
    }
    let millis = (seconds * 1000.0).ceil();
    if millis >= i64::MAX as f64 {
        return Err(TOO_LONG);
    }
    bounded(millis as i64)
}

/// A timeout in milliseconds; zero means for ever.
pub fn milliseconds(text: &[u8]) -> Result<Option<Duration>, &'static str> {
    let millis = parse_i64(text).ok_or("ERR timeout is not an integer or out of range")?;
    if millis < 0 {
        return Err(NEGATIVE);
    }
    bounded(millis)
}

fn bounded(millis: i64) -> Result<Option<Duration>, &'static str> {
    // The end must be a time that can be told: Unix time in milliseconds.
    let now = crate::command::state::unix_ms() as i64;
    now.checked_add(millis).ok_or(TOO_LONG)?;
    Ok((millis != 0).then(|| Duration::from_millis(millis as u64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_have_fractions() {
        assert_eq!(seconds(b"0"), Ok(None));
        assert_eq!(seconds(b"0.0"), Ok(None));
        assert_eq!(seconds(b"1.5"), Ok(Some(Duration::from_millis(1500))));
        assert_eq!(seconds(b"0.0001"), Ok(Some(Duration::from_millis(1))));
        assert_eq!(seconds(b"-1"), Err(NEGATIVE));
        assert!(seconds(b"x").is_err() && seconds(b"nan").is_err() && seconds(b"").is_err());
        assert_eq!(seconds(b"inf"), Err(TOO_LONG));
        assert_eq!(seconds(b"9223372036854775"), Err(TOO_LONG));
        assert!(seconds(b"9000000000").is_ok());
    }

    #[test]
    fn milliseconds_are_whole() {
        assert_eq!(milliseconds(b"0"), Ok(None));
        assert_eq!(milliseconds(b"20"), Ok(Some(Duration::from_millis(20))));
        assert_eq!(milliseconds(b"-1"), Err(NEGATIVE));
        assert_eq!(milliseconds(b"9223372036854775807"), Err(TOO_LONG));
        assert!(milliseconds(b"1.5").is_err());
    }
}
