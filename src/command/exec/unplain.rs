//! Commands of clients that want no replies, queue behind MULTI, or listen to channels.

use super::run::{Run, answer_unknown};
use super::{Prepared, Wait, Worker};
use crate::command::client::Client;
use crate::command::pubsub;
use crate::command::transaction::{self, Admission};
use crate::keyspace::table::Table;
use crate::protocol::args::Args;
use crate::protocol::reply::{Output, Reply};

impl Worker {
    /// A command of a client that has said `CLIENT REPLY OFF` or `SKIP`, or MULTI, or listens to channels.
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
        let mark = out.checkpoint();
        let listens = client.subscriptions.is_some() && !client.resp3;
        if let Some((id, command)) = prepared.command
            && listens
            && !pubsub::is_allowed_while_listening(command)
        {
            Reply::new(out, false).error(&pubsub::refusal(command));
            run.count_refusal(Some(id), out);
        } else if client.multi.is_some() {
            self.run_in_multi(run, table, client, args, prepared, out)?;
        } else {
            self.run_any(run, table, client, args, prepared, out)?;
        }
        // What a client listens to is pushed, and no reply.
        let pushes = prepared.command.is_some_and(|(_, known)| pubsub::answers_by_pushing(known, args));
        if muted && client.replies.end() && !pushes {
            out.rollback(mark);
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
        let admission = transaction::admit(run.server, client, command, args, short);
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
        run.time(id);
        self.run_known(run, table, client, args, (prepared, command), out)?;
        run.count(Some(id), out);
        Ok(())
    }
}
