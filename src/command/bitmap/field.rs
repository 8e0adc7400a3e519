//! BITFIELD: integers of any width inside a string.

use super::{BAD_OFFSET, bits, parse_offset, text, within};
use crate::command::{Ctx, error};
use crate::protocol::args::{eq_ignore_case, parse_i64, parse_u64};

const BAD_TYPE: &str =
    "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.";

/// An integer's type: `i1` to `i64`, `u1` to `u63`.
#[derive(Clone, Copy)]
struct Kind {
    signed: bool,
    width: u32,
}

impl Kind {
    fn parse(text: &[u8]) -> Option<Kind> {
        let (signed, widest) = match text.first()? {
            b'i' => (true, 64),
            b'u' => (false, 63),
            _ => return None,
        };
        let width = parse_i64(&text[1..]).and_then(|width| u32::try_from(width).ok())?;
        (1..=widest).contains(&width).then_some(Kind { signed, width })
    }

    /// The least and the greatest value.
    fn bounds(self) -> (i128, i128) {
        let magnitude = 1i128 << (self.width - u32::from(self.signed));
        (if self.signed { -magnitude } else { 0 }, magnitude - 1)
    }

    /// The value that the bits mean.
    fn value(self, bits: u64) -> i64 {
        let unused = 64 - self.width;
        if self.signed { (bits << unused) as i64 >> unused } else { bits as i64 }
    }
}

/// What happens to a value that does not fit its type.
#[derive(Clone, Copy)]
enum Overflow {
    /// The bits that do not fit are lost.
    Wrap,
    /// The nearest value that fits is taken.
    Saturate,
    /// Nothing changes, and the answer is null.
    Fail,
}

impl Overflow {
    fn parse(text: &[u8]) -> Result<Overflow, &'static str> {
        let all = [("wrap", Overflow::Wrap), ("sat", Overflow::Saturate), ("fail", Overflow::Fail)];
        let found = all.into_iter().find(|(name, _)| eq_ignore_case(text, name.as_bytes()));
        found.map(|(_, overflow)| overflow).ok_or("ERR Invalid OVERFLOW type specified")
    }

    /// The value to store, if any.
    fn fit(self, kind: Kind, value: i128) -> Option<i64> {
        let (least, greatest) = kind.bounds();
        match self {
            _ if (least..=greatest).contains(&value) => Some(value as i64),
            Overflow::Wrap => Some(kind.value(value as u64 & (u64::MAX >> (64 - kind.width)))),
            Overflow::Saturate => Some(value.clamp(least, greatest) as i64),
            Overflow::Fail => None,
        }
    }
}

/// What is done with one field.
#[derive(Clone, Copy)]
enum Action {
    Get,
    Set(i64, Overflow),
    IncrBy(i64, Overflow),
}

/// One subcommand.
#[derive(Clone, Copy)]
struct Step {
    action: Action,
    kind: Kind,
    offset: u64,
}

impl Step {
    /// The field's value now.
    fn read(self, bytes: &[u8]) -> i64 {
        self.kind.value(bits::get_field(bytes, self.offset, self.kind.width))
    }

    /// Does what is to be done: the answer (none for null), and whether the bytes are others now.
    fn run(self, bytes: &mut [u8]) -> (Option<i64>, bool) {
        let old = self.read(bytes);
        let (new, answers_new) = match self.action {
            Action::Get => return (Some(old), false),
            Action::Set(value, overflow) => (overflow.fit(self.kind, self.operand(value)), false),
            Action::IncrBy(by, overflow) => (overflow.fit(self.kind, i128::from(old) + i128::from(by)), true),
        };
        let Some(new) = new else { return (None, false) };
        bits::set_field(bytes, self.offset, self.kind.width, new as u64);
        (Some(if answers_new { new } else { old }), true)
    }

    /// A value to be set; a negative one for an unsigned field is a very large one, as in Redis.
    fn operand(self, value: i64) -> i128 {
        if self.kind.signed { value.into() } else { (value as u64).into() }
    }

    /// Bytes that the string must have for the step.
    fn needs(&self) -> usize {
        match self.action {
            Action::Get => 0,
            _ => bits::byte_of(self.last()) + 1,
        }
    }

    /// The number of the last bit.
    fn last(&self) -> u64 {
        self.offset + u64::from(self.kind.width) - 1
    }
}

fn parse(ctx: &Ctx<'_>) -> Result<Vec<Step>, &'static str> {
    let (mut steps, mut overflow, mut at) = (Vec::new(), Overflow::Wrap, 2);
    while let Some(name) = ctx.args.get(at) {
        let left = ctx.args.len() - at - 1;
        if eq_ignore_case(name, b"overflow") && left >= 1 {
            overflow = Overflow::parse(ctx.arg(at + 1))?;
            at += 2;
        } else if eq_ignore_case(name, b"get") && left >= 2 {
            steps.push(parse_step(ctx, at, |_| Ok(Action::Get))?);
            at += 3;
        } else if eq_ignore_case(name, b"set") && left >= 3 {
            steps.push(parse_step(ctx, at, |value| Ok(Action::Set(parse_value(value)?, overflow)))?);
            at += 4;
        } else if eq_ignore_case(name, b"incrby") && left >= 3 {
            steps.push(parse_step(ctx, at, |value| Ok(Action::IncrBy(parse_value(value)?, overflow)))?);
            at += 4;
        } else {
            return Err(error::SYNTAX);
        }
    }
    Ok(steps)
}

/// The subcommand at argument `at`; `action` is given what stands behind the offset.
fn parse_step(
    ctx: &Ctx<'_>,
    at: usize,
    action: impl FnOnce(Option<&[u8]>) -> Result<Action, &'static str>,
) -> Result<Step, &'static str> {
    let kind = Kind::parse(ctx.arg(at + 1)).ok_or(BAD_TYPE)?;
    let offset = match ctx.arg(at + 2) {
        [b'#', number @ ..] => {
            let fields = parse_u64(number).and_then(|number| number.checked_mul(kind.width.into()));
            within(ctx, fields.ok_or(BAD_OFFSET)?)?
        }
        text => parse_offset(ctx, text)?,
    };
    let step = Step { action: action(ctx.args.get(at + 3))?, kind, offset };
    if step.needs() > 0 {
        within(ctx, step.last())?;
    }
    Ok(step)
}

fn parse_value(text: Option<&[u8]>) -> Result<i64, &'static str> {
    text.and_then(parse_i64).ok_or(error::NOT_AN_INTEGER)
}

pub(super) fn bitfield(ctx: &mut Ctx<'_>) {
    match parse(ctx) {
        Ok(steps) if steps.iter().all(|step| step.needs() == 0) => look(ctx, &steps),
        Ok(steps) => change(ctx, &steps),
        Err(text) => ctx.reply.error(text),
    }
}

pub(super) fn bitfield_ro(ctx: &mut Ctx<'_>) {
    match parse(ctx) {
        Ok(steps) if steps.iter().all(|step| step.needs() == 0) => look(ctx, &steps),
        Ok(_) => ctx.reply.error("ERR BITFIELD_RO only supports the GET subcommand"),
        Err(text) => ctx.reply.error(text),
    }
}

fn look(ctx: &mut Ctx<'_>, steps: &[Step]) {
    let values = text::read(ctx, |text| {
        let bytes = text.unwrap_or_default();
        steps.iter().map(|step| Some(step.read(bytes))).collect()
    });
    reply(ctx, values);
}

fn change(ctx: &mut Ctx<'_>, steps: &[Step]) {
    let len = steps.iter().map(Step::needs).max().unwrap_or(0);
    let edited = text::edit(ctx, len, |bytes| {
        let mut changed = false;
        let mut run = |step: &Step| {
            let (answer, changes) = step.run(bytes);
            changed |= changes;
            answer
        };
        let values: Vec<Option<i64>> = steps.iter().map(&mut run).collect();
        (values, changed)
    });
    reply(ctx, edited);
}

fn reply(ctx: &mut Ctx<'_>, values: Result<Vec<Option<i64>>, &'static str>) {
    match values {
        Err(text) => ctx.reply.error(text),
        Ok(values) => {
            ctx.reply.array(values.len());
            for value in values {
                match value {
                    Some(value) => ctx.reply.int(value),
                    None => ctx.reply.null(),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_wraps_saturates_or_fails() {
        let kind = |text: &str| Kind::parse(text.as_bytes()).expect("a type");
        let all = [
            ("u8", 256, [Some(0), Some(255), None]),
            ("u8", -1, [Some(255), Some(0), None]),
            ("u1", 3, [Some(1), Some(1), None]),
            ("u63", 1 << 63, [Some(0), Some(i64::MAX), None]),
            ("i8", 128, [Some(-128), Some(127), None]),
            ("i8", -129, [Some(127), Some(-128), None]),
            ("i1", 1, [Some(-1), Some(0), None]),
            ("i64", 1 << 63, [Some(i64::MIN), Some(i64::MAX), None]),
            ("i64", -(1 << 63) - 1, [Some(i64::MAX), Some(i64::MIN), None]),
            ("i64", -(1 << 63), [Some(i64::MIN); 3]),
        ];
        for (name, value, expected) in all {
            let ways = [Overflow::Wrap, Overflow::Saturate, Overflow::Fail];
            assert_eq!(ways.map(|way| way.fit(kind(name), value)), expected, "{name} {value}");
        }
    }

    #[test]
    fn types_are_strict() {
        for text in ["", "i", "u64", "i65", "u0", "i0", "U8", "x8", "i-1", "i08", "u 8", "u99999999999"] {
            assert!(Kind::parse(text.as_bytes()).is_none(), "{text}");
        }
    }
}
