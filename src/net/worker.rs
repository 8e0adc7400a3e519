//! A worker: a thread with a current-thread runtime, its connections' tasks, and its share of the background work.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::pressure::{self, Pressure};
use super::seats::Seats;
use super::{connection, expiry, mail};
use crate::command::client::Client;
use crate::command::exec::Worker;
use crate::command::state::Server;
use crate::command::stats::SAMPLE_EVERY_MS;
use crate::log_warning;
use crate::memory;
use crate::sync::{AtomicUsize, Ordering};

/// How often a worker looks after what is not urgent.
const HOUSEKEEPING: Duration = Duration::from_millis(SAMPLE_EVERY_MS);
/// Looks per second of the sweep.
const LOOKS_PER_SWEEP: u32 = 10;
/// How long clients have at the end of the server to take what was answered.
const GRACE: Duration = Duration::from_secs(1);
/// Rest between looks whether they have.
const GRACE_PAUSE: Duration = Duration::from_millis(2);
/// Rest before background work that panicked begins anew.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// A connection on its way to its worker.
pub(super) struct Arrival {
    pub(super) stream: TcpStream,
    pub(super) client: Client,
}

/// The listener's end of a worker.
pub(super) struct Handle {
    arrivals: UnboundedSender<Arrival>,
    connections: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

/// What the tasks of one worker share.
pub(super) struct Local {
    pub(super) server: Arc<Server>,
    pub(super) lane: usize,
    pub(super) worker: RefCell<Worker>,
    pub(super) seats: Rc<Seats>,
    pub(super) pressure: Pressure,
    /// The server ends: connections end with the batch that they run.
    pub(super) stopping: Cell<bool>,
}

impl Handle {
    /// Starts the worker that uses `lane`. It ends when the server's shutdown has been requested.
    ///
    /// # Errors
    /// When the system grants no thread or no poller.
    pub(super) fn start(server: Arc<Server>, lane: usize) -> std::io::Result<Handle> {
        let (arrivals, inbox) = unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let (built, outcome) = channel();
        let thread = std::thread::Builder::new().name(format!("worker-{lane}")).spawn(move || {
            if let Some(runtime) = build(&built) {
                runtime.block_on(run(server, lane, inbox, count));
            }
        })?;
        outcome.recv().map_err(std::io::Error::other)??;
        Ok(Handle { arrivals, connections, thread })
    }

    /// Connections that the worker has now.
    pub(super) fn load(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Hands a connection over.
    pub(super) fn hand_over(&self, arrival: Arrival) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        // A worker ends only with the server, and its sockets with it.
        drop(self.arrivals.send(arrival));
    }

    /// Whether the worker has ended.
    pub(super) fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

/// A runtime, which must be built on its own thread; the outcome goes to who waits for it.
fn build(outcome: &Sender<std::io::Result<()>>) -> Option<LocalRuntime> {
    let built = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    let (runtime, report) = match built {
        Ok(runtime) => (Some(runtime), Ok(())),
        Err(error) => (None, Err(error)),
    };
    // The other end waits for nothing else.
    drop(outcome.send(report));
    runtime
}

async fn run(
    server: Arc<Server>,
    lane: usize,
    mut inbox: UnboundedReceiver<Arrival>,
    connections: Arc<AtomicUsize>,
) {
    let local = Rc::new(Local {
        server: Arc::clone(&server),
        lane,
        worker: RefCell::new(Worker::new(lane)),
        seats: Rc::default(),
        pressure: Pressure::default(),
        stopping: Cell::new(false),
    });
    for_ever({
        let local = Rc::clone(&local);
        move || expiry::run(Rc::clone(&local), lane)
    });
    for_ever({
        let local = Rc::clone(&local);
        move || keep_house(Rc::clone(&local), lane)
    });
    for_ever({
        let local = Rc::clone(&local);
        move || mail::run(Rc::clone(&local), lane)
    });
    tokio::select! {
        () = receive(&local, &mut inbox, connections) => {}
        () = server.shutdown.requested() => {}
    }
    finish(&local).await;
}

async fn receive(local: &Rc<Local>, inbox: &mut UnboundedReceiver<Arrival>, connections: Arc<AtomicUsize>) {
    while let Some(arrival) = inbox.recv().await {
        let local = Rc::clone(local);
        let connections = Arc::clone(&connections);
        tokio::task::spawn_local(async move {
            let server = Arc::clone(&local.server);
            let _member = Member { server, connections, id: arrival.client.id };
            connection::serve(local, arrival.stream, arrival.client).await;
        });
    }
}

/// A registered client, which leaves the register however its task ends.
struct Member {
    server: Arc<Server>,
    connections: Arc<AtomicUsize>,
    id: u64,
}

impl Drop for Member {
    fn drop(&mut self) {
        self.server.clients.leave(self.id);
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Lets connections that are at work finish their batch and send its replies.
async fn finish(local: &Local) {
    local.stopping.set(true);
    let began = Instant::now();
    while local.seats.any_busy() && began.elapsed() < GRACE {
        tokio::time::sleep(GRACE_PAUSE).await;
    }
}

/// Runs background work that never ends; if it panics, it begins anew.
fn for_ever<F: Future<Output = ()> + 'static>(work: impl Fn() -> F + 'static) {
    tokio::task::spawn_local(async move {
        loop {
            if let Err(error) = tokio::task::spawn_local(work()).await {
                log_warning!("Background work failed and begins anew: {error}");
            }
            tokio::time::sleep(RESTART_PAUSE).await;
        }
    });
}

/// What diagnosis and tracking need now and then.
fn look_after_diagnosis(server: &Server) {
    let live = server.config.live();
    server.diagnosis.hotkeys.tick();
    server.diagnosis.look(&server.hub);
    server.diagnosis.refresh(live);
    server.tracking.make_room(&server.keyspace, live.tracking_table_max_keys());
}

/// What is not urgent: INFO's samples, handing in what keeps garbage, and the sweep.
async fn keep_house(local: Rc<Local>, lane: usize) {
    let mut looks = 0;
    loop {
        tokio::time::sleep(HOUSEKEEPING).await;
        if lane == 0 {
            local.server.stats.sample();
            look_after_diagnosis(&local.server);
            memory::allow_huge_pages_if_large();
        }
        local.server.tracking.flush_broadcast();
        if lane == 0 {
            // Where no command comes by that would see to it, such as after CONFIG SET maxmemory.
            pressure::keep_within(&local).await;
        }
        pressure::hand_in_if_much();
        looks += 1;
        if looks == LOOKS_PER_SWEEP {
            looks = 0;
            let frees = local.server.frees_buffers.load(Ordering::Relaxed);
            local.seats.sweep(local.server.config.live(), frees).await;
        }
    }
}
