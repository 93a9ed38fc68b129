import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { connect, type TLSSocket, type ConnectionOptions as TlsConnectOptions } from 'node:tls';
import { afterEach } from 'vitest';
import type { TlsSnapshot } from '../../../src/core/snapshot.ts';
import type { TlsBinding } from '../../../src/core/tls/host-options.ts';
import { type CompileTlsSettings, compileTls, type TlsRuntime } from '../../../src/data/tls/certificate-store.ts';
import type { TlsFailure } from '../../../src/data/tls/failure.ts';
import { TlsTerminator, type TlsTerminatorOptions } from '../../../src/data/tls/terminator.ts';
import type { TlsInfo } from '../../../src/data/tls/tls-info.ts';

/** A listener whose connections go through a terminator. It answers each request with what it knows of the connection. */
export class TestServer {
  readonly infos: TlsInfo[] = [];
  readonly failures: TlsFailure[] = [];
  readonly terminator: TlsTerminator;
  runtime: TlsRuntime;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(
    snapshot: TlsSnapshot,
    bindings: readonly TlsBinding[] = [],
    settings: CompileTlsSettings & Partial<TlsTerminatorOptions> = {},
  ) {
    this.runtime = compileTls(snapshot, { websecure: bindings }, undefined, settings);
    this.terminator = new TlsTerminator({ entryPoint: () => this.runtime.entryPoint('websecure'), ...settings });
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      this.terminator.accept(socket, (error, tls, info) => {
        if (error !== null) this.failures.push(error);
        if (tls !== null && info !== null) this.#serve(tls, info);
      });
    });
  }

  async listen(host = '127.0.0.1'): Promise<number> {
    this.#server.listen(0, host);
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(tls: TLSSocket, info: TlsInfo): void {
    this.infos.push(info);
    tls.on('data', () => {
      const { sni, optionsName, version, cipher, alpn, resumed, clientVerified } = info;
      const client = info.clientCertificate?.subject ?? null;
      tls.end(`${JSON.stringify({ sni, optionsName, version, cipher, alpn, resumed, clientVerified, client })}\n`);
    });
  }
}

export interface OpensslResult {
  readonly code: number | null;
  /** Both streams. */
  readonly output: string;
  /** What the server answered, as `TestServer` writes it; null where the handshake failed. */
  readonly answer: Readonly<Record<string, unknown>> | null;
}

/** `openssl s_client` against a port, sending one line once connected. */
export async function openssl(port: number, args: readonly string[], line = 'GET /\n'): Promise<OpensslResult> {
  // Reading commands (R) from its input rules out -ign_eof.
  const stay = line === 'R\n' ? [] : ['-ign_eof'];
  const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...stay, ...args], {
    env: { ...process.env, OPENSSL_CONF: '/dev/null' },
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString('latin1')));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString('latin1')));
  // The client may be gone before it reads.
  child.stdin.on('error', () => {});
  child.stdin.write(line);
  const [code] = (await once(child, 'close')) as [number | null];
  const found = output.split('\n').find((l) => l.includes('{"sni"'));
  const answer = found === undefined ? null : JSON.parse(found.slice(found.indexOf('{"sni"')));
  return { code, output, answer };
}

/** Resolves when `condition` holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

type Serve = (
  snapshot: TlsSnapshot,
  bindings?: readonly TlsBinding[],
  settings?: CompileTlsSettings & Partial<TlsTerminatorOptions>,
) => Promise<{ server: TestServer; port: number }>;

/** Starts servers that are closed after each test. */
export function serverFixture(): Serve {
  let running: TestServer[] = [];
  afterEach(async () => {
    await Promise.all(running.map((server) => server.close()));
    running = [];
  });
  return async (snapshot, bindings, settings) => {
    const server = new TestServer(snapshot, bindings, settings);
    running.push(server);
    return { server, port: await server.listen() };
  };
}

export interface Asked {
  readonly error: NodeJS.ErrnoException | null;
  /** What `TestServer` knows of the connection; null where the handshake failed. */
  readonly answer: Record<string, unknown> | null;
}

/** A handshake by Node's client and one question. */
export async function ask(port: number, options: TlsConnectOptions): Promise<Asked> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
  let error: NodeJS.ErrnoException | null = null;
  let text = '';
  socket.on('error', (e) => (error = e));
  socket.on('data', (chunk) => (text += chunk.toString()));
  socket.once('secureConnect', () => socket.write('GET /\n'));
  await new Promise((resolve) => socket.once('close', resolve));
  return { error, answer: text === '' ? null : JSON.parse(text) };
}
