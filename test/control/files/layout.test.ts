import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { comparePaths, scanLayout } from '../../../src/control/files/layout.ts';
import { tempDir } from './support.ts';

const YML = new Set(['.yml']);

describe('scanLayout', () => {
  it('notes every directory in which a change can lead a linked file elsewhere', async () => {
    const dir = tempDir();
    for (const name of ['conf', 'store', 'store/v1', 'links']) mkdirSync(join(dir, name));
    writeFileSync(join(dir, 'store/v1/a'), '');
    symlinkSync('v1', join(dir, 'store/current'));
    symlinkSync('../store/current/a', join(dir, 'links/a'));
    symlinkSync(join(dir, 'links/a'), join(dir, 'conf/a.yml'));
    const layout = await scanLayout([join(dir, 'conf')], YML);
    expect([...layout.files]).toEqual([[join(dir, 'conf/a.yml'), join(dir, 'store/v1/a')]]);
    const names = (directory: string) => [...(layout.links.get(join(dir, directory)) ?? [])].sort();
    expect(names('conf')).toEqual(['a.yml']);
    expect(names('links')).toEqual(['a']);
    expect(names('store')).toEqual(['current', 'v1']);
    expect(names('.')).toEqual(['conf', 'links', 'store']);
    expect([...layout.directories.keys()]).toContain(join(dir, 'store/v1'));
  });

  it('watches the nearest directory that exists for a path that does not', async () => {
    const dir = tempDir();
    const layout = await scanLayout([join(dir, 'not/there/a.yml')], YML);
    expect([...(layout.links.get(dir) ?? [])]).toEqual(['not']);
    expect(layout.directories.has(join(dir, 'not'))).toBe(false);
    expect(layout.problems).toMatchObject([{ code: 'path-missing' }]);
  });

  it('watches one directory for many single files', async () => {
    const dir = tempDir();
    const paths = Array.from({ length: 20 }, (_, i) => join(dir, `${i}.pem`));
    for (const path of paths) writeFileSync(path, '');
    const layout = await scanLayout(paths, YML);
    expect(layout.files.size).toBe(20);
    expect([...layout.directories.keys()].filter((each) => each.startsWith(dir))).toEqual([dir]);
  });
});

describe('comparePaths', () => {
  it('orders as a walk does: all below a directory before its next sibling', () => {
    const paths = ['/c/b.yml', '/c/b/x.yml', '/c/a.yml', '/c/b-2.yml'];
    expect(paths.sort(comparePaths)).toEqual(['/c/a.yml', '/c/b/x.yml', '/c/b-2.yml', '/c/b.yml']);
  });
});
