import { mkdtempSync, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** A directory of one test: `await using dir = await tempDir()` removes it with all it holds. */
export interface TempDir extends AsyncDisposable {
  readonly path: string;
  remove(): Promise<void>;
}

const left = new Set<string>();
afterAll(() => {
  for (const path of left) rmSync(path, { recursive: true, force: true });
});

/** Makes an empty directory below the system's temporary directory; what is not disposed of goes after the test file. */
export async function tempDir(prefix = 'phoenix-test-'): Promise<TempDir> {
  return handle(await mkdtemp(join(tmpdir(), prefix)));
}

/** As {@link tempDir}, for places that cannot wait. */
export function tempDirSync(prefix = 'phoenix-test-'): TempDir {
  return handle(mkdtempSync(join(tmpdir(), prefix)));
}

function handle(path: string): TempDir {
  left.add(path);
  const remove = async (): Promise<void> => {
    await rm(path, { recursive: true, force: true });
    left.delete(path);
  };
  return { path, remove, [Symbol.asyncDispose]: remove };
}
