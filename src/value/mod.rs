//! What a key holds: representations that know nothing of RESP, clients, keys or databases.

pub mod collection;
pub mod crc64;
pub mod dict;
pub mod hash;
pub mod hyperloglog;
pub mod json;
pub mod latch;
pub mod list;
pub mod long_double;
pub mod lzf;
pub mod node;
pub mod packed;
pub mod same;
pub mod set;
pub mod stream;
pub mod word;
pub mod zset;
