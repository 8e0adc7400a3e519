//! Replies of both protocols, read as they are.

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A command's words.
pub type Words = Vec<Vec<u8>>;

/// A reply with the first bytes of its parts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    /// One line: status, error, number, truth value, RESP3's null.
    Line(u8, Vec<u8>),
    /// Text of a length.
    Bulk(u8, Vec<u8>),
    /// A null of RESP2: `$-1` or `*-1`.
    Null(u8),
    /// An array, set, push or map; of a map, keys and values in turn.
    Many(u8, Vec<Node>),
    /// The server hung up, or said nothing for too long.
    Gone,
}

impl Node {
    /// The text of a line or bulk.
    pub fn text(&self) -> &[u8] {
        match self {
            Node::Line(_, text) | Node::Bulk(_, text) => text,
            _ => b"",
        }
    }

    /// The parts, if it has any.
    pub fn parts(&self) -> &[Node] {
        match self {
            Node::Many(_, parts) => parts,
            _ => &[],
        }
    }

    /// The value behind a name in a map, or in an array that stands for one.
    pub fn named(&self, name: &str) -> Option<&Node> {
        let mut pairs = self.parts().chunks_exact(2);
        pairs.find(|pair| pair[0].text() == name.as_bytes()).map(|pair| &pair[1])
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Node::Line(kind, text) => write!(f, "{}{}", char::from(*kind), text.escape_ascii()),
            Node::Bulk(b'$', text) => write!(f, "\"{}\"", text.escape_ascii()),
            Node::Bulk(kind, text) => write!(f, "{}\"{}\"", char::from(*kind), text.escape_ascii()),
            Node::Null(kind) => write!(f, "{}-1", char::from(*kind)),
            Node::Many(kind, parts) => {
                write!(f, "{}[", char::from(*kind))?;
                for (at, part) in parts.iter().enumerate() {
                    write!(f, "{}{part}", if at == 0 { "" } else { " " })?;
                }
                write!(f, "]")
            }
            Node::Gone => write!(f, "(the server hung up)"),
        }
    }
}

/// A connection.
pub struct Wire {
    stream: BufReader<TcpStream>,
    gone: bool,
}

impl Wire {
    pub fn new(port: u16) -> Wire {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
        stream.set_nodelay(true).expect("nodelay can be set");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
        Wire { stream: BufReader::with_capacity(1 << 16, stream), gone: false }
    }

    /// Sends commands without waiting for replies.
    pub fn send(&mut self, commands: &[&Words]) {
        let mut bytes = Vec::new();
        for words in commands {
            bytes.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
            for word in *words {
                bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
                bytes.extend_from_slice(word);
                bytes.extend_from_slice(b"\r\n");
            }
        }
        self.gone |= self.stream.get_mut().write_all(&bytes).is_err();
    }

    /// The next replies.
    pub fn replies(&mut self, count: usize) -> Vec<Node> {
        (0..count).map(|_| self.reply()).collect()
    }

    /// Sends a command line and returns its reply.
    pub fn line(&mut self, line: &str) -> Node {
        self.ask(&line.split(' ').map(|word| word.as_bytes().to_vec()).collect())
    }

    /// Sends a command and returns its reply.
    pub fn ask(&mut self, words: &Words) -> Node {
        self.send(&[words]);
        self.reply()
    }

    fn reply(&mut self) -> Node {
        if self.gone {
            return Node::Gone;
        }
        self.read().unwrap_or_else(|| {
            self.gone = true;
            Node::Gone
        })
    }

    fn read(&mut self) -> Option<Node> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).ok()?;
        let line = line.strip_suffix(b"\r\n")?;
        let (&kind, rest) = line.split_first()?;
        let count = || std::str::from_utf8(rest).ok().and_then(|rest| rest.parse::<i64>().ok());
        match kind {
            b'$' | b'=' | b'!' => {
                let Ok(len) = usize::try_from(count()?) else { return Some(Node::Null(kind)) };
                let mut body = vec![0; len + 2];
                self.stream.read_exact(&mut body).ok()?;
                body.truncate(len);
                Some(Node::Bulk(kind, body))
            }
            b'*' | b'~' | b'>' | b'%' => {
                let Ok(len) = usize::try_from(count()?) else { return Some(Node::Null(kind)) };
                let parts = if kind == b'%' { 2 * len } else { len };
                (0..parts).map(|_| self.read()).collect::<Option<_>>().map(|parts| Node::Many(kind, parts))
            }
            _ => Some(Node::Line(kind, rest.to_vec())),
        }
    }
}

/// A command as a person would type it.
pub fn shown(words: &Words) -> String {
    let word = |word: &Vec<u8>| match word.escape_ascii().to_string() {
        plain if !plain.is_empty() && !plain.contains(' ') => plain,
        other => format!("\"{other}\""),
    };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}
