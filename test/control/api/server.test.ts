import { statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startInternalServer } from '../../../src/control/api/server.ts';
import { tempDir } from '../../support/temp.ts';
import { serve, stateOf } from './support.ts';

const EMPTY = 'http: {}\n';

describe('the internal services', () => {
  it('are on a socket that only this user can open', async () => {
    await using server = await serve(stateOf(EMPTY));
    expect(statSync(server.socketPath).mode & 0o777).toBe(0o600);
    expect(statSync(server.socketPath).isSocket()).toBe(true);
  });

  it('answer ping on any path with any method, and the terminating status once draining', async () => {
    let draining = false;
    await using server = await serve(() => stateOf(EMPTY, undefined, { draining, terminatingStatusCode: 204 + 300 }));
    expect(await server.get('/ping@internal/ping')).toMatchObject({ status: 200, body: 'OK' });
    expect(await server.request('POST', '/ping@internal/x/y?z', 'body')).toMatchObject({ status: 200, body: 'OK' });
    expect(await server.request('HEAD', '/ping@internal/')).toMatchObject({ status: 200, body: '' });
    expect(await server.get('/api@internal/ping')).toMatchObject({ status: 200, body: 'OK' });
    draining = true;
    expect(await server.get('/ping@internal/ping')).toMatchObject({ status: 504 });
  });

  it.each([
    ['/noop@internal/x', 418, "I'm a teapot\n"],
    ['/acme-http@internal/.well-known/acme-challenge/x', 404, '404 page not found\n'],
  ])('%s answers %i', async (path, status, body) => {
    await using server = await serve(stateOf(EMPTY));
    expect(await server.get(path)).toMatchObject({ status, body });
  });

  it.each(['/', '/nobody@internal/', '/api@internal*', '/__proto__/x'])('there is none at %s', async (path) => {
    await using server = await serve(stateOf(EMPTY));
    const response = await server.get(path);
    expect(response.status).toBe(404);
    expect(response.json()).toEqual({ message: 'no such internal service' });
  });

  it('answers the next request of a connection though the body of this one interested nobody', async () => {
    await using server = await serve(stateOf(EMPTY));
    expect(await server.request('POST', '/ping@internal/', 'x'.repeat(300_000))).toMatchObject({ status: 200 });
    expect(await server.request('POST', '/api@internal/api/version', 'x'.repeat(300_000))).toMatchObject({
      status: 405,
    });
    expect(await server.get('/ping@internal/')).toMatchObject({ status: 200 });
  });

  it('answers 500 and logs what went wrong, without telling the client', async () => {
    await using server = await serve(() => {
      throw new Error('secret');
    });
    const response = await server.get('/api@internal/api/version');
    expect(response.status).toBe(500);
    expect(response.body).not.toContain('secret');
    expect(server.errors).toEqual(['api@internal failed']);
  });

  it('says so where the socket cannot be made', async () => {
    await using dir = await tempDir();
    const start = (socketPath: string) =>
      startInternalServer({ socketPath, state: () => stateOf(EMPTY), log: () => {} });
    const long = join(dir.path, 'x'.repeat(120));
    await expect(start(long)).rejects.toThrow("a socket's path has 107 bytes at most");
    await expect(start(join(dir.path, 'none', 'a.sock'))).rejects.toThrow(join(dir.path, 'none', 'a.sock'));
    const taken = join(dir.path, 'taken.sock');
    const other = createServer().listen(taken);
    await expect(start(taken)).rejects.toThrow('EADDRINUSE');
    other.close();
  });
});
