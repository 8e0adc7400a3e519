//! What a client has queued since MULTI.

use std::cell::Cell;

use crate::command::client::Client;
use crate::command::nested::Call;
use crate::command::state::Server;
use crate::command::table::{Command, Flags};
use crate::command::{acl, container, error, script};
use crate::log_warning;
use crate::protocol::args::{ArgBuf, Args};
use crate::protocol::reply::{Output, Reply};

/// A queued command, with the place of its words.
struct Queued {
    id: usize,
    command: &'static Command,
    first: usize,
    count: usize,
}

/// Commands with their words, all in one buffer.
#[derive(Default)]
pub(super) struct Queue {
    commands: Vec<Queued>,
    words: ArgBuf,
}

/// Bytes of a queue that is kept for the next transaction.
const SPARE: usize = 16 << 10;

thread_local! {
    /// The queue of the thread's last transaction, for its room.
    static LAST: Cell<Option<Queue>> = const { Cell::new(None) };
}

impl Queue {
    /// An empty one.
    fn begin() -> Queue {
        LAST.take().unwrap_or_default()
    }

    /// Keeps the room for another transaction.
    pub(super) fn end(mut self) {
        if self.words.memory() + self.commands.capacity() * size_of::<Queued>() <= SPARE {
            self.commands.clear();
            self.words.clear();
            LAST.set(Some(self));
        }
    }

    /// How many commands there are.
    pub(super) fn len(&self) -> usize {
        self.commands.len()
    }

    /// The commands in order.
    pub(super) fn calls(&self) -> impl Iterator<Item = Call<'_>> {
        self.commands.iter().map(|queued| Call {
            id: queued.id,
            command: queued.command,
            args: self.words.range(queued.first, queued.count),
        })
    }
}

/// A transaction that is being queued, or that runs.
pub struct Multi {
    queue: Queue,
    /// How many commands they are, also while they run.
    count: usize,
    /// What the commands do, all flags together.
    flags: Option<Flags>,
    /// Bytes that the commands occupy.
    memory: usize,
    /// A command was refused: EXEC will run nothing.
    aborted: bool,
}

impl Multi {
    /// A transaction without commands.
    pub(super) fn begin() -> Multi {
        Multi { queue: Queue::begin(), count: 0, flags: None, memory: 0, aborted: false }
    }

    /// How many commands are queued.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes that the queued commands occupy.
    pub fn memory(&self) -> usize {
        self.memory
    }

    pub(super) fn is_aborted(&self) -> bool {
        self.aborted
    }

    /// The queued commands in order.
    pub(super) fn calls(&self) -> impl Iterator<Item = Call<'_>> {
        self.queue.calls()
    }

    /// The commands, which are about to run; the transaction still counts them.
    pub(super) fn take_commands(&mut self) -> Queue {
        std::mem::take(&mut self.queue)
    }

    /// Queues a call that has these effective flags.
    fn push(&mut self, id: usize, command: &'static Command, args: Args<'_>, flags: Flags) {
        let (first, count) = (self.queue.words.len(), args.len());
        self.memory += size_of::<Queued>() + self.queue.words.append(args);
        self.flags = Some(self.flags.unwrap_or(Flags::empty()) | flags);
        self.queue.commands.push(Queued { id, command, first, count });
        self.count += 1;
    }
}

/// What becomes of a command behind MULTI.
#[derive(PartialEq, Eq)]
pub(in crate::command) enum Admission {
    /// It waits for EXEC.
    Queued,
    /// It runs at once.
    AtOnce,
    /// It is answered with this error.
    Refused(String),
}

/// A refused command spoils the transaction, as far as there is one.
#[cold]
pub(in crate::command) fn abort(client: &mut Client) {
    if let Some(multi) = &mut client.multi {
        multi.aborted = true;
    }
}

/// The flags under which a call is held back: EXEC changes what its commands change, a script what it declares.
pub(in crate::command) fn effective_flags(
    server: &Server,
    client: &Client,
    command: &Command,
    args: Args<'_>,
) -> Flags {
    if command.flags.contains(Flags::RUNS_SCRIPT) {
        return script::effective_flags(server, command, args);
    }
    flags_with_queued(client, command)
}

fn flags_with_queued(client: &Client, command: &Command) -> Flags {
    let queued = client.multi.as_ref().and_then(|multi| multi.flags);
    match queued {
        Some(queued) if command.name == "exec" => command.flags | queued,
        _ => command.flags,
    }
}

/// Whether a command is part of a transaction's frame rather than of its contents.
fn runs_at_once(command: &Command) -> bool {
    matches!(command.name, "exec" | "discard" | "multi" | "watch" | "quit" | "reset")
}

/// What becomes of a command of a client that has said MULTI; `obstacle` is why the server runs no such commands now.
pub(in crate::command) fn admit(
    server: &Server,
    client: &mut Client,
    call: &Call<'_>,
    out_of_memory: bool,
    obstacle: Option<&'static str>,
) -> Admission {
    let command = call.command;
    let at_once = runs_at_once(command);
    let refused = refusal(server, client, call, out_of_memory).or_else(|| obstacle.map(str::to_string));
    let Some(text) = refused else {
        return if at_once { Admission::AtOnce } else { Admission::Queued };
    };
    if command.name != "exec" {
        abort(client);
        return Admission::Refused(text);
    }
    client.end_transaction(server);
    // The code of an error that has one is not part of the reason.
    let reason = text.strip_prefix("ERR ").unwrap_or(&text);
    Admission::Refused(format!("EXECABORT Transaction discarded because of: {reason}"))
}

fn refusal(server: &Server, client: &Client, call: &Call<'_>, out_of_memory: bool) -> Option<String> {
    let command = call.command;
    if !command.accepts(call.args.len()) {
        return Some(container::wrong_arity(command));
    }
    if command.flags.contains(Flags::NO_MULTI) {
        return Some("ERR Command not allowed inside a transaction".into());
    }
    if client.guarded()
        && let Some(text) = acl::refusal(server, client, call)
    {
        return Some(text);
    }
    (out_of_memory && needs_memory(client, command)).then(|| error::OUT_OF_MEMORY.into())
}

/// Whether a command behind MULTI is refused when memory is short. What is queued takes memory too; a transaction may
/// still be ended.
pub(in crate::command) fn needs_memory(client: &Client, command: &Command) -> bool {
    let ends = matches!(command.name, "exec" | "discard" | "quit" | "reset");
    !ends || flags_with_queued(client, command).contains(Flags::DENYOOM)
}

/// Queues an admitted command. A client that queues more than it may send is closed.
pub(in crate::command) fn queue(
    server: &Server,
    client: &mut Client,
    (id, command): (usize, &'static Command),
    args: Args<'_>,
    out: &mut Output,
) {
    let flags = effective_flags(server, client, command, args);
    let Some(multi) = &mut client.multi else { return };
    multi.push(id, command, args, flags);
    if multi.memory > server.config.live().client_query_buffer_limit() {
        let id = client.id;
        log_warning!("Closing client that reached max query buffer length: id={id}");
        client.closing = true;
        return;
    }
    Reply::new(out, client.resp3).simple("QUEUED");
}
