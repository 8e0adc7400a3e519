//! Text to values: simd-json checks the text and makes a tape of it, and the tape becomes the tree in one pass.

use std::cell::RefCell;
use std::slice::Iter;

use simd_json::{Buffers, INPUT_PADDING, Node, StaticNode, Tape, fill_tape_padded};

use super::explain::explain;
use super::{DEPTH_MAX, Object, Text, Value};

/// Bytes of a text up to which a thread keeps its room for the next one: fresh memory costs as much as parsing.
const KEPT_MAX: usize = 5 << 18;
/// Nodes of a tape up to which it is kept.
const KEPT_NODES: usize = 1 << 17;

thread_local! {
    /// The room of this thread, once it has parsed a text.
    static KEPT: RefCell<Option<Room>> = const { RefCell::new(None) };
}

/// What parsing needs besides the text.
struct Room {
    /// The text, with the padding that the parser reads beyond its end.
    padded: Vec<u8>,
    buffers: Buffers,
    tape: Tape<'static>,
}

impl Default for Room {
    fn default() -> Room {
        // The parser counts the document itself as a level.
        let buffers = Buffers::with_max_depth(0, DEPTH_MAX + 1);
        Room { padded: Vec::new(), buffers, tape: Tape(Vec::new()) }
    }
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
    let mut room = KEPT.take().unwrap_or_default();
    let parsed = read(text, &mut room);
    if text.len() <= KEPT_MAX {
        if room.tape.0.capacity() > KEPT_NODES {
            room.tape = Tape(Vec::new());
        }
        KEPT.set(Some(room));
    }
    parsed.ok_or_else(|| explain(text))
}

/// Nothing if the text is no JSON.
fn read(text: &[u8], room: &mut Room) -> Option<Parsed> {
    let Room { padded, buffers, tape } = room;
    padded.clear();
    padded.reserve(text.len() + INPUT_PADDING);
    padded.extend_from_slice(text);
    padded.resize(text.len() + INPUT_PADDING, 0);
    let mut filled = std::mem::replace(tape, Tape(Vec::new())).reset();
    let is_json = fill_tape_padded(padded, text.len(), buffers, &mut filled).is_ok();
    let mut builder = Builder { nodes: filled.0.iter(), deepest: 0 };
    let value = if is_json { builder.document() } else { None };
    let deepest = builder.deepest;
    *tape = filled.reset();
    Some(Parsed { value: value?, depth: deepest })
}

/// Makes values of a tape.
struct Builder<'t, 'i> {
    nodes: Iter<'t, Node<'i>>,
    deepest: usize,
}

impl<'i> Builder<'_, 'i> {
    /// The document.
    fn document(&mut self) -> Option<Value> {
        let mut root = Value::Null;
        let node = *self.nodes.next()?;
        self.place(node, 0, |value| root = value)?;
        Some(root)
    }

    /// Hands the value that begins with `node`, and which `level` others contain, to `put`. Every kind of value is made
    /// where it is put: to make it first and then move it costs more than all the rest.
    #[inline(always)]
    fn place(&mut self, node: Node<'i>, level: usize, put: impl FnOnce(Value)) -> Option<()> {
        match node {
            Node::Static(StaticNode::Null) => put(Value::Null),
            Node::Static(StaticNode::Bool(truth)) => put(Value::Bool(truth)),
            Node::Static(StaticNode::I64(int)) => put(Value::Int(int)),
            Node::Static(StaticNode::U64(int)) => match i64::try_from(int) {
                Ok(int) => put(Value::Int(int)),
                Err(_) => put(Value::Unsigned(int)),
            },
            Node::Static(StaticNode::F64(float)) => put(Value::Float(float)),
            Node::String(text) => put(Value::Text(Text::new(text))),
            Node::Array { len, .. } => {
                let items = self.array(len, level)?;
                put(Value::Array(Box::new(items)));
            }
            Node::Object { len, .. } => {
                let object = self.object(len, level)?;
                put(Value::Object(object));
            }
        }
        Some(())
    }

    fn array(&mut self, len: usize, level: usize) -> Option<Vec<Value>> {
        self.enter(level)?;
        let mut items = Vec::with_capacity(len);
        for _ in 0..len {
            let node = *self.nodes.next()?;
            self.place(node, level + 1, |value| items.push(value))?;
        }
        Some(items)
    }

    /// Of a name that comes several times the last value counts.
    fn object(&mut self, len: usize, level: usize) -> Option<Box<Object>> {
        self.enter(level)?;
        let mut object = Box::new(Object::with_capacity(len));
        for _ in 0..len {
            let Some(Node::String(name)) = self.nodes.next() else { return None };
            let slot = object.slot(name);
            let node = *self.nodes.next()?;
            self.place(node, level + 1, |value| *slot = value)?;
        }
        Some(object)
    }

    /// Notes that something begins inside `level` others; nothing if that is too deep.
    fn enter(&mut self, level: usize) -> Option<()> {
        self.deepest = self.deepest.max(level + 1);
        (level < DEPTH_MAX).then_some(())
    }
}
