import { spawnSync } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { certificateList, startAcmeProxy, storageIn, waitForCertificates } from '../support/acme-proxy.ts';
import { PEBBLE_TOOLS, startPebble } from '../support/pebble.ts';
import { tempDir } from '../support/temp.ts';
import { toolsMissing } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';

/** A filesystem of 64 KiB. Null where this user may not mount one. */
async function tinyDisk(path: string): Promise<AsyncDisposable | null> {
  await mkdir(path);
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', path]);
  if (status !== 0) return null;
  return { [Symbol.asyncDispose]: async () => void spawnSync('umount', ['--lazy', path]) };
}

describe.skipIf(toolsMissing('a full disk under the ACME storage', ...PEBBLE_TOOLS))('a full disk', () => {
  it('keeps no new certificate from being served; it is said, and stored when there is room', async (test) => {
    await using temp = await tempDir();
    await using disk = await tinyDisk(join(temp.path, 'disk'));
    if (disk === null) {
      console.warn('left out: a full disk, because this user may not mount a filesystem');
      test.skip();
      return;
    }
    const storage = storageIn(join(temp.path, 'disk'));
    const ballast = join(temp.path, 'disk/ballast');
    await writeFile(ballast, Buffer.alloc(64 * 1024)).catch(() => undefined); // Until it is full.
    await using pebble = await startPebble();
    await using proxy = await startAcmeProxy(pebble, { hosts: ['a.test'], storage });
    await waitForCertificates(proxy, ['a.test']);
    await proxy.waitForOutput(
      /acme\.json cannot be written: the disk is full; new certificates are served from memory alone/,
    );
    const { certificates, resolvers } = await certificateList(proxy);
    expect(certificates.find(({ names }) => names[0] === 'a.test')).toMatchObject({ stored: false });
    expect(resolvers[0]?.storageError).toMatch(/the disk is full/);

    await rm(ballast);
    // It is tried at least once a minute.
    await proxy.waitForOutput(/acme\.json is written again: every certificate is stored/, 75_000);
    await waitFor(
      'it to be in the file',
      async () => JSON.parse(await readFile(storage, 'utf8')).ca.Certificates.length === 1,
    );
    expect((await certificateList(proxy)).resolvers[0]?.storageError).toBeUndefined();
  });
});
