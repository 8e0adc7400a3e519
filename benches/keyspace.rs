//! The table against papaya, with one hash and equal entries, and what [`Space`] and the walks cost.
//!
//! Filling a map prints what it took and how many bytes a key keeps, as asked of the allocator. Five million keys take
//! a gigabyte and some minutes, so they are measured only if `SOCKUDO_BENCH_LARGE` is set.
//!
//! "One" is a lookup as a connection at pipeline depth 1 makes it: under a guard of its own, and the next key is known
//! only when the answer is there, so that nothing overlaps. "Of 64" is a pipelined batch under one guard: ours in the
//! stages of the executor, papaya's lookups back to back, because it has no stages.

mod common;

use std::hash::{BuildHasher, Hash, Hasher};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use common::{Key, key, per_item, shuffled_keys};
use criterion::measurement::WallTime;
use criterion::{BatchSize, Bencher, BenchmarkGroup, Criterion, criterion_group, criterion_main};
use papaya::{Equivalent, Guard as _, HashMap};
use seize::Collector;
use sockudo_kv::keyspace::bucket::Bucket;
use sockudo_kv::keyspace::entry::{Entry, Swap};
use sockudo_kv::keyspace::hash::KeyHasher;
use sockudo_kv::keyspace::reclaim::collect_if_due;
use sockudo_kv::keyspace::table::{Insert, Table};
use sockudo_kv::keyspace::{Access, Keyspace, Space};
use sockudo_kv::memory::{self, Counted};
use sockudo_kv::sync::epoch::{self, Guard};
use sockudo_kv::sync::{AtomicU64, Ordering};
use sockudo_kv::value::word::{NO_EXPIRY, OwnedWord, Word};

#[global_allocator]
static ALLOCATOR: Counted = Counted;

const BATCH: usize = 64;
/// Keys of one run of the insert bench.
const FRESH: usize = 100_000;
/// Runs of a bench whose every run takes milliseconds.
const LONG_SAMPLES: usize = 10;

/// Text of three bytes, which stands in the word.
fn short_value() -> Word {
    OwnedWord::from_text(b"xxx", NO_EXPIRY).into_word()
}

/// A map from key to word as a server would use it.
trait Contender {
    const NAME: &'static str;
    type Guard<'g>
    where
        Self: 'g;

    fn new() -> Self;
    fn pin(&self) -> Self::Guard<'_>;
    /// The word of a key that is there.
    fn get(&self, key: &Key, guard: &Self::Guard<'_>) -> u64;
    /// The sum of the words of keys that are there.
    fn get_batch(&self, keys: &[Key; BATCH], guard: &Self::Guard<'_>) -> u64;
    /// Adds an absent key.
    fn insert(&self, key: &Key, word: Word, guard: &Self::Guard<'_>);
    /// Exchanges the word of a key that is there; the word before.
    fn overwrite(&self, key: &Key, word: Word, guard: &Self::Guard<'_>) -> u64;
    fn overwrite_batch(&self, keys: &[Key; BATCH], word: Word, guard: &Self::Guard<'_>);
    /// Frees garbage that nobody can read any more.
    fn collect(&self);
}

// -- ours -----------------------------------------------------------------------------------------------------------

struct Ours {
    table: Table,
    hasher: KeyHasher,
}

impl Ours {
    fn find<'g>(&self, key: &Key, guard: &'g Guard) -> &'g Entry {
        self.table.find(self.hasher.hash(key), key, guard).expect("the key is there")
    }

    /// Looks a batch up as the executor does: each pass asks for the lines that the next one reads.
    fn find_batch<'g>(&'g self, keys: &[Key; BATCH], guard: &'g Guard) -> [&'g Entry; BATCH] {
        let hashes = keys.each_ref().map(|key| self.hasher.hash(key));
        hashes.iter().for_each(|&hash| self.table.prefetch_directory(hash));
        let buckets: [Bucket; BATCH] = hashes.map(|hash| self.table.prefetch_bucket(hash, guard));
        let entries: [_; BATCH] =
            std::array::from_fn(|i| Table::prefetch_entry(buckets[i], hashes[i], guard));
        std::array::from_fn(|i| {
            // SAFETY: reached through the table under the guard.
            let hint = entries[i].map(|entry| unsafe { entry.as_ref() });
            match hint.filter(|entry| entry.key() == keys[i]) {
                Some(entry) => entry,
                None => self.table.find(hashes[i], &keys[i], guard).expect("the key is there"),
            }
        })
    }

    fn exchange(entry: &Entry, word: Word) -> u64 {
        let mut seen = entry.load();
        while let Swap::Lost(now) = entry.swap(seen, word) {
            seen = now;
        }
        seen.to_bits()
    }
}

impl Contender for Ours {
    const NAME: &'static str = "ours";
    type Guard<'g> = Guard;

    fn new() -> Ours {
        let hasher = KeyHasher::random();
        Ours { table: Table::new(1, hasher.clone()), hasher }
    }

    fn pin(&self) -> Guard {
        let guard = epoch::pin();
        collect_if_due(&guard);
        guard
    }

    fn get(&self, key: &Key, guard: &Guard) -> u64 {
        self.find(key, guard).load().to_bits()
    }

    fn get_batch(&self, keys: &[Key; BATCH], guard: &Guard) -> u64 {
        self.find_batch(keys, guard).iter().fold(0, |sum, entry| sum.wrapping_add(entry.load().to_bits()))
    }

    fn insert(&self, key: &Key, word: Word, guard: &Guard) {
        let inserted = self.table.insert(self.hasher.hash(key), key, word, 0, guard);
        assert!(matches!(inserted, Insert::Inserted(_)));
        self.table.count(0, 1);
    }

    fn overwrite(&self, key: &Key, word: Word, guard: &Guard) -> u64 {
        Ours::exchange(self.find(key, guard), word)
    }

    fn overwrite_batch(&self, keys: &[Key; BATCH], word: Word, guard: &Guard) {
        self.find_batch(keys, guard).iter().for_each(|entry| {
            Ours::exchange(entry, word);
        });
    }

    fn collect(&self) {
        // Every round may move the epoch by one and frees a fixed number of bags.
        (0..BATCH).for_each(|_| epoch::pin().flush());
    }
}

// -- papaya ---------------------------------------------------------------------------------------------------------

/// A key inside its entry; with the word behind it an entry takes 32 bytes, as ours with a key of 16 to 19 bytes.
#[derive(PartialEq, Eq)]
struct InlineKey {
    len: u8,
    bytes: [u8; 19],
}

impl InlineKey {
    fn new(key: &[u8]) -> InlineKey {
        let mut bytes = [0; 19];
        bytes[..key.len()].copy_from_slice(key);
        InlineKey { len: key.len() as u8, bytes }
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl Hash for InlineKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.as_slice());
    }
}

/// A key whose hash has served to choose the shard already.
struct Hashed<'a> {
    hash: u64,
    key: &'a [u8],
}

impl Hash for Hashed<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Equivalent<InlineKey> for Hashed<'_> {
    fn equivalent(&self, key: &InlineKey) -> bool {
        self.key == key.as_slice()
    }
}

/// The table's hash for papaya.
#[derive(Clone)]
struct SameHash(KeyHasher);

/// Hashes bytes, and passes on what is a hash already.
struct OneWrite {
    hasher: KeyHasher,
    hash: u64,
}

impl BuildHasher for SameHash {
    type Hasher = OneWrite;

    fn build_hasher(&self) -> OneWrite {
        OneWrite { hasher: self.0.clone(), hash: 0 }
    }
}

impl Hasher for OneWrite {
    fn write(&mut self, bytes: &[u8]) {
        self.hash = self.hasher.hash(bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.hash = hash;
    }

    fn finish(&self) -> u64 {
        self.hash
    }
}

type Shard = HashMap<InlineKey, AtomicU64, SameHash>;

/// `SHARDS` maps, a power of two, that share one collector.
struct Papaya<const SHARDS: usize> {
    shards: Box<[Shard]>,
    collector: Arc<Collector>,
    hasher: KeyHasher,
}

impl<const SHARDS: usize> Papaya<SHARDS> {
    fn shard(&self, hash: u64) -> &Shard {
        // Bits that papaya takes neither for its index nor for its tags.
        &self.shards[(hash >> 40) as usize & (SHARDS - 1)]
    }

    fn find<'g>(&'g self, key: &Key, guard: &'g seize::LocalGuard<'_>) -> &'g AtomicU64 {
        let hash = self.hasher.hash(key);
        self.shard(hash).get(&Hashed { hash, key }, guard).expect("the key is there")
    }

    fn exchange(slot: &AtomicU64, word: Word) -> u64 {
        let mut seen = slot.load(Ordering::Acquire);
        while let Err(now) = slot.compare_exchange(seen, word.to_bits(), Ordering::AcqRel, Ordering::Acquire)
        {
            seen = now;
        }
        seen
    }
}

impl<const SHARDS: usize> Contender for Papaya<SHARDS> {
    const NAME: &'static str = if SHARDS == 1 { "papaya, one map" } else { "papaya, 64 shards" };
    type Guard<'g> = seize::LocalGuard<'g>;

    fn new() -> Papaya<SHARDS> {
        let hasher = KeyHasher::random();
        let collector = Arc::new(Collector::new());
        let shard = |_| {
            let builder = HashMap::builder().hasher(SameHash(hasher.clone()));
            builder.shared_collector(Arc::clone(&collector)).build()
        };
        Papaya { shards: (0..SHARDS).map(shard).collect(), collector, hasher }
    }

    fn pin(&self) -> seize::LocalGuard<'_> {
        self.collector.enter()
    }

    fn get(&self, key: &Key, guard: &seize::LocalGuard<'_>) -> u64 {
        self.find(key, guard).load(Ordering::Acquire)
    }

    fn get_batch(&self, keys: &[Key; BATCH], guard: &seize::LocalGuard<'_>) -> u64 {
        keys.iter().fold(0, |sum, key| sum.wrapping_add(self.get(key, guard)))
    }

    fn insert(&self, key: &Key, word: Word, guard: &seize::LocalGuard<'_>) {
        let slot = AtomicU64::new(word.to_bits());
        let inserted = self.shard(self.hasher.hash(key)).try_insert(InlineKey::new(key), slot, guard);
        assert!(inserted.is_ok());
    }

    fn overwrite(&self, key: &Key, word: Word, guard: &seize::LocalGuard<'_>) -> u64 {
        Self::exchange(self.find(key, guard), word)
    }

    fn overwrite_batch(&self, keys: &[Key; BATCH], word: Word, guard: &seize::LocalGuard<'_>) {
        keys.iter().for_each(|key| {
            self.overwrite(key, word, guard);
        });
    }

    fn collect(&self) {
        self.pin().flush();
    }
}

// -- one against the other ------------------------------------------------------------------------------------------

fn insert_all<M: Contender>(map: &M, keys: &[Key]) {
    for batch in keys.chunks(BATCH) {
        let guard = map.pin();
        batch.iter().for_each(|key| map.insert(key, short_value(), &guard));
    }
}

/// A map of all `keys`; prints what making it took.
fn filled<M: Contender>(keys: &[Key]) -> M {
    let before = memory::used();
    let began = Instant::now();
    let map = M::new();
    insert_all(&map, keys);
    let elapsed = began.elapsed();
    map.collect();
    let bytes = (memory::used() - before) as f64 / keys.len() as f64;
    let nanos = elapsed.as_nanos() as f64 / keys.len() as f64;
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    println!(
        "{} keys, {}: {bytes:.1} bytes a key, filled in {nanos:.0} ns a key (load {load})",
        keys.len(),
        M::NAME
    );
    map
}

/// Calls `visit` with batch after batch, for ever.
fn batches(keys: &[Key]) -> impl Iterator<Item = &[Key; BATCH]> {
    keys.as_chunks::<BATCH>().0.iter().cycle()
}

/// Asks for key after key, each of which is known only when the answer to the one before is there.
fn one_by_one(b: &mut Bencher<'_>, keys: &[Key], mut ask: impl FnMut(&Key) -> u64) {
    // Unknown to the compiler, so that the place of the next key depends on the answer.
    let zero = black_box(0u64);
    let mut at = 0;
    b.iter(|| {
        at = at + 1 + (ask(&keys[at]) & zero) as usize;
        if at == keys.len() {
            at = 0;
        }
    });
}

/// What is done with existing keys.
fn existing<M: Contender>(group: &mut BenchmarkGroup<'_, WallTime>, map: &M, keys: &[Key]) {
    group.bench_function(format!("get one/{}", M::NAME), |b| {
        one_by_one(b, keys, |key| map.get(key, &map.pin()));
    });
    let mut rounds = batches(keys);
    group.bench_function(format!("get of 64/{}", M::NAME), |b| {
        per_item(b, BATCH, || {
            let batch = rounds.next().expect("they go round");
            black_box(map.get_batch(batch, &map.pin()));
        });
    });
    let word = short_value();
    group.bench_function(format!("overwrite one/{}", M::NAME), |b| {
        one_by_one(b, keys, |key| map.overwrite(key, word, &map.pin()));
    });
    group.bench_function(format!("overwrite of 64/{}", M::NAME), |b| {
        per_item(b, BATCH, || {
            let batch = rounds.next().expect("they go round");
            map.overwrite_batch(batch, word, &map.pin());
        });
    });
}

/// Steps of SCAN, and samples as eviction and RANDOMKEY take them.
fn walks(group: &mut BenchmarkGroup<'_, WallTime>, ours: &Ours, keys: &[Key]) {
    let mut cursor = 0;
    group.bench_function("scan step", |b| {
        b.iter(|| {
            let mut bytes = 0;
            cursor = ours.table.scan(cursor, &ours.pin(), |entry| bytes += entry.key().len());
            bytes
        });
    });
    let mut randoms = keys.iter().map(|key| ours.hasher.hash(key)).cycle();
    group.bench_function("sample", |b| {
        b.iter(|| {
            let random = randoms.next().expect("they go round");
            ours.table.sample(random, &ours.pin()).map(|entry| entry.clock())
        });
    });
}

fn maps(c: &mut Criterion) {
    let mut sizes = vec![100_000, 1_000_000];
    if std::env::var_os("SOCKUDO_BENCH_LARGE").is_some() {
        sizes.push(5_000_000);
    }
    for size in sizes {
        let keys = shuffled_keys(size);
        let in_order: Vec<Key> = (0..size).map(key).collect();
        let mut group = c.benchmark_group(format!("{size} keys"));
        let ours = filled::<Ours>(&in_order);
        existing(&mut group, &ours, &keys);
        walks(&mut group, &ours, &keys);
        drop(ours);
        existing(&mut group, &filled::<Papaya<64>>(&in_order), &keys);
        existing(&mut group, &filled::<Papaya<1>>(&in_order), &keys);
        group.finish();
    }
}

/// Inserts into a map that begins empty; the time is that of all of them.
fn fresh<M: Contender>(group: &mut BenchmarkGroup<'_, WallTime>, keys: &[Key]) {
    group.bench_function(M::NAME, |b| {
        b.iter_batched_ref(M::new, |map| insert_all(map, keys), BatchSize::PerIteration);
    });
}

fn inserts(c: &mut Criterion) {
    let keys = shuffled_keys(FRESH);
    let mut group = c.benchmark_group("insert 100000 fresh keys");
    group.sample_size(LONG_SAMPLES).throughput(criterion::Throughput::Elements(FRESH as u64));
    fresh::<Ours>(&mut group, &keys);
    fresh::<Papaya<64>>(&mut group, &keys);
    fresh::<Papaya<1>>(&mut group, &keys);
    group.finish();
}

// -- the whole of a command's work on a key -------------------------------------------------------------------------

/// Single accesses as a handler makes them: expiry, counters and clock included, the gate and RESP not.
fn space(c: &mut Criterion) {
    let keys = shuffled_keys(FRESH);
    let keyspace = Keyspace::new(1, 1, 1);
    let on = |key: &Key, access, work: &dyn Fn(&Space<'_>, &Key)| {
        let guard = epoch::pin();
        collect_if_due(&guard);
        work(&Space::new(&keyspace, 0, &guard, 0, 1, access), key);
    };
    let set = |text: &'static [u8]| {
        move |space: &Space<'_>, key: &Key| space.set(space.key(key), OwnedWord::from_text(text, NO_EXPIRY))
    };
    let mut singles = keys.iter().cycle();
    let mut bench = |name: &str, access, work: &dyn Fn(&Space<'_>, &Key)| {
        keys.iter().for_each(|key| on(key, Access::Writing, &set(b"xxx")));
        c.bench_function(&format!("space of 100000/{name}"), |b| {
            b.iter(|| on(singles.next().expect("they go round"), access, work));
        });
    };
    bench("read", Access::Reading, &|space, key| {
        black_box(space.read(space.key(key)).is_some());
    });
    bench("set 3 bytes", Access::Writing, &set(b"yyy"));
    bench("set 64 bytes", Access::Writing, &set(&[b'y'; 64]));
    bench("delete and set", Access::Writing, &|space, key| {
        space.delete(space.key(key));
        set(b"yyy")(space, key);
    });
}

criterion_group!(benches, maps, inserts, space);
criterion_main!(benches);
