// ioredis through every family.
const Redis = require("ioredis");
const { assert, check, port, run, sleep } = require("./checks.js");

const options = { port, maxRetriesPerRequest: 1 };
const r = new Redis(options);

check("strings and counters", async () => {
  assert.equal(await r.set("s", "v", "EX", 100), "OK");
  assert.equal(await r.get("s"), "v");
  assert.equal(await r.incrby("n", 41), 41);
  assert.deepEqual(await r.mget("s", "none"), ["v", null]);
  assert.deepEqual(await r.getBuffer("s"), Buffer.from("v"));
});

check("keys and expiry", async () => {
  const pairs = Array.from({ length: 300 }, (_, i) => [`key:${i}`, i]).flat();
  await r.mset(...pairs);
  const seen = new Set();
  for await (const keys of r.scanStream({ match: "key:*", count: 20 })) keys.forEach((key) => seen.add(key));
  assert.equal(seen.size, 300);
  assert.equal(await r.pexpire("key:1", 20), 1);
  await sleep(80);
  assert.equal(await r.exists("key:1", "key:2"), 1);
});

check("lists", async () => {
  assert.equal(await r.rpush("l", 1, 2, 3), 3);
  assert.deepEqual(await r.lrange("l", 0, -1), ["1", "2", "3"]);
  assert.equal(await r.lmove("l", "m", "LEFT", "RIGHT"), "1");
});

check("hashes", async () => {
  assert.equal(await r.hset("h", { a: 1, b: "x" }), 2);
  assert.deepEqual(await r.hgetall("h"), { a: "1", b: "x" });
  assert.equal(await r.hincrbyfloat("h", "a", 0.5), "1.5");
});

check("sets", async () => {
  await r.sadd("s1", 1, 2, 3);
  await r.sadd("s2", 2, 3, 4);
  assert.deepEqual((await r.sinter("s1", "s2")).sort(), ["2", "3"]);
});

check("sorted sets", async () => {
  assert.equal(await r.zadd("z", 1, "a", 2, "b"), 2);
  assert.deepEqual(await r.zrange("z", 0, -1, "REV", "WITHSCORES"), ["b", "2", "a", "1"]);
  assert.deepEqual(await r.zpopmin("z"), ["a", "1"]);
});

check("streams", async () => {
  const id = await r.xadd("x", "*", "f", "v");
  assert.deepEqual(await r.xrange("x", "-", "+"), [[id, ["f", "v"]]]);
  await r.xgroup("CREATE", "x", "g", "0");
  assert.deepEqual(await r.xreadgroup("GROUP", "g", "me", "STREAMS", "x", ">"), [["x", [[id, ["f", "v"]]]]]);
  assert.equal(await r.xack("x", "g", id), 1);
});

check("pipelines", async () => {
  const pipe = r.pipeline();
  for (let i = 0; i < 10_000; i++) pipe.set(`p:${i}`, i).get(`p:${i}`);
  const replies = await pipe.exec();
  assert.ok(replies.every(([error, value], at) => !error && value === (at % 2 ? String((at - 1) / 2) : "OK")));
});

check("transactions", async () => {
  assert.deepEqual(await r.multi().incr("n").incr("n").exec(), [[null, 1], [null, 2]]);
  const other = new Redis(options);
  await other.watch("n");
  await r.incr("n");
  assert.equal(await other.multi().set("n", 0).exec(), null);
  other.disconnect();
});

check("publish and subscribe", async () => {
  const listener = new Redis(options);
  const seen = [];
  listener.on("message", (channel, text) => seen.push(`${channel} ${text}`));
  listener.on("pmessage", (pattern, channel, text) => seen.push(`${pattern} ${channel} ${text}`));
  assert.equal(await listener.subscribe("one"), 1);
  assert.equal(await listener.psubscribe("t*"), 2);
  assert.equal(await r.publish("one", "x"), 1);
  assert.equal(await r.publish("two", "y"), 1);
  while (seen.length < 2) await sleep(5);
  assert.deepEqual(seen, ["one x", "t* two y"]);
  listener.disconnect();
});

check("scripts", async () => {
  r.defineCommand("addTwice", { numberOfKeys: 1, lua: "redis.call('INCRBY', KEYS[1], ARGV[1]) return redis.call('INCRBY', KEYS[1], ARGV[1])" });
  assert.equal(await r.addTwice("k", 4), 8);
  assert.equal(await r.addTwice("k", 1), 10);
});

check("blocking pops", async () => {
  const waiter = new Redis(options);
  const popped = waiter.blpop("queue", 10);
  await sleep(100);
  await r.rpush("queue", "job");
  assert.deepEqual(await popped, ["queue", "job"]);
  waiter.disconnect();
});

check("reconnects after CLIENT KILL", async () => {
  const victim = new Redis(options);
  const id = await victim.client("ID");
  assert.equal(await r.client("KILL", "ID", id), 1);
  await sleep(200);
  assert.equal(await victim.ping(), "PONG");
  victim.disconnect();
});

run(() => r.flushall());
