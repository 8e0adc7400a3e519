//! All users, and how connections notice that theirs has changed.
//!
//! | what | written by | read by |
//! |---|---|---|
//! | [`Account::current`] | who holds the lock of all accounts | any client's task, when it is summoned |
//! | [`Shared::account`](crate::command::client::Shared) | the client's task, under that lock | who holds it |
//! | `Client::user` | the client's task | the client's task |
//!
//! A client's task checks its commands with a snapshot of its user. Whoever changes a user stores the new snapshot,
//! *then* summons all clients of the account: they look at the account before they run another command. ACL SETUSER and
//! its like close everything, and a writer looks for a summons once more behind its announcement: so once they have
//! answered, nobody writes with rights that are gone. Whoever becomes a user does so under the lock of all accounts:
//! so it either is among those that a change summons, or begins with what the change stored.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::log::{Context, Event, Log, Reason};
use super::password::Digest;
use super::user::User;
use super::{DEFAULT_USER, listeners};
use crate::command::client::Client;
use crate::command::connection;
use crate::command::state::Server;

/// A user as it changes. A user that is deleted and made again has another account.
#[derive(Debug)]
pub struct Account {
    current: Mutex<Arc<User>>,
}

impl Account {
    /// The account of a user.
    pub fn new(user: User) -> Account {
        Account { current: Mutex::new(Arc::new(user)) }
    }

    /// The user as it is now.
    pub fn current(&self) -> Arc<User> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn store(&self, user: User) -> Arc<User> {
        let user = Arc::new(user);
        std::mem::replace(&mut *self.current.lock().unwrap_or_else(PoisonError::into_inner), user)
    }
}

type Accounts = BTreeMap<Box<[u8]>, Arc<Account>>;

/// The users of a server, and the log of what was denied to them.
pub struct Users {
    accounts: Mutex<Accounts>,
    /// The one of [`DEFAULT_USER`], which is always there.
    default: Arc<Account>,
    /// ACL LOG.
    pub log: Log,
}

impl Default for Users {
    fn default() -> Users {
        let default = Arc::new(Account::new(User::default_user()));
        let accounts = BTreeMap::from([(DEFAULT_USER.into(), Arc::clone(&default))]);
        Users { accounts: Mutex::new(accounts), default, log: Log::default() }
    }
}

impl Users {
    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        // Accounts are put in and taken out as a whole.
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The account that every connection begins with.
    pub fn default_account(&self) -> &Arc<Account> {
        &self.default
    }

    /// The account of this name.
    pub fn find(&self, name: &[u8]) -> Option<Arc<Account>> {
        self.accounts().get(name).cloned()
    }

    /// All users as they are now, in the order of their names.
    pub fn all(&self) -> Vec<Arc<User>> {
        self.accounts().values().map(|account| account.current()).collect()
    }

    /// Notes that something was denied.
    pub fn note(
        &self,
        server: &Server,
        client: &Client,
        reason: Reason,
        context: Context,
        object: &[u8],
        user: &[u8],
    ) {
        let client = connection::describe(client);
        let event = Event { reason, context, object: object.into(), user: user.into(), client };
        self.log.add(event, server.config.number("acllog-max-len") as usize);
    }

    /// Lets a client be the user of this name, if the password is right.
    #[must_use]
    pub fn admit(&self, client: &mut Client, name: &[u8], password: &[u8]) -> bool {
        let digest = Digest::of(password);
        let accounts = self.accounts();
        let account = accounts.get(name);
        let user = account.map(|account| (account, account.current()));
        match user.filter(|(_, user)| user.admits(&digest)) {
            Some((account, user)) => {
                client.become_user(account, user);
                true
            }
            None => false,
        }
    }

    /// Makes a client what a new connection is.
    pub fn dismiss(&self, client: &mut Client) {
        let _accounts = self.accounts();
        client.become_nobody(&self.default);
    }

    /// Changes a user by these rules for the client `me`, or makes a new one. The error names the rule that is wrong,
    /// and says why; nothing has changed then.
    pub fn change(
        &self,
        server: &Server,
        me: u64,
        name: &[u8],
        rules: &[Cow<'_, [u8]>],
    ) -> Result<(), String> {
        let all_channels = server.config.number("acl-pubsub-default") != 0;
        let mut accounts = self.accounts();
        let known = accounts.get(name).cloned();
        let mut user = match &known {
            Some(account) => (*account.current()).clone(),
            None => User::new(name, all_channels),
        };
        for rule in rules {
            user.apply(rule, all_channels).map_err(|why| {
                let rule = String::from_utf8_lossy(rule);
                format!("Error in ACL SETUSER modifier '{rule}': {}", why.text())
            })?;
        }
        match known {
            Some(account) => replace(server, me, &account, user),
            None => drop(accounts.insert(name.into(), Arc::new(Account::new(user)))),
        }
        Ok(())
    }

    /// Makes the default user's passwords this one only, or none needed if it is empty: `requirepass`.
    pub fn require(&self, server: &Server, password: &[u8]) {
        let _accounts = self.accounts();
        let mut user = (*self.default.current()).clone();
        let rule = if password.is_empty() { b"nopass".to_vec() } else { [b">", password].concat() };
        for rule in [&b"resetpass"[..], &rule] {
            user.apply(rule, false).expect("these are rules");
        }
        replace(server, NOBODY, &self.default, user);
    }

    /// Deletes a user, and ends its connections; whether there was such a user. The client `me` ends when it has its
    /// reply.
    pub fn delete(&self, server: &Server, me: &mut Client, name: &[u8]) -> bool {
        let mut accounts = self.accounts();
        let Some(account) = accounts.remove(name) else { return false };
        me.closing |= end_clients(server, &account, Some(me.id));
        true
    }

    /// Puts these users in the place of all others. Connections of those that are gone end.
    pub fn replace_all(&self, server: &Server, users: Vec<User>) {
        let mut accounts = self.accounts();
        let old = std::mem::take(&mut *accounts);
        let has_default = users.iter().any(|user| *user.name == *DEFAULT_USER);
        let default = (!has_default).then(User::default_user);
        for user in users.into_iter().chain(default) {
            let name = user.name.clone();
            let account = match old.get(&name) {
                Some(account) => {
                    replace(server, NOBODY, account, user);
                    Arc::clone(account)
                }
                None => Arc::new(Account::new(user)),
            };
            accounts.insert(name, account);
        }
        for account in
            old.iter().filter(|(name, _)| !accounts.contains_key(*name)).map(|(_, account)| account)
        {
            end_clients(server, account, None);
        }
    }
}

/// No client's number.
const NOBODY: u64 = 0;

/// Puts another user in the place of an account's, and tells its clients. The client `me` finds out by itself whether
/// it may go on, when it has its reply.
fn replace(server: &Server, me: u64, account: &Arc<Account>, user: User) {
    let old = account.store(user);
    let new = account.current();
    server.clients.summon(account);
    if new.lacks_channels_of(&old) {
        listeners::end_unwelcome(server, me, account, &new);
    }
}

/// Ends all clients of an account but `spared`; whether that is one of them.
fn end_clients(server: &Server, account: &Arc<Account>, spared: Option<u64>) -> bool {
    let mut is_mine = false;
    server.clients.kill(|client| {
        let doomed = client.is_of(account);
        is_mine |= doomed && Some(client.id) == spared;
        doomed && Some(client.id) != spared
    });
    is_mine
}
