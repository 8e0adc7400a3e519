//! A selector: commands, keys and channels that are allowed together. A user has one of its own, and more in brackets.

use std::collections::BTreeMap;

use bitflags::bitflags;

use super::rule::{Refused, has_blanks};
use crate::command::keys::KeyFlags;
use crate::command::table::{Categories, Command, registry};
use crate::glob;
use crate::log_warning;
use crate::protocol::args::eq_ignore_case;

bitflags! {
    /// What a pattern of keys allows.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Access: u8 {
        /// To learn what is stored.
        const READ = 1 << 0;
        /// To change it.
        const WRITE = 1 << 1;
    }
}

impl Access {
    /// What a command needs for a key that it does this to. Learning whether there is a key, or how large it is, needs
    /// neither.
    pub fn needed(flags: KeyFlags) -> Access {
        let mut needed = Access::empty();
        needed.set(Access::READ, flags.contains(KeyFlags::ACCESS));
        let changes = KeyFlags::INSERT.union(KeyFlags::DELETE).union(KeyFlags::UPDATE);
        needed.set(Access::WRITE, flags.intersects(changes));
        needed
    }
}

/// Keys by their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPattern {
    /// What may be done with them.
    pub access: Access,
    /// A glob.
    pub pattern: Box<[u8]>,
}

/// Commands by their numbers.
#[derive(Clone, Debug)]
struct CommandSet(Box<[u64]>);

impl CommandSet {
    fn empty() -> CommandSet {
        CommandSet(vec![0; registry().numbered().len().div_ceil(64)].into())
    }

    fn fill(&mut self, allowed: bool) {
        self.0.fill(if allowed { u64::MAX } else { 0 });
    }

    fn contains(&self, id: usize) -> bool {
        self.0[id / 64] >> (id % 64) & 1 != 0
    }

    fn set(&mut self, id: usize, allowed: bool) {
        let bit = 1 << (id % 64);
        if allowed { self.0[id / 64] |= bit } else { self.0[id / 64] &= !bit }
    }
}

/// A rule about commands as ACL LIST shows it.
#[derive(Clone, Debug)]
struct CommandRule {
    allows: bool,
    /// A command, a category with its `@`, or a command with its first argument behind a bar.
    what: Vec<u8>,
}

/// What is allowed together.
#[derive(Clone, Debug)]
pub struct Selector {
    /// Every command there is.
    all_commands: bool,
    /// Commands that later versions bring.
    future_commands: bool,
    commands: CommandSet,
    /// First arguments with which commands are allowed that are not allowed otherwise.
    first_arguments: BTreeMap<usize, Vec<Box<[u8]>>>,
    /// What was said about commands since all were allowed or none.
    rules: Vec<CommandRule>,
    all_keys: bool,
    keys: Vec<KeyPattern>,
    all_channels: bool,
    channels: Vec<Box<[u8]>>,
}

impl Selector {
    /// Allows no commands and no keys; `all_channels` or no channels.
    pub fn new(all_channels: bool) -> Selector {
        Selector {
            all_commands: false,
            future_commands: false,
            commands: CommandSet::empty(),
            first_arguments: BTreeMap::new(),
            rules: Vec::new(),
            all_keys: false,
            keys: Vec::new(),
            all_channels,
            channels: Vec::new(),
        }
    }

    /// The selector that this text in brackets describes.
    pub fn parse(text: &[u8], all_channels: bool) -> Result<Selector, Refused> {
        let mut selector = Selector::new(all_channels);
        let inner =
            text.strip_prefix(b"(").and_then(|text| text.strip_suffix(b")")).ok_or(Refused::Syntax)?;
        let words = inner.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
        for word in words {
            selector.apply(word)?;
        }
        Ok(selector)
    }

    /// Follows one rule.
    pub fn apply(&mut self, rule: &[u8]) -> Result<(), Refused> {
        let is = |word: &str| eq_ignore_case(rule, word.as_bytes());
        match rule.first() {
            _ if is("allkeys") || is("~*") => self.set_all_keys(true),
            _ if is("resetkeys") => self.set_all_keys(false),
            _ if is("allchannels") || is("&*") => self.set_all_channels(true),
            _ if is("resetchannels") => self.set_all_channels(false),
            _ if is("allcommands") || is("+@all") => self.set_all_commands(true),
            _ if is("nocommands") || is("-@all") => self.set_all_commands(false),
            Some(b'~' | b'%') => return self.add_keys(rule),
            Some(b'&') => return self.add_channels(&rule[1..]),
            Some(sign @ (b'+' | b'-')) => return self.change_commands(&rule[1..], *sign == b'+'),
            _ => return Err(Refused::Syntax),
        }
        Ok(())
    }

    // -- keys and channels ------------------------------------------------------------------------------------------

    fn set_all_keys(&mut self, all: bool) {
        self.all_keys = all;
        self.keys.clear();
    }

    fn set_all_channels(&mut self, all: bool) {
        self.all_channels = all;
        self.channels.clear();
    }

    fn add_keys(&mut self, rule: &[u8]) -> Result<(), Refused> {
        if self.all_keys {
            return Err(Refused::AllKeys);
        }
        let (access, pattern) = access_and_pattern(rule).ok_or(Refused::Syntax)?;
        if has_blanks(pattern) {
            return Err(Refused::Syntax);
        }
        match self.keys.iter_mut().find(|known| *known.pattern == *pattern) {
            Some(known) => known.access |= access,
            None => self.keys.push(KeyPattern { access, pattern: pattern.into() }),
        }
        Ok(())
    }

    fn add_channels(&mut self, pattern: &[u8]) -> Result<(), Refused> {
        if self.all_channels {
            return Err(Refused::AllChannels);
        }
        if has_blanks(pattern) {
            return Err(Refused::Syntax);
        }
        if !self.channels.iter().any(|known| **known == *pattern) {
            self.channels.push(pattern.into());
        }
        Ok(())
    }

    // -- commands ---------------------------------------------------------------------------------------------------

    fn set_all_commands(&mut self, all: bool) {
        self.all_commands = all;
        self.future_commands = all;
        self.commands.fill(all);
        self.first_arguments.clear();
        self.rules.clear();
    }

    fn change_commands(&mut self, what: &[u8], allows: bool) -> Result<(), Refused> {
        if let Some(category) = what.strip_prefix(b"@") {
            let category = category_of(category).ok_or(Refused::Unknown)?;
            let all = registry().numbered().iter().enumerate();
            for (id, command) in all.filter(|(_, command)| command.categories().contains(category)) {
                self.set_command(id, command, allows);
            }
            self.note_rule(what, allows);
            return Ok(());
        }
        let bar = what.iter().rposition(|&byte| byte == b'|').filter(|_| allows);
        let Some(bar) = bar else {
            let (id, command) = registry().find_original(what).ok_or(Refused::Unknown)?;
            self.set_command(id, command, allows);
            self.note_rule(command.name.as_bytes(), allows);
            return Ok(());
        };
        self.allow_part(what, bar)?;
        self.note_rule(what, true);
        Ok(())
    }

    /// Allows `command|part`, with the bar at this place: a container's command, or a command with a first argument.
    fn allow_part(&mut self, what: &[u8], bar: usize) -> Result<(), Refused> {
        let (outer, part) = (&what[..bar], &what[bar + 1..]);
        let (id, command) = registry().find_original(outer).ok_or(Refused::Unknown)?;
        if command.name.contains('|') {
            return Err(Refused::ArgumentOfSubcommand);
        }
        if part.is_empty() {
            return Err(Refused::Syntax);
        }
        if !command.subcommands.is_empty() {
            let (id, command) = registry().find_original(what).ok_or(Refused::Unknown)?;
            self.set_command(id, command, true);
            return Ok(());
        }
        let shown = String::from_utf8_lossy(what);
        log_warning!(
            "Deprecated: allowing a command with one first argument only is no protection, and may come to an end (+{shown})"
        );
        let arguments = self.first_arguments.entry(id).or_default();
        if !arguments.iter().any(|known| eq_ignore_case(known, part)) {
            arguments.push(part.into());
        }
        Ok(())
    }

    /// Allows or forbids a command, a container with all that it contains.
    fn set_command(&mut self, id: usize, command: &Command, allows: bool) {
        self.all_commands &= allows;
        self.set_one(id, allows);
        for contained in registry().contained(id, command) {
            self.set_one(contained, allows);
        }
    }

    fn set_one(&mut self, id: usize, allows: bool) {
        self.commands.set(id, allows);
        self.first_arguments.remove(&id);
    }

    /// Remembers a rule. Earlier ones about the same command, or about commands that it contains, have no effect any
    /// more.
    fn note_rule(&mut self, what: &[u8], allows: bool) {
        let what = what.to_ascii_lowercase();
        self.rules.retain(|rule| match rule.what.strip_prefix(what.as_slice()) {
            Some(rest) => !(rest.is_empty() || rest[0] == b'|'),
            None => true,
        });
        self.rules.push(CommandRule { allows, what });
    }

    // -- questions --------------------------------------------------------------------------------------------------

    /// Whether it allows everything.
    pub fn is_unrestricted(&self) -> bool {
        self.all_commands && self.all_keys && self.all_channels
    }

    /// Whether the command with this number may run, given the word behind its name.
    pub fn allows_command(&self, id: usize, first_argument: Option<&[u8]>) -> bool {
        if self.all_commands || self.commands.contains(id) {
            return true;
        }
        let (Some(allowed), Some(word)) = (self.first_arguments.get(&id), first_argument) else {
            return false;
        };
        allowed.iter().any(|known| eq_ignore_case(known, word))
    }

    /// Whether every key is allowed, for whatever.
    pub fn allows_all_keys(&self) -> bool {
        self.all_keys
    }

    /// Whether this may be done with every key.
    pub fn allows_any_key(&self, needed: Access) -> bool {
        let all = |known: &KeyPattern| *known.pattern == *b"*" && known.access.contains(needed);
        self.all_keys || self.keys.iter().any(all)
    }

    /// Whether this may be done with a key.
    pub fn allows_key(&self, key: &[u8], needed: Access) -> bool {
        let fits =
            |known: &KeyPattern| known.access.contains(needed) && glob::matches(&known.pattern, key, false);
        self.all_keys || self.keys.iter().any(fits)
    }

    /// Whether every channel is allowed.
    pub fn allows_all_channels(&self) -> bool {
        self.all_channels
    }

    /// Whether a channel is allowed. A pattern of channels is allowed if the very same pattern is.
    pub fn allows_channel(&self, channel: &[u8], is_pattern: bool) -> bool {
        let fits = |known: &[u8]| match is_pattern {
            true => known == channel,
            false => glob::matches(known, channel, false),
        };
        self.all_channels || self.channels.iter().any(|known| fits(known))
    }

    /// The patterns of channels; none if all are allowed.
    pub fn channels(&self) -> &[Box<[u8]>] {
        &self.channels
    }

    // -- descriptions -----------------------------------------------------------------------------------------------

    /// The rules about commands: `-@all +get`.
    pub fn commands_text(&self) -> Vec<u8> {
        let mut text = if self.future_commands { b"+@all".to_vec() } else { b"-@all".to_vec() };
        for rule in &self.rules {
            text.extend_from_slice(if rule.allows { b" +" } else { b" -" });
            text.extend_from_slice(&rule.what);
        }
        text
    }

    /// The patterns of keys: `~a* %R~b*`.
    pub fn keys_text(&self) -> Vec<u8> {
        if self.all_keys {
            return b"~*".to_vec();
        }
        let each = self.keys.iter().map(|key| [access_text(key.access), &*key.pattern].concat());
        each.collect::<Vec<_>>().join(&b' ')
    }

    /// The patterns of channels: `&a* &b`.
    pub fn channels_text(&self) -> Vec<u8> {
        if self.all_channels {
            return b"&*".to_vec();
        }
        let each = self.channels.iter().map(|channel| [b"&", &**channel].concat());
        each.collect::<Vec<_>>().join(&b' ')
    }

    /// All rules in one line, from which the selector can be made again.
    pub fn text(&self) -> Vec<u8> {
        let channels = match (self.all_channels, self.channels.is_empty()) {
            (true, _) => b"&*".to_vec(),
            (false, true) => b"resetchannels".to_vec(),
            (false, false) => [b"resetchannels ", self.channels_text().as_slice()].concat(),
        };
        let parts = [self.keys_text(), channels, self.commands_text()];
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(&b' ')
    }
}

/// Splits `~pattern` and `%RW~pattern`. Without a `~`, the pattern is empty, as in Redis.
fn access_and_pattern(rule: &[u8]) -> Option<(Access, &[u8])> {
    let Some(letters) = rule.strip_prefix(b"%") else { return Some((Access::all(), &rule[1..])) };
    let end = letters.iter().position(|&byte| byte == b'~').unwrap_or(letters.len());
    let mut access = Access::empty();
    for letter in &letters[..end] {
        let one = match letter.to_ascii_uppercase() {
            b'R' => Access::READ,
            b'W' => Access::WRITE,
            _ => return None,
        };
        if access.contains(one) {
            return None;
        }
        access |= one;
    }
    (!access.is_empty()).then(|| (access, letters.get(end + 1..).unwrap_or_default()))
}

fn access_text(access: Access) -> &'static [u8] {
    if access.is_all() {
        b"~"
    } else if access == Access::READ {
        b"%R~"
    } else {
        b"%W~"
    }
}

/// The category of this name, in any case.
pub fn category_of(name: &[u8]) -> Option<Categories> {
    let mut all = Categories::all().iter_names();
    all.find(|(known, _)| eq_ignore_case(known.as_bytes(), name)).map(|(_, category)| category)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector(rules: &str) -> Selector {
        Selector::parse(format!("({rules})").as_bytes(), false).expect("valid rules")
    }

    fn id(name: &str) -> usize {
        registry().find_full(name.as_bytes()).expect("a command").0
    }

    #[test]
    fn later_rules_replace_earlier_ones_about_the_same() {
        let text = |rules: &str| String::from_utf8(selector(rules).commands_text()).expect("text");
        assert_eq!(text("+get +set -get"), "-@all +set -get");
        assert_eq!(text("+@all -config +config|get"), "+@all -config +config|get");
        assert_eq!(text("+config|get +config|set -config"), "-@all -config");
        assert_eq!(text("+@hash +@read +@hash"), "-@all +@read +@hash");
        assert_eq!(text("+get +@all"), "+@all");
        assert_eq!(text("+select|0 +SELECT|1 +GeT"), "-@all +select|0 +select|1 +get");
        assert_eq!(text("+select|0 +select"), "-@all +select");
    }

    #[test]
    fn forbidding_one_command_leaves_the_others() {
        let most = selector("+@all -get");
        assert!(!most.allows_command(id("get"), None) && most.allows_command(id("set"), None));
        assert!(!most.is_unrestricted());
        assert!(selector("+@all ~* &*").is_unrestricted());
        assert!(!selector("+@all ~* &* -get +get").is_unrestricted());
    }

    #[test]
    fn containers_stand_for_what_they_contain() {
        let config = selector("+config -config|set");
        assert!(config.allows_command(id("config|get"), None));
        assert!(!config.allows_command(id("config|set"), None));
        let first = selector("+select|0 +select|1");
        assert!(first.allows_command(id("select"), Some(b"1")));
        assert!(!first.allows_command(id("select"), Some(b"2")) && !first.allows_command(id("select"), None));
    }

    #[test]
    fn access_to_keys_is_per_pattern() {
        let keys = selector("%R~r* %W~w* ~b* %rw~c %W~r1");
        assert!(keys.allows_key(b"r2", Access::READ) && !keys.allows_key(b"r2", Access::WRITE));
        assert!(keys.allows_key(b"w", Access::WRITE) && !keys.allows_key(b"w", Access::READ));
        assert!(keys.allows_key(b"b", Access::all()) && keys.allows_key(b"c", Access::all()));
        assert!(!keys.allows_key(b"r1", Access::all()), "two patterns do not add up");
        assert!(keys.allows_key(b"r1", Access::empty()) && !keys.allows_key(b"x", Access::empty()));
        assert_eq!(keys.keys_text(), b"%R~r* %W~w* ~b* ~c %W~r1");
    }

    #[test]
    fn descriptions_read_back() {
        for rules in ["+@all ~* &*", "+get %R~x ~y &c", "+@all -@dangerous +config|get", ""] {
            let text = selector(rules).text();
            let again = Selector::parse(&[b"(", text.as_slice(), b")"].concat(), true).expect("its own text");
            assert_eq!(again.text(), text);
        }
    }
}
