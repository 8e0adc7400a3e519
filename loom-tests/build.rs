//! Turns on the models' atomics for this crate alone; see `src/sync.rs` of the server.

fn main() {
    println!("cargo::rustc-cfg=sockudo_loom");
}
