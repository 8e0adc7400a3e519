//! What clients call the types of values and their representations.

use crate::value::collection::{Any, packed_encoding};
use crate::value::node::NodeKind;
use crate::value::word::{View, canonical_int};

/// The longest text that Redis keeps in one block with its header.
const EMBEDDED_MAX: usize = 44;

/// What TYPE answers.
pub(in crate::command) fn type_name(view: View<'_>) -> &'static str {
    match view {
        View::Int(_) | View::Short(_) | View::Raw(_) => "string",
        View::Node(node) => match node.kind() {
            NodeKind::Text(_) | NodeKind::HyperLogLog(_) => "string",
            NodeKind::Collection(shared) => shared.kind().name(),
        },
        View::Packed(packed) => packed.kind.name(),
    }
}

/// What OBJECT ENCODING answers: the name of the representation that Redis would choose for the value.
pub(in crate::command) fn encoding(view: View<'_>) -> &'static str {
    match view {
        View::Int(_) => "int",
        View::Short(_) => "embstr",
        // Integers beyond 61 bits are held as their digits.
        View::Raw(text) if canonical_int(text).is_some() => "int",
        View::Raw(text) if text.len() <= EMBEDDED_MAX => "embstr",
        View::Raw(_) => "raw",
        View::Node(node) => match node.kind() {
            NodeKind::Text(_) | NodeKind::HyperLogLog(_) => "raw",
            NodeKind::Collection(shared) => shared.read(&node.latch().read(), Any::encoding),
        },
        View::Packed(packed) => packed_encoding(packed),
    }
}
