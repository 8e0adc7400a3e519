//! Objects: members in the order in which they came, and from some number on an index of their names.

use std::mem;

use super::Value;
use super::text::Text;
use crate::value::dict::hash_of;

/// Members up to which a name is looked for by comparing them all.
const PLAIN_MAX: usize = 16;
/// What a free slot of the index holds.
const FREE: u32 = u32::MAX;

/// An object.
#[derive(Clone, Default)]
pub struct Object {
    members: Vec<Member>,
    index: Option<Index>,
}

/// A name with its value.
#[derive(Clone)]
pub struct Member {
    /// The name, which no other member of its object has.
    pub name: Text,
    /// The value.
    pub value: Value,
}

impl Object {
    /// An empty object with room for `members`.
    pub fn with_capacity(members: usize) -> Object {
        Object { members: Vec::with_capacity(members), index: None }
    }

    /// The members in their order.
    #[inline]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The value at a place.
    pub fn value_mut(&mut self, at: usize) -> Option<&mut Value> {
        self.members.get_mut(at).map(|member| &mut member.value)
    }

    /// The place of a name.
    #[inline]
    pub fn find(&self, name: &str) -> Option<usize> {
        match &self.index {
            None => self.members.iter().position(|member| member.name.as_bytes() == name.as_bytes()),
            Some(index) => {
                index.find(hash_of(name.as_bytes()), |at| self.members[at].name.as_bytes() == name.as_bytes())
            }
        }
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.find(name).map(|at| &self.members[at].value)
    }

    /// Gives a name a value: in its place if the name is there, otherwise at the end. What it had before.
    pub fn set(&mut self, name: &str, value: Value) -> Option<Value> {
        if let Some(at) = self.find(name) {
            return Some(mem::replace(&mut self.members[at].value, value));
        }
        self.members.push(Member { name: Text::new(name), value });
        let at = self.members.len() - 1;
        match &mut self.index {
            Some(index) if index.has_room(at + 1) => index.add(hash_of(name.as_bytes()), at),
            None if at < PLAIN_MAX => {}
            _ => self.index = Some(Index::of(&self.members, self.members.capacity())),
        }
        None
    }

    /// Takes the member at a place out; the others keep their order.
    pub fn remove(&mut self, at: usize) -> Value {
        if let Some(index) = &mut self.index {
            index.remove(at, &self.members);
        }
        self.members.remove(at).value
    }

    /// Takes the members at `places` out, which ascend.
    pub fn remove_all(&mut self, places: &[usize]) {
        super::remove_places(&mut self.members, places);
        self.index = (self.members.len() > PLAIN_MAX).then(|| Index::of(&self.members, self.members.len()));
    }

    /// Bytes of heap that it keeps besides what its members do.
    pub fn own_bytes(&self) -> usize {
        let index = self.index.as_ref().map_or(0, |index| index.slots.len() * size_of::<u32>());
        size_of::<Object>() + self.members.capacity() * size_of::<Member>() + index
    }
}

/// Places by the hashes of their names: open addressing, each place in the first free slot from its hash's on.
#[derive(Clone)]
struct Index {
    slots: Box<[u32]>,
}

impl Index {
    /// The places of `members`, with room for `room` of them.
    fn of(members: &[Member], room: usize) -> Index {
        let slots = vec![FREE; (room * 2).next_power_of_two()].into_boxed_slice();
        let mut index = Index { slots };
        for (at, member) in members.iter().enumerate() {
            index.add(hash_of(member.name.as_bytes()), at);
        }
        index
    }

    /// Whether at least a quarter of the slots stays free with so many places.
    fn has_room(&self, places: usize) -> bool {
        places <= self.slots.len() / 4 * 3
    }

    fn home(&self, hash: u64) -> usize {
        hash as usize & (self.slots.len() - 1)
    }

    fn next(&self, slot: usize) -> usize {
        (slot + 1) & (self.slots.len() - 1)
    }

    fn add(&mut self, hash: u64, at: usize) {
        let mut slot = self.home(hash);
        while self.slots[slot] != FREE {
            slot = self.next(slot);
        }
        self.slots[slot] = at as u32;
    }

    fn find(&self, hash: u64, is_it: impl Fn(usize) -> bool) -> Option<usize> {
        let mut slot = self.home(hash);
        loop {
            match self.slots[slot] {
                FREE => return None,
                at if is_it(at as usize) => return Some(at as usize),
                _ => slot = self.next(slot),
            }
        }
    }

    /// Forgets the place `at`, which `members` still has, and counts those behind it one down.
    fn remove(&mut self, at: usize, members: &[Member]) {
        let mut hole = self.home(hash_of(members[at].name.as_bytes()));
        while self.slots[hole] != at as u32 {
            hole = self.next(hole);
        }
        self.close(hole, members);
        for slot in &mut self.slots {
            *slot -= u32::from(*slot != FREE && *slot > at as u32);
        }
    }

    /// Frees a slot, and moves back what would not be found behind it.
    fn close(&mut self, mut hole: usize, members: &[Member]) {
        let mut slot = hole;
        loop {
            self.slots[hole] = FREE;
            loop {
                slot = self.next(slot);
                if self.slots[slot] == FREE {
                    return;
                }
                let home = self.home(hash_of(members[self.slots[slot] as usize].name.as_bytes()));
                // Whether the hole lies on the way from its first choice to where it is.
                let mask = self.slots.len() - 1;
                if slot.wrapping_sub(home) & mask >= slot.wrapping_sub(hole) & mask {
                    break;
                }
            }
            self.slots[hole] = self.slots[slot];
            hole = slot;
        }
    }
}

impl PartialEq for Object {
    /// The order does not matter.
    fn eq(&self, other: &Object) -> bool {
        let has = |member: &Member| other.get(member.name.as_str()) == Some(&member.value);
        self.members.len() == other.members.len() && self.members.iter().all(has)
    }
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.members.iter().map(|member| (&member.name, &member.value))).finish()
    }
}
