import { describe, expect, it } from 'vitest';
import { goDuration, maskText, presentable } from '../../../src/control/api/redact.ts';

describe('what may be shown', () => {
  it.each([
    ['http://u:p@h:1/x', 'http://REDACTED@h:1/x'],
    ['token@h', 'token@h'],
    ['cannot reach redis://:p@ss@h:6379 now', 'cannot reach redis://REDACTED@h:6379 now'],
    ['http://h/a@b', 'http://h/a@b'],
    ['backend@file at http://h', 'backend@file at http://h'],
    ['-----BEGIN EC PRIVATE KEY-----\nx', 'REDACTED'],
  ])('%j becomes %j', (text, expected) => {
    expect(maskText(text)).toBe(expected);
  });

  it('is without users, keys, passwords and tokens', () => {
    const shown = presentable({
      basicAuth: { users: ['a:b'], usersFile: '/etc/users', removeHeader: false },
      plugin: { x: { apiKey: 'hush', passwords: ['hush'], plain: 1 } },
      rateLimit: { redis: { password: 'hush', endpoints: ['r:1'] }, period: 1000 },
      forwardAuth: {
        address: 'https://u:hush@a/',
        addAuthCookiesToResponse: ['session'],
        tls: { key: '-----BEGIN PRIVATE KEY-----hush' },
      },
      headers: { customResponseHeaders: { 'Set-Cookie': 'hush', 'X-Auth-Hint': 'hush', timeout: '5', users: 'x' } },
      sticky: { cookie: { name: 'lb' } },
    });
    expect(JSON.stringify(shown)).not.toContain('hush');
    expect(shown).toMatchObject({
      basicAuth: { usersFile: '/etc/users', removeHeader: false },
      rateLimit: { redis: { endpoints: ['r:1'] }, period: '1s' },
      forwardAuth: { addAuthCookiesToResponse: ['session'] },
      headers: { customResponseHeaders: { timeout: '5', users: 'x' } },
      sticky: { cookie: { name: 'lb' } },
    });
  });

  it.each([
    [0, '0s'],
    [100, '100ms'],
    [1.5, '1.5ms'],
    [0.25, '250µs'],
    [0.000001, '1ns'],
    [1000, '1s'],
    [90_000, '1m30s'],
    [180_000, '3m0s'],
    [3_600_000, '1h0m0s'],
    [61_500, '1m1.5s'],
    [-1000, '-1s'],
  ])('%d ms is %s', (ms, text) => {
    expect(goDuration(ms)).toBe(text);
  });
});
