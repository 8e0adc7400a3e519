//! Active expiry: slices of a walk over the keys, as many as what is due deserves.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::worker::Local;
use crate::command::diagnosis::Event;
use crate::command::state::{Server, unix_ms};
use crate::keyspace::expire::Effort;
use crate::keyspace::reclaim::collect_idle;
use crate::sync::{Ordering, epoch};

/// Time that one slice may take; it delays the other clients of the worker by as much.
const SLICE: Duration = Duration::from_micros(500);
/// Rest between slices while a good part of the keys is due.
const HEAVY_PAUSE: Duration = Duration::from_millis(1);
/// Rest between slices while few keys are due, and between looks at the wheel while none are.
const LIGHT_PAUSE: Duration = Duration::from_millis(20);
const IDLE_PAUSE: Duration = Duration::from_millis(100);
/// Chunks between looks at the clock.
const CHUNKS_PER_LOOK: usize = 4;

/// Expires keys for ever.
pub(super) async fn run(local: Rc<Local>, lane: usize) {
    loop {
        let now = unix_ms();
        if !local.server.active_expiry.load(Ordering::Relaxed) || local.server.pause.active(now) {
            tokio::time::sleep(IDLE_PAUSE).await;
            continue;
        }
        let pause = match local.server.keyspace.expiry_effort(now) {
            // A quiet server has time to free what the last commands left.
            Effort::None if collect_idle() => HEAVY_PAUSE,
            Effort::None => IDLE_PAUSE,
            Effort::Light => {
                slice(&local.server, lane);
                LIGHT_PAUSE
            }
            Effort::Heavy => {
                slice(&local.server, lane);
                HEAVY_PAUSE
            }
        };
        let swept = sweep_fields(&local.server, lane);
        tokio::time::sleep(if swept { pause.min(HEAVY_PAUSE) } else { pause }).await;
    }
}

/// Takes expired fields out of hashes for a slice; whether there were any.
fn sweep_fields(server: &Server, lane: usize) -> bool {
    let (began, mut swept) = (Instant::now(), false);
    while began.elapsed() < SLICE && server.keyspace.expire_fields(lane, &epoch::pin(), unix_ms()) {
        swept = true;
    }
    server.keyspace.probe_fields(lane, &epoch::pin(), unix_ms());
    swept
}

fn slice(server: &Server, lane: usize) {
    let began = Instant::now();
    while began.elapsed() < SLICE {
        // A pin per look lets the epoch, and with it the memory, move on during a long slice.
        let guard = epoch::pin();
        let now = unix_ms();
        for _ in 0..CHUNKS_PER_LOOK {
            server.keyspace.expire_chunk(lane, &guard, now);
        }
    }
    let millis = began.elapsed().as_millis() as u64;
    server.diagnosis.spikes.note(Event::ExpireCycle, millis, server.config.live());
    server.tracking.flush_broadcast();
}
