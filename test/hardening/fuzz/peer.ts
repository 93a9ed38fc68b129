import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { tempDir } from '../../support/temp.ts';

/** One request as a server's own parser read it, complete. */
export interface ReadRequest {
  readonly method: string;
  readonly target: string;
  readonly body: string;
}

/** An upstream that remembers what its parser read. */
export interface Peer extends AsyncDisposable {
  readonly name: string;
  readonly url: string;
  /** Whether its parser knows the method at all; a proxy passes on any. */
  knows(method: string): boolean;
  /** What it read since the last call. */
  take(): ReadRequest[];
}

/** What a client's parser made of a response. `error` is empty where it took it for complete. */
export interface ReadResponse {
  readonly status: number;
  readonly body: string;
  readonly error: string;
}

export interface ReadingClient extends AsyncDisposable {
  readonly name: string;
  get(url: string): Promise<ReadResponse>;
}

/** The other side of the comparison: a server and a client on parsers that are not ours. */
export interface Peers extends AsyncDisposable {
  readonly servers: readonly Peer[];
  readonly clients: readonly ReadingClient[];
  /** What could not be had. */
  readonly missing: string | null;
}

/** llhttp as Node has it, and Go's parser; Python's where there is no Go. */
export async function startPeers(): Promise<Peers> {
  const stack = new AsyncDisposableStack();
  const program = await otherProgram(stack);
  const servers = [stack.use(await nodeServer())];
  const clients = [nodeClient()];
  if (program !== null) {
    servers.push(stack.use(await programServer(program)));
    clients.push(stack.use(programClient(program)));
  }
  return {
    servers,
    clients,
    missing: program === null ? 'neither Go nor Python is installed: compared with llhttp alone' : null,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function nodeServer(): Promise<Peer> {
  let read: ReadRequest[] = [];
  const server = http.createServer({ keepAliveTimeout: 60_000, insecureHTTPParser: false }, (request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('error', () => {});
    request.on('end', () => {
      read.push({ method: request.method!, target: request.url!, body: Buffer.concat(pieces).toString('latin1') });
      response.setHeader('Content-Length', 0);
      response.end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    name: 'llhttp',
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    knows: (method) => http.METHODS.includes(method),
    take: () => {
      const taken = read;
      read = [];
      return taken;
    },
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function nodeClient(): ReadingClient {
  return {
    name: 'llhttp',
    get: (url) =>
      new Promise((resolve) => {
        const request = http.get(url, { agent: false, insecureHTTPParser: false, timeout: 60_000 }, (response) => {
          const pieces: Buffer[] = [];
          const done = (error: string): void =>
            resolve({ status: response.statusCode!, body: Buffer.concat(pieces).toString('latin1'), error });
          response.on('data', (piece: Buffer) => pieces.push(piece));
          response.on('end', () => done(response.complete ? '' : 'incomplete'));
          response.on('error', (error) => done(error.message));
        });
        request.on('timeout', () => request.destroy(new Error('timeout')));
        request.on('error', (error) => resolve({ status: 0, body: '', error: error.message }));
      }),
    [Symbol.asyncDispose]: async () => {},
  };
}

interface Program {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

async function otherProgram(stack: AsyncDisposableStack): Promise<Program | null> {
  const run = promisify(execFile);
  const temp = await tempDir();
  stack.defer(() => temp.remove());
  try {
    const binary = join(temp.path, 'fuzzpeer');
    await run('go', ['build', '-o', binary, '.'], { cwd: here('go') });
    return { name: 'Go', command: binary, args: [] };
  } catch (error) {
    // A build that fails for another reason than that there is no Go is no reason to compare with less.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  try {
    await run('python3', ['--version']);
    return { name: 'Python', command: 'python3', args: [here('peer.py')] };
  } catch {
    return null;
  }
}

function start({ command, args }: Program, mode: 'serve' | 'fetch'): ChildProcessWithoutNullStreams {
  const child = spawn(command, [...args, mode], { stdio: ['pipe', 'pipe', 'pipe'] });
  // What it complains of is malformed input, which is the point.
  child.stderr.resume();
  return child;
}

function stop(child: ChildProcessWithoutNullStreams): Promise<unknown> {
  const gone = once(child, 'close');
  child.stdin.end();
  return gone;
}

const fromHex = (text: string): string => Buffer.from(text, 'hex').toString('latin1');

async function programServer(program: Program): Promise<Peer> {
  const child = start(program, 'serve');
  let read: ReadRequest[] = [];
  const listening = Promise.withResolvers<number>();
  child.on('error', listening.reject);
  createInterface(child.stdout).on('line', (line) => {
    const said = JSON.parse(line) as ReadRequest & { port?: number };
    if (said.port !== undefined) listening.resolve(said.port);
    else read.push({ ...said, body: fromHex(said.body) });
  });
  const port = await listening.promise;
  return {
    name: program.name,
    url: `http://127.0.0.1:${port}`,
    knows: () => true,
    take: () => {
      const taken = read;
      read = [];
      return taken;
    },
    [Symbol.asyncDispose]: async () => void (await stop(child)),
  };
}

function programClient(program: Program): ReadingClient {
  const child = start(program, 'fetch');
  const waiting = new Map<string, (response: ReadResponse) => void>();
  createInterface(child.stdout).on('line', (line) => {
    const { id, ...response } = JSON.parse(line) as ReadResponse & { id: string };
    waiting.get(id)?.({ ...response, body: fromHex(response.body) });
    waiting.delete(id);
  });
  return {
    name: program.name,
    get: (url) =>
      new Promise((resolve) => {
        waiting.set(url, resolve);
        child.stdin.write(`${url}\n`);
      }),
    [Symbol.asyncDispose]: async () => void (await stop(child)),
  };
}
