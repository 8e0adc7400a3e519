//! Who may see more than numbers: HTTP's basic authentication with the password of the default user.

use super::request::Request;
use crate::command::state::Server;

/// What a request has proved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Access {
    /// It brought the password.
    Granted,
    /// There is none.
    Open,
    /// It did not bring it.
    Denied,
}

impl Access {
    pub(super) fn of(server: &Server, request: &Request<'_>) -> Access {
        let password = server.config.text("requirepass");
        if password.is_empty() {
            return Access::Open;
        }
        let brought = request.header("authorization").and_then(|value| value.split_once(' '));
        let credentials = brought.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
        let decoded = credentials.and_then(|(_, text)| decode(text.trim().as_bytes()));
        match decoded
            .as_deref()
            .and_then(|pair| pair.iter().position(|&byte| byte == b':').map(|at| &pair[at + 1..]))
        {
            Some(given) if is_same(given, &password) => Access::Granted,
            _ => Access::Denied,
        }
    }
}

/// Compares in a time that tells nothing of where they differ.
fn is_same(given: &[u8], password: &[u8]) -> bool {
    let differs = given.iter().zip(password).fold(0, |differs, (one, other)| differs | (one ^ other));
    given.len() == password.len() && differs == 0
}

/// Base64 as RFC 4648 has it, with its padding or without.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0u32, 0);
    for &letter in text.iter().take_while(|&&letter| letter != b'=') {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xff_ffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded() {
        for (text, bytes) in
            [("", &b""[..]), ("Zg==", b"f"), ("Zm8=", b"fo"), ("Zm9v", b"foo"), ("dTpwOi/+", b"u:p:/\xfe")]
        {
            assert_eq!(decode(text.as_bytes()).as_deref(), Some(bytes), "{text}");
        }
        assert_eq!(decode(b"a b"), None);
    }

    #[test]
    fn passwords_are_compared_whole() {
        assert!(is_same(b"secret", b"secret"));
        for given in [&b"secre"[..], b"secrets", b"Secret", b""] {
            assert!(!is_same(given, b"secret"));
        }
    }
}
