//! Sessions that clients may resume, for as long as `tls-session-cache-timeout` says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::server::{ServerSessionMemoryCache, StoresServerSessions};

/// A cache that forgets after a time.
#[derive(Debug)]
pub(super) struct Sessions {
    cache: Arc<ServerSessionMemoryCache>,
    began: Instant,
    lifetime: Duration,
}

impl Sessions {
    /// A cache of so many sessions, each to be resumed for `lifetime`.
    pub(super) fn new(size: usize, lifetime: Duration) -> Sessions {
        Sessions { cache: ServerSessionMemoryCache::new(size), began: Instant::now(), lifetime }
    }

    /// Takes the time of its storing off a session, if that is not too long ago.
    fn fresh(&self, mut stored: Vec<u8>) -> Option<Vec<u8>> {
        let since = u64::from_be_bytes(*stored.last_chunk()?);
        let age = (self.began.elapsed().as_secs()).saturating_sub(since);
        stored.truncate(stored.len() - size_of::<u64>());
        (age < self.lifetime.as_secs()).then_some(stored)
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, mut session: Vec<u8>) -> bool {
        session.extend(self.began.elapsed().as_secs().to_be_bytes());
        self.cache.put(key, session)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.fresh(self.cache.get(key)?)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.fresh(self.cache.take(key)?)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_forgotten_in_time() {
        let kept = Sessions::new(4, Duration::from_secs(60));
        assert!(kept.put(vec![1], vec![7, 8]));
        assert_eq!(
            (kept.get(&[1]), kept.take(&[1]), kept.take(&[1])),
            (Some(vec![7, 8]), Some(vec![7, 8]), None)
        );
        let gone = Sessions::new(4, Duration::ZERO);
        assert!(gone.put(vec![1], vec![7, 8]));
        assert_eq!(gone.get(&[1]), None);
    }
}
