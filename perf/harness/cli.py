"""The options that every tool has."""

import shlex

from .server import Spec, find_program
from .system import Failure

OURS = "sockudo-kv"
REDIS = "redis"
DEFAULT_BINARY = "target/release/sockudo-kv"


def add_servers(parser):
    """--bin, --server, --ports, --record."""
    parser.add_argument("--bin", default=DEFAULT_BINARY, help="our server (default: %(default)s)")
    parser.add_argument(
        "--server", action="append", default=[], metavar="NAME=COMMAND",
        help=f"replace the command of {OURS} or {REDIS}, or add a peer. Taken as given; --port, --bind, --save '' and "
        "--appendonly no are added unless it names {port} itself. May be repeated",
    )
    parser.add_argument("--ports", type=port_range, metavar="FROM-TO", help="loopback ports to use (default: any free one)")
    parser.add_argument("--record", action="store_true", help="also write perf/records/<machine>/<date>/")


def specs(args, ours=(), redis=()):
    """The servers to compare, ours first, redis second, peers after; all of their programs exist.

    `ours` and `redis` are the directives that a mode gives to the two; a command of --server
    brings its own.
    """
    commands = {OURS: [args.bin, *ours], REDIS: ["redis-server", *redis]}
    for text in args.server:
        name, equals, command = text.partition("=")
        words = shlex.split(command)
        if not (name and equals and words):
            raise Failure(f"--server {text}: expected NAME=COMMAND")
        commands[name] = words
    found = [Spec(name, command) for name, command in commands.items()]
    for spec in found:
        find_program(spec)
    return found


def port_range(text):
    """'7000-7010' -> range(7000, 7011)."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def count(text):
    """'100k' -> 100000, '1.5M' -> 1500000, '2000' -> 2000."""
    units = {"k": 1_000, "m": 1_000_000}
    unit = units.get(text[-1:].lower(), 1)
    number = round(float(text[:-1] if unit > 1 else text) * unit)
    if number < 1:
        raise ValueError(text)
    return number


def counts(text):
    """'100k,5M' -> [100000, 5000000]."""
    return [count(part) for part in text.split(",")]


def short(number):
    """100000 -> '100k', 5000000 -> '5M'."""
    if number % 100_000 == 0 and number >= 1_000_000:
        return f"{number / 1_000_000:g}M"
    return f"{number // 1000}k" if number % 1000 == 0 else str(number)
