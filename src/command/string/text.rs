//! The text of a string, whatever form the keyspace holds it in.

use bytes::Bytes;

use crate::keyspace::Live;
use crate::protocol::args::parse_i64;
use crate::protocol::reply::Reply;
use crate::value::node::Node;
use crate::value::word::{Short, View};

/// Room for the decimal digits of [`TextValue::Int`].
pub(in crate::command) use itoa::Buffer as Digits;

/// The value is no string.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::command) struct WrongType;

/// The text of a string.
#[derive(Debug)]
pub(in crate::command) enum TextValue<'a> {
    /// A decimal integer that is held as a number.
    Int(i64),
    /// A few bytes, copied out of the slot's word.
    Short(Short),
    /// Bytes that the keyspace keeps readable under the guard.
    Slice(&'a [u8]),
    /// A share of a refcounted buffer.
    Shared(Bytes),
}

/// The text that the key holds. A dense HyperLogLog is the string that Redis would hold.
#[inline]
pub(in crate::command) fn text_of<'a>(live: &Live<'a>) -> Result<TextValue<'a>, WrongType> {
    Ok(match live.view() {
        View::Int(int) => TextValue::Int(int),
        View::Short(short) => TextValue::Short(short),
        View::Raw(bytes) => TextValue::Slice(bytes),
        View::Node(node) => TextValue::Shared(node_text(live, node)?),
        View::Packed(_) => return Err(WrongType),
    })
}

fn node_text(live: &Live<'_>, node: &Node) -> Result<Bytes, WrongType> {
    if let Some(text) = node.as_text() {
        // An update holds the latch already, and taking it again would wait for itself.
        let _held = live.held().is_none().then(|| node.latch().read());
        return Ok(text.load());
    }
    node.as_hyperloglog().map(|dense| Bytes::from(dense.to_redis_bytes())).ok_or(WrongType)
}

impl TextValue<'_> {
    /// The bytes; an integer's digits are written to `digits`.
    #[inline]
    pub fn bytes<'b>(&'b self, digits: &'b mut Digits) -> &'b [u8] {
        match self {
            TextValue::Int(int) => digits.format(*int).as_bytes(),
            TextValue::Short(short) => short.as_slice(),
            TextValue::Slice(bytes) => bytes,
            TextValue::Shared(bytes) => bytes,
        }
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.bytes(&mut Digits::new()).len()
    }

    /// The number that the text spells in canonical decimal, in whatever form it is held.
    #[inline]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            TextValue::Int(int) => Some(*int),
            other => parse_i64(other.bytes(&mut Digits::new())),
        }
    }

    /// The same text without a borrow, for an answer that leaves the closure of an update.
    pub fn detach(self) -> TextValue<'static> {
        match self {
            TextValue::Int(int) => TextValue::Int(int),
            TextValue::Short(short) => TextValue::Short(short),
            TextValue::Slice(bytes) => TextValue::Shared(Bytes::copy_from_slice(bytes)),
            TextValue::Shared(bytes) => TextValue::Shared(bytes),
        }
    }

    /// Writes the text as a bulk string; a large one is shared with the output, not copied.
    #[inline]
    pub fn reply(self, reply: &mut Reply<'_>) {
        match self {
            TextValue::Int(int) => reply.bulk_int(int),
            TextValue::Short(short) => reply.bulk(short.as_slice()),
            TextValue::Slice(bytes) => reply.bulk(bytes),
            TextValue::Shared(bytes) => reply.bulk_owned(bytes),
        }
    }
}
