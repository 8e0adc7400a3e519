//! Replies, read whole.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// A reply; the nulls of text and of arrays are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Status(String),
    Failed(String),
    Int(i64),
    Text(String),
    Array(Vec<Reply>),
    Nothing,
}

/// A client that sends commands and waits for their replies.
pub struct Wire(BufReader<TcpStream>);

impl Wire {
    pub fn new(port: u16) -> Wire {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
        stream.set_nodelay(true).expect("nodelay can be set");
        stream.set_read_timeout(Some(std::time::Duration::from_secs(30))).expect("a timeout can be set");
        Wire(BufReader::new(stream))
    }

    /// Sends commands at once and reads as many replies.
    pub fn all(&mut self, commands: &[Vec<String>]) -> Vec<Reply> {
        let mut bytes = Vec::new();
        for words in commands {
            bytes.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
            for word in words {
                bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
            }
        }
        self.0.get_mut().write_all(&bytes).expect("the server reads");
        commands.iter().map(|_| self.reply()).collect()
    }

    /// Sends a command line.
    pub fn one(&mut self, line: &str) -> Reply {
        self.all(&[words(line)]).remove(0)
    }

    fn reply(&mut self) -> Reply {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("the server answers");
        let rest = line.get(1..).unwrap_or_default().trim_end();
        let count = || rest.parse::<i64>().expect("a number");
        match line.as_bytes().first() {
            Some(b'+') => Reply::Status(rest.into()),
            Some(b'-') => Reply::Failed(rest.into()),
            Some(b':') => Reply::Int(count()),
            Some(b'$') => match usize::try_from(count()) {
                Ok(len) => {
                    let mut body = vec![0; len + 2];
                    self.0.read_exact(&mut body).expect("the text arrives");
                    body.truncate(len);
                    Reply::Text(String::from_utf8(body).expect("text"))
                }
                Err(_) => Reply::Nothing,
            },
            Some(b'*') => match usize::try_from(count()) {
                Ok(len) => Reply::Array((0..len).map(|_| self.reply()).collect()),
                Err(_) => Reply::Nothing,
            },
            _ => panic!("no reply: {line:?}"),
        }
    }
}

/// The words of a line.
pub fn words(line: &str) -> Vec<String> {
    line.split(' ').map(String::from).collect()
}
