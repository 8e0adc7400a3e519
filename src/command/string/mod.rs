//! Strings.
//!
//! | file | holds |
//! |---|---|
//! | `text` | the text of a value in any of its forms |
//! | `options` | conditions and deadlines as arguments |
//! | `get` | reading, also with deleting or another deadline |
//! | `set` | setting one key or several |
//! | `edit` | APPEND and SETRANGE |
//! | `counter` | strings as numbers |
//! | `lcs` | the longest common subsequence |

mod counter;
pub(in crate::command) mod edit;
mod get;
mod lcs;
mod options;
mod set;
pub(in crate::command) mod text;

use crate::command::keys::{KeyFlags, KeySpec};
use crate::command::table::{Categories, Command, Flags};

const S: Categories = Categories::STRING;

const READ: Flags = Flags::READONLY;
const READ_FAST: Flags = Flags::READONLY.union(Flags::FAST);
const TAKE_FAST: Flags = Flags::WRITE.union(Flags::FAST);
const WRITE: Flags = Flags::WRITE.union(Flags::DENYOOM);
const WRITE_FAST: Flags = WRITE.union(Flags::FAST);

const READS: KeyFlags = KeyFlags::RO.union(KeyFlags::ACCESS);
const UPDATES: KeyFlags = KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE);
const TAKES: KeyFlags = KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE);
const OVERWRITES: KeyFlags = KeyFlags::OW.union(KeyFlags::UPDATE);
const CREATES: KeyFlags = KeyFlags::OW.union(KeyFlags::INSERT);

pub(in crate::command) const COMMANDS: &[Command] = &[
    Command::new("get", 2, READ_FAST, S, &[KeySpec::one(1, READS)], get::get).docs(
        "string",
        "1.0.0",
        "Returns the string value of a key.",
        "O(1)",
        "key",
    ),
    Command::new("set", -3, WRITE.union(Flags::SHORT), S, &[KeySpec::one(1, UPDATES.union(KeyFlags::VARIABLE_FLAGS))], set::set)
        .docs(
            "string",
            "1.0.0",
            "Gives a key a string value, whatever it held, unless a condition says otherwise.",
            "O(1)",
            "key value [NX | XX | IFEQ comparison-value | IFNE comparison-value | IFDEQ comparison-digest | \
             IFDNE comparison-digest] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | \
             PXAT unix-time-milliseconds | KEEPTTL]",
        ),
    Command::new("setnx", 3, WRITE_FAST, S, &[KeySpec::one(1, CREATES)], set::setnx).docs(
        "string",
        "1.0.0",
        "Gives a key a string value if the key does not exist.",
        "O(1)",
        "key value",
    ),
    Command::new("setex", 4, WRITE, S, &[KeySpec::one(1, OVERWRITES)], set::setex).docs(
        "string",
        "2.0.0",
        "Gives a key a string value and a time to live in seconds.",
        "O(1)",
        "key seconds value",
    ),
    Command::new("psetex", 4, WRITE, S, &[KeySpec::one(1, OVERWRITES)], set::psetex).docs(
        "string",
        "2.6.0",
        "Gives a key a string value and a time to live in milliseconds.",
        "O(1)",
        "key milliseconds value",
    ),
    Command::new("getset", 3, WRITE_FAST, S, &[KeySpec::one(1, UPDATES)], set::getset).docs(
        "string",
        "1.0.0",
        "Gives a key a string value and returns the one it held.",
        "O(1)",
        "key value",
    ),
    Command::new("getdel", 2, TAKE_FAST, S, &[KeySpec::one(1, TAKES)], get::getdel).docs(
        "string",
        "6.2.0",
        "Returns the string value of a key and removes the key.",
        "O(1)",
        "key",
    ),
    Command::new("getex", -2, TAKE_FAST, S, &[KeySpec::one(1, UPDATES)], get::getex).docs(
        "string",
        "6.2.0",
        "Returns the string value of a key and can change when the key expires.",
        "O(1)",
        "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]",
    ),
    Command::new("delex", -2, TAKE_FAST, S, &[KeySpec::one(1, TAKES)], get::delex).docs(
        "string",
        "8.4.0",
        "Removes a key if its string value is, or is not, the one given.",
        "O(1), but O(N) in the length of the value for the conditions on a digest",
        "key [IFEQ comparison-value | IFNE comparison-value | IFDEQ comparison-digest | IFDNE comparison-digest]",
    ),
    Command::new("delifeq", 3, TAKE_FAST, S, &[KeySpec::one(1, TAKES)], get::delifeq).docs(
        "string",
        "9.0.0",
        "Removes a key if its string value is the one given.",
        "O(1)",
        "key value",
    ),
    Command::new("digest", 2, READ_FAST, S, &[KeySpec::one(1, READS)], get::digest_of).docs(
        "string",
        "8.4.0",
        "Returns the XXH3 digest of a string value.",
        "O(N) in the length of the value",
        "key",
    ),
    Command::new("mget", -2, READ_FAST, S, &[KeySpec::range(1, -1, 1, READS)], get::mget).docs(
        "string",
        "1.0.0",
        "Returns the string values of several keys as they are at one moment.",
        "O(N) in the number of keys",
        "key [key ...]",
    ),
    Command::new("mset", -3, WRITE, S, &[KeySpec::range(1, -1, 2, OVERWRITES)], set::mset).docs(
        "string",
        "1.0.1",
        "Gives several keys string values in one step.",
        "O(N) in the number of keys",
        "key value [key value ...]",
    ),
    Command::new("msetnx", -3, WRITE, S, &[KeySpec::range(1, -1, 2, CREATES)], set::msetnx).docs(
        "string",
        "1.0.1",
        "Gives several keys string values in one step, if none of the keys exists.",
        "O(N) in the number of keys",
        "key value [key value ...]",
    ),
    Command::new("msetex", -4, WRITE, S, &[KeySpec::counted(1, 2, OVERWRITES)], set::msetex).docs(
        "string",
        "8.4.0",
        "Gives several keys string values and one deadline in one step, if all or none of the keys exist as asked.",
        "O(N) in the number of keys",
        "numkeys key value [key value ...] [NX | XX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | \
         PXAT unix-time-milliseconds | KEEPTTL]",
    ),
    Command::new("append", 3, WRITE_FAST, S, &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::INSERT))], edit::append)
        .docs(
            "string",
            "2.0.0",
            "Adds to the end of a string value, which starts out empty.",
            "O(1) per appended byte, amortized",
            "key value",
        ),
    Command::new("setrange", 4, WRITE, S, &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))], edit::setrange)
        .docs(
            "string",
            "2.2.0",
            "Overwrites part of a string value, which is filled up with zero bytes as far as needed.",
            "O(N) in the length of the part",
            "key offset value",
        ),
    Command::new("getrange", 4, READ, S, &[KeySpec::one(1, READS)], get::getrange).docs(
        "string",
        "2.4.0",
        "Returns part of a string value.",
        "O(N) in the length of the part",
        "key start end",
    ),
    Command::new("substr", 4, READ, S, &[KeySpec::one(1, READS)], get::getrange).docs(
        "string",
        "1.0.0",
        "Returns part of a string value, under the older name.",
        "O(N) in the length of the part",
        "key start end",
    ),
    Command::new("strlen", 2, READ_FAST, S, &[KeySpec::one(1, KeyFlags::RO)], get::strlen).docs(
        "string",
        "2.2.0",
        "Returns how many bytes a string value has.",
        "O(1)",
        "key",
    ),
    Command::new("lcs", -3, READ, S, &[KeySpec::range(1, 1, 1, READS)], lcs::lcs).docs(
        "string",
        "7.0.0",
        "Finds the longest subsequence that two string values have in common.",
        "O(N*M) in the lengths of the values",
        "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
    ),
    Command::new("incr", 2, WRITE_FAST, S, &[KeySpec::one(1, UPDATES)], counter::incr).docs(
        "string",
        "1.0.0",
        "Adds one to the integer that a key holds, which starts out as zero.",
        "O(1)",
        "key",
    ),
    Command::new("incrby", 3, WRITE_FAST, S, &[KeySpec::one(1, UPDATES)], counter::incrby).docs(
        "string",
        "1.0.0",
        "Adds to the integer that a key holds, which starts out as zero.",
        "O(1)",
        "key increment",
    ),
    Command::new("incrbyfloat", 3, WRITE_FAST, S, &[KeySpec::one(1, UPDATES)], counter::incrbyfloat).docs(
        "string",
        "2.6.0",
        "Adds to the floating point number that a key holds, which starts out as zero.",
        "O(1)",
        "key increment",
    ),
    Command::new("decr", 2, WRITE_FAST, S, &[KeySpec::one(1, UPDATES)], counter::decr).docs(
        "string",
        "1.0.0",
        "Subtracts one from the integer that a key holds, which starts out as zero.",
        "O(1)",
        "key",
    ),
    Command::new("decrby", 3, WRITE_FAST, S, &[KeySpec::one(1, UPDATES)], counter::decrby).docs(
        "string",
        "1.0.0",
        "Subtracts from the integer that a key holds, which starts out as zero.",
        "O(1)",
        "key decrement",
    ),
];
