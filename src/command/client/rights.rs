//! Who a client is, and what follows from it: see [`acl::Users`](crate::command::acl::Users) for how this keeps up with
//! changes of users.

use std::sync::Arc;

use bitflags::bitflags;

use super::Client;
use super::register::Summons;
use crate::command::acl::{Account, User, are_welcome};

bitflags! {
    /// What of a client's user the way of a command depends on.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Rights: u8 {
        /// It has said who it is, or did not have to.
        const AUTHENTICATED = 1 << 0;
        /// Its commands are refused until it says who it is.
        const NEEDS_AUTH = 1 << 1;
        /// Its user may not do everything.
        const RESTRICTED = 1 << 2;
    }
}

impl Rights {
    /// The rights of a new connection, which is `user` if that takes no password.
    pub(super) fn of_new(user: &User) -> Rights {
        let authenticated = if user.is_open() { Rights::AUTHENTICATED } else { Rights::empty() };
        authenticated.of(user)
    }

    /// The rights as `user`.
    fn of(self, user: &User) -> Rights {
        let mut rights = self;
        rights.set(Rights::RESTRICTED, !user.is_unrestricted());
        rights.set(Rights::NEEDS_AUTH, !self.contains(Rights::AUTHENTICATED) && !user.is_open());
        rights
    }

    /// Whether commands have to be looked at before they run.
    #[inline]
    pub(super) fn is_guarded(self) -> bool {
        self.intersects(Rights::NEEDS_AUTH.union(Rights::RESTRICTED))
    }
}

impl Client {
    /// Whether its commands have to be looked at before they run.
    #[inline]
    pub fn guarded(&self) -> bool {
        self.rights.is_guarded()
    }

    /// Whether its commands are refused until it says who it is.
    #[inline]
    pub fn needs_auth(&self) -> bool {
        self.rights.contains(Rights::NEEDS_AUTH)
    }

    /// It has proved to be this user. The caller holds the lock of all accounts.
    pub fn become_user(&mut self, account: &Arc<Account>, user: Arc<User>) {
        self.shared.set_account(account);
        self.rights = Rights::AUTHENTICATED.of(&user);
        self.user = user;
    }

    /// It is nobody again: the user of every connection's beginning. The caller holds the lock of all accounts.
    pub fn become_nobody(&mut self, default: &Arc<Account>) {
        self.shared.set_account(default);
        self.user = default.current();
        self.rights = Rights::of_new(&self.user);
    }

    /// Does what it was summoned for.
    #[cold]
    pub(super) fn answer_summons(&mut self) {
        let summons = self.shared.take_summons();
        self.closing |= summons.contains(Summons::KILLED);
        if summons.contains(Summons::REVIEW) {
            self.review();
        }
    }

    /// Looks at its user anew.
    fn review(&mut self) {
        let user = self.shared.account().current();
        let old = std::mem::replace(&mut self.user, user);
        self.rights = self.rights.of(&self.user);
        if self.user.lacks_channels_of(&old) {
            self.closing |= self.subscriptions.as_ref().is_some_and(|all| !are_welcome(&self.user, all));
        }
    }

    /// Stands in for a client: with its rights as they are now.
    pub(super) fn with_rights_of_now(mut self) -> Client {
        self.rights = Rights::AUTHENTICATED.of(&self.user);
        self
    }
}
