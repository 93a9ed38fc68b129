import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { ProxyError } from '../../../src/core/errors.ts';
import { clock } from '../../../src/data/clock.ts';
import { Addresses, type Resolve } from '../../../src/data/upstream/addresses.ts';
import type { UpstreamConnection } from '../../../src/data/upstream/connection.ts';
import { UpstreamPool } from '../../../src/data/upstream/pool.ts';
import { waitFor } from '../../support/wait-for.ts';

const servers: Server[] = [];
const sockets = new Set<Socket>();
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  for (const socket of sockets) socket.destroy();
});

/** Listens on one of the loopback's addresses; returns who connected. */
async function listen(host: string, port = 0): Promise<{ port: number; count: () => number }> {
  let connected = 0;
  const server = createServer((socket) => {
    connected++;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  servers.push(server);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, resolve);
  });
  return { port: (server.address() as { port: number }).port, count: () => connected };
}

function pool(port: number, resolve: Resolve): UpstreamPool {
  const target = {
    key: 'k',
    address: `name.test:${port}`,
    connect: { host: 'name.test', port },
    tls: null,
    maxIdle: 10,
    maxConnections: 10,
    idleTimeoutMs: 0,
  };
  return new UpstreamPool(target, resolve);
}

function connect(to: UpstreamPool): Promise<UpstreamConnection> {
  return new Promise((resolve, reject: (error: ProxyError) => void) => {
    to.connect({ state: null, onConnected: resolve, onConnectFailed: reject }, 3_000, false);
  });
}

describe('the addresses of a name', () => {
  it('are all tried, each connection beginning with another', async () => {
    const { port, count } = await listen('127.0.0.3');
    const own = pool(port, (_, done) => done(null, ['127.0.0.2', '127.0.0.3', '127.0.0.4']));
    for (let i = 0; i < 6; i++) (await connect(own)).destroy();
    expect(count()).toBe(6);
  });

  it('are asked for once for many connections, and again when none of them answers', async () => {
    const { port } = await listen('127.0.0.3');
    let asked = 0;
    let known = ['127.0.0.2'];
    const own = pool(port, (_, done) => {
      asked++;
      setTimeout(() => done(null, known), 5);
    });
    const first = await Promise.allSettled([connect(own), connect(own), connect(own)]);
    expect(first.map((one) => one.status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(asked).toBe(1);
    known = ['127.0.0.3'];
    (await connect(own)).destroy();
    expect(asked).toBe(2);
  });

  it('change under connections: idle ones to an address that is gone are closed, busy ones when they are done', async () => {
    const first = await listen('127.0.0.2');
    const second = await listen('127.0.0.3', first.port);
    let known = ['127.0.0.2'];
    const own = pool(first.port, (_, done) => done(null, known));
    const idle = await connect(own);
    own.released(idle);
    const busy = await connect(own);
    expect(own.size).toBe(2);
    known = ['127.0.0.3'];
    clock.now += 6_000;
    try {
      own.tick(clock.now);
      await waitFor('the idle connection to be closed', () => own.size === 1);
      own.released(busy);
      await waitFor('the other to be closed', () => own.size === 0);
      expect(own.takeIdle()).toBeNull();
      (await connect(own)).destroy();
    } finally {
      clock.now -= 6_000;
    }
    expect([first.count(), second.count()]).toEqual([2, 1]);
  });

  it('are kept while the name server does not answer, and asked for at most every five seconds', () => {
    let asked = 0;
    let fail = false;
    const addresses = new Addresses('name.test', (_, done) => {
      asked++;
      if (fail) done(new Error('no answer'), []);
      else done(null, ['127.0.0.2']);
    });
    const lookup = (): string => {
      let found = '';
      addresses.lookup('name.test', {}, (_, address) => {
        found = String(address);
      });
      return found;
    };
    expect(lookup()).toBe('127.0.0.2');
    fail = true;
    for (let i = 0; i < 10; i++) addresses.refresh();
    expect(asked).toBe(1);
    clock.now += 5_000;
    try {
      for (let i = 0; i < 10; i++) expect(lookup()).toBe('127.0.0.2');
      expect(asked).toBe(2);
    } finally {
      clock.now -= 5_000;
    }
  });
});
