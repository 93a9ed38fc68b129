/**
 * A process that opens a connection, sends one request, reads the answer to its end, and starts again; `connections`
 * of them at once, for `seconds`. Every TLS handshake is a full one, or every one a resumed one, as the pattern says.
 */
import type { TLSSocket } from 'node:tls';
import { AnswerReader } from './answer-reader.ts';
import { dial } from './dial.ts';
import { readJob, Tally } from './job.ts';
import { HOST, type HttpPattern } from './load.ts';

const { target, pattern, seconds } = readJob<HttpPattern>();
const ANSWER_LIMIT_MS = 10_000;

const request = `GET ${target.path} HTTP/${pattern.httpVersion}\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`;
const tally = new Tally();
/** The newest ticket: with TLS 1.3 a server sends them after the handshake, and takes each more than once. */
let session: Buffer | undefined;
let started = 0;
let deadline = 0;
let open = 0;

if (pattern.resume) await firstTicket();
started = performance.now();
deadline = started + seconds * 1_000;
for (let index = 0; index < pattern.connections; index += 1) exchange();

/** One connection, one request. */
function exchange(): void {
  open += 1;
  const begin = performance.now();
  const { socket, ready } = dial(target, session);
  const reader = new AnswerReader();
  let complete = false;
  let failure: string | null = null;
  socket.setTimeout(ANSWER_LIMIT_MS, () => socket.destroy(new Error('timeout')));
  socket.once(ready, () => {
    if (target.tls && (socket as TLSSocket).isSessionReused() !== pattern.resume) {
      failure = pattern.resume ? 'not resumed' : 'resumed session';
    }
    socket.write(request);
  });
  if (pattern.resume) socket.on('session', keep);
  socket.on('data', (chunk: Buffer) => {
    complete = reader.push(chunk);
    if (reader.status !== '' && reader.status !== '200') failure = `status ${reader.status}`;
  });
  socket.once('error', (error: NodeJS.ErrnoException) => {
    failure ??= error.code ?? error.message;
  });
  socket.once('close', () => {
    open -= 1;
    if (failure === null && !complete) failure = 'truncated answer';
    if (failure === null) tally.answer((performance.now() - begin) * 1_000);
    else tally.error(failure);
    if (performance.now() < deadline) setImmediate(exchange);
    else if (open === 0) tally.report((performance.now() - started) / 1_000);
  });
}

function keep(ticket: Buffer): void {
  session = ticket;
}

/** Makes one full handshake before the clock starts. */
function firstTicket(): Promise<void> {
  return new Promise((resolve, reject) => {
    const { socket, ready } = dial(target);
    socket.once('session', keep);
    socket.once(ready, () => socket.write(request));
    socket.resume();
    socket.once('error', reject);
    socket.once('close', () => (session === undefined ? reject(new Error('no session ticket came')) : resolve()));
  });
}
