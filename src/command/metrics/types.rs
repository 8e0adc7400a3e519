//! How many keys there are of each type, from a sample of the tables.

use std::collections::BTreeMap;

use crate::command::key::kind::type_name;
use crate::command::state::{Server, unix_ms};
use crate::keyspace::{Access, Space};
use crate::sync::epoch::pin;

/// Buckets of a table that are looked at; each has about eight keys.
const BUCKETS: u64 = 256;

/// Keys by the name of their type, over all databases.
pub(super) fn keys_by_type(server: &Server) -> BTreeMap<&'static str, u64> {
    let mut all = BTreeMap::new();
    for db in 0..server.keyspace.databases() {
        for (name, keys) in of_database(server, db) {
            *all.entry(name).or_default() += keys;
        }
    }
    all
}

fn of_database(server: &Server, db: usize) -> BTreeMap<&'static str, u64> {
    let guard = pin();
    let space = Space::new(&server.keyspace, db, &guard, 0, unix_ms(), Access::Reading);
    let (table, mut seen) = (space.table(), BTreeMap::<_, u64>::new());
    let len = table.len();
    if len == 0 {
        return seen;
    }
    let buckets = table.buckets();
    let step = buckets.div_ceil(BUCKETS).max(1);
    for index in (0..buckets).step_by(step as usize) {
        table.visit_bucket(index, &guard, |entry| {
            if let Some(live) = space.passing(entry) {
                *seen.entry(type_name(live.view())).or_default() += 1;
            }
        });
    }
    let sampled: u64 = seen.values().sum();
    if step > 1 && sampled != 0 {
        seen.values_mut()
            .for_each(|count| *count = (u128::from(*count) * u128::from(len) / u128::from(sampled)) as u64);
    }
    seen
}
