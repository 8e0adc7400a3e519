//! Clients that listen to channels which their user may not listen to any more.

use std::sync::Arc;

use super::user::User;
use super::users::Account;
use crate::command::pubsub::{Scope, Subscriptions};
use crate::command::state::Server;

const SCOPES: [Scope; 3] = [Scope::Channel, Scope::Pattern, Scope::Shard];

/// Whether the user may listen to all of these.
pub fn are_welcome(user: &User, subscriptions: &Subscriptions) -> bool {
    let welcome = |scope: Scope| subscriptions.names(scope).iter().all(|name| may_listen(user, scope, name));
    SCOPES.into_iter().all(welcome)
}

fn may_listen(user: &User, scope: Scope, name: &[u8]) -> bool {
    user.may_listen(name, scope == Scope::Pattern)
}

/// Ends the clients of an account that listen to what its user, who has changed, may not listen to.
///
/// The client `me` looks by itself when it has its reply. Others that are at work do so too, because they were
/// summoned before: so one that begins to listen while this looks is not overlooked. Those that wait for messages would
/// not look.
pub fn end_unwelcome(server: &Server, me: u64, account: &Arc<Account>, user: &User) {
    let mut unwelcome = Vec::new();
    for scope in SCOPES {
        server.hub.for_each_member(scope, |name, client| {
            if client != me && !may_listen(user, scope, name) {
                unwelcome.push(client);
            }
        });
    }
    if !unwelcome.is_empty() {
        unwelcome.sort_unstable();
        server.clients.kill(|client| client.is_of(account) && unwelcome.binary_search(&client.id).is_ok());
    }
}
