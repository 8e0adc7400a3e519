//! Every bound of the server, in one place.

/// Steps that one glob match may take whatever its size; see `glob`.
pub const GLOB_STEPS_BASE: usize = 1 << 22;

/// Steps that one glob match may take on top for each byte of pattern and text.
pub const GLOB_STEPS_PER_BYTE: usize = 16;
