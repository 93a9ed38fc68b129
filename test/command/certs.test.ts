import { describe, expect, it } from 'vitest';
import { describeProgress } from '../../src/command/acme-progress.ts';
import { describeCertificates } from '../../src/command/certs.ts';

const NOW = 1_000_000_000_000;
const HOUR = 3_600_000;

describe('the list of certificates', () => {
  it('says of each what it is, until when, what comes next and what went wrong', () => {
    const text = describeCertificates(
      {
        certificates: [
          {
            names: ['a.x', 'b.x'],
            from: 'acme internal',
            state: 'valid',
            issuer: 'CN=Mesh CA',
            notAfter: NOW + 24 * HOUR,
            nextRenewal: NOW + 16 * HOUR,
            failures: 0,
            stored: true,
          },
          {
            names: ['c.x'],
            from: 'acme internal',
            state: 'failed',
            notAfter: NOW - HOUR,
            nextAttempt: NOW + 10_000,
            failures: 3,
            lastError: 'connection refused',
            lastErrorAt: NOW - 60_000,
            stored: true,
          },
          { names: ['d.x'], from: '/etc/ssl/d.pem', state: 'file', issuer: 'CN=Other', notAfter: NOW + HOUR },
        ],
        resolvers: [
          {
            resolver: 'internal',
            caServer: 'https://ca/dir',
            storage: 'acme.json',
            outage: { since: NOW - 2 * HOUR, error: 'connection refused', nextAttempt: NOW + 5_000 },
          },
        ],
      },
      NOW,
    );
    expect(text.split('\n').map((line) => line.replaceAll(/ {2,}/g, ' | '))).toEqual([
      'NAMES | STATE | EXPIRES | NEXT | FROM | ISSUER',
      'a.x b.x | valid | in 1d | renewal in 16h | acme internal | CN=Mesh CA',
      'c.x | failed | EXPIRED 1h ago | retry in 10s | acme internal | -',
      'd.x | file | in 1h | - | /etc/ssl/d.pem | CN=Other',
      'c.x: failed 1m ago (3 times in a row): connection refused',
      'internal: https://ca/dir not reached for 2h, tried again in 5s: connection refused',
    ]);
  });
});

describe('the progress of ACME', () => {
  it('is counts, then what is open and why', () => {
    expect(
      describeProgress(
        {
          states: { valid: 9, ordering: 1 },
          open: [
            {
              names: ['a.x'],
              from: 'acme internal',
              state: 'ordering',
              progress: 'challenge a.x (http-01)',
              failures: 0,
              stored: false,
            },
          ],
          resolvers: [],
        },
        NOW,
      ),
    ).toEqual(['ACME: 9 valid, 1 ordering', '  a.x (acme internal): ordering', '    a.x: challenge a.x (http-01)']);
  });

  it('stays short where much is open', () => {
    const open = Array.from({ length: 500 }, (_, i) => ({
      names: [`host-${i}.x`],
      from: 'acme internal',
      state: 'waiting' as const,
      failures: 0,
      stored: false,
    }));
    const lines = describeProgress({ states: { waiting: 500 }, open, resolvers: [] }, NOW);
    expect(lines).toHaveLength(12);
    expect(lines.at(-1)).toBe('  … and 490 more: proxy certs');
  });
});
