//! Text to steps.

use regex::{Regex, RegexBuilder};

use super::{Comparison, Condition, Operand, Query, Slice, Step};
use crate::value::json::{Text, Value, parse as parse_json};

/// How deep parentheses and negations may be nested.
const NESTING_MAX: usize = 64;
/// How deep filters may be nested: evaluating each takes the stack of a walk through the document.
const FILTERS_MAX: usize = 8;
/// Bytes that a compiled pattern may take.
const PATTERN_MAX: usize = 1 << 20;

const SEGMENT: &str = "'.<name>', '..', '[', end of path";
const NAME: &str = "'<name>', '*', '['";
const BRACKET: &str = "'<string>[,<string>,...]', '<number>', ['start:end:steps'], '*', '?(<filter>)'";
const OPERAND: &str = "'@', '$', '<string>', '<number>', 'true', 'false', 'null', '(', '!'";
const OPERATOR: &str = "'==', '!=', '<', '<=', '>', '>=', '=~'";

type Parsed<T> = Result<T, String>;

/// The steps of a whole path, which begins with `$`.
pub(super) fn steps(path: &str) -> Parsed<Vec<Step>> {
    let mut parser = Parser { path, at: 1, nested: 0, filters: 0 };
    let steps = parser.segments()?;
    if parser.at < path.len() { Err(parser.expected(SEGMENT)) } else { Ok(steps) }
}

/// The pattern of a text; nothing if it is none, or too large.
pub(super) fn pattern(text: &str) -> Option<Regex> {
    RegexBuilder::new(text).size_limit(PATTERN_MAX).dfa_size_limit(PATTERN_MAX).build().ok()
}

struct Parser<'a> {
    path: &'a str,
    at: usize,
    nested: usize,
    filters: usize,
}

/// Whether a letter may stand in a name that has no quotes.
fn is_name_letter(letter: char) -> bool {
    !letter.is_whitespace() && !".[](){},'\"=<>!&|*?@".contains(letter)
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.path[self.at..]
    }

    fn expected(&self, what: &str) -> String {
        let (before, after) = self.path.split_at(self.at);
        format!(
            "Error occurred on position {}, \"{before} ---->>>> {after}\", expected one of the following: {what}.",
            self.at
        )
    }

    fn skip_spaces(&mut self) {
        self.at = self.path.len() - self.rest().trim_start().len();
    }

    /// Passes over `token` if it comes next.
    fn eat(&mut self, token: &str) -> bool {
        let is_next = self.rest().starts_with(token);
        self.at += if is_next { token.len() } else { 0 };
        is_next
    }

    /// The same with spaces in front.
    fn eat_word(&mut self, token: &str) -> bool {
        self.skip_spaces();
        self.eat(token)
    }

    fn need(&mut self, token: &str) -> Parsed<()> {
        if self.eat_word(token) { Ok(()) } else { Err(self.expected(&format!("'{token}'"))) }
    }

    // -- segments ---------------------------------------------------------------------------------------------------

    /// As many steps as there are.
    fn segments(&mut self) -> Parsed<Vec<Step>> {
        let mut steps = Vec::new();
        loop {
            if self.eat("..") {
                steps.push(Step::Descend);
                steps.push(self.behind_dot()?);
            } else if self.eat(".") {
                steps.push(self.behind_dot()?);
            } else if self.eat("[") {
                steps.push(self.bracket()?);
            } else {
                return Ok(steps);
            }
        }
    }

    fn behind_dot(&mut self) -> Parsed<Step> {
        if self.eat("*") {
            return Ok(Step::All);
        }
        if self.eat("[") {
            return self.bracket();
        }
        let rest = self.rest();
        let length = rest.find(|letter| !is_name_letter(letter)).unwrap_or(rest.len());
        if length == 0 {
            return Err(self.expected(NAME));
        }
        self.at += length;
        Ok(Step::Name(rest[..length].into()))
    }

    /// What stands in brackets, the first of which is passed.
    fn bracket(&mut self) -> Parsed<Step> {
        self.skip_spaces();
        let step = match self.rest().chars().next() {
            Some('*') => {
                self.at += 1;
                Step::All
            }
            Some('?') => {
                self.at += 1;
                self.filter()?
            }
            Some('"' | '\'') => self.names()?,
            Some('0'..='9' | '-' | ':') => self.numbers()?,
            _ => return Err(self.expected(BRACKET)),
        };
        self.need("]")?;
        Ok(step)
    }

    fn names(&mut self) -> Parsed<Step> {
        let mut names = vec![self.quoted()?.into_boxed_str()];
        while self.eat_word(",") {
            self.skip_spaces();
            names.push(self.quoted()?.into_boxed_str());
        }
        Ok(if names.len() == 1 { Step::Name(names.remove(0)) } else { Step::Names(names) })
    }

    /// A text in quotes of either kind.
    fn quoted(&mut self) -> Parsed<String> {
        let begin = self.at;
        let quote = match self.rest().chars().next() {
            Some(quote @ ('"' | '\'')) => quote,
            _ => return Err(self.expected("'<string>'")),
        };
        let mut text = String::new();
        let mut letters = self.rest().char_indices().skip(1);
        while let Some((at, letter)) = letters.next() {
            match letter {
                _ if letter == quote => {
                    self.at = begin + at + 1;
                    return Ok(text);
                }
                '\\' => text.push(match letters.next() {
                    Some((_, 'n')) => '\n',
                    Some((_, 't')) => '\t',
                    Some((_, 'r')) => '\r',
                    Some((_, 'b')) => '\u{8}',
                    Some((_, 'f')) => '\u{c}',
                    Some((_, 'u')) => self.code_point(&mut letters)?,
                    Some((_, letter)) => letter,
                    None => break,
                }),
                _ => text.push(letter),
            }
        }
        Err(self.expected(&format!("'<string>{quote}'")))
    }

    /// The letter of four hexadecimal digits.
    fn code_point(&self, letters: &mut impl Iterator<Item = (usize, char)>) -> Parsed<char> {
        let digit = |letter: char| letter.to_digit(16);
        let number = letters.by_ref().take(4).try_fold(0, |all, (_, letter)| Some(all << 4 | digit(letter)?));
        number.and_then(char::from_u32).ok_or_else(|| self.expected("'\\u<four digits>'"))
    }

    /// An index, several, or a slice.
    fn numbers(&mut self) -> Parsed<Step> {
        let start = self.integer()?;
        if self.eat_word(":") {
            let end = self.integer()?;
            let step = if self.eat_word(":") { self.integer()? } else { None };
            return Ok(Step::Slice(Slice { start, end, step: step.unwrap_or(1) }));
        }
        let mut all = vec![start.ok_or_else(|| self.expected(BRACKET))?];
        while self.eat_word(",") {
            let next = self.integer()?;
            all.push(next.ok_or_else(|| self.expected("'<number>'"))?);
        }
        Ok(if all.len() == 1 { Step::Index(all[0]) } else { Step::Indexes(all) })
    }

    /// An integer, if there is one; one that no `i64` holds is as good as the closest that does.
    fn integer(&mut self) -> Parsed<Option<i64>> {
        self.skip_spaces();
        let rest = self.rest();
        let sign = usize::from(rest.starts_with('-'));
        let digits = rest[sign..].bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return if sign == 1 { Err(self.expected("'<number>'")) } else { Ok(None) };
        }
        self.at += sign + digits;
        let outside = if sign == 1 { i64::MIN } else { i64::MAX };
        Ok(Some(rest[..sign + digits].parse().unwrap_or(outside)))
    }

    // -- filters ----------------------------------------------------------------------------------------------------

    fn filter(&mut self) -> Parsed<Step> {
        if self.filters == FILTERS_MAX {
            return Err(self.expected("fewer nested filters"));
        }
        self.filters += 1;
        let condition = self.any();
        self.filters -= 1;
        Ok(Step::Filter(Box::new(condition?)))
    }

    fn any(&mut self) -> Parsed<Condition> {
        let mut all = vec![self.all()?];
        while self.eat_word("||") {
            all.push(self.all()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Condition::Any(all) })
    }

    fn all(&mut self) -> Parsed<Condition> {
        let mut all = vec![self.one()?];
        while self.eat_word("&&") {
            all.push(self.one()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Condition::All(all) })
    }

    /// A condition without `&&` and `||` outside parentheses.
    fn one(&mut self) -> Parsed<Condition> {
        if self.eat_word("!") {
            return self.deeper(|parser| Ok(Condition::Not(Box::new(parser.one()?))));
        }
        if self.eat("(") {
            let condition = self.deeper(Self::any)?;
            self.need(")")?;
            return Ok(condition);
        }
        let left = self.operand()?;
        match (self.comparison(), left) {
            (Some(comparison), left) => self.compared(left, comparison),
            (None, Operand::Query(query)) => Ok(Condition::Exists(query)),
            (None, Operand::Literal(_)) => Err(self.expected(OPERATOR)),
        }
    }

    fn deeper(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<Condition>) -> Parsed<Condition> {
        if self.nested == NESTING_MAX {
            return Err(self.expected("fewer parentheses"));
        }
        self.nested += 1;
        let condition = parse(self);
        self.nested -= 1;
        condition
    }

    fn comparison(&mut self) -> Option<Comparison> {
        self.skip_spaces();
        let all = [
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("=~", Comparison::Matches(None)),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        all.into_iter().find(|(token, _)| self.eat(token)).map(|(_, comparison)| comparison)
    }

    fn compared(&mut self, left: Operand, comparison: Comparison) -> Parsed<Condition> {
        self.skip_spaces();
        let right = self.operand()?;
        let comparison = match (comparison, &right) {
            (Comparison::Matches(_), Operand::Literal(literal)) => {
                Comparison::Matches(literal.as_str().and_then(pattern))
            }
            (other, _) => other,
        };
        Ok(Condition::Compare(left, comparison, right))
    }

    fn operand(&mut self) -> Parsed<Operand> {
        match self.rest().chars().next() {
            Some(origin @ ('@' | '$')) => {
                self.at += 1;
                let steps = self.segments()?;
                Ok(Operand::Query(Query { from_root: origin == '$', steps }))
            }
            Some('"' | '\'') => Ok(Operand::Literal(Value::Text(Text::new(&self.quoted()?)))),
            _ => self.literal().map(Operand::Literal),
        }
    }

    /// A number, a truth value or null.
    fn literal(&mut self) -> Parsed<Value> {
        let rest = self.rest();
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || "+-.".contains(letter);
        let length = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
        let parsed = parse_json(&rest.as_bytes()[..length]).map_err(|_| self.expected(OPERAND))?;
        self.at += length;
        Ok(parsed.value)
    }
}
