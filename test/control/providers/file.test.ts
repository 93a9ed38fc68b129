import { mkdirSync, renameSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type FileProvider,
  type FileProviderOptions,
  type ProviderState,
  startFileProvider,
} from '../../../src/control/providers/file.ts';
import { cleanUp, sleep, tempDir, until } from '../files/support.ts';

interface Started {
  readonly provider: FileProvider;
  readonly states: ProviderState<string>[];
  readonly decoded: string[];
  /** What the newest state has, by file name. */
  configs(): Record<string, string>;
}

/** A provider whose decoder accepts every text but one with `bad` in it. */
async function start(
  options: Omit<FileProviderOptions<string>, 'decode' | 'watch'> & { watch?: boolean },
): Promise<Started> {
  const states: ProviderState<string>[] = [];
  const decoded: string[] = [];
  const provider = await startFileProvider<string>(
    {
      watch: true,
      ...options,
      decode: (file, text) => {
        decoded.push(text);
        if (text.includes('throw')) throw new Error('a bug');
        if (!text.includes('bad')) return { config: text, diagnostics: [] };
        return { config: null, diagnostics: [{ severity: 'error', code: 'bad-content', message: text, file }] };
      },
    },
    (state) => states.push(state),
  );
  cleanUp(() => provider.close());
  const configs = () =>
    Object.fromEntries(
      (states.at(-1)?.files ?? []).map(({ file, config }) => [file.slice(file.lastIndexOf('/') + 1), config]),
    );
  return { provider, states, decoded, configs };
}

function replace(path: string, text: string): void {
  writeFileSync(`${path}.tmp`, text);
  renameSync(`${path}.tmp`, path);
}

describe('startFileProvider', () => {
  it('publishes one first state with all good files in path order, and the diagnostics of bad ones', async () => {
    const dir = tempDir();
    mkdirSync(join(dir, 'a'));
    for (const [name, text] of Object.entries({ 'b.yml': 'b', 'a/z.toml': 'z', 'c.yaml': 'bad' })) {
      writeFileSync(join(dir, name), text);
    }
    const { states } = await start({ directory: dir });
    expect(states).toEqual([
      {
        name: 'file',
        files: [
          { file: join(dir, 'a/z.toml'), config: 'z', stale: false, diagnostics: [] },
          { file: join(dir, 'b.yml'), config: 'b', stale: false, diagnostics: [] },
        ],
        diagnostics: [{ severity: 'error', code: 'bad-content', message: 'bad', file: join(dir, 'c.yaml') }],
      },
    ]);
  });

  it('keeps the last good content of a file that turns bad and touches no other', async () => {
    const dir = tempDir();
    writeFileSync(join(dir, 'a.yml'), 'a1');
    writeFileSync(join(dir, 'b.yml'), 'b1');
    const { states, configs, decoded } = await start({ directory: dir });
    replace(join(dir, 'a.yml'), 'bad a2');
    await until('the bad content is judged', () => states.length === 2);
    expect(configs()).toEqual({ 'a.yml': 'a1', 'b.yml': 'b1' });
    expect(states[1]?.files[0]).toMatchObject({ stale: true, diagnostics: [{ code: 'bad-content' }] });
    replace(join(dir, 'b.yml'), 'b2');
    await until('the other file changes', () => configs()['b.yml'] === 'b2');
    expect(states.at(-1)?.files[0]).toMatchObject({ config: 'a1', stale: true });
    replace(join(dir, 'a.yml'), 'a3');
    await until('the bad file is good again', () => configs()['a.yml'] === 'a3');
    expect(states.at(-1)?.files[0]).toMatchObject({ stale: false, diagnostics: [] });
    expect(decoded).toEqual(['a1', 'b1', 'bad a2', 'b2', 'a3']);
  });

  it('withdraws a deleted file, and nothing for one that is deleted and written anew', async () => {
    const dir = tempDir();
    const [a, b] = [join(dir, 'a.yml'), join(dir, 'b.yml')];
    writeFileSync(a, 'a1');
    writeFileSync(b, 'b1');
    const { states, configs } = await start({ filename: a, directory: dir });
    unlinkSync(a);
    await sleep(20);
    writeFileSync(a, 'a2');
    await until('the new content is seen', () => configs()['a.yml'] === 'a2');
    unlinkSync(b);
    await until('the deleted file is withdrawn', () => configs()['b.yml'] === undefined);
    expect(states.every((state) => state.files.some(({ file }) => file === a))).toBe(true);
  });

  it('keeps the content of an emptied file', async () => {
    const dir = tempDir();
    const file = join(dir, 'a.yml');
    writeFileSync(file, 'a1');
    const { states, configs } = await start({ filename: file });
    truncateSync(file);
    await sleep(500);
    expect(states).toHaveLength(1);
    writeFileSync(file, 'a2');
    await until('it is filled', () => configs()['a.yml'] === 'a2');
    expect(states).toHaveLength(2);
  });

  it('says that its path does not exist, and reads it when it appears', async () => {
    const file = join(tempDir(), 'later/a.yml');
    const { states, configs } = await start({ filename: file });
    expect(states[0]).toMatchObject({ files: [], diagnostics: [{ severity: 'error', code: 'path-missing', file }] });
    mkdirSync(join(file, '..'));
    writeFileSync(file, 'a1');
    await until('it is read', () => configs()['a.yml'] === 'a1' && states.at(-1)?.diagnostics.length === 0);
  });

  it('takes the file by its name alone, whatever its extension', async () => {
    const file = join(tempDir(), 'dynamic.conf');
    writeFileSync(file, 'a1');
    expect((await start({ filename: file })).configs()).toEqual({ 'dynamic.conf': 'a1' });
  });

  it('survives a decoder that throws', async () => {
    const dir = tempDir();
    writeFileSync(join(dir, 'a.yml'), 'throw');
    writeFileSync(join(dir, 'b.yml'), 'b1');
    const { states, configs } = await start({ directory: dir });
    expect(configs()).toEqual({ 'b.yml': 'b1' });
    expect(states[0]?.diagnostics).toMatchObject([{ code: 'decoder-failed' }]);
  });

  it('reads again on reload, and decodes only what changed', async () => {
    const dir = tempDir();
    writeFileSync(join(dir, 'a.yml'), 'a1');
    writeFileSync(join(dir, 'b.yml'), 'b1');
    const { provider, states, configs, decoded } = await start({ directory: dir, watch: false });
    await provider.reload();
    expect(states).toHaveLength(1);
    writeFileSync(join(dir, 'a.yml'), 'a2');
    await provider.reload();
    expect(configs()).toEqual({ 'a.yml': 'a2', 'b.yml': 'b1' });
    expect(decoded).toEqual(['a1', 'b1', 'a2']);
  });

  it('sees each of 20 replacements made 380 ms apart as soon as they are made', { timeout: 60_000 }, async () => {
    const file = join(tempDir(), 'a.yml');
    writeFileSync(file, 'start');
    const { configs } = await start({ filename: file });
    const times: number[] = [];
    for (let i = 0; i < 20; i++) {
      replace(file, `content ${i}`);
      times.push(await until(`content ${i} is seen`, () => configs()['a.yml'] === `content ${i}`));
      await sleep(Math.max(0, 380 - (times.at(-1) ?? 0)));
    }
    times.sort((a, b) => a - b);
    console.log(`20 replacements 380 ms apart: median ${times[10]?.toFixed(1)} ms, worst ${times[19]?.toFixed(1)} ms`);
  });
});
