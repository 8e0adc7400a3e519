//! A server for one client at a time, of the commands that the histories are made of.

use std::collections::{BTreeMap, VecDeque};

use crate::checker::Model;
use crate::wire::Reply;

/// A command's words.
pub type Words = Vec<String>;

/// What a client did in one step, with the reply.
#[derive(Clone, Debug)]
pub struct Done {
    /// The commands: one, or those of a transaction.
    pub commands: Vec<Words>,
    /// They were a transaction.
    pub transaction: bool,
    /// What a watched key held when it was watched.
    pub watched: Option<(String, Option<String>)>,
    /// The reply.
    pub reply: Reply,
}

#[derive(Clone, Hash, PartialEq, Eq, Debug)]
enum Value {
    Text(String),
    List(VecDeque<String>),
    Hash(BTreeMap<String, String>),
}

/// The keys.
#[derive(Clone, Hash, Default)]
pub struct Keys(BTreeMap<String, Value>);

impl Model for Keys {
    type Call = Done;

    fn step(&mut self, done: &Done) -> bool {
        if !done.transaction {
            return self.run(&done.commands[0]) == done.reply;
        }
        // A transaction that ran nothing says that its key was touched: a change to the same value counts as well.
        if done.reply == Reply::Nothing {
            return done.watched.is_some();
        }
        if let Some((key, seen)) = &done.watched
            && self.text(key) != *seen
        {
            return false;
        }
        let replies = done.commands.iter().map(|words| self.run(words)).collect();
        Reply::Array(replies) == done.reply
    }
}

fn bulk(text: Option<String>) -> Reply {
    text.map_or(Reply::Nothing, Reply::Text)
}

impl Keys {
    fn text(&self, key: &str) -> Option<String> {
        match self.0.get(key) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        }
    }

    fn set(&mut self, key: &str, text: String) {
        self.0.insert(key.into(), Value::Text(text));
    }

    fn list(&mut self, key: &str) -> &mut VecDeque<String> {
        let empty = || Value::List(VecDeque::new());
        match self.0.entry(key.into()).or_insert_with(empty) {
            Value::List(list) => list,
            other => panic!("the histories keep types apart: {key} holds {other:?}"),
        }
    }

    fn pop(&mut self, key: &str, left: bool) -> Option<String> {
        let list = self.list(key);
        let popped = if left { list.pop_front() } else { list.pop_back() };
        if list.is_empty() {
            self.0.remove(key);
        }
        popped
    }

    fn run(&mut self, words: &[String]) -> Reply {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match *words.as_slice() {
            ["SET", key, text] => {
                self.set(key, text.into());
                Reply::Status("OK".into())
            }
            ["GET", key] => bulk(self.text(key)),
            ["INCR", key] => {
                let next = self.text(key).map_or(0, |text| text.parse::<i64>().expect("a number")) + 1;
                self.set(key, next.to_string());
                Reply::Int(next)
            }
            ["MSET", ref pairs @ ..] => {
                pairs.chunks(2).for_each(|pair| self.set(pair[0], pair[1].into()));
                Reply::Status("OK".into())
            }
            ["MGET", ref keys @ ..] => Reply::Array(keys.iter().map(|key| bulk(self.text(key))).collect()),
            ["DEL", key] => Reply::Int(i64::from(self.0.remove(key).is_some())),
            ["RENAME", from, to] => match self.0.remove(from) {
                Some(value) => {
                    self.0.insert(to.into(), value);
                    Reply::Status("OK".into())
                }
                None => Reply::Failed("ERR no such key".into()),
            },
            _ => self.run_collection(&words),
        }
    }

    fn run_collection(&mut self, words: &[&str]) -> Reply {
        match *words {
            ["RPUSH", key, text] => {
                self.list(key).push_back(text.into());
                Reply::Int(self.list(key).len() as i64)
            }
            ["LPOP", key] => bulk(self.pop(key, true)),
            ["BLPOP", key, _] => match self.pop(key, true) {
                Some(text) => Reply::Array(vec![Reply::Text(key.into()), Reply::Text(text)]),
                None => Reply::Nothing,
            },
            ["LMOVE", from, to, "LEFT", "RIGHT"] | ["BLMOVE", from, to, "LEFT", "RIGHT", _] => {
                let moved = self.pop(from, true);
                if let Some(text) = &moved {
                    self.list(to).push_back(text.clone());
                }
                bulk(moved)
            }
            ["LRANGE", key, "0", "-1"] => {
                let list = match self.0.get(key) {
                    Some(Value::List(list)) => list.iter().cloned().map(Reply::Text).collect(),
                    _ => Vec::new(),
                };
                Reply::Array(list)
            }
            ["HSET", key, field, text] => {
                let empty = || Value::Hash(BTreeMap::new());
                let Value::Hash(hash) = self.0.entry(key.into()).or_insert_with(empty) else {
                    panic!("the histories keep types apart")
                };
                Reply::Int(i64::from(hash.insert(field.into(), text.into()).is_none()))
            }
            ["HGET", key, field] => match self.0.get(key) {
                Some(Value::Hash(hash)) => bulk(hash.get(field).cloned()),
                _ => Reply::Nothing,
            },
            _ => panic!("the model has no {words:?}"),
        }
    }
}
