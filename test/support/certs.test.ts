import { X509Certificate } from 'node:crypto';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { makeCa } from './certs.ts';
import { sendRaw } from './raw-client.ts';

describe('makeCa', () => {
  it('issues a leaf that verifies against the CA, with the names and dates asked for', () => {
    const ca = makeCa();
    const notAfter = new Date('2031-02-03T04:05:06Z');
    const leaf = new X509Certificate(ca.issue({ sans: ['a.test', '*.b.test', '127.0.0.1', '::1'], notAfter }).cert);
    expect(leaf.verify(new X509Certificate(ca.cert).publicKey)).toBe(true);
    expect(leaf.subjectAltName).toBe('DNS:a.test, DNS:*.b.test, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1');
    expect(new Date(leaf.validTo)).toEqual(notAfter);
    expect(leaf.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
  });

  it('is accepted by a TLS client that trusts the CA and checks the name', async () => {
    const ca = makeCa();
    const server = createServer(ca.issue({ sans: ['a.test'] }), (_, response) => response.end('over TLS'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const tls = { ca: ca.cert, servername: 'a.test', rejectUnauthorized: true };
    const { responses } = await sendRaw({
      port,
      tls,
      chunks: ['GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n'],
    });
    expect(responses[0]?.body.toString()).toBe('over TLS');
    await new Promise((resolve) => server.close(resolve));
  });

  it('can issue a certificate that has expired', () => {
    const leaf = makeCa().issue({ sans: ['a.test'], notBefore: new Date(0), notAfter: new Date(86_400_000) });
    expect(new Date(new X509Certificate(leaf.cert).validTo).getTime()).toBe(86_400_000);
  });
});
