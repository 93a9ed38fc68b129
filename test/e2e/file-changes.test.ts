import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { dump } from 'js-yaml';
import { describe, expect, it } from 'vitest';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { sendRaw } from '../support/raw-client.ts';
import { waitFor } from '../support/wait-for.ts';

/** A file that redirects a host to a place that names its version: no upstream is needed to see what is live. */
function version(name: string | number, host = 'a.test'): string {
  const id = host.split('.')[0]!;
  return dump({
    http: {
      routers: { [id]: { rule: `Host(\`${host}\`)`, middlewares: [id], service: 'noop@internal' } },
      middlewares: { [id]: { redirectRegex: { regex: '.*', replacement: `http://v/${name}` } } },
    },
  });
}

async function live(proxy: ProxyProcess, host = 'a.test'): Promise<string> {
  const { responses } = await sendRaw({ port: proxy.port(), chunks: [`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`] });
  return responses[0]?.header('location')?.replace('http://v/', '') ?? String(responses[0]?.status);
}

function becomes(proxy: ProxyProcess, name: string, host?: string): Promise<unknown> {
  return waitFor(`version ${name}`, async () => (await live(proxy, host)) === name, {
    intervalMs: 5,
    describe: proxy.output,
  });
}

describe('a change of a dynamic file is served', () => {
  it('written in place, in two halves with a pause, and never half', async () => {
    await using proxy = await startProxy({ dynamic: { 'a.yml': version('one') } });
    const text = version('two');
    const path = join(proxy.dir, 'dynamic', 'a.yml');
    const from = performance.now();
    await writeFile(path, text.slice(0, text.length / 2));
    await sleep(60);
    await writeFile(path, text);
    const took = performance.now() - from;
    await becomes(proxy, 'two');
    await proxy.waitForOutput(/version \d+ is live/);
    // After 100 ms without a write it may be taken for whole.
    if (took < 100) expect(proxy.output()).not.toMatch(/a\.yml:\d|version 3/);
  });

  it('renamed over, and says how long that took', async () => {
    await using proxy = await startProxy({ workers: 2, dynamic: { 'a.yml': version('0') } });
    const took: number[] = [];
    for (let i = 1; i <= 10; i++) {
      const from = performance.now();
      await proxy.writeDynamic(version(i), { file: 'a.yml' });
      await proxy.waitForOutput(new RegExp(`version ${i + 1} is live in 2 workers`));
      took.push(Math.round(performance.now() - from));
      expect(await live(proxy)).toBe(String(i));
    }
    console.log(`rename over, live in 2 workers, ms: ${took.sort((a, b) => a - b).join(' ')}`);
  });

  it('swapped by a symbolic link, as Kubernetes does', async () => {
    await using proxy = await startProxy({ dynamic: { 'seed.yml': version('seed', 'seed.test') } });
    const dir = join(proxy.dir, 'dynamic');
    await mkdir(join(dir, '..one'));
    await writeFile(join(dir, '..one', 'a.yml'), version('one'));
    await symlink('..one', join(dir, '..data'));
    await symlink('..data/a.yml', join(dir, 'a.yml'));
    await becomes(proxy, 'one');
    await mkdir(join(dir, '..two'));
    await writeFile(join(dir, '..two', 'a.yml'), version('two'));
    await symlink('..two', join(dir, '..next'));
    await rename(join(dir, '..next'), join(dir, '..data'));
    await becomes(proxy, 'two');
  });

  it('deleted and created again', async () => {
    await using proxy = await startProxy({ dynamic: { 'a.yml': version('one') } });
    await rm(join(proxy.dir, 'dynamic', 'a.yml'));
    await becomes(proxy, '404');
    await writeFile(join(proxy.dir, 'dynamic', 'a.yml'), version('two'));
    await becomes(proxy, 'two');
  });

  it('appearing in an empty directory', async () => {
    await using proxy = await startProxy({ dynamic: { 'a.yml': version('one') } });
    await rm(join(proxy.dir, 'dynamic', 'a.yml'));
    await becomes(proxy, '404');
    await writeFile(join(proxy.dir, 'dynamic', 'b.yml'), version('two'));
    await becomes(proxy, 'two');
  });

  it('20 times 380 ms apart, each of them', async () => {
    await using proxy = await startProxy({ dynamic: { 'a.yml': version('0') } });
    for (let i = 1; i <= 20; i++) {
      const next = sleep(380);
      await proxy.writeDynamic(version(i), { file: 'a.yml' });
      // Where the machine stands still, two that come meanwhile are rightly one.
      await Promise.all([next, proxy.waitForOutput(new RegExp(`version ${i + 1} is live`))]);
      expect(await live(proxy)).toBe(String(i));
    }
  });
});

describe('a file that is no good', () => {
  it('keeps its last good content while it is truncated', async () => {
    await using proxy = await startProxy({ dynamic: { 'a.yml': version('one') } });
    const from = performance.now();
    await proxy.writeDynamic('', { file: 'a.yml', inPlace: true });
    for (let i = 0; i < 10; i++) {
      const seen = await live(proxy);
      // After 3 s it is believed to be empty.
      if (performance.now() - from > 2_900) break;
      expect(seen).toBe('one');
      await sleep(50);
    }
    await proxy.writeDynamic(version('two'), { file: 'a.yml', inPlace: true });
    await becomes(proxy, 'two');
  });

  it('touches no other file, keeps its own last good content, and is named with line and column', async () => {
    await using proxy = await startProxy({ dynamic: { 'a.yml': version('one'), 'b.yml': version('one', 'b.test') } });
    await proxy.writeDynamic('http:\n  routers: [\n', { file: 'a.yml' });
    await proxy.waitForOutput(/a\.yml:\d+:\d+/);
    await proxy.writeDynamic(version('two', 'b.test'), { file: 'b.yml' });
    await becomes(proxy, 'two', 'b.test');
    expect(await live(proxy)).toBe('one');
    await proxy.writeDynamic(version('three'), { file: 'a.yml' });
    await becomes(proxy, 'three');
  });
});
