//! Threads for scripts that may take long, so that a worker's other clients need not wait for them.
//!
//! A script that runs cannot be moved to another thread, so what is long must be known before. A script counts as
//! short when its last few runs were; such a script runs on its client's worker, where it costs no handing over. All
//! others, and every new one, run here. A short script that takes long once keeps its worker's clients waiting that
//! once, and counts as long from then on.
//!
//! Each of these threads has a lane of its own. They start when there is something to do.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::command::client::Client;
use crate::command::exec::{Alone, Worker};
use crate::command::state::Server;
use crate::protocol::args::ArgBuf;
use crate::protocol::reply::Output;

/// Scripts that may run here at the same time.
pub const THREADS: usize = 4;
/// How long a short script takes at most.
const SHORT: Duration = Duration::from_millis(1);
/// Short runs in a row after which a script counts as short.
const PROVEN: u32 = 4;

/// What is known of a script's runs.
#[derive(Default)]
pub(super) struct Pace(crate::sync::AtomicU32);

impl Pace {
    /// Whether the script may run on a worker.
    pub(super) fn is_short(&self) -> bool {
        self.0.load(crate::sync::Ordering::Relaxed) >= PROVEN
    }

    /// A run has taken so long.
    #[inline]
    pub(super) fn note(&self, took: Duration) {
        let runs = self.0.load(crate::sync::Ordering::Relaxed);
        if took >= SHORT {
            self.0.store(0, crate::sync::Ordering::Relaxed);
        } else if runs < PROVEN {
            self.0.store(runs + 1, crate::sync::Ordering::Relaxed);
        }
    }
}

/// The threads and what waits for them.
#[derive(Default)]
pub struct Pool {
    state: Mutex<State>,
    more: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    started: usize,
    idle: usize,
}

struct Job {
    server: Arc<Server>,
    lent: Lent,
    answer: oneshot::Sender<(Lent, Alone)>,
}

/// What a connection lends for one command.
pub struct Lent {
    /// The connection's client.
    pub client: Client,
    /// The command.
    pub args: ArgBuf,
    /// Where its reply goes.
    pub out: Output,
}

impl Pool {
    fn locked(&self) -> MutexGuard<'_, State> {
        // Every change under the lock is complete in itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one command here. None if it cannot: then the system grants no thread.
    pub async fn run(server: &Arc<Server>, lent: Lent) -> Option<(Lent, Alone)> {
        let (answer, outcome) = oneshot::channel();
        server.script_pool.submit(Job { server: Arc::clone(server), lent, answer });
        outcome.await.ok()
    }

    fn submit(&self, job: Job) {
        let mut state = self.locked();
        let server = Arc::clone(&job.server);
        state.jobs.push_back(job);
        if state.idle >= state.jobs.len() || state.started == THREADS {
            return self.more.notify_one();
        }
        let lane = server.workers + state.started;
        let name = format!("script-{}", state.started);
        let started = std::thread::Builder::new().name(name).spawn(move || serve(&server, lane));
        match started {
            Ok(_detached) => state.started += 1,
            // Without any thread nobody would answer: the clients are told by the job's end.
            Err(_) if state.started == 0 => state.jobs.clear(),
            Err(_) => {}
        }
    }

    fn next(&self) -> Job {
        let mut state = self.locked();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return job;
            }
            state.idle += 1;
            state = self.more.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }
}

fn serve(server: &Server, lane: usize) {
    let mut worker = Worker::for_scripts(lane);
    loop {
        let Job { mut lent, answer, .. } = server.script_pool.next();
        let Lent { client, args, out } = &mut lent;
        let ended = worker.run_alone(server, client, args.args(), out);
        // The connection may have ended with the server.
        drop(answer.send((lent, ended)));
    }
}
