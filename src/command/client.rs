//! A connection as commands see it, and the register of all of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// The state of one connection, owned by its task.
pub struct Client {
    /// Its number, never used twice.
    pub id: u64,
    /// The selected database.
    pub db: usize,
    /// It has said `HELLO 3`.
    pub resp3: bool,
    /// The connection closes when the replies so far are sent.
    pub closing: bool,
    /// What others may see of it.
    pub shared: Arc<Shared>,
}

impl Client {
    /// Whether it comes from this machine, over loopback.
    pub fn is_local(&self) -> bool {
        self.shared
            .addr
            .parse::<std::net::SocketAddr>()
            .is_ok_and(|addr| addr.ip().to_canonical().is_loopback())
    }
}

/// The part of a client that other connections look at and act on.
#[derive(Debug)]
pub struct Shared {
    /// Its number.
    pub id: u64,
    /// The other end's address.
    pub addr: String,
    /// Our end's address.
    pub laddr: String,
}

/// All clients.
#[derive(Default)]
pub struct Clients {
    next_id: AtomicU64,
    all: Mutex<HashMap<u64, Arc<Shared>>>,
}

impl Clients {
    /// Registers a connection.
    pub fn join(&self, addr: String, laddr: String) -> Client {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed) + 1;
        let shared = Arc::new(Shared { id, addr, laddr });
        self.all.lock().expect("no panic under this lock").insert(id, Arc::clone(&shared));
        Client { id, db: 0, resp3: false, closing: false, shared }
    }

    /// Forgets a connection that ended.
    pub fn leave(&self, id: u64) {
        self.all.lock().expect("no panic under this lock").remove(&id);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.lock().expect("no panic under this lock").len()
    }

    /// Whether nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
