import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mountPoints, remoteFileSystem } from '../../../src/control/files/mounts.ts';
import { watchFiles } from '../../../src/control/files/watcher.ts';
import { cleanUp, tempDir, until } from './support.ts';

/** Whether this process may mount; only then can the case be tried. */
function bindMount(from: string, to: string): boolean {
  if (spawnSync('mount', ['--bind', from, to]).status !== 0) return false;
  cleanUp(() => spawnSync('umount', ['-l', to]));
  return true;
}

describe('a bind mount of a single file', () => {
  it('is seen to be written outside, and to be stale when it was replaced outside', async (context) => {
    const dir = tempDir();
    mkdirSync(join(dir, 'outside'));
    mkdirSync(join(dir, 'inside'));
    const [outside, inside] = [join(dir, 'outside/a.yml'), join(dir, 'inside/a.yml')];
    writeFileSync(outside, 'one');
    writeFileSync(inside, '');
    if (!bindMount(outside, inside)) return context.skip('this process may not mount');
    expect(await mountPoints()).toContain(inside);
    const watcher = await watchFiles({ paths: [inside], watch: true }, () => {});
    cleanUp(() => watcher.close());
    const text = () => {
      const state = watcher.files.get(inside);
      return state?.kind === 'ok' ? state.text : undefined;
    };
    expect(text()).toBe('one');
    writeFileSync(outside, 'two');
    await until('the write is seen', () => text() === 'two');
    writeFileSync(`${outside}.new`, 'three');
    renameSync(`${outside}.new`, outside);
    await until('the stale mount is noticed', () => watcher.problems[0]?.code === 'stale-mount');
    expect(text()).toBe('two');
  });
});

describe('remoteFileSystem', () => {
  it('knows a local directory from a remote one', async () => {
    expect(await remoteFileSystem(tempDir())).toBeUndefined();
  });
});
