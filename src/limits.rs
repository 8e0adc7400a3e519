//! Every bound of the server, in one place.

/// Steps that one glob match may take whatever its size; see `glob`.
pub const GLOB_STEPS_BASE: usize = 1 << 22;

/// Steps that one glob match may take on top for each byte of pattern and text.
pub const GLOB_STEPS_PER_BYTE: usize = 16;

/// Files that may include one another before the chain counts as a loop.
pub const CONFIG_INCLUDE_DEPTH: usize = 16;

/// Addresses that one `bind` directive may name.
pub const BIND_ADDRESSES: usize = 16;

/// Worker threads that `threads` may ask for.
pub const THREADS: i64 = 1024;

/// Different error codes that one worker counts; further ones are counted together.
pub const ERROR_CODES: usize = 128;

/// Bytes of one log message; the rest is cut off.
pub const LOG_MESSAGE: usize = 1024;
