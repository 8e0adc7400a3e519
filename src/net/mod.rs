//! Sockets: a listener that deals connections out, one runtime per worker thread, one task per connection.

mod connection;
mod listener;
mod worker;

pub use listener::serve;
