//! Turns on the models' atomics for this crate alone; see `src/sync.rs` of the server.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(sockudo_loom)");
    println!("cargo::rustc-cfg=sockudo_loom");
    println!("cargo::rerun-if-changed=build.rs");
}
