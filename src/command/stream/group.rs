//! XGROUP: groups, and the consumers in them.

use super::{Refusal, id, integer, no_group};
use crate::command::notify::Events;
use crate::command::{Ctx, container};
use crate::keyspace::{Absent, Edit};
use crate::protocol::args::eq_ignore_case;
use crate::value::stream::{Id, Log, Stream};

const NO_KEY: &str = "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use \
                      the MKSTREAM option to create an empty stream automatically.";
const BUSY: &str = "BUSYGROUP Consumer Group name already exists";

pub(super) fn help(ctx: &mut Ctx<'_>) {
    let lines = [
        "CREATE <key> <groupname> <id|$> [option]",
        "    Create a new consumer group. Options are:",
        "    * MKSTREAM",
        "      Create the empty stream if it does not exist.",
        "    * ENTRIESREAD entries_read",
        "      Set the group's entries_read counter (internal use).",
        "CREATECONSUMER <key> <groupname> <consumer>",
        "    Create a new consumer in the specified group.",
        "DELCONSUMER <key> <groupname> <consumer>",
        "    Remove the specified consumer.",
        "DESTROY <key> <groupname>",
        "    Remove the specified group.",
        "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
        "    Set the current group ID and entries_read counter.",
    ];
    container::help(ctx, &lines);
}

/// Where a group begins to read.
#[derive(Clone, Copy)]
enum Begin {
    /// `$`: behind what there is.
    Here,
    After(Id),
}

/// The options behind a group's id.
#[derive(Default)]
struct Options {
    create: bool,
    entries_read: Option<i64>,
}

impl Begin {
    /// Like Redis, SETID knows the ends of all ids as well.
    fn parse(text: &[u8], ends: bool) -> Result<Begin, Refusal> {
        match text {
            b"$" => Ok(Begin::Here),
            _ if !ends => id::parse(text, 0).map(Begin::After),
            b"-" => Ok(Begin::After(Id::MIN)),
            b"+" => Ok(Begin::After(Id::MAX)),
            _ => id::parse(text, 0).map(Begin::After),
        }
    }

    fn id(self, log: &Log) -> Id {
        match self {
            Begin::Here => log.last_id(),
            Begin::After(id) => id,
        }
    }
}

impl Options {
    /// The options from argument 5 on, of which CREATE knows one more than SETID.
    fn parse(ctx: &Ctx<'_>, creates: bool) -> Result<Options, Refusal> {
        /// Words of a complete call.
        const MOST: usize = 8;
        let wrong = || Refusal::from(container::wrong_words(ctx.args));
        let mut options = Options::default();
        if ctx.args.len() > MOST {
            return Err(wrong());
        }
        let mut words = ctx.args.slice_from(5).iter();
        while let Some(word) = words.next() {
            if creates && eq_ignore_case(word, b"MKSTREAM") {
                options.create = true;
            } else if eq_ignore_case(word, b"ENTRIESREAD") {
                let read = integer(words.next().ok_or_else(wrong)?)?;
                if read < -1 {
                    return Err("ERR value for ENTRIESREAD must be positive or -1".into());
                }
                options.entries_read = (read >= 0).then_some(read);
            } else {
                return Err(wrong());
            }
        }
        Ok(options)
    }
}

pub(super) fn create(ctx: &mut Ctx<'_>) -> Result<(), Refusal> {
    let options = Options::parse(ctx, true)?;
    let begin = Begin::parse(ctx.arg(4), false);
    let absent = if options.create { Absent::Create } else { Absent::Skip };
    let edited = ctx.space.edit(ctx.key(2), absent, |stream: &mut Stream| match &begin {
        Ok(begin) => {
            let after = begin.id(stream);
            match stream.create_group(ctx.arg(3), after, options.entries_read) {
                true => Edit::Changed(true),
                false => Edit::Unchanged(false),
            }
        }
        Err(_) => Edit::Unchanged(false),
    })?;
    let created = edited.ok_or(NO_KEY)?.answer;
    begin?;
    if !created {
        return Err(BUSY.into());
    }
    ctx.reply.ok();
    ctx.notify(Events::STREAM, "xgroup-create", ctx.arg(2));
    Ok(())
}

/// Changes the group of arguments 2 and 3; the closure says whether it did.
fn change<R>(
    ctx: &Ctx<'_>,
    mut change: impl FnMut(&mut Log, &[u8]) -> Option<(R, bool)>,
) -> Result<(R, bool), Refusal> {
    let name = ctx.arg(3);
    let edited =
        ctx.space.edit(ctx.key(2), Absent::Skip, |stream: &mut Stream| match change(stream, name) {
            Some((answer, true)) => Edit::Changed(Some(answer)),
            Some((answer, false)) => Edit::Unchanged(Some(answer)),
            None => Edit::Unchanged(None),
        })?;
    let edited = edited.ok_or(NO_KEY)?;
    let answer = edited.answer.ok_or_else(|| no_group(name, ctx.arg(2)))?;
    Ok((answer, edited.changed))
}

pub(super) fn setid(ctx: &mut Ctx<'_>) -> Result<(), Refusal> {
    let options = Options::parse(ctx, false)?;
    let begin = Begin::parse(ctx.arg(4), true);
    let (set, _) = change(ctx, |log, name| {
        let last = begin.as_ref().map(|begin| begin.id(log));
        let group = log.group_mut(name)?;
        let Ok(last) = last else { return Some((false, false)) };
        (group.last_id, group.entries_read) = (last, options.entries_read);
        Some((true, true))
    })?;
    begin?;
    debug_assert!(set, "an id that can be read was set");
    ctx.reply.ok();
    ctx.notify(Events::STREAM, "xgroup-setid", ctx.arg(2));
    Ok(())
}

pub(super) fn destroy(ctx: &mut Ctx<'_>) -> Result<(), Refusal> {
    let (destroyed, _) = change(ctx, |log, name| {
        let destroyed = log.destroy_group(name);
        Some((destroyed, destroyed))
    })?;
    ctx.reply.int(destroyed.into());
    if destroyed {
        ctx.notify(Events::STREAM, "xgroup-destroy", ctx.arg(2));
    }
    Ok(())
}

pub(super) fn create_consumer(ctx: &mut Ctx<'_>) -> Result<(), Refusal> {
    let (created, _) = change(ctx, |log, name| {
        let (_, created) = log.group_mut(name)?.consumer_or_new(ctx.arg(4), ctx.space.now);
        Some((created, created))
    })?;
    ctx.reply.int(created.into());
    if created {
        ctx.notify(Events::STREAM, "xgroup-createconsumer", ctx.arg(2));
    }
    Ok(())
}

pub(super) fn delete_consumer(ctx: &mut Ctx<'_>) -> Result<(), Refusal> {
    let (pending, deleted) = change(ctx, |log, name| {
        let pending = log.group_mut(name)?.delete_consumer(ctx.arg(4));
        Some((pending.unwrap_or(0), pending.is_some()))
    })?;
    ctx.reply.int(pending as i64);
    if deleted {
        ctx.notify(Events::STREAM, "xgroup-delconsumer", ctx.arg(2));
    }
    Ok(())
}
