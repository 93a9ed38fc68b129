import { describe, expect, it } from 'vitest';
import type {
  AcmeCertificate,
  AcmeManager,
  AcmeOptions,
  AlpnChallenge,
  WantedCertificate,
} from '../../src/control/acme/types.ts';
import { AcmeService } from '../../src/control/acme-service.ts';
import type { Challenges } from '../../src/core/messages.ts';
import { makeCa } from '../support/certs.ts';
import { waitFor } from '../support/wait-for.ts';

const ca = makeCa();

function issue(main: string, lifeMs = 60_000): AcmeCertificate {
  const { cert, key } = ca.issue({ sans: [main], notAfter: new Date(Date.now() + lifeMs) });
  return { resolver: 'internal', main, sans: [], cert, key, store: 'default' };
}

async function start() {
  const held = { certificates: [] as readonly AcmeCertificate[], tokens: [] as string[], alpn: [] as AlpnChallenge[] };
  const seen = { delivered: [] as Challenges[], changes: 0, log: [] as string[], wanted: [] as string[][] };
  let options!: AcmeOptions;
  const service = await AcmeService.open({
    resolvers: {},
    log: (level, message) => seen.log.push(`${level} ${message}`),
    changed: () => seen.changes++,
    deliver: async (challenges) => void seen.delivered.push(challenges),
    open: async (given) => {
      options = given;
      return {
        certificates: () => held.certificates,
        challenges: {
          http01: (token: string) => (held.tokens.includes(token) ? `${token}.thumb` : undefined),
          tokens: () => held.tokens,
          alpn: () => held.alpn,
        },
        status: () => [],
        resolvers: () => [],
        want: (list: readonly WantedCertificate[]) => void seen.wanted.push(list.map(({ main }) => main)),
        close: async () => undefined,
      } as unknown as AcmeManager;
    },
  });
  return { service, held, seen, options };
}

describe('certificates of resolvers', () => {
  it('are given to builds as what they are, and only parsed once', async () => {
    const { service, held, seen, options } = await start();
    expect(service.issued).toEqual([]);
    const a = issue('a.x');
    held.certificates = [a];
    options.onCertificates();
    expect(seen.changes).toBe(1);
    expect(service.issued).toMatchObject([
      {
        resolver: 'internal',
        names: ['a.x'],
        certificate: { origin: 'acme internal', resolver: 'internal', names: ['a.x'] },
      },
    ]);
    expect(service.issued).toBe(service.issued);
    const before = service.issued[0]!.certificate;
    held.certificates = [a, issue('b.x')];
    options.onCertificates();
    expect(service.issued).toHaveLength(2);
    expect(service.issued[0]!.certificate).toBe(before);
    await service.close();
  });

  it('go live at once, and those that come fast together behind the first', async () => {
    const { service, seen, options } = await start();
    for (let i = 0; i < 100; i++) options.onCertificates();
    expect(seen.changes).toBe(1);
    await waitFor('the others', () => seen.changes === 2);
    options.onCertificates();
    service.flush();
    expect(seen.changes).toBe(3);
    service.flush();
    expect(seen.changes).toBe(3);
    await service.close();
  });

  it('that cannot be served are said to be, and hold up no other', async () => {
    const { service, held, seen, options } = await start();
    held.certificates = [{ ...issue('a.x'), key: issue('other.x').key }, issue('b.x')];
    options.onCertificates();
    expect(service.issued.map(({ names }) => names)).toEqual([['b.x']]);
    expect(seen.log).toEqual([
      expect.stringMatching(/^error the certificate for a\.x from "internal" cannot be served: .*does not belong/),
    ]);
    await service.close();
  });

  it('that expire are said to have, loudly', async () => {
    const { service, held, seen, options } = await start();
    // Certificates count in seconds.
    held.certificates = [issue('a.x', 2_000)];
    options.onCertificates();
    expect(service.issued).toHaveLength(1);
    await waitFor('the expiry to be noticed', () => seen.log.length > 0);
    expect(seen.log).toEqual([expect.stringMatching(/^error the certificate for a\.x from "internal" has EXPIRED/)]);
    expect(service.issued).toHaveLength(1);
    await service.close();
  });
});

describe('what is wanted', () => {
  it('is ordered when challenges can be answered, and is then what was said last', async () => {
    const { service, seen } = await start();
    const wish = (main: string): WantedCertificate => ({ resolver: 'internal', main, sans: [], for: [] });
    service.want([wish('a.x')]);
    service.want([wish('b.x')]);
    expect(seen.wanted).toEqual([]);
    service.begin();
    service.want([]);
    expect(seen.wanted).toEqual([['b.x'], []]);
    await service.close();
  });
});

describe('challenges', () => {
  it('are delivered whole, counted up, and waited for', async () => {
    const { service, held, seen, options } = await start();
    held.tokens = ['t'];
    held.alpn = [{ name: 'a.x', cert: 'c', key: 'k' }];
    await options.onChallenges();
    held.tokens = [];
    held.alpn = [];
    await options.onChallenges();
    expect(seen.delivered).toEqual([
      { revision: 1, tokens: ['t'], alpn: [{ serverName: 'a.x', cert: 'c', key: 'k' }] },
      { revision: 2, tokens: [], alpn: [] },
    ]);
    held.tokens = ['u'];
    expect(service.keyAuthorization('u')).toBe('u.thumb');
    expect(service.keyAuthorization('t')).toBeUndefined();
  });
});
