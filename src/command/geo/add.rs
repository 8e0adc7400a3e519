//! GEOADD.

use super::position;
use crate::command::zset::add::{self, Options};
use crate::command::{Ctx, error};
use crate::protocol::args::eq_ignore_case;

pub(super) fn geoadd(ctx: &mut Ctx<'_>) {
    let (mut options, mut first) = (Options::default(), 2);
    while let Some(word) = ctx.args.get(first) {
        if eq_ignore_case(word, b"nx") {
            options.nx = true;
        } else if eq_ignore_case(word, b"xx") {
            options.xx = true;
        } else if eq_ignore_case(word, b"ch") {
            options.ch = true;
        } else {
            break;
        }
        first += 1;
    }
    let words = ctx.args.slice_from(first);
    if !words.len().is_multiple_of(3) || (options.nx && options.xx) {
        return ctx.reply.error(error::SYNTAX);
    }
    let mut pairs = Vec::with_capacity(words.len() / 3);
    for at in (0..words.len()).step_by(3) {
        let [longitude, latitude, member] = [at, at + 1, at + 2].map(|at| words.get(at).unwrap_or_default());
        match position(longitude, latitude) {
            Ok(position) => pairs.push((member, position.score())),
            Err(text) => return ctx.reply.error(&text),
        }
    }
    add::add_pairs(ctx, options, pairs.iter().copied());
}
