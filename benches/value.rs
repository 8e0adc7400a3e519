//! Values: text to words and back, and appending in place.

use criterion::{Criterion, criterion_group, criterion_main};
use sockudo_kv::memory::Counted;
use sockudo_kv::value::node::{Node, NodeKind, Text};
use sockudo_kv::value::word::{NO_EXPIRY, OwnedWord, View, canonical_int};
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: Counted = Counted;

/// A deadline that is not over.
const SOME_DAY: u64 = 1 << 42;
/// Where an appended text begins, and how much it grows before it is cut back to that.
const APPEND_FROM: usize = 70_000;
const APPEND_ROOM: usize = 60_000;

fn texts() -> [(&'static str, Vec<u8>); 5] {
    [
        ("3 bytes", b"xxx".to_vec()),
        ("integer", b"1234567".to_vec()),
        ("8 bytes", vec![b'x'; 8]),
        ("64 bytes", vec![b'x'; 64]),
        ("256 bytes", vec![b'x'; 256]),
    ]
}

/// Making a word includes freeing it, as overwriting a key does sooner or later.
fn make(c: &mut Criterion) {
    for (name, text) in texts() {
        c.bench_function(&format!("from_text/{name}"), |b| {
            b.iter(|| OwnedWord::from_text(black_box(&text), NO_EXPIRY));
        });
    }
    for (name, text) in texts() {
        c.bench_function(&format!("from_text/{name} with a deadline"), |b| {
            b.iter(|| OwnedWord::from_text(black_box(&text), SOME_DAY));
        });
    }
}

fn view(c: &mut Criterion) {
    for (name, text) in texts() {
        let word = OwnedWord::from_text(&text, NO_EXPIRY);
        c.bench_function(&format!("view/{name}"), |b| {
            // SAFETY: the word is owned here until the bench is over.
            b.iter(|| match unsafe { black_box(word.word()).view() } {
                View::Int(int) => int as usize,
                View::Short(short) => short.as_slice().len(),
                View::Raw(raw) => raw.len(),
                View::Node(node) => node.heap_bytes(),
                View::Packed(packed) => packed.bytes.len(),
            });
        });
    }
}

fn integers(c: &mut Criterion) {
    for text in ["7", "-1234567", "9223372036854775807", "xxx", "12345678901234567890", "1234567x"] {
        c.bench_function(&format!("canonical_int/{text}"), |b| {
            b.iter(|| canonical_int(black_box(text.as_bytes())));
        });
    }
}

/// Appends eight bytes, and cuts the text back now and then: that is once in thousands of appends.
fn append(node: &Node) -> usize {
    let held = node.latch().write();
    let grow = |buffer: &mut bytes::BytesMut| {
        if buffer.len() > APPEND_FROM + APPEND_ROOM {
            buffer.truncate(APPEND_FROM);
        }
        buffer.extend_from_slice(black_box(b"8 bytes."));
    };
    node.as_text().expect("made as text").edit(grow, &held)
}

fn edit(c: &mut Criterion) {
    let node = Node::new(NodeKind::Text(Text::from_slice(&[b'x'; APPEND_FROM])), NO_EXPIRY);
    c.bench_function("append/unshared", |b| b.iter(|| append(&node)));
    c.bench_function("append/while a reader has it", |b| {
        b.iter(|| {
            let share = node.as_text().expect("made as text").load();
            append(&node);
            share
        });
    });
}

criterion_group!(benches, make, view, integers, edit);
criterion_main!(benches);
