//! Commands and memory: who waits for it, and who makes room.

use super::run::Run;
use super::{Wait, Worker};
use crate::command::client::Client;
use crate::command::room::Verdict;
use crate::command::state::{Server, unix_ms};
use crate::keyspace::evict::Ground;
use crate::memory;
use crate::sync::epoch::pin;

/// Pins in a row that free what was unlinked, unless somebody reads for longer: a bag waits for two steps of the epoch.
const COLLECTIONS: usize = 4;

impl Worker {
    /// Looks at the memory on behalf of commands that do not wait for it, once for all in the window: as in Redis,
    /// reads evict too.
    #[inline]
    pub(super) fn look_at_memory(&mut self, run: &Run<'_>) {
        if run.bounded && self.room.must_look() {
            // Whoever needs memory asks again.
            let _ = self.room.look(run.server, &run.ground());
        }
    }

    /// Whether memory is short for a command that `needs` it; the command may have to wait for the answer, and any may
    /// have to wait until what was unlinked is freed.
    #[inline]
    pub(super) fn is_short(&mut self, run: &Run<'_>, client: &mut Client, needs: bool) -> Result<bool, Wait> {
        if memory::garbage_of_this_thread() > run.most_garbage {
            return Err(Wait::Memory);
        }
        let must_look = needs && run.bounded && self.room.must_look();
        if must_look { self.find_memory(run, client) } else { Ok(false) }
    }

    #[cold]
    fn find_memory(&mut self, run: &Run<'_>, client: &mut Client) -> Result<bool, Wait> {
        let impatient = std::mem::take(&mut client.impatient);
        match self.room.look(run.server, &run.ground()) {
            Verdict::Enough => Ok(false),
            Verdict::Short => Ok(true),
            Verdict::Busy if impatient => Ok(true),
            Verdict::Busy => Err(Wait::Memory),
        }
    }

    /// Frees what may be freed, and evicts for a while if that is not enough. Only between batches, because nothing can
    /// be freed that a running batch might read.
    pub fn make_room(&mut self, server: &Server) -> Verdict {
        (0..COLLECTIONS).for_each(|_| pin().flush());
        self.look_between(server)
    }

    /// [`Worker::make_room`], if this thread has used up what it was granted: for what takes memory without being a
    /// command, such as a request that is being received.
    #[inline]
    pub fn mind_memory(&mut self, server: &Server) {
        if self.room.begin(server.config.live().maxmemory()) && self.room.must_look() {
            // What is received is received; commands wait.
            let _ = self.look_between(server);
        }
    }

    fn look_between(&mut self, server: &Server) -> Verdict {
        if !self.room.begin(server.config.live().maxmemory()) {
            return Verdict::Enough;
        }
        let guard = pin();
        let ground = Ground { keyspace: &server.keyspace, lane: self.lane, guard: &guard, now: unix_ms() };
        self.room.look(server, &ground)
    }
}
