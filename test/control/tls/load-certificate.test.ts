import { createPrivateKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { loadKeyPair } from '../../../src/control/tls/load-certificate.ts';
import { issue, reader } from './pki.ts';

const now = Date.now();
const DAY_MS = 86_400_000;
const root = issue({ commonName: 'root', isCa: true });
const intermediate = issue({ commonName: 'intermediate', isCa: true, issuer: root });
const leaf = issue({ dns: ['A.test', '*.wild.test'], ips: ['10.0.0.1', '::1'], issuer: intermediate });
const other = issue({ dns: ['other.test'] });

function load(cert: string | Error, key: string | Error) {
  return loadKeyPair({
    certFile: '/c.crt',
    keyFile: '/c.key',
    read: reader({ '/c.crt': cert, '/c.key': key }),
    now,
    place: { file: 'dynamic.yml', line: 3, column: 5, path: 'tls.certificates[0]' },
  });
}

function only(result: ReturnType<typeof load>) {
  expect(result.diagnostics).toHaveLength(1);
  return result.diagnostics[0]!;
}

describe('a certificate and its key', () => {
  it('give names, validity and origin', () => {
    const { certificate, diagnostics } = load(leaf.cert + intermediate.cert, leaf.key);
    expect(diagnostics).toEqual([]);
    expect(certificate).toMatchObject({
      names: ['a.test', '*.wild.test', '10.0.0.1', '::1'],
      origin: '/c.crt',
      cert: leaf.cert + intermediate.cert,
      key: leaf.key,
      fingerprint: expect.stringMatching(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/),
    });
    expect(certificate!.notAfter - certificate!.notBefore).toBe(2 * DAY_MS);
  });

  it('may stand in the configuration itself', () => {
    const result = loadKeyPair({ certFile: other.cert, keyFile: other.key, read: reader({}), now });
    expect(result).toMatchObject({ certificate: { origin: 'inline', names: ['other.test'] }, diagnostics: [] });
  });

  it('without alternative names go by the common name', () => {
    const old = issue({ commonName: 'Old.Test' });
    expect(load(old.cert, old.key).certificate?.names).toEqual(['old.test']);
  });

  it('that name no host can only be the default', () => {
    const nameless = issue({ commonName: 'not a host' });
    const result = load(nameless.cert, nameless.key);
    expect(result.certificate?.names).toEqual([]);
    expect(only(result)).toMatchObject({ severity: 'warning', code: 'tls-certificate-nameless' });
  });

  it('in the wrong order are sorted, with a warning', () => {
    const result = load(root.cert + intermediate.cert + leaf.cert, leaf.key);
    expect(only(result)).toMatchObject({ severity: 'warning', code: 'tls-chain-order' });
    expect(result.certificate?.cert).toBe(leaf.cert + intermediate.cert + root.cert);
  });

  it('that have expired or are not valid yet are served with a warning', () => {
    const expired = issue({ dns: ['a.test'], notBefore: now - 9 * DAY_MS, notAfter: now - DAY_MS });
    const early = issue({ dns: ['a.test'], notBefore: now + DAY_MS, notAfter: now + 2 * DAY_MS });
    for (const [pair, code] of [
      [expired, 'tls-certificate-expired'],
      [early, 'tls-certificate-not-yet-valid'],
    ] as const) {
      const result = load(pair.cert, pair.key);
      expect(result.certificate).not.toBeNull();
      expect(only(result)).toMatchObject({ severity: 'warning', code, file: 'dynamic.yml', line: 3 });
    }
  });
});

describe('what cannot be served', () => {
  const encrypted = createPrivateKey(leaf.key).export({
    type: 'pkcs8',
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase: 'x',
  }) as string;
  const oldEncrypted = createPrivateKey(leaf.key).export({
    type: 'pkcs1',
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase: 'x',
  }) as string;
  const denied = Object.assign(new Error('denied'), { code: 'EACCES' });
  const small = issue({ dns: ['small.test'], bits: 512 });

  it.each([
    ['a key of another certificate', leaf.cert, other.key, 'tls-key-mismatch', /does not belong/],
    ['swapped files', leaf.key, leaf.cert, 'tls-certificate-missing', /holds PRIVATE KEY/],
    ['an encrypted key', leaf.cert, encrypted, 'tls-key-encrypted', /encrypted/],
    ['a key encrypted the old way', leaf.cert, oldEncrypted, 'tls-key-encrypted', /encrypted/],
    ['an empty certificate file', '', leaf.key, 'tls-certificate-missing', /is empty/],
    ['an empty key file', leaf.cert, '\n', 'tls-key-missing', /is empty/],
    ['half a certificate', leaf.cert.slice(0, 300), leaf.key, 'tls-certificate-missing', /cut off/],
    [
      'a damaged certificate',
      leaf.cert.replace(/\n[A-Za-z0-9+/]{64}\n/, '\n'),
      leaf.key,
      'tls-certificate-unreadable',
      /cannot be parsed/,
    ],
    ['no PEM at all', 'hello', leaf.key, 'tls-certificate-missing', /is not PEM/],
    ['DER', '0\x82\x01\x00', leaf.key, 'tls-certificate-missing', /DER/],
    ['a file that is not there', new Error('x'), leaf.key, 'tls-file-unreadable', /cannot be read/],
    ['a file that may not be read', leaf.cert, denied, 'tls-file-unreadable', /may not be read by uid \d+/],
    ['a key that OpenSSL finds too small', small.cert, small.key, 'tls-certificate-weak', /refused by OpenSSL/],
  ] as const)('%s', (_what, cert, key, code, message) => {
    const result = load(cert, key);
    expect(result.certificate).toBeNull();
    const error = result.diagnostics.find((d) => d.code === code);
    expect(error).toMatchObject({ severity: 'error', file: 'dynamic.yml', path: 'tls.certificates[0]' });
    expect(error?.message).toMatch(message);
  });

  it('says which file is missing, both where both are', () => {
    const result = loadKeyPair({ certFile: 'c.crt', keyFile: '/c.key', read: reader({}), now });
    expect(result.diagnostics.map((d) => [d.code, d.message])).toEqual([
      ['tls-file-missing', 'the certificate c.crt does not exist'],
      ['tls-file-missing', 'the private key /c.key does not exist'],
    ]);
    expect(result.diagnostics[0]?.hint).toMatch(/absolute/);
  });
});
