import { afterAll, describe, expect, it } from 'vitest';
import type { ClientAuthType } from '../../../src/core/snapshot.ts';
import { tlsOptions, tlsSnapshot, Workshop } from './certificates.ts';
import { ask, openssl, serverFixture, until } from './server.ts';

const shop = new Workshop();
const fallback = shop.make(['default.test']);
const a = shop.make(['a.test']);
const b = shop.make(['b.test', 'also-b.test'], undefined, 'rsa');
const all = [a, b];
const authority = shop.make(['authority.test']);
const otherAuthority = shop.make(['other-authority.test']);
const goodClient = shop.make(['good.client'], authority);
const strangeClient = shop.make(['strange.client'], otherAuthority);

const serve = serverFixture();
afterAll(() => shop.remove());

describe('client certificates', () => {
  const clients = { none: undefined, good: goodClient, strange: strangeClient };
  const expected: Record<
    ClientAuthType,
    Record<keyof typeof clients, 'anonymous' | 'given' | 'verified' | 'refused'>
  > = {
    NoClientCert: { none: 'anonymous', good: 'anonymous', strange: 'anonymous' },
    RequestClientCert: { none: 'anonymous', good: 'given', strange: 'given' },
    RequireAnyClientCert: { none: 'refused', good: 'given', strange: 'given' },
    VerifyClientCertIfGiven: { none: 'anonymous', good: 'verified', strange: 'refused' },
    RequireAndVerifyClientCert: { none: 'refused', good: 'verified', strange: 'refused' },
  };

  for (const type of Object.keys(expected) as ClientAuthType[]) {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      it(`${type}, ${version}`, async () => {
        const clientAuth = { type, ca: [authority.cert] };
        const { port } = await serve(tlsSnapshot(fallback, all, tlsOptions('default', { clientAuth })));
        for (const who of Object.keys(clients) as (keyof typeof clients)[]) {
          const client = clients[who];
          const { answer } = await ask(port, {
            servername: 'a.test',
            minVersion: version,
            maxVersion: version,
            ...(client && { cert: client.cert, key: client.key }),
          });
          const saw =
            answer === null
              ? 'refused'
              : answer.client === null
                ? 'anonymous'
                : answer.clientVerified
                  ? 'verified'
                  : 'given';
          expect({ who, saw }).toEqual({ who, saw: expected[type][who] });
        }
      });
    }
  }

  it('send certificate_required to a client without one', async () => {
    const clientAuth = { type: 'RequireAndVerifyClientCert', ca: [authority.cert] } as const;
    const { server, port } = await serve(tlsSnapshot(fallback, all, tlsOptions('default', { clientAuth })));
    expect((await openssl(port, ['-tls1_3'])).output).toMatch(/alert certificate required/);
    await until(() => server.failures.length === 1);
    expect(server.failures).toMatchObject([{ reason: 'client-certificate-missing' }]);
  });

  it('cannot be avoided by a ticket of options that demand none', async () => {
    const clientAuth = { type: 'RequireAndVerifyClientCert', ca: [authority.cert] } as const;
    const snapshot = tlsSnapshot(fallback, all, tlsOptions('mtls@file', { clientAuth }));
    const { port } = await serve(snapshot, [{ host: 'b.test', options: 'mtls@file' }]);
    for (const version of ['-tls1_2', '-tls1_3']) {
      const file = shop.write('free-ticket', '');
      expect((await openssl(port, [version, '-servername', 'a.test', '-sess_out', file])).answer).not.toBeNull();
      expect((await openssl(port, [version, '-servername', 'a.test', '-sess_in', file])).answer).toMatchObject({
        resumed: true,
      });
      expect((await openssl(port, [version, '-servername', 'b.test', '-sess_in', file])).answer).toBeNull();
    }
  });
});
