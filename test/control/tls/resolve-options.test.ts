import { describe, expect, it } from 'vitest';
import { refusingOptions, resolveTlsOptions } from '../../../src/control/tls/resolve-options.ts';
import { type TlsOptions, tlsOptionsSchema } from '../../../src/core/config/tls.ts';
import { issue, reader } from './pki.ts';

const authority = issue({ commonName: 'authority', isCa: true });
const expiredAuthority = issue({ commonName: 'old', isCa: true, notBefore: 0, notAfter: 1_000_000_000_000 });

function resolve(changes: Partial<TlsOptions>, files: Readonly<Record<string, string | Error>> = {}) {
  // Past the schema's enums, as other decoders than ours may come.
  const config = { ...tlsOptionsSchema.parse({}), ...changes } as TlsOptions;
  const place = { file: 'tls.yml', path: 'tls.options.x' };
  return resolveTlsOptions({ name: 'x@file', config, read: reader(files), now: Date.now(), place });
}

describe('tls.options', () => {
  it('has the defaults of Traefik', () => {
    expect(resolve({})).toEqual({
      options: {
        name: 'x@file',
        minVersion: 'TLSv1.2',
        maxVersion: 'TLSv1.3',
        clientAuth: { type: 'NoClientCert', ca: [] },
        sniStrict: false,
        alpnProtocols: ['h2', 'http/1.1', 'acme-tls/1'],
        sessionTickets: true,
      },
      diagnostics: [],
    });
  });

  it('maps names and reads authorities, by path or in place', () => {
    const { options, diagnostics } = resolve(
      {
        minVersion: 'VersionTLS12',
        maxVersion: 'VersionTLS12',
        cipherSuites: ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', 'TLS_AES_128_GCM_SHA256'],
        curvePreferences: ['CurveP521', 'secp384r1'],
        clientAuth: { caFiles: ['/ca.pem', authority.cert], clientAuthType: 'VerifyClientCertIfGiven' },
        sniStrict: true,
        disableSessionTickets: true,
      },
      { '/ca.pem': `comment\n${authority.cert}` },
    );
    expect(diagnostics).toEqual([]);
    expect(options).toMatchObject({
      maxVersion: 'TLSv1.2',
      ciphers: 'ECDHE-RSA-AES128-GCM-SHA256',
      curves: 'P-521:P-384',
      clientAuth: { type: 'VerifyClientCertIfGiven', ca: [authority.cert, authority.cert] },
      sniStrict: true,
      sessionTickets: false,
    });
  });

  it('demands a certificate where only authorities are given, as Traefik does', () => {
    const { options } = resolve({ clientAuth: { caFiles: [authority.cert] } });
    expect(options.clientAuth.type).toBe('RequireAndVerifyClientCert');
  });

  it('refuses every handshake where an error would loosen what was asked for', () => {
    const cases: [Partial<TlsOptions>, string][] = [
      [{ minVersion: 'VersionTLS14' as 'VersionTLS13' }, 'tls-unknown-name'],
      [{ minVersion: 'VersionTLS13', maxVersion: 'VersionTLS12' }, 'tls-version-range'],
      [{ cipherSuites: ['TLS_NONSENSE'] }, 'tls-no-cipher'],
      [{ curvePreferences: ['nonsense'] }, 'tls-no-curve'],
      [{ clientAuth: { caFiles: ['/gone.pem'] } }, 'tls-file-missing'],
      [{ clientAuth: { caFiles: [authority.key] } }, 'tls-client-ca-unreadable'],
      [{ clientAuth: { caFiles: [], clientAuthType: 'RequireAndVerifyClientCert' } }, 'tls-client-ca-missing'],
    ];
    for (const [changes, code] of cases) {
      const { options, diagnostics } = resolve(changes);
      expect(diagnostics.map((d) => d.code)).toContain(code);
      expect(options.refuse).toMatch(/^tls\.options\.x@file: /);
      expect(diagnostics[0]).toMatchObject({ file: 'tls.yml', path: expect.stringMatching(/^tls\.options\.x\./) });
    }
  });

  it('leaves out with a warning what can be left out safely', () => {
    const { options, diagnostics } = resolve({
      cipherSuites: [
        'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA265',
        'TLS_RSA_WITH_RC4_128_SHA',
        'TLS_RSA_WITH_AES_128_CBC_SHA',
      ],
      curvePreferences: ['X25519', 'CurveP111'],
      alpnProtocols: ['http/1.1', 'gopher'],
      clientAuth: { caFiles: [expiredAuthority.cert] },
    });
    expect(options.refuse).toBeUndefined();
    expect(options).toMatchObject({ ciphers: 'AES128-SHA', curves: 'X25519' });
    expect(diagnostics.map((d) => `${d.severity} ${d.code}`)).toEqual([
      'warning tls-unknown-name',
      'warning tls-cipher-removed',
      'warning tls-unknown-name',
      'warning tls-client-ca-expired',
      'warning tls-alpn-unknown',
    ]);
    expect(diagnostics[0]?.hint).toBe('did you mean TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256?');
  });

  it('serves TLS 1.3 alone where only its suites are named', () => {
    const { options, diagnostics } = resolve({ cipherSuites: ['TLS_AES_128_GCM_SHA256'] });
    expect(options).toMatchObject({ minVersion: 'TLSv1.3' });
    expect(options.ciphers).toBeUndefined();
    expect(diagnostics).toMatchObject([{ severity: 'warning', code: 'tls-cipher-tls13' }]);
  });

  it('that cannot be decoded are options that refuse', () => {
    expect(refusingOptions('y@file', 'because')).toMatchObject({ name: 'y@file', refuse: 'because' });
  });
});
