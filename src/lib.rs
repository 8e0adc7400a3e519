//! A Redis-compatible in-memory server over one lock-free keyspace.
//!
//! ```text
//! net -> protocol -> command -> keyspace -> value
//! socket  bytes to    table,      map, gate,  the data types
//!         arguments   handlers    expiry
//! ```

#[cfg(not(all(target_pointer_width = "64", target_has_atomic = "64")))]
compile_error!("sockudo-kv packs 48-bit pointers into 64-bit atomic words");

pub mod command;
pub mod config;
pub mod glob;
pub mod keyspace;
pub mod limits;
pub mod logging;
pub mod memory;
pub mod net;
pub mod protocol;
pub mod sync;
pub mod value;
