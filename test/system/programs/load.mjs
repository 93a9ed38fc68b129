// Runs in the container: requests at an even rate, each on a connection of its own, until a file is there.
//   node load.mjs URL HOST REQUESTS_A_SECOND STOP_FILE
// Prints what became of them as JSON: a connection refused is one thing, a request that broke off another.
import { existsSync } from 'node:fs';
import { Agent, get } from 'node:http';

const [url, host, rate, stopFile] = process.argv.slice(2);
const AT_MOST_MS = 170_000;
const result = { requests: 0, statuses: {}, servers: {}, refused: 0, troubleForMs: 0, failed: {}, slowestMs: 0 };
const until = Date.now() + AT_MOST_MS;
let open = 0;
let stopped = false;
let firstTrouble = 0;

const add = (counts, key) => {
  counts[key] = (counts[key] ?? 0) + 1;
};
const finishIfDone = () => {
  if (!stopped || open > 0) return;
  console.log(JSON.stringify(result));
  process.exit(0);
};
const one = () => {
  result.requests++;
  open++;
  const from = performance.now();
  const done = () => {
    result.slowestMs = Math.max(result.slowestMs, Math.round(performance.now() - from));
    open--;
    finishIfDone();
  };
  get(url, { agent: new Agent({ keepAlive: false }), headers: { host }, timeout: 30_000 }, (response) => {
    response.resume();
    response.once('close', () => {
      add(result.statuses, response.complete ? response.statusCode : 'incomplete');
      add(result.servers, response.headers['x-served-by'] ?? 'the proxy');
      done();
    });
  }).once('error', (error) => {
    firstTrouble ||= Date.now();
    result.troubleForMs = Date.now() - firstTrouble;
    if (error.code === 'ECONNREFUSED') result.refused++;
    else add(result.failed, error.code ?? error.message);
    done();
  });
};
const timer = setInterval(() => {
  if (!existsSync(stopFile) && Date.now() < until) return one();
  clearInterval(timer);
  stopped = true;
  finishIfDone();
}, 1000 / Number(rate));
