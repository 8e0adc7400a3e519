//! The models, one file per protocol.

mod gate;
mod hyperloglog;
mod latch;
mod slot;
mod table;
mod world;
