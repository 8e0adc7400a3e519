//! The hash of a key: computed once per command, used by table and stripe.

use std::hash::{BuildHasher, Hasher};

#[cfg(sockudo_loom)]
use crate::model_hash::RandomState;
#[cfg(not(sockudo_loom))]
use foldhash::quality::RandomState;

/// A seeded hash. The seed differs from process to process, so that nobody can prepare colliding keys.
#[derive(Clone, Debug)]
pub struct KeyHasher(RandomState);

impl KeyHasher {
    /// A hasher with a seed of its own.
    pub fn random() -> KeyHasher {
        KeyHasher(RandomState::default())
    }

    /// The hash of `key`.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write(key);
        hasher.finish()
    }
}
