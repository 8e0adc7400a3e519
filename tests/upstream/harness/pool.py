"""Several units side by side, each on a range of ports of its own."""

import concurrent.futures
import contextlib
import fcntl

from . import unit as units
from .system import Failure, cache, say

# The suite's own first port, less the room that its runner wants below it. Its cluster tests add 10,000 to a port.
FIRST_PORT = 21079
PORTS = 400
RANGES = 12


@contextlib.contextmanager
def ports():
    """A range that nobody else has, also no other run of this user: a locked file stands for each."""
    for number in range(RANGES):
        with open(cache() / f"ports-{number}", "wb") as lock:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                first = FIRST_PORT + number * PORTS
                yield range(first, first + PORTS)
                return
    raise Failure(f"all {RANGES} ranges of ports are in use by other runs")


def run_all(job, names, workers):
    """{unit: Outcome}; says each as it ends."""

    def one(name):
        with ports() as own:
            outcome = units.run(job(name), name, own)
        note = outcome.broken or f"{len(outcome.passed)} passed, {len(outcome.failed)} failed"
        say(f"{name}: {note} ({outcome.seconds:.0f} s)")
        return name, outcome

    with concurrent.futures.ThreadPoolExecutor(workers) as threads:
        futures = [threads.submit(one, name) for name in names]
        try:
            return dict(future.result() for future in concurrent.futures.as_completed(futures))
        except BaseException:
            for future in futures:
                future.cancel()
            raise
