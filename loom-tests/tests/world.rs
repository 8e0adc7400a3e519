//! A keyspace of one database, and threads that each run commands on a lane of it.

use std::sync::Arc;

use loom::thread::{self, JoinHandle};
use loom_tests::keyspace::{Access, Keyspace, Space};
use loom_tests::sync::epoch::{self, Guard};
use loom_tests::value::word::View;

/// The time of commands that name no other (Unix milliseconds).
pub const NOW: u64 = 1_000;

/// Lanes for three threads and, last, for the main one.
const LANES: usize = 4;

/// An empty keyspace.
pub fn world() -> Arc<Keyspace> {
    Arc::new(Keyspace::new(1, LANES, NOW))
}

/// A key by the bits of its hash that matter: where it stands in the table, and its stripe.
pub fn key(index: u8, stripe: u8) -> [u8; 8] {
    [index, 0, 0, 0, 0, stripe, 0, 0]
}

fn space<'g>(keyspace: &'g Keyspace, guard: &'g Guard, lane: usize, now: u64) -> Space<'g> {
    Space::new(keyspace, 0, guard, lane, now, Access::Writing)
}

/// Runs `task` as the main thread, before or after the race.
pub fn alone<R>(keyspace: &Keyspace, task: impl FnOnce(&Space<'_>) -> R) -> R {
    let guard = epoch::pin();
    task(&space(keyspace, &guard, LANES - 1, NOW))
}

/// Runs `task` at time `now` on a thread of its own, under a guard that was pinned before it.
pub fn spawn_at<R: 'static>(
    keyspace: &Arc<Keyspace>,
    lane: usize,
    now: u64,
    task: impl FnOnce(&Space<'_>) -> R + 'static,
) -> JoinHandle<R> {
    let (keyspace, guard) = (Arc::clone(keyspace), epoch::pin());
    thread::spawn(move || task(&space(&keyspace, &guard, lane, now)))
}

/// [`spawn_at`] at [`NOW`].
pub fn spawn<R: 'static>(
    keyspace: &Arc<Keyspace>,
    lane: usize,
    task: impl FnOnce(&Space<'_>) -> R + 'static,
) -> JoinHandle<R> {
    spawn_at(keyspace, lane, NOW, task)
}

/// Runs `task` on a thread of its own that pins for itself.
pub fn spawn_unpinned<R: 'static>(
    keyspace: &Arc<Keyspace>,
    lane: usize,
    task: impl FnOnce(&dyn Fn(&mut dyn FnMut(&Space<'_>))) -> R + 'static,
) -> JoinHandle<R> {
    let keyspace = Arc::clone(keyspace);
    thread::spawn(move || {
        task(&|command| {
            let guard = epoch::pin();
            command(&space(&keyspace, &guard, lane, NOW));
        })
    })
}

/// What GET answers.
pub fn get(space: &Space<'_>, key: &[u8]) -> Option<Vec<u8>> {
    space.peek(space.key(key)).map(|live| text(live.view()))
}

/// The text of a value; takes the latch of a node that is not held.
pub fn text(view: View<'_>) -> Vec<u8> {
    match view {
        View::Int(int) => int.to_string().into_bytes(),
        View::Short(short) => short.as_slice().to_vec(),
        View::Raw(bytes) => bytes.to_vec(),
        View::Packed(_) => unreachable!("the models hold text"),
        View::Node(node) => {
            let _held = node.latch().read();
            node.as_text().expect("a text").load().to_vec()
        }
    }
}
