//! What a request can do wrong, in Redis's words.

use std::fmt;

/// Why a connection's bytes cannot be parsed any further. Displays Redis's text, which the error code `ERR` precedes
/// on the wire; the connection closes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// The line after `*` does not end.
    BigMultibulkCount,
    /// The line that should announce an argument does not end.
    BigBulkCount,
    /// An inline request without a line end.
    BigInline,
    /// The number of arguments is no number or exceeds its limit.
    MultibulkLength,
    /// An argument's length is no number, negative, or exceeds its limit.
    BulkLength,
    /// An argument announced by this byte instead of `$`.
    ExpectedDollar(u8),
    /// More arguments than a client may send before it has authenticated.
    UnauthenticatedMultibulk,
    /// A longer argument than a client may send before it has authenticated.
    UnauthenticatedBulk,
    /// An inline request whose quotes do not close, or close in the middle of a word.
    UnbalancedQuotes,
    /// An argument's bytes are not followed by CR LF. Redis 7 does not look; a wrong length is noticed here.
    MissingCrlf,
    /// More unparsed bytes than `client-query-buffer-limit`. Redis closes the connection without a reply.
    BufferLimit,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Protocol error: ")?;
        f.write_str(match self {
            Self::BigMultibulkCount => "too big mbulk count string",
            Self::BigBulkCount => "too big bulk count string",
            Self::BigInline => "too big inline request",
            Self::MultibulkLength => "invalid multibulk length",
            Self::BulkLength => "invalid bulk length",
            Self::ExpectedDollar(got) => return write!(f, "expected '$', got '{}'", printable(*got)),
            Self::UnauthenticatedMultibulk => "unauthenticated multibulk length",
            Self::UnauthenticatedBulk => "unauthenticated bulk length",
            Self::UnbalancedQuotes => "unbalanced quotes in request",
            Self::MissingCrlf => "expected CRLF after bulk",
            Self::BufferLimit => "client query buffer limit reached",
        })
    }
}

/// The byte itself where it is text; a reply is a line of text, so anything else is shown as a space.
fn printable(byte: u8) -> char {
    if byte.is_ascii_graphic() { byte as char } else { ' ' }
}

impl std::error::Error for ProtocolError {}

#[cfg(test)]
mod tests {
    use super::ProtocolError::*;

    #[test]
    fn texts_are_those_of_redis() {
        assert_eq!(ExpectedDollar(b':').to_string(), "Protocol error: expected '$', got ':'");
        assert_eq!(ExpectedDollar(b'\r').to_string(), "Protocol error: expected '$', got ' '");
        assert_eq!(MultibulkLength.to_string(), "Protocol error: invalid multibulk length");
        assert_eq!(BigInline.to_string(), "Protocol error: too big inline request");
    }
}
