import { describe, expect, it } from 'vitest';
import { LiveChallenges } from '../../src/data/challenges.ts';

describe('challenges under way', () => {
  it('are known by the exact path of their token, and by nothing else', () => {
    const live = new LiveChallenges();
    expect(live.isHttp('/.well-known/acme-challenge/abc')).toBe(false);
    live.take({ revision: 1, tokens: ['abc', 'def'], alpn: [] });
    expect(live.isHttp('/.well-known/acme-challenge/abc')).toBe(true);
    for (const other of ['', 'ab', 'abcd', 'abc/', 'ABC', 'abc/../def']) {
      expect(live.isHttp(`/.well-known/acme-challenge/${other}`)).toBe(false);
    }
    expect(live.isHttp('/abc')).toBe(false);
  });

  it('are gone when the next message does not name them', () => {
    const live = new LiveChallenges();
    live.take({ revision: 1, tokens: ['abc'], alpn: [{ serverName: 'a.test', cert: 'c', key: 'k' }] });
    expect(live.expectsTls).toBe(true);
    live.take({ revision: 2, tokens: [], alpn: [] });
    expect(live.isHttp('/.well-known/acme-challenge/abc')).toBe(false);
    expect(live.expectsTls).toBe(false);
    expect(live.tls('a.test')).toBeNull();
  });
});
