//! LMOVE, RPOPLPUSH and LMOVEM: from one list to another.

use super::pop::greater_than_zero;
use super::{length, limits, or_wrong_type, popped, pushed, side};
use crate::command::{Ctx, error};
use crate::keyspace::{Absent, Edit, WrongType};
use crate::protocol::args::eq_ignore_case;
use crate::value::list::{Limits, List, Side};
use crate::value::packed::Item;

/// In which order several elements arrive.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// As if each were popped and pushed before the next.
    OneByOne,
    /// As they stood in the source.
    Bulk,
}

/// What to move, and from which end to which.
#[derive(Clone, Copy)]
pub(crate) struct Move {
    from: Side,
    to: Side,
    count: usize,
    /// Whether fewer than `count` are refused.
    exactly: bool,
    order: Order,
}

impl Move {
    /// One element: LMOVE and BLMOVE.
    pub(crate) fn one(from: Side, to: Side) -> Move {
        Move { from, to, count: 1, exactly: false, order: Order::OneByOne }
    }

    /// Reads `[<COUNT n | EXACTLY n> <OBO | BULK>]` from argument `at` on: LMOVEM and BLMOVEM; or the error to answer.
    pub(crate) fn parse(ctx: &Ctx<'_>, from: Side, to: Side, at: usize) -> Result<Move, &'static str> {
        let words = ctx.args.slice_from(at);
        if words.is_empty() {
            return Ok(Move::one(from, to));
        }
        let (Some(kind), Some(count), Some(order), 3) =
            (words.get(0), words.get(1), words.get(2), words.len())
        else {
            return Err(error::SYNTAX);
        };
        let exactly = eq_ignore_case(kind, b"EXACTLY");
        if !exactly && !eq_ignore_case(kind, b"COUNT") {
            return Err(error::SYNTAX);
        }
        let count = greater_than_zero(count).ok_or(error::COUNT)?;
        let order = match order {
            order if eq_ignore_case(order, b"OBO") => Order::OneByOne,
            order if eq_ignore_case(order, b"BULK") => Order::Bulk,
            _ => return Err(error::SYNTAX),
        };
        Ok(Move { from, to, count, exactly, order })
    }

    /// How many elements must be there before anything moves.
    pub(crate) fn least(&self) -> usize {
        if self.exactly { self.count } else { 1 }
    }

    /// Takes the elements out, in the order in which they are pushed.
    fn take(&self, list: &mut List, limits: &Limits) -> Vec<Vec<u8>> {
        let mut taken = Vec::new();
        list.pop(self.from, self.count, limits, |item: Item<'_>| taken.push(item.to_vec()));
        if self.order == Order::Bulk && self.from == self.to {
            taken.reverse();
        }
        taken
    }

    fn put(&self, list: &mut List, taken: &[Vec<u8>], limits: &Limits) {
        list.push(self.to, taken.iter().map(Vec::as_slice), limits);
    }

    /// Moves elements from the list at `source` to the one at `destination`, and tells the events. Returns what moved,
    /// as it stands in the destination; nothing if there are too few.
    pub(crate) fn run(
        &self,
        ctx: &mut Ctx<'_>,
        source: &[u8],
        destination: &[u8],
    ) -> Result<Option<Vec<Vec<u8>>>, WrongType> {
        let enough = length(ctx, source)?.is_some_and(|len| len >= self.least());
        if !enough {
            return Ok(None);
        }
        let moved = match source == destination {
            true => self.rotate(ctx, source)?,
            false => self.transfer(ctx, source, destination)?,
        };
        Ok(moved.map(|mut moved| {
            if self.to == Side::Left {
                moved.reverse();
            }
            moved
        }))
    }

    /// Moves within one list. All elements leave before the first comes back.
    fn rotate(&self, ctx: &Ctx<'_>, name: &[u8]) -> Result<Option<Vec<Vec<u8>>>, WrongType> {
        let limits = limits(ctx);
        let edited = ctx.space.edit(ctx.space.key(name), Absent::Skip, |list: &mut List| {
            let taken = self.take(list, &limits);
            self.put(list, &taken, &limits);
            Edit::Changed(taken)
        })?;
        Ok(edited.map(|edited| {
            pushed(ctx, name, self.to);
            popped(ctx, name, self.from, false);
            edited.answer
        }))
    }

    fn transfer(
        &self,
        ctx: &Ctx<'_>,
        source: &[u8],
        destination: &[u8],
    ) -> Result<Option<Vec<Vec<u8>>>, WrongType> {
        let (space, limits) = (ctx.space, limits(ctx));
        // Both types are known to be right before either list changes.
        length(ctx, destination)?;
        let taken = space.edit(space.key(source), Absent::Skip, |list: &mut List| {
            Edit::Changed(self.take(list, &limits))
        })?;
        let Some(taken) = taken else { return Ok(None) };
        let put = space.edit(space.key(destination), Absent::Create, |list: &mut List| {
            self.put(list, &taken.answer, &limits);
            Edit::Changed(())
        })?;
        debug_assert!(put.is_some_and(|put| put.changed));
        pushed(ctx, destination, self.to);
        popped(ctx, source, self.from, taken.ended);
        Ok(Some(taken.answer))
    }
}

pub(super) fn rpoplpush(ctx: &mut Ctx<'_>) {
    move_one(ctx, Side::Right, Side::Left);
}

pub(super) fn lmove(ctx: &mut Ctx<'_>) {
    match (side(ctx.arg(3)), side(ctx.arg(4))) {
        (Some(from), Some(to)) => move_one(ctx, from, to),
        _ => ctx.reply.error(error::SYNTAX),
    }
}

fn move_one(ctx: &mut Ctx<'_>, from: Side, to: Side) {
    let moved = Move::one(from, to).run(ctx, ctx.arg(1), ctx.arg(2));
    match or_wrong_type!(ctx, moved).as_deref() {
        Some([element, ..]) => ctx.reply.bulk(element),
        _ => ctx.reply.null(),
    }
}

pub(super) fn lmovem(ctx: &mut Ctx<'_>) {
    let (Some(from), Some(to)) = (side(ctx.arg(3)), side(ctx.arg(4))) else {
        return ctx.reply.error(error::SYNTAX);
    };
    let request = match Move::parse(ctx, from, to, 5) {
        Ok(request) => request,
        Err(text) => return ctx.reply.error(text),
    };
    let moved = request.run(ctx, ctx.arg(1), ctx.arg(2));
    match or_wrong_type!(ctx, moved) {
        Some(moved) => {
            ctx.reply.array(moved.len());
            moved.iter().for_each(|element| ctx.reply.bulk(element));
        }
        None => ctx.reply.null_array(),
    }
}
