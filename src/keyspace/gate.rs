//! The gate: how commands on several keys exclude commands on one, at no shared write for the latter.
//!
//! Every key belongs to one of [`STRIPES`] stripes. Who works on keys owns a *lane*: one padded announcement word that
//! only it writes (a worker thread has one).
//!
//! # States
//! A stripe's word (and the word for all stripes at once) is a set of bits: zero is *open*; `CLOSED` means that an
//! exclusive section owns it; `WAITERS` that somebody sleeps until it opens; further bits are [`Observers`], who want
//! to hear of writes. A lane's word is *idle*, *announcing a
//! stripe*, or *in a section*; its upper bits count the announcements, so that it never repeats.
//!
//! # Rules
//! 1. A writer of one key announces its stripe in its lane, then looks at the stripe's word and at the word for all.
//!    Neither closed: it may write until it becomes idle again. Else it becomes idle at once and waits.
//! 2. A section announces itself, looks at the word for all, sets `CLOSED` on its stripes in ascending order, and
//!    then waits until no other lane announces one of them. It owns them until it clears the bits.
//! 3. A section over everything sets `CLOSED` on the word for all and waits until every other lane is idle. If another
//!    lane stays in a section for long, such as a script's, it opens again and learns which lane it is.
//! 4. Who meets a closed word gives back what it holds before it waits: there is no hold-and-wait, so no deadlock.
//! 5. A reader announces nothing. It reads, and afterwards looks at both words: closed means that what it read may be
//!    half of a section's work, so it throws the answer away and waits. Open means that every write it saw came from a
//!    finished section or from single writers.
//! 6. A reader of several keys additionally compares every lane's word before and after: if no lane wrote meanwhile,
//!    its answers stood together at one instant.
//! 7. Sleepers set `WAITERS` while they hold the registry's lock and look at `CLOSED` again with the same operation;
//!    the opener clears both bits with one operation and, if it cleared `WAITERS`, takes that lock and wakes them.
//! 8. A section may close further stripes in any order, as long as it does not wait for another section to open one:
//!    it takes the stripe at once or learns that it cannot. It waits only for announced writers, who wait for nobody.
//! 9. The bit of an observer is set inside a section over its stripe, and is part of the word that a writer looks at
//!    anyway: who finds it clear cannot have missed anybody. It may be cleared at any time, because an observer that
//!    left may be told what it does not care about any more.
//! 10. Who tracks reads, a reader that wants to hear of the next write, sets its bit without a section. It passes a
//!     fence then, looks at both words, and waits for the lanes that announce the stripe, before it reads. So a write that
//!     did not see the bit is over when the reader reads; and one of a section makes the reader begin anew. The bit in the
//!     word for all stands for every stripe; it is set while everything is closed.
//!
//! Rules 1 and 2 are the store-buffering pattern: both sides write their word, pass a sequentially consistent fence,
//! and read the other's, so at least one sees the other. Rule 5 needs no fence because the section's writes were
//! released after its `CLOSED`: seeing one of them makes the bit (or its later clearing) visible.

use std::cell::RefCell;
use std::collections::HashMap;
use std::task::{Context, Poll, Waker};

use crossbeam_utils::CachePadded;

use super::observe::Trace;
use crate::sync::{AtomicU32, AtomicU64, AtomicUsize, Mutex, Ordering, fence, spin_loop, yield_now};

/// How many stripes the keys are spread over: as many as a cluster has slots.
#[cfg(not(sockudo_loom))]
pub const STRIPES: usize = 16_384;
/// Few stripes for the models: every one of them costs the checker.
#[cfg(sockudo_loom)]
pub const STRIPES: usize = 2;

const CLOSED: u32 = 1;
const WAITERS: u32 = 2;
const OBSERVERS: u32 = Observers::WATCHERS.0 | Observers::WAITING.0 | Observers::READERS.0;

/// Kinds of observers, and the bit of the first.
const KINDS: usize = OBSERVERS.count_ones() as usize;
const FIRST_KIND: u32 = OBSERVERS.trailing_zeros();

const BUSY: u64 = 1 << 16;
const SECTION: u64 = 1 << 17;
const SEQUENCE: u64 = 1 << 18;
const STATE: u64 = SEQUENCE - 1;

/// Looks at a closed word before giving up: about as long as a short section lasts.
#[cfg(not(sockudo_loom))]
const SPINS: u32 = 200;
/// One look in the models: each is a branch to explore.
#[cfg(sockudo_loom)]
const SPINS: u32 = 1;
const SPINS_BEFORE_YIELD: u32 = 100;
/// Looks at a lane's section before closing everything is given up: some hundred microseconds.
#[cfg(not(sockudo_loom))]
const PATIENCE: u32 = 2000;
/// One look in the models, as above.
#[cfg(sockudo_loom)]
const PATIENCE: u32 = 1;

/// The stripe of a hash.
#[inline]
pub fn stripe_of(hash: u64) -> Stripe {
    // The top byte is the table's tag and the low bits its index; the middle is as good as any for both.
    Stripe((hash >> 40) as u16 & (STRIPES as u16 - 1))
}

/// A stripe's number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Stripe(pub u16);

/// What a command waits for when it met something closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Closed {
    /// One stripe.
    One(Stripe),
    /// Everything.
    All,
    /// Nothing, but this lane is in a section that lasts, while everything was to be closed.
    Lane(usize),
}

/// Who wants to hear of writes: a set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Observers(u32);

impl Observers {
    /// Nobody.
    pub const NONE: Observers = Observers(0);
    /// Clients that watch a key.
    pub const WATCHERS: Observers = Observers(4);
    /// Clients that wait for data.
    pub const WAITING: Observers = Observers(8);
    /// Clients that keep what they have read, and want to know when that is no longer true.
    pub const READERS: Observers = Observers(16);

    fn of(word: u32) -> Observers {
        Observers(word & OBSERVERS)
    }

    /// Whether all of `others` are among them.
    #[inline]
    pub fn contains(self, others: Observers) -> bool {
        self.0 & others.0 == others.0
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// These and those.
    #[must_use]
    pub fn and(self, others: Observers) -> Observers {
        Observers(self.0 | others.0)
    }
}

/// The stripes, the lanes and the sleepers.
pub struct Gate {
    all: CachePadded<AtomicU32>,
    stripes: Box<[AtomicU32]>,
    /// How many stripes have each kind of observers, in the order of their bits.
    observed: [AtomicUsize; KINDS],
    lanes: Box<[CachePadded<AtomicU64>]>,
    sleepers: Mutex<HashMap<Closed, Vec<Waker>>>,
    /// Sections exclude nobody: tests show with it that they would notice.
    #[cfg(all(debug_assertions, not(sockudo_loom)))]
    broken: crate::sync::AtomicBool,
}

/// A writer's announcement, withdrawn on drop, also while unwinding.
#[must_use]
pub struct Announced<'g> {
    lane: &'g AtomicU64,
    observers: Observers,
}

impl Announced<'_> {
    /// Who wants to hear of writes to the stripe (rule 9).
    #[inline]
    pub fn observers(&self) -> Observers {
        self.observers
    }
}

/// An exclusive section; its stripes open on drop, also while unwinding.
#[must_use]
pub struct Section<'g> {
    gate: &'g Gate,
    lane: usize,
    /// In ascending order.
    stripes: RefCell<Vec<Stripe>>,
    all: bool,
    trace: Trace,
}

/// The lanes' words at an instant, to see later whether anybody wrote since.
#[derive(Default)]
pub struct Snapshot(Vec<u64>);

impl Gate {
    /// A gate for `lanes` threads.
    pub fn new(lanes: usize) -> Gate {
        Gate {
            all: CachePadded::new(AtomicU32::new(0)),
            stripes: (0..STRIPES).map(|_| AtomicU32::new(0)).collect(),
            observed: std::array::from_fn(|_| AtomicUsize::new(0)),
            lanes: (0..lanes).map(|_| CachePadded::new(AtomicU64::new(0))).collect(),
            sleepers: Mutex::new(HashMap::new()),
            #[cfg(all(debug_assertions, not(sockudo_loom)))]
            broken: crate::sync::AtomicBool::new(false),
        }
    }

    /// Makes sections exclude nobody. Only builds with debug assertions have this, to test the tests of the gate.
    #[cfg(all(debug_assertions, not(sockudo_loom)))]
    pub fn break_it(&self) {
        self.broken.store(true, Ordering::SeqCst);
    }

    #[inline]
    fn word(&self, what: Closed) -> &AtomicU32 {
        match what {
            Closed::One(stripe) => &self.stripes[usize::from(stripe.0)],
            Closed::All | Closed::Lane(_) => &self.all,
        }
    }

    /// Asks for the cache line of a stripe's word.
    #[inline]
    pub fn prefetch(&self, stripe: Stripe) {
        super::table::prefetch(std::ptr::from_ref(&self.stripes[usize::from(stripe.0)]).cast());
    }

    /// Announces a write of one key (rule 1). The lane must be idle and the caller's own.
    #[inline]
    pub fn announce(&self, lane: usize, stripe: Stripe) -> Result<Announced<'_>, Closed> {
        let word = &*self.lanes[lane];
        announce(word, BUSY | u64::from(stripe.0));
        let mut announced = Announced { lane: word, observers: Observers::NONE };
        announced.observers = self.look(stripe)?;
        Ok(announced)
    }

    /// Whether a stripe is open right now; the second half of rules 1 and 5.
    #[inline]
    pub fn check(&self, stripe: Stripe) -> Result<(), Closed> {
        self.look(stripe).map(|_| ())
    }

    #[inline]
    fn look(&self, stripe: Stripe) -> Result<Observers, Closed> {
        // Ordering: Acquire, so that a reader's next read comes after a section that it found finished. For writers
        // the fence in `announce` orders these loads after the announcement.
        let word = self.word(Closed::One(stripe)).load(Ordering::Acquire);
        if word & CLOSED != 0 {
            return Err(Closed::One(stripe));
        }
        self.look_at_all().map(|all| Observers::of(word | all))
    }

    #[inline]
    fn look_at_all(&self) -> Result<u32, Closed> {
        let all = self.all.load(Ordering::Acquire);
        if all & CLOSED != 0 { Err(Closed::All) } else { Ok(all) }
    }

    /// Whether nobody has closed everything.
    #[inline]
    pub fn check_all(&self) -> Result<(), Closed> {
        self.look_at_all().map(|_| ())
    }

    /// Closes `stripes` (rule 2): sorted and without repetition. On an error nothing is held.
    pub fn close(&self, lane: usize, stripes: Vec<Stripe>) -> Result<Section<'_>, Closed> {
        debug_assert!(stripes.is_sorted() && stripes.windows(2).all(|w| w[0] != w[1]));
        announce(&self.lanes[lane], SECTION | BUSY);
        let mut section = Section::new(self, lane, false);
        let mut observers = Observers::of(self.look_at_all()?);
        let held = section.stripes.get_mut();
        *held = stripes;
        for at in 0..held.len() {
            match self.close_word(Closed::One(held[at])) {
                Ok(more) => observers = observers.and(more),
                Err(closed) => {
                    // Dropping the section opens what it has closed so far.
                    held.truncate(at);
                    return Err(closed);
                }
            }
        }
        section.trace.set_observers(observers);
        self.wait_for_writers(lane, held);
        Ok(section)
    }

    /// Waits until no other lane announces one of `closed`, which are sorted.
    fn wait_for_writers(&self, lane: usize, closed: &[Stripe]) {
        fence(Ordering::SeqCst);
        for (other, word) in self.lanes.iter().enumerate() {
            if other != lane {
                wait_while(|| {
                    let state = word.load(Ordering::Acquire) & STATE;
                    state & BUSY != 0
                        && state & SECTION == 0
                        && closed.binary_search(&Stripe((state & 0xffff) as u16)).is_ok()
                });
            }
        }
    }

    /// Closes everything (rule 3).
    pub fn close_all(&self, lane: usize) -> Result<Section<'_>, Closed> {
        self.close_word(Closed::All)?;
        // The lane's own number changes too, so that a reader of several keys (rule 6) notices the section.
        self.lanes[lane].store(next_idle(self.lanes[lane].load(Ordering::Relaxed)), Ordering::Relaxed);
        let section = Section::new(self, lane, true);
        fence(Ordering::SeqCst);
        for (other, word) in self.lanes.iter().enumerate() {
            let mut looks = 0;
            while other != lane && word.load(Ordering::Acquire) & BUSY != 0 {
                looks = u32::saturating_add(looks, 1);
                if looks > PATIENCE && word.load(Ordering::Relaxed) & SECTION != 0 {
                    // Dropping the section opens everything.
                    return Err(Closed::Lane(other));
                }
                if looks < SPINS_BEFORE_YIELD { spin_loop() } else { yield_now() }
            }
        }
        section.trace.set_observers(self.observers());
        Ok(section)
    }

    /// Sets `CLOSED`, or gives up after a short while if another section has it.
    fn close_word(&self, what: Closed) -> Result<Observers, Closed> {
        let word = self.word(what);
        #[cfg(all(debug_assertions, not(sockudo_loom)))]
        if self.broken.load(Ordering::SeqCst) {
            return Ok(Observers::of(word.load(Ordering::Acquire)));
        }
        for _ in 0..SPINS {
            // Ordering: Acquire pairs with the Release of the section before; SeqCst comes from the fence behind.
            let before = word.fetch_or(CLOSED, Ordering::AcqRel);
            if before & CLOSED == 0 {
                return Ok(Observers::of(before));
            }
            spin_loop();
        }
        Err(what)
    }

    fn open_word(&self, what: Closed) {
        // Ordering: Release publishes what the section wrote; Acquire sees the sleepers' registrations.
        if self.word(what).fetch_and(!(CLOSED | WAITERS), Ordering::AcqRel) & WAITERS != 0 {
            let woken = self.sleepers.lock().expect("no panic under this lock").remove(&what);
            woken.into_iter().flatten().for_each(Waker::wake);
        }
    }

    // -- observers ----------------------------------------------------------------------------------------------

    /// Everybody who wants to hear of writes, wherever. Exact while everything is closed.
    pub fn observers(&self) -> Observers {
        let mut all = Observers::NONE;
        for (kind, count) in self.observed.iter().enumerate() {
            if count.load(Ordering::Acquire) != 0 {
                all = all.and(Observers(1 << (FIRST_KIND as usize + kind)));
            }
        }
        all
    }

    fn count_of(&self, kind: Observers) -> &AtomicUsize {
        &self.observed[(kind.0.trailing_zeros() - FIRST_KIND) as usize]
    }

    fn word_of(&self, stripe: Option<Stripe>) -> &AtomicU32 {
        self.word(stripe.map_or(Closed::All, Closed::One))
    }

    /// Notes that one kind of observers wants to hear of writes to a stripe, which is the caller's section's (rule 9),
    /// or which it goes to [`Gate::settle`] about (rule 10). Without a stripe all are meant, and everything is closed.
    /// Marks and unmarks of one kind on one stripe exclude each other by a lock of the caller's.
    pub fn mark(&self, stripe: impl Into<Option<Stripe>>, kind: Observers) {
        if self.word_of(stripe.into()).fetch_or(kind.0, Ordering::AcqRel) & kind.0 == 0 {
            self.count_of(kind).fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Notes that nobody of this kind is left at a stripe, or none who meant all of them.
    pub fn unmark(&self, stripe: impl Into<Option<Stripe>>, kind: Observers) {
        if self.word_of(stripe.into()).fetch_and(!kind.0, Ordering::AcqRel) & kind.0 != 0 {
            self.count_of(kind).fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// The second half of rule 10, for stripes that were marked: sorted and without repetition. When it succeeds,
    /// whoever writes to them and is not finished knows of the mark. The lane must be idle.
    pub fn settle(&self, lane: usize, stripes: &[Stripe]) -> Result<(), Closed> {
        // Ordering: the fence stands between the mark and these looks, as between an announcement and its looks.
        fence(Ordering::SeqCst);
        for &stripe in stripes {
            self.check(stripe)?;
        }
        self.wait_for_writers(lane, stripes);
        Ok(())
    }

    /// Polls until `what` is open (rule 7). It may be closed again when the caller runs.
    pub fn poll_open(&self, what: Closed, cx: &mut Context<'_>) -> Poll<()> {
        let mut sleepers = self.sleepers.lock().expect("no panic under this lock");
        let word = self.word(what);
        if word.fetch_or(WAITERS, Ordering::AcqRel) & CLOSED != 0 {
            sleepers.entry(what).or_default().push(cx.waker().clone());
            return Poll::Pending;
        }
        if !sleepers.contains_key(&what) {
            word.fetch_and(!WAITERS, Ordering::AcqRel);
        }
        Poll::Ready(())
    }

    /// Whether this lane is in a section now.
    pub fn is_in_section(&self, lane: usize) -> bool {
        self.lanes[lane].load(Ordering::Relaxed) & SECTION != 0
    }

    /// Sleeps until `what` is open. Nobody tells of the end of a lane's section: see [`Gate::is_in_section`].
    pub async fn opened(&self, what: Closed) {
        std::future::poll_fn(|cx| self.poll_open(what, cx)).await;
    }

    /// Takes the lanes' words into `into`, the first half of rule 6. False if somebody is writing right now.
    pub fn snapshot(&self, into: &mut Snapshot) -> bool {
        into.0.clear();
        into.0.extend(self.lanes.iter().map(|lane| lane.load(Ordering::Acquire)));
        into.0.iter().all(|word| word & BUSY == 0) && self.check_all().is_ok()
    }

    /// Whether no lane wrote or began to since `before` was taken, the second half of rule 6.
    pub fn unchanged(&self, before: &Snapshot) -> bool {
        // Ordering: the fence keeps the caller's reads before these loads; a write that was seen was announced first.
        fence(Ordering::SeqCst);
        self.lanes.iter().zip(&before.0).all(|(lane, &word)| lane.load(Ordering::Acquire) == word)
            && self.check_all().is_ok()
    }
}

/// Stores a busy state and orders it before whatever the caller loads next.
#[inline]
fn announce(lane: &AtomicU64, state: u64) {
    let word = lane.load(Ordering::Relaxed);
    debug_assert!(word & BUSY == 0, "a lane does one thing at a time");
    #[cfg(all(target_arch = "x86_64", not(sockudo_loom)))]
    {
        // Ordering: on x86-64 an exchange is a full fence and cheaper than a store followed by one.
        lane.swap((word & !STATE) | state, Ordering::SeqCst);
        std::sync::atomic::compiler_fence(Ordering::SeqCst);
    }
    #[cfg(not(all(target_arch = "x86_64", not(sockudo_loom))))]
    {
        lane.store((word & !STATE) | state, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }
}

/// The idle word that follows `word`.
#[inline]
fn next_idle(word: u64) -> u64 {
    (word & !STATE).wrapping_add(SEQUENCE)
}

#[inline]
fn retire_announcement(lane: &AtomicU64) {
    // Ordering: Release, so that a section that sees us idle sees all that we wrote.
    lane.store(next_idle(lane.load(Ordering::Relaxed)), Ordering::Release);
}

/// Waits for another thread's short, synchronous work.
fn wait_while(mut busy: impl FnMut() -> bool) {
    let mut spins = 0;
    while busy() {
        spins += 1;
        if spins < SPINS_BEFORE_YIELD {
            spin_loop();
        } else {
            yield_now();
        }
    }
}

impl Drop for Announced<'_> {
    #[inline]
    fn drop(&mut self) {
        retire_announcement(self.lane);
    }
}

impl<'g> Section<'g> {
    fn new(gate: &'g Gate, lane: usize, all: bool) -> Section<'g> {
        Section { gate, lane, stripes: RefCell::default(), all, trace: Trace::default() }
    }

    /// Who wants to hear of writes to its stripes (rule 9).
    #[inline]
    pub fn observers(&self) -> Observers {
        self.trace.observers()
    }

    /// Where the changes of its keys are reported.
    #[inline]
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Its stripes in ascending order, unless it is over all.
    pub fn stripes(&self) -> Option<Vec<Stripe>> {
        (!self.all).then(|| self.stripes.borrow().clone())
    }

    /// Whether the stripe is the section's own.
    pub fn covers(&self, stripe: Stripe) -> bool {
        self.all || self.stripes.borrow().binary_search(&stripe).is_ok()
    }

    /// Whether it is over all stripes.
    pub fn is_of_everything(&self) -> bool {
        self.all || self.stripes.borrow().len() == STRIPES
    }

    /// Closes one more stripe (rule 8), unless another section has it or clients wait for data at it: to serve them
    /// may take stripes that nobody has named yet.
    pub fn extend(&self, stripe: Stripe) -> Result<(), Closed> {
        if self.covers(stripe) {
            return Ok(());
        }
        let closed = Closed::One(stripe);
        let observers = self.gate.close_word(closed)?;
        if observers.contains(Observers::WAITING) {
            self.gate.open_word(closed);
            return Err(closed);
        }
        self.trace.set_observers(self.observers().and(observers));
        let mut stripes = self.stripes.borrow_mut();
        let at = stripes.partition_point(|&held| held < stripe);
        stripes.insert(at, stripe);
        self.gate.wait_for_writers(self.lane, &[stripe]);
        Ok(())
    }
}

impl Drop for Section<'_> {
    fn drop(&mut self) {
        if self.all {
            self.gate.open_word(Closed::All);
            return;
        }
        for &stripe in self.stripes.get_mut().iter().rev() {
            self.gate.open_word(Closed::One(stripe));
        }
        retire_announcement(&self.gate.lanes[self.lane]);
    }
}

#[cfg(all(test, not(sockudo_loom)))]
mod tests;
