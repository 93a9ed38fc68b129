import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { ProxyError } from '../../../src/core/errors.ts';
import { clock, RESOLUTION_MS } from '../../../src/data/clock.ts';
import type { UpstreamConnection } from '../../../src/data/upstream/connection.ts';
import { UpstreamPool } from '../../../src/data/upstream/pool.ts';
import { waitFor } from '../../support/wait-for.ts';

const servers: Server[] = [];
const sockets = new Set<Socket>();
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  for (const socket of sockets) socket.destroy();
});

async function poolWith(maxIdle: number): Promise<UpstreamPool> {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const connect = { host: '127.0.0.1', port };
  return new UpstreamPool({
    key: 'k',
    address: `127.0.0.1:${port}`,
    connect,
    tls: null,
    maxIdle,
    maxConnections: 10,
    idleTimeoutMs: 0,
  });
}

function connect(to: UpstreamPool): Promise<UpstreamConnection> {
  return new Promise((resolve, reject: (error: ProxyError) => void) => {
    to.connect({ state: null, onConnected: resolve, onConnectFailed: reject }, 3_000, false);
  });
}

describe('a pool that is full', () => {
  it('says so after the call, unless the waiter has given up by then', async () => {
    const pool = await poolWith(10);
    await Promise.all(Array.from({ length: 10 }, () => connect(pool)));
    const failed: string[] = [];
    const waiter = (name: string) => ({
      state: null,
      onConnected: () => undefined,
      onConnectFailed: (error: ProxyError) => void failed.push(`${name} ${error.code}`),
    });
    pool.connect(waiter('one'), 3_000, false);
    pool.connect(waiter('two'), 3_000, false)();
    expect(failed).toEqual([]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(failed).toEqual(['one PROXY_OVERLOADED']);
  });
});

describe('idle connections beyond the limit', () => {
  it('are there for who comes within a moment, then closed, the oldest first', async () => {
    const pool = await poolWith(2);
    const all = await Promise.all(Array.from({ length: 5 }, () => connect(pool)));
    for (const connection of all) pool.released(connection);
    pool.tick(clock.now + RESOLUTION_MS);
    expect(pool.size).toBe(5);
    const again = pool.takeIdle();
    expect(again).toBe(all[4]);
    pool.tick(clock.now + RESOLUTION_MS + 1);
    await waitFor('the surplus to be closed', () => pool.size === 3);
    expect(all.map((connection) => connection.usable)).toEqual([false, false, true, true, true]);
  });

  it('are not kept at all where none is to be', async () => {
    const pool = await poolWith(0);
    pool.released(await connect(pool));
    await waitFor('it to be closed', () => pool.size === 0);
    expect(pool.takeIdle()).toBeNull();
  });
});
