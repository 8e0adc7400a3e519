//! A bucket: one line of eight words, and a chain of further lines behind the few that overflow.
//!
//! ```text
//! word   63..48          47..0
//! entry  tag, not zero   address of the entry, lowest bit clear
//! link   0               address of the next line | 1, only in the last slot
//! empty  0               0
//! ```
//!
//! Entries fill a chain from its front without a hole: every line but the last has seven and a link. A chained line
//! has at least two entries, as a single one would fit where the link is.

use std::ptr::NonNull;

use super::tags;

/// Words in a line.
pub(super) const SLOTS: usize = 8;
/// Where a link stands.
const LAST: usize = SLOTS - 1;
const TAG_SHIFT: u32 = 48;
const POINTER: u64 = (1 << TAG_SHIFT) - 1;
const LINK: u64 = 1;

/// A word of a bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(super) struct Word(u64);

impl Word {
    const EMPTY: Word = Word(0);

    /// The tag of a hash: bits that do not decide on the bucket, and never zero, which is no entry's tag.
    #[inline]
    pub fn tag_of(hash: u64) -> u16 {
        ((hash >> TAG_SHIFT) as u16).max(1)
    }

    /// The word of an entry.
    #[inline]
    pub fn entry(hash: u64, raw: NonNull<u8>) -> Word {
        let address = raw.as_ptr().expose_provenance() as u64;
        assert!(
            address & !(POINTER & !LINK) == 0,
            "the allocator returned an odd address, or one beyond 48 bits"
        );
        Word(u64::from(Self::tag_of(hash)) << TAG_SHIFT | address)
    }

    /// The same tag with another entry.
    #[inline]
    pub fn with_pointer(self, raw: NonNull<u8>) -> Word {
        Word::entry(self.0, raw)
    }

    fn link(bucket: NonNull<Bucket>) -> Word {
        Word(bucket.as_ptr().expose_provenance() as u64 | LINK)
    }

    /// The address of an entry.
    #[inline]
    pub fn pointer(self) -> NonNull<u8> {
        debug_assert!(self.is_entry());
        let pointer = std::ptr::with_exposed_provenance_mut((self.0 & POINTER) as usize);
        NonNull::new(pointer).expect("an entry's word has an address")
    }

    fn next(self) -> Option<NonNull<Bucket>> {
        if self.0 & LINK == 0 {
            return None;
        }
        NonNull::new(std::ptr::with_exposed_provenance_mut((self.0 & POINTER & !LINK) as usize))
    }

    fn is_entry(self) -> bool {
        self.0 >> TAG_SHIFT != 0
    }
}

/// A line of words. The one in the array is the head of its chain and owns the others.
#[repr(transparent)]
pub(super) struct Bucket([u64; SLOTS]);

/// A chained line, allocated on a line.
#[repr(align(64))]
struct Line(Bucket);

/// Where an entry is. It must not outlive a change of its chain.
pub(super) struct Place(NonNull<u64>);

impl Place {
    /// What is there.
    #[inline]
    pub fn word(&self) -> Word {
        // SAFETY: places are made by `Bucket::find` and `Bucket::last` from a live chain, and used before it changes.
        Word(unsafe { self.0.read() })
    }

    /// Puts another entry there.
    #[inline]
    pub fn replace(&mut self, word: Word) -> Word {
        // SAFETY: as above; the callers have the table exclusively.
        Word(unsafe { self.0.replace(word.0) })
    }
}

impl Bucket {
    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0[0] == 0
    }

    #[inline]
    fn next(&self) -> Option<&Bucket> {
        // SAFETY: rule 2 of the table: the line lives as long as the link to it.
        Word(self.0[LAST]).next().map(|next| unsafe { next.as_ref() })
    }

    /// How many entries this line has.
    fn count(&self) -> usize {
        // What is no entry has tag zero, and comes behind all entries.
        (tags::matches(&self.0, 0) | 1 << SLOTS).trailing_zeros() as usize
    }

    /// The first entry of the chain that has the tag and fits.
    #[inline]
    pub fn find(&self, tag: u16, mut fits: impl FnMut(NonNull<u8>) -> bool) -> Option<Place> {
        let mut line = self;
        loop {
            let mut hits = tags::matches(&line.0, tag);
            while hits != 0 {
                let at = hits.trailing_zeros() as usize;
                if fits(Word(line.0[at]).pointer()) {
                    return Some(line.place(at));
                }
                hits &= hits - 1;
            }
            line = line.next()?;
        }
    }

    #[inline]
    fn place(&self, at: usize) -> Place {
        // The pointer is made anew from its address: whoever writes through it has the table exclusively by then.
        let address = std::ptr::from_ref(&self.0[at]).expose_provenance();
        Place(NonNull::new(std::ptr::with_exposed_provenance_mut(address)).expect("a reference is not null"))
    }

    /// The chain's words, from its head on.
    pub fn iter(&self) -> impl Iterator<Item = Word> {
        let lines = std::iter::successors(Some(self), |line| line.next());
        lines.flat_map(|line| line.0.iter().map(|&word| Word(word)).take_while(|word| word.is_entry()))
    }

    /// The chain's entry number `at`.
    pub fn nth(&self, at: usize) -> Option<Word> {
        self.place_of(at).map(|place| place.word())
    }

    /// Where the chain's entry number `at` is.
    pub fn place_of(&self, mut at: usize) -> Option<Place> {
        let mut line = self;
        while let Some(next) = line.next() {
            if at < LAST {
                break;
            }
            at -= LAST;
            line = next;
        }
        let there = line.0.get(at).is_some_and(|&word| Word(word).is_entry());
        there.then(|| line.place(at))
    }

    /// Appends an entry; how many the chain has then.
    pub fn push(&mut self, word: Word) -> usize {
        let (tail, before) = self.tail();
        let count = tail.count();
        if count < SLOTS {
            tail.0[count] = word.0;
        } else {
            let mut line = Line(Bucket([0; SLOTS]));
            (line.0.0[0], line.0.0[1]) = (tail.0[LAST], word.0);
            tail.0[LAST] = Word::link(NonNull::from(Box::leak(Box::new(line))).cast()).0;
        }
        before + count + 1
    }

    /// The chain's last line, and how many entries are before it.
    fn tail(&mut self) -> (&mut Bucket, usize) {
        let (mut line, mut before) = (NonNull::from(self), 0);
        // SAFETY: rule 2 of the table; the chain is borrowed exclusively.
        while let Some(next) = Word(unsafe { line.as_ref() }.0[LAST]).next() {
            line = next;
            before += LAST;
        }
        // SAFETY: as above.
        (unsafe { line.as_mut() }, before)
    }

    /// Takes out what is at `place` in this chain; the chain's last entry takes its place.
    pub fn remove(&mut self, mut place: Place) -> Word {
        let (tail, _) = self.tail();
        let last = tail.count() - 1;
        let filler = Word(tail.0[last]);
        let word = place.replace(filler);
        // The tail is looked up again: the write above may have been to its line.
        self.tail().0.0[last] = 0;
        if last == 1 {
            self.drop_tail();
        }
        word
    }

    /// Gives back a chained line that has a single entry left.
    fn drop_tail(&mut self) {
        let mut line = NonNull::from(self);
        // SAFETY: rule 2 of the table; the chain is borrowed exclusively. A line is freed after the link to it is gone.
        unsafe {
            let mut link = None;
            while let Some(next) = Word(line.as_ref().0[LAST]).next() {
                link = Some(line);
                line = next;
            }
            let Some(mut before) = link else { return };
            before.as_mut().0[LAST] = line.as_ref().0[0];
            free(line);
        }
    }

    /// Takes the whole chain out and leaves an empty line.
    pub fn take(&mut self) -> Chain {
        Chain(Bucket(std::mem::replace(&mut self.0, [0; SLOTS])))
    }
}

/// Frees a chained line.
///
/// # Safety
/// Nothing links to the line any more, and it came from [`Bucket::push`].
unsafe fn free(line: NonNull<Bucket>) {
    // SAFETY: `push` made it as the only field of a `Line`, at the same address.
    drop(unsafe { Box::from_raw(line.as_ptr().cast::<Line>()) });
}

/// The words of a chain that was taken out. Dropping it frees the chained lines, and not the entries.
pub(super) struct Chain(Bucket);

impl Chain {
    pub fn iter(&self) -> impl Iterator<Item = Word> {
        self.0.iter()
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        let mut next = Word(self.0.0[LAST]).next();
        self.0.0[LAST] = Word::EMPTY.0;
        while let Some(line) = next {
            // SAFETY: rule 2 of the table: the chain owned the line; the link to it was just forgotten.
            unsafe {
                next = Word(line.as_ref().0[LAST]).next();
                free(line);
            }
        }
    }
}

#[cfg(all(test, not(sockudo_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_a_cache_line() {
        assert_eq!((size_of::<Bucket>(), size_of::<Line>(), align_of::<Line>()), (64, 64, 64));
        assert_eq!(size_of::<Word>(), 8);
    }

    fn word(n: usize) -> Word {
        Word((n as u64 + 1) << TAG_SHIFT | (n as u64 + 1) << 4)
    }

    #[test]
    fn chains_stay_dense() {
        let mut bucket = Bucket([0; SLOTS]);
        for n in 0..50 {
            assert_eq!(bucket.push(word(n)), n + 1);
            assert!((0..=n).all(|at| bucket.nth(at) == Some(word(at))));
            assert_eq!(bucket.nth(n + 1), None);
        }
        for n in 0..50 {
            let place = bucket.find(n as u16 + 1, |_| true).expect("it is there");
            assert_eq!(bucket.remove(place), word(n));
            assert!(bucket.find(n as u16 + 1, |_| true).is_none());
            let left = 49 - n;
            assert_eq!(bucket.iter().count(), left);
            assert!((0..left).all(|at| bucket.nth(at).is_some()) && bucket.nth(left).is_none());
        }
        assert!(bucket.is_empty());
    }
}
