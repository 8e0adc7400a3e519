//! From a command's syntax line to the tree of arguments that COMMAND DOCS shows.
//!
//! The notation is the one of Redis's documentation:
//!
//! | notation | means |
//! |---|---|
//! | `key` | a value that the user gives |
//! | `NX` | a word that is sent as it stands |
//! | `EX seconds` | a value behind a word that announces it |
//! | `[ ... ]` | may be left out |
//! | `< ... >` | a group that must be there |
//! | `a \| b` | one of them |
//! | `key [key ...]` | once or more often |

use crate::command::table::Command;

/// One argument, or a group of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Argument {
    pub(super) name: String,
    /// What a hint shows for it; groups show their parts instead.
    pub(super) display: Option<String>,
    pub(super) kind: Kind,
    /// The word that announces it, or of [`Kind::PureToken`] the word that it is.
    pub(super) token: Option<String>,
    pub(super) optional: bool,
    pub(super) multiple: bool,
    /// Each repetition repeats the token too.
    pub(super) multiple_token: bool,
}

/// What an argument is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    String,
    Integer,
    Double,
    /// A key, with the number of its key specification.
    Key(usize),
    Pattern,
    UnixTime,
    PureToken,
    OneOf(Vec<Argument>),
    Block(Vec<Argument>),
}

impl Kind {
    /// The name that COMMAND DOCS shows.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::Integer => "integer",
            Kind::Double => "double",
            Kind::Key(_) => "key",
            Kind::Pattern => "pattern",
            Kind::UnixTime => "unix-time",
            Kind::PureToken => "pure-token",
            Kind::OneOf(_) => "oneof",
            Kind::Block(_) => "block",
        }
    }
}

/// The arguments of a command; none if the brackets of its syntax line do not match.
pub(super) fn arguments(command: &Command) -> Option<Vec<Argument>> {
    let float = command.name.ends_with("float");
    parse(command.docs.syntax, Builder { specs: command.keys.len(), keys: 0, float })
}

fn parse(syntax: &str, mut builder: Builder) -> Option<Vec<Argument>> {
    let words = split(syntax);
    let mut words = words.iter().copied().peekable();
    let mut alternatives = read_group(&mut words, None)?;
    let sequence = match alternatives.len() {
        1 => alternatives.remove(0),
        _ => vec![Item::Choice(alternatives)],
    };
    Some(builder.sequence(&sequence))
}

// -- the notation ---------------------------------------------------------------------------------------------------

#[derive(Clone, Debug, PartialEq, Eq)]
enum Item<'a> {
    Word(&'a str),
    /// `...`: what stands before it again.
    Dots,
    Optional(Alternatives<'a>),
    Choice(Alternatives<'a>),
}

type Sequence<'a> = Vec<Item<'a>>;
type Alternatives<'a> = Vec<Sequence<'a>>;

/// The words and brackets of a line.
fn split(syntax: &str) -> Vec<&str> {
    let is_bracket = |c: char| matches!(c, '[' | ']' | '<' | '>' | '|');
    syntax
        .split_ascii_whitespace()
        .flat_map(|word| word.split_inclusive(is_bracket))
        .flat_map(|piece| match piece.strip_suffix(is_bracket) {
            Some(word) => [word, &piece[word.len()..]],
            None => [piece, ""],
        })
        .filter(|piece| !piece.is_empty())
        .collect()
}

/// Reads up to the bracket that closes the group, or to the end of the line.
fn read_group<'a>(
    words: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>,
    closing: Option<&str>,
) -> Option<Alternatives<'a>> {
    let mut alternatives = vec![Vec::new()];
    loop {
        let word = words.next();
        if word == closing {
            return Some(alternatives);
        }
        let item = match word? {
            "|" => {
                alternatives.push(Vec::new());
                continue;
            }
            "[" => Item::Optional(read_group(words, Some("]"))?),
            "<" => Item::Choice(read_group(words, Some(">"))?),
            "]" | ">" => return None,
            "..." => Item::Dots,
            word => Item::Word(word),
        };
        alternatives.last_mut()?.push(item);
    }
}

/// Whether a word is sent as it stands: nothing in it is lower case.
fn is_token(word: &str) -> bool {
    !word.bytes().any(|byte| byte.is_ascii_lowercase())
}

/// `[x ...]` without its dots.
fn repetition<'s, 'a>(item: Option<&'s Item<'a>>) -> Option<(&'s [Sequence<'a>], &'s [Item<'a>])> {
    let Some(Item::Optional(alternatives)) = item else { return None };
    let (last, before) = alternatives.split_last()?;
    let (dots, rest) = last.split_last()?;
    (*dots == Item::Dots).then_some((before, rest))
}

/// A group that ends by repeating itself, `a | b [a | b ...]`, without that end.
fn without_repetition<'a>(group: &[Sequence<'a>]) -> Option<Alternatives<'a>> {
    let (last, before) = group.split_last()?;
    let (tail, rest) = last.split_last()?;
    let repeats = *tail == Item::Dots || repetition(Some(tail)) == Some((before, rest));
    repeats.then(|| before.iter().cloned().chain([rest.to_vec()]).collect())
}

// -- the arguments --------------------------------------------------------------------------------------------------

struct Builder {
    /// Key specifications of the command.
    specs: usize,
    /// Keys so far: each belongs to the next specification while there are some left.
    keys: usize,
    /// Increments are doubles: INCRBYFLOAT and its like.
    float: bool,
}

impl Builder {
    fn sequence(&mut self, items: &[Item<'_>]) -> Vec<Argument> {
        // Each argument with the place of its first item.
        let mut done: Vec<(usize, Argument)> = Vec::new();
        let mut at = 0;
        while at < items.len() {
            let start = at;
            at += 1;
            let argument = match &items[start] {
                Item::Word(token) if is_token(token) => {
                    let announced = self.announced(items.get(at));
                    at += usize::from(announced.is_some());
                    with_token(token, announced)
                }
                Item::Word(name) => self.value(name),
                Item::Dots => {
                    repeat(&mut done, start.saturating_sub(1));
                    continue;
                }
                optional @ Item::Optional(alternatives) => match repetition(Some(optional)) {
                    Some(([], again)) if items[..start].ends_with(again) => {
                        repeat(&mut done, start - again.len());
                        continue;
                    }
                    _ => Argument { optional: true, ..self.group(alternatives) },
                },
                Item::Choice(alternatives) => self.group(alternatives),
            };
            done.push((start, argument));
        }
        done.into_iter().map(|(_, argument)| argument).collect()
    }

    /// What a token announces: the value or group right behind it.
    fn announced(&mut self, item: Option<&Item<'_>>) -> Option<Argument> {
        match item? {
            Item::Word(name) if !is_token(name) => Some(self.value(name)),
            Item::Choice(alternatives) => Some(self.group(alternatives)),
            _ => None,
        }
    }

    fn value(&mut self, name: &str) -> Argument {
        let kind = match kind_of(name) {
            Kind::Key(_) if self.specs == 0 => Kind::String,
            Kind::Key(_) => {
                self.keys += 1;
                Kind::Key(self.keys.min(self.specs) - 1)
            }
            Kind::Integer if self.float && name == "increment" => Kind::Double,
            other => other,
        };
        plain(name, kind)
    }

    fn group(&mut self, alternatives: &[Sequence<'_>]) -> Argument {
        let once = without_repetition(alternatives);
        let mut parts: Vec<Argument> =
            once.as_deref().unwrap_or(alternatives).iter().map(|one| block(self.sequence(one))).collect();
        let group = match parts.len() {
            1 => parts.remove(0),
            _ => named_group(parts, Kind::OneOf),
        };
        let multiple = group.multiple || once.is_some();
        let multiple_token = group.multiple_token || (once.is_some() && group.token.is_some());
        Argument { multiple, multiple_token, ..group }
    }
}

fn plain(name: &str, kind: Kind) -> Argument {
    Argument {
        name: name.to_string(),
        display: Some(name.to_string()),
        kind,
        token: None,
        optional: false,
        multiple: false,
        multiple_token: false,
    }
}

fn with_token(token: &str, announced: Option<Argument>) -> Argument {
    let argument = announced.unwrap_or_else(|| plain(&token_name(token), Kind::PureToken));
    Argument { token: Some(token.to_string()), ..argument }
}

/// One argument from several; a word that announces several values announces the block.
fn block(mut parts: Vec<Argument>) -> Argument {
    if parts.len() == 1 {
        return parts.remove(0);
    }
    let simple = |part: &Argument| part.display.is_some() && !part.optional && part.kind != Kind::PureToken;
    let tokens_behind = parts.iter().skip(1).any(|part| part.token.is_some());
    let token = match parts.first_mut() {
        Some(first) if first.token.is_some() => first.token.take(),
        _ => None,
    };
    if token.is_some() && (tokens_behind || !parts.iter().all(simple)) {
        parts[0].token = token;
        return named_group(parts, Kind::Block);
    }
    Argument { token, ..named_group(parts, Kind::Block) }
}

/// Makes what stands from item `from` on one argument that may come again.
fn repeat(done: &mut Vec<(usize, Argument)>, from: usize) {
    let first = done.iter().position(|(start, _)| *start >= from).unwrap_or(done.len().saturating_sub(1));
    let whole = done.get(first).is_some_and(|(start, _)| *start == from);
    let parts: Vec<Argument> = done.drain(first..).map(|(_, argument)| argument).collect();
    if !parts.is_empty() {
        let argument = block(parts);
        let multiple_token = whole && argument.token.is_some();
        done.push((from, Argument { multiple: true, multiple_token, ..argument }));
    }
}

fn named_group(parts: Vec<Argument>, kind: fn(Vec<Argument>) -> Kind) -> Argument {
    let mut names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
    names.dedup();
    let kind_is_choice = matches!(kind(Vec::new()), Kind::OneOf(_));
    let name = match names.first() {
        Some(&("nx" | "xx")) if kind_is_choice => "condition".to_string(),
        Some(&("gt" | "lt")) if kind_is_choice => "comparison".to_string(),
        Some(&"seconds") if kind_is_choice => "expiration".to_string(),
        Some(&("asc" | "desc")) if kind_is_choice => "order".to_string(),
        _ => names.join("_"),
    };
    Argument { display: None, ..plain(&name, kind(parts)) }
}

fn token_name(token: &str) -> String {
    match token {
        "=" => "equal".into(),
        "~" => "approximately".into(),
        "*" => "auto-id".into(),
        "$" => "new-id".into(),
        "\"\"" => "empty-string".into(),
        word => word.to_ascii_lowercase(),
    }
}

/// What values of this name are, as the documentation uses names.
fn kind_of(name: &str) -> Kind {
    match name {
        "key" | "newkey" | "key1" | "key2" | "source" | "destination" | "sourcekey" | "destkey" => {
            Kind::Key(0)
        }
        "pattern" => Kind::Pattern,
        "unix-time-seconds" | "unix-time-milliseconds" => Kind::UnixTime,
        "score" | "longitude" | "latitude" | "radius" | "width" | "height" => Kind::Double,
        "seconds" | "milliseconds" | "ttl" | "count" | "numkeys" | "offset" | "start" | "end" | "stop"
        | "index" | "index1" | "index2" | "db" | "destination-db" | "cursor" | "increment" | "decrement"
        | "client-id" | "protover" | "bit" | "len" | "min-match-len" | "frequency" | "port" | "version"
        | "samples" => Kind::Integer,
        _ => Kind::String,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::table::registry;

    /// The tree in a compact notation of its own: kinds, then flags.
    fn shown(arguments: &[Argument]) -> String {
        arguments.iter().map(show_one).collect::<Vec<_>>().join(" ")
    }

    fn show_one(argument: &Argument) -> String {
        let token = argument.token.as_deref().unwrap_or("-");
        let flags = [(argument.optional, "?"), (argument.multiple, "*"), (argument.multiple_token, "t")];
        let flags: String = flags.iter().filter(|(on, _)| *on).map(|(_, flag)| *flag).collect();
        match &argument.kind {
            Kind::OneOf(parts) => format!("oneof:{token}({}){flags}", shown(parts)),
            Kind::Block(parts) => format!("block:{token}({}){flags}", shown(parts)),
            Kind::Key(spec) => format!("{}:{token}:key{spec}{flags}", argument.name),
            kind => format!("{}:{token}:{}{flags}", argument.name, kind.name()),
        }
    }

    #[track_caller]
    fn check(syntax: &str, expected: &str) {
        let parsed = parse(syntax, Builder { specs: 2, keys: 0, float: false });
        assert_eq!(shown(&parsed.expect("brackets match")), expected, "{syntax}");
    }

    #[test]
    fn options_are_tokens_values_and_choices() {
        check(
            "key value [NX | XX | IFEQ compare] [GET] [EX seconds | PXAT unix-time-milliseconds | KEEPTTL]",
            "key:-:key0 value:-:string oneof:-(nx:NX:pure-token xx:XX:pure-token compare:IFEQ:string)? \
             get:GET:pure-token? oneof:-(seconds:EX:integer unix-time-milliseconds:PXAT:unix-time \
             keepttl:KEEPTTL:pure-token)?",
        );
        check(
            "[LIMIT offset count] [FILTERBY <MODULE name | ACLCAT category>]",
            "block:LIMIT(offset:-:integer count:-:integer)? \
             oneof:FILTERBY(name:MODULE:string category:ACLCAT:string)?",
        );
        check(
            "[BYRADIUS radius <M | KM>] [COUNT count [ANY]]",
            "block:-(radius:BYRADIUS:double oneof:-(m:M:pure-token km:KM:pure-token))? \
             block:-(count:COUNT:integer any:ANY:pure-token?)?",
        );
    }

    #[test]
    fn repetitions_are_multiple() {
        check("key [key ...]", "key:-:key0*");
        check("destkey [sourcekey [sourcekey ...]]", "destkey:-:key0 sourcekey:-:key1?*");
        check("key value [key value ...]", "block:-(key:-:key0 value:-:string)*");
        check("key [GET pattern [GET pattern ...]]", "key:-:key0 pattern:GET:pattern?*t");
        check("KEYS key [key ...]", "key:KEYS:key0*");
        check("[section [section ...]]", "section:-:string?*");
        check("[name ...]", "name:-:string?*");
        check("STREAMS key [key ...] id [id ...]", "key:STREAMS:key0* id:-:string*");
        check("[STREAMS key [key ...] id [id ...]]", "block:STREAMS(key:-:key0* id:-:string*)?");
        check(
            "key [GET a | SET b c [GET a | SET b c ...]]",
            "key:-:key0 oneof:-(a:GET:string block:SET(b:-:string c:-:string))?*",
        );
    }

    #[test]
    fn groups_nest() {
        check(
            "key [<MAXLEN | MINID> [= | ~] threshold [LIMIT count]] <* | id>",
            "key:-:key0 block:-(oneof:-(maxlen:MAXLEN:pure-token minid:MINID:pure-token) \
             oneof:-(equal:=:pure-token approximately:~:pure-token)? threshold:-:string count:LIMIT:integer?)? \
             oneof:-(auto-id:*:pure-token id:-:string)",
        );
        check("ON | OFF", "oneof:-(on:ON:pure-token off:OFF:pure-token)");
        check("", "");
    }

    #[test]
    fn a_broken_line_is_refused() {
        for syntax in ["[a", "a]", "<a]", "[a>", ">"] {
            assert_eq!(parse(syntax, Builder { specs: 1, keys: 0, float: false }), None, "{syntax}");
        }
    }

    #[test]
    fn every_command_has_a_syntax_that_can_be_read() {
        for command in registry().numbered() {
            assert!(arguments(command).is_some(), "{}: {}", command.name, command.docs.syntax);
        }
    }
}
