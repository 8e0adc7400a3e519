//! A worker: a thread with a current-thread runtime, its connections' tasks, and its share of the background work.

use std::cell::RefCell;
use std::net::TcpStream as StdStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::connection;
use crate::command::client::Client;
use crate::command::exec::Worker;
use crate::command::state::{Server, unix_ms};
use crate::command::stats::SAMPLE_EVERY_MS;
use crate::keyspace::expire::Effort;
use crate::keyspace::reclaim::collect_idle;
use crate::memory;
use crate::sync::epoch;

/// Time that one slice of active expiry may take; it delays the other clients of the worker by as much.
const EXPIRY_SLICE: Duration = Duration::from_micros(500);
/// Rest between slices while a good part of the keys is due.
const HEAVY_PAUSE: Duration = Duration::from_millis(1);
/// Rest between slices while few keys are due, and between looks at the wheel while none are.
const LIGHT_PAUSE: Duration = Duration::from_millis(20);
const IDLE_PAUSE: Duration = Duration::from_millis(100);
/// Chunks between looks at the clock.
const CHUNKS_PER_LOOK: usize = 4;

/// A connection on its way to its worker.
pub(super) struct Arrival {
    pub(super) stream: StdStream,
    pub(super) client: Client,
}

/// The listener's end of a worker.
pub(super) struct Handle {
    arrivals: UnboundedSender<Arrival>,
    connections: Arc<AtomicUsize>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// What the tasks of one worker share.
pub(super) struct Local {
    pub(super) server: Arc<Server>,
    pub(super) worker: RefCell<Worker>,
}

impl Handle {
    /// Starts the worker that uses `lane`.
    pub(super) fn start(server: Arc<Server>, lane: usize) -> std::io::Result<Handle> {
        let (arrivals, inbox) = unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
        drop(runtime?);
        let thread = std::thread::Builder::new().name(format!("worker-{lane}")).spawn(move || {
            let runtime = Builder::new_current_thread()
                .enable_all()
                .build_local(LocalOptions::default())
                .expect("a runtime could be built a moment ago");
            runtime.block_on(run(server, lane, inbox, count));
        })?;
        Ok(Handle { arrivals, connections, thread: Some(thread) })
    }

    /// Connections that the worker has now.
    pub(super) fn load(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Hands a connection over; gives it back if the worker is gone.
    pub(super) fn hand_over(&self, arrival: Arrival) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        // A worker ends only with the process, and its sockets with it.
        drop(self.arrivals.send(arrival));
    }

    /// Tells the worker that nothing more comes, and waits until it has ended its connections.
    pub(super) fn stop(self) {
        drop(self.arrivals);
        if let Some(thread) = self.thread {
            drop(thread.join());
        }
    }
}

async fn run(
    server: Arc<Server>,
    lane: usize,
    mut inbox: UnboundedReceiver<Arrival>,
    connections: Arc<AtomicUsize>,
) {
    let local = Rc::new(Local { server, worker: RefCell::new(Worker::new(lane)) });
    tokio::task::spawn_local(expire_keys(Rc::clone(&local), lane));
    tokio::task::spawn_local(tick(Rc::clone(&local), lane));
    while let Some(arrival) = inbox.recv().await {
        let local = Rc::clone(&local);
        let connections = Arc::clone(&connections);
        tokio::task::spawn_local(async move {
            let id = arrival.client.id;
            let clients = Arc::clone(&local.server);
            connection::serve(local, arrival).await;
            clients.clients.leave(id);
            connections.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// What a worker does ten times a second: INFO's samples on the first one, and on each the handing over of unlinked
/// values, which would otherwise wait for the worker's next work.
async fn tick(local: Rc<Local>, lane: usize) {
    let mut ticks = tokio::time::interval(Duration::from_millis(SAMPLE_EVERY_MS));
    loop {
        ticks.tick().await;
        if lane == 0 {
            local.server.stats.sample();
        }
        if memory::garbage() != 0 {
            epoch::pin().flush();
        }
    }
}

/// Active expiry: slices of a walk, as many as what is due deserves.
async fn expire_keys(local: Rc<Local>, lane: usize) {
    loop {
        let now = unix_ms();
        if !local.server.active_expiry.load(Ordering::Relaxed) || local.server.pause.active(now) {
            tokio::time::sleep(IDLE_PAUSE).await;
            continue;
        }
        let pause = match local.server.keyspace.expiry_effort(now) {
            Effort::None if collect_idle() => HEAVY_PAUSE,
            Effort::None => IDLE_PAUSE,
            Effort::Light => {
                expire_slice(&local.server, lane);
                LIGHT_PAUSE
            }
            Effort::Heavy => {
                expire_slice(&local.server, lane);
                HEAVY_PAUSE
            }
        };
        tokio::time::sleep(pause).await;
    }
}

fn expire_slice(server: &Server, lane: usize) {
    let began = std::time::Instant::now();
    while began.elapsed() < EXPIRY_SLICE {
        // A pin per look lets the epoch, and with it the memory, move on during a long slice.
        let guard = epoch::pin();
        let now = unix_ms();
        for _ in 0..CHUNKS_PER_LOOK {
            server.keyspace.expire_chunk(lane, &guard, now);
        }
    }
}
