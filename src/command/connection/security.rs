//! Requests that a browser was tricked into sending: HTTP's first words are no commands, and who sends them is cut off
//! before the body, in which commands may hide, is read.

use std::time::Duration;

use crate::command::client::Client;
use crate::command::state::unix_ms;
use crate::log_warning;
use crate::protocol::args::{Args, eq_ignore_case};
use crate::sync::{AtomicU64, Ordering};

/// How often the log says so at most.
const LOG_PAUSE: Duration = Duration::from_secs(60);

/// Whether an unknown command is one that HTTP requests begin with.
pub(in crate::command) fn is_of_a_browser(args: Args<'_>) -> bool {
    let name = args.get(0).unwrap_or_default();
    eq_ignore_case(name, b"post") || eq_ignore_case(name, b"host:")
}

/// Tells the operator whose connection ends.
pub(in crate::command) fn log_attack(client: &Client) {
    static LOGGED: AtomicU64 = AtomicU64::new(0);
    let (now, last) = (unix_ms(), LOGGED.load(Ordering::Relaxed));
    let rests = Duration::from_millis(now.saturating_sub(last)) <= LOG_PAUSE;
    if rests || LOGGED.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_err() {
        return;
    }
    log_warning!(
        "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Redis. This is \
         likely due to an attacker attempting to use Cross Protocol Scripting to compromise your Redis instance. \
         Connection from {} aborted.",
        client.shared.addr
    );
}
