//! DEBUG PROTOCOL: one reply of each type, so that clients can be tested against them.

use crate::command::Ctx;

const TYPES: &str = "ERR Wrong protocol type name. Please use one of the following: \
    string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false";

/// What Redis answers as its double.
#[expect(clippy::approx_constant, reason = "clients are tested against exactly these digits")]
const DOUBLE: f64 = 3.141;

pub(super) fn reply(ctx: &mut Ctx<'_>) {
    let reply = &mut ctx.reply;
    match ctx.args.get(2).unwrap_or_default().to_ascii_lowercase().as_slice() {
        b"string" => reply.bulk(b"Hello World"),
        b"integer" => reply.int(12345),
        b"double" => reply.double(DOUBLE),
        b"bignum" => reply.big_number("1234567999999999999999999999999999999"),
        b"null" => reply.null(),
        b"array" => {
            reply.array(3);
            (0..3).for_each(|number| reply.int(number));
        }
        b"set" => {
            reply.set(3);
            (0..3).for_each(|number| reply.int(number));
        }
        b"map" => map(ctx),
        b"attrib" => attribute(ctx),
        b"push" => push(ctx),
        b"verbatim" => reply.verbatim(b"txt", b"This is a verbatim\nstring"),
        b"true" => reply.bool(true),
        b"false" => reply.bool(false),
        _ => reply.error(TYPES),
    }
}

fn map(ctx: &mut Ctx<'_>) {
    ctx.reply.map(3);
    for number in 0..3 {
        ctx.reply.int(number);
        ctx.reply.bool(number == 1);
    }
}

/// An attribute is no reply: one follows it. RESP2 has none.
fn attribute(ctx: &mut Ctx<'_>) {
    if ctx.reply.resp3() {
        ctx.reply.attribute(1);
        ctx.reply.bulk(b"key-popularity");
        ctx.reply.array(2);
        ctx.reply.bulk(b"key:123");
        ctx.reply.int(90);
    }
    ctx.reply.bulk(b"Some real reply following the attribute");
}

/// A push message answers nothing: the reply follows it.
fn push(ctx: &mut Ctx<'_>) {
    if !ctx.reply.resp3() {
        return ctx.reply.error("ERR RESP2 is not supported by this command");
    }
    ctx.reply.push(2);
    ctx.reply.bulk(b"server-cpu-usage");
    ctx.reply.int(42);
    ctx.reply.bulk(b"Some real reply following the push reply");
}
