import { execFile } from 'node:child_process';
import { request as plainRequest } from 'node:http';
import { type RequestOptions, request } from 'node:https';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Child, startChild, stopAll } from '../support/child.ts';
import { freePort } from '../support/ports.ts';
import { waitFor } from '../support/wait-for.ts';

const SCRIPT = fileURLToPath(new URL('../../scripts/start.ts', import.meta.url));
const DOMAIN = 'internal.thinkheads.ai';
const run = promisify(execFile);

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** The body as it came, piece by piece. */
  readonly pieces: readonly string[];
}

describe('npm start', () => {
  let child: Child;
  let web = 0;
  let websecure = 0;

  const start = (): Child =>
    startChild(process.execPath, [
      SCRIPT,
      `--entryPoints.web.address=127.0.0.1:${web}`,
      `--entryPoints.websecure.address=127.0.0.1:${websecure}`,
      '--workers=2',
    ]);

  beforeAll(async () => {
    web = await freePort();
    websecure = await freePort();
    child = start();
    await waitFor('the curl lines', () => child.exited() !== undefined || /Ctrl-C/.test(child.output()), {
      timeoutMs: 90_000,
      describe: child.output,
    });
  }, 100_000);
  afterAll(stopAll);

  /** One request over TLS for a name of the table. */
  const ask = (name: string, path: string, body?: object): Promise<Answer> => {
    const host = `${name}.${DOMAIN}`;
    return send(request, {
      port: websecure,
      path,
      body,
      options: { servername: host, rejectUnauthorized: false, headers: { Host: `${host}:${websecure}` } },
    });
  };

  it('serves every row of the table over TLS from the backend of its name', async () => {
    for (const [name, path] of [
      ['granite-embedding', '/v1/models'],
      ['granite-3b', '/v1/models'],
      ['ollama', '/api/tags'],
      ['llamacpp', '/health'],
    ] as const) {
      const { status, headers, body } = await ask(name, path);
      expect({ name, status, from: headers['x-stand-in'] }).toEqual({ name, status: 200, from: name });
      expect(() => JSON.parse(body)).not.toThrow();
    }
  });

  it('answers its own API at the traefik name, with every router of the table enabled', async () => {
    const { status, body } = await ask('traefik', '/api/http/routers');
    expect(status).toBe(200);
    const routers = JSON.parse(body) as { name: string; status: string }[];
    const ours = routers.filter(({ name }) => name.endsWith('@file'));
    expect(ours.map(({ name, status: of }) => [name, of]).sort()).toEqual(
      ['granite-3b', 'granite-embedding', 'llamacpp', 'ollama', 'traefik'].map((name) => [
        `${name}-router@file`,
        'enabled',
      ]),
    );
  });

  it('answers 404 for a name that is not in the table', async () => {
    expect(await ask('nobody', '/')).toMatchObject({ status: 404, body: '404 page not found\n' });
  });

  it('redirects plain HTTP to the port of HTTPS, and answers ping before that', async () => {
    const plain = (path: string): Promise<Answer> =>
      send(plainRequest, { port: web, path, options: { headers: { Host: `ollama.${DOMAIN}:${web}` } } });
    const { status, headers } = await plain('/api/tags?x=1');
    expect([status, headers.location]).toEqual([301, `https://ollama.${DOMAIN}:${websecure}/api/tags?x=1`]);
    expect(await plain('/ping')).toMatchObject({ status: 200, body: 'OK' });
  });

  it.each([
    ['granite-3b', '/v1/chat/completions', { stream: true, messages: [] }],
    ['ollama', '/api/generate', { prompt: 'hello' }],
    ['llamacpp', '/completion', { prompt: 'hello', stream: true }],
  ])('streams the answer of %s as it is made', async (name, path, body) => {
    const { status, pieces } = await ask(name, path, body);
    expect(status).toBe(200);
    expect(pieces.length).toBeGreaterThan(3);
  });

  it('prints commands that work as pasted', async () => {
    const commands = child
      .output()
      .split('\n')
      .filter((line) => line.startsWith('curl '));
    expect(commands.some((line) => /^curl -N/.test(line))).toBe(true);
    expect(commands.length).toBeGreaterThanOrEqual(6);
    for (const command of commands) {
      const { stdout } = await run('bash', ['-c', command]);
      if (/^curl -si /.test(command)) expect(stdout).toMatch(/^HTTP\/1\.1 301 /);
      else if (/^curl -N/.test(command)) expect(stdout).toContain('stand-in');
      else expect(() => JSON.parse(stdout), command).not.toThrow();
    }
  });

  it('says which port is in use, and how to take another, instead of starting', async () => {
    const second = start();
    expect((await second.exit).code).toBe(1);
    expect(second.output()).toMatch(new RegExp(`port ${web} \\(entry point web\\) is in use`));
    expect(second.output()).toContain('npm start -- --entryPoints.web.address=');
  });

  it('stops everything at a signal with exit code 0, told once or twice as through npm', async () => {
    child.kill('SIGINT');
    child.kill('SIGINT');
    expect(await child.exit).toEqual({ code: 0, signal: null });
    expect(child.output()).toContain('stopped');
  });
});

interface Sent {
  readonly port: number;
  readonly path: string;
  readonly body?: object | undefined;
  readonly options: RequestOptions;
}

function send(via: typeof request | typeof plainRequest, { port, path, body, options }: Sent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = via(
      { host: '127.0.0.1', port, path, method: body === undefined ? 'GET' : 'POST', agent: false, ...options },
      (response) => {
        const pieces: string[] = [];
        response.setEncoding('utf8');
        response.on('data', (piece: string) => pieces.push(piece));
        response.on('error', reject);
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: pieces.join(''), pieces });
        });
      },
    );
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
