//! JSON.GET, JSON.MGET and JSON.TYPE.

use bytes::Bytes;

use super::{Outcome, Refusal, TOO_MUCH, look, no_path, path_at, read_path};
use crate::command::{Ctx, container};
use crate::protocol::args::eq_ignore_case;
use crate::protocol::reply::Reply;
use crate::value::json::Value;
use crate::value::json::path::Path;
use crate::value::json::print::{Format, Printer};

/// Bytes of a text from which on it is sent without another copy.
const LONG: usize = 16 << 10;

/// Replies a text.
pub(super) fn put(reply: &mut Reply<'_>, text: Vec<u8>) {
    if text.len() >= LONG { reply.bulk_owned(Bytes::from(text)) } else { reply.bulk(&text) }
}

/// What JSON.GET's arguments say.
struct Request<'a> {
    format: Format<'a>,
    /// The paths, none of them twice, each as it was sent.
    paths: Vec<(&'a [u8], Path)>,
}

impl<'a> Request<'a> {
    fn parse(ctx: &Ctx<'a>) -> Outcome<Request<'a>> {
        let mut request = Request { format: Format::default(), paths: Vec::new() };
        let mut words = ctx.args.iter().skip(2);
        while let Some(word) = words.next() {
            let format = &mut request.format;
            let option = [
                (&b"indent"[..], &mut format.indent),
                (b"newline", &mut format.newline),
                (b"space", &mut format.space),
            ];
            if let Some((_, place)) = option.into_iter().find(|(name, _)| eq_ignore_case(word, name)) {
                *place = words.next().ok_or_else(|| container::wrong_arity(ctx.command))?;
            } else if eq_ignore_case(word, b"noescape") {
                // Of the first RedisJSON: text is never escaped more than it must be.
            } else if !request.paths.iter().any(|(known, _)| *known == word) {
                request.paths.push((word, read_path(word)?));
            }
        }
        if request.paths.is_empty() {
            request.paths.push((b".", path_at(ctx, usize::MAX)?));
        }
        Ok(request)
    }

    fn print(&self, root: &Value) -> Outcome<Vec<u8>> {
        let mut text = Vec::new();
        let mut printer = Printer::new(&mut text, self.format);
        if let [(_, path)] = &self.paths[..] {
            matches(&mut printer, root, path, path.is_legacy())?;
            return Ok(text);
        }
        let legacy = self.paths.iter().all(|(_, path)| path.is_legacy());
        printer.open(b'{');
        for (sent, path) in &self.paths {
            printer.name(sent);
            matches(&mut printer, root, path, legacy)?;
        }
        printer.close(b'}');
        Ok(text)
    }
}

/// The first match, or an array of all.
fn matches(printer: &mut Printer<'_, '_>, root: &Value, path: &Path, legacy: bool) -> Outcome<()> {
    if legacy {
        let first = path.first(root).map_err(|_| TOO_MUCH)?;
        printer.value(first.ok_or_else(|| no_path(path.full()))?);
        return Ok(());
    }
    let values = path.values(root).map_err(|_| TOO_MUCH)?;
    printer.open(b'[');
    for value in values {
        printer.item();
        printer.value(value);
    }
    printer.close(b']');
    Ok(())
}

pub(super) fn get(ctx: &mut Ctx<'_>) -> Outcome<()> {
    let request = Request::parse(ctx)?;
    match look(ctx, 1, |root| request.print(root))? {
        Some(text) => put(&mut ctx.reply, text?),
        None => ctx.reply.null(),
    }
    Ok(())
}

pub(super) fn mget(ctx: &mut Ctx<'_>) -> Outcome<()> {
    let last = ctx.args.len() - 1;
    let path = read_path(ctx.arg(last))?;
    ctx.reply.array(last - 1);
    for at in 1..last {
        // A key of another type, and a path that does not fit, is as good as none.
        let text: Result<Option<Vec<u8>>, Refusal> = look(ctx, at, |root| {
            let mut text = Vec::new();
            matches(&mut Printer::new(&mut text, Format::default()), root, &path, path.is_legacy()).ok()?;
            Some(text)
        })
        .map(Option::flatten);
        match text {
            Ok(Some(text)) => put(&mut ctx.reply, text),
            _ => ctx.reply.null(),
        }
    }
    Ok(())
}

pub(super) fn kind(ctx: &mut Ctx<'_>) -> Outcome<()> {
    let path = path_at(ctx, 2)?;
    let names = look(ctx, 1, |root| {
        let found = if path.is_legacy() {
            path.first(root).map(|first| first.into_iter().collect())
        } else {
            path.values(root)
        };
        found.map(|values| values.into_iter().map(Value::type_name).collect::<Vec<_>>())
    })?;
    let names = names.transpose().map_err(|_| TOO_MUCH)?;
    if ctx.reply.resp3() {
        ctx.reply.array(1);
    }
    match names {
        Some(names) if !path.is_legacy() => {
            ctx.reply.array(names.len());
            names.iter().for_each(|name| ctx.reply.bulk(name.as_bytes()));
        }
        Some(names) if !names.is_empty() => ctx.reply.bulk(names[0].as_bytes()),
        _ => ctx.reply.null(),
    }
    Ok(())
}
