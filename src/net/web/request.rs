//! The head of an HTTP request.

use crate::protocol::args::{eq_ignore_case, parse_u64};

/// Why a request is not answered as it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is no HTTP.
    Malformed,
    /// Its head does not end.
    TooLarge,
    /// It wants to change something.
    Method,
    /// There is nothing at its path.
    NotFound,
}

impl Refused {
    pub(super) fn status(self) -> &'static str {
        match self {
            Refused::Malformed => "400 Bad Request",
            Refused::TooLarge => "431 Request Header Fields Too Large",
            Refused::Method => "405 Method Not Allowed",
            Refused::NotFound => "404 Not Found",
        }
    }
}

/// What a client wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request<'r> {
    pub(super) path: &'r str,
    query: &'r str,
    head: &'r str,
}

/// Whether a head has come to its end.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, b"\r\n\r\n").is_some()
}

impl<'r> Request<'r> {
    /// Reads a head.
    pub(super) fn parse(bytes: &'r [u8]) -> Result<Request<'r>, Refused> {
        let text = std::str::from_utf8(bytes).map_err(|_| Refused::Malformed)?;
        let (line, head) = text.split_once("\r\n").ok_or(Refused::Malformed)?;
        let mut words = line.split(' ');
        let (method, target) = (words.next(), words.next().ok_or(Refused::Malformed)?);
        if !words.next().is_some_and(|version| version.starts_with("HTTP/1.")) {
            return Err(Refused::Malformed);
        }
        if !is_whole(bytes) {
            return Err(Refused::TooLarge);
        }
        if !matches!(method, Some("GET" | "HEAD")) {
            return Err(Refused::Method);
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Ok(Request { path, query, head })
    }

    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&'r str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(':'));
        let same = |(known, _): &(&str, &str)| eq_ignore_case(known.as_bytes(), name.as_bytes());
        fields.filter(same).map(|(_, value)| value.trim()).next()
    }

    /// A number of the query, `absent` where it is left out, none if it is no number.
    pub(super) fn number(&self, name: &str, absent: u64) -> Option<u64> {
        let mut fields = self.query.split('&').filter_map(|field| field.split_once('='));
        let found = fields.find(|(known, _)| *known == name);
        found.map_or(Some(absent), |(_, value)| parse_u64(value.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_and_refused() {
        let request = Request::parse(
            b"GET /x?a=1&seconds=7 HTTP/1.1\r\nHost: a\r\nauthorization:  Basic eA== \r\n\r\n",
        )
        .expect("a request");
        assert_eq!(
            (request.path, request.number("seconds", 1), request.number("b", 3)),
            ("/x", Some(7), Some(3))
        );
        assert_eq!((request.header("Authorization"), request.header("Cookie")), (Some("Basic eA=="), None));
        for (bytes, refused) in [
            (&b"GET / HTTP/1.1\r\nHost: x\r\n"[..], Refused::TooLarge),
            (b"POST / HTTP/1.1\r\n\r\n", Refused::Method),
            (b"GET /\r\n\r\n", Refused::Malformed),
            (b"GET / HTTP/2\r\n\r\n", Refused::Malformed),
            (b"\xff\xff\r\n\r\n", Refused::Malformed),
            (b"", Refused::Malformed),
        ] {
            assert_eq!(Request::parse(bytes).err(), Some(refused), "{}", bytes.escape_ascii());
        }
        let seconds = Request::parse(b"GET /x?seconds=y HTTP/1.0\r\n\r\n").expect("a request");
        assert_eq!(seconds.number("seconds", 1), None);
    }
}
