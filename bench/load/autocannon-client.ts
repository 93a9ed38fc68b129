/** A process that runs autocannon once and prints a LoadResult as JSON. Argument: {target, pattern, seconds} as JSON. */
import autocannon from 'autocannon';
import { HOST, type LoadResult, type Pattern, type Target } from './load.ts';

interface Job {
  readonly target: Target;
  readonly pattern: Pattern;
  readonly seconds: number;
}

const { target, pattern, seconds } = JSON.parse(process.argv[2] ?? '') as Job;
// The certificate was made for this run and is signed by itself; autocannon verifies none by default.
const done = await autocannon({
  url: `${target.tls ? 'https' : 'http'}://127.0.0.1:${target.port}${target.path}`,
  headers: { host: HOST },
  servername: HOST,
  connections: pattern.connections,
  duration: seconds,
});
const others = done['1xx'] + done['3xx'] + done['4xx'] + done['5xx'];
const kinds = Object.entries({ status: others, socket: done.errors, timeout: done.timeouts }).filter(
  ([, count]) => count > 0,
);
const micros = (milliseconds: number): number => milliseconds * 1_000;
const result: LoadResult = {
  requests: done['2xx'],
  seconds: done.duration,
  latencyMicros: {
    p50: micros(done.latency.p50),
    p90: micros(done.latency.p90),
    p99: micros(done.latency.p99),
    p999: micros(done.latency.p99_9),
  },
  errors: kinds.reduce((sum, [, count]) => sum + count, 0),
  errorDetail: kinds.map(([kind, count]) => `${count} ${kind}`).join(', '),
};
process.stdout.write(JSON.stringify(result));
