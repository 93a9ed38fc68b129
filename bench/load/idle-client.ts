/**
 * A process that opens `connections` connections, makes one request on each, and keeps them open and silent until its
 * stdin ends. Prints {open, errors, errorDetail} as a line of JSON once all are there, and {closed} at the end: how many
 * the other side closed meanwhile. Argument: {target, connections} as JSON.
 */
import type { Socket } from 'node:net';
import { AnswerReader } from './answer-reader.ts';
import { dial } from './dial.ts';
import { HOST, type Target } from './load.ts';

interface Job {
  readonly target: Target;
  readonly connections: number;
}

const { target, connections } = JSON.parse(process.argv[2] ?? '') as Job;
const request = `GET ${target.path} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;
/** Connections under way at once, so that no backlog overflows. */
const AT_ONCE = 64;
const ANSWER_LIMIT_MS = 30_000;

const open = new Set<Socket>();
const errors = new Map<string, number>();
let started = 0;
let settled = 0;
let closed = 0;

for (let index = 0; index < Math.min(AT_ONCE, connections); index += 1) connect();

function connect(): void {
  started += 1;
  const { socket, ready } = dial(target);
  const reader = new AnswerReader();
  let done = false;
  const settle = (failure: string | null): void => {
    if (done) return;
    done = true;
    socket.setTimeout(0);
    settled += 1;
    if (failure === null) {
      open.add(socket);
    } else {
      errors.set(failure, (errors.get(failure) ?? 0) + 1);
      socket.destroy();
    }
    if (started < connections) connect();
    else if (settled === connections) report();
  };
  socket.setTimeout(ANSWER_LIMIT_MS, () => settle('timeout'));
  socket.once(ready, () => socket.write(request));
  socket.on('data', (chunk: Buffer) => {
    if (!done && reader.push(chunk)) settle(reader.status === '200' ? null : `status ${reader.status}`);
  });
  socket.on('error', (error: NodeJS.ErrnoException) => settle(error.code ?? error.message));
  socket.on('close', () => {
    if (open.delete(socket)) closed += 1;
    settle('closed');
  });
}

function report(): void {
  const errorDetail = [...errors].map(([kind, count]) => `${count} ${kind}`).join(', ');
  process.stdout.write(`${JSON.stringify({ open: open.size, errors: connections - open.size, errorDetail })}\n`);
}

process.stdin.resume();
process.stdin.once('end', () => {
  process.stdout.write(`${JSON.stringify({ closed })}\n`, () => process.exit(0));
});
