//! Writers race snapshots: what a file has is of one instant, over all databases.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use redis::{Connection, Value};
use sockudo_kv::rdb::Limits;
use sockudo_kv::rdb::file::read::Scanner;
use sockudo_kv::value::collection::{Any, Collection};
use sockudo_kv::value::node::NodeKind;
use sockudo_kv::value::packed::Item;
use sockudo_kv::value::word::View;
use sockudo_kv::value::{hash, list, set, stream, zset};

use crate::common::dice::Dice;
use crate::{Folder, line, try_line, wait_for_save};

const ACCOUNTS: u64 = 3000;
const FIELDS: u64 = 400;
const ELEMENTS: usize = 900;
const MONEY: i64 = 1000;
const LASTS: Duration = Duration::from_secs(6);

fn limits() -> Limits {
    Limits {
        list: list::Limits::new(-2, 0),
        hash: hash::Limits { entries: 512, value: 64 },
        set: set::Limits { ints: 512, entries: 128, value: 64 },
        zset: zset::Limits { entries: 128, value: 64 },
        stream: stream::Limits { bytes: 4096, entries: 100 },
    }
}

/// Money moves between accounts of two databases, between fields of a large hash, and elements between lists; keys
/// change their names; databases change places.
fn move_things(c: &mut Connection, dice: &mut Dice) {
    let (from, to, amount) = (dice.roll(ACCOUNTS), dice.roll(ACCOUNTS), dice.roll(50));
    let number = dice.roll(100);
    let several: Vec<String> = match number {
        0..40 => vec![
            "MULTI".into(),
            format!("DECRBY account:{from} {amount}"),
            "SELECT 1".into(),
            format!("INCRBY account:{to} {amount}"),
            "SELECT 0".into(),
            "EXEC".into(),
        ],
        40..60 => vec![
            "MULTI".into(),
            format!("HINCRBY bank field:{} -{amount}", from % FIELDS),
            format!("HINCRBY bank field:{} {amount}", to % FIELDS),
            "EXEC".into(),
        ],
        60..75 => vec![format!("LMOVE list:{} list:{} LEFT RIGHT", from % 5, to % 5)],
        75..85 => vec![format!("RENAMENX safe:{} safe:{}", from % 64, to % 64)],
        85..90 => vec![format!("SMOVE set:{} set:{} {}", from % 3, to % 3, to % 200)],
        90..95 => vec![format!("SET noise:{from} x PX 5"), format!("DEL noise:{to}")],
        95..99 => vec![format!("MOVE wanderer:{} {}", from % 32, 2)],
        _ => vec!["SWAPDB 0 2".into(), "SWAPDB 0 2".into()],
    };
    for text in several {
        // RENAMENX and its like fail where their key is not there.
        drop(try_line::<Value>(c, &text));
    }
}

/// What a file must have, whenever it was written.
#[derive(Default, Debug, PartialEq, Eq)]
struct Found {
    money: i64,
    in_hash: i64,
    elements: usize,
    safes: usize,
    members: usize,
    wanderers: usize,
}

fn int(item: Item<'_>) -> i64 {
    match item {
        Item::Int(int) => int,
        Item::Text(text) => {
            std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).expect("a number")
        }
    }
}

fn text_number(view: View<'_>) -> i64 {
    match view {
        View::Int(int) => int,
        View::Short(text) => {
            std::str::from_utf8(text.as_slice()).ok().and_then(|t| t.parse().ok()).expect("a number")
        }
        other => panic!("{other:?}"),
    }
}

fn collection_len(view: View<'_>, found: &mut Found, name: &str) {
    let any = |any: &Any, found: &mut Found| match any {
        Any::List(list) => found.elements += list.view().len(),
        Any::Set(set) => found.members += set.view().len(),
        Any::Hash(hash) => found.in_hash += hash.view().iter(0).map(|pair| int(pair.value)).sum::<i64>(),
        other => panic!("{name}: {other:?}"),
    };
    match view {
        View::Packed(packed) => {
            let bytes = packed.bytes.to_vec();
            if name.starts_with("list") {
                any(&Any::List(list::List::from_packed(packed.form, bytes)), found);
            } else if name == "bank" {
                any(&Any::Hash(hash::Hash::from_packed(packed.form, bytes)), found);
            } else {
                any(&Any::Set(set::Set::from_packed(packed.form, bytes)), found);
            }
        }
        View::Node(node) => match node.kind() {
            NodeKind::Collection(shared) => shared.read(&node.latch().read(), |it| any(it, found)),
            other => panic!("{name}: {other:?}"),
        },
        other => panic!("{name}: {other:?}"),
    }
}

fn read(path: &Path) -> Found {
    let bytes = std::fs::read(path).expect("the file");
    let mut scanner = Scanner::new(&bytes[..], bytes.len() as u64, true).expect("a file of ours");
    let (mut found, mut seen) = (Found::default(), HashMap::new());
    while let Some(chunk) = scanner.chunk().expect("it is whole") {
        for raw in &chunk.keys {
            let opened = chunk.open(raw).expect("a key of ours");
            let name = String::from_utf8(opened.name.to_vec()).expect("text");
            assert!(seen.insert((raw.db, name.clone()), ()).is_none(), "{name} is there twice in {}", raw.db);
            let loaded = opened.value(&limits(), raw.expire_at).expect("a value of ours").expect("not empty");
            // SAFETY: the word is the test's own.
            let view = unsafe { loaded.word.word().view() };
            match name.split(':').next() {
                Some("account") => found.money += text_number(view),
                Some("safe") => found.safes += 1,
                Some("wanderer") => found.wanderers += 1,
                Some("noise") => {}
                _ => collection_len(view, &mut found, &name),
            }
        }
    }
    found
}

fn fill(c: &mut Connection) -> Found {
    let mut pipe = redis::pipe();
    for db in 0..2 {
        pipe.cmd("SELECT").arg(db).ignore();
        for account in 0..ACCOUNTS {
            pipe.cmd("SET").arg(format!("account:{account}")).arg(MONEY).ignore();
        }
    }
    pipe.cmd("SELECT").arg(0).ignore();
    for field in 0..FIELDS {
        pipe.cmd("HSET").arg("bank").arg(format!("field:{field}")).arg(MONEY).ignore();
    }
    for at in 0..ELEMENTS {
        pipe.cmd("RPUSH").arg(format!("list:{}", at % 5)).arg(format!("element:{at}")).ignore();
    }
    for at in 0..32 {
        pipe.cmd("SET").arg(format!("safe:{at}")).arg("x").ignore();
        pipe.cmd("SET").arg(format!("wanderer:{at}")).arg("x").ignore();
    }
    for at in 0..200 {
        pipe.cmd("SADD").arg(format!("set:{}", at % 3)).arg(at).ignore();
    }
    pipe.query::<()>(c).expect("filled");
    Found {
        money: 2 * ACCOUNTS as i64 * MONEY,
        in_hash: FIELDS as i64 * MONEY,
        elements: ELEMENTS,
        safes: 32,
        members: 200,
        wanderers: 32,
    }
}

#[test]
fn a_file_is_of_one_instant_whatever_happens_meanwhile() {
    let folder = Folder::new("race");
    let server = folder.start(&[]);
    let mut c = server.client();
    let wanted = fill(&mut c);
    let (stop, moved) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut files = 0;
    std::thread::scope(|scope| {
        for seed in 1..=4 {
            let (server, stop, moved) = (&server, &stop, &moved);
            scope.spawn(move || {
                let (mut c, mut dice) = (server.client(), Dice::new(seed));
                while !stop.load(Ordering::Relaxed) {
                    move_things(&mut c, &mut dice);
                    moved.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let began = Instant::now();
        while began.elapsed() < LASTS {
            let before = moved.load(Ordering::Relaxed);
            // So that writers meet the walk at every place of it.
            let _: Value = line(
                &mut c,
                if files % 2 == 0 {
                    "CONFIG SET rdb-key-save-delay 10"
                } else {
                    "CONFIG SET rdb-key-save-delay 30"
                },
            );
            let _: Value = line(&mut c, "BGSAVE");
            wait_for_save(&mut c);
            let found = read(&folder.file("dump.rdb"));
            if found != wanted {
                stop.store(true, Ordering::Relaxed);
            }
            assert_eq!(found, wanted, "file {files}");
            assert!(moved.load(Ordering::Relaxed) > before, "nobody wrote meanwhile");
            files += 1;
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(files >= 3, "{files} files of {} moves", moved.load(Ordering::Relaxed));
}

#[test]
fn a_database_that_is_flushed_meanwhile_is_saved_as_it_was() {
    let folder = Folder::new("flush");
    let server = folder.start(&[]);
    let mut c = server.client();
    let _: Value = line(&mut c, "DEBUG POPULATE 5000");
    let _: Value = line(&mut c, "CONFIG SET rdb-key-save-delay 100");
    let _: Value = line(&mut c, "BGSAVE");
    let _: Value = line(&mut c, "FLUSHDB");
    let _: Value = line(&mut c, "DEBUG POPULATE 100 new");
    let _: Value = line(&mut c, "SWAPDB 0 4");
    let _: Value = line(&mut c, "DEL new:1");
    assert_eq!(crate::info(&mut c, "rdb_bgsave_in_progress"), "1");
    wait_for_save(&mut c);
    assert_eq!(line::<i64>(&mut c, "DBSIZE"), 0);
    let bytes = std::fs::read(folder.file("dump.rdb")).expect("the file");
    let mut scanner = Scanner::new(&bytes[..], bytes.len() as u64, true).expect("a file of ours");
    let mut keys = 0;
    while let Some(chunk) = scanner.chunk().expect("it is whole") {
        keys += chunk.keys.iter().filter(|raw| raw.db == 0).count();
    }
    assert_eq!(keys, 5000);
    // And the next snapshot is of what is there now.
    let _: Value = line(&mut c, "CONFIG SET rdb-key-save-delay 0");
    let _: Value = line(&mut c, "SAVE");
    let _: Value = line(&mut c, "DEBUG RELOAD NOSAVE");
    let _: Value = line(&mut c, "SELECT 4");
    assert_eq!(line::<i64>(&mut c, "DBSIZE"), 100);
}

/// What writers keep is told, and is given back when the snapshot ends.
#[test]
fn kept_bytes_are_told() {
    let folder = Folder::new("kept");
    let server = folder.start(&[]);
    let mut c = server.client();
    let _: Value = line(&mut c, "DEBUG POPULATE 4000 key 500");
    let _: Value = line(&mut c, "CONFIG SET rdb-key-save-delay 500");
    let _: Value = line(&mut c, "BGSAVE");
    for at in 0..64 {
        let _: Value = line(&mut c, &format!("SET key:{} changed", 3999 - at));
    }
    let kept: u64 = crate::info(&mut c, "current_cow_size").parse().expect("a number");
    assert!(kept > 0, "{kept}");
    let _: Value = line(&mut c, "CONFIG SET rdb-key-save-delay 0");
    wait_for_save(&mut c);
    assert_eq!(crate::info(&mut c, "snapshot_held_bytes"), "0");
    assert!(crate::info(&mut c, "rdb_last_cow_size").parse::<u64>().expect("a number") >= kept);
}
