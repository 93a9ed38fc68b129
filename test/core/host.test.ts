import { describe, expect, it } from 'vitest';
import { hasPort, normalizeHost } from '../../src/core/host.ts';

describe('normalizeHost', () => {
  it.each([
    ['a.example', 'a.example'],
    ['A.Example', 'a.example'],
    ['a.example:8080', 'a.example'],
    ['a.example.', 'a.example'],
    ['a.example..', 'a.example.'],
    ['A.example.:80', 'a.example'],
    ['10.0.0.1:80', '10.0.0.1'],
    ['[::1]', '::1'],
    ['[FD00::1]:443', 'fd00::1'],
    ['::1', '::1'],
    ['a:', 'a'],
    ['', ''],
    ['.', ''],
    ['a_b', 'a_b'],
    ['[::1', '[::1'],
  ])('%j is %j', (header, host) => {
    expect(normalizeHost(header)).toBe(host);
  });

  it('hasPort tells a port from an IPv6 address', () => {
    expect(['a:80', '[::1]:80', 'a', '::1', '[::1]'].map(hasPort)).toEqual([true, true, false, false, false]);
  });
});
