//! JSON documents: the commands of RedisJSON 2, its replies and its words.
//!
//! | file | holds |
//! |---|---|
//! | `read` | documents and parts of them as text, their types |
//! | `sizes` | lengths, names of members, places of elements |
//! | `shape` | JSON.RESP and JSON.DEBUG |
//! | `set` | setting, merging |
//! | `change` | deleting, clearing, toggling; what all changes at places share |
//! | `number` | arithmetic, and appending to strings |
//! | `array` | changes of arrays |
//!
//! A path that begins with `$` answers an array with something for each of its matches; a legacy path answers about one
//! match and is an error without any. Which of its messages name a path as it was sent, and which with the `$` in front,
//! is RedisJSON's choice, and so are the few that begin with no code.

mod array;
mod change;
mod number;
mod read;
mod set;
mod shape;
mod sizes;

use std::borrow::Cow;

use super::Ctx;
use super::keys::{KeyFlags, KeySpec};
use super::table::{Categories, Command, Flags};
use crate::keyspace::{Key, Space, WrongType};
use crate::protocol::args::parse_i64;
use crate::value::json::path::Path;
use crate::value::json::{Json, Parsed, Value, parse};

/// RedisJSON 2 adds no category of its own.
const NONE: Categories = Categories::empty();
const GROUP: &str = "json";

const READ: Flags = Flags::READONLY;
const TAKE: Flags = Flags::WRITE;
const WRITE: Flags = Flags::WRITE.union(Flags::DENYOOM);

const READS: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))];
const READS_ALL: &[KeySpec] = &[KeySpec::range(1, -2, 1, KeyFlags::RO.union(KeyFlags::ACCESS))];
const READS_SECOND: &[KeySpec] = &[KeySpec::one(2, KeyFlags::RO)];
const SETS: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))];
const SETS_ALL: &[KeySpec] = &[KeySpec::range(1, -1, 3, KeyFlags::RW.union(KeyFlags::UPDATE))];
const DELETES: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::DELETE))];
const TAKES: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))];
const COUNTS: &[KeySpec] = &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))];

/// What a handler replies instead of an answer.
type Refusal = Cow<'static, str>;
type Outcome<T> = Result<T, Refusal>;

const WRONG_TYPE: &str = "Existing key has wrong Redis type";
const NO_KEY: &str = "ERR could not perform this operation on a key that doesn't exist";
const NEW_AT_ROOT: &str = "ERR new objects must be created at the root";
const NOT_UTF_8: &str = "Couldn't parse as UTF-8 string";
const NOT_AN_INTEGER: &str = "Couldn't parse as integer";
const TOO_MUCH: &str = "ERR the path leads through too many values";
const TOO_DEEP: &str = "ERR recursion limit exceeded";
const TOO_LARGE: &str = "ERR the document would grow by too much at once";

/// The handler that replies what a function refuses.
macro_rules! handler {
    ($run:path) => {
        |ctx: &mut Ctx<'_>| {
            if let Err(text) = $run(ctx) {
                ctx.reply.error(&text);
            }
        }
    };
}

pub(in crate::command) const COMMANDS: &[Command] = &[
    Command::new("json.set", -4, WRITE, NONE, SETS, handler!(set::set)).docs(
        GROUP,
        "1.0.0",
        "Sets the value wherever a path leads.",
        "O(M+N) for a value of size M in place of one of size N; for several matches O(M+N) where N is the size of the \
         document.",
        "key path value [NX | XX] [FPHA <FP16 | BF16 | FP32 | FP64>]",
    ),
    Command::new("json.mset", -4, WRITE, NONE, SETS_ALL, handler!(set::mset)).docs(
        GROUP,
        "2.6.0",
        "Sets values in several documents at once.",
        "O(K*(M+N)) for K values, where M is their size and N that of what they replace.",
        "key path value [key path value ...]",
    ),
    Command::new("json.merge", 4, WRITE, NONE, SETS, handler!(set::merge)).docs(
        GROUP,
        "2.6.0",
        "Merges a patch into the values of a path: members are set, or deleted by null.",
        "O(M+N) for a patch of size M and values of size N.",
        "key path value",
    ),
    Command::new("json.get", -2, READ, NONE, READS, handler!(read::get)).docs(
        GROUP,
        "1.0.0",
        "Returns the values of paths as JSON text.",
        "O(N) where N is the size of the values, or of the document if a path has several matches.",
        "key [INDENT indent] [NEWLINE newline] [SPACE space] [path [path ...]]",
    ),
    Command::new("json.mget", -3, READ, NONE, READS_ALL, handler!(read::mget)).docs(
        GROUP,
        "1.0.0",
        "Returns the values of one path in several documents.",
        "O(M*N) for M keys and values of size N.",
        "key [key ...] path",
    ),
    Command::new("json.del", -2, TAKE, NONE, DELETES, handler!(change::del)).docs(
        GROUP,
        "1.0.0",
        "Deletes the values of a path, and with the last one the key.",
        "O(N) where N is the size of what is deleted, or of the document if the path has several matches.",
        "key [path]",
    ),
    Command::new("json.forget", -2, TAKE, NONE, DELETES, handler!(change::del)).docs(
        GROUP,
        "1.0.0",
        "Deletes the values of a path, and with the last one the key.",
        "O(N) where N is the size of what is deleted, or of the document if the path has several matches.",
        "key [path]",
    ),
    Command::new("json.type", -2, READ, NONE, READS, handler!(read::kind)).docs(
        GROUP,
        "1.0.0",
        "Names the types of the values of a path.",
        "O(1), or O(N) where N is the size of the document if the path has several matches.",
        "key [path]",
    ),
    Command::new("json.numincrby", 4, TAKE, NONE, COUNTS, handler!(number::add)).docs(
        GROUP,
        "1.0.0",
        "Adds to the numbers of a path.",
        "O(1), or O(N) where N is the size of the document if the path has several matches.",
        "key path value",
    ),
    Command::new("json.nummultby", 4, TAKE, NONE, COUNTS, handler!(number::multiply)).docs(
        GROUP,
        "1.0.0",
        "Multiplies the numbers of a path.",
        "O(1), or O(N) where N is the size of the document if the path has several matches.",
        "key path value",
    ),
    Command::new("json.toggle", 3, WRITE, NONE, COUNTS, handler!(change::toggle)).docs(
        GROUP,
        "2.0.0",
        "Turns the truth values of a path into their opposites.",
        "O(1), or O(N) where N is the size of the document if the path has several matches.",
        "key path",
    ),
    Command::new("json.strappend", -3, WRITE, NONE, COUNTS, handler!(number::append)).docs(
        GROUP,
        "1.0.0",
        "Appends to the strings of a path.",
        "O(N) where N is the length of the strings, or the size of the document if the path has several matches.",
        "key [path] value",
    ),
    Command::new("json.strlen", -2, READ, NONE, READS, handler!(sizes::strlen)).docs(
        GROUP,
        "1.0.0",
        "Tells how long the strings of a path are.",
        "O(1), or O(N) where N is the size of the document if the path has several matches.",
        "key [path]",
    ),
    Command::new("json.arrappend", -4, WRITE, NONE, COUNTS, handler!(array::append)).docs(
        GROUP,
        "1.0.0",
        "Appends values to the arrays of a path.",
        "O(1) for each value, or O(N) where N is the size of the document if the path has several matches.",
        "key path value [value ...]",
    ),
    Command::new("json.arrindex", -4, READ, NONE, READS, handler!(sizes::arrindex)).docs(
        GROUP,
        "1.0.0",
        "Tells where a value first is in the arrays of a path.",
        "O(N) where N is the length of the array, or the size of the document if the path has several matches.",
        "key path value [start [stop]]",
    ),
    Command::new("json.arrinsert", -5, WRITE, NONE, COUNTS, handler!(array::insert)).docs(
        GROUP,
        "1.0.0",
        "Inserts values before an element of the arrays of a path.",
        "O(N) where N is the length of the array, or the size of the document if the path has several matches.",
        "key path index value [value ...]",
    ),
    Command::new("json.arrlen", -2, READ, NONE, READS, handler!(sizes::arrlen)).docs(
        GROUP,
        "1.0.0",
        "Tells how long the arrays of a path are.",
        "O(1), or O(N) where N is the size of the document if the path has several matches.",
        "key [path]",
    ),
    Command::new("json.arrpop", -2, TAKE, NONE, TAKES, handler!(array::pop)).docs(
        GROUP,
        "1.0.0",
        "Returns an element of the arrays of a path and removes it.",
        "O(1) for the last element, otherwise O(N) where N is the length of the array, or the size of the document if \
         the path has several matches.",
        "key [path [index]]",
    ),
    Command::new("json.arrtrim", 5, TAKE, NONE, COUNTS, handler!(array::trim)).docs(
        GROUP,
        "1.0.0",
        "Leaves only a range of elements of the arrays of a path.",
        "O(N) where N is the length of the array, or the size of the document if the path has several matches.",
        "key path start stop",
    ),
    Command::new("json.objkeys", -2, READ, NONE, READS, handler!(sizes::objkeys)).docs(
        GROUP,
        "1.0.0",
        "Returns the names of the members of the objects of a path.",
        "O(N) where N is the number of members, or the size of the document if the path has several matches.",
        "key [path]",
    ),
    Command::new("json.objlen", -2, READ, NONE, READS, handler!(sizes::objlen)).docs(
        GROUP,
        "1.0.0",
        "Tells how many members the objects of a path have.",
        "O(1), or O(N) where N is the size of the document if the path has several matches.",
        "key [path]",
    ),
    Command::new("json.clear", -2, TAKE, NONE, COUNTS, handler!(change::clear)).docs(
        GROUP,
        "2.0.0",
        "Empties the arrays and objects of a path and sets its numbers to zero.",
        "O(N) where N is the size of the values, or of the document if the path has several matches.",
        "key [path]",
    ),
    Command::new("json.resp", -2, READ, NONE, READS, handler!(shape::resp)).docs(
        GROUP,
        "1.0.0",
        "Returns the values of a path as replies of the protocol.",
        "O(N) where N is the size of the values, or of the document if the path has several matches.",
        "key [path]",
    ),
    Command::new("json.debug", -2, READ, NONE, READS_SECOND, handler!(shape::debug)).docs(
        GROUP,
        "1.0.0",
        "Tells how much memory the values of a path take.",
        "O(N) where N is the size of the values, or of the document if the path has several matches.",
        "<MEMORY key [path] | HELP>",
    ),
];

/// The path at argument `index`; the document if there is none, of which RESP3 is told as of one match of many.
fn path_at(ctx: &Ctx<'_>, index: usize) -> Outcome<Path> {
    match ctx.args.get(index) {
        Some(text) => read_path(text),
        None => Ok(Path::parse(if ctx.reply.resp3() { "$" } else { "." })?),
    }
}

fn read_path(text: &[u8]) -> Outcome<Path> {
    Ok(Path::parse(std::str::from_utf8(text).map_err(|_| NOT_UTF_8)?)?)
}

/// The path at argument `index` as it was sent.
fn sent<'a>(ctx: &Ctx<'a>, index: usize) -> Cow<'a, str> {
    String::from_utf8_lossy(ctx.args.get(index).unwrap_or(b"."))
}

fn integer(ctx: &Ctx<'_>, index: usize) -> Outcome<i64> {
    Ok(parse_i64(ctx.arg(index)).ok_or(NOT_AN_INTEGER)?)
}

/// The values of the arguments from `first` on.
fn values(ctx: &Ctx<'_>, first: usize) -> Outcome<Vec<Parsed>> {
    Ok(ctx.args.iter().skip(first).map(parse).collect::<Result<_, _>>()?)
}

/// The value of a command whose errors about it begin with a code.
fn operand(text: &[u8]) -> Outcome<Value> {
    Ok(parse(text).map_err(|error| format!("ERR {error}"))?.value)
}

/// Lets `look` see the document at argument `index`; nothing if the key is absent.
fn look<R>(ctx: &Ctx<'_>, index: usize, look: impl FnOnce(&Value) -> R) -> Outcome<Option<R>> {
    look_in(ctx.space, ctx.key(index), look)
}

/// The same for those who reply meanwhile.
fn look_in<R>(space: &Space<'_>, key: Key<'_>, look: impl FnOnce(&Value) -> R) -> Outcome<Option<R>> {
    let seen = space.read_as::<Json, _>(key, |document| document.as_ref().map(look));
    Ok(seen.map_err(|WrongType| WRONG_TYPE)?.flatten())
}

/// The path has no match.
fn no_path(path: &str) -> Refusal {
    format!("ERR Path '{path}' does not exist").into()
}

/// The path has no match that is `what`.
fn no_match(path: &str, what: &str) -> Refusal {
    format!("ERR Path '{path}' does not exist or {what}").into()
}

/// The first match is something else.
fn wrong_value(expected: &str, found: &Value) -> Refusal {
    format!("WRONGTYPE wrong type of path value - expected {expected} but found {}", found.type_name()).into()
}
