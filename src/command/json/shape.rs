//! JSON.RESP and JSON.DEBUG.

use super::{Outcome, TOO_MUCH, look, look_in, no_path, path_at};
use crate::command::{Ctx, container};
use crate::protocol::args::eq_ignore_case;
use crate::protocol::reply::Reply;
use crate::value::json::{Value, print};

const UNKNOWN: &str = "ERR unknown subcommand - try `JSON.DEBUG HELP`";
const HELP: [&str; 2] = ["MEMORY <key> [path] - reports memory usage", "HELP                - this message"];

/// Replies a value in the types of the protocol. What begins an array or object tells an empty one from the other.
fn put(value: &Value, reply: &mut Reply<'_>) {
    match value {
        Value::Null => reply.null(),
        Value::Bool(truth) => reply.simple(if *truth { "true" } else { "false" }),
        Value::Int(int) => reply.int(*int),
        Value::Unsigned(_) | Value::Float(_) => {
            let mut text = Vec::new();
            print::print(value, &mut text);
            reply.bulk(&text);
        }
        Value::Text(text) => reply.bulk(text.as_bytes()),
        Value::Array(items) => {
            reply.array(items.len() + 1);
            reply.simple("[");
            items.iter().for_each(|item| put(item, reply));
        }
        Value::Object(object) => {
            reply.array(2 * object.members().len() + 1);
            reply.simple("{");
            for member in object.members() {
                reply.bulk(member.name.as_bytes());
                put(&member.value, reply);
            }
        }
    }
}

pub(super) fn resp(ctx: &mut Ctx<'_>) -> Outcome<()> {
    let path = path_at(ctx, 2)?;
    let (space, key, reply) = (ctx.space, ctx.key(1), &mut ctx.reply);
    let answered = look_in(space, key, |root| {
        if path.is_legacy() {
            let first = path.first(root).map_err(|_| TOO_MUCH)?;
            put(first.ok_or_else(|| no_path(path.full()))?, reply);
            return Ok(());
        }
        let values = path.values(root).map_err(|_| TOO_MUCH)?;
        reply.array(values.len());
        values.into_iter().for_each(|value| put(value, reply));
        Ok(())
    })?;
    answered.unwrap_or_else(|| {
        ctx.reply.null();
        Ok(())
    })
}

pub(super) fn debug(ctx: &mut Ctx<'_>) -> Outcome<()> {
    let word = ctx.arg(1);
    if eq_ignore_case(word, b"help") {
        ctx.reply.array(HELP.len());
        HELP.iter().for_each(|line| ctx.reply.bulk(line.as_bytes()));
        return Ok(());
    }
    if !eq_ignore_case(word, b"memory") {
        return Err(UNKNOWN.into());
    }
    if ctx.args.len() < 3 {
        return Err(container::wrong_arity(ctx.command).into());
    }
    memory(ctx)
}

fn memory(ctx: &mut Ctx<'_>) -> Outcome<()> {
    let path = path_at(ctx, 3)?;
    let sizes = look(ctx, 2, |root| {
        let values = path.values(root);
        values.map(|values| values.into_iter().map(Value::bytes).collect::<Vec<_>>())
    })?;
    let is_there = sizes.is_some();
    let sizes = sizes.transpose().map_err(|_| TOO_MUCH)?.unwrap_or_default();
    match (path.is_legacy(), sizes.first()) {
        (true, Some(first)) => ctx.reply.int(*first as i64),
        (true, None) if is_there => return Err(no_path(path.full())),
        (true, None) => ctx.reply.int(0),
        (false, _) => {
            ctx.reply.array(sizes.len());
            sizes.iter().for_each(|size| ctx.reply.int(*size as i64));
        }
    }
    Ok(())
}
