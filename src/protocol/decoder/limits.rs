//! How much a client may send.

use super::ProtocolError;

/// Arguments that a client may send in one command before it has authenticated.
const UNAUTHENTICATED_ARGS: usize = 10;
/// Bytes of one argument that a client may send before it has authenticated.
const UNAUTHENTICATED_BULK: usize = 16 * 1024;
/// Spans are 31 bits wide.
const MAX_BUFFER: usize = (1 << 31) - 1;

/// The bounds of a request. They may change between two commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one argument: `proto-max-bulk-len`.
    pub max_bulk: usize,
    /// Bytes of an inline request, and of a line that announces a length.
    pub max_inline: usize,
    /// Arguments of one command.
    pub max_args: usize,
    /// Unparsed bytes in the read buffer: `client-query-buffer-limit`, effective up to 2 GiB. A large argument's own
    /// buffer does not count.
    pub max_buffer: usize,
    /// The client has not authenticated although it must: ten arguments of 16 KiB at most, and one command per batch,
    /// because the next one may be an AUTH that lifts this.
    pub unauthenticated: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bulk: 512 << 20,
            max_inline: 64 << 10,
            max_args: 1 << 20,
            max_buffer: 1 << 30,
            unauthenticated: false,
        }
    }
}

impl Limits {
    /// The number of arguments that `count` announces, zero for an empty command; `count` is none when the line held
    /// no number.
    #[inline]
    pub(in crate::protocol) fn args(&self, count: Option<i64>) -> Result<usize, ProtocolError> {
        let count = count.ok_or(ProtocolError::MultibulkLength)?;
        let count = usize::try_from(count).unwrap_or(0);
        if count > self.max_args {
            return Err(ProtocolError::MultibulkLength);
        }
        if self.unauthenticated && count > UNAUTHENTICATED_ARGS {
            return Err(ProtocolError::UnauthenticatedMultibulk);
        }
        Ok(count)
    }

    /// The length of an argument that `len` announces.
    pub(in crate::protocol) fn bulk(&self, len: Option<i64>) -> Result<usize, ProtocolError> {
        let len = len.and_then(|len| usize::try_from(len).ok()).filter(|len| *len <= self.max_bulk);
        let len = len.ok_or(ProtocolError::BulkLength)?;
        if self.unauthenticated && len > UNAUTHENTICATED_BULK {
            return Err(ProtocolError::UnauthenticatedBulk);
        }
        Ok(len)
    }

    pub(super) fn buffer(&self) -> usize {
        self.max_buffer.min(MAX_BUFFER)
    }
}
