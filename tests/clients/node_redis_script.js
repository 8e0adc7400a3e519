// node-redis through every family, in RESP2 and RESP3.
const { createClient } = require("redis");
const { assert, check, port, run, sleep } = require("./checks.js");

const open = async (more = {}) => {
  const client = createClient({ socket: { port, host: "127.0.0.1" }, ...more });
  client.on("error", () => {});
  return client.connect();
};

let r;

check("strings and counters", async () => {
  assert.equal(await r.set("s", "v", { EX: 100 }), "OK");
  assert.equal(await r.get("s"), "v");
  assert.equal(await r.incrBy("n", 41), 41);
  assert.deepEqual(await r.mGet(["s", "none"]), ["v", null]);
});

check("keys and expiry", async () => {
  await r.mSet(Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`key:${i}`, String(i)])));
  const seen = new Set();
  for await (const keys of r.scanIterator({ MATCH: "key:*", COUNT: 20 })) keys.forEach((key) => seen.add(key));
  assert.equal(seen.size, 300);
  assert.equal(await r.type("key:1"), "string");
});

check("lists", async () => {
  assert.equal(await r.rPush("l", ["1", "2", "3"]), 3);
  assert.deepEqual(await r.lRange("l", 0, -1), ["1", "2", "3"]);
});

check("hashes", async () => {
  assert.equal(await r.hSet("h", { a: "1", b: "x" }), 2);
  assert.deepEqual({ ...(await r.hGetAll("h")) }, { a: "1", b: "x" });
});

check("sets", async () => {
  await r.sAdd("s1", ["1", "2", "3"]);
  await r.sAdd("s2", ["2", "3", "4"]);
  assert.deepEqual((await r.sInter(["s1", "s2"])).sort(), ["2", "3"]);
});

check("sorted sets", async () => {
  await r.zAdd("z", [{ score: 1, value: "a" }, { score: 2.5, value: "b" }]);
  const found = await r.zRangeWithScores("z", 0, -1);
  assert.deepEqual(found.map((one) => ({ ...one })), [{ value: "a", score: 1 }, { value: "b", score: 2.5 }]);
});

check("streams", async () => {
  const id = await r.xAdd("x", "*", { f: "v" });
  const [entry] = await r.xRange("x", "-", "+");
  assert.equal(entry.id, id);
  assert.deepEqual({ ...entry.message }, { f: "v" });
});

check("pipelines", async () => {
  const replies = await Promise.all(Array.from({ length: 10_000 }, (_, i) => r.incrBy("sum", i)));
  assert.equal(replies.at(-1), (9999 * 10_000) / 2);
});

check("transactions", async () => {
  assert.deepEqual(await r.multi().incr("n").incr("n").exec(), [1, 2]);
});

check("publish and subscribe", async () => {
  const listener = await open();
  const seen = [];
  await listener.subscribe("one", (text) => seen.push(text));
  await listener.pSubscribe("t*", (text, channel) => seen.push(`${channel} ${text}`));
  assert.equal(await r.publish("one", "x"), 1);
  assert.equal(await r.publish("two", "y"), 1);
  while (seen.length < 2) await sleep(5);
  assert.deepEqual(seen, ["x", "two y"]);
  listener.destroy();
});

check("scripts", async () => {
  const reply = await r.eval("return redis.call('INCRBY', KEYS[1], ARGV[1])", { keys: ["k"], arguments: ["4"] });
  assert.equal(reply, 4);
});

check("blocking pops", async () => {
  const waiter = await open();
  const popped = waiter.blPop("queue", 10);
  await sleep(100);
  await r.rPush("queue", "job");
  assert.deepEqual({ ...(await popped) }, { key: "queue", element: "job" });
  waiter.destroy();
});

check("RESP3", async () => {
  const three = await open({ RESP: 3 });
  assert.equal(await three.set("a", "b"), "OK");
  assert.equal(await three.get("a"), "b");
  assert.equal((await three.configGet("maxmemory")).maxmemory, "0");
  three.destroy();
});

open().then((client) => {
  r = client;
  return run(() => r.flushAll());
});
