//! The state of the server for machines: numbers for Prometheus, and what the live page shows.
//!
//! Everything is read when it is asked for; nothing is counted for this alone. Keys per type are an estimate from a
//! bounded sample, exact while the sample is everything.

mod live;
mod prometheus;
mod types;

pub use live::live;
pub use prometheus::prometheus;

/// Percentiles that are shown of how long commands take.
const PERCENTILES: [(&str, f64); 3] = [("0.5", 50.0), ("0.99", 99.0), ("0.999", 99.9)];
