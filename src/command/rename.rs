//! Commands that the operator calls otherwise, or takes away: `rename-command`.

use super::table::{Command, NONE, REGISTRY, Registry};
use crate::protocol::args::eq_ignore_case;

/// What `rename-command` says: a command's name, and its new one, which is empty for none at all.
pub type Rename = (Vec<u8>, Vec<u8>);

impl Registry {
    /// Gives a command another name, or none.
    fn rename(&mut self, (from, to): &Rename) -> Result<(), String> {
        let (id, _) = self.find(from).ok_or("No such command in rename-command")?;
        if !to.is_empty() && self.find(to).is_some() {
            return Err("Target command name already exists".into());
        }
        let slot = self.slot(from);
        if usize::from(self.slots[slot]) == id {
            self.slots[slot] = NONE;
        }
        self.renamed.retain(|(_, known)| *known != id);
        if !to.is_empty() {
            self.renamed.push((to.clone(), id));
        }
        Ok(())
    }

    /// The command of this full name, whatever the operator calls it. Walks over all commands.
    pub fn find_original(&self, name: &[u8]) -> Option<(usize, &'static Command)> {
        let mut all = self.commands.iter().enumerate();
        all.find(|(_, command)| eq_ignore_case(command.name.as_bytes(), name))
            .map(|(id, command)| (id, *command))
    }

    /// The numbers of what the command with this number contains.
    pub fn contained(&self, id: usize, command: &Command) -> std::ops::Range<usize> {
        let first = self.contained.get(id).map_or(0, |&first| usize::from(first));
        first..first + command.subcommands.len()
    }
}

/// Makes the table with some commands under other names. Must come before anybody looks at the table.
///
/// # Errors
/// Redis's words for a command that does not exist, a name that is taken, or a table that is in use.
pub fn rename(renames: &[Rename]) -> Result<(), String> {
    let mut table = Registry::build(super::FAMILIES);
    renames.iter().try_for_each(|rename| table.rename(rename))?;
    REGISTRY.set(table).map_err(|_| "the command table is in use already".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_have_the_names_that_the_operator_gives_them() {
        let mut table = Registry::build(crate::command::FAMILIES);
        let mut rename = |from: &str, to: &str| table.rename(&(from.into(), to.into()));
        assert_eq!(rename("Config", "cfg"), Ok(()));
        assert_eq!(rename("keys", ""), Ok(()));
        assert_eq!(rename("config", "x"), Err("No such command in rename-command".into()));
        assert_eq!(rename("get", "SET"), Err("Target command name already exists".into()));
        assert_eq!(rename("get", "keys"), Ok(()));
        assert_eq!(rename("cfg", "config"), Ok(()));
        let found = |name: &str| table.find(name.as_bytes()).map(|(_, command)| command.name);
        assert_eq!(
            [found("config"), found("cfg"), found("KEYS"), found("get")],
            [Some("config"), None, Some("get"), None]
        );
        assert_eq!(table.find_original(b"keys").map(|(_, command)| command.name), Some("keys"));
    }
}
