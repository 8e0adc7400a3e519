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

/// Members that a command answers at most when it picks some at random and any of them any number of times.
pub const RANDOM_PICKS: i64 = 1 << 27;

/// Bytes of replies at which a batch pauses until they are sent. One reply may be larger than this.
pub const REPLIES_PENDING: usize = 1 << 20;

/// Commands that one connection may run before the other connections of its worker get their turn.
pub const COMMANDS_PER_TURN: usize = 2048;

/// Bytes of unlinked values that may wait for their readers before commands have to wait too.
pub const GARBAGE: u64 = 256 << 20;

/// Descriptors that the server keeps for itself besides the clients': standard streams, listeners, files.
pub const RESERVED_FILES: u64 = 32;

/// Descriptors of one worker's runtime: its poller, its waker, and the copies that Tokio makes of them.
pub const FILES_PER_WORKER: u64 = 4;

/// Elements that one command draws at random with repetitions. The reply is made as a whole, and Redis, which has no
/// such bound, runs out of memory over it.
pub const RANDOM_DRAWS: i64 = 1 << 22;

/// Bytes of replies that may wait for a client which has not said who it is, although it must.
pub const UNAUTHENTICATED_OUTPUT: usize = 1024;

/// How long a client of `tls-port` has until it has shaken hands.
pub const TLS_HANDSHAKE: std::time::Duration = std::time::Duration::from_secs(10);

/// Bytes of replies that are encrypted before the socket has taken them.
pub const TLS_UNSENT: usize = 64 << 10;
