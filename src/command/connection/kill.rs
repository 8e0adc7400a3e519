//! CLIENT KILL.
//!
//! It runs while every stripe is closed. A writer looks whether it was killed after it has announced itself, so either
//! KILL waited for the writer, or the writer finds that it was killed: once KILL has answered, its victims change
//! nothing any more.

use std::sync::Arc;

use super::list::kind;
use crate::command::acl::Account;
use crate::command::client::{Kind, Shared};
use crate::command::state::unix_ms;
use crate::command::{Ctx, error};
use crate::protocol::args::{eq_ignore_case, parse_i64};

/// Whom to end: those whom every given filter fits.
#[derive(Default)]
struct Filter<'a> {
    id: Option<u64>,
    addr: Option<&'a [u8]>,
    laddr: Option<&'a [u8]>,
    kind: Option<Kind>,
    user: Option<Arc<Account>>,
    /// Seconds.
    min_age: Option<u64>,
    spares_me: bool,
}

impl Filter<'_> {
    fn fits(&self, client: &Shared, now: u64) -> bool {
        let age = now.saturating_sub(client.joined_ms) / 1000;
        self.id.is_none_or(|id| client.id == id)
            && self.addr.is_none_or(|addr| client.addr.as_bytes() == addr)
            && self.laddr.is_none_or(|laddr| client.laddr.as_bytes() == laddr)
            && self.kind.is_none_or(|kind| client.kind() == kind)
            && self.user.as_ref().is_none_or(|user| client.is_of(user))
            && self.min_age.is_none_or(|least| age >= least)
    }
}

pub(super) fn kill(ctx: &mut Ctx<'_>) {
    if ctx.args.len() == 3 {
        let filter = Filter { addr: ctx.args.get(2), ..Filter::default() };
        return match end_all(ctx, &filter) {
            0 => ctx.reply.error("ERR No such client"),
            _ => ctx.reply.ok(),
        };
    }
    match parse(ctx) {
        Ok(filter) => {
            let killed = end_all(ctx, &filter);
            ctx.reply.int(killed as i64);
        }
        Err(text) => ctx.reply.error(&text),
    }
}

fn parse<'a>(ctx: &Ctx<'a>) -> Result<Filter<'a>, String> {
    let mut filter = Filter { spares_me: true, ..Filter::default() };
    for at in (2..ctx.args.len()).step_by(2) {
        let value = ctx.args.get(at + 1).ok_or(error::SYNTAX)?;
        filter.add(ctx, ctx.arg(at), value)?;
    }
    Ok(filter)
}

impl<'a> Filter<'a> {
    fn add(&mut self, ctx: &Ctx<'_>, option: &[u8], value: &'a [u8]) -> Result<(), String> {
        let is = |word: &[u8]| eq_ignore_case(option, word);
        if is(b"id") {
            let id = parse_i64(value).and_then(|id| u64::try_from(id).ok()).filter(|&id| id > 0);
            self.id = Some(id.ok_or("ERR client-id should be greater than 0")?);
        } else if is(b"type") {
            self.kind = Some(kind(value)?);
        } else if is(b"addr") {
            self.addr = Some(value);
        } else if is(b"laddr") {
            self.laddr = Some(value);
        } else if is(b"user") {
            let user = ctx.server.users.find(value);
            let missing = || format!("ERR No such user '{}'", String::from_utf8_lossy(value));
            self.user = Some(user.ok_or_else(missing)?);
        } else if is(b"skipme") {
            self.spares_me = yes_or_no(value)?;
        } else if is(b"maxage") {
            self.min_age = Some(seconds(value)?);
        } else {
            return Err(error::SYNTAX.into());
        }
        Ok(())
    }
}

fn yes_or_no(word: &[u8]) -> Result<bool, String> {
    match word {
        word if eq_ignore_case(word, b"yes") => Ok(true),
        word if eq_ignore_case(word, b"no") => Ok(false),
        _ => Err(error::SYNTAX.into()),
    }
}

fn seconds(value: &[u8]) -> Result<u64, String> {
    let number = parse_i64(value).ok_or("ERR maxage is not an integer or out of range")?;
    let positive = u64::try_from(number).ok().filter(|&seconds| seconds > 0);
    positive.ok_or_else(|| "ERR maxage should be greater than 0".into())
}

/// Ends all whom the filter fits. The client itself ends when it has its reply.
fn end_all(ctx: &mut Ctx<'_>, filter: &Filter<'_>) -> usize {
    let (me, now) = (ctx.client.id, unix_ms());
    let mine = !filter.spares_me && filter.fits(&ctx.client.shared, now);
    let others = ctx.server.clients.kill(|client| client.id != me && filter.fits(client, now));
    ctx.client.closing |= mine;
    others + usize::from(mine)
}
