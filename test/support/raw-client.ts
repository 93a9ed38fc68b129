import { connect, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { canStillRead, keepAfterWriteError } from '../../src/data/upstream/keep-reading.ts';
import { type Split, splitResponses } from './response-splitter.ts';
import { waitFor } from './wait-for.ts';

export interface RawConnectOptions {
  readonly host?: string;
  readonly port: number;
  /** Set: TLS, with these options. Certificates are not verified unless `rejectUnauthorized` says so. */
  readonly tls?: ConnectionOptions;
  /** Local address to connect from, e.g. 127.0.0.7. */
  readonly localAddress?: string;
}

/** A connection that sends exactly the bytes it is given, and keeps exactly the bytes it gets. Strings are latin1. */
export class RawClient implements AsyncDisposable {
  readonly socket: Socket;
  #chunks: Buffer[] = [];
  #length = 0;
  #closed: 'no' | 'end' | 'reset' = 'no';
  #error: Error | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#length += chunk.length;
    });
    socket.on('end', () => {
      if (this.#closed === 'no') this.#closed = 'end';
    });
    // Where the peer has closed while we were writing, what it said before is still to be read.
    keepAfterWriteError(socket);
    socket.on('error', (error) => {
      this.#error = error;
      if (canStillRead(socket, error)) return;
      if (this.#closed === 'no') this.#closed = 'reset';
    });
    socket.on('close', () => {
      if (this.#closed === 'no') this.#closed = 'reset';
    });
  }

  /** Connects; rejects with the socket's error. */
  static connect(options: RawConnectOptions): Promise<RawClient> {
    const { host = '127.0.0.1', port, tls, localAddress } = options;
    return new Promise((resolve, reject) => {
      // allowHalfOpen: the peer's FIN must be seen, not answered by ours.
      const from = localAddress === undefined ? {} : { localAddress };
      const socket =
        tls === undefined
          ? connect({ host, port, allowHalfOpen: true, ...from })
          : connectTls({ host, port, rejectUnauthorized: false, ...from, ...tls });
      socket.once('error', reject);
      socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
        socket.off('error', reject);
        resolve(new RawClient(socket));
      });
    });
  }

  /** Everything received so far. */
  get received(): Buffer {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  get receivedLength(): number {
    return this.#length;
  }

  /** `end`: closed in order (FIN); `reset`: closed by RST or error. */
  get closed(): 'no' | 'end' | 'reset' {
    return this.#closed;
  }

  get error(): Error | undefined {
    return this.#error;
  }

  /** Forgets what came so far. */
  clear(): void {
    this.#chunks = [];
    this.#length = 0;
  }

  /** Sends; resolves when the kernel has it. A peer that has closed is no error here: look at `closed`. */
  write(bytes: string | Buffer): Promise<void> {
    return new Promise((resolve) => {
      if (this.socket.destroyed || !this.socket.writable) return resolve();
      this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes, () => resolve());
    });
  }

  /** Sends in pieces, each in a write of its own; stops when the peer closes, or (unless told not to) answers. */
  async writeInPieces(
    bytes: string | Buffer,
    options: { size?: number; evenIfAnswered?: boolean } = {},
  ): Promise<void> {
    const { size = 1, evenIfAnswered = false } = options;
    const all = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
    const before = this.#length;
    for (let offset = 0; offset < all.length && this.#closed === 'no'; offset += size) {
      if (this.#length !== before && !evenIfAnswered) return;
      await this.write(all.subarray(offset, offset + size));
      await nextTurn();
    }
  }

  /** Half-closes: FIN, and goes on reading. */
  end(): void {
    this.socket.end();
  }

  /** Goes away at once with RST. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** What came, as responses. */
  split(methods?: readonly string[]): Split {
    return splitResponses(this.received, {
      closed: this.#closed === 'end',
      ...(methods === undefined ? {} : { methods }),
    });
  }

  /** Waits until a condition on this connection holds. */
  waitUntil(what: string, condition: (client: this) => boolean, timeoutMs = 30_000): Promise<boolean> {
    return waitFor(what, () => condition(this), {
      timeoutMs,
      intervalMs: 2,
      describe: () =>
        `closed: ${this.#closed}, received ${JSON.stringify(this.received.toString('latin1').slice(0, 2000))}`,
    });
  }

  /** Waits for that many complete final responses. */
  async waitForResponses(count: number, methods?: readonly string[], timeoutMs?: number): Promise<Split> {
    const finals = (split: Split): number =>
      split.responses.filter((r) => r.complete && (r.status >= 200 || r.status === 101)).length;
    await this.waitUntil(`${count} response(s)`, () => finals(this.split(methods)) >= count, timeoutMs);
    return this.split(methods);
  }

  /** Whether the peer closes within the time (milliseconds). */
  async closes(timeoutMs = 30_000): Promise<boolean> {
    const deadline = performance.now() + timeoutMs;
    while (this.#closed === 'no' && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      // Where this process stood still past the deadline, what came meanwhile is read first.
      await nextTurn();
    }
    return this.#closed !== 'no';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
  }
}

export interface RawExchange extends Split {
  readonly bytes: Buffer;
  readonly closed: 'no' | 'end' | 'reset';
}

export interface SendOptions extends RawConnectOptions {
  /** Sent one after another, each in a write of its own. */
  readonly chunks: readonly (string | Buffer)[];
  readonly methods?: readonly string[];
  /** Half-close behind the last byte. */
  readonly end?: boolean;
  /** Complete when that many responses are there (default: one per method, else 1), or when the peer closes. */
  readonly responses?: number;
  readonly timeoutMs?: number;
}

/** Connects, sends, collects until the responses are complete or the connection is closed, and goes away. */
export async function sendRaw(options: SendOptions): Promise<RawExchange> {
  await using client = await RawClient.connect(options);
  for (const chunk of options.chunks) await client.write(chunk);
  if (options.end === true) client.end();
  const wanted = options.responses ?? options.methods?.length ?? 1;
  await client.waitUntil(
    `${wanted} response(s) or the end`,
    () =>
      client.closed !== 'no' ||
      client.split(options.methods).responses.filter((r) => r.complete && r.status >= 200).length >= wanted,
    options.timeoutMs,
  );
  return { bytes: client.received, closed: client.closed, ...client.split(options.methods) };
}
