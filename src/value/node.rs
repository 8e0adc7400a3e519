//! Values with a header: those that change in place, or are too long for a tagged pointer.
//!
//! A node is owned by the slot word that points to it. Rules:
//! 1. What `kind` holds changes only under the latch held exclusively, except HyperLogLog registers, which are
//!    atomics raised with a maximum.
//! 2. `expire_at` changes only under the latch held exclusively, after checking that the slot still points here; the
//!    expirer checks it again under the latch before it unlinks the node. A deadline thus never ends a value that
//!    was given a later one.
//! 3. A node that was unlinked stays readable for guards that saw it, and nobody's change of it is visible after.

use bytes::{Bytes, BytesMut};

use super::collection::{Kind, Shared, Sought};
use super::hyperloglog::Dense;
use super::latch::{Latch, WriteGuard};
use super::word::ExpireAt;
use crate::sync::{AtomicU64, Ordering, UnsafeCell};

/// Values from this size on are freed by the background thread.
const LARGE_BYTES: usize = 256 * 1024;

/// The number of the first kind of collection.
pub(super) const COLLECTIONS: u16 = 8;

/// A value with a header.
#[derive(Debug)]
pub struct Node {
    latch: Latch,
    expire_at: AtomicU64,
    kind: NodeKind,
}

/// What a node holds.
#[derive(Debug)]
pub enum NodeKind {
    /// Long text, or text that is being appended to.
    Text(Text),
    /// A dense HyperLogLog sketch.
    HyperLogLog(Dense),
    /// A collection that has outgrown its word.
    Collection(Shared),
}

impl Node {
    /// A node that is not shared yet.
    pub fn new(kind: NodeKind, expire_at: ExpireAt) -> Node {
        Node { latch: Latch::default(), expire_at: AtomicU64::new(expire_at), kind }
    }

    /// The latch that guards the content.
    pub fn latch(&self) -> &Latch {
        &self.latch
    }

    /// The content.
    pub fn kind(&self) -> &NodeKind {
        &self.kind
    }

    /// A number for the word's upper bits.
    pub(super) fn kind_id(&self) -> u16 {
        match &self.kind {
            NodeKind::Text(_) => 0,
            NodeKind::HyperLogLog(_) => 1,
            NodeKind::Collection(shared) => COLLECTIONS + shared.kind() as u16,
        }
    }

    /// The deadline, as of now.
    #[inline]
    pub fn expire_at(&self) -> ExpireAt {
        // Ordering: Acquire so that what a holder of the latch did before it moved the deadline is seen with it.
        self.expire_at.load(Ordering::Acquire)
    }

    /// Moves the deadline; the guard is the proof of rule 2.
    pub fn set_expire_at(&self, expire_at: ExpireAt, _held: &WriteGuard<'_>) {
        self.expire_at.store(expire_at, Ordering::Release);
    }

    /// The text, if that is what the node holds.
    pub fn as_text(&self) -> Option<&Text> {
        match &self.kind {
            NodeKind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The sketch, if that is what the node holds.
    pub fn as_hyperloglog(&self) -> Option<&Dense> {
        match &self.kind {
            NodeKind::HyperLogLog(dense) => Some(dense),
            _ => None,
        }
    }

    /// The collection, if that is what the node holds and its type is `kind`.
    pub fn as_collection(&self, kind: Kind) -> Option<&Shared> {
        match &self.kind {
            NodeKind::Collection(shared) if shared.kind() == kind => Some(shared),
            _ => None,
        }
    }

    /// Asks the processor for what lookups that are about to come will read in the collection that the node holds, if
    /// no writer is in the way.
    pub fn look_ahead(&self, sought: &[Sought<'_>]) {
        if let NodeKind::Collection(shared) = &self.kind
            && let Some(held) = self.latch.try_read()
        {
            shared.read(&held, |any| any.look_ahead(sought));
        }
    }

    /// Bytes of heap that the node keeps, itself included.
    pub fn heap_bytes(&self) -> usize {
        size_of::<Node>()
            + match &self.kind {
                NodeKind::Text(text) => {
                    let _held = self.latch.read();
                    text.size()
                }
                NodeKind::HyperLogLog(_) => crate::value::hyperloglog::REGISTERS,
                NodeKind::Collection(shared) => shared.read(&self.latch.read(), |any| any.heap_bytes()),
            }
    }

    /// Whether freeing it belongs on the background thread.
    pub fn is_large(&self) -> bool {
        match &self.kind {
            NodeKind::Text(_) => self.heap_bytes() >= LARGE_BYTES,
            NodeKind::HyperLogLog(_) => false,
            NodeKind::Collection(shared) => shared.read(&self.latch.read(), |any| any.is_large()),
        }
    }
}

/// Long text: a refcounted buffer, so that a reader takes a share of it instead of a copy.
#[derive(Debug)]
pub struct Text(UnsafeCell<Bytes>);

// SAFETY: the cell is read under the node's latch shared and written under it exclusively (rule 1).
unsafe impl Sync for Text {}

impl Text {
    /// Text copied from `bytes`.
    pub fn from_slice(bytes: &[u8]) -> Text {
        Text(UnsafeCell::new(Bytes::copy_from_slice(bytes)))
    }

    /// Text that takes over `bytes`.
    pub fn from_shared(bytes: Bytes) -> Text {
        Text(UnsafeCell::new(bytes))
    }

    /// A share of the text. The caller holds the node's latch, shared or exclusive, or owns the node.
    pub fn load(&self) -> Bytes {
        // SAFETY: rule 1: no writer is inside while the caller holds the latch.
        self.0.with(|text| unsafe { (*text).clone() })
    }

    /// How many bytes the text has. The caller holds the latch, or owns the node, as for [`Text::load`].
    pub fn size(&self) -> usize {
        // SAFETY: rule 1: no writer is inside while the caller holds the latch.
        self.0.with(|text| unsafe { (*text).len() })
    }

    /// Changes the text in its buffer, or in a copy if a reader still holds a share; returns the new length.
    pub fn edit(&self, edit: impl FnOnce(&mut BytesMut), _held: &WriteGuard<'_>) -> usize {
        self.0.with_mut(|text| {
            // SAFETY: rule 1: the write guard excludes every other access.
            let text = unsafe { &mut *text };
            let mut buffer = match std::mem::take(text).try_into_mut() {
                Ok(unshared) => unshared,
                Err(shared) => BytesMut::from(&shared[..]),
            };
            edit(&mut buffer);
            *text = buffer.freeze();
            text.len()
        })
    }
}
