//! A Redis-compatible in-memory server over one lock-free keyspace: any thread runs any command on any key.
//!
//! ```text
//!  socket      bytes         arguments            keys                      data
//!    |           |               |                  |                         |
//!   net ----> protocol ----> command ----------> keyspace ----------------> value
//!    |         decoder        exec: look the       gate: who may run         word: in place,
//!  worker      args           batch up, then       beside whom               or a pointer
//!  connection  reply          run its commands     space: what is alive      node: with a header
//!              scan           table, families      table, bucket, entry      latch, hyperloglog
//!                                                  wheel, expire, reclaim
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`net`] | sockets, workers, connections, the start and the end |
//! | [`protocol`] | requests to arguments, replies to bytes |
//! | [`command`] | the table of commands, the executor, a file or folder per family |
//! | [`keyspace`] | the gate, the table of keys, liveness, counts, expiry |
//! | [`value`] | how values are held |
//! | [`rdb`] | values as Redis serializes them |
//! | [`lua`] | the interpreter of scripts: its sandbox, its limits, Redis's libraries |
//! | [`disk`] | files that survive a crash |
//! | [`config`] | redis.conf, the command line, CONFIG |
//! | [`sync`] | every atomic and fence: the standard library's, or loom's in the models |
//! | [`memory`] | the counting allocator |
//! | [`limits`] | bounds that several modules share |
//! | [`logging`], [`glob`] | the log in Redis's format; patterns |
//!
//! Imports go from left to right, and `tests/tidy.rs` sees to it. ARCHITECTURE.md walks the same way in more words.
//!
//! # Invariants
//! What holds across modules; each module's head has its own rules.
//!
//! 1. A handler never awaits, and no epoch guard, announcement, section or latch is held across an `.await`.
//! 2. Whoever writes a key has announced its stripe or closed it; whoever reads keys finds out whether they were closed
//!    meanwhile, and then repeats the read. See [`keyspace::gate`].
//! 3. A published bucket never changes, and one directory word is authoritative for a hash. See [`keyspace::table`].
//! 4. A live slot changes by compare-and-swap only, whoever succeeds retires what was there, and a dead slot stays
//!    dead. See [`keyspace::entry`].
//! 5. What a word points to is immutable once published, unless it is a node. See [`value::word`], [`value::node`].
//! 6. What a client merely claims (a length, a count) allocates nothing.
//! 7. Handlers answer through [`protocol::reply`] and read numbers through [`protocol::args`], never on their own.

#[cfg(not(all(target_pointer_width = "64", target_has_atomic = "64")))]
compile_error!("sockudo-kv packs 48-bit pointers into 64-bit atomic words");

pub mod command;
pub mod config;
pub mod disk;
pub mod glob;
pub mod keyspace;
pub mod limits;
pub mod logging;
pub mod lua;
pub mod memory;
pub mod net;
pub mod protocol;
pub mod rdb;
pub mod sync;
pub mod value;
