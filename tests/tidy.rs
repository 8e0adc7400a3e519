//! The house rules that a compiler does not check: which layer may import which, how long files and functions are,
//! words that must not stay, a reason for each `unsafe`.
//!
//! Limits are ratchets. What was over one when the limit came is listed with its number; the number may fall and
//! never rise, and a line that is no longer needed must go.

use std::fs;
use std::path::Path;

const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 70;
const MAIN_LINES: usize = 80;

/// Files over [`FILE_LINES`].
const LONG_FILES: Ratchet = &[];
/// Functions over [`FUNCTION_LINES`], as `file::function`.
const LONG_FUNCTIONS: Ratchet = &[];
/// Lines of `keyspace` and `value` that go around `crate::sync`.
const OWN_ATOMICS: Ratchet = &[("src/keyspace/gate.rs", 1), ("src/keyspace/reclaim.rs", 1)];
/// Imports against the direction, as `file -> layer`: how many.
const AGAINST_THE_FLOW: Ratchet = &[("src/net/expiry.rs -> keyspace", 2)];

/// Offenders with the number that they had when they were listed.
type Ratchet = &'static [(&'static str, usize)];

/// What a layer may import besides itself and the shared files.
const LAYERS: &[(&str, &[&str])] = &[
    ("net", &["command", "protocol"]),
    ("command", &["protocol", "keyspace", "rdb", "disk", "value", "lua"]),
    ("keyspace", &["value"]),
    ("rdb", &["value"]),
    ("disk", &[]),
    ("protocol", &[]),
    ("value", &[]),
    ("lua", &[]),
];
/// What the shared files may import of the layers: numbers are parsed in one place.
const SHARED_MAY_IMPORT: &[&str] = &["protocol"];

/// Split, so that this file does not contain them.
const BANNED: &[(&str, &str)] = &[
    (concat!("to", "do!"), "write it, or leave it out and list it in the README"),
    (concat!("unimplement", "ed!"), "write it, or leave it out and list it in the README"),
    (concat!("db", "g!"), "take it out, or log through `logging`"),
    (concat!("FIX", "ME"), "fix it, or open an issue"),
    (concat!("TO", "DO"), "do it, or open an issue"),
    (concat!("X", "XX"), "say what is meant in a sentence"),
    (concat!("for", " now"), "finish it, or say what it does and why that is right"),
];

const PERSONAL: &[&str] =
    &[concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/"), concat!("/wo", "rk/")];

/// Lines above an `unsafe` in which its reason may stand: one reason may cover a few neighbours.
const REASON_WITHIN: usize = 12;

/// One file of the repository.
struct File {
    /// Its path from the root, with slashes.
    path: String,
    text: String,
}

impl File {
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(at, line)| (at + 1, line))
    }

    /// The lines of code: no comments, and none of the unit tests at a file's end.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let tests = self.text.find("\nmod tests {").unwrap_or(self.text.len());
        let code = self.text[..tests].lines().enumerate().map(|(at, line)| (at + 1, line));
        code.filter(|(_, line)| !is_comment(line))
    }

    fn is_in(&self, folder: &str) -> bool {
        self.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

/// All files below `folders` whose names end with one of `endings`; a folder that is not there has none.
fn files(folders: &[&str], endings: &[&str]) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    folders.iter().for_each(|folder| collect(root, &root.join(folder), endings, &mut found));
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "there are no files in {folders:?}: has a folder moved?");
    found
}

fn collect(root: &Path, folder: &Path, endings: &[&str], found: &mut Vec<File>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.expect("a folder can be read").path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && (!name.starts_with('.') || name == ".ci") {
            collect(root, &path, endings, found);
        } else if endings.iter().any(|ending| name.ends_with(ending)) && path.is_file() {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let path = path.strip_prefix(root).expect("below the root").to_string_lossy().replace('\\', "/");
            found.push(File { path, text });
        }
    }
}

fn rust() -> Vec<File> {
    files(&["src", "tests", "benches", "loom-tests", "fuzz"], &[".rs"])
}

fn sources() -> Vec<File> {
    files(&["src"], &[".rs"])
}

/// Fails with all complaints at once.
#[track_caller]
fn report(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n\n{}\n", complaints.join("\n"));
}

/// Holds what was found over a limit against the list of what may be: `remedy` says what to do about a new one.
#[track_caller]
fn hold(found: &[(String, usize)], allowed: Ratchet, list: &str, remedy: &str) {
    let mut complaints = Vec::new();
    for (what, number) in found {
        let before = allowed.iter().find(|(name, _)| name == what).map(|&(_, number)| number);
        match before {
            Some(before) if *number <= before => {}
            Some(before) => {
                complaints.push(format!("{what}: {number}, more than the {before} in {list}: {remedy}"))
            }
            None => complaints.push(format!("{what}: {number}: {remedy}")),
        }
    }
    let gone = allowed.iter().filter(|(name, _)| !found.iter().any(|(what, _)| what == name));
    complaints
        .extend(gone.map(|(name, _)| format!("{name} is within the limit: take its line out of {list}")));
    report(&complaints);
}

// -- layers -----------------------------------------------------------------------------------------------------

/// What a line names behind `root`, as in `crate::a::b` and `crate::{a::b, c}`.
fn named_behind<'a>(line: &'a str, root: &str) -> Vec<&'a str> {
    let behind = line.match_indices(root).map(|(at, _)| &line[at + root.len()..]);
    behind.flat_map(|rest| rest.strip_prefix('{').map_or_else(|| vec![name(rest)], group)).collect()
}

/// The first names of a group's members, the opening brace left out.
fn group(members: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut depth = 0;
    let mut begins = true;
    for (at, letter) in members.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            _ if begins && !letter.is_whitespace() => {
                found.push(name(&members[at..]));
                begins = false;
            }
            _ => {}
        }
    }
    found
}

/// The modules of the crate's root that a file names, each as often as it does.
fn imports(file: &File) -> Vec<String> {
    let below = file.path.trim_start_matches("src/").trim_end_matches("/mod.rs");
    let root_by_parents = "super::".repeat(below.split('/').count());
    let text = joined(file);
    let lines = text.lines();
    let found = lines.flat_map(|line| [named_behind(line, "crate::"), named_behind(line, &root_by_parents)]);
    found.flatten().map(str::to_string).collect()
}

fn name(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
    &text[..end.unwrap_or(text.len())]
}

/// The file's code with each `use` in one line.
fn joined(file: &File) -> String {
    let mut text = String::new();
    let mut open = false;
    for (_, line) in file.code() {
        open |= line.trim_start().starts_with("use ") || line.trim_start().starts_with("pub use ");
        text.push_str(line.trim());
        open &= !line.ends_with(';');
        text.push(if open { ' ' } else { '\n' });
    }
    text
}

#[test]
fn imports_go_one_way() {
    let names: Vec<&str> = LAYERS.iter().map(|(layer, _)| *layer).collect();
    let mut found: Vec<(String, usize)> = Vec::new();
    for file in sources().iter().filter(|file| !["src/main.rs", "src/lib.rs"].contains(&&*file.path)) {
        let layer = LAYERS.iter().find(|(layer, _)| file.is_in(&format!("src/{layer}")));
        let (own, allowed) = layer.map_or(("", SHARED_MAY_IMPORT), |&(layer, allowed)| (layer, allowed));
        for import in imports(file) {
            if names.contains(&&*import) && import != own && !allowed.contains(&&*import) {
                let what = format!("{} -> {import}", file.path);
                match found.iter_mut().find(|(name, _)| *name == what) {
                    Some((_, count)) => *count += 1,
                    None => found.push((what, 1)),
                }
            }
        }
    }
    hold(
        &found,
        AGAINST_THE_FLOW,
        "AGAINST_THE_FLOW",
        "imports go net -> command, protocol; command -> protocol, keyspace, value; keyspace -> value, and the \
         shared files import at most protocol. Move what is needed down, or hand it in from above",
    );
}

#[test]
fn the_reader_of_imports_sees_groups_paths_and_parents() {
    let read = |path: &str, text: &str| imports(&File { path: path.into(), text: text.into() });
    assert_eq!(read("src/a/b.rs", "use crate::value::word::Word;\nuse super::c;"), ["value"]);
    assert_eq!(read("src/a/b.rs", "use crate::{\n    limits::{A, B},\n    sync,\n};"), ["limits", "sync"]);
    assert_eq!(read("src/a/b.rs", "crate::memory::used() + crate::net::y()"), ["memory", "net"]);
    assert_eq!(read("src/a/b.rs", "use super::super::{net, value};"), ["net", "value"]);
    assert_eq!(read("src/a/mod.rs", "use super::net;"), ["net"]);
    assert_eq!(read("src/a.rs", "// crate::net\nmod b;\n\nmod tests {\n    use crate::net;\n}"), [""; 0]);
}

// -- lengths ----------------------------------------------------------------------------------------------------

#[test]
fn files_are_short() {
    let lines = |file: &File| (file.path.clone(), file.lines().count());
    let long: Vec<_> = rust().iter().map(lines).filter(|&(_, lines)| lines > FILE_LINES).collect();
    hold(
        &long,
        LONG_FILES,
        "LONG_FILES",
        &format!("a file has at most {FILE_LINES} lines. Make it a folder with a file per concern"),
    );
}

#[test]
fn main_only_starts() {
    let main = sources().into_iter().find(|file| file.path == "src/main.rs").expect("there is a main.rs");
    let lines = main.lines().count();
    assert!(
        lines <= MAIN_LINES,
        "main.rs has {lines} lines of {MAIN_LINES}: what it starts belongs in the library"
    );
}

/// The functions of a file with their lengths. It relies on rustfmt: a function ends with the brace in its column.
fn functions(file: &File) -> Vec<(String, usize)> {
    let lines: Vec<&str> = file.text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = &line[..line.len() - line.trim_start().len()];
        let end = lines[at..].iter().position(|line| ends_function(line, indent)).unwrap_or(0);
        found.push((format!("{}::{name}", file.path), end + 1));
    }
    found
}

fn ends_function(line: &str, indent: &str) -> bool {
    let is_one_line = function_name(line).is_some() && (line.ends_with('}') || line.ends_with(';'));
    let closes = line
        .strip_prefix(indent)
        .is_some_and(|rest| rest == "}" || (rest.starts_with(')') && rest.ends_with(';')));
    is_one_line || closes
}

fn function_name(line: &str) -> Option<&str> {
    const BEFORE: &[&str] = &["pub", "const", "async", "unsafe", "extern"];
    let (before, rest) = line.split_once("fn ")?;
    let is_modifier = |word: &str| {
        BEFORE.iter().any(|known| word.starts_with(known))
            || word == "\"C\""
            || word == "in"
            || word.ends_with(')')
    };
    (!is_comment(line) && before.split_whitespace().all(is_modifier))
        .then(|| name(rest))
        .filter(|name| !name.is_empty())
}

#[test]
fn functions_are_short() {
    let all: Vec<(String, usize)> = rust().iter().flat_map(functions).collect();
    assert!(all.len() > 500, "only {} functions were found: the search for them is broken", all.len());
    let long: Vec<_> = all.into_iter().filter(|&(_, lines)| lines > FUNCTION_LINES).collect();
    hold(
        &long,
        LONG_FUNCTIONS,
        "LONG_FUNCTIONS",
        &format!("a function has at most {FUNCTION_LINES} lines. Give its steps names"),
    );
}

#[test]
fn the_reader_of_functions_counts_their_lines() {
    let text = "fn one() {\n    1\n}\n\nimpl A {\n    pub(in crate::b) const fn two(&self) {}\n\n    async fn three(\n        \
                a: u8,\n    ) {\n        let f = || {\n        };\n    }\n    fn four(\n        &self,\n    );\n}\n// fn no() {\n";
    let file = File { path: "a.rs".into(), text: text.into() };
    let expected = [("a.rs::one", 3), ("a.rs::two", 1), ("a.rs::three", 6), ("a.rs::four", 3)];
    assert_eq!(functions(&file), expected.map(|(name, lines)| (name.to_string(), lines)));
}

// -- words ------------------------------------------------------------------------------------------------------

#[test]
fn no_words_of_unfinished_work() {
    let mut complaints = Vec::new();
    for file in &rust() {
        for (at, line) in file.lines() {
            for (word, remedy) in BANNED.iter().filter(|(word, _)| line.contains(word)) {
                complaints.push(format!("{}:{at}: `{word}`: {remedy}", file.path));
            }
        }
    }
    report(&complaints);
}

#[test]
fn no_paths_of_one_persons_machine() {
    let folders = ["src", "tests", "benches", "loom-tests", "fuzz", "perf", "ci", ".ci"];
    let mut all = files(&folders, &[""]);
    collect_root(&mut all);
    let mut complaints = Vec::new();
    for file in &all {
        for (at, line) in file.lines() {
            for path in PERSONAL.iter().filter(|path| line.contains(*path)) {
                complaints.push(format!(
                    "{}:{at}: `{path}` is on your machine only: derive the path, or take it as an argument",
                    file.path
                ));
            }
        }
    }
    report(&complaints);
}

/// The documents and manifests of the root.
fn collect_root(into: &mut Vec<File>) {
    for name in
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "Cargo.toml", "rustfmt.toml"]
    {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{name} should be there: {error}"));
        into.push(File { path: name.into(), text });
    }
}

// -- unsafe and atomics -----------------------------------------------------------------------------------------

#[test]
fn every_unsafe_says_why_it_is_sound() {
    let mut complaints = Vec::new();
    for file in &rust() {
        let lines: Vec<&str> = file.text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let bare = code.contains("unsafe {") || code.contains("unsafe impl");
            let above = &lines[at.saturating_sub(REASON_WITHIN)..=at];
            if bare && !code.contains('"') && !above.iter().any(|line| line.contains("SAFETY:")) {
                let place = format!("{}:{}", file.path, at + 1);
                complaints
                    .push(format!("{place}: write a `// SAFETY:` above that cites the fact it relies on"));
            }
        }
    }
    report(&complaints);
}

#[test]
fn atomics_come_through_sync() {
    let files = sources();
    let concurrent = files.iter().filter(|file| file.is_in("src/keyspace") || file.is_in("src/value"));
    let around = |file: &File| {
        let lines = file.code().filter(|(_, line)| line.contains("std::sync::atomic")).count();
        (file.path.clone(), lines)
    };
    let found: Vec<_> = concurrent.map(around).filter(|&(_, lines)| lines > 0).collect();
    hold(
        &found,
        OWN_ATOMICS,
        "OWN_ATOMICS",
        "import atomics and fences from `crate::sync`, so that the models run this code over loom's",
    );
}
