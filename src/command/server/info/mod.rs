//! INFO: the state of the server as lines of `name:value` in sections.

mod keysizes;
mod sections;
pub(super) mod system;

pub(in crate::command) use system::resident;

use std::fmt::{Display, Write};

use crate::command::state::Server;
use crate::command::{Ctx, stats};
use crate::memory;
use crate::protocol::args::Args;
use crate::sync::epoch::Guard;

/// One section: the name that selects it, its heading, whether INFO without arguments shows it, and what writes it.
struct Section {
    name: &'static str,
    title: &'static str,
    default: bool,
    write: fn(&mut Text<'_>),
}

const fn section(
    name: &'static str,
    title: &'static str,
    default: bool,
    write: fn(&mut Text<'_>),
) -> Section {
    Section { name, title, default, write }
}

/// In the order in which they are shown.
const SECTIONS: &[Section] = &[
    section("server", "Server", true, sections::server),
    section("clients", "Clients", true, sections::clients),
    section("memory", "Memory", true, sections::memory),
    section("persistence", "Persistence", true, sections::persistence),
    section("stats", "Stats", true, sections::stats),
    section("replication", "Replication", true, sections::replication),
    section("cpu", "CPU", true, sections::cpu),
    section("modules", "Modules", true, |_| {}),
    section("commandstats", "Commandstats", false, sections::commandstats),
    section("errorstats", "Errorstats", true, sections::errorstats),
    section("latencystats", "Latencystats", false, sections::latencystats),
    section("cluster", "Cluster", true, sections::cluster),
    section("keyspace", "Keyspace", true, sections::keyspace),
    section("keysizes", "Keysizes", false, keysizes::keysizes),
];

/// What a section reads, and the text so far.
struct Text<'a> {
    server: &'a Server,
    guard: &'a Guard,
    sums: stats::Sums,
    /// Bytes in use before INFO took any.
    used: u64,
    text: String,
}

impl Text<'_> {
    /// Adds `name:value`.
    fn field(&mut self, name: &str, value: impl Display) {
        write!(self.text, "{name}:{value}\r\n").expect("writing to a string cannot fail");
    }

    /// Adds a number of bytes, and once more for people.
    fn bytes(&mut self, name: &str, bytes: u64) {
        self.field(name, bytes);
        self.field(&format!("{name}_human"), human(bytes));
    }

    fn section(&mut self, section: &Section) {
        if !self.text.is_empty() {
            self.text.push_str("\r\n");
        }
        write!(self.text, "# {}\r\n", section.title).expect("writing to a string cannot fail");
        (section.write)(self);
    }
}

pub(super) fn info(ctx: &mut Ctx<'_>) {
    let (server, guard, used) = (ctx.server, ctx.space.guard(), memory::used());
    let mut text = Text { server, guard, used, sums: server.sums(), text: String::new() };
    for section in SECTIONS.iter().filter(|section| wanted(section, ctx.args)) {
        text.section(section);
    }
    ctx.reply.verbatim(b"txt", text.text.as_bytes());
}

/// Whether the arguments ask for the section; names in any case, several and twice are fine, unknown ones are ignored.
fn wanted(section: &Section, args: Args<'_>) -> bool {
    let asked = |word: &[u8]| match word.to_ascii_lowercase().as_slice() {
        b"all" | b"everything" => true,
        b"default" => section.default,
        b"module_list" => section.name == "modules",
        name => name == section.name.as_bytes(),
    };
    if args.len() == 1 { section.default } else { args.iter().skip(1).any(asked) }
}

/// Bytes in the largest unit of which there is at least one: `1.50K`.
fn human(bytes: u64) -> String {
    let units = ["K", "M", "G", "T", "P", "E"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.2}{}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn people_read_units() {
        let shown = [(0, "0B"), (1023, "1023B"), (1024, "1.00K"), (1536, "1.50K"), (5 << 20, "5.00M")];
        for (bytes, text) in shown {
            assert_eq!(human(bytes), text);
        }
        assert_eq!(human(u64::MAX), "16.00E");
    }
}
