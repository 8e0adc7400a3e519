//! Who waits for which key, in the order of arrival.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use super::{End, Waiter};
use crate::command::footprint::Footprint;
use crate::command::state::Server;
use crate::keyspace::gate::{Gate, Observers, Stripe};

/// Locks that the queues are spread over.
const SHARDS: usize = 64;

/// A key with its database's number.
type Name = (usize, Box<[u8]>);

/// The queues of the keys of each stripe; a stripe without any is not there.
type Shard = HashMap<Stripe, HashMap<Name, VecDeque<Arc<Waiter>>>>;

/// All waiting commands.
pub struct Queues {
    shards: Box<[Mutex<Shard>]>,
    /// By the client's number.
    clients: Mutex<HashMap<u64, Arc<Waiter>>>,
}

impl Default for Queues {
    fn default() -> Queues {
        Queues { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), clients: Mutex::default() }
    }
}

impl Queues {
    fn shard(&self, stripe: Stripe) -> MutexGuard<'_, Shard> {
        self.shards[usize::from(stripe.0) % SHARDS].lock().expect("no panic under this lock")
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<u64, Arc<Waiter>>> {
        self.clients.lock().expect("no panic under this lock")
    }

    /// How many commands wait.
    pub fn len(&self) -> usize {
        self.clients().len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.clients().is_empty()
    }

    /// Enters a wait. The caller's section is over the stripes of its keys, so that no writer can have missed it.
    ///
    /// Its client is told last: CLIENT UNBLOCK must not find, and take out of the queues, what is not yet in all of them.
    pub(super) fn enter(&self, server: &Server, waiter: &Arc<Waiter>) {
        for key in &waiter.keys {
            let stripe = Footprint::stripe(server, key);
            let mut shard = self.shard(stripe);
            let queues = shard.entry(stripe).or_default();
            queues.entry((waiter.db, key.clone())).or_default().push_back(Arc::clone(waiter));
            server.keyspace.gate.mark(stripe, Observers::WAITING);
        }
        self.clients().insert(waiter.client.id, Arc::clone(waiter));
    }

    /// Takes a wait that is over out of all queues.
    pub(super) fn leave(&self, server: &Server, waiter: &Arc<Waiter>) {
        // The client may have come to wait again since the wait ended.
        let is_its_own = |other: &Arc<Waiter>| Arc::ptr_eq(other, waiter);
        let mut clients = self.clients();
        if clients.get(&waiter.client.id).is_some_and(is_its_own) {
            clients.remove(&waiter.client.id);
        }
        drop(clients);
        for key in &waiter.keys {
            let stripe = Footprint::stripe(server, key);
            let mut shard = self.shard(stripe);
            self.leave_key(&server.keyspace.gate, &mut shard, stripe, waiter, key);
        }
    }

    fn leave_key(&self, gate: &Gate, shard: &mut Shard, stripe: Stripe, waiter: &Arc<Waiter>, key: &[u8]) {
        let Some(queues) = shard.get_mut(&stripe) else { return };
        let name = (waiter.db, Box::from(key));
        if let Some(queue) = queues.get_mut(&name) {
            queue.retain(|other| !Arc::ptr_eq(other, waiter));
            if queue.is_empty() {
                queues.remove(&name);
            }
        }
        if queues.is_empty() {
            shard.remove(&stripe);
            gate.unmark(stripe, Observers::WAITING);
        }
    }

    /// Who waits for a key, first come first.
    pub(super) fn of_key(&self, server: &Server, db: usize, key: &[u8]) -> Vec<Arc<Waiter>> {
        let stripe = Footprint::stripe(server, key);
        let shard = self.shard(stripe);
        let queue = shard.get(&stripe).and_then(|queues| queues.get(&(db, Box::from(key))));
        queue.into_iter().flatten().cloned().collect()
    }

    /// The keys of a database that somebody waits for.
    pub fn keys_of(&self, db: usize) -> Vec<Box<[u8]>> {
        let mut found = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock().expect("no panic under this lock");
            found.extend(
                shard.values().flatten().filter(|((of, _), _)| *of == db).map(|((_, key), _)| key.clone()),
            );
        }
        found
    }

    /// What a section that changes keys of `stripes` may touch when it serves: these stripes, those of the commands
    /// that wait there, and from where those push to the same again. Sorted.
    pub fn reach(&self, stripes: &[Stripe]) -> Vec<Stripe> {
        let (mut reached, mut changing) = (stripes.to_vec(), stripes.to_vec());
        let mut seen = changing.clone();
        while let Some(stripe) = changing.pop() {
            for waiter in self.shard(stripe).get(&stripe).into_iter().flatten().flat_map(|(_, queue)| queue) {
                reached.extend(&waiter.touches);
                if let Some(destination) = waiter.destination
                    && !seen.contains(&destination)
                {
                    seen.push(destination);
                    changing.push(destination);
                }
            }
        }
        reached.sort_unstable();
        reached.dedup();
        reached
    }

    /// The wait of the client with this number.
    pub fn of_client(&self, id: u64) -> Option<Arc<Waiter>> {
        self.clients().get(&id).cloned()
    }

    /// Ends a wait, unless it is over already; whether this call ended it.
    pub fn end(&self, server: &Server, waiter: &Arc<Waiter>, end: End) -> bool {
        let ended = waiter.end_with(|| Ok(end));
        if ended {
            self.leave(server, waiter);
        }
        ended
    }
}
