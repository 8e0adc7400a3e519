//! Registers that any number of threads raise and count at once.
//!
//! Registers are bytes, eight to an atomic word, and only ever rise. One more word, `state`, ties everything that is
//! not a single register together:
//!
//! ```text
//! bit 63      DIRTY   the field counts raisers at work; otherwise it is the cached cardinality
//! bit 62      SEALED  final: no register changes once those at work have left
//! bit 61      BATCH   one batch is at work, or waits for the raisers to leave; it alone may then raise
//! bits 20-60  field   see DIRTY
//! bits 0-19   epoch   how many raises and batches changed a register
//! ```
//!
//! A raise that finds its register high enough is one load and touches nothing: after a while nearly all are. Each
//! epoch raised a register by at least one, and 16384 registers rise to 63 at most, so 20 bits never wrap.
//!
//! 1. A *raiser* enters before it changes a register and leaves after it. Entering sets DIRTY and adds one to the
//!    field, in one step; it is refused once SEALED and waits while BATCH is set. Leaving subtracts one, and adds one
//!    to the epoch if the register rose.
//! 2. A *batch* raises several registers as one: it sets BATCH, waits for the field to be zero, raises, and leaves by
//!    clearing BATCH and, if a register rose, adding one to the epoch. Raisers, counters and sealers wait for it.
//! 3. A *counter* reads all registers between two loads of `state`. Equal, DIRTY, with no one at work: they stood
//!    like that together, as every change would show as someone at work or a later epoch. It may then make the
//!    cardinality the cached one by compare-and-swap from that very state, so that a count from before a raise never
//!    becomes the cache after it. A state that comes back after a raiser that changed nothing is no different state.
//! 4. With the same raisers at work at both loads (one may be suspended), the counter reads all registers once more.
//!    Registers only rise, so what was equal in both passes stood together between them. That count is not cached.
//! 5. A *sealer* sets SEALED and waits for raisers and batch to leave. Whoever entered is in what it then reads; whoever
//!    is refused has changed nothing and repeats on the value's successor. No fence on the raisers' side is needed:
//!    all meet in one word, whose modifications have one order.
//!
//! Where commands take effect: a raise at its swap of the register, or at the load that found it high enough; a batch
//! at its first swap (no one can tell before it leaves which registers it still owes); a count at the state it
//! confirmed, or between its two passes. What a raise found high enough, a later count includes: it either meets that
//! raiser at work, or an epoch after it. So the cache is never used while some raise is visible that it lacks.
//!
//! Single raises are lock-free among each other and for counters; a batch is a latch held for as long as its few
//! swaps take, at most once per epoch.

use crate::sync::{AtomicU64, Ordering, fence, spin_loop, yield_now};

const DIRTY: u64 = 1 << 63;
const SEALED: u64 = 1 << 62;
const BATCH: u64 = 1 << 61;
const EPOCH: u64 = 1;
const EPOCH_BITS: u32 = 20;
const EPOCHS: u64 = (1 << EPOCH_BITS) - 1;
const RAISER: u64 = 1 << EPOCH_BITS;
const FIELD: u64 = (BATCH - 1) & !EPOCHS;

/// Cardinalities from here on do not fit the field and are not cached: over two million million.
const UNCACHED: u64 = FIELD >> EPOCH_BITS;

/// Registers in one word.
const LANES: usize = 8;

/// Rounds of spinning before a waiter gives its time slice away.
const SPINS: u32 = 64;

const _: () = assert!(super::REGISTERS as u64 * (super::MAX_REGISTER as u64) <= EPOCHS);

/// What came of an attempt to raise registers.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raise {
    /// Every register was as high already. Nothing was written.
    Unchanged,
    /// This call raised at least one register.
    Raised,
    /// Some register is too low, but the sketch is sealed. Nothing was written: repeat on the sketch's successor.
    Sealed,
}

/// Whether a call of seal was the first.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seal {
    /// The sketch was open until this call.
    First,
    /// Another call sealed it before.
    Repeated,
}

/// Whether a raiser or batch may go to work.
#[must_use]
#[derive(PartialEq)]
enum Entry {
    Entered,
    Refused,
}

/// `WORDS` words of eight registers, and the state that ties them together. Models take a few words, sketches 2048.
pub struct Shared<const WORDS: usize> {
    words: Box<[AtomicU64]>,
    state: AtomicU64,
}

/// The registers of a [`Shared`] as they stood at one moment.
pub struct Snapshot<const WORDS: usize> {
    /// Eight registers to a word, the first in the lowest byte.
    pub words: Box<[u64; WORDS]>,
    /// The cardinality that was cached for them.
    pub cached: Option<u64>,
    /// The state to swap from when caching their cardinality; absent while raisers are at work.
    publishable: Option<u64>,
}

impl<const WORDS: usize> Shared<WORDS> {
    /// Registers with the given values, eight to a word, and the cardinality cached for them, if that is known.
    #[must_use]
    pub fn new(words: impl Iterator<Item = u64>, cached: Option<u64>) -> Shared<WORDS> {
        let words: Box<[AtomicU64]> = words.map(AtomicU64::new).collect();
        assert_eq!(words.len(), WORDS);
        let state = cached.and_then(|cached| with_cached(0, cached)).unwrap_or(DIRTY);
        Shared { words, state: AtomicU64::new(state) }
    }

    /// The value of register `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> u8 {
        // Ordering: pairs with the Release swap in `lift`, so that whoever sees a register raised also sees its
        // raiser at work, or gone, in `state`.
        lane(self.words[index / LANES].load(Ordering::Acquire), index)
    }

    /// Raises register `index` to `rank`, unless it is as high already.
    pub fn raise(&self, index: usize, rank: u8) -> Raise {
        if self.get(index) >= rank {
            return Raise::Unchanged;
        }
        if self.enter() == Entry::Refused {
            return Raise::Sealed;
        }
        let raised = self.lift(index, rank);
        // Ordering: Release hands the register to whoever loads a state without this raiser.
        self.state.fetch_sub(if raised { RAISER - EPOCH } else { RAISER }, Ordering::Release);
        outcome(raised)
    }

    /// Raises several registers, seen by others all together or not at all. Takes the latch only if at least two
    /// of them are too low.
    pub fn raise_all(&self, ranks: impl IntoIterator<Item = (usize, u8)>) -> Raise {
        // Registers only rise: what is left out here is as high at any later moment as well.
        let mut low = ranks.into_iter().filter(|&(index, rank)| self.get(index) < rank);
        let Some(first) = low.next() else { return Raise::Unchanged };
        let Some(second) = low.next() else { return self.raise(first.0, first.1) };
        let pending: Vec<_> = [first, second].into_iter().chain(low).collect();
        if self.enter_batch() == Entry::Refused {
            return Raise::Sealed;
        }
        let raised = pending.iter().fold(false, |raised, &(index, rank)| self.lift(index, rank) | raised);
        // Ordering: as for a single raiser.
        self.state.fetch_sub(if raised { BATCH - EPOCH } else { BATCH }, Ordering::Release);
        outcome(raised)
    }

    /// Lets no more raises in and waits for those at work to leave. From then on the registers are final.
    pub fn seal(&self) -> Seal {
        // Ordering: Acquire for the registers of all who left before; their Release subtractions and the steps after
        // them are one release sequence. `wait_while` does the same for those still at work.
        let before = self.state.fetch_or(SEALED, Ordering::AcqRel);
        self.wait_while(|state| state & BATCH != 0 || raisers(state) != 0);
        if before & SEALED == 0 { Seal::First } else { Seal::Repeated }
    }

    /// Whether [`Shared::seal`] has begun.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.state.load(Ordering::Acquire) & SEALED != 0
    }

    /// The cached cardinality, unless some register was raised since.
    #[must_use]
    pub fn cached(&self) -> Option<u64> {
        cached(self.state.load(Ordering::Acquire))
    }

    /// All registers as they stood at one moment of this call.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot<WORDS> {
        loop {
            let state = self.wait_while(|state| state & BATCH != 0);
            let words = self.read();
            if self.unchanged_since(state) && raisers(state) == 0 {
                return Snapshot { words, cached: cached(state), publishable: Some(state) };
            }
            // Ordering: two counters that each see one of two independent raises would disagree on their order if
            // neither's second pass came after the other's first one; SeqCst fences between the passes forbid that.
            fence(Ordering::SeqCst);
            if self.read() == words && self.unchanged_since(state) {
                return Snapshot { words, cached: None, publishable: None };
            }
            spin_loop();
        }
    }

    /// Caches the cardinality of `snapshot`, if no register was raised since it was taken.
    pub fn publish(&self, snapshot: &Snapshot<WORDS>, cardinality: u64) {
        let Some(state) = snapshot.publishable.filter(|state| state & DIRTY != 0) else { return };
        if let Some(next) = with_cached(state & !DIRTY, cardinality) {
            // Ordering: Release, for a reader of the cache sees what its counter saw. A failure means that a raise
            // or another counter was faster: nothing is lost.
            let _ = self.state.compare_exchange(state, next, Ordering::Release, Ordering::Relaxed);
        }
    }

    /// Swaps the register up to `rank`; says whether this call raised it. Only for those who entered.
    fn lift(&self, index: usize, rank: u8) -> bool {
        let word = &self.words[index / LANES];
        let mut current = word.load(Ordering::Relaxed);
        while lane(current, index) < rank {
            // Ordering: Release on success, see `get`; it also keeps the swap behind the entry.
            match word.compare_exchange_weak(
                current,
                with_lane(current, index, rank),
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(seen) => current = seen,
            }
        }
        false
    }

    fn enter(&self) -> Entry {
        self.transition(|state| {
            let field = if state & DIRTY != 0 { state & FIELD } else { 0 };
            DIRTY | (state & (SEALED | EPOCHS)) | (field + RAISER)
        })
    }

    fn enter_batch(&self) -> Entry {
        let entry = self.transition(|state| {
            let field = if state & DIRTY != 0 { state & FIELD } else { 0 };
            DIRTY | BATCH | (state & (SEALED | EPOCHS)) | field
        });
        if entry == Entry::Entered {
            self.wait_while(|state| raisers(state) != 0);
        }
        entry
    }

    /// Moves to `next(state)`, from a state without a batch; refuses once sealed.
    fn transition(&self, next: impl Fn(u64) -> u64) -> Entry {
        loop {
            let state = self.wait_while(|state| state & BATCH != 0);
            if state & SEALED != 0 {
                return Entry::Refused;
            }
            // Ordering: AcqRel chains everyone at work into one order: who enters later sees what the earlier raised.
            if self
                .state
                .compare_exchange_weak(state, next(state), Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
            {
                return Entry::Entered;
            }
        }
    }

    /// One pass over all registers.
    fn read(&self) -> Box<[u64; WORDS]> {
        let mut words = Box::new([0; WORDS]);
        for (copy, word) in words.iter_mut().zip(&self.words) {
            // Ordering: as in `get`; the Acquire also keeps the later loads of `state` behind this one.
            *copy = word.load(Ordering::Acquire);
        }
        words
    }

    fn unchanged_since(&self, state: u64) -> bool {
        self.state.load(Ordering::Acquire) == state
    }

    /// The first state that is not `busy`, with Acquire.
    fn wait_while(&self, busy: impl Fn(u64) -> bool) -> u64 {
        let mut spins = 0u32;
        loop {
            let state = self.state.load(Ordering::Acquire);
            if !busy(state) {
                return state;
            }
            spins = spins.wrapping_add(1);
            if spins.is_multiple_of(SPINS) { yield_now() } else { spin_loop() }
        }
    }
}

fn outcome(raised: bool) -> Raise {
    if raised { Raise::Raised } else { Raise::Unchanged }
}

fn raisers(state: u64) -> u64 {
    if state & DIRTY != 0 { state & FIELD } else { 0 }
}

fn cached(state: u64) -> Option<u64> {
    (state & DIRTY == 0).then_some((state & FIELD) >> EPOCH_BITS)
}

/// `state`, which is not dirty and has an empty field, with `cardinality` cached; none if that is too large.
fn with_cached(state: u64, cardinality: u64) -> Option<u64> {
    (cardinality < UNCACHED).then_some(state & !FIELD | cardinality << EPOCH_BITS)
}

fn shift(index: usize) -> usize {
    index % LANES * 8
}

fn lane(word: u64, index: usize) -> u8 {
    (word >> shift(index)) as u8
}

fn with_lane(word: u64, index: usize, rank: u8) -> u64 {
    word & !(0xff << shift(index)) | u64::from(rank) << shift(index)
}
