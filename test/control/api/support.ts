import http from 'node:http';
import { join } from 'node:path';
import { startInternalServer } from '../../../src/control/api/server.ts';
import type { ApiState } from '../../../src/control/api/state.ts';
import { decodeStatic } from '../../../src/core/config/load-static.ts';
import { tempDir } from '../../support/temp.ts';
import { build, STATIC } from '../build/harness.ts';

/** Parsed JSON, to be looked into with expect(). */
export type Json = Record<string, unknown> & { readonly [index: number]: Json };

export interface Response {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
  json(): Json;
}

export interface Server extends AsyncDisposable {
  readonly socketPath: string;
  readonly errors: string[];
  get(url: string): Promise<Response>;
  request(method: string, url: string, body?: string): Promise<Response>;
}

/** The state that these files come to. */
export function stateOf(dynamic: string, staticText = STATIC, change: Partial<ApiState> = {}): ApiState {
  const { config } = decodeStatic({ file: { name: 'traefik.yml', text: staticText }, flags: [], env: {} });
  if (config === null) throw new Error('the static file of the test is bad');
  const { snapshot, diagnostics } = build(dynamic, { static: staticText });
  return {
    snapshot,
    static: config,
    diagnostics,
    startedAt: new Date(Date.UTC(2026, 10, 23, 9)),
    draining: false,
    version: '0.1.0',
    terminatingStatusCode: 503,
    ...change,
  };
}

/** A server on a real unix socket, which speaks as a worker does. */
export async function serve(state: ApiState | (() => ApiState)): Promise<Server> {
  const dir = await tempDir();
  const socketPath = join(dir.path, 'internal.sock');
  const errors: string[] = [];
  const server = await startInternalServer({
    socketPath,
    state: typeof state === 'function' ? state : () => state,
    log: (_level, message) => errors.push(message),
  });
  const agent = new http.Agent({ keepAlive: true });
  const request: Server['request'] = (method, path, body) =>
    new Promise((resolve, reject) => {
      const sent = http.request({ socketPath, method, path, agent, headers: { Host: 'example.com' } }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          resolve({
            status: response.statusCode!,
            headers: response.headers,
            body: text,
            json: () => JSON.parse(text),
          });
        });
      });
      sent.on('error', reject);
      sent.end(body);
    });
  return {
    socketPath,
    errors,
    request,
    get: (url) => request('GET', url),
    [Symbol.asyncDispose]: async () => {
      agent.destroy();
      await server.close();
      await dir.remove();
    },
  };
}
