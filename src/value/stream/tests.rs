//! Streams against a plain map of their entries.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

type Words = Vec<Vec<u8>>;

const SMALL: Limits = Limits { bytes: 200, entries: 7 };

fn append(log: &mut Log, id: Id, words: &[&[u8]]) -> Result<(), AppendError> {
    log.append(id, words.iter().copied(), SMALL)
}

fn words_of(entry: &Entry<'_>) -> Words {
    entry.pairs().flat_map(|(name, value)| [name.to_vec(), value.to_vec()]).collect()
}

/// A stream of entries 1-0 to `n`-0.
fn numbered(n: u64) -> Log {
    let mut log = Log::default();
    for ms in 1..=n {
        append(&mut log, Id::new(ms, 0), &[b"n", ms.to_string().as_bytes()]).expect("ids grow");
    }
    log
}

fn ids(log: &Log) -> Vec<u64> {
    log.range(Id::MIN, Id::MAX).map(|entry| entry.id.ms).collect()
}

fn trim(keep: Keep) -> Trim {
    Trim { keep, approximate: false, limit: 0, references: References::Keep }
}

#[derive(Clone, Debug)]
enum Step {
    Append { ms: u64, seq: u64, words: Words },
    Delete(prop::sample::Index),
    Trim { newest: u64, approximate: bool },
    TrimBelow(prop::sample::Index),
    Range(Id, Id),
}

fn word() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::sample::select(vec![b"a".to_vec(), b"b".to_vec(), b"7".to_vec(), b"".to_vec()]),
        any::<i64>().prop_map(|int| int.to_string().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..200),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let words = prop::collection::vec(word(), 1..4).prop_map(|mut words| {
        let names: Words = ["f", "7", "h"].iter().map(|name| name.as_bytes().to_vec()).collect();
        (0..words.len()).for_each(|at| words.insert(2 * at, names[at].clone()));
        words
    });
    let any_words = prop::collection::vec((word(), word()), 1..4)
        .prop_map(|pairs| pairs.into_iter().flat_map(|(name, value)| [name, value]).collect());
    prop_oneof![
        8 => (0..3u64, 0..400u64, prop_oneof![words, any_words])
            .prop_map(|(ms, seq, words)| Step::Append { ms, seq, words }),
        4 => any::<prop::sample::Index>().prop_map(Step::Delete),
        1 => (0..60u64, any::<bool>()).prop_map(|(newest, approximate)| Step::Trim { newest, approximate }),
        1 => any::<prop::sample::Index>().prop_map(Step::TrimBelow),
        2 => (0..300u64, 0..400u64, 0..300u64, 0..400u64)
            .prop_map(|(a, b, c, d)| Step::Range(Id::new(a, b), Id::new(c, d))),
    ]
}

/// Does a step on both, and compares what the step shows.
fn check(log: &mut Log, model: &mut BTreeMap<Id, Words>, step: Step) {
    match step {
        Step::Append { ms, seq, words } => {
            let last = log.last_id();
            let id = if ms == 0 { Id::new(last.ms, last.seq + seq + 1) } else { Id::new(last.ms + ms, seq) };
            log.append(id, words.iter().map(Vec::as_slice), SMALL).expect("the id is greater");
            model.insert(id, words);
        }
        Step::Delete(at) if !model.is_empty() => {
            let id = *model.keys().nth(at.index(model.len())).expect("an entry");
            assert!(log.delete(id) && !log.delete(id));
            model.remove(&id);
        }
        Step::Trim { newest, approximate } => {
            let gone = log.trim(Trim { approximate, ..trim(Keep::Newest(newest)) });
            assert!(approximate || gone == model.len().saturating_sub(newest as usize));
            (0..gone).for_each(|_| drop(model.pop_first()));
            assert!(log.len() >= model.len().min(newest as usize));
        }
        Step::TrimBelow(at) if !model.is_empty() => {
            let least = *model.keys().nth(at.index(model.len())).expect("an entry");
            log.trim(trim(Keep::From(least)));
            model.retain(|id, _| *id >= least);
        }
        Step::Range(start, end) if start <= end => {
            let found: Vec<Id> = log.range(start, end).map(|entry| entry.id).collect();
            assert_eq!(found, model.range(start..=end).map(|(id, _)| *id).collect::<Vec<_>>());
            let back: Vec<Id> = log.range_reversed(start, end).map(|entry| entry.id).collect();
            assert!(back.iter().eq(found.iter().rev()), "{back:?} is not {found:?} reversed");
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn a_stream_is_a_map(steps in prop::collection::vec(step(), 0..200)) {
        let (mut log, mut model) = (Log::default(), BTreeMap::new());
        for step in steps {
            check(&mut log, &mut model, step);
            prop_assert_eq!(log.len(), model.len());
            prop_assert_eq!(log.first_id(), model.keys().next().copied().unwrap_or(Id::MIN));
            prop_assert_eq!(log.last().map(|entry| entry.id), model.keys().last().copied());
            prop_assert!(log.entries().has_after(Id::MIN) != model.is_empty());
        }
        let all: Vec<(Id, Words)> = log.range(Id::MIN, Id::MAX).map(|entry| (entry.id, words_of(&entry))).collect();
        prop_assert_eq!(&all, &model.clone().into_iter().collect::<Vec<_>>());
        for (id, words) in &model {
            let entry = log.find(*id).expect("it is there");
            prop_assert_eq!(entry.count(), words.len() / 2);
            prop_assert_eq!(&words_of(&entry), words);
        }
    }
}

#[test]
fn ids_only_grow() {
    let mut log = numbered(3);
    assert_eq!(append(&mut log, Id::new(3, 0), &[b"a", b"b"]), Err(AppendError::NotGreater));
    assert_eq!(log.next_id(2), Some(Id::new(3, 1)), "the clock went back");
    assert_eq!(log.next_id(9), Some(Id::new(9, 0)));
    assert_eq!((log.next_id_in(2), log.next_id_in(3)), (None, Some(Id::new(3, 1))));
    append(&mut log, Id::MAX, &[b"a", b"b"]).expect("the last id of all");
    assert_eq!((log.next_id(9), log.next_id_in(u64::MAX)), (None, None));
}

#[test]
fn a_block_gives_the_room_of_its_deleted_entries_back() {
    let mut log = Log::default();
    let roomy = Limits { bytes: 1 << 20, entries: 1000 };
    for ms in 1..=100 {
        let value = [b'x'; 500];
        log.append(Id::new(ms, 0), [&b"f"[..], &value].into_iter(), roomy).expect("ids grow");
    }
    (1..100).for_each(|ms| assert!(log.delete(Id::new(ms, 0))));
    assert_eq!((log.len(), log.block_count()), (1, 1));
    assert!(log.blocks[0].size() < 1100, "{} bytes for one entry", log.blocks[0].size());
    assert_eq!(log.max_deleted_id(), Id::new(99, 0));
}

#[test]
fn trimming_stops_at_its_limit_and_at_whole_blocks() {
    let whole = Trim { approximate: true, ..trim(Keep::Newest(1)) };
    let mut log = numbered(30);
    assert_eq!(log.trim(Trim { limit: 20, ..whole }), 14);
    assert_eq!(ids(&log), (15..=30).collect::<Vec<_>>());
    assert_eq!(log.trim(whole), 14);
    assert_eq!(log.trim(whole), 0, "the last block has more than one entry");
    assert_eq!(log.trim(trim(Keep::From(Id::new(30, 0)))), 1);
    assert_eq!(log.trim(trim(Keep::Newest(0))), 1);
    assert_eq!((log.len(), log.first_id(), log.block_count()), (0, Id::MIN, 0));
    assert_eq!(log.max_deleted_id(), Id::MIN, "trimming is not deleting");
}

#[test]
fn references_go_or_keep_their_entries() {
    let mut log = numbered(20);
    assert!(log.create_group(b"g", Id::MIN, None));
    let (group, entries) = log.group_and_entries(b"g").expect("the group");
    let (reader, created) = group.consumer_or_new(b"c", 5);
    assert!(created);
    for ms in 1..=10 {
        group.deliver(Id::new(ms, 0), reader, 5);
        entries.advance(group, Id::new(ms, 0));
    }
    (3..=10).for_each(|ms| assert!(group.acknowledge(Id::new(ms, 0))));

    let acknowledged = Trim { references: References::Acknowledged, ..trim(Keep::Newest(5)) };
    assert_eq!(log.trim(acknowledged), 8);
    assert_eq!(ids(&log), [1, 2].into_iter().chain(11..=20).collect::<Vec<_>>());
    assert_eq!(log.delete_with(Id::new(2, 0), References::Acknowledged), Removed::Referenced);
    assert_eq!(log.delete_with(Id::new(15, 0), References::Acknowledged), Removed::Referenced);
    assert_eq!(log.delete_with(Id::new(2, 0), References::Keep), Removed::Gone);
    assert_eq!(log.delete_with(Id::new(2, 0), References::Keep), Removed::Absent);
    assert_eq!(log.group(b"g").map(Group::pending_count), Some(2));
    let unreferenced = Trim { references: References::Delete, ..trim(Keep::Newest(10)) };
    assert_eq!(log.trim(unreferenced), 1);
    let group = log.group(b"g").expect("the group");
    assert_eq!(
        group.pending(..).map(|(id, _)| id.ms).collect::<Vec<_>>(),
        [2],
        "that of entry 2 points at nothing"
    );
    assert_eq!(group.consumer(reader).pending_count(), 1);
}

#[test]
fn a_groups_maps_agree_whatever_happens() {
    let mut group = Group::new(Id::MIN, None);
    let (a, _) = group.consumer_or_new(b"a", 0);
    let (b, _) = group.consumer_or_new(b"b", 0);
    for ms in 0..100 {
        group.deliver(Id::new(ms, 1), if ms % 2 == 0 { a } else { b }, ms);
    }
    assert_eq!(group.oldest(90, 100, 100).len(), 11);
    for ms in 0..100 {
        match ms % 5 {
            0 => assert!(group.acknowledge(Id::new(ms, 1))),
            1 => group.claim(Id::new(ms, 1), a, 200 + ms, Count::OneMore),
            2 => assert!(group.release(Id::new(99 - ms, 1), false, |count| count.saturating_sub(1))),
            _ => {}
        }
    }
    assert!(!group.release(Id::new(0, 2), false, |count| count));
    assert!(group.release(Id::new(0, 2), true, |_| u64::MAX));
    assert_eq!(group.pending_of(Id::new(0, 2)).map(|pending| pending.deliveries), Some(i64::MAX as u64));
    let owned: usize = group.consumers().map(Consumer::pending_count).sum();
    assert_eq!(group.pending(..).filter(|(_, pending)| pending.is_owned()).count(), owned);
    assert_eq!(group.pending_count() - owned, group.released_count());
    let order = group.oldest(0, 1000, 1000);
    assert_eq!(order.len(), group.pending_count());
    let unowned = order.iter().take_while(|id| !group.pending_of(**id).expect("pending").is_owned()).count();
    assert_eq!(unowned, group.released_count(), "what is nobody's comes first");
    assert_eq!(group.oldest_delivery(), Some(0));

    let of_a = group.consumer(a).pending_count();
    assert_eq!((group.delete_consumer(b"a"), group.delete_consumer(b"a")), (Some(of_a), None));
    assert_eq!(group.oldest(0, 1000, 1000).len(), group.pending_count());
    let (c, created) = group.consumer_or_new(b"c", 0);
    assert!(created && group.consumer(c).name() == b"c" && group.consumer(c).pending_count() == 0);
    assert_eq!(group.consumers().map(Consumer::name).collect::<Vec<_>>(), [b"b", b"c"]);
}

#[test]
fn deliveries_are_counted_no_further_than_a_reply_can_show() {
    let mut group = Group::new(Id::MIN, None);
    let (a, _) = group.consumer_or_new(b"a", 0);
    group.claim(Id::new(1, 1), a, 0, Count::Set(u64::MAX));
    group.claim(Id::new(1, 1), a, 0, Count::OneMore);
    assert_eq!(group.pending_of(Id::new(1, 1)).map(|pending| pending.deliveries), Some(i64::MAX as u64));
}

#[test]
fn progress_is_known_as_far_as_the_counters_tell() {
    let mut log = numbered(5);
    assert!(log.create_group(b"g", Id::MIN, None));
    let lag = |log: &Log| log.entries().lag(log.group(b"g").expect("the group"));
    let read = |log: &mut Log, ms| {
        let (group, entries) = log.group_and_entries(b"g").expect("the group");
        entries.advance(group, Id::new(ms, 0));
        group.entries_read
    };
    assert_eq!(lag(&log), Some(5));
    assert_eq!((read(&mut log, 1), lag(&log)), (Some(1), Some(4)));
    // A tombstone ahead: nobody knows how many.
    log.delete(Id::new(3, 0));
    assert_eq!((read(&mut log, 2), lag(&log)), (None, None));
    assert_eq!((read(&mut log, 4), lag(&log)), (None, None));
    assert_eq!((read(&mut log, 5), lag(&log)), (Some(5), Some(0)));
    // Trimmed past the group.
    let mut log = numbered(5);
    assert!(log.create_group(b"g", Id::MIN, None));
    read(&mut log, 1);
    log.trim(trim(Keep::Newest(1)));
    assert_eq!(lag(&log), Some(1));
    assert_eq!((read(&mut log, 5), lag(&log)), (Some(5), Some(0)));
}

#[test]
fn an_entry_of_two_fields_takes_few_bytes() {
    let mut log = Log::default();
    let limits = Limits { bytes: 4096, entries: 100 };
    let n = 10_000;
    for ms in 0..n {
        let words: [&[u8]; 4] = [b"field1", b"value-abcdef", b"field2", b"value-ghijkl"];
        log.append(Id::new(1_700_000_000_000 + ms, 1), words.into_iter(), limits).expect("ids grow");
    }
    // 26 bytes of values and their lengths, 4 or 5 around them, and a block's header for a hundred.
    let each = Stream(Box::new(log)).heap_bytes() / n as usize;
    assert!(each <= 34, "{each} bytes for an entry");
}
