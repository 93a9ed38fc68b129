import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type SeenRequest, takeRequest } from './request-framing.ts';

/** What an upstream does, in order: send bytes (strings are latin1), wait, close with FIN, or with RST. */
export type Step = string | Buffer | { readonly delayMs: number } | 'END' | 'RESET';

/** One connection that a proxy made, with every byte of it. */
export class UpstreamConnection {
  /** Counts from 1 in the order of acceptance. */
  readonly id: number;
  readonly socket: Socket;
  /** Complete requests, as a lenient parser reads them. */
  readonly requests: SeenRequest[] = [];
  #chunks: Buffer[] = [];
  #taken = 0;
  #closed: 'no' | 'end' | 'reset' = 'no';

  constructor(id: number, socket: Socket) {
    this.id = id;
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('end', () => this.#end('end'));
    socket.on('error', () => this.#end('reset'));
    socket.on('close', () => this.#end('reset'));
  }

  #end(how: 'end' | 'reset'): void {
    if (this.#closed === 'no') this.#closed = how;
  }

  /** Every byte of this connection so far. */
  get received(): Buffer {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  /** Bytes behind the last complete request. */
  get pending(): Buffer {
    return this.received.subarray(this.#taken);
  }

  /** How the proxy has closed it. */
  get closed(): 'no' | 'end' | 'reset' {
    return this.#closed;
  }

  /** Records, and returns the requests that became complete. */
  record(chunk: Buffer): SeenRequest[] {
    this.#chunks.push(chunk);
    const complete: SeenRequest[] = [];
    for (let taken = takeRequest(this.pending); taken !== undefined; taken = takeRequest(this.pending)) {
      this.#taken += taken.length;
      complete.push(taken.request);
    }
    this.requests.push(...complete);
    return complete;
  }

  /** Runs the steps; stops where the proxy has closed. */
  async play(steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      if (this.socket.destroyed) return;
      if (step === 'END') this.socket.end();
      else if (step === 'RESET') this.socket.resetAndDestroy();
      else if (typeof step === 'string' || Buffer.isBuffer(step)) await this.#send(step);
      else await sleep(step.delayMs);
    }
  }

  #send(bytes: string | Buffer): Promise<void> {
    return new Promise((resolve) => {
      // The callback comes with an error when the socket is destroyed first, so a proxy that closes ends the wait.
      this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes, () => resolve());
    });
  }
}

export interface UpstreamScript {
  /** On a new connection, before any byte. */
  readonly onConnect?: (connection: UpstreamConnection) => readonly Step[] | undefined;
  /** On each piece of bytes. Where it is given, complete requests are recorded but not answered by `onRequest`. */
  readonly onBytes?: (connection: UpstreamConnection, chunk: Buffer) => readonly Step[] | undefined;
  /** On each complete request. Default: {@link describeRequest}. */
  readonly onRequest?: (request: SeenRequest, connection: UpstreamConnection) => readonly Step[] | undefined;
}

/** A raw TCP server that records the exact bytes of every connection. */
export interface RecordingUpstream extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** `http://127.0.0.1:port`, for a server list. */
  readonly url: string;
  /** All connections since the start, closed ones too. */
  readonly connections: readonly UpstreamConnection[];
  /** All complete requests, connection by connection. */
  requests(): SeenRequest[];
  /** Forgets closed connections, and takes another script for what comes next. */
  use(script: UpstreamScript): void;
  close(): Promise<void>;
}

/** Starts it on a free loopback port. */
export async function startRecordingUpstream(
  script: UpstreamScript = {},
  host = '127.0.0.1',
): Promise<RecordingUpstream> {
  let current = script;
  let count = 0;
  let connections: UpstreamConnection[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const connection = new UpstreamConnection(++count, socket);
    connections.push(connection);
    // Answers of one connection go out in the order of its requests.
    let turn = Promise.resolve();
    const play = (steps: readonly Step[] | undefined): void => {
      if (steps !== undefined) turn = turn.then(() => connection.play(steps));
    };
    socket.on('data', (chunk: Buffer) => {
      const complete = connection.record(chunk);
      if (current.onBytes !== undefined) return play(current.onBytes(connection, chunk));
      for (const request of complete) play((current.onRequest ?? describeRequest)(request, connection));
    });
    socket.on('end', () => play(['END']));
    play(current.onConnect?.(connection));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port: 0 }, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      for (const connection of connections) connection.socket.destroy();
    });
  return {
    host,
    port,
    url: `http://${host}:${port}`,
    get connections() {
      return connections;
    },
    requests: () => connections.flatMap((connection) => connection.requests),
    use: (next) => {
      current = next;
      connections = connections.filter((connection) => connection.closed === 'no');
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** What {@link describeRequest} answers with, as JSON. */
export interface RequestDescription {
  readonly connection: number;
  readonly method: string;
  readonly target: string;
  readonly version: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

/** Answers 200 with a JSON description of what was seen (bytes as latin1). */
export function describeRequest(request: SeenRequest, connection: UpstreamConnection): readonly Step[] {
  const { method, target, version, headers } = request;
  const description: RequestDescription = {
    connection: connection.id,
    method,
    target,
    version,
    headers,
    body: request.body.toString('latin1'),
  };
  const json = JSON.stringify(description);
  const head = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(json)}\r\n\r\n`;
  return [Buffer.from(method === 'HEAD' ? head : head + json)];
}
