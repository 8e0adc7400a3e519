//! JSON documents, as RedisJSON's module type has them: the module's id, and the document's text as one string.
//!
//! An id is the type's name in nine digits of six bits, and ten bits for the version of its encoding. Version 3 is what
//! RedisJSON has written since 2.0; before every part of a module's value stands a mark that says what it is.

use super::read::Reader;
use super::write::Writer;
use super::{Checked, Corrupt, ensure, kind};
use crate::value::json::{Json, JsonRef, parse, print};

/// Before a string.
const STRING: u64 = 5;
/// At the end.
const END: u64 = 0;
pub(super) const ID: u64 = id(b"ReJSON-RL", 3);

/// The id of a module's type.
const fn id(name: &[u8; 9], version: u64) -> u64 {
    let (mut id, mut at) = (0, 0);
    while at < name.len() {
        id = id << 6 | digit(name[at]);
        at += 1;
    }
    id << 10 | version
}

/// The place of a letter in the alphabet of names.
const fn digit(letter: u8) -> u64 {
    (match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'-' => 62,
        _ => 63,
    }) as u64
}

/// Writes type and value; nothing of no document.
pub fn save(document: JsonRef<'_>, out: &mut Writer<'_>) -> Option<()> {
    let mut text = Vec::new();
    print::print(document.as_ref()?, &mut text);
    out.kind(kind::MODULE_2);
    out.number(ID);
    out.number(STRING);
    out.text(&text);
    out.number(END);
    Some(())
}

/// Reads the value behind its type.
pub fn load(reader: &mut Reader<'_>) -> Checked<Json> {
    ensure(reader.number()? == ID)?;
    ensure(reader.number()? == STRING)?;
    let parsed = parse(&reader.text()?).map_err(|_| Corrupt)?;
    ensure(reader.number()? == END)?;
    Ok(Json(Some(parsed.value)))
}
