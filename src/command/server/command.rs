//! COMMAND: the command table, as clients ask for it.

use super::docs;
use crate::command::acl::category_of;
use crate::command::keys::{Begin, Find, KeyFlags, KeySpec, extract, flags_of};
use crate::command::table::{Categories, Command, Flags, registry};
use crate::command::{Ctx, container, error};
use crate::glob;
use crate::protocol::args::{Args, eq_ignore_case};
use crate::protocol::reply::Reply;

const OPEN: Flags = Flags::LOADING.union(Flags::STALE);
const C: Categories = Categories::CONNECTION;

pub(super) const SUBCOMMANDS: &[Command] = &[
    Command::new("command|count", 2, OPEN, C, &[], count).docs(
        "server",
        "2.8.13",
        "Says how many commands the server has.",
        "O(1)",
        "",
    ),
    Command::new("command|docs", -2, OPEN, C, &[], docs).docs(
        "server",
        "7.0.0",
        "Documents commands: all of them, or those that are named.",
        "O(N) where N is the number of commands to look up",
        "[command-name [command-name ...]]",
    ),
    Command::new("command|getkeys", -3, OPEN, C, &[], get_keys).docs(
        "server",
        "2.8.13",
        "Finds the keys of a complete command.",
        "O(N) where N is the number of arguments to the command",
        "command [arg [arg ...]]",
    ),
    Command::new("command|getkeysandflags", -3, OPEN, C, &[], get_keys_and_flags).docs(
        "server",
        "7.0.0",
        "Finds the keys of a complete command, with what it does to each.",
        "O(N) where N is the number of arguments to the command",
        "command [arg [arg ...]]",
    ),
    Command::new("command|help", 2, OPEN, C, &[], help).docs(
        "server",
        "5.0.0",
        "Explains the subcommands.",
        "O(1)",
        "",
    ),
    Command::new("command|info", -2, OPEN, C, &[], info).docs(
        "server",
        "2.8.13",
        "Describes commands: all of them, or those that are named.",
        "O(N) where N is the number of commands to look up",
        "[command-name [command-name ...]]",
    ),
    Command::new("command|list", -2, OPEN, C, &[], list).docs(
        "server",
        "7.0.0",
        "Lists the names of commands.",
        "O(N) where N is the total number of commands",
        "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]",
    ),
];

/// COMMAND by itself.
pub(super) fn all(ctx: &mut Ctx<'_>) {
    let commands = registry().all();
    ctx.reply.array(commands.len());
    commands.iter().for_each(|command| describe(&mut ctx.reply, command));
}

fn count(ctx: &mut Ctx<'_>) {
    ctx.reply.int(registry().all().len() as i64);
}

fn help(ctx: &mut Ctx<'_>) {
    container::help(
        ctx,
        &[
            "(no subcommand)",
            "    Describe every command.",
            "COUNT",
            "    Say how many commands there are.",
            "LIST [FILTERBY <MODULE <name>|ACLCAT <category>|PATTERN <pattern>>]",
            "    List the names of all commands, or of some.",
            "INFO [<command-name> ...]",
            "    Describe the named commands, or all.",
            "DOCS [<command-name> ...]",
            "    Document the named commands, or all.",
            "GETKEYS <full-command>",
            "    Return the keys of a complete command.",
            "GETKEYSANDFLAGS <full-command>",
            "    Return the keys of a complete command and what it does to them.",
        ],
    );
}

// -- names ------------------------------------------------------------------------------------------------------

/// Which names COMMAND LIST shows.
enum Filter<'a> {
    None,
    Module,
    Category(&'a [u8]),
    Pattern(&'a [u8]),
}

impl<'a> Filter<'a> {
    fn parse(args: Args<'a>) -> Option<Filter<'a>> {
        if args.len() == 2 {
            return Some(Filter::None);
        }
        if args.len() != 5 || !eq_ignore_case(&args[2], b"FILTERBY") {
            return None;
        }
        let (by, value) = (args.get(3)?, args.get(4)?);
        match () {
            () if eq_ignore_case(by, b"MODULE") => Some(Filter::Module),
            () if eq_ignore_case(by, b"ACLCAT") => Some(Filter::Category(value)),
            () if eq_ignore_case(by, b"PATTERN") => Some(Filter::Pattern(value)),
            () => None,
        }
    }

    fn admits(&self, command: &Command) -> bool {
        match self {
            Filter::None => true,
            // No command comes from a module, because modules cannot be loaded.
            Filter::Module => false,
            Filter::Category(name) => category_of(name).is_some_and(|one| command.categories().contains(one)),
            Filter::Pattern(pattern) => glob::matches(pattern, command.name.as_bytes(), true),
        }
    }
}

fn list(ctx: &mut Ctx<'_>) {
    let Some(filter) = Filter::parse(ctx.args) else { return ctx.reply.error(error::SYNTAX) };
    let names: Vec<&Command> =
        registry().numbered().iter().copied().filter(|command| filter.admits(command)).collect();
    ctx.reply.array(names.len());
    names.iter().for_each(|command| ctx.reply.bulk(command.name.as_bytes()));
}

// -- descriptions -----------------------------------------------------------------------------------------------

fn info(ctx: &mut Ctx<'_>) {
    let names = ctx.args.slice_from(2);
    if names.is_empty() {
        return all(ctx);
    }
    ctx.reply.array(names.len());
    for name in names.iter() {
        match registry().find_full(name) {
            Some((_, command)) => describe(&mut ctx.reply, command),
            None => ctx.reply.null(),
        }
    }
}

fn docs(ctx: &mut Ctx<'_>) {
    let names = ctx.args.slice_from(2);
    let commands: Vec<&Command> = match names.is_empty() {
        true => registry().all().to_vec(),
        false => names.iter().filter_map(|name| registry().find_full(name)).map(|(_, it)| it).collect(),
    };
    docs::reply_all(&mut ctx.reply, &commands);
}

/// The ten elements of COMMAND INFO.
fn describe(reply: &mut Reply<'_>, command: &Command) {
    reply.array(10);
    reply.bulk(command.name.as_bytes());
    reply.int(i64::from(command.arity));
    flags(reply, command.flags);
    for number in legacy_range(command.keys) {
        reply.int(number);
    }
    categories(reply, command.categories());
    // Tips would tell a cluster's proxy how to spread a command and to join its replies.
    reply.set(0);
    reply.set(command.keys.len());
    command.keys.iter().for_each(|spec| key_spec(reply, spec));
    match command.subcommands {
        [] => reply.set(0),
        contained => {
            reply.array(contained.len());
            contained.iter().for_each(|command| describe(reply, command));
        }
    }
}

fn flags(reply: &mut Reply<'_>, flags: Flags) {
    let shown = flags.difference(Flags::INTERNAL);
    let names: Vec<String> = shown.iter_names().map(|(name, _)| name.to_ascii_lowercase()).collect();
    status_set(reply, &names);
}

fn categories(reply: &mut Reply<'_>, categories: Categories) {
    let name = |name: &str| format!("@{}", name.to_ascii_lowercase());
    let names: Vec<String> = categories.iter_names().map(|(known, _)| name(known)).collect();
    status_set(reply, &names);
}

fn key_flags(reply: &mut Reply<'_>, flags: KeyFlags) {
    // The four kinds of access are shown in capitals, the rest is not.
    let name = |name: &str| if name.len() == 2 { name.to_string() } else { name.to_ascii_lowercase() };
    let names: Vec<String> = flags.iter_names().map(|(known, _)| name(known)).collect();
    status_set(reply, &names);
}

fn status_set(reply: &mut Reply<'_>, names: &[String]) {
    reply.set(names.len());
    names.iter().for_each(|name| reply.simple(name));
}

fn key_spec(reply: &mut Reply<'_>, spec: &KeySpec) {
    reply.map(3);
    reply.bulk(b"flags");
    key_flags(reply, spec.flags);
    reply.bulk(b"begin_search");
    match spec.begin {
        Begin::Index(index) => typed(reply, "index", &[("index", index as i64)]),
        Begin::Keyword { word, from } | Begin::Option { word, from, .. } => {
            type_of(reply, "keyword", 2);
            pair(reply, "keyword");
            reply.bulk(word.as_bytes());
            pair(reply, "startfrom");
            reply.int(i64::from(from));
        }
        Begin::LastOption { .. } | Begin::Data => {
            typed(reply, "unknown", &[]);
            reply.bulk(b"find_keys");
            return typed(reply, "unknown", &[]);
        }
    }
    reply.bulk(b"find_keys");
    match spec.find {
        Find::Range { last, step, limit } => {
            let numbers = [("lastkey", i64::from(last)), ("keystep", step as i64), ("limit", limit as i64)];
            typed(reply, "range", &numbers);
        }
        Find::Keynum { at, first, step } => {
            let numbers = [("keynumidx", at as i64), ("firstkey", first as i64), ("keystep", step as i64)];
            typed(reply, "keynum", &numbers);
        }
    }
}

/// The head of `{type, spec}` up to the parts of the specification.
fn type_of(reply: &mut Reply<'_>, name: &str, parts: usize) {
    reply.map(2);
    pair(reply, "type");
    reply.bulk(name.as_bytes());
    pair(reply, "spec");
    reply.map(parts);
}

fn typed(reply: &mut Reply<'_>, name: &str, numbers: &[(&str, i64)]) {
    type_of(reply, name, numbers.len());
    for (name, number) in numbers {
        pair(reply, name);
        reply.int(*number);
    }
}

fn pair(reply: &mut Reply<'_>, name: &str) {
    reply.bulk(name.as_bytes());
}

/// First key, last key and step, for clients that know nothing of key specifications: the one range that covers the
/// specifications which follow each other, or zeros.
fn legacy_range(specs: &[KeySpec]) -> [i64; 3] {
    if let [KeySpec { begin: Begin::Index(first), find: Find::Range { last, step, .. }, .. }] = *specs {
        return [first as i64, absolute(first, last), step as i64];
    }
    let mut covered: Option<(i64, i64)> = None;
    for spec in specs {
        let KeySpec { begin: Begin::Index(first), find: Find::Range { last, step: 1, .. }, .. } = *spec
        else {
            continue;
        };
        covered = match covered {
            None => Some((first as i64, absolute(first, last))),
            Some((begin, end)) if end == first as i64 - 1 => Some((begin, absolute(first, last))),
            gap => gap,
        };
    }
    covered.map_or([0, 0, 0], |(first, last)| [first, last, 1])
}

/// A range's last key from the beginning of the command; negative numbers count from its end already.
fn absolute(first: usize, last: i32) -> i64 {
    if last < 0 { i64::from(last) } else { first as i64 + i64::from(last) }
}

// -- keys -------------------------------------------------------------------------------------------------------

/// The keys of the command that stands behind `COMMAND GETKEYS`, with what it does to each.
fn keys_of(args: Args<'_>) -> Result<Vec<(usize, KeyFlags)>, &'static str> {
    let Some((_, command)) = registry().resolve(args) else { return Err("ERR Invalid command specified") };
    if command.keys.is_empty() {
        return Err("ERR The command has no key arguments");
    }
    if !command.accepts(args.len()) {
        return Err("ERR Invalid number of arguments specified for command");
    }
    let mut found = Vec::new();
    let mut places = Vec::new();
    for spec in command.keys {
        places.clear();
        // A keyword that is not there has no keys; a range or a count that does not fit is a mistake.
        if !extract(std::slice::from_ref(spec), args, &mut places) && matches!(spec.begin, Begin::Index(_)) {
            return Err("ERR Invalid arguments specified for command");
        }
        let flags = flags_of(command.name, spec, args);
        found.extend(places.iter().map(|&at| (at, flags)));
    }
    if found.is_empty() { Err("ERR Invalid arguments specified for command") } else { Ok(found) }
}

fn get_keys(ctx: &mut Ctx<'_>) {
    let args = ctx.args.slice_from(2);
    match keys_of(args) {
        Err(text) => ctx.reply.error(text),
        Ok(found) => {
            ctx.reply.array(found.len());
            found.iter().for_each(|(at, _)| ctx.reply.bulk(&args[*at]));
        }
    }
}

fn get_keys_and_flags(ctx: &mut Ctx<'_>) {
    let args = ctx.args.slice_from(2);
    match keys_of(args) {
        Err(text) => ctx.reply.error(text),
        Ok(found) => {
            ctx.reply.array(found.len());
            for (at, flags) in found {
                ctx.reply.array(2);
                ctx.reply.bulk(&args[at]);
                key_flags(&mut ctx.reply, flags);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::args::ArgBuf;
    use proptest::prelude::*;

    const NONE: KeyFlags = KeyFlags::empty();

    #[test]
    fn old_clients_see_one_range() {
        let of = legacy_range;
        assert_eq!(of(&[]), [0, 0, 0]);
        assert_eq!(of(&[KeySpec::one(1, NONE)]), [1, 1, 1]);
        assert_eq!(of(&[KeySpec::range(1, -1, 2, NONE)]), [1, -1, 2]);
        assert_eq!(of(&[KeySpec::one(1, NONE), KeySpec::one(2, NONE)]), [1, 2, 1]);
        assert_eq!(of(&[KeySpec::one(1, NONE), KeySpec::range(2, -1, 1, NONE)]), [1, -1, 1]);
        assert_eq!(of(&[KeySpec::counted(1, 1, NONE)]), [0, 0, 0]);
        assert_eq!(of(&[KeySpec::one(1, NONE), KeySpec::counted(2, 1, NONE)]), [1, 1, 1]);
    }

    fn word() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z]{0,3}",
            (-3i64..9).prop_map(|number| number.to_string()),
            any::<i64>().prop_map(|number| number.to_string()),
            proptest::sample::select(vec!["STORE", "KEYS", "store", "GET", "18446744073709551615"])
                .prop_map(str::to_string),
        ]
    }

    proptest! {
        #[test]
        fn row_44_no_arguments_lead_to_a_place_outside(words in prop::collection::vec(word(), 0..9)) {
            for command in registry().numbered() {
                let mut buf = ArgBuf::default();
                let name = command.name.split('|').next().expect("a name");
                buf.push(name.as_bytes());
                if command.name.contains('|') {
                    buf.push(command.word().as_bytes());
                }
                words.iter().for_each(|word| buf.push(word.as_bytes()));
                let mut places = Vec::new();
                extract(command.keys, buf.args(), &mut places);
                prop_assert!(places.iter().all(|&at| at >= 1 && at < buf.args().len()), "{}", command.name);
                if let Ok(found) = keys_of(buf.args()) {
                    prop_assert!(!found.is_empty());
                    prop_assert!(found.iter().all(|(at, _)| *at >= 1 && *at < buf.args().len()));
                }
            }
        }
    }
}
