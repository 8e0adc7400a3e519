//! The key family.

use crate::command::table::Command;

pub(in crate::command) const COMMANDS: &[Command] = &[];
