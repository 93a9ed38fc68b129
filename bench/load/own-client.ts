/**
 * A process that opens a connection, sends one request, reads the answer to its end, and starts again; `connections`
 * of them at once, for `seconds`. Prints a LoadResult as JSON. Argument: {target, pattern, seconds} as JSON.
 */
import { connect, type Socket } from 'node:net';
import { createSecureContext, type TLSSocket, connect as tlsConnect } from 'node:tls';
import { quantile } from '../measure/statistics.ts';
import { HOST, type LoadResult, type Pattern, type Target } from './load.ts';

interface Job {
  readonly target: Target;
  readonly pattern: Pattern;
  readonly seconds: number;
}

const { target, pattern, seconds } = JSON.parse(process.argv[2] ?? '') as Job;
const request = `GET ${target.path} HTTP/${pattern.httpVersion}\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`;
// One context for all connections; no session is ever handed to a connection, so none can resume.
const secureContext = createSecureContext({ minVersion: 'TLSv1.3' });
const ANSWER_LIMIT_MS = 10_000;

const latencies: number[] = [];
const errors = new Map<string, number>();
const started = performance.now();
const deadline = started + seconds * 1_000;
let open = 0;

for (let index = 0; index < pattern.connections; index += 1) exchange();

/** One connection, one request. */
function exchange(): void {
  open += 1;
  const begin = performance.now();
  const socket = dial();
  let head = '';
  let bodyLeft: number | null = null;
  let failure: string | null = null;
  socket.setTimeout(ANSWER_LIMIT_MS, () => socket.destroy(new Error('timeout')));
  socket.once(target.tls ? 'secureConnect' : 'connect', () => {
    if (target.tls && (socket as TLSSocket).isSessionReused()) failure = 'resumed session';
    socket.write(request);
  });
  socket.on('data', (chunk: Buffer) => {
    if (bodyLeft !== null) {
      bodyLeft -= chunk.length;
      return;
    }
    head += chunk.toString('latin1');
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    if (!/^HTTP\/1\.[01] 200 /.test(head)) failure = `status ${head.slice(9, 12)}`;
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    bodyLeft = (length === undefined ? 0 : Number(length)) - (head.length - end - 4);
  });
  socket.once('error', (error: NodeJS.ErrnoException) => {
    failure ??= error.code ?? error.message;
  });
  socket.once('close', () => {
    open -= 1;
    if (failure === null && (bodyLeft === null || bodyLeft > 0)) failure = 'truncated answer';
    if (failure === null) latencies.push((performance.now() - begin) * 1_000);
    else errors.set(failure, (errors.get(failure) ?? 0) + 1);
    if (performance.now() < deadline) setImmediate(exchange);
    else if (open === 0) report();
  });
}

function dial(): Socket {
  if (!target.tls) return connect({ host: '127.0.0.1', port: target.port, noDelay: true });
  return tlsConnect({
    host: '127.0.0.1',
    port: target.port,
    servername: HOST,
    secureContext,
    // One curve that all peers have, so that nobody is charged for a more expensive key exchange.
    ecdhCurve: 'X25519',
    // The certificate was made for this run and is signed by itself.
    rejectUnauthorized: false,
  });
}

function report(): void {
  const sorted = latencies.sort((a, b) => a - b);
  const result: LoadResult = {
    requests: sorted.length,
    seconds: (performance.now() - started) / 1_000,
    latencyMicros: {
      p50: quantile(sorted, 0.5),
      p90: quantile(sorted, 0.9),
      p99: quantile(sorted, 0.99),
      p999: quantile(sorted, 0.999),
    },
    errors: [...errors.values()].reduce((sum, count) => sum + count, 0),
    errorDetail: [...errors].map(([kind, count]) => `${count} ${kind}`).join(', '),
  };
  process.stdout.write(JSON.stringify(result));
}
