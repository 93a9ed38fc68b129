import { chmod, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { privateCache } from '../src/compile-cache.ts';
import { tempDir } from './support/temp.ts';

it('keeps compiled code where only we can write, and nowhere else', async () => {
  const temp = await tempDir();
  const home = join(temp.path, 'home');
  await mkdir(home, { mode: 0o755 });
  const made = join(home, '.cache', 'phoenix-proxy', 'compiled');
  expect(privateCache('', () => home)).toBe(made);
  expect((await stat(made)).mode & 0o777).toBe(0o700);
  expect(privateCache(home)).toBe(join(home, 'compiled'));
  // Who can write to a directory above can put another in its place.
  await chmod(home, 0o777);
  expect(privateCache('', () => home)).toBeNull();
  await temp.remove();
});

it('does without where there is no place for it', () => {
  expect(
    privateCache('', () => {
      throw new Error('no such user');
    }),
  ).toBeNull();
  expect(privateCache('/proc/nowhere')).toBeNull();
});
