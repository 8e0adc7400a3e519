//! CLIENT LIST and INFO: one line per client.

use std::io::Write;
use std::sync::Arc;

use super::hello::DEFAULT_USER;
use crate::command::client::{Kind, Marks, Parts, Shared};
use crate::command::state::unix_ms;
use crate::command::table::registry;
use crate::command::{Ctx, error};
use crate::protocol::args::{Args, eq_ignore_case, parse_i64};
use crate::sync::Ordering;

/// What a `TYPE` filter means, or the error that there is no such type.
pub(super) fn kind(word: &[u8]) -> Result<Kind, String> {
    const KINDS: [(&[u8], Kind); 5] = [
        (b"normal", Kind::Normal),
        (b"slave", Kind::Replica),
        (b"replica", Kind::Replica),
        (b"pubsub", Kind::Pubsub),
        (b"master", Kind::Master),
    ];
    let found = KINDS.iter().find(|(name, _)| eq_ignore_case(word, name)).map(|(_, kind)| *kind);
    found.ok_or_else(|| format!("ERR Unknown client type '{}'", String::from_utf8_lossy(word)))
}

pub(super) fn info(ctx: &mut Ctx<'_>) {
    publish(ctx);
    let mut text = Vec::new();
    append_line(&mut text, &ctx.client.shared, unix_ms());
    ctx.reply.verbatim(b"txt", &text);
}

pub(super) fn list(ctx: &mut Ctx<'_>) {
    publish(ctx);
    match chosen(ctx) {
        Ok(clients) => {
            let (mut text, now) = (Vec::new(), unix_ms());
            clients.iter().for_each(|client| append_line(&mut text, client, now));
            ctx.reply.verbatim(b"txt", &text);
        }
        Err(text) => ctx.reply.error(&text),
    }
}

/// The others see what the last batch left; its own line is to show the client as it is now, which is in this command.
fn publish(ctx: &Ctx<'_>) {
    ctx.client.publish(unix_ms());
    ctx.client.shared.seen.unparsed.store(request_bytes(ctx.args), Ordering::Relaxed);
}

/// Bytes of a request as an array of bulk strings.
fn request_bytes(args: Args<'_>) -> usize {
    let header = |number: usize| b"*\r\n".len() + itoa::Buffer::new().format(number).len();
    args.iter().fold(header(args.len()), |bytes, arg| bytes + header(arg.len()) + arg.len() + b"\r\n".len())
}

fn chosen(ctx: &Ctx<'_>) -> Result<Vec<Arc<Shared>>, String> {
    let clients = &ctx.server.clients;
    match (ctx.args.len(), ctx.args.get(2)) {
        (2, _) => Ok(clients.snapshot()),
        (4, Some(word)) if eq_ignore_case(word, b"type") => {
            let kind = kind(ctx.arg(3))?;
            Ok(clients.snapshot().into_iter().filter(|client| client.kind() == kind).collect())
        }
        (4.., Some(word)) if eq_ignore_case(word, b"id") => {
            let ids: Option<Vec<i64>> = ctx.args.iter().skip(3).map(parse_i64).collect();
            let ids = ids.ok_or("ERR Invalid client ID")?;
            Ok(ids.iter().filter_map(|&id| clients.get(u64::try_from(id).ok()?)).collect())
        }
        _ => Err(error::SYNTAX.into()),
    }
}

/// One client's line, as Redis writes it.
///
/// Queues of large replies have the values of a client without any.
fn append_line(text: &mut Vec<u8>, client: &Shared, now: u64) {
    let names = client.names().clone();
    let (id, addr, laddr, fd) = (client.id, &client.addr, &client.laddr, client.fd());
    // Writing to a vector cannot fail.
    let _ = write!(text, "id={id} addr={addr} laddr={laddr} fd={fd} name=");
    text.extend_from_slice(&names.name);
    append_activity(text, client, now);
    append_memory(text, client);
    append_protocol(text, client);
    text.extend_from_slice(b" lib-name=");
    text.extend_from_slice(&names.lib_name);
    text.extend_from_slice(b" lib-ver=");
    text.extend_from_slice(&names.lib_ver);
    text.push(b'\n');
}

fn append_activity(text: &mut Vec<u8>, client: &Shared, now: u64) {
    let age = now.saturating_sub(client.joined_ms) / 1000;
    let idle = now.saturating_sub(client.seen.active_ms.load(Ordering::Relaxed)) / 1000;
    let (flags, db) = (flags(client.marks()), client.seen.db.load(Ordering::Relaxed));
    let [sub, psub, ssub] = client.seen.subscriptions.each_ref().map(|count| count.load(Ordering::Relaxed));
    let _ =
        write!(text, " age={age} idle={idle} flags={flags} db={db} sub={sub} psub={psub} ssub={ssub} multi=");
    let _ = match client.marks().contains(Marks::MULTI) {
        true => write!(text, "{}", client.seen.queued.load(Ordering::Relaxed)),
        false => write!(text, "-1"),
    };
}

fn flags(marks: Marks) -> String {
    const LETTERS: [(Marks, char); 10] = [
        (Marks::MONITORS, 'O'),
        (Marks::LISTENS, 'P'),
        (Marks::MULTI, 'x'),
        (Marks::BLOCKED, 'b'),
        (Marks::TRACKS, 't'),
        (Marks::TRACKS_ALL, 'B'),
        (Marks::DIRTY, 'd'),
        (Marks::CLOSING, 'c'),
        (Marks::NO_EVICT, 'e'),
        (Marks::NO_TOUCH, 'T'),
    ];
    let letters: String =
        LETTERS.iter().filter(|(mark, _)| marks.contains(*mark)).map(|(_, letter)| letter).collect();
    if letters.is_empty() { "N".into() } else { letters }
}

fn append_memory(text: &mut Vec<u8>, client: &Shared) {
    let parts = client.parts();
    let Parts { unparsed, input, arguments, queued, output, unsent, .. } = parts;
    let events = if unsent == 0 { "r" } else { "rw" };
    let _ = write!(
        text,
        " qbuf={unparsed} qbuf-free={} argv-mem={arguments} multi-mem={queued} rbs={output} rbp={unsent} obl={} oll={} \
         omem={} tot-mem={} events={events}",
        input - unparsed,
        parts.reply_buffer(),
        parts.reply_blocks(),
        parts.reply_list(),
        parts.total(),
    );
}

fn append_protocol(text: &mut Vec<u8>, client: &Shared) {
    let number = client.seen.command.load(Ordering::Relaxed) as usize;
    let command = registry().numbered().get(number).map_or("NULL", |command| command.name);
    let resp = if client.marks().contains(Marks::RESP3) { 3 } else { 2 };
    // Redis 7.2 has no such field; 7.4 has it, further in front.
    let watched = client.seen.watched.load(Ordering::Relaxed);
    let user = String::from_utf8_lossy(DEFAULT_USER);
    let _ = write!(text, " cmd={command} user={user} redir=-1 resp={resp} watch={watched}");
}
