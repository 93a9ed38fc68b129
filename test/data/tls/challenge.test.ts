import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:tls';
import acme from 'acme-client';
import { afterAll, describe, expect, it } from 'vitest';
import { LiveChallenges } from '../../../src/data/challenges.ts';
import { tlsOptions, tlsSnapshot, Workshop } from './certificates.ts';
import { openssl, serverFixture } from './server.ts';

const shop = new Workshop();
const fallback = shop.make(['default.test']);
const served = shop.make(['a.test']);
const serve = serverFixture();
afterAll(() => shop.remove());

async function challengeFor(serverName: string) {
  const [key, cert] = await acme.crypto.createAlpnCertificate(
    { identifier: { type: 'dns', value: serverName } } as never,
    'authorization',
  );
  return { serverName, cert: cert.toString(), key: key.toString() };
}

async function start() {
  const challenges = new LiveChallenges();
  const challenge = await challengeFor('a.test');
  challenges.take({ revision: 1, tokens: [], alpn: [challenge] });
  const all = tlsOptions('default', { alpnProtocols: ['h2', 'http/1.1', 'acme-tls/1'] });
  const started = await serve(tlsSnapshot(fallback, [served], all), [], {
    challenge: (serverName) => challenges.tls(serverName),
  });
  return { ...started, challenges, challenge };
}

describe('tls-alpn-01', () => {
  it('answers acme-tls/1 with the certificate of the challenge, and ends with the handshake', async () => {
    const { port, server, challenge } = await start();
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = connect({
        port,
        host: '127.0.0.1',
        servername: 'a.test',
        ALPNProtocols: ['acme-tls/1'],
        minVersion: version,
        maxVersion: version,
        rejectUnauthorized: false,
      });
      await once(socket, 'secureConnect');
      expect(socket.alpnProtocol).toBe('acme-tls/1');
      expect(socket.getPeerX509Certificate()?.fingerprint256).toBe(new X509Certificate(challenge.cert).fingerprint256);
      socket.resume();
      await once(socket, 'end');
      socket.destroy();
    }
    expect(server.terminator.pending).toBe(0);
    expect(server.infos).toHaveLength(0);
    expect(server.failures).toHaveLength(0);
  });

  it('is for openssl s_client to see, too', async () => {
    const { port } = await start();
    const { output } = await openssl(port, ['-servername', 'a.test', '-alpn', 'acme-tls/1']);
    expect(output).toMatch('ALPN protocol: acme-tls/1');
    expect(output).toMatch('subject=CN = a.test');
  });

  it('is agreed on for no other name, not beside other protocols, and not when it is over', async () => {
    const { port, challenges } = await start();
    const other = await openssl(port, ['-servername', 'b.test', '-alpn', 'acme-tls/1']);
    expect(other.output).toMatch(/no application protocol/i);
    const among = await openssl(port, ['-servername', 'a.test', '-alpn', 'acme-tls/1,http/1.1']);
    expect(among.output).toMatch('ALPN protocol: http/1.1');
    challenges.take({ revision: 2, tokens: [], alpn: [] });
    const over = await openssl(port, ['-servername', 'a.test', '-alpn', 'acme-tls/1']);
    expect(over.output).toMatch(/no application protocol/i);
  });

  it('leaves other connections of the name alone', async () => {
    const { port } = await start();
    const { output, answer } = await openssl(port, ['-servername', 'a.test', '-alpn', 'http/1.1']);
    expect(output).toMatch('subject=CN = a.test');
    expect(answer).toMatchObject({ sni: 'a.test', alpn: 'http/1.1' });
  });

  it('refuses only the connection where the certificate cannot be used', async () => {
    const { port, server, challenges } = await start();
    challenges.take({ revision: 2, tokens: [], alpn: [{ serverName: 'a.test', cert: 'no', key: 'no' }] });
    await openssl(port, ['-servername', 'a.test', '-alpn', 'acme-tls/1']);
    expect(server.failures.map((f) => f.reason)).toEqual(['internal']);
    const { answer } = await openssl(port, ['-servername', 'a.test']);
    expect(answer).toMatchObject({ sni: 'a.test' });
  });
});
