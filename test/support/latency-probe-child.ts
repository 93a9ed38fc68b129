/**
 * A client and its upstream in a process of their own, so that what a test does in its process does not count. It sends a
 * request on a kept connection again and again, and says how long the answers took since it was last asked.
 *
 * Says `{ port }` of the upstream first; is told `{ proxy: port }`, then asked by `{ take: true }`.
 */
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';

const REQUEST = 'GET /probe HTTP/1.1\r\nHost: a.test\r\n\r\n';
const PAUSE_MS = 4;

let took: number[] = [];
let failures = 0;
let sentAt = 0;

function open(port: number): void {
  const socket = connect({ host: '127.0.0.1', port, localAddress: '127.0.0.99', noDelay: true });
  let received = '';
  const send = (): void => {
    sentAt = performance.now();
    socket.write(REQUEST);
  };
  socket.on('connect', send);
  socket.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1');
    if (!received.endsWith('\r\n\r\nok')) return;
    if (!received.startsWith('HTTP/1.1 200')) failures++;
    received = '';
    took.push(performance.now() - sentAt);
    setTimeout(send, PAUSE_MS);
  });
  socket.on('error', () => failures++);
  socket.on('close', () => setTimeout(open, 50, port));
}

const upstream = createServer({ keepAliveTimeout: 600_000 }, (_request, response) => response.end('ok'));
upstream.listen(0, '127.0.0.1', () => process.send!({ port: (upstream.address() as AddressInfo).port }));

process.on('message', (message: { readonly proxy?: number }) => {
  if (message.proxy !== undefined) {
    open(message.proxy);
    return;
  }
  // A request that is still without an answer counts with its age.
  const sorted = [...took, ...(took.length === 0 ? [performance.now() - sentAt] : [])].sort((a, b) => a - b);
  process.send!({ p99: sorted[Math.floor((sorted.length - 1) * 0.99)], count: took.length, failures });
  took = [];
  failures = 0;
});
process.on('disconnect', () => process.exit(0));
