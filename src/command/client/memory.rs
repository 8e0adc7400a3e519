//! What clients take, and ending those that take most when all take too much: `maxmemory-clients`.
//!
//! Each connection's task publishes what its buffers hold, and the worker what waits for its client besides. While there
//! is a limit, each also enters the change into the sum of all: a client that does as it did changes nothing. Whoever
//! finds the sum above the limit ends clients there and then, the largest first, so the memory is bounded by the limit
//! and one change of each.

use std::sync::Arc;

use super::{Client, Clients, Kind, Marks, Shared};
use crate::config::Live;
use crate::log_notice;
use crate::sync::Ordering;

/// The size of an output from which on Redis would keep it in a list of blocks, and the size of these.
const REPLY_BLOCK: usize = 16 << 10;

/// What a client takes, in bytes, by purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Received, and no complete command yet.
    pub unparsed: usize,
    /// Room for what is received.
    pub input: usize,
    /// Large arguments of commands that have not run.
    pub arguments: usize,
    /// Queued since MULTI.
    pub queued: usize,
    /// Room for replies.
    pub output: usize,
    /// Replies that the socket has not taken.
    pub unsent: usize,
    /// Messages that wait behind the replies.
    pub mail: usize,
    /// Names of what it watches and listens to.
    pub names: usize,
}

impl Parts {
    /// All of it, and the client itself.
    pub fn total(&self) -> usize {
        let buffers = self.input + self.arguments + self.queued + self.output + self.mail;
        buffers + self.names + size_of::<Client>() + size_of::<Shared>()
    }

    /// Bytes of replies that Redis would keep in a plain buffer.
    pub fn reply_buffer(&self) -> usize {
        self.unsent.min(REPLY_BLOCK)
    }

    /// Bytes that Redis would keep in a list.
    pub fn reply_list(&self) -> usize {
        self.unsent - self.reply_buffer() + self.mail
    }

    /// How many blocks that list would have.
    pub fn reply_blocks(&self) -> usize {
        self.reply_list().div_ceil(REPLY_BLOCK)
    }
}

impl Shared {
    /// What the client takes, as published last.
    pub fn parts(&self) -> Parts {
        let seen = &self.seen;
        let load = |bytes: &crate::sync::AtomicUsize| bytes.load(Ordering::Relaxed);
        let input = load(&seen.input_memory);
        Parts {
            unparsed: load(&seen.unparsed).min(input),
            input,
            arguments: load(&seen.argument_memory),
            queued: if self.marks().contains(Marks::MULTI) { load(&seen.queued_memory) } else { 0 },
            output: load(&seen.output_memory),
            unsent: load(&seen.unsent),
            mail: load(&seen.mail_memory),
            names: load(&seen.name_memory),
        }
    }

    /// Whether the client may be ended because clients take too much.
    fn is_evictable(&self) -> bool {
        let kind = matches!(self.kind(), Kind::Normal | Kind::Pubsub);
        kind && !self.marks().contains(Marks::NO_EVICT)
    }
}

impl Clients {
    /// Enters what a client takes now into the sum, and ends clients if that is too much. Nothing without a limit.
    #[inline]
    pub fn mind_memory(&self, client: &Shared, live: &Live) {
        let most = live.maxmemory_clients();
        if most != 0 {
            self.account(client);
            self.keep_within(most);
        }
    }

    /// Enters what all clients take, and ends some if that is too much: after the limit has changed.
    pub fn mind_all(&self, live: &Live) {
        let most = live.maxmemory_clients();
        if most != 0 {
            self.snapshot().iter().for_each(|client| self.account(client));
            self.keep_within(most);
        }
    }

    fn account(&self, client: &Shared) {
        self.enter(client, client.parts().total());
        if client.is_killed() {
            // It left the sum when it was ended.
            self.forget_memory(client);
        }
    }

    fn enter(&self, client: &Shared, bytes: usize) {
        // Whatever others enter meanwhile, the differences of all exchanges add up to what was entered last.
        let before = client.counted.load(Ordering::Relaxed);
        if before != bytes {
            let before = client.counted.swap(bytes, Ordering::Relaxed);
            self.memory.fetch_add(bytes as i64 - before as i64, Ordering::Relaxed);
        }
    }

    /// Takes a client that ends out of the sum.
    pub(super) fn forget_memory(&self, client: &Shared) {
        self.enter(client, 0);
    }

    fn memory(&self) -> u64 {
        u64::try_from(self.memory.load(Ordering::Relaxed)).unwrap_or(0)
    }

    fn keep_within(&self, most: u64) {
        if self.memory() > most {
            self.evict(most);
        }
    }

    #[cold]
    fn evict(&self, most: u64) {
        // One at a time: who comes second finds the sum as the first leaves it.
        let _alone = self.evicting.lock().expect("no panic under this lock");
        let mut candidates: Vec<(usize, Arc<Shared>)> = self
            .snapshot()
            .into_iter()
            .filter(|client| client.is_evictable())
            .map(|client| (client.counted.load(Ordering::Relaxed), client))
            .collect();
        candidates.sort_unstable_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
        for (bytes, client) in candidates {
            if self.memory() <= most {
                return;
            }
            if self.kill(|other| other.id == client.id) != 0 {
                self.forget_memory(&client);
                self.evicted.fetch_add(1, Ordering::Relaxed);
                log_notice!("Evicting client: id={} addr={} tot-mem={bytes}", client.id, client.addr);
            }
        }
    }

    /// Clients that were ended because all of them took too much.
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client_of(clients: &Clients, bytes: usize) -> Client {
        let client = clients.join("peer".into(), "here".into());
        client.shared.seen.input_memory.store(bytes, Ordering::Relaxed);
        clients.account(&client.shared);
        client
    }

    #[test]
    fn the_largest_go_until_the_rest_is_within_the_limit() {
        let clients = Clients::default();
        let all: Vec<Client> = [1, 400, 20, 300, 100, 5].map(|kb| client_of(&clients, kb << 10)).into();
        let own = 6 * (size_of::<Client>() + size_of::<Shared>());
        assert_eq!(clients.memory() as usize, (826 << 10) + own);
        clients.keep_within((130 << 10) + own as u64);
        let left: Vec<bool> = all.iter().map(|client| !client.shared.is_killed()).collect();
        assert_eq!(left, [true, false, true, false, true, true]);
        assert_eq!(clients.evicted(), 2);
        // What the ended publish afterwards counts no more.
        clients.account(&all[1].shared);
        assert_eq!(clients.memory() as usize, (126 << 10) + own / 6 * 4);
        drop(all);
    }

    #[test]
    fn the_protected_stay_and_count() {
        let clients = Clients::default();
        let (mut large, small) = (client_of(&clients, 1 << 20), client_of(&clients, 1 << 10));
        large.no_evict = true;
        large.publish(0);
        clients.keep_within(1 << 19);
        assert!(!large.shared.is_killed() && small.shared.is_killed());
    }
}
