//! Every level of the decoder against the oracle, on any bytes cut anywhere.
//!
//! Run with `cargo +nightly fuzz run decoder -- -dict=fuzz/resp.dict`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sockudo_kv::protocol::oracle;

fuzz_target!(|data: &[u8]| oracle::fuzz(data));
