//! The decoder against the oracle, and the rows of the faults that it answers for.

use super::*;
use crate::protocol::oracle::{compare, decode, expected, fuzz};
use bytes::BufMut;
use proptest::prelude::*;

/// Limits that small inputs can reach.
fn tight() -> Limits {
    Limits { max_bulk: 50_000, max_inline: 40, max_args: 20, ..Limits::default() }
}

fn unauthenticated() -> Limits {
    Limits { unauthenticated: true, ..Limits::default() }
}

fn request(args: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// The error of `input` on every level, received at once and byte by byte.
#[track_caller]
fn error(input: &[u8], limits: Limits) -> Option<ProtocolError> {
    compare(input, &[255], limits);
    compare(input, &[1], limits);
    expected(input, &limits).error
}

fn feed(decoder: &mut Decoder, mut bytes: &[u8]) -> Parsed {
    let mut parsed = Parsed::Drained;
    while !bytes.is_empty() {
        let mut room = decoder.read_target();
        let count = room.remaining_mut().min(bytes.len());
        room.put_slice(&bytes[..count]);
        bytes = &bytes[count..];
        parsed = decoder.parse();
    }
    parsed
}

/// Row 18: a count beyond the limit is an error, a negative one an empty request; neither allocates.
#[test]
fn multibulk_counts() {
    use ProtocolError::MultibulkLength;
    for count in ["2147483648", "1048577", "9223372036854775808", "+1", "01", "-0", "", "1x", " 1", "1 "] {
        assert_eq!(
            error(format!("*{count}\r\n").as_bytes(), Limits::default()),
            Some(MultibulkLength),
            "{count}"
        );
    }
    for empty in ["*-1\r\nPING\r\n", "*0\r\nPING\r\n", "*-5\r\nPING\n"] {
        assert_eq!(error(empty.as_bytes(), Limits::default()), None);
        assert_eq!(expected(empty.as_bytes(), &Limits::default()).commands, [[b"PING"]]);
    }
    let mut decoder = Decoder::new(Limits::default());
    assert_eq!(feed(&mut decoder, b"*1048576\r\n$536870912\r\nx"), Parsed::Drained);
    assert!(decoder.memory() < 64 << 10, "{}", decoder.memory());
}

/// Row 19: lengths that are no length.
#[test]
fn bulk_lengths() {
    for len in ["536870913", "18446744073709551616", "-5", "-1", "", "+3", "03", "3 ", "x"] {
        let input = format!("*1\r\n${len}\r\n");
        assert_eq!(error(input.as_bytes(), Limits::default()), Some(ProtocolError::BulkLength), "{len}");
    }
    for (got, input) in [(b':', "*1\r\n:5\r\n"), (b'\r', "*1\r\n\r\n"), (b'P', "*1\r\nPING\r\n")] {
        assert_eq!(error(input.as_bytes(), Limits::default()), Some(ProtocolError::ExpectedDollar(got)));
    }
    assert_eq!(error(b"*1\r\n:", Limits::default()), None, "Redis waits for the line's end");
}

/// Row 20: lines without an end.
#[test]
fn endless_lines() {
    let max = Limits::default().max_inline;
    let cases = [
        ("", "", ProtocolError::BigInline),
        ("", "*", ProtocolError::BigMultibulkCount),
        ("*1\r\n", "$", ProtocolError::BigBulkCount),
    ];
    for (before, start, expected) in cases {
        let mut input = format!("{before}{start}").into_bytes();
        input.resize(before.len() + max, b'1');
        assert_eq!(error(&input, Limits::default()), None, "{start}");
        input.push(b'1');
        assert_eq!(error(&input, Limits::default()), Some(expected), "{start}");
        input.extend_from_slice(b"\r\n");
        assert_eq!(error(&input, Limits::default()), Some(expected), "{start}");
    }
}

/// Row 21: an argument must end where its length says.
#[test]
fn arguments_end_with_crlf() {
    for input in ["*1\r\n$4\r\nPINGxx", "*1\r\n$4\r\nPING\rx", "*1\r\n$3\r\nPING\r\n", "*1\r\n$4\r\nPING\n\r"]
    {
        assert_eq!(error(input.as_bytes(), Limits::default()), Some(ProtocolError::MissingCrlf), "{input}");
    }
    let mut big = format!("*1\r\n${BIG_ARG}\r\n").into_bytes();
    big.resize(big.len() + BIG_ARG, b'x');
    big.extend_from_slice(b"xx");
    compare(&big, &[200], Limits::default());
    assert_eq!(expected(&big, &Limits::default()).error, Some(ProtocolError::MissingCrlf));
}

/// Row 25: a long pipeline comes in order, and never more than a batch at a time.
#[test]
fn batches_are_bounded() {
    let input: Vec<u8> = (0..3000).flat_map(|n: u32| request(&[b"SET", n.to_string().as_bytes()])).collect();
    let mut decoder = Decoder::new(Limits::default());
    decoder.read_target();
    decoder.buffer.bytes.extend_from_slice(&input);
    let mut next = 0;
    while next < 3000 {
        let full = decoder.parse() == Parsed::Full;
        assert_eq!(full, decoder.batch_len() == MAX_BATCH);
        for index in 0..decoder.batch_len() {
            assert_eq!(decoder.args(index)[1], *next.to_string().as_bytes());
            next += 1;
        }
        decoder.clear_batch();
    }
    assert!(!decoder.has_more());
}

/// Row 26: what a client may send before it has authenticated.
#[test]
fn unauthenticated_clients_are_bounded() {
    use ProtocolError::{UnauthenticatedBulk, UnauthenticatedMultibulk};
    assert_eq!(error(b"*11\r\n", unauthenticated()), Some(UnauthenticatedMultibulk));
    assert_eq!(error(b"*10\r\n", unauthenticated()), None);
    assert_eq!(error(b"*1\r\n$16385\r\n", unauthenticated()), Some(UnauthenticatedBulk));
    assert_eq!(error(b"*1\r\n$16384\r\n", unauthenticated()), None);
}

/// Limits can be lifted between two commands that arrived together, as an AUTH does it.
#[test]
fn limits_change_between_commands() {
    let mut decoder = Decoder::new(unauthenticated());
    let mut input = request(&[b"AUTH", b"secret"]);
    input.extend(request(&[&b"x"[..]; 12]));
    assert_eq!(feed(&mut decoder, &input), Parsed::Full);
    assert_eq!(decoder.batch_len(), 1);
    decoder.clear_batch();
    decoder.set_limits(Limits::default());
    assert_eq!(decoder.parse(), Parsed::Drained);
    assert_eq!(decoder.args(0).len(), 12);
}

/// Commands before an error are still run.
#[test]
fn errors_come_after_the_batch() {
    let mut decoder = Decoder::new(Limits::default());
    let failed = Parsed::Failed(ProtocolError::MultibulkLength);
    assert_eq!(feed(&mut decoder, b"PING\r\nGET k\r\n*x\r\nPING\r\n"), failed);
    assert_eq!(decoder.batch_len(), 2);
    decoder.clear_batch();
    assert_eq!((decoder.parse(), decoder.batch_len()), (failed, 0));
}

/// A large argument is received into its own buffer and is the very buffer that a command takes.
#[test]
fn big_arguments_are_not_copied() {
    let value = vec![b'v'; 1 << 20];
    let mut input = request(&[b"GET", b"a"]);
    input.extend(request(&[b"SET", b"k", &value, b"NX"]));
    input.extend(request(&[b"PING"]));
    let mut decoder = Decoder::new(Limits::default());
    assert_eq!(feed(&mut decoder, &input), Parsed::Drained);
    assert_eq!(decoder.batch_len(), 3);
    let args = decoder.args(1);
    assert_eq!((args[2] == value[..], args[2].as_ptr()), (true, args.owned(2).as_ptr()));
    assert_eq!((&args[3], &decoder.args(2)[0]), (&b"NX"[..], &b"PING"[..]));
    assert!(decoder.buffer.bytes.capacity() < 128 << 10);
}

/// A partial command keeps its detached arguments when the batch before it is dropped.
#[test]
fn clearing_keeps_the_partial_command() {
    let value = vec![b'v'; BIG_ARG];
    let first = request(&[b"SET", b"k", &value]);
    let second = request(&[b"MSET", b"a", &value, b"b", b"c"]);
    let mut decoder = Decoder::new(Limits::default());
    let mut input = first.clone();
    input.extend_from_slice(&second[..second.len() - 5]);
    assert_eq!(feed(&mut decoder, &input), Parsed::Drained);
    decoder.clear_batch();
    assert!(decoder.has_more());
    assert_eq!(feed(&mut decoder, &second[second.len() - 5..]), Parsed::Drained);
    let args = decoder.args(0);
    assert_eq!((args[0].len(), args[2].len(), &args[4]), (4, BIG_ARG, &b"c"[..]));
}

/// Row 23: what an idle or slow connection holds.
#[test]
fn idle_connections_are_small() {
    let mut decoder = Decoder::new(Limits::default());
    assert_eq!(decoder.memory(), 0);
    assert_eq!(feed(&mut decoder, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$500000\r\nslow"), Parsed::Drained);
    assert!(decoder.memory() <= 32 << 10, "{}", decoder.memory());
    let mut decoder = Decoder::new(Limits::default());
    assert_eq!(feed(&mut decoder, &request(&[b"GET", b"k"])), Parsed::Drained);
    decoder.clear_batch();
    assert!(decoder.memory() <= 4 << 10, "{}", decoder.memory());
    decoder.release_idle();
    assert_eq!(decoder.memory(), 0);
}

#[test]
fn the_buffer_is_bounded() {
    let limits = Limits { max_buffer: 4096, ..Limits::default() };
    let mut decoder = Decoder::new(limits);
    let parsed = feed(&mut decoder, &request(&[&[b'x'; 9000]]));
    assert_eq!(parsed, Parsed::Failed(ProtocolError::BufferLimit));
    let mut decoder = Decoder::new(limits);
    assert_eq!(feed(&mut decoder, &request(&[&b"x"[..]; 300])), Parsed::Drained);
}

/// A command of very many arguments is linear in its bytes, however it arrives: a quadratic parser would need hours.
#[test]
fn a_million_arguments() {
    let input = request(&vec![&b"x"[..]; 1 << 20]);
    for size in [100, 4096, input.len()] {
        let outcome = decode(input.chunks(size), Limits::default(), Level::detect());
        assert_eq!((outcome.commands[0].len(), outcome.error), (1 << 20, None));
    }
}

/// Row 22: a stream of everything, cut at every point, gives the same commands.
#[test]
fn every_split_point() {
    let mut input = request(&[b"SET", b"key:1", b"\r\n*1\r\n$1\r\n"]);
    for key in ["key:000000000001", "key:000000000002", "key:000000000003", "key:00000000004", "k", "l", "m"]
    {
        input.extend(request(&[b"GET", key.as_bytes()]));
    }
    input.extend_from_slice(b"\r\n*0\r\nset 'a b' \"\\x41\"\r\n*-1\r\n  \n");
    input.extend(request(&[b"", b"", &[b'y'; 1200]]));
    for at in 0..=input.len() {
        let expected = expected(&input, &tight());
        for level in Level::available() {
            let chunks = [&input[..at], &input[at..]];
            assert_eq!(decode(chunks, tight(), *level), expected, "{level:?} at {at}");
        }
    }
    compare(&input, &[1], tight());
    assert_eq!(expected(&input, &tight()).commands.len(), 10);
}

/// Pieces that are mostly right: whole requests, many of one shape, with noise.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let arg = || prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n'), Just(b'$')], 0..30);
    let shape = (1usize..6, 0usize..130, 1usize..30, any::<u8>()).prop_map(|(args, len, times, first)| {
        let one = |n: usize| request(&vec![&vec![first.wrapping_add(n as u8); len][..]; args]);
        (0..times).flat_map(one).collect()
    });
    prop_oneof![
        4 => prop::collection::vec(arg(), 1..6).prop_map(|args| request(&args.iter().map(|a| &a[..]).collect::<Vec<_>>())),
        4 => shape,
        1 => (30_000usize..50_000).prop_map(|len| request(&[b"SET", &vec![b'z'; len]])),
        2 => "[ a-z\"'\\\\x0-9]{0,30}\r?\n".prop_map(String::into_bytes),
        1 => "[*$][-+0-9]{0,4}\r\n".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ]
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let noise = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..2);
    (prop::collection::vec(piece(), 1..8), noise).prop_map(|(pieces, noise)| {
        let mut bytes = pieces.concat();
        for (at, byte) in noise {
            let at = at.index(bytes.len().max(1));
            bytes.get_mut(at).into_iter().for_each(|old| *old = byte);
        }
        bytes
    })
}

proptest! {
    #[test]
    fn every_level_agrees_with_the_oracle(
        input in stream(),
        cuts in prop::collection::vec(1u8.., 1..8),
        unauthenticated: bool,
    ) {
        for limits in [Limits { unauthenticated, ..Limits::default() }, tight()] {
            compare(&input, &cuts, limits);
            compare(&input, &[], limits);
        }
    }

    #[test]
    fn byte_by_byte(input in stream()) {
        compare(&input[..input.len().min(4000)], &[1], tight());
    }

    /// Bytes that mean something, in any order: what the fuzz target does for longer.
    #[test]
    fn structural_noise(input in "[*$0-9\r\n \"'a]{0,200}", cuts in prop::collection::vec(any::<u8>(), 0..5)) {
        compare(input.as_bytes(), &cuts, tight());
    }

    /// The fuzz target's own entry, so that it cannot rot.
    #[test]
    fn the_fuzz_target_runs(options: [u8; 2], input in stream()) {
        fuzz(&[&options[..], &input].concat());
    }
}
