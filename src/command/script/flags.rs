//! What a script declares about itself in its first line: `#!lua name=library flags=no-writes,allow-oom`.

use bitflags::bitflags;

use crate::config::split;

bitflags! {
    /// The flags of a script or a function.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct ScriptFlags: u8 {
        /// It writes nothing.
        const NO_WRITES = 1 << 0;
        /// It may run when memory is short.
        const ALLOW_OOM = 1 << 1;
        /// It may run on a replica whose data is stale.
        const ALLOW_STALE = 1 << 2;
        /// It must not run on a node of a cluster.
        const NO_CLUSTER = 1 << 3;
        /// Its keys may be of several slots.
        const ALLOW_CROSS_SLOT_KEYS = 1 << 4;
        /// It has declared nothing, as all scripts before Redis 7.
        const COMPATIBLE = 1 << 5;
    }
}

/// The names, in the order in which replies show them.
pub(super) const NAMES: [(&str, ScriptFlags); 5] = [
    ("no-writes", ScriptFlags::NO_WRITES),
    ("allow-oom", ScriptFlags::ALLOW_OOM),
    ("allow-stale", ScriptFlags::ALLOW_STALE),
    ("no-cluster", ScriptFlags::NO_CLUSTER),
    ("allow-cross-slot-keys", ScriptFlags::ALLOW_CROSS_SLOT_KEYS),
];

/// The flag of this name.
pub(super) fn named(name: &[u8]) -> Option<ScriptFlags> {
    NAMES.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, flag)| *flag)
}

/// A first line that was read: where it ends, and its words behind the engine's name.
pub(super) struct Shebang {
    /// Bytes before the line's end, which stays so that lines keep their numbers.
    pub(super) len: usize,
    pub(super) words: Vec<Vec<u8>>,
}

/// Reads a first line; none if the script has none.
pub(super) fn shebang(body: &[u8]) -> Result<Option<Shebang>, String> {
    if !body.starts_with(b"#!") {
        return Ok(None);
    }
    let len = memchr::memchr(b'\n', body).ok_or("ERR Invalid script shebang")?;
    let mut words = split::words(&body[..len]).ok_or("ERR Invalid engine in script shebang")?;
    if words.is_empty() {
        return Err("ERR Invalid engine in script shebang".into());
    }
    let engine = words.remove(0);
    if engine != b"#!lua" {
        let engine = String::from_utf8_lossy(&engine).into_owned();
        return Err(format!("ERR Unexpected engine in script shebang: {engine}"));
    }
    Ok(Some(Shebang { len, words }))
}

/// The flags of a script that EVAL runs, and how much of its text is its first line.
pub(super) fn of_script(body: &[u8]) -> Result<(ScriptFlags, usize), String> {
    let Some(shebang) = shebang(body)? else { return Ok((ScriptFlags::COMPATIBLE, 0)) };
    let mut flags = ScriptFlags::default();
    for word in &shebang.words {
        let Some(list) = word.strip_prefix(b"flags=") else {
            return Err(format!("ERR Unknown lua shebang option: {}", String::from_utf8_lossy(word)));
        };
        for name in list.split(|byte| *byte == b',').filter(|name| !name.is_empty()) {
            let flag = named(name).ok_or_else(|| {
                format!("ERR Unexpected flag in script shebang: {}", String::from_utf8_lossy(name))
            })?;
            flags |= flag;
        }
    }
    Ok((flags, shebang.len))
}
