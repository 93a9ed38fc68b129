/** A process that upgrades `connections` connections and sends a masked text frame on each, again as soon as it is back. */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { dial } from './dial.ts';
import { readJob, Tally } from './job.ts';
import { HOST, type WebSocketPattern } from './load.ts';

const { target, pattern, seconds } = readJob<WebSocketPattern>();
const UPGRADE_LIMIT_MS = 10_000;

const handshake =
  `GET ${target.path} HTTP/1.1\r\nHost: ${HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`;
const frame = maskedText(pattern.bytes);
/** Its answer comes without a mask: four bytes less. */
const answerBytes = frame.length - 4;
const tally = new Tally();

const sockets = await Promise.all(Array.from({ length: pattern.connections }, upgrade));
const started = performance.now();
let open = true;
for (const socket of sockets) roundTrips(socket);
setTimeout(() => {
  open = false;
  tally.report((performance.now() - started) / 1_000);
  for (const socket of sockets) socket.destroy();
}, seconds * 1_000);

/** RFC 6455 section 5.2; the payload is short, so its length is in the second byte or the two after it. */
function maskedText(bytes: number): Buffer {
  const mask = randomBytes(4);
  const head = bytes < 126 ? [0x81, 0x80 | bytes] : [0x81, 0x80 | 126, bytes >> 8, bytes & 255];
  const payload = Buffer.alloc(bytes, 'x').map((byte, index) => byte ^ (mask[index & 3] ?? 0));
  return Buffer.concat([Buffer.from(head), mask, payload]);
}

function upgrade(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const { socket, ready } = dial(target);
    const limit = setTimeout(() => socket.destroy(new Error('no 101 within 10 s')), UPGRADE_LIMIT_MS);
    let head = '';
    const read = (chunk: Buffer): void => {
      head += chunk.toString('latin1');
      if (!head.includes('\r\n\r\n')) return;
      clearTimeout(limit);
      socket.removeListener('data', read);
      socket.removeListener('error', reject);
      if (head.startsWith('HTTP/1.1 101 ')) resolve(socket);
      else reject(new Error(`upgrade refused: ${head.slice(0, 40)}`));
    };
    socket.on('data', read);
    socket.once('error', reject);
    socket.once(ready, () => socket.write(handshake));
  });
}

function roundTrips(socket: Socket): void {
  let left = answerBytes;
  let begin = performance.now();
  socket.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left > 0 || !open) return;
    if (left < 0) tally.error('more bytes than were sent');
    else tally.answer((performance.now() - begin) * 1_000);
    left = answerBytes;
    begin = performance.now();
    socket.write(frame);
  });
  socket.on('error', (error: NodeJS.ErrnoException) => open && tally.error(error.code ?? error.message));
  socket.on('close', () => open && tally.error('closed'));
  socket.write(frame);
}
