//! The texts of errors that several families answer.

use std::borrow::Cow;

/// A client's word as an error shows it: C Redis formats it as C's text, which its first zero byte ends.
pub fn c_text(word: &[u8]) -> Cow<'_, str> {
    let end = word.iter().position(|&byte| byte == 0).unwrap_or(word.len());
    String::from_utf8_lossy(&word[..end])
}

/// The value has another type.
pub const WRONGTYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
/// The arguments do not fit the syntax.
pub const SYNTAX: &str = "ERR syntax error";
/// A number was expected.
pub const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";
/// A count was expected.
pub const MUST_BE_POSITIVE: &str = "ERR value is out of range, must be positive";
/// A floating point number was expected.
pub const NOT_A_FLOAT: &str = "ERR value is not a valid float";
/// A key was expected.
pub const NO_SUCH_KEY: &str = "ERR no such key";
/// A result beyond `proto-max-bulk-len`.
pub const STRING_TOO_LONG: &str = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
/// The operand of a condition on a value's digest cannot be one.
pub const BAD_DIGEST: &str = "ERR must be exactly 16 hexadecimal characters";
/// How much of an unknown command's words its error shows, in bytes.
pub const SHOWN_ARGUMENTS: usize = 128;
/// A database number that the server does not have.
pub const DB_OUT_OF_RANGE: &str = "ERR DB index is out of range";
/// A key was to be moved or copied onto itself.
pub const SAME_OBJECT: &str = "ERR source and destination objects are the same";
/// A script keeps others waiting.
pub const BUSY_SCRIPT: &str =
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
/// A function keeps others waiting.
pub const BUSY_FUNCTION: &str =
    "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.";
/// A command that needs memory while more than `maxmemory` is in use.
pub const OUT_OF_MEMORY: &str = "OOM command not allowed when used memory > 'maxmemory'.";
/// An element of a list that is longer than there may be.
pub const ELEMENT_TOO_LARGE: &str = "ERR Element too large";
/// A count that is negative, or no number.
pub const NOT_POSITIVE: &str = "ERR value is out of range, must be positive";
/// A number of keys that is not positive, or no number.
pub const NUMKEYS: &str = "ERR numkeys should be greater than 0";
/// A count of elements that is not positive, or no number.
pub const COUNT: &str = "ERR count should be greater than 0";
