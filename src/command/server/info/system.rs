//! What the operating system knows about the process and the machine.

use std::ffi::CStr;
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds of processor time.
pub(super) struct Cpu {
    pub(super) user: f64,
    pub(super) system: f64,
}

/// The time that `whose` has used: `RUSAGE_SELF` or `RUSAGE_CHILDREN`.
pub(super) fn cpu(whose: libc::c_int) -> Cpu {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is valid for the write of one `rusage`, for which all zeros are a valid value should the call
    // fail.
    let usage = unsafe {
        libc::getrusage(whose, usage.as_mut_ptr());
        usage.assume_init()
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Cpu { user: seconds(usage.ru_utime), system: seconds(usage.ru_stime) }
}

/// Name, release and machine of the kernel, separated by blanks.
pub(super) fn name() -> String {
    let mut names = std::mem::MaybeUninit::<libc::utsname>::zeroed();
    // SAFETY: the pointer is valid for the write of one `utsname`, for which all zeros are a valid value (empty names).
    let names = unsafe {
        libc::uname(names.as_mut_ptr());
        names.assume_init()
    };
    let text = |field: &[libc::c_char]| {
        // SAFETY: the array ends in a zero, from the zeroed memory or from the kernel.
        unsafe { CStr::from_ptr(field.as_ptr()) }.to_string_lossy().into_owned()
    };
    format!("{} {} {}", text(&names.sysname), text(&names.release), text(&names.machine))
}

fn page_size() -> u64 {
    // SAFETY: no preconditions.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// Bytes of memory of the machine.
pub(super) fn total_memory() -> u64 {
    // SAFETY: no preconditions.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PHYS_PAGES) }).unwrap_or(0) * page_size()
}

/// Bytes of the process that are in memory, where the system says.
pub(in crate::command::server) fn resident() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * page_size())
}

/// Unix time in microseconds.
pub(super) fn unix_us() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros()
}
