import { getCiphers } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { DEFAULT_CIPHERS, mapCipherSuite } from '../../../src/core/tls/cipher-suites.ts';
import { mapClientAuthType } from '../../../src/core/tls/client-auth.ts';
import { mapCurve } from '../../../src/core/tls/curves.ts';
import { compareVersions, mapVersion } from '../../../src/core/tls/versions.ts';

describe('cipher suites', () => {
  it('come in as Go names and go out as OpenSSL names', () => {
    const openssl = (name: string) => {
      const mapped = mapCipherSuite(name);
      return mapped.ok && mapped.value.kind === 'suite' ? mapped.value.openssl : undefined;
    };
    expect(openssl('TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256')).toBe('ECDHE-RSA-AES128-GCM-SHA256');
    expect(openssl('TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305')).toBe('ECDHE-ECDSA-CHACHA20-POLY1305');
    expect(openssl('TLS_RSA_WITH_AES_256_GCM_SHA384')).toBe('AES256-GCM-SHA384');
  });

  it('of TLS 1.3 are accepted, those that OpenSSL has dropped are told apart', () => {
    expect(mapCipherSuite('TLS_AES_128_GCM_SHA256')).toEqual({ ok: true, value: { kind: 'tls13' } });
    expect(mapCipherSuite('TLS_RSA_WITH_RC4_128_SHA')).toEqual({ ok: true, value: { kind: 'removed' } });
    expect(mapCipherSuite('TLS_FALLBACK_SCSV')).toEqual({ ok: true, value: { kind: 'signal' } });
  });

  it('with a typing error get a suggestion', () => {
    expect(mapCipherSuite('TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA265')).toEqual({
      ok: false,
      message: 'unknown cipher suite "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA265"',
      hint: 'did you mean TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256?',
    });
  });

  it('that are offered by default all exist', () => {
    const known = new Set(getCiphers());
    for (const name of DEFAULT_CIPHERS.split(':')) expect(known).toContain(name.toLowerCase());
  });
});

describe('versions, curves, client authentication', () => {
  it('are mapped', () => {
    expect(mapVersion('VersionTLS10')).toEqual({ ok: true, value: 'TLSv1' });
    expect(mapVersion('VersionTLS13')).toEqual({ ok: true, value: 'TLSv1.3' });
    expect(mapCurve('CurveP256')).toEqual({ ok: true, value: 'P-256' });
    expect(mapCurve('secp521r1')).toEqual({ ok: true, value: 'P-521' });
    expect(mapCurve('x25519mlkem768')).toEqual({ ok: true, value: 'X25519MLKEM768' });
    expect(mapClientAuthType('RequireAnyClientCert')).toEqual({ ok: true, value: 'RequireAnyClientCert' });
  });

  it('say what is meant where a name is unknown', () => {
    expect(mapVersion('TLS12')).toMatchObject({ ok: false, hint: expect.stringContaining('VersionTLS12') });
    expect(mapCurve('CurveP265')).toMatchObject({ ok: false, hint: 'did you mean CurveP256?' });
    expect(mapClientAuthType('RequireClientCert')).toMatchObject({
      ok: false,
      hint: 'did you mean RequestClientCert?',
    });
    expect(mapCurve('x'.repeat(100_000))).toMatchObject({ ok: false });
  });

  it('are in order of age', () => {
    expect(compareVersions('TLSv1.2', 'TLSv1.3')).toBeLessThan(0);
    expect(compareVersions('TLSv1.3', 'TLSv1.3')).toBe(0);
  });
});
