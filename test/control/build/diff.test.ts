import { describe, expect, it } from 'vitest';
import { buildSnapshot } from '../../../src/control/build/build-snapshot.ts';
import { diffSnapshots } from '../../../src/control/build/diff.ts';
import { makeCa } from '../../support/certs.ts';
import { build, GOOD, inputOf } from './harness.ts';

const NONE = { added: [], changed: [], removed: [] };

describe('the difference of two snapshots', () => {
  it('is nothing where only version and time differ', () => {
    const input = inputOf(GOOD);
    const again = { ...inputOf(GOOD), version: 2, now: input.now + 1 };
    expect(diffSnapshots(buildSnapshot(input).snapshot, buildSnapshot(again).snapshot).same).toBe(true);
  });

  it('names what was added, changed and removed', () => {
    const before = build({ 'a.yml': GOOD, 'b.yml': 'http: {middlewares: {m: {addPrefix: {prefix: /a}}}}\n' }).snapshot;
    const after = build(
      GOOD.replace('8000', '8001').replace('  services:', '    second: {rule: Path(`/x`), service: app}\n  services:'),
    ).snapshot;
    const diff = diffSnapshots(before, after);
    expect(diff).toMatchObject({
      same: false,
      routers: { ...NONE, added: ['second@file'] },
      services: { ...NONE, changed: ['app@file'] },
      middlewares: { ...NONE, removed: ['m@file'] },
      entryPoints: NONE,
    });
  });

  it('says that a certificate changed whose file has new content', () => {
    const yaml = 'tls: {certificates: [{certFile: /a.crt, keyFile: /a.key}]}\n';
    const issue = () => {
      const { cert, key } = makeCa().issue({ sans: ['a.x'] });
      return build(yaml, { referenced: { '/a.crt': cert, '/a.key': key } }).snapshot;
    };
    expect(diffSnapshots(issue(), issue()).certificates).toEqual({ ...NONE, changed: ['/a.crt'] });
  });

  it('has everything added at the first snapshot', () => {
    const diff = diffSnapshots(undefined, build(GOOD).snapshot);
    expect(diff.same).toBe(false);
    expect(diff.routers.added).toEqual(['app@file']);
  });
});
