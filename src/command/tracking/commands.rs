//! CLIENT TRACKING, CACHING, GETREDIR and TRACKINGINFO.

use std::sync::Arc;

use super::tracker::{Modes, Prefix, Tracker};
use crate::command::client::Client;
use crate::command::footprint::{Footprint, Setting};
use crate::command::state::Server;
use crate::command::{Ctx, error};
use crate::protocol::args::{Args, eq_ignore_case, parse_i64};

const SWITCH_BCAST: &str = "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.";
const SWITCH_OPTING: &str = "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.";
const NOT_OPTING: &str = "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled";

/// CLIENT TRACKING that begins a broadcast runs while everything is closed, because the mark that it sets is for all.
pub(in crate::command) fn footprint(
    _: &Server,
    _: &Client,
    args: Args<'_>,
    _: Setting,
    footprint: &mut Footprint,
) {
    if args.iter().skip(3).any(|word| eq_ignore_case(word, b"bcast")) {
        footprint.add_everything();
    }
}

/// What CLIENT TRACKING ON was asked for.
#[derive(Default)]
struct Wish {
    modes: u32,
    redirect: Option<u64>,
    prefixes: Vec<Prefix>,
}

impl Wish {
    fn modes(&self) -> Modes {
        Modes::from_bits_truncate(self.modes)
    }

    fn parse(ctx: &Ctx<'_>) -> Result<Wish, String> {
        let (mut wish, mut at) = (Wish::default(), 3);
        while let Some(word) = ctx.args.get(at) {
            let operand = ctx.args.get(at + 1);
            let is = |name: &[u8]| eq_ignore_case(word, name);
            match operand {
                Some(id) if is(b"redirect") => {
                    wish.set_redirect(ctx, id)?;
                    at += 1;
                }
                Some(prefix) if is(b"prefix") => {
                    wish.prefixes.push(prefix.into());
                    at += 1;
                }
                _ => wish.modes |= mode(word)?.bits(),
            }
            at += 1;
        }
        Ok(wish)
    }

    fn set_redirect(&mut self, ctx: &Ctx<'_>, id: &[u8]) -> Result<(), &'static str> {
        if self.redirect.is_some() {
            return Err("ERR A client can only redirect to a single other client");
        }
        let id = parse_i64(id).ok_or(error::NOT_AN_INTEGER)?;
        let known = u64::try_from(id).ok().filter(|&id| ctx.server.clients.get(id).is_some());
        self.redirect = Some(known.ok_or("ERR The client ID you want redirect to does not exist")?);
        Ok(())
    }

    /// Whether the wish makes sense, and fits to how the client tracks already.
    fn check(&self, old: Modes) -> Result<(), &'static str> {
        let (modes, on) = (self.modes(), old.contains(Modes::ON));
        let opting = Modes::OPTIN | Modes::OPTOUT;
        if !modes.contains(Modes::BCAST) && !self.prefixes.is_empty() {
            return Err("ERR PREFIX option requires BCAST mode to be enabled");
        }
        if on && old.contains(Modes::BCAST) != modes.contains(Modes::BCAST) {
            return Err(SWITCH_BCAST);
        }
        if modes.contains(Modes::BCAST) && modes.intersects(opting) {
            return Err("ERR OPTIN and OPTOUT are not compatible with BCAST");
        }
        if modes.contains(opting) {
            return Err("ERR You can't specify both OPTIN mode and OPTOUT mode");
        }
        let switches =
            (modes & opting).bits() != 0 && old.intersects(opting) && (old & opting) != (modes & opting);
        if on && switches { Err(SWITCH_OPTING) } else { Ok(()) }
    }
}

fn mode(word: &[u8]) -> Result<Modes, &'static str> {
    const MODES: [(&[u8], Modes); 4] = [
        (b"bcast", Modes::BCAST),
        (b"optin", Modes::OPTIN),
        (b"optout", Modes::OPTOUT),
        (b"noloop", Modes::NOLOOP),
    ];
    let found = MODES.iter().find(|(name, _)| eq_ignore_case(word, name));
    found.map(|(_, mode)| *mode).ok_or(error::SYNTAX)
}

/// Of two prefixes that overlap, every key of one would be told twice.
fn check_prefixes(new: &[Prefix], old: &[Prefix]) -> Result<(), String> {
    let overlap = |one: &[u8], other: &[u8]| one.starts_with(other) || other.starts_with(one);
    for (at, prefix) in new.iter().enumerate() {
        let known = old.iter().map(|old| (old, "an existing"));
        let provided = new[at + 1..].iter().map(|other| (other, "another provided"));
        for (other, which) in known.chain(provided) {
            if overlap(prefix, other) {
                let (one, other) = (String::from_utf8_lossy(prefix), String::from_utf8_lossy(other));
                return Err(format!(
                    "ERR Prefix '{one}' overlaps with {which} prefix '{other}'. \
                     Prefixes for a single client must not overlap."
                ));
            }
        }
    }
    Ok(())
}

/// CLIENT TRACKING.
pub(in crate::command) fn track(ctx: &mut Ctx<'_>) {
    let answer = match Wish::parse(ctx) {
        Err(text) => Err(text),
        Ok(wish) if eq_ignore_case(ctx.arg(2), b"on") => begin(ctx, wish),
        Ok(_) if eq_ignore_case(ctx.arg(2), b"off") => {
            ctx.client.stop_tracking(ctx.server);
            Ok(())
        }
        Ok(_) => Err(error::SYNTAX.into()),
    };
    match answer {
        Ok(()) => ctx.reply.ok(),
        Err(text) => ctx.reply.error(&text),
    }
}

fn begin(ctx: &mut Ctx<'_>, mut wish: Wish) -> Result<(), String> {
    let tracker = match &ctx.client.tracker {
        Some(tracker) => Arc::clone(tracker),
        None => Arc::new(Tracker::new(ctx.client.id, ctx.client.shared.home().unwrap_or_default())),
    };
    wish.check(tracker.modes())?;
    if wish.modes().contains(Modes::BCAST) {
        check_prefixes(&wish.prefixes, &tracker.prefixes())?;
        if wish.prefixes.is_empty() && tracker.prefixes().is_empty() {
            wish.prefixes.push(Prefix::default());
        }
    }
    tracker.set_modes(wish.modes() | Modes::ON);
    tracker.set_redirect(wish.redirect.unwrap_or(0));
    let (desk, keyspace) = (&ctx.server.tracking, &ctx.server.keyspace);
    if !wish.prefixes.is_empty() {
        desk.broadcast.join(&keyspace.readers, &keyspace.gate, &tracker, &wish.prefixes);
    }
    desk.enter(&tracker);
    ctx.client.tracker = Some(tracker);
    Ok(())
}

impl Client {
    /// The client keeps no copies any more.
    pub(in crate::command) fn stop_tracking(&mut self, server: &Server) {
        if let Some(tracker) = self.tracker.take() {
            server.tracking.leave(&server.keyspace, &tracker);
        }
    }

    /// How it tracks.
    pub(in crate::command) fn tracking(&self) -> Modes {
        self.tracker.as_ref().map_or(Modes::empty(), |tracker| tracker.modes())
    }
}

/// CLIENT CACHING.
pub(in crate::command) fn caching(ctx: &mut Ctx<'_>) {
    let modes = ctx.client.tracking();
    if !modes.intersects(Modes::OPTIN | Modes::OPTOUT) {
        return ctx.reply.error(NOT_OPTING);
    }
    let word = ctx.arg(2);
    let (yes, no) = (eq_ignore_case(word, b"yes"), eq_ignore_case(word, b"no"));
    if !yes && !no {
        return ctx.reply.error(error::SYNTAX);
    }
    if yes && !modes.contains(Modes::OPTIN) {
        return ctx
            .reply
            .error("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
    }
    if no && !modes.contains(Modes::OPTOUT) {
        return ctx
            .reply
            .error("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
    }
    if let Some(tracker) = &ctx.client.tracker {
        tracker.add_modes(Modes::CACHING);
    }
    ctx.reply.ok();
}

/// Who gets the client's news: -1 when it tracks nothing, 0 itself.
fn redirection(client: &Client) -> i64 {
    client.tracker.as_ref().map_or(-1, |tracker| tracker.redirect() as i64)
}

/// CLIENT GETREDIR.
pub(in crate::command) fn get_redirection(ctx: &mut Ctx<'_>) {
    ctx.reply.int(redirection(ctx.client));
}

/// CLIENT TRACKINGINFO.
pub(in crate::command) fn info(ctx: &mut Ctx<'_>) {
    let words = words(ctx.client.tracking());
    let reply = &mut ctx.reply;
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(words.len());
    words.iter().for_each(|word| reply.bulk(word.as_bytes()));
    reply.bulk(b"redirect");
    reply.int(redirection(ctx.client));
    reply.bulk(b"prefixes");
    let prefixes = ctx.client.tracker.as_ref().map(|tracker| tracker.prefixes().clone()).unwrap_or_default();
    reply.array(prefixes.len());
    prefixes.iter().for_each(|prefix| reply.bulk(prefix));
}

fn words(modes: Modes) -> Vec<&'static str> {
    if !modes.contains(Modes::ON) {
        return vec!["off"];
    }
    let mut words = vec!["on"];
    let mut add = |mode: Modes, word| {
        if modes.contains(mode) {
            words.push(word);
        }
    };
    add(Modes::BCAST, "bcast");
    add(Modes::OPTIN, "optin");
    add(Modes::OPTIN | Modes::CACHING, "caching-yes");
    add(Modes::OPTOUT, "optout");
    add(Modes::OPTOUT | Modes::CACHING, "caching-no");
    add(Modes::NOLOOP, "noloop");
    add(Modes::BROKEN, "broken_redirect");
    words
}
