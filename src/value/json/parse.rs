//! Text to values: simd-json checks the text and makes a tape of it, and the tape becomes the tree in one pass.

use std::cell::RefCell;
use std::slice::Iter;

use simd_json::{Buffers, INPUT_PADDING, Node, StaticNode, Tape, fill_tape_padded};

use super::explain::explain;
use super::{DEPTH_MAX, Object, Text, Value};

/// Bytes of a text up to which a thread keeps its buffers for the next one.
const KEPT_MAX: usize = 64 << 10;

thread_local! {
    /// The buffers of this thread, once it has parsed a short text.
    static BUFFERS: RefCell<Option<Buffers>> = const { RefCell::new(None) };
}

/// What a text says.
#[derive(Debug)]
pub struct Parsed {
    /// The value.
    pub value: Value,
    /// How deep it is nested.
    pub depth: usize,
}

/// Reads a text. The error says what is wrong with it and where, in the words of serde_json, as RedisJSON's clients see
/// them.
pub fn parse(text: &[u8]) -> Result<Parsed, String> {
    let mut padded = Vec::with_capacity(text.len() + INPUT_PADDING);
    padded.extend_from_slice(text);
    padded.resize(text.len() + INPUT_PADDING, 0);
    let parsed = if text.len() <= KEPT_MAX {
        BUFFERS.with_borrow_mut(|kept| {
            read(&mut padded, text.len(), kept.get_or_insert_with(|| buffers(KEPT_MAX)))
        })
    } else {
        read(&mut padded, text.len(), &mut buffers(text.len()))
    };
    parsed.ok_or_else(|| explain(text))
}

fn buffers(length: usize) -> Buffers {
    // The parser counts the document itself as a level.
    Buffers::with_max_depth(length, DEPTH_MAX + 1)
}

/// Reads the first `length` bytes, which padding follows; nothing if they are no JSON.
fn read(padded: &mut [u8], length: usize, buffers: &mut Buffers) -> Option<Parsed> {
    let mut tape = Tape(Vec::new());
    fill_tape_padded(padded, length, buffers, &mut tape).ok()?;
    let mut builder = Builder { nodes: tape.0.iter(), deepest: 0 };
    let value = builder.value(0)?;
    Some(Parsed { value, depth: builder.deepest })
}

/// Makes values of a tape.
struct Builder<'t, 'i> {
    nodes: Iter<'t, Node<'i>>,
    deepest: usize,
}

impl Builder<'_, '_> {
    /// The next value, which `level` others contain.
    fn value(&mut self, level: usize) -> Option<Value> {
        Some(match *self.nodes.next()? {
            Node::Static(StaticNode::Null) => Value::Null,
            Node::Static(StaticNode::Bool(truth)) => Value::Bool(truth),
            Node::Static(StaticNode::I64(int)) => Value::Int(int),
            Node::Static(StaticNode::U64(int)) => i64::try_from(int).map_or(Value::Unsigned(int), Value::Int),
            Node::Static(StaticNode::F64(float)) => Value::Float(float),
            Node::String(text) => Value::Text(Text::new(text)),
            Node::Array { len, .. } => {
                self.enter(level)?;
                let mut items = Vec::with_capacity(len);
                for _ in 0..len {
                    items.push(self.value(level + 1)?);
                }
                Value::Array(Box::new(items))
            }
            Node::Object { len, .. } => {
                self.enter(level)?;
                Value::Object(Box::new(self.object(len, level + 1)?))
            }
        })
    }

    /// Of a name that comes several times the last value counts.
    fn object(&mut self, len: usize, level: usize) -> Option<Object> {
        let mut object = Object::with_capacity(len);
        for _ in 0..len {
            let Some(Node::String(name)) = self.nodes.next() else { return None };
            let value = self.value(level)?;
            object.set(name, value);
        }
        Some(object)
    }

    /// Notes that something begins inside `level` others; nothing if that is too deep.
    fn enter(&mut self, level: usize) -> Option<()> {
        self.deepest = self.deepest.max(level + 1);
        (level < DEPTH_MAX).then_some(())
    }
}
