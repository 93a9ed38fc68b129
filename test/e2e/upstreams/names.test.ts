import { spawnSync } from 'node:child_process';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startEchoServer } from '../../support/http-upstreams.ts';
import { startProxy } from '../../support/proxy.ts';
import { tempDir } from '../../support/temp.ts';
import { waitFor } from '../../support/wait-for.ts';
import { ask, balanced, services } from './support.ts';

/** A mount namespace lets the proxy have an /etc/hosts of its own; that takes root. */
const possible = spawnSync('unshare', ['--mount', 'true']).status === 0;
if (!possible) console.log('names that change are left out: `unshare --mount` does not work here');

describe.runIf(possible)('an upstream by name', () => {
  it('is followed to another address within seconds, under kept connections, without a restart', async () => {
    await using dir = await tempDir();
    const hosts = join(dir.path, 'hosts');
    await writeFile(hosts, '127.0.0.1 localhost\n127.0.0.2 model.test\n');
    await using first = await startEchoServer('first', { host: '127.0.0.2' });
    await using second = await startEchoServer('second', { host: '127.0.0.3', port: first.port });
    await using proxy = await startProxy({
      workers: 2,
      dynamic: services(balanced([`http://model.test:${first.port}`])),
      wrapper: ['unshare', '--mount', 'sh', '-c', `mount --bind ${hosts} /etc/hosts && exec "$0" "$@"`],
    });
    expect((await ask(proxy.port())).header('x-server')).toBe('first');
    // Two addresses, and nobody at one of them: no request is lost.
    {
      // In place, for it is mounted; at once, so that nobody finds it empty.
      await using file = await open(hosts, 'r+');
      await file.write('127.0.0.1 localhost\n127.0.0.9 model.test\n127.0.0.3 model.test\n');
    }
    const statuses = new Set<number>();
    await waitFor(
      'the second server',
      async () => {
        const response = await ask(proxy.port());
        statuses.add(response.status);
        return response.header('x-server') === 'second';
      },
      { intervalMs: 100 },
    );
    expect([...statuses]).toEqual([200]);
    expect(second.requests).toBeGreaterThan(0);
    await waitFor('the first to be left', () => first.open === 0);
    for (let i = 0; i < 10; i++) expect((await ask(proxy.port())).header('x-server')).toBe('second');
  });
});
