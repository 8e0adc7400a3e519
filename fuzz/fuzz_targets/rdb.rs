//! The loader of files, and RESTORE, on any bytes.
//!
//! Run with `cargo +nightly fuzz run rdb`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sockudo_kv::rdb;

fuzz_target!(|data: &[u8]| rdb::fuzz(data));
