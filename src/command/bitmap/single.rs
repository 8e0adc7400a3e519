//! One bit: SETBIT and GETBIT.

use super::{bits, parse_offset, text};
use crate::command::Ctx;

const BAD_BIT: &str = "ERR bit is not an integer or out of range";

pub(super) fn setbit(ctx: &mut Ctx<'_>) {
    match set(ctx) {
        Ok(was) => ctx.reply.int(was.into()),
        Err(text) => ctx.reply.error(text),
    }
}

fn set(ctx: &mut Ctx<'_>) -> Result<bool, &'static str> {
    let offset = parse_offset(ctx, ctx.arg(2))?;
    let on = match ctx.arg(3) {
        b"0" => false,
        b"1" => true,
        _ => return Err(BAD_BIT),
    };
    text::edit(ctx, bits::byte_of(offset) + 1, |bytes| {
        let was = bits::set(bytes, offset, on);
        (was, was != on)
    })
}

pub(super) fn getbit(ctx: &mut Ctx<'_>) {
    let bit = parse_offset(ctx, ctx.arg(2))
        .and_then(|offset| text::read(ctx, |text| text.is_some_and(|bytes| bits::get(bytes, offset))));
    match bit {
        Ok(bit) => ctx.reply.int(bit.into()),
        Err(text) => ctx.reply.error(text),
    }
}
