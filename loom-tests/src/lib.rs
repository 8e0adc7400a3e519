//! Loom models: the server's own concurrent modules, compiled over loom's atomics.

#[path = "../../src/sync.rs"]
pub mod sync;

/// The value modules under model, at the paths by which they know each other.
#[path = "."]
pub mod value {
    #[path = "../../src/value/hyperloglog/mod.rs"]
    pub mod hyperloglog;
}
