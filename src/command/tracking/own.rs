//! News of a client's own commands: they follow the reply of the command, so they are kept until it is there.
//!
//! A thread runs one client's command at a time. While it runs one of a client that tracks, the client's tracker stands
//! here, and what is to be told to that client gathers here.

use std::cell::RefCell;
use std::sync::Arc;

use super::desk::Tracking;
use super::note::{Note, What};
use super::tracker::{Modes, Tracker};
use crate::command::client::Client;
use crate::command::table::Command;
use crate::protocol::reply::Reply;

thread_local! {
    static RUNNING: RefCell<Option<(Arc<Tracker>, Vec<What>)>> = const { RefCell::new(None) };
}

/// The number of the client whose command this thread runs, if it tracks.
pub(super) fn id() -> Option<u64> {
    RUNNING.with_borrow(|running| running.as_ref().map(|(tracker, _)| tracker.id))
}

/// Keeps news for the client whose command this thread runs; gives them back if it is another's.
pub(super) fn keep(id: u64, what: What) -> Result<(), What> {
    RUNNING.with_borrow_mut(|running| match running {
        Some((tracker, kept)) if tracker.id == id => {
            kept.push(what);
            Ok(())
        }
        _ => Err(what),
    })
}

/// While it lives, this thread runs a command of a client that tracks.
pub(in crate::command) struct Own {
    tracker: Arc<Tracker>,
    /// Whose command it was before: one client's command may serve another's.
    outer: Option<(Arc<Tracker>, Vec<What>)>,
}

impl Own {
    /// Begins a command of the tracker's client.
    pub(in crate::command) fn begin(tracker: &Arc<Tracker>) -> Own {
        let outer = RUNNING.replace(Some((Arc::clone(tracker), Vec::new())));
        Own { tracker: Arc::clone(tracker), outer }
    }

    /// Writes what was kept behind the command's reply; without one, it goes the way of everybody's news.
    pub(in crate::command) fn tell(&self, desk: &Tracking, mut reply: Option<&mut Reply<'_>>) {
        let kept = RUNNING.with_borrow_mut(|running| {
            running.as_mut().map(|(_, kept)| std::mem::take(kept)).unwrap_or_default()
        });
        for what in kept {
            if !self.tracker.modes().contains(Modes::ON) {
                continue;
            }
            match reply.as_deref_mut() {
                Some(reply) if self.tracker.redirect() == 0 => {
                    Note { what, redirected: false }.write(reply, false);
                }
                reply => desk.send(&self.tracker, what, reply),
            }
        }
    }

    /// The command is over: what CLIENT CACHING said about it no longer holds, unless it was said by it, or is about a
    /// transaction.
    pub(in crate::command) fn end_command(&self, client: &Client, command: Option<&Command>) {
        let of_client = command.is_some_and(|command| command.name.starts_with("client|"));
        if client.multi.is_none() && !of_client {
            self.tracker.end_caching();
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        RUNNING.set(self.outer.take());
    }
}
