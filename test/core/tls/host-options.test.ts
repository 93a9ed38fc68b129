import { describe, expect, it } from 'vitest';
import { HostOptions } from '../../../src/core/tls/host-options.ts';

describe('the TLS options of a host', () => {
  it('are those of its own binding, then of the wildcard, then the default', () => {
    const hosts = new HostOptions([
      { host: 'a.x', options: 'one@file' },
      { host: '*.x', options: 'two@file' },
    ]);
    expect(hosts.nameFor('a.x')).toBe('one@file');
    expect(hosts.nameFor('b.x')).toBe('two@file');
    expect(hosts.nameFor('c.b.x')).toBe('default');
    expect(hosts.nameFor('x')).toBe('default');
    expect(hosts.nameFor(null)).toBe('default');
    expect(hosts.conflicts).toEqual([]);
  });

  it('are those of * where a router takes every host', () => {
    const hosts = new HostOptions([{ host: '*', options: 'every@file' }]);
    expect(hosts.nameFor('any.thing')).toBe('every@file');
    expect(hosts.nameFor(null)).toBe('every@file');
  });

  it('are the default ones where two routers disagree, and the conflict is told', () => {
    const hosts = new HostOptions([
      { host: 'a.x', options: 'two@file' },
      { host: 'a.x', options: 'one@file' },
      { host: 'a.x', options: 'two@file' },
      { host: 'b.x', options: 'two@file' },
      { host: 'b.x', options: 'two@file' },
    ]);
    expect(hosts.nameFor('a.x')).toBe('default');
    expect(hosts.nameFor('b.x')).toBe('two@file');
    expect(hosts.conflicts).toEqual([{ host: 'a.x', options: ['one@file', 'two@file'] }]);
  });
});
