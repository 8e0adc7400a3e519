"""redis-py: pool, pipelines, every family, pub/sub, scripts, and asyncio."""

import asyncio
import sys
import threading
import time
import traceback

import redis
import redis.asyncio

PORT = int(sys.argv[1])
CHECKS = []


def check(function):
    """Registers a check by its function's name."""
    CHECKS.append(function)
    return function


def client(**options):
    return redis.Redis(port=PORT, decode_responses=True, socket_timeout=20, **options)


@check
def strings_and_counters(r):
    assert r.set("s", "v", ex=100) and r.get("s") == "v" and 0 < r.ttl("s") <= 100
    assert r.set("s", "w", nx=True) is None and r.set("s", "w", get=True) == "v"
    assert r.mset({"a": 1, "b": 2}) and r.mget("a", "none", "b") == ["1", None, "2"]
    assert r.incr("n", 5) == 5 and r.incrbyfloat("f", 0.5) == 0.5 and r.append("s", "!") == 2
    assert r.getrange("s", 0, 0) == "w" and r.setrange("s", 1, "xy") == 3 and r.getdel("s") == "wxy"


@check
def keys_and_expiry(r):
    r.mset({f"key:{i}": i for i in range(500)})
    assert len(set(r.scan_iter("key:*", count=50))) == 500 and r.type("key:1") == "string"
    assert r.rename("key:1", "other") and r.exists("key:1", "other") == 1 and r.copy("other", "again")
    assert r.pexpire("other", 30) and r.expiretime("again") == -1
    time.sleep(0.1)
    assert r.get("other") is None and r.unlink("again", "key:2") == 2
    assert r.object("encoding", "key:3") == "int" and r.memory_usage("key:3") > 0


@check
def lists(r):
    assert r.rpush("l", *range(10)) == 10 and r.lrange("l", -2, -1) == ["8", "9"]
    assert r.lpop("l", 2) == ["0", "1"] and r.lmove("l", "m", "LEFT", "RIGHT") == "2" and r.lpos("l", "5") == 2
    assert r.linsert("l", "before", "5", "x") == 8 and r.lrem("l", 0, "x") == 1 and r.ltrim("l", 0, 1) and r.llen("l") == 2


@check
def hashes(r):
    assert r.hset("h", mapping={"a": 1, "b": "x"}) == 2 and r.hgetall("h") == {"a": "1", "b": "x"}
    assert r.hincrby("h", "a", 4) == 5 and r.hmget("h", "a", "z") == ["5", None] and r.hdel("h", "b") == 1
    r.hset("big", mapping={f"f{i}": i for i in range(2000)})
    assert len(dict(r.hscan_iter("big"))) == 2000


@check
def sets(r):
    assert r.sadd("s1", 1, 2, 3) == 3 and r.sadd("s2", 2, 3, 4) == 3
    assert r.sinter("s1", "s2") == {"2", "3"} and r.sunionstore("s3", "s1", "s2") == 4 and r.smismember("s1", [1, 9]) == [1, 0]
    assert r.sintercard(2, ["s1", "s2"]) == 2 and r.spop("s3") in {"1", "2", "3", "4"}


@check
def sorted_sets(r):
    assert r.zadd("z", {"a": 1, "b": 2.5, "c": float("inf")}) == 3 and r.zscore("z", "c") == float("inf")
    assert r.zrange("z", 0, -1, withscores=True)[1] == ("b", 2.5) and r.zrank("z", "b") == 1
    assert r.zincrby("z", 2, "a") == 3 and r.zrangebyscore("z", 3, "+inf") == ["a", "c"] and r.zpopmin("z") == [("b", 2.5)]


@check
def streams(r):
    first = r.xadd("x", {"f": "v"})
    r.xadd("x", {"f": "w"})
    assert r.xlen("x") == 2 and r.xread({"x": "0"})[0][1][0] == (first, {"f": "v"})
    assert r.xgroup_create("x", "g", "0") and len(r.xreadgroup("g", "me", {"x": ">"})[0][1]) == 2
    assert r.xpending("x", "g")["pending"] == 2 and r.xack("x", "g", first) == 1 and r.xinfo_stream("x")["length"] == 2


@check
def bits_geo_and_sketches(r):
    assert r.setbit("bits", 7, 1) == 0 and r.bitcount("bits") == 1
    assert r.bitfield("bf").set("u8", 0, 255).get("u4", 0).execute() == [0, 15]
    assert r.geoadd("geo", (13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania")) == 2
    assert round(r.geodist("geo", "Palermo", "Catania", "km")) == 166
    assert r.pfadd("hll", *range(100)) == 1 and abs(r.pfcount("hll") - 100) < 5


@check
def pipelines(r):
    with r.pipeline(transaction=False) as pipe:
        for i in range(10_000):
            pipe.set(f"p:{i}", i)
        assert all(pipe.execute())
    with r.pipeline(transaction=False) as pipe:
        for i in range(10_000):
            pipe.get(f"p:{i}")
        assert pipe.execute() == [str(i) for i in range(10_000)]


@check
def transactions(r):
    def add(pipe):
        value = int(pipe.get("counter") or 0)
        pipe.multi()
        pipe.set("counter", value + 1)

    threads = [threading.Thread(target=lambda: [r.transaction(add, "counter") for _ in range(25)]) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert r.get("counter") == "100", r.get("counter")


@check
def pool_of_threads(r):
    shared = redis.Redis(connection_pool=redis.BlockingConnectionPool(port=PORT, max_connections=8, timeout=20))
    threads = [threading.Thread(target=lambda: [shared.incr("shared") for _ in range(500)]) for _ in range(16)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert int(shared.get("shared")) == 8000


@check
def publish_and_subscribe(r):
    listener = r.pubsub(ignore_subscribe_messages=True)
    listener.subscribe("channel")
    listener.psubscribe("pat*")
    deadline = time.monotonic() + 10
    while r.publish("channel", "hello") != 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    r.publish("pattern", "there")
    seen = []
    while len(seen) < 2 and time.monotonic() < deadline:
        message = listener.get_message(timeout=1)
        seen += [message["data"]] if message else []
    assert seen == ["hello", "there"], seen
    listener.close()


@check
def scripts(r):
    script = r.register_script("return {KEYS[1], ARGV[1], redis.call('INCRBY', KEYS[1], ARGV[1])}")
    assert script(keys=["k"], args=[3]) == ["k", "3", 3] and r.script_exists(script.sha) == [True]
    assert r.eval("return redis.call('GET', KEYS[1])", 1, "k") == "3"
    try:
        r.eval("return redis.call('LPUSH', KEYS[1], 1)", 1, "k")
    except redis.ResponseError as error:
        assert "WRONGTYPE" in str(error)
    else:
        raise AssertionError("no error")


@check
def functions(r):
    r.function_load("#!lua name=mylib\nredis.register_function('double', function(keys, args) return args[1] * 2 end)", True)
    assert r.fcall("double", 0, 21) == 42


@check
def blocking_pops(r):
    threading.Timer(0.2, lambda: r.rpush("queue", "job")).start()
    began = time.monotonic()
    assert r.blpop("queue", timeout=10) == ("queue", "job") and time.monotonic() - began >= 0.1
    assert r.blpop("queue", timeout=0.1) is None


@check
def resp3(r):
    with client(protocol=3) as three:
        three.flushdb()
        assert three.set("a", "b") and three.get("a") == "b" and three.config_get("maxmemory") == {"maxmemory": "0"}
        assert three.info("server")["redis_version"] == r.info("server")["redis_version"]


@check
def sorting(r):
    r.rpush("numbers", 3, 1, 2)
    assert r.sort("numbers", desc=True) == ["3", "2", "1"]


@check
def dump_and_restore(r):
    r.set("d", "value")
    assert r.restore("e", 0, r.execute_command("DUMP", "d", NEVER_DECODE=True)) and r.get("e") == "value"


@check
def users(r):
    r.acl_setuser("bob", enabled=True, passwords=["+secret"], keys=["bob:*"], commands=["+get", "+set"])
    with client(username="bob", password="secret") as bob:
        assert bob.set("bob:1", "x")
        try:
            bob.set("other", "x")
        except redis.exceptions.NoPermissionError:
            return
        raise AssertionError("bob may write everywhere")


@check
def with_asyncio(_r):
    async def session():
        async with redis.asyncio.Redis(port=PORT, decode_responses=True) as r:
            await asyncio.gather(*(r.incr("async") for _ in range(500)))
            assert await r.get("async") == "500"
            async with r.pipeline(transaction=False) as pipe:
                replies = await pipe.set("x", 1).incr("x").get("x").execute()
            assert replies == [True, 2, "2"], replies

    asyncio.run(asyncio.wait_for(session(), 30))


def main():
    with client() as r:
        for function in CHECKS:
            name = function.__name__.replace("_", " ")
            try:
                r.flushall()
                function(r)
                print(f"ok {name}", flush=True)
            except Exception as error:  # whatever it was, it is the check's outcome
                where = traceback.extract_tb(error.__traceback__)[-1]
                print(f"failed {name}: {type(error).__name__} {error} (line {where.lineno} of {where.name})".replace("\n", " "), flush=True)


main()
