//! How functions of ours raise errors, and ask for their arguments, in Lua's words.

use std::ffi::CStr;

use super::Outcome;
use super::stack::{ROOM, Raised, Stack};

impl Stack<'_> {
    /// Raises `message` as it is.
    #[cold]
    pub fn raise(&mut self, message: &[u8]) -> Raised {
        // Who raises needs nothing of what fills the stack.
        if !self.reserve(ROOM as usize) {
            self.set_top(0);
        }
        self.push_bytes(message);
        Raised
    }

    /// Raises a table with `message` in its field `err`.
    #[cold]
    pub fn raise_table(&mut self, message: &str) -> Raised {
        self.push_table(0, 3);
        self.push_bytes(message.as_bytes());
        self.set_field(-2, "err");
        Raised
    }

    /// Raises `message` behind the caller's chunk and line, as Lua's own functions do.
    #[cold]
    pub fn fail(&mut self, message: &str) -> Raised {
        let mut text = self.caller();
        text.extend_from_slice(message.as_bytes());
        self.raise(&text)
    }

    /// `chunk:line: ` of the running function's caller; empty if that is not Lua's.
    fn caller(&self) -> Vec<u8> {
        let Some(info) = self.info(1, c"Sl").filter(|info| info.currentline > 0) else { return Vec::new() };
        // SAFETY: a C string within the record.
        let chunk = unsafe { CStr::from_ptr(info.short_src.as_ptr()) };
        [chunk.to_bytes(), format!(":{}: ", info.currentline).as_bytes()].concat()
    }

    /// Raises that argument `number` is bad, in Lua's words.
    #[cold]
    pub fn bad_argument(&mut self, number: i32, why: &str) -> Raised {
        let info = self.info(0, c"n");
        // SAFETY: a C string that lives as long as the calling instruction.
        let text = |name: *const std::ffi::c_char| (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) });
        let name = info.as_ref().and_then(|info| text(info.name)).unwrap_or(c"?").to_string_lossy();
        let is_method = info.as_ref().and_then(|info| text(info.namewhat)) == Some(c"method");
        let message = match (is_method, number) {
            (true, 1) => format!("calling '{name}' on bad self ({why})"),
            (true, _) => format!("bad argument #{} to '{name}' ({why})", number - 1),
            _ => format!("bad argument #{number} to '{name}' ({why})"),
        };
        self.fail(&message)
    }

    /// Raises that argument `number` is of the wrong kind.
    #[cold]
    pub fn wrong_kind(&mut self, number: i32, expected: &str) -> Raised {
        let why = format!("{expected} expected, got {}", self.kind_name(number));
        self.bad_argument(number, &why)
    }

    /// The number that argument `number` must be.
    pub fn check_number(&mut self, number: i32) -> Result<f64, Raised> {
        match self.number(number) {
            Some(value) => Ok(value),
            None => Err(self.wrong_kind(number, "number")),
        }
    }

    /// The integer that argument `number` must be, cut as C does it.
    pub fn check_integer(&mut self, number: i32) -> Result<i64, Raised> {
        Ok(self.check_number(number)? as i64)
    }

    /// The string that argument `number` must be, copied: a number is taken for its digits.
    pub fn check_bytes(&mut self, number: i32) -> Result<Vec<u8>, Raised> {
        match self.text(number) {
            Some(text) => Ok(text.to_vec()),
            None => Err(self.wrong_kind(number, "string")),
        }
    }

    /// The outcome of a function that returns the one value on top.
    pub fn one(&self) -> Outcome {
        Ok(1)
    }
}
