/**
 * A process that opens streams of server-sent events and counts what comes. Each event carries the time it was written, of
 * the clock that all processes of a machine share; its latency is the time from there to here.
 */
import type { Socket } from 'node:net';
import { dial } from './dial.ts';
import { readJob, Tally } from './job.ts';
import { type EventsPattern, HOST } from './load.ts';

const { target, pattern, seconds } = readJob<EventsPattern>();
/** Streams settle before events count. */
const SETTLE_MS = 300;

const request = `GET ${target.path}?rate=${pattern.eventsPerSecond} HTTP/1.1\r\nHost: ${HOST}\r\nAccept: text/event-stream\r\n\r\n`;
const tally = new Tally();
let counting = false;
let over = false;

const sockets = Array.from({ length: pattern.streams }, stream);
setTimeout(() => {
  counting = true;
  const started = performance.now();
  setTimeout(() => {
    over = true;
    const elapsed = (performance.now() - started) / 1_000;
    // A stream that came late, or stood still, shows as events that are missing.
    const missing = Math.round(0.9 * pattern.streams * pattern.eventsPerSecond * elapsed) - tally.answers;
    if (missing > 0) tally.error(`stream too slow (${missing} events behind)`);
    tally.report(elapsed);
    for (const socket of sockets) socket.destroy();
  }, seconds * 1_000);
}, SETTLE_MS);

function stream(): Socket {
  const { socket, ready } = dial(target);
  let text = '';
  let head = true;
  socket.once(ready, () => socket.write(request));
  socket.on('data', (chunk: Buffer) => {
    const now = process.hrtime.bigint();
    text += chunk.toString('latin1');
    if (head) {
      const end = text.indexOf('\r\n\r\n');
      if (end < 0) return;
      if (!text.startsWith('HTTP/1.1 200 ')) tally.error(`status ${text.slice(9, 12)}`);
      head = false;
    }
    // However the proxy framed it: an event is a line `data: STAMP TOKEN`.
    let at = text.indexOf('data: ');
    while (at >= 0) {
      const stop = text.indexOf('\n', at);
      if (stop < 0) break;
      if (counting && !over) tally.answer(Number(now - BigInt(text.slice(at + 6, text.indexOf(' ', at + 6)))) / 1_000);
      text = text.slice(stop + 1);
      at = text.indexOf('data: ');
    }
  });
  socket.on('error', (error: NodeJS.ErrnoException) => over || tally.error(error.code ?? error.message));
  socket.on('close', () => over || tally.error('closed'));
  return socket;
}
