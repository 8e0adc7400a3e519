//! Whether a user may make a call, and what a client is told that may not.
//!
//! The keys are those of the one extractor that the gate uses, so what is checked is what is touched.

use super::log::{Context, Reason};
use super::selector::{Access, Selector};
use super::user::User;
use crate::command::client::Client;
use crate::command::error::NO_AUTH;
use crate::command::keys::{self, KeyFlags};
use crate::command::nested::Call;
use crate::command::state::Server;
use crate::command::table::{Command, Flags};
use crate::protocol::args::Args;

/// What a user lacks for a call: the least that would have to be allowed in addition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Denied {
    /// The command.
    Command,
    /// The key at this argument.
    Key(usize),
    /// The channel at this argument.
    Channel(usize),
}

/// The keys of a call, looked for when the first selector asks.
struct KeysOf<'a> {
    call: Call<'a>,
    found: Option<Vec<(usize, KeyFlags)>>,
}

impl KeysOf<'_> {
    fn get(&mut self) -> &[(usize, KeyFlags)] {
        self.found.get_or_insert_with(|| {
            keys::with_flags(self.call.command.name, self.call.command.keys, self.call.args)
        })
    }
}

/// Where a command's channels are, and whether they are patterns. Those that it leaves are not asked for.
fn channels_of(command: &Command, args: Args<'_>) -> Option<(std::ops::Range<usize>, bool)> {
    if !command.flags.contains(Flags::PUBSUB) {
        return None;
    }
    match command.name {
        "publish" | "spublish" => Some((1..2, false)),
        "subscribe" | "ssubscribe" => Some((1..args.len(), false)),
        "psubscribe" => Some((1..args.len(), true)),
        _ => None,
    }
}

fn check_selector(selector: &Selector, call: &Call<'_>, keys: &mut KeysOf<'_>) -> Result<(), Denied> {
    let Call { id, command, args } = *call;
    let first_argument = args.get(if command.name.contains('|') { 2 } else { 1 });
    if !command.flags.contains(Flags::NO_AUTH) && !selector.allows_command(id, first_argument) {
        return Err(Denied::Command);
    }
    if !selector.allows_all_keys() && !command.keys.is_empty() {
        let allowed =
            |at: usize, flags| selector.allows_key(args.get(at).unwrap_or_default(), Access::needed(flags));
        if let Some((at, _)) = keys.get().iter().find(|(at, flags)| !allowed(*at, *flags)) {
            return Err(Denied::Key(*at));
        }
    }
    if !selector.allows_all_channels()
        && let Some((mut places, is_pattern)) = channels_of(command, args)
    {
        let allowed = |at| selector.allows_channel(args.get(at).unwrap_or_default(), is_pattern);
        if let Some(at) = places.find(|&at| !allowed(at)) {
            return Err(Denied::Channel(at));
        }
    }
    Ok(())
}

impl User {
    /// Whether one of the user's selectors allows a call. If none does, the one that comes closest says what is missing.
    pub fn may(&self, call: &Call<'_>) -> Result<(), Denied> {
        let mut keys = KeysOf { call: *call, found: None };
        let mut closest = Denied::Command;
        for selector in self.selectors() {
            match check_selector(selector, call, &mut keys) {
                Ok(()) => return Ok(()),
                Err(denied) => closest = closest.max(denied),
            }
        }
        Err(closest)
    }

    /// Whether a call that it may make may also read keys of any name.
    pub fn may_read_any_key(&self, call: &Call<'_>) -> bool {
        let mut keys = KeysOf { call: *call, found: None };
        self.selectors().any(|selector| {
            selector.allows_any_key(Access::READ) && check_selector(selector, call, &mut keys).is_ok()
        })
    }

    /// The text about what it lacks. What `names` the key or channel is not for the user itself: it may not know of it.
    pub fn text_of(&self, denied: Denied, call: &Call<'_>, names: bool) -> String {
        let user = String::from_utf8_lossy(&self.name);
        let object = |at| String::from_utf8_lossy(call.args.get(at).unwrap_or_default());
        match denied {
            Denied::Command => {
                format!("User {user} has no permissions to run the '{}' command", call.command.name)
            }
            Denied::Key(at) if names => {
                format!("User {user} has no permissions to access the '{}' key", object(at))
            }
            Denied::Channel(at) if names => {
                format!("User {user} has no permissions to access the '{}' channel", object(at))
            }
            Denied::Key(_) => "No permissions to access a key".into(),
            Denied::Channel(_) => "No permissions to access a channel".into(),
        }
    }
}

/// What is wrong with a call of a client whose user may not do everything; it goes to the log.
#[cold]
pub fn denied(server: &Server, client: &Client, call: &Call<'_>, context: Context) -> Option<Denied> {
    let denied = client.user.may(call).err()?;
    let (reason, object) = match denied {
        Denied::Command => (Reason::Command, call.command.name.as_bytes()),
        Denied::Key(at) => (Reason::Key, call.args.get(at).unwrap_or_default()),
        Denied::Channel(at) => (Reason::Channel, call.args.get(at).unwrap_or_default()),
    };
    server.users.note(server, client, reason, context, object, &client.user.name);
    Some(denied)
}

/// The refusal of a call that its client may not make, if that is so: it has not said who it is, or is nobody who may.
/// Only for clients that are [`Client::guarded`].
#[cold]
pub fn refusal(server: &Server, client: &Client, call: &Call<'_>) -> Option<String> {
    if client.needs_auth() && !call.command.flags.contains(Flags::NO_AUTH) {
        return Some(NO_AUTH.into());
    }
    let context = if client.multi.is_some() { Context::Multi } else { Context::TopLevel };
    let denied = denied(server, client, call, context)?;
    Some(format!("NOPERM {}", client.user.text_of(denied, call, false)))
}

/// The refusal of a call that its client was allowed to queue, and may not make any more.
#[cold]
pub fn refusal_at_exec(server: &Server, client: &Client, call: &Call<'_>) -> Option<String> {
    let reason = match denied(server, client, call, Context::Multi)? {
        Denied::Command => "no permission to execute the command or subcommand",
        Denied::Key(_) => "no permission to touch the specified keys",
        Denied::Channel(_) => "no permission to access one of the channels used as arguments to the command",
    };
    Some(format!(
        "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command \
         can't be executed for the following reason: {reason}"
    ))
}

/// The refusal of a call of a script that its client may not make.
#[cold]
pub fn refusal_in_script(server: &Server, client: &Client, call: &Call<'_>) -> Option<String> {
    let denied = denied(server, client, call, Context::Script)?;
    Some(format!("NOPERM ACL failure in script: {}", client.user.text_of(denied, call, false)))
}
