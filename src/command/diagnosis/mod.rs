//! What operators look at to find out what the server is busy with.
//!
//! | file | holds |
//! |---|---|
//! | `slowlog` | SLOWLOG: calls that took long |
//! | `spikes` | the samples of LATENCY, by event |
//! | `latency` | LATENCY; `report` has its DOCTOR and GRAPH |
//! | `monitor` | MONITOR: every call |
//! | `hotkeys` | HOTKEYS: the keys that cost most |
//! | `redact` | arguments that nobody may see |
//!
//! The executor asks [`Diagnosis`] for flags once per batch, and about thresholds when it has taken a call's time. A call
//! that is [brief](crate::command::table::Command::is_brief) is not timed alone: calls of one brief command in a row share
//! two looks at the clock as long as nobody wants to know of times below [`BRIEF`], and if they take long together, as
//! when the system had other plans for the thread, the last of them stands for all.

mod hotkeys;
mod latency;
mod monitor;
mod redact;
mod report;
mod slowlog;
mod spikes;

pub use hotkeys::HotKeys;
pub(super) use monitor::begin_script;
pub use slowlog::{Entry, SlowLog};
pub use spikes::{Event, Spikes};

use bitflags::bitflags;

use super::client::Client;
use super::nested::Call;
use super::pubsub::Hub;
use super::state::Server;
use super::table::{Command, Flags};
use super::ticks;
use crate::config::Live;
use crate::sync::{AtomicU32, AtomicU64, Ordering};

pub(in crate::command) const COMMANDS: &[Command] =
    &[slowlog::COMMAND, latency::COMMAND, monitor::COMMAND, hotkeys::COMMAND];

/// Microseconds below which a threshold asks for the time of every single call.
const BRIEF: u64 = 1000;
/// No time is as long.
const NEVER: u64 = u64::MAX;

bitflags! {
    /// Why every call is looked at.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Attention: u32 {
        /// Somebody has said MONITOR.
        const MONITORED = 1 << 0;
        /// A threshold is so low that a brief call can exceed it.
        const PRECISE = 1 << 1;
        /// HOTKEYS collects.
        const HOT = 1 << 2;
    }
}

/// Who called.
#[derive(Clone, Copy)]
pub enum Source<'s> {
    /// A client, perhaps through EXEC.
    Client(&'s Client),
    /// A script.
    Script,
}

/// A call that has run.
pub struct Seen<'s> {
    /// Who called.
    pub source: Source<'s>,
    /// The database it ended in.
    pub db: usize,
    /// The call.
    pub call: &'s Call<'s>,
    /// How long it took.
    pub ticks: u64,
    /// Bytes of it and of its reply on the network.
    pub bytes: u64,
}

/// Thresholds and what exceeded them.
pub struct Diagnosis {
    attention: AtomicU32,
    /// Ticks from which on a call is of interest: the lower of the two thresholds.
    limit: AtomicU64,
    slow: AtomicU64,
    /// Calls that took long.
    pub slowlog: SlowLog,
    /// Delays by their kind.
    pub spikes: Spikes,
    /// The keys that cost most.
    pub hotkeys: HotKeys,
}

/// A threshold of the configuration in microseconds, as ticks.
fn ticks_of(micros: Option<u64>) -> u64 {
    micros.map_or(NEVER, ticks::of_micros)
}

impl Diagnosis {
    /// Nothing has happened yet.
    pub fn new(live: &Live) -> Diagnosis {
        let diagnosis = Diagnosis {
            attention: AtomicU32::new(0),
            limit: AtomicU64::new(NEVER),
            slow: AtomicU64::new(NEVER),
            slowlog: SlowLog::default(),
            spikes: Spikes::default(),
            hotkeys: HotKeys::default(),
        };
        diagnosis.refresh(live);
        diagnosis
    }

    /// Takes the thresholds over from the configuration: when they change, and now and then, because how many ticks a
    /// second has is known the better the longer the server runs.
    pub fn refresh(&self, live: &Live) {
        let slow = live.slowlog_log_slower_than();
        let spike = live.latency_monitor_threshold().map(|millis| millis.saturating_mul(1000));
        // Ordering: Relaxed, because each stands alone: a call is compared with what it sees.
        self.slow.store(ticks_of(slow), Ordering::Relaxed);
        self.limit.store(ticks_of(slow).min(ticks_of(spike)), Ordering::Relaxed);
        let least = slow.unwrap_or(NEVER).min(spike.unwrap_or(NEVER));
        self.set(Attention::PRECISE, least < BRIEF);
    }

    /// Why every call is looked at, if it is.
    #[inline]
    pub fn attention(&self) -> Attention {
        Attention::from_bits_retain(self.attention.load(Ordering::Relaxed))
    }

    fn set(&self, what: Attention, on: bool) {
        if on {
            self.attention.fetch_or(what.bits(), Ordering::Relaxed);
        } else {
            self.attention.fetch_and(!what.bits(), Ordering::Relaxed);
        }
    }

    /// Looks whether somebody monitors, and HOTKEYS collects.
    pub fn look(&self, hub: &Hub) {
        self.set(Attention::MONITORED, hub.is_monitored());
        self.set(Attention::HOT, self.hotkeys.is_active());
    }

    /// Whether a time is worth a closer look.
    #[inline]
    pub fn is_long(&self, ticks: u64) -> bool {
        ticks >= self.limit.load(Ordering::Relaxed)
    }

    /// A client's own call has run.
    #[cold]
    pub(super) fn attend(&self, server: &Server, seen: &Seen<'_>) {
        self.judge(&server.config, seen);
        let attention = self.attention();
        if attention.contains(Attention::MONITORED) {
            if !seen.call.command.flags.contains(Flags::SKIP_MONITOR) {
                monitor::note(seen);
            }
            monitor::show(&server.hub);
        }
        if attention.contains(Attention::HOT) {
            self.hotkeys.count(seen);
        }
    }

    /// A client's call has begun to wait for data.
    #[cold]
    pub(super) fn show_waiting(&self, server: &Server, seen: &Seen<'_>) {
        monitor::note(seen);
        monitor::show(&server.hub);
    }

    /// A call of EXEC or of a script has run.
    #[inline]
    pub(super) fn attend_nested(&self, server: &Server, seen: &Seen<'_>) {
        if self.is_long(seen.ticks) {
            self.judge(&server.config, seen);
        }
        if self.attention().contains(Attention::MONITORED)
            && !seen.call.command.flags.contains(Flags::SKIP_MONITOR)
        {
            monitor::note(seen);
        }
    }

    /// Enters a call where its time earns it a place.
    #[cold]
    pub(super) fn judge(&self, config: &crate::config::Config, seen: &Seen<'_>) {
        if !self.is_long(seen.ticks) {
            return;
        }
        let (flags, micros) = (seen.call.command.flags, ticks::micros(seen.ticks));
        if seen.ticks >= self.slow.load(Ordering::Relaxed) && !flags.contains(Flags::SKIP_SLOWLOG) {
            self.slowlog.add(seen, micros, config.live().slowlog_max_len());
        }
        let event = if flags.contains(Flags::FAST) { Event::FastCommand } else { Event::Command };
        self.spikes.note(event, micros / 1000, config.live());
    }
}
