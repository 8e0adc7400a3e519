//! Loom models: the server's own concurrent modules, compiled over loom's atomics.
//!
//! `src/sync.rs` brings loom's types in where `cfg(sockudo_loom)` is set, which this crate's build script does for this
//! crate alone. What the modules need besides comes from here: an epoch scheme that frees as early as it may
//! ([`model_epoch`]), a heap that notices every access to a freed block ([`model_heap`]), a hash that is the key's own
//! bytes ([`model_hash`]), and no memory accounting ([`memory`]).

pub mod checker;
pub mod memory;
pub mod model_epoch;
pub mod model_hash;
pub mod model_heap;
pub mod model_spin;

#[path = "../../src/keyspace/mod.rs"]
pub mod keyspace;
#[path = "../../src/sync.rs"]
pub mod sync;
#[path = "../../src/value/mod.rs"]
pub mod value;
