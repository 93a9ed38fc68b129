import { describe, expect, it } from 'vitest';
import { decodeStatic } from '../../../src/core/config/load-static.ts';

function found(challenges: string, entryPoints = 'web: {address: ":80"}, websecure: {address: ":443"}') {
  const text = `entryPoints: {${entryPoints}}\nproviders: {file: {directory: /d}}\ncertificatesResolvers:\n  r:\n    acme:\n      email: a@b.c\n${challenges}`;
  const { config, diagnostics } = decodeStatic({ file: { name: 's.yml', text }, flags: [], env: {} });
  expect(config).not.toBeNull();
  return diagnostics.filter(({ code }) => code !== 'not-acted-on');
}

const HTTP = '      httpChallenge: {entryPoint: web}\n';
const TLS = '      tlsChallenge: {}\n';

describe('whether an authority can reach what answers its challenges', () => {
  it('says nothing where ports are as it wants them', () => {
    expect(found(HTTP)).toEqual([]);
    expect(found(TLS)).toEqual([]);
    expect(found('      dnsChallenge: {provider: exec}\n', 'web: {address: ":8080"}')).toEqual([]);
  });

  it('warns of an http-01 entry point that is not :80, and says when that is fine', () => {
    expect(found(HTTP, 'web: {address: ":8000"}')).toMatchObject([
      {
        severity: 'warning',
        code: 'acme-http-port',
        file: 's.yml',
        line: 7,
        path: 'certificatesResolvers.r.acme.httpChallenge.entryPoint',
        hint: expect.stringContaining('fine where a gateway passes /.well-known/acme-challenge/ on to :8000'),
      },
    ]);
  });

  it('warns of an http-01 entry point that does not exist', () => {
    expect(found('      httpChallenge: {entryPoint: wbe}\n')).toMatchObject([
      { severity: 'warning', code: 'unknown-entry-point', line: 7, hint: 'did you mean `web`?' },
    ]);
    expect(found('      httpChallenge: {}\n')).toMatchObject([{ severity: 'warning', code: 'missing-key' }]);
  });

  it('warns of tls-alpn-01 where nothing listens on :443', () => {
    expect(found(TLS, 'web: {address: ":80"}, websecure: {address: ":8443"}')).toMatchObject([
      {
        severity: 'warning',
        code: 'acme-tls-port',
        line: 7,
        path: 'certificatesResolvers.r.acme.tlsChallenge',
        message: expect.stringContaining('websecure :8443'),
      },
    ]);
  });

  it('warns of a resolver without a challenge', () => {
    expect(found('')).toMatchObject([{ severity: 'warning', code: 'acme-no-challenge', line: 5 }]);
  });
});

describe('what a resolver says of its authority', () => {
  it('is looked at: URL, address, account binding, DNS provider', () => {
    expect(found(`${HTTP}      caServer: 10.0.0.10:9000\n`)).toMatchObject([{ code: 'acme-bad-url', line: 8 }]);
    expect(found(`${HTTP}      caAddress: https://10.0.0.10\n`)).toMatchObject([{ code: 'bad-address', line: 8 }]);
    expect(found(`${HTTP}      eab: {kid: a}\n`)).toMatchObject([{ code: 'missing-key', line: 8 }]);
    expect(found('      dnsChallenge: {provider: route53}\n')).toMatchObject([{ code: 'acme-dns-provider', line: 7 }]);
    expect(found(`${HTTP}      caAddress: 10.0.0.10:9000\n      eab: {kid: a, hmacEncoded: b}\n`)).toEqual([]);
  });
});
