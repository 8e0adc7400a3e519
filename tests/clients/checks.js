// What the scripts of the Node libraries share: checks run one after the other, each on an empty database.
const assert = require("node:assert/strict");

const port = Number(process.argv[2]);
const checks = [];

function check(name, body) {
  checks.push([name, body]);
}

// Rejects after so many milliseconds, so that a lost reply fails its check instead of the run.
function within(milliseconds, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${milliseconds} ms`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// A promise whose check has failed already has nobody left to hear that it was rejected.
process.on("unhandledRejection", () => {});

async function run(flush, milliseconds = 20_000) {
  for (const [name, body] of checks) {
    try {
      await flush();
      await within(milliseconds, body());
      console.log(`ok ${name}`);
    } catch (error) {
      console.log(`failed ${name}: ${String(error.message || error).replaceAll("\n", " ")}`);
    }
  }
  process.exit(0);
}

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

module.exports = { assert, check, port, run, sleep, within };
