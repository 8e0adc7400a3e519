//! Json: replaced by its family.

use super::collection::{Any, Collection, Kind};

/// A json.
#[derive(Clone, Debug)]
pub struct Json(Vec<u8>);

impl Collection for Json {
    const KIND: Kind = Kind::Json;
    type Ref<'a> = &'a [u8];
    fn new() -> Self {
        Json(Vec::new())
    }
    fn from_packed(_form: u8, bytes: Vec<u8>) -> Self {
        Json(bytes)
    }
    fn packed(&self) -> Option<(u8, &[u8])> {
        Some((0, &self.0))
    }
    fn view(&self) -> &[u8] {
        &self.0
    }
    fn view_packed(_form: u8, bytes: &[u8]) -> &[u8] {
        bytes
    }
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    fn weight(&self) -> usize {
        1
    }
    fn heap_bytes(&self) -> usize {
        self.0.capacity()
    }
    fn encoding(_view: &[u8]) -> &'static str {
        "listpack"
    }
    fn wrap(self) -> Any {
        Any::Json(self)
    }
    fn of(any: &Any) -> Option<&Self> {
        if let Any::Json(it) = any { Some(it) } else { None }
    }
    fn of_mut(any: &mut Any) -> Option<&mut Self> {
        if let Any::Json(it) = any { Some(it) } else { None }
    }
}
