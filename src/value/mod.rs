//! What a key holds: representations that know nothing of RESP, clients, keys or databases.

pub mod crc64;
pub mod hyperloglog;
pub mod latch;
pub mod long_double;
pub mod node;
pub mod word;
