import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach } from 'vitest';

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Runs after the test, last first. */
export function cleanUp(cleanup: () => unknown): void {
  cleanups.push(cleanup);
}

/** A fresh directory that is removed after the test. */
export function tempDir(): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'phoenix-files-')));
  cleanUp(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Waits until `condition` holds; fails with `what` after `timeout` ms. Resolves to the time it took. */
export async function until(what: string, condition: () => boolean, timeout = 20_000): Promise<number> {
  const start = performance.now();
  while (!condition()) {
    if (performance.now() - start > timeout) throw new Error(`waited ${timeout} ms in vain until ${what}`);
    await sleep(2);
  }
  return performance.now() - start;
}

export { sleep };
