//! How models run: every interleaving, or every one with few preemptions, each with a fresh heap and collector.

use crate::{model_epoch, model_heap, model_spin};

/// Branches of one execution; loom takes longer ones for endless loops.
const MAX_BRANCHES: usize = 5_000;

fn run(preemptions: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.max_branches = MAX_BRANCHES;
    builder.preemption_bound = preemptions;
    builder.check(move || {
        model_spin::begin();
        model_heap::begin();
        model_epoch::begin();
        model();
        model_epoch::end();
        model_heap::end();
    });
}

/// Checks every interleaving of `model`.
pub fn check(model: impl Fn() + Send + Sync + 'static) {
    run(None, model);
}

/// Checks the interleavings of `model` in which threads are preempted at most `preemptions` times.
pub fn check_bounded(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    run(Some(preemptions), model);
}
