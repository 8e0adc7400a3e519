//! What all collections have in common: how a small one becomes a word, and a large one a node.
//!
//! A small collection is a run of packed bytes (see [`packed`](super::packed)) behind an immutable word: every change
//! makes a new one, and readers need nothing but their epoch guard. A larger one lives in a node, where it changes in
//! place under the node's latch. Whether it is small is a question of bytes ([`PACKED_WORD_MAX`]); which name OBJECT
//! ENCODING gives it is another question, which the type answers by Redis's thresholds.

use super::dict::AHEAD;
use super::hash::Hash;
use super::json::Json;
use super::latch::{ReadGuard, WriteGuard};
use super::list::List;
use super::node::{Node, NodeKind};
use super::set::Set;
use super::stream::Stream;
use super::word::{ExpireAt, OwnedWord, PackedView};
use super::zset::ZSet;
use crate::sync::UnsafeCell;

/// Packed bytes up to which a collection is a word. Every change copies them, so they are few; beyond, the latch and
/// the header of a node cost less than the copies.
pub const PACKED_WORD_MAX: usize = 512;

/// Collections of more elements than this are freed by the background thread.
const LARGE_WEIGHT: usize = 64;

/// The type of a collection. The numbers stand in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A list.
    List = 0,
    /// A hash.
    Hash = 1,
    /// A set.
    Set = 2,
    /// A sorted set.
    ZSet = 3,
    /// A stream.
    Stream = 4,
    /// A JSON document.
    Json = 5,
}

impl Kind {
    /// The kind with this number.
    pub(super) fn from_bits(bits: u8) -> Kind {
        match bits {
            0 => Kind::List,
            1 => Kind::Hash,
            2 => Kind::Set,
            3 => Kind::ZSet,
            4 => Kind::Stream,
            _ => Kind::Json,
        }
    }

    /// What TYPE answers: of a document the name that RedisJSON's module has.
    pub fn name(self) -> &'static str {
        match self {
            Kind::List => "list",
            Kind::Hash => "hash",
            Kind::Set => "set",
            Kind::ZSet => "zset",
            Kind::Stream => "stream",
            Kind::Json => "ReJSON-RL",
        }
    }
}

/// A type of collection. A clone is a deep copy.
pub trait Collection: Sized + Send + Sync + Clone + 'static {
    /// Which one it is.
    const KIND: Kind;
    /// What a reader sees, whether packed bytes or a structure are behind it.
    type Ref<'a>: Copy;
    /// An empty one.
    fn new() -> Self;
    /// The collection that [`Collection::packed`] described.
    fn from_packed(form: u8, bytes: Vec<u8>) -> Self;
    /// Its packed bytes and their form (0 to 3, the type's own affair), while it is packed.
    fn packed(&self) -> Option<(u8, &[u8])>;
    /// What a reader sees.
    fn view(&self) -> Self::Ref<'_>;
    /// What a reader of packed bytes sees.
    fn view_packed(form: u8, bytes: &[u8]) -> Self::Ref<'_>;
    /// Whether its key ends.
    fn is_empty(&self) -> bool;
    /// About how many allocations freeing it takes.
    fn weight(&self) -> usize;
    /// Bytes of heap that it keeps, besides its own size; an estimate in constant time.
    fn heap_bytes(&self) -> usize;
    /// What OBJECT ENCODING answers.
    fn encoding(view: Self::Ref<'_>) -> &'static str;
    /// The collection as one of any type.
    fn wrap(self) -> Any;
    /// The collection in `any`, if it is of this type.
    fn of(any: &Any) -> Option<&Self>;
    /// The same to change it.
    fn of_mut(any: &mut Any) -> Option<&mut Self>;
}

/// What a command is about to look for in a collection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sought<'a> {
    /// The name of a field or a member.
    pub name: &'a [u8],
    /// The score that the member is to have.
    pub score: Option<f64>,
}

/// A collection of any type.
#[derive(Clone, Debug)]
pub enum Any {
    /// A list.
    List(List),
    /// A hash.
    Hash(Hash),
    /// A set.
    Set(Set),
    /// A sorted set.
    ZSet(ZSet),
    /// A stream.
    Stream(Stream),
    /// A JSON document.
    Json(Json),
}

/// Evaluates the body with `$name` bound to the collection inside.
macro_rules! with_any {
    ($any:expr, $name:ident => $body:expr) => {
        match $any {
            Any::List($name) => $body,
            Any::Hash($name) => $body,
            Any::Set($name) => $body,
            Any::ZSet($name) => $body,
            Any::Stream($name) => $body,
            Any::Json($name) => $body,
        }
    };
}

fn encoding_of<C: Collection>(collection: &C) -> &'static str {
    C::encoding(collection.view())
}

impl Any {
    /// What OBJECT ENCODING answers.
    pub fn encoding(&self) -> &'static str {
        with_any!(self, c => encoding_of(c))
    }

    /// Whether its key ends.
    pub fn is_empty(&self) -> bool {
        with_any!(self, c => c.is_empty())
    }

    /// Its type.
    pub fn kind(&self) -> Kind {
        match self {
            Any::List(_) => Kind::List,
            Any::Hash(_) => Kind::Hash,
            Any::Set(_) => Kind::Set,
            Any::ZSet(_) => Kind::ZSet,
            Any::Stream(_) => Kind::Stream,
            Any::Json(_) => Kind::Json,
        }
    }

    /// Bytes of heap besides its own size.
    pub fn heap_bytes(&self) -> usize {
        with_any!(self, c => c.heap_bytes())
    }

    /// Asks the processor for what lookups that are about to come will read. Nothing is promised or changed by it.
    pub fn look_ahead(&self, sought: &[Sought<'_>]) {
        for some in sought.chunks(AHEAD) {
            match self {
                Any::Hash(hash) => hash.look_ahead(some),
                Any::Set(set) => set.look_ahead(some),
                Any::ZSet(zset) => zset.look_ahead(some),
                Any::List(_) | Any::Stream(_) | Any::Json(_) => {}
            }
        }
    }

    /// Whether freeing it belongs on the background thread.
    pub fn is_large(&self) -> bool {
        with_any!(self, c => c.weight() > LARGE_WEIGHT)
    }

    /// The word that holds it with a deadline.
    pub fn into_word(self, expire_at: ExpireAt) -> OwnedWord {
        with_any!(self, c => word_of(c, expire_at))
    }
}

/// What OBJECT ENCODING answers for packed bytes.
pub fn packed_encoding(packed: PackedView<'_>) -> &'static str {
    fn of<C: Collection>(packed: PackedView<'_>) -> &'static str {
        C::encoding(C::view_packed(packed.form, packed.bytes))
    }
    match packed.kind {
        Kind::List => of::<List>(packed),
        Kind::Hash => of::<Hash>(packed),
        Kind::Set => of::<Set>(packed),
        Kind::ZSet => of::<ZSet>(packed),
        Kind::Stream => of::<Stream>(packed),
        Kind::Json => of::<Json>(packed),
    }
}

/// The word that holds `collection`, which is not empty.
pub fn word_of<C: Collection>(collection: C, expire_at: ExpireAt) -> OwnedWord {
    match collection.packed() {
        Some((form, bytes)) if (1..=PACKED_WORD_MAX).contains(&bytes.len()) => {
            OwnedWord::from_packed(C::KIND, form, bytes, expire_at)
        }
        _ => OwnedWord::from_node(Node::new(NodeKind::Collection(Shared::new(collection.wrap())), expire_at)),
    }
}

/// A collection inside a node, to be read under its latch shared and changed under it exclusively.
#[derive(Debug)]
pub struct Shared {
    kind: Kind,
    any: UnsafeCell<Any>,
}

// SAFETY: the cell is read under the node's latch shared and written under it exclusively: the guards are arguments.
unsafe impl Sync for Shared {}

impl Shared {
    /// A collection that is not shared yet.
    pub fn new(any: Any) -> Shared {
        Shared { kind: any.kind(), any: UnsafeCell::new(any) }
    }

    /// Its type, which never changes.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Looks at the collection. The guard is of the node that holds it.
    #[inline]
    pub fn read<R>(&self, _held: &ReadGuard<'_>, look: impl FnOnce(&Any) -> R) -> R {
        // SAFETY: the read guard keeps writers out.
        self.any.with(|any| look(unsafe { &*any }))
    }

    /// The collection, for as long as the guard of the node that holds it is held.
    pub fn get<'a>(&'a self, _held: &'a ReadGuard<'_>) -> &'a Any {
        // SAFETY: the read guard keeps writers out, and outlives the reference.
        self.any.with(|any| unsafe { &*any })
    }

    /// Changes the collection. The guard is of the node that holds it.
    #[inline]
    pub fn write<R>(&self, _held: &WriteGuard<'_>, change: impl FnOnce(&mut Any) -> R) -> R {
        // SAFETY: the write guard excludes every other access.
        self.any.with_mut(|any| change(unsafe { &mut *any }))
    }
}
