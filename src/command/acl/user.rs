//! A user as it is at one moment. Whoever changes one makes another, so that nobody sees a half-changed user.

use super::password::Digest;
use super::rule::Refused;
use super::selector::Selector;
use crate::protocol::args::eq_ignore_case;

/// A user: who it is, how it proves that, and what it may do.
#[derive(Clone, Debug)]
pub struct User {
    /// Its name.
    pub name: Box<[u8]>,
    /// New connections may become this user.
    pub enabled: bool,
    /// Every password is right.
    pub nopass: bool,
    /// RESTORE is to check what it is given. It always does; ACL GETUSER shows what was said.
    sanitizes: bool,
    passwords: Vec<Digest>,
    root: Selector,
    /// What is allowed besides.
    selectors: Vec<Selector>,
}

impl User {
    /// A user that may do nothing, and that nobody can become; `all_channels` is `acl-pubsub-default`.
    pub fn new(name: &[u8], all_channels: bool) -> User {
        User {
            name: name.into(),
            enabled: false,
            nopass: false,
            sanitizes: true,
            passwords: Vec::new(),
            root: Selector::new(all_channels),
            selectors: Vec::new(),
        }
    }

    /// The user that connections are before they say who they are: it may do everything.
    pub fn default_user() -> User {
        let mut user = User::new(super::DEFAULT_USER, true);
        for rule in ["+@all", "~*", "&*", "on", "nopass"] {
            user.apply(rule.as_bytes(), true).expect("these are rules");
        }
        user
    }

    /// Follows one rule; `all_channels` is `acl-pubsub-default`.
    pub fn apply(&mut self, rule: &[u8], all_channels: bool) -> Result<(), Refused> {
        let is = |word: &str| eq_ignore_case(rule, word.as_bytes());
        match rule {
            _ if is("on") => self.enabled = true,
            _ if is("off") => self.enabled = false,
            _ if is("nopass") => self.reset_passwords(true),
            _ if is("resetpass") => self.reset_passwords(false),
            _ if is("sanitize-payload") => self.sanitizes = true,
            _ if is("skip-sanitize-payload") => self.sanitizes = false,
            _ if is("clearselectors") => self.selectors.clear(),
            _ if is("reset") => *self = User::new(&self.name, all_channels),
            [b'>', password @ ..] => self.add_password(Digest::of(password)),
            [b'#', hex @ ..] => self.add_password(Digest::parse(hex).ok_or(Refused::BadDigest)?),
            [b'<', password @ ..] => self.remove_password(&Digest::of(password))?,
            [b'!', hex @ ..] => self.remove_password(&Digest::parse(hex).ok_or(Refused::BadDigest)?)?,
            [b'(', .., b')'] => self.selectors.push(Selector::parse(rule, all_channels)?),
            rule => self.root.apply(rule)?,
        }
        Ok(())
    }

    fn reset_passwords(&mut self, nopass: bool) {
        self.nopass = nopass;
        self.passwords.clear();
    }

    fn add_password(&mut self, digest: Digest) {
        self.nopass = false;
        if !self.passwords.iter().any(|known| known.is(&digest)) {
            self.passwords.push(digest);
        }
    }

    fn remove_password(&mut self, digest: &Digest) -> Result<(), Refused> {
        let at = self.passwords.iter().position(|known| known.is(digest)).ok_or(Refused::NoSuchPassword)?;
        self.passwords.remove(at);
        Ok(())
    }

    /// Whether somebody with a password of this digest may become the user. Every password is looked at, so that the
    /// time it takes tells nothing.
    pub fn admits(&self, digest: &Digest) -> bool {
        let right = self.passwords.iter().fold(false, |right, known| right | known.is(digest));
        self.enabled & (self.nopass | right)
    }

    /// Whether connections are this user without saying so.
    pub fn is_open(&self) -> bool {
        self.enabled && self.nopass
    }

    /// Whether it may do everything.
    pub fn is_unrestricted(&self) -> bool {
        self.root.is_unrestricted()
    }

    /// Its selectors, its own first.
    pub fn selectors(&self) -> impl Iterator<Item = &Selector> {
        std::iter::once(&self.root).chain(&self.selectors)
    }

    /// Whether it may listen to a channel, or to a pattern of channels.
    pub fn may_listen(&self, name: &[u8], is_pattern: bool) -> bool {
        self.selectors().any(|selector| selector.allows_channel(name, is_pattern))
    }

    /// Whether it lacks channels that the user `old` may listen to. Only patterns of the same words count as the same.
    pub fn lacks_channels_of(&self, old: &User) -> bool {
        if self.selectors().any(Selector::allows_all_channels) {
            return false;
        }
        let has = |name: &[u8]| self.may_listen(name, true);
        old.selectors().any(|selector| {
            selector.allows_all_channels() || !selector.channels().iter().all(|name| has(name))
        })
    }

    /// The words of ACL GETUSER's `flags`.
    pub fn flags(&self) -> impl Iterator<Item = &'static str> {
        let state = if self.enabled { "on" } else { "off" };
        let payload = if self.sanitizes { "sanitize-payload" } else { "skip-sanitize-payload" };
        [Some(state), self.nopass.then_some("nopass"), Some(payload)].into_iter().flatten()
    }

    /// The digests of its passwords in hexadecimal digits.
    pub fn passwords(&self) -> impl ExactSizeIterator<Item = String> {
        self.passwords.iter().map(Digest::hex)
    }

    /// The rules that make this user of a new one, in one line.
    pub fn text(&self) -> Vec<u8> {
        let flags = self.flags().map(|flag| flag.as_bytes().to_vec());
        let passwords = self.passwords.iter().map(|digest| format!("#{}", digest.hex()).into_bytes());
        let others = self.selectors.iter().map(|selector| [b"(", selector.text().as_slice(), b")"].concat());
        let parts = flags.chain(passwords).chain([self.root.text()]).chain(others);
        parts.collect::<Vec<_>>().join(&b' ')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(rules: &[&str]) -> User {
        let mut user = User::new(b"bob", false);
        rules.iter().for_each(|rule| user.apply(rule.as_bytes(), false).expect("a rule"));
        user
    }

    #[test]
    fn passwords_come_and_go() {
        let mut bob = user(&["on", ">one", ">two", ">one"]);
        assert_eq!(bob.passwords().len(), 2);
        assert!(bob.admits(&Digest::of(b"two")) && !bob.admits(&Digest::of(b"")));
        assert_eq!(bob.apply(b"<three", false), Err(Refused::NoSuchPassword));
        bob.apply(b"<two", false).expect("it is there");
        assert!(!bob.admits(&Digest::of(b"two")));
        bob.apply(b"nopass", false).expect("a rule");
        assert!(bob.admits(&Digest::of(b"any")) && bob.is_open());
        bob.apply(b"off", false).expect("a rule");
        assert!(!bob.admits(&Digest::of(b"any")) && !bob.is_open());
    }

    #[test]
    fn descriptions_read_back() {
        let text = user(&["on", ">x", "~k*", "+get", "(+set %W~w)"]).text();
        let text = String::from_utf8(text).expect("text");
        assert_eq!(
            text,
            format!(
                "on sanitize-payload #{} ~k* resetchannels -@all +get (%W~w resetchannels -@all +set)",
                Digest::of(b"x").hex()
            )
        );
        assert_eq!(User::default_user().text(), b"on nopass sanitize-payload ~* &* +@all");
    }

    #[test]
    fn only_the_same_words_keep_a_channel() {
        let listens = |rules: &[&str]| user(rules);
        let before = listens(&["&a*", "(&b)"]);
        assert!(!listens(&["&b", "&a*", "&c"]).lacks_channels_of(&before));
        assert!(!listens(&["allchannels"]).lacks_channels_of(&before));
        assert!(listens(&["&a*"]).lacks_channels_of(&before));
        assert!(listens(&["&a*", "&b", "&c"]).lacks_channels_of(&listens(&["allchannels"])));
    }
}
