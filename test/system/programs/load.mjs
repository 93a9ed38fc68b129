// Runs in the container: requests at an even rate, each on a connection of its own, for some seconds.
//   node load.mjs URL HOST SECONDS REQUESTS_A_SECOND
// Prints {"requests","statuses","refused","failed","slowest","refusedForMs"}: a connection refused is one thing, a request that broke off another.
import { Agent, get } from 'node:http';

const [url, host, seconds, rate] = process.argv.slice(2);
const result = { requests: 0, statuses: {}, refused: 0, failed: {}, slowest: 0, refusedForMs: 0 };
let open = 0;
let firstRefused = 0;
const until = Date.now() + Number(seconds) * 1000;

const one = () => {
  result.requests++;
  open++;
  const from = performance.now();
  const done = () => {
    result.slowest = Math.max(result.slowest, Math.round(performance.now() - from));
    if (--open === 0 && Date.now() >= until) finish();
  };
  get(url, { agent: new Agent({ keepAlive: false }), headers: { host }, timeout: 30_000 }, (response) => {
    response.resume();
    response.once('close', () => {
      const status = response.complete ? String(response.statusCode) : 'incomplete';
      result.statuses[status] = (result.statuses[status] ?? 0) + 1;
      done();
    });
  }).once('error', (error) => {
    if (error.code === 'ECONNREFUSED') {
      result.refused++;
      firstRefused ||= Date.now();
      result.refusedForMs = Date.now() - firstRefused;
    } else result.failed[error.code ?? error.message] = (result.failed[error.code ?? error.message] ?? 0) + 1;
    done();
  });
};
const finish = () => {
  console.log(JSON.stringify(result));
  process.exit(0);
};
const timer = setInterval(() => {
  if (Date.now() < until) return one();
  clearInterval(timer);
  if (open === 0) finish();
}, 1000 / Number(rate));
