import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { afterAll, describe, expect, it } from 'vitest';
import { contentAsText } from '../../../src/control/files/content.ts';
import { loadKeyPair } from '../../../src/control/tls/load-certificate.ts';
import { makeCa } from '../../support/certs.ts';
import { issue, reader } from './pki.ts';

const directory = mkdtempSync(join(tmpdir(), 'phoenix-test-p12-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const ecCa = makeCa('EC CA');
const rsaRoot = issue({ commonName: 'RSA CA', isCa: true });
const PAIRS = {
  EC: { ...ecCa.issue({ sans: ['p12.test'] }), issuer: ecCa.cert },
  RSA: { ...issue({ dns: ['p12.test'], issuer: rsaRoot }), issuer: rsaRoot.cert },
};

/** As OpenSSL writes it. Null where this OpenSSL cannot. */
function make(kind: keyof typeof PAIRS, password: string, ...how: readonly string[]): string | null {
  const { cert, key, issuer } = PAIRS[kind];
  const path = (name: string): string => join(directory, name);
  writeFileSync(path('c.pem'), cert);
  writeFileSync(path('k.pem'), key);
  writeFileSync(path('i.pem'), issuer);
  const { status, stderr } = spawnSync(
    'openssl',
    // biome-ignore format: one option a group
    ['pkcs12', '-export', '-in', path('c.pem'), '-inkey', path('k.pem'), '-certfile', path('i.pem'), '-out', path('o.p12'), '-passout', `pass:${password}`, ...how],
    { encoding: 'utf8' },
  );
  if (status !== 0 && how.includes('-legacy')) return null;
  expect(stderr).toBe('');
  return contentAsText('o.p12', readFileSync(path('o.p12')));
}

function load(content: string, more: { readonly password?: string; readonly passwordFile?: string } = {}) {
  return loadKeyPair({
    certFile: '/c.p12',
    ...more,
    read: reader({ '/c.p12': content, '/pw': 'secret\n' }),
    now: Date.now(),
    place: { file: 'd.yml', line: 3, column: 5 },
  });
}

const WAYS: Readonly<Record<string, readonly string[]>> = {
  'OpenSSL 3 (AES)': [],
  'older programs (3DES)': ['-keypbe', 'PBE-SHA1-3DES', '-certpbe', 'PBE-SHA1-3DES', '-macalg', 'sha1'],
  'the oldest (RC2)': ['-legacy'],
  'a plain certificate and an AES key': ['-certpbe', 'NONE'],
};

describe('a PKCS#12 file', () => {
  for (const kind of ['EC', 'RSA'] as const) {
    for (const [name, how] of Object.entries(WAYS)) {
      it(`of ${name} with an ${kind} key gives certificate, chain and key`, ({ skip }) => {
        const content = make(kind, 'secret', ...how);
        if (content === null) return skip('this OpenSSL writes no RC2');
        const { certificate, diagnostics } = load(content, { password: 'secret' });
        expect(diagnostics).toEqual([]);
        expect(certificate).toMatchObject({ names: ['p12.test'], origin: '/c.p12' });
        const { cert, issuer } = PAIRS[kind];
        expect(certificate!.fingerprint).toBe(new X509Certificate(cert).fingerprint256);
        expect(certificate!.cert.replaceAll('\n', '')).toContain(issuer.replaceAll('\n', ''));
        createSecureContext({ cert: certificate!.cert, key: certificate!.key });
      });
    }
  }

  it('takes its password from a file, without the end of the line', () => {
    expect(load(make('EC', 'secret')!, { passwordFile: '/pw' }).certificate).not.toBeNull();
  });

  it('may have an empty password', () => {
    expect(load(make('EC', '')!).certificate).not.toBeNull();
  });

  it('with the wrong password is said to be just that', () => {
    const content = make('EC', 'secret')!;
    expect(load(content, { password: 'wrong' })).toMatchObject({
      certificate: null,
      diagnostics: [
        {
          severity: 'error',
          code: 'tls-p12-password',
          message: '/c.p12 cannot be opened with this password',
          hint: expect.stringContaining('`passwordFile`'),
          file: 'd.yml',
          line: 3,
        },
      ],
    });
    expect(load(content).diagnostics).toMatchObject([{ message: '/c.p12 cannot be opened without a password' }]);
    expect(load(content, { passwordFile: '/nowhere' }).diagnostics).toMatchObject([
      { code: 'tls-file-missing', message: 'the password file /nowhere does not exist' },
    ]);
  });

  it('with the wrong password and no MAC is not read', () => {
    // Without a MAC one wrong password in 256 gives something that looks like an end, and then is no PKCS#12.
    expect(load(make('RSA', 'secret', '-nomac')!, { password: 'wrong' }).diagnostics).toMatchObject([
      { code: expect.stringMatching(/^tls-p12-/) },
    ]);
  });

  it('that is none, or cut off, is a finding', () => {
    const whole = make('EC', 'secret')!;
    for (const content of ['', 'PEM', whole.slice(0, 300)]) {
      expect(load(content, { password: 'secret' }).diagnostics).toMatchObject([{ code: 'tls-p12-unreadable' }]);
    }
  });
});
