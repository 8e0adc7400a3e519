//! Hashes: packed while small, then a table with one allocation per field. A field can have a deadline of its own,
//! which takes room only where one is set.

mod field;
mod packed;
mod table;
#[cfg(all(test, not(sockudo_loom)))]
mod tests;
mod view;

use super::collection::{Any, Collection, Kind, Sought};
use super::packed::{Digits, Item};
use super::word::{ExpireAt, NO_EXPIRY};
use field::FieldView;
use packed::{PLAIN, Packed, PackedRef, TIMED};
use table::Table;
use view::Form;

pub use view::{HashRef, Iter};

/// A hash: fields with their values.
#[derive(Clone, Debug)]
pub struct Hash(Repr);

#[derive(Clone, Debug)]
enum Repr {
    Packed(Packed),
    Table(Box<Table>),
}

/// Up to where a hash is packed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Fields.
    pub entries: usize,
    /// Bytes of the longest name or value.
    pub value: usize,
}

/// A field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair<'a> {
    /// Its name.
    pub name: Item<'a>,
    /// Its value.
    pub value: Item<'a>,
    /// When it ends in Unix time in milliseconds, or [`NO_EXPIRY`].
    pub deadline: ExpireAt,
}

/// What a new value does to the field's deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// The one that it has stays.
    Keep,
    /// This is the new one, or [`NO_EXPIRY`].
    Set(ExpireAt),
}

impl Ttl {
    fn after(self, before: ExpireAt) -> ExpireAt {
        match self {
            Ttl::Keep => before,
            Ttl::Set(deadline) => deadline,
        }
    }
}

/// Whether a field with this deadline is gone at `now`.
#[inline]
fn is_over(deadline: ExpireAt, now: u64) -> bool {
    deadline != NO_EXPIRY && now > deadline
}

impl Hash {
    /// Sets a field's value; whether the field is new. One that has expired counts as absent.
    #[inline]
    pub fn set(&mut self, name: &[u8], value: &[u8], ttl: Ttl, now: u64, limits: Limits) -> bool {
        if let Repr::Packed(packed) = &mut self.0 {
            if name.len().max(value.len()) <= limits.value
                && let Some(new) = set_packed(packed, name, value, ttl, now, limits.entries)
            {
                return new;
            }
            self.unpack();
        }
        let Repr::Table(table) = &mut self.0 else { unreachable!("it was unpacked") };
        table.set(name, value, |before| chosen(ttl, before, now))
    }

    /// Takes a field out; whether it was there.
    pub fn remove(&mut self, name: &[u8], now: u64) -> bool {
        let deadline = match &mut self.0 {
            Repr::Packed(packed) => match packed.borrow().find(name) {
                Ok(found) => {
                    packed.remove(&found);
                    Some(found.deadline)
                }
                Err(_) => None,
            },
            Repr::Table(table) => table.remove(name),
        };
        deadline.is_some_and(|deadline| !is_over(deadline, now))
    }

    /// Gives a field that is there a deadline, or takes it away with [`NO_EXPIRY`].
    pub fn set_deadline(&mut self, name: &[u8], deadline: ExpireAt) {
        match &mut self.0 {
            Repr::Packed(packed) => {
                if deadline != NO_EXPIRY {
                    packed.make_timed();
                }
                let Ok(found) = packed.borrow().find(name) else { return };
                let value = packed.borrow().get(name).map(|pair| pair.value.to_vec()).unwrap_or_default();
                packed.replace(&found, &value, deadline);
            }
            Repr::Table(table) => table.set_deadline(name, deadline),
        }
    }

    /// Takes out up to `max` fields whose deadline is over; how many.
    pub fn expire_fields(&mut self, now: u64, max: usize) -> usize {
        match &mut self.0 {
            Repr::Packed(packed) => packed.expire(max, |deadline| is_over(deadline, now)),
            Repr::Table(table) => table.expire(max, |deadline| is_over(deadline, now)),
        }
    }

    /// A time before which no field ends; none if no field ever does.
    pub fn next_deadline(&self) -> Option<ExpireAt> {
        match &self.0 {
            Repr::Packed(packed) => packed.next_deadline(),
            Repr::Table(table) => table.next_deadline(),
        }
    }

    /// Asks for what lookups of these fields will read.
    pub(super) fn look_ahead(&self, sought: &[Sought<'_>]) {
        if let Repr::Table(table) = &self.0 {
            table.dict().look_ahead(sought.iter().map(|field| field.name), |_, _| {});
        }
    }

    /// Makes a packed hash a table.
    fn unpack(&mut self) {
        let Repr::Packed(packed) = &self.0 else { return };
        let mut table = Box::<Table>::default();
        let (mut name, mut value) = (Digits::default(), Digits::default());
        for pair in packed.borrow().pairs() {
            let (name, value) = (pair.name.bytes(&mut name), pair.value.bytes(&mut value));
            table.add(FieldView { name, value, deadline: pair.deadline });
        }
        self.0 = Repr::Table(table);
    }
}

/// The deadline of a field whose deadline was `before`, none for a new one; whether it counts as new.
#[inline]
fn chosen(ttl: Ttl, before: Option<ExpireAt>, now: u64) -> (ExpireAt, bool) {
    match before {
        Some(before) if !is_over(before, now) => (ttl.after(before), false),
        _ => (ttl.after(NO_EXPIRY), true),
    }
}

/// Sets a field of a packed hash; nothing if that would be one field too many.
fn set_packed(
    packed: &mut Packed,
    name: &[u8],
    value: &[u8],
    ttl: Ttl,
    now: u64,
    entries: usize,
) -> Option<bool> {
    if matches!(ttl, Ttl::Set(deadline) if deadline != NO_EXPIRY) {
        packed.make_timed();
    }
    match packed.borrow().find(name) {
        Ok(found) => {
            let (deadline, new) = chosen(ttl, Some(found.deadline), now);
            packed.replace(&found, value, deadline);
            Some(new)
        }
        Err(count) if count >= entries => None,
        Err(_) => {
            let (deadline, new) = chosen(ttl, None, now);
            packed.push(Pair { name: Item::of(name), value: Item::of(value), deadline });
            Some(new)
        }
    }
}

impl Collection for Hash {
    const KIND: Kind = Kind::Hash;
    type Ref<'a> = HashRef<'a>;

    fn new() -> Self {
        Hash(Repr::Packed(Packed::default()))
    }

    fn from_packed(form: u8, bytes: Vec<u8>) -> Self {
        Hash(Repr::Packed(Packed { run: bytes, timed: form == TIMED }))
    }

    fn packed(&self) -> Option<(u8, &[u8])> {
        match &self.0 {
            Repr::Packed(packed) => Some((if packed.timed { TIMED } else { PLAIN }, &packed.run)),
            Repr::Table(_) => None,
        }
    }

    fn view(&self) -> HashRef<'_> {
        HashRef(match &self.0 {
            Repr::Packed(packed) => Form::Packed(packed.borrow()),
            Repr::Table(table) => Form::Table(table),
        })
    }

    fn view_packed(form: u8, bytes: &[u8]) -> HashRef<'_> {
        HashRef(Form::Packed(PackedRef { run: bytes, timed: form == TIMED }))
    }

    fn is_empty(&self) -> bool {
        match &self.0 {
            Repr::Packed(packed) => packed.run.is_empty(),
            Repr::Table(table) => table.dict().is_empty(),
        }
    }

    fn weight(&self) -> usize {
        match &self.0 {
            Repr::Packed(_) => 1,
            Repr::Table(table) => table.dict().len(),
        }
    }

    fn heap_bytes(&self) -> usize {
        match &self.0 {
            Repr::Packed(packed) => packed.run.capacity(),
            Repr::Table(table) => table.heap_bytes(),
        }
    }

    fn encoding(view: HashRef<'_>) -> &'static str {
        match view.0 {
            Form::Packed(PackedRef { timed: false, .. }) => "listpack",
            Form::Packed(PackedRef { timed: true, .. }) => "listpackex",
            Form::Table(_) => "hashtable",
        }
    }

    fn wrap(self) -> Any {
        Any::Hash(self)
    }

    fn of(any: &Any) -> Option<&Self> {
        if let Any::Hash(hash) = any { Some(hash) } else { None }
    }

    fn of_mut(any: &mut Any) -> Option<&mut Self> {
        if let Any::Hash(hash) = any { Some(hash) } else { None }
    }
}
