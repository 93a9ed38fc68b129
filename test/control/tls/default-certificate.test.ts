import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { generateDefaultCertificate } from '../../../src/control/tls/default-certificate.ts';

describe('the generated default certificate', () => {
  it('is self-signed, valid for a year, and named like nothing else', async () => {
    const now = Date.now();
    const made = await generateDefaultCertificate(now);
    const x509 = new X509Certificate(made.cert);
    expect(x509.subject).toBe('CN=PHOENIX DEFAULT CERT');
    expect(x509.verify(x509.publicKey)).toBe(true);
    expect(x509.checkPrivateKey(createPrivateKey(made.key))).toBe(true);
    expect(x509.publicKey.asymmetricKeyDetails?.modulusLength).toBe(2048);
    expect(made.names).toEqual([expect.stringMatching(/^[0-9a-f]{32}\.[0-9a-f]{32}\.phoenix\.default$/)]);
    expect(x509.subjectAltName).toBe(`DNS:${made.names[0]}`);
    expect(made.notBefore).toBeLessThanOrEqual(now);
    expect(Math.round((made.notAfter - now) / 86_400_000)).toBe(365);
    expect(() => createSecureContext({ cert: made.cert, key: made.key })).not.toThrow();
  });
});
