/** A process that runs autocannon once and prints a LoadResult as JSON. */
import autocannon from 'autocannon';
import { readJob } from './job.ts';
import { HOST, type HttpPattern, type LoadResult, manyHost } from './load.ts';

const { target, pattern, seconds } = readJob<HttpPattern>();
// The certificate was made for this run and is signed by itself; autocannon verifies none by default.
const done = await autocannon({
  url: `${target.tls ? 'https' : 'http'}://127.0.0.1:${target.port}${target.path}`,
  headers: { host: HOST },
  servername: HOST,
  connections: pattern.connections,
  duration: seconds,
  ...(pattern.upload === 0 ? {} : { method: 'POST' as const, body: Buffer.alloc(pattern.upload, 'x') }),
  ...(pattern.hosts === 0
    ? {}
    : { requests: Array.from({ length: pattern.hosts }, (_, index) => ({ headers: { host: manyHost(index) } })) }),
});
const others = done['1xx'] + done['3xx'] + done['4xx'] + done['5xx'];
const kinds = Object.entries({ status: others, socket: done.errors, timeout: done.timeouts }).filter(
  ([, count]) => count > 0,
);
const micros = (milliseconds: number): number => milliseconds * 1_000;
const result: LoadResult = {
  requests: pattern.countMebibytes ? done.throughput.total / 1_048_576 : done['2xx'],
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
