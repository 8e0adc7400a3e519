//! Time from the cycle counter, for what is measured per command: a read of the system's clock costs several times as
//! much as some commands.
//!
//! Ticks are converted when somebody asks, by comparing both clocks since the start of the process; the longer it has
//! run, the more exact. On machines without an invariant counter that can be read in user space, a tick is a
//! nanosecond of the system's clock.

use std::sync::OnceLock;
use std::time::Instant;

/// Both clocks at the first look.
static ORIGIN: OnceLock<(u64, Instant)> = OnceLock::new();

/// The counter now.
#[inline]
pub fn ticks() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the instruction exists on every x86-64 processor and touches no memory.
    unsafe {
        std::arch::x86_64::_rdtsc()
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        origin().1.elapsed().as_nanos() as u64
    }
}

fn origin() -> (u64, Instant) {
    *ORIGIN.get_or_init(|| {
        #[cfg(target_arch = "x86_64")]
        let now = ticks();
        #[cfg(not(target_arch = "x86_64"))]
        let now = 0;
        (now, Instant::now())
    })
}

/// Starts the comparison of the clocks; called when the server starts.
pub fn start() {
    origin();
}

/// How many microseconds `count` ticks are.
pub fn micros(count: u64) -> u64 {
    nanos(count) / 1000
}

/// How many nanoseconds `count` ticks are.
pub fn nanos(count: u64) -> u64 {
    let (first, began) = origin();
    let elapsed = began.elapsed().as_nanos();
    let passed = u128::from(ticks().saturating_sub(first)).max(1);
    (u128::from(count) * elapsed / passed) as u64
}

/// How many ticks so many microseconds are; the most there can be for as long as nobody waits.
pub fn of_micros(micros: u64) -> u64 {
    let (first, began) = origin();
    let elapsed = began.elapsed().as_nanos().max(1);
    let passed = u128::from(ticks().saturating_sub(first));
    u64::try_from(u128::from(micros) * 1000 * passed / elapsed).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_and_the_system_agree() {
        start();
        let (began, first) = (Instant::now(), ticks());
        std::thread::sleep(std::time::Duration::from_millis(50));
        let (count, elapsed) = (ticks() - first, began.elapsed().as_micros() as u64);
        let measured = micros(count);
        assert!(micros(of_micros(50_000)).abs_diff(50_000) < 100);
        assert!(
            measured.abs_diff(elapsed) < elapsed / 5,
            "{measured} us by ticks, {elapsed} us by the clock"
        );
    }
}
