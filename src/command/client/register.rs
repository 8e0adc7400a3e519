//! The register: what connections know of one another, and how one ends another.
//!
//! Who owns what:
//!
//! | field of [`Shared`] | written by | read by |
//! |---|---|---|
//! | `seen` | the client's task | anybody |
//! | `names` | the client's task, under the latch | anybody, under the latch |
//! | `socket` | given by the task that serves it; taken once, by the client's end or its killer | the killer, under the latch |
//! | `killed` | the killer | the client's task, before it runs further commands |
//!
//! A killer uses the number of the socket only under the latch that the client's end takes it away under, and the end
//! comes before the socket is closed; so the number always means the client's own socket.

use std::collections::BTreeMap;
use std::os::fd::RawFd;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use bitflags::bitflags;
use crossbeam_utils::CachePadded;

use super::{Client, NO_COMMAND};
use crate::command::state::unix_ms;
use crate::sync::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};

bitflags! {
    /// States of a client that others see.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Marks: u32 {
        /// It speaks RESP3.
        const RESP3 = 1 << 0;
        /// It has said `CLIENT NO-EVICT ON`.
        const NO_EVICT = 1 << 1;
        /// It has said `CLIENT NO-TOUCH ON`.
        const NO_TOUCH = 1 << 2;
        /// Its command waits.
        const BLOCKED = 1 << 3;
        /// It ends when its replies are sent.
        const CLOSING = 1 << 4;
        /// It has said MULTI.
        const MULTI = 1 << 5;
        /// It listens to channels.
        const LISTENS = 1 << 6;
        /// Something that it watches has changed.
        const DIRTY = 1 << 7;
        /// It has said MONITOR.
        const MONITORS = 1 << 8;
        /// It has said `CLIENT TRACKING ON`.
        const TRACKS = 1 << 9;
        /// It has said `CLIENT TRACKING ON BCAST`.
        const TRACKS_ALL = 1 << 10;
    }
}

/// What a client is to the server, as `TYPE` filters know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An ordinary client.
    Normal,
    /// The server that this one copies.
    Master,
    /// A server that copies this one.
    Replica,
    /// A client that listens to channels.
    Pubsub,
}

/// The names that a client gave itself; empty ones are as none.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// `CLIENT SETNAME`.
    pub name: Vec<u8>,
    /// `CLIENT SETINFO LIB-NAME`.
    pub lib_name: Vec<u8>,
    /// `CLIENT SETINFO LIB-VER`.
    pub lib_ver: Vec<u8>,
}

/// What the client's task publishes: see [`Client::publish`].
#[derive(Debug)]
pub struct Seen {
    /// Unix time of the last batch, in milliseconds.
    pub active_ms: AtomicU64,
    /// The selected database.
    pub db: AtomicU32,
    /// Number of the last command in the table, or [`NO_COMMAND`].
    pub command: AtomicU32,
    /// Bits of [`Marks`].
    pub marks: AtomicU32,
    /// Watched keys.
    pub watched: AtomicU32,
    /// Commands queued since MULTI; of no meaning without [`Marks::MULTI`].
    pub queued: AtomicUsize,
    /// Bytes of them; of no meaning without [`Marks::MULTI`].
    pub queued_memory: AtomicUsize,
    /// How many channels, patterns and channels of shards it listens to.
    pub subscriptions: [AtomicUsize; 3],
    /// Received bytes that are no complete command yet.
    pub unparsed: AtomicUsize,
    /// Bytes allocated for what is received.
    pub input_memory: AtomicUsize,
    /// Bytes of replies that the socket did not take yet.
    pub unsent: AtomicUsize,
    /// Bytes of large arguments that have buffers of their own, and of commands that have not run.
    pub argument_memory: AtomicUsize,
    /// Bytes allocated for replies.
    pub output_memory: AtomicUsize,
    /// Bytes of messages that wait behind the replies; published by its worker.
    pub mail_memory: AtomicUsize,
    /// Bytes of the names that it watches and listens to.
    pub name_memory: AtomicUsize,
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
    /// Unix time of its arrival, in milliseconds.
    pub joined_ms: u64,
    /// What its task publishes, on cache lines of its own.
    pub seen: CachePadded<Seen>,
    home: OnceLock<(usize, usize)>,
    names: Mutex<Names>,
    socket: Mutex<Option<RawFd>>,
    killed: AtomicBool,
    /// What of it is in the sum of all clients' memory.
    pub(super) counted: AtomicUsize,
}

impl Shared {
    fn new(id: u64, addr: String, laddr: String) -> Shared {
        let joined_ms = unix_ms();
        let seen = Seen {
            active_ms: AtomicU64::new(joined_ms),
            db: AtomicU32::new(0),
            command: AtomicU32::new(u32::from(NO_COMMAND)),
            marks: AtomicU32::new(0),
            watched: AtomicU32::new(0),
            queued: AtomicUsize::new(0),
            queued_memory: AtomicUsize::new(0),
            subscriptions: Default::default(),
            unparsed: AtomicUsize::new(0),
            input_memory: AtomicUsize::new(0),
            unsent: AtomicUsize::new(0),
            argument_memory: AtomicUsize::new(0),
            output_memory: AtomicUsize::new(0),
            mail_memory: AtomicUsize::new(0),
            name_memory: AtomicUsize::new(0),
        };
        Shared {
            id,
            addr,
            laddr,
            joined_ms,
            seen: CachePadded::new(seen),
            home: OnceLock::new(),
            names: Mutex::default(),
            socket: Mutex::new(None),
            killed: AtomicBool::new(false),
            counted: AtomicUsize::new(0),
        }
    }

    /// Its names, to read or to change.
    pub fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().expect("no panic under this lock")
    }

    /// Its worker and its seat there, once it is served.
    pub fn home(&self) -> Option<(usize, usize)> {
        self.home.get().copied()
    }

    /// Notes where the client is served. It is so at one place for its whole life.
    pub fn settle(&self, worker: usize, seat: usize) {
        // Its task is the only caller, and calls once.
        let _ = self.home.set((worker, seat));
    }

    /// The states that its task published last.
    pub fn marks(&self) -> Marks {
        Marks::from_bits_truncate(self.seen.marks.load(Ordering::Relaxed))
    }

    /// What it is to the server.
    pub fn kind(&self) -> Kind {
        if self.marks().contains(Marks::LISTENS) { Kind::Pubsub } else { Kind::Normal }
    }

    /// Whether somebody ended it: its task must not run another command.
    #[inline]
    pub fn is_killed(&self) -> bool {
        // Ordering: Acquire pairs with the Release in `kill`, so that what the killer did before is seen as well.
        self.killed.load(Ordering::Acquire)
    }

    fn socket(&self) -> MutexGuard<'_, Option<RawFd>> {
        self.socket.lock().expect("no panic under this lock")
    }

    /// Ends the client from any thread: its task finds the flag, and its socket neither gives nor takes bytes.
    fn kill(&self) {
        // Ordering: see `is_killed`.
        self.killed.store(true, Ordering::Release);
        let mut socket = self.socket();
        if let Some(fd) = socket.take() {
            shut_down(fd);
        }
    }

    /// The number of its socket, to be shown; -1 before and after it is served.
    pub fn fd(&self) -> RawFd {
        self.socket().unwrap_or(-1)
    }

    pub(super) fn attach(&self, fd: RawFd) {
        let mut socket = self.socket();
        if self.is_killed() { shut_down(fd) } else { *socket = Some(fd) }
    }

    pub(super) fn detach(&self) {
        *self.socket() = None;
    }
}

fn shut_down(fd: RawFd) {
    // SAFETY: the call touches no memory. The number is the client's socket, because it is taken off the client before
    // the close; that the peer has gone already is the only error there can be.
    unsafe { libc::shutdown(fd, libc::SHUT_RDWR) };
}

/// All clients.
#[derive(Default)]
pub struct Clients {
    next_id: AtomicU64,
    all: Mutex<BTreeMap<u64, Arc<Shared>>>,
    /// Bytes that all take together, while that is limited: see [`Clients::mind_memory`].
    pub(super) memory: CachePadded<AtomicI64>,
    pub(super) evicting: Mutex<()>,
    pub(super) evicted: AtomicU64,
}

impl Clients {
    fn all(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Shared>>> {
        self.all.lock().expect("no panic under this lock")
    }

    /// Registers a connection.
    pub fn join(&self, addr: String, laddr: String) -> Client {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed) + 1;
        let shared = Arc::new(Shared::new(id, addr, laddr));
        self.all().insert(id, Arc::clone(&shared));
        Client::new(shared)
    }

    /// Forgets a connection that ended.
    pub fn leave(&self, id: u64) {
        let left = self.all().remove(&id);
        if let Some(shared) = left {
            shared.detach();
            self.forget_memory(&shared);
        }
    }

    /// Ends every client that `doomed` picks, and returns how many; they are off the register at once.
    pub fn kill(&self, mut doomed: impl FnMut(&Shared) -> bool) -> usize {
        let mut victims = Vec::new();
        self.all().retain(|_, shared| {
            let stays = !doomed(shared);
            if !stays {
                victims.push(Arc::clone(shared));
            }
            stays
        });
        victims.iter().for_each(|victim| victim.kill());
        victims.len()
    }

    /// The client of this number.
    pub fn get(&self, id: u64) -> Option<Arc<Shared>> {
        self.all().get(&id).cloned()
    }

    /// All that are connected now, in the order of their numbers.
    pub fn snapshot(&self) -> Vec<Arc<Shared>> {
        self.all().values().cloned().collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all().len()
    }

    /// Whether nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    fn join(clients: &Clients, socket: &UnixStream) -> Client {
        let client = clients.join("peer".into(), "here".into());
        client.attach(socket.as_raw_fd());
        client
    }

    #[test]
    fn the_killed_ends_at_once_and_leaves_the_register() {
        let clients = Clients::default();
        let ((mut ours, mut theirs), (other, mut other_end)) =
            (UnixStream::pair().expect("a pair"), UnixStream::pair().expect("a pair"));
        let (victim, witness) = (join(&clients, &ours), join(&clients, &other));
        assert_eq!(clients.kill(|client| client.id == victim.id), 1);
        assert!(victim.shared.is_killed() && !witness.shared.is_killed());
        assert_eq!(theirs.read(&mut [0]).expect("an end"), 0);
        assert!(ours.write(b"x").is_err());
        other_end.write_all(b"x").expect("the witness lives");
        assert_eq!(clients.snapshot().iter().map(|client| client.id).collect::<Vec<_>>(), [witness.id]);
    }

    #[test]
    fn whoever_is_killed_before_it_is_served_ends_then() {
        let clients = Clients::default();
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        let client = clients.join("peer".into(), "here".into());
        assert_eq!((client.shared.fd(), clients.kill(|_| true)), (-1, 1));
        client.attach(ours.as_raw_fd());
        assert_eq!(theirs.read(&mut [0]).expect("an end"), 0);
    }

    #[test]
    fn whoever_left_is_not_shut_down_under_its_old_number() {
        for by_drop in [true, false] {
            let clients = Clients::default();
            let (ours, mut theirs) = UnixStream::pair().expect("a pair");
            let client = join(&clients, &ours);
            let shared = Arc::clone(&client.shared);
            let mut kept = Some(client);
            if by_drop {
                kept = None;
            } else {
                clients.leave(shared.id);
            }
            shared.kill();
            // The socket stands for another file that has been given the number.
            (&ours).write_all(b"x").expect("still open");
            assert_eq!(theirs.read(&mut [0]).expect("a byte"), 1);
            drop(kept);
        }
    }
}
