//! Replies of commands as Lua values, and a script's result as a reply.

use crate::lua::{Kind, NESTING, Raised, Stack};
use crate::protocol::args::{parse_f64, parse_i64};
use crate::protocol::reply::{Mark, Reply};

/// Slots that one level of nesting needs.
const SLOTS: usize = 8;
const TOO_DEEP: &str = "ERR reached lua stack limit";

// -- replies to values ----------------------------------------------------------------------------------------------

/// Reads replies of our own writing, RESP2 or RESP3, and pushes them as values.
pub(super) struct Replies<'b> {
    rest: &'b [u8],
    resp3: bool,
}

impl<'b> Replies<'b> {
    pub(super) fn new(bytes: &'b [u8], resp3: bool) -> Replies<'b> {
        Replies { rest: bytes, resp3 }
    }

    fn line(&mut self) -> &'b [u8] {
        let end = memchr::memchr(b'\r', self.rest).unwrap_or(self.rest.len());
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest.get(2..).unwrap_or_default();
        line
    }

    fn number(&mut self) -> i64 {
        parse_i64(self.line()).unwrap_or(0)
    }

    /// The text of a length that has been read; none if that is negative.
    fn text(&mut self) -> Option<&'b [u8]> {
        let len = usize::try_from(self.number()).ok()?;
        let (text, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest.get(2..).unwrap_or_default();
        Some(text)
    }

    /// Pushes the next reply.
    pub(super) fn push(&mut self, stack: &mut Stack<'_>) -> Result<(), Raised> {
        if !stack.reserve(SLOTS) {
            return Err(stack.raise(TOO_DEEP.as_bytes()));
        }
        let Some((&kind, rest)) = self.rest.split_first() else {
            stack.push_nil();
            return Ok(());
        };
        self.rest = rest;
        match kind {
            b'$' => match self.text() {
                Some(text) => stack.push_bytes(text),
                None => self.push_null(stack),
            },
            b':' => {
                let number = self.number();
                stack.push_number(number as f64);
            }
            b'+' => self.push_field(stack, "ok"),
            b'-' => push_error(stack, &String::from_utf8_lossy(self.line())),
            b'*' | b'>' => return self.push_array(stack),
            b'%' => return self.push_pairs(stack, "map"),
            b'|' => return self.push_behind_attribute(stack),
            b'~' => return self.push_pairs(stack, "set"),
            _ => self.push_scalar(stack, kind),
        }
        Ok(())
    }

    /// The rest of RESP3.
    fn push_scalar(&mut self, stack: &mut Stack<'_>, kind: u8) {
        match kind {
            b'_' => {
                self.line();
                self.push_null(stack);
            }
            b'#' => {
                let is_true = self.line() == b"t";
                stack.push_boolean(is_true);
            }
            b',' => {
                let number = parse_f64(self.line()).unwrap_or(f64::NAN);
                stack.push_table(0, 1);
                stack.push_number(number);
                stack.set_field(-2, "double");
            }
            b'=' => self.push_verbatim(stack),
            _ => self.push_field(stack, "big_number"),
        }
    }

    fn push_null(&self, stack: &mut Stack<'_>) {
        if self.resp3 { stack.push_nil() } else { stack.push_boolean(false) }
    }

    fn push_field(&mut self, stack: &mut Stack<'_>, name: &str) {
        let line = self.line();
        stack.push_table(0, 1);
        stack.push_bytes(line);
        stack.set_field(-2, name);
    }

    fn push_verbatim(&mut self, stack: &mut Stack<'_>) {
        let text = self.text().unwrap_or_default();
        let (format, text) = text.split_at(text.len().min(3));
        stack.push_table(0, 1);
        stack.push_table(0, 2);
        stack.push_bytes(format);
        stack.set_field(-2, "format");
        stack.push_bytes(text.get(1..).unwrap_or_default());
        stack.set_field(-2, "string");
        stack.set_field(-2, "verbatim_string");
    }

    fn push_array(&mut self, stack: &mut Stack<'_>) -> Result<(), Raised> {
        let Ok(count) = usize::try_from(self.number()) else {
            self.push_null(stack);
            return Ok(());
        };
        stack.push_table(count, 0);
        for number in 1..=count {
            if stack.is_over_limit() {
                return Err(stack.raise(b"not enough memory"));
            }
            self.push(stack)?;
            stack.set_element(-2, number as i32);
        }
        Ok(())
    }

    /// What follows an attribute, which itself is nothing that a script could see.
    fn push_behind_attribute(&mut self, stack: &mut Stack<'_>) -> Result<(), Raised> {
        let pairs = usize::try_from(self.number()).unwrap_or(0);
        for _ in 0..2 * pairs {
            self.push(stack)?;
            stack.pop(1);
        }
        self.push(stack)
    }

    /// A map, or a set as a map to `true`, inside a table that says which it is.
    fn push_pairs(&mut self, stack: &mut Stack<'_>, name: &str) -> Result<(), Raised> {
        let count = usize::try_from(self.number()).unwrap_or(0);
        stack.push_table(0, 1);
        stack.push_table(0, count);
        for _ in 0..count {
            if stack.is_over_limit() {
                return Err(stack.raise(b"not enough memory"));
            }
            self.push(stack)?;
            if name == "map" {
                self.push(stack)?
            } else {
                stack.push_boolean(true)
            }
            // A table cannot have nil as a key.
            if stack.kind(-2) == Kind::Nil { stack.pop(2) } else { stack.set_pair(-3) }
        }
        stack.set_field(-2, name);
        Ok(())
    }
}

/// The field that says of an error table that its error has been counted.
const COUNTED: &str = "ignore_error_stats_update";

/// Whether the error table on top is of an error that has been counted.
pub(super) fn was_counted(stack: &mut Stack<'_>) -> bool {
    stack.get_field(-1, COUNTED);
    let counted = stack.truth(-1);
    stack.pop(1);
    counted
}

/// Pushes the table that stands for an error whose code is its first word. It has been counted already, or never is.
pub(super) fn push_error(stack: &mut Stack<'_>, text: &str) {
    stack.push_table(0, 4);
    stack.push_bytes(text.as_bytes());
    stack.set_field(-2, "err");
    stack.push_boolean(true);
    stack.set_field(-2, COUNTED);
}

// -- values to replies ----------------------------------------------------------------------------------------------

/// Writes the value on top as a reply, and takes it. `resp3` is what the script has set by `redis.setresp`.
pub(super) fn reply(stack: &mut Stack<'_>, resp3: bool, out: &mut Reply<'_>) {
    if stack.top() > NESTING || !stack.reserve(SLOTS) {
        out.error(TOO_DEEP);
    } else {
        match stack.kind(-1) {
            Kind::String => out.bulk(stack.bytes(-1).unwrap_or_default()),
            Kind::Number => out.int(to_integer(stack.number(-1).unwrap_or(0.0))),
            Kind::Boolean => reply_boolean(stack.truth(-1), resp3, out),
            Kind::Table => reply_table(stack, resp3, out),
            _ => out.null(),
        }
    }
    stack.pop(1);
}

/// A number as C cuts it: what does not fit becomes the least integer.
fn to_integer(number: f64) -> i64 {
    let fits = number >= -(2f64.powi(63)) && number < 2f64.powi(63);
    if fits { number as i64 } else { i64::MIN }
}

/// A script that speaks RESP2 has no booleans, whatever its client speaks.
fn reply_boolean(value: bool, resp3: bool, out: &mut Reply<'_>) {
    match (resp3, value) {
        (true, value) => out.bool(value),
        (false, true) => out.int(1),
        (false, false) => out.null(),
    }
}

/// The text in the field `name` of the table on top.
fn text_field(stack: &mut Stack<'_>, name: &str) -> Option<Vec<u8>> {
    stack.get_field(-1, name);
    let text = stack.bytes(-1).map(<[u8]>::to_vec);
    stack.pop(1);
    text
}

/// Pushes the field `name` of the table on top if it is of this kind.
fn push_field(stack: &mut Stack<'_>, name: &str, kind: Kind) -> bool {
    stack.get_field(-1, name);
    let is = stack.kind(-1) == kind;
    if !is {
        stack.pop(1);
    }
    is
}

/// A table with certain fields stands for a kind of reply; any other is an array up to its first nil.
fn reply_table(stack: &mut Stack<'_>, resp3: bool, out: &mut Reply<'_>) {
    if let Some(text) = text_field(stack, "err") {
        let text = error_text(&text);
        return if was_counted(stack) { out.counted_error(&text) } else { out.error(&text) };
    }
    if let Some(text) = text_field(stack, "ok") {
        return out.simple(&String::from_utf8_lossy(&text));
    }
    if push_field(stack, "double", Kind::Number) {
        out.double(stack.number(-1).unwrap_or(0.0));
        return stack.pop(1);
    }
    if push_field(stack, "map", Kind::Table) {
        return reply_pairs(stack, resp3, out, true);
    }
    if push_field(stack, "set", Kind::Table) {
        return reply_pairs(stack, resp3, out, false);
    }
    if let Some(digits) = text_field(stack, "big_number") {
        return out.big_number(&one_line(&digits));
    }
    if push_field(stack, "verbatim_string", Kind::Table) {
        let parts = (text_field(stack, "format"), text_field(stack, "string"));
        stack.pop(1);
        if let (Some(format), Some(text)) = parts {
            let mut three = [b' '; 3];
            three.iter_mut().zip(&format).for_each(|(to, from)| *to = *from);
            return out.verbatim(&three, &text);
        }
    }
    reply_array(stack, resp3, out);
}

fn one_line(text: &[u8]) -> String {
    String::from_utf8_lossy(text).replace(['\r', '\n', '\0'], " ")
}

/// An error without its dash: a script may have put one before it.
pub(super) fn error_text(text: &[u8]) -> String {
    one_line(text.strip_prefix(b"-").unwrap_or(text))
}

fn reply_pairs(stack: &mut Stack<'_>, resp3: bool, out: &mut Reply<'_>, with_values: bool) {
    let mut count = 0;
    stack.push_nil();
    while stack.next(-2) {
        count += 1;
        stack.pop(1);
    }
    if with_values {
        out.map(count)
    } else {
        out.set(count)
    }
    stack.push_nil();
    while stack.next(-2) {
        stack.copy(-2);
        reply(stack, resp3, out);
        if with_values { reply(stack, resp3, out) } else { stack.pop(1) }
    }
    stack.pop(1);
}

fn reply_array(stack: &mut Stack<'_>, resp3: bool, out: &mut Reply<'_>) {
    let start: Mark = out.begin_array();
    let mut count = 0;
    loop {
        stack.get_element(-1, count as i32 + 1);
        if stack.kind(-1) == Kind::Nil {
            stack.pop(1);
            break;
        }
        reply(stack, resp3, out);
        count += 1;
    }
    out.end_array(start, count);
}
