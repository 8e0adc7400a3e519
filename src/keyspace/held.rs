//! Several collections held for reading at the same time, for commands that look from one into another.
//!
//! Their latches are taken in the order of the nodes' addresses, each once. A latch keeps new readers out while a writer
//! waits for the old ones; without the order two readers of the same two nodes, and a writer waiting for each, would
//! wait for one another, and so would one reader that takes a latch twice.

use super::collections::WrongType;
use super::space::{Key, Live, Space};
use crate::value::collection::Collection;
use crate::value::latch::ReadGuard;
use crate::value::node::Node;
use crate::value::word::View;

/// Keys whose collections do not change while this lives.
pub struct Held<'a> {
    lives: Vec<Option<Live<'a>>>,
    latched: Vec<(&'a Node, ReadGuard<'a>)>,
}

impl<'g> Space<'g> {
    /// Holds what is at the keys; counts a hit or a miss for each and moves their access clocks.
    ///
    /// The same thread must not edit any of them before it lets go.
    pub fn hold<'a>(&'a self, keys: impl Iterator<Item = Key<'a>>) -> Held<'a> {
        let lives: Vec<_> = keys.map(|key| self.read(key)).collect();
        let mut nodes: Vec<&'a Node> = lives.iter().flatten().filter_map(node_of).collect();
        nodes.sort_unstable_by_key(|node| address(node));
        nodes.dedup_by_key(|node| address(node));
        let latched = nodes.into_iter().map(|node| (node, node.latch().read())).collect();
        Held { lives, latched }
    }
}

fn node_of<'a>(live: &Live<'a>) -> Option<&'a Node> {
    if let View::Node(node) = live.view() { Some(node) } else { None }
}

fn address(node: &Node) -> usize {
    std::ptr::from_ref(node).addr()
}

impl Held<'_> {
    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.lives.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.lives.is_empty()
    }

    /// The collection of the key number `index`; nothing if the key is absent.
    pub fn view<C: Collection>(&self, index: usize) -> Result<Option<C::Ref<'_>>, WrongType> {
        let Some(live) = &self.lives[index] else { return Ok(None) };
        match live.view() {
            View::Packed(packed) if packed.kind == C::KIND => {
                Ok(Some(C::view_packed(packed.form, packed.bytes)))
            }
            View::Node(node) => {
                let shared = node.as_collection(C::KIND).ok_or(WrongType)?;
                let collection = C::of(shared.get(self.guard_of(node))).ok_or(WrongType)?;
                // One that was emptied a moment ago is on its way out.
                Ok((!collection.is_empty()).then(|| collection.view()))
            }
            _ => Err(WrongType),
        }
    }

    fn guard_of(&self, node: &Node) -> &ReadGuard<'_> {
        let at = self.latched.binary_search_by_key(&address(node), |(node, _)| address(node));
        &self.latched[at.expect("every node is latched")].1
    }
}
