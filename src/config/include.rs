//! The files that an `include` names.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use crate::glob;

/// The path itself, or every existing path that it matches when it holds `*`, `?` or `[`, in order. A relative path
/// starts at the working directory. Names that start with a dot are matched only by a pattern that does.
pub fn files(pattern: &[u8]) -> Vec<PathBuf> {
    if !is_glob(pattern) {
        return vec![PathBuf::from(OsStr::from_bytes(pattern))];
    }
    let root = if pattern.starts_with(b"/") { "/" } else { "" };
    let mut found = vec![PathBuf::from(root)];
    for part in pattern.split(|&byte| byte == b'/').filter(|part| !part.is_empty()) {
        found = found.iter().flat_map(|under| step(under, part)).collect();
    }
    found
}

fn is_glob(text: &[u8]) -> bool {
    text.iter().any(|byte| b"*?[".contains(byte))
}

/// The paths one level below `under` that `part` names.
fn step(under: &Path, part: &[u8]) -> Vec<PathBuf> {
    if !is_glob(part) {
        let path = under.join(OsStr::from_bytes(part));
        return if path.exists() { vec![path] } else { Vec::new() };
    }
    let dir = if under.as_os_str().is_empty() { Path::new(".") } else { under };
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let names = entries.flatten().map(|entry| entry.file_name());
    let fits = |name: &OsStr| {
        let hidden = name.as_bytes().starts_with(b".") && !part.starts_with(b".");
        !hidden && glob::matches(part, name.as_bytes(), false)
    };
    let mut paths: Vec<_> = names.filter(|name| fits(name)).map(|name| under.join(name)).collect();
    paths.sort();
    paths
}
