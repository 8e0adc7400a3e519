//! Sets.
//!
//! | form | what it is | how long |
//! |---|---|---|
//! | ints | a sorted array of integers | up to `set-max-intset-entries` integers |
//! | packed | items one behind the other, in the order in which they came | up to `set-max-listpack-entries` members of up to `set-max-listpack-value` bytes |
//! | table | a hash table with one allocation for each member | any number |
//!
//! A set goes from one form to a later one as it outgrows it, and never back, by the rules of Redis 7.2: integers that
//! become too many go to a table at once, and another text among integers makes them packed if they fit.

pub mod ints;
pub mod member;
pub mod pick;
#[cfg(all(test, not(sockudo_loom)))]
mod tests;
mod view;

use super::collection::{Any, Collection, Kind, Sought};
use super::dict::{Dict, Slot};
use super::packed::{Digits, Item};
use ints::{Ints, IntsRef, Width};
use member::Member;
use view::{as_int, normal, search};

pub use pick::{Popped, Taken};
pub use view::{Members, SetRef};

/// Packed bytes at most, whatever the thresholds say.
const PACKED_MAX: usize = 1 << 30;
/// The form of packed bytes that are items; the others are the widths of integers.
const FORM_ITEMS: u8 = 0;
/// Members whose sizes stand for those of all.
const SAMPLE: usize = 16;

/// Items one behind the other.
type Packed = Vec<u8>;

/// Up to where a set is packed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Integers of an array.
    pub ints: usize,
    /// Members of packed items.
    pub entries: usize,
    /// Bytes of a member among packed items.
    pub value: usize,
}

/// A set.
#[derive(Clone, Debug)]
pub enum Set {
    /// Integers, sorted.
    Ints(Ints),
    /// Packed items.
    Packed(Packed),
    /// A hash table.
    Table(Box<Dict<Member>>),
}

impl Set {
    fn new_ints() -> Set {
        Set::Ints(Ints::default())
    }

    fn new_packed() -> Set {
        Set::Packed(Vec::new())
    }

    fn new_table() -> Set {
        Set::Table(Box::default())
    }

    /// An empty set in the form of `other`, for a part of it.
    pub fn like(other: SetRef<'_>) -> Set {
        match other {
            SetRef::Ints(_) => Set::new_ints(),
            SetRef::Packed(_) => Set::new_packed(),
            SetRef::Table(_) => Set::new_table(),
        }
    }

    /// Takes the form for `count` members to come, of which `first` is one: an empty set the one that is likely to
    /// hold them all, another a table if there are too many.
    pub fn expect(&mut self, first: &[u8], count: usize, limits: &Limits) {
        if self.is_empty() {
            *self = if count <= limits.ints && as_int(Item::Text(first)).is_some() {
                Set::new_ints()
            } else if count <= limits.entries {
                Set::new_packed()
            } else {
                Set::new_table()
            };
            return;
        }
        match self {
            Set::Ints(_) if count > limits.ints => self.convert_to_table(),
            Set::Packed(_) if count > limits.entries => self.convert_to_table(),
            _ => {}
        }
    }

    /// Adds a member; whether it is new. An integer may come as its text.
    #[inline]
    pub fn insert(&mut self, member: Item<'_>, limits: &Limits) -> bool {
        match self {
            Set::Table(table) => insert_into(table, member),
            Set::Packed(_) => self.insert_packed(normal(member), limits),
            Set::Ints(ints) => match as_int(member) {
                None => self.insert_text(member, limits),
                Some(int) => {
                    let new = ints.insert(int);
                    if ints.view().len() > limits.ints {
                        self.convert_to_table();
                    }
                    new
                }
            },
        }
    }

    fn insert_packed(&mut self, member: Item<'_>, limits: &Limits) -> bool {
        let Set::Packed(run) = self else { return false };
        let Err(count) = search(run, member) else { return false };
        let fits = run.len() + member.packed_len() < PACKED_MAX;
        if count < limits.entries && member.text_len() <= limits.value && fits {
            member.push(run);
            return true;
        }
        self.convert_to_table();
        self.insert(member, limits)
    }

    /// Adds a text that is no integer to a set of integers.
    fn insert_text(&mut self, member: Item<'_>, limits: &Limits) -> bool {
        let Set::Ints(ints) = &*self else { return false };
        let ints = ints.view();
        let ends = [0, ints.len().saturating_sub(1)];
        let longest =
            ends.iter().filter(|_| !ints.is_empty()).map(|&at| Item::Int(ints.get(at)).text_len()).max();
        let fits = ints.len() < limits.entries && longest.unwrap_or(0).max(member.text_len()) <= limits.value;
        if fits {
            self.convert_to_packed()
        } else {
            self.convert_to_table()
        }
        self.insert(member, limits)
    }

    fn convert_to_packed(&mut self) {
        let mut run = Vec::new();
        self.view().iter().for_each(|member| member.push(&mut run));
        *self = Set::Packed(run);
    }

    fn convert_to_table(&mut self) {
        let mut table = Box::<Dict<Member>>::default();
        for member in self.view().iter() {
            table.insert(Member::new(member.bytes(&mut Digits::default())));
        }
        *self = Set::Table(table);
    }

    /// Takes a member out; whether it was there.
    #[inline]
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self {
            Set::Table(table) => table.remove(member).is_some(),
            Set::Ints(ints) => as_int(Item::Text(member)).is_some_and(|int| ints.remove(int)),
            Set::Packed(run) => match search(run, Item::of(member)) {
                Ok(range) => {
                    run.drain(range);
                    true
                }
                Err(_) => false,
            },
        }
    }

    /// Asks for what lookups of these members will read.
    pub(super) fn look_ahead(&self, sought: &[Sought<'_>]) {
        if let Set::Table(table) = self {
            table.look_ahead(sought.iter().map(|member| member.name), |_, _| {});
        }
    }

    /// Makes a set of nothing but integers an array if they are not too many.
    pub fn prefer_ints(&mut self, limits: &Limits) {
        let view = self.view();
        if matches!(view, SetRef::Ints(_)) || view.len() > limits.ints {
            return;
        }
        let mut ints = Ints::default();
        for member in view.iter() {
            let Some(int) = as_int(member) else { return };
            ints.insert(int);
        }
        *self = Set::Ints(ints);
    }
}

#[inline]
fn insert_into(table: &mut Dict<Member>, member: Item<'_>) -> bool {
    let mut digits = Digits::default();
    let text = member.bytes(&mut digits);
    match table.slot(text) {
        Slot::Occupied(_) => false,
        Slot::Vacant(vacant) => {
            vacant.insert(Member::new(text));
            true
        }
    }
}

impl Collection for Set {
    const KIND: Kind = Kind::Set;
    type Ref<'a> = SetRef<'a>;

    fn new() -> Self {
        Set::new_ints()
    }

    fn from_packed(form: u8, bytes: Vec<u8>) -> Self {
        match form {
            FORM_ITEMS => Set::Packed(bytes),
            form => Set::Ints(Ints::from_bytes(Width::of_form(form), bytes)),
        }
    }

    fn packed(&self) -> Option<(u8, &[u8])> {
        match self {
            Set::Ints(ints) => Some((ints.width().form(), ints.bytes())),
            Set::Packed(run) => Some((FORM_ITEMS, run)),
            Set::Table(_) => None,
        }
    }

    #[inline]
    fn view(&self) -> SetRef<'_> {
        match self {
            Set::Ints(ints) => SetRef::Ints(ints.view()),
            Set::Packed(run) => SetRef::Packed(run),
            Set::Table(table) => SetRef::Table(table),
        }
    }

    fn view_packed(form: u8, bytes: &[u8]) -> SetRef<'_> {
        match form {
            FORM_ITEMS => SetRef::Packed(bytes),
            form => SetRef::Ints(IntsRef::new(Width::of_form(form), bytes)),
        }
    }

    fn is_empty(&self) -> bool {
        self.view().is_empty()
    }

    fn weight(&self) -> usize {
        match self {
            Set::Table(table) => table.len(),
            _ => 1,
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Set::Ints(ints) => ints.heap_bytes(),
            Set::Packed(run) => run.capacity(),
            Set::Table(table) => size_of::<Dict<Member>>() + table.heap_bytes() + members_bytes(table),
        }
    }

    fn encoding(view: SetRef<'_>) -> &'static str {
        view.encoding()
    }

    fn wrap(self) -> Any {
        Any::Set(self)
    }

    fn of(any: &Any) -> Option<&Self> {
        if let Any::Set(set) = any { Some(set) } else { None }
    }

    fn of_mut(any: &mut Any) -> Option<&mut Self> {
        if let Any::Set(set) = any { Some(set) } else { None }
    }
}

/// About how many bytes the members take, judged by the first few.
fn members_bytes(table: &Dict<Member>) -> usize {
    let sampled: usize = table.iter().take(SAMPLE).map(Member::heap_bytes).sum();
    match table.len().min(SAMPLE) {
        0 => 0,
        few => sampled * table.len() / few,
    }
}
