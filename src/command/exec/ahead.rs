//! Commands of one pipeline that look up different things in the same large collection, such as HSET of many fields of
//! one hash: what they are going to read is asked for together, before the first of them runs, so that their cache
//! misses overlap. It is a hint: whatever changes meanwhile, the commands look everything up themselves.

use super::{Prepared, WINDOW};
use crate::command::table::Names;
use crate::keyspace::collections::look_ahead;
use crate::protocol::args::{Args, parse_f64};
use crate::protocol::decoder::Decoder;
use crate::sync::epoch::Guard;
use crate::value::collection::Sought;

/// Looks ahead for the commands of the window, the first of which is the batch's number `first`.
pub(super) fn look(window: &[Prepared], decoder: &Decoder, first: usize, guard: &Guard) {
    let (mut at, mut room) = (first, Room::default());
    for same in window.chunk_by(|a, b| a.entry == b.entry) {
        let commands = at..at + same.len();
        at = commands.end;
        if let Some(entry) = same[0].entry {
            room.count = 0;
            for (prepared, at) in same.iter().zip(commands) {
                room.take(prepared, decoder.args(at));
            }
            if room.count > 1 {
                // SAFETY: reached through the table under the guard.
                look_ahead(unsafe { entry.as_ref() }, &room.sought[..room.count], guard);
            }
        }
    }
}

/// What commands on one key look for.
struct Room<'a> {
    sought: [Sought<'a>; WINDOW],
    count: usize,
}

impl Default for Room<'_> {
    fn default() -> Self {
        Room { sought: [Sought::default(); WINDOW], count: 0 }
    }
}

impl<'a> Room<'a> {
    fn take(&mut self, prepared: &Prepared, args: Args<'a>) {
        let Some(names) = prepared.command.and_then(|(_, command)| command.names) else { return };
        let mut at = if names.scored { first_scored(names, args) } else { names.first };
        while let (Some(name), Some(place)) = (args.get(at), self.sought.get_mut(self.count)) {
            let score = if names.scored { args.get(at - 1).and_then(parse_f64) } else { None };
            *place = Sought { name, score };
            self.count += 1;
            if names.step == 0 {
                return;
            }
            at += names.step;
        }
    }
}

/// The first member behind options, which begin with a letter as scores seldom do.
fn first_scored(names: Names, args: Args<'_>) -> usize {
    let is_option =
        |at: usize| args.get(at - 1).and_then(<[u8]>::first).is_some_and(|byte| byte.is_ascii_alphabetic());
    (names.first..).find(|&at| !is_option(at)).unwrap_or(names.first)
}
