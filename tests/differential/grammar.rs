//! What may be sent: the syntax of every command, as redis-server's COMMAND DOCS tells it.

use crate::wire::{Node, Wire, Words};

/// One argument of a command.
#[derive(Debug)]
pub struct Argument {
    /// What it is called.
    pub name: String,
    /// The word before it, or the word that it is.
    pub token: Option<String>,
    pub kind: Kind,
    pub optional: bool,
    pub multiple: bool,
    /// When there are several, each has the token.
    pub token_each: bool,
}

/// What an argument consists of.
#[derive(Debug)]
pub enum Kind {
    Key,
    Text,
    Integer,
    Double,
    Time,
    /// Nothing but its token.
    Token,
    OneOf(Vec<Argument>),
    Block(Vec<Argument>),
}

/// One command, or one of a container.
#[derive(Debug)]
pub struct Syntax {
    /// Its name in lower case; of a container's, both.
    pub name: String,
    pub group: String,
    pub arguments: Vec<Argument>,
}

impl Syntax {
    /// The words that name it.
    pub fn words(&self) -> Words {
        self.name.split('|').map(|word| word.to_ascii_uppercase().into_bytes()).collect()
    }
}

/// Every command that redis-server documents.
pub fn read(redis: &mut Wire) -> Vec<Syntax> {
    let docs = redis.line("COMMAND DOCS");
    let mut found = Vec::new();
    collect(&docs, &mut found);
    assert!(found.len() > 200, "COMMAND DOCS tells of {} commands", found.len());
    found
}

fn text(node: Option<&Node>) -> String {
    String::from_utf8_lossy(node.map_or(b"", Node::text)).into_owned()
}

fn collect(docs: &Node, found: &mut Vec<Syntax>) {
    for pair in docs.parts().chunks_exact(2) {
        let (name, about) = (text(Some(&pair[0])), &pair[1]);
        match about.named("subcommands") {
            Some(inner) => collect(inner, found),
            None => {
                found.push(Syntax { name, group: text(about.named("group")), arguments: arguments(about) })
            }
        }
    }
}

fn arguments(about: &Node) -> Vec<Argument> {
    about.named("arguments").map_or(&[][..], Node::parts).iter().map(argument).collect()
}

fn argument(about: &Node) -> Argument {
    let flags: Vec<_> = about.named("flags").map_or(&[][..], Node::parts).iter().map(Node::text).collect();
    let kind = match about.named("type").expect("every argument has a type").text() {
        b"key" => Kind::Key,
        b"integer" => Kind::Integer,
        b"double" => Kind::Double,
        b"unix-time" => Kind::Time,
        b"pure-token" => Kind::Token,
        b"oneof" => Kind::OneOf(arguments(about)),
        b"block" => Kind::Block(arguments(about)),
        _ => Kind::Text,
    };
    Argument {
        name: text(about.named("name")),
        token: about.named("token").map(|token| text(Some(token))),
        kind,
        optional: flags.contains(&&b"optional"[..]),
        multiple: flags.iter().any(|flag| flag.starts_with(b"multiple")),
        token_each: flags.contains(&&b"multiple_token"[..]),
    }
}
