//! `cjson`: JSON, with the results and error texts of Lua CJSON 2.1.0.

mod decode;
mod encode;

use super::{Kind, Outcome, Raised, Stack};

/// Digits of a number at most.
const MOST_DIGITS: i64 = 14;

/// What the library's functions that bear the same names set. Every script starts with the defaults.
#[derive(Clone, Copy)]
pub(super) struct Settings {
    sparse_convert: bool,
    sparse_ratio: i64,
    sparse_safe: i64,
    encode_max_depth: i64,
    decode_max_depth: i64,
    encode_invalid: Invalid,
    decode_invalid: Invalid,
    keep_buffer: bool,
    digits: i64,
}

/// What becomes of infinity and NaN.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Invalid {
    Off,
    On,
    Null,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            sparse_convert: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_max_depth: 1000,
            decode_max_depth: 1000,
            encode_invalid: Invalid::Off,
            decode_invalid: Invalid::On,
            keep_buffer: true,
            digits: MOST_DIGITS,
        }
    }
}

/// Pushes the library.
pub fn build(stack: &mut Stack<'_>) {
    stack.push_table(0, 14);
    stack.add_native("encode", encode::encode);
    stack.add_native("decode", decode::decode);
    stack.add_native("encode_sparse_array", encode_sparse_array);
    stack.add_native("encode_max_depth", encode_max_depth);
    stack.add_native("decode_max_depth", decode_max_depth);
    stack.add_native("encode_number_precision", encode_number_precision);
    stack.add_native("encode_keep_buffer", encode_keep_buffer);
    stack.add_native("encode_invalid_numbers", encode_invalid_numbers);
    stack.add_native("decode_invalid_numbers", decode_invalid_numbers);
    stack.add_native("new", |stack| {
        build(stack);
        stack.one()
    });
    stack.push_null();
    stack.set_field(-2, "null");
    for (name, value) in [("_NAME", "cjson"), ("_VERSION", "2.1.0")] {
        stack.push_bytes(value.as_bytes());
        stack.set_field(-2, name);
    }
}

/// Makes the number of arguments `count`.
fn arguments(stack: &mut Stack<'_>, count: usize) -> Result<Settings, Raised> {
    if stack.top() > count {
        return Err(stack.bad_argument(count as i32 + 1, "found too many arguments"));
    }
    stack.set_top(count);
    Ok(stack.shared().cjson.get())
}

/// Changes settings, and pushes what they are afterwards.
fn set(
    stack: &mut Stack<'_>,
    count: usize,
    change: impl FnOnce(&mut Stack<'_>, &mut Settings) -> Result<(), Raised>,
) -> Outcome {
    let mut settings = arguments(stack, count)?;
    change(stack, &mut settings)?;
    stack.shared().cjson.set(settings);
    Ok(count)
}

fn integer(
    stack: &mut Stack<'_>,
    number: i32,
    setting: &mut i64,
    least: i64,
    most: i64,
) -> Result<(), Raised> {
    if stack.kind(number) != Kind::Nil {
        let value = stack.check_integer(number)?;
        if value < least || value > most {
            let why = format!("expected integer between {least} and {most}");
            return Err(stack.bad_argument(1, &why));
        }
        *setting = value;
    }
    stack.push_number(*setting as f64);
    Ok(())
}

fn boolean(stack: &mut Stack<'_>, number: i32, setting: &mut bool) -> Result<(), Raised> {
    match stack.kind(number) {
        Kind::Nil => {}
        Kind::Boolean => *setting = stack.truth(number),
        _ => return Err(stack.wrong_kind(number, "boolean")),
    }
    stack.push_boolean(*setting);
    Ok(())
}

fn invalid(stack: &mut Stack<'_>, setting: &mut Invalid, with_null: bool) -> Result<(), Raised> {
    match stack.kind(1) {
        Kind::Nil => {}
        Kind::Boolean => *setting = if stack.truth(1) { Invalid::On } else { Invalid::Off },
        _ => {
            *setting = match &*stack.check_bytes(1)? {
                b"off" => Invalid::Off,
                b"on" => Invalid::On,
                b"null" if with_null => Invalid::Null,
                other => {
                    let why = format!("invalid option '{}'", String::from_utf8_lossy(other));
                    return Err(stack.bad_argument(1, &why));
                }
            }
        }
    }
    match setting {
        Invalid::Null => stack.push_bytes(b"null"),
        value => stack.push_boolean(*value == Invalid::On),
    }
    Ok(())
}

const INT_MAX: i64 = i32::MAX as i64;

fn encode_sparse_array(stack: &mut Stack<'_>) -> Outcome {
    set(stack, 3, |stack, settings| {
        boolean(stack, 1, &mut settings.sparse_convert)?;
        integer(stack, 2, &mut settings.sparse_ratio, 0, INT_MAX)?;
        integer(stack, 3, &mut settings.sparse_safe, 0, INT_MAX)
    })
}

fn encode_max_depth(stack: &mut Stack<'_>) -> Outcome {
    set(stack, 1, |stack, settings| integer(stack, 1, &mut settings.encode_max_depth, 1, INT_MAX))
}

fn decode_max_depth(stack: &mut Stack<'_>) -> Outcome {
    set(stack, 1, |stack, settings| integer(stack, 1, &mut settings.decode_max_depth, 1, INT_MAX))
}

fn encode_number_precision(stack: &mut Stack<'_>) -> Outcome {
    set(stack, 1, |stack, settings| integer(stack, 1, &mut settings.digits, 1, MOST_DIGITS))
}

/// The buffer is never kept from one call to the next: the setting answers, and makes no difference that could be seen.
fn encode_keep_buffer(stack: &mut Stack<'_>) -> Outcome {
    set(stack, 1, |stack, settings| boolean(stack, 1, &mut settings.keep_buffer))
}

fn encode_invalid_numbers(stack: &mut Stack<'_>) -> Outcome {
    set(stack, 1, |stack, settings| invalid(stack, &mut settings.encode_invalid, true))
}

fn decode_invalid_numbers(stack: &mut Stack<'_>) -> Outcome {
    set(stack, 1, |stack, settings| invalid(stack, &mut settings.decode_invalid, false))
}
