import {
  appendFileSync,
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type FilesChanged, type FilesWatcher, LIMITS, type WatchOptions } from '../../../src/control/files/types.ts';
import { watchFiles } from '../../../src/control/files/watcher.ts';
import { cleanUp, sleep, tempDir, until } from './support.ts';

interface Watched {
  readonly watcher: FilesWatcher;
  readonly events: FilesChanged[];
  /** Every text that was ever reported, by path. */
  readonly history: [string, string | undefined][];
  text(path: string): string | undefined;
}

async function watch(options: Partial<WatchOptions> & { paths: readonly string[] }): Promise<Watched> {
  const events: FilesChanged[] = [];
  const history: [string, string | undefined][] = [];
  const watcher = await watchFiles({ watch: true, extensions: ['.yml', '.yaml', '.toml'], ...options }, (event) => {
    events.push(event);
    for (const path of [...event.changed, ...event.removed]) history.push([path, text(path)]);
  });
  cleanUp(() => watcher.close());
  const text = (path: string) => {
    const state = watcher.files.get(path);
    return state?.kind === 'ok' ? state.text : undefined;
  };
  return { watcher, events, history, text };
}

function replace(path: string, text: string): void {
  const temporary = join(path, '..', `.${Math.random().toString(36).slice(2)}.tmp`);
  writeFileSync(temporary, text);
  renameSync(temporary, path);
}

describe('watchFiles, in a directory', () => {
  it('reads what is there: by extension, into subdirectories, without dotfiles, in path order', async () => {
    const dir = tempDir();
    mkdirSync(join(dir, 'b'));
    for (const name of ['z.toml', 'b.yml', 'b/x.yaml', 'a.YML', 'note.txt', '.hidden.yml'])
      writeFileSync(join(dir, name), name);
    const { watcher, text } = await watch({ paths: [dir] });
    expect([...watcher.files.keys()]).toEqual(['a.YML', 'b/x.yaml', 'b.yml', 'z.toml'].map((name) => join(dir, name)));
    expect(text(join(dir, 'b/x.yaml'))).toBe('b/x.yaml');
    expect(watcher.problems).toEqual([]);
  });

  it('sees a write in place', async () => {
    const dir = tempDir();
    const file = join(dir, 'a.yml');
    writeFileSync(file, 'one');
    const { text, history } = await watch({ paths: [dir] });
    writeFileSync(file, 'two');
    const ms = await until('the new content is seen', () => text(file) === 'two');
    console.log(`write in place: seen after ${ms.toFixed(0)} ms`);
    expect(history).toEqual([[file, 'two']]);
  });

  it('reads a file written in two halves only when both are there', async () => {
    const dir = tempDir();
    const file = join(dir, 'a.yml');
    writeFileSync(file, 'one');
    const { text, history } = await watch({ paths: [dir] });
    const fd = openSync(file, 'w');
    writeSync(fd, 'first half, ');
    await sleep(50);
    writeSync(fd, 'second half');
    closeSync(fd);
    await until('the whole is seen', () => text(file) === 'first half, second half');
    // On a machine that stalls between the halves the first alone may count as quiet; nothing else may ever be seen.
    expect(history.map(([, seen]) => seen).filter((seen) => seen !== 'first half, ')).toEqual([
      'first half, second half',
    ]);
  });

  it('sees a file that is renamed over another at once', async () => {
    const dir = tempDir();
    const file = join(dir, 'a.yml');
    writeFileSync(file, 'start');
    const { text, history } = await watch({ paths: [dir] });
    const times: number[] = [];
    for (let i = 0; i < 20; i++) {
      replace(file, `content ${i}`);
      times.push(await until(`content ${i} is seen`, () => text(file) === `content ${i}`));
      await sleep(30);
    }
    times.sort((a, b) => a - b);
    console.log(`rename over: median ${times[10]?.toFixed(1)} ms, worst ${times[19]?.toFixed(1)} ms`);
    expect(history.map(([, seen]) => seen)).toEqual(Array.from({ length: 20 }, (_, i) => `content ${i}`));
  });

  it('sees a rename over that keeps size and times, too', async () => {
    const dir = tempDir();
    const file = join(dir, 'a.yml');
    writeFileSync(file, 'one');
    const { text } = await watch({ paths: [dir] });
    for (const content of ['two', 'six', 'ten']) {
      replace(file, content);
      await until(`${content} is seen`, () => text(file) === content);
    }
  });

  it('sees a swapped ..data link, as Kubernetes writes a ConfigMap, as one change', async () => {
    const dir = tempDir();
    const version = (name: string, content: string) => {
      mkdirSync(join(dir, name));
      for (const file of ['a.yml', 'b.yml']) writeFileSync(join(dir, name, file), content + file);
      symlinkSync(name, join(dir, '..data_tmp'));
      renameSync(join(dir, '..data_tmp'), join(dir, '..data'));
    };
    version('..2026_1', 'one ');
    for (const file of ['a.yml', 'b.yml']) symlinkSync(`..data/${file}`, join(dir, file));
    const { text, watcher, events } = await watch({ paths: [dir] });
    expect([...watcher.files.keys()]).toEqual([join(dir, 'a.yml'), join(dir, 'b.yml')]);
    version('..2026_2', 'two ');
    const ms = await until('the swap is seen', () => text(join(dir, 'b.yml')) === 'two b.yml');
    console.log(`..data swap: seen after ${ms.toFixed(0)} ms`);
    rmSync(join(dir, '..2026_1'), { recursive: true });
    version('..2026_3', 'three ');
    await until('the next swap is seen', () => text(join(dir, 'b.yml')) === 'three b.yml');
    expect(text(join(dir, 'a.yml'))).toBe('three a.yml');
    expect(events.map((event) => event.changed.length)).toEqual([2, 2]);
  });

  it('sees the target of a link change, in another directory', async () => {
    const [dir, other] = [tempDir(), tempDir()];
    const target = join(other, 'target');
    writeFileSync(target, 'one');
    symlinkSync(target, join(dir, 'a.yml'));
    const { text } = await watch({ paths: [dir] });
    writeFileSync(target, 'two');
    await until('the write is seen', () => text(join(dir, 'a.yml')) === 'two');
    replace(target, 'three');
    await until('the replacement is seen', () => text(join(dir, 'a.yml')) === 'three');
  });

  it('keeps a deleted file for a moment and then removes it', async () => {
    const dir = tempDir();
    const file = join(dir, 'a.yml');
    writeFileSync(file, 'one');
    const { watcher, events, text } = await watch({ paths: [dir] });
    unlinkSync(file);
    await until('it is removed', () => !watcher.files.has(file));
    expect(events).toEqual([{ changed: [], removed: [file], problemsChanged: false }]);
    writeFileSync(file, 'again');
    await until('it is back', () => text(file) === 'again');
  });

  it('never shows a gap when a file is deleted and written anew', async () => {
    const dir = tempDir();
    const file = join(dir, 'a.yml');
    writeFileSync(file, 'one');
    const { text, history } = await watch({ paths: [dir] });
    unlinkSync(file);
    await sleep(20);
    const fd = openSync(file, 'w');
    writeSync(fd, 'tw');
    await sleep(20);
    writeSync(fd, 'o');
    closeSync(fd);
    await until('the new content is seen', () => text(file) === 'two');
    expect(history.filter(([, seen]) => seen !== 'tw')).toEqual([[file, 'two']]);
  });

  it('sees a file appear in an empty directory, written or moved there', async () => {
    const dir = tempDir();
    const { text } = await watch({ paths: [dir] });
    writeFileSync(join(dir, 'a.yml'), 'written');
    await until('the written one is seen', () => text(join(dir, 'a.yml')) === 'written');
    replace(join(dir, 'b.yml'), 'moved');
    const ms = await until('the moved one is seen', () => text(join(dir, 'b.yml')) === 'moved');
    console.log(`moved into place: seen after ${ms.toFixed(0)} ms`);
  });

  it('sees files in a subdirectory that appears, is renamed and goes', async () => {
    const dir = tempDir();
    const { text, watcher } = await watch({ paths: [dir] });
    mkdirSync(join(dir, 'x/y'), { recursive: true });
    writeFileSync(join(dir, 'x/y/a.yml'), 'one');
    await until('the deep file is seen', () => text(join(dir, 'x/y/a.yml')) === 'one');
    writeFileSync(join(dir, 'x/y/a.yml'), 'two');
    await until('its change is seen', () => text(join(dir, 'x/y/a.yml')) === 'two');
    renameSync(join(dir, 'x'), join(dir, 'z'));
    await until('the move is seen', () => text(join(dir, 'z/y/a.yml')) === 'two' && watcher.files.size === 1);
    replace(join(dir, 'z/y/a.yml'), 'three');
    await until('a change after the move is seen', () => text(join(dir, 'z/y/a.yml')) === 'three');
    rmSync(join(dir, 'z'), { recursive: true });
    await until('all are gone', () => watcher.files.size === 0);
  });

  it('waits for a directory that does not exist yet, and again when it is removed and made anew', async () => {
    const dir = tempDir();
    const late = join(dir, 'not/yet/there');
    const { text, watcher } = await watch({ paths: [late] });
    expect(watcher.problems).toMatchObject([{ path: late, code: 'path-missing' }]);
    for (const content of ['one', 'two']) {
      mkdirSync(late, { recursive: true });
      writeFileSync(join(late, 'a.yml'), content);
      await until(`${content} is seen`, () => text(join(late, 'a.yml')) === content);
      await until('the problem is gone', () => watcher.problems.length === 0);
      rmSync(join(dir, 'not'), { recursive: true });
      await until('it is gone', () => watcher.files.size === 0 && watcher.problems.length === 1);
    }
    expect(watcher.problems).toMatchObject([{ path: late, code: 'path-missing' }]);
  });

  it('sees changes after the directory was exchanged for another', async () => {
    const dir = tempDir();
    const conf = join(dir, 'conf');
    mkdirSync(conf);
    writeFileSync(join(conf, 'a.yml'), 'one');
    const { text } = await watch({ paths: [conf] });
    for (const content of ['two', 'three', 'four']) {
      mkdirSync(join(dir, 'new'));
      writeFileSync(join(dir, 'new/a.yml'), `${content} at first`);
      renameSync(conf, join(dir, `old before ${content}`));
      renameSync(join(dir, 'new'), conf);
      await until('the exchange is seen', () => text(join(conf, 'a.yml')) === `${content} at first`);
      writeFileSync(join(conf, 'a.yml'), content);
      await until(`${content} is seen`, () => text(join(conf, 'a.yml')) === content);
    }
  });

  it('sees changes after a link to the directory was pointed elsewhere', async () => {
    const dir = tempDir();
    for (const name of ['1', '2']) {
      mkdirSync(join(dir, name));
      writeFileSync(join(dir, name, 'a.yml'), name);
    }
    const link = join(dir, 'current');
    symlinkSync('1', link);
    const { text } = await watch({ paths: [link] });
    expect(text(join(link, 'a.yml'))).toBe('1');
    symlinkSync('2', join(dir, 'tmp'));
    renameSync(join(dir, 'tmp'), link);
    await until('the other directory is seen', () => text(join(link, 'a.yml')) === '2');
    writeFileSync(join(dir, '2/a.yml'), 'changed');
    await until('a change in it is seen', () => text(join(link, 'a.yml')) === 'changed');
  });

  it('sees 1,000 files at once, in few events', async () => {
    const dir = tempDir();
    const { watcher, events } = await watch({ paths: [dir] });
    for (let i = 0; i < 1000; i++) writeFileSync(join(dir, `${i}.yml`), `file ${i}`);
    const ms = await until('all are seen', () => watcher.files.size === 1000);
    console.log(`1,000 files: seen ${ms.toFixed(0)} ms after the last was written, in ${events.length} events`);
    for (let i = 0; i < 1000; i++) replace(join(dir, `${i}.yml`), `changed ${i}`);
    const changed = () =>
      [...watcher.files.values()].every((state) => state.kind === 'ok' && state.text.startsWith('changed'));
    const again = await until('all changes are seen', changed);
    console.log(`1,000 replaced: seen ${again.toFixed(0)} ms after the last`);
    rmSync(dir, { recursive: true });
    await until('all are gone', () => watcher.files.size === 0);
  });

  it('keeps an emptied file for some seconds, then believes it', async () => {
    const dir = tempDir();
    const file = join(dir, 'a.yml');
    writeFileSync(file, 'one');
    const { text, history } = await watch({ paths: [dir] });
    const emptied = performance.now();
    truncateSync(file);
    await until('the empty file is believed', () => text(file) === '');
    expect(performance.now() - emptied).toBeGreaterThan(2_900);
    expect(history).toEqual([[file, '']]);
  });

  it('keeps the content of a file that is emptied and filled a second later', async () => {
    const dir = tempDir();
    const file = join(dir, 'a.yml');
    writeFileSync(file, 'one');
    const { text, history } = await watch({ paths: [dir] });
    truncateSync(file);
    await sleep(1_000);
    appendFileSync(file, 'two');
    await until('the new content is seen', () => text(file) === 'two');
    expect(history).toEqual([[file, 'two']]);
  });

  it('reads a file that never stops changing, and does not let it hold up others', async () => {
    const dir = tempDir();
    const [noisy, calm] = [join(dir, 'noisy.yml'), join(dir, 'calm.yml')];
    writeFileSync(noisy, '0');
    writeFileSync(calm, '0');
    const { text, history } = await watch({ paths: [dir] });
    let count = 0;
    const timer = setInterval(() => writeFileSync(noisy, String(++count)), 20);
    cleanUp(() => clearInterval(timer));
    await until('the noisy file is read', () => text(noisy) !== '0');
    replace(calm, 'replaced');
    const ms = await until('the calm file is read', () => text(calm) === 'replaced');
    console.log(`rename over beside a noisy file: seen after ${ms.toFixed(0)} ms`);
    await until('the noisy file is read again and again', () => history.filter(([path]) => path === noisy).length >= 3);
    clearInterval(timer);
    await until('its last content is read', () => text(noisy) === String(count));
    expect(history.every(([, seen]) => seen !== '')).toBe(true);
  });

  it('reads a file that is replaced without end', async () => {
    const dir = tempDir();
    const file = join(dir, 'a.yml');
    writeFileSync(file, 'start');
    const { text, history } = await watch({ paths: [dir] });
    let count = 0;
    const timer = setInterval(() => replace(file, `number ${++count}`), 2);
    cleanUp(() => clearInterval(timer));
    await until('several are seen', () => history.length > 10);
    clearInterval(timer);
    await until('the last is seen', () => text(file) === `number ${count}`);
    expect(history.length).toBeLessThanOrEqual(count);
  });

  it('does not report what is written with the same content, nor files that do not count', async () => {
    const dir = tempDir();
    writeFileSync(join(dir, 'a.yml'), 'one');
    const { events, text } = await watch({ paths: [dir] });
    writeFileSync(join(dir, 'a.yml'), 'one');
    chmodSync(join(dir, 'a.yml'), 0o600);
    writeFileSync(join(dir, 'a.yml.swp'), 'x');
    writeFileSync(join(dir, '.a.yml'), 'x');
    await sleep(300);
    writeFileSync(join(dir, 'b.yml'), 'mark');
    await until('the mark is seen', () => text(join(dir, 'b.yml')) === 'mark');
    expect(events.map((event) => event.changed)).toEqual([[join(dir, 'b.yml')]]);
  });

  it('refuses a file that is too large, and says so', async () => {
    const dir = tempDir();
    const file = join(dir, 'a.yml');
    writeFileSync(file, '');
    truncateSync(file, LIMITS.bytes + 1);
    const { watcher } = await watch({ paths: [dir] });
    expect(watcher.files.get(file)).toMatchObject({ kind: 'unreadable', error: { code: 'EFBIG' } });
  });

  it('names links to directories and links to nothing as problems', async () => {
    const dir = tempDir();
    mkdirSync(join(dir, 'real'));
    writeFileSync(join(dir, 'real/a.yml'), 'one');
    symlinkSync('real', join(dir, 'link'));
    symlinkSync('nothing', join(dir, 'dangling.yml'));
    symlinkSync('loop.yml', join(dir, 'loop.yml'));
    const { watcher, text } = await watch({ paths: [dir] });
    expect([...watcher.files.keys()]).toEqual([join(dir, 'real/a.yml')]);
    expect(watcher.problems.map(({ path, code }) => [path.slice(dir.length + 1), code])).toEqual([
      ['dangling.yml', 'path-missing'],
      ['link', 'symlinked-directory'],
      ['loop.yml', 'path-unreadable'],
    ]);
    writeFileSync(join(dir, 'nothing'), 'something');
    await until('the link leads somewhere', () => text(join(dir, 'dangling.yml')) === 'something');
  });
});

describe('watchFiles, with single files', () => {
  it('watches many files in several directories, whatever their extension', async () => {
    const dirs = [tempDir(), tempDir()];
    const paths = dirs.flatMap((dir) => Array.from({ length: 50 }, (_, i) => join(dir, `${i}.pem`)));
    for (const path of paths) writeFileSync(path, 'one');
    const { watcher, text, history } = await watch({ paths });
    expect(watcher.files.size).toBe(100);
    replace(paths[3] ?? '', 'two');
    writeFileSync(paths[97] ?? '', 'three');
    writeFileSync(join(dirs[0] ?? '', 'other.pem'), 'not asked for');
    await until('both are seen', () => text(paths[3] ?? '') === 'two' && text(paths[97] ?? '') === 'three');
    expect(history).toHaveLength(2);
  });

  it('waits for a file that is missing, and for its return', async () => {
    const dir = tempDir();
    const file = join(dir, 'sub/a.yml');
    const { watcher, text } = await watch({ paths: [file] });
    expect(watcher.problems).toMatchObject([{ path: file, code: 'path-missing' }]);
    mkdirSync(join(dir, 'sub'));
    writeFileSync(file, 'one');
    await until('it is seen', () => text(file) === 'one' && watcher.problems.length === 0);
    unlinkSync(file);
    await until('it is gone', () => watcher.files.size === 0 && watcher.problems.length === 1);
    replace(file, 'two');
    await until('it is back', () => text(file) === 'two' && watcher.problems.length === 0);
  });

  it('takes other paths while it runs', async () => {
    const dir = tempDir();
    const [a, b] = [join(dir, 'a.pem'), join(dir, 'b.pem')];
    writeFileSync(a, 'a');
    writeFileSync(b, 'b');
    const { watcher, text, events } = await watch({ paths: [a] });
    await watcher.setPaths([b]);
    expect([...watcher.files.keys()]).toEqual([b]);
    expect(events).toEqual([{ changed: [b], removed: [a], problemsChanged: false }]);
    replace(b, 'b2');
    await until('the new path is watched', () => text(b) === 'b2');
  });

  it('reads again on rescan only, where it shall not watch', async () => {
    const dir = tempDir();
    const [file, other] = [join(dir, 'a.yml'), join(dir, 'b.yml')];
    writeFileSync(file, 'one');
    writeFileSync(other, 'x');
    const { watcher, text, events } = await watch({ paths: [dir], watch: false });
    writeFileSync(file, 'two');
    unlinkSync(other);
    await sleep(300);
    expect(text(file)).toBe('one');
    await watcher.rescan();
    expect(text(file)).toBe('two');
    expect(events).toEqual([{ changed: [file], removed: [other], problemsChanged: false }]);
  });

  it('goes on when the callback throws, and says so', async () => {
    const dir = tempDir();
    const file = join(dir, 'a.yml');
    writeFileSync(file, 'one');
    const lines: string[] = [];
    const watcher = await watchFiles(
      // A watch that starts slowly is a warning.
      { paths: [dir], watch: true, log: (level, message) => void (level === 'error' && lines.push(message)) },
      () => {
        throw new Error('a bug of the caller');
      },
    );
    cleanUp(() => watcher.close());
    replace(file, 'two');
    await until('the error is logged', () => lines.length === 1);
    expect(lines[0]).toBe('watching files failed: Error: a bug of the caller');
    replace(file, 'three');
    await until('the next is logged', () => lines.length === 2);
    expect(watcher.files.get(file)).toMatchObject({ text: 'three' });
  });

  it('says nothing after it was closed', async () => {
    const dir = tempDir();
    const file = join(dir, 'a.yml');
    writeFileSync(file, 'one');
    const { watcher, events } = await watch({ paths: [dir] });
    replace(file, 'two');
    await watcher.close();
    const count = events.length;
    replace(file, 'three');
    await sleep(200);
    expect(events).toHaveLength(count);
    await watcher.rescan();
    expect(events).toHaveLength(count);
  });
});

describe('watchFiles, polling', () => {
  it('sees writes, replacements, deletions and new files', async () => {
    const dir = tempDir();
    const file = join(dir, 'a.yml');
    writeFileSync(file, 'one');
    const { watcher, text } = await watch({ paths: [dir], poll: 50 });
    writeFileSync(file, 'two');
    await until('the write is seen', () => text(file) === 'two');
    replace(file, 'six');
    await until('the replacement is seen', () => text(file) === 'six');
    writeFileSync(join(dir, 'b.yml'), 'new');
    await until('the new file is seen', () => text(join(dir, 'b.yml')) === 'new');
    unlinkSync(file);
    await until('the deletion is seen', () => !watcher.files.has(file));
  });
});
