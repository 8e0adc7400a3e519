//! The models, one file per protocol.

mod hyperloglog;
mod latch;
mod slot;

mod world;
