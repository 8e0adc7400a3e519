//! A file from its front, chunk by chunk: who reads finds out where each key ends, and leaves it to others to decode.
//!
//! Nothing is allocated because of a length that the file claims: the window grows with the bytes that are read, and a
//! claim beyond the file's own end is refused at once.

use std::borrow::Cow;
use std::io::{self, Read};
use std::ops::Range;

use super::write::Usage;
use super::{FIRST_SUMMED, MAGIC, OLDEST_READ, SUM, module_name, opcode, skip};
use crate::rdb::read::Reader;
use crate::rdb::{Checked, Corrupt, Limits, NEWEST_READ, Value, json, kind, load};
use crate::value::collection::Any;
use crate::value::crc64::crc64;
use crate::value::word::{ExpireAt, NO_EXPIRY, OwnedWord};

/// Bytes of a chunk, unless a single key is longer.
pub const CHUNK: usize = 1 << 20;
/// The deadline of keys whose deadline was before 1970: any that is past.
const LONG_PAST: ExpireAt = 1;

/// Why a file cannot be read.
#[derive(Debug)]
pub enum Wrong {
    /// The file ends before it should.
    Short,
    /// The bytes make no sense; what was being read.
    Corrupt(&'static str),
    /// It does not begin as an RDB file does.
    Signature,
    /// A version that nobody knows.
    Version(u64),
    /// The sum that the file has is not that of its bytes.
    Sum(u64, u64),
    /// A key's value is of this module.
    Module(String),
    /// Data of this module beside the keys.
    ModuleAux(String),
    /// Reading failed.
    Io(io::Error),
}

/// What a file says besides its keys.
#[derive(Debug, PartialEq, Eq)]
pub enum Fact {
    /// A named fact.
    Aux(Vec<u8>, Vec<u8>),
    /// A library of functions.
    Function(Vec<u8>),
    /// The keys behind are in this database.
    Select(u64),
    /// The database of this number has about so many keys.
    Resize(u64, u64),
    /// The end of the file, and whether its bytes were compared with its sum.
    End(Summed),
}

/// Whether bytes were compared with a sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Summed {
    /// They were, and the sum is right.
    Right,
    /// There is none.
    None,
    /// Nobody wanted it.
    Unchecked,
}

/// A key that is not decoded yet.
#[derive(Clone, Debug)]
pub struct Raw {
    /// The number of its database.
    pub db: u64,
    /// Its deadline.
    pub expire_at: ExpireAt,
    /// When it was used.
    pub usage: Usage,
    /// Kind, name and value in the chunk's bytes.
    range: Range<usize>,
}

/// Some keys of a file.
#[derive(Default)]
pub struct Chunk {
    bytes: Vec<u8>,
    /// In the file's order.
    pub keys: Vec<Raw>,
    /// What the file says between them.
    pub facts: Vec<Fact>,
}

/// A key whose name is decoded.
pub struct Opened<'c> {
    /// Its name.
    pub name: Cow<'c, [u8]>,
    /// Its value's kind.
    pub kind: u8,
    body: Reader<'c>,
}

/// A file that is being read.
pub struct Scanner<R> {
    source: R,
    /// Bytes that were not read yet.
    left: u64,
    window: Vec<u8>,
    /// What stands before it has been read.
    at: usize,
    /// Place of the window in the file.
    offset: u64,
    version: u16,
    sum: Option<u64>,
    db: u64,
    ended: bool,
}

/// Why a piece could not be read.
enum Stop {
    /// It needs so many bytes more.
    Lacks(usize),
    Wrong(Wrong),
}

impl From<io::Error> for Wrong {
    fn from(error: io::Error) -> Wrong {
        Wrong::Io(error)
    }
}

impl<R: Read> Scanner<R> {
    /// Begins with a file of `size` bytes, whose sum is looked at if `summed` says so.
    pub fn new(source: R, size: u64, summed: bool) -> Result<Scanner<R>, Wrong> {
        let mut scanner = Scanner {
            source,
            left: size,
            window: Vec::new(),
            at: 0,
            offset: 0,
            version: 0,
            sum: summed.then_some(0),
            db: 0,
            ended: false,
        };
        scanner.read_more(MAGIC)?;
        let (magic, digits) = scanner.window[..MAGIC].split_at(5);
        if magic != b"REDIS" {
            return Err(Wrong::Signature);
        }
        let version = str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u64>().ok());
        let known = u64::from(OLDEST_READ)..=u64::from(NEWEST_READ);
        let version = version.ok_or(Wrong::Signature)?;
        if !known.contains(&version) {
            return Err(Wrong::Version(version));
        }
        scanner.version = version as u16;
        scanner.at = MAGIC;
        Ok(scanner)
    }

    /// The file's version.
    pub fn version(&self) -> u16 {
        self.version
    }

    /// How far it has been read, in bytes.
    pub fn offset(&self) -> u64 {
        self.offset + self.at as u64
    }

    /// Reads at least `count` bytes more.
    fn read_more(&mut self, count: usize) -> Result<(), Wrong> {
        if count as u64 > self.left {
            return Err(Wrong::Short);
        }
        let wanted = count.max(CHUNK).max(self.window.len()) as u64;
        let before = self.window.len();
        let got = (&mut self.source).take(wanted.min(self.left)).read_to_end(&mut self.window)?;
        debug_assert_eq!(self.window.len(), before + got);
        self.left -= got as u64;
        if got < count { Err(Wrong::Short) } else { Ok(()) }
    }

    /// The next keys; none behind the end.
    pub fn chunk(&mut self) -> Result<Option<Chunk>, Wrong> {
        if self.ended {
            return Ok(None);
        }
        let mut chunk = Chunk::default();
        while !self.ended && self.at < CHUNK {
            match self.piece(&mut chunk) {
                Ok(()) => {}
                Err(Stop::Lacks(_)) if !chunk.keys.is_empty() => break,
                Err(Stop::Lacks(count)) => self.read_more(count)?,
                Err(Stop::Wrong(wrong)) => return Err(wrong),
            }
        }
        let rest = self.window.split_off(self.at);
        chunk.bytes = std::mem::replace(&mut self.window, rest);
        self.add_to_sum(&chunk.bytes);
        self.offset += self.at as u64;
        self.at = 0;
        if self.ended {
            let summed = self.compare_sum()?;
            chunk.facts.push(Fact::End(summed));
        }
        Ok(Some(chunk))
    }

    fn add_to_sum(&mut self, bytes: &[u8]) {
        if let Some(sum) = &mut self.sum {
            *sum = crc64(*sum, bytes);
        }
    }

    /// Compares the sum behind the end.
    fn compare_sum(&mut self) -> Result<Summed, Wrong> {
        if self.version < FIRST_SUMMED {
            return Ok(Summed::None);
        }
        if self.window.len() < SUM {
            self.read_more(SUM - self.window.len())?;
        }
        let told = self.window.first_chunk::<SUM>().map_or(0, |sum| u64::from_le_bytes(*sum));
        match self.sum {
            None => Ok(Summed::Unchecked),
            _ if told == 0 => Ok(Summed::None),
            Some(sum) if sum == told => Ok(Summed::Right),
            Some(sum) => Err(Wrong::Sum(sum, told)),
        }
    }

    /// Reads one fact, or passes one key by.
    fn piece(&mut self, chunk: &mut Chunk) -> Result<(), Stop> {
        let mut reader = Reader::new(&self.window[self.at..]);
        let size = reader.left();
        let mut piece = Piece { begin: self.at, size, reader: &mut reader, doing: "the type" };
        let read = piece.read(self.db);
        let (doing, missing) = (piece.doing, reader.missing());
        let consumed = size - reader.left();
        match read {
            Ok(Found::Fact(fact)) => {
                match fact {
                    Fact::Select(db) => self.db = db,
                    Fact::End(_) => self.ended = true,
                    _ => {}
                }
                if !matches!(fact, Fact::End(_)) {
                    chunk.facts.push(fact);
                }
            }
            Ok(Found::Key(raw)) => chunk.keys.push(raw),
            Ok(Found::Nothing) => {}
            Ok(Found::Refused(wrong)) => return Err(Stop::Wrong(wrong)),
            Err(Corrupt) => {
                return Err(missing.map_or(Stop::Wrong(Wrong::Corrupt(doing)), Stop::Lacks));
            }
        }
        self.at += consumed;
        Ok(())
    }
}

/// What a piece was.
enum Found {
    Fact(Fact),
    Key(Raw),
    Nothing,
    Refused(Wrong),
}

/// A piece that is being read.
struct Piece<'p, 'w> {
    /// Its place in the window.
    begin: usize,
    /// Bytes that the reader had at its beginning.
    size: usize,
    reader: &'p mut Reader<'w>,
    doing: &'static str,
}

impl Piece<'_, '_> {
    fn read(&mut self, db: u64) -> Checked<Found> {
        let (mut expire_at, mut usage) = (NO_EXPIRY, Usage::Unknown);
        loop {
            self.doing = "the type";
            let begin = self.begin + (self.size - self.reader.left());
            match self.reader.byte()? {
                opcode::DEADLINE_MS => expire_at = self.deadline_ms()?,
                opcode::DEADLINE => expire_at = self.deadline()?,
                opcode::IDLE => usage = Usage::Idle(self.reader.number()?),
                opcode::FREQUENCY => usage = Usage::Frequency(self.reader.byte()?),
                kind if is_kind(kind) => {
                    return self.key(kind, begin, Raw { db, expire_at, usage, range: 0..0 });
                }
                other => return self.other(other, db),
            }
        }
    }

    fn deadline_ms(&mut self) -> Checked<ExpireAt> {
        self.doing = "a deadline";
        Ok(match i64::from_le_bytes(self.reader.array()?) {
            -1 => NO_EXPIRY,
            ms => u64::try_from(ms).unwrap_or(0).max(LONG_PAST),
        })
    }

    fn deadline(&mut self) -> Checked<ExpireAt> {
        self.doing = "a deadline";
        let seconds = i32::from_le_bytes(self.reader.array()?);
        Ok(u64::try_from(seconds).map_or(LONG_PAST, |seconds| (seconds * 1000).max(LONG_PAST)))
    }

    fn key(&mut self, kind: u8, begin: usize, raw: Raw) -> Checked<Found> {
        self.doing = "a key's name";
        self.reader.skip_text()?;
        self.doing = "a key's value";
        if kind == kind::MODULE {
            let id = self.reader.number()?;
            return Ok(Found::Refused(Wrong::Module(module_name(id))));
        }
        skip::value(self.reader, kind)?;
        let end = self.begin + (self.size - self.reader.left());
        Ok(Found::Key(Raw { range: begin..end, ..raw }))
    }

    fn other(&mut self, opcode: u8, db: u64) -> Checked<Found> {
        self.doing = "a fact about the file";
        Ok(Found::Fact(match opcode {
            opcode::END => Fact::End(Summed::Unchecked),
            opcode::SELECT => Fact::Select(self.reader.number()?),
            opcode::AUX => Fact::Aux(self.reader.text()?.into_owned(), self.reader.text()?.into_owned()),
            opcode::FUNCTION => Fact::Function(self.reader.text()?.into_owned()),
            opcode::RESIZE => {
                let keys = self.reader.number()?;
                self.reader.number()?;
                Fact::Resize(db, keys)
            }
            opcode::SLOT => {
                (0..3).try_for_each(|_| self.reader.number().map(drop))?;
                return Ok(Found::Nothing);
            }
            opcode::MODULE_AUX => {
                let id = skip::module_aux(self.reader)?;
                return Ok(Found::Refused(Wrong::ModuleAux(module_name(id))));
            }
            opcode::FUNCTION_EARLY => Fact::Function(self.early_function()?),
            _ => {
                self.doing = "an unknown type";
                return Err(Corrupt);
            }
        }))
    }
}

impl Piece<'_, '_> {
    /// A library as candidates of Redis 7.0 wrote it: its name and engine were not in its text yet.
    fn early_function(&mut self) -> Checked<Vec<u8>> {
        let (name, engine) = (self.reader.text()?, self.reader.text()?);
        if self.reader.number()? != 0 {
            self.reader.skip_text()?;
        }
        let code = self.reader.text()?;
        Ok([b"#!", &*engine, b" name=", &*name, b"\n", &*code].concat())
    }
}

/// Whether it is the kind of a value.
fn is_kind(byte: u8) -> bool {
    byte <= kind::HASH_LISTPACK_DEADLINES && byte != 8
}

impl Chunk {
    /// Decodes a key's name.
    pub fn open(&self, raw: &Raw) -> Result<Opened<'_>, Corrupt> {
        let mut body = Reader::new(&self.bytes[raw.range.clone()]);
        let kind = body.byte()?;
        Ok(Opened { name: body.text()?, kind, body })
    }
}

/// A value that is ready for its slot.
pub struct Loaded {
    /// It.
    pub word: OwnedWord,
    /// When the first of its fields ends.
    pub next_deadline: Option<ExpireAt>,
}

impl Opened<'_> {
    /// Decodes the value; none if nothing is in it.
    pub fn value(mut self, limits: &Limits, expire_at: ExpireAt) -> Result<Option<Loaded>, Corrupt> {
        if self.kind == kind::STRING {
            let word = OwnedWord::from_text(&self.body.text()?, expire_at);
            return Ok(Some(Loaded { word, next_deadline: None }));
        }
        let value = load::body(&mut self.body, self.kind, limits)?;
        if !self.body.is_at_end() {
            return Err(Corrupt);
        }
        let next_deadline = match &value {
            Value::Collection(Any::Hash(hash)) => hash.next_deadline(),
            _ => None,
        };
        Ok((!value.is_empty()).then(|| Loaded { word: value.into_word(expire_at), next_deadline }))
    }

    /// The module whose value it is, if it is an unknown one's.
    pub fn module(&self) -> Option<String> {
        if self.kind != kind::MODULE_2 {
            return None;
        }
        let id = self.body.clone().number().unwrap_or(0);
        (id != json::ID).then(|| module_name(id))
    }
}
