//! Bytes to commands and replies to bytes: RESP2, RESP3 and inline requests, nothing of sockets, keys or clients.
//!
//! A connection owns one [`Decoder`](decoder::Decoder) and one [`Output`](reply::Output). It reads into the decoder,
//! has a batch of commands parsed, runs each with its [`Args`](args::Args), writes through a
//! [`Reply`](reply::Reply), and drops the batch.
//!
//! * [`decoder`]: the incremental parser. Arguments are ranges into the read buffer.
//! * [`args`]: the view of one command's arguments, and the crate's only number parsers.
//! * [`reply`]: the crate's only writer of replies.
//! * [`scan`]: the vectorised comparison that parses runs of commands of one shape.

pub mod args;
pub mod decoder;
#[cfg(any(test, fuzzing))]
pub mod oracle;
pub mod reply;
pub mod scan;

/// Most commands in one batch: bounds how long one connection keeps its worker, and the memory of a batch.
pub const MAX_BATCH: usize = 256;

/// Bytes from which a partially received argument gets a buffer of its own, which becomes the value uncopied.
pub const BIG_ARG: usize = 32 * 1024;

/// Bytes from which an owned reply is queued as it is rather than copied into the output buffer.
pub const BIG_REPLY: usize = 16 * 1024;
