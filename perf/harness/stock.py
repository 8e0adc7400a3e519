"""What loads need besides the keyspace: filled before, or again before every run."""

import hashlib

from . import resp

# A list that redis-benchmark's own tests leave alone, for loads that read ranges.
RANGED = "ranged"
RANGED_ELEMENTS = 1000
# A sorted set with every member that redis-benchmark may ask for.
LARGE = "large"
LARGE_MEMBERS = 5_000_000
LARGE_BATCH = 100
# A stream whose entries a group of readers gets and acknowledges, over and over.
CONSUMED = "consumed"
CONSUMED_ENTRIES = 100_000
# Loads that use up what they work on, with the most requests of one run.
USED_UP = {"spop": 400_000}

# A rate limiter of two keys: a user's window and that of the user's tenant.
LIMITER = """
local user = redis.call('INCR', KEYS[1])
if user == 1 then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
local tenant = redis.call('INCR', KEYS[2])
if tenant == 1 then redis.call('EXPIRE', KEYS[2], ARGV[2]) end
local limit = tonumber(ARGV[1])
if user > limit or tenant > limit then return 0 end
return 1
"""
LIMITER_SHA = hashlib.sha1(LIMITER.encode()).hexdigest()


def prepare(client, loads):
    """Fills what any of these commands needs."""
    client.command("RPUSH", RANGED, *["xxx"] * RANGED_ELEMENTS)
    if "evalsha" in loads:
        client.command("SCRIPT", "LOAD", LIMITER)
    if "xreadgroup" in loads:
        entry = resp.encode("XADD", CONSUMED, "*", "field", "xxx", "other", "xxx")
        for _ in range(CONSUMED_ENTRIES // 1000):
            client.socket.sendall(entry * 1000)
            for _ in range(1000):
                client.reply()
        client.command("XGROUP", "CREATE", CONSUMED, "readers", "0")
    if any(load.endswith("_5m") for load in loads):
        client.fill(large(), b":%d\r\n" % LARGE_BATCH)


def large():
    """ZADDs of all members of the large set, with scores in no order."""
    for first in range(0, LARGE_MEMBERS, LARGE_BATCH):
        numbers = range(first, first + LARGE_BATCH)
        # A multiplier without a common divisor spreads the scores over all members.
        pairs = (word for number in numbers for word in (number * 2_654_435_761 % LARGE_MEMBERS, b"element:%012d" % number))
        yield resp.encode("ZADD", LARGE, *pairs)


def refill(server, command, requests):
    """Gives a load that uses something up enough of it for one run."""
    if command not in USED_UP:
        return
    with server.client() as client:
        client.command("DEL", "myset")
        batches = requests // LARGE_BATCH + 1
        words = ([b"element:%012d" % (batch * LARGE_BATCH + at) for at in range(LARGE_BATCH)] for batch in range(batches))
        client.fill((resp.encode("SADD", "myset", *members) for members in words), b":%d\r\n" % LARGE_BATCH)
