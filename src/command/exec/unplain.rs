//! Clients that are not plain: those that mute replies, queue, listen, monitor or track, or may not do everything, and
//! those whose wait is over.

use super::run::answer_unknown;
use super::{Prepared, Run, Wait, Worker};
use crate::command::acl;
use crate::command::client::Client;
use crate::command::diagnosis::{Seen, Source};
use crate::command::nested::Call;
use crate::command::pubsub;
use crate::command::state::{Server, unix_ms};
use crate::command::table::{Command, Flags};
use crate::command::ticks::ticks;
use crate::command::tracking::{self, Own};
use crate::command::transaction::{self, Admission};
use crate::keyspace::table::Table;
use crate::protocol::args::Args;
use crate::protocol::reply::{Output, Reply};

/// The answer to commands on keys of a client that has said MONITOR.
const MONITORS: &str = "ERR Replica can't interact with the keyspace";
impl Worker {
    /// A command of a client that has said `CLIENT REPLY OFF` or `SKIP`, MULTI or MONITOR, listens to channels, tracks, or
    /// may not do everything.
    #[cold]
    pub(super) fn run_unplain(
        &mut self,
        run: &Run<'_>,
        table: &Table,
        client: &mut Client,
        args: Args<'_>,
        prepared: Prepared,
        out: &mut Output,
    ) -> Result<(), Wait> {
        let muted = !client.replies.on();
        client.replies.begin();
        let tracker = client.tracker.clone();
        let own = tracker.as_ref().map(Own::begin);
        if let Some(own) = &own {
            let most = run.server.config.live().tracking_table_max_keys();
            run.server.tracking.make_room(&run.server.keyspace, most);
            own.tell(&run.server.tracking, Some(&mut Reply::new(out, client.resp3)));
        }
        let mark = out.checkpoint();
        let ran = self.run_special(run, table, client, args, prepared, out);
        // What a client listens to is pushed, and no reply.
        let pushes = prepared.command.is_some_and(|(_, known)| pubsub::answers_by_pushing(known, args));
        if ran.is_ok() && muted && client.replies.end() && !pushes {
            out.rollback(mark);
        }
        if let Some(own) = own {
            own.tell(&run.server.tracking, Some(&mut Reply::new(out, client.resp3)));
            own.end_command(client, prepared.command.map(|(_, command)| command));
        }
        ran
    }

    /// What [`Worker::run_unplain`] runs in the end.
    fn run_special(
        &mut self,
        run: &Run<'_>,
        table: &Table,
        client: &mut Client,
        args: Args<'_>,
        prepared: Prepared,
        out: &mut Output,
    ) -> Result<(), Wait> {
        if client.guarded() && client.multi.is_none() && refuses(run, client, args, prepared, out) {
            return Ok(());
        }
        let listens = client.subscriptions.is_some() && !client.resp3;
        let refusal = match prepared.command {
            Some((_, command)) if listens && !pubsub::is_allowed_while_listening(command) => {
                pubsub::refusal(command)
            }
            Some((_, command)) if client.monitors && touches_keys(command) => MONITORS.into(),
            _ if client.multi.is_some() => return self.run_in_multi(run, table, client, args, prepared, out),
            _ => {
                if let (Some(tracker), Some((_, command))) = (&client.tracker, prepared.command) {
                    tracking::enter(run.server, run.lane, tracker, (command, args))?;
                }
                return self.run_one(run, table, client, args, prepared, out);
            }
        };
        Reply::new(out, client.resp3).error(&refusal);
        run.count_refusal(prepared.command.map(|(id, _)| id), out);
        Ok(())
    }

    /// Runs a command that is no part of a batch, if its client may still run it.
    #[inline(never)]
    pub(super) fn run_admitted(
        &mut self,
        run: &Run<'_>,
        table: &Table,
        client: &mut Client,
        args: Args<'_>,
        prepared: Prepared,
        out: &mut Output,
    ) -> Result<(), Wait> {
        while !client.ends() {
            if client.guarded() && refuses(run, client, args, prepared, out) {
                break;
            }
            match self.run_one(run, table, client, args, prepared, out) {
                Err(Wait::Again) => {}
                other => return other,
            }
        }
        Ok(())
    }

    /// A command of a client that has said MULTI: it is queued, refused, or one of the few that run at once.
    fn run_in_multi(
        &mut self,
        run: &Run<'_>,
        table: &Table,
        client: &mut Client,
        args: Args<'_>,
        prepared: Prepared,
        out: &mut Output,
    ) -> Result<(), Wait> {
        let Some((id, command)) = prepared.command else {
            transaction::abort(client);
            answer_unknown(client, args, out);
            run.count_refusal(None, out);
            return Ok(());
        };
        client.last_command = id as u16;
        let needs = transaction::needs_memory(client, command);
        let short = self.is_short(run, client, needs)?;
        let call = Call { id, command, args };
        let refused = run.refusal(client, command, args);
        let admission = transaction::admit(run.server, client, &call, short, refused);
        if let Admission::Refused(text) = admission {
            Reply::new(out, client.resp3).error(&text);
            run.count_refusal(Some(id), out);
            return Ok(());
        }
        if run.paused(client, command, args) {
            return Err(Wait::Paused);
        }
        if admission == Admission::Queued {
            transaction::queue(run.server, client, (id, command), args, out);
            return Ok(());
        }
        self.run_counted(run, table, client, args, (prepared, (id, command)), out)
    }

    /// Answers the command whose wait is over; the client goes on with the one behind it.
    #[cold]
    pub fn finish_wait(&mut self, server: &Server, client: &mut Client, out: &mut Output) {
        let Some(waiter) = client.waiting.take() else { return };
        let (mark, call) = (out.checkpoint(), waiter.call());
        let id = call.id;
        let muted = !client.replies.on();
        let refused = waiter.answer(client, out);
        let ticks = ticks().saturating_sub(waiter.began);
        let bytes = out.since(mark) as u64;
        let counters = server.stats.lane(self.lane);
        counters.processed(1);
        let code = out.has_error().then(|| out.take_error().unwrap_or_default());
        if refused {
            counters.rejected(id, code.unwrap_or_default());
        } else {
            counters.called(id);
            counters.took(id, ticks, server.config.live().latency_tracking());
            let seen = Seen { source: Source::Client(client), db: client.db, call: &call, ticks, bytes };
            server.diagnosis.judge(&server.config, &seen);
            code.into_iter().for_each(|code| counters.failed(id, code));
        }
        if muted && client.replies.end() {
            out.rollback(mark);
        }
        client.publish(unix_ms());
    }
}

/// Whether a client may not run the command while it is served like a replica, which MONITOR makes it.
fn touches_keys(command: &Command) -> bool {
    command.flags.intersects(Flags::READONLY.union(Flags::WRITE).union(Flags::MAY_REPLICATE))
}

/// Answers a call that its client may not make; whether that is so. Words that are no call are answered as such.
#[cold]
fn refuses(run: &Run<'_>, client: &mut Client, args: Args<'_>, prepared: Prepared, out: &mut Output) -> bool {
    let Some((id, command)) = prepared.command.filter(|(_, command)| command.accepts(args.len())) else {
        return false;
    };
    client.last_command = id as u16;
    let Some(text) = acl::refusal(run.server, client, &Call { id, command, args }) else { return false };
    Reply::new(out, client.resp3).error(&text);
    run.count_refusal(Some(id), out);
    true
}
