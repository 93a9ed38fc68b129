import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { cleanUp, tempDir, until } from './support.ts';

const NOBODY = 65534;

interface Seen {
  readonly files: Record<string, string | { code: string; message: string }>;
  readonly problems: readonly { path: string; code: string; message: string }[];
}

/** Watches in another process, without root's powers: for root every file is readable. */
function watchAsNobody(path: string): { latest: () => Seen | undefined } {
  const uid = process.getuid?.() === 0 ? [String(NOBODY)] : [];
  const child = spawn(process.execPath, [join(import.meta.dirname, 'watch-child.ts'), path, ...uid], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  cleanUp(() => child.kill('SIGKILL'));
  let latest: Seen | undefined;
  createInterface(child.stdout).on('line', (line) => {
    latest = JSON.parse(line) as Seen;
  });
  return { latest: () => latest };
}

describe('a file that may not be read', () => {
  it('is reported with owner, mode and our uid, and read when chmod alone makes it readable', async () => {
    const dir = tempDir();
    chmodSync(dir, 0o755);
    const [file, fine] = [join(dir, 'a.yml'), join(dir, 'b.yml')];
    writeFileSync(file, 'secret');
    writeFileSync(fine, 'fine');
    chmodSync(file, 0o000);
    const { latest } = watchAsNobody(dir);
    await until('the child watches', () => latest() !== undefined);
    const uid = process.getuid?.() === 0 ? NOBODY : process.getuid?.();
    expect(latest()?.files[fine]).toBe('fine');
    expect(latest()?.files[file]).toMatchObject({ code: 'EACCES' });
    const message = JSON.stringify(latest()?.files[file]);
    expect(message).toContain(`owner uid ${process.getuid?.()},`);
    expect(message).toContain('mode 0000');
    expect(message).toContain(`runs as uid ${uid}`);
    chmodSync(file, 0o644);
    const ms = await until('it is read', () => latest()?.files[file] === 'secret');
    console.log(`chmod alone: seen after ${ms.toFixed(0)} ms`);
    chmodSync(file, 0o000);
    await until('it is unreadable again', () => typeof latest()?.files[file] === 'object');
  });

  it('is read when its directory, or the one above, becomes accessible', async () => {
    const dir = tempDir();
    chmodSync(dir, 0o755);
    const file = join(dir, 'outer/inner/a.yml');
    mkdirSync(join(dir, 'outer/inner'), { recursive: true });
    writeFileSync(file, 'content');
    chmodSync(file, 0o644);
    chmodSync(join(dir, 'outer/inner'), 0o000);
    chmodSync(join(dir, 'outer'), 0o000);
    cleanUp(() => chmodSync(join(dir, 'outer'), 0o755));
    const { latest } = watchAsNobody(join(dir, 'outer/inner'));
    await until('the child watches', () => latest() !== undefined);
    expect(latest()).toMatchObject({ files: {}, problems: [{ code: 'path-unreadable' }] });
    chmodSync(join(dir, 'outer'), 0o755);
    chmodSync(join(dir, 'outer/inner'), 0o755);
    await until('it is read', () => latest()?.files[file] === 'content');
    expect(latest()?.problems).toEqual([]);
  });
});
