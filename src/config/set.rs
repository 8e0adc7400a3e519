//! CONFIG SET: every pair or none.

use super::{
    Config, adjusted, enter,
    kind::{Kind, Value},
    table::{self, DIRECTIVES, Status},
};

/// Called after a directive changed; reads the new value from the configuration. An error refuses the whole CONFIG SET,
/// which then restores all values and calls the hooks again that had already run. A hook runs under the lock that keeps
/// changes apart: it must neither change the configuration nor register hooks.
pub type Hook = Box<dyn Fn(&Config) -> Result<(), String> + Send + Sync>;

/// One pair of a CONFIG SET, resolved.
struct Change<'a> {
    index: usize,
    name: &'a [u8],
    text: &'a [u8],
}

impl Config {
    /// Registers what a change of `name` sets in motion. Panics as [`Config::value`] does.
    pub fn on_change(&self, name: &str, hook: Hook) {
        let index = table::find(name.as_bytes()).expect("the directive is in the table");
        self.hooks.write().unwrap_or_else(|broken| broken.into_inner()).push((index, hook));
    }

    /// CONFIG SET of `pairs` by a client that is `local` (connected over loopback or a Unix socket) or not. The error is
    /// the reply's text behind `ERR `; nothing has changed then.
    pub fn set(&self, pairs: &[(&[u8], &[u8])], local: bool) -> Result<(), String> {
        let _alone = self.changing.lock().unwrap_or_else(|broken| broken.into_inner());
        let changes = self.resolve(pairs, local)?;
        let old = self.values().clone();
        let mut new = old.clone();
        for change in &changes {
            if let Err(reason) = accept(change, &mut new) {
                leave_entered_dir(&old, &new);
                return Err(failed(change.name, &reason));
            }
        }
        self.store(new.clone());
        self.run_hooks(&changes, &old, &new)
    }

    /// Looks every name up before any value is read, as Redis does: the first complaint wins.
    fn resolve<'a>(&self, pairs: &[(&'a [u8], &'a [u8])], local: bool) -> Result<Vec<Change<'a>>, String> {
        let mut changes: Vec<Change> = Vec::with_capacity(pairs.len());
        for &(name, text) in pairs {
            let known = table::find(name).filter(|&index| !matches!(DIRECTIVES[index].kind, Kind::Line(..)));
            let Some(index) = known else {
                let name = String::from_utf8_lossy(name);
                return Err(format!("Unknown option or number of arguments for CONFIG SET - '{name}'"));
            };
            if !DIRECTIVES[index].modifiable {
                return Err(failed(name, "can't set immutable config"));
            }
            if DIRECTIVES[index].protected && !self.allows_protected(local) {
                return Err(failed(name, "can't set protected config"));
            }
            if changes.iter().any(|earlier| earlier.name.eq_ignore_ascii_case(name)) {
                return Err(failed(name, "duplicate parameter"));
            }
            changes.push(Change { index, name, text });
        }
        Ok(changes)
    }

    fn allows_protected(&self, local: bool) -> bool {
        match self.number("enable-protected-configs") {
            0 => false,
            1 => true,
            _ => local,
        }
    }

    /// Runs the hooks of what changed; on an error everything is put back.
    fn run_hooks(&self, changes: &[Change], old: &[Value], new: &[Value]) -> Result<(), String> {
        let changed = || changes.iter().filter(|change| old[change.index] != new[change.index]);
        for (ran, change) in changed().enumerate() {
            if let Err(reason) = self.run_hooks_of(change.index) {
                self.store(old.to_vec());
                leave_entered_dir(old, new);
                for earlier in changed().take(ran + 1) {
                    if let Err(reason) = self.run_hooks_of(earlier.index) {
                        let name = DIRECTIVES[earlier.index].name;
                        crate::log_warning!(
                            "Failed applying restored failed CONFIG SET command for {name}: {reason}"
                        );
                    }
                }
                return Err(failed(change.name, &reason));
            }
        }
        Ok(())
    }

    fn run_hooks_of(&self, index: usize) -> Result<(), String> {
        let hooks = self.hooks.read().unwrap_or_else(|broken| broken.into_inner());
        hooks.iter().filter(|(of, _)| *of == index).try_for_each(|(_, hook)| hook(self))
    }
}

/// Reads one value and puts it among the new ones.
fn accept(change: &Change, values: &mut [Value]) -> Result<(), String> {
    let directive = &DIRECTIVES[change.index];
    let words: Vec<&[u8]> = match directive.kind.takes_words() {
        true if change.text.is_empty() => vec![b""],
        true => change.text.split(|&byte| byte == b' ').collect(),
        false => vec![change.text],
    };
    let current = &values[change.index];
    let mut value = adjusted(directive, directive.kind.parse(&words, Some(current))?);
    if directive.status == Status::NotYet && value != *current {
        return Err("this directive is not supported yet".into());
    }
    if let (Kind::Dir, Value::Text(dir)) = (directive.kind, &value) {
        value = enter(dir)?;
    }
    values[change.index] = value;
    Ok(())
}

/// Goes back to the old working directory if a CONFIG SET that failed had already left it.
fn leave_entered_dir(old: &[Value], new: &[Value]) {
    let dir = table::find(b"dir").expect("dir is in the table");
    if let (true, Value::Text(before)) = (old[dir] != new[dir], &old[dir])
        && let Err(reason) = enter(before)
    {
        crate::log_warning!("Can't chdir back after a failed CONFIG SET: {reason}");
    }
}

fn failed(name: &[u8], reason: &str) -> String {
    let name = String::from_utf8_lossy(name);
    format!("CONFIG SET failed (possibly related to argument '{name}') - {reason}")
}
