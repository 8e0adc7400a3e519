//! Arguments to server.

fn main() {}
