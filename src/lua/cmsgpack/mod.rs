//! `cmsgpack`: MessagePack, with the results and error texts of lua-cmsgpack 0.4.0.

mod pack;
mod unpack;

use super::Stack;

/// Pushes the library.
pub fn build(stack: &mut Stack<'_>) {
    stack.push_table(0, 8);
    stack.add_native("pack", pack::pack);
    stack.add_native("unpack", unpack::unpack);
    stack.add_native("unpack_one", unpack::unpack_one);
    stack.add_native("unpack_limit", unpack::unpack_limit);
    for (name, value) in [
        ("_NAME", "cmsgpack"),
        ("_VERSION", "lua-cmsgpack 0.4.0"),
        ("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo"),
        ("_DESCRIPTION", "MessagePack C implementation for Lua"),
    ] {
        stack.push_bytes(value.as_bytes());
        stack.set_field(-2, name);
    }
}
