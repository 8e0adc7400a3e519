//! A server for one client at a time, of the commands that the histories are made of.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::checker::Model;
use crate::wire::Reply;

/// A command's words.
pub type Words = Vec<String>;

/// What a client did in one step, with the reply.
#[derive(Clone, Debug)]
pub struct Done {
    /// The commands: one, or those of a transaction or a script.
    pub commands: Vec<Words>,
    /// They were a transaction, or a script that answers as one.
    pub transaction: bool,
    /// What a watched key held when it was watched.
    pub watched: Option<(String, Option<String>)>,
    /// The reply.
    pub reply: Reply,
}

/// What a history consists of.
#[derive(Clone, Debug)]
pub enum Event {
    /// A client's step.
    Did(Done),
    /// The server's clock shows this time, in Unix milliseconds: a deadline that is set to it is past from now on.
    Reached(u64),
    /// The clock shows more: keys with this deadline are gone.
    Passed(u64),
}

#[derive(Clone, Hash, PartialEq, Eq, Debug)]
enum Value {
    Text(String),
    List(VecDeque<String>),
    Hash(BTreeMap<String, String>),
}

/// The keys, none of which is past its deadline.
#[derive(Clone, Hash, Default)]
pub struct Keys {
    values: BTreeMap<String, Value>,
    /// Keys that have a deadline.
    deadlines: BTreeMap<String, u64>,
    reached: BTreeSet<u64>,
    passed: BTreeSet<u64>,
}

impl Model for Keys {
    type Call = Event;

    fn step(&mut self, event: &Event) -> bool {
        match event {
            Event::Did(done) => self.did(done),
            Event::Reached(time) => self.reached.insert(*time),
            Event::Passed(time) => self.reached.contains(time) && self.pass(*time),
        }
    }
}

impl Keys {
    fn pass(&mut self, time: u64) -> bool {
        self.passed.insert(time);
        let due = self.deadlines.iter().filter(|(_, deadline)| **deadline == time);
        for key in due.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            self.remove(&key);
        }
        true
    }

    fn remove(&mut self, key: &str) -> Option<(Value, Option<u64>)> {
        let deadline = self.deadlines.remove(key);
        self.values.remove(key).map(|value| (value, deadline))
    }

    /// Puts a value in a key's place; a deadline that is past leaves nothing.
    fn put(&mut self, key: &str, value: Value, deadline: Option<u64>) {
        self.remove(key);
        if deadline.is_some_and(|deadline| self.passed.contains(&deadline)) {
            return;
        }
        self.values.insert(key.into(), value);
        self.deadlines.extend(deadline.map(|deadline| (key.into(), deadline)));
    }

    fn did(&mut self, done: &Done) -> bool {
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
        match self.values.get(key) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        }
    }

    fn set(&mut self, key: &str, text: &str) {
        self.put(key, Value::Text(text.into()), None);
    }

    /// Sets a number, or text that leaves the deadline as it is.
    fn change(&mut self, key: &str, text: String) {
        self.values.insert(key.into(), Value::Text(text));
    }

    fn set_deadline(&mut self, key: &str, deadline: u64) -> Reply {
        let there = self.values.contains_key(key);
        if self.reached.contains(&deadline) {
            self.remove(key);
        } else if there {
            self.deadlines.insert(key.into(), deadline);
        }
        Reply::Int(i64::from(there))
    }

    fn list(&mut self, key: &str) -> &mut VecDeque<String> {
        let empty = || Value::List(VecDeque::new());
        match self.values.entry(key.into()).or_insert_with(empty) {
            Value::List(list) => list,
            other => panic!("the histories keep types apart: {key} holds {other:?}"),
        }
    }

    fn pop(&mut self, key: &str, left: bool) -> Option<String> {
        let list = self.list(key);
        let popped = if left { list.pop_front() } else { list.pop_back() };
        if list.is_empty() {
            self.remove(key);
        }
        popped
    }

    fn run(&mut self, words: &[String]) -> Reply {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match *words.as_slice() {
            ["SET", key, text] => {
                self.set(key, text);
                Reply::Status("OK".into())
            }
            ["SET", key, text, "PXAT", time] => {
                self.put(key, Value::Text(text.into()), Some(time.parse().expect("a time")));
                Reply::Status("OK".into())
            }
            ["PEXPIREAT", key, time] => self.set_deadline(key, time.parse().expect("a time")),
            ["PERSIST", key] => Reply::Int(i64::from(self.deadlines.remove(key).is_some())),
            ["GET", key] => bulk(self.text(key)),
            ["INCR", key] => {
                let next = self.text(key).map_or(0, |text| text.parse::<i64>().expect("a number")) + 1;
                self.change(key, next.to_string());
                Reply::Int(next)
            }
            ["MSET", ref pairs @ ..] => {
                pairs.chunks(2).for_each(|pair| self.set(pair[0], pair[1]));
                Reply::Status("OK".into())
            }
            ["MGET", ref keys @ ..] => Reply::Array(keys.iter().map(|key| bulk(self.text(key))).collect()),
            ["DEL", key] => Reply::Int(i64::from(self.remove(key).is_some())),
            ["RENAME", from, to] => match self.remove(from) {
                Some((value, deadline)) => {
                    self.put(to, value, deadline);
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
                let list = match self.values.get(key) {
                    Some(Value::List(list)) => list.iter().cloned().map(Reply::Text).collect(),
                    _ => Vec::new(),
                };
                Reply::Array(list)
            }
            ["HSET", key, field, text] => {
                let empty = || Value::Hash(BTreeMap::new());
                let Value::Hash(hash) = self.values.entry(key.into()).or_insert_with(empty) else {
                    panic!("the histories keep types apart")
                };
                Reply::Int(i64::from(hash.insert(field.into(), text.into()).is_none()))
            }
            ["HGET", key, field] => match self.values.get(key) {
                Some(Value::Hash(hash)) => bulk(hash.get(field).cloned()),
                _ => Reply::Nothing,
            },
            _ => panic!("the model has no {words:?}"),
        }
    }
}
