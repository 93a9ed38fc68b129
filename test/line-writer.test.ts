import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { LineWriter } from '../src/line-writer.ts';
import { openLog } from '../src/open-log.ts';
import { type Child, startChild } from './support/child.ts';
import { tempDir } from './support/temp.ts';
import { waitFor } from './support/wait-for.ts';

function writer(path: string, warnings: string[] = [], bufferingSize = 0): LineWriter {
  return new LineWriter({
    path,
    open: () => openLog(path, 'accessLog.filePath'),
    bufferingSize,
    flushMs: 250,
    warn: (message) => warnings.push(message),
  });
}

/** Moves the clock by which the writer looks after its file. */
function later(ms: number): void {
  const now = performance.now() + ms;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
}
afterEach(() => vi.restoreAllMocks());

function close(lines: LineWriter): Promise<void> {
  return new Promise((resolve) => lines.close(resolve));
}

describe('the line writer', () => {
  it('writes a line soon, without being closed', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'a.log');
    const lines = writer(path);
    lines.write('one');
    await waitFor('the line', () => readFileSync(path, 'utf8') === 'one\n');
    await close(lines);
    expect(lines.dropped).toBe(0);
  });

  it('writes as soon as it holds as many lines as it may', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'a.log');
    const lines = writer(path, [], 2);
    lines.write('one');
    lines.write('two');
    await waitFor('two lines', () => readFileSync(path, 'utf8') === 'one\ntwo\n');
    await close(lines);
  });

  it('appends whole lines beside other processes', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'a.log');
    const module = new URL('../src/line-writer.ts', import.meta.url).href;
    const opener = new URL('../src/open-log.ts', import.meta.url).href;
    const script = `import { LineWriter } from ${JSON.stringify(module)};
      import { openLog } from ${JSON.stringify(opener)};
      const path = ${JSON.stringify(path)};
      const lines = new LineWriter({ path, open: () => openLog(path, 's'), bufferingSize: 0, flushMs: 250, warn: console.error });
      let n = 0;
      const more = () => {
        for (let i = 0; i < 100 && n < 3000; i++) lines.write(JSON.stringify({ pid: process.pid, n: n++, pad: 'x'.repeat(n % 700) }));
        if (n < 3000) setImmediate(more); else lines.close(() => process.exit(0));
      };
      more();`;
    const children: Child[] = [0, 1, 2].map(() => startChild(process.execPath, ['--input-type=module', '-e', script]));
    for (const child of children) expect(await child.exit, child.output()).toMatchObject({ code: 0 });
    const text = readFileSync(path, 'utf8');
    const seen = new Map<number, number>();
    for (const line of text.split('\n').slice(0, -1)) {
      const { pid, n } = JSON.parse(line);
      expect(n).toBe((seen.get(pid) ?? -1) + 1);
      seen.set(pid, n);
    }
    expect([...seen.values()]).toEqual([2999, 2999, 2999]);
  });

  it('goes on in a new file after a rotation', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'a.log');
    const lines = writer(path);
    lines.write('before');
    await waitFor('the first line', () => statSync(path).size > 0);
    renameSync(path, `${path}.1`);
    lines.reopen();
    lines.write('after');
    await close(lines);
    expect(readFileSync(`${path}.1`, 'utf8')).toBe('before\n');
    expect(readFileSync(path, 'utf8')).toBe('after\n');
  });

  it('stays with the old file, and says so, where the new one cannot be opened', async () => {
    await using dir = await tempDir();
    const warnings: string[] = [];
    const lines = writer(join(dir.path, 'a', 'a.log'), warnings);
    renameSync(join(dir.path, 'a'), join(dir.path, 'b'));
    writeFileSync(join(dir.path, 'a'), 'no directory');
    lines.reopen();
    lines.reopen();
    lines.write('one');
    await close(lines);
    expect(warnings).toEqual([expect.stringMatching(/^not reopened, the old file stays in use: .*is not a directory/)]);
    expect(readFileSync(join(dir.path, 'b', 'a.log'), 'utf8')).toBe('one\n');
  });

  it('tries again later to open what it could not, and says so once it is open', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'a', 'a.log');
    const warnings: string[] = [];
    const lines = writer(path, warnings, 1);
    renameSync(join(dir.path, 'a'), join(dir.path, 'b'));
    writeFileSync(join(dir.path, 'a'), 'no directory');
    lines.reopen();
    rmSync(join(dir.path, 'a'));
    lines.write('to the old file');
    await waitFor('the first line', () => readFileSync(join(dir.path, 'b', 'a.log'), 'utf8').length > 0);
    later(11_000);
    lines.write('to the new one');
    await waitFor('the second line', () => readFileSync(path, 'utf8') === 'to the new one\n');
    await close(lines);
    expect(warnings).toEqual([expect.stringMatching(/^not reopened/), `${path} is open again`]);
  });

  it.each([
    ['removed', (path: string) => rmSync(path)],
    ['replaced', (path: string) => renameSync(path, `${path}.1`)],
  ])('notices after a while that its file was %s, though nobody told', async (_, take) => {
    await using dir = await tempDir();
    const path = join(dir.path, 'a.log');
    const lines = writer(path, [], 1);
    take(path);
    // The first look may be in the middle of a rotation, and changes nothing.
    for (let look = 0; look < 500 && !existsSync(path); look++) {
      later(11_000);
      lines.write('on the way');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    vi.restoreAllMocks();
    lines.write('seen');
    await waitFor('the line', () => readFileSync(path, 'utf8').includes('seen\n'));
    await close(lines);
  });

  it('keeps no descriptor, however often it is reopened while it writes', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'a.log');
    const lines = writer(path, [], 1);
    const before = readdirSync('/proc/self/fd').length;
    for (let i = 0; i < 300; i++) {
      lines.write(`line ${i}`);
      lines.reopen();
      lines.reopen();
      if (i % 10 === 0) await new Promise(setImmediate);
    }
    await waitFor('all lines', () => readFileSync(path, 'utf8').split('\n').length === 301);
    await waitFor('every old file to be closed', () => readdirSync('/proc/self/fd').length <= before);
    await close(lines);
  });

  it.runIf(existsSync('/dev/full'))('counts what a full disk loses, says it once, and goes on', async () => {
    const warnings: string[] = [];
    const lines = writer('/dev/full', warnings, 1);
    for (let i = 0; i < 10; i++) lines.write('lost');
    await waitFor('all to be lost', () => lines.dropped === 10);
    await close(lines);
    expect(warnings).toEqual([expect.stringMatching(/^\d+ lines? (was|were) lost: ENOSPC/)]);
  });

  it('loses lines rather than memory or time when its reader is stuck, and writes again when it reads', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'fifo');
    execFileSync('mkfifo', [path]);
    // Both ways, since that opens at once.
    const reader = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    const warnings: string[] = [];
    const lines = writer(path, warnings);
    const line = 'x'.repeat(199);
    for (let i = 0; i < 100_000; i++) lines.write(line);
    expect(lines.dropped).toBeGreaterThan(50_000);
    expect(warnings).toHaveLength(1);
    const written = 100_000 - lines.dropped;
    const buffer = Buffer.alloc(16_384);
    let text = '';
    await waitFor(
      'what was not lost',
      async () => {
        // Nothing there yet is an exception, and so "not yet".
        if (text.length < written * 200) text += buffer.toString('latin1', 0, readSync(reader, buffer));
        return text.length >= written * 200;
      },
      { intervalMs: 1 },
    );
    expect(text).toBe(`${line}\n`.repeat(written));
    await close(lines);
    closeSync(reader);
  });

  it('closes in time though its reader is stuck', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'fifo');
    execFileSync('mkfifo', [path]);
    const reader = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    const lines = writer(path);
    for (let i = 0; i < 1_000; i++) lines.write('x'.repeat(199));
    await close(lines);
    await waitFor('the rest to be given up', () => lines.dropped > 600);
    closeSync(reader);
  });

  it('names the path and what to do where the file cannot be opened', async () => {
    await using dir = await tempDir();
    writeFileSync(join(dir.path, 'file'), '');
    const path = join(dir.path, 'file', 'a.log');
    expect(() => writer(path)).toThrow(
      `accessLog.filePath: cannot write to ${path}: ${join(dir.path, 'file')} is not a directory`,
    );
  });
});
