/**
 * A client and its upstream in a process of their own, so that what a test does in its process does not count. It sends a
 * request on a kept connection again and again, and says how long the answers took since it was last asked. Another client asks
 * the upstream itself: what that one waits is the machine's doing.
 *
 * Says `{ port }` of the upstream first; is told `{ proxy: port }`, then asked by `{ take: true }`.
 */
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';

const REQUEST = 'GET /probe HTTP/1.1\r\nHost: a.test\r\n\r\n';
const PAUSE_MS = 4;

/** A client that asks again and again. */
class Client {
  #took: number[] = [];
  #failures = 0;
  #sentAt = performance.now();

  open(port: number): void {
    const socket = connect({ host: '127.0.0.1', port, localAddress: '127.0.0.99', noDelay: true });
    let received = '';
    const send = (): void => {
      this.#sentAt = performance.now();
      socket.write(REQUEST);
    };
    socket.on('connect', send);
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      if (!received.endsWith('\r\n\r\nok')) return;
      if (!received.startsWith('HTTP/1.1 200')) this.#failures++;
      received = '';
      this.#took.push(performance.now() - this.#sentAt);
      setTimeout(send, PAUSE_MS);
    });
    socket.on('error', () => this.#failures++);
    socket.on('close', () => setTimeout(() => this.open(port), 50));
  }

  take(): { p99: number; count: number; failures: number } {
    const took = this.#took;
    const failures = this.#failures;
    this.#took = [];
    this.#failures = 0;
    // A request that is still without an answer counts with its age.
    const sorted = [...took, ...(took.length === 0 ? [performance.now() - this.#sentAt] : [])].sort((a, b) => a - b);
    return { p99: sorted[Math.floor((sorted.length - 1) * 0.99)]!, count: took.length, failures };
  }
}

const proxied = new Client();
const direct = new Client();

const upstream = createServer({ keepAliveTimeout: 600_000 }, (_request, response) => response.end('ok'));
upstream.listen(0, '127.0.0.1', () => {
  const { port } = upstream.address() as AddressInfo;
  direct.open(port);
  process.send!({ port });
});

process.on('message', (message: { readonly proxy?: number }) => {
  if (message.proxy === undefined) process.send!({ ...proxied.take(), directP99: direct.take().p99 });
  else proxied.open(message.proxy);
});
process.on('disconnect', () => process.exit(0));
