//! Sockets: a listener that deals connections out, one runtime per worker thread, one task per connection.
//!
//! | file | holds |
//! |---|---|
//! | `serve` | the start, the signals and the end |
//! | `bind` | addresses to listening sockets |
//! | `accept` | the accept loop, `maxclients`, CONFIG SET of `port` and `bind` |
//! | `files` | the limit of open files |
//! | `worker` | a worker's thread and runtime |
//! | `connection` | one client's task: read, run, write |
//! | `mail` | messages to clients that listen to channels |
//! | `seats` | what the worker's background work sees of its connections: idle ones, slow readers |
//! | `expiry` | the worker's share of active expiry |
//! | `pressure` | holding commands back while unlinked values pile up, or while memory is short |
//! | `hangup` | noticing that a client that waits is gone |

mod accept;
mod bind;
mod connection;
mod expiry;
mod files;
mod hangup;
mod mail;
mod oom;
mod pressure;
mod seats;
mod serve;
mod worker;

pub use serve::serve;
