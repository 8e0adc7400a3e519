// BullMQ: jobs with retries and delays; every one must be done, and none may finish twice.
const { Queue, Worker } = require("bullmq");
const { assert, check, port, run, sleep } = require("./checks.js");

const JOBS = Number(process.argv[3]);
const connection = { port, host: "127.0.0.1", maxRetriesPerRequest: null };
const queue = new Queue("work", { connection });

// Every tenth job fails at its first attempt, every seventh is delayed.
const options = (i) => ({
  attempts: 3,
  backoff: { type: "fixed", delay: 20 },
  delay: i % 7 === 0 ? 50 + (i % 200) : 0,
  removeOnComplete: true,
});

check(`${JOBS} jobs are each done once`, async () => {
  const finished = new Map();
  const attempts = new Map();
  const work = async (job) => {
    const tries = (attempts.get(job.data.i) || 0) + 1;
    attempts.set(job.data.i, tries);
    if (job.data.i % 10 === 0 && tries === 1) throw new Error("the first attempt fails");
    finished.set(job.data.i, (finished.get(job.data.i) || 0) + 1);
  };
  const workers = Array.from({ length: 4 }, () => new Worker("work", work, { connection, concurrency: 25 }));
  for (let from = 0; from < JOBS; from += 500) {
    const length = Math.min(500, JOBS - from);
    await queue.addBulk(Array.from({ length }, (_, k) => ({ name: "job", data: { i: from + k }, opts: options(from + k) })));
  }
  while (finished.size < JOBS) await sleep(20);
  await sleep(500);
  assert.ok([...finished.values()].every((times) => times === 1), "a job has finished twice");
  for (const [i, tries] of attempts) assert.equal(tries, i % 10 === 0 ? 2 : 1, `attempts of job ${i}`);
  await Promise.all(workers.map((worker) => worker.close()));
  const counts = await queue.getJobCounts();
  assert.ok(Object.values(counts).every((count) => count === 0), JSON.stringify(counts));
});

run(async () => {}, 150_000);
