//! XREAD and XREADGROUP with BLOCK.

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
