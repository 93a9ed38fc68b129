/**
 * A process that sends requests at a fixed rate on kept-alive connections, whether earlier ones were answered or not
 * (an open loop: what a proxy does late counts as late for every request that was due meanwhile). A request is due at a
 * tick of 1 ms, and its latency counts from there.
 */
import type { Socket } from 'node:net';
import { AnswerReader } from './answer-reader.ts';
import { dial } from './dial.ts';
import { readJob, Tally } from './job.ts';
import { HOST, type PacedPattern } from './load.ts';

const { target, pattern, seconds } = readJob<PacedPattern>();
const request = `GET ${target.path} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;
const FIRST_CONNECTIONS = 32;
/** More requests than this under way are not sent, and count as errors: the proxy does not keep up with the rate. */
const MOST_CONNECTIONS = 1_024;
const GRACE_MS = 2_000;

interface Connection {
  readonly socket: Socket;
  reader: AnswerReader;
  /** When its request was due, in ms; 0 = idle. */
  due: number;
}

const tally = new Tally();
const idle: Connection[] = [];
let connections = 0;
let under = 0;
let sent = 0;
let over = false;

await Promise.all(Array.from({ length: FIRST_CONNECTIONS }, open)).then((all) => idle.push(...all));
const started = performance.now();
const total = Math.round(pattern.requestsPerSecond * seconds);
tick();

function tick(): void {
  const now = performance.now();
  // All ticks that passed since the last call, each with the requests that were due by it.
  for (let at = Math.ceil((sent / pattern.requestsPerSecond) * 1_000 + 0.000_001); started + at <= now; at += 1) {
    const goal = Math.min(total, Math.floor((at * pattern.requestsPerSecond) / 1_000));
    while (sent < goal) {
      sent += 1;
      send(started + at);
    }
    if (sent === total) break;
  }
  if (sent < total) setTimeout(tick, 1);
  else setTimeout(finish, GRACE_MS).unref();
}

function send(due: number): void {
  const connection = idle.pop();
  if (connection !== undefined) {
    write(connection, due);
  } else if (connections < MOST_CONNECTIONS) {
    open().then(
      (fresh) => write(fresh, due),
      (error: NodeJS.ErrnoException) => tally.error(error.code ?? error.message),
    );
  } else {
    tally.error('not sent: 1024 requests under way');
  }
}

function write(connection: Connection, due: number): void {
  under += 1;
  connection.due = due;
  connection.reader = new AnswerReader();
  connection.socket.write(request);
}

function open(): Promise<Connection> {
  connections += 1;
  return new Promise((resolve, reject) => {
    const { socket, ready } = dial(target);
    const connection: Connection = { socket, reader: new AnswerReader(), due: 0 };
    socket.once(ready, () => resolve(connection));
    socket.on('data', (chunk: Buffer) => {
      if (!connection.reader.push(chunk)) return;
      under -= 1;
      if (connection.reader.status === '200') tally.answer((performance.now() - connection.due) * 1_000);
      else tally.error(`status ${connection.reader.status}`);
      connection.due = 0;
      idle.push(connection);
      if (sent === total && under === 0) finish();
    });
    socket.once('error', reject);
    socket.once('close', () => {
      connections -= 1;
      const index = idle.indexOf(connection);
      if (index >= 0) idle.splice(index, 1);
      if (connection.due === 0 || over) return;
      under -= 1;
      tally.error('closed without an answer');
    });
  });
}

function finish(): void {
  if (over) return;
  over = true;
  for (let left = under; left > 0; left -= 1) tally.error('no answer');
  tally.report(seconds);
  setTimeout(() => process.exit(0), 50);
}
