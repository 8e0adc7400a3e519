//! The wire text of every reply, in both versions of the protocol.

use super::*;
use bytes::Buf;
use proptest::prelude::*;

fn written(resp3: bool, write: impl Fn(&mut Reply<'_>)) -> String {
    let mut out = Output::new();
    write(&mut Reply::new(&mut out, resp3));
    let bytes = out.copy_to_bytes(out.remaining());
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[track_caller]
fn both(resp2: &str, resp3: &str, write: impl Fn(&mut Reply<'_>)) {
    assert_eq!((written(false, &write).as_str(), written(true, &write).as_str()), (resp2, resp3));
}

#[track_caller]
fn same(text: &str, write: impl Fn(&mut Reply<'_>)) {
    both(text, text, write);
}

#[test]
fn replies_of_both_protocols() {
    same("+OK\r\n", |r| r.ok());
    same("+PONG\r\n", |r| r.simple("PONG"));
    same("-ERR no\r\n", |r| r.error("ERR no"));
    same("*0\r\n*12\r\n", |r| {
        r.array(0);
        r.array(12);
    });
    same("$2\r\n-7\r\n", |r| r.bulk_int(-7));
    same("$0\r\n\r\n", |r| r.bulk(b""));
}

#[test]
fn replies_that_resp3_types() {
    both("$-1\r\n", "_\r\n", |r| r.null());
    both("*-1\r\n", "_\r\n", |r| r.null_array());
    both("*4\r\n", "%2\r\n", |r| r.map(2));
    both("*2\r\n", "~2\r\n", |r| r.set(2));
    both("*3\r\n", ">3\r\n", |r| r.push(3));
    both("$3\r\n1.5\r\n", ",1.5\r\n", |r| r.double(1.5));
    both("$4\r\n-inf\r\n", ",-inf\r\n", |r| r.double(f64::NEG_INFINITY));
    both(":1\r\n:0\r\n", "#t\r\n#f\r\n", |r| {
        r.bool(true);
        r.bool(false);
    });
    both("$3\r\n123\r\n", "(123\r\n", |r| r.big_number("123"));
    both("$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n", |r| r.verbatim(b"txt", b"hi"));
}

/// Row 51 of the faults: a message cannot smuggle in a second reply.
#[test]
fn errors_and_simple_strings_stay_on_their_line() {
    same("-ERR a  +OK  b\r\n", |r| r.error("ERR a\r\n+OK\r\nb"));
    same("-ERR a b\r\n", |r| r.error("ERR a\0b"));
    same("+a b\r\n", |r| r.simple("a\nb"));
}

#[test]
fn large_values_are_queued_uncopied() {
    let value = Bytes::from(vec![b'x'; crate::protocol::BIG_REPLY]);
    let mut out = Output::new();
    Reply::new(&mut out, false).bulk_owned(value.clone());
    out.advance(b"$16384\r\n".len());
    assert_eq!(out.chunk().as_ptr(), value.as_ptr());
    out.advance(value.len());
    assert_eq!(out.chunk(), b"\r\n");
}

proptest! {
    #[test]
    fn integers(value: i64, small in -20i64..120) {
        same(&format!(":{value}\r\n:{small}\r\n"), |r| {
            r.int(value);
            r.int(small);
        });
    }

    #[test]
    fn bulks(value in "[a-z]{0,300}") {
        let expected = format!("${}\r\n{value}\r\n", value.len());
        same(&expected, |r| r.bulk(value.as_bytes()));
        same(&expected, |r| r.bulk_owned(value.clone().into()));
    }
}
