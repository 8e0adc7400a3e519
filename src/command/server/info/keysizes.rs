//! INFO keysizes: how large values are, by type, in powers of two.
//!
//! Counting along with every change would cost each of them. So the answer is counted when it is asked for: exactly in a
//! database of up to some ten thousand keys, in a larger one from a sample that is spread over all of it.

use std::fmt::Write;

use super::Text;
use crate::keyspace::collections::look_at;
use crate::keyspace::evict::usage::chance;
use crate::keyspace::{Access, Live, Space};
use crate::value::collection::Kind;
use crate::value::hash::Hash;
use crate::value::hyperloglog::REGISTERS;
use crate::value::list::List;
use crate::value::node::NodeKind;
use crate::value::set::Set;
use crate::value::word::View;
use crate::value::zset::ZSet;

/// Buckets of about eight keys that are looked at.
const BUCKETS: u64 = 4096;
/// What sizes are of, in the order of the reply. As in Redis, streams and documents have none.
const TYPES: [&str; 5] = ["strings_sizes", "lists_items", "sets_items", "zsets_items", "hashes_items"];
/// Sizes of no more than 64 bits, and zero.
const BINS: usize = 65;

/// Keys by type and by the size of their values.
type Histogram = [[u64; BINS]; TYPES.len()];

pub(super) fn keysizes(text: &mut Text<'_>) {
    for number in 0..text.server.keyspace.databases() {
        let lane = 0;
        let now = crate::command::state::unix_ms();
        let space = Space::new(&text.server.keyspace, number, text.guard, lane, now, Access::Reading);
        for (name, bins) in TYPES.iter().zip(histogram(&space)) {
            let shown = shown(&bins);
            if !shown.is_empty() {
                text.field(&format!("db{number}_distrib_{name}"), shown);
            }
        }
    }
}

fn histogram(space: &Space<'_>) -> Histogram {
    let mut counts = [[0; BINS]; TYPES.len()];
    let buckets = space.table().buckets();
    let looked_at = buckets.min(BUCKETS);
    let first = chance() % buckets;
    for step in 0..looked_at {
        let index =
            (first + (u128::from(step) * u128::from(buckets) / u128::from(looked_at)) as u64) % buckets;
        space.table().visit_bucket(index, space.guard(), |entry| {
            if let Some((of, size)) = space.passing(entry).and_then(|live| measure(&live, space.now)) {
                counts[of][bin_of(size)] += 1;
            }
        });
    }
    for count in counts.as_flattened_mut() {
        *count = (u128::from(*count) * u128::from(buckets) / u128::from(looked_at)) as u64;
    }
    counts
}

/// The number of a value's type among [`TYPES`], and its size.
fn measure(live: &Live<'_>, now: u64) -> Option<(usize, usize)> {
    let kind = match live.view() {
        View::Int(int) => return Some((0, itoa::Buffer::new().format(int).len())),
        View::Short(text) => return Some((0, text.as_slice().len())),
        View::Raw(text) => return Some((0, text.len())),
        View::Packed(packed) => packed.kind,
        View::Node(node) => match node.kind() {
            NodeKind::Text(text) => {
                let _held = node.latch().read();
                return Some((0, text.size()));
            }
            NodeKind::HyperLogLog(_) => return Some((0, REGISTERS)),
            NodeKind::Collection(shared) => shared.kind(),
        },
    };
    let (of, size) = match kind {
        Kind::List => (1, look_at::<List, _>(live, |list| list.len())),
        Kind::Set => (2, look_at::<Set, _>(live, |set| set.len())),
        Kind::ZSet => (3, look_at::<ZSet, _>(live, |zset| zset.len())),
        Kind::Hash => (4, look_at::<Hash, _>(live, |hash| hash.len(now))),
        Kind::Stream | Kind::Json => return None,
    };
    Some((of, size.ok()??))
}

/// Zero has a bin of its own, then each power of two has one, up to the next.
fn bin_of(size: usize) -> usize {
    size.checked_ilog2().map_or(0, |power| power as usize + 1)
}

/// `1=3,2=1,1K=5`: the bins that have keys, by their least size.
fn shown(bins: &[u64; BINS]) -> String {
    let mut text = String::new();
    for (bin, count) in bins.iter().enumerate().filter(|(_, count)| **count != 0) {
        let comma = if text.is_empty() { "" } else { "," };
        write!(text, "{comma}{}={count}", least_size(bin)).expect("writing to a string cannot fail");
    }
    text
}

fn least_size(bin: usize) -> String {
    let Some(power) = bin.checked_sub(1) else { return "0".into() };
    let unit = ["", "K", "M", "G", "T", "P", "E"][power / 10];
    format!("{}{unit}", 1u64 << (power % 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_powers_of_two() {
        let named = [(0, "0"), (1, "1"), (2, "2"), (3, "2"), (1023, "512"), (1024, "1K"), (5 << 20, "4M")];
        for (size, name) in named {
            assert_eq!(least_size(bin_of(size)), name, "{size}");
        }
        assert_eq!(least_size(bin_of(usize::MAX)), "8E");
    }
}
