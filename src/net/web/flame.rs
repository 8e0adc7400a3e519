//! A flame graph of the running server: its threads are interrupted as often as they use the processor, and say where
//! they are.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::sync::{AtomicBool, Ordering};

/// How long a recording may last, in seconds.
pub(super) const SECONDS: RangeInclusive<u64> = 1..=60;
/// Interruptions per second of processor time: no divisor of anything that happens periodically.
const FREQUENCY: i32 = 997;
/// Libraries that must not be walked through while they hold locks of their own.
const BLOCKED: [&str; 4] = ["libc", "libgcc", "pthread", "vdso"];

/// There is one interrupting timer to a process.
static RECORDING: AtomicBool = AtomicBool::new(false);

/// The claim to it.
struct Claim;

impl Claim {
    fn take() -> Option<Claim> {
        let taken = RECORDING.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed);
        taken.is_ok().then_some(Claim)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        RECORDING.store(false, Ordering::Release);
    }
}

/// Records for a while; the graph as SVG.
///
/// # Errors
/// Why there is none, for people.
pub(super) async fn record(duration: Duration) -> Result<Vec<u8>, String> {
    let _claim = Claim::take().ok_or("Another recording is running.")?;
    let guard = pprof::ProfilerGuardBuilder::default().frequency(FREQUENCY).blocklist(&BLOCKED).build();
    let guard = guard.map_err(|error| error.to_string())?;
    tokio::time::sleep(duration).await;
    let report = guard.report().build().map_err(|error| error.to_string())?;
    if report.data.is_empty() {
        return Err("Nothing ran meanwhile.".into());
    }
    let mut svg = Vec::new();
    report.flamegraph(&mut svg).map_err(|error| error.to_string())?;
    Ok(svg)
}
