//! The latch of a value node: holders exclude each other as they should, and see each other's work.

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::thread;
use loom_tests::checker::{check, check_bounded};
use loom_tests::value::latch::Latch;

/// A number under a latch. loom fails an access to the cell that overlaps another or is not ordered after it.
struct Guarded {
    latch: Latch,
    cell: UnsafeCell<u64>,
}

// SAFETY: that the latch makes it so is what the models check.
unsafe impl Sync for Guarded {}

impl Guarded {
    fn shared() -> Arc<Guarded> {
        Arc::new(Guarded { latch: Latch::default(), cell: UnsafeCell::new(0) })
    }

    fn add(&self, n: u64) {
        let _held = self.latch.write();
        // SAFETY: the write guard is held.
        self.cell.with_mut(|cell| unsafe { *cell += n });
    }

    fn get(&self) -> u64 {
        let _held = self.latch.read();
        // SAFETY: the read guard is held.
        self.cell.with(|cell| unsafe { *cell })
    }
}

fn spawn<R: 'static>(
    guarded: &Arc<Guarded>,
    task: impl FnOnce(&Guarded) -> R + 'static,
) -> thread::JoinHandle<R> {
    let guarded = Arc::clone(guarded);
    thread::spawn(move || task(&guarded))
}

/// Found here: a writer's unlock with Relaxed, or one that stores zero.
#[test]
fn writers_exclude_each_other() {
    check(|| {
        let guarded = Guarded::shared();
        let writers = [1, 2].map(|n| spawn(&guarded, move |guarded| guarded.add(n)));
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        assert_eq!(guarded.get(), 3);
    });
}

/// Found here: a writer that does not wait for readers; a reader's unlock with Relaxed; a writer's with Relaxed.
#[test]
fn a_writer_excludes_a_reader() {
    check(|| {
        let guarded = Guarded::shared();
        let writer = spawn(&guarded, |guarded| guarded.add(1));
        let reader = spawn(&guarded, |guarded| (guarded.get(), guarded.get()));
        writer.join().unwrap();
        let (first, second) = reader.join().unwrap();
        assert!(first <= second && second <= 1);
    });
}

/// Found here: the same, and an unlock that stores zero over a reader's count.
#[test]
fn no_release_is_lost_among_writers_and_a_reader() {
    check_bounded(2, || {
        let guarded = Guarded::shared();
        let writers = [1, 2].map(|n| spawn(&guarded, move |guarded| guarded.add(n)));
        let reader = spawn(&guarded, Guarded::get);
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        assert!(reader.join().unwrap() <= 3);
        guarded.add(1);
        assert_eq!(guarded.get(), 4);
    });
}

/// Found here: a try that keeps its count when a writer was faster; a look inside all the same.
#[test]
fn a_reader_that_only_tries_is_in_nobodys_way() {
    check(|| {
        let guarded = Guarded::shared();
        let writer = spawn(&guarded, |guarded| guarded.add(1));
        let reader = spawn(&guarded, |guarded| {
            let held = guarded.latch.try_read()?;
            // SAFETY: the read guard is held.
            let seen = guarded.cell.with(|cell| unsafe { *cell });
            drop(held);
            Some(seen)
        });
        writer.join().unwrap();
        assert!(reader.join().unwrap().is_none_or(|seen| seen <= 1));
        guarded.add(1);
        assert_eq!(guarded.get(), 2);
    });
}
