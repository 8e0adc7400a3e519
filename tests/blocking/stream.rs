//! XREAD and XREADGROUP with BLOCK.

use std::time::{Duration, Instant};

use crate::common::TestServer;
use crate::{block, blocked, silent};

#[test]
fn a_reader_waits_for_entries_after_those_that_were_there() {
    let server = TestServer::start();
    let (mut one, mut two, mut other) = (server.raw(), server.raw(), server.raw());
    other.check("XADD s 1-1 f old", "$3\r\n1-1\r\n");
    block(&mut one, &mut other, "XREAD BLOCK 0 STREAMS s t $ 0", 1);
    block(&mut two, &mut other, "XREAD COUNT 5 BLOCK 0 STREAMS s 1-1", 2);
    other.check("XADD s 2-1 f new", "$3\r\n2-1\r\n");
    // Readers take nothing away, so that one entry serves them all.
    let entry = "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n2-1\r\n*2\r\n$1\r\nf\r\n$3\r\nnew\r\n";
    one.expect(entry);
    two.expect(entry);
    block(&mut one, &mut other, "XREAD BLOCK 0 STREAMS s $", 1);
    other.send("MULTI\r\nXADD s 3-1 f a\r\nXADD s 3-2 f b\r\nEXEC\r\n");
    one.expect(
        "*1\r\n*2\r\n$1\r\ns\r\n*2\r\n*2\r\n$3\r\n3-1\r\n*2\r\n$1\r\nf\r\n$1\r\na\r\n\
         *2\r\n$3\r\n3-2\r\n*2\r\n$1\r\nf\r\n$1\r\nb\r\n",
    );
    other.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n$3\r\n3-1\r\n$3\r\n3-2\r\n");
    one.check("XREAD BLOCK 20 STREAMS s $", "*-1\r\n");
    one.check("XREAD BLOCK -1 STREAMS s $", "-ERR timeout is negative\r\n");
    one.check("MULTI", "+OK\r\n");
    one.check("XREAD BLOCK 0 STREAMS s $", "+QUEUED\r\n");
    one.check("EXEC", "*1\r\n*-1\r\n");
    // A reader of a key that is gone and comes back waits for its ids.
    block(&mut one, &mut other, "XREAD BLOCK 0 STREAMS s $", 1);
    other.check("DEL s", ":1\r\n");
    silent(&mut one);
    other.check("XADD s 1-1 f low", "$3\r\n1-1\r\n");
    silent(&mut one);
    other.check("XADD s 9-1 f high", "$3\r\n9-1\r\n");
    one.expect("*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n9-1\r\n*2\r\n$1\r\nf\r\n$4\r\nhigh\r\n");
}

#[test]
fn readers_of_a_group_take_turns_and_hear_of_its_end() {
    let server = TestServer::start();
    let (mut one, mut two, mut other) = (server.raw(), server.raw(), server.raw());
    other.check("XGROUP CREATE s g $ MKSTREAM", "+OK\r\n");
    block(&mut one, &mut other, "XREADGROUP GROUP g one BLOCK 0 STREAMS s >", 1);
    block(&mut two, &mut other, "XREADGROUP GROUP g two BLOCK 0 STREAMS s >", 2);
    for (id, reader) in [("1-1", &mut one), ("2-1", &mut two)] {
        other.check(&format!("XADD s {id} f v"), &format!("$3\r\n{id}\r\n"));
        reader
            .expect(format!("*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n{id}\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n"));
    }
    other.check("XACK s g 1-1 2-1", ":2\r\n");
    const GONE: &str = "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option\r\n";
    block(&mut one, &mut other, "XREADGROUP GROUP g one BLOCK 0 STREAMS s >", 1);
    other.check("XGROUP DESTROY s g", ":1\r\n");
    one.expect(GONE);
    for end in ["DEL s", "FLUSHALL", "RENAME s t"] {
        other.check("XGROUP CREATE s g $ MKSTREAM", "+OK\r\n");
        block(&mut one, &mut other, "XREADGROUP GROUP g one BLOCK 0 STREAMS s >", 1);
        other.line(end);
        one.expect(GONE);
    }
    other.check("XGROUP CREATE s g $ MKSTREAM", "+OK\r\n");
    block(&mut one, &mut other, "XREADGROUP GROUP g one BLOCK 0 STREAMS s >", 1);
    other.check("SET s text", "+OK\r\n");
    one.expect("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
    blocked(&mut other, 0);
}

/// An entry that has been pending for long enough is claimed by a reader that waits, though nobody writes.
#[test]
fn a_reader_that_claims_is_woken_when_an_entry_comes_of_age() {
    let server = TestServer::start();
    let (mut one, mut two, mut other) = (server.raw(), server.raw(), server.raw());
    other.check("XGROUP CREATE s g 0 MKSTREAM", "+OK\r\n");
    other.check("XADD s 1-1 f v", "$3\r\n1-1\r\n");
    let read = |name: &str, more: &str| format!("XREADGROUP GROUP g {name} {more} STREAMS s >");
    let began = Instant::now();
    other.send(format!("{}\r\n", read("first", "COUNT 1")));
    other.expect("*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n");
    block(&mut one, &mut other, &read("second", "BLOCK 0 CLAIM 200"), 1);
    // Who came later, and would claim later, is not woken by it.
    block(&mut two, &mut other, &read("third", "BLOCK 0 CLAIM 60000"), 2);
    one.expect("*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*4\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n:");
    assert!(began.elapsed() >= Duration::from_millis(200), "{:?}", began.elapsed());
    let idle: u64 = one.read_line().parse().expect("milliseconds");
    assert!((200..5000).contains(&idle), "{idle}");
    one.expect(":1\r\n");
    blocked(&mut other, 1);
    silent(&mut two);
    // What is acknowledged before its time is claimed by nobody; the reader gets what is new.
    block(&mut one, &mut other, &read("second", "BLOCK 0 CLAIM 150"), 2);
    other.check("XACK s g 1-1", ":1\r\n");
    std::thread::sleep(Duration::from_millis(250));
    silent(&mut one);
    other.check("XADD s 2-1 f v", "$3\r\n2-1\r\n");
    two.expect("*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*4\r\n$3\r\n2-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n:0\r\n:0\r\n");
    // The other one claims that in its turn.
    one.expect("*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*4\r\n$3\r\n2-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n:");
    one.read_line();
    one.expect(":1\r\n");
    // Its own time ends such a wait as any other.
    one.check(&read("second", "BLOCK 30 CLAIM 60000"), "*-1\r\n");
}
