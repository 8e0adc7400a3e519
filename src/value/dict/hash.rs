//! The hash of a key in a table.

use std::hash::{BuildHasher, Hasher};
use std::sync::LazyLock;

#[cfg(sockudo_loom)]
use crate::model_hash::RandomState;
#[cfg(not(sockudo_loom))]
use foldhash::quality::RandomState;

/// The seed, which differs from process to process, so that nobody can prepare keys that collide.
static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// The hash of `key`: the same in every table of the process.
#[inline]
pub(in crate::value) fn hash_of(key: &[u8]) -> u64 {
    let mut hasher = SEED.build_hasher();
    hasher.write(key);
    hasher.finish()
}
