"""Several units side by side, each on a range of ports of its own."""

import concurrent.futures
import queue

from . import unit as units
from .system import say

# The suite's own first port, and how many each runner gets. Its cluster tests add 10,000 to a port.
FIRST_PORT = 21079
PORTS = 1500


def run_all(job, names, workers):
    """{unit: Outcome}; says each as it ends."""
    ranges = queue.SimpleQueue()
    for number in range(workers):
        ranges.put(range(FIRST_PORT + number * PORTS, FIRST_PORT + (number + 1) * PORTS))

    def one(name):
        ports = ranges.get()
        try:
            outcome = units.run(job(name), name, ports)
        finally:
            ranges.put(ports)
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
