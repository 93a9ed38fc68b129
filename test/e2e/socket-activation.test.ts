import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { bindSocket, type ListeningSocket } from '../../src/control/listening-sockets.ts';
import { type Child, startChild, stopAll } from '../support/child.ts';
import { freePort } from '../support/ports.ts';
import { tempDir } from '../support/temp.ts';
import { waitFor } from '../support/wait-for.ts';

/*
 * As systemd does it: the sockets are bound by the parent, which keeps them and accepts nothing, and are handed down as
 * descriptors from 3 on. The shell's process id is the proxy's, through every exec.
 */

const COMMAND = fileURLToPath(new URL('../../bin/proxy', import.meta.url));

const held: ListeningSocket[] = [];
afterEach(async () => {
  await stopAll();
  for (const socket of held.splice(0)) socket.close();
});

/** @returns the descriptor of a socket that this process holds */
function hold(port: number): number {
  const socket = bindSocket('held', '127.0.0.1', port);
  held.push(socket);
  return (socket.handle as { readonly fd: number }).fd;
}

interface Activation {
  readonly config: string;
  readonly names: string;
  readonly descriptors: readonly number[];
}

async function activate(dir: string, { config, names, descriptors }: Activation): Promise<Child> {
  const file = join(dir, 'proxy.yml');
  await writeFile(file, config);
  const proxy = startChild(
    '/bin/sh',
    ['-c', 'LISTEN_PID=$$ exec "$0" run --config "$1" --workers 1', COMMAND, file],
    { TMPDIR: dir, LISTEN_FDS: String(descriptors.length), LISTEN_FDNAMES: names },
    descriptors,
  );
  await waitFor('readiness', () => / ready: /.test(proxy.output()), { describe: proxy.output });
  return proxy;
}

async function get(port: number): Promise<number> {
  return (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).status;
}

describe('a proxy that is given its sockets', () => {
  it('serves on them, binds the others itself, and says which one nobody wants', async () => {
    await using dir = await tempDir();
    const [given, own, stray] = [await freePort(), await freePort(), await freePort()];
    const proxy = await activate(dir.path, {
      config: `entryPoints:\n  web: { address: "127.0.0.1:${given}" }\n  other: { address: "127.0.0.1:${own}" }\n`,
      names: 'web:stray',
      descriptors: [hold(given), hold(stray)],
    });
    expect(await get(given)).toBe(404);
    expect(await get(own)).toBe(404);
    await waitFor('the word of it', () =>
      proxy.output().includes(`no entry point wants the passed socket stray on 127.0.0.1:${stray}`),
    );
  });

  it('refuses no connection while it is dead or stopped: they wait for the next one', async () => {
    await using dir = await tempDir();
    const port = await freePort();
    const activation: Activation = {
      config: `entryPoints:\n  web: { address: "127.0.0.1:${port}" }\n`,
      names: 'web',
      descriptors: [hold(port)],
    };
    const first = await activate(dir.path, activation);
    expect(await get(port)).toBe(404);
    first.kill('SIGKILL');
    await first.exit;
    const whileDead = [get(port), get(port)];

    const second = await activate(dir.path, activation);
    expect(await Promise.all(whileDead)).toEqual([404, 404]);
    expect(await second.stop()).toEqual({ code: 0, signal: null });
    const whileStopped = get(port);
    await activate(dir.path, activation);
    expect(await whileStopped).toBe(404);
  });

  it('says what is wrong with a descriptor that is no listening socket, and binds', async () => {
    await using dir = await tempDir();
    const port = await freePort();
    const proxy = await activate(dir.path, {
      config: `entryPoints:\n  web: { address: "127.0.0.1:${port}" }\n`,
      names: 'web',
      // Its standard output: a pipe.
      descriptors: [1],
    });
    expect(await get(port)).toBe(404);
    await waitFor('the word of it', () => proxy.output().includes('the passed socket web (descriptor 3) '));
  });
});
