//! Running waiting commands for their clients, in the section that made the data.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::{Block, End, Waiter};
use crate::command::Ctx;
use crate::command::acl;
use crate::command::client::Client;
use crate::command::exec::{ABANDONED, Alone};
use crate::command::footprint::Footprint;
use crate::command::nested::{Call, Caller};
use crate::command::state::{Server, unix_ms};
use crate::command::tracking::{self, Own};
use crate::keyspace::gate::{Closed, Observers, Section};
use crate::keyspace::reclaim::collect_if_due;
use crate::keyspace::{Access, Space};
use crate::log_warning;
use crate::protocol::reply::{Output, Reply};
use crate::sync::epoch::{Guard, pin};
use crate::value::node::NodeKind;
use crate::value::word::View;

/// Enters the wait of a client's call, whose section is over its keys.
pub(in crate::command) fn wait(server: &Server, client: &mut Client, call: &Call<'_>, block: Block) {
    let waiter = Arc::new(Waiter::new(server, client, call, block));
    server.queues.enter(server, &waiter);
    client.waiting = Some(waiter);
}

/// How often the stripes that serving may take are asked for before everything is closed.
const TRIES: usize = 4;

/// Closes what a command works on and, if clients wait there, what serving them may reach.
pub(in crate::command) fn close(
    server: &Server,
    lane: usize,
    footprint: Footprint,
) -> Result<Section<'_>, Closed> {
    let gate = &server.keyspace.gate;
    let mut section = footprint.close(gate, lane)?;
    for _ in 0..TRIES {
        if !section.observers().contains(Observers::WAITING) {
            return Ok(section);
        }
        let Some(closed) = section.stripes() else { return Ok(section) };
        let reached = server.queues.reach(&closed);
        if reached == closed {
            return Ok(section);
        }
        drop(section);
        section = gate.close(lane, reached)?;
    }
    drop(section);
    gate.close_all(lane)
}

/// A section whose command is done, with the time and the lane that it ran on.
pub(in crate::command) struct Served<'s> {
    pub(in crate::command) server: &'s Server,
    pub(in crate::command) guard: &'s Guard,
    pub(in crate::command) section: &'s Section<'s>,
    pub(in crate::command) lane: usize,
    pub(in crate::command) now: u64,
}

/// Serves whoever waits for what the section has changed, and for what serving changes.
#[cold]
pub(in crate::command) fn serve(done: &Served<'_>) {
    loop {
        let changed = done.section.trace().take_changed();
        if changed.is_empty() {
            return;
        }
        for changed in changed {
            for waiter in done.server.queues.of_key(done.server, changed.db, &changed.key) {
                if !done.may_serve(&waiter, &changed.key) {
                    continue;
                }
                if waiter.end_with(|| done.run(&waiter)) {
                    done.server.queues.leave(done.server, &waiter);
                }
            }
        }
    }
}

/// Runs a waiting command although nobody has written, because its time has come; and with it, in their order, the
/// others that wait for its keys. The lane is the caller's own, and idle.
pub fn run_again(server: &Server, lane: usize, waiter: &Waiter) -> Alone {
    let guard = &pin();
    collect_if_due(guard);
    let mut footprint = Footprint::default();
    footprint.add_stripes(&waiter.touches);
    let section = match close(server, lane, footprint) {
        Ok(section) => section,
        Err(closed) => return Alone::Closed(closed),
    };
    let now = unix_ms();
    if server.pause.holds(waiter.call().command.flags, now) {
        return Alone::Paused;
    }
    waiter.keys.iter().for_each(|key| section.trace().note(waiter.db, key));
    serve(&Served { server, guard, section: &section, lane, now });
    Alone::Done
}

impl Served<'_> {
    fn space(&self, db: usize) -> Space<'_> {
        let space = Space::new(&self.server.keyspace, db, self.guard, self.lane, self.now, Access::Writing);
        space.traced(Some(self.section.trace()))
    }

    /// Whether a key holds what the command waits for. A client that was killed changes nothing any more.
    fn may_serve(&self, waiter: &Waiter, key: &[u8]) -> bool {
        if waiter.client.is_killed() {
            return false;
        }
        if waiter.even_if_gone {
            return true;
        }
        let space = self.space(waiter.db);
        match space.peek(space.key(key)).map(|live| live.view()) {
            None => false,
            Some(View::Packed(packed)) => packed.kind == waiter.kind,
            Some(View::Node(node)) => {
                matches!(node.kind(), NodeKind::Collection(shared) if shared.kind() == waiter.kind)
            }
            Some(_) => false,
        }
    }

    /// Runs the command; if it keeps waiting, when it is to run again.
    fn run(&self, waiter: &Waiter) -> Result<End, Option<u64>> {
        let trace = self.section.trace();
        let stand_in = Client::stand_in(waiter);
        if stand_in.guarded()
            && let Some(text) = acl::refusal(self.server, &stand_in, &waiter.call())
        {
            return Ok(End::Refused(text));
        }
        let (noted, mut out) = (trace.noted(), Output::new());
        let outcome = catch_unwind(AssertUnwindSafe(|| self.call(waiter, stand_in, &mut out)));
        match outcome {
            Ok(None) => Ok(End::Served(out, false)),
            Ok(Some(block)) => {
                // It made no data. What it changed, such as the time when a consumer was seen last, is nothing to run
                // it again for, which would have no end.
                trace.forget_after(noted);
                Err(block.again_at)
            }
            Err(_) => {
                let mut out = Output::new();
                Reply::new(&mut out, waiter.resp3).error(ABANDONED);
                log_warning!("The command '{}' panicked and was abandoned", waiter.call().command.name);
                Ok(End::Served(out, true))
            }
        }
    }

    /// Calls the handler; none if it has replied, or else what it waits for.
    fn call(&self, waiter: &Waiter, mut client: Client, out: &mut Output) -> Option<Box<Block>> {
        let call = waiter.call();
        let space = self.space(waiter.db).touching(!waiter.no_touch);
        let tracker = self.server.tracking.of(client.id);
        let own = tracker.as_ref().map(Own::begin);
        if let Some(tracker) = &tracker {
            tracking::enter_in(self.server, self.section, tracker, (call.command, call.args));
        }
        let mut ctx = Ctx {
            server: self.server,
            client: &mut client,
            space: &space,
            args: call.args,
            reply: Reply::new(out, waiter.resp3),
            command: call.command,
            section: Some(self.section),
            caller: Caller::Client,
            strayed: false,
            block: None,
            first_key: None,
        };
        (call.command.handler)(&mut ctx);
        let block = ctx.block;
        if let Some(own) = own {
            let mut reply = block.is_none().then(|| Reply::new(out, waiter.resp3));
            own.tell(&self.server.tracking, reply.as_mut());
        }
        block
    }
}
