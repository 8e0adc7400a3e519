//! The models, one file per protocol. "Found here" names mistakes that were made on purpose to see the model fail.

mod gate;
mod hyperloglog;
mod latch;
mod observe;
mod readers;
mod slot;
mod snapshot;
mod table;
mod world;
