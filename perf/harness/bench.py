"""One run of redis-benchmark, and reading its report."""

import os
import pathlib
import re
import resource
import subprocess
import time

from . import stock
from .server import cpu_between
from .system import REPO, Failure, busy_seconds, child_setup, need

# Requests per second that any server here surely reaches, by pipeline depth; they only size the
# first, unmeasured run of a load.
SLOW_RATES = {1: 40_000, 16: 300_000, 100: 600_000}
TIMEOUT_SECONDS = 300


KEY = "key:__rand_int__"

# The end of redis-benchmark's command line for each load; -r and -d come on top.
COMMANDS = {
    name: ["-t", name]
    for name in ("get", "set", "lpush", "rpush", "lpop", "rpop", "sadd", "hset", "spop", "zadd", "mset")
}
COMMANDS |= {
    "incr": ["incr", "hotkey"],
    "lrange_100": ["lrange", stock.RANGED, "0", "99"],
    "lrange_600": ["lrange", stock.RANGED, "0", "599"],
    "zadd_5m": ["zadd", stock.LARGE, "__rand_int__", "element:__rand_int__"],
    "mget": ["mget", *[KEY] * 10],
    "xadd": ["xadd", "stream", "*", "field", "xxx", "other", "xxx"],
    "pfadd": ["pfadd", "sketch", "__rand_int__"],
    "pfcount": ["pfcount", "sketch"],
    "evalsha": ["evalsha", stock.LIMITER_SHA, "2", "user:__rand_int__", "tenant:__rand_int__", "1000000", "60"],
}

# Loads whose requests depend on replies, or are of several kinds: the scenarios of perf/load.
SCENARIOS = {
    "multi": "transactions", "pingpong": "pingpong", "gets": "gets", "mixed": "mixed",
    "xreadgroup": "consumers", "zrange_5m": "ranks",
}
# Of these a round runs both, and what counts is which part of the second one's rate the first one keeps.
KEPT = {"mixed": "gets"}


class Load:
    """What the clients send: command, pipeline depth, number of clients."""

    def __init__(self, command, depth, clients=50):
        self.command = command
        self.depth = depth
        self.clients = clients

    @classmethod
    def parse(cls, text):
        """'get-p16' or 'get-p1-c1000' -> Load."""
        match = re.fullmatch(r"(\w+)-p([1-9]\d*)(?:-c([1-9]\d*))?", text.strip().lower())
        if not match or match.group(1) not in COMMANDS | SCENARIOS.keys():
            raise Failure(f"load '{text}' is not of the form get-p16, set-p100, incr-p16 or get-p1-c1000")
        command, depth, clients = match.groups()
        return cls(command, int(depth), int(clients or 50))

    def key(self):
        """The text that `parse` reads; names the load's bar too."""
        suffix = "" if self.clients == 50 else f"-c{self.clients}"
        return f"{self.command}-p{self.depth}{suffix}"

    def label(self):
        """For tables: 'GET P1 c1000'; INCR is always of one key that everybody wants."""
        if self.command == "mixed":
            return f"GETs kept beside 5% MSETs P{self.depth}"
        hot = " hot key" if self.command == "incr" else ""
        many = "" if self.clients == 50 else f" c{self.clients}"
        return f"{self.command.upper()}{hot} P{self.depth}{many}"

    def arguments(self, keyspace):
        """The end of redis-benchmark's command line."""
        return ["-r", str(self.keys(keyspace)), "-d", "3", *COMMANDS[self.command]]

    def keys(self, keyspace):
        """How many different keys, or members, are asked for."""
        return stock.LARGE_MEMBERS if self.command.endswith("_5m") else keyspace

    def beside(self):
        """The load whose rate this one is measured by, see KEPT; None for most."""
        base = KEPT.get(self.command)
        return Load(base, self.depth, self.clients) if base else None

    def requests(self, rate, seconds):
        """About `seconds` worth of requests, in whole pipelines of every client: redis-benchmark
        sends no partial pipeline, so any other number would not be the number sent."""
        unit = self.depth * self.clients
        if self.command in stock.USED_UP:
            rate = min(rate, stock.USED_UP[self.command] / seconds)
        return max(1, round(rate * seconds / unit)) * unit

    def first_rate(self):
        """A rate to size the first run with."""
        depths = [depth for depth in SLOW_RATES if depth <= self.depth]
        return SLOW_RATES[max(depths)]


class Result:
    """What one run measured; latencies in milliseconds, CPU in microseconds per request, and
    `foreign`, the cores that others kept busy meanwhile."""

    def __init__(self, rate, percentiles, requests):
        self.rate = rate
        self.p50 = percentiles["p50"]
        self.p99 = percentiles["p99"]
        self.p999 = percentiles["p999"]
        self.requests = requests
        self.cpu = None
        self.foreign = None
        self.kept = None


def run(server, load, keyspace, requests, cores=None, threads=None):
    """Runs `load` against `server` and returns its Result with the server's CPU per request."""
    stock.refill(server, load.command, requests)
    scenario = SCENARIOS.get(load.command)
    if scenario:
        command = [load_program(), str(server.port), scenario, str(load.clients), str(load.depth), str(requests)]
        command += [str(threads or 1), str(load.keys(keyspace))]
    else:
        command = [need("redis-benchmark", "redis-tools"), "-h", "127.0.0.1", "-p", str(server.port)]
        command += ["-n", str(requests), "-P", str(load.depth), "-c", str(load.clients), "--precision", "3"]
        command += ["--threads", str(threads)] if threads else []
        command += load.arguments(keyspace)
    before, machine, client, start = server.cpu_times(), busy_seconds(), children_seconds(), time.monotonic()
    output = capture(command, server, cores)
    spent = cpu_between(before, server.cpu_times())
    ours = spent / 1e9 + children_seconds() - client
    result = parse_scenario(output, requests) if scenario else parse(output, threads is not None)
    result.cpu = spent / 1000 / result.requests
    result.foreign = max(0.0, busy_seconds() - machine - ours) / (time.monotonic() - start)
    return result


def load_program():
    """The path of the program in perf/load."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPO / "target"))
    path = target / "release" / "load"
    if not path.exists():
        raise Failure(f"{path} is not there; build it: cargo build --release -p load")
    return str(path)


def parse_scenario(output, requests):
    """Reads the line that perf/load prints: units that count, their rate, and latencies of turns."""
    words = output.split()
    if len(words) != 5:
        raise Failure(f"cannot read what perf/load printed: {output!r}")
    _, rate, p50, p99, p999 = map(float, words)
    return Result(rate, {"p50": p50, "p99": p99, "p999": p999}, requests)


def children_seconds():
    """CPU seconds of the children that ended so far: between two looks, of redis-benchmark."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def capture(command, server, cores):
    """The output of redis-benchmark; a Failure that tells why when it or the server fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False,
            stdin=subprocess.DEVNULL, preexec_fn=child_setup(cores),
        )
    except subprocess.TimeoutExpired as error:
        server.check_alive()
        raise Failure(f"redis-benchmark did not finish within {TIMEOUT_SECONDS} s against {server.spec.name}") from error
    server.check_alive()
    # redis-benchmark leaves with code 0 or 1 after an error reply, so its words count too.
    if done.returncode != 0 or "rror" in done.stderr:
        last = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise Failure(f"redis-benchmark against {server.spec.name}: " + " / ".join(last))
    return done.stdout.replace("\r", "\n")


def parse(output, threaded):
    """Reads the report that redis-benchmark 6.2 and later print without --csv."""
    throughput = re.search(r"throughput summary: ([\d.]+) requests per second", output)
    completed = re.search(r"(\d+) requests completed in", output)
    summary = re.search(r"avg +min +p50 +p95 +p99 +max\s+([\d. ]+)", output)
    if not (throughput and completed and summary):
        raise Failure("cannot read redis-benchmark's report; version 6.2 or later is needed")
    latencies = [float(word) for word in summary.group(1).split()]
    percentiles = {"p50": latencies[2], "p99": latencies[4], "p999": percentile(output, 99.9)}
    rate = threaded_rate(output) if threaded else None
    return Result(rate or float(throughput.group(1)), percentiles, int(completed.group(1)))


def percentile(output, wanted):
    """The first listed percentile at or past `wanted` (for 99.9 that is 99.902)."""
    listed = output.partition("Latency by percentile distribution:")[2].partition("Cumulative")[0]
    for share, latency in re.findall(r"([\d.]+)% <= ([\d.]+) milliseconds", listed):
        if float(share) >= wanted:
            return float(latency)
    raise Failure("redis-benchmark printed no percentile distribution")


def threaded_rate(output):
    """The rate so far at the last progress line, None if there is none.

    With --threads, redis-benchmark notices the end only at its next tick of 250 ms, so the total
    in its summary is too low by up to that; a progress line is exact at the moment it is printed.
    """
    rates = re.findall(r"rps=[\d.]+ \(overall: ([\d.]+)\)", output)
    ticks = [float(rate) for rate in rates if float(rate) > 0]
    return ticks[-1] if ticks else None
