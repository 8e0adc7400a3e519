//! What the benches that work on keys share.

use criterion::Bencher;
use std::time::Instant;

/// A key of sixteen bytes, the length that the published memory figures are about.
pub type Key = [u8; 16];

/// The key with this number.
pub fn key(number: usize) -> Key {
    let text = format!("key:{number:012}");
    text.as_bytes().try_into().expect("numbers have at most twelve digits")
}

/// The keys 0 to `count`, each once, in an order that no hardware prefetcher foresees and that is always the same.
pub fn shuffled_keys(count: usize) -> Vec<Key> {
    let mut keys: Vec<Key> = (0..count).map(key).collect();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for last in (1..count).rev() {
        // Xorshift, by Marsaglia: good enough for an order, and its state is never zero.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        keys.swap(last, (random % (last as u64 + 1)) as usize);
    }
    keys
}

/// Reports the time of one item, while `run` does `items` of them at once.
pub fn per_item(b: &mut Bencher<'_>, items: usize, mut run: impl FnMut()) {
    b.iter_custom(|wanted| {
        let rounds = wanted.div_ceil(items as u64);
        let began = Instant::now();
        (0..rounds).for_each(|_| run());
        began.elapsed().mul_f64(wanted as f64 / (rounds * items as u64) as f64)
    });
}
