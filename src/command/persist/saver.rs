//! The saver: a thread that writes files in the background, looks at the save points, and ends the server.
//!
//! It sleeps until somebody puts something into its inbox, and looks at the save points ten times a second. Cuts that it
//! makes by itself are made from a lane of its own; while a section lasts, it tries again later.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::job::{By, Job, Unwritten};
use super::{has_save_points, save_points, status};
use crate::command::state::Server;
use crate::keyspace::gate::Section;
use crate::sync::Ordering;
use crate::sync::epoch::{Guard, pin};
use crate::{log_notice, log_warning};

/// Rest between looks at the save points.
const LOOK: Duration = Duration::from_millis(100);
/// Rest before the next attempt to close everything.
const AGAIN: Duration = Duration::from_millis(1);
/// Seconds before a file that could not be written is tried again.
const RETRY: u64 = 5;

/// How the server is to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// Write a file, whatever the save points are.
    pub save: bool,
    /// Write none.
    pub nosave: bool,
    /// End even if it cannot be written.
    pub force: bool,
}

/// What the saver is to do.
#[derive(Default)]
pub struct Inbox {
    tasks: Mutex<Tasks>,
    changed: Condvar,
}

#[derive(Default)]
struct Tasks {
    job: Option<Job>,
    ending: Option<(Ending, SyncSender<bool>)>,
}

impl Inbox {
    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        // What is put here is whole.
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands over a job whose cut is made.
    pub(super) fn put(&self, job: Job) {
        self.tasks().job = Some(job);
        self.changed.notify_all();
    }

    /// Asks for the end; whether the server may end is known when the saver has done what has to be done before. None if
    /// somebody else has asked already.
    fn end(&self, ending: Ending) -> Option<std::sync::mpsc::Receiver<bool>> {
        let (answer, outcome) = sync_channel(1);
        let mut tasks = self.tasks();
        if tasks.ending.is_some() {
            return None;
        }
        tasks.ending = Some((ending, answer));
        self.changed.notify_all();
        Some(outcome)
    }
}

/// Starts the saver.
///
/// # Errors
/// When the system grants no thread.
pub fn start(server: &Arc<Server>) -> std::io::Result<()> {
    for name in ["save", "stop-writes-on-bgsave-error"] {
        let seen = Arc::downgrade(server);
        let hook = move |config: &crate::config::Config| {
            if let Some(server) = seen.upgrade() {
                server.persist.review(config);
            }
            Ok(())
        };
        server.config.on_change(name, Box::new(hook));
    }
    let server = Arc::clone(server);
    std::thread::Builder::new().name("saver".into()).spawn(move || {
        loop {
            work(&server);
        }
    })?;
    Ok(())
}

/// One round.
fn work(server: &Server) {
    let persist = &server.persist;
    let (job, ending) = {
        let tasks = persist.inbox.tasks();
        let idle = |tasks: &mut Tasks| tasks.job.is_none() && tasks.ending.is_none();
        let waited = persist.inbox.changed.wait_timeout_while(tasks, LOOK, idle);
        let (mut tasks, _) = waited.unwrap_or_else(PoisonError::into_inner);
        (tasks.job.take(), tasks.ending.take())
    };
    if let Some(job) = job {
        write(server, job);
    }
    if let Some((ending, answer)) = ending {
        let outcome = end(server, ending);
        // If nobody waits for it any more, the outcome is the same.
        let _ = answer.send(outcome);
        return;
    }
    if !persist.is_loading() && is_due(server) {
        begin_by_itself(server);
    }
}

// -- files in the background ------------------------------------------------------------------------------------

/// Notes that a file is being written from here on.
pub(super) fn note_begin(server: &Server, job: &Job) {
    let persist = &server.persist;
    persist.count_save();
    persist.cancelled.store(false, Ordering::Relaxed);
    persist.last_try.store(status::seconds(), Ordering::Relaxed);
    persist.keys_done.store(0, Ordering::Relaxed);
    persist.keys_total.store(job.keys(), Ordering::Relaxed);
    persist.began.store(status::seconds(), Ordering::Release);
    log_notice!("Background saving started");
}

fn write(server: &Server, job: Job) {
    let changes = job.changes();
    let persist = &server.persist;
    let unwanted = || persist.cancelled.load(Ordering::Relaxed) || persist.inbox.tasks().ending.is_some();
    let outcome = job.run(server, &unwanted);
    finish(server, outcome, changes);
}

fn finish(server: &Server, outcome: Result<(), Unwritten>, changes: u64) {
    let persist = &server.persist;
    let began = persist.began.load(Ordering::Relaxed);
    persist.last_kept.store(server.keyspace.snapshots.total(), Ordering::Relaxed);
    persist.last_seconds.store(status::seconds().saturating_sub(began) as i64, Ordering::Relaxed);
    match outcome {
        Ok(()) => {
            log_notice!("Background saving terminated with success");
            persist.saved(changes);
            persist.set_outcome(&server.config, true);
        }
        Err(Unwritten::Failed) => {
            log_warning!("Background saving error");
            persist.set_outcome(&server.config, false);
        }
        // As in Redis, a file that nobody wanted any more says nothing about the disk.
        Err(Unwritten::Cancelled) => log_warning!("Background saving was cancelled"),
    }
    persist.began.store(0, Ordering::Release);
}

/// Whether a file is due: one that was put off, or one that the save points ask for.
fn is_due(server: &Server) -> bool {
    let persist = &server.persist;
    let may_retry = !persist.has_failed()
        || status::seconds().saturating_sub(persist.last_try.load(Ordering::Relaxed)) > RETRY;
    if !may_retry {
        return false;
    }
    if persist.scheduled.load(Ordering::Relaxed) {
        return true;
    }
    let points = save_points(&server.config);
    if points.is_empty() {
        return false;
    }
    let dirty = persist.dirty(server);
    let age = status::seconds().saturating_sub(persist.last_save.load(Ordering::Relaxed));
    let reached = |&&(seconds, changes): &&(i64, i64)| dirty >= changes as u64 && age > seconds as u64;
    let Some((seconds, changes)) = points.iter().find(reached) else { return false };
    log_notice!("{changes} changes in {seconds} seconds. Saving...");
    true
}

fn begin_by_itself(server: &Server) {
    let job = alone(server, |section, guard| {
        let job = Job::begin(server, section, guard, By::Background)?;
        server.persist.scheduled.store(false, Ordering::Relaxed);
        note_begin(server, &job);
        Some(job)
    });
    if let Some(job) = job {
        write(server, job);
    }
}

/// Runs `work` with everything closed, as soon as that can be had.
fn alone<R>(server: &Server, work: impl FnOnce(&Section<'_>, &Guard) -> R) -> R {
    let lane = server.saver_lane();
    loop {
        let guard = pin();
        if let Ok(section) = server.keyspace.gate.close_all(lane) {
            return work(&section, &guard);
        }
        drop(guard);
        std::thread::sleep(AGAIN);
    }
}

// -- files that somebody waits for ------------------------------------------------------------------------------

/// Writes a file while everything is closed, and notes the outcome; whether it is there.
pub(super) fn write_now(server: &Server, section: &Section<'_>, guard: &Guard) -> bool {
    let Some(job) = Job::begin(server, section, guard, By::Command) else { return false };
    let changes = job.changes();
    let written = job.run(server, &|| false).is_ok();
    if written {
        server.persist.saved(changes);
        server.persist.set_outcome(&server.config, true);
    }
    written
}

/// Gives the file that is written in the background up, and waits until its snapshot has ended.
pub(super) fn cancel_and_wait(server: &Server) {
    server.persist.cancelled.store(true, Ordering::Relaxed);
    // A job that the saver has not begun with is ended here.
    let waiting = server.persist.inbox.tasks().job.take();
    if let Some(job) = waiting {
        let outcome = job.run(server, &|| true);
        finish(server, outcome, 0);
    }
    while server.keyspace.snapshots.is_running() || server.persist.is_saving() {
        std::thread::yield_now();
    }
}

// -- the end ----------------------------------------------------------------------------------------------------

impl Server {
    /// Prepares the end of the server as SHUTDOWN and the signals ask for it, on the saver's thread; whether the server
    /// may end. Waits for it. None if somebody else waits for the same already.
    pub fn prepare_end(&self, ending: Ending) -> Option<bool> {
        self.persist.cancelled.store(true, Ordering::Relaxed);
        let outcome = self.persist.inbox.end(ending)?;
        Some(outcome.recv().unwrap_or(false))
    }
}

fn end(server: &Server, ending: Ending) -> bool {
    log_warning!("User requested shutdown...");
    if server.persist.is_saving() {
        log_warning!("There is a child saving an .rdb. Killing it!");
        cancel_and_wait(server);
    }
    let wanted = ending.save || (has_save_points(&server.config) && !ending.nosave);
    // What is half loaded must not take the place of the file that it is loaded from.
    if !wanted || server.persist.is_loading() {
        return true;
    }
    log_notice!("Saving the final RDB snapshot before exiting.");
    let began = Instant::now();
    let guard = pin();
    let section = loop {
        match server.keyspace.gate.close_all(server.saver_lane()) {
            Ok(section) => break section,
            Err(_) => std::thread::sleep(AGAIN),
        }
    };
    let written = write_now(server, &section, &guard);
    if !written && !ending.force {
        log_warning!("Error trying to save the DB, can't exit.");
        log_warning!("Errors trying to shut down the server. Check the logs for more information.");
        return false;
    }
    if !written {
        log_warning!("Error trying to save the DB. Exit anyway.");
    }
    crate::log_debug!("The final snapshot took {} ms", began.elapsed().as_millis());
    // Everything stays closed: what nobody saves nobody is told of.
    std::mem::forget(section);
    true
}
