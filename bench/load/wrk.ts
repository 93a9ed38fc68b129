import { join } from 'node:path';
import { findProgram } from '../processes.ts';
import { runGenerator } from './child.ts';
import { type Generator, HOST, type HttpPattern, type LoadResult, type Pattern, type Target } from './load.ts';

const SCRIPT = join(import.meta.dirname, 'wrk-report.lua');

/** wrk, in C: a third of autocannon's cost per request, so the proxy and not the client is what is loaded. */
export const wrk: Generator = {
  name: 'wrk',
  refuses(pattern: Pattern, tls: boolean): string | null {
    if (findProgram('wrk') === null) return 'wrk is not installed (Debian: apt install wrk)';
    if (pattern.kind !== 'http') return `wrk makes no ${pattern.kind} load`;
    // Seen in nginx's log: wrk keeps its SSL object across connections, so all but the first handshakes are resumed.
    if (tls && pattern.connection === 'per-request') return 'wrk resumes TLS sessions instead of making new ones';
    return null;
  },
  async run(target: Target, pattern: Pattern, seconds: number): Promise<LoadResult> {
    if (pattern.kind !== 'http') throw new Error('wrk was asked for what it refused');
    const stdout = await runGenerator({
      command: findProgram('wrk') ?? 'wrk',
      // The duration is only a bound: wrk takes whole seconds, and reports when it is interrupted.
      args: ['-t', '1', '-c', String(pattern.connections), '-d', `${Math.ceil(seconds) + 30}s`].concat(
        ['--timeout', '10s', '-s', SCRIPT],
        pattern.connection === 'per-request' ? ['-H', 'Connection: close'] : [],
        [`${target.tls ? 'https' : 'http'}://${HOST}:${target.port}${target.path}`],
      ),
      env: {
        BENCH_HTTP_VERSION: pattern.httpVersion,
        BENCH_UPLOAD: String(pattern.upload),
        BENCH_HOSTS: String(pattern.hosts),
      },
      interruptAfterMs: seconds * 1_000,
      limitMs: (seconds + 20) * 1_000,
    });
    return parse(stdout, pattern);
  },
};

/** Reads the line that wrk-report.lua prints. */
function parse(stdout: string, pattern: HttpPattern): LoadResult {
  const line = stdout.split('\n').find((text) => text.startsWith('BENCH '));
  if (line === undefined) throw new Error(`wrk printed no report: ${stdout.slice(0, 500)}`);
  const numbers = line.slice(6).trim().split(/\s+/).map(Number);
  const [answers = 0, micros = 0, connect = 0, read = 0, write = 0, status = 0, timeout = 0] = numbers;
  const [p50 = Number.NaN, p90 = Number.NaN, p99 = Number.NaN, p999 = Number.NaN, bytes = 0] = numbers.slice(7);
  const kinds = Object.entries({ connect, read, write, status, timeout }).filter(([, count]) => count > 0);
  return {
    requests: pattern.countMebibytes ? bytes / 1_048_576 : answers - status,
    seconds: micros / 1e6,
    latencyMicros: { p50, p90, p99, p999 },
    errors: kinds.reduce((sum, [, count]) => sum + count, 0),
    errorDetail: kinds.map(([kind, count]) => `${count} ${kind}`).join(', '),
  };
}
