//! Users in files: `aclfile`, which ACL LOAD and ACL SAVE are about, and `user` lines of the configuration.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use super::DEFAULT_USER;
use super::rule::{has_blanks, join_selectors};
use super::user::User;
use crate::command::state::Server;
use crate::config::{reason, replace_file};
use crate::log_warning;

/// Makes the users that the configuration and its ACL file describe, and follows `requirepass` from here on.
///
/// # Errors
/// What is wrong with them, or that there are two places which describe users.
pub fn start(server: &Arc<Server>) -> Result<(), String> {
    let lines = server.config.lines("user");
    if path(server).is_some() && !lines.is_empty() {
        return Err("Users are described in an ACL file and in the configuration file; only one of these can be right. \
             Leave one of them out."
            .into());
    }
    server.users.require(server, &server.config.text("requirepass"));
    if !lines.is_empty() {
        server.users.replace_all(server, configured(server, &lines)?);
    }
    load_if_named(server)?;
    let known: Weak<Server> = Arc::downgrade(server);
    server.config.on_change(
        "requirepass",
        Box::new(move |config| {
            if let Some(server) = known.upgrade() {
                server.users.require(&server, &config.text("requirepass"));
            }
            Ok(())
        }),
    );
    Ok(())
}

/// A file that does not exist yet describes no users; ACL SAVE will make it.
fn load_if_named(server: &Server) -> Result<(), String> {
    match path(server) {
        Some(path) if path.exists() => load(server),
        _ => Ok(()),
    }
}

/// Whether users may listen to all channels unless a rule says otherwise.
fn all_channels(server: &Server) -> bool {
    server.config.number("acl-pubsub-default") != 0
}

/// The users of the configuration's lines; the default user with its `requirepass`, if no line is about it.
fn configured(server: &Server, lines: &[Vec<Vec<u8>>]) -> Result<Vec<User>, String> {
    let all_channels = all_channels(server);
    let mut users: Vec<User> = Vec::new();
    for line in lines {
        let (name, rules) = line.split_first().expect("the configuration counts the words");
        let shown = String::from_utf8_lossy(name);
        if has_blanks(name) {
            return Err("Spaces not allowed in ACL usernames".into());
        }
        if users.iter().any(|user| *user.name == **name) {
            return Err(format!(
                "Error in user declaration '{shown}': Duplicate user found. A user can only be defined once in config files"
            ));
        }
        let mut user = User::new(name, all_channels);
        let rules = join_selectors(rules.iter().map(Vec::as_slice));
        let rules =
            rules.map_err(|_| format!("Error in user declaration '{shown}': Unmatched parenthesis"))?;
        for rule in rules {
            user.apply(&rule, all_channels).map_err(|why| {
                let rule = String::from_utf8_lossy(&rule);
                format!("Error loading ACL rule '{rule}' for the user named '{shown}': {}", why.text())
            })?;
        }
        users.push(user);
    }
    if !users.iter().any(|user| *user.name == *DEFAULT_USER) {
        users.push((*server.users.default_account().current()).clone());
    }
    Ok(users)
}

/// The lines of the configuration that describe all users; none if they are in a file of their own.
pub fn lines(server: &Server) -> Vec<Vec<Vec<u8>>> {
    if path(server).is_some() {
        return Vec::new();
    }
    let words = |user: &User| {
        let text = user.text();
        let words = text.split(|&byte| byte == b' ').map(<[u8]>::to_vec);
        std::iter::once(user.name.to_vec()).chain(words).collect()
    };
    server.users.all().iter().map(|user| words(user)).collect()
}

/// The configured ACL file.
pub fn path(server: &Server) -> Option<PathBuf> {
    let name = server.config.text("aclfile");
    (!name.is_empty()).then(|| PathBuf::from(OsStr::from_bytes(&name)))
}

/// Reads the ACL file, and makes its users all that there are. The error says everything that is wrong with it; nothing
/// has changed then.
pub fn load(server: &Server) -> Result<(), String> {
    let Some(path) = path(server) else { return Ok(()) };
    let shown = std::path::absolute(&path).unwrap_or(path);
    let shown = shown.display();
    let text = std::fs::read(shown.to_string())
        .map_err(|error| format!("Error loading ACLs, opening file '{shown}': {}", reason(&error)))?;
    let mut file = AclFile { name: shown.to_string(), all_channels: all_channels(server), users: Vec::new() };
    let mut errors = String::new();
    for (at, line) in text.split(|&byte| byte == b'\n').enumerate() {
        if let Err(error) = file.read_line(at + 1, line.trim_ascii()) {
            errors.push_str(&error);
        }
    }
    if errors.is_empty() {
        server.users.replace_all(server, file.users);
        return Ok(());
    }
    errors
        .push_str("WARNING: ACL errors detected, no change to the previously active ACL rules was performed");
    Err(errors)
}

/// An ACL file as far as it was read.
struct AclFile {
    name: String,
    all_channels: bool,
    users: Vec<User>,
}

impl AclFile {
    /// Reads one line; the error says all that is wrong with it.
    fn read_line(&mut self, number: usize, line: &[u8]) -> Result<(), String> {
        if line.is_empty() {
            return Ok(());
        }
        let place = format!("{}:{number}", self.name);
        let mut words = line.split(|&byte| byte == b' ');
        let (first, name) = (words.next(), words.next());
        let Some(name) = name.filter(|name| first == Some(b"user") && !has_blanks(name) && !name.is_empty())
        else {
            return Err(format!("{place} should start with user keyword followed by the username. "));
        };
        if self.users.iter().any(|user| *user.name == *name) {
            let name = String::from_utf8_lossy(name);
            return Err(format!("WARNING: Duplicate user '{name}' found on line {number}. "));
        }
        let mut user = User::new(name, self.all_channels);
        let rules = join_selectors(words.filter(|word| !word.is_empty()));
        let wrong = match rules {
            Err(_) => format!("{place}: Unmatched parenthesis in selector definition. "),
            Ok(rules) => self.apply(&mut user, &rules, &place),
        };
        self.users.push(user);
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    /// Applies rules, and says what is wrong with them.
    fn apply(&self, user: &mut User, rules: &[Cow<'_, [u8]>], place: &str) -> String {
        let mut wrong = String::new();
        for rule in rules {
            if let Err(why) = user.apply(rule.trim_ascii(), self.all_channels) {
                let (rule, why) = (String::from_utf8_lossy(rule), why.text());
                wrong.push_str(&format!("{place}: Error in applying operation '{rule}': {why}. "));
            }
        }
        wrong
    }
}

/// Writes all users to the ACL file: whoever reads it, even after a crash, finds the old text or the new. What went
/// wrong is in the log.
pub fn save(server: &Server) -> Result<(), ()> {
    let Some(path) = path(server) else { return Ok(()) };
    let mut text = Vec::new();
    for user in server.users.all() {
        text.extend([b"user ", &*user.name, b" ", &user.text(), b"\n"].concat());
    }
    replace_file(&path, &text).map_err(|error| {
        log_warning!("Writing the ACL file '{}' failed: {}", path.display(), reason(&error));
    })
}
