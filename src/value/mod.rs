//! value

pub mod hyperloglog;
